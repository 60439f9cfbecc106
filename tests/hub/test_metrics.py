"""What is counted, and how it is told."""

from __future__ import annotations

import asyncio
import errno
import stat
from types import SimpleNamespace

import pytest
from prometheus_client import REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families
from tornado import web

from upramp_hub import metrics
from upramp_hub.metrics import Tallies, Tally


def told(collector):
    registry = CollectorRegistry()
    registry.register(collector)
    families = text_string_to_metric_families(generate_latest(registry).decode())
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in families
        for sample in family.samples
    }


def decisions(state):
    return {what: value for (_, what), value in told(Tallies(state)).items()}


def value(name, **labels):
    return REGISTRY.get_sample_value(name, labels)


def test_a_culler_that_never_ran_decided_nothing(tmp_path):
    assert decisions(tmp_path) == dict.fromkeys(metrics.CULLER, 0)


def test_counts_survive_their_process_and_are_private(tmp_path):
    Tally(tmp_path, "culler").add("stopped")
    Tally(tmp_path, "culler").add("stopped", 2)
    Tally(tmp_path, "culler").add("kept")
    found = decisions(tmp_path)
    assert (found["stopped"], found["kept"], found["warned"]) == (3, 1, 0)
    assert stat.S_IMODE((tmp_path / "metrics").stat().st_mode) == 0o700


@pytest.mark.parametrize("text", ["", "{", "[]", "3", '{"stopped": "x"}', '{"stopped": null}'])
def test_a_damaged_tally_does_not_take_the_others_with_it(tmp_path, text):
    (tmp_path / "metrics").mkdir()
    (tmp_path / "metrics" / "culler.json").write_text(text)
    assert decisions(tmp_path) == dict.fromkeys(metrics.CULLER, 0)
    Tally(tmp_path, "culler").add("kept")
    assert decisions(tmp_path)["kept"] == 1


def test_a_full_disk_stops_no_culler(tmp_path, monkeypatch):
    def full(*_arguments):
        raise OSError(errno.ENOSPC, "no room")

    tally = Tally(tmp_path, "culler")
    with monkeypatch.context() as patched:
        patched.setattr(metrics, "write_text", full)
        tally.add("stopped")
    tally.add("stopped")  # nothing was forgotten meanwhile
    assert decisions(tmp_path)["stopped"] == 2


def test_servers_by_state():
    counts = {"spawn_pending": 2, "ready": 5, "stop_pending": 1, "active": 8}
    users = SimpleNamespace(count_active_users=lambda: counts)
    found = told(metrics.ServerStates(lambda: users))
    assert found == {
        ("upramp_hub_servers", "starting"): 2,
        ("upramp_hub_servers", "ready"): 5,
        ("upramp_hub_servers", "stopping"): 1,
    }


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (None, "wrong"),
        (web.HTTPError(403), "wrong"),
        (web.HTTPError(429), "locked"),
        (web.HTTPError(503), "busy"),
        (web.HTTPError(500), "other"),
        (RuntimeError("a bug"), "other"),
        ({"name": "ada"}, None),
    ],
)
def test_refused_logins_are_counted_by_their_reason_and_otherwise_left_alone(answer, reason):
    async def authenticate(handler, data):
        assert (handler, data) == ("handler", "data")
        if isinstance(answer, Exception):
            raise answer
        return answer

    def counts():
        return {r: value("upramp_hub_logins_refused_total", reason=r) for r in metrics.REFUSALS}

    before = counts()
    try:
        found = asyncio.run(metrics.count_refusals(authenticate)("handler", "data"))
    except (web.HTTPError, RuntimeError) as error:
        found = error
    assert found is answer
    grown = {r: counts()[r] - before[r] for r in before}
    assert grown == {r: float(r == reason) for r in metrics.REFUSALS}


def test_a_stage_that_fails_took_its_time_too():
    def count():
        return value("upramp_hub_spawn_stage_seconds_count", stage="launch")

    before = count()
    with metrics.spawn_stage("launch"):
        pass
    with pytest.raises(ValueError, match="broken"), metrics.spawn_stage("launch"):
        raise ValueError("broken")
    assert count() == before + 2

"""Many users at once over the whole hub, and, when asked for, robots for half an hour.

``UPRAMP_LOAD=1`` runs the long one, for ``UPRAMP_LOAD_MINUTES`` (30).
``python -m benchmarks hub`` measures; here it is asked what must not be lost.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import urllib.request

import pytest
from benchmarks._hub import memory
from hosted_hub import HostedHub
from prometheus_client.parser import text_string_to_metric_families

from upramp_hub.accounts import Accounts, passwords
from upramp_hub.robot import Fleet, Plan, cells
from upramp_hub.robot.logins import Login

pytestmark = [pytest.mark.hub, pytest.mark.slow]

for package in ("jupyterhub", "jupyterlab", "ipykernel"):
    pytest.importorskip(package, reason="the hub's packages are not installed")

USERS = 6
AT_ONCE = 2
PATIENCE = 240.0
SETTLED = 0.2
"""Part of the long run after which hub and proxy hold what they hold for as many users."""


def accounts_of(hub, monkeypatch, names):
    """Make accounts whose passwords cost little to judge."""
    monkeypatch.setattr(passwords, "COST", passwords.Cost(log_n=4, r=8, p=1))
    accounts = Accounts(hub.state)
    logins = [Login(name, "seven quiet lanterns") for name in names]
    for login in logins:
        accounts.accept(accounts.invite("admin", name=login.name), "", login.password)
    return logins


@pytest.fixture
def hub(tmp_path, practice_archive):
    running = HostedHub(tmp_path, practice_archive, spawns=AT_ONCE, idle_after=24 * 3600)
    yield running
    running.stop()


def waited(hub):
    """Give how many starts there were, and how many of them waited for their turn."""
    token = (hub.state / "monitoring_token").read_text().strip()
    request = urllib.request.Request(
        f"{hub.url}/hub/metrics", headers={"Authorization": f"token {token}"}
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        text = answer.read().decode()
    (family,) = (
        each
        for each in text_string_to_metric_families(text)
        if each.name == "upramp_hub_spawn_stage_seconds"
    )
    values = {
        (sample.name.rpartition("_")[2], sample.labels.get("le")): sample.value
        for sample in family.samples
        if sample.labels.get("stage") == "line"
    }
    return values["count", None], values["count", None] - values["bucket", "0.5"]


def test_more_users_than_may_start_at_once_all_get_in_and_lose_no_cell(hub, monkeypatch):
    logins = accounts_of(hub, monkeypatch, [f"robot-{n}" for n in range(USERS)])
    fleet = Fleet(hub.url, logins, Plan(rounds=1, patience=PATIENCE))
    report = asyncio.run(fleet.run())
    assert report.good, report.as_table() + hub.log("hub")
    assert report.completed == USERS
    assert report.cells == 3 * USERS
    assert report.lost == report.wrong == 0
    # The line holds them all: nobody was sent away to ask again.
    assert report.throttled == 0
    starts, waiting = waited(hub)
    assert starts == USERS
    assert waiting >= (USERS - AT_ONCE) / 2
    assert not hub.servers()


def own_memory(hub):
    found = {word: hub.process(word) for word in ("upramp_hub.proxy", "jupyterhub")}
    return {word: memory.of_processes([each.pid]) for word, each in found.items() if each}


@pytest.mark.skipif(
    not os.environ.get("UPRAMP_LOAD"),
    reason="robots for half an hour: UPRAMP_LOAD=1 sends them, for UPRAMP_LOAD_MINUTES",
)
def test_robots_that_stay_and_robots_that_come_and_go_for_half_an_hour(hub, monkeypatch):
    seconds = 60 * float(os.environ.get("UPRAMP_LOAD_MINUTES", "30"))
    pause = 10.0
    common = {"patience": PATIENCE, "within": 10.0}
    plans = {
        # Some work all the time, some only leave their page open, some come and go.
        "busy": Plan(rounds=max(1, int(seconds / pause)), pause=pause, stays=True, **common),
        "silent": Plan(rounds=1, stays=True, **common),
        "guest": Plan(seconds=seconds, rounds=2, pause=2.0, **common),
    }
    fleets = {}
    for kind, plan in plans.items():
        logins = accounts_of(hub, monkeypatch, [f"{kind}-{n}" for n in range(3)])
        fleets[kind] = Fleet(hub.url, logins, plan)

    seen = []

    async def watch():
        while True:
            await asyncio.sleep(seconds / 60)
            seen.append(own_memory(hub))

    async def scenario():
        watching = asyncio.create_task(watch())
        await asyncio.gather(*(fleet.run() for fleet in fleets.values()))
        watching.cancel()
        # Whoever stayed is still connected, to a kernel that still answers.
        for fleet in fleets.values():
            for _, kernel in fleet._stayed:
                await kernel.run(cells.ramp(), PATIENCE)
            await fleet.leave()

    asyncio.run(scenario())
    for kind, fleet in fleets.items():
        print(kind, fleet.report.as_table(), sep="\n")  # noqa: T201 - shown with -s
        assert fleet.report.good, (kind, fleet.report.as_table(), hub.log("hub"))
        assert fleet.report.lost == 0
        assert fleet.report.open_websockets == (0 if kind == "guest" else 3)
    assert "is started again" not in hub.said()

    begin = seen[int(SETTLED * len(seen)) :][: max(1, len(seen) // 10)]
    end = seen[-max(1, len(seen) // 10) :]
    for word in ("jupyterhub", "upramp_hub.proxy"):
        before, after = (statistics.median(each[word] for each in part) for part in (begin, end))
        print(f"{word}: {before:.1f} MB settled, {after:.1f} MB at the end")  # noqa: T201
        # Guests are 3 however often they come: what they leave behind would add up.
        assert after < 1.5 * before + 20, (word, [each[word] for each in seen])

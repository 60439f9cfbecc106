"""The table of the widgets' benchmark: what was measured, and what the peer cannot do."""

from __future__ import annotations

import json
import re

import pytest
from benchmarks._table import render
from benchmarks._widgets import figures
from benchmarks._widgets.acts import CUBE, p95, walk
from benchmarks._widgets.peer import PeerError, install

NAMES = {figure.name for figure in figures._FIGURES}
OURS = {name: [30.0, 10.0, 20.0] for name in NAMES}
PEER = {"click": [200.0, 400.0, 900.0], "hover": [50.0], "memory": [3 * CUBE]}


def line(table, words):
    (found,) = [each for each in table.splitlines() if words in each]
    return found


def test_medians_least_values_and_ratios_are_told_with_their_units():
    table = render(figures.rows_of(OURS, PEER))
    assert re.search(
        r"ramp on the screen, median of 3 +20\.0 ms +400\.0 ms +0\.05 ",
        line(table, "pixel's ramp on the screen, median"),
    )
    assert re.search(r" 10\.0 ms +200\.0 ms +0\.05 ", line(table, "screen, least of 3"))
    assert re.search(r" 20\.0 ms +50\.0 ms +0\.40 ", line(table, "cursor over a pixel"))
    assert re.search(r" 20\.0000 +cannot ", line(table, "the call returns"))


def test_what_the_peer_cannot_is_said_and_what_was_not_measured_is_not():
    with_peer = line(render(figures.rows_of(OURS, PEER)), "brush")
    alone = line(render(figures.rows_of(OURS, None)), "brush")
    assert "cannot" in with_peer
    assert "cannot" not in alone
    assert re.search(r" 20\.0 ms +- +- ", alone)


def test_memory_is_told_in_cubes_and_in_megabytes():
    ours = OURS | {"memory": [CUBE / 2]}
    assert re.search(
        r" 0\.50 x +3\.00 x +0\.17 +84 +503$",
        line(render(figures.rows_of(ours, PEER)), "memory over the imports"),
    )


def test_all_samples_are_written(tmp_path):
    path = tmp_path / "all.json"
    figures.write(path, OURS, PEER)
    told = json.loads(path.read_text())
    assert told["project"] == OURS
    assert told["rampviz"] == PEER
    assert set(told["units"]) == NAMES | {"hover"}
    assert (told["units"]["memory"], told["units"]["click"]) == ("MB", "ms")


def test_of_frames_the_slowest_count():
    assert p95([16.7] * 90 + [50.0] * 10) == 50.0
    assert p95([16.7] * 99 + [50.0]) == pytest.approx(16.7)


def test_clicks_go_to_places_of_their_own_inside_the_box():
    box = {"x": 100.0, "y": 50.0, "width": 400.0, "height": 300.0}
    places = list(walk(box, 20))
    assert len(set(places)) == 20
    assert all(200 <= x <= 400 and 125 <= y <= 275 for x, y in places)


@pytest.mark.slow
def test_a_peer_that_cannot_be_installed_is_told_in_a_sentence(tmp_path, monkeypatch):
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    for name in ("PIP_FIND_LINKS", "PIP_EXTRA_INDEX_URL", "PIP_INDEX_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("benchmarks._widgets.peer._REQUIREMENTS", ("no-such-peer-of-upramp",))
    with pytest.raises(PeerError, match=r"jdaviz could not be installed into .*no-such-peer"):
        install(tmp_path / "apart")

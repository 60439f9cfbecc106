"""Which way jumps are searched for, and what the step says about them."""

from __future__ import annotations

import numpy as np
import pytest
from small_states import JUMP, ramps, readout, references, state_of

from upramp.detector1.jump import (
    JumpCounts,
    JumpSearch,
    event_rates,
    flag_bad_gain,
    flag_large_events,
    needs_whole_frame,
    search_by_clipping,
    two_point_of,
    usable_now,
)
from upramp.detector1.tiles import Tile, run_tiles


def search_of(shape, usable=None, refs=None, searched=False, **jump):
    usable = np.ones(shape[:2], bool) if usable is None else usable
    refs = refs or references(shape)
    return JumpSearch({**JUMP, **jump}, readout(shape), refs, usable, searched=searched)


@pytest.mark.parametrize(
    ("shape", "jump", "way"),
    [
        ((1, 3), {}, "iterative"),
        ((1, 10), {}, "iterative"),
        ((1, 11), {}, "single"),
        ((1, 11), {"min_diffs_single_pass": 11}, "iterative"),
        ((1, 4), {"min_diffs_single_pass": 3}, "single"),
        ((99, 5), {}, "iterative"),
        ((100, 5), {}, "clip"),
        ((4, 30), {"only_use_ints": False}, "clip"),
        ((4, 24), {"only_use_ints": False}, "single"),
        ((2, 5), {"minimum_sigclip_groups": 2}, "clip"),
    ],
)
def test_way_by_groups_and_integrations(shape, jump, way):
    search = search_of((*shape, 2, 2), **jump)
    assert search.way == way
    assert search.counts.primary == 0
    usable = np.ones(shape, bool)
    assert needs_whole_frame({**JUMP, **jump}, usable) is (way == "clip")


@pytest.mark.parametrize(
    ("lost", "way"),
    [
        ([(0, 0)], "iterative"),
        ([(0, 0), (1, 3)], "iterative"),  # the poorest integration still has three
        ([(0, 0), (0, 3)], "none"),
        ([(1, 1), (1, 2), (1, 3)], "none"),
    ],
)
def test_groups_that_no_pixel_can_use_are_not_there(lost, way):
    usable = np.ones((2, 4), bool)
    for place in lost:
        usable[place] = False
    search = search_of((2, 4, 2, 2), usable)
    assert search.way == way
    assert search.counts.primary == (-99 if way == "none" else 0)


@pytest.mark.parametrize("event", ["expand_large_events", "find_showers"])
def test_large_events_need_the_whole_frame(event):
    assert needs_whole_frame({**JUMP, event: True}, np.ones((1, 5), bool))


def test_without_enough_groups_only_redundant_flags_go():
    shape = (1, 4, 1, 8)
    flags = np.arange(8, dtype=np.uint8).reshape(1, 1, 1, 8).repeat(4, axis=1).copy()
    search = search_of(shape, np.array([[True, False, False, True]]))
    tile = Tile(ramps(shape, noise=1e4), flags, 0, 0, 1)
    search(tile)
    assert flags[0, 2, 0].tolist() == [0, 1, 2, 3, 4, 1, 2, 3]
    assert search.counts.primary == -99


@pytest.mark.parametrize("threads", [1, 3])
def test_counts_are_of_the_frame_however_it_is_cut(threads):
    data = ramps((2, 8, 24, 7), noise=60.0)
    state = state_of(data, jump={"rejection_threshold": 2.5})
    counts = []
    for rows in (24, 5, 1):
        search = search_of(data.shape, rejection_threshold=2.5)
        run_tiles(state.frame, state.ramp, None, [search], threads=threads, rows=rows)
        counts.append(search.counts.primary)
    assert counts[0] > 10
    assert counts == [counts[0]] * 3


def test_what_was_searched_for_before_is_only_finished():
    data = ramps((1, 8, 4, 4), noise=500.0)
    flags = np.zeros(data.shape, np.uint8)
    flags[0, 3, 1, 1] = 4
    search = search_of(data.shape, searched=True)
    search(Tile(data, flags, 0, 0, 4))
    assert np.argwhere(flags == 4)[:, 1].tolist().count(3) == np.count_nonzero(flags)
    assert search.counts.primary == 1


def test_thresholds_after_a_jump_are_in_electrons_and_whole_groups():
    jump = {
        **JUMP,
        "after_jump_flag_dn1": 100,
        "after_jump_flag_time1": 15.0,
        "after_jump_flag_dn2": 1000.0,
        "after_jump_flag_time2": 0.9,
    }
    how = two_point_of(jump, np.float32(1.5), 5.0, "single")
    assert (how.after_jump_e1, how.after_jump_n1) == (150.0, 3)
    assert (how.after_jump_e2, how.after_jump_n2) == (1500.0, 0)
    assert how.single_pass
    assert how.search
    assert not two_point_of(jump, np.float32(1.5), 5.0, "flagged").search


def test_jumps_need_gain_and_readnoise():
    from upramp.detector1.inputs import References

    with pytest.raises(ValueError, match="gain and readnoise"):
        search_of((1, 5, 2, 2), refs=References())


def test_gain_that_is_none_is_flagged():
    gain = np.array([[1.0, 0.0, -1.0, np.nan, np.inf]], np.float32)
    pixeldq = np.array([[0, 0, 4, 0, 0]], np.uint32)
    flag_bad_gain(pixeldq, gain)
    bad = 1 | 1 << 19
    assert pixeldq.tolist() == [[0, bad, 4 | bad, bad, 0]]


def test_clipping_compares_integrations():
    data = np.repeat(ramps((1, 4, 9, 5), noise=0), 12, axis=0)
    data += np.random.default_rng(0).normal(0, 1, data.shape).astype(np.float32)
    data[7, 2:, 4, 3] += 5000
    state = state_of(data, jump={"minimum_sigclip_groups": 10, "rejection_threshold": 3.0})
    search_by_clipping(state)
    assert state.chain == []
    flags = state.groupdq
    assert flags[7, 2, 4, 3] == 4
    for threads in (2, 3):
        other = state_of(data, jump=state.parameters["jump"], threads=threads)
        search_by_clipping(other)
        np.testing.assert_array_equal(other.groupdq, flags)


def test_no_large_event_is_looked_for_unless_it_is_asked_for():
    state = state_of(ramps((1, 6, 8, 8)))
    state.settle()
    counts = JumpCounts(primary=3)
    flag_large_events(state, counts)
    assert counts == JumpCounts(primary=3)
    assert not state.groupdq.any()


def test_rates_of_events():
    usable = np.ones((2, 6), bool)
    usable[0, 0] = False
    found = event_rates(JumpCounts(primary=18, extended=9), usable, 5.0, 200)
    assert found == (1000 * 18 / (5.0 * 9 * 200), 1e6 * 9 / (5.0 * 9 * 200))
    assert event_rates(JumpCounts(), np.zeros((2, 6), bool), 5.0, 200) is None
    assert event_rates(JumpCounts(), np.eye(2, 6, dtype=bool), 5.0, 200) is None


def test_usable_now():
    flags = np.ones((1, 3, 4, 5), np.uint8)
    flags[0, 1, 3, 4] = 6
    assert usable_now(flags).tolist() == [[False, True, False]]

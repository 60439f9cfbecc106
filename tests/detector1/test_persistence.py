"""Persistence: windows that open, close and are carried on."""

from __future__ import annotations

import numpy as np
import pytest

from upramp.detector1.persistence import flag_persistence, group_ends, unix_time
from upramp.dq import GROUP

SAT, PERSISTENCE, DNU = GROUP["SATURATED"], GROUP["PERSISTENCE"], GROUP["DO_NOT_USE"]


def one_pixel(dq, duration, *, window=0.0, ramp=None, threshold=None, do_not_use=False):
    """Groups end at 10, 20, ... seconds."""
    n = len(dq)
    values = np.zeros(n) if ramp is None else np.array(ramp)
    groupdq = np.array(dq, np.uint8).reshape(1, n, 1, 1)
    state = np.full((1, 1), window)
    flag_persistence(
        values.astype(np.float32).reshape(groupdq.shape),
        groupdq,
        state,
        10.0 * np.arange(1, n + 1)[None],
        duration,
        threshold,
        do_not_use,
        0,
        0,
        1,
    )
    return [bool(bits & PERSISTENCE) for bits in groupdq.flat], state.item(), groupdq


def test_saturation_opens_a_window():
    flags, closes, _ = one_pixel([0, SAT, SAT, SAT, SAT, SAT], 25)
    assert flags == [False, True, True, True, False, False]
    assert closes == 0


def test_a_lone_saturated_group_keeps_opening_it():
    assert one_pixel([0, SAT, 0, 0], 5)[:2] == ([False, True, True, True], 45)


def test_a_window_of_the_exposure_before_closes():
    assert one_pixel([0, 0, 0], 100, window=20.0)[:2] == ([True, True, False], 0)


def test_a_window_that_opens_later_is_discarded():
    assert one_pixel([0, 0], 100, window=111.0)[:2] == ([False, False], 0)


def test_brightness_opens_a_window_if_asked():
    bright = {"ramp": [0, 6, 0, 0], "dq": [0, 0, 0, 0], "duration": 10}
    assert one_pixel(**bright)[0] == [False, False, False, False]
    assert one_pixel(**bright, threshold=5.0)[0] == [False, True, True, False]
    assert one_pixel(**bright, threshold=6.0)[0] == [False, False, False, False]


def test_do_not_use_is_added_if_asked():
    assert one_pixel([SAT], 5)[2].item() == SAT | PERSISTENCE
    assert one_pixel([SAT], 5, do_not_use=True)[2].item() == SAT | PERSISTENCE | DNU


def test_group_ends_count_from_the_table_where_it_has_a_row():
    ends = group_ends(
        3,
        2,
        10.0,
        exposure_start=40587.0,
        integration_time=100.0,
        integration_starts=[40588.0],
    )
    assert ends.tolist() == [[86410, 86420], [110, 120], [210, 220]]
    assert unix_time(40587.5) == 43200


def test_tiles_and_single_integrations_give_what_the_whole_gives():
    rng = np.random.default_rng(0)
    shape = (3, 4, 7, 19)
    ramp = rng.normal(0, 10, shape).astype(np.float32)
    groupdq = (rng.random(shape) < 0.2).astype(np.uint8) * np.uint8(SAT)
    start = np.where(rng.random(shape[2:]) < 0.3, 35.0, 0.0)
    ends = group_ends(3, 4, 5.0, exposure_start=40587.0, integration_time=20.0)
    whole, window = groupdq.copy(), start.copy()
    flag_persistence(ramp, whole, window, ends, 12, 15.0, True, 0, 0, 7)
    assert 0 < np.count_nonzero(whole & PERSISTENCE) < whole.size
    tiled, carried = groupdq.copy(), start.copy()
    for i in range(3):
        for y in range(0, 7, 3):
            stop = min(y + 3, 7)
            dq = tiled[i : i + 1, :, y:stop].copy()
            tile = ramp[i : i + 1, :, y:stop].copy()
            flag_persistence(tile, dq, carried, ends[i : i + 1], 12, 15.0, True, y, 0, stop - y)
            tiled[i, :, y:stop] = dq[0]
    np.testing.assert_array_equal(tiled, whole)
    np.testing.assert_array_equal(carried, window)


def test_rows_outside_stay_as_they_are():
    groupdq = np.full((1, 1, 4, 2), SAT, np.uint8)
    window = np.zeros((9, 2))
    ramp = np.zeros(groupdq.shape, np.float32)
    flag_persistence(ramp, groupdq, window, np.ones((1, 1)), 5, None, False, 3, 1, 3)
    assert (groupdq[0, 0, :, 0] & PERSISTENCE > 0).tolist() == [False, True, True, False]
    assert np.flatnonzero(window[:, 0]).tolist() == [4, 5]


def test_times_of_another_shape_are_refused():
    ramp = np.zeros((1, 2, 3, 4), np.float32)
    with pytest.raises(ValueError, match="times"):
        flag_persistence(
            ramp, ramp.astype(np.uint8), np.zeros((3, 4)), np.ones((2, 2)), 5, None, False, 0, 0, 3
        )

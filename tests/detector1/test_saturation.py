"""Saturation flags: each rule by itself, and tiles against the whole."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from upramp.detector1.saturation import (
    blank_saturated_zero_frame,
    flag_saturation,
    frames_of_groups,
    plan_saturation,
    prepare_thresholds,
)
from upramp.dq import GROUP, PIXEL

DNU, SAT, FLOOR = GROUP["DO_NOT_USE"], GROUP["SATURATED"], GROUP["AD_FLOOR"]


def box(mask, grow):
    """What is within a box around what is set."""
    ny, nx = mask.shape
    padded = np.pad(mask, grow)
    shifts = range(2 * grow + 1)
    return np.any([padded[a : a + ny, b : b + nx] for a in shifts for b in shifts], axis=0)


def expected_flags(ramp, groupdq, threshold, threshold_dq, bias, grow, pattern):
    """The rules as they read, one array operation after the other."""
    out = groupdq.copy()
    for values, dq in zip(ramp, out, strict=True):
        ngroups = len(values)
        for g in range(ngroups):
            dq[g][np.any(values[: g + 1] >= threshold, axis=0)] |= SAT
            dq[g][values[g] <= 0] |= FLOOR | DNU
            dq[g][box(dq[g] & SAT > 0, grow)] |= SAT
        if pattern is None:
            continue
        forward = dq.copy()
        for g in range(ngroups - 1):
            part = np.where(
                threshold_dq & PIXEL["NO_SAT_CHECK"] > 0, 1, np.mean(pattern[g]) / pattern[g][-1]
            )
            if np.all(np.mean(pattern[g]) / pattern[g][-1] == 1):
                continue
            hidden = (values[g] >= threshold * part) & (forward[g] & (SAT | DNU) == 0)
            dq[g][box(hidden & (forward[g + 1] & SAT > 0), grow)] |= DNU
        if ngroups > 2:
            zero = 0.0 if bias is None else bias
            steady = (values[0] - zero) / np.mean(pattern[0]) * pattern[2][-1] + zero < threshold
            rise = values[1] - values[0] > (threshold - values[0]) / len(pattern[1])
            late = steady & rise & (forward[2] & SAT > 0) & (forward[1] & SAT == 0)
            dq[1][late] |= DNU
    return out


def flagged_in_tiles(ramp, groupdq, arrays, plan, height):
    threshold, threshold_dq, bias = arrays
    ny = ramp.shape[2]
    out = np.empty_like(groupdq)
    for start in range(0, ny, height):
        stop = min(start + height, ny)
        low, high = max(start - plan.reach, 0), min(stop + plan.reach, ny)
        tile = np.ascontiguousarray(ramp[:, :, low:high])
        dq = groupdq[:, :, low:high].copy()
        before = dq.copy()
        flag_saturation(
            tile, dq, threshold, threshold_dq, bias, plan, low, start - low, stop - low
        )
        out[:, :, start:stop] = dq[:, :, start - low : stop - low]
        np.testing.assert_array_equal(dq[:, :, : start - low], before[:, :, : start - low])
        np.testing.assert_array_equal(dq[:, :, stop - low :], before[:, :, stop - low :])
    return out


def random_exposure(rng, shape, flagged=0.1):
    ramp = np.cumsum(rng.exponential(9000, shape), axis=1).astype(np.float32)
    ramp[rng.random(shape) < 0.02] = 0
    ramp[rng.random(shape) < 0.02] = -3.5
    ramp[rng.random(shape) < 0.02] = np.nan
    ramp[rng.random(shape) < 0.01] = np.inf
    ramp[rng.random(shape) < 0.01] = -np.inf
    groupdq = rng.integers(0, 256, shape, dtype=np.uint8)
    groupdq[rng.random(shape) > flagged] = 0
    threshold = rng.uniform(2e4, 6e4, shape[2:]).astype(np.float32)
    threshold[rng.random(shape[2:]) < 0.05] = np.nan
    threshold_dq = np.where(rng.random(shape[2:]) < 0.1, PIXEL["NO_SAT_CHECK"], 8)
    bias = rng.normal(8000, 2000, shape[2:]).astype(np.float32)
    bias[rng.random(shape[2:]) < 0.05] = np.nan
    threshold, threshold_dq = prepare_thresholds(threshold, threshold_dq.astype(np.uint32))
    return ramp, groupdq, (threshold, threshold_dq, bias)


def one_pixel(values, threshold=100.0, bias=None, *, nframes=1, grow=0, groupdq=None):
    ramp = np.array(values, np.float32).reshape(1, -1, 1, 1)
    dq = np.zeros(ramp.shape, np.uint8)
    if groupdq is not None:
        dq[0, :, 0, 0] = groupdq
    limit, limit_dq = prepare_thresholds(np.full((1, 1), threshold), np.zeros((1, 1), np.uint32))
    plan = plan_saturation(len(values), grow, frames_of_groups(len(values), nframes))
    offset = None if bias is None else np.full((1, 1), bias, np.float32)
    flag_saturation(ramp, dq, limit, limit_dq, offset, plan, 0, 0, 1)
    return dq[0, :, 0, 0].tolist()


def test_a_pixel_stays_saturated():
    assert one_pixel([10, 100, 20, 20]) == [0, SAT, SAT, SAT]


def test_the_floor_holds_for_its_group_alone():
    assert one_pixel([10, 0, -1, 20]) == [0, FLOOR | DNU, FLOOR | DNU, 0]


def test_nan_is_neither_saturated_nor_at_the_floor():
    assert one_pixel([np.nan, 10, np.nan]) == [0, 0, 0]


def test_saturation_that_was_there_is_not_carried_on():
    assert one_pixel([10, 20, 30], groupdq=[0, SAT, 0]) == [0, SAT, 0]


def test_a_diluted_average_is_looked_at_again():
    # Frames 5 to 8 of a steady ramp: their mean is 6.5/8 of the last.
    assert one_pixel([10, 82, 100, 100], nframes=4, bias=0) == [0, DNU, SAT, SAT]
    assert one_pixel([70, 81, 100, 100], nframes=4, bias=0)[1] == 0


def test_single_frames_are_not_looked_at_again():
    assert one_pixel([99, 99, 100, 100]) == [0, 0, SAT, SAT]


def test_saturation_out_of_the_blue_flags_the_second_group():
    # From 2 to 30 is more than a quarter of what is left to the threshold.
    assert one_pixel([2, 30, 100, 100], nframes=4, bias=0) == [0, DNU, SAT, SAT]
    assert one_pixel([2, 20, 100, 100], nframes=4, bias=0) == [0, 0, SAT, SAT]


def test_bias_decides_what_the_first_group_promises():
    assert one_pixel([30, 60, 100, 100], nframes=4) == [0, 0, SAT, SAT]
    assert one_pixel([30, 60, 100, 100], nframes=4, bias=29.0) == [0, DNU, SAT, SAT]
    assert one_pixel([30, 60, 100, 100], nframes=4, bias=np.nan) == [0, 0, SAT, SAT]


def test_thresholds_that_cannot_be_used_are_out_of_reach():
    threshold = np.array([[np.nan, 5, 7, 65536]])
    dq = np.array([[4, PIXEL["NO_SAT_CHECK"], 0, 0]], np.uint32)
    ready, flags = prepare_thresholds(threshold, dq)
    assert ready.dtype == np.float32
    assert ready.tolist() == [[65536, 65536, 7, 65536]]
    assert flags.tolist() == [[4 | PIXEL["NO_SAT_CHECK"], PIXEL["NO_SAT_CHECK"], 0, 0]]
    assert np.isnan(threshold[0, 0])
    assert dq[0, 0] == 4


@pytest.mark.parametrize("grow", [0, 1, 2, 5])
@pytest.mark.parametrize("nframes", [None, 1, 4])
@pytest.mark.parametrize("shape", [(2, 5, 23, 70), (1, 3, 1, 9), (1, 4, 9, 1), (1, 1, 3, 3)])
def test_rules_hold_on_the_whole_and_in_tiles(grow, nframes, shape):
    rng = np.random.default_rng([grow, nframes or 0, *shape])
    ramp, groupdq, arrays = random_exposure(rng, shape, flagged=0.03)
    pattern = None if nframes is None else frames_of_groups(shape[1], nframes)
    plan = plan_saturation(shape[1], grow, pattern)
    with np.errstate(invalid="ignore"):
        expected = expected_flags(ramp, groupdq, *arrays, grow, pattern)
    assert np.any(expected != groupdq) or groupdq.size < 100
    whole = groupdq.copy()
    flag_saturation(ramp, whole, *arrays, plan, 0, 0, shape[2])
    np.testing.assert_array_equal(whole, expected)
    for height in (1, 4, 7):
        tiled = flagged_in_tiles(ramp, groupdq, arrays, plan, height)
        np.testing.assert_array_equal(tiled, expected)


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    grow=st.integers(0, 3),
    frames=st.lists(st.integers(1, 5), min_size=4, max_size=4),
    start=st.integers(0, 3),
)
def test_uneven_groups_hold_the_same_rules(seed, grow, frames, start):
    ends = start + np.cumsum(frames)
    pattern = [list(range(e - n, e)) for n, e in zip(frames, ends, strict=True)]
    ramp, groupdq, arrays = random_exposure(np.random.default_rng(seed), (1, 4, 8, 66))
    with np.errstate(invalid="ignore", divide="ignore"):
        expected = expected_flags(ramp, groupdq, *arrays, grow, pattern)
    plan = plan_saturation(4, grow, pattern)
    tiled = flagged_in_tiles(ramp, groupdq, arrays, plan, 3)
    np.testing.assert_array_equal(tiled, expected)


def test_a_zero_frame_is_blanked_in_tiles_as_on_the_whole():
    rng = np.random.default_rng(4)
    ramp, _, (threshold, _, _) = random_exposure(rng, (3, 2, 11, 40))
    frames = np.ascontiguousarray(ramp[:, 1])
    for grow in (0, 1, 3):
        expected = frames.copy()
        for i, plane in enumerate(frames):
            bad = box(plane >= threshold, grow) | (plane <= 0)
            expected[i][bad] = 0
        assert np.any(expected != frames)
        for start in range(0, 11, 4):
            stop = min(start + 4, 11)
            low, high = max(start - grow, 0), min(stop + grow, 11)
            tile = frames[:, low:high].copy()
            blank_saturated_zero_frame(tile, threshold, grow, low, start - low, stop - low)
            np.testing.assert_array_equal(
                tile[:, start - low : stop - low], expected[:, start:stop]
            )
            np.testing.assert_array_equal(tile[:, : start - low], frames[:, low:start])


def test_references_may_be_read_only():
    ramp, groupdq, arrays = random_exposure(np.random.default_rng(5), (1, 3, 4, 5))
    for array in (ramp, *arrays):
        array.flags.writeable = False
    plan = plan_saturation(3, 1, frames_of_groups(3, 2))
    flag_saturation(ramp, groupdq, *arrays, plan, 0, 0, 4)
    assert np.any(groupdq & SAT)


def test_missing_neighbours_are_noticed():
    ramp, groupdq, arrays = random_exposure(np.random.default_rng(6), (1, 3, 9, 5))
    part = np.ascontiguousarray(ramp[:, :, 2:6])
    dq = groupdq[:, :, 2:6].copy()
    plan = plan_saturation(3, 1)
    flag_saturation(part, dq, *arrays, plan, 2, 1, 3)
    for first, last in ((0, 3), (1, 4)):
        with pytest.raises(ValueError, match="are not all in the tile"):
            flag_saturation(part, dq, *arrays, plan, 2, first, last)
    with pytest.raises(ValueError, match="do not fit"):
        flag_saturation(part, dq, *arrays, plan, 6, 1, 3)


def test_reach_is_twice_the_growth_only_when_groups_are_looked_at_again():
    assert plan_saturation(5, 2).reach == 2
    assert plan_saturation(5, 2, frames_of_groups(5, 1)).reach == 2
    assert plan_saturation(5, 2, frames_of_groups(5, 8)).reach == 4
    assert plan_saturation(1, 2, frames_of_groups(1, 8)).reach == 2
    assert plan_saturation(5, -1).reach == 0


def test_a_read_pattern_needs_all_groups():
    with pytest.raises(ValueError, match="a read pattern of 3 groups"):
        plan_saturation(3, 1, [[1], [2]])

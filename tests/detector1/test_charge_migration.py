"""Charge migration: who is flagged, and tiles against the whole."""

from __future__ import annotations

import numpy as np
import pytest

from upramp.detector1.charge_migration import REACH, flag_charge_migration
from upramp.dq import GROUP

DNU, SAT = GROUP["DO_NOT_USE"], GROUP["SATURATED"]
LOSS = GROUP["CHARGELOSS"] | DNU


def flagged(ramp, groupdq, threshold=100.0):
    dq = groupdq.copy()
    flag_charge_migration(ramp, dq, threshold, 0, 0, ramp.shape[2])
    return dq


def test_a_hit_flags_the_plus_around_it_from_then_on():
    ramp = np.zeros((2, 4, 5, 6), np.float32)
    ramp[1, 2, 2, 3] = 101
    dq = flagged(ramp, np.zeros(ramp.shape, np.uint8))
    expected = np.zeros_like(dq)
    for y, x in ((2, 3), (1, 3), (3, 3), (2, 2), (2, 4)):
        expected[1, 2:, y, x] = LOSS
    np.testing.assert_array_equal(dq, expected)


def test_the_threshold_itself_and_nan_are_no_hits():
    ramp = np.array([100, np.nan, -np.inf], np.float32).reshape(1, 3, 1, 1)
    assert not flagged(ramp, np.zeros(ramp.shape, np.uint8)).any()


@pytest.mark.parametrize(("bits", "hit"), [(DNU, False), (DNU | SAT, True), (0, True)])
def test_only_groups_not_to_be_used_for_no_other_reason_are_left_out(bits, hit):
    ramp = np.full((1, 1, 1, 1), 200, np.float32)
    dq = flagged(ramp, np.full(ramp.shape, bits, np.uint8))
    assert dq.item() == (bits | LOSS if hit else bits)


@pytest.mark.parametrize("height", [1, 3, 5])
def test_tiles_give_what_the_whole_gives(height):
    rng = np.random.default_rng(0)
    ramp = rng.normal(0, 50, (2, 5, 13, 37)).astype(np.float32)
    groupdq = rng.integers(0, 4, ramp.shape, dtype=np.uint8)
    whole = flagged(ramp, groupdq)
    assert np.any(whole != groupdq)
    for start in range(0, 13, height):
        stop = min(start + height, 13)
        low, high = max(start - REACH, 0), min(stop + REACH, 13)
        tile = ramp[:, :, low:high].copy()
        dq = groupdq[:, :, low:high].copy()
        flag_charge_migration(tile, dq, 100.0, low, start - low, stop - low)
        np.testing.assert_array_equal(dq[:, :, start - low : stop - low], whole[:, :, start:stop])
        np.testing.assert_array_equal(dq[:, :, : start - low], groupdq[:, :, low:start])
        np.testing.assert_array_equal(dq[:, :, stop - low :], groupdq[:, :, stop:high])


def test_a_missing_neighbour_is_noticed():
    ramp = np.zeros((1, 3, 2, 2), np.float32)
    with pytest.raises(ValueError, match="the row before row 4"):
        flag_charge_migration(ramp, np.zeros(ramp.shape, np.uint8), 1.0, 4, 0, 2)

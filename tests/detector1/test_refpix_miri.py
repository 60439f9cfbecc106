"""Reference signal of the mid-infrared detectors: measured once, subtracted in tiles."""

from __future__ import annotations

import numpy as np
import pytest

from upramp.detector1.refpix_miri import is_miri_subarray, measure_miri, plan_miri, subtract_miri

SHAPE = (1024, 1032)


@pytest.fixture(scope="module")
def ramp():
    return np.random.default_rng(9).normal(5000, 10, (2, 3, *SHAPE)).astype(np.float32)


def measured(plan, ramp):
    return measure_miri(plan, ramp.reshape(*ramp.shape[:2], -1)[..., plan.needed])


@pytest.mark.parametrize("odd_even_rows", [True, False])
def test_tiles_of_any_height_give_the_same(ramp, odd_even_rows):
    plan = plan_miri(np.zeros(SHAPE, np.uint32), odd_even_rows=odd_even_rows)
    signal = measured(plan, ramp)
    whole = ramp.copy()
    subtract_miri(whole, signal, 0, 0, 1024)
    assert not np.array_equal(whole, ramp)
    np.testing.assert_array_equal(whole[:, 0], ramp[:, 0])
    for y0, height in ((0, 1), (1, 300), (301, 722), (1023, 1)):
        tile = ramp[1:, :, max(y0 - 1, 0) : y0 + height].copy()
        first = min(y0, 1)
        subtract_miri(tile, signal.part(slice(1, 2)), y0 - first, first, first + height)
        np.testing.assert_array_equal(tile[:, :, first:], whole[1:, :, y0 : y0 + height])
        np.testing.assert_array_equal(tile[:, :, :first], ramp[1:, :, y0 - first : y0])


def test_known_drift_is_taken_away_entirely():
    ramp = np.full((1, 3, *SHAPE), 4096, np.float32)
    for parity in range(2):
        for column in range(4):
            ramp[:, 1:, parity::2, column::4] += 16 * parity + column
    plan = plan_miri(np.zeros(SHAPE, np.uint32))
    subtract_miri(ramp, measured(plan, ramp), 0, 0, 1024)
    np.testing.assert_array_equal(ramp, 4096)


def test_one_lost_section_leaves_all_uncorrected(ramp):
    pixeldq = np.zeros(SHAPE, np.uint32)
    pixeldq[1::2, 2] = 1
    plan = plan_miri(pixeldq)
    assert plan.bad
    assert not measured(plan, ramp).table.any()
    assert not plan_miri(pixeldq, odd_even_rows=False).bad


def test_subarrays(ramp):
    assert not is_miri_subarray(SHAPE)
    assert is_miri_subarray((1024, 1031))
    assert is_miri_subarray((1023, 1032))
    with pytest.raises(ValueError, match="full frame"):
        plan_miri(np.zeros((64, 72), np.uint32))


def test_signal_of_other_groups_is_refused(ramp):
    signal = measured(plan_miri(np.zeros(SHAPE, np.uint32)), ramp)
    with pytest.raises(ValueError, match="groups"):
        subtract_miri(ramp[:1].copy(), signal, 0, 0, 1024)

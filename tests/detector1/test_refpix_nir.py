"""Reference signal of the near-infrared detectors: measured once, subtracted in tiles."""

from __future__ import annotations

import numpy as np
import pytest

from upramp.detector1.refpix_nir import (
    NirOptions,
    NirReadout,
    measure_nir,
    plan_nir,
    subtract_nir,
    subtract_nir_zero_frame,
    supported,
)
from upramp.detector1.refpix_sirs import convolution_kernels, line_templates
from upramp.errors import UsageError

MEDIAN, SIRS = NirOptions(), NirOptions(refpix_algorithm="sirs")


def stripe(axes, shape=(2, 3, 24, 2048)):
    """A subarray of four outputs at the detector's corner, and its plan."""
    ramp = np.random.default_rng(5).normal(8000, 20, shape).astype(np.float32)
    if abs(axes[0]) == 2:
        ramp = np.ascontiguousarray(ramp.swapaxes(2, 3))
    pixeldq = np.zeros(ramp.shape[2:], np.uint32)
    pixeldq[::7, ::5] = 1
    readout = NirReadout(*axes, subarray="SUBGRISM64", noutputs=4)
    return ramp, plan_nir(pixeldq, readout, MEDIAN)


def measured(plan, ramp, *, begins=True):
    return measure_nir(plan, ramp.reshape(*ramp.shape[:2], -1)[..., plan.needed], begins=begins)


@pytest.mark.parametrize("axes", [(1, 2), (-1, -2), (2, 1), (-2, -1)])
def test_tiles_of_any_height_give_the_same(axes):
    ramp, plan = stripe(axes)
    signal = measured(plan, ramp)
    whole = ramp.copy()
    subtract_nir(whole, signal, 0, 0, whole.shape[2])
    assert not np.array_equal(whole, ramp)
    height = max(ramp.shape[2] // 5, 1)
    for y0 in range(0, ramp.shape[2], height):
        top = min(y0 + height, ramp.shape[2])
        below, above = max(y0 - 1, 0), min(top + 1, ramp.shape[2])
        tile = ramp[1:, :, below:above].copy()
        subtract_nir(tile, signal.part(slice(1, 2)), below, y0 - below, top - below)
        np.testing.assert_array_equal(tile[:, :, y0 - below : top - below], whole[1:, :, y0:top])
        np.testing.assert_array_equal(tile[:, :, : y0 - below], ramp[1:, :, below:y0])
        np.testing.assert_array_equal(tile[:, :, top - below :], ramp[1:, :, top:above])


def test_integrations_may_be_measured_one_by_one():
    ramp, plan = stripe((1, 2))
    signal = measured(plan, ramp)
    second = measured(plan, ramp[1:], begins=False)
    np.testing.assert_array_equal(second.table, signal.table[1:])
    np.testing.assert_array_equal(second.sides, signal.sides[1:])
    np.testing.assert_array_equal(second.narrow, signal.narrow[1:])


def test_only_the_very_first_group_is_float32():
    ramp, plan = stripe((1, 2))
    signal = measured(plan, ramp)
    np.testing.assert_array_equal(signal.narrow, [[1, 0, 0], [0, 0, 0]])
    ramp[:] = ramp[0, 0]
    signal = measured(plan, ramp)
    subtract_nir(ramp, signal, 0, 0, ramp.shape[2])
    assert not np.array_equal(ramp[0, 0], ramp[0, 1])
    np.testing.assert_array_equal(ramp[0, 1], ramp[1, 0])


def test_without_sides_every_group_is_float32():
    readout = NirReadout(1, 2, noutputs=4)
    options = NirOptions(use_side_ref_pixels=False)
    plan = plan_nir(np.zeros((24, 2048), np.uint32), readout, options)
    ramp = stripe((1, 2))[0]
    assert measured(plan, ramp, begins=False).narrow.all()
    assert len(plan.needed) == 4 * 2048, "the sides are not read"


def test_known_pattern_is_taken_away_entirely():
    ramp, plan = stripe((1, 2))
    column = np.arange(2048)
    pattern = 100.0 * (column // 512) + 7 * (column % 2)
    ramp[:] = (pattern + 1000).astype(np.float32)
    ramp[..., 4:15, :] += 64
    signal = measured(plan, ramp)
    subtract_nir(ramp, signal, 0, 0, 24)
    np.testing.assert_array_equal(ramp, 0)


def test_missing_zero_frame_values_stay_missing():
    ramp, plan = stripe((1, 2))
    zeroframe = ramp[:, 0].copy()
    zeroframe[:, 10:, 4::9] = 0
    signal = measured(plan, zeroframe[:, None], begins=False)
    group = zeroframe[:, None].copy()
    subtract_nir(group, signal, 0, 0, 24)
    found = zeroframe[:, 5:20].copy()
    subtract_nir_zero_frame(found, signal, 5, 1, 15)
    expected = np.where(zeroframe == 0, 0, group[:, 0])[:, 5:20]
    expected[:, 0] = zeroframe[:, 5]
    np.testing.assert_array_equal(found, expected)


def test_one_parity_alone_changes_nothing():
    pixeldq = np.zeros((20, 30), np.uint32)
    pixeldq[:4, ::2] = 2**31
    plan = plan_nir(pixeldq, NirReadout(1, 2, noutputs=1), MEDIAN)
    ramp = np.random.default_rng(6).normal(size=(1, 2, 20, 30)).astype(np.float32)
    before = ramp.copy()
    subtract_nir(ramp, measured(plan, ramp), 0, 0, 20)
    np.testing.assert_array_equal(ramp, before)


@pytest.mark.parametrize("noutputs", [1, 4])
def test_nothing_to_read(noutputs):
    plan = plan_nir(
        np.zeros((20, 30), np.uint32), NirReadout(1, 2, 50, 50, None, noutputs), MEDIAN
    )
    assert plan.idle
    assert plan.needed.size == 0
    ramp = np.ones((1, 2, 20, 30), np.float32)
    subtract_nir(ramp, measured(plan, ramp), 0, 0, 20)
    np.testing.assert_array_equal(ramp, 1)


def test_signal_of_other_groups_is_refused():
    ramp, plan = stripe((1, 2))
    signal = measured(plan, ramp)
    with pytest.raises(ValueError, match="groups"):
        subtract_nir(ramp[:1].copy(), signal, 0, 0, 24)


@pytest.mark.parametrize("length", [-3, 0, 1, 4096])
def test_impossible_smoothing(length):
    options = NirOptions(side_smoothing_length=length)
    with pytest.raises(UsageError, match="side_smoothing_length"):
        plan_nir(np.zeros((9, 2048), np.uint32), NirReadout(1, 2, noutputs=4), options)


@pytest.mark.parametrize(
    ("shape", "readout", "options", "sirs", "reason"),
    [
        ((3200, 2048), NirReadout(2, 1, noutputs=4, irs2=True), MEDIAN, False, "IRS2"),
        ((2048, 3200), NirReadout(2, 1, noutputs=4), MEDIAN, False, "IRS2"),
        ((256, 2048), NirReadout(1, 2, noutputs=4), SIRS, True, "SIRS"),
        ((256, 2048), NirReadout(1, 2, noutputs=4), SIRS, False, None),
        ((256, 2048), NirReadout(1, 2, noutputs=4), MEDIAN, True, None),
        ((256, 2048), NirReadout(1, 2, noutputs=1), SIRS, True, None),
        ((256, 2048), NirReadout(1, 2, noutputs=4, multistripe=True), SIRS, True, None),
        ((2048, 2048), NirReadout(1, 2, noutputs=4), SIRS, True, None),
    ],
)
def test_what_is_left_to_the_official_correction(shape, readout, options, sirs, reason):
    found = supported(shape, readout, options, sirs=sirs)
    assert found is None if reason is None else reason in found
    if reason:
        coefficients = (np.ones((4, 9)), np.ones((4, 9))) if sirs else None
        with pytest.raises(ValueError, match=reason):
            plan_nir(np.zeros(shape, np.uint32), readout, options, coefficients)


def test_sirs_of_other_than_four_amplifiers_is_refused():
    coefficients = (np.ones((3, 9)), np.ones((3, 9)))
    with pytest.raises(ValueError, match="four amplifiers"):
        plan_nir(np.zeros((2048, 2048), np.uint32), NirReadout(1, 2), SIRS, coefficients)


def test_convolution_with_a_flat_spectrum_is_the_mean_of_the_line():
    kernel = convolution_kernels(np.ones((4, 33), complex), 1e-3, 5)
    np.testing.assert_allclose(kernel, np.tile(np.eye(11)[5], (4, 1)), atol=1e-15)
    strips = np.random.default_rng(2).normal(50, 3, (2, 64, 4))
    strips[1, 7, 2] = 1e6  # left out
    mean = strips.mean(axis=2)
    mean[1, 7] = strips[1, 7, [0, 1, 3]].mean()
    np.testing.assert_allclose(
        line_templates(strips, (kernel, kernel), 6.0), np.tile(mean.sum(axis=0), (4, 1))
    )

"""The mid-infrared reference-pixel correction against the official one."""

from __future__ import annotations

import numpy as np
import pytest

from same_bits import assert_same_bits
from upramp.detector1.refpix_miri import (
    is_miri_subarray,
    measure_miri,
    plan_miri,
    subtract_miri,
)

pytestmark = pytest.mark.peer

SHAPE = (2, 4, 1024, 1032)


@pytest.fixture(scope="module")
def exposure():
    """Ramps with drifting amplifiers and rows, outliers, bad pixels of all kinds."""
    rng = np.random.default_rng(11)
    data = rng.normal(9000, 25, SHAPE).astype(np.float32)
    data += (np.arange(SHAPE[1]) * 700.3)[:, None, None].astype(np.float32)
    drift = rng.normal(0, 20, (*SHAPE[:2], 2, 4))
    for parity in range(2):
        for column in range(4):
            data[:, :, parity::2, column::4] += drift[..., parity, column, None, None].astype("f4")
    data[rng.random(SHAPE) < 0.002] += 3000
    pixeldq = rng.choice(np.array([0, 0, 0, 0, 1, 2, 2**31, 2**31 + 1], np.uint32), SHAPE[2:])
    return data, pixeldq


def official(data, pixeldq, *, odd_even_rows=True, siglimit=3.0):
    from jwst.refpix.reference_pixels import correct_model
    from stdatamodels.jwst.datamodels import RampModel

    model = RampModel()
    model.data = data.copy()
    model.pixeldq = pixeldq.copy()
    model.groupdq = np.zeros(data.shape, np.uint8)
    model.meta.instrument.name = "MIRI"
    model.meta.instrument.detector = "MIRIMAGE"
    subarray = model.meta.subarray
    subarray.xstart = subarray.ystart = 1
    subarray.ysize, subarray.xsize = data.shape[2:]
    subarray.fastaxis, subarray.slowaxis = 1, 2
    nothing = {
        "refpix_algorithm": "median",
        "sirs_kernel_model": None,
        "sigreject": 4.0,
        "gaussmooth": 1.0,
        "halfwidth": 30,
    }
    status = correct_model(model, True, True, 11, 1.0, odd_even_rows, nothing, siglimit)
    return status, np.asarray(model.data)


def ours(data, pixeldq, **options):
    plan = plan_miri(pixeldq, **options)
    signal = measure_miri(plan, data.reshape(*data.shape[:2], -1)[..., plan.needed])
    result = data.copy()
    subtract_miri(result, signal, 0, 0, data.shape[2])
    return result


@pytest.mark.parametrize(
    "options", [{}, {"odd_even_rows": False}, {"siglimit": 1.5}], ids=["default", "rows", "sigma"]
)
def test_full_frame(exposure, options):
    status, theirs = official(*exposure, **options)
    assert status == 0
    assert not np.array_equal(theirs, exposure[0])
    assert_same_bits(ours(*exposure, **options), theirs)


@pytest.mark.parametrize("rows", [slice(None), slice(0, None, 2)], ids=["all", "odd"])
def test_one_section_without_usable_pixels_and_nothing_is_corrected(exposure, rows):
    data, pixeldq = exposure[0].copy(), exposure[1].copy()
    data[:, 0] *= np.float32(0.137)  # differences of numbers that are close would be exact
    pixeldq[rows, 1030] |= 1
    _, theirs = official(data, pixeldq)
    assert not np.array_equal(theirs, data), "taking off and adding the first group rounds"
    assert_same_bits(ours(data, pixeldq), theirs)


def test_what_is_not_a_number_and_equal_reference_pixels(exposure):
    data, pixeldq = exposure[0][:, :3].copy(), np.zeros(SHAPE[2:], np.uint32)
    data[0, 0, 100, 100] = np.inf
    data[0, 1, 100, 101] = -np.inf
    data[0, 2, 100, 102] = np.nan
    data[0, 2, 300, 2] = np.nan  # a reference pixel: its amplifier's rows are lost
    data[0, 1, :, [1, 1029]] = data[0, 0, :, [1, 1029]] + np.float32(0.1)
    data[1, 1, ::2, 0] = 5.5
    data[1, 0, ::2, 0] = 2.25
    _, theirs = official(data, pixeldq)
    assert np.isnan(theirs[0, 2, ::2, 2::4]).all()
    assert_same_bits(ours(data, pixeldq), theirs)


def test_a_single_group_and_a_single_usable_pixel(exposure):
    data, pixeldq = exposure[0][:1, :2].copy(), np.ones(SHAPE[2:], np.uint32)
    pixeldq[40:42] = 0
    assert_same_bits(ours(data, pixeldq), official(data, pixeldq)[1])
    assert_same_bits(ours(data[:, :1], pixeldq), official(data[:, :1], pixeldq)[1])


@pytest.mark.parametrize("shape", [(1024, 1031), (1023, 1032), (64, 72)])
def test_subarrays_are_skipped(shape):
    from jwst.refpix.reference_pixels import SUBARRAY_SKIPPED

    data = np.ones((1, 2, *shape), np.float32)
    status, theirs = official(data, np.zeros(shape, np.uint32))
    assert is_miri_subarray(shape)
    assert status == SUBARRAY_SKIPPED
    assert_same_bits(data, theirs)

"""The polynomial for every pixel against stcal and jwst."""

from __future__ import annotations

import numpy as np
import pytest

from same_bits import assert_same_bits
from upramp.detector1.linearity import linearize, linearize_zero_frame, prepare_coefficients

pytestmark = pytest.mark.peer


def coefficients_and_dq(rng, n, ny, nx):
    scale = (1.0 / 60000) ** np.maximum(np.arange(n) - 1, 0)
    coefficients = rng.normal(0, 0.1, (n, ny, nx)) * scale[:, None, None]
    coefficients[1] += 1
    coefficients = coefficients.astype(np.float32)
    where = rng.random(coefficients.shape)
    coefficients[where < 0.03] = np.nan
    coefficients[(where > 0.03) & (where < 0.05)] = np.inf
    coefficients[(where > 0.1) & (where < 0.15)] = 0.0
    coefficients[(where > 0.15) & (where < 0.2)] = -0.0
    dq = rng.integers(0, 1 << 32, (ny, nx), np.uint32)
    dq &= np.where(rng.random((ny, nx)) < 0.2, 0xFFFFFFFF, ~(1 << 20) & 0xFFFFFFFF).astype(
        np.uint32
    )
    return coefficients, dq


def signal(rng, shape):
    values = rng.uniform(-500, 70000, shape).astype(np.float32)
    where = rng.random(shape)
    for share, value in enumerate([np.nan, np.inf, -np.inf, 0.0, -0.0, 1e-42, 3e38]):
        values[(where > share / 100) & (where < (share + 1) / 100)] = value
    return values


@pytest.mark.parametrize("n", [2, 3, 4, 6, 9])
@pytest.mark.parametrize(
    "shape", [(1, 1, 1, 1), (2, 3, 5, 1), (1, 4, 1, 7), (2, 2, 9, 300), (1, 2, 3, 513)]
)
def test_bits(n, shape):
    from stcal.linearity.linearity import linearity_correction
    from stdatamodels.jwst.datamodels import dqflags

    rng = np.random.default_rng(n)
    ny, nx = shape[2:]
    coefficients, dq = coefficients_and_dq(rng, n, ny, nx)
    ramp, zero_frame = signal(rng, shape), signal(rng, (shape[0], ny, nx))
    groupdq = rng.integers(0, 256, shape, np.uint8)
    pixeldq = rng.integers(0, 1 << 32, (ny, nx), np.uint32)
    with np.errstate(all="ignore"):
        theirs = linearity_correction(
            ramp.copy(),
            groupdq,
            pixeldq.copy(),
            coefficients.copy(),
            dq.copy(),
            dqflags.pixel,
            zframe=zero_frame.copy(),
        )
    prepared, gained = prepare_coefficients(coefficients, dq)
    for y0 in range(0, ny, 2):
        rows = np.s_[y0 : y0 + 2]
        tile = np.ascontiguousarray(ramp[:, :, rows])
        tile_dq = np.ascontiguousarray(groupdq[:, :, rows])
        linearize(tile, tile_dq, prepared, y0, 0, tile.shape[2])
        ramp[:, :, rows] = tile
        tile = np.ascontiguousarray(zero_frame[:, rows])
        linearize_zero_frame(tile, prepared, y0, 0, tile.shape[1])
        zero_frame[:, rows] = tile
    assert_same_bits(ramp, theirs[0], "data")
    assert_same_bits(pixeldq | gained, theirs[1], "pixeldq")
    assert_same_bits(zero_frame, theirs[2], "zero frame")


def test_bits_of_a_subarray_through_the_models():
    from jwst.linearity.linearity import do_correction
    from stdatamodels.jwst import datamodels

    rng = np.random.default_rng(1)
    coefficients, dq = coefficients_and_dq(rng, 5, 20, 30)
    ramp = signal(rng, (2, 3, 8, 9))
    groupdq = rng.integers(0, 256, ramp.shape, np.uint8)
    science = datamodels.RampModel(data=ramp.copy(), groupdq=groupdq, pixeldq=dq[:8, :9])
    science.meta.instrument.name = "NIRCAM"
    science.meta.exposure.nframes = 1
    reference = datamodels.LinearityModel(coeffs=coefficients, dq=dq)
    reference.inv_coeffs = coefficients
    for model, where in ((science, (6, 4, 9, 8)), (reference, (1, 1, 30, 20))):
        model.meta.subarray.xstart, model.meta.subarray.ystart = where[:2]
        model.meta.subarray.xsize, model.meta.subarray.ysize = where[2:]
    with np.errstate(all="ignore"):
        theirs = do_correction(science, reference)
    cut = np.s_[3:11, 5:14]
    prepared, gained = prepare_coefficients(coefficients[:, *cut], dq[cut])
    linearize(ramp, groupdq, prepared, 0, 0, 8)
    assert_same_bits(ramp, theirs.data, "data")
    assert_same_bits(dq[:8, :9] | gained, theirs.pixeldq, "pixeldq")

"""Bias subtraction against jwst."""

from __future__ import annotations

import numpy as np
import pytest

from same_bits import assert_same_bits
from upramp.detector1.superbias import (
    prepare_bias,
    subtract_bias,
    subtract_bias_of_zero_frame,
)

pytestmark = pytest.mark.peer


def unpleasant(rng, shape):
    values = rng.normal(0, 3000, shape).astype(np.float32)
    where = rng.random(shape)
    for share, value in enumerate([np.nan, np.inf, -np.inf, 0.0, -0.0, 1e-42, 3e38]):
        values[(where > share / 50) & (where < (share + 1) / 50)] = value
    return values


def models(ramp, zero_frame, pixeldq, bias, bias_dq, corner=(1, 1)):
    from stdatamodels.jwst import datamodels

    science = datamodels.RampModel(
        data=ramp.copy(), pixeldq=pixeldq.copy(), zeroframe=zero_frame.copy()
    )
    science.meta.instrument.name = "NIRCAM"
    science.meta.exposure.zero_frame = True
    ny, nx = ramp.shape[2:]
    where = {"xstart": corner[0], "ystart": corner[1], "xsize": nx, "ysize": ny}
    for key, value in where.items():
        setattr(science.meta.subarray, key, value)
    reference = datamodels.SuperBiasModel(data=bias.copy(), dq=bias_dq.copy())
    ny, nx = bias.shape[-2:]
    for key, value in {"xstart": 1, "ystart": 1, "xsize": nx, "ysize": ny}.items():
        setattr(reference.meta.subarray, key, value)
    return science, reference


@pytest.mark.parametrize("shape", [(1, 1, 1, 1), (2, 3, 5, 1), (1, 4, 1, 7), (3, 2, 9, 67)])
@pytest.mark.parametrize("corner", [(1, 1), (3, 2)])
@pytest.mark.parametrize("rows", [2, 100])
def test_bits_of_ramp_zero_frame_and_dq(shape, corner, rows):
    from jwst.superbias.bias_sub import do_correction

    rng = np.random.default_rng(sum(shape))
    ny, nx = shape[2:]
    ramp = unpleasant(rng, shape)
    zero_frame = unpleasant(rng, (shape[0], ny, nx))
    bias = unpleasant(rng, (ny + 4, nx + 5))
    zero_frame[:, 0, 0] = bias[corner[1] - 1, corner[0] - 1]
    bias_dq = rng.integers(0, 1 << 32, bias.shape, np.uint32)
    pixeldq = rng.integers(0, 1 << 32, (ny, nx), np.uint32)
    with np.errstate(all="ignore"):
        theirs = do_correction(*models(ramp, zero_frame, pixeldq, bias, bias_dq, corner))

    cut = np.s_[corner[1] - 1 : corner[1] - 1 + ny, corner[0] - 1 : corner[0] - 1 + nx]
    prepared = prepare_bias(bias[cut])
    for y0 in range(0, ny, rows):
        tile = np.ascontiguousarray(ramp[:, :, y0 : y0 + rows])
        subtract_bias(tile, prepared, y0, 0, tile.shape[2])
        ramp[:, :, y0 : y0 + rows] = tile
        tile = np.ascontiguousarray(zero_frame[:, y0 : y0 + rows])
        subtract_bias_of_zero_frame(tile, prepared, y0, 0, tile.shape[1])
        zero_frame[:, y0 : y0 + rows] = tile
    assert_same_bits(ramp, theirs.data, "data")
    assert_same_bits(zero_frame, theirs.zeroframe, "zero frame")
    assert_same_bits(pixeldq | bias_dq[cut], theirs.pixeldq, "pixeldq")


def test_bits_of_superstripes():
    from jwst.superbias.bias_sub import subtract_bias as official
    from stdatamodels.jwst import datamodels

    rng = np.random.default_rng(8)
    ramp, zero_frame = unpleasant(rng, (6, 2, 4, 5)), unpleasant(rng, (6, 4, 5))
    bias = unpleasant(rng, (3, 4, 5))
    science = datamodels.SuperstripeRampModel(
        data=ramp.copy(), pixeldq=np.zeros((3, 4, 5), np.uint32), zeroframe=zero_frame.copy()
    )
    science.meta.subarray.num_superstripe = 3
    science.meta.exposure.zero_frame = True

    class Reference:
        data = np.where(np.isnan(bias), np.float32(0), bias)
        dq = np.zeros((3, 4, 5), np.uint32)

    with np.errstate(all="ignore"):
        theirs = official(science, Reference)
    prepared = prepare_bias(bias)
    subtract_bias(ramp, prepared, 0, 0, 4)
    subtract_bias_of_zero_frame(zero_frame, prepared, 0, 0, 4)
    assert_same_bits(ramp, theirs.data, "data")
    assert_same_bits(zero_frame, theirs.zeroframe, "zero frame")

"""Linearity by way of the frames against stcal and jwst."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from same_bits import assert_same_bits
from upramp.detector1.linearity import linearize, prepare_coefficients
from upramp.detector1.linearity_reads import linearize_reads, read_pattern, reads_matter

pytestmark = pytest.mark.peer
SIZES = [
    # groups, frames, n, m, ny, nx
    (2, 4, 4, 6, 3, 200),
    (3, 2, 3, 6, 66, 5),
    (5, 5, 6, 6, 2, 130),
    (7, 8, 4, 9, 1, 64),
    (4, 3, 2, 2, 5, 1),
    (2, 20, 5, 3, 4, 9),
    (6, 1, 4, 6, 2, 65),
]


def curve(rng, n, ny, nx):
    scale = (1.0 / 60000) ** np.maximum(np.arange(n) - 1, 0)
    coefficients = rng.normal(0, 0.05, (n, ny, nx)) * scale[:, None, None]
    coefficients[1] += 1
    coefficients = coefficients.astype(np.float32)
    where = rng.random(coefficients.shape)
    coefficients[where < 0.02] = np.nan
    coefficients[(where > 0.1) & (where < 0.12)] = 0.0
    return coefficients


def official(ramp, groupdq, pixeldq, coefficients, inverse, dq, pattern):
    from stcal.linearity.linearity import linearity_correction
    from stdatamodels.jwst.datamodels import dqflags

    with np.errstate(all="ignore"):
        return linearity_correction(
            ramp.copy(),
            groupdq,
            pixeldq,
            coefficients.copy(),
            dq,
            dqflags.pixel,
            ilin_coeffs=inverse.copy(),
            read_pattern=pattern,
        )[:2]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("dq_values", ["any", "ramps that saturate", "clean"])
def test_bits(size, dq_values):
    groups, frames, n, m, ny, nx = size
    rng = np.random.default_rng(groups)
    coefficients, inverse = curve(rng, n, ny, nx), curve(rng, m, ny, nx)
    dq = np.where(rng.random((ny, nx)) < 0.1, 1 << 20, 4).astype(np.uint32)
    shape = (2, groups, ny, nx)
    ramp = np.sort(rng.uniform(-500, 70000, shape).astype(np.float32), axis=1)
    where = rng.random(shape)
    for share, value in enumerate([np.nan, np.inf, -np.inf, 0.0, -0.0, 3e38]):
        ramp[(where > share / 300) & (where < (share + 1) / 300)] = value
    groupdq = {
        "any": rng.integers(0, 256, shape, np.uint8),
        "ramps that saturate": 2
        * (np.arange(groups)[:, None, None] >= rng.integers(0, groups + 3, (2, 1, ny, nx))).astype(
            np.uint8
        ),
        "clean": np.zeros(shape, np.uint8),
    }[dq_values]
    pixeldq = rng.integers(0, 1 << 32, (ny, nx), np.uint32)
    pattern = read_pattern(groups, frames)
    theirs, their_pixeldq = official(ramp, groupdq, pixeldq, coefficients, inverse, dq, pattern)
    forward, gained = prepare_coefficients(coefficients, dq)
    backward, gained_too = prepare_coefficients(inverse, dq)
    for y0 in range(0, ny, 7):
        rows = np.s_[y0 : y0 + 7]
        tile = np.ascontiguousarray(ramp[:, :, rows])
        tile_dq = np.ascontiguousarray(groupdq[:, :, rows])
        linearize_reads(tile, tile_dq, forward, backward, pattern, y0, 0, tile.shape[2])
        ramp[:, :, rows] = tile
    assert_same_bits(ramp, theirs, "data")
    assert_same_bits(pixeldq | gained | gained_too, their_pixeldq, "pixeldq")


@pytest.mark.parametrize("groups", [2, 3, 4, 5, 6])
def test_bits_for_every_way_to_saturate(groups):
    rng = np.random.default_rng(3)
    ways = np.array(list(itertools.product([0, 2], repeat=groups)), np.uint8).T
    groupdq = np.ascontiguousarray(ways[None, :, None, :])
    nx = groupdq.shape[3]
    coefficients, inverse = curve(rng, 4, 1, nx), curve(rng, 6, 1, nx)
    dq = np.zeros((1, nx), np.uint32)
    ramp = rng.uniform(0, 60000, groupdq.shape).astype(np.float32)
    pattern = read_pattern(groups, 4)
    theirs, _ = official(ramp, groupdq, dq, coefficients, inverse, dq, pattern)
    forward, backward = (prepare_coefficients(c, dq)[0] for c in (coefficients, inverse))
    linearize_reads(ramp, groupdq, forward, backward, pattern, 0, 0, 1)
    assert_same_bits(ramp, theirs, "data")


def test_bits_of_groups_that_are_not_alike():
    rng = np.random.default_rng(4)
    pattern = [[1], [2, 3], [5, 6, 7, 9], [12, 14, 15, 16, 19, 22, 23]]
    coefficients, inverse = curve(rng, 4, 3, 80), curve(rng, 6, 3, 80)
    dq = np.zeros((3, 80), np.uint32)
    ramp = rng.uniform(0, 60000, (1, 4, 3, 80)).astype(np.float32)
    groupdq = rng.integers(0, 256, ramp.shape, np.uint8)
    theirs, _ = official(ramp, groupdq, dq, coefficients, inverse, dq, pattern)
    forward, backward = (prepare_coefficients(c, dq)[0] for c in (coefficients, inverse))
    linearize_reads(ramp, groupdq, forward, backward, pattern, 0, 0, 3)
    assert_same_bits(ramp, theirs, "data")


@pytest.mark.parametrize("has_inverse", [True, False])
@pytest.mark.parametrize("frames", [1, 4])
@pytest.mark.parametrize("read_times", [[], [[1.0, 2.0], [3.0, 4.0]]])
@pytest.mark.parametrize("subarray", [True, False])
def test_it_applies_when_it_does_officially(has_inverse, frames, read_times, subarray):
    from jwst.linearity.linearity import do_correction
    from stdatamodels.jwst import datamodels

    rng = np.random.default_rng(5)
    coefficients, inverse = curve(rng, 3, 10, 12), curve(rng, 4, 10, 12)
    dq = np.zeros((10, 12), np.uint32)
    ny, nx = (6, 7) if subarray else (10, 12)
    ramp = rng.uniform(0, 60000, (1, 3, ny, nx)).astype(np.float32)
    science = datamodels.RampModel(data=ramp.copy())
    science.groupdq = groupdq = np.zeros(ramp.shape, np.uint8)
    science.pixeldq = dq[:ny, :nx]
    science.meta.instrument.name = "NIRCAM"
    science.meta.exposure.nframes = frames
    science.meta.exposure.ngroups = 3
    science.meta.exposure.read_times = read_times
    reference = datamodels.LinearityModel(coeffs=coefficients.copy(), dq=dq.copy())
    if has_inverse:
        reference.inv_coeffs = inverse.copy()
    for model, size in ((science, (nx, ny)), (reference, (12, 10))):
        model.meta.subarray.xstart = model.meta.subarray.ystart = 1
        model.meta.subarray.xsize, model.meta.subarray.ysize = size
    theirs = do_correction(science, reference)
    cut = np.s_[:ny, :nx]
    forward, backward = (
        prepare_coefficients(c[:, *cut], dq[cut])[0] for c in (coefficients, inverse)
    )
    if reads_matter(
        has_inverse=has_inverse, frames_per_group=frames, read_times=read_times, groups=3
    ):
        linearize_reads(ramp, groupdq, forward, backward, read_pattern(3, frames), 0, 0, ny)
    else:
        linearize(ramp, groupdq, forward, 0, 0, ny)
    assert_same_bits(ramp, theirs.data, "data")

"""Jumps by sigma clipping against the official function, bit for bit."""

from __future__ import annotations

import warnings
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from same_bits import assert_same_bits
from upramp.detector1.jump_sigma_clip import (
    clear_covered_groups,
    covered_groups,
    flag_sigma_clipped,
)

pytestmark = pytest.mark.peer

DNU, SAT, JUMP = 1, 2, 4


def official(electrons, groupdq, interval, rejection, only_use_ints):
    from stcal.jump.twopoint_difference import det_jump_sigma_clipping

    parameters = SimpleNamespace(
        minimum_sigclip_groups=1,
        normal_rej_thresh=rejection,
        only_use_ints=only_use_ints,
        fl_sat=SAT,
        fl_dnu=DNU,
        fl_jump=JUMP,
    )
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        differences = np.diff(electrons, axis=1) / interval[None, :, None, None]
        return det_jump_sigma_clipping(
            groupdq.copy(),
            *electrons.shape[:2],
            electrons.shape[0],
            np.isfinite(differences),
            differences,
            parameters,
        )


def make_scene(rng, shape, decimals=2, flagged=0.1):
    """Few decimals make equal values and samples at bounds, which need the exact sums."""
    _, ngroups, ny, nx = shape
    ramp = np.arange(ngroups)[:, None, None] * rng.uniform(-5, 50, (ny, nx))
    electrons = (ramp + rng.normal(0, 5, shape)).astype(np.float32)
    hit = rng.random(shape) < 0.03
    electrons[hit] += rng.normal(0, 200, hit.sum()).astype(np.float32)
    electrons = np.round(electrons, decimals)
    electrons[:, :, 0, 0] = 7
    electrons[rng.random(shape) < 0.003] = np.inf
    electrons[rng.random(shape) < 0.003] = -np.inf
    groupdq = np.zeros(shape, np.uint8)
    some = rng.random(shape) < flagged
    groupdq[some] = rng.integers(0, 256, some.sum())
    groupdq[0, -1] = rng.choice([JUMP, DNU, JUMP | DNU, JUMP | SAT], (ny, nx))
    groupdq[-1, 0] |= DNU
    electrons[(groupdq & (SAT | DNU)) != 0] = np.nan
    return electrons, groupdq


def compare(scene, interval, rejection, only_use_ints, height):
    electrons, groupdq = scene
    expected = official(electrons, groupdq, interval, rejection, only_use_ints)
    ny = electrons.shape[2]
    tiles = [slice(y, min(y + height, ny)) for y in range(0, ny, height)]
    ours = np.empty_like(groupdq)
    covered = np.ones(groupdq.shape[:2], bool)
    for rows in tiles:
        tile = groupdq[:, :, rows].copy()
        ramp = electrons[:, :, rows].copy()
        last = tile.shape[2]
        flag_sigma_clipped(ramp, tile, interval, rejection, only_use_ints, 0, last)
        assert_same_bits(ramp, electrons[:, :, rows])
        covered &= covered_groups(tile, 0, last)
        ours[:, :, rows] = tile
    for rows in tiles:
        tile = ours[:, :, rows].copy()
        clear_covered_groups(tile, covered, 0, tile.shape[2])
        ours[:, :, rows] = tile
    assert_same_bits(ours, expected)
    return np.count_nonzero(ours != groupdq)


@pytest.mark.parametrize("only_use_ints", [True, False])
@pytest.mark.parametrize("rejection", [1.5, 4.0])
@pytest.mark.parametrize(
    "shape", [(101, 4, 5, 33), (64, 3, 1, 130), (30, 9, 7, 1), (1001, 3, 2, 3)], ids=str
)
def test_parameters_and_shapes(shape, rejection, only_use_ints):
    scene = make_scene(np.random.default_rng(sum(shape)), shape)
    one, even = np.ones(1), np.full(shape[1] - 1, 2.77504)
    assert compare(scene, one, rejection, only_use_ints, shape[2])
    assert compare(scene, even, rejection, only_use_ints, 2)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    shape=st.tuples(st.integers(1, 40), st.integers(2, 5), st.integers(1, 4), st.integers(1, 70)),
    decimals=st.sampled_from([-1, 0, 3, 7]),
    flagged=st.sampled_from([0, 0.2, 0.8]),
    rejection=st.sampled_from([0.5, 2.0, 4.0]),
    only_use_ints=st.booleans(),
)
def test_scenes(seed, shape, decimals, flagged, rejection, only_use_ints):
    scene = make_scene(np.random.default_rng(seed), shape, decimals, flagged)
    compare(scene, np.ones(1), rejection, only_use_ints, 3)


def test_more_samples_than_can_be_counted_side_by_side():
    scene = make_scene(np.random.default_rng(8), (8200, 5, 1, 2))
    assert compare(scene, np.ones(1), 4.0, False, 1)


def test_bounds_are_those_of_astropy_to_the_last_bit():
    import numba
    from astropy.stats import sigma_clip

    from upramp.detector1.sigma_clipping import clipping_bounds

    @numba.njit
    def bounds(values, sigma):
        return clipping_bounds(values, values.size, sigma, 5)

    rng = np.random.default_rng(4)
    for n in (*range(1, 40), 100, 1000):
        for sigma in (1.0, 3.0):
            values = rng.standard_t(1.5, n) * 10 + rng.uniform(-1e3, 1e3)
            _, low, high = sigma_clip(values, sigma=sigma, axis=0, return_bounds=True)
            assert_same_bits(np.array(bounds(values.copy(), sigma)), np.array([low, high]))

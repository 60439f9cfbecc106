"""Averages of frames on a curve become the frames' true mean."""

from __future__ import annotations

import numpy as np
import pytest

from upramp.detector1.linearity import linearize
from upramp.detector1.linearity_reads import linearize_reads, read_pattern, reads_matter

BEND = 2e-6


def curved(groups, frames, rate, nx):
    """Give the detector's averages and the true ones, with both polynomials."""
    true = rate * np.arange(1, groups * frames + 1).reshape(groups, frames)
    # The exact inverse of m + BEND m^2, which is what the forward polynomial is.
    measured = (-1 + np.sqrt(1 + 4 * BEND * true)) / (2 * BEND)
    shape = (1, groups, 1, nx)
    ramp = np.broadcast_to(measured.mean(1)[None, :, None, None], shape).astype(np.float32)
    inverse = [0, 1, -BEND, 2 * BEND**2, -5 * BEND**3, 14 * BEND**4, -42 * BEND**5]
    planes = [
        np.tile(np.array(t, np.float32)[:, None, None], (1, 1, nx))
        for t in ([0, 1, BEND], inverse)
    ]
    return np.ascontiguousarray(ramp), true.mean(1), *planes


@pytest.mark.parametrize("frames", [2, 4, 5, 8])
def test_truer_than_the_curve_at_the_mean(frames):
    ramp, true, forward, inverse = curved(5, frames, 40000 / (5 * frames), 70)
    groupdq = np.zeros(ramp.shape, np.uint8)
    simple = ramp.copy()
    linearize(simple, groupdq, forward, 0, 0, 1)
    linearize_reads(ramp, groupdq, forward, inverse, read_pattern(5, frames), 0, 0, 1)
    off = np.abs(ramp[0, :, 0] - true[:, None]).max()
    off_simple = np.abs(simple[0, :, 0] - true[:, None]).max()
    assert off < 0.35 * off_simple
    assert (ramp[0, :, 0, 0] == ramp[0, :, 0, 69]).all()


def test_saturated_groups_stay():
    ramp, _, forward, inverse = curved(4, 4, 2000, 3)
    groupdq = np.zeros(ramp.shape, np.uint8)
    groupdq[:, 2:, :, 1] = 2
    before = ramp.copy()
    linearize_reads(ramp, groupdq, forward, inverse, read_pattern(4, 4), 0, 0, 1)
    np.testing.assert_array_equal(ramp[:, 2:, :, 1], before[:, 2:, :, 1])
    assert (ramp[groupdq == 0] != before[groupdq == 0]).all()


def test_only_the_rows_asked_for_change():
    rng = np.random.default_rng(1)
    whole = rng.uniform(0, 30000, (2, 3, 7, 66)).astype(np.float32)
    planes = np.stack([np.zeros((7, 66)), np.ones((7, 66)), rng.normal(0, BEND, (7, 66))])
    planes = planes.astype(np.float32)
    groupdq = rng.integers(0, 4, whole.shape, np.uint8)
    tile, tile_dq = (np.ascontiguousarray(a[:, :, 2:6]) for a in (whole, groupdq))
    before = tile.copy()
    linearize_reads(tile, tile_dq, planes, planes, read_pattern(3, 4), 2, 1, 3)
    linearize_reads(whole, groupdq, planes, planes, read_pattern(3, 4), 0, 0, 7)
    np.testing.assert_array_equal(tile[:, :, 1:3], whole[:, :, 3:5])
    np.testing.assert_array_equal(tile[:, :, [0, 3]], before[:, :, [0, 3]])


def test_numbers_of_frames():
    assert read_pattern(3, 2) == [[1, 2], [3, 4], [5, 6]]


@pytest.mark.parametrize(
    ("change", "matters"),
    [
        ({}, True),
        ({"has_inverse": False}, False),
        ({"frames_per_group": 1}, False),
        ({"frames_per_group": None}, False),
        ({"read_times": None}, True),
        ({"read_times": [[1.0]]}, False),
        ({"groups": 1}, False),
        ({"striped_cutout": True}, False),
    ],
)
def test_when_frames_matter(change, matters):
    usual = {"has_inverse": True, "frames_per_group": 4, "read_times": [], "groups": 2}
    assert reads_matter(**(usual | change)) is matters


@pytest.mark.parametrize("pattern", [[[1, 2]], [[1, 2], []]])
def test_patterns_that_do_not_fit(pattern):
    ramp, _, forward, inverse = curved(2, 2, 10, 3)
    with pytest.raises(ValueError, match="two groups"):
        linearize_reads(ramp, np.zeros(ramp.shape, np.uint8), forward, inverse, pattern, 0, 0, 1)

"""Ramps with everything that a detector can do to them, and flags of every kind."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass
class Ramps:
    """A small exposure, with the references that jump and fit need."""

    data: np.ndarray
    groupdq: np.ndarray
    pixeldq: np.ndarray
    gain: np.ndarray
    readnoise: np.ndarray


def random_ramps(shape, seed=0, *, hits=0.02, flags=0.02, rounded=False):
    """Make ramps of many rates with cosmic rays, saturation and random flags."""
    _, _, ny, nx = shape
    rng = np.random.default_rng(seed)
    rate = rng.choice([0.5, 5, 50, 500], (ny, nx))
    steps = rng.poisson(rate, shape) + rng.normal(0, 8, shape)
    hit = rng.random(shape) < hits
    steps[hit] += rng.exponential(500, hit.sum()) * rng.choice([1, 1, 1, -1], hit.sum())
    data = np.cumsum(steps, 1).astype(np.float32)
    if rounded:  # equal differences, and ramps that do not move at all
        data = np.round(data / 16) * np.float32(16)
        data[..., : max(nx // 8, 1)] = 5
    groupdq = np.zeros(shape, np.uint8)
    groupdq[np.logical_or.accumulate(data > 4000, 1)] |= 2
    odd = rng.random(shape) < flags
    groupdq[odd] |= rng.integers(0, 256, odd.sum()).astype(np.uint8)
    groupdq[:, :, rng.random((ny, nx)) < 0.01] |= 1
    pixeldq = np.zeros((ny, nx), np.uint32)
    odd = rng.random((ny, nx)) < 0.05
    pixeldq[odd] = rng.integers(0, 2**32, odd.sum(), dtype=np.uint32)
    gain = rng.normal(2, 0.1, (ny, nx)).astype(np.float32)
    readnoise = rng.normal(6, 1, (ny, nx)).astype(np.float32)
    gain[0, 0], gain[-1, -1], gain[0, -1], readnoise[-1, 0] = np.nan, -1, 0, 0
    if nx > 3:
        data[0, 0, -1, 1] = np.nan
        gain[ny // 2, 1], readnoise[ny // 2, 2] = np.inf, np.nan
    return Ramps(data, groupdq, pixeldq, gain, readnoise)


def all_patterns(ngroups, flags, seed=0):
    """Make one ramp for each combination of flags in its groups: (1, ngroups, 1, n)."""
    grids = np.meshgrid(*[flags] * ngroups, indexing="ij")
    groupdq = np.array([g.ravel() for g in grids], np.uint8)[None, :, None, :]
    ramps = random_ramps(groupdq.shape, seed, hits=0.1)
    ramps.groupdq = np.ascontiguousarray(groupdq)
    ramps.gain[:] = 1.9
    return ramps


def tiles(ny, rows, reach):
    """Cut rows into tiles: (first row with halo, last with halo, first, last)."""
    for first in range(0, ny, rows):
        last = min(first + rows, ny)
        yield max(first - reach, 0), min(last + reach, ny), first, last

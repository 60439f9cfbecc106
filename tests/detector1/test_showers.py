"""Showers: what is flagged, and what is taken back."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from upramp.detector1.showers import MIN_DIFFERENCES, ShowerParameters, flag_showers, ring

DNU, SAT, JUMP = 1, 2, 4
REFERENCE = 1 << 31
PARAMETERS = ShowerParameters()
SHAPE = (1, 14, 60, 64)
EVENT = (0, slice(6, None), slice(20, 36), slice(24, 40))


def exposure(amplitude, shape=SHAPE):
    rng = np.random.default_rng(1)
    electrons = rng.normal(0, 2, shape) + 100 * np.arange(shape[1])[:, None, None]
    electrons[EVENT] += amplitude
    pixeldq = np.zeros(shape[2:], np.uint32)
    readnoise = np.full(shape[2:], 10, np.float32)
    return electrons.astype(np.float32), np.zeros(shape, np.uint8), pixeldq, readnoise


def test_a_shower_is_flagged_in_its_group_and_for_some_time():
    electrons, groupdq, pixeldq, readnoise = exposure(50)
    assert flag_showers(electrons, groupdq, pixeldq, readnoise, PARAMETERS, 5.0, 1) == 1
    assert np.flatnonzero(groupdq[0, :, 28, 32]).tolist() == [6, 7, 8, 9]
    assert not groupdq[:, :, 5, 5].any()
    assert set(np.unique(groupdq)) == {0, JUMP}


def test_flags_that_change_the_rate_too_much_are_taken_back():
    electrons, groupdq, pixeldq, readnoise = exposure(50)
    strict = dataclasses.replace(PARAMETERS, max_amplitude_per_group=0.5)
    assert flag_showers(electrons, groupdq, pixeldq, readnoise, strict, 5.0, 1) == 1
    assert not groupdq[:, :, 28, 32].any()


def test_without_shower_nothing_changes():
    electrons, groupdq, pixeldq, readnoise = exposure(0)
    groupdq[0, 3, 10:13, 10] = JUMP, SAT | DNU, 64
    pixeldq[:, :4] = REFERENCE
    before = groupdq.copy()
    assert flag_showers(electrons, groupdq, pixeldq, readnoise, PARAMETERS, 5.0, 1) == 0
    assert (groupdq == before).all()


def test_reference_pixels_keep_their_flags():
    electrons, groupdq, pixeldq, readnoise = exposure(50)
    pixeldq[28, 32] = REFERENCE
    flag_showers(electrons, groupdq, pixeldq, readnoise, PARAMETERS, 5.0, 1)
    assert not groupdq[:, :, 28, 32].any()
    assert groupdq[0, 6, 28, 31] == JUMP


def test_too_few_differences_are_not_searched():
    shape = (1, MIN_DIFFERENCES + 1, *SHAPE[2:])
    electrons, groupdq, pixeldq, readnoise = exposure(50, shape)
    assert flag_showers(electrons, groupdq.copy(), pixeldq, readnoise, PARAMETERS, 5.0, 1) == 1
    groupdq[0, 0] = DNU
    assert flag_showers(electrons, groupdq, pixeldq, readnoise, PARAMETERS, 5.0, 1) == 0
    assert not groupdq[0, 1:].any()


@pytest.mark.parametrize("frames", [1, 4])
def test_noise_falls_with_frames(frames):
    electrons, groupdq, pixeldq, _ = exposure(12)
    electrons -= np.arange(SHAPE[1], dtype=np.float32)[:, None, None] * np.float32(100)
    readnoise = np.full(SHAPE[2:], 18, np.float32)
    found = flag_showers(electrons, groupdq, pixeldq, readnoise, PARAMETERS, 5.0, frames)
    assert found == (frames == 4)


def test_a_ring_has_a_hole_and_sums_to_one():
    image = ring(1, 2.6)
    assert image.shape == (9, 9)
    assert image[4, 4] == 0
    assert image[4, 5] > 0
    assert image[4, 8] == 0
    assert image.sum() == pytest.approx(1)

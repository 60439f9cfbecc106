"""Showers against the official function, bit for bit."""

from __future__ import annotations

import dataclasses
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from same_bits import assert_same_bits
from upramp.detector1.showers import ShowerParameters, flag_showers, ring

pytestmark = pytest.mark.peer

DNU, SAT, JUMP, REFERENCE = 1, 2, 4, 1 << 31
GROUP_TIME = 2.77504


def official(scene, parameters, nframes):
    from stcal.jump.jump import find_faint_extended
    from stcal.jump.jump_class import JumpData

    data = JumpData()
    data.fl_dnu, data.fl_sat, data.fl_jump, data.fl_ref = DNU, SAT, JUMP, REFERENCE
    data.nframes = nframes
    data.set_shower_info(
        True,
        parameters.extend_snr_threshold,
        parameters.extend_min_area,
        parameters.extend_inner_radius,
        parameters.extend_outer_radius,
        parameters.extend_ellipse_expand_ratio,
        10,
        parameters.max_extended_radius * 2,
    )
    data.minimum_sigclip_groups = parameters.minimum_sigclip_groups
    data.grps_masked_after_shower = int(parameters.time_masked_after_shower // GROUP_TIME)
    # As the step does; by default this is the class's own 6 times the group time.
    if parameters.max_amplitude_per_group != ShowerParameters().max_amplitude_per_group:
        data.max_shower_amplitude = parameters.max_amplitude_per_group
    data.max_shower_amplitude = data.max_shower_amplitude * GROUP_TIME
    electrons, groupdq, pixeldq, readnoise = (a.copy() for a in scene)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return find_faint_extended(electrons, groupdq, pixeldq, readnoise, data)


def make_scene(rng, shape, events=4, strength=1.0):
    nints, ngroups, ny, nx = shape
    rate = rng.uniform(-1, 50, (ny, nx))
    ramp = rate * np.arange(ngroups)[:, None, None] + rng.normal(0, 10, shape)
    r, c = np.mgrid[:ny, :nx]
    for _ in range(events * nints):
        i, g = rng.integers(nints), rng.integers(1, ngroups)
        y, x, radius = rng.integers(ny), rng.integers(nx), rng.uniform(4, 18)
        inside = (r - y) ** 2 + rng.uniform(0.3, 1) * (c - x) ** 2 < radius**2
        ramp[i, g:] += inside * rng.uniform(10, 60) * strength
    electrons = ramp.astype(np.float32)
    groupdq = np.zeros(shape, np.uint8)
    flagged = rng.random(shape) < 0.03
    groupdq[flagged] = rng.integers(0, 256, flagged.sum())
    if ngroups > 4:
        groupdq[0, 0] |= DNU
        groupdq[-1, -1] |= DNU
    pixeldq = np.zeros((ny, nx), np.uint32)
    pixeldq[:, :2] = REFERENCE
    pixeldq[:, -1:] = REFERENCE | DNU
    bad = rng.random((ny, nx)) < 0.01
    pixeldq[bad] |= rng.integers(0, 64, bad.sum()).astype(np.uint32)
    readnoise = rng.uniform(5, 15, (ny, nx)).astype(np.float32)
    readnoise[rng.random((ny, nx)) < 0.005] = np.nan
    readnoise[rng.random((ny, nx)) < 0.005] = 0
    electrons[rng.random(shape) < 0.001] = np.inf
    electrons[rng.random(shape) < 0.001] = np.nan
    electrons[(groupdq & (SAT | DNU)) != 0] = np.nan
    return electrons, groupdq, pixeldq, readnoise


def compare(scene, parameters, nframes=1):
    expected, count = official(scene, parameters, nframes)
    electrons, groupdq, pixeldq, readnoise = (a.copy() for a in scene)
    found = flag_showers(electrons, groupdq, pixeldq, readnoise, parameters, GROUP_TIME, nframes)
    assert found == count
    assert_same_bits(groupdq, expected)
    for ours, given_ in zip((electrons, pixeldq, readnoise), (scene[0], *scene[2:]), strict=True):
        assert_same_bits(ours, given_)
    return found, np.count_nonzero(groupdq != scene[1])


@pytest.mark.parametrize("radii", [(1, 2.6), (1.0, 1.0), (2, 3.5), (0, 3), (0.5, 1.2)], ids=str)
def test_ring(radii):
    from astropy.convolution import Ring2DKernel

    assert_same_bits(ring(*radii), Ring2DKernel(*radii).array)


@pytest.mark.parametrize(
    ("shape", "change"),
    [
        ((1, 14, 64, 72), {}),
        ((2, 8, 70, 61), {"extend_min_area": 40}),
        ((1, 13, 33, 40), {"extend_min_area": 20, "extend_snr_threshold": 1.5}),
        ((3, 6, 64, 64), {"time_masked_after_shower": 0, "max_amplitude_per_group": 60}),
        ((2, 7, 64, 64), {"extend_min_area": 30, "max_amplitude_per_group": 2}),
        ((2, 7, 50, 64), {"extend_min_area": 30, "max_extended_radius": 5}),
        ((1, 13, 64, 64), {"extend_inner_radius": 2, "extend_outer_radius": 3.3}),
        ((1, 13, 64, 64), {"extend_ellipse_expand_ratio": 1.3, "max_amplitude_per_group": 60}),
        ((1, 650, 12, 14), {"extend_min_area": 10, "max_amplitude_per_group": 600}),
    ],
    ids=str,
)
@pytest.mark.parametrize("nframes", [1, 4])
def test_noise_within_integrations(shape, change, nframes):
    scene = make_scene(np.random.default_rng(sum(shape)), shape)
    found, changed = compare(scene, dataclasses.replace(ShowerParameters(), **change), nframes)
    assert found
    assert changed


@pytest.mark.parametrize("shape", [(12, 4, 40, 48), (13, 3, 33, 31), (610, 3, 12, 11)], ids=str)
def test_noise_between_integrations(shape):
    scene = make_scene(np.random.default_rng(sum(shape)), shape, events=min(4, 60 // shape[0] + 1))
    parameters = ShowerParameters(
        minimum_sigclip_groups=10, extend_min_area=15, max_amplitude_per_group=600
    )
    found, changed = compare(scene, parameters)
    assert found
    assert changed


def test_too_few_differences():
    scene = make_scene(np.random.default_rng(0), (2, 6, 30, 30))
    assert compare(scene, ShowerParameters()) == (0, 0)


@settings(max_examples=15, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    nints=st.integers(1, 3),
    ngroups=st.integers(4, 13),
    ny=st.integers(12, 40),
    nx=st.integers(12, 40),
    amplitude=st.sampled_from([1.0, 6.0, 100.0]),
)
def test_scenes(seed, nints, ngroups, ny, nx, amplitude):
    scene = make_scene(np.random.default_rng(seed), (nints, ngroups, ny, nx))
    compare(scene, ShowerParameters(extend_min_area=25, max_amplitude_per_group=amplitude))

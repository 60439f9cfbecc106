"""Snowballs against the official function, bit for bit."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from same_bits import assert_same_bits
from upramp.detector1.snowballs import SnowballParameters, flag_snowballs

pytestmark = pytest.mark.peer

DNU, SAT, JUMP = 1, 2, 4
GROUP_TIME = 10.73677


def official(groupdq, parameters):
    from stcal.jump.jump import flag_large_events
    from stcal.jump.jump_class import JumpData

    data = JumpData()
    data.fl_dnu, data.fl_sat, data.fl_jump = DNU, SAT, JUMP
    data.set_snowball_info(
        True,
        parameters.min_jump_area,
        parameters.min_sat_area,
        parameters.expand_factor,
        parameters.sat_required_snowball,
        parameters.min_sat_radius_extend,
        parameters.sat_expand * 2,
        parameters.edge_size,
    )
    data.max_extended_width = parameters.max_extended_radius * 2
    data.mask_persist_grps_next_int = parameters.mask_snowball_core_next_int
    data.persist_grps_flagged = int(parameters.snowball_time_masked_next_int // GROUP_TIME)
    with np.errstate(all="ignore"):
        return flag_large_events(groupdq.copy(), JUMP, SAT, data)


def ellipse(shape, y, x, a, b, turn):
    r, c = np.mgrid[: shape[0], : shape[1]] - np.array([y, x])[:, None, None]
    u, v = r * np.cos(turn) + c * np.sin(turn), r * np.sin(turn) - c * np.cos(turn)
    return (u / a) ** 2 + (v / b) ** 2 < 1


def scene(rng, shape, balls, rays=60, saturated=20):
    """Cosmic rays with neighbours, pixels that saturate, and snowballs whose cores grow."""
    nints, ngroups, ny, nx = shape
    groupdq = np.zeros(shape, np.uint8)
    for i in range(nints):
        for _ in range(rays):
            g, y, x = rng.integers(1, ngroups), rng.integers(ny), rng.integers(nx)
            length = rng.integers(1, 7)
            for k in range(length):
                yy, xx = y + k * rng.integers(0, 2), x + k
                for dy, dx in ((0, 0), (1, 0), (0, 1), (-1, 0), (0, -1)):
                    if 0 <= yy + dy < ny and 0 <= xx + dx < nx:
                        groupdq[i, g, yy + dy, xx + dx] |= JUMP
        for _ in range(saturated):
            g, y, x = rng.integers(0, ngroups), rng.integers(ny), rng.integers(nx)
            groupdq[i, g:, y, x] = SAT
        for _ in range(balls):
            g, y, x = rng.integers(0, ngroups), rng.integers(ny), rng.integers(nx)
            a, b, turn = rng.uniform(1, 14), rng.uniform(1, 14), rng.uniform(0, np.pi)
            groupdq[i, g][ellipse((ny, nx), y, x, a, b, turn)] |= JUMP
            core = rng.uniform(0.1, 0.8)
            for later in range(g + rng.integers(0, 2), ngroups):
                groupdq[i, later, ellipse((ny, nx), y, x, a * core, b * core, turn)] = SAT
                core *= rng.choice([1.0, 1.3])
    flagged = rng.random(shape) < 0.01
    groupdq[flagged] |= rng.integers(0, 256, flagged.sum()).astype(np.uint8)
    groupdq[(groupdq & (SAT | DNU)) != 0] &= 255 - JUMP
    return groupdq


def compare(groupdq, parameters):
    expected, count = official(groupdq, parameters)
    ours = groupdq.copy()
    assert flag_snowballs(ours, parameters, GROUP_TIME) == count
    assert_same_bits(ours, expected)
    return count, np.count_nonzero(ours != groupdq)


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"edge_size": 0},
        {"edge_size": 8, "expand_factor": 1.9, "sat_expand": 0},
        {"edge_size": 5, "min_sat_area": 6.0, "min_jump_area": 12.0},
        {"edge_size": 5, "min_jump_area": 30.5, "min_sat_radius_extend": 0.2},
        {"edge_size": 3, "min_sat_radius_extend": -2.0, "min_jump_area": 1.0},
        {"edge_size": 4, "max_extended_radius": 6, "expand_factor": 3.5},
        {"edge_size": 4, "mask_snowball_core_next_int": False},
        {"edge_size": 4, "snowball_time_masked_next_int": 25},
        {"edge_size": 4, "snowball_time_masked_next_int": 5},
        {"sat_required_snowball": False},
    ],
    ids=str,
)
@pytest.mark.parametrize("shape", [(2, 5, 90, 90), (1, 4, 64, 121), (3, 3, 110, 47)], ids=str)
def test_parameters_and_shapes(change, shape):
    rng = np.random.default_rng(sum(shape))
    parameters = dataclasses.replace(SnowballParameters(), **change)
    count, changed = compare(scene(rng, shape, balls=8), parameters)
    assert count > 2
    assert changed > 100


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    shape=st.tuples(st.integers(1, 3), st.integers(3, 6), st.integers(1, 80), st.integers(1, 80)),
    edge=st.sampled_from([0, 5, 25]),
)
def test_scenes(seed, shape, edge):
    rng = np.random.default_rng(seed)
    balls = int(rng.integers(0, 6))
    compare(scene(rng, shape, balls), SnowballParameters(edge_size=edge))


@settings(max_examples=12, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    density=st.sampled_from([0.05, 0.3, 0.45, 0.7, 1.0]),
    required=st.booleans(),
)
def test_dense_flags(seed, density, required):
    rng = np.random.default_rng(seed)
    groupdq = rng.integers(0, 256, (2, 4, 23, 37)).astype(np.uint8)
    groupdq[rng.random(groupdq.shape) > density] = 0
    compare(groupdq, SnowballParameters(edge_size=3, sat_required_snowball=required))


def test_events_in_corners_and_across_each_other():
    groupdq = np.zeros((2, 6, 100, 100), np.uint8)
    for g, y, x, size in (
        (1, 0, 0, 9),
        (2, 99, 0, 12),
        (3, 50, 50, 14),
        (3, 50, 66, 9),
        (4, 52, 58, 6),
    ):
        groupdq[0, g][ellipse((100, 100), y, x, size, size, 0)] |= JUMP
        groupdq[0, g:, ellipse((100, 100), y, x, size / 2, size / 2, 0)] = SAT
    count, _ = compare(groupdq, SnowballParameters())
    assert count >= 3


def test_hollow_regions():
    groupdq = np.zeros((1, 5, 90, 90), np.uint8)
    ring = ellipse((90, 90), 45, 45, 13, 10, 0.3) & ~ellipse((90, 90), 45, 45, 9, 7, 0.3)
    groupdq[0, 2][ring] = JUMP
    groupdq[0, 2:, 44:47, 44:47] = SAT
    groupdq[0, 3, 40:43, 40:43] = JUMP
    groupdq[0, 3, 41, 41] = 0
    assert compare(groupdq, SnowballParameters(min_jump_area=9))[0] >= 1


def test_an_event_at_the_scale_of_a_detector():
    groupdq = np.zeros((1, 3, 600, 700), np.uint8)
    groupdq[0, 1][ellipse((600, 700), 300, 350, 90, 130, 0.7)] = JUMP
    groupdq[0, 1:, ellipse((600, 700), 301, 349, 60, 80, 0.7)] = SAT
    assert compare(groupdq, SnowballParameters())[0] == 1

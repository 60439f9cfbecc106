"""Charge migration flags against the official function, bit for bit."""

from __future__ import annotations

import itertools
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from same_bits import assert_same_bits
from upramp.detector1.charge_migration import MIN_GROUPS, flag_charge_migration

pytestmark = pytest.mark.peer


def assert_agrees(ramp, groupdq, threshold):
    from jwst.charge_migration.charge_migration import charge_migration

    model = SimpleNamespace(data=ramp, groupdq=groupdq.copy())
    with np.errstate(over="ignore"):
        theirs = charge_migration(model, threshold).groupdq
    ny = ramp.shape[2]
    for height in (4, ny):
        ours = np.empty_like(groupdq)
        for start in range(0, ny, height):
            stop = min(start + height, ny)
            low, high = max(start - 1, 0), min(stop + 1, ny)
            dq = groupdq[:, :, low:high].copy()
            tile = ramp[:, :, low:high].copy()
            flag_charge_migration(tile, dq, threshold, low, start - low, stop - low)
            ours[:, :, start:stop] = dq[:, :, start - low : stop - low]
        assert_same_bits(ours, theirs)
    return theirs


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    shape=st.tuples(*(st.integers(1, n) for n in (3, 6, 9, 40))),
    part=st.sampled_from([0.01, 0.2, 0.9]),
    threshold=st.sampled_from([25000.0, 0.1, -5.5, 25000, 1e39]),
)
def test_random_exposures_agree(seed, shape, part, threshold):
    rng = np.random.default_rng(seed)
    ramp = rng.normal(min(threshold, 3e38), 100, shape).astype(np.float32)
    ramp[rng.random(shape) > part] -= 300
    ramp[rng.random(shape) < 0.1] = np.float32(min(threshold, 3e38))
    for value in (np.nan, np.inf, -np.inf, 0):
        ramp[rng.random(shape) < 0.02] = value
    groupdq = rng.integers(0, 256, shape, dtype=np.uint8)
    groupdq[rng.random(shape) < 0.3] = 0
    groupdq[rng.random(shape) < 0.3] = 1
    assert_agrees(ramp, groupdq, threshold)


@pytest.mark.parametrize("ngroups", [1, 2, 3, 4, 5, 6])
def test_every_value_of_group_flags_agrees(ngroups):
    rng = np.random.default_rng(ngroups)
    values = [rng.permutation(np.arange(256, dtype=np.uint8)) for _ in range(ngroups)]
    groupdq = np.reshape(values, (1, ngroups, 8, 32))
    ramp = rng.normal(90, 10, groupdq.shape).astype(np.float32)
    theirs = assert_agrees(ramp, groupdq, 100.0)
    assert np.any(theirs != groupdq)


def test_every_course_of_three_groups_agrees():
    states = list(itertools.product((99, 100, 101), (0, 1, 2, 3)))
    courses = np.array(list(itertools.product(range(len(states)), repeat=3)))
    level, bit = np.array(states).T
    # A column between any two, so that each course is seen by itself.
    ramp = np.zeros((1, 3, 1, 2 * len(courses)), np.float32)
    groupdq = np.zeros(ramp.shape, np.uint8)
    ramp[0, :, 0, ::2], groupdq[0, :, 0, ::2] = level[courses].T, bit[courses].T
    assert_agrees(ramp, groupdq, 100.0)


@pytest.mark.parametrize("ngroups", [1, 2, 3])
def test_the_step_needs_as_many_groups_as_we_say(ngroups):
    from jwst.charge_migration import ChargeMigrationStep
    from stdatamodels.jwst.datamodels import RampModel

    model = RampModel((1, ngroups, 4, 4))
    result = ChargeMigrationStep(skip=False).process(model)
    expected = "COMPLETE" if ngroups >= MIN_GROUPS else "SKIPPED"
    assert result.meta.cal_step.charge_migration == expected

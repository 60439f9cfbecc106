"""Persistence flags against the official class, bit for bit."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from same_bits import assert_same_bits
from upramp.detector1.persistence import flag_persistence, group_ends

pytestmark = pytest.mark.peer

START, GROUP_TIME = 60123.456789, 10.73677


def official(ramp, groupdq, window, settings_, starts):
    from jwst.persistence.persistence import DataSet

    ngroups = ramp.shape[1]
    exposure = SimpleNamespace(
        start_time=START, group_time=GROUP_TIME, integration_time=(ngroups + 1) * GROUP_TIME
    )
    table = None
    if starts is not None:
        table = np.zeros(len(starts), [("n", "i4"), ("int_start_MJD_UTC", "f8")])
        table["int_start_MJD_UTC"] = starts
    model = SimpleNamespace(
        data=ramp,
        groupdq=groupdq.copy(),
        int_times=table,
        meta=SimpleNamespace(exposure=exposure),
    )
    duration, threshold, do_not_use = settings_
    task = DataSet(model, None, duration, threshold, window.copy(), do_not_use)
    with np.errstate(invalid="ignore", over="ignore"):
        result, skipped = task.do_all()
    assert not skipped
    return result.groupdq, task.persistence_array


def assert_agrees(ramp, groupdq, window, settings_, starts=None):
    nints, ngroups, ny, _ = ramp.shape
    theirs = official(ramp, groupdq, window, settings_, starts)
    ends = group_ends(
        nints,
        ngroups,
        GROUP_TIME,
        exposure_start=START,
        integration_time=(ngroups + 1) * GROUP_TIME,
        integration_starts=starts,
    )
    dq, state = np.empty_like(groupdq), window.copy()
    for start in range(0, ny, 4):
        stop = min(start + 4, ny)
        part = groupdq[:, :, start:stop].copy()
        tile = ramp[:, :, start:stop].copy()
        flag_persistence(tile, part, state, ends, *settings_, start, 0, stop - start)
        dq[:, :, start:stop] = part
    assert_same_bits(dq, theirs[0], "groupdq")
    assert_same_bits(state, theirs[1], "persistence array")
    return theirs


def random_window(rng, plane):
    now = (START - 40587.0) * 86400.0
    window = np.where(rng.random(plane) < 0.5, 0, now + rng.uniform(-50, 400, plane))
    for value in (-0.0, -1, np.nan, np.inf, 5):
        window[rng.random(plane) < 0.05] = value
    return window


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    shape=st.tuples(*(st.integers(1, n) for n in (4, 6, 9, 40))),
    saturated=st.sampled_from([0.02, 0.3, 0.9]),
    duration=st.sampled_from([1, 11, 60, 1000]),
    threshold=st.sampled_from([None, 100.0, 0.1, 1e39]),
    do_not_use=st.booleans(),
    rows=st.sampled_from([None, 0, 1, 9]),
)
def test_random_exposures_agree(seed, shape, saturated, duration, threshold, do_not_use, rows):
    rng = np.random.default_rng(seed)
    ramp = rng.normal(60, 40, shape).astype(np.float32)
    for value in (np.nan, np.inf, -np.inf, 0, 100, np.float32(0.1)):
        ramp[rng.random(shape) < 0.02] = value
    groupdq = rng.integers(0, 256, shape, dtype=np.uint8) & np.uint8(0xFD)
    groupdq[rng.random(shape) < saturated] |= 2
    starts = None if rows is None else START + rng.uniform(0, 0.004, rows).cumsum()
    window = random_window(rng, shape[2:])
    assert_agrees(ramp, groupdq, window, (duration, threshold, do_not_use), starts)


@pytest.mark.parametrize("ngroups", [1, 2, 3, 4, 5, 6])
def test_every_value_and_course_of_group_flags_agrees(ngroups):
    rng = np.random.default_rng(ngroups)
    groupdq = rng.integers(0, 256, (1, ngroups, 16, 64), dtype=np.uint8)
    groupdq[0, 0] = np.tile(np.arange(256, dtype=np.uint8), 4).reshape(16, 64)
    course = np.arange(1024).reshape(16, 64)
    for g in range(1, ngroups):
        groupdq[0, g] = groupdq[0, g] & 0xFD | (course >> g & 1) << 1
    ramp = rng.normal(60, 40, groupdq.shape).astype(np.float32)
    theirs = assert_agrees(ramp, groupdq, random_window(rng, (16, 64)), (25, 100.0, False))
    assert np.any(theirs[0] != groupdq)


def test_an_exposure_after_another_agrees():
    rng = np.random.default_rng(3)
    shape = (2, 4, 6, 10)
    window = np.zeros(shape[2:])
    for _ in range(3):
        groupdq = (rng.random(shape) < 0.1).astype(np.uint8) * np.uint8(2)
        ramp = np.zeros(shape, np.float32)
        _, window = assert_agrees(ramp, groupdq, window, (70, None, True))
    assert window.any()

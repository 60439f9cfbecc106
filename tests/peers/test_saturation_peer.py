"""Saturation flags against the official functions, bit for bit."""

from __future__ import annotations

import itertools
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from same_bits import assert_same_bits
from upramp.detector1.saturation import (
    blank_saturated_zero_frame,
    flag_saturation,
    frames_of_groups,
    plan_saturation,
    prepare_thresholds,
)
from upramp.dq import PIXEL

pytestmark = pytest.mark.peer

NO_CHECK = PIXEL["NO_SAT_CHECK"]


def official(exposure, grow, pattern):
    from stcal.saturation.saturation import flag_saturated_pixels
    from stdatamodels.jwst.datamodels import dqflags

    copies = {k: None if v is None else v.copy() for k, v in exposure.items()}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return flag_saturated_pixels(
            copies["ramp"],
            copies["groupdq"],
            copies["pixeldq"],
            copies["threshold"],
            copies["threshold_dq"],
            65535.0,
            dqflags.pixel,
            n_pix_grow_sat=grow,
            zframe=copies["zero_frame"],
            read_pattern=pattern,
            bias=copies["bias"],
        )


def ours(exposure, grow, pattern, height):
    ramp, groupdq = exposure["ramp"], exposure["groupdq"]
    ny = ramp.shape[2]
    threshold, threshold_dq = prepare_thresholds(exposure["threshold"], exposure["threshold_dq"])
    plan = plan_saturation(ramp.shape[1], grow, pattern)
    flagged, zero = np.empty_like(groupdq), exposure["zero_frame"]
    blanked = None if zero is None else np.empty_like(zero)
    for start in range(0, ny, height):
        stop = min(start + height, ny)
        low, high = max(start - plan.reach, 0), min(stop + plan.reach, ny)
        place = (low, start - low, stop - low)
        inside = slice(start - low, stop - low)
        dq = groupdq[:, :, low:high].copy()
        tile = np.ascontiguousarray(ramp[:, :, low:high])
        flag_saturation(tile, dq, threshold, threshold_dq, exposure["bias"], plan, *place)
        flagged[:, :, start:stop] = dq[:, :, inside]
        if zero is not None:
            frames = zero[:, low:high].copy()
            blank_saturated_zero_frame(frames, threshold, grow, *place)
            blanked[:, start:stop] = frames[:, inside]
    return flagged, exposure["pixeldq"] | threshold_dq, blanked


def assert_agrees(exposure, grow, pattern, heights=(3, 1000)):
    theirs = official(exposure, grow, pattern)
    for height in heights:
        for what, a, b in zip(
            ("groupdq", "pixeldq", "zero frame"),
            ours(exposure, grow, pattern, height),
            theirs,
            strict=True,
        ):
            if b is None:
                assert a is None
            else:
                assert_same_bits(a, b, what)
    return theirs[0]


def random_exposure(rng, shape, *, biased=True, integers=False, flagged=0.05, brightness=9000):
    ramp = np.cumsum(rng.exponential(brightness, shape), axis=1).astype(np.float32)
    if integers:
        ramp = np.round(np.clip(ramp, 0, 65535))
    for value in (0, -0.0, -7, np.nan, np.inf, -np.inf):
        ramp[rng.random(shape) < 0.01] = value
    groupdq = rng.integers(0, 256, shape, dtype=np.uint8)
    groupdq[rng.random(shape) > flagged] = 0
    plane = shape[2:]
    threshold = rng.uniform(2e4, 6e4, plane).astype(np.float32)
    for value in (np.nan, np.inf, 0, 65536):
        threshold[rng.random(plane) < 0.03] = value
    threshold_dq = rng.integers(0, 2**32, plane, dtype=np.uint32)
    threshold_dq[rng.random(plane) > 0.2] &= ~np.uint32(NO_CHECK)
    bias = rng.normal(8000, 2000, plane).astype(np.float32)
    bias[rng.random(plane) < 0.05] = np.nan
    zero = rng.uniform(-9000, 6.6e4, (shape[0], *plane)).astype(np.float32)
    zero[rng.random(zero.shape) < 0.05] = np.nan
    return {
        "ramp": ramp,
        "groupdq": groupdq,
        "pixeldq": rng.integers(0, 2**32, plane, dtype=np.uint32),
        "threshold": threshold,
        "threshold_dq": threshold_dq,
        "bias": bias if biased else None,
        "zero_frame": zero,
    }


@pytest.mark.parametrize("grow", [0, 1, 2, 4])
@pytest.mark.parametrize("nframes", [None, 1, 2, 4, 8])
@pytest.mark.parametrize("biased", [False, True])
def test_random_exposures_agree(grow, nframes, biased):
    rng = np.random.default_rng([grow, nframes or 0, biased])
    exposure = random_exposure(rng, (2, 6, 29, 83), biased=biased)
    pattern = None if nframes is None else frames_of_groups(6, nframes)
    assert np.any(assert_agrees(exposure, grow, pattern) != exposure["groupdq"])


@pytest.mark.parametrize("ngroups", [1, 2, 3, 4, 5, 6])
def test_every_value_of_group_flags_agrees(ngroups):
    rng = np.random.default_rng(ngroups)
    exposure = random_exposure(rng, (1, ngroups, 32, 64), brightness=1.5e4)
    values = [rng.permutation(np.tile(np.arange(256, dtype=np.uint8), 8)) for _ in range(ngroups)]
    exposure["groupdq"] = np.reshape(values, (1, ngroups, 32, 64))
    for grow, nframes in itertools.product((0, 1), (None, 1, 4)):
        pattern = None if nframes is None else frames_of_groups(ngroups, nframes)
        assert_agrees(exposure, grow, pattern)


@pytest.mark.parametrize("nframes", [1, 4])
def test_every_course_of_three_groups_agrees(nframes):
    # Around the threshold of 100, its diluted values, the floor, and the bits that are looked at.
    levels = [-1, 0, 2, 30, 62.5, 82, 92, np.nextafter(np.float32(100), 0), 100, np.nan]
    bits = [0, 1, 2, 3]
    states = list(itertools.product(levels, bits))
    courses = np.array(list(itertools.product(range(len(states)), repeat=3)))
    courses = courses[: len(courses) // 160 * 160].reshape(-1, 160, 3)
    level, bit = np.array(states).T
    ramp = level[courses].astype(np.float32).transpose(2, 0, 1)[None]
    exposure = {
        "ramp": np.ascontiguousarray(ramp),
        "groupdq": np.ascontiguousarray(bit[courses].transpose(2, 0, 1)[None].astype(np.uint8)),
        "pixeldq": np.zeros(ramp.shape[2:], np.uint32),
        "threshold": np.full(ramp.shape[2:], 100, np.float32),
        "threshold_dq": np.zeros(ramp.shape[2:], np.uint32),
        "bias": None,
        "zero_frame": None,
    }
    for bias in (None, 1.0, 29.0):
        exposure["bias"] = None if bias is None else np.full(ramp.shape[2:], bias, np.float32)
        assert_agrees(exposure, 0, frames_of_groups(3, nframes), heights=(100,))


@pytest.mark.parametrize("nframes", [1, 2, 4, 8])
def test_values_next_to_the_diluted_threshold_agree(nframes):
    rng = np.random.default_rng(nframes)
    exposure = random_exposure(rng, (1, 5, 40, 64), brightness=1.5e4)
    pattern = frames_of_groups(5, nframes)
    for g, frames in enumerate(pattern[:-1]):
        near = exposure["threshold"] * np.float32(np.mean(frames) / frames[-1])
        steps = rng.integers(-2, 3, near.shape)
        with np.errstate(invalid="ignore"):
            near = (near.view(np.int32) + steps.astype(np.int32)).view(np.float32)
        chosen = rng.random(near.shape) < 0.4
        exposure["ramp"][0, g][chosen] = near[chosen]
        exposure["ramp"][0, g + 1][chosen] = 66000
    assert_agrees(exposure, 1, pattern)


@pytest.mark.parametrize("nframes", [2, 3, 5])
@pytest.mark.parametrize("decisive", ["first", "second"])
def test_values_next_to_the_rules_of_the_second_group_agree(nframes, decisive):
    rng = np.random.default_rng(nframes)
    plane = (40, 250)
    pattern = frames_of_groups(3, nframes)
    limit = rng.uniform(3e4, 6e4, plane).astype(np.float32)
    bias = rng.uniform(1e3, 9e3, plane).astype(np.float32)
    ramp = np.empty((1, 3, *plane), np.float32)
    share = np.mean(pattern[0]) / pattern[2][-1]
    ramp[0, 0] = bias + (limit - bias) * share * (1 if decisive == "first" else 0.3)
    rise = (limit - ramp[0, 0]) / nframes
    ramp[0, 1] = ramp[0, 0] + rise * (1.01 if decisive == "first" else 1)
    ramp[0, 2] = 66000
    changed = ramp[0, 0 if decisive == "first" else 1]
    changed.view(np.int32)[:] += rng.integers(-2, 3, plane, dtype=np.int32)
    exposure = {
        "ramp": ramp,
        "groupdq": np.zeros(ramp.shape, np.uint8),
        "pixeldq": np.zeros(plane, np.uint32),
        "threshold": limit,
        "threshold_dq": np.full(plane, NO_CHECK // 2, np.uint32),
        "bias": bias,
        "zero_frame": None,
    }
    theirs = assert_agrees(exposure, 0, pattern)
    assert 0.05 < np.mean(theirs[0, 1] & 1) < 0.95


@pytest.mark.parametrize(
    "shape", [(1, 4, 2, 40), (1, 4, 40, 2), (1, 3, 2, 2), (3, 3, 7, 5), (1, 2, 65, 64)]
)
def test_odd_shapes_agree(shape):
    exposure = random_exposure(np.random.default_rng(shape), shape)
    for pattern in (None, frames_of_groups(shape[1], 4)):
        assert_agrees(exposure, 1, pattern, heights=(1, 4))


@pytest.mark.parametrize("shape", [(24, 25), (50, 61)])
def test_large_growth_agrees(shape):
    # Officially the frame has to be at least twice as large as the growth.
    rng = np.random.default_rng(2)
    exposure = random_exposure(rng, (1, 5, *shape), flagged=0.001)
    exposure["ramp"] = np.full((1, 5, *shape), 1000, np.float32)
    exposure["threshold"][:] = 30000
    for g, y, x in ((1, 3, 4), (2, shape[0] - 1, 24), (3, 20, shape[1] - 2)):
        exposure["ramp"][0, g - 1, y, x], exposure["ramp"][0, g, y, x] = 29000, 31000
    theirs = assert_agrees(exposure, 12, frames_of_groups(5, 4))
    assert np.count_nonzero(theirs & 2 == 0) > theirs.size / 10
    assert np.count_nonzero(theirs & 3 == 1) > 100


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    grow=st.integers(0, 3),
    frames=st.lists(st.integers(1, 6), min_size=5, max_size=5),
    gap=st.integers(0, 3),
    start=st.integers(0, 2),
    tick=st.sampled_from([1, 3.04, 0.1]),
    integers=st.booleans(),
)
def test_uneven_read_patterns_agree(seed, grow, frames, gap, start, tick, integers):
    pattern, now = [], start
    for n in frames:
        pattern.append([(now + k) * tick for k in range(n)])
        now += n + gap
    rng = np.random.default_rng(seed)
    assert_agrees(random_exposure(rng, (1, 5, 11, 70), integers=integers), grow, pattern)


def test_superstripes_agree_integration_by_integration():
    # Officially the stripes' references are repeated to one plane per integration and group.
    nints, ngroups, stripes = 4, 5, 2
    rng = np.random.default_rng(8)
    exposure = random_exposure(rng, (nints, ngroups, 9, 33))
    each = [random_exposure(rng, (1, 1, 9, 33)) for _ in range(stripes)]
    pattern = frames_of_groups(ngroups, 4)
    together = dict(exposure)
    for name in ("threshold", "threshold_dq", "bias", "pixeldq"):
        planes = np.array([each[i % stripes][name] for i in range(nints)])
        together[name] = planes[:, np.newaxis].repeat(ngroups, axis=1)
    groupdq, pixeldq, zero = official(together, 1, pattern)
    for i in range(nints):
        one = {**each[i % stripes], "ramp": exposure["ramp"][i : i + 1]}
        one["groupdq"] = exposure["groupdq"][i : i + 1]
        one["zero_frame"] = exposure["zero_frame"][i : i + 1]
        result = ours(one, 1, pattern, 4)
        assert_same_bits(result[0][0], groupdq[i], "groupdq")
        assert_same_bits(result[1], pixeldq[i, 0], "pixeldq")
        assert_same_bits(result[2][0], zero[i], "zero frame")


def models(shape, ny, nx, *, zero, biased):
    from stdatamodels.jwst import datamodels

    rng = np.random.default_rng(11)
    nints, ngroups, *plane = shape
    exposure = random_exposure(rng, (nints, ngroups, *plane))
    ramp = datamodels.RampModel(shape)
    ramp.data, ramp.groupdq = exposure["ramp"].copy(), exposure["groupdq"].copy()
    ramp.pixeldq = exposure["pixeldq"].copy()
    if zero:
        ramp.zeroframe = exposure["zero_frame"].copy()
    ramp.meta.exposure.zero_frame = zero
    ramp.meta.exposure.ngroups, ramp.meta.exposure.nframes = ngroups, 4
    ramp.meta.instrument.name, ramp.meta.instrument.detector = "NIRCAM", "NRCA1"
    full = random_exposure(rng, (1, 1, ny, nx))
    reference = datamodels.SaturationModel((ny, nx))
    reference.data, reference.dq = full["threshold"].copy(), full["threshold_dq"].copy()
    reference.meta.instrument.name = "NIRCAM"
    bias = None
    if biased:
        bias = datamodels.SuperBiasModel((plane[0], plane[1]))
        bias.data = exposure["bias"].copy()
    for model, place in ((ramp, (3, 2, *plane[::-1])), (reference, (1, 1, nx, ny))):
        area = model.meta.subarray
        area.xstart, area.ystart, area.xsize, area.ysize = place
    rows, columns = slice(1, 1 + plane[0]), slice(2, 2 + plane[1])
    exposure["threshold"] = full["threshold"][rows, columns]
    exposure["threshold_dq"] = full["threshold_dq"][rows, columns]
    if not zero:
        exposure["zero_frame"] = None
    if not biased:
        exposure["bias"] = None
    return ramp, reference, bias, exposure


@pytest.mark.parametrize(("zero", "biased"), [(True, True), (False, True), (True, False)])
@pytest.mark.parametrize("use_readpatt", [False, True])
def test_the_step_on_a_subarray_agrees(zero, biased, use_readpatt):
    from jwst.saturation.saturation import flag_saturation as official_step

    ramp, reference, bias, exposure = models((2, 4, 12, 30), 20, 40, zero=zero, biased=biased)
    result = official_step(ramp, reference, 1, use_readpatt, bias_model=bias)
    pattern = frames_of_groups(4, 4) if use_readpatt else None
    groupdq, pixeldq, blanked = ours(exposure, 1, pattern, 5)
    assert_same_bits(groupdq, result.groupdq, "groupdq")
    assert_same_bits(pixeldq, result.pixeldq, "pixeldq")
    if zero:
        assert_same_bits(blanked, result.zeroframe, "zero frame")

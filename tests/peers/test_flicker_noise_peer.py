"""Flicker noise against the official functions, bit for bit."""

from __future__ import annotations

import logging
import warnings
from dataclasses import asdict
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from same_bits import assert_same_bits
from upramp.detector1 import flicker_background
from upramp.detector1.flicker_background import clip, clip_exactly, fill_flat
from upramp.detector1.flicker_choice import choose_parameters
from upramp.detector1.flicker_mask import scene_mask
from upramp.detector1.flicker_noise import clean_by_model, measure, subtract
from upramp.detector1.flicker_parameters import plan

pytestmark = pytest.mark.peer

PARAMETERS = {
    "fit_by_channel": False,
    "background_method": "median",
    "background_box_size": None,
    "n_sigma": 2.0,
}


@pytest.fixture(autouse=True)
def _quiet():
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


def scene_of(rng, shape):
    ny, nx = shape
    rate = rng.normal(3, 1, shape)
    stars = rng.random(shape) < 0.05
    rate[stars] += rng.exponential(300, stars.sum())
    rate += rng.uniform(0, 3) * np.linspace(-1, 1, ny)[:, None] * np.linspace(0, 1, nx)
    rate = rate.astype(np.float32)
    rate[rng.random(shape) < 0.01] = np.nan
    rate[rng.random(shape) < 0.01] = 0
    return rate


def exposure_of(rng, shape, *, rounded=False):
    rate = scene_of(rng, shape[2:])
    noise = rng.normal(0, 8, shape) + rng.normal(0, 5, (*shape[:3], 1))
    data = np.nan_to_num(rate) * np.arange(shape[1])[:, None, None] * 10 + noise
    if rounded:
        data = np.round(data)
    data = data.astype(np.float32)
    data[rng.random(shape) < 0.001] = np.nan
    groupdq = np.where(rng.random(shape) < 0.05, rng.integers(0, 256, shape), 0).astype(np.uint8)
    if shape[1] > 2 and rng.random() < 0.3:
        groupdq[-1, 1] |= 1  # nothing is left of this group
    return rate, data, groupdq


def official(monkeypatch, exposure, parameters, readout, **more):
    """Run the official correction with this rate as its draft."""
    from jwst.clean_flicker_noise import clean_flicker_noise as package
    from stdatamodels.jwst import datamodels

    rate, data, groupdq = exposure
    drafts = []

    def draft(*_, return_cube=False, **__):
        image = datamodels.CubeModel() if return_cube else datamodels.ImageModel()
        image.data = np.array([rate] * len(data)) if return_cube else rate.copy()
        image.dq = np.zeros(image.data.shape, np.uint32)
        image.meta.exposure.type = readout.exp_type
        drafts.append(image)
        return image

    monkeypatch.setattr(package, "make_rate", draft)
    model = datamodels.RampModel()
    model.data, model.groupdq = data.copy(), groupdq.copy()
    meta = model.meta
    meta.instrument.detector, meta.exposure.type = readout.detector, readout.exp_type
    meta.subarray.name, meta.subarray.slowaxis = readout.subarray, readout.slowaxis
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        out, *_, status = package.do_correction(model, **parameters, **more)
    assert status == "COMPLETE"
    assert drafts
    return out.data


def ours(exposure, parameters, readout, *, flat=None, single_mask=True):
    rate, data, groupdq = exposure
    rate = rate if single_mask else np.array([rate] * len(data))
    scene = scene_mask(
        rate if flat is None else rate / flat,
        n_sigma=parameters["n_sigma"],
        fit_histogram=parameters.get("fit_histogram", False),
        single_mask=single_mask,
    )
    cleaning = plan(parameters, readout, data.shape[2:], flat)
    out = data.copy()
    if cleaning.model:
        clean_by_model(out, groupdq, scene, cleaning)
    else:
        subtract(out, measure(data, groupdq, scene, cleaning), cleaning, 0, 0, data.shape[2])
    return out


def readout(exp_type="NRC_IMAGE", subarray="SUB64", slowaxis=2):
    detector = {"NRC": "NRCA1", "NIS": "NIS", "MIR": "MIRIMAGE", "NRS": "NRS1"}[exp_type[:3]]
    return SimpleNamespace(
        exp_type=exp_type, subarray=subarray, slowaxis=slowaxis, detector=detector
    )


@settings(max_examples=35, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    shape=st.tuples(*(st.integers(1, n) for n in (2, 4, 70, 70))),
    method=st.sampled_from(["median", None]),
    n_sigma=st.sampled_from([2.0, 0.0, 0.3, 5.0]),
    slowaxis=st.sampled_from([1, -1, 2, -2]),
    exp_type=st.sampled_from(["NRC_IMAGE", "MIR_IMAGE", "NRS_BRIGHTOBJ"]),
    rounded=st.booleans(),
    single_mask=st.booleans(),
)
def test_ramps(seed, shape, method, n_sigma, slowaxis, exp_type, rounded, single_mask):
    rng = np.random.default_rng(seed)
    exposure = exposure_of(rng, shape, rounded=rounded)
    parameters = {**PARAMETERS, "background_method": method, "n_sigma": n_sigma}
    how = readout(exp_type, slowaxis=slowaxis)
    with pytest.MonkeyPatch.context() as patch:
        theirs = official(patch, exposure, parameters, how, single_mask=single_mask)
    assert_same_bits(ours(exposure, parameters, how, single_mask=single_mask), theirs)


@settings(max_examples=15, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    shape=st.tuples(*(st.integers(1, n) for n in (2, 3, 70, 70))),
    box=st.sampled_from([None, (8, 4)]),
    n_sigma=st.sampled_from([2.0, 0.0]),
)
def test_ramps_above_a_model(seed, shape, box, n_sigma):
    exposure = exposure_of(np.random.default_rng(seed), shape)
    parameters = {**PARAMETERS, "background_method": "model", "n_sigma": n_sigma}
    parameters["background_box_size"] = box
    with pytest.MonkeyPatch.context() as patch:
        theirs = official(patch, exposure, parameters, readout())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert_same_bits(ours(exposure, parameters, readout()), theirs)


@pytest.mark.parametrize("method", ["median", "model", None])
@pytest.mark.parametrize("axis", [0, 1])
def test_ramps_by_channel(axis, method, monkeypatch):
    shape = (1, 3, 2048, 32) if axis == 0 else (1, 3, 32, 2048)
    exposure = exposure_of(np.random.default_rng(axis), shape)
    parameters = {**PARAMETERS, "background_method": method, "fit_by_channel": True}
    how = readout("NIS_IMAGE", "FULL", -1 - axis)
    theirs = official(monkeypatch, exposure, parameters, how)
    assert_same_bits(ours(exposure, parameters, how), theirs)
    alone = official(monkeypatch, exposure, {**parameters, "fit_by_channel": False}, how)
    assert (alone != theirs).any()


@pytest.mark.parametrize("method", ["median", "model"])
def test_ramps_through_a_flat(method, monkeypatch):
    from jwst.clean_flicker_noise import clean_flicker_noise as package

    rng = np.random.default_rng(3)
    exposure = exposure_of(rng, (2, 3, 40, 48))
    flat = rng.normal(1, 0.2, (40, 48)).astype(np.float32)
    monkeypatch.setattr(package, "read_flat_file", lambda *_: flat.copy())
    parameters = {**PARAMETERS, "background_method": method}
    theirs = official(monkeypatch, exposure, parameters, readout(), flat_filename="flat.fits")
    assert_same_bits(ours(exposure, parameters, readout(), flat=flat), theirs)


def test_infinite_values(monkeypatch):
    rng = np.random.default_rng(3)
    exposure = exposure_of(rng, (1, 4, 30, 30))
    exposure[1][0, 1, 3:5, 4:8] = np.inf
    exposure[1][0, 2, 6, 4:8] = -np.inf
    for method in ("median", None):
        parameters = {**PARAMETERS, "background_method": method}
        with np.errstate(all="ignore"):
            theirs = official(monkeypatch, exposure, parameters, readout())
            assert_same_bits(ours(exposure, parameters, readout()), theirs)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    shape=st.tuples(st.integers(1, 60), st.integers(1, 60)),
    level=st.sampled_from([0.0, 1e4]),
    rounded=st.booleans(),
    lower_half=st.booleans(),
    upper=st.sampled_from([3.0, 2.0, 0.5]),
)
def test_clipping(seed, shape, level, rounded, lower_half, upper):
    from jwst.clean_flicker_noise.background_level import clip_to_background

    rng = np.random.default_rng(seed)
    image = scene_of(rng, shape) + np.float32(level)
    image = np.round(image) if rounded else image
    mask = rng.random(shape) < 0.9
    theirs, exact, fast = mask.copy(), mask.copy(), mask & ~np.isnan(image)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        clip_to_background(image, theirs, sigma_upper=upper, lower_half_only=lower_half)
    clip_exactly(image, exact, upper=upper, lower_half=lower_half)
    clip(image, fast, np.empty(image.size, np.float32), upper=upper, lower_half=lower_half)
    np.testing.assert_array_equal(exact, theirs)
    np.testing.assert_array_equal(fast, theirs & ~np.isnan(image))


@pytest.mark.parametrize("fit_histogram", [False, True])
@pytest.mark.parametrize("single_mask", [False, True])
@pytest.mark.parametrize("n_sigma", [2.0, 0.0])
@pytest.mark.parametrize("planes", [(), (3,)])
def test_masks_of_the_scene(planes, n_sigma, single_mask, fit_histogram):
    from jwst.clean_flicker_noise.clean_flicker_noise import create_mask
    from stdatamodels.jwst import datamodels

    rng = np.random.default_rng(11)
    rate = np.array([scene_of(rng, (50, 60)) for _ in range(3)])
    rate = rate if planes else rate[0]
    model = datamodels.CubeModel(data=rate) if planes else datamodels.ImageModel(data=rate)
    model.dq = np.zeros(rate.shape, np.uint32)
    model.meta.exposure.type = "NRC_IMAGE"
    how = {"n_sigma": n_sigma, "fit_histogram": fit_histogram, "single_mask": single_mask}
    theirs = create_mask(model, **how)
    assert_same_bits(scene_mask(rate, **how), theirs)
    assert 0.1 < theirs.mean() < 1


@pytest.mark.parametrize("kind", ["two values", "empty"])
def test_histograms_that_cannot_be_fitted(kind):
    from jwst.clean_flicker_noise.background_level import clip_to_background

    image = np.zeros((20, 20), np.float32)
    image[::2] = 1
    if kind == "empty":
        image[:] = np.inf
    theirs = np.ones(image.shape, np.bool_)
    own = theirs.copy()
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        clip_to_background(image, theirs, fit_histogram=True)
        clip_exactly(image, own, fit_histogram=True)
    np.testing.assert_array_equal(own, theirs)


@pytest.mark.parametrize("holes", ["none", "some", "all"])
def test_flats(holes, monkeypatch, tmp_path):
    from jwst.clean_flicker_noise import clean_flicker_noise as package
    from stdatamodels.jwst import datamodels

    rng = np.random.default_rng(4)
    flat = (rng.normal(1, 0.01, (64, 96)) + np.linspace(0, 0.2, 96)).astype(np.float32)
    if holes == "some":
        flat[rng.random(flat.shape) < 0.05] = 0
        flat[rng.random(flat.shape) < 0.05] = np.nan
    elif holes == "all":
        flat[:] = 0
        flat[0, 0] = 2
    file = tmp_path / "flat.fits"
    datamodels.FlatModel(data=flat).save(file)
    monkeypatch.setattr(package, "ref_matches_sci", lambda *_: True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = package.read_flat_file(None, str(file))
        assert_same_bits(fill_flat(flat), theirs)


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    kind=st.sampled_from(["NIS_IMAGE", "NRC_IMAGE"]),
    full=st.booleans(),
    flattened=st.booleans(),
)
def test_choices(seed, kind, full, flattened):
    from jwst.clean_flicker_noise import autoparam

    # As wide (or, for NIRISS, high) as a detector with channels, or less.
    rng = np.random.default_rng(seed)
    shape = (60, 2048) if full else (60, 70)
    if kind == "NIS_IMAGE":
        shape = shape[::-1]
    rate = scene_of(rng, shape)
    rate *= np.float32(10 ** rng.uniform(-3, 1))
    signs = rng.normal(0, 1, 4) * 10 ** rng.uniform(-3, 0)
    across = 0 if kind == "NIS_IMAGE" else 1
    offsets = np.repeat(signs, shape[across] // 4 + 1)[: shape[across]].astype(np.float32)
    rate += offsets[:, None] if across == 0 else offsets
    flat = rng.normal(1, 0.05, shape).astype(np.float32) if flattened else None
    theirs = _official_choice(rate, flat, kind, autoparam)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        own = choose_parameters(rate, flat, kind, 1)
    assert own == theirs


def _official_choice(rate, flat, kind, autoparam):
    from stdatamodels.jwst import datamodels

    model = datamodels.ImageModel(data=rate.copy())
    model.meta.subarray.slowaxis = 2
    choose = {
        "NIS_IMAGE": autoparam.niriss_image_parameters,
        "NRC_IMAGE": autoparam.nircam_image_parameters,
    }[kind]
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        patch.setattr(autoparam.cfn, "read_flat_file", lambda *_: flat)
        return choose(model, None if flat is None else "flat.fits")


def test_all_ways_to_choose_are_met(monkeypatch):
    from jwst.clean_flicker_noise import autoparam

    from upramp.detector1.flicker_choice import _NIRCAM, _NIRISS, _decide

    asked = []
    decide = autoparam._image_decision_tree
    monkeypatch.setattr(
        autoparam, "_image_decision_tree", lambda *a: (asked.append(a[1]), decide(*a))
    )
    rate = scene_of(np.random.default_rng(1), (40, 40))
    for kind in ("NRC_IMAGE", "NIS_IMAGE"):
        _official_choice(rate, None, kind, autoparam)
    found = set()
    names = {
        "mask_frac": "masked",
        "max_offset_high_mask": "offset",
        "max_slope_low_offset": "slope",
        "max_slope_high_offset": "slope_above_offset",
        "slope_ratio": "slope_ratio",
        "channel_sigma": "scatter",
    }
    for own, theirs in zip((_NIRCAM, _NIRISS), asked, strict=True):
        assert {names[key]: value for key, value in theirs.items() if key in names} == asdict(own)
        values = [sorted({0.0, own.masked, 1.0}), [0.0, 0.01, own.offset]]
        values += [[0.0, own.slope, own.slope_above_offset, 1.0], [1.0, own.slope_ratio, np.nan]]
        values += [[0.0, own.scatter]]
        for masked, offset, slope, ratio, scatter in np.array(np.meshgrid(*values)).T.reshape(
            -1, 5
        ):
            chosen = {}
            decide(chosen, theirs, masked, offset, slope, ratio, scatter)
            model, by_channel = _decide(own, masked, offset, slope, ratio, scatter)
            expected = chosen["background_method"] == "model", chosen["fit_by_channel"]
            assert (model, by_channel) == expected
            found.add(expected)
    assert len(found) == 4


def test_bins_decide_most_of_it(monkeypatch):
    asked = []
    exactly = flicker_background.clip_exactly
    monkeypatch.setattr(
        flicker_background, "clip_exactly", lambda *a, **k: (asked.append(1), exactly(*a, **k))
    )
    rng = np.random.default_rng(1)
    for _ in range(10):
        scene_mask(scene_of(rng, (60, 60)))
    assert len(asked) < 2

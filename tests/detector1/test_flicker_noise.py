"""Stripes are measured line by line, and taken out whatever the tiles."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from upramp.detector1 import flicker_background, flicker_noise
from upramp.detector1.flicker_background import clip, clip_exactly, fill_flat
from upramp.detector1.flicker_mask import scene_mask
from upramp.detector1.flicker_noise import clean_by_model, line_medians, measure, subtract
from upramp.detector1.flicker_parameters import Cleaning, chooses, plan, refused, supported

DEFAULT = {
    "autoparam": False,
    "fit_method": "median",
    "fit_by_channel": False,
    "background_method": "median",
    "background_box_size": None,
    "mask_science_regions": False,
    "apply_flat_field": False,
    "n_sigma": 2.0,
    "fit_histogram": False,
    "single_mask": True,
    "user_mask": None,
    "save_mask": False,
    "save_background": False,
    "save_noise": False,
}


def readout(exp_type="NRC_IMAGE", subarray="FULL", slowaxis=2):
    return SimpleNamespace(exp_type=exp_type, subarray=subarray, slowaxis=slowaxis)


def striped(shape, axis, seed=3):
    """Ramps with stars, and stripes that differ from group to group; the stripes of each group."""
    rng = np.random.default_rng(seed)
    nints, ngroups, ny, nx = shape
    rate = rng.normal(20, 0.5, (ny, nx))
    stars = rng.random((ny, nx)) < 0.05
    rate[stars] += rng.exponential(300, stars.sum())
    stripes = rng.normal(0, 1, (nints, ngroups, 1, nx) if axis == 0 else (nints, ngroups, ny, 1))
    data = rate * np.arange(1, ngroups + 1)[:, None, None] + rng.normal(0, 2, shape) + stripes
    groupdq = np.zeros(shape, np.uint8)
    groupdq[rng.random(shape) < 0.03] |= 4
    groupdq[rng.random(shape) < 0.01] |= 1
    data = data.astype(np.float32)
    data[..., ny // 2, nx // 3] = np.nan
    return data, groupdq, scene_mask(rate.astype(np.float32)), stripes


def cleaned(data, groupdq, scene, cleaning, *, rows=None, threads=1):
    noise = measure(data, groupdq, scene, cleaning, threads)
    out, ny = data.copy(), data.shape[2]
    for start in range(0, ny, rows or ny):
        stop = min(start + (rows or ny), ny)
        tile = np.ascontiguousarray(out[:, :, max(start - 1, 0) : stop])
        first = min(start, 1)
        subtract(tile, noise, cleaning, start - first, first, first + stop - start)
        out[:, :, start:stop] = tile[:, :, first:]
    return out


@pytest.mark.parametrize("axis", [0, 1])
def test_stripes_go_and_stars_stay(axis):
    data, groupdq, scene, stripes = striped((2, 4, 90, 70), axis)
    out = cleaned(data, groupdq, scene, Cleaning(axis))
    np.testing.assert_array_equal(out[:, 0], data[:, 0])
    # What stays of stripes are those of the first group.
    rest = (data - out)[:, 1:] - (stripes[:, 1:] - stripes[:, :1])
    rest -= np.nanmedian(rest, axis=(2, 3), keepdims=True)
    assert np.nanstd((data - out)[:, 1:]) > 1
    assert np.nanstd(rest) < 0.6
    lost = np.isnan(data)
    np.testing.assert_array_equal(np.isnan(out), lost)


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("level", [True, False])
def test_tiles_and_threads_make_no_difference(axis, level):
    data, groupdq, scene, _ = striped((2, 3, 41, 37), axis)
    flat = np.random.default_rng(1).normal(1, 0.1, data.shape[2:]).astype(np.float32)
    cleaning = Cleaning(axis, level=level, flat=flat)
    whole = cleaned(data, groupdq, scene, cleaning)
    for rows, threads in ((1, 1), (7, 2), (40, 3)):
        parts = cleaned(data, groupdq, scene, cleaning, rows=rows, threads=threads)
        np.testing.assert_array_equal(parts.view(np.uint32), whole.view(np.uint32))
    assert (whole != data).any()


def test_groups_without_sky_stay_as_they_are():
    data, groupdq, scene, _ = striped((1, 5, 20, 20), 1)
    groupdq[0, 2] |= 4
    out = cleaned(data, groupdq, scene, Cleaning(1))
    np.testing.assert_array_equal(out[0, 2], data[0, 2])
    # The next group goes on from it.
    same = cleaned(data[:, 2:], groupdq[:, 2:], scene, Cleaning(1))
    np.testing.assert_array_equal(out[:, 2:], same)
    assert (out[0, 1] != data[0, 1]).any()


def test_lines_without_sky_get_no_stripe():
    data, groupdq, scene, _ = striped((1, 2, 30, 30), 1)
    scene[7] = False
    noise = measure(data, groupdq, scene, Cleaning(1))
    assert noise.stripes[0, 0, 7, 0] == 0
    assert (noise.stripes[0, 0, 8:, 0] != 0).all()


def test_a_mask_for_each_integration():
    data, groupdq, scene, _ = striped((2, 3, 20, 20), 1)
    other = scene.copy()
    other[:, :10] = False
    both = cleaned(data, groupdq, np.array([scene, other]), Cleaning(1))
    for i, one in enumerate((scene, other)):
        np.testing.assert_array_equal(both[i], cleaned(data, groupdq, one, Cleaning(1))[i])
    assert (both[1] != cleaned(data, groupdq, scene, Cleaning(1))[1]).any()


@pytest.mark.parametrize("axis", [0, 1])
def test_channels_are_lines_of_their_own(axis):
    shape = (1, 2, 2048, 6) if axis == 0 else (1, 2, 6, 2048)
    data, groupdq, scene, _ = striped(shape, axis)
    channel = (slice(512, 1024), slice(None)) if axis == 0 else (slice(None), slice(512, 1024))
    data[0, 1][channel] += np.float32(3)
    parameters = {**DEFAULT, "fit_by_channel": True}
    cleaning = plan(parameters, readout(slowaxis=axis + 1), shape[2:])
    assert cleaning.channels == 4
    stripes = measure(data, groupdq, scene, cleaning).stripes[0, 0]
    others = np.delete(stripes, 1, axis=1)
    np.testing.assert_allclose(np.median(stripes[:, 1] - others.mean(1)), 3, atol=1)
    out = cleaned(data, groupdq, scene, cleaning, rows=5)
    np.testing.assert_array_equal(out, cleaned(data, groupdq, scene, cleaning))


@pytest.mark.parametrize("n", [1, 2, 3, 32, 33, 34, 500, 501])
@pytest.mark.parametrize("kind", ["plain", "steps", "two values", "wide"])
def test_medians_of_lines(n, kind):
    rng = np.random.default_rng(n)
    image = rng.normal(0, 1, (40, n))
    if kind == "steps":
        image = np.round(image)
    elif kind == "two values":
        image = np.where(image < 0.1, np.float32(1), np.nextafter(np.float32(1), np.float32(2)))
    elif kind == "wide":
        image = image * 10 ** rng.uniform(-30, 30, image.shape)
    image = image.astype(np.float32)
    mask = rng.random(image.shape) < 0.8
    expected = np.ma.filled(np.ma.median(np.ma.array(image, mask=~mask), axis=1), 0)
    np.testing.assert_array_equal(line_medians(image, mask, 1), expected)
    transposed = np.ascontiguousarray(image.T), np.ascontiguousarray(mask.T)
    np.testing.assert_array_equal(line_medians(*transposed, 0), expected)


@pytest.mark.parametrize("lower_half", [True, False])
@pytest.mark.parametrize("scale", [1e-3, 1, 1e6])
def test_clipping_in_bins_is_clipping(lower_half, scale, monkeypatch):
    rng = np.random.default_rng(6)
    asked = []
    exactly = flicker_background.clip_exactly
    monkeypatch.setattr(
        flicker_background, "clip_exactly", lambda *a, **k: (asked.append(1), exactly(*a, **k))
    )
    for _ in range(20):
        image = rng.normal(1e4, scale, (60, 70)).astype(np.float32)
        stars = rng.random(image.shape) < 0.1
        image[stars] += rng.exponential(1e3 * scale, stars.sum()).astype(np.float32)
        mask = rng.random(image.shape) < 0.9
        fast, exact = mask.copy(), mask.copy()
        room = np.empty(image.size, np.float32)
        clip(image, fast, room, upper=1.5, lower_half=lower_half)
        clip_exactly(image, exact, upper=1.5, lower_half=lower_half)
        np.testing.assert_array_equal(fast, exact)
        assert 0 < exact.sum() < mask.sum()
    # Doubt is the exception.
    assert len(asked) < 3


@pytest.mark.parametrize("kind", ["constant", "infinite", "on the bound", "single"])
def test_where_bins_say_nothing_all_is_done_exactly(kind):
    rng = np.random.default_rng(6)
    image = rng.normal(0, 1, (30, 30)).astype(np.float32)
    mask = np.ones(image.shape, np.bool_)
    if kind == "constant":
        image[:] = 3
    elif kind == "infinite":
        image[3, 3:9] = np.inf, -np.inf, np.nan, 1, np.inf, np.inf
    elif kind == "on the bound":
        # The median is 0, the deviation 1: the last two lie just on the bounds.
        image = np.array([[-1.0] * 9 + [1.0] * 9 + [0.0] * 20], np.float32)
        mask = mask[:1, :1].repeat(38, 1)
    else:
        mask[:] = False
        mask[4, 5] = True
    fast, exact = mask.copy(), mask.copy()
    clip(image, fast, np.empty(image.size, np.float32), upper=np.sqrt(38 / 18), lower_half=True)
    clip_exactly(image, exact, upper=np.sqrt(38 / 18), lower_half=True)
    np.testing.assert_array_equal(fast, exact)


@pytest.mark.parametrize("axis", [0, 1])
def test_doubtful_groups_get_the_same_stripes(axis, monkeypatch):
    data, groupdq, scene, _ = striped((1, 3, 60, 50), axis)
    expected = measure(data, groupdq, scene, Cleaning(axis))
    monkeypatch.setattr(flicker_noise, "kept_ranks", lambda *_, **__: None)
    doubtful = measure(data, groupdq, scene, Cleaning(axis))
    np.testing.assert_array_equal(doubtful.background, expected.background)
    np.testing.assert_array_equal(doubtful.stripes, expected.stripes)


def test_a_sloping_sky_is_modelled():
    data, groupdq, scene, stripes = striped((1, 3, 96, 64), 1)
    # Along lines' order, so that medians of lines would take it for noise.
    sky = np.linspace(0, 12, 96, dtype=np.float32)[:, None] * np.arange(3)[:, None, None]
    data += sky

    def lost(out):
        taken = (data - out)[:, 1:] - (stripes[:, 1:] - stripes[:, :1])
        return np.nanstd(taken - np.nanmedian(taken, axis=(2, 3), keepdims=True))

    out = data.copy()
    clean_by_model(out, groupdq, np.ones_like(scene), Cleaning(1, model=True, box=(8, 8)))
    assert lost(out) < 1.2
    assert lost(cleaned(data, groupdq, np.ones_like(scene), Cleaning(1))) > 3
    np.testing.assert_array_equal(out[:, 0], data[:, 0])


def test_holes_of_a_flat_are_filled():
    flat = np.random.default_rng(1).normal(1, 0.01, (64, 64)).astype(np.float32)
    assert fill_flat(flat) is flat
    holed = flat.copy()
    holed[3, 4], holed[5, 6], holed[7, 8] = 0, np.nan, np.inf
    filled = fill_flat(holed)
    hole = holed != flat
    assert hole.sum() == 3
    np.testing.assert_array_equal(filled[~hole], flat[~hole])
    np.testing.assert_allclose(filled[hole], 1, atol=0.02)


def test_flats_shape_the_sky():
    data, groupdq, scene, _ = striped((1, 2, 40, 40), 1)
    flat = np.ones(data.shape[2:], np.float32)
    flat[:, :20] = 0.5
    data[:, 1] = data[:, 0] + 30 * flat  # a sky without noise, seen through the flat
    out = cleaned(data, groupdq, scene, Cleaning(1, flat=flat))
    np.testing.assert_allclose(out[:, 1], data[:, 1], rtol=1e-5)
    assert np.nanmax(np.abs(cleaned(data, groupdq, scene, Cleaning(1)) - data)) > 5


@pytest.mark.parametrize(
    ("exp_type", "subarray", "slowaxis", "axis", "channels"),
    [
        ("NRC_IMAGE", "FULL", 2, 1, 4),
        ("NRC_IMAGE", "SUB640", -2, 1, 1),
        ("NRS_IFU", "FULL", 1, 0, 4),
        ("NIS_IMAGE", "FULL", -1, 0, 4),
        ("MIR_IMAGE", "FULL", 2, 0, 1),
    ],
)
def test_lines_run_along_the_slow_axis(exp_type, subarray, slowaxis, axis, channels):
    parameters = {**DEFAULT, "fit_by_channel": True}
    cleaning = plan(parameters, readout(exp_type, subarray, slowaxis), (2048, 2048))
    assert (cleaning.axis, cleaning.channels) == (axis, channels)


@pytest.mark.parametrize(
    ("exp_type", "changed", "reason"),
    [
        ("NRC_IMAGE", {}, None),
        ("NRC_IMAGE", {"mask_science_regions": True}, None),
        ("NRC_IMAGE", {"background_method": "model", "autoparam": True}, None),
        ("NRC_IMAGE", {"save_noise": True}, "save_noise"),
        ("NRC_IMAGE", {"background_method": "median_image"}, "median_image"),
        ("NRC_IMAGE", {"background_method": "median_image", "autoparam": True}, None),
        ("NIS_SOSS", {"background_method": "median_image", "fit_method": "fft"}, "SOSS"),
        ("NIS_SOSS", {"mask_science_regions": True}, "SOSS"),
        ("MIR_IMAGE", {"mask_science_regions": True}, "flat"),
        ("NRS_IFU", {"mask_science_regions": True}, "slits"),
        ("NRS_IFU", {"mask_science_regions": True, "user_mask": "mask.fits"}, None),
        ("NRS_IFU", {"mask_science_regions": True, "user_mask": "None"}, "slits"),
        ("NRS_IFU", {"fit_method": "fft"}, "fft"),
        ("NRC_IMAGE", {"fit_method": "fft", "save_mask": True}, None),
    ],
)
def test_what_is_left_to_the_official_step(exp_type, changed, reason):
    told = supported({**DEFAULT, **changed}, exp_type)
    assert (told is None) if reason is None else reason in told


def test_what_fails_whoever_does_it():
    assert refused(DEFAULT, "MIR_MRS")
    assert not refused(DEFAULT, "MIR_IMAGE")
    assert refused({**DEFAULT, "fit_method": "fft"}, "NRC_IMAGE")
    assert not refused({**DEFAULT, "fit_method": "fft"}, "NRS_BRIGHTOBJ")


def test_parameters_are_chosen_for_two_kinds_only():
    wish = {**DEFAULT, "autoparam": True}
    assert chooses(wish, "NIS_IMAGE")
    assert not chooses(wish, "NRC_TSIMAGE")
    assert not chooses(DEFAULT, "NRC_IMAGE")

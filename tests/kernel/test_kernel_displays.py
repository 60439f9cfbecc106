"""What cells show: whole for what is sound, harmless for what is hostile."""

from __future__ import annotations

import base64
import importlib
import io
from types import SimpleNamespace

import numpy as np
import pytest

import upramp
from upramp.errors import UsageError
from upramp.kernel import displays, pictures
from upramp.kernel.flags import count_flags, is_flags
from upramp.kernel.markup import Card
from upramp.kernel.pictures import detector
from upramp.kernel.provenance import of_object, provenance_card
from upramp.kernel.thumbnails import thumbnail

HOSTILE = "<script>alert(1)</script>\x1b[2J\n\"'"


def decoded(text):
    from PIL import Image

    return np.asarray(Image.open(io.BytesIO(base64.b64decode(text))))


def test_a_card_means_nothing_to_html_or_a_terminal():
    card = Card(HOSTILE, [(HOSTILE, HOSTILE)], [HOSTILE], [HOSTILE, HOSTILE], picture_text=HOSTILE)
    assert "<script" not in card.to_html()
    assert "\x1b" not in card.to_html() + card.to_text()
    assert "'" not in card.to_html().replace("&#x27;", "")


def test_a_card_of_anything_is_finite():
    card = Card("x" * 10**6, [("y" * 10**6, "z" * 10**6)] * 10**4, ["n" * 10**6])
    assert len(card.to_html()) < 2 * 10**6
    assert "more" in card.to_text()


def test_a_thumbnail_shows_the_image_upright():
    image = np.zeros((600, 300), np.float32)
    image[:300] = 1  # the lower half
    image[5, 5] = np.nan
    seen = decoded(thumbnail(image))
    assert seen.shape == (200, 100)
    assert seen[-10, 50] > 200 > seen[10, 50]


@pytest.mark.parametrize(
    "image", [np.zeros(3), np.zeros((0, 3)), np.full((3, 3), np.nan), np.array([["a"]])]
)
def test_nothing_to_see_is_no_thumbnail(image):
    assert thumbnail(image) == ""


def test_an_exposure(shell, exposure):
    shell.ipython.user_ns["shown"] = upramp.open(exposure)
    data = shell.ipython.display_formatter.format(shell.ipython.user_ns["shown"])[0]
    assert "NRCALONG" in data["text/plain"]
    assert "640 x 640" in data["text/html"]
    assert "data:image/png;base64," in data["text/html"]


def test_an_exposure_of_hostile_keywords(shell, tmp_path):
    from astropy.io import fits

    primary = fits.PrimaryHDU()
    primary.header["TELESCOP"] = "JWST"
    primary.header["INSTRUME"] = "<script>"
    primary.header["TARGPROP"] = "<img src=x onerror=alert(1)>"
    image = fits.ImageHDU(np.full((4, 4), np.inf, np.float32), name="SCI")
    image.header["BUNIT"] = "<b>DN"
    path = tmp_path / "<x>.fits"
    fits.HDUList([primary, image]).writeto(path)
    data = shell.ipython.display_formatter.format(upramp.open(path))[0]
    assert "<script" not in data["text/html"]
    assert "<img src=x" not in data["text/html"]


def test_a_closed_or_broken_exposure_still_shows_something(shell, exposure):
    opened = upramp.open(exposure)
    opened.hdus = None
    data = shell.ipython.display_formatter.format(opened)[0]
    assert data["text/plain"]
    assert "text/html" not in data


def test_data_models_and_results(shell):
    from stdatamodels.jwst import datamodels

    from upramp.stages import Result

    model = datamodels.ImageModel(np.ones((8, 8), np.float32))
    model.dq = np.zeros((8, 8), np.uint32)
    model.dq[0, 0] = 1
    model.meta.filename = "<b>x_rate.fits"
    model.meta.instrument.name = "NIRCAM"
    data = shell.ipython.display_formatter.format(model)[0]
    assert "DO_NOT_USE 1.56 %" in data["text/plain"]
    assert "<b>x" not in data["text/html"]
    provenance = {"engine": "upramp", "input": {"file": "<i>"}, "versions": {}}
    result = Result({"rate": model}, provenance, (), None)
    data = shell.ipython.display_formatter.format(result)[0]
    assert "float32 8 x 8" in data["text/plain"]
    assert "<i>" not in data["text/html"]
    assert not hasattr(type(model), "_repr_html_")


@pytest.mark.parametrize(
    ("suffixes", "told"),
    [
        (("cal", "i2d"), "the resampled image"),
        (("cal",), "the calibrated image"),
        (("x1d",), None),
        ((), None),
    ],
)
def test_a_result_of_any_stage_shows_its_picture(shell, suffixes, told):
    from stdatamodels.jwst import datamodels

    from upramp.stages import Result

    image = datamodels.ImageModel(np.eye(8, dtype=np.float32))
    other = datamodels.MultiSpecModel()
    models = {suffix: other if suffix == "x1d" else image for suffix in suffixes}
    card = displays.result_card(Result(models, {"input": {"file": "x_rate.fits"}}, (), None))
    assert bool(card.picture) == bool(told)
    if told:
        assert told in card.picture_text
    assert shell.ipython.display_formatter.format(Result(models, {}, (), None))[0]["text/plain"]


def test_what_is_looked_up_by_name_is_there():
    for module, name in displays._CARDS:
        if module.startswith("upramp."):
            assert getattr(importlib.import_module(module), name).__module__ == module


def test_no_array_is_made_by_showing_a_model():
    from stdatamodels.jwst import datamodels

    model = datamodels.RampModel((1, 2, 4, 4))
    before = set(model.instance)
    displays.model_card(model)
    assert set(model.instance) == before


def test_only_flags_are_shown_as_flags(shell):
    form = shell.ipython.display_formatter.format
    assert "JUMP_DET" in form(np.full((2, 2), 4, np.uint32))[0]["text/html"]
    assert "JUMP_DET" in form(np.full((1, 1, 2, 2), 4, np.uint8))[0]["text/html"]
    for other in (np.zeros((2, 2)), np.zeros((2, 2), np.uint8), np.arange(3, dtype=np.uint32)):
        assert "text/html" not in form(other)[0]


def test_flags_are_counted_as_numpy_counts_them():
    values = np.random.default_rng(1).integers(0, 2**32, (3, 1 << 20), np.uint32)
    counts = count_flags(values)
    assert counts["JUMP_DET"] == np.count_nonzero(values & 4)
    assert counts["REFERENCE_PIXEL"] == np.count_nonzero(values & (1 << 31))
    assert not is_flags(np.zeros((2, 2), np.int32))


@pytest.mark.parametrize(
    "provenance",
    [
        {"engine": 3, "versions": "x", "references": [1], "parameters": 7, "steps": None},
        {"engine": None, "delegated": 3, "fused": 3, "input": [], "mask": 1, "overrides": 2},
        {"engine": HOSTILE, "references": {HOSTILE: {"file": HOSTILE, "sha256": HOSTILE}}},
    ],
)
def test_a_provenance_of_anything_is_shown(provenance):
    card = provenance_card(provenance)
    assert "<script" not in card.to_html()


def test_what_carries_no_provenance_is_refused(exposure):
    for thing in (3, SimpleNamespace(meta=None), exposure, upramp.open(exposure)):
        with pytest.raises(UsageError):
            of_object(thing)


def ramp_result():
    seconds = 10.0 * np.arange(1, 9)
    data = np.zeros((1, 8, 4, 5), np.float32)
    data[0] = (2.0 * seconds)[:, None, None]
    data[0, 5:, 2, 3] += 300
    flags = np.zeros(data.shape, np.uint8)
    flags[0, 5, 2, 3] = 4
    flags[0, :, 0, 0] = 1
    data[0, :, 0, 0] = 9e5
    meta = SimpleNamespace(exposure=SimpleNamespace(group_time=10.0))
    rates = np.full((1, 4, 5), 2.0, np.float32)
    return SimpleNamespace(
        ramp=SimpleNamespace(data=data, groupdq=flags, meta=meta),
        rateints=SimpleNamespace(data=rates, err=rates / 10),
    )


def test_the_telling_pixel_jumps_and_its_picture_says_where():
    result = ramp_result()
    assert pictures.telling_pixel(result.ramp) == (2, 3)
    picture = pictures.ramp(result)
    assert picture.data == {
        "row": 2,
        "column": 3,
        "slope": 2.0,
        "error": pytest.approx(0.2),
        "jumps": [6],
    }
    assert picture.png.startswith(b"\x89PNG")
    assert "jumps in groups 6" in repr(picture)


def test_without_a_jump_a_bright_good_pixel_tells():
    result = ramp_result()
    result.ramp.groupdq[:] &= 1
    result.ramp.data[0, -1, 3, 1] = 500
    assert pictures.telling_pixel(result.ramp) in {(3, 1), (2, 3)}


def test_segments_end_at_jumps_and_bad_groups():
    jumps = np.array([0, 0, 1, 0, 0, 1, 0], bool)
    bad = np.array([0, 0, 0, 0, 1, 0, 0], bool)
    assert list(detector._segments(jumps, bad)) == [(0, 2), (2, 4), (5, 7)]


@pytest.mark.parametrize(("pixel", "integration"), [((9, 0), 0), ((0, -1), 0), ((0, 0), 1)])
def test_a_ramp_that_is_not_there(pixel, integration):
    with pytest.raises(UsageError):
        pictures.ramp(ramp_result(), pixel, integration)


def test_pictures_of_images_and_flags():
    image = np.random.default_rng(2).normal(size=(50, 60)).astype(np.float32)
    assert "60 x 50" in repr(pictures.image(image))
    assert pictures.image(np.full((3, 3), np.nan, np.float32)).png
    assert pictures.flag_counts(np.array([[0, 4]], "u4")).data == {"GOOD": 1, "JUMP_DET": 1}
    with pytest.raises(UsageError):
        pictures.image(np.zeros(3))


def test_provenance_of_loose_exposures_names_them_and_not_their_association():
    members = [
        {"file": f"jw{n}_cal.fits", "exptype": "science", "sha256": str(n) * 64} for n in (1, 2)
    ]
    made = {"file": "jw_asn.json", "sha256": None, "made_of": "loose exposures"}
    text = provenance_card({"engine": "stsci", "input": made | {"members": members}}).to_text()
    assert "science jw1_cal.fits, sha256 111111111111" in text
    assert "science jw2_cal.fits" in text
    assert "jw_asn.json" not in text.partition("\n")[2]

"""Engines agree on the steps between jump and fit, to the last bit."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.io import fits

from upramp.exposure import open_exposure
from upramp.stages import calibrate, compare

pytestmark = [pytest.mark.peer, pytest.mark.slow]

NIRCAM = "jw99003001001_02101_00001_nrcalong"
NIRISS = "jw99008001001_02101_00001_nis"
MIRI = "jw99007001001_02101_00001_mirimage"
NIRSPEC = "jw99009001001_02101_00001_nrs1"
EXPECTED = ("provenance", "HISTORY", "history")
"""Parts of the names of metadata that tell the engine, or are no business of these steps."""


def by_both(archive, tmp_path, name, overrides):
    """Calibrate with both engines; ours, and the names of products."""
    results = {}
    for engine in ("stsci", "upramp"):
        results[engine] = calibrate(
            archive / "uncal" / f"{name}_uncal.fits",
            engine=engine,
            overrides=overrides,
            output_dir=tmp_path / engine,
            save_ramp=True,
        )
    official, ours = (
        {product.name: product for product in result.products} for result in results.values()
    )
    assert set(official) == set(ours)
    for product in official:
        found = compare(official[product], ours[product])
        assert found.identical, found.to_text()
        odd = [one.key for one in found.metadata if not any(key in one.key for key in EXPECTED)]
        assert not odd, product
    return results["upramp"], set(official)


def flicker(**parameters):
    return {f"clean_flicker_noise.{name}": value for name, value in parameters.items()} | {
        "clean_flicker_noise.skip": False
    }


@pytest.mark.parametrize(
    ("name", "overrides", "status"),
    [
        (NIRCAM, flicker(), "COMPLETE"),
        (
            NIRCAM,
            flicker(apply_flat_field=True, single_mask=False, fit_by_channel=True),
            "COMPLETE",
        ),
        (NIRCAM, flicker(background_method="model", fit_histogram=True), "COMPLETE"),
        (NIRISS, flicker(autoparam=True), "COMPLETE"),
        (NIRISS, {**flicker(n_sigma=0.0), "jump.skip": True}, "COMPLETE"),
        (
            NIRISS,
            {**flicker(), "ramp_fit.algorithm": "LIKELY", "ramp_fit.firstgroup": 1},
            "COMPLETE",
        ),
        (MIRI, flicker(), "COMPLETE"),
        (MIRI, flicker(background_method="None", apply_flat_field=True), "COMPLETE"),
        (MIRI, flicker(fit_method="fft"), "FAILED"),
    ],
    ids=["plain", "flat", "model", "auto", "no jumps", "other fit", "miri", "no level", "refused"],
)
def test_flicker_noise(archive, tmp_path, name, overrides, status):
    result, _ = by_both(archive, tmp_path, name, overrides)
    assert not result.provenance["delegated"]
    assert result.rate.meta.cal_step.clean_flicker_noise == status


@pytest.mark.parametrize("planes", ["one", "each", "others"])
def test_a_mask_of_the_user(archive, tmp_path, planes):
    with open_exposure(archive / "uncal" / f"{NIRISS}_uncal.fits") as raw:
        nints, _, ny, nx = raw.shape
    shape = {"one": (ny, nx), "each": (nints, ny, nx), "others": (ny, nx - 1)}[planes]
    mask = (np.random.default_rng(1).random(shape) < 0.6).astype(np.float32)
    file = tmp_path / "sky.fits"
    fits.HDUList([fits.PrimaryHDU(), fits.ImageHDU(mask, name="SCI")]).writeto(file)
    result, _ = by_both(archive, tmp_path, NIRISS, flicker(user_mask=str(file)))
    assert not result.provenance["delegated"]
    status = "FAILED" if planes == "others" else "COMPLETE"
    assert result.rate.meta.cal_step.clean_flicker_noise == status


def test_products_of_the_official_step(archive, tmp_path):
    wanted = flicker(save_mask=True, save_background=True, save_noise=True)
    result, names = by_both(archive, tmp_path, NIRISS, wanted)
    assert set(result.provenance["delegated"]) == {"clean_flicker_noise"}
    assert {f"{NIRISS}_{kind}.fits" for kind in ("mask", "flicker_bkg", "flicker_noise")} <= names


def test_the_draft_of_the_rates_takes_no_override(archive, tmp_path):
    gain = archive / "crds" / "references" / "jwst" / "niriss" / "jwst_niriss_gain_0001.fits"
    other = tmp_path / "gain.fits"
    with fits.open(gain) as hdus:
        hdus["SCI"].data[::2] *= 3
        hdus.writeto(other)
    overrides = {"jump.override_gain": str(other), "ramp_fit.override_gain": str(other)}
    # What R_GAIN says after gain_scale is no business of these steps.
    overrides["gain_scale.skip"] = True
    result, _ = by_both(archive, tmp_path, NIRISS, {**flicker(), **overrides})
    assert "gain" in result.provenance["delegated"]["clean_flicker_noise"]


def test_flags_of_the_flat_are_left_to_the_official_step(archive, tmp_path):
    result, _ = by_both(archive, tmp_path, MIRI, flicker(mask_science_regions=True))
    assert "flat" in result.provenance["delegated"]["clean_flicker_noise"]


def frame_reference(path):
    from stdatamodels.jwst import datamodels

    y, x = np.mgrid[:2048, :2048] / 1024 - 1
    pattern = (0.02 * np.clip(np.hypot(x, y) - 0.8, 0, 1) ** 2 + 0.001 * x).astype(np.float32)
    pattern[::97, ::89] = np.nan
    model = datamodels.PictureFrameModel(data=pattern)
    model.meta.instrument.name, model.meta.reftype = "NIRSPEC", "PICTUREFRAME"
    model.meta.author = model.meta.description = "a test"
    model.meta.pedigree, model.meta.useafter = "DUMMY", "2015-01-01T00:00:00"
    model.save(path)


def test_the_picture_frame(archive, tmp_path):
    file = tmp_path / "pictureframe.fits"
    frame_reference(file)
    overrides = {
        "picture_frame.skip": False,
        "picture_frame.override_pictureframe": str(file),
        "picture_frame.mask_science_regions": False,
        **flicker(fit_by_channel=True),
    }
    result, _ = by_both(archive, tmp_path, NIRSPEC, overrides)
    assert not result.provenance["delegated"]
    assert result.rate.meta.cal_step.picture_frame == "COMPLETE"


@pytest.mark.parametrize("name", [NIRCAM, MIRI])
def test_elsewhere_there_is_no_picture_frame(archive, tmp_path, name):
    result, _ = by_both(archive, tmp_path, name, {"picture_frame.skip": False})
    assert not result.provenance["delegated"]
    assert result.rate.meta.cal_step.picture_frame == "SKIPPED"

"""MIRI's and NIRISS's imaging notebooks, and that of stage 3, judged by the truth."""

from __future__ import annotations

import json

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from image_truth import measure, places_apart

from upramp.practice.programs import PROGRAMS

pytestmark = [pytest.mark.slow, pytest.mark.peer]

MODES = {"miri-imaging": "_bright-field", "niriss-imaging": ""}
"""Notebooks, which are named as their programs, and the sky that they see."""
PICTURES = {
    *("raw", "rate", "dq", "cal", "sky"),
    *("alignment", "outliers", "mosaic", "coverage", "catalogue"),
}


def steps(archive, sky):
    return {
        "image2.resample.skip": True,
        # The middle of an undersampled star is not taken for a cosmic ray then.
        "outlier_detection.scale": "4.0 2.0",
        "tweakreg.abs_refcat": str(archive / "truth" / f"reference_catalog{sky}.ecsv"),
    }


@pytest.fixture(scope="module")
def archive(grown):
    return grown(*MODES)


@pytest.fixture(scope="module")
def reduced(archive, run_in, tmp_path_factory):
    """The notebooks of the modes, run on their four dithers."""
    found = {}
    for mode, sky in MODES.items():
        folder = tmp_path_factory.mktemp(mode)
        found[mode] = run_in(f"mode/{mode}.ipynb", folder, archive, steps=steps(archive, sky))
    return found


@pytest.mark.parametrize("mode", MODES)
def test_the_notebook_ends_well_and_shows_its_pictures(reduced, mode):
    done = reduced[mode]
    assert done.outcome["status"] == "done"
    assert done.outcome["warnings"] == []
    assert set(done.pictures()) == PICTURES
    made = [one["suffix"] for one in done.outcome["products"]]
    assert (made.count("cal"), made.count("crf"), made.count("i2d")) == (4, 4, 1)
    assert "of 4 exposures" in done.pictures()["mosaic"]


@pytest.mark.parametrize("mode", MODES)
def test_stars_of_the_mosaic_have_their_flux_and_their_place(reduced, archive, mode):
    seed = json.loads((archive / "practice.json").read_text())["seed"]
    stars = measure(
        archive,
        reduced[mode].folder / mode,
        PROGRAMS[mode].exposures,
        seed,
        catalogue=MODES[mode],
        radius=4.0,
        apart=15.0,
    )
    assert len(stars.true) >= 8
    assert np.abs(stars.ratio - 1).max() < 0.02
    assert np.median(stars.ratio) == pytest.approx(1, abs=0.008)
    assert stars.offset.max() < 0.1
    # The errors that the mosaic has are of the size of what is missed.
    pulls = (stars.flux - stars.true) / stars.error
    assert 0.4 < np.sqrt(np.mean(pulls**2)) < 3


@pytest.mark.parametrize("mode", MODES)
def test_the_field_is_where_the_distortion_says(reduced, archive, mode):
    for plan in PROGRAMS[mode].exposures[:2]:
        cal = reduced[mode].folder / mode / f"{plan.root}_cal.fits"
        assert places_apart(archive, cal, plan, MODES[mode]).max() < 0.03


@pytest.mark.parametrize("mode", MODES)
def test_the_catalogue_has_magnitudes_of_both_systems(reduced, mode):
    (path,) = (reduced[mode].folder / mode).glob("*_cat.ecsv")
    catalogue = Table.read(path)
    assert len(catalogue) > 30
    for name in ("aper_total_abmag", "aper_total_vegamag"):
        assert np.isfinite(np.array(catalogue[name], float)).mean() > 0.5
    (mosaic,) = path.parent.glob("*-o001_*_i2d.fits")
    assert fits.getval(mosaic, "BUNIT", "SCI") == "MJy/sr"


def test_stage_3_alone_gives_the_bits_of_the_mode(reduced, archive, run_in, tmp_path):
    mode = reduced["niriss-imaging"].folder / "niriss-imaging"
    (mosaic,) = mode.glob("*-o001_*_i2d.fits")
    done = run_in(
        "stage/image3.ipynb",
        tmp_path,
        archive,
        inputs=[str(mode / "*_cal.fits")],
        reference_product=str(mosaic),
        steps=steps(archive, ""),
        strict=True,
    )
    assert "1 of 1 products are identical" in done.text("compare")
    assert set(done.pictures()) == PICTURES - {"raw", "rate", "cal"}

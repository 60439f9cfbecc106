"""NIRCam's imaging notebook, on both of its channels, judged by the truth."""

from __future__ import annotations

import json

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from image_truth import measure, places_apart

from upramp.practice.programs import PROGRAMS

pytestmark = [pytest.mark.slow, pytest.mark.peer]

LONG = PROGRAMS["nircam-long"].exposures
NOTEBOOK = "mode/nircam-imaging.ipynb"


@pytest.fixture(scope="module")
def reduced(practice_archive, run_in, tmp_path_factory):
    """The notebook, run on the four dithers that it names."""
    catalogue = practice_archive / "truth" / "reference_catalog.ecsv"
    return run_in(
        NOTEBOOK,
        tmp_path_factory.mktemp("nircam"),
        practice_archive,
        steps={"image2.resample.skip": True, "tweakreg.abs_refcat": str(catalogue)},
    )


def test_the_notebook_ends_well_with_nothing_left_out(reduced):
    assert reduced.outcome["status"] == "done"
    assert reduced.outcome["warnings"] == []
    assert {"rate", "cal", "alignment", "outliers", "mosaic", "catalogue"} <= set(
        reduced.pictures()
    )
    (mosaic,) = (reduced.folder / "nircam-imaging").glob("*-o001_*_i2d.fits")
    header = fits.getheader(mosaic)
    for keyword in ("S_TWKREG", "S_SKYMAT", "S_OUTLIR", "S_RESAMP"):
        assert header[keyword] == "COMPLETE", keyword
    (catalogue,) = mosaic.parent.glob("*_cat.ecsv")
    table = Table.read(catalogue)
    assert len(table) > 60
    assert np.isfinite(np.array(table["aper_total_vegamag"], float)).mean() > 0.5


def test_stars_of_the_mosaic_have_their_flux_and_their_place(reduced, practice_archive):
    seed = json.loads((practice_archive / "practice.json").read_text())["seed"]
    stars = measure(practice_archive, reduced.folder / "nircam-imaging", LONG, seed)
    assert len(stars.true) > 60
    assert np.median(stars.ratio) == pytest.approx(1, abs=0.004)
    # The noise of the faintest is above one per cent, of the brightest half of that.
    missed = np.abs(stars.ratio - 1)
    assert missed[stars.true > 7e-6].max() < 0.02
    assert np.mean(missed < 0.02) > 0.98
    assert missed.max() < 0.03
    assert stars.offset.max() < 0.1


def test_the_field_is_where_the_distortion_says(reduced, practice_archive):
    for plan in LONG[2:]:
        cal = reduced.folder / "nircam-imaging" / f"{plan.root}_cal.fits"
        assert places_apart(practice_archive, cal, plan).max() < 0.03


def test_a_quick_look_at_stage_2_of_the_short_channel_takes_one_exposure(
    practice_archive, run_in, tmp_path
):
    done = run_in(
        "stage/image2.ipynb",
        tmp_path,
        practice_archive,
        inputs=["jw99002001001_02101_0000?_nrca1_uncal.fits"],
        quicklook=True,
    )
    assert "3 of 4 exposures are left out" in " ".join(done.outcome["warnings"])
    assert set(done.pictures()) == {"rate", "cal", "change", "sky", "i2d", "dq"}
    made = [one["suffix"] for one in done.outcome["products"]]
    assert (made.count("cal"), made.count("i2d")) == (1, 1)
    (cal,) = tmp_path.glob("image2/*_cal.fits")
    assert fits.getval(cal, "BUNIT", "SCI") == "MJy/sr"
    (plan,) = (one for one in PROGRAMS["nircam-short"].exposures if one.root in cal.name)
    assert places_apart(practice_archive, cal, plan).max() < 0.03

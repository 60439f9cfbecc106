"""The headers of level-1b files, against the sky that was put into them."""

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from astropy.wcs import WCS

from upramp.practice.programs import PROGRAMS

FIELDS = [
    program.exposures[0]
    for program in PROGRAMS.values()
    if program.exposures[0].scene == "field" and program.by_default
]


@pytest.mark.parametrize("plan", FIELDS, ids=lambda plan: plan.root)
def test_the_linear_wcs_of_the_header_is_near_the_true_place(practice_archive, plan):
    header = fits.getheader(practice_archive / "uncal" / f"{plan.root}_uncal.fits", "SCI")
    wcs = WCS(header, naxis=2)
    stars = fits.getdata(practice_archive / "truth" / f"{plan.root}_truth.fits", "STARS")
    sky = Table.read(practice_archive / "truth" / "stars.ecsv")[stars["star"]]
    x, y = wcs.all_world2pix(sky["ra"], sky["dec"], 0)
    # No distortion in it, and the pointing is wrong by some hundredths of an arcsecond.
    distance = np.hypot(x - stars["x"], y - stars["y"])
    size = max(header["NAXIS1"], header["NAXIS2"])
    assert distance.max() < max(0.02 * size, 3)
    assert np.median(distance) < max(0.006 * size, 2)


def test_what_is_simulated_says_so(practice_archive):
    for file in (practice_archive / "uncal").glob("*.fits"):
        assert "SIMULATION" in fits.getval(file, "TITLE")
    for file in (practice_archive / "crds" / "references").rglob("*.fits"):
        assert fits.getval(file, "PEDIGREE") == "SIMULATION"

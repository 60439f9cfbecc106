"""The notebooks of NIRCam's images in time, on a simulated transit, judged by its truth."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import QTable
from series_fit import bottom, fit_light

from upramp.kernel.pictures import series
from upramp.practice.archive import DEFAULT_SEED
from upramp.practice.programs import PROGRAMS
from upramp.practice.setups import psf_of
from upramp.practice.transit import TRANSIT

pytestmark = [pytest.mark.peer, pytest.mark.slow]

PROGRAM = "nircam-tso-imaging"
PLAN = PROGRAMS[PROGRAM].exposures[0]


@pytest.fixture(scope="module")
def done(reduced):
    """The notebook that was run, and the archive."""
    return reduced("mode/nircam-tso-imaging.ipynb", PROGRAM)


@pytest.fixture(scope="module")
def products(done):
    return done[0].folder / "nircam-tso-imaging"


@pytest.fixture(scope="module")
def truth(done):
    with fits.open(done[1] / "truth" / f"{PLAN.root}_truth.fits") as hdus:
        return dict(hdus[0].header), np.array(hdus["LIGHT"].data["light"])


@pytest.fixture(scope="module")
def photometry(products):
    """Flux in Jy, its error, and the time (MJD) of each integration."""
    (path,) = products.glob("*_phot.ecsv")
    table = QTable.read(path)
    assert str(table["net_aperture_sum"].unit) == "Jy"
    flux, error = (np.array(table[f"net_aperture_sum{part}"]) for part in ("", "_err"))
    return flux, error, np.array(table["MJD"]), table


def test_it_is_done_and_shows_its_pictures(done, products):
    notebook, _ = done
    assert notebook.outcome["status"] == "done"
    assert notebook.outcome["warnings"] == []
    shown = notebook.pictures()
    assert set(shown) == {"rate", "aperture", "curve", "binned", "dq"}
    assert "a dip of" in shown["curve"]
    made = {one["suffix"] for one in notebook.outcome["products"]}
    assert made == {"rate", "rateints", "calints", "crfints", "phot"}
    header = fits.getheader(products / f"{PLAN.root}_o001_crfints.fits")
    for step in ("DQINIT", "SATURA", "SUPERB", "REFPIX", "LINEAR", "DARK", "JUMP", "RAMP"):
        assert header[f"S_{step}"] == "COMPLETE", step
    for step in ("WCS", "FLAT", "PHOTOM", "OUTLIR"):
        assert header[f"S_{step}"] == "COMPLETE", step
    assert header["TSOVISIT"]
    assert header["CRDS_CTX"] == "jwst_0001.pmap"


def test_stage_3_alone_takes_calibrated_integrations(reduced, done, products):
    given = str(products / f"{PLAN.root}_calints.fits")
    notebook, _ = reduced("stage/tso3.ipynb", inputs=[given], strict=True)
    assert set(notebook.pictures()) == {"source", "curve", "binned", "dq"}
    assert notebook.pictures()["curve"] == done[0].pictures()["curve"]
    assert {one["pipeline"] for one in notebook.outcome["products"]} == {"tso3"}


def test_the_depth_of_the_transit_is_right_within_its_error(photometry, truth, products):
    flux, error, _, _ = photometry
    facts, curve = truth
    found = fit_light(flux, error, curve)
    assert facts["TRDEPTH"] == pytest.approx(TRANSIT.depth)
    # One light curve: a scale three errors off has a chance of one in 370.
    assert abs(found.scale - 1) < 3 * found.error
    assert found.error < 0.06
    # The official error takes neighbouring pixels' noise for independent.
    assert 0.4 < found.chi_squared / (len(flux) - 2) < 1.6
    # What the picture fits by itself, which knows nothing of the truth.
    shown = series.light_curve(list(products.glob("*_phot.ecsv"))).data
    assert abs(shown["depth"] - bottom(curve)) < 3 * shown["depth_error"]
    assert shown["duration"] * 86400 == pytest.approx(facts["TRLENGTH"], rel=0.15)


def test_a_transit_at_another_time_or_of_another_length_fits_worse(photometry, truth):
    flux, error, _, _ = photometry
    _, curve = truth
    best = fit_light(flux, error, curve).chi_squared
    # An early transit by a tenth of its length moves as many integrations in and out.
    for shift in (-3, 3):
        assert fit_light(flux, error, np.roll(curve, shift)).chi_squared > best + 9
    for factor in (0.6, 1.5):
        number = np.arange(len(curve)) - TRANSIT.middle * len(curve)
        stretched = np.interp(number / factor, number, curve)
        assert fit_light(flux, error, stretched).chi_squared > best + 9


def test_the_middle_falls_at_its_time(photometry, truth, products):
    flux, _, times, _ = photometry
    facts, curve = truth
    started = fits.getval(products / f"{PLAN.root}_calints.fits", "EXPSTART")
    seconds = (times - started) * 86400
    inside = (1 - curve) * (curve < 1)
    assert (seconds * inside).sum() / inside.sum() == pytest.approx(facts["TRMIDDLE"], abs=1.0)
    dip = np.clip(1 - flux / np.median(flux[curve == 1]), 0, None) * inside
    assert (seconds * dip).sum() / dip.sum() == pytest.approx(facts["TRMIDDLE"], abs=2.0)
    shown = series.light_curve(list(products.glob("*_phot.ecsv"))).data
    assert (shown["middle"] - started) * 86400 == pytest.approx(facts["TRMIDDLE"], abs=3.0)


def test_the_star_has_its_flux_and_its_place(photometry, truth):
    flux, error, _, table = photometry
    facts, curve = truth
    level = fit_light(flux, error, curve).level
    # What a circle of three pixels holds, less the ring of four to five that is taken for sky.
    psf = psf_of(PLAN.detector, PLAN.filter, DEFAULT_SEED)
    inside, low, high = psf.encircled_energy(np.array([3.0, 4.0, 5.0]))
    held = inside - (high - low) / (5**2 - 4**2) * 3**2
    # The core of the profile is sampled with the star in the middle of a pixel.
    assert level / held == pytest.approx(facts["STARFLUX"], rel=0.02)
    assert np.median(table["centroid_x"].value) == pytest.approx(facts["STAR_X"], abs=0.1)
    assert np.median(table["centroid_y"].value) == pytest.approx(facts["STAR_Y"], abs=0.1)

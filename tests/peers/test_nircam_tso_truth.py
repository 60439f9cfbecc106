"""The official time-series pipelines on a simulated transit, judged by its truth."""

from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import QTable

from upramp.practice import environment, make_archive
from upramp.practice.programs import PROGRAMS
from upramp.practice.setups import psf_of
from upramp.practice.transit import TRANSIT

pytestmark = [pytest.mark.peer, pytest.mark.slow]

PROGRAM = "nircam-tso-imaging"
PLAN = PROGRAMS[PROGRAM].exposures[0]


@pytest.fixture(scope="module")
def reduced(tmp_path_factory, forget_crds):
    """The folder of an archive with its products, and the archive's seed."""
    from jwst.associations.asn_from_list import asn_from_list
    from jwst.associations.lib.rules_level3_base import DMS_Level3_Base
    from jwst.pipeline import Detector1Pipeline, Image2Pipeline, Tso3Pipeline

    folder = tmp_path_factory.mktemp("tso") / "archive"
    made = make_archive(folder, [PROGRAM])
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment(folder).items():
            if value:
                patch.setenv(name, value)
            else:
                patch.delenv(name, raising=False)
        forget_crds()
        products = folder.parent
        patch.chdir(products)
        uncal = folder / "uncal" / f"{PLAN.root}_uncal.fits"
        Detector1Pipeline.call(str(uncal), output_dir=".", save_results=True)
        Image2Pipeline.call(f"{PLAN.root}_rateints.fits", output_dir=".", save_results=True)
        association = asn_from_list(
            [f"{PLAN.root}_calints.fits"], rule=DMS_Level3_Base, product_name="transit"
        )
        association["asn_id"], association["asn_type"] = "o001", "tso3"
        Path("asn.json").write_text(association.dump()[1])
        Tso3Pipeline.call("asn.json", output_dir=".", save_results=True)
    yield products, made.seed
    forget_crds()


@pytest.fixture(scope="module")
def truth(reduced):
    with fits.open(reduced[0] / "archive" / "truth" / f"{PLAN.root}_truth.fits") as hdus:
        return dict(hdus[0].header), np.array(hdus["LIGHT"].data["light"])


@pytest.fixture(scope="module")
def photometry(reduced):
    """Flux in Jy, its error, and the time (MJD) of each integration."""
    table = QTable.read(reduced[0] / "transit_phot.ecsv")
    assert str(table["net_aperture_sum"].unit) == "Jy"
    flux, error = (np.array(table[f"net_aperture_sum{part}"]) for part in ("", "_err"))
    return flux, error, np.array(table["MJD"]), table


def _fitted(flux, error, curve):
    """Scale of a light curve's dip, its error, the level outside and chi squared."""
    design = np.stack([np.ones_like(curve), curve - 1], axis=1) / error[:, None]
    (level, slope), *_ = np.linalg.lstsq(design, flux / error, rcond=None)
    covariance = np.linalg.inv(design.T @ design)
    residual = flux / error - design @ (level, slope)
    return slope / level, np.sqrt(covariance[1, 1]) / level, level, (residual**2).sum()


def test_every_step_of_the_mode_ran(reduced):
    header = fits.getheader(reduced[0] / f"{PLAN.root}_o001_crfints.fits")
    for keyword in (
        "S_DQINIT",
        "S_SATURA",
        "S_SUPERB",
        "S_REFPIX",
        "S_LINEAR",
        "S_DARK",
        "S_JUMP",
        "S_RAMP",
        "S_WCS",
        "S_FLAT",
        "S_PHOTOM",
        "S_OUTLIR",
    ):
        assert header[keyword] == "COMPLETE", keyword
    assert header["TSOVISIT"]
    assert header["CRDS_CTX"] == "jwst_0001.pmap"


def test_the_depth_of_the_transit_is_right_within_its_error(photometry, truth):
    flux, error, _, _ = photometry
    facts, curve = truth
    scale, uncertainty, _, chi_squared = _fitted(flux, error, curve)
    assert facts["TRDEPTH"] == pytest.approx(TRANSIT.depth)
    # One light curve: a scale three errors off has a chance of one in 370.
    assert abs(scale - 1) < 3 * uncertainty
    assert uncertainty < 0.06
    # The official error takes neighbouring pixels' noise for independent.
    assert 0.4 < chi_squared / (len(flux) - 2) < 1.6


def test_a_transit_at_another_time_or_of_another_length_fits_worse(photometry, truth):
    flux, error, _, _ = photometry
    _, curve = truth
    *_, best = _fitted(flux, error, curve)
    # An early transit by a tenth of its length moves as many integrations in and out.
    for shift in (-3, 3):
        *_, chi_squared = _fitted(flux, error, np.roll(curve, shift))
        assert chi_squared > best + 9
    for factor in (0.6, 1.5):
        number = np.arange(len(curve)) - TRANSIT.middle * len(curve)
        stretched = np.interp(number / factor, number, curve)
        *_, chi_squared = _fitted(flux, error, stretched)
        assert chi_squared > best + 9


def test_the_middle_falls_at_its_time(photometry, truth, reduced):
    flux, _, times, _ = photometry
    facts, curve = truth
    started = fits.getval(reduced[0] / f"{PLAN.root}_calints.fits", "EXPSTART")
    seconds = (times - started) * 86400
    inside = (1 - curve) * (curve < 1)
    assert (seconds * inside).sum() / inside.sum() == pytest.approx(facts["TRMIDDLE"], abs=1.0)
    dip = np.clip(1 - flux / np.median(flux[curve == 1]), 0, None) * inside
    assert (seconds * dip).sum() / dip.sum() == pytest.approx(facts["TRMIDDLE"], abs=2.0)


def test_the_star_has_its_flux_and_its_place(photometry, truth, reduced):
    flux, error, _, table = photometry
    facts, curve = truth
    *_, level, _ = _fitted(flux, error, curve)
    # What a circle of three pixels holds, less the ring of four to five that is taken for sky.
    psf = psf_of(PLAN.detector, PLAN.filter, reduced[1])
    inside, low, high = psf.encircled_energy(np.array([3.0, 4.0, 5.0]))
    held = inside - (high - low) / (5**2 - 4**2) * 3**2
    # The core of the profile is sampled with the star in the middle of a pixel.
    assert level / held == pytest.approx(facts["STARFLUX"], rel=0.02)
    assert np.median(table["centroid_x"].value) == pytest.approx(facts["STAR_X"], abs=0.1)
    assert np.median(table["centroid_y"].value) == pytest.approx(facts["STAR_Y"], abs=0.1)

"""The official pipelines on simulated MIRI low-resolution spectra, judged by their truth."""

import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import QTable
from scipy.optimize import curve_fit

from upramp.practice import environment, make_archive
from upramp.practice.crds_context import FLIGHT_LIKE
from upramp.practice.lrs import reference_pixel, trace
from upramp.practice.lrs_scene import PIVOT
from upramp.practice.programs import PROGRAMS
from upramp.practice.transit import TRANSIT, mean_light

pytestmark = [pytest.mark.peer, pytest.mark.slow]

NODS = PROGRAMS["miri-lrs-slit"].exposures
SERIES = PROGRAMS["miri-lrs-slitless"].exposures[0]
BANDS = ((5, 6), (6, 8), (8, 9.5), (9.5, 11), (11, 12), (12, 13))
"""Micrometres."""
_SPLINE = np.sqrt(0.002 / 388)
"""The official code smooths the table of wavelengths to this, micrometres a row."""


@pytest.fixture(scope="module")
def archive(tmp_path_factory, forget_crds):
    """The archive's folder; CRDS finds its references; the working folder is the products'."""
    folder = tmp_path_factory.mktemp("lrs") / "archive"
    make_archive(folder, ["miri-lrs-slit", "miri-lrs-slitless"])
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment(folder).items():
            if value:
                patch.setenv(name, value)
            else:
                patch.delenv(name, raising=False)
        forget_crds()
        patch.chdir(folder.parent)
        yield folder
    forget_crds()


def associate(kind, product, science, background=()):
    """Write an association as the mission's generator does; give its name."""
    members = [{"expname": name, "exptype": "science"} for name in science]
    members += [{"expname": name, "exptype": "background"} for name in background]
    content = {
        "asn_type": kind,
        "asn_rule": "candidate",
        "asn_pool": "none",
        "asn_id": "o001",
        "program": "99111",
        "products": [{"name": product, "members": members}],
    }
    path = Path(f"{product}_{kind}_asn.json")
    path.write_text(json.dumps(content))
    return str(path)


@pytest.fixture(scope="module")
def slit(archive):
    """Two nods through all three stages, each the other's background."""
    from jwst.pipeline import Detector1Pipeline, Spec2Pipeline, Spec3Pipeline

    for plan in NODS:
        uncal = archive / "uncal" / f"{plan.root}_uncal.fits"
        Detector1Pipeline.call(str(uncal), output_dir=".", save_results=True)
    for plan, other in (NODS, NODS[::-1]):
        nodded = associate(
            "spec2", plan.root, [f"{plan.root}_rate.fits"], [f"{other.root}_rate.fits"]
        )
        Spec2Pipeline.call(nodded, output_dir=".", save_results=True)
    both = associate("spec3", "slit", [f"{plan.root}_cal.fits" for plan in NODS])
    Spec3Pipeline.call(both, output_dir=".", save_results=True)
    return archive.parent


@pytest.fixture(scope="module")
def series(archive):
    """The time series through all three stages."""
    from jwst.pipeline import Detector1Pipeline, Spec2Pipeline, Tso3Pipeline

    root = SERIES.root
    Detector1Pipeline.call(
        str(archive / "uncal" / f"{root}_uncal.fits"), output_dir=".", save_results=True
    )
    Spec2Pipeline.call(
        associate("tso-spec2", root, [f"{root}_rateints.fits"]), output_dir=".", save_results=True
    )
    Tso3Pipeline.call(
        associate("tso3", "series", [f"{root}_calints.fits"]), output_dir=".", save_results=True
    )
    return archive.parent


@dataclass
class Truth:
    """What the archive says of an exposure."""

    header: dict
    lines: np.ndarray
    light: np.ndarray | None

    def continuum(self, waves):
        return self.header["FLUX75"] * (waves / PIVOT) ** self.header["SLOPE"]

    def free_of_lines(self, waves):
        free = np.isfinite(waves)
        for line in self.lines:
            free &= np.abs(waves - line["wavelength"]) > 0.25
        return free


def truth_of(archive, plan):
    with fits.open(archive / "truth" / f"{plan.root}_truth.fits") as hdus:
        light = np.array(hdus["LIGHT"].data["light"]) if "LIGHT" in hdus else None
        return Truth(dict(hdus[0].header), np.array(hdus["LINES"].data), light)


def steps(product):
    """Names of the steps that a product went through, and of those that were left out."""
    cards = fits.getheader(product).items()
    status = {k: v for k, v in cards if k.startswith("S_") and v in {"COMPLETE", "SKIPPED"}}
    return [{k for k, v in status.items() if v == s} for s in ("COMPLETE", "SKIPPED")]


def judge_spectrum(truth, waves, flux, place_error):
    """Hold a spectrum's level, slope and lines to the truth.

    The wings of bright rows on faint ones are worth one per cent, which the simulation
    without noise shows; another is allowed for the interpolation between apertures' and
    slit's corrections at eight wavelengths. Noise is taken from the spectrum's own scatter.
    ``place_error`` is by how many rows the source is off where it should be.
    """
    free = truth.free_of_lines(waves) & np.isfinite(flux)
    ratio = flux / truth.continuum(waves)
    for low, high in BANDS:
        band = ratio[free & (waves > low) & (waves < high)]
        assert len(band) > 8
        noise = 1.253 * band.std() / np.sqrt(len(band))
        assert abs(np.median(band) - 1) < 0.02 + 3 * noise, (low, high)
    used = free & (waves > 5) & (waves < 12.5)
    (slope, level), covariance = np.polyfit(
        np.log(waves[used] / PIVOT), np.log(flux[used]), 1, cov=True
    )
    # A level that is off by one per cent at one end tilts by this.
    tilt = 0.01 / np.log(12.5 / 5)
    assert abs(slope - truth.header["SLOPE"]) < tilt + 3 * np.sqrt(covariance[0, 0])
    assert np.exp(level) == pytest.approx(truth.header["FLUX75"], rel=0.02)
    for line in truth.lines:
        near = (np.abs(waves - line["wavelength"]) < 0.25) & np.isfinite(flux)
        start = (line["strength"] / 2, line["wavelength"], 0.05, 0.0)
        found, errors = curve_fit(gaussian, waves[near], ratio[near] - 1, start)
        row = np.abs(np.gradient(waves))[np.abs(waves - line["wavelength"]).argmin()]
        allowed = 3 * np.sqrt(errors[1, 1]) + 2 * _SPLINE + abs(place_error) * row
        # A source's image is three rows high: this is still a fraction of it.
        assert allowed < 0.7 * row
        assert abs(found[1] - line["wavelength"]) < allowed, line
        assert np.sign(found[0]) == np.sign(line["strength"])
        assert abs(found[0]) > 6 * np.sqrt(errors[0, 0])


def gaussian(x, height, middle, width, level):
    return level + height * np.exp(-0.5 * ((x - middle) / width) ** 2)


def spectrum_of(product):
    table = fits.getdata(product, "EXTRACT1D")
    order = np.argsort(table["WAVELENGTH"])
    return tuple(np.array(table[name], float)[order] for name in ("WAVELENGTH", "FLUX"))


def test_every_step_of_the_slit_runs(slit):
    done, left_out = steps(slit / "slit_x1d.fits")
    assert done == {
        *("S_DQINIT", "S_SATURA", "S_LASTFR", "S_RESET", "S_LINEAR", "S_RSCD", "S_DARK"),
        *("S_REFPIX", "S_JUMP", "S_RAMP", "S_WCS", "S_BKDSUB", "S_SRCTYP", "S_FLAT"),
        *("S_PTHLOS", "S_PHOTOM", "S_OUTLIR", "S_RESAMP", "S_EXTR1D"),
    }
    assert "S_TACNTR" in left_out
    assert fits.getval(slit / "slit_s2d.fits", "BUNIT", "SCI") == "MJy/sr"
    assert fits.getval(slit / "slit_x1d.fits", "SRCTYPE", "EXTRACT1D") == "POINT"


@pytest.mark.parametrize(
    "product", [f"{NODS[0].root}_x1d.fits", f"{NODS[1].root}_x1d.fits", "slit_x1d.fits"]
)
def test_the_spectrum_in_the_slit_is_the_true_one(archive, slit, product):
    truths = [truth_of(archive, plan) for plan in NODS]
    off = max(abs(truth.header["SLIT_Y"]) for truth in truths)
    judge_spectrum(truths[0], *spectrum_of(slit / product), off)


def test_the_source_is_extracted_where_it_is(archive, slit):
    from stdatamodels.jwst import datamodels

    for plan in NODS:
        truth = truth_of(archive, plan).header
        with datamodels.open(slit / f"{plan.root}_cal.fits") as cal:
            dither = cal.meta.dither
            x, y = cal.meta.wcs.backward_transform(dither.dithered_ra, dither.dithered_dec, 10.0)
            _, _, wave = cal.meta.wcs(x, y)
        assert wave == pytest.approx(10, abs=1e-3)
        # The trace's curve is known; the pointing is wrong by some hundredths of a pixel.
        aside = float(trace(np.asarray(y) - reference_pixel(plan.exposure_type)[1]))
        assert x == pytest.approx(truth["STAR_X"] + aside, abs=0.2)


def test_a_profile_fits_the_source_and_the_other_nods_shadow(archive, slit):
    """The psf reference: before resampling, which makes the source wider than it says."""
    from jwst.extract_1d import Extract1dStep

    truth = truth_of(archive, NODS[0])
    product = str(slit / f"{NODS[0].root}_cal.fits")
    result = Extract1dStep.call(product, extraction_type="optimal", apply_apcorr=False)
    table = result.spec[0].spec_table
    waves, flux = (np.array(table[name], float) for name in ("WAVELENGTH", "FLUX"))
    ratio = flux / truth.continuum(waves)
    for low, high in BANDS:
        good = truth.free_of_lines(waves) & (waves > low) & (waves < high)
        assert np.nanmedian(ratio[good]) == pytest.approx(1, abs=0.015), (low, high)


def test_the_flight_like_context_mends_pixels(slit, forget_crds, monkeypatch):
    from jwst.pipeline import Spec2Pipeline

    plan, other = NODS
    before = fits.getdata(slit / f"{plan.root}_x1d.fits", "EXTRACT1D")["NPIXELS"]
    monkeypatch.setenv("CRDS_CONTEXT", FLIGHT_LIKE)
    forget_crds()
    folder = slit / "flight-like"
    folder.mkdir()
    rates = [str(slit / f"{p.root}_rate.fits") for p in (plan, other)]
    monkeypatch.chdir(folder)
    Spec2Pipeline.call(
        associate("spec2", plan.root, rates[:1], rates[1:]), output_dir=".", save_results=True
    )
    forget_crds()
    product = folder / f"{plan.root}_x1d.fits"
    assert fits.getval(product, "S_PXREPL") == "COMPLETE"
    after = fits.getdata(product, "EXTRACT1D")["NPIXELS"]
    assert np.nansum(after) >= np.nansum(before)


def test_every_step_of_the_time_series_runs(series):
    done, left_out = steps(series / "series_x1dints.fits")
    assert done == {
        *("S_DQINIT", "S_SATURA", "S_LASTFR", "S_RESET", "S_LINEAR", "S_RSCD", "S_DARK"),
        *("S_JUMP", "S_RAMP", "S_WCS", "S_SRCTYP", "S_FLAT", "S_PHOTOM", "S_OUTLIR"),
        "S_EXTR1D",
    }
    assert {"S_PTHLOS", "S_BKDSUB", "S_REFPIX"} <= left_out


def test_the_stars_spectrum_is_the_true_one(archive, series):
    truth = truth_of(archive, SERIES)
    table = fits.getdata(series / "series_x1dints.fits", "EXTRACT1D")
    assert len(table) == SERIES.integrations
    outside = truth.light == 1
    assert outside.sum() > 10
    waves = np.array(table["WAVELENGTH"][0], float)
    flux = np.nanmean(np.array(table["FLUX"], float)[outside], axis=0)
    order = np.argsort(waves)
    off = truth.header["STAR_Y"] - 300
    judge_spectrum(truth, waves[order], flux[order], off)


@pytest.fixture(scope="module")
def white(archive, series):
    """Times (MJD), white light and its error, and the truth."""
    table = QTable.read(series / "series_whtlt.ecsv")
    errors = np.array(fits.getdata(series / "series_x1dints.fits", "EXTRACT1D")["FLUX_ERROR"])
    error = np.sqrt(np.nansum(errors.astype(float) ** 2, axis=1))
    flux = np.array(table["whitelight_flux"])
    return np.array(table["MJD_UTC"]), flux, error, truth_of(archive, SERIES)


def fitted(flux, error, curve):
    """Scale of a light curve's dip, its error, and chi squared."""
    design = np.stack([np.ones_like(curve), curve - 1], axis=1) / error[:, None]
    (level, slope), *_ = np.linalg.lstsq(design, flux / error, rcond=None)
    covariance = np.linalg.inv(design.T @ design)
    residual = flux / error - design @ (level, slope)
    return slope / level, np.sqrt(covariance[1, 1]) / level, (residual**2).sum()


def test_white_light_has_the_transits_depth_within_its_error(white):
    _, flux, error, truth = white
    scale, uncertainty, chi2 = fitted(flux, error, truth.light)
    assert uncertainty < 0.15
    assert abs(scale - 1) < 3 * uncertainty
    # Four standard deviations of chi squared.
    count = len(flux) - 2
    assert abs(chi2 - count) < 4 * np.sqrt(2 * count)
    _, _, none = fitted(flux, error, np.roll(truth.light, len(flux) // 2))
    assert none - chi2 > 25


@pytest.mark.parametrize("name", ["middle", "duration"])
def test_the_transit_is_when_it_was(white, name):
    times, flux, error, truth = white
    assert np.diff(times) * 86400 == pytest.approx(13 * SERIES.frame_time, abs=1e-3)
    true = getattr(TRANSIT, name)
    tried = true + np.linspace(-0.15, 0.15, 61)
    chi2 = np.array(
        [
            fitted(flux, error, mean_light(replace(TRANSIT, **{name: value}), SERIES))[2]
            for value in tried
        ]
    )
    near = chi2 < chi2.min() + 9  # three standard deviations of one parameter
    assert tried[near][0] <= true <= tried[near][-1]
    assert np.ptp(tried[near]) < 0.15
    length = len(times) * 13 * SERIES.frame_time
    key = {"middle": "TRMIDDLE", "duration": "TRLENGTH"}[name]
    assert truth.header[key] == pytest.approx(true * length)

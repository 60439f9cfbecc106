"""The notebooks of MIRI's low-resolution spectra, on simulated ones, judged by their truth."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
from astropy.io import fits
from scipy.optimize import curve_fit
from series_fit import bottom, fit_light

from upramp.dq import PIXEL
from upramp.kernel.pictures import series, spectra
from upramp.kernel.pictures.light_curves import read_white_light
from upramp.practice import environment
from upramp.practice.crds_context import FLIGHT_LIKE
from upramp.practice.lrs import reference_pixel, trace
from upramp.practice.lrs_scene import PIVOT
from upramp.practice.programs import PROGRAMS
from upramp.practice.transit import TRANSIT, mean_light

pytestmark = [pytest.mark.peer, pytest.mark.slow]

NODS = PROGRAMS["miri-lrs-slit"].exposures
SERIES = PROGRAMS["miri-lrs-slitless"].exposures[0]
WHOLE = "jw99111-o001_practice-nebula_miri_p750l"
IN_TIME = "jw99112-o001_practice-star_miri_p750l-slitlessprism"
BANDS = ((5, 6), (6, 8), (8, 9.5), (9.5, 11), (11, 12), (12, 13))
"""Micrometres."""
_SPLINE = np.sqrt(0.002 / 388)
"""The official code smooths the table of wavelengths to this, micrometres a row."""


@pytest.fixture(scope="module")
def slit_run(reduced):
    """The notebook of the slit that was run, and the archive."""
    return reduced("mode/miri-lrs-slit.ipynb", "miri-lrs-slit", "miri-lrs-slitless")


@pytest.fixture(scope="module")
def archive(slit_run):
    return slit_run[1]


@pytest.fixture(scope="module")
def slit(slit_run):
    """The folder of the slit's products."""
    return slit_run[0].folder / "miri-lrs-slit"


@pytest.fixture(scope="module")
def series_run(reduced, archive):
    """The notebook of the time series that was run."""
    # Spectra are extracted in stage 3: there is no need for them twice.
    steps = {"tso3.pixel_replace.skip": False, "spec2.extract_1d.skip": True}
    return reduced("mode/miri-lrs-slitless.ipynb", steps=steps)[0]


@pytest.fixture(scope="module")
def in_time(series_run):
    """The folder of the time series' products."""
    return series_run.folder / "miri-lrs-slitless"


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


def test_the_slit_is_done_and_shows_its_pictures(slit_run, slit):
    notebook, _ = slit_run
    assert notebook.outcome["status"] == "done"
    assert notebook.outcome["warnings"] == []
    shown = notebook.pictures()
    assert set(shown) == {"rate", "nods", "dispersed", "extraction", "spectrum", "parts", "dq"}
    assert "lines marked at 6.985, 7.74, 8.991, 10.51, 11.9 µm" in shown["spectrum"]
    done, left_out = steps(slit / f"{WHOLE}_x1d.fits")
    assert done == {
        *("S_DQINIT", "S_SATURA", "S_LASTFR", "S_RESET", "S_LINEAR", "S_RSCD", "S_DARK"),
        *("S_REFPIX", "S_JUMP", "S_RAMP", "S_WCS", "S_BKDSUB", "S_SRCTYP", "S_FLAT"),
        *("S_PTHLOS", "S_PHOTOM", "S_OUTLIR", "S_RESAMP", "S_EXTR1D"),
    }
    assert "S_TACNTR" in left_out
    assert fits.getval(slit / f"{WHOLE}_s2d.fits", "BUNIT", "SCI") == "MJy/sr"
    assert fits.getval(slit / f"{WHOLE}_x1d.fits", "SRCTYPE", "EXTRACT1D") == "POINT"


@pytest.mark.parametrize("product", [*(plan.root for plan in NODS), WHOLE])
def test_the_spectrum_in_the_slit_is_the_true_one(archive, slit, product):
    truths = [truth_of(archive, plan) for plan in NODS]
    off = max(abs(truth.header["SLIT_Y"]) for truth in truths)
    judge_spectrum(truths[0], *spectrum_of(slit / f"{product}_x1d.fits"), off)


def test_the_sky_is_gone_after_the_nods_were_subtracted(slit):
    roots = [plan.root for plan in NODS]
    shown = spectra.nods(*([slit / f"{one}_{kind}.fits" for one in roots] for kind in RATES)).data
    for one in roots:
        levels = shown[f"{one}_cal.fits"]
        assert levels["before"] > 1
        assert levels["subtracted"] == "background subtracted"
        # In MJy/sr, of a sky of several hundred.
        assert abs(levels["after"]) < 2


RATES = ("rate", "cal")


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


def test_a_profile_fits_the_source_and_the_other_nods_shadow(
    archive, slit, monkeypatch, forget_crds
):
    """The psf reference: before resampling, which makes the source wider than it says."""
    from jwst.extract_1d import Extract1dStep

    for name, value in environment(archive).items():
        if value:
            monkeypatch.setenv(name, value)
        else:
            monkeypatch.delenv(name, raising=False)
    forget_crds()
    truth = truth_of(archive, NODS[0])
    product = str(slit / f"{NODS[0].root}_cal.fits")
    result = Extract1dStep.call(product, extraction_type="optimal", apply_apcorr=False)
    forget_crds()
    table = result.spec[0].spec_table
    waves, flux = (np.array(table[name], float) for name in ("WAVELENGTH", "FLUX"))
    ratio = flux / truth.continuum(waves)
    for low, high in BANDS:
        good = truth.free_of_lines(waves) & (waves > low) & (waves < high)
        assert np.nanmedian(ratio[good]) == pytest.approx(1, abs=0.015), (low, high)


def test_stage_2_alone_takes_slopes_and_the_flight_like_context_mends_pixels(reduced, slit):
    plan = NODS[0]
    before = fits.getdata(slit / f"{plan.root}_x1d.fits", "EXTRACT1D")["NPIXELS"]
    rates = [str(slit / f"{one.root}_rate.fits") for one in NODS]
    notebook, _ = reduced(
        "stage/spec2.ipynb", inputs=rates, crds_context=FLIGHT_LIKE, quicklook=True
    )
    shown = notebook.pictures()
    assert set(shown) == {"rate", "nods", "dispersed", "extraction", "spectrum", "dq"}
    assert "no background subtracted" in shown["nods"]
    assert {one["pipeline"] for one in notebook.outcome["products"]} == {"spec2"}
    product = notebook.folder / "spec2" / f"{plan.root}_x1d.fits"
    assert fits.getval(product, "S_PXREPL") == "COMPLETE"
    after = fits.getdata(product, "EXTRACT1D")["NPIXELS"]
    assert np.nansum(after) >= np.nansum(before)


def test_stage_3_alone_takes_calibrated_spectra(reduced, slit):
    given = [str(slit / f"{one.root}_cal.fits") for one in NODS]
    notebook, _ = reduced("stage/spec3.ipynb", inputs=given)
    assert set(notebook.pictures()) == {"dispersed", "dq", "extraction", "spectrum", "parts"}
    mine, theirs = (
        fits.getdata(folder / f"{WHOLE}_x1d.fits", "EXTRACT1D")["FLUX"]
        for folder in (notebook.folder / "spec3", slit)
    )
    np.testing.assert_array_equal(mine, theirs)


def test_the_time_series_is_done_and_shows_its_pictures(series_run, in_time):
    assert series_run.outcome["status"] == "done"
    assert series_run.outcome["warnings"] == []
    shown = series_run.pictures()
    assert set(shown) == {
        *("rate", "dispersed", "extraction", "spectrum", "map", "curve", "binned", "dq"),
    }
    assert "lines marked at 7.74, 11.9 µm" in shown["spectrum"]
    done, left_out = steps(in_time / f"{IN_TIME}_x1dints.fits")
    assert done == {
        *("S_DQINIT", "S_SATURA", "S_LASTFR", "S_RESET", "S_LINEAR", "S_RSCD", "S_DARK"),
        *("S_JUMP", "S_RAMP", "S_WCS", "S_SRCTYP", "S_FLAT", "S_PHOTOM", "S_OUTLIR"),
        *("S_PXREPL", "S_EXTR1D"),
    }
    assert {"S_PTHLOS", "S_BKDSUB", "S_REFPIX"} <= left_out


def test_the_stars_spectrum_is_the_true_one(archive, in_time):
    truth = truth_of(archive, SERIES)
    table = fits.getdata(in_time / f"{IN_TIME}_x1dints.fits", "EXTRACT1D")
    assert len(table) == SERIES.integrations
    outside = truth.light == 1
    assert outside.sum() > 10
    waves = np.array(table["WAVELENGTH"][0], float)
    flux = np.nanmean(np.array(table["FLUX"], float)[outside], axis=0)
    order = np.argsort(waves)
    off = truth.header["STAR_Y"] - 300
    judge_spectrum(truth, waves[order], flux[order], off)


@pytest.fixture(scope="module")
def white(archive, in_time):
    """The white-light curve, and the truth."""
    spectra_of = [in_time / f"{IN_TIME}_x1dints.fits"]
    curve = read_white_light(in_time / f"{IN_TIME}_whtlt.ecsv", spectra_of)
    return curve, truth_of(archive, SERIES)


def test_no_pixel_of_the_star_is_missing_in_one_integration_and_there_in_others(in_time):
    """A median of more neighbours in time than a transit lasts makes outliers of it."""
    with fits.open(in_time / f"{SERIES.root}_o001_crfints.fits") as hdus:
        assert (hdus["DQ"].data[:, 8:396, 33:43] & PIXEL["OUTLIER"] != 0).any()
    table = fits.getdata(in_time / f"{IN_TIME}_x1dints.fits", "EXTRACT1D")
    assert np.ptp(np.nansum(table["NPIXELS"], axis=1)) == 0


def test_white_light_has_the_transits_depth_within_its_error(white, in_time):
    curve, truth = white
    found = fit_light(curve.flux, curve.error, truth.light)
    assert found.error < 0.15
    assert abs(found.scale - 1) < 3 * found.error
    # Four standard deviations of chi squared.
    count = len(curve.flux) - 2
    assert abs(found.chi_squared - count) < 4 * np.sqrt(2 * count)
    elsewhere = np.roll(truth.light, len(curve.flux) // 2)
    assert fit_light(curve.flux, curve.error, elsewhere).chi_squared - found.chi_squared > 25
    shown = series.white_light(
        [in_time / f"{IN_TIME}_whtlt.ecsv"], [in_time / f"{IN_TIME}_x1dints.fits"]
    ).data
    assert abs(shown["depth"] - bottom(truth.light)) < 3 * shown["depth_error"]
    assert shown["scatter"] == pytest.approx(shown["expected"], rel=0.5)


@pytest.mark.parametrize("name", ["middle", "duration"])
def test_the_transit_is_when_it_was(white, name):
    curve, truth = white
    assert np.diff(curve.times) * 86400 == pytest.approx(13 * SERIES.frame_time, abs=1e-3)
    true = getattr(TRANSIT, name)
    tried = true + np.linspace(-0.15, 0.15, 61)
    chi2 = np.array(
        [
            fit_light(
                curve.flux, curve.error, mean_light(replace(TRANSIT, **{name: value}), SERIES)
            ).chi_squared
            for value in tried
        ]
    )
    near = chi2 < chi2.min() + 9  # three standard deviations of one parameter
    assert tried[near][0] <= true <= tried[near][-1]
    assert np.ptp(tried[near]) < 0.15
    length = len(curve.times) * 13 * SERIES.frame_time
    key = {"middle": "TRMIDDLE", "duration": "TRLENGTH"}[name]
    assert truth.header[key] == pytest.approx(true * length)

"""The notebook of NIRCam's slitless spectroscopy, on a simulated field, judged by its truth."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import QTable
from scipy.optimize import curve_fit

from upramp.kernel.pictures import slitless
from upramp.practice import grism, wfss_scene
from upramp.practice.archive import DEFAULT_SEED
from upramp.practice.instruments import DETECTORS
from upramp.practice.programs import PROGRAMS
from upramp.practice.setups import character_of, geometry_of, subarray_of

pytestmark = [pytest.mark.peer, pytest.mark.slow]

PROGRAM = "nircam-wfss"
DIRECT, DISPERSED = PROGRAMS[PROGRAM].exposures
FIELD = "jw99102-o001_practice-field_nircam_clear-f356w"
SPECTRA = "jw99102-o001_practice-field_nircam_f356w-grismr"
INNER = (3.2, 3.92)
"""Micrometres between which the filter keeps nearly all light."""


@pytest.fixture(scope="module")
def sources():
    geometry = geometry_of("NRCALONG")
    return wfss_scene.make_sources(DEFAULT_SEED, geometry, subarray_of(DISPERSED), DISPERSED.roll)


@pytest.fixture(scope="module")
def done(reduced, sources):
    """The notebook that was run, and the archive."""
    # What cosmic rays of the first group leave in the direct image passes for faint sources.
    steps = {"extract_2d.wfss_nbright": len(sources), "image2.resample.skip": True}
    return reduced("mode/nircam-wfss.ipynb", PROGRAM, steps=steps)


@pytest.fixture(scope="module")
def products(done):
    return done[0].folder / "nircam-wfss"


@pytest.fixture(scope="module")
def labels(products, sources):
    """Each source's label in the official catalogue, and its row there."""
    catalogue = QTable.read(products / f"{FIELD}_cat.ecsv")
    ra, dec = catalogue["sky_centroid"].ra.deg, catalogue["sky_centroid"].dec.deg
    found = []
    for source in sources:
        distance = np.hypot((ra - source.ra) * np.cos(np.radians(dec)), dec - source.dec) * 3600
        # The pointing is off by some hundredths of an arcsecond.
        assert distance.min() < 0.12
        found.append((int(catalogue["label"][distance.argmin()]), catalogue[distance.argmin()]))
    assert len({label for label, _ in found}) == len(sources)
    return found


def _spectra(file):
    """Wavelength, flux and error by source, of a product with a row for each."""
    found = {}
    with fits.open(file) as hdus:
        for row in hdus["EXTRACT1D" if "EXTRACT1D" in hdus else "COMBINE1D"].data:
            wave, flux = np.array(row["WAVELENGTH"]), np.array(row["FLUX"])
            error = np.array(row["FLUX_ERROR" if "FLUX_ERROR" in row.array.names else "ERROR"])
            good = np.isfinite(wave) & np.isfinite(flux) & (wave > INNER[0]) & (wave < INNER[1])
            order = np.argsort(wave[good])
            found[int(row["SOURCE_ID"])] = tuple(v[good][order] for v in (wave, flux, error))
    return found


@pytest.fixture(scope="module", params=["x1d", "c1d"])
def spectra(products, request, sources, labels):
    """Each source with its spectrum: wavelength (um), flux and error (Jy)."""
    name = f"{DISPERSED.root}_x1d.fits" if request.param == "x1d" else f"{SPECTRA}_c1d.fits"
    found = _spectra(products / name)
    return [(s, *found[label]) for s, (label, _) in zip(sources, labels, strict=True)]


def _away_from_lines(source, wave):
    away = np.ones(len(wave), bool)
    for line in source.lines:
        away &= np.abs(wave - line.wavelength) > 6 * line.width + 4e-3
    return away


def test_it_is_done_and_shows_its_pictures(done, products, sources):
    notebook, _ = done
    assert notebook.outcome["status"] == "done"
    # One direct image: there is nothing to align it with, nor to compare it with.
    assert {one.partition(" of ")[0] for one in notebook.outcome["warnings"]} == {
        *("tweakreg", "outlier_detection")
    }
    assert all("is alone" in one for one in notebook.outcome["warnings"])
    shown = notebook.pictures()
    assert set(shown) == {"rate", "dq", "field", "boxes", "sources"}
    assert f"with {len(sources)} boxes of {len(sources)} sources, order 1" in shown["boxes"]
    header = fits.getheader(products / f"{DISPERSED.root}_cal.fits")
    for keyword in ("S_WCS", "S_BKDSUB", "S_FLAT", "S_EXTR2D", "S_SRCTYP", "S_PHOTOM"):
        assert header[keyword] == "COMPLETE", keyword
    assert fits.getval(products / f"{DISPERSED.root}_x1d.fits", "S_EXTR1D") == "COMPLETE"
    assert fits.getval(products / f"{SPECTRA}_c1d.fits", "S_COMB1D") == "COMPLETE"
    # With one direct image, there is nothing to align or to compare it with.
    assert fits.getval(products / f"{FIELD}_i2d.fits", "S_RESAMP") == "COMPLETE"


def test_sources_of_the_direct_image_have_their_flux_and_are_points(labels, sources):
    ratios = []
    for (_, row), source in zip(labels, sources, strict=True):
        assert not row["is_extended"]
        ratios.append(row["aper_total_flux"].value / source.in_band)
    # In three groups, a cosmic ray or a flagged pixel can spoil a star for good.
    assert np.ptp(ratios) < 0.15
    assert np.median(ratios) == pytest.approx(1, abs=0.03)


def test_the_background_is_known_but_for_an_electron(products):
    """The official scale weights by errors that a low count makes small.

    The error's Poisson part grows with the measured rate by one electron over gain and
    time, which draws a weighted mean of many pixels down by just that.
    """
    from stdatamodels.jwst import datamodels

    with datamodels.open(products / f"{DISPERSED.root}_cal.fits") as model:
        scale = model.meta.background.scaling_factor
    assert 1 - 1.6 * _electron() / 0.2 < scale < 1.01


def _electron():
    """One electron in an exposure, DN/s."""
    seconds = (DISPERSED.groups - 1) * DISPERSED.group_time
    return 1 / DETECTORS["NRCALONG"].gain / seconds


@pytest.fixture(scope="module")
def stripes(done, products):
    """Scatter of what noise along rows leaves in eleven of them, DN/s per row.

    It is correlated over a row, as a spectrum is: no average along the spectrum helps.
    """
    gain = character_of("NRCALONG", DEFAULT_SEED).gain
    true = fits.getdata(done[1] / "truth" / f"{DISPERSED.root}_truth.fits", "FLUX")
    with fits.open(products / f"{DISPERSED.root}_rate.fits") as hdus:
        rest = np.where(hdus["DQ"].data == 0, hdus["SCI"].data - true / gain, np.nan)
    blocks = rest[8:2032, 600:1320].reshape(-1, 11, 720)
    means = np.nanmedian(blocks, axis=2).mean(axis=1)
    return 1.4826 * np.median(np.abs(means - np.median(means)))


def test_continua_are_right_within_a_few_per_cent(spectra, stripes, products):
    with fits.open(products / f"{DISPERSED.root}_cal.fits") as hdus:
        area = hdus["SCI", 1].header["PIXAR_SR"]
    ratios = []
    for source, wave, flux, _ in spectra:
        away = _away_from_lines(source, wave)
        assert away.sum() > 300
        ratios.append(np.median(flux[away] / source.smooth(wave[away])))
        # Jy for one DN/s in each of eleven rows.
        unit = 11 * float(grism.conversion(np.array(3.56))) * area * 1e6
        unit /= np.median(np.diff(wave)) * source.continuum
        low, high = -3 * stripes * unit, (3 * stripes + 1.6 * _electron()) * unit
        assert low - 0.02 < ratios[-1] - 1 < high + 0.02
        assert high < 0.12
    assert np.median(ratios) == pytest.approx(1, abs=0.03)


def test_boxes_lie_where_the_sources_are(done, products, labels):
    true = fits.getdata(done[1] / "truth" / f"{DISPERSED.root}_truth.fits", "SOURCES")
    rate, cal = ([products / f"{DISPERSED.root}_{kind}.fits"] for kind in ("rate", "cal"))
    boxes = slitless.boxes(rate, cal).data
    assert len(boxes) == len(true)
    for place, (label, _) in zip(true, labels, strict=True):
        ((column, row, width, height),) = boxes[str(label)]
        # This grism leaves a wavelength inside the filter where it was.
        assert column < place["x"] < column + width
        assert row < place["y"] < row + height


def test_lines_are_at_their_wavelengths_and_as_strong_as_they_were_made(spectra):
    checked = 0
    for source, wave, flux, error in spectra:
        level = np.median((flux - source.smooth(wave))[_away_from_lines(source, wave)])
        for line in source.lines:
            near = np.abs(wave - line.wavelength) < 5 * line.width
            rest = (flux - source.smooth(wave) - level)[near]
            for other in source.lines:
                if other is not line:
                    gap = (wave[near] - other.wavelength) / other.width
                    rest = rest - other.peak * np.exp(-0.5 * gap**2)
            start = line.peak, line.wavelength, line.width
            (peak, place, width), covariance = curve_fit(
                lambda w, p, c, s: p * np.exp(-0.5 * ((w - c) / s) ** 2),
                wave[near],
                rest,
                start,
                error[near],
                absolute_sigma=True,
            )
            uncertainty = np.sqrt(covariance[1, 1])
            if uncertainty > 2e-4:
                continue
            checked += 1
            # A tenth of a pixel, 1e-4 um, for where the catalogue puts the source.
            assert abs(place - line.wavelength) < 1e-4 + 4 * uncertainty, (source, line)
            # The PSF makes a line wider and lower; its light stays.
            light = peak * abs(width) / line.peak / line.width
            assert light == pytest.approx(1, abs=0.08 + 4 * np.sqrt(covariance[0, 0]) / line.peak)
    assert checked >= 8


def test_errors_are_the_scatter_of_the_continuum(spectra):
    pulls = []
    for source, wave, flux, error in spectra:
        away = _away_from_lines(source, wave)
        shape = source.smooth(wave[away])
        ratio = np.median(flux[away] / shape)
        pulls.append((flux[away] - ratio * shape) / error[away])
    pulls = np.concatenate(pulls)
    sigma = 1.4826 * np.median(np.abs(pulls - np.median(pulls)))
    assert sigma == pytest.approx(1, abs=0.12)

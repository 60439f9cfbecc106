"""The official slitless-spectroscopy pipelines on a simulated field, judged by its truth."""

import json
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import QTable
from scipy.optimize import curve_fit

from upramp.practice import environment, grism, make_archive, wfss_scene
from upramp.practice.instruments import DETECTORS
from upramp.practice.programs import PROGRAMS
from upramp.practice.setups import character_of, geometry_of, subarray_of

pytestmark = [pytest.mark.peer, pytest.mark.slow]

PROGRAM = "nircam-wfss"
DIRECT, DISPERSED = PROGRAMS[PROGRAM].exposures
INNER = (3.2, 3.92)
"""Micrometres between which the filter keeps nearly all light."""


@pytest.fixture(scope="module")
def reduced(tmp_path_factory, forget_crds):
    """The folder of the products, with the archive in it, and the archive's seed."""
    from jwst.associations.asn_from_list import asn_from_list
    from jwst.associations.lib.rules_level3_base import DMS_Level3_Base
    from jwst.pipeline import Image2Pipeline, Image3Pipeline, Spec2Pipeline, Spec3Pipeline

    from upramp.stages import calibrate

    folder = tmp_path_factory.mktemp("wfss") / "archive"
    made = make_archive(folder, [PROGRAM])
    products = folder.parent
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment(folder).items():
            if value:
                patch.setenv(name, value)
            else:
                patch.delenv(name, raising=False)
        forget_crds()
        patch.chdir(products)
        for plan in (DIRECT, DISPERSED):
            # Bit for bit the official stage 1 (other tests prove it), in a fraction of its time.
            calibrate(folder / "uncal" / f"{plan.root}_uncal.fits", output_dir=products)
        Image2Pipeline.call(
            f"{DIRECT.root}_rate.fits",
            output_dir=".",
            save_results=True,
            steps={"resample": {"skip": True}},
        )
        association = asn_from_list(
            [f"{DIRECT.root}_cal.fits"], rule=DMS_Level3_Base, product_name="direct"
        )
        Path("image3.json").write_text(association.dump()[1])
        Image3Pipeline.call("image3.json", output_dir=".", save_results=True)
        Path("spec2.json").write_text(json.dumps(_level2_association()))
        # What cosmic rays of the first group leave in the direct image passes for faint sources.
        Spec2Pipeline.call(
            "spec2.json",
            output_dir=".",
            save_results=True,
            steps={"extract_2d": {"wfss_nbright": len(_sources(made.seed))}},
        )
        association = asn_from_list(
            [f"{DISPERSED.root}_cal.fits"], rule=DMS_Level3_Base, product_name="slitless"
        )
        association["asn_type"] = "spec3"
        Path("spec3.json").write_text(association.dump()[1])
        Spec3Pipeline.call("spec3.json", output_dir=".", save_results=True)
    yield products, made.seed
    forget_crds()


def _level2_association():
    members = {
        "science": f"{DISPERSED.root}_rate.fits",
        "sourcecat": "direct_cat.ecsv",
        "segmap": "direct_segm.fits",
        "direct_image": "direct_i2d.fits",
    }
    product = {
        "name": DISPERSED.root,
        "members": [{"expname": name, "exptype": kind} for kind, name in members.items()],
    }
    return {
        "asn_type": "spec2",
        "asn_rule": "DMSLevel2bBase",
        "program": "99102",
        "asn_id": "o001",
        "target": "1",
        "asn_pool": "none",
        "products": [product],
    }


def _sources(seed):
    geometry = geometry_of("NRCALONG")
    return wfss_scene.make_sources(seed, geometry, subarray_of(DISPERSED), DISPERSED.roll)


@pytest.fixture(scope="module")
def sources(reduced):
    return _sources(reduced[1])


@pytest.fixture(scope="module")
def labels(reduced, sources):
    """Each source's label in the official catalogue, and its row there."""
    catalogue = QTable.read(reduced[0] / "direct_cat.ecsv")
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
def spectra(reduced, request, sources, labels):
    """Each source with its spectrum: wavelength (um), flux and error (Jy)."""
    name = f"{DISPERSED.root}_x1d.fits" if request.param == "x1d" else "slitless_c1d.fits"
    found = _spectra(reduced[0] / name)
    return [(s, *found[label]) for s, (label, _) in zip(sources, labels, strict=True)]


def _away_from_lines(source, wave):
    away = np.ones(len(wave), bool)
    for line in source.lines:
        away &= np.abs(wave - line.wavelength) > 6 * line.width + 4e-3
    return away


def test_every_step_of_the_mode_ran(reduced):
    header = fits.getheader(reduced[0] / f"{DISPERSED.root}_cal.fits")
    for keyword in ("S_WCS", "S_BKDSUB", "S_FLAT", "S_EXTR2D", "S_SRCTYP", "S_PHOTOM"):
        assert header[keyword] == "COMPLETE", keyword
    assert fits.getval(reduced[0] / f"{DISPERSED.root}_x1d.fits", "S_EXTR1D") == "COMPLETE"
    assert fits.getval(reduced[0] / "slitless_c1d.fits", "S_COMB1D") == "COMPLETE"
    # With one direct image, there is nothing to align or to compare it with.
    assert fits.getval(reduced[0] / "direct_i2d.fits", "S_RESAMP") == "COMPLETE"


def test_sources_of_the_direct_image_have_their_flux_and_are_points(labels, sources):
    ratios = []
    for (_, row), source in zip(labels, sources, strict=True):
        assert not row["is_extended"]
        ratios.append(row["aper_total_flux"].value / source.in_band)
    # In three groups, a cosmic ray or a flagged pixel can spoil a star for good.
    assert np.ptp(ratios) < 0.15
    assert np.median(ratios) == pytest.approx(1, abs=0.03)


def test_the_background_is_known_but_for_an_electron(reduced):
    """The official scale weights by errors that a low count makes small.

    The error's Poisson part grows with the measured rate by one electron over gain and
    time, which draws a weighted mean of many pixels down by just that.
    """
    from stdatamodels.jwst import datamodels

    with datamodels.open(reduced[0] / f"{DISPERSED.root}_cal.fits") as model:
        scale = model.meta.background.scaling_factor
    assert 1 - 1.6 * _electron() / 0.2 < scale < 1.01


def _electron():
    """One electron in an exposure, DN/s."""
    seconds = (DISPERSED.groups - 1) * DISPERSED.group_time
    return 1 / DETECTORS["NRCALONG"].gain / seconds


@pytest.fixture(scope="module")
def stripes(reduced):
    """Scatter of what noise along rows leaves in eleven of them, DN/s per row.

    It is correlated over a row, as a spectrum is: no average along the spectrum helps.
    """
    folder, seed = reduced
    gain = character_of("NRCALONG", seed).gain
    true = fits.getdata(folder / "archive" / "truth" / f"{DISPERSED.root}_truth.fits", "FLUX")
    with fits.open(folder / f"{DISPERSED.root}_rate.fits") as hdus:
        rest = np.where(hdus["DQ"].data == 0, hdus["SCI"].data - true / gain, np.nan)
    blocks = rest[8:2032, 600:1320].reshape(-1, 11, 720)
    means = np.nanmedian(blocks, axis=2).mean(axis=1)
    return 1.4826 * np.median(np.abs(means - np.median(means)))


def test_continua_are_right_within_a_few_per_cent(spectra, stripes, reduced):
    with fits.open(reduced[0] / f"{DISPERSED.root}_cal.fits") as hdus:
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

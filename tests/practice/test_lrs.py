"""The simulated low-resolution spectrometer: where light falls, and what it adds up to."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from upramp.practice import lrs, lrs_references, lrs_scene
from upramp.practice.instruments import DETECTORS
from upramp.practice.programs import PROGRAMS
from upramp.practice.setups import subarray_of
from upramp.practice.target_scene import point_at_target

SEED = 5
NODS = PROGRAMS["miri-lrs-slit"].exposures
SERIES = PROGRAMS["miri-lrs-slitless"].exposures[0]
FLIGHT = Path(__file__).parents[3] / "shared" / "data" / "refs" / "miri_flt9"


def dispersed(plan):
    subarray = subarray_of(plan)
    _, true = point_at_target(plan, subarray, SEED)
    return lrs_scene.disperse(plan, subarray, true, SEED)


@pytest.fixture(scope="module")
def nod():
    return dispersed(NODS[0])


@pytest.fixture(scope="module")
def series():
    return dispersed(replace(SERIES, integrations=9))


def test_longer_wavelengths_lie_lower_and_each_row_has_one():
    waves = lrs.wavelength(lrs.ROWS)
    assert (np.diff(waves) > 0).all()
    assert waves[0] < 4
    assert 13.8 < waves[-1] < 14.2
    assert lrs.row_of(waves) == pytest.approx(lrs.ROWS, abs=1e-9)


def test_the_slit_is_where_the_aperture_file_has_it():
    x, y = lrs.reference_pixel("MIR_LRS-FIXEDSLIT")
    assert (x, y) == pytest.approx((325.13, 299.7), abs=0.011)
    assert lrs.reference_pixel("MIR_LRS-SLITLESS") == pytest.approx((37.5, 828.0), abs=0.011)
    assert subarray_of(NODS[0]).size == (1032, 1024)
    assert subarray_of(SERIES).start == (1, 529)


def test_nods_are_on_both_sides_of_the_slit_and_in_it(nod):
    other = dispersed(NODS[1]).facts
    assert nod.facts["SLIT_X"] * other["SLIT_X"] < 0
    for facts in (nod.facts, other):
        assert 7 < abs(facts["SLIT_X"]) < 10
        assert abs(facts["SLIT_Y"]) < 0.3


def test_the_slit_takes_more_of_long_waves_and_of_a_source_off_its_middle():
    waves = np.array([5.0, 8.0, 12.0])
    middle = lrs.passes_at(SEED, (0, 0), waves)
    assert (np.diff(middle) < 0).all()
    assert ((middle > 0.6) & (middle < 0.95)).all()
    assert (lrs.passes_at(SEED, (0, 1.5), waves) < middle).all()
    # On the long edge half a source is behind the mask, and the slit is wider to its other side.
    edge = lrs.passes_at(SEED, (0, lrs.SLIT[1] / 2 / lrs.pixel_side()), waves)
    assert (edge > middle / 2).all()
    assert (edge < 0.5).all()


def test_rows_add_up_to_the_spectrum(nod):
    """Without noise: what a perfect extraction of the continuum finds."""
    x, y = lrs.reference_pixel("MIR_LRS-FIXEDSLIT")
    nothing = replace(NODS[0], target=replace(NODS[0].target, flux=0.0))
    source = nod.electrons - dispersed(nothing).electrons
    rows = np.arange(source.shape[0]) - y
    waves = lrs.wavelength(np.clip(rows, lrs.ROWS[-1], lrs.ROWS[0]))
    place = nod.facts["SLIT_X"], nod.facts["SLIT_Y"]
    expected = lrs.electrons_per_jansky(waves) * lrs.passes_at(SEED, place, waves)
    flux = source.sum(axis=1) / expected
    continuum = lrs_scene.spectrum(waves, NODS[0].target.flux, -0.8, ())
    free = (waves > 5) & (waves < 13)
    for line in lrs_scene.LINES:
        free &= np.abs(waves - line.wavelength) > 0.3
    assert free.sum() > 100
    # Wings of bright rows fall on faint ones.
    assert flux[free] / continuum[free] == pytest.approx(1, abs=0.01)
    column = np.arange(source.shape[1])
    centre = (source * column).sum(axis=1)[free] / source.sum(axis=1)[free]
    assert centre == pytest.approx(x + place[0] + lrs.trace(rows[free]), abs=0.15)


def test_sky_comes_through_the_slit_alone_but_everywhere_without_it(nod, series):
    dark = nod.electrons[:, 450:]
    assert not dark.any()
    beside = nod.electrons[200, 305:312]
    assert (beside > 0.5).all()
    assert (series.electrons > 100).all()


def test_a_transit_dims_the_source_and_not_the_sky(series):
    light = series.tables["LIGHT"]["light"]
    assert light.min() == pytest.approx(1 - series.facts["TRDEPTH"], abs=1e-3)
    assert light[0] == 1
    bright = np.unravel_index(series.electrons[0].argmax(), series.electrons[0].shape)
    sky = series.electrons[0, 10, 70]
    ratio = (series.electrons[:, bright[0], bright[1]] - sky) / (
        series.electrons[0, bright[0], bright[1]] - sky
    )
    assert ratio == pytest.approx(light, abs=1e-4)
    assert series.electrons[:, 10, 70] == pytest.approx(sky, rel=1e-3)


def test_lines_of_the_truth_are_in_its_spectrum(nod):
    table = nod.tables["SPECTRUM"]
    continuum = lrs_scene.spectrum(table["wavelength"], NODS[0].target.flux, -0.8, ())
    for line in nod.tables["LINES"]:
        near = np.abs(table["wavelength"] - line["wavelength"]) < 3 * line["width"]
        excess = (table["flux"] / continuum - 1)[near]
        peak = table["wavelength"][near][np.abs(excess).argmax()]
        assert peak == pytest.approx(line["wavelength"], abs=0.006)
        assert excess[np.abs(excess).argmax()] == pytest.approx(line["strength"], rel=0.05)


def test_an_aperture_holds_more_the_wider_it_is():
    psf = lrs.psfs_of(SEED, None)
    part = lrs_references.aperture_fraction(psf, np.array([1, 4, 8, 11, 24, 100]))
    assert (np.diff(part, axis=1) > 0).all()
    assert (np.diff(part[:, 2]) < 0).all()
    assert part[:, -1] == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("mode", ["FIXEDSLIT", "SLITLESS"])
def test_references_are_like_the_flight_ones(mode, tmp_path):
    lrs_references.make_lrs_reference(tmp_path / "w.fits", "specwcs", f"MIR_LRS-{mode}", SEED)
    with fits.open(tmp_path / "w.fits") as hdus:
        ours = hdus["WAVETABLE"].data
        assert np.array(ours["WAVELENGTH"]) == pytest.approx(lrs.wavelength(lrs.ROWS))
        assert hdus[0].header["IMX"] == pytest.approx(326.13)
        assert hdus[0].header["EXP_TYPE"] == f"MIR_LRS-{mode}"
        name = {"FIXEDSLIT": "0005", "SLITLESS": "0006"}[mode]
        if not FLIGHT.is_dir():
            pytest.skip("the flight references are not here")
        with fits.open(FLIGHT / f"jwst_miri_specwcs_{name}.fits") as flight:
            theirs = flight["WAVETABLE"].data
            assert [n.upper() for n in ours.names] == [n.upper() for n in theirs.names]
            assert np.array_equal(ours["Y_CENTER"], theirs["Y_CENTER"])
            for keyword in ("IMX", "IMY", "IMXSLTL", "IMYSLTL"):
                assert hdus[0].header[keyword] == pytest.approx(
                    flight[0].header[keyword], abs=0.02
                )


def test_sky_beside_a_source_without_slit_is_measured_on_both_sides(tmp_path):
    path = tmp_path / "e.json"
    lrs_references.make_lrs_reference(path, "extract1d", "MIR_LRS-SLITLESS", SEED)
    (aperture,) = json.loads(path.read_text())["apertures"]
    x, _ = lrs.reference_pixel("MIR_LRS-SLITLESS")
    edges = np.array(aperture["bkg_coeff"]).ravel() - x
    assert edges == pytest.approx(-edges[::-1])
    assert aperture["xstart"] + aperture["xstop"] == pytest.approx(2 * x)
    nx = subarray_of(SERIES).size[0]
    assert (edges + x).min() >= 4
    assert (edges + x).max() < nx


def test_the_profile_reference_is_centred_and_narrow_at_short_waves(tmp_path):
    path = tmp_path / "p.fits"
    lrs_references.make_lrs_reference(path, "psf", "MIR_LRS-FIXEDSLIT", SEED)
    with fits.open(path) as hdus:
        data, header = hdus["PSF"].data, hdus["PSF"].header
    place = np.arange(data.shape[1]) - header["CENTCOL"]
    assert (np.abs(place[data.argmax(axis=1)]) <= header["SUBPIX"] / 2).all()
    held = data[:, np.abs(place) < header["SUBPIX"]].sum(axis=1) / data.sum(axis=1)
    assert (np.diff(held) < 0).all()


def test_a_flat_spectrum_is_calibrated_by_the_photometry(tmp_path):
    path = tmp_path / "f.fits"
    lrs_references.make_lrs_reference(path, "photom", "MIR_LRS-SLITLESS", SEED)
    with fits.open(path) as hdus:
        (row,) = hdus["PHOTOM"].data
        area = hdus[0].header["PIXAR_SR"]
    waves, factor = row["wavelength"], row["photmjsr"] * row["relresponse"]
    rate = lrs.electrons_per_jansky(waves.astype(float)) / DETECTORS["MIRIMAGE"].gain
    assert rate * factor * area * 1e6 == pytest.approx(1, rel=1e-5)

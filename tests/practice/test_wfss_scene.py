"""Slitless spectra: where light falls, how much of it, and what is known about it."""

import numpy as np
import pytest

from upramp.practice import grism, wfss_scene
from upramp.practice.geometry import ARCSEC
from upramp.practice.optics import Psf
from upramp.practice.programs import PROGRAMS
from upramp.practice.setups import attitudes, geometry_of, subarray_of
from upramp.practice.wfss_scene import Line, Source

DIRECT, PLAN = PROGRAMS["nircam-wfss"].exposures
SUBARRAY = subarray_of(PLAN)
GEOMETRY = geometry_of("NRCALONG")
AREA = (0.063 * ARCSEC) ** 2


@pytest.fixture(scope="module")
def psf():
    """A narrow PSF, so that sums over a few rows hold all light."""
    axis = np.arange(-8 * 10, 8 * 10 + 1) / 8
    y, x = np.meshgrid(axis, axis, indexing="ij")
    return Psf(np.exp(-0.5 * (x * x + y * y) / 0.8**2))


@pytest.fixture(scope="module")
def sources():
    return wfss_scene.make_sources(5, GEOMETRY, SUBARRAY, PLAN.roll)


def _attitude(plan=PLAN, seed=5):
    return attitudes(plan, SUBARRAY, seed)[1]


def test_wavelengths_grow_along_a_trace_and_return_by_the_polynomials():
    t = np.linspace(0, 1, 50)
    for x, y in ((100, 100), (1024, 1024), (1900, 200)):
        wave = grism.wavelength(t, x, y)
        assert np.all(np.diff(wave) > 0)
        # About a nanometre per pixel.
        assert np.gradient(wave, grism.along(t)) == pytest.approx(1.003e-3, rel=0.02)
        assert np.ptp(grism.across(t, x, y)) < 6


def test_no_light_comes_through_beyond_what_is_tabulated():
    low, high = grism.TABULATED[[0, -1]]
    assert np.isinf(grism.conversion(np.array([low - 0.01, high + 0.01]))).all()
    assert grism.conversion(np.array([low, 3.6, high])).argmin() == 1
    inside = grism.conversion(np.linspace(*grism.RANGE, 50))
    assert np.all(inside < 5 * inside.min())


def test_sources_have_rows_of_their_own_and_lines_that_can_be_seen(sources):
    places = np.array(wfss_scene.places(sources, GEOMETRY, _attitude()))
    assert np.diff(places[:, 1]).min() > 100
    assert places.min() > 50
    assert places.max() < 2000
    lines = wfss_scene.line_table(sources)
    assert len(lines) >= len(sources)
    assert np.all((lines["wavelength"] > 3.2) & (lines["wavelength"] < 3.92))
    doublets = [s for s in sources if len(s.lines) == 3]
    for source in doublets:
        blue, red = source.lines[1:]
        assert red.wavelength / blue.wavelength == pytest.approx(0.500824 / 0.496030)
        assert red.peak / blue.peak == pytest.approx(1 / 0.335)


def test_a_spectrum_falls_on_its_trace_with_the_light_that_the_sensitivity_says(psf):
    (x, y) = 1500.0, 700.0
    attitude = _attitude()
    ra, dec = attitude.sky(*GEOMETRY.v2v3(np.array(x), np.array(y)))
    line = Line("a line", 3.55, 1.8e-3, 3e-3)
    source = Source(float(ra), float(dec), 1e-4, 0.0, (line,))
    image = wfss_scene.dispersed([source], psf, GEOMETRY, SUBARRAY, attitude, AREA)
    t = np.linspace(0, 1, 200_001)
    wave, column = grism.wavelength(t, x, y), x + grism.along(t)
    total = image.sum(axis=0)
    for wanted in (3.3, 3.45, 3.7, 3.85):
        at = round(float(np.interp(wanted, wave, column)))
        center = np.interp(at, column, wave)
        width = np.interp(at + 0.5, column, wave) - np.interp(at - 0.5, column, wave)
        expected = 1e-4 / AREA / 1e6 * width / grism.conversion(center)
        # The mean of five columns: sources are rendered on eighths of a pixel.
        assert total[at - 2 : at + 3].mean() == pytest.approx(expected, rel=5e-3)
        row = y + np.interp(at, column, grism.across(t, x, y))
        rows = np.arange(image.shape[0])
        assert (image[:, at] * rows).sum() / total[at] == pytest.approx(row, abs=0.08)
    # The line's centroid is where its wavelength falls.
    place = float(np.interp(line.wavelength, wave, column))
    near = np.arange(round(place) - 12, round(place) + 13)
    excess = total[near] - np.interp(near, [near[0], near[-1]], total[near[[0, -1]]])
    assert (excess * near).sum() / excess.sum() == pytest.approx(place, abs=0.02)
    light = line.peak * line.width * np.sqrt(2 * np.pi)
    expected = light / AREA / 1e6 / grism.conversion(np.array(line.wavelength))
    assert excess.sum() == pytest.approx(float(expected), rel=0.01)


def test_light_that_falls_beside_the_detector_is_left_out(psf):
    attitude = _attitude()
    ra, dec = attitude.sky(*GEOMETRY.v2v3(np.array(300.0), np.array(3.0)))
    source = Source(float(ra), float(dec), 1e-4, 0.0)
    image = wfss_scene.dispersed([source], psf, GEOMETRY, SUBARRAY, attitude, AREA)
    assert image[:20, :300].sum() > 0
    assert image[20:].max() == 0


def test_the_direct_image_holds_what_the_spectrum_holds_through_the_filter(sources):
    source = max(sources, key=lambda s: len(s.lines))
    wave = np.linspace(*grism.RANGE, 200_001)
    weight = 1 / grism.conversion(wave)
    expected = np.average(source.flux(wave), weights=weight)
    assert source.in_band == pytest.approx(expected, rel=1e-4)
    assert source.in_band > np.average(source.smooth(wave), weights=weight)


def test_one_guide_star_gives_one_error_of_pointing():
    direct, dispersed = (attitudes(plan, SUBARRAY, 5)[1] for plan in (DIRECT, PLAN))
    assert direct == dispersed
    others = attitudes(DIRECT, SUBARRAY, 6)[1]
    assert others != direct


def test_truth_tells_where_sources_are(sources):
    attitude = _attitude()
    table = wfss_scene.source_table(sources, GEOMETRY, SUBARRAY, attitude)
    x, y = GEOMETRY.pixels(*attitude.v2v3(table["ra"], table["dec"]))
    assert table["x"] == pytest.approx(x)
    assert table["y"] == pytest.approx(y)
    assert list(table["in_band"]) == [s.in_band for s in sources]

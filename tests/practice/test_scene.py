"""Sources on a detector: flux, place and orientation."""

from dataclasses import replace

import numpy as np
import pytest

from upramp.practice.geometry import Attitude
from upramp.practice.optics import make_psf
from upramp.practice.programs import PROGRAMS
from upramp.practice.scene import render
from upramp.practice.setups import geometry_of, subarray_of
from upramp.practice.sky import Galaxies, Sky, Stars

PLAN = PROGRAMS["nircam-long"].exposures[0]
GEOMETRY = geometry_of(PLAN.detector)
SUBARRAY = replace(subarray_of(PLAN), start=(301, 1201), size=(256, 240))
BANDPASS = replace(GEOMETRY.detector.filters[PLAN.filter], background=0.0)
ATTITUDE = Attitude(SUBARRAY.v2_ref, SUBARRAY.v3_ref, 80.4, -69.5, 37.0)
FLUX = 3e-5


@pytest.fixture(scope="module")
def psf():
    return make_psf(BANDPASS, 0.0629, 2)


def _column(*values):
    return np.array(values, float)


def _star(ra=None, dec=None):
    none = np.zeros(0)
    if ra is None:
        return Stars(none, none, none, none, none.astype(bool))
    return Stars(ra, dec, _column(FLUX), _column(0.0), np.array([False]))


def _galaxy(ra=None, dec=None, angle=0.0):
    none = np.zeros(0)
    if ra is None:
        return Galaxies(none, none, none, none, none, none, none)
    values = (FLUX, 0.6, 1.0, 0.4, angle)
    return Galaxies(ra, dec, *(_column(value) for value in values))


def _sky_of(x, y):
    """Right ascension and declination of a pixel of the window."""
    x, y = _column(x + SUBARRAY.start[0] - 1), _column(y + SUBARRAY.start[1] - 1)
    return ATTITUDE.sky(*GEOMETRY.v2v3(x, y))


def _areas():
    rows, columns = SUBARRAY.window
    y, x = np.mgrid[rows, columns]
    return GEOMETRY.pixel_area(x.astype(float), y.astype(float))


def _render(stars, galaxies, psf, bandpass=BANDPASS):
    return render(Sky(stars, galaxies), bandpass, psf, GEOMETRY, SUBARRAY, ATTITUDE)


def test_brightness_times_area_sums_to_the_flux_of_a_star(psf):
    scene = _render(_star(*_sky_of(128.3, 110.7)), _galaxy(), psf)
    total = (scene.brightness * _areas()).sum() * 1e6
    assert total == pytest.approx(FLUX, rel=1e-3)


def test_a_star_is_where_the_scene_says(psf):
    scene = _render(_star(*_sky_of(128.3, 110.7)), _galaxy(), psf)
    assert scene.star_index.tolist() == [0]
    assert scene.star_x[0] == pytest.approx(128.3, abs=1e-6)
    assert scene.star_y[0] == pytest.approx(110.7, abs=1e-6)
    peak_y, peak_x = np.unravel_index(scene.brightness.argmax(), scene.brightness.shape)
    assert (peak_x, peak_y) == (128, 111)


def test_a_star_at_the_edge_sheds_part_of_its_light(psf):
    scene = _render(_star(*_sky_of(-0.3, 110.0)), _galaxy(), psf)
    part = (scene.brightness * _areas()).sum() * 1e6 / FLUX
    assert 0.4 < part < 0.8
    assert len(scene.star_index) == 1


def test_a_star_outside_sheds_wings_and_is_not_listed(psf):
    scene = _render(_star(*_sky_of(-20.0, 110.0)), _galaxy(), psf)
    part = (scene.brightness * _areas()).sum() * 1e6 / FLUX
    assert 1e-4 < part < 0.1
    assert len(scene.star_index) == 0


def test_nothing_comes_from_far_away(psf):
    scene = _render(_star(*_sky_of(-300.0, 110.0)), _galaxy(), psf)
    assert not scene.brightness.any()


def test_background_is_everywhere(psf):
    scene = _render(_star(), _galaxy(), psf, replace(BANDPASS, background=0.25))
    assert scene.brightness.shape == (240, 256)
    assert (scene.brightness == np.float32(0.25)).all()


def test_flux_of_a_galaxy_is_kept(psf):
    scene = _render(_star(), _galaxy(*_sky_of(128.3, 110.7)), psf)
    total = (scene.brightness * _areas()).sum() * 1e6
    assert total == pytest.approx(FLUX, rel=1e-3)


@pytest.mark.parametrize("angle", [0.0, 30.0, 90.0, 140.0])
def test_a_galaxy_points_where_its_position_angle_says(psf, angle):
    ra, dec = _sky_of(128.0, 110.0)
    image = _render(_star(), _galaxy(ra, dec, angle), psf).brightness.astype(float)
    y, x = np.mgrid[: image.shape[0], : image.shape[1]]
    weight = image / image.sum()
    dx, dy = x - (weight * x).sum(), y - (weight * y).sum()
    xx, yy, xy = ((weight * a * b).sum() for a, b in ((dx, dx), (dy, dy), (dx, dy)))
    major = 0.5 * np.arctan2(2 * xy, xx - yy)
    # The end of the major axis on the sky, seen from the centre.
    end_ra, end_dec = _sky_of(128.0 + 10 * np.cos(major), 110.0 + 10 * np.sin(major))
    east = (end_ra - ra) * np.cos(np.radians(dec))
    found = np.degrees(np.arctan2(east, end_dec - dec))[0]
    difference = (found - angle + 90) % 180 - 90
    assert abs(difference) < 1.5

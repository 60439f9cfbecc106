"""The practice field: what is where, and how far apart."""

import numpy as np
import pytest
from scipy.spatial import KDTree

from upramp.practice.sky import CENTRE, RADIUS, make_bright_sky, make_sky


@pytest.fixture(scope="module")
def sky():
    return make_sky(11)


def _arcsec(sources):
    x = (sources.ra - CENTRE[0]) * 3600 * np.cos(np.radians(sources.dec))
    return np.stack([x, (sources.dec - CENTRE[1]) * 3600], axis=1)


def test_standards_stay_apart_from_each_other(sky):
    places = _arcsec(sky.stars)[sky.stars.standard]
    nearest = KDTree(places).query(places, k=2)[0][:, 1]
    assert len(places) > 300
    assert nearest.min() > 1.9


def test_standards_stay_clear_of_bright_stars_faint_stars_and_galaxies(sky):
    places, standard = _arcsec(sky.stars), sky.stars.standard
    bright = ~standard & (sky.stars.flux > 20e-6)
    faint = ~standard & ~bright
    tree = KDTree(places[standard])
    assert tree.query(places[bright])[0].min() > 3.2
    assert tree.query(places[faint])[0].min() > 0.6
    assert tree.query(_arcsec(sky.galaxies))[0].min() > 1.2


def test_standards_are_densest_where_telescopes_point(sky):
    distance = np.hypot(*_arcsec(sky.stars)[sky.stars.standard].T)
    inside = (distance < 20).sum() / 20**2
    outside = ((distance > 30) & (distance < RADIUS)).sum() / (RADIUS**2 - 30**2)
    assert inside > 1.3 * outside


def test_everything_lies_in_the_field(sky):
    for sources in (sky.stars, sky.galaxies):
        assert np.hypot(*_arcsec(sources).T).max() <= RADIUS + 1e-6
        assert (sources.flux > 0).all()


def test_one_bright_star_is_in_even_the_smallest_field(sky):
    bright = sky.stars.flux > 20e-6
    assert np.hypot(*(_arcsec(sky.stars)[bright] - (4.2, -3.1)).T).min() < 1e-6


def test_stars_are_bluer_than_flat(sky):
    from upramp.practice.instruments import DETECTORS

    blue = sky.stars.flux_in(DETECTORS["NRCA1"].filters["F150W"])
    red = sky.stars.flux_in(DETECTORS["MIRIMAGE"].filters["F770W"])
    slope = np.log(blue / red) / np.log(7.639 / 1.501)
    np.testing.assert_allclose(slope, sky.stars.slope, rtol=1e-9)
    assert np.median(slope) == pytest.approx(1.7, abs=0.05)


def test_faint_stars_outnumber_brighter_ones_as_the_power_law_says(sky):
    faint = ~sky.stars.standard & (sky.stars.flux < 3e-6)
    flux = sky.stars.flux[faint] * 1e6
    assert flux.min() >= 0.1
    assert flux.max() <= 2.0
    # N(> f) ~ f^-0.6 between 0.1 and 2.
    expected = (0.4**-0.6 - 2**-0.6) / (0.1**-0.6 - 2**-0.6)
    assert (flux > 0.4).mean() == pytest.approx(expected, abs=0.03)


def test_seed_decides(sky):
    again, other = make_sky(11), make_sky(12)
    np.testing.assert_array_equal(again.stars.ra, sky.stars.ra)
    np.testing.assert_array_equal(again.galaxies.angle, sky.galaxies.angle)
    assert not np.isin(other.galaxies.ra, sky.galaxies.ra).any()


def test_the_field_of_bright_standards_is_one_of_them_alone():
    sky = make_bright_sky(11)
    places, standard = _arcsec(sky.stars), sky.stars.standard
    tree = KDTree(places[standard])
    assert standard.sum() > 80
    assert tree.query(places[standard], k=2)[0][:, 1].min() > 3.0
    assert tree.query(places[~standard])[0].min() > 0.6
    assert tree.query(_arcsec(sky.galaxies))[0].min() > 1.2
    # Nothing is near a standard's light.
    assert sky.stars.flux[standard].min() > 50 * sky.stars.flux[~standard].max() * 0.99
    assert np.hypot(*places.T).max() < 31

"""The light curve of a planet that crosses a star."""

from dataclasses import replace

import numpy as np
import pytest

from upramp.practice.instruments import DETECTORS
from upramp.practice.plans import ExposurePlan
from upramp.practice.programs import PROGRAMS
from upramp.practice.setups import attitudes, geometry_of, psf_of, subarray_of
from upramp.practice.transit import TRANSIT, mean_light, star_images

PLAN: ExposurePlan = PROGRAMS["nircam-tso-imaging"].exposures[0]
EVEN = replace(TRANSIT, limb=0.0)


def _overlap(distance, radius):
    """Area that two circles, one of unit radius, share (two circular segments)."""
    if distance >= 1 + radius:
        return 0.0
    if distance <= 1 - radius:
        return np.pi * radius**2
    a = np.arccos((distance**2 + radius**2 - 1) / (2 * distance * radius))
    b = np.arccos((distance**2 + 1 - radius**2) / (2 * distance))
    return radius**2 * (a - np.sin(2 * a) / 2) + b - np.sin(2 * b) / 2


def test_an_even_disc_loses_the_area_that_the_planet_hides():
    parts = np.linspace(0, 1, 301)
    expected = [1 - _overlap(d, EVEN.radius) / np.pi for d in EVEN.distance(parts)]
    # The rings are as fine as a planet's fiftieth part.
    assert EVEN.light(parts) == pytest.approx(expected, abs=3e-5)
    assert EVEN.depth == pytest.approx(EVEN.radius**2, rel=2e-3)


def test_a_darkened_limb_makes_the_middle_deeper_and_the_rest_untouched():
    parts = np.linspace(0, 1, 301)
    light = TRANSIT.light(parts)
    outside = TRANSIT.distance(parts) >= 1 + TRANSIT.radius
    assert np.all(light[outside] == 1)
    # A small planet hides what its place shines, relative to the disc's mean.
    place = 1 - TRANSIT.limb * (1 - np.sqrt(1 - TRANSIT.impact**2))
    expected = TRANSIT.radius**2 * place / (1 - TRANSIT.limb / 3)
    assert TRANSIT.depth == pytest.approx(expected, rel=0.01)


def test_the_transit_begins_and_ends_when_it_says():
    parts = np.linspace(0, 1, 20_001)
    during = parts[TRANSIT.light(parts) < 1]
    assert during[0] == pytest.approx(TRANSIT.middle - TRANSIT.duration / 2, abs=2e-3)
    assert during[-1] == pytest.approx(TRANSIT.middle + TRANSIT.duration / 2, abs=2e-3)


def test_an_integration_sees_the_mean_of_its_own_time():
    light = mean_light(TRANSIT, PLAN)
    assert light.shape == (PLAN.integrations,)
    fine = TRANSIT.light((np.arange(64_000) + 0.5) / 64_000).reshape(PLAN.integrations, -1)
    # Without the time of the reset, one frame of forty.
    assert light == pytest.approx(fine.mean(axis=1), abs=2e-4)


def test_images_of_the_star_hold_its_flux_times_the_light_curve():
    seed = 3
    subarray, geometry = subarray_of(PLAN), geometry_of(PLAN.detector)
    bandpass = DETECTORS[PLAN.detector].filters[PLAN.filter]
    _, attitude = attitudes(PLAN, subarray, seed)
    light = np.array([1.0, 0.5])
    brightness, x, y = star_images(
        PLAN,
        2e-3,
        light,
        bandpass,
        psf_of(PLAN.detector, PLAN.filter, seed),
        geometry,
        subarray,
        attitude,
        (PLAN.target.ra, PLAN.target.dec),
    )
    assert (x, y) == pytest.approx([r - 1 for r in subarray.reference], abs=2)
    area = geometry.pixel_area(*np.array([[x], [y]]) + np.array(subarray.start)[:, None] - 1)
    flux = (brightness - bandpass.background).sum(axis=(1, 2)) * area * 1e6
    # Some of the light falls beside a window of 64 pixels.
    assert 0.9 < flux[0] / 2e-3 < 1.0
    assert flux[1] == pytest.approx(flux[0] / 2, rel=1e-3)

"""A guide star that fine guidance holds: where it is, and that its image follows."""

import numpy as np
import pytest

from upramp.practice.instruments import DETECTORS
from upramp.practice.other_scenes import wandering_star
from upramp.practice.programs import PROGRAMS
from upramp.practice.setups import psf_of

(FINE,) = PROGRAMS["fgs-fine"].exposures


@pytest.fixture(scope="module")
def star():
    bandpass = DETECTORS[FINE.detector].filters[FINE.filter]
    psf = psf_of(FINE.detector, FINE.filter, 3)
    return wandering_star(FINE, (8, 8), bandpass, psf, 3)


def test_it_stays_near_the_middle_and_moves_from_integration_to_integration(star):
    images, places = star
    assert images.shape == (FINE.integrations, 8, 8)
    for name in ("x", "y"):
        away = places[name] - 3.5
        assert 0.03 < away.std() < 0.2
        # It swings: a place tells something of the next.
        assert np.corrcoef(away[:-1], away[1:])[0, 1] > 0.4


def test_its_image_follows(star):
    images, places = star
    light = images - images.min(axis=(1, 2), keepdims=True)
    y, x = np.mgrid[:8, :8]
    for axis, name in ((x, "x"), (y, "y")):
        centroid = (light * axis).sum(axis=(1, 2)) / light.sum(axis=(1, 2))
        slope = np.polyfit(places[name], centroid, 1)[0]
        assert np.corrcoef(centroid, places[name])[0, 1] > 0.99
        # A window cuts the wings off: the centroid moves less than the star.
        assert 0.5 < slope < 1.05

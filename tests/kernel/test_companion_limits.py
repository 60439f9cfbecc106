"""How faint a companion could be seen: noise of rings, few places, companions left out."""

import numpy as np
import pytest
from scipy.stats import norm, t

from upramp.errors import UsageError
from upramp.kernel.pictures.companion_limits import companion_limits, signal_to_noise

STAR = (60.0, 55.0)
DIAMETER = 4.0


def noise(scatter=1.0, seed=1, shape=(121, 121)):
    return np.random.default_rng(seed).normal(0, scatter, shape)


def test_the_limit_is_that_of_the_noise_where_there_are_many_places():
    found = companion_limits(noise(), STAR, DIAMETER)
    y, x = np.mgrid[-3:4, -3:4]
    weights = np.clip(DIAMETER / 2 - np.hypot(x, y) + 0.5, 0, 1)
    # Between pixels, apertures are means of four, which scatter less.
    whole = np.sqrt((weights**2).sum())
    far = found.radius > 25
    assert far.sum() > 5
    expected = 5 * whole * (1 + 1 / found.places[far]) ** 0.5
    assert np.median(found.limit[far] / expected) == pytest.approx(1.05, abs=0.25)
    assert found.radius.max() <= 55
    twice = companion_limits(2 * noise(), STAR, DIAMETER)
    assert twice.limit == pytest.approx(2 * found.limit)


def test_few_places_make_it_higher():
    found = companion_limits(noise(), STAR, DIAMETER, sigma=3)
    places = found.places[0]
    assert places == int(2 * np.pi * found.radius[0] / DIAMETER) == 6
    few = t.isf(norm.sf(3), places - 1) * np.sqrt(1 + 1 / places)
    assert few > 4.5
    many = companion_limits(noise(seed=2), STAR, DIAMETER, sigma=3)
    rings = [companion_limits(noise(seed=one), STAR, DIAMETER, sigma=3) for one in range(20)]
    near = np.median([one.limit[0] for one in rings])
    assert near > 1.3 * np.median(many.limit[many.radius > 30])


def test_a_companion_does_not_hide_itself():
    image = noise()
    without = companion_limits(image, STAR, DIAMETER)
    y, x = np.indices(image.shape)
    with_it = companion_limits(
        image + 200 * np.exp(-0.5 * ((x - 90) ** 2 + (y - 55) ** 2) / 1.5**2), STAR, DIAMETER
    )
    at = np.abs(with_it.radius - 30).argmin()
    assert with_it.limit[at] < 1.3 * without.limit[at]
    assert with_it.places[at] < without.places[at]


def test_what_is_not_there_is_not_counted():
    image = noise()
    image[:, 60:] = np.nan
    half = companion_limits(image, STAR, DIAMETER)
    whole = companion_limits(noise(), STAR, DIAMETER)
    assert len(half.radius) > 5
    assert half.places[-1] < 0.65 * whole.places[-1]
    assert np.isfinite(half.limit).all()


@pytest.mark.parametrize("image", [np.full((30, 30), np.nan), np.zeros((1, 1))])
def test_an_image_of_nothing_has_no_limits(image):
    found = companion_limits(image, (0.0, 0.0), DIAMETER)
    assert len(found.radius) == len(found.limit) == len(found.places) == 0


@pytest.mark.parametrize("diameter", [0.0, -1.0, float("nan"), float("inf")])
def test_an_aperture_has_a_size(diameter):
    with pytest.raises(UsageError, match="diameter"):
        companion_limits(noise(), STAR, diameter)


def test_light_and_noise_of_a_place():
    image = noise()
    y, x = np.indices(image.shape)
    there = np.hypot(x - 80, y - 70) < 1.2
    image[there] += 30
    light, ratio = signal_to_noise(image, STAR, (80.0, 70.0), DIAMETER)
    assert light == pytest.approx(30 * there.sum(), abs=12)
    assert ratio > 20
    _, beside = signal_to_noise(image, STAR, (40.0, 40.0), DIAMETER)
    assert abs(beside) < 4


@pytest.mark.parametrize(
    ("place", "said"),
    [((60.5, 55.0), "on the star"), ((500.0, 55.0), "not on the image"), ((62.2, 55.0), "little")],
)
def test_a_place_without_a_ring_is_refused(place, said):
    with pytest.raises(UsageError, match=said):
        signal_to_noise(noise(), STAR, place, DIAMETER)

"""Pictures of wavefront sensing: the star's places, and how a pair differs from its mean."""

import numpy as np
import pytest
from image_products import image

from upramp.errors import InputError, UsageError
from upramp.kernel.pictures import wavefront

SHAPE = (70, 80)
PLACES = ((30.0, 28.0), (42.0, 34.0))


def star(x, y, seed):
    rows, columns = np.mgrid[: SHAPE[0], : SHAPE[1]]
    light = 900 * np.exp(-0.5 * ((columns - x) ** 2 + (rows - y) ** 2) / 1.5**2)
    return 3 + light + np.random.default_rng(seed).normal(0, 2, SHAPE)


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """Two exposures, and what the mean of both in the first one's place is."""
    folder = tmp_path_factory.mktemp("pair")
    images = [star(*place, seed) for seed, place in enumerate(PLACES)]
    err = np.full(SHAPE, 2.0)
    cal = [image(folder / f"jw{n}_cal.fits", one, err=err) for n, one in enumerate(images, 1)]
    mean = (images[0] + np.roll(images[1], (-6, -12), (0, 1))) / 2
    return [image(folder / "jw1-o001_wfscmb-01.fits", mean)], cal


def test_the_star_is_found_in_each(pair):
    picture = wavefront.pair(pair[1])
    assert picture.png.startswith(b"\x89PNG")
    assert np.array(picture.data["places"]) == pytest.approx(np.array(PLACES), abs=0.05)
    assert picture.text.endswith("by +11.99 columns and +6.00 rows")


def test_a_pair_differs_from_its_mean_by_its_noise(pair):
    data = wavefront.combined(*pair).data
    assert (data["x"], data["y"]) == pytest.approx(PLACES[0], abs=0.05)
    # Each differs from the mean of two by its noise over the root of two.
    assert data["pulls"] == pytest.approx([0.71, 0.71], abs=0.06)
    assert data["scatter"] == pytest.approx([2 / 2**0.5 / 900] * 2, rel=0.1)


def test_half_of_a_stars_light_is_within_its_width(pair):
    # Of a Gaussian: 1.177 sigma.
    assert wavefront.profile(*pair).data["half"] == pytest.approx(1.5 * 1.177, abs=0.25)


def test_a_move_by_half_a_pixel_too_much_stands_out(pair, tmp_path):
    moved = image(tmp_path / "jw2_cal.fits", star(42.5, 34.0, 9), err=np.full(SHAPE, 2.0))
    data = wavefront.combined(pair[0], [pair[1][0], moved]).data
    assert data["scatter"][1] > 4 * data["scatter"][0]


def test_what_is_missing_is_told(pair, tmp_path):
    with pytest.raises(UsageError, match="1 exposures and not two"):
        wavefront.pair(pair[1][:1])
    for draw in (wavefront.combined, wavefront.profile):
        with pytest.raises(UsageError):
            draw([], pair[1])
    with pytest.raises(UsageError):
        wavefront.pair([])
    nothing = image(tmp_path / "jw3_cal.fits", np.full(SHAPE, np.nan))
    with pytest.raises(InputError, match="no numbers"):
        wavefront.pair([pair[1][0], nothing])

"""Images linked by the sky: views and aligned pictures."""

import numpy as np
import pytest
from astropy.wcs import WCS
from hypothesis import given, settings
from hypothesis import strategies as st

from upramp.errors import UsageError
from upramp_widgets.core.sky_link import link
from upramp_widgets.core.sky_open import open_sky


def image(ra=0.0, dec=20.0, *, turn=0.0, scale=0.1, size=200, flip=1):
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    wcs.wcs.crval, wcs.wcs.crpix = [ra, dec], [size / 2, size / 2]
    c, s = np.cos(np.radians(turn)), np.sin(np.radians(turn))
    wcs.wcs.cd = scale / 3600 * np.array([[-flip * c, s], [flip * s, c]])
    return wcs, open_sky(wcs, shape=(size, size))


@settings(max_examples=30, deadline=None)
@given(
    dec=st.sampled_from([-90.0, 0.0, 45.0, 89.9999]),
    turn=st.floats(0, 360),
    scale=st.floats(0.03, 0.5),
    flip=st.sampled_from([-1, 1]),
)
def test_an_aligned_picture_is_made_of_the_pixels_that_see_the_same(dec, turn, scale, flip):
    wcs, here = image(dec=dec)
    other, there = image(dec=dec, turn=turn, scale=scale, flip=flip, size=150)
    xlim, ylim = (20.0, 90.0), (-30.0, 110.0)
    found = link(here, there).resampling(xlim, ylim, 70, 100)
    x = xlim[0] + (np.arange(70) + 0.5)
    y = ylim[0] + (np.arange(100) + 0.5) * 1.4
    sky = wcs.all_pix2world(np.stack(np.meshgrid(x, y), -1).reshape(-1, 2), 0)
    exact = other.all_world2pix(sky, 0).reshape(100, 70, 2)
    inside = (np.abs(exact - 74.5) < 75).all(axis=-1)
    sure = (np.abs(np.abs(exact - 74.5) - 75) > 0.1).all(axis=-1)
    assert np.array_equal(found.inside[sure], inside[sure])
    both = found.inside & inside
    assert np.abs(found.columns - exact[..., 0])[both].max(initial=0) < 0.56
    assert np.abs(found.rows - exact[..., 1])[both].max(initial=0) < 0.56


def test_a_picture_of_the_same_image_is_the_image():
    _, sky = image(size=50)
    data = np.arange(2500.0).reshape(50, 50)
    found = link(sky, sky).resampling((-0.5, 49.5), (-0.5, 49.5), 50, 50)
    assert np.array_equal(found.take(data), data)
    wider = link(sky, sky).resampling((-5.5, 49.5), (-0.5, 49.5), 55, 50).take(data)
    assert np.isnan(wider[:, :5]).all()
    assert np.array_equal(wider[:, 5:], data)
    whole = link(sky, sky).resampling((-5.5, 49.5), (-0.5, 49.5), 55, 50).take(data.astype("u2"))
    assert whole.dtype == np.uint16
    assert not whole[:, :5].any()


def test_images_of_different_parts_of_the_sky_share_nothing():
    _, here = image(ra=10)
    for place in ({"ra": 190, "dec": -20}, {"ra": 12}):
        _, there = image(**place)
        found = link(here, there).resampling((0, 100), (0, 100), 30, 30)
        assert not found.inside.any()
        assert not found.rows.any()


@pytest.mark.parametrize(("turn", "flip"), [(0.0, 1), (77.0, 1), (200.0, -1)])
def test_a_linked_view_has_the_same_middle_and_scale(turn, flip):
    wcs, here = image()
    other, there = image(turn=turn, scale=0.2, flip=flip)
    joined = link(here, there)
    xlim, ylim = joined.limits((10, 50), (40, 100))
    middle = wcs.all_pix2world([[30, 70]], 0)
    expected = other.all_world2pix(middle, 0)[0]
    assert (np.mean(xlim), np.mean(ylim)) == pytest.approx(expected, abs=0.05)
    assert xlim[1] - xlim[0] == pytest.approx(20, rel=1e-3)
    assert ylim[1] - ylim[0] == pytest.approx(30, rel=1e-3)
    corners = wcs.all_pix2world([[10, 40], [50, 40], [10, 100], [50, 100]], 0)
    expected = other.all_world2pix(corners, 0)
    (left, right), (low, high) = joined.covering((10, 50), (40, 100))
    assert (left, low) == pytest.approx(expected.min(axis=0), abs=0.05)
    assert (right, high) == pytest.approx(expected.max(axis=0), abs=0.05)
    angle, mirrored = joined.turn(30, 70)
    step = np.diff(other.all_world2pix(wcs.all_pix2world([[30, 70], [31, 70]], 0), 0), axis=0)[0]
    assert angle == pytest.approx(np.degrees(np.arctan2(step[1], step[0])), abs=0.5)
    assert mirrored == (flip == -1)


def test_a_link_there_and_back_is_where_it_began():
    _, here = image()
    _, there = image(turn=130, scale=0.07)
    x, y = np.meshgrid(np.arange(0, 200, 9.0), np.arange(0, 200, 9.0))
    back = link(there, here).pixels(*link(here, there).pixels(x, y))
    assert np.hypot(back[0] - x, back[1] - y).max() < 0.05


@pytest.mark.parametrize("size", [(0, 5), (5, -1), (100_000, 100_000)])
def test_a_picture_of_no_screen_is_refused(size):
    _, sky = image()
    with pytest.raises(UsageError, match="no size that a screen has"):
        link(sky, sky).resampling((0, 9), (0, 9), *size)

"""Pictures of guide stars: the places that are found are those where the star was."""

import numpy as np
import pytest

from upramp.dq import PIXEL
from upramp.errors import InputError, UsageError
from upramp.kernel.pictures import guiding


def write(path, images, dq=None):
    from stdatamodels.jwst import datamodels

    model = datamodels.GuiderCalModel()
    model.data = np.asarray(images, np.float32)
    if dq is not None:
        model.dq = np.asarray(dq, np.uint32)
    model.meta.instrument.name, model.meta.instrument.detector = "FGS", "GUIDER2"
    model.meta.exposure.type, model.meta.telescope = "FGS_FINEGUIDE", "JWST"
    model.meta.wcsinfo.cdelt1 = 0.07 / 3600
    model.save(path)
    model.close()
    return path


def star(shape, x, y, total=1e5, sigma=0.8):
    """A Gaussian of a width, sampled finely and summed over each pixel."""
    fine = 9
    rows = (np.arange(shape[0] * fine) + 0.5) / fine - 0.5
    columns = (np.arange(shape[1] * fine) + 0.5) / fine - 0.5
    image = np.exp(-0.5 * ((columns - x) ** 2 + (rows[:, None] - y) ** 2) / sigma**2)
    image = image.reshape(shape[0], fine, shape[1], fine).sum(axis=(1, 3))
    return total * image / image.sum()


@pytest.mark.parametrize("shape", [(8, 8), (32, 40)])
def test_a_star_is_followed_in_small_and_large_windows(tmp_path, shape):
    rng = np.random.default_rng(3)
    middle = (shape[1] - 1) / 2, (shape[0] - 1) / 2
    steps = rng.normal(0, 0.15, (12, 2))
    images = np.array([50 + star(shape, middle[0] + dx, middle[1] + dy) for dx, dy in steps])
    images += rng.normal(0, 20, images.shape)
    path = [write(tmp_path / "jw1_cal.fits", images)]
    picture = guiding.motion(path)
    assert picture.png.startswith(b"\x89PNG")
    found = np.array([picture.data["x"], picture.data["y"]]).T - middle
    assert np.abs(found - steps).max() < 0.02
    assert picture.data["rms"]["column"] == pytest.approx(steps[:, 0].std(), abs=0.01)
    assert picture.data["pixel"] == pytest.approx(70, rel=1e-5)
    mean = guiding.stack(path).data
    assert (mean["x"], mean["y"]) == pytest.approx(middle + steps.mean(axis=0), abs=0.01)
    assert mean["signal"] == pytest.approx(1e5, rel=0.03)


def test_a_bad_pixel_that_is_brighter_than_the_star_is_no_star(tmp_path):
    images = np.array([star((32, 32), 10.3, 20.6)] * 3)
    images[:, 3, 28] = 1e6
    dq = np.zeros((32, 32), np.uint32)
    dq[3, 28] = PIXEL["DO_NOT_USE"]
    data = guiding.stack([write(tmp_path / "jw1_cal.fits", images, dq)]).data
    assert (data["x"], data["y"]) == pytest.approx((10.3, 20.6), abs=0.01)


def test_an_integration_without_light_has_no_place(tmp_path):
    images = np.array([star((16, 16), 7.5, 7.5)] * 3)
    images[1] = 0
    data = guiding.motion([write(tmp_path / "jw1_cal.fits", images)]).data
    assert np.isnan(data["x"]).tolist() == [False, True, False]


@pytest.mark.parametrize("images", [np.full((2, 8, 8), np.nan), np.ones((1, 1, 1))])
def test_what_holds_no_star_has_pictures_all_the_same(tmp_path, images):
    path = [write(tmp_path / "jw1_cal.fits", images)]
    for draw in (guiding.stack, guiding.motion):
        assert draw(path).png.startswith(b"\x89PNG")


def test_what_is_missing_is_told(tmp_path):
    from astropy.io import fits

    for draw in (guiding.stack, guiding.motion):
        with pytest.raises(UsageError):
            draw([])
    path = tmp_path / "x_cal.fits"
    hdus = [fits.PrimaryHDU(), fits.ImageHDU(np.zeros((1, 2, 4, 4), np.float32), name="SCI")]
    fits.HDUList(hdus).writeto(path)
    with pytest.raises(InputError, match="no images"):
        guiding.stack([path])

"""Pictures of darks: the dark current, stripes and hot pixels that are in them."""

import numpy as np
import pytest

from upramp.dq import PIXEL
from upramp.errors import InputError, UsageError
from upramp.kernel.pictures import darks

SHAPE = (3, 6, 20, 24)
SECONDS = 10.0


def write(path, ramp, flags=None):
    from stdatamodels.jwst import datamodels

    model = datamodels.RampModel(np.asarray(ramp, np.float32))
    if flags is not None:
        model.pixeldq = flags
    model.meta.instrument.name, model.meta.instrument.detector = "NIRCAM", "NRCALONG"
    model.meta.exposure.type, model.meta.telescope = "NRC_DARK", "JWST"
    model.meta.exposure.group_time = SECONDS
    model.save(path)
    model.close()
    return path


@pytest.fixture(scope="module")
def dark(tmp_path_factory):
    """A dark of 0.05 DN/s with one hot pixel, one not to be used, a bright row, and whole DN."""
    rng = np.random.default_rng(5)
    rate = np.full(SHAPE[2:], 0.05)
    rate[7, 9] = 4.0
    rate[3] += 0.1
    times = SECONDS * np.arange(SHAPE[1])
    ramp = 100 + rate * times[:, None, None] + rng.normal(0, 1.5, SHAPE)
    flags = np.zeros(SHAPE[2:], np.uint32)
    ramp[:, :, 12, 2] = 1e5
    ramp[:, -1, 12, 2] = 9e5
    flags[12, 2] = PIXEL["DO_NOT_USE"]
    path = tmp_path_factory.mktemp("darks") / "jw1_dark.fits"
    return [write(path, np.rint(ramp), flags)]


def test_the_middle_pixel_gains_the_dark_current_also_in_whole_dn(dark):
    picture = darks.build_up(dark)
    assert picture.png.startswith(b"\x89PNG")
    assert picture.data["rate"] == pytest.approx(0.05, abs=0.008)
    middles = np.array(picture.data["middles"])
    assert middles.shape == SHAPE[:2]
    assert (middles[:, 0] == 0).all()
    assert middles[:, -1] == pytest.approx(2.5, abs=0.5)
    assert picture.text.startswith("dark jw1_dark.fits: 3 integrations of 6 groups")


def test_a_bright_row_is_in_the_scatter_of_rows(dark):
    data = darks.last_group(dark).data
    assert data["rate"] == pytest.approx(0.05, abs=0.01)
    rate = darks._read(dark).rate
    rows = darks._middle(rate, 1)
    assert rows[3] == pytest.approx(0.15, abs=0.02)
    assert data["scatter"]["rows"] == darks._scatter(rows)


def test_a_hot_pixel_is_found_and_one_not_to_be_used_is_none(dark):
    picture = darks.hot_pixels(dark)
    assert picture.data["hot"] == 1
    (hottest,) = picture.data["hottest"]
    assert (hottest["row"], hottest["column"]) == (7, 9)
    assert hottest["rate"] == pytest.approx(4.0, abs=0.1)
    assert darks.hot_pixels(dark, threshold=0.12).data["hot"] > 12
    assert darks.hot_pixels(dark, threshold=9.0).data["hot"] == 0


def test_a_dark_without_a_number_has_pictures(tmp_path):
    path = write(tmp_path / "jw1_dark.fits", np.full((1, 3, 4, 4), np.nan))
    assert np.isnan(darks.build_up([path]).data["rate"])
    assert np.isnan(darks.last_group([path]).data["rate"])
    assert darks.hot_pixels([path]).data["hot"] == 0


def test_a_dark_of_one_pixel_has_pictures(tmp_path):
    ramp = np.arange(4.0).reshape(1, 4, 1, 1)
    path = write(tmp_path / "jw1_dark.fits", ramp)
    assert darks.build_up([path]).data["rate"] == pytest.approx(0.1)
    assert darks.last_group([path]).data["rate"] == pytest.approx(0.1)
    assert darks.hot_pixels([path], threshold=0.05).data["hot"] == 1


def test_what_is_missing_is_told(tmp_path):
    for draw in (darks.build_up, darks.last_group, darks.hot_pixels):
        with pytest.raises(UsageError):
            draw([])
    short = write(tmp_path / "short_dark.fits", np.zeros((1, 1, 4, 4)))
    with pytest.raises(UsageError, match="one group"):
        darks.last_group([short])


def test_an_image_is_no_dark(tmp_path):
    from astropy.io import fits

    path = tmp_path / "x_dark.fits"
    hdus = [fits.PrimaryHDU(), fits.ImageHDU(np.zeros((4, 4), np.float32), name="SCI")]
    fits.HDUList(hdus).writeto(path)
    with pytest.raises(InputError, match="no ramp"):
        darks.build_up([path])

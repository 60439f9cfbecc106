"""Pictures of images: what their numbers say of products whose truth is known."""

import numpy as np
import pytest
from astropy.io import fits
from image_products import (
    PIXEL_ARCSEC,
    catalogue,
    image,
    mosaic,
    region_of,
    tangent,
    with_rows,
)

from upramp.dq import PIXEL
from upramp.errors import InputError, UsageError
from upramp.kernel.pictures import imaging, sky_grid

SHAPE = (24, 32)


def sky(level, seed=1, scatter=0.1):
    return level + scatter * np.random.default_rng(seed).standard_normal(SHAPE)


def is_png(picture):
    return picture.png.startswith(b"\x89PNG")


@pytest.fixture(scope="module")
def dithers(tmp_path_factory):
    """Two exposures before and after stage 3: the second moved, and with outliers."""
    folder = tmp_path_factory.mktemp("dithers")
    before, after = [], []
    for number, (east, north) in enumerate(((0.0, 0.0), (0.05, -0.12)), start=1):
        dq = np.zeros(SHAPE, np.uint32)
        dq[3, 4] = PIXEL["DO_NOT_USE"]
        data = sky(2.0 + number, number)
        data[5:7, 5:7] = 500.0
        before.append(image(folder / f"jw{number}_cal.fits", data, tangent(SHAPE), dq=dq))
        wcs = tangent(SHAPE, east=east, north=north)
        dq[10, 10 : 10 + 3 * (number - 1)] |= PIXEL["OUTLIER"] | PIXEL["DO_NOT_USE"]
        region = region_of(wcs, SHAPE)
        after.append(image(folder / f"jw{number}_o001_crf.fits", data, wcs, dq=dq, region=region))
    return before, after


def test_a_calibrated_image_tells_its_level_its_blank_pixels_and_its_scale(dithers):
    picture = imaging.calibrated(dithers[0], exposure=1)
    assert is_png(picture)
    assert picture.data["median"] == pytest.approx(4.0, abs=0.05)
    assert picture.data["blank"] == 1 / (24 * 32)
    assert picture.data["pixel"] == pytest.approx(PIXEL_ARCSEC, rel=1e-4)
    assert picture.text.startswith("jw2_cal.fits: median 3.99")
    with pytest.raises(UsageError, match="exposure 2: there is none"):
        imaging.calibrated(dithers[0], exposure=2)


def test_the_grid_has_whole_steps_also_where_right_ascension_starts_anew(dithers):
    ra_step, dec_step = imaging.calibrated(dithers[0]).data["grid"]
    # The field is 3.2 by 2.4 arcseconds: four lines or so of each.
    assert dec_step == pytest.approx(0.5)
    assert ra_step == pytest.approx(0.05 * 15 * np.cos(np.radians(30)), rel=1e-4)


@pytest.mark.parametrize(
    ("value", "step", "said"),
    [(19317.5, 0.5, "5h21m57.5s"), (0.0, 1.0, "0h00m00s"), (86399.999, 0.01, "24h00m00.00s")],
)
def test_right_ascension_is_written_in_time(value, step, said):
    assert sky_grid._in_time(value, step) == said


@pytest.mark.parametrize(
    ("value", "step", "said"),
    [
        (-250185.0, 15.0, "-69°29'45\""),
        (0.05, 0.05, "+0°00'00.05\""),
        (59.96, 0.1, "+0°01'00.0\""),
    ],
)
def test_declination_is_written_in_degrees(value, step, said):
    assert sky_grid._in_arc(value, step) == said


def test_the_sky_is_that_between_stars(dithers):
    picture = imaging.background(dithers[0])
    levels = [one["level"] for one in picture.data["sky"].values()]
    assert levels == pytest.approx([3.0, 4.0], abs=0.03)
    assert picture.data["sky"]["jw1_cal.fits"]["scatter"] == pytest.approx(0.1, rel=0.15)
    assert picture.data["spread"] == pytest.approx(1.0, abs=0.05)


def test_skies_of_different_filters_are_not_compared(tmp_path):
    paths = []
    for number, (light, level) in enumerate((("F200W", 3), ("F356W", 9), ("F356W", 9.5))):
        paths.append(image(tmp_path / f"jw{number}_cal.fits", sky(level, number)))
        fits.setval(paths[-1], "FILTER", value=light)
    picture = imaging.background(paths)
    assert picture.data["spread"] == pytest.approx(0.5, abs=0.05)
    assert "from one to another of the same filter" in picture.text
    alone = imaging.background(paths[:1])
    assert alone.text.endswith("jw0_cal.fits")


def test_a_move_on_the_sky_is_told_in_milliarcseconds(dithers):
    moves = list(imaging.alignment(*dithers).data["moves"].values())
    assert (moves[0]["east"], moves[0]["north"]) == pytest.approx((0, 0), abs=1e-3)
    assert (moves[1]["east"], moves[1]["north"]) == pytest.approx((50, -120), abs=0.1)
    assert moves[1]["turn"] == pytest.approx(0, abs=1e-3)
    assert moves[1]["pixel"] == pytest.approx(PIXEL_ARCSEC, rel=1e-4)


@pytest.mark.parametrize("status", ["FAILED", "SKIPPED"])
def test_what_stage_3_could_not_do_is_not_told_as_done(tmp_path, status):
    before, after = (
        image(tmp_path / f"jw1_{kind}.fits", sky(1.0), tangent(SHAPE), dq=np.zeros(SHAPE))
        for kind in ("cal", "crf")
    )
    text = imaging.alignment([before], [after]).text
    assert text.startswith("none of 1 exposure was moved")
    fits.setval(after, "S_TWKREG", value=status)
    fits.setval(after, "S_OUTLIR", value=status)
    picture = imaging.alignment([before], [after])
    assert picture.text.startswith("1 of 1 exposure not aligned")
    assert picture.data["not_aligned"] == ["jw1_crf.fits"]
    assert f"S_OUTLIR is {status}" in imaging.outliers([before], [after]).text


def test_a_turn_is_told(tmp_path):
    before = image(tmp_path / "jw1_cal.fits", sky(1.0), tangent(SHAPE))
    after = image(tmp_path / "jw1_crf.fits", sky(1.0), tangent(SHAPE, roll=0.5))
    (move,) = imaging.alignment([before], [after]).data["moves"].values()
    assert abs(move["turn"]) == pytest.approx(0.5, abs=1e-3)


def test_outliers_are_those_that_stage_3_added(dithers):
    picture = imaging.outliers(*dithers)
    assert list(picture.data["outliers"].values()) == [0, 3]
    assert picture.text.startswith("3 pixels of jw2_o001_crf.fits")
    assert imaging.outliers(*dithers, exposure=0).text.startswith("0 pixels of jw1_o001_crf.fits")


def test_what_stage_2_multiplied_with(tmp_path):
    slopes = sky(5.0)
    factor = np.where(np.arange(SHAPE[1]) < 16, 0.9, 1.1)[None, :] * 0.4
    rate = image(tmp_path / "jw1_rate.fits", slopes)
    cal = image(tmp_path / "jw1_cal.fits", slopes * factor)
    data = imaging.calibration([rate], [cal]).data
    assert data["factor"] == pytest.approx(0.4, rel=0.11)
    with pytest.raises(UsageError, match="before and after"):
        imaging.calibration([cal], [image(tmp_path / "jw2_cal.fits", slopes)])


@pytest.fixture(scope="module")
def resampled(tmp_path_factory, dithers):
    """A mosaic of two exposures that half of its pixels share, and its catalogue."""
    folder = tmp_path_factory.mktemp("resampled")
    shape = (28, 40)
    context = np.zeros((1, *shape), np.int32)
    context[0, :, :30] |= 1
    context[0, :, 10:] |= np.int32(-(2**31))
    context[0, :4] = 0
    errors = np.full(shape, 0.2)
    data = np.random.default_rng(4).normal(1.5, 0.1, shape)
    wcs = tangent(shape)
    single = mosaic(folder / "jw1_i2d.fits", data, errors, context, wcs)
    whole = mosaic(folder / "jw1-o001_i2d.fits", data, errors, context, wcs)
    sources = catalogue(folder / "jw1-o001_cat.ecsv", [20, 21, 22], [100, 40, 16], [0, 0, 1])
    return [with_rows(single, 1), with_rows(whole, 2)], sources, dithers[1]


def test_a_mosaic_is_told_from_single_exposures(resampled):
    i2d, sources, crf = resampled
    picture = imaging.mosaic(i2d, crf, [sources])
    assert is_png(picture)
    assert picture.text.startswith("mosaic jw1-o001_i2d.fits of 2 exposures, 40 x 28 pixels")
    assert (picture.data["sources"], picture.data["exposures"]) == (3, 2)
    assert picture.data["sky"] == pytest.approx(1.5, abs=0.02)


def test_a_mosaic_without_sources_is_drawn(resampled):
    i2d, _, crf = resampled
    picture = imaging.mosaic(i2d, crf, [])
    assert is_png(picture)
    assert picture.data["sources"] == 0


def test_coverage_counts_exposures_in_each_pixel_up_to_the_last_bit(resampled):
    picture = imaging.coverage(resampled[0])
    assert picture.data["exposures"] == {"1": 0.5, "2": 0.5}
    assert picture.data["error"] == pytest.approx(0.2)


def test_a_catalogue_tells_how_deep_it_is(resampled):
    data = imaging.catalogue([resampled[1]]).data
    assert (data["sources"], data["extended"], data["brightest"]) == (3, 1, 20.0)
    # A factor of 2.5 for each magnitude: ten times the noise half a magnitude on.
    assert data["limit"] == pytest.approx(22.5, abs=0.05)


def test_an_empty_catalogue_has_a_picture(tmp_path):
    picture = imaging.catalogue([catalogue(tmp_path / "x_cat.ecsv", [], [], [])])
    assert is_png(picture)
    assert picture.data["sources"] == 0
    assert np.isnan(picture.data["limit"])


def test_what_is_no_catalogue_is_named(tmp_path):
    path = tmp_path / "x_cat.ecsv"
    path.write_text("not one")
    with pytest.raises(InputError, match="no catalogue"):
        imaging.catalogue([path])


def test_an_image_without_a_number_has_a_picture(tmp_path):
    path = image(tmp_path / "jw1_cal.fits", np.full(SHAPE, np.nan), tangent(SHAPE))
    assert imaging.calibrated([path]).data["blank"] == 1.0
    assert is_png(imaging.background([path]))


def test_an_image_of_one_pixel_has_a_picture(tmp_path):
    path = image(tmp_path / "jw1_cal.fits", [[2.0]])
    assert imaging.calibrated([path]).data["median"] == 2.0
    assert imaging.background([path]).data["sky"]["jw1_cal.fits"]["level"] == 2.0


@pytest.mark.parametrize(
    ("draw", "lists"),
    [
        (imaging.calibrated, 1),
        (imaging.background, 1),
        (imaging.alignment, 2),
        (imaging.outliers, 2),
        (imaging.coverage, 1),
        (imaging.catalogue, 1),
        (imaging.mosaic, 3),
        (imaging.calibration, 2),
    ],
)
def test_nothing_is_told_and_not_drawn(draw, lists):
    with pytest.raises(UsageError):
        draw(*([] for _ in range(lists)))

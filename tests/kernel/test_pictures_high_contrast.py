"""Pictures of coronagraphy: directions, scatter and places are those of the files."""

import numpy as np
import pytest
from star_files import PIXEL, STERADIANS, write_star

from upramp.errors import InputError, UsageError
from upramp.kernel.pictures import high_contrast
from upramp.kernel.pictures.coronagraph_images import brightness, read_image

ROOT = "jw99001001001_02101_00001_mirimage"
SHAPE = (61, 81)
STAR = (38.0, 29.0)
ROLL = 30.0
COMPANION = (1.6, 200.0)
"""Arcseconds, and degrees east of north."""


def place_of(separation, angle, roll=ROLL):
    """Column and row of something beside the star, rows being turned by the roll."""
    turned = np.radians(angle - roll)
    return (
        STAR[0] - separation / PIXEL * np.sin(turned),
        STAR[1] + separation / PIXEL * np.cos(turned),
    )


def spot(x, y, width):
    rows, columns = np.indices(SHAPE)
    return np.exp(-0.5 * ((columns - x) ** 2 + (rows - y) ** 2) / width**2)


@pytest.fixture
def files(tmp_path):
    """A star before and after its subtraction at two rolls, references, and all together."""
    rng = np.random.default_rng(5)
    halo = 300 * spot(*STAR, 5.0)
    found = {"calints": [], "psfsub": [], "psfalign": [], "i2d": []}
    for number, roll in enumerate((ROLL, ROLL + 10), start=1):
        root = ROOT.replace("1001_02101", f"{number}001_02101")
        planet = 40 * spot(*place_of(*COMPANION, roll), 1.3)
        clean = planet + rng.normal(0, 1, (2, *SHAPE))
        clean[:, 5, 5] = np.nan
        found["calints"].append(
            write_star(tmp_path / f"{root}_calints.fits", halo + clean, star=STAR, roll=roll)
        )
        found["psfsub"].append(
            write_star(tmp_path / f"{root}_a3001_psfsub.fits", clean, star=STAR, roll=roll)
        )
    stars = np.array([2.0, 0.5, 1.0])[:, None, None] * halo + rng.normal(0, 1, (3, *SHAPE))
    root = ROOT.replace("1001_02101", "3001_02101")
    found["calints"].append(
        write_star(tmp_path / f"{root}_calints.fits", stars, star=STAR, reference=True)
    )
    first_root = found["psfsub"][0].name.partition("_a3001")[0]
    found["psfalign"].append(
        write_star(tmp_path / f"{first_root}_a3001_psfalign.fits", stars, star=STAR, roll=ROLL)
    )
    both = 40 * spot(*place_of(*COMPANION), 1.3) + rng.normal(0, 0.7, SHAPE)
    found["i2d"].append(
        write_star(tmp_path / "all_i2d.fits", both, star=STAR, roll=ROLL, combined=True)
    )
    return found


def test_a_place_beside_the_star_is_where_the_header_puts_it(files):
    image = read_image(files["psfsub"][0])
    assert image.star == pytest.approx(STAR)
    assert image.pixel == pytest.approx(PIXEL)
    assert image.north == pytest.approx(-ROLL)
    x, y = image.offset(*COMPANION)
    there = place_of(*COMPANION)
    assert (STAR[0] + x / PIXEL, STAR[1] + y / PIXEL) == pytest.approx(there)
    assert image.resolved(None) == pytest.approx(np.degrees(10.65e-6 / 6.5) * 3600)
    assert image.janskys == pytest.approx(1e6 * STERADIANS)


def test_scatter_before_and_after(files):
    picture = high_contrast.subtraction(files["calints"], files["psfsub"], half=2.0)
    assert picture.png.startswith(b"\x89PNG")
    assert len(picture.data["exposures"]) == 2
    for one in picture.data["exposures"]:
        assert one["before"] > 10 * one["after"]
        assert 1 < one["after"] < 6
    assert "2 exposures of STAR" in picture.text


def test_references_are_scaled_to_the_target(files):
    picture = high_contrast.references(files["calints"], files["psfalign"], half=2.0)
    assert picture.data["images"] == [1, 2, 3]
    assert picture.data["factors"] == pytest.approx([0.5, 2.0, 1.0], rel=0.03)
    assert max(picture.data["scatter"]) < 6


def test_rolls_tell_where_north_is_and_mark_a_candidate(files):
    picture = high_contrast.rolls(files["psfsub"], half=2.5, candidate=COMPANION)
    assert picture.data["north"] == pytest.approx([-ROLL, -ROLL - 10])
    assert picture.png != high_contrast.rolls(files["psfsub"], half=2.5).png


def test_limits_fall_with_the_star_and_rise_with_what_is_lost(files):
    picture = high_contrast.limits(files["calints"], files["psfsub"])
    before, after = (np.array(picture.data[name]) for name in ("before", "after"))
    assert np.all(np.isfinite(after))
    assert before[0] > 1.5 * after[0]
    # Noise of 1 MJy/sr a pixel and integration, apertures of 3.4 pixels.
    assert 1e6 * STERADIANS < np.median(after) < 30e6 * STERADIANS
    half = high_contrast.limits(files["calints"], files["psfsub"], part=0.5, star=1.0)
    assert half.data["after"] == pytest.approx(2 * after)


def test_a_candidate_stands_out_of_the_combined_image(files):
    picture = high_contrast.combined(files["i2d"], half=2.5, candidate=COMPANION)
    assert picture.data["ratio"] > 15
    light = 40 * 2 * np.pi * 1.3**2 * 1e6 * STERADIANS
    assert 0.4 * light < picture.data["light"] < light
    wrong = high_contrast.combined(files["i2d"], half=2.5, candidate=(1.6, 20.0))
    assert abs(wrong.data["ratio"]) < 5
    assert "ratio" not in high_contrast.combined(files["i2d"], half=2.5).data


def test_pictures_of_nothing_or_of_nowhere_are_refused(files):
    calints, psfsub = files["calints"], files["psfsub"]
    for draw in (
        lambda: high_contrast.subtraction([], psfsub),
        lambda: high_contrast.subtraction(calints, []),
        lambda: high_contrast.subtraction(calints, psfsub, half=0.0),
        lambda: high_contrast.references(calints, []),
        lambda: high_contrast.references([], files["psfalign"]),
        lambda: high_contrast.rolls([]),
        lambda: high_contrast.rolls(psfsub, candidate=(float("nan"), 1.0)),
        lambda: high_contrast.rolls(psfsub, candidate=(-1.0, 1.0)),
        lambda: high_contrast.limits(calints, []),
        lambda: high_contrast.limits(calints, psfsub, part=0.0),
        lambda: high_contrast.limits(calints, psfsub, star=-1.0),
        lambda: high_contrast.limits(calints, psfsub, wavelength=0.0),
        lambda: high_contrast.combined([]),
        lambda: high_contrast.combined(files["i2d"], candidate=(40.0, 1.0)),
    ):
        with pytest.raises(UsageError):
            draw()


def test_an_image_that_is_nowhere_on_the_sky_is_refused(tmp_path):
    path = write_star(tmp_path / f"{ROOT}_a3001_psfsub.fits", np.ones((2, 9, 9)), wcs=False)
    with pytest.raises(InputError, match="sky"):
        high_contrast.rolls([path])


def test_a_filter_without_a_wavelength_in_its_name_needs_one(tmp_path):
    cube = np.random.default_rng(1).normal(0, 1, (2, 41, 41))
    path = write_star(tmp_path / f"{ROOT}_a3001_psfsub.fits", cube, filter_name="FND")
    with pytest.raises(UsageError, match="wavelength"):
        high_contrast.limits([], [path])
    assert len(high_contrast.limits([], [path], wavelength=10.0).data["after"]) > 3


@pytest.mark.parametrize("shape", [(1, 1, 1), (2, 30, 30)])
def test_images_without_a_number_are_drawn_empty(tmp_path, shape):
    nothing = np.full(shape, np.nan)
    before = write_star(tmp_path / f"{ROOT}_calints.fits", nothing)
    after = write_star(tmp_path / f"{ROOT}_a3001_psfsub.fits", nothing)
    picture = high_contrast.subtraction([before], [after], half=1.0)
    assert np.isnan(picture.data["exposures"][0]["after"])
    assert high_contrast.rolls([after], half=1.0).png
    assert high_contrast.combined([after], half=1.0).png
    assert high_contrast.limits([before], [after]).data["after"] == []


def test_a_scale_of_brightness_is_one_for_any_image():
    for image, quiet in ((np.full((3, 3), np.nan), np.nan), (np.zeros((2, 2)), 0.0)):
        norm = brightness(image, quiet)
        assert norm.vmin < 0 < norm.vmax

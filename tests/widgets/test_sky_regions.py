"""Regions drawn, changed between pixels and the sky, and read and written as DS9 does."""

import numpy as np
import pytest
import regions as r
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.wcs import WCS

from upramp.errors import InputError, UsageError
from upramp_widgets.core.sky_open import open_sky
from upramp_widgets.core.sky_outlines import outlines
from upramp_widgets.core.sky_regions import (
    converted,
    parse_regions,
    read_regions,
    write_regions,
)

CENTRE = SkyCoord(0.0, 20.0, unit="deg")


def image(*, turn=25.0, flip=1, dec=20.0):
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    wcs.wcs.crval, wcs.wcs.crpix = [0.0, dec], [100, 100]
    c, s = np.cos(np.radians(turn)), np.sin(np.radians(turn))
    wcs.wcs.cd = 0.1 / 3600 * np.array([[-flip * c, s], [flip * s, c]])
    return wcs, open_sky(wcs, shape=(200, 200))


SKY_REGIONS = [
    r.CircleSkyRegion(CENTRE, 3 * u.arcsec),
    r.EllipseSkyRegion(CENTRE, 6 * u.arcsec, 2 * u.arcsec, 40 * u.deg),
    r.RectangleSkyRegion(CENTRE, 6 * u.arcsec, 2 * u.arcsec, 40 * u.deg),
    r.CircleAnnulusSkyRegion(CENTRE, 1 * u.arcsec, 3 * u.arcsec),
    r.EllipseAnnulusSkyRegion(
        CENTRE, 1 * u.arcsec, 3 * u.arcsec, 2 * u.arcsec, 5 * u.arcsec, 15 * u.deg
    ),
    r.RectangleAnnulusSkyRegion(
        CENTRE, 1 * u.arcsec, 3 * u.arcsec, 2 * u.arcsec, 5 * u.arcsec, 15 * u.deg
    ),
    r.PolygonSkyRegion(SkyCoord([0.0, 0.001, 359.9995], [20.0, 20.0005, 20.001], unit="deg")),
    r.LineSkyRegion(CENTRE, SkyCoord(359.999, 20.001, unit="deg")),
    r.PointSkyRegion(CENTRE),
    r.TextSkyRegion(CENTRE, "here"),
]
NAMES = [type(region).__name__ for region in SKY_REGIONS]


@pytest.mark.parametrize("region", SKY_REGIONS, ids=NAMES)
def test_outlines_on_the_sky_are_those_of_the_package(region):
    wcs, sky = image()
    drawn = outlines(region, sky)
    expected = outlines(region.to_pixel(wcs))
    assert len(drawn) == len(expected)
    for ours, theirs in zip(drawn, expected, strict=True):
        # Its circles have as many points as they need; every one is on the other curve.
        theirs_x, theirs_y = dense(theirs)
        for x, y in zip(ours.x, ours.y, strict=True):
            assert np.hypot(theirs_x - x, theirs_y - y).min() < 0.05
        assert (ours.closed, ours.text) == (theirs.closed, theirs.text)
        assert not ours.closed or (ours.x[0], ours.y[0]) == pytest.approx((ours.x[-1], ours.y[-1]))


def dense(outline):
    index = np.arange(len(outline.x))
    at = np.linspace(0, len(index) - 1, 20_000)
    return np.interp(at, index, outline.x), np.interp(at, index, outline.y)


@pytest.mark.parametrize("turn", [0.0, 100.0])
@pytest.mark.parametrize("flip", [1, -1])
def test_a_circle_on_the_sky_is_everywhere_as_far_from_its_middle(turn, flip):
    for dec in (0.0, 89.9995, -90.0):
        _, sky = image(turn=turn, flip=flip, dec=dec)
        centre = SkyCoord(0.0, dec, unit="deg")
        (drawn,) = outlines(r.CircleSkyRegion(centre, 5 * u.arcsec), sky)
        there = SkyCoord(*sky.to_sky(drawn.x, drawn.y), unit="deg")
        assert there.separation(centre).arcsec == pytest.approx(5, abs=0.003)


def test_an_angle_on_the_sky_is_on_the_sky_in_a_mirrored_image_too():
    for flip in (1, -1):
        _, sky = image(flip=flip)
        line = r.EllipseSkyRegion(CENTRE, 8 * u.arcsec, 0.01 * u.arcsec, 30 * u.deg)
        (drawn,) = outlines(line, sky)
        tip = SkyCoord(*sky.to_sky(drawn.x[0], drawn.y[0]), unit="deg")
        # From west towards north.
        assert CENTRE.position_angle(tip).deg == pytest.approx(270 + 30, abs=0.05)


@pytest.mark.parametrize("region", SKY_REGIONS, ids=NAMES)
@pytest.mark.parametrize("flip", [1, -1])
def test_to_pixels_and_back_is_the_same_region(region, flip):
    _, sky = image(flip=flip)
    back = converted(converted(region, sky, "pixel"), sky, "sky")
    assert type(back) is type(region)
    for ours, first in zip(outlines(back, sky), outlines(region, sky), strict=True):
        assert ours.x == pytest.approx(first.x, abs=0.02)
        assert ours.y == pytest.approx(first.y, abs=0.02)


@pytest.mark.parametrize("region", SKY_REGIONS, ids=NAMES)
def test_a_region_changed_to_pixels_is_where_it_is_drawn(region):
    _, sky = image(turn=70)
    for ours, first in zip(
        outlines(converted(region, sky, "pixel")), outlines(region, sky), strict=True
    ):
        x, y = dense(ours)
        for at_x, at_y in zip(first.x, first.y, strict=True):
            assert np.hypot(x - at_x, y - at_y).min() < 0.05


@pytest.mark.parametrize("frame", [None, "pixel", "sky"])
def test_files_are_read_as_they_were_written(tmp_path, frame):
    _, sky = image()
    kept = [region for region in SKY_REGIONS if not isinstance(region, r.TextSkyRegion)]
    kept[0] = r.CircleSkyRegion(CENTRE, 3 * u.arcsec, meta={"text": "a; b", "include": False})
    path = tmp_path / "all.reg"
    assert write_regions(path, kept, sky=sky, frame=frame) == []
    read = read_regions(path)
    assert read.problems == ()
    assert len(read) == len(kept)
    assert read.regions[0].meta["text"] == "a; b"
    for ours, first in zip(read.regions, kept, strict=True):
        assert ("Pixel" in type(ours).__name__) == (frame == "pixel")
        for a, b in zip(outlines(ours, sky), outlines(first, sky), strict=True):
            x, y = dense(b)
            assert max(np.hypot(x - i, y - j).min() for i, j in zip(a.x, a.y, strict=True)) < 0.05
            assert a.include == b.include


def test_pixels_of_ds9_count_from_one(tmp_path):
    path = tmp_path / "one.reg"
    write_regions(path, [r.PointPixelRegion(r.PixCoord(0, 4))])
    assert "point(1.0000000000,5.0000000000)" in path.read_text()
    assert read_regions(path).regions[0].center.x == 0


def test_what_cannot_be_read_is_said_and_the_rest_is_read():
    text = """# Region file format: DS9 version 4.1
global color=green
fk5
circle(10.5,20.1,3")
circle(10.5,oops,3") # text={bad}
ruler(1,2,3,4)
image;circle(3,4,2);circle(nan,2,3)
-box(5,6,2,2,0) # text={not; this}
circle(2,2,-3)
garbage
"""
    read = parse_regions(text)
    assert [type(region).__name__ for region in read.regions] == [
        "CircleSkyRegion",
        "CirclePixelRegion",
        "RectanglePixelRegion",
    ]
    assert [region.meta.get("text") for region in read.regions][2] == "not; this"
    assert not outlines(read.regions[2])[0].include
    assert len(read.problems) == 5
    for problem, word in zip(
        read.problems, ("oops", "ruler", "finite", "positive", "garbage"), strict=True
    ):
        assert word in problem
        assert problem.endswith(".")


@pytest.mark.parametrize(
    "text", ["", "\n\n", "#", ";;;", "global", "image", "{" * 5000, "(" * 5000]
)
def test_text_without_a_region_holds_none(text):
    assert parse_regions(text).regions == ()


def test_files_that_are_none_are_refused_in_a_sentence(tmp_path):
    with pytest.raises(InputError, match="cannot be read"):
        read_regions(tmp_path / "missing.reg")
    path = tmp_path / "binary.reg"
    path.write_bytes(b"\xff\xfe\x00\x01" * 50)
    with pytest.raises(InputError, match="no text"):
        read_regions(path)


def test_what_cannot_be_written_or_drawn_is_said(tmp_path):
    pair = SKY_REGIONS[0] & SKY_REGIONS[1]
    problems = write_regions(tmp_path / "x.reg", [pair, SKY_REGIONS[0]])
    assert len(problems) == 1
    assert "Region 1" in problems[0]
    assert len(read_regions(tmp_path / "x.reg")) == 1
    with pytest.raises(UsageError, match="cannot be drawn"):
        outlines(pair, image()[1])
    with pytest.raises(UsageError, match="no sky"):
        outlines(SKY_REGIONS[0])
    with pytest.raises(UsageError, match="no sky"):
        converted(SKY_REGIONS[0], None, "pixel")
    assert converted(SKY_REGIONS[0], None, "sky") is SKY_REGIONS[0]
    with pytest.raises(UsageError, match="'galactic'"):
        converted(SKY_REGIONS[0], image()[1], "galactic")

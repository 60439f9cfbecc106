"""Masks as regions: outlines that give back the same pixels, and regions of others."""

from __future__ import annotations

import numpy as np
import pytest
import regions as rg
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.wcs import WCS
from hypothesis import given, settings
from hypothesis import strategies as st
from regions import PixCoord
from scipy import ndimage

from upramp.dq import GROUP
from upramp.errors import InputError, UsageError
from upramp_widgets.core import mask_shapes as shapes
from upramp_widgets.core.mask import MaskModel
from upramp_widgets.core.mask_outlines import outlines
from upramp_widgets.core.mask_tags import Tags, numbers_text

SHAPE = (2, 6, 12, 15)
IMAGE = SHAPE[2:]
JUMP = GROUP["JUMP_DET"]

images = st.integers(0, 2**56 - 1).map(
    lambda bits: np.array([(bits >> place) & 1 for place in range(56)], bool).reshape(7, 8)
)


@pytest.fixture
def blank():
    return MaskModel(np.zeros(SHAPE, np.uint8))


def painted(model):
    return {
        plane: [values.tolist() for values in model.paint.painted(plane)]
        for plane in model.paint.planes()
    }


def only_plane(model):
    """The jumps of the one plane that was painted."""
    ((integration, group),) = model.paint.planes()
    return model.plane(integration, group)


# ---- outlines


@settings(deadline=None, max_examples=300)
@given(images)
def test_outlines_are_those_of_the_pieces_and_hold_their_pixels_and_no_others(image):
    labels, count = ndimage.label(image, np.ones((3, 3)))
    found = outlines(image)
    assert len(found) == count
    seen = set()
    for outline in found:
        here = shapes.polygon(image.shape, outline.vertices).image()
        number = labels[here].max(initial=0)
        np.testing.assert_array_equal(here, labels == number)
        seen.add(int(number))
        assert all(value % 1 == 0.5 for vertex in outline.vertices for value in vertex)
    assert seen == set(range(1, count + 1))


@settings(deadline=None, max_examples=50)
@given(images)
def test_outlines_hold_the_same_pixels_for_the_package_of_regions(image):
    together = np.zeros(image.shape, bool)
    for outline in outlines(image):
        polygon = rg.PolygonPixelRegion(PixCoord(*np.transpose(outline.vertices)))
        y, x = np.mgrid[: image.shape[0], : image.shape[1]]
        together |= polygon.contains(PixCoord(x, y))
    np.testing.assert_array_equal(together, image)


def test_a_ring_is_one_outline_with_a_cut():
    image = np.ones((3, 3), bool)
    image[1, 1] = False
    (outline,) = outlines(image)
    assert len(outline.vertices) == 4 + 2 + 5  # the sides, the cut's ends, the hole
    assert outline.rectangle is None


def test_a_rectangle_is_known_as_one():
    image = np.zeros((9, 9), bool)
    image[2:5, 3:8] = True
    (outline,) = outlines(image)
    assert outline.rectangle == (5, 3, 5, 3)
    assert outlines(np.zeros((9, 9), bool)) == []


# ---- there and back


layers = st.lists(
    st.tuples(
        st.tuples(st.integers(-2, 16), st.integers(-2, 13)),
        st.floats(0, 5),
        st.sampled_from([None, 0, 3, (1, 2), (1, 4, 5)]),
        st.sampled_from([None, 0, 1]),
        st.sampled_from(["JUMP_DET", "SATURATED", "DROPOUT"]),
        st.booleans(),
    ),
    max_size=6,
)


@pytest.mark.parametrize("way", ["regions", "file"])
@settings(deadline=None, max_examples=40)
@given(layers)
def test_regions_of_what_was_done_by_hand_restore_it(tmp_path_factory, way, several):
    model = MaskModel(np.zeros(SHAPE, np.uint8))
    for centre, radius, groups, integrations, bit, erase in several:
        where = {"groups": groups, "integrations": integrations, "bit": bit, "erase": erase}
        model.circle(*centre, radius, **where)
    other = MaskModel(np.zeros(SHAPE, np.uint8))
    if way == "regions":
        other.from_regions(model.to_regions())
    else:
        file = tmp_path_factory.mktemp("mask") / "m.reg"
        model.save(file)
        other.load(file)
    assert painted(other) == painted(model)


def test_regions_of_the_whole_mask_have_all_that_is_flagged():
    rng = np.random.default_rng(2)
    flags = rng.choice(np.array([0, 0, 0, 1, 2, 4, 6], np.uint8), SHAPE)
    model = MaskModel(flags)
    model.circle(5, 5, 3, erase=True)
    other = MaskModel(np.zeros(SHAPE, np.uint8))
    other.from_regions(model.to_regions("mask"))
    np.testing.assert_array_equal(other.to_groupdq(), model.to_groupdq())
    some = model.to_regions("mask", groups=(1, 2), integrations=1, bits=["SATURATED"])
    other = MaskModel(np.zeros(SHAPE, np.uint8))
    other.from_regions(some)
    expected = np.zeros(SHAPE, np.uint8)
    expected[1, 1:3] = flags[1, 1:3] & GROUP["SATURATED"]
    np.testing.assert_array_equal(other.to_groupdq(), expected)


def test_a_piece_comes_once_for_all_its_groups_with_tags(blank):
    blank.box(2, 3, 4, 5, integrations=1)
    blank.circle(8, 8, 0, groups=(0, 2, 3), integrations=0, erase=True)
    one, other = sorted(blank.to_regions(), key=lambda region: region.area)
    assert one.meta["tag"] == ["integrations=0", "groups=0,2-3", "bit=JUMP_DET", "erased"]
    assert other.meta["tag"] == ["integrations=1", "groups=1-5", "bit=JUMP_DET"]
    assert (other.center.x, other.center.y, other.width, other.height) == (3, 4, 3, 3)


def test_a_file_counts_pixels_from_1_as_ds9_does(blank, tmp_path):
    blank.box(2, 3, 4, 5, groups=1, integrations=0)
    blank.save(tmp_path / "m.reg")
    lines = (tmp_path / "m.reg").read_text().splitlines()
    assert lines[0] == "# Region file format: DS9"
    assert lines[-2] == "image"
    tags = "tag={integrations=0} tag={groups=1} tag={bit=JUMP_DET}"
    assert lines[-1] == f"box(4,5,3,3,0) # color=red {tags}"
    (region,) = rg.Regions.read(tmp_path / "m.reg", format="ds9")
    assert region.to_mask(mode="center").to_image(IMAGE).sum() == 9


# ---- regions of others


def centre(x, y):
    return PixCoord(x, y)


KINDS = {
    "circle": rg.CirclePixelRegion(centre(5, 6), 3),
    "ellipse": rg.EllipsePixelRegion(centre(6.2, 5.1), 7.3, 4.1, 30 * u.deg),
    "rectangle": rg.RectanglePixelRegion(centre(6.2, 5.1), 5, 4),
    "turned": rg.RectanglePixelRegion(centre(6.2, 5.1), 7.3, 4.1, 30 * u.deg),
    "annulus": rg.CircleAnnulusPixelRegion(centre(6.3, 5.2), 2, 4),
    "polygon": rg.PolygonPixelRegion(PixCoord([1.1, 9.3, 5.2], [2.1, 3.3, 9.4])),
    "off": rg.EllipsePixelRegion(centre(-60, 5), 7, 4),
    "partly off": rg.EllipsePixelRegion(centre(0, 5), 7.1, 4.1),
    "compound": rg.CirclePixelRegion(centre(5.1, 6.2), 3) & rg.CirclePixelRegion(centre(7, 6), 3),
}


@pytest.mark.parametrize("kind", KINDS)
def test_regions_have_the_pixels_that_their_package_says(blank, kind):
    region = KINDS[kind]
    blank.from_regions([region], groups=2, integrations=1)
    y, x = np.mgrid[: IMAGE[0], : IMAGE[1]]
    expected = region.contains(PixCoord(x, y))
    if kind == "circle":  # here the edge counts
        expected = shapes.circle(IMAGE, 5, 6, 3).image()
    np.testing.assert_array_equal(blank.plane(1, 2), expected)
    assert not blank.plane(0, 2).any()


def test_points_and_lines_have_the_pixels_under_them(blank):
    blank.from_regions([rg.PointPixelRegion(centre(3.4, 4.6))], groups=1, integrations=0)
    assert np.argwhere(only_plane(blank)).tolist() == [[5, 3]]
    blank.undo()
    blank.from_regions([rg.LinePixelRegion(centre(1, 2), centre(9, 2))], groups=1, integrations=0)
    assert np.argwhere(only_plane(blank)).tolist() == [[2, x] for x in range(1, 10)]


def test_tags_go_before_what_is_given(blank):
    region = rg.CirclePixelRegion(centre(5, 6), 0.5)
    region.meta["tag"] = ["groups=1-2", "bit=saturated", "mine"]
    blank.from_regions([region], groups=4, integrations=1, bit="JUMP_DET")
    assert blank.paint.planes() == [(1, 1), (1, 2)]
    assert blank.flags(1, 1)[6, 5] == GROUP["SATURATED"]
    assert blank.undoable == "regions"


def test_excluded_regions_take_pixels_away(blank, tmp_path):
    file = tmp_path / "m.reg"
    file.write_text("image\ncircle(8,7,4)\n-circle(8,7,2)\n")
    blank.load(file)
    ring = shapes.circle(IMAGE, 7, 6, 4) - shapes.circle(IMAGE, 7, 6, 2)
    np.testing.assert_array_equal(blank.plane(0, 1), ring.image())
    assert not blank.plane(0, 0).any()


def test_regions_on_the_sky_are_drawn_with_a_wcs(blank):
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    wcs.wcs.crval, wcs.wcs.crpix, wcs.wcs.cdelt = [10, 20], [7, 6], [-1e-4, 1e-4]
    region = rg.CircleSkyRegion(SkyCoord(10, 20, unit="deg"), 3.2e-4 * u.deg)
    with pytest.raises(UsageError, match="CircleSkyRegion is on the sky; give a wcs"):
        blank.from_regions([region])
    blank.from_regions([region], wcs=wcs, groups=1, integrations=0)
    np.testing.assert_array_equal(only_plane(blank), shapes.circle(IMAGE, 6, 5, 3.2).image())


def tagged(*tags, include=True):
    region = rg.CirclePixelRegion(centre(5, 6), 2)
    region.meta["tag"] = list(tags)
    region.meta["include"] = include
    return region


WRONG = [
    ([tagged("groups=9")], "groups: there is no 9"),
    ([tagged("groups=a")], "tag groups=a: it names no numbers"),
    ([tagged("groups=3-1")], "tag groups=3-1: it names no numbers"),
    ([tagged("groups=0-999999999")], "it names no numbers"),
    ([tagged("bit=HOT")], "bit: 'HOT' is no flag"),
    ([tagged(include=False)], "they only exclude pixels"),
    ([rg.CirclePixelRegion(centre(np.nan, 1), 2)], "nan is no such number"),
    ([rg.EllipsePixelRegion(centre(np.nan, 1), 2, 3)], "has no place"),
    ([rg.EllipsePixelRegion(centre(1, 1), np.inf, 3)], "has no place"),
    ([rg.TextPixelRegion(centre(1, 1), "a")], "a TextPixelRegion has no pixels"),
    (["circle"], "a str has no pixels"),
]


@pytest.mark.parametrize(("several", "words"), WRONG, ids=range(len(WRONG)))
def test_regions_that_cannot_be_drawn_are_refused_and_none_is_drawn(blank, several, words):
    with pytest.raises(UsageError) as caught:
        blank.from_regions([tagged("groups=1"), *several])
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
    assert blank.paint.planes() == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("image\ncircle(1,2,nan)\n", "a region cannot be drawn"),
        ("image\ncircle(1,2,3) # tag={groups=77}\n", "groups: there is no 77"),
        ('fk5\ncircle(10,20,3")\n', "is on the sky"),
        ("image\nwheel(1,2,3)\n", "its regions cannot be read"),
        ("image\ncircle(1,2)\n", "its regions cannot be read"),
        ("image\ncircle(a,b,c)\n", "its regions cannot be read"),
    ],
)
def test_a_file_of_regions_that_cannot_be_drawn_is_refused(blank, tmp_path, text, words):
    file = tmp_path / "m.reg"
    file.write_text(text)
    with pytest.raises(InputError) as caught:
        blank.load(file)
    assert str(caught.value).startswith(f"{file}: ")
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
    assert blank.paint.planes() == []


@pytest.mark.parametrize(
    ("choice", "words"),
    [
        ({"layer": "both"}, "layer: there is no 'both'"),
        ({"groups": 6}, "groups: there is no 6"),
        ({"bits": ["HOT"]}, "bit: 'HOT' is no flag"),
    ],
)
def test_regions_of_what_there_is_not(blank, choice, words):
    with pytest.raises(UsageError, match=words):
        blank.to_regions(**choice)


# ---- tags


@given(st.sets(st.integers(0, 40), min_size=1), st.booleans())
def test_tags_are_read_as_they_were_written(numbers, erased):
    tags = Tags((0,), tuple(sorted(numbers)), "SATURATED", erased)
    assert Tags.read(tags.texts()) == tags
    assert Tags.read(["groups", "Group = 3", "colour=red"]) == Tags(groups=(3,))


def test_numbers_are_written_as_ranges():
    assert numbers_text([0, 2, 3, 4, 7, 8]) == "0,2-4,7-8"

"""Shapes as pixels, compared with exact arithmetic on a grid of quarter pixels."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from upramp.errors import UsageError
from upramp_widgets.core import mask_shapes as shapes
from upramp_widgets.core.mask_pixels import Pixels

SHAPE = (13, 17)
quarters = st.integers(-16, 80)
places = st.tuples(quarters, quarters)
wholes = st.sampled_from([0, 4, 8, 12, 16, 20])


def near_segment(x, y, a, b, size):
    """Whether a point is no further from a segment; whole numbers throughout."""
    dx, dy = b[0] - a[0], b[1] - a[1]
    px, py = x - a[0], y - a[1]
    square = dx * dx + dy * dy
    along = px * dx + py * dy
    if 0 < along < square:
        return (px * dy - py * dx) ** 2 <= size * size * square
    if along > 0:
        px, py = x - b[0], y - b[1]
    return px * px + py * py <= size * size


def in_polygon(x, y, corners):
    inside = False
    for (xa, ya), (xb, yb) in zip(corners, corners[1:] + corners[:1], strict=True):
        cross = (xb - xa) * (y - ya) - (yb - ya) * (x - xa)
        within = min(xa, xb) <= x <= max(xa, xb) and min(ya, yb) <= y <= max(ya, yb)
        if cross == 0 and within:
            return True
        if (ya > y) != (yb > y) and (cross > 0) == (yb > ya):
            inside = not inside
    return inside


def drawn(truth):
    """Pixels of SHAPE where a truth about quarters of pixels holds."""
    ny, nx = SHAPE
    return np.array([[truth(4 * x, 4 * y) for x in range(nx)] for y in range(ny)])


def pixel_under(image, point):
    x, y = ((value + 2) // 4 for value in point)
    if 0 <= y < SHAPE[0] and 0 <= x < SHAPE[1]:
        image[y, x] = True


@settings(deadline=None)
@given(st.lists(places, min_size=1, max_size=5), st.integers(0, 30))
def test_a_stroke_has_the_pixels_within_its_radius(path, size):
    wide = max(size, 2)
    ends = list(itertools.pairwise(path)) or [(path[0], path[0])]
    expected = drawn(lambda x, y: any(near_segment(x, y, a, b, wide) for a, b in ends))
    for point in path:
        pixel_under(expected, point)
    found = shapes.stroke(SHAPE, np.array(path) / 4, size / 4)
    np.testing.assert_array_equal(found.image(), expected)


@settings(deadline=None)
@given(places, st.integers(0, 60))
def test_a_circle_has_the_pixels_within_its_radius(centre, size):
    expected = drawn(lambda x, y: near_segment(x, y, centre, centre, size))
    pixel_under(expected, centre)
    found = shapes.circle(SHAPE, centre[0] / 4, centre[1] / 4, size / 4)
    np.testing.assert_array_equal(found.image(), expected)


@settings(deadline=None)
@given(
    st.one_of(
        st.lists(places, min_size=3, max_size=7),
        st.lists(st.tuples(wholes, wholes), min_size=3, max_size=7),
    )
)
def test_a_polygon_has_what_lies_in_it_and_on_its_edge(corners):
    found = shapes.polygon(SHAPE, np.array(corners) / 4)
    expected = drawn(lambda x, y: in_polygon(x, y, corners))
    np.testing.assert_array_equal(found.image(), expected)


@settings(deadline=None)
@given(places, places)
def test_a_box_has_what_lies_between_its_corners(one, other):
    (x0, x1), (y0, y1) = sorted((one[0], other[0])), sorted((one[1], other[1]))
    expected = drawn(lambda x, y: x0 <= x <= x1 and y0 <= y <= y1)
    found = shapes.box(SHAPE, one[0] / 4, other[1] / 4, other[0] / 4, one[1] / 4)
    np.testing.assert_array_equal(found.image(), expected)


@pytest.mark.parametrize("radius", [0.7, 1, 2.5, 5, 7.3])
def test_a_dab_on_a_pixel_is_symmetric(radius):
    image = shapes.stroke((41, 41), [(20, 20)], radius).image()
    for same in (image[::-1], image[:, ::-1], image.T):
        np.testing.assert_array_equal(image, same)
    assert image.sum() == sum(
        dx * dx + dy * dy <= radius * radius for dx in range(-9, 10) for dy in range(-9, 10)
    )


def test_a_thin_line_has_no_gap_and_is_the_same_from_both_ends():
    forth = shapes.stroke((60, 90), [(3.2, 4.1), (80.7, 50.3)], 0).image()
    back = shapes.stroke((60, 90), [(80.7, 50.3), (3.2, 4.1)], 0).image()
    np.testing.assert_array_equal(forth, back)
    assert forth[:, 3:82].any(axis=0).all()
    assert forth.sum(axis=0).max() <= 2


def test_a_point_is_in_the_pixel_around_it():
    assert np.argwhere(shapes.point(SHAPE, 2.5, 3.49).image()).tolist() == [[3, 3]]
    assert len(shapes.point(SHAPE, -0.51, 3)) == 0


@pytest.mark.parametrize(
    "pixels",
    [
        shapes.circle(SHAPE, -100, 5, 20),
        shapes.box(SHAPE, 18, 0, 40, 10),
        shapes.polygon(SHAPE, [(-5, -5), (-1, -5), (-3, -1)]),
        shapes.stroke(SHAPE, [(0, 99), (50, 99)], 3),
    ],
    ids=["circle", "box", "polygon", "stroke"],
)
def test_what_is_off_the_image_has_no_pixels(pixels):
    assert len(pixels) == 0
    assert pixels.box is None
    assert not pixels.image().any()
    assert list(pixels.blocks()) == []


def test_a_shape_that_covers_the_image_has_all_of_it():
    for pixels in (
        shapes.circle(SHAPE, 5, 5, 1e6),
        shapes.box(SHAPE, -1e6, -1e6, 1e6, 1e6),
        shapes.polygon(SHAPE, [(-1e6, -1e6), (1e6, -1e6), (1e6, 1e6), (-1e6, 1e6)]),
        shapes.stroke(SHAPE, [(0, 0), (1, 1)], 1000),
    ):
        assert pixels.image().all()
        assert pixels.box == (0, 0, 16, 12)


def test_a_long_path_is_drawn_in_bounded_memory():
    path = np.array([(0, 0), (16, 900)] * 2000)
    pixels = shapes.stroke((900, 17), path, 1)
    np.testing.assert_array_equal(pixels.image(), shapes.stroke((900, 17), path[:2], 1).image())


WRONG = [
    lambda: shapes.stroke(SHAPE, [], 3),
    lambda: shapes.stroke(SHAPE, [(1, 2, 3)], 3),
    lambda: shapes.stroke(SHAPE, [(1, np.nan)], 3),
    lambda: shapes.stroke(SHAPE, [(1, 1e7)], 3),
    lambda: shapes.stroke(SHAPE, [(1, 1)], -1),
    lambda: shapes.stroke(SHAPE, [(1, 1)], np.inf),
    lambda: shapes.stroke(SHAPE, "path", 1),
    lambda: shapes.stroke(SHAPE, None, 1),
    lambda: shapes.circle(SHAPE, 1, 1, -2),
    lambda: shapes.circle(SHAPE, np.inf, 1, 2),
    lambda: shapes.box(SHAPE, 0, 0, np.nan, 1),
    lambda: shapes.polygon(SHAPE, [(0, 0), (1, 1)]),
    lambda: shapes.polygon((4096, 4096), [(0, 0), (1, 4095)] * 8000),
]


@pytest.mark.parametrize("draw", WRONG, ids=range(len(WRONG)))
def test_what_is_no_shape_is_refused_in_one_sentence(draw):
    with pytest.raises(UsageError) as caught:
        draw()
    assert "\n" not in str(caught.value)


images = st.integers(0, 2**35 - 1).map(
    lambda bits: np.array([(bits >> place) & 1 for place in range(35)], bool).reshape(5, 7)
)


@given(images, images)
def test_sets_of_pixels_are_united_and_subtracted(one, other):
    a, b = Pixels.of_image(one), Pixels.of_image(other)
    assert len(a) == one.sum()
    np.testing.assert_array_equal(a.image(), one)
    np.testing.assert_array_equal((a - b).image(), one & ~other)
    np.testing.assert_array_equal(Pixels.union((5, 7), [a, b]).image(), one | other)
    if one.any():
        rows, columns = np.nonzero(one)
        assert a.box[1::2] == (rows.min(), rows.max())
        assert a.box[0] <= columns.min()
        assert a.box[2] >= columns.max()


def test_positions_are_spelled_out_in_order_over_several_blocks():
    image = np.zeros((1500, 2100), bool)
    image[3:1490] = True
    image[:, 700] = False
    image[5] = False
    positions = np.concatenate(list(Pixels.of_image(image).blocks()))
    np.testing.assert_array_equal(positions, np.flatnonzero(image))

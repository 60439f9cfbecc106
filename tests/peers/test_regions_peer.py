"""Regions and ellipses against scikit-image, bit for bit."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from same_bits import assert_same_bits
from upramp.detector1.ellipses import MARK, Shapes, contains, draw, outline
from upramp.detector1.regions import find_regions

pytestmark = pytest.mark.peer


def blobs(rng, ny, nx, density):
    image = rng.random((ny, nx)) < density
    for _ in range(rng.integers(0, 4)):
        y, x = rng.integers(0, ny), rng.integers(0, nx)
        a, b, turn = rng.uniform(1, 12), rng.uniform(1, 12), rng.uniform(0, np.pi)
        r, c = np.mgrid[:ny, :nx] - np.array([y, x])[:, None, None]
        u, v = r * np.cos(turn) + c * np.sin(turn), r * np.sin(turn) - c * np.cos(turn)
        radius = np.hypot(u / a, v / b)
        image |= (radius < 1) & (radius > rng.choice([-1, 0.6]))
    return image


def check(image, area, shapes):
    from stcal.jump.jump import _sk_filter_areas

    noise = np.where(image, 4 | 64, 2).astype(np.uint8)
    expected = _sk_filter_areas(np.where(image, 4, 0).astype(np.uint8), area)
    regions = find_regions(noise, 4)
    if regions is None:
        assert not image.any()
        return
    found = regions.at_least(area)
    ellipses = []
    for index in found:
        shape = shapes(regions, index)
        centre = float(regions.columns[index]), float(regions.rows[index])
        ellipses.append((centre, (shape.minor, shape.major), shape.angle))
    assert len(ellipses) == len(expected)
    flat = [[*c, *axes, angle] for c, axes, angle in ellipses]
    assert_same_bits(flat, [[*c, *axes, angle] for c, axes, angle in expected])


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    ny=st.integers(1, 50),
    nx=st.integers(1, 67),
    density=st.sampled_from([0.0, 0.02, 0.2, 0.4, 0.6, 0.9, 1.0]),
    area=st.sampled_from([0, 1, 5, 9, 20, 90.5]),
)
def test_regions_and_their_ellipses(seed, ny, nx, density, area):
    check(blobs(np.random.default_rng(seed), ny, nx, density), area, Shapes())


def test_all_images_of_three_by_three():
    shapes = Shapes()
    for bits in range(512):
        image = np.zeros((5, 6), bool)
        image[1:4, 2:5] = [[bits >> (3 * y + x) & 1 for x in range(3)] for y in range(3)]
        check(image, 1, shapes)


def test_large_regions_and_many_that_are_remembered():
    rng = np.random.default_rng(3)
    shapes = Shapes()
    for _ in range(3):
        check(blobs(rng, 150, 170, 0.05) | (rng.random((150, 170)) < 0.45), 1, shapes)


@settings(max_examples=150, deadline=None)
@given(
    axes=st.tuples(st.floats(-8, 60), st.floats(-8, 60)),
    angle=st.sampled_from([0.0, 45.0, -45.0, 90.0, -90.0, 30.0, -1e-20, 1e-20])
    | st.floats(-90, 90),
    centre=st.tuples(st.floats(0, 30), st.floats(0, 40)),
    shape=st.tuples(st.integers(1, 31), st.integers(1, 41)),
)
def test_drawing(axes, angle, centre, shape):
    from stcal.jump.jump import ellipse_subim

    row, column = (min(c, n - 1) for c, n in zip(centre, shape, strict=True))
    angle = np.float64(angle)
    expected = np.zeros(shape, np.uint8)
    if max(round(axes[0] / 2), round(axes[1] / 2)) + 2 >= 0:  # fails otherwise
        (y0, y1, x0, x1), image = ellipse_subim(column, row, *axes, angle, 4, shape)
        expected[y0:y1, x0:x1] = image
    cube = np.zeros((1, *shape), np.uint8)
    pen = outline(*axes, angle)
    if pen is not None:
        draw(cube, (0, 1), (round(row), round(column)), pen, MARK, 4)
    assert_same_bits(cube[0], expected)


def test_points_in_ellipses_of_regions():
    from stcal.jump.jump import point_inside_ellipse

    rng = np.random.default_rng(5)
    shapes = Shapes()
    seen = set()
    for _ in range(20):
        regions = find_regions(np.uint8(4) * blobs(rng, 40, 40, 0.3), 4)
        for index in range(len(regions)):
            shape = shapes(regions, index)
            row, column = float(regions.rows[index]), float(regions.columns[index])
            ellipse = (column, row), (shape.minor, shape.major), shape.angle
            for y, x in [(row, column), *(np.round(rng.normal([row, column], 2, (4, 2)) * 2) / 2)]:
                with np.errstate(all="ignore"):
                    expected = bool(point_inside_ellipse((x, y), ellipse))
                assert contains(row, column, shape, float(y), float(x)) == expected
                seen.add(expected)
    assert seen == {True, False}

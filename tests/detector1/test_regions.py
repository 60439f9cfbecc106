"""Connected regions and their ellipses."""

from __future__ import annotations

import numpy as np
import pytest

from upramp.detector1.ellipses import MARK, MARK_UNSATURATED, draw, measure, outline
from upramp.detector1.regions import find_regions


def plane(*rows):
    return np.array([[4 if c == "#" else 0 for c in row] for row in rows], np.uint8)


def images(regions):
    return [regions.image(i).tolist() for i in range(len(regions))]


def test_no_flag_no_regions():
    assert find_regions(plane("...", "..."), 4) is None
    assert find_regions(plane("##.", "..."), 2) is None


def test_corners_touch():
    regions = find_regions(plane("#..", ".#.", "#.#"), 4)
    assert images(regions) == [[[1, 0, 0], [0, 1, 0], [1, 0, 1]]]


def test_ends_of_rows_do_not_touch():
    regions = find_regions(plane("...##", "#....", "....."), 4)
    assert images(regions) == [[[1, 1]], [[1]]]


def test_arms_that_meet_below_are_one_region():
    regions = find_regions(plane("#.#.#", "#.#.#", "#.###", "###.."), 4)
    assert len(regions) == 1
    assert regions.table[0, 0] == 13


def test_regions_come_in_the_order_of_their_first_pixels():
    regions = find_regions(plane("....#", "#....", "#.#..", "....#"), 4)
    assert regions.rows.tolist() == [0, 1.5, 2, 3]
    assert regions.columns.tolist() == [4, 0, 2, 4]


def test_pixels_flagged_before_do_not_count():
    now, before = plane("####", "####"), plane("#..#", "....")
    regions = find_regions(now, 4, before)
    assert images(regions) == [[[0, 1, 1, 0], [1, 1, 1, 1]]]


def test_more_runs_than_expected_are_all_found():
    checkers = np.zeros((256, 512), np.uint8)
    checkers[::2, ::2] = 4
    assert len(find_regions(checkers, 4)) == 128 * 256


@pytest.mark.parametrize("area", [8, 9, 10])
def test_a_hole_counts(area):
    ring = find_regions(plane(".....", ".###.", ".#.#.", ".###."), 4)
    assert ring.filled_area(0) == 9
    assert ring.at_least(area).tolist() == ([0] if area <= 9 else [])


def test_a_hole_that_is_open_at_a_corner_does_not_count():
    diamond = find_regions(plane(".#.", "#.#", ".#."), 4)
    assert diamond.filled_area(0) == 4
    broken = find_regions(plane(".####", "#...#", "#...#", "#####"), 4)
    assert broken.filled_area(0) == 13


def test_ellipse_of_a_bar():
    shape = measure(np.ones((1, 9), np.uint8))
    assert shape.minor == -1
    assert shape.major == pytest.approx(4 * np.sqrt((81 - 1) / 12) - 1)
    assert abs(shape.angle) == pytest.approx(90)


def test_drawn_circle():
    cube = np.zeros((3, 9, 9), np.uint8)
    draw(cube, (1, 3), (4, 4), outline(6, 6, np.float64(45)), MARK, 4)
    y, x = np.ogrid[:9, :9]
    inside = (y - 4) ** 2 + (x - 4) ** 2 < 8.9
    assert not cube[0].any()
    assert ((cube[1] == 4) == inside).all()
    assert (cube[2] == cube[1]).all()


def test_what_saturates_stays_free_from_there_on():
    cube = np.zeros((4, 5, 5), np.uint8)
    cube[1, 2, 2] = 2
    draw(cube, (0, 4), (2, 2), outline(4, 4, np.float64(0)), MARK_UNSATURATED, 4, 2)
    assert cube[:, 2, 2].tolist() == [4, 2, 0, 0]
    assert cube[:, 2, 1].tolist() == [4, 4, 4, 4]


def test_an_ellipse_without_width_draws_nothing():
    assert outline(0.8, 7.0, np.float64(0)) is None

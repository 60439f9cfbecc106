"""What holds for jumps by differences whatever the official package says."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_states import ramps

from upramp.detector1.two_point import REACH, TwoPoint, find_jumps, lost_groups, mark_usable

GAIN, NOISE = 2.0, 5.0
ALONE = TwoPoint(flag_4_neighbors=False)


def search(data, groupdq=None, how=ALONE, **place):
    flags = np.zeros(data.shape, np.uint8) if groupdq is None else groupdq.copy()
    ny, nx = place.pop("detector", data.shape[-2:])
    gain = np.full((ny, nx), GAIN, np.float32)
    noise2 = np.full((ny, nx), (GAIN * NOISE) ** 2, np.float32)
    found = find_jumps(data, flags, gain, noise2, 1, how, **place)
    return flags, found


def flat(shape, step=10.0):
    """Perfect ramps: every difference is the same."""
    return np.broadcast_to(
        np.arange(shape[1], dtype=np.float32)[None, :, None, None] * np.float32(step), shape
    ).copy()


@pytest.mark.parametrize("single_pass", [False, True])
@pytest.mark.parametrize("group", range(1, 8))
def test_a_jump_is_flagged_in_its_group_alone(group, single_pass):
    data = flat((2, 8, 5, 6))
    data[1, group:, 2, 3] += 400
    flags, found = search(data, how=replace(ALONE, single_pass=single_pass))
    assert np.argwhere(flags).tolist() == [[1, group, 2, 3]]
    assert flags[1, group, 2, 3] == 4
    assert found == 1


@pytest.mark.parametrize("single_pass", [False, True])
def test_two_jumps_in_one_ramp(single_pass):
    data = flat((1, 12, 1, 1))
    data[0, 3:] += 5000
    data[0, 9:] += 300
    flags, _ = search(data, how=replace(ALONE, single_pass=single_pass))
    assert np.flatnonzero(flags).tolist() == [3, 9]


@pytest.mark.parametrize("shape", [(1, 10, 3, 4), (1, 3, 1, 1), (1, 4, 1, 9), (4, 5, 9, 1)])
def test_straight_ramps_have_none(shape):
    assert search(flat(shape))[1] == 0
    assert search(flat(shape, -3.0))[1] == 0
    assert search(flat(shape, 0.0))[1] == 0


@settings(max_examples=25, deadline=None)
@given(
    low=st.floats(0.5, 20),
    factor=st.floats(1.01, 5),
    seed=st.integers(0, 100),
)
def test_a_higher_threshold_flags_fewer_in_one_pass(low, factor, seed):
    data = ramps((1, 12, 6, 8), seed, noise=9.0)
    how = replace(ALONE, single_pass=True, rejection_threshold=low)
    many, count = search(data, how=how)
    few, smaller = search(data, how=replace(how, rejection_threshold=low * factor))
    assert smaller <= count
    assert not (few & ~many).any()


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 1000), rows=st.integers(1, 8), single_pass=st.booleans())
def test_tiles_agree_with_the_whole(seed, rows, single_pass):
    data = ramps((2, 7, 8, 9), seed, noise=20.0)
    rng = np.random.default_rng(seed)
    flags = rng.choice([0, 1, 2, 4, 6], data.shape, p=[0.9, 0.025, 0.025, 0.025, 0.025])
    flags = flags.astype(np.uint8)
    how = TwoPoint(
        rejection_threshold=2.0,
        min_jump_to_flag_neighbors=2.5,
        after_jump_e1=50.0,
        after_jump_n1=1,
        single_pass=single_pass,
    )
    whole, count = search(data, flags, how)
    total = 0
    for start in range(0, 8, rows):
        end = min(start + rows, 8)
        low, high = max(start - REACH, 0), min(end + REACH, 8)
        tile, found = search(
            np.ascontiguousarray(data[:, :, low:high]),
            np.ascontiguousarray(flags[:, :, low:high]),
            how,
            detector=(8, 9),
            y0=low,
            first=start - low,
            last=end - low,
        )
        np.testing.assert_array_equal(tile[:, :, start - low : end - low], whole[:, :, start:end])
        total += found
    assert total == count


def test_rows_beyond_reach_and_the_ramp_are_left_alone():
    data = ramps((1, 8, 9, 5), noise=100.0)
    before = data.copy()
    flags, _ = search(data, how=TwoPoint(rejection_threshold=0.5), first=3, last=5)
    assert flags[:, :, 3:5].any()
    assert not flags[:, :, : 3 - REACH].any()
    assert not flags[:, :, 5 + REACH :].any()
    np.testing.assert_array_equal(data, before)


def test_neighbours_to_the_side_and_above_are_the_same_to_it():
    data = flat((1, 8, 9, 9))
    rng = np.random.default_rng(3)
    for place in rng.integers(0, 9, (6, 2)):
        data[0, 4:, *place] += 300
    how = TwoPoint(min_jump_to_flag_neighbors=5.0)
    flags, count = search(data, how=how)
    turned, same = search(np.ascontiguousarray(data.swapaxes(2, 3)), how=how)
    np.testing.assert_array_equal(turned, flags.swapaxes(2, 3))
    assert count == same


@pytest.mark.parametrize("place", [(0, 0), (0, 2), (2, 0), (2, 2), (1, 1)])
def test_neighbours_are_the_four_that_are_on_the_detector(place):
    data = flat((1, 6, 3, 3))
    data[0, 3:, *place] += 300
    flags, count = search(data, how=TwoPoint())
    y, x = place
    cross = {(y, x), (y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)}
    expected = sorted(p for p in cross if 0 <= p[0] < 3 and 0 <= p[1] < 3)
    assert [tuple(p) for p in np.argwhere(flags[0, 3])] == expected
    assert not np.delete(flags[0], 3, axis=0).any()
    assert count == 1  # before neighbours are


@pytest.mark.parametrize(("size", "seen"), [(40, False), (300, True), (1e6, False)])
def test_neighbours_of_small_and_of_very_large_jumps_are_not_flagged(size, seen):
    data = flat((1, 8, 3, 3), 1.0)
    data[0, 4:, 1, 1] += size
    how = TwoPoint(min_jump_to_flag_neighbors=10.0, max_jump_to_flag_neighbors=1000.0)
    flags, count = search(data, how=how)
    assert count == 1
    assert bool(flags[0, 4, 0, 1]) is seen


def test_a_neighbour_without_data_is_not_flagged():
    data = flat((1, 6, 3, 3))
    data[0, 3:, 1, 1] += 300
    before = np.zeros(data.shape, np.uint8)
    before[0, 3, 0, 1], before[0, 3, 2, 1] = 1, 2
    flags, _ = search(data, before, TwoPoint())
    assert flags[0, 3, 0, 1] == 1
    assert flags[0, 3, 2, 1] == 2
    assert flags[0, 3, 1, 0] == 4


@pytest.mark.parametrize("groups", [1, 3])
def test_groups_after_a_large_jump(groups):
    data = flat((1, 10, 1, 2))
    data[0, 4:, 0, 0] += 1000
    data[0, 4:, 0, 1] += 200
    how = replace(ALONE, after_jump_e1=800.0, after_jump_n1=groups)
    flags, count = search(data, how=how)
    assert np.flatnonzero(flags[0, :, 0, 0]).tolist() == list(range(4, 5 + groups))
    assert np.flatnonzero(flags[0, :, 0, 1]).tolist() == [4]
    assert count == 2


@pytest.mark.parametrize("bit", [1, 2, 3])
@pytest.mark.parametrize("single_pass", [False, True])
def test_a_group_without_data_is_no_jump_and_loses_its_flag(bit, single_pass):
    data = ramps((1, 8, 4, 4), noise=50.0)
    flags = np.full(data.shape, bit | 4, np.uint8)
    found, _ = search(data, flags, replace(TwoPoint(), single_pass=single_pass))
    assert (found == bit).all()


@pytest.mark.parametrize("single_pass", [False, True])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_disturbs_no_other_pixel(value, single_pass):
    data = ramps((1, 8, 3, 40), 2, noise=30.0)
    how = replace(ALONE, single_pass=single_pass, rejection_threshold=2.0)
    expected, _ = search(data, how=how)
    assert expected.any()
    data[0, :, 1, 20] = value
    data[0, 3, 1, 30] = value
    flags, _ = search(data, how=how)
    others = np.ones((3, 40), bool)
    others[1, [20, 30]] = False
    np.testing.assert_array_equal(flags[..., others], expected[..., others])
    assert not flags[0, :, 1, 20].any()


@pytest.mark.parametrize("ngroups", [2, 3])
def test_few_groups_need_a_threshold_of_their_own(ngroups):
    data = flat((1, ngroups, 1, 1))
    data[0, -1] += 500
    flags, _ = search(data)
    # One difference has nothing that it could differ from.
    assert flags.any() == (ngroups > 2)
    strict = replace(ALONE, three_group_rejection_threshold=1e9)
    assert not search(data, how=strict)[0].any()


def test_jumps_that_are_known_count_if_none_are_looked_for():
    data = ramps((1, 6, 3, 3), noise=1000.0)
    before = np.zeros(data.shape, np.uint8)
    before[0, 2, 1, 1] = 4
    flags, count = search(data, before, replace(ALONE, search=False))
    np.testing.assert_array_equal(flags, before)
    assert count == 1


@pytest.mark.parametrize("nx", [1, 15, 16, 17, 255, 256, 257, 600])
def test_width_of_a_block_makes_no_difference(nx):
    data = ramps((1, 9, 2, nx), 4, noise=30.0)
    how = replace(ALONE, rejection_threshold=2.0)
    flags, _ = search(data, how=how)
    for x in (0, nx // 2, nx - 1):
        alone, _ = search(np.ascontiguousarray(data[..., x : x + 1]), how=how)
        np.testing.assert_array_equal(alone[..., 0], flags[..., x])


def test_groups_that_any_pixel_can_use():
    flags = np.ones((2, 4, 5, 6), np.uint8)
    flags[0, 1, 4, 5] = 2
    flags[1, :, 0, 0] = 0
    usable = np.zeros((2, 4), bool)
    mark_usable(flags, usable, 1, 5)
    assert usable.tolist() == [[False, True, False, False], [False] * 4]
    mark_usable(flags, usable, 0, 1)  # what was seen before stays
    assert usable.tolist() == [[False, True, False, False], [True] * 4]
    assert lost_groups(usable) == 3
    assert lost_groups(np.zeros((0, 4), bool)) == 0

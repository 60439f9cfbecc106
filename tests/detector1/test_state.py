"""What waits is done once, in order, and only when something needs it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_states import ramps, state_of

from upramp.detector1.state import TileCall


def add(value):
    def step(tile):
        tile.ramp[:, :, tile.first : tile.last] += value

    return step


def double(tile):
    tile.ramp[:, :, tile.first : tile.last] *= 2


def lift(tile):
    """Add the row below, and flag what is then large."""
    above = tile.ramp[:, :, max(tile.first - 1, 0) : tile.last - 1].copy()
    tile.ramp[:, :, tile.last - above.shape[2] : tile.last] += above
    rows = slice(tile.first, tile.last)
    tile.groupdq[:, :, rows] |= np.where(tile.ramp[:, :, rows] > 100, 2, 0).astype(np.uint8)


def lifted(data):
    found = data.copy()
    found[:, :, 1:] += data[:, :, :-1]
    return found, np.where(found > 100, 2, 0).astype(np.uint8)


SHAPES = [(2, 4, 30, 5), (1, 3, 1, 6), (1, 3, 6, 1), (1, 1, 1, 1)]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("threads", [1, 3])
def test_a_pass_does_what_waits_in_order_and_changes_nothing(shape, threads):
    data = ramps(shape)
    state = state_of(data.copy(), threads=threads)
    state.through(add(1))
    state.through(double)
    state.through(lift, 1)
    expected = lifted((data + 1) * 2)
    for _ in range(2):
        found = state.run(keep=True)
        for one, two in zip(found, expected, strict=True):
            np.testing.assert_array_equal(one, two)
    assert len(state.chain) == 3
    assert state.data is None
    assert state.run(TileCall(double)) is None


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("threads", [1, 3])
def test_settled_is_in_memory_with_nothing_waiting(shape, threads):
    data = ramps(shape)
    state = state_of(data.copy(), threads=threads)
    state.through(add(1))
    state.through(lift, 1)
    expected, flags = lifted(data + 1)
    for _ in range(2):
        found, groupdq = state.settle()
        np.testing.assert_array_equal(found, expected)
        np.testing.assert_array_equal(groupdq, flags)
        assert state.chain == []
    # Pixel by pixel it goes on in the same memory; with neighbours it cannot.
    state.through(double)
    again, _ = state.settle()
    assert again is found
    np.testing.assert_array_equal(again, 2 * expected)
    state.through(lift, 1)
    np.testing.assert_array_equal(state.settle()[0], lifted(2 * expected)[0])


def test_flags_of_the_file_are_where_it_starts():
    data = ramps((1, 3, 9, 4))
    flags = np.random.default_rng(1).integers(0, 256, data.shape, dtype=np.uint8)
    found = state_of(data, flags).settle()[1]
    np.testing.assert_array_equal(found, flags)


def test_a_pass_that_only_flags_does_not_copy_what_is_in_memory():
    data = ramps((1, 4, 12, 3))
    state = state_of(data.copy())
    before, flags = state.settle()

    def flag(tile):
        tile.groupdq[:, :, tile.first : tile.last] |= 4

    found, groupdq = state.run(TileCall(flag), keep=True)
    assert found is before
    assert groupdq.min() == 4
    assert flags.max() == 0


@settings(max_examples=30, deadline=None)
@given(
    places=st.lists(st.integers(0, 12 * 7 - 1), max_size=40),
    threads=st.integers(1, 3),
    seed=st.integers(0, 3),
)
def test_collected_pixels_are_those_of_the_whole(places, threads, seed):
    data = ramps((2, 3, 12, 7), seed)
    state = state_of(data, threads=threads)
    state.through(add(3))
    state.through(lift, 1)
    whole = lifted(data + 3)[0].reshape(2, 3, -1)
    places = np.array(places, np.int64)
    np.testing.assert_array_equal(state.collect(places), whole[:, :, places])
    assert len(state.chain) == 2


@pytest.mark.parametrize("ny", [1, 2, 7, 8, 9, 40])
def test_usable_groups_are_guessed_from_the_middle_and_known_in_memory(ny):
    flags = np.zeros((2, 5, ny, 3), np.uint8)
    flags[0, 1] = 1
    flags[1, 4] = 33
    flags[1, 0] = 254  # everything but DO_NOT_USE
    state = state_of(ramps(flags.shape), flags)
    expected = (flags & 1 == 0).any(axis=(2, 3))
    np.testing.assert_array_equal(state.usable_groups(), expected)
    state.settle()
    np.testing.assert_array_equal(state.usable_groups(), expected)


def test_a_guess_sees_what_waits_and_its_neighbours():
    data = np.zeros((1, 3, 40, 3), np.float32)
    data[0, 1] = 60  # too large only together with the row below

    def flag(tile):
        lift(tile)
        groupdq = tile.groupdq[:, :, tile.first : tile.last]
        groupdq |= (tile.ramp[:, :, tile.first : tile.last] > 100).astype(np.uint8)

    state = state_of(data)
    state.through(flag, 1)
    np.testing.assert_array_equal(state.usable_groups(), [[True, False, True]])


def test_replaced_arrays_are_where_it_goes_on():
    state = state_of(ramps((2, 6, 8, 4)))
    state.through(double)
    smaller = ramps((1, 4, 5, 3), 9)
    flags = np.full(smaller.shape, 4, np.uint8)
    state.replace(smaller, flags)
    assert state.frame.shape == (1, 4, 5, 3)
    assert state.pixeldq.shape == (8, 4)
    state.replace(smaller, flags, np.full((5, 3), 7, np.uint32))
    assert state.pixeldq.max() == 7
    found, groupdq = state.run(TileCall(add(0)), keep=True)
    np.testing.assert_array_equal(found, smaller)
    np.testing.assert_array_equal(groupdq, flags)


def test_pixel_flags_are_added_in_place():
    state = state_of(ramps((1, 2, 3, 4)))
    pixeldq = state.pixeldq
    pixeldq[0, 0] = 2
    state.flag_pixels(None)
    state.flag_pixels(np.full((3, 4), 1 << 31, np.uint32))
    assert state.pixeldq is pixeldq
    assert pixeldq[0, 0] == (1 << 31) + 2
    assert pixeldq[2, 3] == 1 << 31


def test_status_and_notes():
    state = state_of(ramps((1, 2, 3, 4)))
    state.complete("dq_init")
    state.skip("ipc", "no reference")
    state.skip("jump")
    assert state.status == {"dq_init": "COMPLETE", "ipc": "SKIPPED", "jump": "SKIPPED"}
    assert state.notes == ["ipc is skipped: no reference"]


@pytest.mark.parametrize("says", [True, False])
def test_zero_frame_is_corrected_if_the_header_has_it(says):
    state = state_of(ramps((1, 2, 3, 4)), zero_frame=says)
    assert state.corrected_zeroframe is None
    state.zeroframe = np.ones((1, 3, 4), np.float32)
    assert (state.corrected_zeroframe is state.zeroframe) is says


def test_shares_of_a_pass_are_told():
    told = []
    state = state_of(ramps((1, 2, 33, 4)), threads=2)
    state.done = told.append
    state.run()
    assert sum(told) == pytest.approx(1)
    state.collect(np.array([3]))  # a small matter, and no pass
    assert sum(told) == pytest.approx(1)

"""Tiles of any height, in any number of threads, give what the whole frame gives."""

from __future__ import annotations

import os
import signal
import threading
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from upramp.detector1.tiles import Frame, Tile, array_source, in_rows, run_tiles, tile_rows


@dataclass
class Smear:
    """Adds the rows within reach, each with a weight of its own, and flags odd sums."""

    reach: int

    def __call__(self, tile):
        before = tile.ramp.copy()
        rows = before.shape[2]
        for row in range(tile.first, tile.last):
            for offset in range(-self.reach, self.reach + 1):
                if 0 <= row + offset < rows and offset:
                    tile.ramp[:, :, row] += np.float32(2.0**offset) * before[:, :, row + offset]
            tile.groupdq[:, :, row] ^= (tile.ramp[:, :, row].view(np.uint32) & 255).astype(
                np.uint8
            )


@dataclass
class Store:
    """Keeps what comes out, and counts how often each row did."""

    ramp: np.ndarray
    groupdq: np.ndarray
    reach: int = 0

    @classmethod
    def of(cls, frame):
        return cls(np.full(frame.shape, np.nan, np.float32), np.zeros(frame.shape, np.uint8))

    def __post_init__(self):
        self.rows = []

    def __call__(self, tile):
        rows = slice(tile.y0 + tile.first, tile.y0 + tile.last)
        self.rows += range(rows.start, rows.stop)
        self.ramp[:, :, rows] = tile.ramp[:, :, tile.first : tile.last]
        self.groupdq[:, :, rows] = tile.groupdq[:, :, tile.first : tile.last]


def exposure(frame, seed=0):
    rng = np.random.default_rng(seed)
    ramp = rng.integers(0, 65536, frame.shape, dtype=np.uint16)
    return ramp, rng.integers(0, 256, frame.shape, dtype=np.uint8)


def run(frame, steps, **how):
    ramp, groupdq = exposure(frame)
    store = Store.of(frame)
    run_tiles(frame, array_source(ramp), array_source(groupdq), [*steps, store], **how)
    return store


@settings(max_examples=60, deadline=None)
@given(
    ny=st.integers(1, 40),
    nx=st.integers(1, 5),
    reaches=st.lists(st.integers(0, 4), max_size=4),
    rows=st.integers(1, 45),
    threads=st.integers(1, 5),
)
def test_any_height_and_number_of_threads_give_the_same_bits(ny, nx, reaches, rows, threads):
    frame = Frame(2, 3, ny, nx)
    steps = [Smear(reach) for reach in reaches]
    ramp, groupdq = exposure(frame)
    whole = Tile(ramp.astype(np.float32), groupdq.copy(), 0, 0, ny)
    for step in steps:
        step(whole)
    found = run(frame, steps, rows=rows, threads=threads)
    np.testing.assert_array_equal(found.ramp, whole.ramp)
    np.testing.assert_array_equal(found.groupdq, whole.groupdq)
    assert sorted(found.rows) == list(range(ny))


@pytest.mark.parametrize("shape", [(1, 1, 1, 1), (1, 5, 1, 7), (3, 1, 7, 1), (1, 2, 300, 2)])
def test_heights_that_are_chosen_give_the_same_bits(shape):
    frame = Frame(*shape)
    steps = [Smear(2), Smear(1)]
    expected = run(frame, steps, rows=shape[2])
    for threads in (1, 2, 8):
        found = run(frame, steps, threads=threads)
        np.testing.assert_array_equal(found.ramp, expected.ramp)
        np.testing.assert_array_equal(found.groupdq, expected.groupdq)


def test_without_flags_every_tile_starts_with_none():
    frame = Frame(1, 2, 9, 3)
    seen = []

    def spoil(tile):
        seen.append(int(tile.groupdq.max()))
        tile.groupdq[:] = 255

    spoil.reach = 0
    run_tiles(frame, array_source(np.ones(frame.shape, np.uint8)), None, [spoil], rows=2)
    assert seen == [0] * 5


@settings(max_examples=100, deadline=None)
@given(
    nints=st.integers(1, 400),
    ngroups=st.integers(1, 200),
    ny=st.integers(1, 3200),
    nx=st.integers(1, 3200),
    threads=st.integers(1, 256),
    reach=st.integers(0, 40),
)
def test_height_lies_in_the_frame_and_leaves_every_thread_some_tiles(
    nints, ngroups, ny, nx, threads, reach
):
    rows = tile_rows(Frame(nints, ngroups, ny, nx), threads, reach)
    assert 1 <= rows <= ny
    assert -(-ny // rows) >= min(ny, threads + 1)
    if rows > max(4, 4 * reach):  # else neighbours would be most of what is read
        assert 5 * rows * nints * ngroups * nx <= 3 << 20


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("rows", [None, 1, 7])
def test_shares_of_the_work_add_up_to_one(threads, rows):
    shares = []
    run(Frame(1, 1, 23, 2), [], threads=threads, rows=rows, done=shares.append)
    assert sum(shares) == pytest.approx(1)


class _BrokenError(Exception):
    pass


@pytest.mark.parametrize("threads", [1, 2, 4])
@pytest.mark.parametrize("fault", [_BrokenError("one tile"), SystemExit(3), KeyboardInterrupt()])
def test_failure_in_a_tile_is_raised_and_ends_the_others(threads, fault):
    frame = Frame(1, 1, 400, 1)
    begun = []

    def work(tile):
        begun.append(tile.y0)
        if tile.y0 == 3:
            raise fault
        threading.Event().wait(0.02)

    work.reach = 0
    with pytest.raises(type(fault)):
        run_tiles(
            frame, array_source(np.zeros(frame.shape)), None, [work], threads=threads, rows=1
        )
    assert 3 in begun
    assert len(begun) < 200
    count = len(begun)
    threading.Event().wait(0.1)
    assert len(begun) == count
    assert not [t for t in threading.enumerate() if t.name.startswith("upramp")]


@pytest.mark.parametrize("which", ["ramp", "flags"])
@pytest.mark.parametrize("threads", [1, 3])
def test_failure_of_a_source_is_raised(which, threads):
    frame = Frame(1, 1, 30, 1)

    def broken(out, low, high):
        raise _BrokenError

    good = array_source(np.zeros(frame.shape))
    sources = (broken, good) if which == "ramp" else (good, broken)
    with pytest.raises(_BrokenError):
        run_tiles(frame, *sources, [], threads=threads)


@pytest.mark.parametrize("threads", [1, 2])
def test_interruption_from_the_keyboard_ends_all_tiles(threads):
    frame = Frame(1, 1, 400, 1)
    begun = []

    def work(tile):
        begun.append(tile.y0)
        if len(begun) == 4:
            os.kill(os.getpid(), signal.SIGINT)
        threading.Event().wait(0.02)

    work.reach = 0
    with pytest.raises(KeyboardInterrupt):
        run_tiles(
            frame, array_source(np.zeros(frame.shape)), None, [work], threads=threads, rows=1
        )
    assert len(begun) < 200
    assert not [t for t in threading.enumerate() if t.name.startswith("upramp")]


def test_a_tile_that_is_given_up_does_not_reach_its_last_step():
    frame = Frame(1, 1, 2, 1)
    broken, last = threading.Event(), []

    def first(tile):
        if tile.y0 == 0:
            broken.set()
            raise _BrokenError
        broken.wait(5)
        threading.Event().wait(0.3)

    def store(tile):
        last.append(tile.y0)

    first.reach = store.reach = 0
    with pytest.raises(_BrokenError):
        run_tiles(
            frame, array_source(np.zeros(frame.shape)), None, [first, store], threads=2, rows=1
        )
    assert last == []


@settings(max_examples=60, deadline=None)
@given(ny=st.integers(1, 60), threads=st.integers(1, 9))
def test_every_row_is_in_one_part(ny, threads):
    rows = []

    def work(first, last):
        assert first < last
        rows.extend(range(first, last))

    in_rows(ny, threads, work)
    assert sorted(rows) == list(range(ny))


@pytest.mark.parametrize("threads", [1, 3])
def test_failure_in_a_part_is_raised(threads):
    def work(first, last):
        if last == 40:
            raise _BrokenError

    with pytest.raises(_BrokenError):
        in_rows(40, threads, work)


def test_source_of_an_array_gives_its_rows_in_the_type_that_is_asked_for():
    array = np.arange(2 * 3 * 6 * 4, dtype=">u2").reshape(2, 3, 6, 4)
    out = np.empty((2, 3, 2, 4), np.float32)
    array_source(array)(out, 3, 5)
    np.testing.assert_array_equal(out, array[:, :, 3:5])

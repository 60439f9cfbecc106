"""Corrections one after the other on tiles of whole rows, many tiles at once.

What a correction needs of its neighbours it declares as its reach, in rows;
a tile is read with as many more rows as its corrections reach together, so
that tiles depend on nothing but the input and may be done in any order. A
tile stays in the processor's cache from the first correction to the last.
"""

from __future__ import annotations

import threading
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final, Protocol

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    FlagSource = Callable[[NDArray[np.uint8], int, int], None]
    RampSource = Callable[[NDArray[np.float32], int, int], None]

__all__ = ["Frame", "Tile", "TileStep", "array_source", "in_rows", "run_tiles", "tile_rows"]

_TILE_BYTES: Final = 3 << 20
"""What the ramps of a tile may take: a part of a core's share of the cache."""

_MOST_ROWS: Final = 64
_LEAST_ROWS: Final = 4


@dataclass(frozen=True)
class Frame:
    """The shape of an exposure.

    Parameters
    ----------
    nints, ngroups, ny, nx
        Integrations, groups, rows, columns.
    """

    nints: int
    ngroups: int
    ny: int
    nx: int

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """As numpy has it."""
        return self.nints, self.ngroups, self.ny, self.nx


@dataclass
class Tile:
    """Some rows of all groups of all integrations.

    Parameters
    ----------
    ramp
        (nints, ngroups, rows, nx) float32, DN.
    groupdq
        The same shape, uint8.
    y0
        Row of the frame that the tile's first row is.
    first, last
        Rows of the tile that the correction at hand is to finish.
    """

    ramp: NDArray[np.float32]
    groupdq: NDArray[np.uint8]
    y0: int
    first: int = 0
    last: int = 0


class TileStep(Protocol):
    """A correction that works on tiles."""

    @property
    def reach(self) -> int:
        """How many rows beyond its own it looks at."""

    def __call__(self, tile: Tile) -> None:
        """Correct rows ``tile.first`` to ``tile.last`` in place."""


def array_source(array: NDArray[Any]) -> Callable[[NDArray[Any], int, int], None]:
    """Give tiles of an array that is in memory.

    Parameters
    ----------
    array
        (nints, ngroups, ny, nx), of any type that float32 (or uint8) holds.
    """

    def fill(out: NDArray[Any], low: int, high: int) -> None:
        np.copyto(out, array[:, :, low:high], casting="unsafe")

    return fill


def tile_rows(frame: Frame, threads: int, reach: int) -> int:
    """Choose how many rows a tile has.

    Parameters
    ----------
    frame
        The exposure's shape.
    threads
        How many tiles are done at once.
    reach
        How many rows more are read on either side.
    """
    row = 5 * frame.nints * frame.ngroups * frame.nx  # a ramp and its flags
    rows = max(_LEAST_ROWS, 4 * reach, min(_MOST_ROWS, _TILE_BYTES // max(row, 1)))
    # Every thread is to have some tiles, so that all end at about the same time.
    return max(1, min(rows, -(-frame.ny // (3 * threads)), frame.ny))


def run_tiles(
    frame: Frame,
    ramp: RampSource,
    groupdq: FlagSource | None,
    steps: Sequence[TileStep],
    *,
    threads: int = 1,
    rows: int | None = None,
    done: Callable[[float], None] | None = None,
) -> None:
    """Put every tile of an exposure through corrections.

    Parameters
    ----------
    frame
        The exposure's shape.
    ramp
        Fills (nints, ngroups, rows, nx) with rows of the ramps.
    groupdq
        The same for the flags; None where there are none yet.
    steps
        Corrections, in order. What is to be kept of a tile the last of them stores.
    threads
        How many tiles are done at once.
    rows
        Rows of a tile; by default such that it stays in the cache.
    done
        Told of each share of the work that is done, all in all 1; from any thread.

    Raises
    ------
    Exception
        What a source or a correction raises; other tiles are then given up.
    """
    # What is still to come reaches beyond a step's own rows.
    ahead = [0]
    for step in reversed(steps):
        ahead.append(ahead[-1] + step.reach)
    ahead.reverse()
    rows = rows or tile_rows(frame, threads, ahead[0])
    edges = [*range(0, frame.ny, rows), frame.ny]
    tiles = pairwise(edges)
    size = frame.nints * frame.ngroups * min(rows + 2 * ahead[0], frame.ny) * frame.nx
    lock = threading.Lock()
    stop = threading.Event()

    def next_tile() -> tuple[int, int] | None:
        with lock:
            return next(tiles, None)

    def work() -> None:
        buffers = np.empty(size, np.float32), np.empty(size, np.uint8)
        while not stop.is_set() and (span := next_tile()) is not None:
            for _ in _through(frame, span, ramp, groupdq, steps, ahead, buffers):
                if stop.is_set():
                    return
            if done is not None:
                done((span[1] - span[0]) / frame.ny)

    if threads == 1:
        work()
        return
    with ThreadPoolExecutor(threads, thread_name_prefix="upramp") as pool:
        try:
            futures = [pool.submit(work) for _ in range(threads)]
            finished, _ = wait(futures, return_when=FIRST_EXCEPTION)
            for future in finished:
                future.result()
        finally:
            # An interruption, or a failure in one tile: the others need not go on.
            stop.set()


def _through(
    frame: Frame,
    span: tuple[int, int],
    ramp: RampSource,
    groupdq: FlagSource | None,
    steps: Sequence[TileStep],
    ahead: Sequence[int],
    buffers: tuple[NDArray[np.float32], NDArray[np.uint8]],
) -> Iterator[None]:
    start, end = span
    low, high = max(start - ahead[0], 0), min(end + ahead[0], frame.ny)
    shape = (frame.nints, frame.ngroups, high - low, frame.nx)
    size = frame.nints * frame.ngroups * (high - low) * frame.nx
    tile = Tile(buffers[0][:size].reshape(shape), buffers[1][:size].reshape(shape), low)
    ramp(tile.ramp, low, high)
    if groupdq is None:
        tile.groupdq[:] = 0
    else:
        groupdq(tile.groupdq, low, high)
    for step, reach in zip(steps, ahead[1:], strict=True):
        tile.first = max(start - reach, 0) - low
        tile.last = min(end + reach, frame.ny) - low
        step(tile)
        yield


def in_rows(ny: int, threads: int, work: Callable[[int, int], None]) -> None:
    """Do something to all rows of a frame, a part in each thread.

    Parameters
    ----------
    ny
        How many rows.
    threads
        How many parts at once.
    work
        Called with the first row of a part and the one after its last.
    """
    if threads == 1 or ny < 2 * threads:
        work(0, ny)
        return
    step = -(-ny // (4 * threads))
    with ThreadPoolExecutor(threads, thread_name_prefix="upramp") as pool:
        parts = [pool.submit(work, y, min(y + step, ny)) for y in range(0, ny, step)]
        for part in parts:
            part.result()

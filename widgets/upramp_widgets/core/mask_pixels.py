"""Sets of pixels of an image, as runs along its rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray

__all__ = ["Box", "Pixels", "box_of_runs", "positions_of_runs"]

Box = tuple[int, int, int, int]
"""First column and row, last column and row."""

_BLOCK: Final = 1 << 20  # pixels that are spelled out at a time: 8 MB of positions


def positions_of_runs(
    starts: NDArray[np.int64], lengths: NDArray[np.int64], values: NDArray[np.int64] | None = None
) -> NDArray[np.int64]:
    """Spell out runs: every position of every run, in order.

    Parameters
    ----------
    starts
        First position of each run.
    lengths
        How many positions it has; none may be negative.
    values
        Given, these are repeated in place of the positions.

    Returns
    -------
    ndarray of int64
        One number per position.
    """
    if values is not None:
        return np.repeat(values, lengths)
    before = np.cumsum(lengths) - lengths
    total = int(lengths.sum())
    return np.repeat(starts - before, lengths) + np.arange(total, dtype=np.int64)


def box_of_runs(starts: NDArray[np.int64], stops: NDArray[np.int64], nx: int) -> Box | None:
    """Give the smallest box around runs of positions in an image.

    Parameters
    ----------
    starts, stops
        The runs, the stop not included.
    nx
        Columns of the image.

    Returns
    -------
    tuple of int or None
        None if there are no runs.
    """
    if not starts.size:
        return None
    rows, ends = starts // nx, (stops - 1) // nx
    if np.any(rows != ends):  # such a run reaches both sides
        return 0, int(rows.min()), nx - 1, int(ends.max())
    x0, x1 = starts - rows * nx, stops - 1 - rows * nx
    return int(x0.min()), int(rows.min()), int(x1.max()), int(ends.max())


@dataclass(frozen=True, slots=True, eq=False)
class Pixels:
    """Pixels of an image.

    Attributes
    ----------
    shape
        Rows and columns of the image.
    starts, stops
        Runs of positions (row times columns plus column), sorted, apart from
        each other, the stop not included. A run may go on in the next row.
    """

    shape: tuple[int, int]
    starts: NDArray[np.int64]
    stops: NDArray[np.int64]

    @classmethod
    def none(cls, shape: tuple[int, int]) -> Self:
        """Give the empty set.

        Parameters
        ----------
        shape
            Rows and columns of the image.
        """
        empty = np.empty(0, np.int64)
        return cls(shape, empty, empty)

    @classmethod
    def of_spans(
        cls,
        shape: tuple[int, int],
        rows: NDArray[np.int64],
        first: NDArray[np.int64],
        last: NDArray[np.int64],
    ) -> Self:
        """Unite spans of rows, which may overlap; what lies off the image is cut off.

        Parameters
        ----------
        shape
            Rows and columns of the image.
        rows, first, last
            Row, first and last column of each span.
        """
        ny, nx = shape
        first = np.maximum(first, 0)
        last = np.minimum(last, nx - 1)
        kept = (rows >= 0) & (rows < ny) & (first <= last)
        rows, first, last = rows[kept], first[kept], last[kept]
        return cls._united(shape, rows * nx + first, rows * nx + last + 1)

    @classmethod
    def of_image(cls, image: NDArray[np.bool_]) -> Self:
        """Take the pixels that are true.

        Parameters
        ----------
        image
            bool (ny, nx).
        """
        ny, nx = image.shape
        padded = np.zeros(image.size + 2, np.int8)
        padded[1:-1] = image.reshape(-1)
        steps = np.diff(padded)
        return cls((ny, nx), np.flatnonzero(steps == 1), np.flatnonzero(steps == -1))

    @classmethod
    def union(cls, shape: tuple[int, int], parts: Iterable[Pixels]) -> Self:
        """Unite sets.

        Parameters
        ----------
        shape
            Rows and columns of the image of all of them.
        parts
            The sets.
        """
        parts = list(parts)
        if not parts:
            return cls.none(shape)
        starts = np.concatenate([part.starts for part in parts])
        return cls._united(shape, starts, np.concatenate([part.stops for part in parts]))

    @classmethod
    def _united(
        cls, shape: tuple[int, int], starts: NDArray[np.int64], stops: NDArray[np.int64]
    ) -> Self:
        if not starts.size:
            return cls.none(shape)
        order = np.argsort(starts, kind="stable")
        starts, stops = starts[order], np.maximum.accumulate(stops[order])
        # A run begins where everything before has ended.
        begins = np.flatnonzero(starts[1:] > stops[:-1]) + 1
        firsts = np.concatenate([[0], begins])
        lasts = np.concatenate([begins - 1, [starts.size - 1]])
        return cls(shape, starts[firsts], stops[lasts])

    def __len__(self) -> int:
        return int((self.stops - self.starts).sum())

    def __sub__(self, other: Pixels) -> Pixels:
        """Give those that another set of the same image does not have."""
        places = np.concatenate([self.starts, self.stops, other.starts, other.stops])
        mine, theirs = self.starts.size, other.starts.size
        # Counted along the image: 1 inside this set alone, less inside the other.
        steps = np.repeat(np.array([1, -1, -2, 2]), [mine, mine, theirs, theirs])
        order = np.argsort(places, kind="stable")
        places, inside = places[order], np.cumsum(steps[order]) == 1
        here = np.flatnonzero(inside[:-1] & (places[1:] > places[:-1]))
        return Pixels._united(self.shape, places[here], places[here + 1])

    @property
    def box(self) -> Box | None:
        """Smallest box around the pixels; None if there are none."""
        return box_of_runs(self.starts, self.stops, self.shape[1])

    def blocks(self) -> Iterator[NDArray[np.int64]]:
        """Spell out the positions in order, some at a time so that memory stays small.

        Yields
        ------
        ndarray of int64
            Positions: row times columns plus column.
        """
        ends = np.cumsum(self.stops - self.starts)
        done, total = 0, len(self)
        while done < total:
            upto = min(done + _BLOCK, total)
            first, last = np.searchsorted(ends, [done, upto - 1], side="right")
            starts = self.starts[first : last + 1].copy()
            stops = self.stops[first : last + 1].copy()
            stops[-1] -= ends[last] - upto
            starts[0] = stops[0] - (min(int(ends[first]), upto) - done)
            yield positions_of_runs(starts, stops - starts)
            done = upto

    def image(self) -> NDArray[np.bool_]:
        """Draw the pixels.

        Returns
        -------
        ndarray of bool
            (ny, nx).
        """
        drawn = np.zeros(self.shape, np.bool_)
        flat = drawn.reshape(-1)
        for positions in self.blocks():
            flat[positions] = True
        return drawn

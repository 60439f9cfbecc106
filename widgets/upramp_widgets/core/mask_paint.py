"""What was set and cleared by hand, in memory only where something was.

A code of 16 bits stands for a pixel in a group: its low byte holds the bits that
were set by hand, its high byte those that were cleared. Zero is untouched, and
the two bytes have no bit in common.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

import numpy as np

from .mask_pixels import positions_of_runs

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

__all__ = ["Delta", "Paint", "Plane", "cleared", "combined", "marked"]

Plane = tuple[int, int]
"""An integration and a group."""

_BITS: Final = 14
_CHUNK: Final = 1 << _BITS  # codes that come into being together: 32 KB, 8 rows of 2048


def marked(codes: NDArray[np.uint16]) -> NDArray[np.uint8]:
    """Give the bits set by hand.

    Parameters
    ----------
    codes
        Codes of any shape.
    """
    return codes.astype(np.uint8)


def cleared(codes: NDArray[np.uint16]) -> NDArray[np.uint8]:
    """Give the bits cleared by hand.

    Parameters
    ----------
    codes
        Codes of any shape.
    """
    return (codes >> 8).astype(np.uint8)


def combined(automatic: NDArray[np.uint8], codes: NDArray[np.uint16]) -> NDArray[np.uint8]:
    """Give the flags of pixels: the automatic ones, with what was done by hand on top.

    Parameters
    ----------
    automatic
        Automatic flags.
    codes
        Codes of the same pixels.
    """
    return (automatic & ~cleared(codes)) | marked(codes)


@dataclass(frozen=True, slots=True, eq=False)
class Delta:
    """How the codes of a plane changed, as runs of pixels that changed alike.

    Attributes
    ----------
    starts, lengths
        Runs of positions in the plane.
    changes
        Bits that changed, of the codes in each run.
    """

    starts: NDArray[np.uint32]
    lengths: NDArray[np.uint32]
    changes: NDArray[np.uint16]

    @classmethod
    def between(
        cls, positions: NDArray[np.int64], old: NDArray[np.uint16], new: NDArray[np.uint16]
    ) -> Self:
        """Note the change of some pixels.

        Parameters
        ----------
        positions
            Where they are, in order.
        old, new
            Their codes.
        """
        changes = old ^ new
        changed = np.flatnonzero(changes)
        places, changes = positions[changed], changes[changed]
        breaks = np.flatnonzero((np.diff(places) != 1) | (changes[1:] != changes[:-1])) + 1
        firsts = np.concatenate([[0], breaks]) if places.size else np.empty(0, np.int64)
        lengths = np.diff(np.append(firsts, places.size))
        return cls(places[firsts].astype(np.uint32), lengths.astype(np.uint32), changes[firsts])

    @property
    def nbytes(self) -> int:
        """Memory that it takes."""
        return self.starts.nbytes + self.lengths.nbytes + self.changes.nbytes

    def __len__(self) -> int:
        return int(self.lengths.sum(dtype=np.int64))

    def same_as(self, other: Delta) -> bool:
        """Tell whether another one says the same.

        Parameters
        ----------
        other
            The other one.
        """
        return (
            np.array_equal(self.starts, other.starts)
            and np.array_equal(self.lengths, other.lengths)
            and np.array_equal(self.changes, other.changes)
        )


class _Sheet:
    """Codes of a plane: a pool of chunks, and where in it each chunk of the plane is."""

    def __init__(self, size: int) -> None:
        self.where: NDArray[np.int32] = np.full(-(-size // _CHUNK), -1, np.int32)
        self.pool: NDArray[np.uint16] = np.zeros((0, _CHUNK), np.uint16)
        self.used = 0

    def make(self, chunks: NDArray[np.int64]) -> None:
        """Have chunks that are not there yet come into being."""
        needed = np.flatnonzero(np.bincount(chunks, minlength=self.where.size))
        needed = needed[self.where[needed] < 0]
        total = self.used + needed.size
        if total > len(self.pool):
            room = min(max(total, 2 * len(self.pool)), self.where.size)
            pool = np.zeros((room, _CHUNK), np.uint16)
            pool[: self.used] = self.pool[: self.used]
            self.pool = pool
        self.where[needed] = np.arange(self.used, total)
        self.used = total

    def slots(self, positions: NDArray[np.int64]) -> NDArray[np.int64]:
        """Places in the pool of positions whose chunks are all there."""
        slots: NDArray[np.int64] = self.where[positions >> _BITS].astype(np.int64)
        slots <<= _BITS
        slots |= positions & (_CHUNK - 1)
        return slots


class Paint:
    """Codes of every pixel in every group; untouched ones take no memory.

    Parameters
    ----------
    size
        Pixels of a plane.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._sheets: dict[Plane, _Sheet] = {}

    @property
    def nbytes(self) -> int:
        """Memory that the codes take."""
        return sum(sheet.pool.nbytes + sheet.where.nbytes for sheet in self._sheets.values())

    def planes(self) -> list[Plane]:
        """Planes in which something is set or cleared, in order."""
        return [plane for plane in sorted(self._sheets) if any(self.patches(plane))]

    def patches(self, plane: Plane) -> Iterator[tuple[slice, NDArray[np.uint16]]]:
        """Go through the parts of a plane where something is set or cleared, in order.

        Parameters
        ----------
        plane
            Integration and group.

        Yields
        ------
        slice
            Positions in the plane.
        ndarray of uint16
            Their codes, not to be written to.
        """
        sheet = self._sheets.get(plane)
        if sheet is None:
            return
        for chunk in np.flatnonzero(sheet.where >= 0).tolist():
            start = chunk << _BITS
            stop = min(start + _CHUNK, self._size)
            codes = sheet.pool[sheet.where[chunk], : stop - start]
            if codes.any():
                yield slice(start, stop), codes

    def painted(self, plane: Plane) -> tuple[NDArray[np.int64], NDArray[np.uint16]]:
        """Give the pixels of a plane where something is set or cleared, and their codes.

        Parameters
        ----------
        plane
            Integration and group.

        Returns
        -------
        positions : ndarray of int64
            Where, in order.
        codes : ndarray of uint16
            What.
        """
        positions, codes = [np.empty(0, np.int64)], [np.empty(0, np.uint16)]
        for place, patch in self.patches(plane):
            here = np.flatnonzero(patch)
            positions.append(here + place.start)
            codes.append(patch[here])
        return np.concatenate(positions), np.concatenate(codes)

    def read(self, plane: Plane, positions: NDArray[np.int64]) -> NDArray[np.uint16]:
        """Give the codes of some pixels.

        Parameters
        ----------
        plane
            Integration and group.
        positions
            Where they are.
        """
        sheet = self._sheets.get(plane)
        codes = np.zeros(positions.size, np.uint16)
        if sheet is not None:
            there = sheet.where[positions >> _BITS] >= 0
            codes[there] = sheet.pool.reshape(-1)[sheet.slots(positions[there])]
        return codes

    def write(
        self, plane: Plane, positions: NDArray[np.int64], codes: NDArray[np.uint16]
    ) -> Delta:
        """Change the codes of some pixels.

        Parameters
        ----------
        plane
            Integration and group.
        positions
            Where they are, in order, none twice.
        codes
            What they become.

        Returns
        -------
        Delta
            What changed: it takes itself back with `apply`.
        """
        delta = Delta.between(positions, self.read(plane, positions), codes)
        self.apply(plane, delta)
        return delta

    def apply(self, plane: Plane, delta: Delta) -> None:
        """Do a change, or take it back: it is the same.

        Parameters
        ----------
        plane
            Integration and group.
        delta
            The change.
        """
        if not delta.starts.size:
            return
        sheet = self._sheets.setdefault(plane, _Sheet(self._size))
        lengths = delta.lengths.astype(np.int64)
        positions = positions_of_runs(delta.starts.astype(np.int64), lengths)
        sheet.make(positions >> _BITS)
        sheet.pool.reshape(-1)[sheet.slots(positions)] ^= np.repeat(delta.changes, lengths)

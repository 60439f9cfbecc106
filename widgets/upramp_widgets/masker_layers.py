"""What is drawn over a masker's image: where each flag comes from, kept up to date bit by bit.

A brush changes a few pixels and a threshold many; only what changed is looked at
again, so that an image of four million pixels follows the hand.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from upramp.dq import GROUP

from .core.mask_paint import cleared, combined, marked
from .core.render_layers import JUMP

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from .core.mask import MaskModel
    from .core.mask_paint import Plane

    Window = tuple[slice, slice]

__all__ = ["AUTOMATIC", "CLEARED", "LAYERS", "SET", "MaskerLayers", "touched"]

AUTOMATIC: Final = 1
SET: Final = 2
CLEARED: Final = 4
_SATURATED: Final = 8
_DO_NOT_USE: Final = 16

LAYERS: Final = (
    ("automatic", AUTOMATIC, JUMP, True),
    ("set by hand", SET, "#00e5c8", True),
    ("cleared by hand", CLEARED, "#5a9bff", True),
    ("saturated", _SATURATED, "#ffb000", False),
    ("not to be used", _DO_NOT_USE, "#e4572e", False),
)
"""Name, bit, colour of each layer, and whether it is seen at first."""


class MaskerLayers:
    """A plane of bits, one for each of `LAYERS`.

    A pixel is in one of the first three at most: set by hand, if that is so of
    any flag in any group that is shown; else automatic, if the flag that is
    looked for was found and left; else cleared by hand.

    Parameters
    ----------
    automatic
        (nints, ngroups, ny, nx) uint8, flags as they were found; read, never changed.
    """

    def __init__(self, automatic: NDArray[np.uint8]) -> None:
        self.automatic = automatic
        self._integration = 0
        self._group: int | None = None
        self._table = _table(GROUP["JUMP_DET"])
        self._bit = GROUP["JUMP_DET"]
        self.plane: NDArray[np.uint8] = np.zeros(automatic.shape[2:], np.uint8)

    def read(self, rows: slice, columns: slice) -> NDArray[np.uint8]:
        """Give a part of the plane.

        Parameters
        ----------
        rows, columns
            Which.
        """
        return self.plane[rows, columns]

    def choose(self, integration: int, group: int | None, bit: int) -> None:
        """Say what the plane is of; `update` brings it about.

        Parameters
        ----------
        integration, group
            Counted from 0; a group of None means any.
        bit
            The flag whose automatic pixels are told.
        """
        self._integration, self._group, self._bit = integration, group, bit
        self._table = _table(bit)

    def update(self, mask: MaskModel, window: Window | None = None) -> None:
        """Look at the flags again.

        Parameters
        ----------
        mask
            What was done by hand.
        window
            Rows and columns that may have changed; None for all.
        """
        ny, nx = self.plane.shape
        rows, columns = window or (slice(0, ny), slice(0, nx))
        cube = self.automatic[self._integration]
        shown = range(len(cube)) if self._group is None else (self._group,)
        found = cube[shown[0], rows, columns]
        if len(shown) > 1:
            found = np.bitwise_or.reduce(cube[:, rows, columns], axis=0)
        part = self._table[found]
        self._lay_hand(part, mask, shown, (rows, columns))
        # At once: a reader meanwhile is to see either all of it or nothing.
        self.plane[rows, columns] = part

    def preview(self, found: NDArray[np.bool_]) -> None:
        """Show what a threshold will find, until it is known exactly.

        Parameters
        ----------
        found
            (ny, nx), where the first round of the search finds something.
        """
        by_hand = self.plane & np.uint8(SET | CLEARED)
        others = self.plane & np.uint8(_SATURATED | _DO_NOT_USE)
        self.plane[:] = others | np.where(by_hand, by_hand, found.view(np.uint8))

    def _lay_hand(
        self, part: NDArray[np.uint8], mask: MaskModel, shown: Iterable[int], window: Window
    ) -> None:
        """Look at the pixels of a window that a hand has touched, group by group."""
        rows, columns = window
        planes = [(self._integration, group) for group in shown]
        positions = touched(mask, planes, rows)
        y, x = np.divmod(positions, self.plane.shape[1])
        inside = (x >= columns.start) & (x < columns.stop)
        positions, y, x = positions[inside], y[inside], x[inside]
        if not positions.size:
            return
        added, kept, removed, flags = (np.zeros(positions.size, np.uint8) for _ in range(4))
        for plane in planes:
            automatic = self.automatic[plane][y, x]
            codes = mask.paint.read(plane, positions)
            now = combined(automatic, codes)
            flags |= now
            added |= marked(codes) & ~automatic
            kept |= automatic & now & self._bit
            removed |= cleared(codes) & automatic
        code = np.where(
            added, SET, np.where(kept, AUTOMATIC, np.where(removed, CLEARED, 0))
        ).astype(np.uint8)
        part[y - rows.start, x - columns.start] = code | (
            self._table[flags] & (_SATURATED | _DO_NOT_USE)
        )


def touched(mask: MaskModel, planes: Iterable[Plane], rows: slice) -> NDArray[np.int64]:
    """Give the pixels in some rows that a hand has touched in any of some groups.

    Parameters
    ----------
    mask
        What was done.
    planes
        Integration and group of each.
    rows
        Both its ends are given.

    Returns
    -------
    ndarray of int64
        Row times columns plus column of each, in order.
    """
    nx = mask.shape[3]
    first, last = rows.start * nx, rows.stop * nx
    found = [np.empty(0, np.int64)]
    for plane in planes:
        for place, codes in mask.paint.patches(plane):
            if place.start < last and place.stop > first:
                found.append(np.flatnonzero(codes) + place.start)
    positions = np.unique(np.concatenate(found))
    begin, end = np.searchsorted(positions, [first, last])
    return positions[begin:end]


def _table(bit: int) -> NDArray[np.uint8]:
    """Give what each combination of a group's flags is drawn as."""
    flags = np.arange(256)
    table = np.where(flags & bit, AUTOMATIC, 0)
    table |= np.where(flags & GROUP["SATURATED"], _SATURATED, 0)
    table |= np.where(flags & GROUP["DO_NOT_USE"], _DO_NOT_USE, 0)
    return table.astype(np.uint8)

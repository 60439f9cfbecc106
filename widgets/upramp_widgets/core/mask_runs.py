"""What was done by hand as a table of runs, as files keep it.

A row is a run of pixels in a row of the image with the same code and the same
automatic flags: enough to restore both layers from all flags.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from .mask_layers import REMOVABLE
from .mask_paint import cleared, marked
from .mask_pixels import positions_of_runs

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from .mask_layers import MaskLayers
    from .mask_paint import Plane

__all__ = ["COLUMNS", "SavedMask", "table_of"]

COLUMNS: Final[dict[str, np.dtype[Any]]] = {
    "INTEGRATION": np.dtype(np.int32),
    "GROUP": np.dtype(np.int32),
    "Y": np.dtype(np.int32),
    "X": np.dtype(np.int32),
    "LENGTH": np.dtype(np.int32),
    "SET": np.dtype(np.uint8),
    "CLEARED": np.dtype(np.uint8),
    "AUTOMATIC": np.dtype(np.uint8),
}
"""Integration, group, row and first column count from 0; the last three are flags."""

_ROWS_AT_ONCE: Final = 1 << 16


def table_of(model: MaskLayers) -> dict[str, NDArray[Any]]:
    """Write down what was done by hand.

    Parameters
    ----------
    model
        The mask.

    Returns
    -------
    dict
        The columns, by name.
    """
    nx = model.shape[3]
    parts: dict[str, list[NDArray[Any]]] = {name: [np.empty(0, d)] for name, d in COLUMNS.items()}
    for plane in model.paint.planes():
        positions, codes = model.paint.painted(plane)
        automatic = np.ascontiguousarray(model.automatic[plane]).reshape(-1)[positions]
        both = (codes.astype(np.uint32) << 8) | automatic
        breaks = (np.diff(positions) != 1) | (both[1:] != both[:-1]) | (positions[1:] % nx == 0)
        firsts = np.concatenate([[0], np.flatnonzero(breaks) + 1])
        rows, columns = np.divmod(positions[firsts], nx)
        values = {
            "INTEGRATION": np.full(firsts.size, plane[0]),
            "GROUP": np.full(firsts.size, plane[1]),
            "Y": rows,
            "X": columns,
            "LENGTH": np.diff(np.append(firsts, positions.size)),
            "SET": marked(codes[firsts]),
            "CLEARED": cleared(codes[firsts]),
            "AUTOMATIC": automatic[firsts],
        }
        for name, dtype in COLUMNS.items():
            parts[name].append(values[name].astype(dtype))
    return {name: np.concatenate(columns) for name, columns in parts.items()}


@dataclass(frozen=True, slots=True, eq=False)
class SavedMask:
    """A mask as a file has it.

    Attributes
    ----------
    flags
        (nints, ngroups, ny, nx) uint8: all flags.
    table
        What was done by hand.
    provenance
        How the automatic flags were found.
    automatic_sha256
        Of the automatic flags.
    """

    flags: NDArray[np.uint8]
    table: Mapping[str, NDArray[Any]]
    provenance: Mapping[str, Any]
    automatic_sha256: str

    def problem(self) -> str | None:
        """Say what is wrong with the table; None if nothing is."""
        nints, ngroups, ny, nx = self.flags.shape
        columns = {name: self.table[name].astype(np.int64) for name in COLUMNS}
        for name, size in (("INTEGRATION", nints), ("GROUP", ngroups), ("Y", ny), ("X", nx)):
            if np.any((columns[name] < 0) | (columns[name] >= size)):
                return f"its manual layer has a value of {name} that is not in its flags"
        start = columns["INTEGRATION"] * ngroups + columns["GROUP"]
        start = (start * ny + columns["Y"]) * nx + columns["X"]
        stop = start + columns["LENGTH"]
        if np.any((columns["LENGTH"] < 1) | (columns["X"] + columns["LENGTH"] > nx)):
            return "its manual layer has a run that is not within a row"
        if np.any(start[1:] < stop[:-1]):
            return "its manual layer is not in order"
        wrong = (columns["SET"] & columns["CLEARED"]) | (columns["CLEARED"] & ~REMOVABLE)
        if np.any(wrong):
            return "its manual layer clears what it may not"
        flat = self.flags.reshape(-1)
        for first in range(0, start.size, _ROWS_AT_ONCE):
            some = slice(first, first + _ROWS_AT_ONCE)
            shown = (columns["AUTOMATIC"] & ~columns["CLEARED"] | columns["SET"])[some]
            lengths = columns["LENGTH"][some]
            found = flat[positions_of_runs(start[some], lengths)]
            if np.any(found != np.repeat(shown, lengths)):
                return "its manual layer is not that of its flags"
        return None

    def painted(self) -> Iterator[tuple[Plane, NDArray[np.int64], NDArray[np.uint16]]]:
        """Go through what was done by hand.

        Yields
        ------
        tuple of int
            Integration and group.
        ndarray of int64
            Positions: row times columns plus column, in order.
        ndarray of uint16
            Their codes.
        """
        for plane, positions, lengths, rows in self._runs():
            codes = self.table["SET"][rows].astype(np.uint16)
            codes |= self.table["CLEARED"][rows].astype(np.uint16) << 8
            yield plane, positions, np.repeat(codes, lengths)

    def automatic(self) -> NDArray[np.uint8]:
        """Give the automatic flags.

        Returns
        -------
        ndarray of uint8
            (nints, ngroups, ny, nx), a new array.
        """
        flags = np.array(self.flags, order="C")
        for plane, positions, lengths, rows in self._runs():
            flags[plane].reshape(-1)[positions] = np.repeat(self.table["AUTOMATIC"][rows], lengths)
        return flags

    def _runs(self) -> Iterator[tuple[Plane, NDArray[np.int64], NDArray[np.int64], slice]]:
        integrations, groups = self.table["INTEGRATION"], self.table["GROUP"]
        turns = (np.diff(integrations) != 0) | (np.diff(groups) != 0)
        cuts = [0, *(np.flatnonzero(turns) + 1).tolist(), integrations.size]
        for first, last in itertools.pairwise(cuts):
            for begin in range(first, last, _ROWS_AT_ONCE):
                rows = slice(begin, min(begin + _ROWS_AT_ONCE, last))
                lengths = self.table["LENGTH"][rows].astype(np.int64)
                starts = self.table["Y"][rows].astype(np.int64) * self.flags.shape[3]
                positions = positions_of_runs(starts + self.table["X"][rows], lengths)
                yield (int(integrations[begin]), int(groups[begin])), positions, lengths, rows

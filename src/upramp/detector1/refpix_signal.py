"""Reference signal of the near-infrared detectors, and its subtraction from a tile.

Source: jwst/refpix/reference_pixels.py (``do_top_bottom_correction``,
``apply_side_correction``, ``do_subarray_corrections``, ``restore_input_model``).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from upramp.detector1.kernels import array, const, f4, f8, i8, inner, kernel, u1

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["NirSignal", "subtract_nir", "subtract_nir_zero_frame"]


@dataclass(frozen=True)
class NirSignal:
    """What is to be subtracted from the groups of some integrations.

    Attributes
    ----------
    table
        Shape (integrations, groups, columns), DN, float64: offsets.
    which
        For each place along the fast direction of the exposure, the column of
        `table`; int64.
    sides
        Shape (integrations, groups, channels, places along the slow direction),
        DN, float64: signals of lines; no channels where lines are not corrected.
    edges
        Where each channel begins along the fast direction, and the end; int64.
    narrow
        Shape (integrations, groups), uint8: 1 where the offset's difference is
        rounded to float32 before the line's signal is subtracted.
    fast_is_x
        Whether the fast direction is the exposure's x.
    idle
        Whether there is nothing to subtract.
    """

    table: NDArray[np.float64]
    which: NDArray[np.int64]
    sides: NDArray[np.float64]
    edges: NDArray[np.int64]
    narrow: NDArray[np.uint8]
    fast_is_x: bool
    idle: bool

    def part(self, integrations: slice) -> NirSignal:
        """Signal of some of the integrations.

        Parameters
        ----------
        integrations
            Which, without a step.
        """
        return replace(
            self,
            table=self.table[integrations],
            sides=self.sides[integrations],
            narrow=self.narrow[integrations],
        )


@inner
def _line_of_x(row: Any, offset: Any, side: Any, narrow: Any) -> None:
    """One line of the detector is a row: offsets differ along it, its signal is one number."""
    if narrow:
        for x in range(row.shape[0]):
            first = np.float32(np.float64(row[x]) - offset[x])
            row[x] = np.float32(np.float64(first) - side)
    else:
        for x in range(row.shape[0]):
            row[x] = np.float32((np.float64(row[x]) - offset[x]) - side)


@inner
def _line_of_y(row: Any, offset: Any, side: Any, narrow: Any) -> None:
    """One column of the detector is a row: one offset, but each pixel's line has its signal."""
    if narrow:
        for x in range(row.shape[0]):
            first = np.float32(np.float64(row[x]) - offset)
            row[x] = np.float32(np.float64(first) - side[x])
    else:
        for x in range(row.shape[0]):
            row[x] = np.float32((np.float64(row[x]) - offset) - side[x])


@kernel(
    array(f4, 4),
    const(f8, 3),
    const(i8, 1),
    const(f8, 4),
    const(i8, 1),
    const(u1, 2),
    i8,
    i8,
    i8,
    i8,
)
def _subtract(
    ramp: Any,
    table: Any,
    which: Any,
    sides: Any,
    edges: Any,
    narrow: Any,
    fast_is_x: Any,
    y0: Any,
    first: Any,
    last: Any,
) -> None:
    nints, ngroups, _, nx = ramp.shape
    channels = sides.shape[2]
    offset = np.empty(nx)
    for i in range(nints):
        for g in range(ngroups):
            thin = narrow[i, g] != 0
            if fast_is_x:
                for x in range(nx):
                    offset[x] = table[i, g, which[x]]
                for r in range(first, last):
                    row = ramp[i, g, r]
                    if channels == 0:
                        for x in range(nx):
                            row[x] = np.float32(np.float64(row[x]) - offset[x])
                    for c in range(channels):
                        begin, end = edges[c], edges[c + 1]
                        side = sides[i, g, c, y0 + r]
                        _line_of_x(row[begin:end], offset[begin:end], side, thin)
            else:
                for r in range(first, last):
                    row = ramp[i, g, r]
                    shift = table[i, g, which[y0 + r]]
                    if channels == 0:
                        for x in range(nx):
                            row[x] = np.float32(np.float64(row[x]) - shift)
                        continue
                    c = 0
                    while edges[c + 1] <= y0 + r:
                        c += 1
                    _line_of_y(row, shift, sides[i, g, c], thin)


def subtract_nir(
    ramp: NDArray[np.float32], signal: NirSignal, y0: int, first: int, last: int
) -> None:
    """Subtract the reference signal from a tile, in place.

    Parameters
    ----------
    ramp
        Shape (integrations, groups, rows, nx), DN, float32, C-contiguous; row
        r is row ``y0 + r`` of the exposure.
    signal
        Of the same integrations and groups.
    y0
        Row of the exposure that the tile's first row is.
    first, last
        Rows of the tile to change, the last excluded.
    """
    if ramp.shape[:2] != signal.narrow.shape:
        raise ValueError(f"signal of {signal.narrow.shape} groups for a ramp of {ramp.shape[:2]}")
    if signal.idle:
        return
    _subtract(
        ramp, signal.table, signal.which, signal.sides, signal.edges, signal.narrow,
        int(signal.fast_is_x), y0, first, last,
    )  # fmt: skip


def subtract_nir_zero_frame(
    zeroframe: NDArray[np.float32], signal: NirSignal, y0: int, first: int, last: int
) -> None:
    """Subtract the reference signal from a tile of the zero frame, in place.

    What is 0 on entry marks a missing value and becomes 0 again.

    Parameters
    ----------
    zeroframe
        Shape (integrations, rows, nx), DN, float32, C-contiguous.
    signal
        Of the same integrations, with one group.
    y0, first, last
        As for `subtract_nir`.
    """
    missing = zeroframe[:, first:last] == 0
    subtract_nir(zeroframe[:, None], signal, y0, first, last)
    zeroframe[:, first:last][missing] = 0

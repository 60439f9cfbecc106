"""Inter-pixel capacitance: every frame is convolved with a small kernel that undoes it.

Reference pixels are neither corrected nor taken for neighbours; beyond the
edge of the others lies zero. The terms of a pixel are added in single
precision in the order of the kernel's elements, that of the pixel itself last.
The zero frame stays as it is.

Source: jwst/ipc/ipc_corr.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from upramp.detector1.kernels import array, const, f4, i8, inner, kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from upramp.detector1.irs2_layout import Interleave

__all__ = ["Borders", "correct", "cut_kernel", "reach", "reference_borders"]

_REFERENCE: Final = 4
_NEAR_INFRARED: Final = (2048, 2048)
_MIRI: Final = (1024, 1032)


class Borders(NamedTuple):
    """Reference pixels at the four edges of an exposure.

    Parameters
    ----------
    bottom, top
        Rows.
    left, right
        Columns.
    """

    bottom: int
    top: int
    left: int
    right: int


def reference_borders(
    instrument: str, xstart: int, ystart: int, xsize: int, ysize: int
) -> Borders:
    """Count the reference pixels at the edges of a subarray.

    Parameters
    ----------
    instrument
        ``meta.instrument.name``.
    xstart, ystart, xsize, ysize
        ``meta.subarray``, starts counted from one. Full frames in IRS2 mode say
        2048 x 2048.

    Notes
    -----
    Source: jwst/ipc/ipc_corr.py, ``get_num_ref_pixels``.
    """
    left = max(0, _REFERENCE - (xstart - 1))
    if instrument == "MIRI":
        return Borders(0, 0, left, max(0, xstart - 1 + xsize - (_MIRI[1] - _REFERENCE)))
    ny, nx = _NEAR_INFRARED
    return Borders(
        max(0, _REFERENCE - (ystart - 1)),
        max(0, ystart - 1 + ysize - (ny - _REFERENCE)),
        left,
        max(0, xstart - 1 + xsize - (nx - _REFERENCE)),
    )


def cut_kernel(
    weights: NDArray[np.float32],
    instrument: str,
    xstart: int,
    ystart: int,
    xsize: int,
    ysize: int,
) -> NDArray[np.float32]:
    """Cut the part of a subarray out of a kernel that varies over the detector.

    Parameters
    ----------
    weights
        The reference, ``float32 (k, l)`` or ``(k, l, ny, nx)``.
    instrument, xstart, ystart, xsize, ysize
        As for `reference_borders`.

    Returns
    -------
    numpy.ndarray
        A contiguous kernel for `correct`; the same array where nothing is cut.

    Notes
    -----
    Source: jwst/ipc/ipc_corr.py, ``get_ipc_slice``.
    """
    ny, nx = _MIRI if instrument == "MIRI" else _NEAR_INFRARED
    if weights.ndim == 4 and (xsize < nx or ysize < ny):
        rows = slice(ystart - 1, ystart - 1 + ysize)
        weights = weights[:, :, rows, xstart - 1 : xstart - 1 + xsize]
    return np.ascontiguousarray(weights)


def reach(weights: NDArray[np.float32], layout: Interleave | None = None) -> int:
    """Give the number of rows above and below that decide about a row.

    Parameters
    ----------
    weights
        The kernel.
    layout
        The layout of an exposure in IRS2 mode.
    """
    rows = weights.shape[0] // 2
    if layout is None or rows == 0:
        return rows
    return rows + layout.reference * ((rows - 1) // layout.normal + 1)


@inner
def _copy(frame: Any, lines: Any, valid: Any, left: Any, width: Any, pads: Any, room: Any) -> None:
    """Copy the pixels that are corrected, with zeros around them."""
    below, aside = pads
    room[:] = 0
    for n in range(valid[0], valid[1]):
        room[below + n, aside : aside + width] = frame[lines[n], left : left + width]


@inner
def _add(row: Any, weight: Any, source: Any) -> None:
    """Add a row times a number to another."""
    for x in range(row.size):
        row[x] += weight * source[x]


@inner
def _add_own(row: Any, weights: Any, source: Any) -> None:
    """Add a row times a row of numbers to another."""
    for x in range(row.size):
        row[x] += weights[x] * source[x]


@kernel(
    array(f4, 4), const(f4, 2), const(i8, 1), i8, i8, i8, i8, i8, i8, array(f4, 2)
)  # fmt: skip
def _convolve(
    ramp: Any, weights: Any, lines: Any, low: Any, high: Any, first: Any, last: Any,
    left: Any, width: Any, room: Any,
) -> None:  # fmt: skip
    """Convolve with one kernel; the lines `low` to `high` are no reference pixels."""
    rows, columns = weights.shape
    middle, centre = rows // 2, columns // 2
    for integration in range(ramp.shape[0]):
        for group in range(ramp.shape[1]):
            frame = ramp[integration, group]
            _copy(frame, lines, (low, high), left, width, (middle, centre), room)
            for n in range(max(low, first), min(high, last)):
                row = frame[lines[n], left : left + width]
                row[:] = 0
                for j in range(rows):
                    source = n + rows - 1 - j
                    for i in range(columns):
                        if j == middle and i == centre:
                            continue
                        shift = columns - 1 - i
                        _add(row, weights[j, i], room[source, shift : shift + width])
                _add(row, weights[middle, centre], room[n + middle, centre : centre + width])


@kernel(array(f4, 4), const(f4, 4), const(i8, 1), i8, i8, i8, i8, i8, i8, i8, array(f4, 2))
def _convolve_varying(
    ramp: Any, weights: Any, lines: Any, above: Any, low: Any, high: Any, first: Any, last: Any,
    left: Any, width: Any, room: Any,
) -> None:  # fmt: skip
    """Convolve with a kernel of each pixel's own; `above` rows come before the lines."""
    rows, columns = weights.shape[:2]
    middle, centre = rows // 2, columns // 2
    for integration in range(ramp.shape[0]):
        for group in range(ramp.shape[1]):
            frame = ramp[integration, group]
            _copy(frame, lines, (low, high), left, width, (middle, centre), room)
            for n in range(max(low, first), min(high, last)):
                row = frame[lines[n], left : left + width]
                row[:] = 0
                for j in range(rows):
                    source = n + rows - 1 - j
                    for i in range(columns):
                        if j == middle and i == centre:
                            continue
                        own = weights[j, i, above + n, left : left + width]
                        shift = columns - 1 - i
                        _add_own(row, own, room[source, shift : shift + width])
                own = weights[middle, centre, above + n, left : left + width]
                _add_own(row, own, room[n + middle, centre : centre + width])


def correct(
    ramp: NDArray[np.float32],
    weights: NDArray[np.float32],
    borders: Borders,
    *,
    layout: Interleave | None = None,
    height: int | None = None,
    y0: int = 0,
    first: int = 0,
    last: int | None = None,
) -> None:
    """Correct a tile of an exposure for inter-pixel capacitance.

    Rows up to `reach` above and below ``first:last`` must be part of the tile,
    where the exposure has them, and be as they were before the correction.

    Parameters
    ----------
    ramp
        DN, ``float32 (nints, ngroups, rows, nx)``; changed in place.
    weights
        ``float32 (k, l)``, or ``(k, l, ny, nx)`` cut to the exposure (see
        `cut_kernel`), contiguous. In IRS2 mode ``ny`` counts ordinary rows.
    borders
        The exposure's reference pixels, from `reference_borders`.
    layout
        The layout of an exposure in IRS2 mode: its ordinary pixels are corrected.
    height
        Rows of the exposure; by default those of the tile. Not asked for in IRS2 mode.
    y0
        Row of the exposure that the tile starts with.
    first, last
        Rows of the tile to change; all by default.

    Notes
    -----
    Source: jwst/ipc/ipc_corr.py, ``ipc_convolve``.
    """
    rows, nx = ramp.shape[2:]
    last = rows if last is None else last
    if layout is None:
        ny = rows if height is None else height
        lines, above = np.arange(rows), y0
    else:
        ny = layout.science_rows.size
        above, stop = (int(n) for n in np.searchsorted(layout.science_rows, (y0, y0 + rows)))
        lines = layout.science_rows[above:stop] - y0
    if weights.ndim == 4 and weights.shape[2:] != (ny, nx):
        raise ValueError(f"a kernel of {weights.shape[2:]} pixels for an exposure of {(ny, nx)}")
    low = max(0, borders.bottom - above)
    high = min(lines.size, ny - borders.top - above)
    width = nx - borders.left - borders.right
    if high <= low or width <= 0:
        return
    begin, end = (int(n) for n in np.searchsorted(lines, (first, last)))
    room = np.empty((lines.size + weights.shape[0] - 1, width + weights.shape[1] - 1), np.float32)
    if weights.ndim == 2:
        _convolve(ramp, weights, lines, low, high, begin, end, borders.left, width, room)
    else:
        _convolve_varying(
            ramp, weights, lines, above, low, high, begin, end, borders.left, width, room
        )

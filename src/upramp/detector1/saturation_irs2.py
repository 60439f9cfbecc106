"""Saturation flags of NIRSpec's IRS2 readout.

Only ordinary pixels are looked at and flagged; a saturated pixel spreads to
its neighbours on the detector, which are not always the rows next to it in the
array. What is found in a group holds from there on.

Differences from the other readouts: flags that were there before neither
spread nor hold on; the test of the second group sets SATURATED (not
DO_NOT_USE) and spreads; no earlier group is flagged by the way its frames were
averaged.

Source: jwst/saturation/saturation.py, ``irs2_flag_saturation``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from upramp.detector1.kernels import array, b1, const, f4, f8, i8, inner, kernel, u1, u2
from upramp.dq import GROUP, PIXEL

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from upramp.detector1.irs2_layout import Interleave

__all__ = [
    "flag_saturation",
    "flag_zero_frame",
    "prepare_threshold",
    "reach",
    "update_pixeldq",
]

_NO_LIMIT: Final = 65536.0
_NO_CHECK: Final = PIXEL["NO_SAT_CHECK"]
_SATURATED: Final = np.uint8(GROUP["SATURATED"])
_NOTHING: Final = np.uint8(0)
_FLOOR: Final = np.uint8(GROUP["AD_FLOOR"] | GROUP["DO_NOT_USE"])
_NEVER: Final = np.uint16(0xFFFF)


def reach(layout: Interleave, grow: int) -> int:
    """Give the number of rows above and below that decide about a row.

    Parameters
    ----------
    layout
        The layout of the exposure.
    grow
        As for `flag_saturation`.
    """
    if grow <= 0:
        return 0
    return grow + layout.reference * ((grow - 1) // layout.normal + 1)


def prepare_threshold(
    threshold: NDArray[np.float32], dq: NDArray[np.uint32]
) -> tuple[NDArray[np.float32], NDArray[np.uint32]]:
    """Make unchecked pixels unreachable and pixels without a threshold unchecked.

    Parameters
    ----------
    threshold
        The reference's limits, DN, ``float32 (2048, 2048)``.
    dq
        Its flags, ``uint32`` of the same shape.

    Returns
    -------
    tuple of numpy.ndarray
        Threshold and flags, new arrays.
    """
    missing = np.isnan(threshold)
    flags = np.where(missing, dq | np.uint32(_NO_CHECK), dq)
    limits = np.where((flags & np.uint32(_NO_CHECK)) != 0, np.float32(_NO_LIMIT), threshold)
    return np.ascontiguousarray(limits), np.ascontiguousarray(flags)


@inner
def _look(
    ramp: Any, groupdq: Any, integration: Any, y: Any, limit: Any, begin: Any, flag_floor: Any
) -> Any:
    """Note the first saturated group of every pixel of a row; flag what is not above zero."""
    found = False
    nx = ramp.shape[3]
    for x in range(nx):
        begin[x] = _NEVER
    for group in range(ramp.shape[1]):
        number = np.uint16(group)
        hits = 0
        for x in range(nx):
            hit = ramp[integration, group, y, x] >= limit[x]
            begin[x] = min(begin[x], number if hit else _NEVER)
            hits += hit
        found |= hits > 0
        if flag_floor:
            for x in range(nx):
                low = ramp[integration, group, y, x] <= 0
                groupdq[integration, group, y, x] |= _FLOOR if low else _NOTHING
    return found


@inner
def _look_early(
    ramp: Any, integration: Any, y: Any, limit: Any, bias: Any, mean_read: Any, late_read: Any,
    frames: Any, early: Any,
) -> None:  # fmt: skip
    """Find pixels that must have saturated at the end of the second group.

    The first group foretells no saturation by the third, but the third is
    saturated and the second has risen as only a late event explains.
    """
    for x in range(early.size):
        start = ramp[integration, 0, y, x]
        foretold = (f8(start - bias[x]) / mean_read) * late_read + f8(bias[x])
        rise = ramp[integration, 1, y, x] - start
        late = (
            (foretold < f8(limit[x]))
            & (rise > (limit[x] - start) / frames)
            & (ramp[integration, 2, y, x] >= limit[x])
        )
        early[x] = _SATURATED if late else _NOTHING


@inner
def _spread(begin: Any, early: Any, row: Any, early_row: Any, grow: Any) -> None:
    """Take the earliest of the neighbours to left and right, and add it to a row."""
    nx = row.size
    for shift in range(-grow, grow + 1):
        for x in range(max(0, -shift), min(nx, nx - shift)):
            row[x] = min(row[x], begin[x + shift])
            early_row[x] |= early[x + shift]


@kernel(
    const(f4, 4), array(u1, 4), const(f4, 2), const(f4, 2), const(i8, 1), i8, i8, i8, i8,
    f8, f8, f4, array(u2, 2), array(u1, 2), array(b1, 1),
)  # fmt: skip
def _flag(
    ramp: Any, groupdq: Any, threshold: Any, bias: Any, lines: Any, above: Any, first: Any,
    last: Any, grow: Any, mean_read: Any, late_read: Any, frames: Any, begin: Any, early: Any,
    found: Any,
) -> None:  # fmt: skip
    """Flag a tile.

    `lines` are the rows of the tile that are ordinary pixels, `above` how many
    of the frame come before them; the last lines of `begin` and `early` are room.
    """
    nints, ngroups, _, nx = ramp.shape
    count = lines.size
    test_second = frames > 0 and ngroups > 2
    for integration in range(nints):
        for n in range(count):
            y = lines[n]
            limit = threshold[above + n]
            inside = first <= y < last
            found[n] = _look(ramp, groupdq, integration, y, limit, begin[n], inside)
            for x in range(nx):
                early[n, x] = _NOTHING
            if test_second and found[n]:
                offset = bias[(above + n) if bias.shape[0] > 1 else 0]
                _look_early(
                    ramp, integration, y, limit, offset, mean_read, late_read, frames, early[n]
                )
        for n in range(count):
            y = lines[n]
            if not first <= y < last:
                continue
            near = False
            for x in range(nx):
                begin[count, x] = _NEVER
                early[count, x] = _NOTHING
            for m in range(max(0, n - grow), min(count, n + grow + 1)):
                if found[m]:
                    near = True
                    _spread(begin[m], early[m], begin[count], early[count], grow)
            if not near:
                continue
            for group in range(ngroups):
                number = np.uint16(group)
                for x in range(nx):
                    hit = begin[count, x] <= number
                    groupdq[integration, group, y, x] |= _SATURATED if hit else _NOTHING
            if test_second:
                for x in range(nx):
                    groupdq[integration, 1, y, x] |= early[count, x]


def flag_saturation(
    ramp: NDArray[np.float32],
    groupdq: NDArray[np.uint8],
    threshold: NDArray[np.float32],
    bias: NDArray[np.float32] | None,
    layout: Interleave,
    *,
    grow: int = 1,
    frames: int | None = None,
    y0: int = 0,
    first: int = 0,
    last: int | None = None,
) -> None:
    """Flag saturated and floored groups in a tile of an exposure.

    Rows up to `reach` above and below ``first:last`` must be part of the tile,
    where the frame has them.

    Parameters
    ----------
    ramp
        DN, interleaved, ``float32 (nints, ngroups, rows, nx)``; only read.
    groupdq
        Its flags, ``uint8`` of the same shape; changed in place.
    threshold
        Limits of the ordinary pixels, ``float32 (2048, nx)``, from
        `prepare_threshold`.
    bias
        Superbias of the ordinary pixels, ``float32 (2048, nx)`` (see
        ``irs2_layout.deinterleave``); None where there is no superbias reference.
    layout
        The layout.
    grow
        Pixels around a saturated one to flag too (``n_pix_grow_sat``).
    frames
        Frames per group (``meta.exposure.nframes``), to test the second group;
        None not to test it (``use_readpatt`` off).
    y0
        Row of the frame that the tile starts with.
    first, last
        Rows of the tile to change; all by default.

    Notes
    -----
    Source: jwst/saturation/saturation.py, ``irs2_flag_saturation``.
    """
    _, ngroups, rows, nx = ramp.shape
    if ngroups >= _NEVER:
        raise ValueError(f"{ngroups} groups are too many")
    wanted = layout.science_rows
    start, stop = np.searchsorted(wanted, (y0, y0 + rows))
    lines = wanted[start:stop] - y0
    if bias is None:
        bias = np.zeros((1, nx), np.float32)
    test = 0 if frames is None else frames
    _flag(
        ramp, groupdq, threshold, bias, lines, start, first, rows if last is None else last,
        max(grow, 0), (test + 1) / 2, 3.0 * test, test,
        np.empty((lines.size + 1, nx), np.uint16), np.empty((lines.size + 1, nx), np.uint8),
        np.empty(lines.size, np.bool_),
    )  # fmt: skip


def flag_zero_frame(
    zeroframe: NDArray[np.float32],
    threshold: NDArray[np.float32],
    layout: Interleave,
    *,
    grow: int = 1,
) -> None:
    """Set what is saturated or not above zero in the zero frames to zero.

    Parameters
    ----------
    zeroframe
        DN, interleaved, ``float32 (nints, rows, nx)``; changed in place.
    threshold, layout, grow
        As for `flag_saturation`.

    Notes
    -----
    Source: jwst/saturation/saturation.py, ``irs2_flag_saturation``.
    """
    for frame in zeroframe:
        dq = np.zeros((1, 1, *frame.shape), np.uint8)
        flag_saturation(frame[None, None], dq, threshold, None, layout, grow=grow)
        frame[dq[0, 0] != 0] = 0


def update_pixeldq(
    pixeldq: NDArray[np.uint32], dq: NDArray[np.uint32], layout: Interleave
) -> None:
    """Put the reference's flags into those of the ordinary pixels.

    Parameters
    ----------
    pixeldq
        Interleaved, ``uint32 (rows, nx)``; changed in place.
    dq
        Of the ordinary pixels, ``uint32 (2048, nx)``, from `prepare_threshold`.
    layout
        The layout.

    Notes
    -----
    Source: jwst/saturation/saturation.py, ``irs2_flag_saturation``.
    """
    layout.check(pixeldq.shape)
    pixeldq[layout.science_rows] |= dq

"""Persistence: groups in the time after a pixel was saturated or very bright.

Each pixel has the time at which its window closes, 0 if none is open. The array
of these times goes through an exposure group by group, and officially from one
exposure of a detector to the next by way of an ASDF file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from upramp.detector1.kernels import array, b1, const, f4, f8, i8, inner, kernel, u1
from upramp.dq import GROUP

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["flag_persistence", "group_ends", "unix_time"]

_SATURATED: Final = np.uint8(GROUP["SATURATED"])
_UNIX_EPOCH: Final = 40587.0  # 1970-01-01 as a modified Julian date
_DAY: Final = 86400.0  # seconds

# Rows of the workspace.
_SEEN, _FLAG = 0, 1


def unix_time(mjd: float) -> float:
    """Convert a modified Julian date to seconds since 1970.

    Parameters
    ----------
    mjd
        In days.

    Returns
    -------
    float
        In seconds.
    """
    return (mjd - _UNIX_EPOCH) * _DAY


def group_ends(
    nints: int,
    ngroups: int,
    group_time: float,
    *,
    exposure_start: float,
    integration_time: float,
    integration_starts: Sequence[float] | NDArray[np.float64] | None = None,
) -> NDArray[np.float64]:
    """Time at which each group ends, as the official step counts it.

    Source: jwst/persistence/persistence.py. It adds group times one by one, and looks up the
    first integration of a segment as the first of the exposure.

    Parameters
    ----------
    nints, ngroups
        Integrations in the file, and groups in each.
    group_time
        In seconds (``meta.exposure.group_time``, TGROUP).
    exposure_start
        Modified Julian date (``meta.exposure.start_time``, EXPSTART).
    integration_time
        In seconds (``meta.exposure.integration_time``, EFFINTTM).
    integration_starts
        Modified Julian dates: column ``int_start_MJD_UTC`` of the table INT_TIMES. Integrations
        for which it has no row, or all if it is None, are counted from the exposure's start.

    Returns
    -------
    numpy.ndarray
        (nints, ngroups) float64, in seconds since 1970.
    """
    ends = np.empty((nints, ngroups))
    known = 0 if integration_starts is None else len(integration_starts)
    for i in range(nints):
        if integration_starts is not None and i < known:
            now = unix_time(float(integration_starts[i]))
        else:
            now = unix_time(float(exposure_start)) + i * integration_time
        for g in range(ngroups):
            now = now + group_time
            ends[i, g] = now
    return ends


def flag_persistence(
    ramp: NDArray[np.float32],
    groupdq: NDArray[np.uint8],
    window: NDArray[np.float64],
    ends: NDArray[np.float64],
    duration: float,
    threshold: float | None,
    do_not_use: bool,
    y0: int,
    first: int,
    last: int,
) -> None:
    """Flag a tile's groups that may hold persistence, in place.

    Source: jwst/persistence/persistence.py. What is kept of it: a window opens anew at each
    group up to the second one flagged as saturated, whether or not that group is.

    Parameters
    ----------
    ramp
        (nints, ngroups, rows, nx) float32, in DN; not looked at without a threshold.
    groupdq
        uint8 of the same shape; gets PERSISTENCE.
    window
        (ny, nx) float64, changed in place: when each pixel's window closes, in seconds since
        1970, or 0. Integrations of the same rows have to be given in order.
    ends
        (nints, ngroups): what `group_ends` returned for the tile's integrations.
    duration
        How long a window is open, in seconds; positive (``persistence_time``).
    threshold
        Signal in DN above which a window opens; None for saturation alone
        (``dn_threshold``).
    do_not_use
        Flag DO_NOT_USE as well (``persistence_dnu``).
    y0
        Row of the exposure that is the tile's row 0.
    first, last
        Rows of the tile to flag.

    Raises
    ------
    ValueError
        If the shapes do not fit.
    """
    nints, ngroups, rows, nx = ramp.shape
    if groupdq.shape != ramp.shape or ends.shape != (nints, ngroups):
        raise ValueError(f"ramp {ramp.shape}, groups {groupdq.shape}, times {ends.shape}")
    if window.shape[1:] != (nx,) or not 0 <= y0 <= y0 + rows <= window.shape[0]:
        raise ValueError(f"{rows} rows of {nx} from row {y0} do not fit into {window.shape}")
    if not 0 <= first <= last <= rows:
        raise ValueError(f"rows {first} to {last} are not in a tile of {rows}")
    flag = GROUP["PERSISTENCE"] | (GROUP["DO_NOT_USE"] if do_not_use else 0)
    # numpy compares float32 with a Python float in float32.
    with np.errstate(over="ignore"):
        limit = np.float32(0 if threshold is None else threshold)
    work = np.empty((2, nx), np.uint8)
    work[_FLAG] = flag
    bright = threshold is not None
    _flag(ramp, groupdq, window, ends, duration, bright, limit, work, y0, first, last)


@inner
def _saturated_row(dq: Any, window: Any, seen: Any, now: Any, close: Any) -> None:
    """Close windows that are over, and open those of saturation."""
    for x in range(dq.shape[0]):
        # Of the count of saturated groups only none, one or more matters.
        count = np.uint8(min(seen[x] + ((dq[x] & _SATURATED) >> 1), 2))
        seen[x] = count
        until = 0.0 if window[x] < now else window[x]
        window[x] = close if count == 1 else until


@inner
def _bright_row(values: Any, window: Any, threshold: Any, close: Any) -> None:
    for x in range(values.shape[0]):
        until = window[x]
        window[x] = close if (values[x] > threshold) & (not until > 0.0) else until


@inner
def _flag_row(dq: Any, window: Any, flag: Any, close: Any) -> None:
    """Discard windows that would have opened later than now, and flag the open ones."""
    for x in range(dq.shape[0]):
        until = window[x]
        until = 0.0 if (until != 0.0) & (until - close > 0.0) else until
        window[x] = until
        dq[x] |= flag if until > 0.0 else np.uint8(0)


@kernel(
    const(f4, 4), array(u1, 4), array(f8, 2), const(f8, 2), f8, b1, f4, array(u1, 2), i8, i8, i8
)
def _flag(
    ramp: Any,
    groupdq: Any,
    window: Any,
    ends: Any,
    duration: Any,
    bright: Any,
    threshold: Any,
    work: Any,
    y0: Any,
    first: Any,
    last: Any,
) -> None:
    nints, ngroups = ends.shape
    seen, flag = work[_SEEN], work[_FLAG, 0]
    for r in range(first, last):
        row = window[y0 + r]
        for i in range(nints):
            seen[:] = 0
            for g in range(ngroups):
                dq, now = groupdq[i, g, r], ends[i, g]
                close = now + duration
                _saturated_row(dq, row, seen, now, close)
                if bright:
                    _bright_row(ramp[i, g, r], row, threshold, close)
                _flag_row(dq, row, flag, close)

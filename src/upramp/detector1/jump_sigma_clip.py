"""Jumps by sigma clipping, for exposures of many integrations.

A difference of two groups is a jump if sigma clipping rejects it among the same
differences of all integrations, or among all of the pixel's.

Source: ``det_jump_sigma_clipping`` in ``stcal/jump/twopoint_difference.py``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from upramp.detector1.kernels import array, b1, const, f4, f8, i8, inner, kernel, u1
from upramp.detector1.sigma_clipping import bounds_of_columns, clipping_bounds
from upramp.dq import GROUP

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["clear_covered_groups", "covered_groups", "flag_sigma_clipped"]

_JUMP: Final = np.uint8(GROUP["JUMP_DET"])
_UNUSABLE: Final = np.uint8(GROUP["SATURATED"] | GROUP["DO_NOT_USE"])
_COVERED: Final = np.uint8(GROUP["JUMP_DET"] | GROUP["DO_NOT_USE"])

_ITERATIONS: Final = 5  # sigma_clip's default
_WORKSPACE: Final = 1 << 15  # samples that are looked at together, of eight pixels at least
_NOTHING: Final = np.uint8(0)


def flag_sigma_clipped(
    electrons: NDArray[np.float32],
    groupdq: NDArray[np.uint8],
    interval: NDArray[np.float64],
    rejection: float,
    only_use_ints: bool,
    first: int,
    last: int,
) -> None:
    """Flag jumps in rows of a tile, in place.

    Parameters
    ----------
    electrons
        float32 (nints, ngroups, rows, nx), contiguous: the ramp times the
        gain, with NaN where `groupdq` has SATURATED or DO_NOT_USE.
    groupdq
        uint8, as `electrons`.
    interval
        float64: the time between groups, one for all (the official code has 1
        unless metadata have a read pattern) or one for each difference.
    rejection
        Step parameter ``rejection_threshold``: standard deviations.
    only_use_ints
        Step parameter: compare a difference with those of the same groups in
        other integrations only.
    first, last
        Rows to flag: first to last - 1.

    Notes
    -----
    When all integrations are flagged, groups in which every pixel is a jump or
    not to be used need `covered_groups` and `clear_covered_groups`.
    """
    nints, ngroups, _, nx = electrons.shape
    if interval.shape not in ((1,), (ngroups - 1,)):
        raise ValueError(f"interval has shape {interval.shape} for {ngroups} groups")
    samples = nints if only_use_ints else nints * (ngroups - 1)
    if samples == 0:
        return
    workspace = np.empty((samples, min(nx, max(8, min(128, _WORKSPACE // samples)))))
    times = np.array(np.broadcast_to(interval, ngroups - 1), np.float64)
    _flag(electrons, groupdq, times, rejection, workspace, first, last)


def covered_groups(groupdq: NDArray[np.uint8], first: int, last: int) -> NDArray[np.bool_]:
    """Find the groups in which every pixel of some rows is a jump or not to be used.

    Parameters
    ----------
    groupdq
        uint8 (nints, ngroups, rows, nx), contiguous.
    first, last
        Rows to look at: first to last - 1.

    Returns
    -------
    numpy.ndarray
        bool (nints, ngroups). Of an exposure: the logical and of all its tiles.
    """
    covered = np.ones(groupdq.shape[:2], np.bool_)
    _cover(groupdq, covered, first, last)
    return covered


def clear_covered_groups(
    groupdq: NDArray[np.uint8], covered: NDArray[np.bool_], first: int, last: int
) -> None:
    """Take back flags of covered groups: pixels that are jumps and nothing else, in place.

    Parameters
    ----------
    groupdq
        uint8 (nints, ngroups, rows, nx).
    covered
        bool (nints, ngroups): `covered_groups` of the whole exposure.
    first, last
        Rows to change: first to last - 1.
    """
    for integration, group in np.argwhere(covered):
        rows = groupdq[integration, group, first:last]
        rows[rows == _JUMP] = 0


@inner
def _gather(
    electrons: Any, times: Any, y: Any, x0: Any, width: Any, start: Any, rows: Any
) -> None:
    """Take differences from `start` on of all integrations; infinite where not finite."""
    nints = electrons.shape[0]
    groups = rows.shape[0] // nints
    for i in range(nints):
        for g in range(groups):
            row = rows[i * groups + g]
            before = electrons[i, start + g, y, x0 : x0 + width]
            after = electrons[i, start + g + 1, y, x0 : x0 + width]
            time = times[start + g]
            for x in range(width):
                value = np.float64(after[x] - before[x]) / time
                row[x] = value if abs(value) < np.inf else np.inf


@inner
def _flag_outside(
    dq: Any, rows: Any, y: Any, x0: Any, width: Any, start: Any, low: Any, high: Any
) -> None:
    nints = dq.shape[0]
    groups = rows.shape[0] // nints
    for i in range(nints):
        for g in range(groups):
            row = rows[i * groups + g]
            flags = dq[i, start + g + 1, y, x0 : x0 + width]
            for x in range(width):
                clipped = (row[x] < low[x]) | ((row[x] > high[x]) & (row[x] < np.inf))
                usable = flags[x] & _UNUSABLE == 0
                flags[x] |= _JUMP if clipped & usable else _NOTHING


@kernel(const(f4, 4), array(u1, 4), const(f8, 1), f8, array(f8, 2), i8, i8)
def _flag(
    electrons: Any,
    dq: Any,
    times: Any,
    rejection: Any,
    workspace: Any,
    first: Any,
    last: Any,
) -> None:
    """Clip samples: as many differences at once as the workspace has rows per integration."""
    nints, ngroups, _, nx = electrons.shape
    samples, step = workspace.shape
    groups = samples // nints
    low = np.empty(step)
    high = np.empty(step)
    sure = np.empty(step, np.bool_)
    statistics = np.empty((5, step))
    counts = np.empty(step, np.int64)
    buffer = np.empty(samples)
    for y in range(first, last):
        for x0 in range(0, nx, step):
            width = min(step, nx - x0)
            for start in range(0, ngroups - 1, groups):
                _gather(electrons, times, y, x0, width, start, workspace)
                bounds_of_columns(
                    workspace, width, rejection, _ITERATIONS, low, high, sure, statistics, counts
                )
                for x in range(width):
                    if not sure[x]:
                        count = 0
                        for k in range(samples):
                            if workspace[k, x] < np.inf:
                                buffer[count] = workspace[k, x]
                                count += 1
                        low[x], high[x] = clipping_bounds(buffer, count, rejection, _ITERATIONS)
                _flag_outside(dq, workspace, y, x0, width, start, low, high)


@kernel(const(u1, 4), array(b1, 2), i8, i8)
def _cover(dq: Any, covered: Any, first: Any, last: Any) -> None:
    nints, ngroups, _, nx = dq.shape
    for i in range(nints):
        for g in range(ngroups):
            for y in range(first, last):
                for x in range(nx):
                    if dq[i, g, y, x] & _COVERED == 0:
                        covered[i, g] = False
                        break
                if not covered[i, g]:
                    break

"""Charge migration: groups bright enough to lose charge to their neighbours.

A group above the threshold loses charge, and so do, in that group and all later
ones, the pixel and its four direct neighbours. Officially every hit is worked
through by itself; as flags are only ever added from a group on, and the test
looks at the flags as they were before, one pass forward over the groups with a
tally of the pixels that were hit does the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from upramp.detector1.kernels import array, const, f4, i8, inner, kernel, u1
from upramp.dq import GROUP

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["MIN_GROUPS", "REACH", "flag_charge_migration"]

REACH: Final = 1
"""Rows above and below that a row's result depends on."""

MIN_GROUPS: Final = 3
"""The step is skipped for integrations of fewer groups."""

_DNU: Final = np.uint8(GROUP["DO_NOT_USE"])
_LOSS: Final = np.uint8(GROUP["CHARGELOSS"] | GROUP["DO_NOT_USE"])


def flag_charge_migration(
    ramp: NDArray[np.float32],
    groupdq: NDArray[np.uint8],
    threshold: float,
    y0: int,
    first: int,
    last: int,
) -> None:
    """Flag a tile's groups that lose charge, in place.

    Source: jwst/charge_migration/charge_migration.py. A group is not looked at if its flags
    are DO_NOT_USE and nothing else; with any further flag it is.

    Parameters
    ----------
    ramp
        (nints, ngroups, rows, nx) float32, in DN.
    groupdq
        uint8 of the same shape; gets CHARGELOSS and DO_NOT_USE. Rows that are not flagged must
        be as they were before the step.
    threshold
        Signal in DN above which charge is lost (``signal_threshold``).
    y0
        Row of the exposure that is the tile's row 0; it does not matter here.
    first, last
        Rows of the tile to flag. The row before and the row after must be in the tile, where
        the exposure has them.

    Raises
    ------
    ValueError
        If the shapes do not fit, or a neighbour is certainly missing.
    """
    _, _, rows, nx = ramp.shape
    if groupdq.shape != ramp.shape:
        raise ValueError(f"ramp {ramp.shape}, groups {groupdq.shape}")
    if not 0 <= first <= last <= rows:
        raise ValueError(f"rows {first} to {last} are not in a tile of {rows}")
    if first == 0 < y0:
        raise ValueError(f"the row before row {y0} is not in the tile")
    # numpy compares float32 with a Python float in float32.
    with np.errstate(over="ignore"):
        limit = np.float32(threshold)
    hit = np.zeros((rows, nx + 2), np.uint8)
    _flag(ramp, groupdq, limit, hit, first, last)


@inner
def _hit_row(values: Any, dq: Any, threshold: Any, hit: Any) -> None:
    for x in range(values.shape[0]):
        above = (values[x] > threshold) & (dq[x] != _DNU)
        hit[x] |= _LOSS if above else np.uint8(0)


@inner
def _flag_row(hit: Any, dq: Any) -> None:
    """Flag those hit and their neighbours to the left and right: hit is longer by 2."""
    for x in range(dq.shape[0]):
        dq[x] |= hit[x] | hit[x + 1] | hit[x + 2]


@inner
def _flag_beside(hit: Any, dq: Any) -> None:
    for x in range(dq.shape[0]):
        dq[x] |= hit[x]


@kernel(const(f4, 4), array(u1, 4), f4, array(u1, 2), i8, i8)
def _flag(ramp: Any, groupdq: Any, threshold: Any, hit: Any, first: Any, last: Any) -> None:
    nints, ngroups, rows, nx = ramp.shape
    above, below = max(first - 1, 0), min(last + 1, rows)
    for i in range(nints):
        hit[above:below] = 0
        for g in range(ngroups):
            for r in range(above, below):
                _hit_row(ramp[i, g, r], groupdq[i, g, r], threshold, hit[r, 1 : nx + 1])
            for r in range(first, last):
                dq = groupdq[i, g, r]
                _flag_row(hit[r], dq)
                if r > above:
                    _flag_beside(hit[r - 1, 1 : nx + 1], dq)
                if r + 1 < below:
                    _flag_beside(hit[r + 1, 1 : nx + 1], dq)

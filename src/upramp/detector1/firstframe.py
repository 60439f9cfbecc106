"""Flag the first group of MIRI's integrations.

The step is deprecated since jwst 2.0 and off unless asked for; what it does
has moved to `upramp.detector1.rscd`.

Source: jwst/firstframe/firstframe_sub.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from upramp.dq import GROUP, PIXEL

from .kernels import array, b1, i8, kernel, u1, u4
from .tile_checks import check_tile

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["flag_first_group"]

_DO_NOT_USE: Final = np.uint8(GROUP["DO_NOT_USE"])
_SATURATED: Final = np.uint8(GROUP["SATURATED"])
_FLUX_ESTIMATED: Final = np.uint32(PIXEL["FLUX_ESTIMATED"])


def flag_first_group(
    groupdq: NDArray[Any],
    pixeldq: NDArray[Any],
    bright_use_group1: bool,
    y0: int,
    first: int,
    last: int,
) -> bool:
    """Set DO_NOT_USE in the first group of a tile, in place.

    Parameters
    ----------
    groupdq
        (nints, ngroups, rows, nx) uint8: all integrations of the file.
    pixeldq
        (ny, nx) uint32, the whole exposure's: FLUX_ESTIMATED where a first group was kept.
    bright_use_group1
        Keep the first group where the third is saturated.
    y0, first, last
        Row ``r`` of the tile is row ``y0 + r`` of the exposure; rows
        ``first <= r < last`` are flagged.

    Returns
    -------
    bool
        False if there are no more than three groups: nothing is flagged and
        the step is skipped.

    Notes
    -----
    Source: jwst/firstframe/firstframe_sub.py.
    """
    if groupdq.shape[1] <= 3:
        return False
    check_tile(groupdq, pixeldq, y0, first, last)
    _flag(groupdq, pixeldq, bright_use_group1, y0, first, last)
    return True


@kernel(array(u1, 4), array(u4, 2), b1, i8, i8, i8)
def _flag(
    groupdq: Any, pixeldq: Any, bright_use_group1: bool, y0: int, first: int, last: int
) -> None:
    nints, _, _, nx = groupdq.shape
    for i in range(nints):
        for r in range(first, last):
            flags = groupdq[i, 0, r]
            third = groupdq[i, 2, r]
            pixel = pixeldq[y0 + r]
            for x in range(nx):
                keep = bright_use_group1 and third[x] & _SATURATED != 0
                flags[x] |= np.uint8(0) if keep else _DO_NOT_USE
                pixel[x] |= _FLUX_ESTIMATED if keep else np.uint32(0)

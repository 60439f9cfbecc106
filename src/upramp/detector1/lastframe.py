"""Flag the last group of MIRI's integrations, which the next reset disturbs.

Source: jwst/lastframe/lastframe_sub.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from upramp.dq import GROUP

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["flag_last_group"]

_DO_NOT_USE: Final = np.uint8(GROUP["DO_NOT_USE"])


def flag_last_group(groupdq: NDArray[Any], first: int, last: int) -> bool:
    """Set DO_NOT_USE in the last group of a tile, in place.

    Parameters
    ----------
    groupdq
        (nints, ngroups, rows, nx) uint8.
    first, last
        Rows ``first <= r < last`` of the tile are flagged.

    Returns
    -------
    bool
        False if there are no more than two groups: nothing is flagged and the
        step is skipped.

    Notes
    -----
    Source: jwst/lastframe/lastframe_sub.py.
    """
    if groupdq.shape[1] <= 2:
        return False
    groupdq[:, -1, first:last] |= _DO_NOT_USE
    return True

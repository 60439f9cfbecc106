"""The first flags: what the mask reference knows of each pixel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from upramp.detector1.kernels import array, const, i8, kernel, u1, u4
from upramp.dq import GROUP
from upramp.errors import UsageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["combine_masks", "flag_masked", "initialize_pixel_dq"]

_DNU: Final = np.uint32(GROUP["DO_NOT_USE"])


def combine_masks(mask: NDArray[Any], user_dq: NDArray[Any] | None) -> NDArray[np.uint32]:
    """Combine the reference's flags with those a user gave.

    Source: jwst/dq_init/dq_initialization.py.

    Parameters
    ----------
    mask
        (ny, nx), or (nstripes, ny, nx) for superstripes: the mask reference's DQ.
    user_dq
        Array of whole numbers as its file has it, of the same shape, or None
        (``user_supplied_dq``).

    Returns
    -------
    numpy.ndarray
        uint32 of that shape, new.

    Raises
    ------
    UsageError
        If the user's array is of another shape.
    """
    combined = np.array(mask, dtype=np.uint32, order="C")
    if user_dq is not None:
        if user_dq.shape != combined.shape:
            raise UsageError(
                "user_supplied_dq",
                f"its array is {user_dq.shape}, the exposure's mask is {combined.shape}",
                "give flags for the pixels of the exposure's subarray",
            )
        combined |= user_dq.astype(np.uint32)
    return combined


def initialize_pixel_dq(pixeldq: NDArray[np.uint32], mask: NDArray[np.uint32]) -> None:
    """Set the mask's flags in an exposure's pixel DQ, or in the DQ of a guide-star exposure.

    Source: jwst/dq_init/dq_initialization.py.

    Parameters
    ----------
    pixeldq
        uint32, changed in place.
    mask
        uint32 of the same shape.

    Raises
    ------
    ValueError
        If the shapes differ.
    """
    if pixeldq.shape != mask.shape:
        raise ValueError(f"pixel DQ is {pixeldq.shape}, the mask {mask.shape}")
    np.bitwise_or(pixeldq, mask, out=pixeldq)


def flag_masked(
    groupdq: NDArray[np.uint8], mask: NDArray[np.uint32], y0: int, first: int, last: int
) -> None:
    """Flag all groups of a tile's pixels that the mask says not to use, in place.

    Source: jwst/dq_init/dq_initialization.py.

    Parameters
    ----------
    groupdq
        (nints, ngroups, rows, nx) uint8; gets DO_NOT_USE.
    mask
        (ny, nx) uint32; of superstripes, that of the integrations in the tile.
    y0
        Row of the exposure that is the tile's row 0.
    first, last
        Rows of the tile to flag.

    Raises
    ------
    ValueError
        If the shapes do not fit.
    """
    rows, nx = groupdq.shape[2:]
    if mask.shape[1:] != (nx,) or not 0 <= y0 <= y0 + rows <= mask.shape[0]:
        raise ValueError(f"{rows} rows of {nx} from row {y0} do not fit into {mask.shape}")
    if not 0 <= first <= last <= rows:
        raise ValueError(f"rows {first} to {last} are not in a tile of {rows}")
    _flag(groupdq, mask, y0, first, last)


@kernel(array(u1, 4), const(u4, 2), i8, i8, i8)
def _flag(groupdq: Any, mask: Any, y0: Any, first: Any, last: Any) -> None:
    nints, ngroups, _, nx = groupdq.shape
    for r in range(first, last):
        row = mask[y0 + r]
        for i in range(nints):
            for g in range(ngroups):
                dq = groupdq[i, g, r]
                for x in range(nx):
                    dq[x] |= row[x] & _DNU

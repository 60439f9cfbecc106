"""Group scale: what the on-board average of frames has to be multiplied by.

On board, the sum of a group's frames is divided by a power of two, whatever
their number.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from upramp.detector1.kernels import array, f4, i8, kernel
from upramp.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["GroupScale", "choose_group_scale", "scale_groups"]


@dataclass(frozen=True)
class GroupScale:
    """Whether and how groups are scaled."""

    factor: float | None
    """What to multiply by; None if the step is skipped."""
    reason: str
    """Why, as a clause."""
    suspicious: bool = False
    """Whether the data are probably left with a wrong scale."""


def choose_group_scale(nframes: int | None, frame_divisor: int | None) -> GroupScale:
    """Decide from an exposure's keywords whether its groups are to be scaled.

    Source: jwst/group_scale/group_scale_step.py and group_scale.py.

    Parameters
    ----------
    nframes
        Frames averaged in each group (``meta.exposure.nframes``, NFRAMES).
    frame_divisor
        What their sum was divided by (``meta.exposure.frame_divisor``, FRMDIVSR).

    Returns
    -------
    GroupScale
        The decision.

    Raises
    ------
    InputError
        If NFRAMES is 0 and a factor is needed.
    """
    if nframes is None:
        return GroupScale(None, "NFRAMES is missing", suspicious=True)
    if frame_divisor is None:
        if nframes & (nframes - 1) == 0:
            return GroupScale(None, f"NFRAMES={nframes} is a power of 2")
        return GroupScale(
            None, f"FRMDIVSR is missing and NFRAMES={nframes} is no power of 2", suspicious=True
        )
    if nframes == frame_divisor:
        return GroupScale(None, f"NFRAMES and FRMDIVSR are both {nframes}")
    if nframes == 0:
        raise InputError("NFRAMES", "it is 0", "give the number of frames averaged in a group")
    return GroupScale(
        float(frame_divisor) / nframes, f"frames were divided by {frame_divisor}, not {nframes}"
    )


def scale_groups(ramp: NDArray[np.float32], factor: float, y0: int, first: int, last: int) -> None:
    """Scale a tile, in place. `upramp.detector1.decode.decode_tile` can do it on the way.

    Source: jwst/group_scale/group_scale.py. The zero frame is not scaled.

    Parameters
    ----------
    ramp
        (nints, ngroups, rows, nx) float32, in DN.
    factor
        What to multiply by; rounded to float32 first, as numpy does.
    y0
        Row of the exposure that is the tile's row 0; it does not matter here.
    first, last
        Rows of the tile to scale.

    Raises
    ------
    ValueError
        If the rows are not in the tile.
    """
    if y0 < 0 or not 0 <= first <= last <= ramp.shape[2]:
        raise ValueError(f"rows {first} to {last} are not in a tile of {ramp.shape[2]}")
    _scale(ramp, np.float32(factor), first, last)


@kernel(array(f4, 4), f4, i8, i8)
def _scale(ramp: Any, factor: Any, first: Any, last: Any) -> None:
    nints, ngroups, _, nx = ramp.shape
    for i in range(nints):
        for g in range(ngroups):
            for r in range(first, last):
                row = ramp[i, g, r]
                for x in range(nx):
                    row[x] *= factor

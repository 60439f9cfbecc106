"""Subtract the bias of the detector's readout.

Source: jwst/superbias/bias_sub.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .kernels import array, const, f4, i8, kernel
from .tile_checks import check_tile

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["prepare_bias", "subtract_bias", "subtract_bias_of_zero_frame"]


def prepare_bias(bias: NDArray[Any]) -> NDArray[np.float32]:
    """Make the bias ready to be subtracted: one image per stripe, zero where unknown.

    Parameters
    ----------
    bias
        (ny, nx), or (nstripes, ny, nx) of a read-out in superstripes; DN. Not changed.

    Returns
    -------
    ndarray
        (nstripes, ny, nx) float32; one stripe for what has none.
    """
    prepared = np.array(bias, dtype=np.float32, order="C")
    prepared[np.isnan(prepared)] = 0.0
    return prepared.reshape((-1, *prepared.shape[-2:]))


def subtract_bias(ramp: NDArray[Any], bias: NDArray[Any], y0: int, first: int, last: int) -> None:
    """Subtract the bias from every group of a tile, in place.

    Parameters
    ----------
    ramp
        (nints, ngroups, rows, nx) float32, DN.
    bias
        From `prepare_bias`. Integration ``i`` of the file belongs to stripe
        ``i % nstripes``.
    y0, first, last
        Row ``r`` of the tile is row ``y0 + r`` of the exposure; rows
        ``first <= r < last`` are changed.

    Notes
    -----
    Source: jwst/superbias/bias_sub.py. The pixels' DQ gains all bits of the
    reference's DQ.
    """
    check_tile(ramp, bias, y0, first, last)
    _subtract(ramp, bias, y0, first, last)


def subtract_bias_of_zero_frame(
    zero_frame: NDArray[Any], bias: NDArray[Any], y0: int, first: int, last: int
) -> None:
    """Subtract the bias from a tile of the zero frame, in place; zero stays zero.

    Parameters
    ----------
    zero_frame
        (nints, rows, nx) float32, DN; zero (of either sign) marks what cannot be used.
    bias
        From `prepare_bias`.
    y0, first, last
        As in `subtract_bias`.

    Notes
    -----
    Source: jwst/superbias/bias_sub.py. A pixel that equals its bias becomes
    zero here, and later counts as unusable, as in the official pipeline.
    """
    check_tile(zero_frame, bias, y0, first, last)
    _subtract_marked(zero_frame, bias, y0, first, last)


@kernel(array(f4, 4), const(f4, 3), i8, i8, i8)
def _subtract(ramp: Any, bias: Any, y0: int, first: int, last: int) -> None:
    nints, ngroups, _, nx = ramp.shape
    stripes = bias.shape[0]
    for r in range(first, last):
        for i in range(nints):
            level = bias[i % stripes, y0 + r]
            for g in range(ngroups):
                values = ramp[i, g, r]
                for x in range(nx):
                    values[x] -= level[x]


@kernel(array(f4, 3), const(f4, 3), i8, i8, i8)
def _subtract_marked(zero_frame: Any, bias: Any, y0: int, first: int, last: int) -> None:
    nints, _, nx = zero_frame.shape
    stripes = bias.shape[0]
    for r in range(first, last):
        for i in range(nints):
            level = bias[i % stripes, y0 + r]
            values = zero_frame[i, r]
            for x in range(nx):
                below = values[x] - level[x]
                values[x] = np.float32(0) if values[x] == 0 else below

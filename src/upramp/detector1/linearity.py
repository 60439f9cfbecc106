"""Straighten the detector's response with a polynomial for every pixel.

Source: stcal/linearity/linearity.py and jwst/linearity/linearity.py. Groups
that average frames may need `upramp.detector1.linearity_reads` instead.
"""

from __future__ import annotations

import functools
import threading
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from upramp.dq import GROUP, PIXEL

from .kernels import Kernel, array, const, f4, i8, inner, kernel, u1, u4
from .tile_checks import check_tile

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["linearize", "linearize_zero_frame", "prepare_coefficients"]

_SATURATED: Final = np.uint8(GROUP["SATURATED"])
_NO_LIN_CORR: Final = np.uint32(PIXEL["NO_LIN_CORR"])
_WIDTH: Final = 256
"""Pixels worked on at once. Their coefficients are copied into a block whose
planes lie at constant distances, so that one comparison shows that writing to
the ramp does not change them; with it the loop over pixels is vectorised."""

_making: Final = threading.Lock()
"""Threads that start together share one kernel."""


def prepare_coefficients(
    coefficients: NDArray[Any], dq: NDArray[Any]
) -> tuple[NDArray[np.float32], NDArray[np.uint32]]:
    """Make coefficients harmless where the reference has none to offer.

    A pixel whose DQ says NO_LIN_CORR, that has a NaN among its coefficients or
    whose linear term is zero gets the polynomial that changes nothing.

    Parameters
    ----------
    coefficients
        (n, ny, nx), n >= 2, lowest order first: COEFFS or INV_COEFFS. Not changed.
    dq
        (ny, nx), the reference's DQ.

    Returns
    -------
    coefficients : ndarray
        (n, ny, nx) float32.
    dq : ndarray
        (ny, nx) uint32: what the pixels' DQ gains, NO_LIN_CORR included. Where
        INV_COEFFS are used too, it gains both results.

    Raises
    ------
    ValueError
        If there is no linear term.

    Notes
    -----
    Source: stcal/linearity/linearity.py, ``prepare_coefficients``.
    """
    if len(coefficients) < 2:
        raise ValueError("a polynomial without a linear term corrects nothing")
    prepared = np.array(coefficients, dtype=np.float32, order="C")
    flags = np.array(dq, dtype=np.uint32, order="C")
    if flags.shape != prepared.shape[1:]:
        raise ValueError(f"DQ {flags.shape} does not fit coefficients {prepared.shape}")
    _prepare(prepared, flags)
    return prepared, flags


def linearize(
    ramp: NDArray[Any],
    groupdq: NDArray[Any],
    coefficients: NDArray[Any],
    y0: int,
    first: int,
    last: int,
) -> None:
    """Apply the polynomial to every unsaturated group of a tile, in place.

    Parameters
    ----------
    ramp
        (nints, ngroups, rows, nx) float32, DN.
    groupdq
        uint8, of the same shape. Saturated groups stay as they are.
    coefficients
        From `prepare_coefficients`.
    y0, first, last
        Row ``r`` of the tile is row ``y0 + r`` of the exposure; rows
        ``first <= r < last`` are changed.

    Notes
    -----
    Source: stcal/linearity/linearity.py, ``apply_polynomial``; float32 throughout.
    """
    check_tile(ramp, coefficients, y0, first, last)
    with _making:
        correct = _corrector(len(coefficients))
    correct(ramp, groupdq, coefficients, y0, first, last)


def linearize_zero_frame(
    zero_frame: NDArray[Any], coefficients: NDArray[Any], y0: int, first: int, last: int
) -> None:
    """Apply the polynomial to a tile of the zero frame, in place; zero stays zero.

    Parameters
    ----------
    zero_frame
        (nints, rows, nx) float32, DN; zero (of either sign) marks what cannot be used.
    coefficients
        From `prepare_coefficients`; the inverse ones are not used.
    y0, first, last
        As in `linearize`.
    """
    check_tile(zero_frame, coefficients, y0, first, last)
    with _making:
        correct = _zero_frame_corrector(len(coefficients))
    correct(zero_frame, coefficients, y0, first, last)


@kernel(array(f4, 3), array(u4, 2))
def _prepare(coefficients: Any, dq: Any) -> None:
    n, ny, nx = coefficients.shape
    for y in range(ny):
        for x in range(nx):
            known = coefficients[1, y, x] != 0
            for j in range(n):
                known &= coefficients[j, y, x] == coefficients[j, y, x]
            if dq[y, x] & _NO_LIN_CORR or not known:
                dq[y, x] |= _NO_LIN_CORR
                for j in range(n):
                    coefficients[j, y, x] = np.float32(j == 1)


@inner
def _copy(coefficients: Any, y: int, x0: int, width: int, block: Any) -> None:
    for j in range(coefficients.shape[0]):
        source = coefficients[j, y, x0 : x0 + width]
        target = block[j * _WIDTH : j * _WIDTH + width]
        for x in range(width):
            target[x] = source[x]


@functools.cache
def _corrector(n: int) -> Kernel:
    """Make the kernel for n coefficients; a number known beforehand is unrolled."""
    top = (n - 1) * _WIDTH

    @kernel(array(f4, 4), const(u1, 4), const(f4, 3), i8, i8, i8)
    def correct(
        ramp: Any, groupdq: Any, coefficients: Any, y0: int, first: int, last: int
    ) -> None:
        nints, groups, _, nx = ramp.shape
        c = np.empty(n * _WIDTH, np.float32)
        for r in range(first, last):
            for x0 in range(0, nx, _WIDTH):
                width = min(_WIDTH, nx - x0)
                _copy(coefficients, y0 + r, x0, width, c)
                for i in range(nints):
                    for g in range(groups):
                        values = ramp[i, g, r, x0 : x0 + width]
                        flags = groupdq[i, g, r, x0 : x0 + width]
                        for x in range(width):
                            value = values[x]
                            straight = c[top + x] * value
                            for j in range(n - 2, 0, -1):
                                straight = (straight + c[j * _WIDTH + x]) * value
                            straight += c[x]
                            values[x] = value if flags[x] & _SATURATED else straight

    return correct


@functools.cache
def _zero_frame_corrector(n: int) -> Kernel:
    top = (n - 1) * _WIDTH

    @kernel(array(f4, 3), const(f4, 3), i8, i8, i8)
    def correct(zero_frame: Any, coefficients: Any, y0: int, first: int, last: int) -> None:
        nints, _, nx = zero_frame.shape
        c = np.empty(n * _WIDTH, np.float32)
        for r in range(first, last):
            for x0 in range(0, nx, _WIDTH):
                width = min(_WIDTH, nx - x0)
                _copy(coefficients, y0 + r, x0, width, c)
                for i in range(nints):
                    values = zero_frame[i, r, x0 : x0 + width]
                    for x in range(width):
                        value = values[x]
                        straight = c[top + x] * value
                        for j in range(n - 2, 0, -1):
                            straight = (straight + c[j * _WIDTH + x]) * value
                        straight += c[x]
                        values[x] = np.float32(0) if value == 0 else straight

    return correct

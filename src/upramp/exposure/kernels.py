"""Compiled loops; importing this module imports numba."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numba
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["decode_unsigned"]


@numba.njit(
    ["void(uint16[::1], float32[::1])", "void(uint16[::1], uint16[::1])"],
    nogil=True,
    cache=True,
    boundscheck=False,
)  # type: ignore[untyped-decorator]
def decode_unsigned(stored: NDArray[np.uint16], out: NDArray[Any]) -> None:
    """Decode big-endian signed 16-bit numbers with BZERO 32768.

    Parameters
    ----------
    stored
        Their bytes, seen as native unsigned numbers; 1-D.
    out
        Where to put the counts; 1-D, as long.
    """
    for index in range(stored.size):
        value = stored[index]
        # The byte of the sign is the low one here: flipping it adds 32768.
        out[index] = np.uint16(((value << 8) | (value >> 8)) ^ 0x8000)

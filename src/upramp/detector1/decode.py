"""Stored numbers of a level-1b ramp to float32, in one pass."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from upramp.detector1.kernels import array, const, f4, kernel, u2

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["decode_tile"]


def decode_tile(
    stored: NDArray[np.uint16], ramp: NDArray[np.float32], factor: float | None = None
) -> None:
    """Decode a tile of unsigned 16-bit numbers as FITS stores them, and scale it if asked.

    Parameters
    ----------
    stored
        (nints, ngroups, rows, nx) uint16 in the machine's (little) order over the bytes of the
        file: big-endian signed numbers with BZERO 32768.
    ramp
        float32 of the same shape, overwritten; in DN.
    factor
        What `upramp.detector1.group_scale.choose_group_scale` chose. It is rounded to float32
        first, as numpy does when it multiplies a float32 array by it.

    Raises
    ------
    ValueError
        If the shapes differ.
    """
    if stored.shape != ramp.shape:
        raise ValueError(f"stored numbers are {stored.shape}, the ramp is {ramp.shape}")
    # Multiplying by 1 changes nothing, so one loop serves both.
    _decode(stored, ramp, np.float32(1 if factor is None else factor))


@kernel(const(u2, 4), array(f4, 4), f4)
def _decode(stored: Any, ramp: Any, factor: Any) -> None:
    source, target = stored.reshape(-1), ramp.reshape(-1)
    for k in range(source.shape[0]):
        word = source[k]
        swapped = np.uint16((word >> 8) | (word << 8))
        # Adding half the range to a two's-complement number flips its top bit.
        target[k] = np.float32(np.uint16(swapped ^ 0x8000)) * factor

"""Twiddle factors with the bits of *pocketfft*, and the lengths that they are made for.

Source: M. Reinecke, pocketfft (C++), as numpy 2 ships it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from upramp.detector1.irs2_fourier import LANES, PRIME

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Twiddles", "radices"]

_HALVES: Final = (PRIME + 1) // 2


def radices(length: int) -> list[int] | None:
    """Split a length as the transforms here need it.

    Parameters
    ----------
    length
        Number of samples.

    Returns
    -------
    list of int or None
        Eights, at most one four, and 89; None for any other length, and for
        lengths too short to fill the lanes of the last pass.
    """
    rest = length
    factors = []
    while rest % 8 == 0:
        factors.append(8)
        rest //= 8
    if rest % 4 == 0:
        factors.append(4)
        rest //= 4
    whole = factors[:1] == [8] and length // PRIME % LANES == 0
    return [*factors, PRIME] if rest == PRIME and whole else None


def _octant(index: int, length: int) -> complex:
    """Give exp(2 pi i index / length), from the sine or cosine of less than pi / 4."""
    angle = 0.25 * math.pi / length
    eighth = 8 * index
    below = eighth >= 4 * length
    if below:
        eighth = 8 * length - eighth
    left = eighth >= 2 * length
    if left:
        eighth -= 2 * length
    if eighth < length:
        x, y = math.cos(eighth * angle), math.sin(eighth * angle)
    else:
        x, y = math.sin((2 * length - eighth) * angle), math.cos((2 * length - eighth) * angle)
    if left:
        x, y = -y, x
    return complex(x, -y if below else y)


def _roots(index: NDArray[np.int64], length: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """Give cosine and sine of 2 pi index / length, as products of two table entries each."""
    half = (length + 2) // 2
    shift = 1
    while (1 << shift) ** 2 < half:
        shift += 1
    size = 1 << shift
    fine = np.array([1.0] + [_octant(i, length) for i in range(1, size)], dtype=np.complex128)
    coarse = np.array(
        [1.0] + [_octant(i * size, length) for i in range(1, (half + size - 1) // size)],
        dtype=np.complex128,
    )
    mirrored = 2 * index > length
    index = np.where(mirrored, length - index, index)
    a, b = fine[index & (size - 1)], coarse[index >> shift]
    sine = a.real * b.imag + a.imag * b.real
    return a.real * b.real - a.imag * b.imag, np.where(mirrored, -sine, sine)


@dataclass(frozen=True)
class Twiddles:
    """Twiddle factors of one length in one precision.

    Parameters
    ----------
    real, imaginary
        For every pass but the last: (radix - 1, samples of a block).
    last
        Weights of the last pass: (2, 45, 45), cosines and sines.
    """

    real: tuple[NDArray[Any], ...]
    imaginary: tuple[NDArray[Any], ...]
    last: NDArray[Any]

    @classmethod
    def of(cls, length: int, dtype: Any) -> Twiddles:
        """Compute them.

        Parameters
        ----------
        length
            Number of samples of the transform.
        dtype
            Their type.
        """
        real, imaginary = [], []
        done = 1
        for radix in (radices(length) or [])[:-1]:
            block = length // (done * radix)
            steps = np.arange(1, radix)[:, None] * np.arange(block)[None, :] * done
            cosine, sine = _roots(steps, length)
            real.append(cosine.astype(dtype))
            imaginary.append(sine.astype(dtype))
            done *= radix
        cosine, sine = _roots(np.arange(PRIME) * done, length)
        half = np.arange(_HALVES)
        turns = half[:, None] * half[None, :] % PRIME
        last = np.stack([cosine[turns], -sine[turns]]).astype(dtype)
        return cls(tuple(real), tuple(imaginary), last)

"""Pixels as 16-bit codes, which a browser turns into colours by one table.

Detector data spans many orders of magnitude, and what matters in it lies
close to the background. So codes are spaced evenly near a centre and by ratios
far from it, as by asinh. The function used has an exact and cheap inverse: the
bit pattern of a float32, read as an integer, grows linearly with the value
between powers of two and with its exponent from one to the next.

    m(v) = bits(1 + |v - centre| / scale) - bits(1)
    code = 32768 + sign(v - centre) * round(m(v) * 32767 / top)

Code 0 is NaN; infinities are the outermost codes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["SIGNIFICANCE_STEP", "Codes", "decode", "encode", "encode_significance"]

_ONE: Final = 0x3F800000
"""Bits of the float32 1.0."""
_INFINITY: Final = 0x7F800000
_HALF: Final = 32767

SIGNIFICANCE_STEP: Final = 0.005
"""Thresholds that are multiples of this (in sigma) are met exactly by codes."""


@dataclass(frozen=True)
class Codes:
    """Codes, and what they mean.

    Parameters
    ----------
    codes
        uint16, of any shape.
    centre, scale
        Where codes are densest, and how far they are about even.
    top
        m of the outermost finite value.
    """

    codes: NDArray[np.uint16]
    centre: float
    scale: float
    top: int


def encode(values: NDArray[Any], centre: float, scale: float) -> Codes:
    """Turn values into codes.

    Parameters
    ----------
    values
        Of any shape, in the plane's own unit; left as they are.
    centre, scale
        A typical value and how far values scatter about it, both finite,
        the scale positive.

    Returns
    -------
    Codes
        Good to scale / 1000 near the centre and to 0.3 percent of the
        distance from it elsewhere.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        distance = (values - np.float32(centre)).astype(np.float32, copy=False)
        distance *= np.float32(1 / scale)
        bad = np.isnan(distance)
        distance[bad] = 0
        m = (np.abs(distance) + np.float32(1)).view(np.int32)
    m -= np.int32(_ONE)
    top = int(m.max(initial=0))
    if top >= _INFINITY - _ONE:
        top = int(m.max(initial=0, where=m < _INFINITY - _ONE))
        np.minimum(m, top, out=m)
    top = max(top, 1)
    codes = m.astype(np.float32)
    codes *= np.float32(_HALF / top)
    np.copysign(codes, distance, out=codes)
    codes += np.float32(32768.5)
    np.clip(codes, 1, 65535, out=codes)
    codes[bad] = 0
    return Codes(codes.astype(np.uint16), float(np.float32(centre)), float(scale), top)


def decode(coded: Codes) -> NDArray[np.float32]:
    """Turn codes back into values; the browser does the same.

    Parameters
    ----------
    coded
        As `encode` gave them.
    """
    signed = coded.codes.astype(np.int64) - 32768
    bits = np.rint(np.abs(signed) * (coded.top / _HALF)).astype(np.int32) + np.int32(_ONE)
    distance = (bits.view(np.float32) - np.float32(1)).astype(np.float64) * coded.scale
    values = coded.centre + np.sign(signed) * distance
    values[coded.codes == 0] = np.nan
    return values.astype(np.float32)


def encode_significance(values: NDArray[Any]) -> NDArray[np.uint16]:
    """Turn significance into codes that are compared with a threshold without an error.

    ``value > n * SIGNIFICANCE_STEP`` exactly where ``code > n``.

    Parameters
    ----------
    values
        In sigma; negative values and NaN are as 0, those above 327 as 327.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        # The step's inverse is whole, and a float32 times 200 is exact in float64.
        steps = np.ceil(np.asarray(values, dtype=np.float64) * round(1 / SIGNIFICANCE_STEP))
    steps = np.clip(np.nan_to_num(steps, nan=0.0, posinf=65535.0), 0, 65535)
    codes: NDArray[np.uint16] = steps.astype(np.uint16)
    return codes

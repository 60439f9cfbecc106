"""A grism in front of a NIRCam long-wave detector: traces, wavelengths, sensitivity.

The numbers have the size of the flight grism's (about 1 nm per pixel along rows,
a trace tilted by a few pixels, both changing over the field); they are not its
calibration. First order only: the second falls beside the first and is left out.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "ACROSS",
    "ALONG",
    "RANGE",
    "TABULATED",
    "WAVELENGTH",
    "across",
    "along",
    "conversion",
    "wavelength",
]

Float = NDArray[np.float64]

ALONG: Final = (-1550.0, 2700.0)
"""Pixels from a source to its light along x: coefficients of powers of the trace
parameter, which runs from 0 to 1."""
WAVELENGTH: Final = (
    np.array([[2.4, 4e-7], [-6e-7, 0.0]]),
    np.array([[2.708, -3e-7], [5e-7, 0.0]]),
    np.array([[-0.006, 0.0], [0.0, 0.0]]),
)
"""Micrometres: for each power of the trace parameter, coefficients ``[i, j]`` of
x^i y^j of the source's place in the direct image."""
ACROSS: Final = (
    np.array([[0.9, 2e-4], [-3e-4, 0.0]]),
    np.array([[-4.6, 1e-4], [2e-4, 0.0]]),
    np.array([[2.4, 0.0], [0.0, 0.0]]),
)
"""Pixels along y, as `WAVELENGTH`."""
RANGE: Final = (3.13, 3.99)
"""Micrometres between which F356W lets enough light through to be calibrated."""
TABULATED: Final = np.linspace(3.09, 4.03, 471)
"""Micrometres at which the sensitivity is known; beyond, no light comes through."""
_BEST = 0.4
"""Surface brightness times micrometres that give 1 DN/s where the light is best kept:
MJy/sr um s/DN."""
_EDGES = (3.14, 3.98)
_SOFTNESS = 0.012


def along(t: Float) -> Float:
    """Offset in x (pixels) of a source's light at trace parameters."""
    return np.asarray(np.polynomial.polynomial.polyval(t, ALONG))


def across(t: Float, x: float, y: float) -> Float:
    """Offset in y (pixels) of the light of a source at x, y of the direct image."""
    return _changing(ACROSS, t, x, y)


def wavelength(t: Float, x: float, y: float) -> Float:
    """Wavelength (micrometres) at trace parameters, for a source at x, y."""
    return _changing(WAVELENGTH, t, x, y)


def conversion(micrometres: Float) -> Float:
    """Give the surface brightness per DN/s for light of a micrometre's width, MJy/sr um s/DN.

    Parameters
    ----------
    micrometres
        Wavelengths. Beyond `TABULATED` the answer is infinite: no light comes through.
    """
    wave = np.asarray(micrometres, float)
    inside = (wave >= TABULATED[0]) & (wave <= TABULATED[-1])
    return np.where(inside, np.interp(wave, TABULATED, _BEST / _kept(TABULATED)), np.inf)


def _kept(wave: Float) -> Float:
    """Part of the light that is kept, relative to the best wavelength's."""
    blue = 1 / (1 + np.exp(-(wave - _EDGES[0]) / _SOFTNESS))
    red = 1 / (1 + np.exp((wave - _EDGES[1]) / _SOFTNESS))
    blaze = 1 - 0.25 * ((wave - 3.7) / 0.6) ** 2
    ripple = 1 + 0.015 * np.sin(2 * np.pi * (wave - 3.0) / 0.11)
    return np.asarray(blue * red * blaze * ripple / 1.015)


def _changing(tables: tuple[Float, ...], t: Float, x: float, y: float) -> Float:
    powers = [np.polynomial.polynomial.polyval2d(x, y, table) for table in tables]
    return np.asarray(np.polynomial.polynomial.polyval(t, powers))

"""MIRI's low-resolution spectrometer: prism, slit and the PSF at each wavelength.

Rows are counted from the reference row of the slit (or of the place where a
source is put without it), upwards, as in the mission's SPECWCS files: longer
wavelengths lie lower. The prism's law has the shape of the flight one and is
not fitted to it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from .geometry import ARCSEC, Attitude, Subarray
from .optics import PHASES, Psf, fine_psf
from .setups import area_of, geometry_of

__all__ = [
    "APERTURES",
    "ROWS",
    "SLIT",
    "SlitPsf",
    "conversion",
    "electrons_per_jansky",
    "mode_aperture",
    "passes_at",
    "pixel_side",
    "place_of",
    "psfs_of",
    "reference_pixel",
    "row_of",
    "trace",
    "wavelength",
]

Float = NDArray[np.float64]

ROWS: Final = np.arange(94.0, -294.0, -1.0)
"""Rows that are calibrated, from the shortest wavelength on."""
SLIT: Final = (4.72, 0.51)
"""Length (along rows) and width of the slit, arcseconds."""
APERTURES: Final = {
    "MIR_LRS-FIXEDSLIT": "MIRIM_SLIT",
    "MIR_LRS-SLITLESS": "MIRIM_SLITLESSPRISM",
}
"""Aperture whose reference pixel the rows are counted from, by exposure type."""
_DETECTOR: Final = "MIRIMAGE"
_SHORTEST, _POWER, _STEP = 3.7, 2.7, 3.12
"""Wavelength in the first row; the power of it that grows evenly, and by how much a row."""
_MIRROR: Final = 25.4
"""Collecting area, square metres."""
_PLANCK: Final = 6.62607015e-34
_GRID: Final = (3.2, 4.2, 5.3, 6.6, 8.2, 10.2, 12.4, 15.0)
"""Wavelengths at which PSFs are computed, micrometres."""
_HALF: Final = 32
"""Half width of these PSFs in pixels."""


def wavelength(row: Float) -> Float:
    """Give the wavelength in micrometres of rows."""
    first = ROWS[0]
    return np.asarray((_SHORTEST**_POWER + _STEP * (first - row)) ** (1 / _POWER))


def row_of(micrometres: Float) -> Float:
    """Give the row of wavelengths: the inverse of `wavelength`."""
    return np.asarray(ROWS[0] - (micrometres**_POWER - _SHORTEST**_POWER) / _STEP)


def trace(row: Float) -> Float:
    """Give by how many columns a spectrum is aside of its reference column: it is not straight."""
    t = (np.asarray(row) + 6.0) / 300
    return -0.02 + 0.55 * t - 1.1 * t**2


def electrons_per_jansky(micrometres: Float) -> Float:
    """Give the electrons per second that 1 Jy makes in one row of mean response, without a slit.

    Telescope, prism and detector have a smooth efficiency that falls off at both ends.
    """
    per_row = _STEP / (_POWER * micrometres**_POWER)
    """Width of a row as a part of its wavelength."""
    short = 1 / (1 + np.exp(-(micrometres - 4.2) / 0.25))
    long = 1 / (1 + np.exp((micrometres - 13.6) / 0.5))
    efficiency = 0.22 * short * long * (1 + 0.1 * np.cos(micrometres - 7))
    return np.asarray(1e-26 * _MIRROR * efficiency * per_row / _PLANCK)


def conversion(micrometres: Float, gain: float) -> Float:
    """Give the brightness in MJy/sr of 1 DN/s, so that a point source's sums to its flux.

    Parameters
    ----------
    micrometres
        Wavelengths.
    gain
        Electrons per DN of a mean pixel.
    """
    return gain / (electrons_per_jansky(micrometres) * area_of(_DETECTOR)[0] * 1e6)


def mode_aperture(exposure_type: str) -> Subarray:
    """Give the aperture that the telescope points at a source."""
    return geometry_of(_DETECTOR).subarray(APERTURES[exposure_type], "")


def reference_pixel(exposure_type: str) -> tuple[float, float]:
    """Give the zero-based column and row of the whole detector that rows are counted from."""
    aperture = mode_aperture(exposure_type)
    v2, v3 = np.array(aperture.v2_ref), np.array(aperture.v3_ref)
    x, y = geometry_of(_DETECTOR).pixels(v2, v3)
    # As the mission's files do, to a hundredth of a pixel.
    return round(float(x), 2), round(float(y), 2)


def pixel_side() -> float:
    """Give the side of a pixel in arcseconds."""
    return float(np.sqrt(area_of(_DETECTOR)[0])) / ARCSEC


def place_of(attitude: Attitude, target: tuple[float, float]) -> tuple[float, float]:
    """Give the zero-based pixel of the whole detector where the imager would see a target."""
    v2, v3 = attitude.v2v3(np.array(target[0]), np.array(target[1]))
    x, y = geometry_of(_DETECTOR).pixels(v2, v3)
    return float(x), float(y)


@dataclass(frozen=True)
class SlitPsf:
    """A point source's image at some wavelengths, after the slit if there is one."""

    wavelengths: Float
    images: tuple[Psf, ...]
    """Each summing to one."""
    transmission: Float
    """Part of the light that passes, by wavelength."""

    def stamp(self, micrometres: float, fx: float, fy: float) -> Float:
        """Give the image of a source at a wavelength, weakened by the slit.

        Parameters
        ----------
        micrometres
            Wavelength.
        fx, fy
            Offset from the centre pixel, in [0, 1) pixels.
        """
        k = int(
            np.clip(np.searchsorted(self.wavelengths, micrometres) - 1, 0, len(self.images) - 2)
        )
        low, high = self.wavelengths[k : k + 2]
        part = float(np.clip((micrometres - low) / (high - low), 0, 1))
        weights = (1 - part) * self.transmission[k], part * self.transmission[k + 1]
        return np.asarray(
            weights[0] * self.images[k].stamp(fx, fy)
            + weights[1] * self.images[k + 1].stamp(fx, fy),
            np.float64,
        )


@lru_cache(maxsize=1)
def _fine(seed: int) -> tuple[NDArray[np.float64], ...]:
    side = pixel_side()
    return tuple(fine_psf(np.array([w]), side, seed, _HALF) for w in _GRID)


def psfs_of(seed: int, in_slit: tuple[float, float] | None) -> SlitPsf:
    """Give a point source's image at each wavelength.

    The slit cuts the image of the telescope; that its edges diffract light once
    more is left out.

    Parameters
    ----------
    seed
        The archive's seed.
    in_slit
        Where in the slit the source is: columns and rows from its middle. None without a slit.
    """
    fine = _fine(seed)
    if in_slit is None:
        return SlitPsf(np.array(_GRID), tuple(Psf(f) for f in fine), np.ones(len(_GRID)))
    along, across = _opening(fine[0].shape[0], in_slit)
    images = tuple(Psf(f * along[:, None] * across) for f in fine)
    return SlitPsf(np.array(_GRID), images, _passed(seed, in_slit))


def passes_at(seed: int, in_slit: tuple[float, float], micrometres: Float) -> Float:
    """Give the part of a source's light that passes the slit.

    Parameters
    ----------
    seed
        The archive's seed.
    in_slit
        Where in the slit the source is: columns and rows from its middle.
    micrometres
        Wavelengths.
    """
    return np.interp(micrometres, _GRID, _passed(seed, in_slit))


def _passed(seed: int, in_slit: tuple[float, float]) -> Float:
    fine = _fine(seed)
    along, across = _opening(fine[0].shape[0], in_slit)
    return np.array([along @ f @ across / f.sum() for f in fine])


def _opening(side: int, in_slit: tuple[float, float]) -> tuple[Float, Float]:
    """Give the slit's transmission around a source by row and by column.

    It is sampled `PHASES` times per pixel.
    """
    pixels = (np.arange(side) - side // 2) / PHASES
    across, along = (
        # A sample that the edge crosses lets its part through.
        np.clip((length / pixel_side() / 2 - np.abs(pixels + place)) * PHASES + 0.5, 0, 1)
        for length, place in zip(SLIT, in_slit, strict=True)
    )
    return along, across

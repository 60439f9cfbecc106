"""A diffraction PSF of the segmented mirror.

Eighteen hexagons with gaps, a secondary on three struts and a little wavefront
error, carried to the focal plane by a matrix Fourier transform (Soummer et al.
2007, Optics Express 15, 15935), which samples any field of view at any scale.
No external data are needed. It looks like the telescope's PSF and is not a
model of it: the wavefront is invented.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .randomness import stream

if TYPE_CHECKING:
    from .instruments import Filter

__all__ = ["PHASES", "Psf", "fine_psf", "make_psf", "pupil"]

Float = NDArray[np.float32]

SEGMENT_FLAT_TO_FLAT = 1.316
"""Metres across the flats of a segment."""
GAP = 0.007
DIAMETER = 6.62
PHASES = 8
"""Sub-pixel positions per pixel at which the PSF is kept."""
_WAVEFRONT_RMS_NM = 45.0


@lru_cache(maxsize=2)
def pupil(seed: int, size: int = 320) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Transmission and wavefront error of the pupil.

    Parameters
    ----------
    seed
        Chooses the wavefront error.
    size
        Samples across `DIAMETER`.

    Returns
    -------
    transmission : (size, size), between 0 and 1
    wavefront : (size, size), in micrometres
    """
    axis = (np.arange(size) + 0.5) / size * DIAMETER - DIAMETER / 2
    x, y = np.meshgrid(axis, axis)
    transmission = np.zeros((size, size))
    wavefront = np.zeros((size, size))
    rng = stream(seed, "wavefront")
    pitch = SEGMENT_FLAT_TO_FLAT + GAP
    for q in range(-2, 3):
        for r in range(-2, 3):
            ring = max(abs(q), abs(r), abs(q + r))
            if ring not in (1, 2):
                continue
            # Axial coordinates of a hexagonal grid with flats left and right.
            cx = pitch * (q + r / 2)
            cy = pitch * r * np.sqrt(3) / 2
            inside = _hexagon(x - cx, y - cy, SEGMENT_FLAT_TO_FLAT)
            transmission += inside
            piston, tilt_x, tilt_y, focus = rng.normal(0, [0.04, 0.03, 0.03, 0.02])
            u, v = (x - cx) / pitch, (y - cy) / pitch
            wavefront += (inside > 0) * (
                piston + 2 * tilt_x * u + 2 * tilt_y * v + focus * (8 * (u * u + v * v) - 1)
            )
    for angle in (90.0, 210.0, 330.0):
        c, s = np.cos(np.radians(angle)), np.sin(np.radians(angle))
        transmission[(np.abs(-x * s + y * c) < 0.055) & (x * c + y * s > 0)] = 0
    transmission = np.clip(transmission, 0, 1)
    lit = transmission > 0
    # A tilt of the whole wavefront would only move every star.
    plane = np.stack([np.ones(lit.sum()), x[lit], y[lit]], axis=1)
    fit, *_ = np.linalg.lstsq(plane, wavefront[lit], rcond=None)
    wavefront -= fit[0] + fit[1] * x + fit[2] * y
    wavefront *= lit * (_WAVEFRONT_RMS_NM / 1000 / wavefront[lit].std())
    return transmission, wavefront


class Psf:
    """A pixel-integrated PSF, kept at `PHASES` x `PHASES` sub-pixel positions.

    Parameters
    ----------
    fine
        The PSF sampled `PHASES` times per pixel, odd and square, centred.
    """

    def __init__(self, fine: NDArray[np.float64]) -> None:
        os = PHASES
        # Integrate over a pixel: the mean of os x os fine samples around each.
        total = np.cumsum(np.cumsum(np.pad(fine, ((1, 0), (1, 0))), axis=0), axis=1)
        boxed = total[os:, os:] - total[:-os, os:] - total[os:, :-os] + total[:-os, :-os]
        # boxed[k] integrates fine samples k .. k + os - 1, so a pixel centred
        # on fine sample c starts at c - os / 2 + 1 / 2: half a sample off, which
        # averaging two neighbours mends without shifting anything.
        boxed = (boxed[1:, 1:] + boxed[:-1, 1:] + boxed[1:, :-1] + boxed[:-1, :-1]) / 4
        centre = fine.shape[0] // 2 - os // 2
        self.half = centre // os - 1
        side = 2 * self.half + 1
        self.phases = np.empty((os + 1, os + 1, side, side), np.float32)
        for j in range(os + 1):
            for i in range(os + 1):
                # The star sits j/os of a pixel above the centre of a pixel.
                y0, x0 = centre - j - self.half * os, centre - i - self.half * os
                self.phases[j, i] = boxed[y0 : y0 + side * os : os, x0 : x0 + side * os : os]
        # One sum for all phases: flux is conserved to the stamp's edge.
        self.phases /= self.phases.sum(axis=(2, 3), keepdims=True)

    def stamp(self, fx: float, fy: float, half: int | None = None) -> Float:
        """Give the PSF of a star off its pixel's centre.

        Parameters
        ----------
        fx, fy
            Offset of the star from the centre pixel, in [0, 1) pixels.
        half
            Half width of the stamp; the whole if not given.

        Returns
        -------
        ndarray
            (2 half + 1, 2 half + 1), summing to one over the whole stamp.
        """
        cut = (
            slice(None)
            if half is None or half >= self.half
            else slice(self.half - half, self.half + half + 1)
        )
        px, py = fx * PHASES, fy * PHASES
        i, j = int(px), int(py)
        a, b = np.float32(px - i), np.float32(py - j)
        p = self.phases
        return np.asarray(
            (1 - b) * ((1 - a) * p[j, i, cut, cut] + a * p[j, i + 1, cut, cut])
            + b * ((1 - a) * p[j + 1, i, cut, cut] + a * p[j + 1, i + 1, cut, cut])
        )

    def encircled_energy(self, radii: NDArray[np.float64]) -> NDArray[np.float64]:
        """Part of the flux inside circles around a centred star.

        Parameters
        ----------
        radii
            In pixels.
        """
        side = 2 * self.half + 1
        sub = 5
        offsets = (np.arange(side * sub) + 0.5) / sub - side / 2
        y, x = np.meshgrid(offsets, offsets, indexing="ij")
        fine = np.repeat(np.repeat(self.phases[0, 0] / sub**2, sub, axis=0), sub, axis=1)
        distance = np.hypot(x, y)
        order = np.argsort(distance, axis=None)
        growth = np.cumsum(fine.ravel()[order], dtype=np.float64)
        return np.asarray(np.interp(radii, distance.ravel()[order], growth))


def make_psf(bandpass: Filter, pixel_arcsec: float, seed: int, half: int = 72) -> Psf:
    """Compute the PSF of a bandpass on a detector.

    Parameters
    ----------
    bandpass
        Its wavelength and width.
    pixel_arcsec
        Side of a pixel in arcseconds.
    seed
        Chooses the wavefront error.
    half
        Half width in pixels; light further out is not simulated.
    """
    wavelengths = bandpass.wavelength + bandpass.width * np.linspace(-0.4, 0.4, 5)
    return Psf(fine_psf(wavelengths, pixel_arcsec, seed, half))


def fine_psf(
    wavelengths: NDArray[np.float64], pixel_arcsec: float, seed: int, half: int
) -> NDArray[np.float64]:
    """Compute a PSF sampled `PHASES` times per pixel, not yet integrated over pixels.

    Parameters
    ----------
    wavelengths
        Micrometres; their PSFs are averaged.
    pixel_arcsec
        Side of a pixel in arcseconds.
    seed
        Chooses the wavefront error.
    half
        Half width in pixels.

    Returns
    -------
    ndarray
        Odd and square, centred, the sum close to one.
    """
    transmission, wavefront = pupil(seed)
    size = transmission.shape[0]
    fine_side = 2 * (half + 2) * PHASES + 1
    focal = (np.arange(fine_side) - fine_side // 2) * (pixel_arcsec / PHASES) * np.pi / 180 / 3600
    aperture = ((np.arange(size) + 0.5) / size - 0.5) * DIAMETER
    total = np.zeros((fine_side, fine_side))
    for wavelength in wavelengths:
        field = (transmission * np.exp(2j * np.pi * wavefront / wavelength)).astype(np.complex64)
        kernel = np.exp((-2j * np.pi / (wavelength * 1e-6)) * np.outer(focal, aperture)).astype(
            np.complex64
        )
        amplitude = kernel @ field @ kernel.T
        intensity = amplitude.real**2 + amplitude.imag**2
        total += intensity / intensity.sum(dtype=np.float64)
    return _centred(_diffused(total / len(wavelengths)))


def _diffused(fine: NDArray[np.float64]) -> NDArray[np.float64]:
    """Let charge diffuse in the detector: a Gaussian of 0.22 pixels."""
    from scipy.ndimage import gaussian_filter

    return np.asarray(gaussian_filter(fine, 0.22 * PHASES, mode="constant"))


def _centred(fine: NDArray[np.float64]) -> NDArray[np.float64]:
    """Move the core's centroid to the middle: that is what astrometry calls the star's place."""
    from scipy.ndimage import shift

    axis = np.arange(fine.shape[0]) - fine.shape[0] // 2
    y, x = np.meshgrid(axis, axis, indexing="ij")
    core = np.exp(-0.5 * (x * x + y * y) / (1.5 * PHASES) ** 2) * fine
    for _ in range(3):
        offset = float((core * y).sum() / core.sum()), float((core * x).sum() / core.sum())
        fine = np.clip(shift(fine, (-2 * offset[0], -2 * offset[1]), order=1), 0, None)
        core = np.exp(-0.5 * (x * x + y * y) / (1.5 * PHASES) ** 2) * fine
    return fine


def _hexagon(x: NDArray[np.float64], y: NDArray[np.float64], flats: float) -> NDArray[np.float64]:
    """Transmission of a hexagon with flats left and right, softened over a sample."""
    sample = x[0, 1] - x[0, 0]
    inside = np.ones_like(x)
    for angle in (0.0, 60.0, 120.0):
        c, s = np.cos(np.radians(angle)), np.sin(np.radians(angle))
        inside *= np.clip((flats / 2 - np.abs(x * c + y * s)) / sample + 0.5, 0, 1)
    return inside

"""An image of the sky on a detector: surface brightness and stars as electrons per second."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .geometry import ARCSEC, Attitude, Geometry, Subarray

if TYPE_CHECKING:
    from .instruments import Filter
    from .optics import Psf
    from .sky import Galaxies, Sky

__all__ = ["Scene", "render"]

Float = NDArray[np.float64]

_PAD = 80
"""Sources this far outside the window still shed light into it, in pixels."""


@dataclass(frozen=True)
class Scene:
    """What falls on a window of a detector."""

    brightness: NDArray[np.float32]
    """(ny, nx) in MJy/sr, as a detector of equal pixels would see it."""
    star_index: NDArray[np.int64]
    """Rows of the sky's star table that lie in the window."""
    star_x: Float
    """Zero-based column of these stars in the window."""
    star_y: Float


def render(
    sky: Sky,
    bandpass: Filter,
    psf: Psf,
    geometry: Geometry,
    subarray: Subarray,
    attitude: Attitude,
) -> Scene:
    """Put the sky on a window of a detector.

    A star of flux F over a pixel of solid angle A adds F/A of surface
    brightness times the PSF; the true solid angle of the pixel under the star
    is used, so that summing brightness times area gives the flux back.

    Parameters
    ----------
    sky
        What shines.
    bandpass
        In which light.
    psf
        How the optics spread it.
    geometry, subarray
        Onto which pixels.
    attitude
        From where the telescope looks.
    """
    nx, ny = subarray.size
    image = np.full((ny + 2 * _PAD, nx + 2 * _PAD), bandpass.background, np.float32)
    origin = np.array([subarray.start[0] - 1, subarray.start[1] - 1])

    def place(ra: Float, dec: Float) -> tuple[Float, Float, Float, NDArray[np.int64]]:
        x, y = geometry.pixels(*attitude.v2v3(ra, dec))
        area = geometry.pixel_area(x, y)
        x, y = x - origin[0], y - origin[1]
        near = (x > -_PAD) & (x < nx + _PAD) & (y > -_PAD) & (y < ny + _PAD)
        kept = np.flatnonzero(near)
        return x[kept], y[kept], area[kept], kept

    x, y, area, kept = place(sky.stars.ra, sky.stars.dec)
    _add_stars(image, x, y, sky.stars.flux_in(bandpass)[kept] / area / 1e6, psf)
    inside = (x > -0.5) & (x < nx - 0.5) & (y > -0.5) & (y < ny - 0.5)
    stars = kept[inside], x[inside], y[inside]
    x, y, area, kept = place(sky.galaxies.ra, sky.galaxies.dec)
    _add_galaxies(image, x, y, area, kept, sky.galaxies, psf, geometry, subarray, attitude)
    return Scene(np.ascontiguousarray(image[_PAD:-_PAD, _PAD:-_PAD]), *stars)


def _add_stars(image: NDArray[np.float32], x: Float, y: Float, amplitude: Float, psf: Psf) -> None:
    for column, row, value in zip(x + _PAD, y + _PAD, amplitude, strict=True):
        i, j = int(np.floor(column)), int(np.floor(row))
        _add(image, i, j, psf.stamp(column - i, row - j) * np.float32(value))


def _add(image: NDArray[np.float32], i: int, j: int, stamp: NDArray[np.float32]) -> None:
    half = stamp.shape[0] // 2
    y0, x0 = j - half, i - half
    ys = slice(max(y0, 0), min(y0 + stamp.shape[0], image.shape[0]))
    xs = slice(max(x0, 0), min(x0 + stamp.shape[1], image.shape[1]))
    if ys.start < ys.stop and xs.start < xs.stop:
        image[ys, xs] += stamp[ys.start - y0 : ys.stop - y0, xs.start - x0 : xs.stop - x0]


def _add_galaxies(
    image: NDArray[np.float32],
    x: Float,
    y: Float,
    area: Float,
    kept: NDArray[np.int64],
    galaxies: Galaxies,
    psf: Psf,
    geometry: Geometry,
    subarray: Subarray,
    attitude: Attitude,
) -> None:
    from scipy.signal import fftconvolve

    core = psf.stamp(0, 0, 16)
    core = core / core.sum()
    ny, nx = subarray.size[1], subarray.size[0]
    centre = np.array([[nx / 2.0], [ny / 2.0]]) + np.array(
        [[subarray.start[0] - 1.0], [subarray.start[1] - 1.0]]
    )
    north = _north(geometry, attitude, centre[0], centre[1])
    for column, row, solid_angle, index in zip(x + _PAD, y + _PAD, area, kept, strict=True):
        pixel = np.sqrt(solid_angle) / ARCSEC
        radius = galaxies.radius[index] / pixel
        half = int(min(np.ceil(8 * radius) + 6, 70))
        i, j = int(np.floor(column)), int(np.floor(row))
        profile = _sersic(
            half,
            column - i,
            row - j,
            radius,
            float(galaxies.index[index]),
            float(galaxies.ratio[index]),
            north + np.radians(galaxies.angle[index]),
        )
        profile *= galaxies.flux[index] / solid_angle / 1e6 / profile.sum()
        stamp = fftconvolve(np.pad(profile, 16), core, mode="same")
        _add(image, i, j, stamp.astype(np.float32))


def _north(geometry: Geometry, attitude: Attitude, x: Float, y: Float) -> float:
    """Angle of north on the detector, counted from x to y, in radians."""
    ra, dec = attitude.sky(*geometry.v2v3(x, y))
    x1, y1 = geometry.pixels(*attitude.v2v3(ra, dec + 1 / 3600))
    return float(np.arctan2(y1 - y, x1 - x)[0])


def _sersic(
    half: int, fx: float, fy: float, radius: float, index: float, ratio: float, angle: float
) -> Float:
    """Sersic profile on pixels, each the mean of 3 x 3 samples."""
    sub = 3
    axis = (np.arange((2 * half + 1) * sub) + 0.5) / sub - 0.5 - half
    y, x = np.meshgrid(axis - fy, axis - fx, indexing="ij")
    along = x * np.cos(angle) + y * np.sin(angle)
    across = (-x * np.sin(angle) + y * np.cos(angle)) / ratio
    b = 2 * index - 1 / 3 + 0.009876 / index
    r = np.hypot(along, across) / radius
    values = np.exp(-b * np.clip(r, 0.05, None) ** (1 / index))
    side = 2 * half + 1
    return np.asarray(values.reshape(side, sub, side, sub).mean(axis=(1, 3)))

"""A sparse field of emission-line galaxies and stars, direct and through a grism."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from . import grism
from .geometry import Attitude
from .optics import PHASES
from .randomness import stream
from .scene import render
from .sky import CENTRE, Galaxies, Sky, Stars

if TYPE_CHECKING:
    from .geometry import Geometry, Subarray
    from .instruments import Filter
    from .optics import Psf

__all__ = [
    "Line",
    "Source",
    "background",
    "direct",
    "dispersed",
    "line_table",
    "make_sources",
    "source_table",
]

Float = NDArray[np.float64]

_REST: Final = {
    "H beta": 0.486269,
    "[O III] 4960": 0.496030,
    "[O III] 5008": 0.500824,
    "H alpha": 0.656461,
}
"""Wavelengths in vacuum, micrometres."""
_STRENGTH: Final = {"H beta": 0.25, "[O III] 4960": 0.335, "[O III] 5008": 1.0, "H alpha": 0.9}
_SAMPLES: Final = 16
"""Per pixel along a trace."""
_BACKGROUND = 0.2
"""DN/s where the whole field lights a pixel."""
_ROWS = 6
"""Sources, each on rows of its own."""


@dataclass(frozen=True)
class Line:
    """An emission line."""

    name: str
    wavelength: float
    """Micrometres, as observed."""
    width: float
    """Standard deviation, micrometres."""
    peak: float
    """Jy."""


@dataclass(frozen=True)
class Source:
    """A point of light with a smooth continuum, and lines if it is a galaxy."""

    ra: float
    dec: float
    continuum: float
    """Jy at 3.56 micrometres."""
    slope: float
    """Power of the wavelength with which the continuum grows."""
    lines: tuple[Line, ...] = ()

    def flux(self, wavelength: Float) -> Float:
        """Flux density in Jy at wavelengths in micrometres."""
        total = self.smooth(wavelength)
        for line in self.lines:
            total = total + line.peak * np.exp(
                -0.5 * ((wavelength - line.wavelength) / line.width) ** 2
            )
        return total

    def smooth(self, wavelength: Float) -> Float:
        """Flux density in Jy without the lines."""
        return np.asarray(self.continuum * (np.asarray(wavelength) / 3.56) ** self.slope)

    @property
    def in_band(self) -> float:
        """Flux density in Jy as the direct image's filter averages it."""
        wave = np.linspace(*grism.RANGE, 8001)
        weight = 1 / grism.conversion(wave)
        return float((self.flux(wave) * weight).sum() / weight.sum())


@lru_cache(maxsize=1)
def make_sources(seed: int, geometry: Geometry, subarray: Subarray, roll: float) -> list[Source]:
    """Scatter sources over a field so that their spectra fall on rows of their own.

    Parameters
    ----------
    seed
        The archive's seed.
    geometry, subarray
        The detector that the field is made for.
    roll
        Position angle of V3, degrees.
    """
    rng = stream(seed, "slitless")
    pointing = Attitude(subarray.v2_ref, subarray.v3_ref, *CENTRE, roll)
    nx, ny = subarray.size
    pitch = (ny - 160) / _ROWS
    sources = []
    for number in range(_ROWS):
        # Further left than this, the blue end of a spectrum falls off the detector.
        low = 120 if number % 7 == 3 else 930
        x = rng.uniform(low, nx - 130)
        y = 80 + pitch * (number + 0.5) + rng.uniform(-0.2, 0.2) * pitch
        ra, dec = pointing.sky(*geometry.v2v3(np.array(x), np.array(y)))
        level = float(np.exp(rng.uniform(np.log(1.2e-4), np.log(2.5e-4))))
        if number % 4 == 1:
            sources.append(Source(float(ra), float(dec), level, float(rng.normal(-1.7, 0.2))))
            continue
        slope = float(rng.uniform(-0.5, 1.0))
        width = float(rng.uniform(1.4e-3, 2.2e-3))
        ionised = rng.random() < 0.5
        names = ["H beta", "[O III] 4960", "[O III] 5008"] if ionised else ["H alpha"]
        bluest = (3.24 if ionised else 3.3) / _REST[names[0]]
        reddest = (3.88 if ionised else 3.86) / _REST[names[-1]]
        redshift = rng.uniform(bluest, reddest)  # one plus it
        strength = level * rng.uniform(6, 14)
        lines = tuple(
            Line(name, float(_REST[name] * redshift), width, float(strength * _STRENGTH[name]))
            for name in names
        )
        sources.append(Source(float(ra), float(dec), level, slope, lines))
    return sources


def direct(
    sources: list[Source],
    bandpass: Filter,
    psf: Psf,
    geometry: Geometry,
    subarray: Subarray,
    attitude: Attitude,
) -> NDArray[np.float32]:
    """Give the image without the grism, (ny, nx) in MJy/sr."""
    count = len(sources)
    stars = Stars(
        np.array([s.ra for s in sources]),
        np.array([s.dec for s in sources]),
        np.array([s.in_band for s in sources]),
        np.zeros(count),
        np.ones(count, bool),
    )
    nothing = Galaxies(*(np.zeros(0) for _ in range(7)))
    sky = Sky(stars, nothing)
    return render(sky, bandpass, psf, geometry, subarray, attitude).brightness


def dispersed(
    sources: list[Source],
    psf: Psf,
    geometry: Geometry,
    subarray: Subarray,
    attitude: Attitude,
    nominal_area: float,
) -> NDArray[np.float32]:
    """Give the light of sources through the grism, without background, (ny, nx) in DN/s.

    Parameters
    ----------
    sources
        What shines.
    psf
        How the optics spread light; the same at every wavelength.
    geometry, subarray, attitude
        Onto which pixels, from where.
    nominal_area
        Steradians of a mean pixel.
    """
    image = np.zeros(subarray.size[::-1], np.float32)
    first, last = (grism.TABULATED[k] for k in (0, -1))
    step = 1 / (grism.ALONG[1] * _SAMPLES)
    t = np.arange(0, 1, step) + step / 2
    for source, (x, y) in zip(sources, places(sources, geometry, attitude), strict=True):
        wave = grism.wavelength(t, x, y)
        lit = (wave > first) & (wave < last)
        width = np.gradient(wave)[lit]
        wave = wave[lit]
        rate = source.flux(wave) / nominal_area / 1e6 * width / grism.conversion(wave)
        column = x - (subarray.start[0] - 1) + grism.along(t[lit])
        row = y - (subarray.start[1] - 1) + grism.across(t[lit], x, y)
        _add_trace(image, column, row, rate, psf)
    return image


def places(
    sources: list[Source], geometry: Geometry, attitude: Attitude
) -> list[tuple[float, float]]:
    """Give each source's zero-based pixel in the direct image, of the whole detector."""
    ra, dec = np.array([[s.ra, s.dec] for s in sources]).T
    x, y = geometry.pixels(*attitude.v2v3(ra, dec))
    return [(float(a), float(b)) for a, b in zip(x, y, strict=True)]


def background(shape: tuple[int, int]) -> NDArray[np.float32]:
    """Give the sky through the grism, DN/s of even pixels.

    Near the left and right edges a part of the field that would light a pixel is outside
    of what the instrument lets in.
    """
    ny, nx = shape
    x, y = np.arange(nx), np.arange(ny)
    profile = 1 - 0.35 / (1 + np.exp((x - 260) / 70)) - 0.2 / (1 + np.exp((1900 - x) / 60))
    tilt = 1 + 0.03 * (y / ny - 0.5)
    return np.asarray(_BACKGROUND * tilt[:, None] * profile[None, :], np.float32)


def source_table(
    sources: list[Source], geometry: Geometry, subarray: Subarray, attitude: Attitude
) -> NDArray[Any]:
    """Give the truth's table of sources, with their places in an exposure's direct image."""
    names = ["source", "ra", "dec", "x", "y", "in_band", "continuum", "slope"]
    table = np.zeros(len(sources), [(n, np.float64 if n != "source" else np.int16) for n in names])
    for k, (source, (x, y)) in enumerate(
        zip(sources, places(sources, geometry, attitude), strict=True)
    ):
        place = x - (subarray.start[0] - 1), y - (subarray.start[1] - 1)
        light = source.in_band, source.continuum, source.slope
        table[k] = (k, source.ra, source.dec, *place, *light)
    return table


def line_table(sources: list[Source]) -> NDArray[Any]:
    """Give the truth's table of lines: source, name, wavelength and width (um), peak (Jy)."""
    columns = [("source", np.int16), ("name", "S16")]
    columns += [(name, np.float64) for name in ("wavelength", "width", "peak")]
    rows = [
        (k, line.name, line.wavelength, line.width, line.peak)
        for k, source in enumerate(sources)
        for line in source.lines
    ]
    return np.array(rows, columns)


def _add_trace(image: NDArray[np.float32], x: Float, y: Float, rate: Float, psf: Psf) -> None:
    """Add points of light along a trace to an image.

    Points whose rows agree to an eighth of a pixel are added at once: a convolution along
    x with the PSF's rows at each of its sub-pixel positions, written as a matrix product.
    """
    eighth = np.rint(y * PHASES).astype(int)
    for value in np.unique(eighth):
        row, phase = divmod(int(value), PHASES)
        chosen = eighth == value
        _add_row(image, x[chosen], row, rate[chosen], psf, phase)


def _add_row(
    image: NDArray[np.float32], x: Float, row: int, rate: Float, psf: Psf, phase: int
) -> None:
    side, half = 2 * psf.half + 1, psf.half
    first = int(np.floor(x.min()))
    columns = int(np.floor(x.max())) - first + 2
    place = (x - first) * PHASES
    low = np.floor(place).astype(int)
    part = place - low
    fine = np.bincount(low, rate * (1 - part), columns * PHASES)
    fine += np.bincount(low + 1, rate * part, columns * PHASES)
    light = fine.reshape(columns, PHASES).astype(np.float32)
    padded = np.pad(light, ((side - 1, side - 1), (0, 0)))
    # A pixel gets from each column the PSF's value at the distance between them.
    seen = np.lib.stride_tricks.sliding_window_view(padded, side, axis=0)[:, :, ::-1]
    kernel = psf.phases[phase, :PHASES].transpose(1, 0, 2).reshape(side, PHASES * side)
    strip = kernel @ seen.reshape(-1, PHASES * side).T
    y0, x0 = row - half, first - half
    ys = slice(max(y0, 0), min(y0 + strip.shape[0], image.shape[0]))
    xs = slice(max(x0, 0), min(x0 + strip.shape[1], image.shape[1]))
    if ys.start < ys.stop and xs.start < xs.stop:
        image[ys, xs] += strip[ys.start - y0 : ys.stop - y0, xs.start - x0 : xs.stop - x0]

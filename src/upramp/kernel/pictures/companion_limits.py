"""How faint a companion could be seen beside a star: noise of apertures, ring by ring.

Near a star there are few places to compare with, and the scatter of few is known badly.
The limits take that into account (Mawet et al. 2014, Astrophysical Journal 792, 97).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from upramp.errors import UsageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Float = NDArray[np.float64]

__all__ = ["Limits", "companion_limits", "signal_to_noise"]

_FEWEST: Final = 4
"""Apertures of a ring without which its scatter says nothing."""
_OUTLYING: Final = 5.0


@dataclass(frozen=True)
class Limits:
    """Light that stands out at each distance from a star.

    Parameters
    ----------
    radius
        Distances, pixels.
    limit
        What an aperture must hold there above its ring's mean, in the image's unit times
        pixels.
    places
        How many apertures of the ring were compared.
    """

    radius: Float = field(repr=False)
    limit: Float = field(repr=False)
    places: NDArray[np.int64] = field(repr=False)


def companion_limits(
    image: NDArray[Any],
    star: tuple[float, float],
    diameter: float,
    *,
    sigma: float = 5.0,
) -> Limits:
    """Give how much light stands out at each distance from a star.

    Apertures that stand out by themselves are left out of their ring's noise: they may
    hold a companion.

    Parameters
    ----------
    image
        (ny, nx), with the star's light subtracted or not; what is not a number is not there.
    star
        Its column and row, from zero.
    diameter
        Of an aperture, pixels: about what the telescope resolves.
    sigma
        How sure: false alarms are as rare as so many standard deviations of normal noise.

    Raises
    ------
    UsageError
        If the aperture has no size.
    """
    from scipy.stats import norm, t

    if not np.isfinite(diameter) or diameter <= 0:
        raise UsageError("diameter", f"it cannot be {diameter} pixels", "give what is resolved")
    sums = _aperture_sums(image, diameter)
    radii = np.arange(diameter, _reach(image.shape, star), diameter / 2)
    rows = []
    for radius in radii:
        values, _ = _ring(sums, star, radius, diameter, 0.0)
        values = _without_outlying(values)
        if len(values) >= _FEWEST:
            few = t.isf(norm.sf(sigma), len(values) - 1) * np.sqrt(1 + 1 / len(values))
            rows.append((radius, few * float(np.std(values, ddof=1)), len(values)))
    table = np.array(rows, np.float64).reshape(-1, 3)
    return Limits(table[:, 0], table[:, 1], table[:, 2].astype(np.int64))


def signal_to_noise(
    image: NDArray[Any],
    star: tuple[float, float],
    place: tuple[float, float],
    diameter: float,
) -> tuple[float, float]:
    """Give the light in an aperture at a place above that of its ring, and how sure it is.

    Parameters
    ----------
    image
        (ny, nx).
    star
        Its column and row.
    place
        The aperture's column and row.
    diameter
        Of an aperture, pixels.

    Returns
    -------
    light : float
        In the image's unit times pixels.
    ratio : float
        That over the scatter of the other apertures of the ring.

    Raises
    ------
    UsageError
        If the place is not on the image, or too near to the star for a ring.
    """
    dx, dy = place[0] - star[0], place[1] - star[1]
    radius, angle = float(np.hypot(dx, dy)), float(np.arctan2(dy, dx))
    if not radius > diameter / 2:
        raise UsageError("place", "it is on the star", "give one beside it")
    values, whole = _ring(_aperture_sums(image, diameter), star, radius, diameter, angle)
    if not whole:
        raise UsageError(f"place {place}", "it is not on the image", "give one that is")
    # The two beside it hold some of its light.
    others = values[2:-1] if len(values) > 2 + _FEWEST else values[1:]
    if len(others) < _FEWEST:
        raise UsageError("place", "there is too little around the star", "give one further out")
    light = float(values[0] - np.mean(others))
    noise = float(np.std(others, ddof=1) * np.sqrt(1 + 1 / len(others)))
    return light, light / noise if noise > 0 else float("inf")


def _aperture_sums(image: NDArray[Any], diameter: float) -> Float:
    """Give what an aperture around each pixel holds; NaN where none of it is there."""
    from scipy.signal import fftconvolve

    reach = int(np.ceil(diameter / 2))
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    aperture = np.clip(diameter / 2 - np.hypot(x, y) + 0.5, 0, 1)
    good = np.isfinite(image)
    filled = np.where(good, image, 0).astype(np.float64)
    sums = fftconvolve(filled, aperture, mode="same")
    seen = fftconvolve(good.astype(np.float64), aperture, mode="same") / aperture.sum()
    # A pixel that is missing is taken to be like the others of its aperture.
    return np.where(seen > 0.5, sums / np.maximum(seen, 0.5), np.nan)


def _ring(
    sums: Float, star: tuple[float, float], radius: float, diameter: float, angle: float
) -> tuple[Float, bool]:
    """Give apertures side by side around a star, and whether the one at the angle is there."""
    from scipy.ndimage import map_coordinates

    count = max(int(2 * np.pi * radius / diameter), 1)
    around = angle + 2 * np.pi * np.arange(count) / count
    at = [star[1] + radius * np.sin(around), star[0] + radius * np.cos(around)]
    values = map_coordinates(sums, at, order=1, cval=np.nan)
    good = np.isfinite(values)
    return values[good], bool(good[0])


def _without_outlying(values: Float) -> Float:
    if not len(values):
        return values
    away = np.abs(values - np.median(values))
    scatter = 1.4826 * float(np.median(away))
    return values[away <= _OUTLYING * scatter] if scatter > 0 else values


def _reach(shape: tuple[int, ...], star: tuple[float, float]) -> float:
    """Give how far from a star an image goes on all sides."""
    ny, nx = shape
    return min(star[0], nx - 1 - star[0], star[1], ny - 1 - star[1])

"""The sky of the practice archive: a crowded calibration field with galaxies behind it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .instruments import Filter
from .randomness import stream

__all__ = ["CENTRE", "Galaxies", "Sky", "Stars", "make_sky"]

Float = NDArray[np.float64]

CENTRE = (80.4875, -69.4975)
"""Right ascension and declination of the field's centre, degrees."""
RADIUS = 115.0
"""Radius of the field in arcseconds."""
STARS_PER_SQUARE_ARCSEC = 0.10
GALAXIES_PER_SQUARE_ARCSEC = 0.012


@dataclass(frozen=True)
class Stars:
    """Point sources."""

    ra: Float
    dec: Float
    flux: Float
    """Jy at 3.5 micrometres."""
    slope: Float
    """Power by which the flux falls with wavelength."""

    def flux_in(self, bandpass: Filter) -> Float:
        """Flux in Jy in a bandpass."""
        return np.asarray(self.flux * (3.5 / bandpass.wavelength) ** self.slope)


@dataclass(frozen=True)
class Galaxies:
    """Sources with Sersic profiles."""

    ra: Float
    dec: Float
    flux: Float
    """Jy, the same in every bandpass."""
    radius: Float
    """Half-light radius in arcseconds along the major axis."""
    index: Float
    """Sersic index."""
    ratio: Float
    """Minor over major axis."""
    angle: Float
    """Position angle of the major axis, degrees east of north."""


@dataclass(frozen=True)
class Sky:
    """Everything that shines, apart from the smooth background."""

    stars: Stars
    galaxies: Galaxies


def make_sky(seed: int) -> Sky:
    """Scatter stars and galaxies over the field.

    Star counts follow a power law from 0.1 to 1000 microjansky, as in a
    crowded field of the Large Magellanic Cloud seen near 3.5 micrometres.

    Parameters
    ----------
    seed
        The archive's seed.
    """
    area = np.pi * RADIUS**2
    rng = stream(seed, "stars")
    count = int(area * STARS_PER_SQUARE_ARCSEC)
    ra, dec = _scatter(rng, count)
    stars = Stars(ra, dec, 1e-6 * _power_law(rng, count, 0.1, 1000.0, -0.55), rng.normal(1.7, 0.2, count))
    rng = stream(seed, "galaxies")
    count = int(area * GALAXIES_PER_SQUARE_ARCSEC)
    ra, dec = _scatter(rng, count)
    late = rng.random(count) < 0.75
    galaxies = Galaxies(
        ra,
        dec,
        1e-6 * _power_law(rng, count, 0.3, 60.0, -0.8),
        np.clip(rng.lognormal(np.log(0.28), 0.45, count), 0.08, 1.2),
        np.where(late, 1.0, 3.0),
        rng.uniform(0.3, 1.0, count),
        rng.uniform(0, 180, count),
    )
    return Sky(stars, galaxies)


def _scatter(rng: np.random.Generator, count: int) -> tuple[Float, Float]:
    distance = RADIUS * np.sqrt(rng.random(count)) / 3600
    angle = rng.uniform(0, 2 * np.pi, count)
    dec = CENTRE[1] + distance * np.sin(angle)
    return CENTRE[0] + distance * np.cos(angle) / np.cos(np.radians(dec)), dec


def _power_law(rng: np.random.Generator, count: int, low: float, high: float, power: float) -> Float:
    """Draw from N(> f) proportional to f to the ``power``."""
    u = rng.random(count)
    return np.asarray((low**power + u * (high**power - low**power)) ** (1 / power))

"""The sky of the practice archive: a calibration field.

Standards, bright and apart from one another, densest in the middle where every
instrument points; faint stars between them; a few stars so bright that some saturate;
galaxies behind. And a second field, of fewer and brighter standards, for exposures whose
background hides the others: in the middle infrared, that of the telescope itself does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from .randomness import stream

if TYPE_CHECKING:
    from .instruments import Filter

__all__ = ["CENTRE", "SCENES", "Galaxies", "Sky", "Stars", "make_bright_sky", "make_sky"]

Float = NDArray[np.float64]

CENTRE = (80.4875, -69.4975)
"""Right ascension and declination of the field's centre, degrees."""
RADIUS = 115.0
"""Radius of the field in arcseconds."""
_FAINT_PER_SQUARE_ARCSEC = 0.08
_GALAXIES_PER_SQUARE_ARCSEC = 0.012
_BRIGHT_PER_SQUARE_ARCSEC = 0.0012
_APART = 1.9
"""No standard has another nearer than this; arcseconds."""
_FROM_BRIGHT = 3.2
"""No standard has a bright star nearer than this: its speckles pass for stars."""
_ALONE = 0.6
"""No faint star is nearer to a standard than this, no galaxy nearer than twice this."""
_CROWD = 22.0
"""Radius in arcseconds within which standards are dense."""
_BRIGHT_RADIUS = 30.0
"""Radius in arcseconds of the field of bright standards."""
_BRIGHT_APART = 3.0
"""No bright standard has another nearer than this; arcseconds."""


@dataclass(frozen=True)
class Stars:
    """Point sources."""

    ra: Float
    dec: Float
    flux: Float
    """Jy at 3.5 micrometres."""
    slope: Float
    """Power by which the flux falls with wavelength."""
    standard: NDArray[np.bool_]
    """Stars to align and to calibrate with."""

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


def make_bright_sky(seed: int) -> Sky:
    """Scatter standards that the middle infrared sees, with fainter stars and galaxies.

    Parameters
    ----------
    seed
        The archive's seed.
    """
    rng = stream(seed, "bright-stars")
    standards = _apart(_scatter(rng, 1200, _BRIGHT_RADIUS), _BRIGHT_APART)
    faint = _scatter(
        rng, int(np.pi * _BRIGHT_RADIUS**2 * _FAINT_PER_SQUARE_ARCSEC), _BRIGHT_RADIUS
    )
    faint = faint[_distance(faint, standards) > _ALONE]
    counts = [len(standards), len(faint)]
    flux = [
        np.exp(rng.uniform(np.log(100), np.log(300), counts[0])),
        _power_law(rng, counts[1], 0.1, 2.0, -0.6),
    ]
    ra, dec = _on_the_sky(np.concatenate([standards, faint]))
    stars = Stars(
        ra,
        dec,
        1e-6 * np.concatenate(flux),
        rng.normal(1.7, 0.2, len(ra)),
        np.repeat([True, False], counts),
    )
    return Sky(stars, _galaxies(stream(seed, "bright-galaxies"), standards, _BRIGHT_RADIUS))


def make_sky(seed: int) -> Sky:
    """Scatter stars and galaxies over the field.

    Parameters
    ----------
    seed
        The archive's seed.
    """
    area = np.pi * RADIUS**2
    rng = stream(seed, "stars")
    bright = _scatter(rng, int(area * _BRIGHT_PER_SQUARE_ARCSEC), RADIUS)
    # One that even the smallest field holds.
    bright[0] = (4.2, -3.1)
    dense = _scatter(rng, 1200, _CROWD)
    places = np.concatenate([dense, _scatter(rng, 1500, RADIUS)])
    standards = _apart(places[_distance(places, bright) > _FROM_BRIGHT], _APART)
    faint = _scatter(rng, int(area * _FAINT_PER_SQUARE_ARCSEC), RADIUS)
    faint = faint[_distance(faint, standards) > _ALONE]
    counts = [len(bright), len(standards), len(faint)]
    flux = [
        np.exp(rng.uniform(np.log(40), np.log(1000), counts[0])),
        np.exp(rng.uniform(np.log(5), np.log(14), counts[1])),
        _power_law(rng, counts[2], 0.1, 2.0, -0.6),
    ]
    ra, dec = _on_the_sky(np.concatenate([bright, standards, faint]))
    stars = Stars(
        ra,
        dec,
        1e-6 * np.concatenate(flux),
        rng.normal(1.7, 0.2, len(ra)),
        np.repeat([False, True, False], counts),
    )
    return Sky(stars, _galaxies(stream(seed, "galaxies"), standards, RADIUS))


def _galaxies(rng: np.random.Generator, standards: Float, radius: float) -> Galaxies:
    places = _scatter(rng, int(np.pi * radius**2 * _GALAXIES_PER_SQUARE_ARCSEC), radius)
    places = places[_distance(places, standards) > 2 * _ALONE]
    count = len(places)
    ra, dec = _on_the_sky(places)
    late = rng.random(count) < 0.75
    return Galaxies(
        ra,
        dec,
        1e-6 * _power_law(rng, count, 0.3, 40.0, -0.8),
        np.clip(rng.lognormal(np.log(0.28), 0.45, count), 0.08, 1.2),
        np.where(late, 1.0, 3.0),
        rng.uniform(0.3, 1.0, count),
        rng.uniform(0, 180, count),
    )


def _scatter(rng: np.random.Generator, count: int, radius: float) -> Float:
    """Draw places (count, 2) in a circle, arcseconds from its centre."""
    distance = radius * np.sqrt(rng.random(count))
    angle = rng.uniform(0, 2 * np.pi, count)
    return np.stack([distance * np.cos(angle), distance * np.sin(angle)], axis=1)


def _apart(places: Float, apart: float) -> Float:
    """Keep, in their order, the places that are not near one kept before."""
    kept: list[Float] = []
    for place in places:
        if not kept or np.min(np.hypot(*(np.array(kept) - place).T)) > apart:
            kept.append(place)
    return np.array(kept)


def _distance(places: Float, others: Float) -> Float:
    """Distance of each place to the nearest of the others, arcseconds."""
    from scipy.spatial import KDTree

    return np.asarray(KDTree(others).query(places)[0])


def _on_the_sky(places: Float) -> tuple[Float, Float]:
    dec = CENTRE[1] + places[:, 1] / 3600
    return CENTRE[0] + places[:, 0] / 3600 / np.cos(np.radians(dec)), dec


def _power_law(
    rng: np.random.Generator, count: int, low: float, high: float, power: float
) -> Float:
    """Draw from N(> f) proportional to f to the ``power``."""
    u = rng.random(count)
    return np.asarray((low**power + u * (high**power - low**power)) ** (1 / power))


SCENES: Final = {"field": make_sky, "bright-field": make_bright_sky}
"""What makes the sky that exposures of a scene see."""

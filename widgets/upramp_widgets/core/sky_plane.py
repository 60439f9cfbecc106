"""The sphere without seams: unit vectors, and a plane around any direction.

Right ascension jumps at 0 h and means nothing at a pole, so nothing here is
interpolated, solved or contoured in it: directions are unit vectors, and their
coordinates in a plane are those of Lambert's azimuthal equal-area projection,
which is smooth everywhere but at the opposite side of the sphere.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

if TYPE_CHECKING:
    from typing import Self

__all__ = ["ARCSEC", "Float", "Plane", "local_axes", "separation", "to_degrees", "to_vectors"]

Float = NDArray[np.float64]

ARCSEC: Final = float(np.pi / 180 / 3600)
"""Radians."""


def to_vectors(ra: ArrayLike, dec: ArrayLike) -> Float:
    """Give the unit vectors of directions, (3, ...).

    Parameters
    ----------
    ra, dec
        Degrees.
    """
    alpha, delta = np.radians(np.asarray(ra, float)), np.radians(np.asarray(dec, float))
    alpha, delta = np.broadcast_arrays(alpha, delta)
    across = np.cos(delta)
    return np.stack([across * np.cos(alpha), across * np.sin(alpha), np.sin(delta)])


def to_degrees(vectors: Float) -> tuple[Float, Float]:
    """Give right ascension in [0, 360) and declination of directions, degrees.

    Parameters
    ----------
    vectors
        (3, ...), of any length but zero.
    """
    x, y, z = vectors
    ra = np.degrees(np.arctan2(y, x)) % 360
    # The remainder of a tiny negative angle rounds to 360 itself.
    ra = np.where(ra >= 360, 0.0, ra)
    return ra, np.degrees(np.arctan2(z, np.hypot(x, y)))


def local_axes(vectors: Float) -> tuple[Float, Float]:
    """Give the unit vectors that point east and north from directions, (3, ...) each.

    At a pole, where every direction is south, north is that of right ascension 0.
    """
    x, y, z = vectors
    across = np.hypot(x, y)
    at_pole = across < 1e-15
    safe = np.where(at_pole, 1.0, across)
    c, s = np.where(at_pole, 1.0, x / safe), np.where(at_pole, 0.0, y / safe)
    return np.stack([-s, c, np.zeros_like(c)]), np.stack([-z * c, -z * s, across])


def separation(first: Float, second: Float) -> Float:
    """Give the angle between unit vectors, radians, exact for small angles too."""
    half = 0.5 * np.sqrt(np.sum((first - second) ** 2, axis=0))
    return np.asarray(2 * np.arcsin(np.clip(half, 0, 1)))


@dataclass(frozen=True, eq=False)
class Plane:
    """Lambert's azimuthal equal-area plane around a direction.

    Source: Calabretta and Greisen (2002), A&A 395, 1077, section 5.1.6 (ZEA).

    Attributes
    ----------
    centre, east, north : numpy.ndarray
        Unit vectors, (3,).
    """

    centre: Float
    east: Float
    north: Float

    @classmethod
    def around(cls, vectors: Float) -> Self:
        """Give the plane around the middle of directions, (3, n), without NaN."""
        middle = vectors.mean(axis=1)
        length = float(np.linalg.norm(middle))
        # Directions all over the sphere have no middle; any of them does.
        centre = middle / length if length > 0.1 else vectors[:, vectors.shape[1] // 2]
        east, north = local_axes(centre)
        return cls(centre, east, north)

    def project(self, vectors: Float) -> Float:
        """Give the coordinates of directions in the plane, (2, ...), radians near the middle."""
        towards = np.tensordot(self.centre, vectors, axes=1)
        with np.errstate(divide="ignore", invalid="ignore"):
            stretch = np.sqrt(2 / np.maximum(1 + towards, 0))
            stretch = np.where(np.isfinite(stretch), stretch, np.nan)
            return np.asarray(
                np.tensordot(np.stack([self.east, self.north]), vectors, axes=1) * stretch
            )

    def vectors(self, places: Float) -> Float:
        """Give the unit vectors of places of the plane; NaN beyond the whole sphere.

        Parameters
        ----------
        places
            (2, ...), radians.
        """
        square = places[0] ** 2 + places[1] ** 2
        with np.errstate(invalid="ignore"):
            shrink = np.sqrt(1 - square / 4)
        aside = np.stack([self.east, self.north], axis=1)
        across = np.tensordot(aside, places * shrink, axes=1)
        return np.asarray(across + np.multiply.outer(self.centre, 1 - square / 2))

"""The sky of an image in a plane whose unit is about a pixel.

In it, a WCS is an affine map and a smooth, small displacement, which is what
can be interpolated and solved, and whose errors are pixels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

import numpy as np

from upramp.errors import InputError

from .sky_plane import Float, Plane, to_vectors

if TYPE_CHECKING:
    from .sky_projection import Projection

__all__ = ["ProjectedPlane"]

_SAMPLES: Final = (9, 65)
"""Pixels along each axis that are tried, few first, to learn where an image looks."""
_ENOUGH: Final = 9
_NOISE: Final = 1e-14
"""Radians; rounding errors of a WCS that computes in degrees."""


@dataclass(frozen=True, eq=False)
class ProjectedPlane:
    """A projection, a plane around what it sees, and the affine map between them.

    Attributes
    ----------
    projection : Projection
        How pixels see the sky.
    plane : Plane
        Around the middle of what is seen.
    scale : float
        Radians that make the plane's unit: about a pixel.
    affine : numpy.ndarray
        (2, 2): from steps in pixels to the plane.
    origin : numpy.ndarray
        (2, 2): the middle pixel, and where the affine map takes it.
    """

    projection: Projection
    plane: Plane
    scale: float
    affine: Float
    origin: Float

    @classmethod
    def around(cls, projection: Projection) -> Self:
        """Find the plane around what a projection sees.

        Raises
        ------
        InputError
            If it sees nothing.
        """
        left, right, low, high = projection.box
        for count in _SAMPLES:
            x, y = (
                axis.ravel()
                for axis in np.meshgrid(
                    np.linspace(left, right, count), np.linspace(low, high, count)
                )
            )
            vectors = to_vectors(*projection.forward(x, y)[:2])
            seen = np.isfinite(vectors).all(axis=0)
            if seen.sum() >= _ENOUGH:
                break
        if not seen.any():
            raise InputError(
                projection.source, "no pixel has a place on the sky", "assign the WCS again"
            )
        x, y, vectors = x[seen], y[seen], vectors[:, seen]
        plane = Plane.around(vectors)
        places = plane.project(vectors)
        middle = np.array([x.mean(), y.mean()])
        design = np.stack([np.ones_like(x), x - middle[0], y - middle[1]], axis=1)
        good = np.isfinite(places).all(axis=0)
        fit = np.linalg.lstsq(design[good], places[:, good].T, rcond=None)[0]
        slopes = fit[1:].T
        widths = np.linalg.svd(slopes, compute_uv=False)
        # Along a slit only one direction of pixels leads anywhere.
        scale = float(widths[0] if projection.dispersed else np.sqrt(widths.prod()))
        if not scale > _NOISE:
            raise InputError(
                projection.source, "all pixels see the same place", "assign the WCS again"
            )
        return cls(projection, plane, scale, slopes / scale, np.stack([middle, fit[0] / scale]))

    @property
    def centre(self) -> Float:
        """Unit vector to the middle of what is seen."""
        return self.plane.centre

    @property
    def rounding(self) -> float:
        """Pixels below which a solution cannot be told from another."""
        return max(1e-6, _NOISE / self.scale)

    def affine_places(self, x: Float, y: Float) -> Float:
        """Give where the affine map takes pixels, (2, ...)."""
        (mx, my), (px, py) = self.origin
        (ax, ay), (bx, by) = self.affine
        dx, dy = x - mx, y - my
        return np.stack([px + ax * dx + ay * dy, py + bx * dx + by * dy])

    def places(self, x: Float, y: Float) -> Float:
        """Give the exact places of pixels in the plane, (2, n); NaN where there is no sky."""
        return self.plane.project(to_vectors(*self.projection.forward(x, y)[:2])) / self.scale

    def vectors(self, places: Float) -> Float:
        """Give the directions of places in the plane, (3, ...)."""
        return self.plane.vectors(places * self.scale)

    def to_uv(self, places: Float) -> Float:
        """Give the pixels that the affine map would take to places of the plane, (2, n)."""
        inverse = np.linalg.inv(self.affine)
        return np.asarray(inverse @ (places - self.origin[1][:, None]) + self.origin[0][:, None])

    def uv(self, x: Float, y: Float) -> Float:
        """Give pixels as they would be without distortion, (2, n), exactly."""
        return self.to_uv(self.places(x, y))

    def uv_of(self, vectors: Float) -> Float:
        """Give pixels as they would be without distortion of directions, (3, n)."""
        return self.to_uv(self.plane.project(vectors) / self.scale)

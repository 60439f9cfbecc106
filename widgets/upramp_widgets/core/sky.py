"""Where an image's pixels look, exactly and fast.

Exact ways evaluate the image's own gwcs or FITS WCS. Fast ones interpolate it
in a sparse grid that is refined until its error, measured between the nodes,
is below `TOLERANCE`; where no grid gets there, they are the exact ones.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from upramp.errors import InputError, UsageError

from .sky_grids import SkyGrids
from .sky_labels import readout_text
from .sky_places import Located, Readout
from .sky_plane import ARCSEC, Float, local_axes, to_degrees, to_vectors
from .sky_solve import solve
from .sky_view import ProjectedPlane

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from .sky_pointing import Pointing
    from .sky_projection import Box, Projection

__all__ = ["TOLERANCE", "Located", "Readout", "Sky"]

TOLERANCE: Final = 0.02
"""Pixels by which the fast ways may differ from the exact ones."""

_SLOPE: Final = 0.5
"""Pixels to either side from which a slope is taken."""


class Sky:
    """Coordinates of an image on the sky; `open_sky` makes one of anything.

    Pixels are counted from 0, with their centres at whole numbers. Places on
    the sky are in degrees, ICRS. Everything takes numbers or arrays that
    broadcast against each other, and gives arrays.

    Parameters
    ----------
    projection
        How pixels see the sky.
    epoch
        When the image was taken (astropy.time.Time), if it is known.
    pointing
        Where the telescope pointed, if it is known.

    Attributes
    ----------
    source : str
        What the coordinates come from.
    shape : (int, int) or None
        Rows and columns of the image, if that is known.
    box : Box
        The bounding box: left, right, low and high edge.
    dispersed : bool
        Whether a pixel sees one place in one wavelength, so that places have
        no pixel unless a wavelength is given.
    wavelength_unit : str
        Unit of the wavelength of pixels; empty where they have none.

    Raises
    ------
    InputError
        If no pixel sees a place on the sky.
    """

    def __init__(
        self,
        projection: Projection,
        *,
        epoch: Any = None,
        pointing: Pointing | None = None,
    ) -> None:
        self.source = projection.source
        self.box: Box = projection.box
        self.dispersed = projection.dispersed
        self.wavelength_unit = projection.wavelength_unit
        self.shape = projection.shape
        self.epoch = epoch
        self.pointing = pointing
        self._projection = projection
        self._plane = ProjectedPlane.around(projection)

    def __repr__(self) -> str:
        ra, dec = to_degrees(self._plane.centre)
        return f"<Sky at {ra:.4f} {dec:+.4f}, from {self.source}>"

    @cached_property
    def grids(self) -> SkyGrids:
        """The grids behind the fast ways; made when they are first asked for."""
        return SkyGrids.build(self._plane, TOLERANCE)

    # ---- pixels ---------------------------------------------------------------------------

    def is_outside(self, x: ArrayLike, y: ArrayLike) -> NDArray[np.bool_]:
        """Say which pixels are outside the bounding box; NaN is.

        Parameters
        ----------
        x, y
            Pixels.
        """
        left, right, low, high = self.box
        x, y = np.asarray(x, float), np.asarray(y, float)
        return np.asarray(~((x >= left) & (x <= right) & (y >= low) & (y <= high)))

    def to_sky(
        self, x: ArrayLike, y: ArrayLike, *, fast: bool = False, outside: bool = False
    ) -> tuple[Float, Float]:
        """Give right ascension and declination of pixels, degrees.

        Parameters
        ----------
        x, y
            Pixels.
        fast
            Interpolate in the grid.
        outside
            Extrapolate outside the bounding box; otherwise NaN there. Exact
            extrapolation follows the WCS wherever it leads; fast extrapolation
            keeps, beyond the grid's margin, the distortion of its edge.
        """
        x, y = np.broadcast_arrays(np.asarray(x, float), np.asarray(y, float))
        ra, dec = to_degrees(self.vectors(x, y, fast=fast))
        if outside:
            return ra, dec
        beyond = self.is_outside(x, y)
        return np.where(beyond, np.nan, ra), np.where(beyond, np.nan, dec)

    def wavelength(self, x: ArrayLike, y: ArrayLike, *, fast: bool = False) -> Float:
        """Give the wavelength of pixels; NaN outside and where there is none.

        Parameters
        ----------
        x, y
            Pixels.
        fast
            Interpolate in the grid.
        """
        x, y = np.broadcast_arrays(np.asarray(x, float), np.asarray(y, float))
        values = np.full(x.shape, np.nan)
        inside = ~self.is_outside(x, y)
        if self.wavelength_unit and inside.any():
            quick = self.grids.wavelength(x[inside], y[inside]) if fast else None
            values[inside] = (
                self._projection.forward(x[inside], y[inside])[2] if quick is None else quick
            )
        return values

    def vectors(self, x: ArrayLike, y: ArrayLike, *, fast: bool = True) -> Float:
        """Give the directions of pixels as unit vectors, (3, ...), extrapolated outside.

        Parameters
        ----------
        x, y
            Pixels.
        fast
            Interpolate in the grid.
        """
        x, y = np.broadcast_arrays(np.asarray(x, float), np.asarray(y, float))
        flat = np.stack([x.ravel(), y.ravel()])
        places = np.full(flat.shape, np.nan)
        finite = np.isfinite(flat).all(axis=0)
        if finite.any():
            at = self.grids.places if fast else self._plane.places
            places[:, finite] = at(*flat[:, finite])
        return self._plane.vectors(places).reshape(3, *x.shape)

    def vectors_on(self, x: Float, y: Float) -> Float:
        """Give the directions of the grid of columns x and rows y, fast: (3, len(y), len(x)).

        Parameters
        ----------
        x, y
            Columns and rows, (n,) and (m,).
        """
        places = self.grids.places_on(x, y)
        if places is None:
            return self.vectors(x, y[:, None])
        return self._plane.vectors(places)

    # ---- places on the sky ----------------------------------------------------------------

    def to_pixel(
        self,
        ra: ArrayLike,
        dec: ArrayLike,
        *,
        wavelength: ArrayLike | None = None,
        fast: bool = False,
        outside: bool = False,
    ) -> tuple[Float, Float]:
        """Give the pixels that see places on the sky; NaN where there are none.

        Parameters
        ----------
        ra, dec
            Degrees.
        wavelength
            Needed where the light is dispersed, and taken only there.
        fast
            Interpolate in the grid.
        outside
            Give pixels outside the bounding box too.

        Raises
        ------
        UsageError
            If the light is dispersed and no wavelength is given.
        """
        located = self.locate(ra, dec, wavelength=wavelength, fast=fast)
        if outside:
            return located.x, located.y
        x = np.where(located.outside, np.nan, located.x)
        return x, np.where(located.outside, np.nan, located.y)

    def locate(
        self,
        ra: ArrayLike,
        dec: ArrayLike,
        *,
        wavelength: ArrayLike | None = None,
        fast: bool = False,
    ) -> Located:
        """Find places on the sky in the image, and say how that went.

        The exact way solves the WCS from pixels to the sky by Newton's method,
        so that it leads back to the same place; the inverse that a gwcs brings
        is itself an approximation, and only starts it.

        Parameters
        ----------
        ra, dec
            Degrees.
        wavelength
            Needed where the light is dispersed, and taken only there.
        fast
            Interpolate in the grid.

        Raises
        ------
        UsageError
            If the light is dispersed and no wavelength is given.
        """
        if self.dispersed:
            return self._locate_dispersed(ra, dec, wavelength)
        ra, dec = np.broadcast_arrays(np.asarray(ra, float), np.asarray(dec, float))
        wanted = self._plane.uv_of(to_vectors(ra.ravel(), dec.ravel()))
        if fast and self.grids.inverse is not None:
            pixels = self.grids.pixels(wanted)
            found = np.isfinite(pixels).all(axis=0)
        else:
            pixels, found = self._solve(ra.ravel(), dec.ravel(), wanted)
        x, y = pixels.reshape(2, *ra.shape)
        return Located(x, y, self.is_outside(x, y), np.asarray(found).reshape(ra.shape))

    def pixels_of(self, vectors: Float) -> tuple[Float, Float]:
        """Give the pixels of directions, fast, extrapolated outside; NaN where there are none.

        Parameters
        ----------
        vectors
            Unit vectors, (3, ...).

        Raises
        ------
        UsageError
            If the light is dispersed.
        """
        self.require_undispersed("a place on the sky is a whole spectrum here")
        if self.grids.inverse is None:
            return self.to_pixel(*to_degrees(vectors), outside=True)
        wanted = self._plane.uv_of(vectors.reshape(3, -1))
        x, y = self.grids.pixels(wanted).reshape(2, *vectors.shape[1:])
        return x, y

    def _solve(self, ra: Float, dec: Float, wanted: Float) -> tuple[Float, NDArray[np.bool_]]:
        left, right, low, high = self.box
        reach = max(right - left, high - low, 8.0)
        close = self._plane.rounding
        pixels, found = solve(self._plane.uv, wanted, self.grids.pixels(wanted), reach, close)
        backward, lost = self._projection.backward, np.flatnonzero(~found)
        if backward is not None and lost.size:
            start = np.stack(backward(ra[lost], dec[lost]))
            again, there = solve(self._plane.uv, wanted[:, lost], start, reach, close)
            pixels[:, lost] = again
            found[lost] = there
        return pixels, found

    def _locate_dispersed(
        self, ra: ArrayLike, dec: ArrayLike, wavelength: ArrayLike | None
    ) -> Located:
        if wavelength is None:
            self.require_undispersed("a place on the sky is a whole spectrum here")
        if self._projection.backward is None:
            raise InputError(
                self.source, "it has no way from the sky to pixels", "ask for the sky of pixels"
            )
        axes = np.broadcast_arrays(*(np.asarray(a, float) for a in (ra, dec, wavelength)))
        x, y = self._projection.backward(*(axis.ravel() for axis in axes))
        x, y = x.reshape(axes[0].shape), y.reshape(axes[0].shape)
        found = np.isfinite(np.stack([x, y])).all(axis=0)
        return Located(x, y, self.is_outside(x, y), np.asarray(found))

    def require_undispersed(self, problem: str) -> None:
        """Refuse what needs a pixel for each place.

        Parameters
        ----------
        problem
            What is wrong where the light is dispersed, as a clause.

        Raises
        ------
        UsageError
            If the light is dispersed.
        """
        if self.dispersed:
            raise UsageError("this image", problem, "give a wavelength, or use an image or a cube")

    # ---- at a pixel -----------------------------------------------------------------------

    def readout(self, x: float, y: float) -> Readout:
        """Tell what is under the cursor, fast.

        Parameters
        ----------
        x, y
            Pixel.
        """
        outside = bool(self.is_outside(x, y))
        ra, dec = (float(a) for a in to_degrees(self.vectors(x, y)))
        wavelength = float(self.wavelength(x, y, fast=True)) if self.wavelength_unit else np.nan
        text = readout_text(x, y, ra, dec, wavelength, self.wavelength_unit, outside=outside)
        return Readout(float(x), float(y), ra, dec, wavelength, outside, text)

    def slopes(self, x: ArrayLike, y: ArrayLike) -> Float:
        """Give how far east and north a step of a pixel leads: (2, 2, ...), arcseconds.

        The first axis is east, north; the second is a step in x, in y.

        Parameters
        ----------
        x, y
            Pixels.
        """
        x, y = np.broadcast_arrays(np.asarray(x, float), np.asarray(y, float))
        around_x = np.stack([x - _SLOPE, x + _SLOPE, x, x])
        around_y = np.stack([y, y, y - _SLOPE, y + _SLOPE])
        v = self.vectors(around_x, around_y)
        steps = np.stack([v[:, 1] - v[:, 0], v[:, 3] - v[:, 2]], axis=1) / (2 * _SLOPE * ARCSEC)
        axes = np.stack(local_axes(self.vectors(x, y)))
        return np.asarray(np.einsum("ac...,cs...->as...", axes, steps))

    def pixel_scale(self, x: ArrayLike, y: ArrayLike) -> Float:
        """Give the side of a square with a pixel's area, arcseconds.

        Parameters
        ----------
        x, y
            Pixels.

        Raises
        ------
        UsageError
            If the light is dispersed, so that a pixel has no area on the sky.
        """
        self.require_undispersed("a pixel has no area on the sky here")
        (ex, ey), (nx, ny) = self.slopes(x, y)
        return np.asarray(np.sqrt(np.abs(ex * ny - ey * nx)))

    def position_angle(self, x: ArrayLike, y: ArrayLike) -> Float:
        """Give the position angle of the y axis, degrees east of north in [0, 360).

        Parameters
        ----------
        x, y
            Pixels.
        """
        slopes = self.slopes(x, y)
        return np.asarray(np.degrees(np.arctan2(slopes[0, 1], slopes[1, 1])) % 360)

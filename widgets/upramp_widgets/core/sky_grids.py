"""The sparse grids behind fast coordinates, with their measured errors."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING, Final, Self

import numpy as np

from .sky_lattice import Axis, Lattice
from .sky_solve import solve

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from .sky_plane import Float
    from .sky_projection import Box
    from .sky_view import ProjectedPlane

__all__ = ["SkyGrids"]

_COUNTS: Final = (9, 17, 33, 65, 129)
_MARGINS: Final = (0.06, 0.0)
"""Of the box, on every side: what is extrapolated by the WCS itself, if that is smooth."""
_HOPELESS: Final = 1.0
"""Pixels: an error above it that did not even halve is a jump, which no grid resolves."""
_AIM: Final = 0.5
"""Part of the tolerance that errors between nodes may have where they are measured."""
_DEGREE: Final = 4
"""Of the polynomials that carry on where there is no sky, so that what is next to it is smooth."""
_DARK, _EDGE, _SURE = 0, 1, 2
"""No pixel around sees sky; some do; all do."""
_MOST_PIXELS: Final = 1 << 19
"""Of an image of which every pixel is remembered: whether it sees sky, in which wavelength."""


@dataclass(frozen=True, eq=False)
class SkyGrids:
    """Displacements from an affine map, to the sky and back.

    Attributes
    ----------
    plane : ProjectedPlane
        What is interpolated.
    forward, inverse : Lattice or None
        Displacement by pixel, and by undistorted pixel; None where no grid is
        good enough, or there is no inverse.
    by_pixel : numpy.ndarray or None
        Wavelength of every pixel of the box, (ny, nx), NaN where it sees no
        sky, 0 where it has none; None if all see sky and none is dispersed.
    forward_error, inverse_error : float
        Largest measured errors in pixels; NaN where there is no grid.
    """

    plane: ProjectedPlane
    forward: Lattice | None
    inverse: Lattice | None
    by_pixel: Float | None
    forward_error: float
    inverse_error: float

    @classmethod
    def build(cls, plane: ProjectedPlane, tolerance: float) -> Self:
        """Make the grids.

        Parameters
        ----------
        plane
            What to interpolate.
        tolerance
            Largest error in pixels.
        """
        aim, dispersed = _AIM * tolerance, plane.projection.dispersed
        for margin in _MARGINS:
            box = _widened(plane.projection.box, margin)
            fit = _refined(_displacement(plane), box, aim)
            if fit.lattice is not None:
                break
        forward, inverse, by_pixel, inverse_error = fit.lattice, None, None, np.nan
        if dispersed or fit.holes:
            by_pixel = _by_pixel(plane)
        if fit.holes and by_pixel is None:
            # Too many pixels to remember which see no sky: the exact way it is.
            forward = None
        elif forward is not None and not dispersed:
            inverse, inverse_error = _inverse(plane, forward, fit.checks, aim)
        error = np.nan if forward is None else fit.error
        return cls(plane, forward, inverse, by_pixel, error, inverse_error)

    def places(self, x: Float, y: Float) -> Float:
        """Give places of pixels in the plane, (2, n)."""
        if self.forward is None:
            return self.plane.places(x, y)
        places = self.plane.affine_places(x, y) + self.forward.at(x, y)
        if self.by_pixel is not None:
            state = self._state(x, y)
            places = np.where(state == _SURE, places, np.nan)
            edge = state == _EDGE
            if edge.any():
                places[:, edge] = self.plane.places(x[edge], y[edge])
        return places

    def places_on(self, x: Float, y: Float) -> Float | None:
        """Give places of a grid of columns and rows, (2, ny, nx); None where that is not fast.

        Next to pixels that see no sky it is said to see none either.
        """
        if self.forward is None:
            return None
        across, up = np.meshgrid(x, y)
        places: Float = self.plane.affine_places(across, up) + self.forward.on(x, y)
        if self.by_pixel is None:
            return places
        return np.asarray(np.where(self._state(across, up) == _SURE, places, np.nan))

    def wavelength(self, x: Float, y: Float) -> Float | None:
        """Give wavelengths of pixels of the box, (n,); None where that is not fast.

        Between the centres of pixels they are interpolated linearly: what a
        disperser's reference tabulates is not smooth enough for more.
        """
        if self.by_pixel is None:
            return None
        left, _, low, _ = self.plane.projection.box
        rows, columns = self.by_pixel.shape
        column = np.clip(x - left - 0.5, 0, columns - 1)
        row = np.clip(y - low - 0.5, 0, rows - 1)
        i, j = np.floor(column).astype(int), np.floor(row).astype(int)
        u, v = column - i, row - j
        right, up = np.minimum(i + 1, columns - 1), np.minimum(j + 1, rows - 1)
        values = self.by_pixel
        between = (values[j, i] * (1 - u) + values[j, right] * u) * (1 - v) + (
            values[up, i] * (1 - u) + values[up, right] * u
        ) * v
        own = values[np.rint(row).astype(int), np.rint(column).astype(int)]
        return np.asarray(np.where(np.isfinite(between), between, own))

    def pixels(self, uv: Float) -> Float:
        """Give the pixels of undistorted ones, (2, n); as they are where there is no inverse."""
        if self.inverse is None:
            return uv
        pixels = np.full(uv.shape, np.nan)
        known = np.isfinite(uv).all(axis=0)
        pixels[:, known] = uv[:, known] + self.inverse.at(*uv[:, known])
        return pixels

    @cached_property
    def _states(self) -> NDArray[np.uint8]:
        """Of every pixel of the box: whether it and its neighbours see sky."""
        from scipy.ndimage import maximum_filter, minimum_filter

        by_pixel = np.zeros((0, 0)) if self.by_pixel is None else self.by_pixel
        seen = np.isfinite(by_pixel).astype(np.uint8)
        # At the ends of the image nothing says that a pixel's own edge is dark.
        all_around = minimum_filter(seen, 3, mode="nearest")
        any_around = maximum_filter(seen, 3, mode="nearest")
        return np.asarray(all_around + any_around, np.uint8)

    def _state(self, x: Float, y: Float) -> NDArray[np.uint8]:
        rows, columns = self._states.shape
        left, _, low, _ = self.plane.projection.box
        # A pixel on the last edge is still inside.
        column, row = np.ceil(x - left) - 1, np.ceil(y - low) - 1
        column, row = np.where(x == left, 0, column), np.where(y == low, 0, row)
        inside = (column >= 0) & (column < columns) & (row >= 0) & (row < rows)
        column, row = np.where(inside, column, 0), np.where(inside, row, 0)
        own = self._states[row.astype(int), column.astype(int)]
        return np.where(inside, own, np.uint8(_DARK))


# ---- refinement ---------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class _Fit:
    """A lattice that is good enough, or None; pixels between its nodes, (2, n)."""

    lattice: Lattice | None
    error: float
    checks: Float
    holes: bool


def _refined(function: Callable[[Float, Float], Float], box: Box, aim: float) -> _Fit:
    """Refine a lattice of a function whose values, (k, n), count in pixels."""
    before = np.inf
    for count in _COUNTS:
        across, up = _axes(box, count)
        x, y = _flat_grid(across.nodes, up.nodes)
        values = function(x, y)
        holes = not np.isfinite(values).all()
        if holes:
            values = _filled(values, x, y)
        lattice = Lattice(across, up, values.reshape(len(values), count, count))
        x, y = _flat_grid(across.middles, up.middles)
        exact = function(x, y)
        known = np.isfinite(exact).all(axis=0)
        error = _largest(lattice.at(x, y) - exact)
        if error < aim:
            return _Fit(lattice, error, np.stack([x, y]), holes or not known.all())
        if error > _HOPELESS and error > before / 2:
            break
        before = error
    return _Fit(None, np.nan, np.empty((2, 0)), holes=False)


def _displacement(plane: ProjectedPlane) -> Callable[[Float, Float], Float]:
    return lambda x, y: plane.places(x, y) - plane.affine_places(x, y)


def _filled(values: Float, x: Float, y: Float) -> Float:
    """Carry on smoothly where there are no values."""
    known = np.isfinite(values).all(axis=0)
    u, v = ((axis - axis.mean()) / max(float(np.ptp(axis)) / 2, 1e-9) for axis in (x, y))
    terms = np.polynomial.chebyshev.chebvander2d(u, v, [_DEGREE, _DEGREE])
    fit = np.linalg.lstsq(terms[known], values[:, known].T, rcond=1e-8)[0]
    return np.asarray(np.where(known, values, (terms @ fit).T))


def _by_pixel(plane: ProjectedPlane) -> Float | None:
    left, right, low, high = plane.projection.box
    columns, rows = math.ceil(right - left), math.ceil(high - low)
    if columns * rows > _MOST_PIXELS:
        return None
    x, y = _flat_grid(
        left + 0.5 + np.arange(columns, dtype=float), low + 0.5 + np.arange(rows, dtype=float)
    )
    seen = plane.projection.forward(x, y)
    sky = np.isfinite(seen[0]) & np.isfinite(seen[1])
    return np.where(sky, seen[2] if len(seen) > 2 else 0.0, np.nan).reshape(rows, columns)


def _inverse(
    plane: ProjectedPlane, forward: Lattice, checks: Float, aim: float
) -> tuple[Lattice | None, float]:
    x, y = _flat_grid(forward.across.nodes, forward.up.nodes)
    roughly = partial(_interpolated_uv, plane, forward)
    whole, uv = roughly(x, y), plane.uv(*checks)
    (left, low), (right, high) = whole.min(axis=1), whole.max(axis=1)
    reach = float(max(right - left, high - low))
    for count in _COUNTS:
        across, up = _axes((left, right, low, high), count)
        nodes = np.stack(_flat_grid(across.nodes, up.nodes))
        # A start from the grid leaves the slow, exact map few steps.
        start, there = solve(roughly, nodes, nodes, reach, 1e-4)
        found, exact = solve(plane.uv, nodes, np.where(there, start, nodes), reach, aim / 100)
        if not exact.all():
            return None, np.nan
        lattice = Lattice(across, up, (found - nodes).reshape(2, count, count))
        known = np.isfinite(uv).all(axis=0)
        error = _largest(uv[:, known] + lattice.at(*uv[:, known]) - checks[:, known])
        if error < aim:
            return lattice, error
    return None, np.nan


def _interpolated_uv(plane: ProjectedPlane, forward: Lattice, x: Float, y: Float) -> Float:
    return plane.to_uv(plane.affine_places(x, y) + forward.at(x, y))


def _widened(box: Box, margin: float) -> Box:
    left, right, low, high = box
    dx, dy = margin * (right - left), margin * (high - low)
    return left - dx, right + dx, low - dy, high + dy


def _axes(box: Box, count: int) -> tuple[Axis, Axis]:
    left, right, low, high = box
    return Axis(left, right, count), Axis(low, high, count)


def _flat_grid(x: Float, y: Float) -> tuple[Float, Float]:
    across, up = np.meshgrid(x, y)
    return across.ravel(), up.ravel()


def _largest(differences: Float) -> float:
    """Give the longest of differences, (k, n), that are known; infinite if none is."""
    lengths = np.sqrt((differences**2).sum(axis=0))
    known = np.isfinite(lengths)
    return float(lengths[known].max()) if known.any() else float("inf")

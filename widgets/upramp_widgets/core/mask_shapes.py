"""Shapes as pixels: those whose centres lie in the shape or on its edge.

Coordinates are (x, y) with the centres of pixels at whole numbers. A shape is
cut off at the edge of the image. A centre counts as on the edge within a
billionth of a pixel, so that a shape and its mirror image have mirrored pixels
although their edges are rounded.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from upramp.errors import UsageError

from .mask_pixels import Pixels, positions_of_runs

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import TypeAlias

    from numpy.typing import ArrayLike, NDArray

    _Floats: TypeAlias = NDArray[np.float64]

__all__ = ["box", "circle", "finite", "point", "polygon", "stroke"]

_TOLERANCE: Final = 1e-9
_FAR: Final = 1e6  # pixels: beyond, a coordinate is a mistake
_SPANS: Final = 1 << 20  # computed at a time
_MOST_CROSSINGS: Final = 1 << 25  # of a polygon's edges with rows of pixels


def finite(name: str, value: ArrayLike, least: float = -_FAR) -> Any:
    """Give numbers as float64, refusing what is no length or place on an image.

    Parameters
    ----------
    name
        What they are, for the message.
    value
        A number or several.
    least
        Smallest that is allowed.

    Returns
    -------
    ndarray of float64
        The numbers; without axes if it was one.

    Raises
    ------
    UsageError
        If one is none, not finite, too small or further than a million pixels.
    """
    try:
        numbers = np.asarray(value, np.float64)
    except (TypeError, ValueError):
        numbers = np.array(np.nan)
    good = (numbers >= least) & (numbers <= _FAR)
    if not np.all(good):
        wrong = np.ravel(numbers)[~np.ravel(good)][0]
        raise UsageError(
            name, f"{wrong:g} is no such number", f"give numbers from {least:g} to {_FAR:g}"
        )
    return numbers


def _path(name: str, points: ArrayLike, least: int) -> _Floats:
    path: NDArray[np.float64] = finite(name, points)
    if path.ndim != 2 or path.shape[1] != 2 or len(path) < least:
        count = "a pair" if least == 1 else f"{least} pairs"
        raise UsageError(
            name, f"its shape is {path.shape}", f"give at least {count} (x, y), shape (n, 2)"
        )
    return path


def _nearest(values: _Floats) -> NDArray[np.int64]:
    return np.floor(values + 0.5).astype(np.int64)


def _whole_between(
    left: _Floats, right: _Floats, size: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """First and last whole number of closed intervals, those of an axis of this size or next."""
    first = np.ceil(np.clip(left - _TOLERANCE, -1.0, size)).astype(np.int64)
    last = np.floor(np.clip(right + _TOLERANCE, -1.0, size)).astype(np.int64)
    return first, last


def point(shape: tuple[int, int], x: float, y: float) -> Pixels:
    """Give the pixel that a point lies in.

    Parameters
    ----------
    shape
        Rows and columns of the image.
    x, y
        The point.

    Returns
    -------
    Pixels
        One, or none off the image.

    Raises
    ------
    UsageError
        If a coordinate is not finite or absurd.
    """
    column, row = _nearest(finite("point", [[x], [y]]))
    return Pixels.of_spans(shape, row, column, column)


def stroke(shape: tuple[int, int], points: ArrayLike, radius: float) -> Pixels:
    """Draw along a path with a round brush.

    Parameters
    ----------
    shape
        Rows and columns of the image.
    points
        (n, 2): corners (x, y) of the path, at least one.
    radius
        Of the brush, in pixels; half a pixel at least, so that a path has no
        gaps.

    Returns
    -------
    Pixels
        Those whose centres are no further than the radius from the path, and
        those that the points lie in.

    Raises
    ------
    UsageError
        If there is no point, or a number is not finite or absurd.
    """
    path = _path("points", points, 1)
    half = max(float(finite("radius", radius, 0.0)), 0.5)
    parts = [Pixels.of_spans(shape, *_nearest(path.T[[1, 0, 0]]))]
    ends = path if len(path) > 1 else np.repeat(path, 2, axis=0)
    for starts, stops in _batches(shape, ends, half):
        parts.append(_capsules(shape, starts, stops, half))
        if len(parts) > 16:
            parts = [Pixels.union(shape, parts)]
    return Pixels.union(shape, parts)


def _batches(
    shape: tuple[int, int], path: _Floats, half: float
) -> Iterator[tuple[_Floats, _Floats]]:
    """Cut a path into pieces of bounded work, however many rows its segments cross."""
    starts, stops = path[:-1], path[1:]
    rows = np.minimum(np.abs(stops[:, 1] - starts[:, 1]) + 2 * half + 2, shape[0] + 1)
    piece = np.cumsum(rows) // _SPANS
    cuts = np.flatnonzero(np.diff(piece)) + 1
    for first, last in itertools.pairwise([0, *cuts.tolist(), len(starts)]):
        yield starts[first:last], stops[first:last]


def _capsules(shape: tuple[int, int], starts: _Floats, stops: _Floats, half: float) -> Pixels:
    """Pixels no further than a distance from any of some segments."""
    ny, nx = shape
    (ax, ay), (bx, by) = starts.T, stops.T
    low, high = _whole_between(np.minimum(ay, by) - half, np.maximum(ay, by) + half, ny)
    counts = np.maximum(high - low + 1, 0)
    segment = positions_of_runs(low, counts, np.arange(len(starts)))
    row = positions_of_runs(low, counts)
    # A row meets a capsule, which is convex, in one interval: from the leftmost of what it
    # meets of two discs and the rectangle between them to the rightmost.
    left, right = np.full(row.size, np.inf), np.full(row.size, -np.inf)
    for x, y in ((ax, ay), (bx, by)):
        away = np.abs(row - y[segment])
        width = np.sqrt(np.maximum(half * half - away * away, 0.0))
        met = away <= half + _TOLERANCE
        left = np.where(met, np.minimum(left, x[segment] - width), left)
        right = np.where(met, np.maximum(right, x[segment] + width), right)
    dx, dy = (bx - ax)[segment], (by - ay)[segment]
    x, y = ax[segment], row - ay[segment]
    length = np.hypot(dx, dy)
    along = _solve(dx, y * dy, np.zeros_like(length), length * length)
    across = _solve(dy, -y * dx, -half * length, half * length)
    first, last = np.maximum(along[0], across[0]), np.minimum(along[1], across[1])
    met = (first <= last) & (length > 0)
    left = np.where(met, np.minimum(left, x + first), left)
    right = np.where(met, np.maximum(right, x + last), right)
    return Pixels.of_spans(shape, row, *_whole_between(left, right, nx))


def _solve(
    factor: _Floats, offset: _Floats, low: _Floats, high: _Floats
) -> tuple[_Floats, _Floats]:
    """Interval of u with low <= factor * u + offset <= high; its ends swapped if empty."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        one, other = (low - offset) / factor, (high - offset) / factor
    everywhere = (low - _TOLERANCE <= offset) & (offset <= high + _TOLERANCE)
    flat = factor == 0
    first = np.where(flat, np.where(everywhere, -np.inf, np.inf), np.minimum(one, other))
    return first, np.where(flat, -first, np.maximum(one, other))


def circle(shape: tuple[int, int], x: float, y: float, radius: float) -> Pixels:
    """Fill a circle.

    Parameters
    ----------
    shape
        Rows and columns of the image.
    x, y
        Its centre.
    radius
        In pixels.

    Returns
    -------
    Pixels
        Those whose centres are no further than the radius from its centre,
        and the one that its centre lies in.

    Raises
    ------
    UsageError
        If a number is not finite or absurd, or the radius negative.
    """
    size = float(finite("radius", radius, 0.0))
    centre = _path("circle", [[x, y]], 1)
    return Pixels.union(shape, [point(shape, x, y), _capsules(shape, centre, centre, size)])


def box(shape: tuple[int, int], x0: float, y0: float, x1: float, y1: float) -> Pixels:
    """Fill a box along the axes.

    Parameters
    ----------
    shape
        Rows and columns of the image.
    x0, y0, x1, y1
        Two opposite corners, in either order.

    Returns
    -------
    Pixels
        Those whose centres lie in it.

    Raises
    ------
    UsageError
        If a coordinate is not finite or absurd.
    """
    corners = np.sort(_path("box", [[x0, y0], [x1, y1]], 2), axis=0)
    first, last = _whole_between(corners[0], corners[1], max(shape))
    rows = np.arange(max(first[1], 0), min(last[1], shape[0] - 1) + 1)
    return Pixels.of_spans(shape, rows, np.full(rows.size, first[0]), np.full(rows.size, last[0]))


def polygon(shape: tuple[int, int], vertices: ArrayLike) -> Pixels:
    """Fill a polygon, by the even-odd rule where it crosses itself.

    Parameters
    ----------
    shape
        Rows and columns of the image.
    vertices
        (n, 2): its corners (x, y), at least three; the last is joined to the
        first.

    Returns
    -------
    Pixels
        Those whose centres lie in it or on its edge.

    Raises
    ------
    UsageError
        If there are too few corners, a coordinate is not finite or absurd, or
        there are so many long edges that it would take gigabytes.
    """
    ny, nx = shape
    here = _path("vertices", vertices, 3)
    there = np.roll(here, -1, axis=0)
    # Upwards, so that an edge that is passed in both directions is rounded alike.
    up = (here[:, 1] <= there[:, 1])[:, np.newaxis]
    (xa, ya), (xb, yb) = np.where(up, here, there).T, np.where(up, there, here).T
    # Of an edge that is crossed, the lower end counts and the upper does not.
    low = np.ceil(np.clip(ya, 0, ny)).astype(np.int64)
    counts = np.maximum(np.ceil(np.clip(yb, 0, ny)).astype(np.int64) - low, 0)
    if counts.sum() > _MOST_CROSSINGS:
        raise UsageError(
            "vertices",
            f"the {len(here)} edges of the polygon cross {counts.sum()} rows of pixels",
            "give fewer corners",
        )
    edge = positions_of_runs(low, counts, np.arange(len(here)))
    row = positions_of_runs(low, counts)
    rise = np.where(ya == yb, 1.0, yb - ya)
    crossing = xa[edge] + (row - ya[edge]) * ((xb - xa) / rise)[edge]
    order = np.lexsort((crossing, row))
    row, crossing = row[order], crossing[order]
    inside = Pixels.of_spans(shape, row[::2], *_whole_between(crossing[::2], crossing[1::2], nx))
    # What the rule leaves out of the edge: corners, and edges along a row of centres.
    bottom, top = _nearest(ya), _nearest(yb)
    level = np.abs(ya - yb) <= _TOLERANCE
    ends = (
        (bottom, np.abs(ya - bottom) <= _TOLERANCE, xa, xa),
        (top, np.abs(yb - top) <= _TOLERANCE, xb, xb),
        (bottom, level & (np.abs(ya - bottom) <= _TOLERANCE), xa, xb),
    )
    parts = [inside]
    for rows, centred, one, other in ends:
        left, right = np.minimum(one, other)[centred], np.maximum(one, other)[centred]
        parts.append(Pixels.of_spans(shape, rows[centred], *_whole_between(left, right, nx)))
    return Pixels.union(shape, parts)

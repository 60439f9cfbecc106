"""How near a drawn line comes to an outline."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .sky_plane import Float

__all__ = ["distance"]

_End = tuple[float, float]


def distance(start: _End, end: _End, x: Float, y: Float) -> float:
    """Give the least distance between a straight line and a path, 0 where they cross.

    Parameters
    ----------
    start, end
        The line's ends.
    x, y
        The path's points, one or more; parts with a point that is no number are left out.

    Returns
    -------
    float
        In the same unit; infinite if nothing of the path is known.
    """
    path = np.stack([x, y], axis=-1).astype(np.float64)
    if len(path) == 1:
        path = np.repeat(path, 2, axis=0)  # a point is a path of no length
    one, two = path[:-1], path[1:]
    known = np.isfinite(one).all(axis=1) & np.isfinite(two).all(axis=1)
    one, two = one[known], two[known]
    if not len(one):
        return float("inf")
    here, there = (
        np.broadcast_to(np.asarray(point, np.float64), one.shape) for point in (start, end)
    )
    if bool((_parted(here, there, one, two) & _parted(one, two, here, there)).any()):
        return 0.0
    # Lines that do not cross are nearest at an end of one of them.
    ends = ((one, here, there), (two, here, there), (here, one, two), (there, one, two))
    return min(float(_from_line(*each).min()) for each in ends)


def _parted(start: Float, end: Float, one: Float, two: Float) -> NDArray[np.bool_]:
    """Say where two points are on different sides of a line."""
    return _side(start, end, one) * _side(start, end, two) < 0


def _side(start: Float, end: Float, point: Float) -> Float:
    along, towards = end - start, point - start
    # Only the sign is of use: a product of two of them may not run out of numbers.
    side: Float = np.sign(along[:, 0] * towards[:, 1] - along[:, 1] * towards[:, 0])
    return side


def _from_line(point: Float, start: Float, end: Float) -> Float:
    along = end - start
    squared = (along**2).sum(axis=1)
    at = ((point - start) * along).sum(axis=1) / np.where(squared > 0, squared, 1)
    nearest = start + np.clip(at, 0, 1)[:, None] * along
    away: Float = np.hypot(*(point - nearest).T)
    return away

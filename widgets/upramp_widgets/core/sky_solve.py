"""Newton's method in two dimensions, for many places at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from .sky_plane import Float

__all__ = ["solve"]

_STEP: Final = 0.5
"""Pixels from which slopes are taken: a distortion is straight over half a pixel."""
_ROUNDS: Final = 20


def solve(
    forward: Callable[[Float, Float], Float],
    wanted: Float,
    start: Float,
    reach: float,
    close: float = 1e-6,
) -> tuple[Float, NDArray[np.bool_]]:
    """Find the pixels that a map takes to wanted places.

    Parameters
    ----------
    forward
        Takes x and y, (m,) each, to (2, m); NaN where it has no value.
    wanted
        Places in the plane that the map leads to, (2, n).
    start
        First guesses, (2, n).
    reach
        Pixels that a single step may go.
    close
        Pixels that a last step may have; the error left behind is far smaller.

    Returns
    -------
    numpy.ndarray
        The pixels, (2, n), NaN where there is no solution.
    numpy.ndarray
        Where the method converged, (n,).
    """
    places = np.array(start, float)
    found = np.zeros(places.shape[1], bool)
    active = np.flatnonzero(np.isfinite(wanted).all(axis=0) & np.isfinite(places).all(axis=0))
    for _ in range(_ROUNDS):
        if not active.size:
            break
        step = _newton_step(forward, wanted[:, active], places[:, active])
        length = np.hypot(*step)
        with np.errstate(invalid="ignore", divide="ignore"):
            step *= np.minimum(1, reach / length)
        places[:, active] += np.where(length > 0, step, 0)
        done = length < close
        found[active[done]] = True
        active = active[np.isfinite(length) & ~done]
    places[:, ~found] = np.nan
    return places, found


def _newton_step(forward: Callable[[Float, Float], Float], wanted: Float, at: Float) -> Float:
    x, y = at
    count = len(x)
    three = forward(np.concatenate([x, x + _STEP, x]), np.concatenate([y, y, y + _STEP]))
    here = three[:, :count]
    (ax, bx), (ay, by) = (
        (three[:, count : 2 * count] - here) / _STEP,
        (three[:, 2 * count :] - here) / _STEP,
    )
    a, b = wanted - here
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        determinant = ax * by - ay * bx
        return np.stack([(a * by - b * ay) / determinant, (b * ax - a * bx) / determinant])

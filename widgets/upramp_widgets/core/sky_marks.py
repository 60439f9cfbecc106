"""A compass and a scale bar for a view."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from upramp.errors import UsageError

from .sky_labels import angle_text, round_length
from .sky_plane import ARCSEC, separation

if TYPE_CHECKING:
    from .sky import Sky

__all__ = ["Compass", "ScaleBar", "compass", "scale_bar"]

_ROUNDS: Final = 4
"""In which the bar's end finds its place; each leaves a small part of the error."""

Segment = tuple[float, float, float, float]


@dataclass(frozen=True)
class Compass:
    """Arrows to north and east.

    Attributes
    ----------
    north, east : (float, float, float, float)
        x and y of an arrow's start, x and y of its tip.
    north_angle, east_angle : float
        Directions in the image, degrees from the x axis towards y.
    """

    north: Segment
    east: Segment
    north_angle: float
    east_angle: float


@dataclass(frozen=True)
class ScaleBar:
    """A bar of round length on the sky.

    Attributes
    ----------
    segment : (float, float, float, float)
        x and y of both ends.
    arcsec : float
        Its length on the sky.
    text : str
        The same in words.
    """

    segment: Segment
    arcsec: float
    text: str


def compass(sky: Sky, x: float, y: float, length: float) -> Compass:
    """Point north and east from a pixel.

    Parameters
    ----------
    sky
        The image's coordinates.
    x, y
        Where.
    length
        Length of both arrows, pixels.

    Raises
    ------
    UsageError
        If the light is dispersed, or there is no sky at the pixel.
    """
    sky.require_undispersed("north and east are no directions in a spectrum")
    slopes = sky.slopes(x, y)
    if not np.isfinite(slopes).all() or not np.linalg.det(slopes):
        raise UsageError(f"x {x:g}, y {y:g}", "there is no sky", "choose a pixel that sees some")
    # Columns: the steps in pixels that lead an arcsecond east and north.
    steps = np.linalg.inv(slopes)
    east, north = (steps[:, k] / np.hypot(*steps[:, k]) for k in (0, 1))
    return Compass(
        _arrow(x, y, north, length), _arrow(x, y, east, length), _angle(north), _angle(east)
    )


def scale_bar(
    sky: Sky,
    xlim: tuple[float, float],
    ylim: tuple[float, float],
    *,
    part: float = 0.25,
    margin: float = 0.05,
) -> ScaleBar:
    """Measure a view by a bar at its lower left.

    Parameters
    ----------
    sky
        The image's coordinates.
    xlim, ylim
        The view, pixels.
    part
        Largest length of the bar, as part of the view's width.
    margin
        Its distance from the view's edges, as part of the width.

    Raises
    ------
    UsageError
        If the light is dispersed, or the view sees no sky there.
    """
    sky.require_undispersed("a length on the sky is no length in a spectrum")
    left, right = sorted(xlim)
    width = right - left
    x, y = left + margin * width, min(ylim) + margin * width
    longest = float(_length(sky, x, y, x + part * width))
    if not longest > 0:
        raise UsageError("this view", "it sees no sky at its lower left", "move the view")
    arcsec = round_length(longest)
    end = x + part * width * arcsec / longest
    for _ in range(_ROUNDS):
        end = x + (end - x) * arcsec / _length(sky, x, y, end)
    return ScaleBar((x, y, end, y), arcsec, angle_text(arcsec))


def _length(sky: Sky, x: float, y: float, end: float) -> float:
    """Give the length on the sky of a row's piece, arcseconds, through its middle."""
    path = sky.vectors(np.linspace(x, end, 3), y)
    return float(separation(path[:, :-1], path[:, 1:]).sum() / ARCSEC)


def _arrow(
    x: float, y: float, towards: np.ndarray[tuple[int], np.dtype[np.float64]], length: float
) -> Segment:
    return x, y, float(x + length * towards[0]), float(y + length * towards[1])


def _angle(towards: np.ndarray[tuple[int], np.dtype[np.float64]]) -> float:
    return math.degrees(math.atan2(towards[1], towards[0]))

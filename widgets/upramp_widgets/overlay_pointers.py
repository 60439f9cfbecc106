"""Apertures that lie outside the view: arrows at its edge say where."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from .core.stretch import Limits
    from .views.image_view import ImageView

    Line = tuple[NDArray[np.float64], NDArray[np.float64]]

__all__ = ["OUTSIDE", "OverlayPointers"]

OUTSIDE: Final = "apertures outside the view"
"""The layer's name."""

_COLOUR: Final = "#f4f1de"
_APART: Final = 0.3
"""Radians between two arrows: one arrow points to all that lie in about one direction."""
_MOST_NAMED: Final = 8
"""Apertures that are named in words."""
_ENDS: Final = (0.80, 0.94)
"""Where an arrow begins and ends, as shares of the way from the middle to the edge."""
_HEAD: Final = 0.022
"""Length of the two strokes of its head, as a share of the view's width."""
_OPEN: Final = 2.6
"""Radians between the arrow and a stroke of its head."""


class OverlayPointers:
    """Points to what lies outside the view, and follows the view.

    Parameters
    ----------
    image
        What is looked at.
    changed
        Called when a view that moves has others outside.

    Attributes
    ----------
    names
        Of what is pointed to now, the nearest first.
    """

    def __init__(self, image: ImageView, changed: Callable[[], Any] = lambda: None) -> None:
        self.names: tuple[str, ...] = ()
        self._image, self._changed = image, changed
        self._lines: dict[str, Line] = {}
        image.observe(self._moved, ["xlim", "ylim"])

    def follow(self, lines: Mapping[str, Line]) -> None:
        """Point to other outlines.

        Parameters
        ----------
        lines
            x and y in pixels, by what is written at the arrow.
        """
        self._lines = dict(lines)
        self._point()

    @property
    def text(self) -> str:
        """What lies outside, in words; empty for nothing."""
        more = len(self.names) - _MOST_NAMED
        named = ", ".join(self.names[:_MOST_NAMED])
        return f"{named} and {more} more" if more > 0 else named

    def _moved(self, _: Any) -> None:
        before = self.names
        if self._lines:
            self._point()
        if before != self.names:
            self._changed()

    def _point(self) -> None:
        image = self._image
        outside = _outside(self._lines, image.xlim, image.ylim)
        self.names = tuple(name for name, _, _ in outside)
        if outside:
            ways = _ways(outside, sum(image.xlim) / 2, sum(image.ylim) / 2)
            arrows = [_arrow(x, y, image.xlim, image.ylim) for _, x, y in ways]
            labels = tuple(words for words, _, _ in ways)
            image.set_curves(OUTSIDE, arrows, _COLOUR, labels=labels, width=2.0)
        elif OUTSIDE in image.scene.layers:
            image.set_curves(OUTSIDE, None)


def _outside(
    lines: Mapping[str, Line], xlim: Limits, ylim: Limits
) -> list[tuple[str, float, float]]:
    """Give name and middle of what is not seen, the nearest first."""
    found = []
    middle = sum(xlim) / 2, sum(ylim) / 2
    for name, (x, y) in lines.items():
        good = np.isfinite(x) & np.isfinite(y)
        if not good.any():
            continue
        (low_x, high_x), (low_y, high_y) = (
            (float(axis[good].min()), float(axis[good].max())) for axis in (x, y)
        )
        seen = low_x < xlim[1] and high_x > xlim[0] and low_y < ylim[1] and high_y > ylim[0]
        if not seen:
            at = (low_x + high_x) / 2, (low_y + high_y) / 2
            found.append((name, *at))
    found.sort(key=lambda each: np.hypot(each[1] - middle[0], each[2] - middle[1]))
    return found


def _ways(
    outside: list[tuple[str, float, float]], x: float, y: float
) -> list[tuple[str, float, float]]:
    """Give the nearest in each direction, and in words how many lie beyond it."""
    ways: list[tuple[float, list[tuple[str, float, float]]]] = []
    for each in outside:
        angle = float(np.arctan2(each[2] - y, each[1] - x))
        for other, together in ways:
            if abs((angle - other + np.pi) % (2 * np.pi) - np.pi) < _APART:
                together.append(each)
                break
        else:
            ways.append((angle, [each]))
    return [
        (first[0] + (f" and {len(beyond)} more" if beyond else ""), first[1], first[2])
        for _, (first, *beyond) in ways
    ]


def _arrow(x: float, y: float, xlim: Limits, ylim: Limits) -> NDArray[np.float64]:
    """Give an arrow that points to a place from within the view's edge."""
    middle = np.array([sum(xlim) / 2, sum(ylim) / 2])
    half = np.array([xlim[1] - xlim[0], ylim[1] - ylim[0]]) / 2
    way = np.array([x, y]) - middle
    # The share of the way to the place at which the edge is crossed.
    edge = way / np.abs(way / half).max()
    tail, tip = (middle + share * edge for share in _ENDS)
    angle = np.arctan2(edge[1], edge[0])
    strokes = [
        tip + 2 * half[0] * _HEAD * np.array([np.cos(angle + turn), np.sin(angle + turn)])
        for turn in (_OPEN, -_OPEN)
    ]
    return np.array([tail, tip, strokes[0], tip, strokes[1]])

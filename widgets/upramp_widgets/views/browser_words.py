"""What a browser says to an image view, read with distrust.

A page may be old, of another version, or not ours at all; what cannot be
understood is refused with a sentence.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

from upramp.errors import UsageError
from upramp_widgets.core.render import Viewport

__all__ = [
    "ACTIONS",
    "TOOLS",
    "Stroke",
    "Want",
    "number",
    "read_place",
    "read_stroke",
    "read_view",
]
__all__ += ["read_have", "read_wants", "text"]

TOOLS: Final = (
    "pan",
    "inspect",
    "brush",
    "eraser",
    "line",
    "box",
    "polygon",
    "circle",
    "snowball",
)
"""What the hand may do, in the order of the toolbar."""

ACTIONS: Final = ("undo", "redo", "previous", "next", "blink", "escape")
"""What a key may ask of the program."""

_DRAWN: Final = TOOLS[2:]
_MOST_POINTS: Final = 200_000
_MOST_WANTS: Final = 16
_FAR: Final = 1e7

Want = tuple[str, str, int]
"""A part (image, significance, masks), a tier (base, sharp) and a frame."""


@dataclass(frozen=True)
class Stroke:
    """What was drawn.

    Parameters
    ----------
    tool
        One of `TOOLS` that draws.
    points
        (x, y) in pixels: the path of a brush, the ends of a line, two corners
        of a box, the corners of a polygon, or the centre of a circle.
    radius
        Of the brush or the circle, in pixels.
    erase
        Whether it takes away.
    """

    tool: str
    points: list[tuple[float, float]]
    radius: float
    erase: bool


def number(value: Any, what: str) -> float:
    """Read a finite number of a sensible size.

    Parameters
    ----------
    value
        As it came.
    what
        Whose it is, for the error.
    """
    good = isinstance(value, int | float) and not isinstance(value, bool)
    if not good or not math.isfinite(value) or abs(value) > _FAR:
        raise UsageError(what, f"{str(value)[:40]!r} is no number for it", "reload the page")
    return float(value)


def text(value: Any, allowed: tuple[str, ...], what: str) -> str:
    """Read a word out of a list.

    Parameters
    ----------
    value
        As it came.
    allowed
        What it may be.
    what
        Whose it is, for the error.
    """
    if value not in allowed:
        raise UsageError(what, f"there is no {str(value)[:40]!r}", f"give one of {allowed}")
    return str(value)


def read_view(content: dict[str, Any]) -> Viewport:
    """Read what a canvas shows.

    Parameters
    ----------
    content
        A message.
    """
    view = content.get("view")
    if not isinstance(view, dict):
        raise UsageError("view", "the page does not say what it shows", "reload the page")
    limits = [_pair(view.get(name), name) for name in ("xlim", "ylim")]
    width, height = (round(number(view.get(name), name)) for name in ("width", "height"))
    return Viewport(limits[0], limits[1], width, height)


def read_wants(content: dict[str, Any]) -> list[Want]:
    """Read which tiles are asked for.

    Parameters
    ----------
    content
        A message.
    """
    wants = content.get("want")
    if not isinstance(wants, list) or len(wants) > _MOST_WANTS:
        raise UsageError("want", "the page asks for no list of tiles", "reload the page")
    found: list[Want] = []
    for want in wants:
        if not isinstance(want, list) or len(want) != 3:
            raise UsageError("want", f"{str(want)[:40]!r} is no tile", "reload the page")
        part = text(want[0], ("image", "significance", "masks"), "part of a tile")
        tier = text(want[1], ("base", "sharp"), "tier of a tile")
        found.append((part, tier, int(number(want[2], "frame"))))
    return found


def read_have(content: dict[str, Any]) -> dict[Want, int]:
    """Read which tiles a page has already, and of which version.

    Parameters
    ----------
    content
        A message.
    """
    have = content.get("have", [])
    if not isinstance(have, list) or not all(isinstance(each, list) for each in have):
        raise UsageError("have", "the page has no list of tiles", "reload the page")
    wants = read_wants({"want": [each[:3] for each in have]})
    versions = [int(number(each[3] if len(each) == 4 else None, "version")) for each in have]
    return dict(zip(wants, versions, strict=True))


def read_place(content: dict[str, Any]) -> tuple[float, float]:
    """Read a place on the detector.

    Parameters
    ----------
    content
        A message with ``x`` and ``y``.
    """
    return number(content.get("x"), "x"), number(content.get("y"), "y")


def read_stroke(content: dict[str, Any]) -> Stroke:
    """Read what was drawn.

    Parameters
    ----------
    content
        A message.
    """
    tool = text(content.get("tool"), _DRAWN, "tool")
    points = content.get("points")
    if not isinstance(points, list) or not 0 < len(points) <= _MOST_POINTS:
        raise UsageError("stroke", "it has no points, or too many", "draw it again")
    radius = number(content.get("radius"), "radius")
    if radius < 0:
        raise UsageError("stroke", f"a radius of {radius} cannot be", "draw it again")
    return Stroke(tool, [_pair(p, "point") for p in points], radius, content.get("erase") is True)


def _pair(value: Any, what: str) -> tuple[float, float]:
    if not isinstance(value, list | tuple) or len(value) != 2:
        raise UsageError(what, f"{str(value)[:40]!r} is no pair", "reload the page")
    return number(value[0], what), number(value[1], what)

"""What lies over an image: masks, curves, points, arrows, a compass."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from upramp.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from .render import Source

__all__ = [
    "FLAG_COLOURS",
    "JUMP",
    "PALE",
    "SHAPES",
    "Arrows",
    "Compass",
    "Curves",
    "Mask",
    "Points",
    "colour_of_flag",
    "rgb",
]

SHAPES: Final = ("circle", "square", "diamond", "cross", "plus", "dot")
"""How points may be drawn."""

FLAG_COLOURS: Final[dict[str, str]] = {
    "DO_NOT_USE": "#e4572e",
    "SATURATED": "#ffb000",
    "JUMP_DET": "#00e5c8",
    "DROPOUT": "#8c6bff",
    "OUTLIER": "#ff5fd2",
    "PERSISTENCE": "#b6e34a",
    "CHARGELOSS": "#ff8a65",
    "NON_SCIENCE": "#7f8c9a",
    "DEAD": "#5a7dff",
    "HOT": "#ff3d68",
    "REFERENCE_PIXEL": "#9fb4c7",
}
"""Colours of flags that are met often; told apart on gray, viridis and inferno."""

JUMP: Final = "#ff5fd2"
"""Of what was found to be a jump, in images and plots."""

PALE: Final = "#ffb3ec"
"""Of what lies above a threshold; what the search finds there has the full colour."""

_OTHER_COLOURS: Final = ("#4cc9f0", "#f4a261", "#c77dff", "#80ed99", "#ffd6a5", "#ff9ebb")


def colour_of_flag(name: str) -> str:
    """Give the colour a flag is drawn in.

    Parameters
    ----------
    name
        Its mnemonic; one that is not in `FLAG_COLOURS` gets one that stays the same.
    """
    return FLAG_COLOURS.get(name, _OTHER_COLOURS[sum(name.encode()) % len(_OTHER_COLOURS)])


def rgb(colour: str) -> tuple[int, int, int]:
    """Read a colour.

    Parameters
    ----------
    colour
        As ``#rrggbb``.

    Raises
    ------
    UsageError
        If it is written otherwise.
    """
    if not isinstance(colour, str) or not re.fullmatch(r"#[0-9a-fA-F]{6}", colour):
        raise UsageError("colour", f"{colour!r} is none", "write it as '#rrggbb'")
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


@dataclass(frozen=True)
class Mask:
    """Flagged pixels, drawn in a colour.

    Parameters
    ----------
    source
        Booleans or integers of flags.
    bits
        Which bits of an integer count.
    colour
        As ``#rrggbb``.
    label
        What the legend says.
    """

    source: Source
    bits: int
    colour: str
    label: str

    def __post_init__(self) -> None:
        rgb(self.colour)
        if self.bits < 1:
            raise UsageError("mask", f"bits={self.bits} selects no flag", "give a positive number")


@dataclass(frozen=True)
class Curves:
    """Lines through points, as a graticule or footprints are.

    Parameters
    ----------
    lines
        Each (n, 2), x and y in pixels; NaN breaks a line.
    colour
        As ``#rrggbb``.
    labels
        One for each line, or none.
    width
        In dots of the screen.
    dashed
        Whether they are.
    closed
        Whether each ends where it began.
    """

    lines: tuple[NDArray[np.float32], ...]
    colour: str
    labels: tuple[str, ...] = ()
    width: float = 1.5
    dashed: bool = False
    closed: bool = False

    def __post_init__(self) -> None:
        rgb(self.colour)
        lines = tuple(_pairs(line, "curves") for line in self.lines)
        object.__setattr__(self, "lines", lines)
        object.__setattr__(self, "labels", _labels(self.labels, len(lines), "curves"))

    def header(self) -> dict[str, Any]:
        """Give all that the browser is told of them but the coordinates."""
        return {
            "kind": "curves",
            "lengths": [len(line) for line in self.lines],
            "colour": self.colour,
            "labels": list(self.labels),
            "width": self.width,
            "dashed": self.dashed,
            "closed": self.closed,
        }

    def arrays(self) -> list[NDArray[np.float32]]:
        """Give the coordinates of all lines, one after the other, x and y in turns."""
        joined = np.concatenate([np.zeros((0, 2), np.float32), *self.lines])
        return [joined.ravel()]


@dataclass(frozen=True)
class Points:
    """Marked places, as the sources of a catalogue.

    Parameters
    ----------
    x, y
        In pixels.
    colour
        As ``#rrggbb``.
    labels
        One for each, or none.
    shape
        One of `SHAPES`.
    size
        Across, in dots of the screen.
    """

    x: NDArray[np.float32]
    y: NDArray[np.float32]
    colour: str
    labels: tuple[str, ...] = ()
    shape: str = "circle"
    size: float = 11.0

    def __post_init__(self) -> None:
        rgb(self.colour)
        if self.shape not in SHAPES:
            raise UsageError(
                "points", f"there is no shape {self.shape!r}", f"give one of {SHAPES}"
            )
        x, y = _columns((self.x, self.y), "points")
        object.__setattr__(self, "x", x)
        object.__setattr__(self, "y", y)
        object.__setattr__(self, "labels", _labels(self.labels, x.size, "points"))

    def header(self) -> dict[str, Any]:
        """Give all that the browser is told of them but the coordinates."""
        return {
            "kind": "points",
            "colour": self.colour,
            "labels": list(self.labels),
            "shape": self.shape,
            "size": self.size,
        }

    def arrays(self) -> list[NDArray[np.float32]]:
        """Give x and y."""
        return [self.x, self.y]


@dataclass(frozen=True)
class Arrows:
    """Arrows from places, as residuals are.

    Parameters
    ----------
    x, y
        Where they begin, in pixels.
    dx, dy
        Where they point, in pixels before they are scaled.
    colour
        As ``#rrggbb``.
    scale
        How many times longer they are drawn.
    """

    x: NDArray[np.float32]
    y: NDArray[np.float32]
    dx: NDArray[np.float32]
    dy: NDArray[np.float32]
    colour: str
    scale: float = 1.0

    def __post_init__(self) -> None:
        rgb(self.colour)
        found = _columns((self.x, self.y, self.dx, self.dy), "arrows")
        for name, column in zip(("x", "y", "dx", "dy"), found, strict=True):
            object.__setattr__(self, name, column)

    def header(self) -> dict[str, Any]:
        """Give all that the browser is told of them but the coordinates."""
        return {"kind": "arrows", "colour": self.colour, "scale": self.scale}

    def arrays(self) -> list[NDArray[np.float32]]:
        """Give x, y, dx and dy."""
        return [self.x, self.y, self.dx, self.dy]


@dataclass(frozen=True)
class Compass:
    """Directions and a scale, drawn in a corner at any zoom.

    Parameters
    ----------
    north, east
        Directions on the detector, (dx, dy) in pixels, of any length.
    scale
        Size of a pixel in ``unit``; 0 for no scale bar.
    unit
        Written after the bar's length.
    """

    north: tuple[float, float]
    east: tuple[float, float]
    scale: float = 0.0
    unit: str = "\N{DOUBLE PRIME}"
    colour: str = field(default="#ffffff")

    def __post_init__(self) -> None:
        rgb(self.colour)
        if not np.isfinite([*self.north, *self.east, self.scale]).all() or self.scale < 0:
            raise UsageError(
                "compass", "its directions or scale are no numbers", "give finite ones"
            )

    def header(self) -> dict[str, Any]:
        """Give all that the browser is told of it."""
        return {
            "kind": "compass",
            "north": list(self.north),
            "east": list(self.east),
            "scale": self.scale,
            "unit": self.unit,
            "colour": self.colour,
        }

    def arrays(self) -> list[NDArray[np.float32]]:
        """Give nothing: it has no coordinates."""
        return []


Layer = Curves | Points | Arrows | Compass
"""What is drawn by coordinates."""


def _pairs(line: Any, what: str) -> NDArray[np.float32]:
    found = np.array(line, dtype=np.float32)
    if found.size == 0:
        return np.zeros((0, 2), np.float32)
    if found.ndim != 2 or found.shape[1] != 2:
        raise UsageError(what, f"a line of shape {found.shape} is none", "give (n, 2): x and y")
    return found


def _columns(columns: Sequence[Any], what: str) -> list[NDArray[np.float32]]:
    found = [np.atleast_1d(np.array(column, dtype=np.float32)).ravel() for column in columns]
    sizes = {column.size for column in found}
    if len(sizes) != 1:
        raise UsageError(what, f"their columns have {sorted(sizes)} values", "give equally many")
    return found


def _labels(labels: Sequence[Any], count: int, what: str) -> tuple[str, ...]:
    found = tuple(str(label) for label in labels)
    if found and len(found) != count:
        raise UsageError(what, f"{len(found)} labels for {count}", "give one for each, or none")
    return found

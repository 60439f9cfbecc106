"""The graticule as a view shows it: lines that reach beyond it, labels at its edges.

A label is put where the browser and the picture put it, at the point of its line
that is nearest to the left or the lower edge; the lines are given points there. So
it stays at the edge while the view is dragged, until the next graticule is there.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np

from .core.sky_graticule import graticule

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from .core.sky import Sky
    from .core.sky_graticule import GridLine, Limits
    from .core.sky_labels import Style
    from .core.sky_plane import Float
    from .core.sky_projection import Box

__all__ = ["Net", "Seen", "net"]

_BEYOND: Final = 0.2
"""Of the view's size, by which lines reach beyond it: what a drag shows until there are new."""
_EVERY: Final = 24.0
"""Dots between two points of a line, at most: where labels may be while the view is dragged."""
_INSET: Final = 9.0
"""Dots from an edge at which a label is put."""
_TOP: Final = 24.0
"""Dots below the upper edge where there is no room for one: it stands above its place."""
_SPACE: Final = 40.0
"""Dots between two lines, at least."""
_HIGH: Final = 15.0
_WIDE: Final = 6.9
"""Dots of a label's line, and of each of its letters."""
_GAP: Final = 5.0
_APART: Final = 6.0

_Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Seen:
    """What a canvas shows.

    Attributes
    ----------
    xlim, ylim
        The range of pixels from edge to edge.
    dot
        Pixels of the image that a dot of the screen is wide.
    """

    xlim: Limits
    ylim: Limits
    dot: float

    @classmethod
    def holding(cls, xlim: Limits, ylim: Limits, size: tuple[float, float]) -> Self:
        """Give what a canvas shows that is to hold a range, as the browser does it.

        Parameters
        ----------
        xlim, ylim
            The range.
        size
            Width and height in dots.
        """
        dot = max((xlim[1] - xlim[0]) / size[0], (ylim[1] - ylim[0]) / size[1])
        x, y = (xlim[0] + xlim[1]) / 2, (ylim[0] + ylim[1]) / 2
        half_x, half_y = dot * size[0] / 2, dot * size[1] / 2
        return cls((x - half_x, x + half_x), (y - half_y, y + half_y), dot)

    def dots(self, x: Any, y: Any) -> tuple[Any, Any]:
        """Give dots from the left and from the lower edge."""
        return (x - self.xlim[0]) / self.dot, (y - self.ylim[0]) / self.dot

    @property
    def size(self) -> tuple[float, float]:
        """Width and height in dots."""
        return (
            (self.xlim[1] - self.xlim[0]) / self.dot,
            (self.ylim[1] - self.ylim[0]) / self.dot,
        )


@dataclass(frozen=True, eq=False)
class Net:
    """Meridians or parallels of a view.

    Attributes
    ----------
    lines
        Each (n, 2): x and y in pixels.
    labels
        One for each; empty where it has none, or no room.
    """

    lines: tuple[NDArray[np.float32], ...]
    labels: tuple[str, ...]


def net(
    sky: Sky,
    seen: Seen,
    count: int,
    *,
    style: Style,
    outside: bool = False,
    whole: bool = False,
    kept_free: Sequence[_Box] = (),
) -> dict[str, Net]:
    """Draw the graticule of a view.

    Parameters
    ----------
    sky
        The image's coordinates.
    seen
        The view.
    count
        About how many lines of each kind are seen.
    style
        As `graticule` has it.
    outside
        Whether lines go on outside the bounding box.
    whole
        Whether lines reach over the whole image, and not a little beyond the view only.
    kept_free
        Boxes (left, low, right, high), in dots from the left and the lower edge, where no
        label goes.

    Returns
    -------
    dict
        ``ra`` and ``dec``.
    """
    xlim, ylim = _wider(seen.xlim), _wider(seen.ylim)
    if whole:
        left, right, low, high = sky.box
        xlim = min(xlim[0], left), max(xlim[1], right)
        ylim = min(ylim[0], low), max(ylim[1], high)
    box = None if outside else sky.box
    shown, drawn = _extent(seen.xlim, seen.ylim, box), _extent(xlim, ylim, box)
    # Of a slit, a strip of the canvas is all there is room in.
    count = min(count, math.ceil(min(shown) / (_SPACE * seen.dot)))
    more = max(
        (wide / own for wide, own in zip(drawn, shown, strict=True) if own > 0), default=1.0
    )
    found = graticule(sky, xlim, ylim, round(count * more), style=style, outside=outside)
    pieces = [_with_places(line, seen) for line in found]
    labels = _labels(found, pieces, seen, kept_free)
    kinds = {}
    for kind in ("ra", "dec"):
        chosen = [
            part
            for line, piece, label in zip(found, pieces, labels, strict=True)
            if line.kind == kind
            for part in _parts(kind, piece, label, seen)
        ]
        kinds[kind] = Net(
            tuple(piece.astype(np.float32) for piece, _ in chosen),
            tuple(label for _, label in chosen),
        )
    return kinds


def _wider(limits: Limits) -> Limits:
    more = _BEYOND * (limits[1] - limits[0])
    return limits[0] - more, limits[1] + more


def _extent(xlim: Limits, ylim: Limits, box: Box | None) -> tuple[float, float]:
    """Give how wide and how high is what lines are drawn in."""
    if box is not None:
        xlim = max(xlim[0], box[0]), min(xlim[1], box[1])
        ylim = max(ylim[0], box[2]), min(ylim[1], box[3])
    return max(xlim[1] - xlim[0], 0.0), max(ylim[1] - ylim[0], 0.0)


def _with_places(line: GridLine, seen: Seen) -> Float:
    """Put points on a line where labels may be: at the edges, and every few dots."""
    x, y = line.x, line.y
    along = np.concatenate([[0.0], np.hypot(np.diff(x), np.diff(y)).cumsum()])
    step = _EVERY * seen.dot
    at = [along, np.arange(step, along[-1], step)]
    edges = (x, seen.xlim[0] + _INSET * seen.dot), (y, seen.ylim[0] + _INSET * seen.dot)
    for axis, edge in (*edges, (y, _ceiling(seen))):
        at.append(_crossings(along, axis, edge))
    where = np.unique(np.concatenate(at))
    return np.stack([np.interp(where, along, x), np.interp(where, along, y)], axis=1)


def _ceiling(seen: Seen) -> float:
    """Give the row above which no label has room."""
    return seen.ylim[1] - _TOP * seen.dot


def _parts(kind: str, piece: Float, label: str, seen: Seen) -> list[tuple[Float, str]]:
    """Cut a line that has a label where that is not to be put.

    That is near to the upper edge, where it has no room, and at the edge that the line
    meets besides the one that was chosen.
    """
    if not label:
        return [(piece, "")]
    _, *place = _place(kind, piece, seen)
    other = int(place[0] < place[1])  # the axis that tells how far the other edge is
    away = seen.dots(piece[:, 0], piece[:, 1])[other]
    good = piece[:, 1] <= _ceiling(seen) + 1e-6 * seen.dot
    good &= (away >= min(_EVERY, place[other] - 0.1)) | (away < 0)
    cuts = np.flatnonzero(good[1:] != good[:-1]) + 1
    parts, start = [], 0
    for end in (*cuts, len(piece)):
        # The last good point begins and ends what is not.
        first = start - 1 if start and not good[start] else start
        last = end + 1 if end < len(piece) and not good[start] else end
        parts.append((piece[first:last], label if good[start] else ""))
        start = end
    # A bent line may have room for its label twice.
    best = min(
        range(len(parts)), key=lambda at: (not parts[at][1], _place(kind, parts[at][0], seen))
    )
    return [(part, text if at == best else "") for at, (part, text) in enumerate(parts)]


def _crossings(along: Float, values: Float, level: float) -> Float:
    before, after = values[:-1] - level, values[1:] - level
    over = np.flatnonzero(before * after < 0)
    share = before[over] / (before[over] - after[over])
    crossed: Float = along[over] + share * (along[over + 1] - along[over])
    return crossed


# ---- labels -------------------------------------------------------------------------------


def _labels(
    lines: list[GridLine], pieces: list[Float], seen: Seen, kept_free: Sequence[_Box]
) -> list[str]:
    """Give each line one label, but none that would lie on another."""
    labels = [""] * len(lines)
    places = [_place(line.kind, piece, seen) for line, piece in zip(lines, pieces, strict=True)]
    candidates = []
    numbered = enumerate(lines)
    for _, group in groupby(numbered, key=lambda pair: (pair[1].kind, pair[1].value)):
        best = min((places[at][0], at) for at, _ in group)
        if np.isfinite(best[0]):
            candidates.append(best[1])
    taken = list(kept_free)
    # From one end of the edge to the other, so that a label too close to one that is there goes.
    for at in sorted(candidates, key=lambda at: places[at][1:]):
        _, x, y = places[at]
        box = _box(x, y, lines[at].text, seen.size[0])
        if not any(_meet(box, other) for other in taken):
            taken.append(box)
            labels[at] = lines[at].text
    return labels


def _place(kind: str, piece: Float, seen: Seen) -> tuple[float, float, float]:
    """Give how bad a line's best point for a label is, and where it is, in dots."""
    x, y = seen.dots(piece[:, 0], piece[:, 1])
    width, height = seen.size
    inside = (x >= _INSET - 0.5) & (x <= width - _INSET) & (y >= _INSET - 0.5)
    inside &= y <= height - _TOP + 0.5
    if not inside.any():
        return np.inf, 0.0, 0.0
    x, y = x[inside], y[inside]
    # Parallels are rather labelled at the left edge, meridians at the lower one.
    near = np.minimum(x + _EVERY * (kind == "ra"), y + _EVERY * (kind == "dec"))
    at = int(near.argmin())
    return float(near[at]), float(x[at]), float(y[at])


def _box(x: float, y: float, text: str, width: float) -> _Box:
    wide = _WIDE * len(text)
    left = x + _GAP
    if left + wide > width - _GAP:
        left = x - _GAP - wide
    return left, y + 1, left + wide, y + 1 + _HIGH


def _meet(one: _Box, other: _Box) -> bool:
    return (
        one[0] < other[2] + _APART
        and other[0] < one[2] + _APART
        and one[1] < other[3] + 1
        and other[1] < one[3] + 1
    )

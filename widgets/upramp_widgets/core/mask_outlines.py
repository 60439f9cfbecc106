"""Outlines of the connected pieces of a mask, along the edges of its pixels.

Pixels are connected by sides and by corners. A hole is joined to the outline
around it by a cut that is passed there and back along edges of pixels, so one
polygon has the pixels of a piece and no others, by the even-odd rule.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Outline", "outlines"]

_STEPS: Final = ((1, 0), (0, 1), (-1, 0), (0, -1))
"""To the next corner of pixels in (x, y): along the bottom of a pixel, up its right side,
back along its top, down its left side. The pixel is always to the left."""


@dataclass(frozen=True, slots=True)
class Outline:
    """The edge of a piece.

    Attributes
    ----------
    vertices
        Corners (x, y), where the centres of pixels are at whole numbers: all
        are halves.
    """

    vertices: tuple[tuple[float, float], ...]

    @property
    def rectangle(self) -> tuple[float, float, float, float] | None:
        """Centre x and y, width and height of a piece that is a rectangle; else None."""
        if len(self.vertices) != 4:
            return None
        (x0, y0), (x1, y1) = self.vertices[0], self.vertices[2]
        return (x0 + x1) / 2, (y0 + y1) / 2, abs(x1 - x0), abs(y1 - y0)


def outlines(image: NDArray[np.bool_]) -> list[Outline]:
    """Trace the connected pieces of an image.

    Parameters
    ----------
    image
        bool (ny, nx).

    Returns
    -------
    list of Outline
        One per piece, by the row and column of its first pixel.
    """
    rows, columns = (np.flatnonzero(image.any(axis=axis)) for axis in (1, 0))
    if not rows.size:
        return []
    y0, x0 = int(rows[0]), int(columns[0])
    pieces, holes = _loops(image[y0 : rows[-1] + 1, x0 : columns[-1] + 1])
    left, bottom = x0 - 0.5, y0 - 0.5
    return [
        Outline(tuple((x + left, y + bottom) for x, y in _joined(outer, holes.get(piece, []))))
        for piece, outer in sorted(pieces.items())
    ]


_Loop = list[tuple[int, int]]


def _loops(image: NDArray[np.bool_]) -> tuple[dict[int, _Loop], dict[int, list[_Loop]]]:
    """Outer edge and edges of holes of each piece, as corners counted from the image's."""
    from scipy import ndimage

    labels, _ = ndimage.label(image, np.ones((3, 3), np.int8))
    padded = np.pad(image, 1)
    inside = padded[1:-1, 1:-1]
    beyond = padded[:-2, 1:-1], padded[1:-1, 2:], padded[2:, 1:-1], padded[1:-1, :-2]
    edges: dict[tuple[int, int, int], int] = {}
    for direction, outside in enumerate(beyond):
        rows, columns = np.nonzero(inside & ~outside)
        x = columns + (direction in {1, 2})
        y = rows + (direction in {2, 3})
        directions = [direction] * rows.size
        found = labels[rows, columns].tolist()
        edges.update(zip(zip(x.tolist(), y.tolist(), directions, strict=True), found, strict=True))
    pieces: dict[int, _Loop] = {}
    holes: dict[int, list[_Loop]] = {}
    for start in sorted(edges, key=lambda edge: (edge[1], edge[0], edge[2])):
        if start not in edges:
            continue
        piece = edges[start]
        loop = _trace(start, edges)
        # The first edge of a piece, from the bottom, is that of its bottom left corner.
        if piece in pieces:
            holes.setdefault(piece, []).append(loop)
        else:
            pieces[piece] = loop
    return pieces, holes


def _trace(start: tuple[int, int, int], edges: dict[tuple[int, int, int], int]) -> _Loop:
    """Follow the edge of a piece around, using its edges up; give the corners where it turns."""
    loop: _Loop = []
    (x, y, direction), before = start, -1
    while True:
        if direction != before:
            loop.append((x, y))
        del edges[x, y, direction]
        before = direction
        x, y = x + _STEPS[direction][0], y + _STEPS[direction][1]
        # Where two pieces touch in a corner, the right turn stays with both: they are connected.
        for turn in (before - 1, before, before + 1):
            if (x, y, turn % 4) in edges:
                direction = turn % 4
                break
        else:
            break
    if before == start[2]:  # it began in the middle of a side
        del loop[0]
    return loop


def _joined(outer: _Loop, holes: list[_Loop]) -> _Loop:
    """Join holes to an outline, those on the left first: a cut ends at what is joined already."""
    joined = outer
    for hole in sorted(holes, key=min):
        at = hole.index(min(hole))
        x, y = hole[at]
        corners = np.array(joined)
        following = np.roll(corners, -1, axis=0)
        low = np.minimum(corners[:, 1], following[:, 1])
        high = np.maximum(corners[:, 1], following[:, 1])
        upright = (corners[:, 0] == following[:, 0]) & (corners[:, 0] <= x)
        met = np.flatnonzero(upright & (low <= y) & (y <= high))
        after = int(met[np.argmax(corners[met, 0])])
        cut = joined[after][0], y
        around = [*hole[at:], *hole[:at], (x, y)]
        joined = [*joined[: after + 1], cut, *around, cut, *joined[after + 1 :]]
    return joined

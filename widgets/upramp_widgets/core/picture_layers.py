"""Curves, points, arrows and a compass in a picture, smooth at the edges."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from PIL import Image, ImageDraw

from .picture_parts import font, plain
from .render_layers import Arrows, Compass, Curves, Points

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from .picture_parts import Canvas
    from .render import Viewport
    from .render_layers import Layer

__all__ = ["draw_layers"]

_FINE: Final = 2
"""Dots drawn for one that is shown: Pillow draws lines with hard edges."""
_MANY: Final = 80
"""Marks; more have no words, and are smaller: the image is to be seen between them."""
_SEAM: Final = (0, 0, 0, 130)


def draw_layers(
    canvas: Canvas,
    layers: Mapping[str, Layer],
    hidden: tuple[str, ...],
    view: Viewport,
    chosen: tuple[int, int] | None,
) -> None:
    """Draw all layers over a picture's image.

    Parameters
    ----------
    canvas
        Where.
    layers
        By name.
    hidden
        Names of those that are not drawn.
    view
        What the image shows.
    chosen
        A pixel that is marked, too.
    """
    shown = [layer for name, layer in layers.items() if name not in hidden]
    if not shown and chosen is None:
        return
    brush = _Brush(view)
    for layer in shown:
        if isinstance(layer, Curves):
            brush.curves(layer)
        elif isinstance(layer, Points):
            brush.points(layer)
        elif isinstance(layer, Arrows):
            brush.arrows(layer)
        else:
            brush.compass(layer)
    brush.words()
    if chosen is not None:
        brush.pixel(*chosen)
    over = brush.image.resize((view.width, view.height), Image.Resampling.BOX)
    canvas.image.paste(over, (canvas.left, canvas.top), over)


class _Brush:
    def __init__(self, view: Viewport) -> None:
        self.size = (view.width * _FINE, view.height * _FINE)
        self.image = Image.new("RGBA", self.size, (0, 0, 0, 0))
        self.draw = ImageDraw.Draw(self.image)
        self.view = view
        self.scale = self.size[0] / (view.xlim[1] - view.xlim[0])
        self._words: list[tuple[str, NDArray[np.float64], str, str]] = []

    def at(self, x: Any, y: Any) -> NDArray[np.float64]:
        """Give dots (n, 2), out of pixels of the detector."""
        across = (np.asarray(x, np.float64) - self.view.xlim[0]) * self.scale
        up = (np.asarray(y, np.float64) - self.view.ylim[0]) * self.scale
        return np.stack([across, self.size[1] - up], axis=-1)

    def curves(self, layer: Curves) -> None:
        """Draw lines and, at one place of each, its label."""
        places: list[NDArray[np.float64] | None] = []
        for line in layer.lines:
            dots = self.at(line[:, 0], line[:, 1])
            if layer.closed and len(dots):
                dots = np.concatenate([dots, dots[:1]])
            for piece in _unbroken(dots):
                self._line(piece, layer.colour, layer.width)
            places.append(self._place(dots))
        for label, place in zip(layer.labels, places, strict=False):
            if place is not None:
                self._write(label, place + np.array([8, -8]), layer.colour)

    def points(self, layer: Points) -> None:
        """Draw marks, and labels unless there are too many."""
        dots = self.at(layer.x, layer.y)
        half = layer.size / 2 * _FINE
        inside = ((dots > -half) & (dots < np.array(self.size) + half)).all(axis=1)
        many = bool(inside.sum() > _MANY)
        size = 0.75 * half if many else half
        for x, y in dots[inside]:
            for colour, width in (
                (_SEAM, 2.0 if many else 3.0),
                (layer.colour, 1.0 if many else 1.5),
            ):
                self._mark(layer.shape, x, y, size, colour, width)
        if layer.labels and not many:
            for index in np.flatnonzero(inside):
                self._write(
                    layer.labels[index], dots[index] + np.array([half, -half]), layer.colour
                )

    def arrows(self, layer: Arrows) -> None:
        """Draw arrows."""
        tails = self.at(layer.x, layer.y)
        heads = self.at(layer.x + layer.dx * layer.scale, layer.y + layer.dy * layer.scale)
        for tail, head in zip(tails, heads, strict=True):
            if np.isfinite([tail, head]).all():
                self._arrow(tail, head, layer.colour)

    def compass(self, layer: Compass) -> None:
        """Draw directions in the upper right corner, and a scale bar in the lower one."""
        middle = np.array([self.size[0] - 96.0, 96.0])
        self.draw.ellipse((*(middle - 84), *(middle + 84)), fill=(0, 0, 0, 80))
        for letter, (dx, dy) in (("N", layer.north), ("E", layer.east)):
            way = np.array([dx, -dy]) / (math.hypot(dx, dy) or 1)
            self._arrow(middle, middle + way * 48, layer.colour)
            self._write(letter, middle + way * 66, layer.colour, "mm")
        if layer.scale > 0:
            self._scale_bar(layer)

    def pixel(self, x: int, y: int) -> None:
        """Mark a pixel."""
        (cx, cy), half = self.at(x, y), max(self.scale / 2, 9.0)
        for colour, width in (("#000000", 4), ("#ffd23f", 2)):
            box = (cx - half, cy - half, cx + half, cy + half)
            self.draw.rectangle(box, outline=colour, width=width)

    def _scale_bar(self, layer: Compass) -> None:
        most = self.size[0] * 0.25 / self.scale * layer.scale
        power = 10.0 ** math.floor(math.log10(most))
        length = next(m * power for m in (5, 2, 1) if m * power <= most)
        dots = length / layer.scale * self.scale
        x, y = self.size[0] - 40 - dots, self.size[1] - 36
        for colour, width in ((_SEAM, 10), (layer.colour, 5)):
            self.draw.line((x, y, x + dots, y), fill=colour, width=width)
        self._write(
            f"{length:g}{layer.unit}", np.array([x + dots / 2, y - 18]), layer.colour, "mm"
        )

    def _line(self, dots: NDArray[np.float64], colour: str, width: float) -> None:
        # What lies far outside is left out: Pillow would draw every dot of it.
        near = (np.abs(dots) < 4 * max(self.size)).all(axis=1)
        path = [tuple(dot) for dot in dots[near].tolist()]
        if len(path) > 1:
            self.draw.line(path, fill=_SEAM, width=round((width + 1.4) * _FINE), joint="curve")
            self.draw.line(path, fill=colour, width=round(width * _FINE), joint="curve")

    def _place(self, dots: NDArray[np.float64]) -> NDArray[np.float64] | None:
        """Find where a label is read well: inside, near to the left or the lower edge."""
        room = np.array(self.size)
        inside = dots[((dots > 16) & (dots < room - 16)).all(axis=1)]
        if not len(inside):
            return None
        cost = np.minimum(inside[:, 0], room[1] - inside[:, 1])
        found: NDArray[np.float64] = inside[int(cost.argmin())]
        return found

    def _mark(
        self, shape: str, x: float, y: float, half: float, colour: Any, width: float
    ) -> None:
        box = (x - half, y - half, x + half, y + half)
        thick = round(width * _FINE)
        if shape == "dot":
            self.draw.ellipse(box, fill=colour)
        elif shape == "circle":
            self.draw.ellipse(box, outline=colour, width=thick)
        elif shape == "square":
            self.draw.rectangle(box, outline=colour, width=thick)
        elif shape == "diamond":
            corners = [(x, y - half), (x + half, y), (x, y + half), (x - half, y)]
            self.draw.polygon(corners, outline=colour, width=thick)
        else:
            a, b = (half, 0.0) if shape == "plus" else (half * 0.75, half * 0.75)
            self.draw.line((x - a, y - b, x + a, y + b), fill=colour, width=thick)
            self.draw.line((x - b, y + a, x + b, y - a), fill=colour, width=thick)

    def _arrow(self, tail: NDArray[np.float64], head: NDArray[np.float64], colour: str) -> None:
        way = head - tail
        long = float(np.hypot(*way))
        turn = math.atan2(way[1], way[0])
        size = min(7.0 * _FINE, long * 0.45)
        for paint, width in ((_SEAM, 3.2), (colour, 1.6)):
            thick = round(width * _FINE)
            self.draw.line((*tail, *head), fill=paint, width=thick)
            for side in (-0.45, 0.45):
                barb = size * np.array([math.cos(turn + side), math.sin(turn + side)])
                self.draw.line((*head, *(head - barb)), fill=paint, width=thick)

    def words(self) -> None:
        """Write what the layers say, over all of them: no line crosses a word."""
        face = font(11.5 * _FINE)
        for text, (x, y), colour, anchor in self._words:
            # At the right edge it goes to the left.
            most = self.size[0] - face.getlength(text) - 6
            self.draw.text(
                (min(x, most) if anchor == "ls" else x, y),
                text,
                fill=colour,
                font=face,
                anchor=anchor,
                stroke_width=5,
                stroke_fill=(0, 0, 0, 215),
            )

    def _write(self, text: str, at: NDArray[np.float64], colour: str, anchor: str = "ls") -> None:
        self._words.append((plain(text), at, colour, anchor))


def _unbroken(dots: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    bad = np.flatnonzero(~np.isfinite(dots).all(axis=1))
    return [piece[np.isfinite(piece).all(axis=1)] for piece in np.split(dots, bad)]

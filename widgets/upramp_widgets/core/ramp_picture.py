"""The plot of ramps as a still picture, for notebooks that nobody runs.

Drawn with Pillow: it is there in tens of milliseconds, where a plotting
library takes longer than that to import.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from .render_layers import JUMP

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from .ramp_sample import RampSample

__all__ = ["COLOURS", "ramp_picture"]

COLOURS: Final = (
    *("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8a6d3b", "#7a5195"),
)
"""Of pinned pixels, told apart also by those who see no red or no green (Okabe and Ito)."""

_INK: Final = {False: ("#1f2933", "#ffffff", "#e4e7eb"), True: ("#d8dee9", "#111111", "#2b3038")}
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 12, 26, 40


@dataclass(frozen=True)
class _Axes:
    """Where numbers are on the picture."""

    box: tuple[int, int, int, int]
    x: tuple[float, float]
    y: tuple[float, float]

    def at(self, x: float, y: float) -> tuple[float, float]:
        left, top, right, bottom = self.box
        across = (x - self.x[0]) / (self.x[1] - self.x[0])
        up = (y - self.y[0]) / (self.y[1] - self.y[0])
        return left + across * (right - left), bottom - up * (bottom - top)


def ramp_picture(
    now: RampSample | None,
    pinned: Sequence[RampSample] = (),
    *,
    width: int = 560,
    height: int = 360,
    dark: bool = False,
) -> Image.Image:
    """Draw ramps with their flags and slopes.

    Parameters
    ----------
    now
        The pixel that is looked at.
    pinned
        Those that it is compared with.
    width, height
        Of the picture.
    dark
        Whether it is for a dark page.
    """
    ink, paper, grid = _INK[dark]
    image = Image.new("RGB", (width, height), paper)
    draw = ImageDraw.Draw(image)
    font = ImageFont.load_default(12)
    shown = [(each, COLOURS[n % len(COLOURS)]) for n, each in enumerate(pinned)]
    if now is not None:
        shown.append((now, ink))
    values = [value for each, _ in shown for value in each.data[np.isfinite(each.data)]]
    if not values:
        draw.text((width / 2, height / 2), "no pixel is chosen", ink, font, "mm")
        return image
    times = [float(each.times.max()) for each, _ in shown]
    axes = _Axes(
        (_LEFT, _TOP, width - _RIGHT, height - _BOTTOM),
        (0.0, 1.05 * max(times)),
        _room(min(values), max(values)),
    )
    _frame(draw, axes, font, ink, grid)
    for sample, colour in shown:
        _ramp(draw, axes, sample, colour, paper)
    told = now or shown[-1][0]
    lines = told.text().splitlines()[: 2 if told.pixels == 1 else 3]  # until the slope
    draw.text((_LEFT, 6), "   ".join(lines), ink, font)
    return image


def _room(low: float, high: float) -> tuple[float, float]:
    room = 0.06 * (high - low) or max(abs(high) * 0.05, 1.0)
    return low - room, high + room


def _ticks(low: float, high: float, count: int = 6) -> NDArray[np.float64]:
    """Give round numbers between two ends."""
    rough = (high - low) / count
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * each for each in (1, 2, 2.5, 5, 10) if power * each >= rough)
    first, last = math.ceil(low / step), math.floor(high / step)
    return step * np.arange(first, last + 1, dtype=np.float64)


def _frame(
    draw: ImageDraw.ImageDraw,
    axes: _Axes,
    font: ImageFont.FreeTypeFont | ImageFont.ImageFont,
    ink: str,
    grid: str,
) -> None:
    left, top, right, bottom = axes.box
    for value in _ticks(*axes.x):
        x, _ = axes.at(value, 0)
        draw.line((x, top, x, bottom), grid)
        draw.text((x, bottom + 5), f"{value:g}", ink, font, "mt")
    for value in _ticks(*axes.y):
        _, y = axes.at(0, value)
        draw.line((left, y, right, y), grid)
        draw.text((left - 6, y), f"{value:g}", ink, font, "rm")
    draw.line((left, top, left, bottom, right, bottom), ink)
    draw.text(((left + right) / 2, bottom + 22), "seconds since the reset", ink, font, "mt")
    draw.text((6, top - 2), "DN", ink, font)


def _ramp(
    draw: ImageDraw.ImageDraw, axes: _Axes, sample: RampSample, colour: str, paper: str
) -> None:
    if sample.fit is not None:
        for times, line, _ in sample.fit.line(sample.times):
            ends = [axes.at(times[k], line[k]) for k in (0, -1)]
            draw.line([*ends[0], *ends[1]], colour, 2)
    marks = sample.marks()
    for group, (time, value) in enumerate(zip(sample.times, sample.data, strict=True)):
        if not np.isfinite(value):
            continue
        x, y = axes.at(float(time), float(value))
        if marks["saturated"][group]:
            draw.rectangle((x - 4, y - 4, x + 4, y + 4), paper, colour, 2)
        elif marks["do not use"][group]:
            draw.line((x - 4, y - 4, x + 4, y + 4), colour, 2)
            draw.line((x - 4, y + 4, x + 4, y - 4), colour, 2)
        elif marks["jump"][group]:
            draw.polygon((x, y - 6, x - 6, y + 4, x + 6, y + 4), JUMP, colour, 2)
        else:
            draw.ellipse((x - 3, y - 3, x + 3, y + 3), colour)

"""What is drawn around an image: axes, colour bar, legend, title."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from PIL import Image, ImageDraw, ImageFont

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .render import Viewport

__all__ = ["THEMES", "Canvas", "Theme", "font", "plain", "ticks", "written"]

Colour = tuple[int, int, int]

_LEFT: Final = 58
_RIGHT: Final = 16
_BOTTOM: Final = 34
_TOP: Final = 14
_TITLE: Final = 24
_BAR: Final = 14
_GAP: Final = 16
_LABELS: Final = 66
_ROW: Final = 21
_LEGEND: Final = 8


@dataclass(frozen=True)
class Theme:
    """Colours of all that is not data."""

    ground: Colour
    text: Colour
    soft: Colour
    line: Colour
    outside: Colour
    missing: Colour


THEMES: Final = {
    "light": Theme(
        (255, 255, 255),
        (29, 33, 39),
        (89, 98, 110),
        (150, 158, 168),
        (232, 235, 239),
        (197, 188, 212),
    ),
    "dark": Theme(
        (17, 17, 17), (230, 233, 237), (165, 174, 185), (92, 100, 110), (38, 42, 48), (66, 58, 84)
    ),
}
"""By name."""


@cache
def font(size: float) -> Any:
    """Give the font that Pillow carries.

    Parameters
    ----------
    size
        In dots.
    """
    return ImageFont.load_default(size)


_PLAIN: Final = {
    ord(letter): word
    for letter, word in {
        "\N{MINUS SIGN}": "-",
        "\N{PRIME}": "'",
        "\N{DOUBLE PRIME}": '"',
        "\N{GREEK SMALL LETTER ALPHA}": "alpha",
        "\N{GREEK SMALL LETTER DELTA}": "delta",
        "\N{GREEK SMALL LETTER SIGMA}": "sigma",
        "\N{GREEK SMALL LETTER MU}": "\N{MICRO SIGN}",
        "\N{THIN SPACE}": " ",
        "\N{SUPERSCRIPT MINUS}": "-",
    }.items()
}


def plain(text: str) -> str:
    """Write with other signs what the font of Pillow has none for.

    Parameters
    ----------
    text
        Any.
    """
    return " ".join(text.translate(_PLAIN).split())


def ticks(low: float, high: float, count: float) -> list[float]:
    """Give round numbers between two ends.

    Parameters
    ----------
    low, high
        The ends.
    count
        About how many.
    """
    if not high > low or not math.isfinite(high - low):
        return []
    rough = (high - low) / max(1.0, count)
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(m * power for m in (1, 2, 5, 10) if m * power >= rough * 0.999)
    first = math.ceil(low / step - 1e-9)
    return [n * step for n in range(first, math.floor(high / step + 1e-9) + 1)]


def written(value: float) -> str:
    """Write a number in few characters.

    Parameters
    ----------
    value
        Any.
    """
    if value == 0:
        return "0"
    if 1e-3 <= abs(value) < 1e6:
        text = f"{value:.4g}"
        text = str(int(float(text))) if "e" in text else text
    else:
        mantissa, power = f"{value:.2e}".split("e")
        text = f"{float(mantissa):g}e{int(power)}"
    return text


class Canvas:
    """A picture with room for an image and what belongs around it.

    Parameters
    ----------
    width, height
        Of the image, in dots.
    rows
        Of the legend.
    theme
        Its name.
    titled
        Whether room is left for a title.
    """

    def __init__(self, width: int, height: int, rows: int, theme: str, titled: bool) -> None:
        self.theme = THEMES[theme]
        self.width, self.height = width, height
        self.top = _TOP + (_TITLE if titled else 0)
        self.left = _LEFT
        self.columns = max(1, min(3, width // 170))
        legend = math.ceil(rows / self.columns) * _ROW + (_LEGEND if rows else 0)
        total = (
            _LEFT + width + _GAP + _BAR + _LABELS + _RIGHT,
            self.top + height + _BOTTOM + legend,
        )
        self.image = Image.new("RGB", total, self.theme.ground)
        self.draw = ImageDraw.Draw(self.image)

    def put(self, pixels: NDArray[np.uint8]) -> None:
        """Put the image in its place.

        Parameters
        ----------
        pixels
            (height, width, 3), row 0 at the top.
        """
        self.image.paste(Image.fromarray(pixels), (self.left, self.top))

    def title(self, text: str) -> None:
        """Write the title.

        Parameters
        ----------
        text
            One line; what does not fit is left out.
        """
        room = self.image.width - self.left - _RIGHT
        self._write((self.left, _TOP - 2), _fitting(text, room, 16), self.theme.text, 16, "la")

    def middle(self, text: str) -> None:
        """Write in the middle, where there is no image.

        Parameters
        ----------
        text
            One line.
        """
        at = (self.image.width // 2, self.top + self.height // 2)
        self._write(at, text, self.theme.soft, 14, "mm")

    def axes(self, view: Viewport) -> None:
        """Draw the axes, in pixels of the detector.

        Parameters
        ----------
        view
            What the image shows.
        """
        right, below = self.left + self.width, self.top + self.height
        box = (self.left - 1, self.top - 1, right, below)
        self.draw.rectangle(box, outline=self.theme.line)
        across, up = view.xlim[1] - view.xlim[0], view.ylim[1] - view.ylim[0]
        for value in ticks(*view.xlim, self.width / 95):
            x = self.left + (value - view.xlim[0]) / across * self.width
            self.draw.line((x, below, x, below + 4), fill=self.theme.line)
            self._write((x, below + 7), written(value), self.theme.soft, 12, "ma")
        for value in ticks(*view.ylim, self.height / 75):
            y = below - (value - view.ylim[0]) / up * self.height
            self.draw.line((self.left - 5, y, self.left - 1, y), fill=self.theme.line)
            self._write((self.left - 8, y), written(value), self.theme.soft, 12, "rm")

    def colour_bar(
        self, colours: NDArray[np.uint8], marks: list[tuple[float, str]], unit: str
    ) -> None:
        """Draw the colour bar.

        Parameters
        ----------
        colours
            (256, 3).
        marks
            Places along it, 0 to 1, and what is written there.
        unit
            Written above it.
        """
        x = self.left + self.width + _GAP
        steps = np.linspace(255, 0, self.height).astype(np.int64)
        bar = np.repeat(colours[steps][:, None], _BAR, axis=1)
        self.image.paste(Image.fromarray(np.ascontiguousarray(bar)), (x, self.top))
        box = (x - 1, self.top - 1, x + _BAR, self.top + self.height)
        self.draw.rectangle(box, outline=self.theme.line)
        for share, text in marks:
            y = self.top + (1 - share) * self.height
            self.draw.line((x + _BAR, y, x + _BAR + 4, y), fill=self.theme.line)
            self._write((x + _BAR + 7, y), text, self.theme.soft, 12, "lm")
        if unit:
            at = (x + _BAR, self.top + self.height + 9)
            self._write(at, _fitting(unit, 80, 12), self.theme.soft, 12, "ma")

    def legend(self, rows: list[tuple[str, str]]) -> None:
        """Say what the colours of masks and layers mean.

        Parameters
        ----------
        rows
            Colour and text of each.
        """
        wide = (self.image.width - self.left - _RIGHT) // self.columns
        for index, (colour, text) in enumerate(rows):
            x = self.left + index % self.columns * wide
            y = self.top + self.height + _BOTTOM + index // self.columns * _ROW
            self.draw.rectangle((x, y, x + 12, y + 12), fill=colour, outline=self.theme.line)
            line = _fitting(text, wide - 24, 13)
            self._write((x + 19, y + 6), line, self.theme.text, 13, "lm")

    def _write(
        self, at: tuple[float, float], text: str, colour: Colour, size: float, anchor: str
    ) -> None:
        self.draw.text(at, text, fill=colour, font=font(size), anchor=anchor)


def _fitting(text: str, room: float, size: float) -> str:
    line = plain(text)
    if font(size).getlength(line) <= room:
        return line
    while line and font(size).getlength(line + "\N{HORIZONTAL ELLIPSIS}") > room:
        line = line[:-1]
    return line + "\N{HORIZONTAL ELLIPSIS}"

"""What is under the cursor of an overlay, in numbers and in words."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from upramp.errors import UprampError

from .core.sky_labels import sexagesimal
from .core.sky_link import link

if TYPE_CHECKING:
    from .core.sky_labels import Style
    from .core.sky_places import Readout
    from .overlay_images import OverlayImage

__all__ = ["Reading", "reading"]

_MINUS = "\N{MINUS SIGN}"


@dataclass(frozen=True)
class Reading:
    """What is at a pixel.

    Attributes
    ----------
    x, y : float
        In pixels of the first image.
    value : float
        Of the image that is shown; NaN where it has none.
    unit : str
        Of the value.
    ra, dec : float
        Degrees, ICRS; NaN where no sky is seen.
    wavelength : float
        NaN where there is none.
    outside : bool
        Whether the place is outside the bounding box, so extrapolated.
    sky_text : str
        What is said of the sky.
    """

    x: float
    y: float
    value: float
    unit: str
    ra: float
    dec: float
    wavelength: float
    outside: bool
    sky_text: str

    @property
    def text(self) -> str:
        """All of it in a line."""
        value = f"{self.value:.6g}" if math.isfinite(self.value) else "no value"
        told = f"{value} {self.unit}".strip()
        return "   ".join(part for part in (told, self.sky_text) if part)


def reading(first: OverlayImage, shown: OverlayImage, x: float, y: float, style: Style) -> Reading:
    """Read an image at a pixel.

    Parameters
    ----------
    first
        Whose pixels count.
    shown
        Whose values are seen, aligned with the first.
    x, y
        The pixel.
    style
        How a place is written.
    """
    at, beside = (x, y), ""
    if shown is not first and first.sky is not None and shown.sky is not None:
        at = _there(first, shown, x, y)
        beside = f"x {at[0]:.2f}  y {at[1]:.2f} there" if math.isfinite(at[0]) else ""
    value = _value(shown, *at)
    if first.sky is None:
        return Reading(x, y, value, shown.unit, math.nan, math.nan, math.nan, False, "")
    told = first.sky.readout(x, y)
    text = _told(told, style, first.sky.wavelength_unit)
    return Reading(
        x,
        y,
        value,
        shown.unit,
        told.ra,
        told.dec,
        told.wavelength,
        told.outside,
        "   ".join(part for part in (text, beside) if part),
    )


def _there(first: OverlayImage, shown: OverlayImage, x: float, y: float) -> tuple[float, float]:
    if first.sky is None or shown.sky is None:
        return math.nan, math.nan
    try:
        there = link(first.sky, shown.sky).pixels(np.array([x]), np.array([y]))
    except UprampError:
        return math.nan, math.nan
    return float(there[0][0]), float(there[1][0])


def _value(image: OverlayImage, x: float, y: float) -> float:
    ny, nx = image.shape
    if not (-0.5 <= x < nx - 0.5 and -0.5 <= y < ny - 0.5):
        return math.nan
    return float(image.pixels[math.floor(y + 0.5), math.floor(x + 0.5)])


def _told(told: Readout, style: Style, unit: str) -> str:
    parts = []
    if math.isfinite(told.ra) and math.isfinite(told.dec):
        if style == "sexagesimal":
            parts.append(sexagesimal(told.ra, told.dec))
        else:
            sign = _MINUS if told.dec < 0 else "+"
            parts.append(f"{told.ra:.6f}\N{DEGREE SIGN} {sign}{abs(told.dec):.6f}\N{DEGREE SIGN}")
    else:
        parts.append("no sky here")
    if math.isfinite(told.wavelength):
        parts.append(f"{told.wavelength:.5f} {unit}")
    if told.outside:
        parts.append("outside the bounding box")
    return "   ".join(parts)

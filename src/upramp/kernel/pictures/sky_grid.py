"""The sky on an image's pixels: a grid of right ascension and declination, and outlines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from upramp.exposure import open_exposure, to_datamodel

from .image_files import turn

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from matplotlib.axes import Axes
    from numpy.typing import NDArray

__all__ = ["draw_grid", "footprint", "outline", "wcs_of"]

_STEPS: Final = (
    *(0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 15.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0),
    *(1200.0, 1800.0, 3600.0, 7200.0, 18000.0, 36000.0),
)
_SAMPLES: Final = 33
_LINES: Final = 4
_COLOUR: Final = "#ffffff"


def wcs_of(path: Path) -> Any:
    """Give the transform from an image's pixels to the sky, the whole of it; None without one.

    Parameters
    ----------
    path
        A calibrated image or a mosaic.

    Returns
    -------
    gwcs.wcs.WCS or None
        What its file holds.
    """
    with open_exposure(path) as exposure, to_datamodel(exposure) as model:
        return model.meta.wcs


def draw_grid(axes: Axes, wcs: Any, shape: tuple[int, int]) -> tuple[float, float]:
    """Draw lines of right ascension and declination over an image.

    Parameters
    ----------
    axes
        Of pixels.
    wcs
        From zero-based pixels to degrees.
    shape
        Rows and columns.

    Returns
    -------
    tuple of float
        Arcseconds from line to line, on the sky, of right ascension and of declination;
        not a number where none was drawn.
    """
    ny, nx = shape
    x, y = np.meshgrid(
        np.linspace(-0.5, nx - 0.5, _SAMPLES), np.linspace(-0.5, ny - 0.5, _SAMPLES)
    )
    ra, dec = (np.asarray(one, float) for one in wcs(x, y, with_bounding_box=False))
    if not (np.isfinite(ra).any() and np.isfinite(dec).any()):
        return float("nan"), float("nan")
    middle = float(ra[np.isfinite(ra)][0])
    # No jump from 360 degrees to 0 inside the image.
    ra = turn(middle, ra) + middle
    squeezed = max(float(np.cos(np.radians(np.nanmean(dec)))), 1e-3)
    seconds = _lines(axes, x, y, ra * 240, _in_time)
    arcseconds = _lines(axes, x, y, dec * 3600, _in_arc)
    return seconds * 15 * squeezed, arcseconds


def _lines(axes: Axes, x: Any, y: Any, values: Any, name: Callable[[float, float], str]) -> float:
    """Draw lines of equal value, and give the step from one to the next."""
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    span = high - low
    steps = np.array(_STEPS)
    step = float(steps[np.argmin(np.abs(np.log(steps * _LINES / max(span, 1e-6))))])
    levels = np.arange(np.ceil(low / step), np.floor(high / step) + 1) * step
    if not len(levels):
        return float("nan")
    drawn = axes.contour(
        x, y, values, levels=levels, colors=_COLOUR, linewidths=0.7, alpha=0.6, linestyles="-"
    )
    labels = axes.clabel(drawn, fmt=lambda value: name(value, step), fontsize=7, inline_spacing=2)
    from matplotlib.patheffects import withStroke

    for label in labels:
        label.set_alpha(1)
        label.set_path_effects([withStroke(linewidth=2, foreground="#222222", alpha=0.7)])
    return step


def _in_time(seconds: float, step: float) -> str:
    """Write seconds of time as hours, minutes and seconds of right ascension."""
    hours, minutes, rest = _parts(seconds % 86400, step)
    return f"{hours:d}h{minutes:02d}m{rest}s"


def _in_arc(arcseconds: float, step: float) -> str:
    """Write arcseconds as degrees, minutes and seconds of declination."""
    degrees, minutes, rest = _parts(abs(arcseconds), step)
    sign = "-" if arcseconds < 0 else "+"
    return f"{sign}{degrees:d}°{minutes:02d}'{rest}\""


def _parts(value: float, step: float) -> tuple[int, int, str]:
    digits = 0 if step >= 1 else 1 if step >= 0.1 else 2
    value = round(value, digits)
    whole, rest = divmod(value, 60)
    text = f"{rest:0{3 + digits if digits else 2}.{digits}f}"
    return int(whole // 60), int(whole % 60), text


def footprint(path: Path) -> NDArray[np.float64] | None:
    """Give the corners of an exposure on the sky, as its header says them.

    Parameters
    ----------
    path
        A calibrated exposure.

    Returns
    -------
    numpy.ndarray or None
        Right ascension and declination in degrees, (corners, 2).
    """
    with open_exposure(path) as exposure:
        region = str(exposure.header.get("S_REGION") or "")
    numbers = [float(word) for word in region.split() if _is_number(word)]
    corners = np.array(numbers[: len(numbers) // 2 * 2]).reshape(-1, 2)
    return corners if region.startswith("POLYGON") and len(corners) > 2 else None


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


def outline(axes: Axes, wcs: Any, corners: NDArray[np.float64], colour: str, label: str) -> None:
    """Draw a polygon of the sky over an image.

    Parameters
    ----------
    axes, wcs
        Of the image's pixels.
    corners
        Right ascension and declination in degrees, (corners, 2).
    colour, label
        How, and what it is.
    """
    closed = np.vstack([corners, corners[:1]])
    x, y = wcs.invert(closed[:, 0], closed[:, 1], with_bounding_box=False)
    axes.plot(x, y, color=colour, linewidth=1.1, label=label)

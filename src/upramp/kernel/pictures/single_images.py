"""Pictures of calibrated images, one by one: on the sky, what made them, their background."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from .drawing import Picture, figure, first, picture_of, stretched
from .image_files import (
    COLOURS,
    image_of,
    light_of,
    median_of,
    one_of,
    pairs_of,
    pixel_of,
    shape_of,
    sky_of,
)
from .sky_grid import draw_grid, wcs_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["background", "calibrated", "calibration"]

_BOX: Final = 16
_PLAIN: Final = "#2a6f97"


def calibrated(cal: Sequence[Path], *, exposure: int = 0) -> Picture:
    """Picture a calibrated image with the sky's grid from the whole of its world coordinates.

    Parameters
    ----------
    cal
        Calibrated exposures.
    exposure
        Which of them.

    Returns
    -------
    Picture
        With the median, the share of pixels without a value and the pixel's size in ``data``.

    Raises
    ------
    UsageError
        If there is no such exposure.
    """
    first(cal, "calibrated exposure")
    path = one_of(cal, exposure)
    image, unit = image_of(path)
    wcs = wcs_of(path)
    drawn = figure(7.6, 6.4)
    axes = drawn.add_subplot()
    stretched(axes, image, label=unit)
    lines = draw_grid(axes, wcs, shape_of(image)) if wcs is not None else (np.nan, np.nan)
    axes.set(title=path.name, xlabel="column", ylabel="row")
    axes.title.set_fontsize(9)
    blank = float(np.mean(~np.isfinite(image)))
    middle = median_of(image)
    pixel = pixel_of(wcs, shape_of(image))
    text = (
        f"{path.name}: median {middle:.4g} {unit}, {100 * blank:.3g} % of pixels not to be used; "
        f"a pixel is {pixel:.4f} arcsec"
    )
    data = {"median": middle, "blank": blank, "pixel": pixel, "grid": list(lines)}
    return picture_of(drawn, text, data)


def calibration(rate: Sequence[Path], cal: Sequence[Path]) -> Picture:
    """Picture what stage 2 multiplied slopes with: the flat field's inverse, and the unit.

    Parameters
    ----------
    rate
        Slope images.
    cal
        Calibrated exposures, of which the first that has its slopes there is drawn.

    Returns
    -------
    Picture
        With the middle factor, and its scatter from pixel to pixel in ``data``.

    Raises
    ------
    UsageError
        If no exposure is there before and after.
    """
    before, after = pairs_of(rate, cal)[0]
    slopes, (image, unit) = image_of(before)[0], image_of(after)
    with np.errstate(divide="ignore", invalid="ignore"):
        factor = np.where(slopes != 0, image / slopes, np.nan)
    middle, scatter = sky_of(factor)
    relative = factor / middle
    drawn = figure(9.0, 4.2)
    left, right = drawn.subplots(1, 2)
    stretched(left, relative, label="relative factor", percentiles=(0.5, 99.5), cmap="cividis")
    left.set(title="calibrated over slope, by its median", xlabel="column", ylabel="row")
    left.title.set_fontsize(10)
    finite = relative[np.isfinite(relative)]
    if finite.size:
        right.hist(finite, _bins(finite), color=_PLAIN)
    right.set(title="all pixels", xlabel="relative factor", ylabel="pixels")
    right.title.set_fontsize(10)
    drawn.suptitle(after.name, fontsize=9)
    text = (
        f"{after.name}: 1 DN/s is {middle:.4g} {unit} in the middle pixel; from pixel to pixel "
        f"it scatters by {100 * scatter / middle:.2g} %"
    )
    return picture_of(drawn, text, {"factor": middle, "scatter": scatter / middle})


def background(cal: Sequence[Path]) -> Picture:
    """Picture the sky between the sources: its map in one exposure, its level in each.

    Parameters
    ----------
    cal
        Calibrated exposures, before or after their sky was matched.

    Returns
    -------
    Picture
        With the level and the scatter of each exposure in ``data``, and by how much levels
        through one filter differ at most.

    Raises
    ------
    UsageError
        If there is none.
    """
    path = first(cal, "calibrated exposure")
    image, unit = image_of(path)
    drawn = figure(9.0, 4.2)
    left, right = drawn.subplots(1, 2)
    boxes = _boxes(image)
    ny, nx = image.shape
    # The last boxes may reach over the edge.
    window = (-0.5, boxes.shape[1] * _BOX - 0.5, -0.5, boxes.shape[0] * _BOX - 0.5)
    stretched(left, boxes, label=unit, percentiles=(2, 98), extent=window)
    left.set(title=f"sky of the first, {_BOX} x {_BOX} pixels", xlabel="column", ylabel="row")
    left.set(xlim=(-0.5, nx - 0.5), ylim=(-0.5, ny - 0.5))
    levels: dict[str, dict[str, float]] = {}
    lights = [light_of(one) for one in cal]
    by_light: dict[str, list[float]] = {}
    for number, (one, light) in enumerate(zip(cal, lights, strict=True)):
        values = image_of(one)[0]
        level, scatter = sky_of(values)
        by_light.setdefault(light, []).append(level)
        levels[one.name] = {"level": level, "scatter": scatter}
        if not np.isfinite(level):
            continue
        edges = level + max(scatter, 1e-9) * np.linspace(-5, 8, 80)
        counts, _ = np.histogram(values[np.isfinite(values)], edges)
        share = 100 * counts / max(np.isfinite(values).sum(), 1)
        through = f", {light}" if len(set(lights)) > 1 else ""
        label = f"{number + 1}{through}: {level:.4g} ± {scatter:.2g}"
        right.stairs(share, edges, color=COLOURS[number % len(COLOURS)], label=label)
    right.set(title="values of each exposure", xlabel=unit, ylabel="% of pixels")
    if right.get_legend_handles_labels()[0]:
        right.legend(fontsize=8, title="sky", title_fontsize=8)
    found = np.array([one["level"] for one in levels.values()])
    # What filters differ by is the sky's colour.
    spread = float(max(np.ptp(one) for one in by_light.values()))
    text = f"sky of {len(cal)} exposure{'' if len(cal) == 1 else 's'}: {found[0]:.4g} {unit} in "
    text += path.name
    if len(cal) > 1:
        through = " of the same filter" if len(by_light) > 1 else ""
        text += f", from one to another{through} by up to {spread:.2g} {unit}"
    return picture_of(drawn, text, {"sky": levels, "spread": spread})


def _bins(values: NDArray[Any]) -> NDArray[np.float64]:
    low, high = (float(one) for one in np.percentile(values, (0.2, 99.8)))
    return np.linspace(low, max(high, low + 1e-9), 60)


def _boxes(image: NDArray[np.float32]) -> NDArray[np.float32]:
    """Give the medians of boxes of pixels, brighter ones left out."""
    level, scatter = sky_of(image)
    dark = np.where(image < level + 3 * scatter, image, np.nan) if scatter > 0 else image
    ny, nx = (-(-side // _BOX) for side in image.shape)
    whole = np.full((ny * _BOX, nx * _BOX), np.nan, np.float32)
    whole[: image.shape[0], : image.shape[1]] = dark
    boxes = whole.reshape(ny, _BOX, nx, _BOX).swapaxes(1, 2).reshape(ny, nx, -1)
    found = np.full((ny, nx), np.nan, np.float32)
    seen = np.isfinite(boxes).any(axis=2)
    found[seen] = np.nanmedian(boxes[seen], axis=1)
    return found

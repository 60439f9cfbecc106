"""Pictures of guide stars: the stack of their images, and how they moved."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from upramp.dq import PIXEL
from upramp.errors import InputError
from upramp.exposure import open_exposure

from .drawing import Picture, figure, first, picture_of, stretched

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["motion", "stack"]

_BAD: Final = PIXEL["DO_NOT_USE"]
_WINDOW: Final = 6
"""Pixels from a star's peak to the edge of what its centroid is taken from."""
_WEIGHT: Final = 1.2
"""Sigma in pixels of the weight that keeps noise away from a centroid."""
_ROUNDS: Final = 30
_X, _Y = "#2a6f97", "#d1495b"


@dataclass(frozen=True)
class _Star:
    """A guide star in each integration, places in pixels from zero, signal in DN/s."""

    name: str
    images: NDArray[np.float32]
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    signal: NDArray[np.float64]
    peak: NDArray[np.float64]
    pixel: float
    """Its side in milliarcseconds; not a number where the header does not say."""


def stack(cal: Sequence[Path]) -> Picture:
    """Picture the mean image of a guide star, and where it was in each integration.

    Parameters
    ----------
    cal
        Products of the guider pipeline, of which the first is drawn.

    Returns
    -------
    Picture
        With the mean place, the peak and the signal in ``data``.

    Raises
    ------
    UsageError
        If there is none.
    """
    star = _find(cal)
    mean = _mean(star.images)
    drawn = figure(9.0, 4.3)
    left, right = drawn.subplots(1, 2)
    stretched(left, mean, label="DN/s", percentiles=(1, 100))
    left.set(xlabel="column", ylabel="row")
    left.set_title(f"mean of {len(star.images)} integrations", fontsize=10)
    x, y = _average(star.x), _average(star.y)
    away = np.stack([star.x - x, star.y - y])
    number = np.arange(1, len(star.x) + 1)
    dots = right.scatter(*away, c=number, s=14, cmap="plasma")
    drawn.colorbar(dots, ax=right, label="integration")
    reach = 1.25 * max(0.04, float(np.nanmax(np.abs(away), initial=0.0)))
    right.axhline(0, color="#999999", linewidth=0.7)
    right.axvline(0, color="#999999", linewidth=0.7)
    right.set(
        xlabel="columns from the mean place",
        ylabel="rows from the mean place",
        xlim=(-reach, reach),
        ylim=(-reach, reach),
        aspect="equal",
    )
    right.set_title("where it was in each", fontsize=10)
    drawn.suptitle(star.name, fontsize=9)
    peak, signal = _average(star.peak), _average(star.signal)
    text = (
        f"guide star of {star.name}: at column {x:.2f}, row {y:.2f} in the mean of "
        f"{len(star.images)} integrations, its peak {peak:.4g} DN/s of {signal:.4g} DN/s in all"
    )
    return picture_of(drawn, text, {"x": x, "y": y, "peak": peak, "signal": signal})


def motion(cal: Sequence[Path]) -> Picture:
    """Picture how a guide star moved from integration to integration, and its signal.

    Parameters
    ----------
    cal
        Products of the guider pipeline, of which the first is drawn.

    Returns
    -------
    Picture
        With the places, in pixels, and the signal by integration in ``data``.

    Raises
    ------
    UsageError
        If there is none.
    """
    star = _find(cal)
    number = np.arange(1, len(star.x) + 1)
    drawn = figure(9.0, 5.4)
    above, below = drawn.subplots(2, 1, sharex=True, height_ratios=(1.4, 1))
    spread = {}
    for name, places, colour in (("column", star.x, _X), ("row", star.y, _Y)):
        away = places - _average(places)
        spread[name] = _average(away**2) ** 0.5
        label = f"{name}: {spread[name]:.3f} pixels rms"
        above.plot(number, away, "o-", markersize=3, linewidth=0.8, color=colour, label=label)
    above.axhline(0, color="#999999", linewidth=0.7)
    above.set(title="where the star was, from its mean place", ylabel="pixels")
    above.title.set_fontsize(10)
    above.legend(fontsize=8, loc="upper right")
    if np.isfinite(star.pixel):
        scale = star.pixel
        other = above.secondary_yaxis(
            "right", functions=(lambda v: v * scale, lambda v: v / scale)
        )
        other.set_ylabel("milliarcseconds")
    for values, what, colour in ((star.signal, "all", "#444444"), (star.peak, "peak", "#edae49")):
        below.plot(number, values, "o-", markersize=3, linewidth=0.8, color=colour, label=what)
    below.legend(fontsize=8, loc="center right")
    below.set(xlabel="integration", ylabel="DN/s", ylim=(0, None))
    drawn.suptitle(star.name, fontsize=9)
    both = float(np.hypot(spread["column"], spread["row"]))
    angle = f", {both * star.pixel:.2g} milliarcseconds" if np.isfinite(star.pixel) else ""
    text = (
        f"guide star of {star.name}: it moved by {both:.3f} pixels rms{angle} in "
        f"{len(number)} integrations"
    )
    data = {
        "x": star.x.tolist(),
        "y": star.y.tolist(),
        "signal": star.signal.tolist(),
        "rms": spread,
        "pixel": star.pixel,
    }
    return picture_of(drawn, text, data)


def _find(cal: Sequence[Path]) -> _Star:
    path = first(cal, "guide-star product")
    with open_exposure(path) as exposure:
        images = np.array(exposure.data, np.float32)
        if images.ndim == 2:
            images = images[None]
        if images.ndim != 3 or not images.size:
            raise InputError(path, "it holds no images", "give a product of the guider pipeline")
        if "DQ" in exposure:
            images[:, (np.asarray(exposure.dq).reshape(images.shape[1:]) & _BAD) != 0] = np.nan
        side = float(exposure.header.get("CDELT1") or np.nan)
    rows, columns = _around_star(_mean(images))
    found = np.array([_centroid(image[rows, columns]) for image in images])
    return _Star(
        path.name,
        images,
        found[:, 0] + columns.start,
        found[:, 1] + rows.start,
        found[:, 2],
        found[:, 3],
        abs(side) * 3.6e6,
    )


def _average(values: NDArray[np.float64]) -> float:
    """Give the mean of what is a number, in silence where nothing is."""
    finite = values[np.isfinite(values)]
    return float(finite.mean()) if finite.size else float("nan")


def _mean(images: NDArray[np.float32]) -> NDArray[np.float32]:
    """Give the mean of what is a number in each pixel."""
    seen = np.isfinite(images)
    total = np.where(seen, images, 0).sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(total / seen.sum(axis=0), np.float32)


def _around_star(image: NDArray[np.float32]) -> tuple[slice, slice]:
    """Give the window around the brightest pixel that has bright neighbours."""
    from scipy.ndimage import uniform_filter

    smooth = uniform_filter(np.nan_to_num(image), 3, mode="nearest")
    row, column = (int(one) for one in np.unravel_index(np.argmax(smooth), image.shape))
    ny, nx = image.shape
    return (
        slice(max(row - _WINDOW, 0), min(row + _WINDOW + 1, ny)),
        slice(max(column - _WINDOW, 0), min(column + _WINDOW + 1, nx)),
    )


def _centroid(image: NDArray[np.float32]) -> tuple[float, float, float, float]:
    """Give a star's column, row, signal and peak in a window."""
    seen = np.isfinite(image)
    if not seen.any():
        return (float("nan"),) * 4
    sky = float(np.percentile(image[seen], 20))
    light = np.where(seen, image - sky, 0).astype(float)
    row, column = (float(one) for one in np.unravel_index(np.argmax(light), image.shape))
    y, x = np.mgrid[: image.shape[0], : image.shape[1]].astype(float)
    for _ in range(_ROUNDS):
        weight = np.exp(-0.5 * ((x - column) ** 2 + (y - row) ** 2) / _WEIGHT**2) * light
        total = weight.sum()
        if total <= 0:
            return float("nan"), float("nan"), float(light.sum()), float(light.max())
        # A weight that follows the star by half: twice the step is where it would end.
        step = 2 * (weight * (x - column)).sum() / total, 2 * (weight * (y - row)).sum() / total
        column, row = column + float(step[0]), row + float(step[1])
        if abs(step[0]) + abs(step[1]) < 1e-4:
            break
    inside = -0.5 <= column <= image.shape[1] - 0.5 and -0.5 <= row <= image.shape[0] - 0.5
    place = (column, row) if inside else (float("nan"), float("nan"))
    return *place, float(light.sum()), float(light.max())

"""Pictures of wavefront sensing: a pair of images of one star, and the image made of both."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from upramp.dq import PIXEL
from upramp.errors import InputError, UsageError
from upramp.exposure import open_exposure

from .drawing import Picture, figure, first, picture_of, stretched

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["combined", "pair", "profile"]

_BAD: Final = PIXEL["DO_NOT_USE"]
_HALF: Final = 30
"""Pixels from the star to the edge of what is shown around it."""
_REACH: Final = 5.0
"""Errors at the ends of the scale of differences."""


def pair(cal: Sequence[Path]) -> Picture:
    """Picture the two images of the star, with its place in each.

    Parameters
    ----------
    cal
        The calibrated exposures of a pair.

    Returns
    -------
    Picture
        With the places of the star, in pixels from zero, in ``data``.

    Raises
    ------
    UsageError
        If there are not two.
    """
    paths = _two(cal)
    drawn = figure(9.0, 4.2)
    places = []
    for axes, path in zip(drawn.subplots(1, 2), paths, strict=True):
        image, unit = _image(path)
        x, y = _star(image, path)
        places.append((x, y))
        stretched(axes, image, label=unit, percentiles=(1, 99.9))
        axes.axvline(x, color="w", linewidth=0.5, linestyle=":")
        axes.axhline(y, color="w", linewidth=0.5, linestyle=":")
        axes.set(title=path.name, xlabel="column", ylabel="row")
        axes.title.set_fontsize(8)
    step = places[1][0] - places[0][0], places[1][1] - places[0][1]
    text = (
        f"pair of images of one star, from the first to the second by {step[0]:+.2f} columns and "
        f"{step[1]:+.2f} rows"
    )
    return picture_of(drawn, text, {"places": [list(place) for place in places]})


def combined(wfscmb: Sequence[Path], cal: Sequence[Path]) -> Picture:
    """Picture the combined image, and how each of the pair differs from it.

    Parameters
    ----------
    wfscmb
        The combined image.
    cal
        The calibrated exposures of the pair.

    Returns
    -------
    Picture
        With the scatter of both differences in ``data``: as parts of the star's peak, and
        in errors. That of the mean of two is 0.7.

    Raises
    ------
    UsageError
        If there is no combined image, or there are not two exposures.
    """
    path = first(wfscmb, "combined image")
    whole, unit = _image(path)
    x, y = _star(whole, path)
    around = _around(whole, x, y)
    peak = float(np.nanmax(around))
    drawn = figure(9.6, 3.4)
    axes = drawn.subplots(1, 3)
    stretched(axes[0], around, label=unit, percentiles=(1, 99.9), extent=_extent())
    axes[0].set(title="combined")
    scatter, pulls = [], []
    for number, (where, one) in enumerate(zip(axes[1:], _two(cal), strict=True), 1):
        image, errors = _image(one)[0], _errors(one)
        place = _star(image, one)
        difference = _around(image, *place) - around
        with np.errstate(divide="ignore", invalid="ignore"):
            pull = difference / _cut(errors, *place)
        scatter.append(float(np.sqrt(np.nanmean(difference**2))) / peak)
        pulls.append(float(np.nanmedian(np.abs(pull)) * 1.4826))
        shown = where.imshow(
            pull, origin="lower", cmap="RdBu_r", vmin=-_REACH, vmax=_REACH, extent=_extent()
        )
        drawn.colorbar(shown, ax=where, label="difference / error")
        where.set(title=f"exposure {number} less combined")
    for where in axes:
        where.title.set_fontsize(10)
        where.set(xlabel="columns from the star")
    axes[0].set_ylabel("rows from the star")
    drawn.suptitle(path.name, fontsize=9)
    text = (
        f"{path.name}: the star at column {x:.2f}, row {y:.2f}, its peak {peak:.4g} {unit}; the "
        f"two exposures differ from it by {100 * scatter[0]:.2g} and {100 * scatter[1]:.2g} % of "
        f"that, which are {pulls[0]:.2g} and {pulls[1]:.2g} of their errors"
    )
    data = {"x": x, "y": y, "peak": peak, "scatter": scatter, "pulls": pulls}
    return picture_of(drawn, text, data)


def profile(wfscmb: Sequence[Path], cal: Sequence[Path]) -> Picture:
    """Picture how the star's light falls off, and what part of it circles hold.

    Parameters
    ----------
    wfscmb
        The combined image.
    cal
        The calibrated exposures of the pair.

    Returns
    -------
    Picture
        With the radius that holds half of the light of the combined image in ``data``.

    Raises
    ------
    UsageError
        If there is no combined image, or there are not two exposures.
    """
    path = first(wfscmb, "combined image")
    drawn = figure(9.0, 4.0)
    left, right = drawn.subplots(1, 2)
    half = float("nan")
    shown = ((path, "combined", "#222222"), *zip(_two(cal), _NAMES, _COLOURS, strict=True))
    for one, label, colour in shown:
        image, unit = _image(one)
        around = _around(image, *_star(image, one))
        radius, brightness, held = _falls_off(around)
        left.plot(radius, brightness, "-", color=colour, label=label, linewidth=1.2)
        # A ring reaches half a pixel beyond its middle.
        right.plot(radius + 0.5, 100 * held, "-", color=colour, label=label, linewidth=1.2)
        left.set_ylabel(unit)
        if one == path:
            half = float(np.interp(0.5, held, radius + 0.5)) if np.isfinite(held).all() else half
    left.set(title="brightness", xlabel="pixels from the star")
    left.set_yscale("symlog", linthresh=max(_least(left), 1e-3))
    right.set(title="light within", xlabel="pixels from the star", ylabel="%", ylim=(0, 105))
    right.legend(fontsize=8)
    drawn.suptitle(path.name, fontsize=9)
    text = f"{path.name}: half of the star's light within {half:.3g} pixels"
    return picture_of(drawn, text, {"half": half})


_NAMES: Final = ("exposure 1", "exposure 2")
_COLOURS: Final = ("#2a6f97", "#d1495b")


def _two(cal: Sequence[Path]) -> Sequence[Path]:
    first(cal, "calibrated exposure")
    if len(cal) != 2:
        raise UsageError(
            "pair", f"there are {len(cal)} exposures and not two", "reduce one pair at a time"
        )
    return cal


def _image(path: Path) -> tuple[NDArray[np.float32], str]:
    with open_exposure(path) as exposure:
        image = np.array(exposure.data, np.float32)
        if image.ndim != 2:
            raise InputError(path, "it is no image", "give one of imaging")
        if "DQ" in exposure:
            image[(np.asarray(exposure.dq) & _BAD) != 0] = np.nan
        return image, str(exposure.header.get("BUNIT") or "")


def _star(image: NDArray[np.float32], path: Path) -> tuple[float, float]:
    """Give the column and the row of the brightest star."""
    from scipy.ndimage import gaussian_filter

    if not np.isfinite(image).any():
        raise InputError(path, "it holds no numbers", "look above for why")
    light = np.nan_to_num(image - np.nanmedian(image))
    row, column = np.unravel_index(np.argmax(gaussian_filter(light, 1.5)), image.shape)
    rows = slice(max(int(row) - 4, 0), int(row) + 5)
    columns = slice(max(int(column) - 4, 0), int(column) + 5)
    core = np.clip(light[rows, columns], 0, None)
    if core.sum() <= 0:
        return float(column), float(row)
    y, x = np.mgrid[: core.shape[0], : core.shape[1]]
    return (
        float((core * x).sum() / core.sum()) + columns.start,
        float((core * y).sum() / core.sum()) + rows.start,
    )


def _around(image: NDArray[np.float32], x: float, y: float) -> NDArray[np.float32]:
    """Give the pixels around a star, less the sky."""
    return np.asarray(_cut(image, x, y) - np.nanmedian(image), np.float32)


def _cut(image: NDArray[np.float32], x: float, y: float) -> NDArray[np.float32]:
    """Give the pixels around a place; what is beyond the edge is not a number."""
    column, row = round(x), round(y)
    padded = np.pad(image, _HALF, constant_values=np.nan)
    return padded[row : row + 2 * _HALF + 1, column : column + 2 * _HALF + 1]


def _errors(path: Path) -> NDArray[np.float32]:
    with open_exposure(path) as exposure:
        return np.array(exposure.err, np.float32)


def _extent() -> tuple[float, float, float, float]:
    return (-_HALF - 0.5, _HALF + 0.5, -_HALF - 0.5, _HALF + 0.5)


def _falls_off(around: NDArray[np.float32]) -> tuple[Any, Any, Any]:
    """Give radii, the median brightness at each, and the part of the light within."""
    axis = np.arange(-_HALF, _HALF + 1)
    distance = np.hypot(axis[:, None], axis[None, :])
    radius = np.arange(0, _HALF + 1, dtype=float)
    brightness = np.full(len(radius), np.nan)
    light = np.zeros(len(radius))
    for number in range(len(radius)):
        ring = (np.abs(distance - number) <= 0.5) & np.isfinite(around)
        if ring.any():
            brightness[number] = np.median(around[ring])
            light[number] = around[ring].mean() * np.count_nonzero(
                np.abs(distance - number) <= 0.5
            )
    held = np.cumsum(light)
    return radius, brightness, held / held[-1] if held[-1] > 0 else held * np.nan


def _least(axes: Any) -> float:
    """Give the smallest brightness that is drawn, of those that are not noise about none."""
    values = np.concatenate([np.abs(line.get_ydata()) for line in axes.get_lines()])
    values = values[np.isfinite(values) & (values > 0)]
    return float(np.percentile(values, 40)) if values.size else 1.0

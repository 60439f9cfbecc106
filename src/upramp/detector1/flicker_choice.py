"""Which way of cleaning suits an image: by its channels, or above a model of the sky.

A quick cleaning of the rates leaves the sky. How it slopes, and by how much
its channels differ, then decides.

Source: jwst/clean_flicker_noise/autoparam.py.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from .flicker_background import clip, clipped_statistics, model_background
from .flicker_noise import line_medians
from .flicker_parameters import CHANNELS, FULL

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["choose_parameters"]

_RESIDUALS: Final = 10.0
_MIDDLE: Final = (Fraction(3, 8), Fraction(5, 8))
_FIRST_CHANNEL: Final = (Fraction(10, 12), Fraction(11, 12))
"""Rows of NIRISS's first amplifier, which may differ from the others."""


@dataclass(frozen=True)
class _Limits:
    """From where on something counts as much."""

    masked: float
    offset: float
    slope: float
    slope_above_offset: float
    slope_ratio: float
    scatter: float


_NIRISS: Final = _Limits(0.07, 0.07, 1e-5, 1e-4, 5.0, 0.02)
_NIRCAM: Final = _Limits(0.1, 0.07, 1e-5, 1e-5, 3.0, 0.02)


def choose_parameters(
    rate: NDArray[np.float32],
    flat: NDArray[np.float32] | None,
    exp_type: str,
    axis: int,
) -> dict[str, Any]:
    """Choose how an image is cleaned.

    Parameters
    ----------
    rate
        (ny, nx) float32: a draft of its rates.
    flat
        (ny, nx), without zeros or NaN, if there is one.
    exp_type
        NIS_IMAGE or NRC_IMAGE.
    axis
        1 if lines of noise are rows, 0 if they are columns.

    Returns
    -------
    dict
        Parameters of the step that replace those given.
    """
    sky, masked = _sky(rate, flat, axis)
    ny, nx = sky.shape
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        along_x = np.nanmean(sky[_share(ny, _MIDDLE)], axis=0)
        along_y = np.nanmean(sky[:, _share(nx, _MIDDLE)], axis=1)
        slope_x, scatter = _line(along_x)
        slope_y, _ = _line(along_y)
        slopes = np.abs([slope_y, slope_x])
        ratio = np.max(slopes) / np.min(slopes)
        if exp_type == "NIS_IMAGE":
            # Its channels lie one above the other.
            limits, across = _NIRISS, along_y
            _, scatter = _line(np.nanmean(sky[_share(ny, _FIRST_CHANNEL)], axis=0))
        else:
            limits, across = _NIRCAM, along_x
        offset = _largest_step(across)
    model, by_channel = _decide(limits, masked, offset, np.max(slopes), ratio, scatter)
    return {
        "apply_flat_field": flat is not None,
        "background_method": "model" if model else "median",
        "fit_by_channel": by_channel,
    }


def _sky(
    rate: NDArray[np.float32], flat: NDArray[np.float32] | None, axis: int
) -> tuple[NDArray[np.float32], float]:
    """Clean an image in the simplest way, and put a model where there are sources.

    Gives the sky, and which part of the image has sources.
    """
    with np.errstate(all="ignore"):
        image = rate.copy() if flat is None else rate / flat
    number = ~np.isnan(image)
    mask, room = number.copy(), np.empty(image.size, np.float32)
    clip(image, mask, room)
    image[~number] = 0
    clip(image, mask, room, lower=3.0, upper=3.0, lower_half=True)
    level = np.nanmedian(image[mask])
    image -= level
    clip(image, mask, room, lower_half=True)
    stripes = line_medians(image, mask, axis)
    image -= stripes[:, None] if axis == 1 else stripes
    image += level
    image[~number] = np.nan
    model = model_background(image, mask)
    signal = ~mask
    image[signal] = model if np.isscalar(model) else model[signal]
    return image, np.sum(signal) / signal.size


def _share(length: int, part: tuple[Fraction, Fraction]) -> slice:
    return slice(round(part[0] * length), round(part[1] * length))


def _line(values: NDArray[Any]) -> tuple[Any, Any]:
    """Fit a straight line: give its slope, and the scatter about it."""
    good = np.isfinite(values)
    x = np.arange(values.size)[good]
    fit = np.polynomial.Polynomial.fit(x, values[good], deg=1)
    coefficients = fit.convert().coef
    slope = coefficients[1] if len(coefficients) > 1 else 0.0
    return slope, clipped_statistics(values[good] - fit(x), _RESIDUALS)[2]


def _largest_step(values: NDArray[Any]) -> Any:
    """Give the largest step between channels, if the image has any."""
    if values.size != FULL:
        return 0.0
    means = np.array([clipped_statistics(part)[0] for part in np.split(values, CHANNELS)], float)
    return np.max(np.abs(np.diff(means)))


def _decide(
    limits: _Limits, masked: Any, offset: Any, slope: Any, ratio: Any, scatter: Any
) -> tuple[bool, bool]:
    """Decide on a model of the sky, and on fitting by channels."""
    many, steps = masked >= limits.masked, offset >= limits.offset
    steep, very_steep = slope >= limits.slope, slope >= limits.slope_above_offset
    if many:
        return bool(very_steep if steps else steep), False
    if steps:
        return False, True
    model = very_steep or (steep and not ratio >= limits.slope_ratio)
    return bool(model), bool(offset > 0 and scatter >= limits.scatter)

"""Pictures of darks: how charge builds up without light, where it is much, and in which pixels."""

from __future__ import annotations

from dataclasses import dataclass
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

__all__ = ["build_up", "hot_pixels", "last_group"]

_UNUSED: Final = PIXEL["DO_NOT_USE"] | PIXEL["REFERENCE_PIXEL"]
_COLOURS: Final = ("#2a6f97", "#d1495b", "#5f8d4e", "#a06cd5", "#edae49", "#333333")
_HOT: Final = "#ff006e"
_MOST_INTEGRATIONS: Final = 6
_MOST_LINES: Final = 8


@dataclass(frozen=True)
class _Dark:
    """A corrected dark, and which of its pixels count."""

    name: str
    ramp: NDArray[np.float32]
    """(nints, ngroups, ny, nx), DN."""
    good: NDArray[np.bool_]
    """(ny, nx)."""
    seconds: NDArray[np.float64]
    """From the first group to each."""

    @property
    def rate(self) -> NDArray[np.float32]:
        """DN/s from the first group to the last, the middle one of the integrations."""
        if len(self.seconds) < 2:
            raise UsageError(self.name, "it has one group, and no rate", "give a longer dark")
        collected = (self.ramp[:, -1] - self.ramp[:, 0]) / np.float32(self.seconds[-1])
        rate = np.full(self.good.shape, np.nan, np.float32)
        rate[self.good] = np.median(collected[:, self.good], axis=0)
        return rate


def build_up(dark: Sequence[Path]) -> Picture:
    """Picture how the signal of a dark grows: its middle and spread by group.

    Parameters
    ----------
    dark
        Corrected darks, of which the first is drawn.

    Returns
    -------
    Picture
        With the middles by integration and group, DN above the first group, and the
        rate in DN/s in ``data``.

    Raises
    ------
    UsageError
        If there is none.
    """
    found = _read(dark)
    drawn = figure(9.0, 4.2)
    left, right = drawn.subplots(1, 2)
    above = found.ramp - found.ramp[:, :1]
    middles: list[list[float]] = []
    for number, integration in enumerate(above):
        values = integration[:, found.good]
        middle = _middle(values, 1)
        low, high = np.percentile(values, (16, 84), axis=1) if values.size else (middle, middle)
        middles.append(middle.tolist())
        if number < _MOST_INTEGRATIONS:
            colour = _COLOURS[number % len(_COLOURS)]
            left.plot(
                found.seconds, middle, "o-", color=colour, markersize=3, label=f"{number + 1}"
            )
            left.fill_between(found.seconds, low, high, color=colour, alpha=0.12, linewidth=0)
    rate = _slope(found.seconds, np.array(middles))
    left.set(
        title="the middle pixel; 68 % of all lie in the band",
        xlabel="seconds after the first group",
        ylabel="DN above the first group",
    )
    left.title.set_fontsize(10)
    left.legend(title="integration", fontsize=8, title_fontsize=8)
    steps = np.diff(np.array(middles), axis=1)
    for number, one in enumerate(steps[:_MOST_INTEGRATIONS]):
        right.plot(np.arange(2, len(one) + 2), one, "o-", color=_COLOURS[number], markersize=3)
    right.axhline(0, color="#999999", linewidth=0.8)
    right.set(title="from group to group", xlabel="group", ylabel="DN more than in the one before")
    right.title.set_fontsize(10)
    drawn.suptitle(found.name, fontsize=9)
    nints, ngroups = found.ramp.shape[:2]
    text = (
        f"dark {found.name}: {nints} integrations of {ngroups} groups, the middle pixel gains "
        f"{rate:.3g} DN/s"
    )
    return picture_of(drawn, text, {"middles": middles, "rate": rate})


def last_group(dark: Sequence[Path]) -> Picture:
    """Picture where charge collected: the last group less the first, and rows and columns of it.

    Parameters
    ----------
    dark
        Corrected darks, of which the first is drawn.

    Returns
    -------
    Picture
        With the middle rate in DN/s, and the scatter of rows' and of columns' middles
        in ``data``.

    Raises
    ------
    UsageError
        If there is none, or it has one group.
    """
    found = _read(dark)
    rate = found.rate
    drawn = figure(9.0, 4.4)
    left, right = drawn.subplots(1, 2, width_ratios=(1.2, 1))
    stretched(left, rate, label="DN/s", percentiles=(1, 99.5), cmap="cividis")
    left.set(title="last group less the first, by time", xlabel="column", ylabel="row")
    left.title.set_fontsize(10)
    rows, columns = _middle(rate, 1), _middle(rate, 0)
    right.plot(rows, color=_COLOURS[0], linewidth=0.9, label="of each row")
    right.plot(columns, color=_COLOURS[1], linewidth=0.9, label="of each column")
    right.set(title="middle values", xlabel="row or column", ylabel="DN/s")
    right.title.set_fontsize(10)
    right.legend(fontsize=8)
    drawn.suptitle(found.name, fontsize=9)
    middle = float(_middle(rate[found.good][None], 1)[0])
    scatter = {"rows": _scatter(rows), "columns": _scatter(columns)}
    text = (
        f"dark {found.name}: {middle:.3g} DN/s; rows scatter by "
        f"{scatter['rows']:.2g} DN/s, of columns by {scatter['columns']:.2g} DN/s"
    )
    return picture_of(drawn, text, {"rate": middle, "scatter": scatter})


def hot_pixels(dark: Sequence[Path], *, threshold: float | None = None) -> Picture:
    """Picture the pixels that collect much without light: where they are, and their ramps.

    Parameters
    ----------
    dark
        Corrected darks, of which the first is drawn.
    threshold
        DN/s above which a pixel is hot; None for ten times the scatter over the median.

    Returns
    -------
    Picture
        With the threshold, the number of hot pixels and the hottest ones in ``data``.

    Raises
    ------
    UsageError
        If there is none, or it has one group.
    """
    found = _read(dark)
    rate = found.rate
    values = rate[found.good]
    middle = float(np.median(values)) if values.size else float("nan")
    scatter = _scatter(values)
    limit = middle + 10 * scatter if threshold is None else threshold
    hot = np.argwhere(np.nan_to_num(rate, nan=-np.inf) > limit)
    hot = hot[np.argsort(-rate[hot[:, 0], hot[:, 1]], kind="stable")]
    drawn = figure(9.6, 3.9)
    where, spread, ramps = drawn.subplots(1, 3)
    ny, nx = rate.shape
    shown = rate[hot[:, 0], hot[:, 1]]
    if len(hot):
        dots = where.scatter(
            hot[:, 1], hot[:, 0], c=shown, s=12, cmap="inferno_r", norm=_log_norm(shown)
        )
        bar = drawn.colorbar(dots, ax=where, label="DN/s")
        from matplotlib.ticker import LogLocator

        # Plain numbers: powers of ten have too few marks in so short a range.
        bar.ax.yaxis.set_minor_locator(LogLocator(subs=(2.0, 5.0)))
        for formatter in (bar.ax.yaxis.set_major_formatter, bar.ax.yaxis.set_minor_formatter):
            formatter(lambda value, _: f"{value:g}")
    where.set(
        title=f"{len(hot)} hot pixels",
        xlabel="column",
        ylabel="row",
        xlim=(-0.5, nx - 0.5),
        ylim=(-0.5, ny - 0.5),
        aspect="equal",
    )
    if values.size and np.isfinite(limit):
        spread.hist(values, bins=80, color=_COLOURS[0], log=True)
        spread.axvline(limit, color=_HOT, linewidth=1, label=f"hot: over {limit:.3g}")
        spread.legend(fontsize=8)
    spread.set(title="all pixels", xlabel="DN/s", ylabel="pixels")
    for number, (row, column) in enumerate(hot[:_MOST_LINES].tolist()):
        line = found.ramp[0, :, row, column] - found.ramp[0, 0, row, column]
        colour = _COLOURS[number % len(_COLOURS)]
        style = "o-" if number < len(_COLOURS) else "s--"
        ramps.plot(found.seconds, line, style, ms=3, color=colour, label=f"{row}, {column}")
    ramps.set(title="ramps of the hottest", xlabel="seconds", ylabel="DN above the first group")
    if len(hot):
        ramps.legend(title="row, column", fontsize=7, title_fontsize=7)
    drawn.suptitle(found.name, fontsize=9)
    text = (
        f"dark {found.name}: {len(hot)} of {int(found.good.sum())} pixels collect more than "
        f"{limit:.3g} DN/s without light"
    )
    hottest = [
        {"row": int(row), "column": int(column), "rate": float(rate[row, column])}
        for row, column in hot[:_MOST_LINES]
    ]
    return picture_of(drawn, text, {"threshold": limit, "hot": len(hot), "hottest": hottest})


def _read(dark: Sequence[Path]) -> _Dark:
    path = first(dark, "dark")
    with open_exposure(path) as exposure:
        ramp = np.array(exposure.data, np.float32)
        if ramp.ndim != 4:
            raise InputError(path, "it is no ramp", "give a product of the dark pipeline")
        flags = np.asarray(exposure.pixeldq) if "PIXELDQ" in exposure else np.zeros(1, np.uint32)
        seconds = float(exposure.header.get("TGROUP") or exposure.group_time or 1.0)
    good = np.broadcast_to((flags & _UNUSED) == 0, ramp.shape[-2:]) & np.isfinite(ramp).all((0, 1))
    return _Dark(path.name, ramp, good, np.asarray(seconds * np.arange(ramp.shape[1]), np.float64))


def _slope(seconds: NDArray[np.float64], middles: NDArray[np.float64]) -> float:
    """Give the slope of the mean of integrations."""
    if len(seconds) < 2 or not np.isfinite(middles).all():
        return float("nan")
    return float(np.polyfit(seconds, middles.mean(axis=0), 1)[0])


def _middle(values: NDArray[np.float32], axis: int) -> NDArray[np.float64]:
    """Give the means of the middle four fifths along an axis, of what is a number.

    Medians of whole DN are whole: they hide what a dark is about.
    """
    moved = np.sort(np.moveaxis(values, axis, -1).astype(np.float64), axis=-1)
    count = np.isfinite(moved).sum(axis=-1)
    cut = count // 10
    place = np.arange(moved.shape[-1])
    inside = (place >= cut[..., None]) & (place < (count - cut)[..., None])
    total = np.where(inside, moved, 0).sum(axis=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(total / inside.sum(axis=-1), np.float64)


def _scatter(values: NDArray[Any]) -> float:
    finite = values[np.isfinite(values)]
    if not finite.size:
        return float("nan")
    return float(1.4826 * np.median(np.abs(finite - np.median(finite))))


def _log_norm(values: NDArray[np.float32]) -> Any:
    from matplotlib.colors import LogNorm, Normalize

    if not values.size or float(values.min()) <= 0:
        return Normalize()
    return LogNorm(float(values.min()), max(float(values.max()), float(values.min()) * 1.01))

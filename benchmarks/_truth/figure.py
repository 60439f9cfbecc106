"""The report as one figure: bias, errors, false flags and missed events of a few modes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from matplotlib.axes import Axes

__all__ = ["draw"]

_PAPER: Final = "white"
_INK: Final = "#22262e"
_FAINT: Final = "#c9ccd2"
_QUIET: Final = "#6b7280"
# Blue and vermilion of Okabe and Ito, told apart by every kind of colour vision.
_STYLES: Final = {
    "OLS_C": {"color": "#0072b2", "marker": "o", "shift": 0.94},
    "LIKELY": {"color": "#d55e00", "marker": "s", "shift": 1.06},
}
_PREFERRED: Final = (
    "nircam-long",
    "nircam-short",
    "nircam-grouped",
    "miri-full",
    "niriss",
    "nirspec",
)
_FEWEST: Final = 150
"""Pixels or events, below which a bin is not drawn."""
_FLUX: Final = (0.01, 400.0)
_DARKEST: Final = 0.017
"""Where the bin from zero is drawn."""


def draw(report: dict[str, Any], path: Path) -> Path:
    """Draw a report.

    Parameters
    ----------
    report
        What `make_report` gave.
    path
        Where the PNG goes.

    Returns
    -------
    pathlib.Path
        The same.
    """
    modes = report["modes"]
    drawn = [name for name in _PREFERRED if name in modes] or list(modes)
    drawn = drawn[: len(_PREFERRED)]
    with mpl.rc_context(
        {
            "font.size": 8.5,
            "axes.titlesize": 9.5,
            "axes.labelsize": 9,
            "text.color": _INK,
            "axes.edgecolor": _INK,
            "axes.labelcolor": _INK,
            "xtick.color": _INK,
            "ytick.color": _INK,
            "axes.linewidth": 0.7,
        }
    ):
        figure, axes = plt.subplots(
            4,
            len(drawn),
            figsize=(0.75 + 1.72 * len(drawn), 8.0),
            sharey="row",
            squeeze=False,
        )
        for column, name in zip(axes.T, drawn, strict=True):
            _column(column, modes[name])
            column[0].set_title(name, pad=19, fontweight="bold")
            column[0].annotate(
                _title(modes[name]),
                (0.5, 1),
                xytext=(0, 7),
                xycoords="axes fraction",
                textcoords="offset points",
                ha="center",
                fontsize=8,
            )
        _label(axes)
        _legend(figure, axes[0, 0])
        archive, versions = report["archive"], report["versions"]
        figure.text(
            0.992,
            0.004,
            f"simulation, seed {archive['seed']}, context {archive['context']}; "
            f"engine upramp {versions['upramp']} with the numbers of jwst {versions['jwst']}",
            ha="right",
            va="bottom",
            fontsize=7,
            color=_QUIET,
        )
        figure.subplots_adjust(
            left=0.085 if len(drawn) > 3 else 0.2,
            right=0.992,
            bottom=0.075,
            top=0.893,
            wspace=0.08,
            hspace=0.16,
        )
        _separate(axes)
        figure.savefig(path, dpi=120, facecolor=_PAPER)
        plt.close(figure)
    return path


def _title(mode: dict[str, Any]) -> str:
    """Name a mode, its detector and its ramp: integrations x groups x frames averaged."""
    ramp = f"{mode['groups']} groups"
    if mode["frames_averaged"] > 1:
        ramp = f"{mode['groups']} groups (x {mode['frames_averaged']})"
    if mode["integrations"] > 1:
        ramp = f"{mode['integrations']} x {mode['groups']} groups"
    return f"{mode['detector']}, {ramp}"


def _column(column: Sequence[Axes], mode: dict[str, Any]) -> None:
    bias, width, false, missed = column
    false.set_yscale("log")
    for algorithm, style in _STYLES.items():
        part = mode[algorithm]
        _rates(bias, part["rates"]["clean"], "pull", style, filled=True)
        _rates(bias, part["rates"]["jump"], "pull", style, filled=False)
        _rates(width, part["rates"]["clean"], "pull_width", style, filled=True)
        _fractions(false, part["jumps"]["false_by_flux"], style, fewest=20000)
        _fractions(missed, part["jumps"]["by_energy_peaks"], style, fewest=4)
    for axis in (bias, width, false):
        axis.set_xscale("log")
        axis.set_xlim(*_FLUX)
        axis.xaxis.set_major_locator(FixedLocator([_DARKEST, 0.1, 1, 10, 100]))
        axis.xaxis.set_major_formatter(FuncFormatter(_flux_label))
    missed.set_xscale("log")
    missed.set_xlim(8, 6e4)
    missed.xaxis.set_major_locator(FixedLocator([10, 100, 1000, 10000]))
    missed.xaxis.set_major_formatter(
        FuncFormatter(lambda x, _: {10: "10", 100: "100", 1000: "1k", 10000: "10k"}[round(x)])
    )
    bias.axhline(0, color=_INK, lw=0.7, zorder=0)
    width.axhline(1, color=_INK, lw=0.7, zorder=0)
    bias.set_ylim(-1.08, 0.28)
    width.set_ylim(0.86, 1.14)
    false.set_ylim(4e-7, 4e-3)
    missed.set_ylim(-0.06, 1.06)
    for axis in column:
        axis.xaxis.set_minor_locator(NullLocator())
        axis.yaxis.set_minor_locator(NullLocator())
        axis.grid(visible=True, color=_FAINT, lw=0.4, alpha=0.6)
        axis.set_axisbelow(True)
        axis.spines[["top", "right"]].set_visible(False)
        axis.tick_params(length=2.5, width=0.7)


def _flux_label(value: float, _place: int) -> str:
    return "0" if value == _DARKEST else f"{value:g}"


def _middle(row: dict[str, Any]) -> float:
    """Give where a bin is drawn."""
    return _DARKEST if row["low"] == 0 else float((row["low"] * row["high"]) ** 0.5)


def _rates(
    axis: Axes, rows: list[dict[str, Any]], what: str, style: dict[str, Any], *, filled: bool
) -> None:
    used = [row for row in rows if row["low"] is not None and row["pixels"] >= _FEWEST]
    # The error of an NMAD is about that of the median, of a normal distribution.
    errors = [row["pull_error"] * (1 if what == "pull" else 0.93) for row in used]
    axis.errorbar(
        [_middle(row) * style["shift"] for row in used],
        [row[what] for row in used],
        errors,
        fmt=style["marker"],
        ls="-" if filled else "none",
        lw=1.2,
        ms=3.8 if filled else 4.6,
        color=style["color"],
        mfc=style["color"] if filled else _PAPER,
        mew=0.9,
        elinewidth=0.8,
        zorder=3 if filled else 2,
    )


def _fractions(
    axis: Axes, rows: list[dict[str, Any]], style: dict[str, Any], *, fewest: int
) -> None:
    # A logarithmic axis has no place for none at all.
    logarithmic = axis.get_yscale() == "log"
    used = [r for r in rows if r["trials"] >= fewest and (r["found"] or not logarithmic)]
    axis.errorbar(
        [_middle(row) * style["shift"] for row in used],
        [row["fraction"] for row in used],
        [
            [max(row["fraction"] - row["from"], 0) for row in used],
            [max(row["to"] - row["fraction"], 0) for row in used],
        ],
        fmt=style["marker"],
        ls="-",
        lw=1.2,
        ms=3.8,
        color=style["color"],
        elinewidth=0.8,
    )


def _label(axes: Any) -> None:
    texts = (
        "bias: median of\n(rate - true) / error",
        "errors: width of\n(rate - true) / error",
        "false jumps:\npart of quiet steps",
        "events flagged:\npart of all peaks",
    )
    for axis, text in zip(axes[:, 0], texts, strict=True):
        axis.set_ylabel(text, linespacing=1.35)
    middle = axes.shape[1] // 2
    for row, text in ((2, "true rate (DN/s)"), (3, "charge in the pixel (electrons)")):
        axes[row, middle].annotate(
            text,
            (0 if axes.shape[1] % 2 == 0 else 0.5, 0),
            xytext=(0, -17),
            textcoords="offset points",
            xycoords="axes fraction",
            ha="center",
            va="top",
            fontsize=9,
        )
    for row in (0, 1):
        for axis in axes[row]:
            axis.tick_params(labelbottom=False)


def _separate(axes: Any) -> None:
    """Make room above the last row, whose abscissa is another."""
    for axis in axes[3]:
        place = axis.get_position()
        axis.set_position([place.x0, place.y0, place.width, place.height * 0.93])
    for axis in axes[:3].flat:
        place = axis.get_position()
        axis.set_position([place.x0, place.y0 + 0.012, place.width, place.height])


def _legend(figure: Any, axis: Axes) -> None:
    handles = []
    for name, style in _STYLES.items():
        for filled, text in ((True, f"{name}, clean pixels"), (False, f"{name}, flagged jump")):
            handles.append(
                axis.plot(
                    [],
                    [],
                    marker=style["marker"],
                    ls="-" if filled else "none",
                    lw=1.2,
                    ms=4.2,
                    color=style["color"],
                    mfc=style["color"] if filled else _PAPER,
                    label=text,
                )[0]
            )
    figure.legend(
        handles=handles,
        loc="upper center",
        ncols=4,
        frameon=False,
        fontsize=8.8,
        bbox_to_anchor=(0.53, 1.0),
        columnspacing=2.2,
        handlelength=1.6,
    )

"""Pictures of spectra of whole fields: the direct image, what was cut out, what was extracted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from upramp.errors import UsageError

from .dispersed_images import Cutout, median, read_cutouts
from .drawing import Picture, figure, first, picture_of, stretched
from .extracted_spectra import draw_lines, draw_spectrum
from .light_curves import read_table
from .spectral_files import Spectrum, is_of_exposure, practice_lines, read_spectra, same_exposure

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from matplotlib.axes import Axes

__all__ = ["boxes", "field", "sources"]

_ORDERS: Final = {1: "#ff8fa3", 2: "#ffd166"}
_OTHER: Final = "white"
_COLUMNS: Final = 2
_PLACE: Final = ("xcentroid", "ycentroid")
_SCALE: Final = (0.5, 99.7)


def field(i2d: Sequence[Path], cat: Sequence[Path]) -> Picture:
    """Picture the direct image with the sources of its catalogue.

    Parameters
    ----------
    i2d
        Mosaics; that of the same name as the catalogue is drawn.
    cat
        Catalogues, of which the first is drawn.

    Returns
    -------
    Picture
        With the count of sources and of those that are no points in ``data``.

    Raises
    ------
    UsageError
        If there is none.
    """
    import upramp

    catalogue = first(cat, "catalogue of sources")
    path = same_exposure(catalogue, i2d) or first(i2d, "direct image")
    table = read_table(catalogue, (*_PLACE, "label", "is_extended"), "cat")
    with upramp.open(path) as opened:
        data = np.array(opened.data, np.float32)
        unit = str(opened.header.get("BUNIT") or "")
    drawn = figure(8, 7)
    axes = drawn.add_subplot()
    stretched(axes, data, label=unit, percentiles=_SCALE)
    axes.set_facecolor("#b0b0b0")
    extended = np.asarray(table["is_extended"], bool) if len(table) else np.zeros(0, bool)
    for row, wide in zip(table, extended, strict=True):
        x, y = (float(getattr(row[name], "value", row[name])) for name in _PLACE)
        axes.plot(
            *(x, y),
            marker="s" if wide else "o",
            ms=13,
            mfc="none",
            mec=_ORDERS[2] if wide else _ORDERS[1],
            mew=1.2,
        )
        axes.annotate(
            str(row["label"]),
            (x, y),
            xytext=(8, 8),
            textcoords="offset points",
            fontsize=9,
            color="white",
        )
    axes.set(xlabel="column", ylabel="row")
    axes.set_title(f"{path.name}\ncircles: points, squares: extended", fontsize=9)
    text = (
        f"direct image {path.name} with {len(table)} sources, {int(extended.sum())} of them "
        f"extended"
    )
    return picture_of(drawn, text, {"sources": len(table), "extended": int(extended.sum())})


def boxes(rate: Sequence[Path], cal: Sequence[Path]) -> Picture:
    """Picture the dispersed image with what was cut out of it for each source.

    Parameters
    ----------
    rate
        Slopes.
    cal
        Calibrated exposures, of which the first with several sources is drawn.

    Returns
    -------
    Picture
        With the boxes by source in ``data``: first column and row, width and height.

    Raises
    ------
    UsageError
        If there is none.
    """
    import upramp

    path = _of_field(cal)
    before = same_exposure(path, rate)
    if before is None:
        raise UsageError(path.name, "there are no slopes of it", "look above for why")
    cutouts = read_cutouts(path)
    with upramp.open(before) as opened:
        data = np.array(opened.data, np.float32)
        data[np.asarray(opened.dq) & 1 != 0] = np.nan
        unit = str(opened.header.get("BUNIT") or "DN/s")
    drawn = figure(8, 7)
    axes = drawn.add_subplot()
    stretched(axes, data, label=unit, percentiles=_SCALE)
    axes.set_facecolor("#b0b0b0")
    for one in cutouts:
        _box(axes, one)
    axes.set(xlabel="column", ylabel="row")
    axes.set_title(before.name, fontsize=9)
    orders = sorted({one.order for one in cutouts})
    told = ", ".join(map(str, orders))
    text = (
        f"dispersed image {before.name} with {len(cutouts)} boxes of "
        f"{len({one.source for one in cutouts})} sources, order{'s' * (len(orders) > 1)} {told}"
    )
    found: dict[str, Any] = {}
    for one in cutouts:
        found.setdefault(str(one.source), []).append(list(one.box))
    return picture_of(drawn, text, found)


def _box(axes: Axes, one: Cutout) -> None:
    from matplotlib.patches import Rectangle

    x, y, width, height = one.box
    color = _ORDERS.get(one.order, _OTHER)
    # A few rows on 2048 would be no more than a line.
    room = max(0, 24 - height) / 2
    axes.add_patch(
        Rectangle(
            (x - 0.5, y - 0.5 - room), width, height + 2 * room, fill=False, ec=color, lw=1.1
        )
    )
    axes.annotate(
        str(one.source),
        (x, y + height + room),
        xytext=(2, 2),
        textcoords="offset points",
        fontsize=9,
        color=color,
    )


def _of_field(cal: Sequence[Path]) -> Path:
    import upramp

    first(cal, "calibrated exposure")
    for path in cal:
        if not is_of_exposure(path):
            continue
        with upramp.open(path) as opened:
            if opened.header.get("DATAMODL") == "MultiSlitModel":
                return path
    raise UsageError(cal[0].name, "it has no sources cut out", "give spectra of a whole field")


def sources(
    cal: Sequence[Path], x1d: Sequence[Path], *, count: int = 6, truth: bool = False
) -> Picture:
    """Picture the spectra of the brightest sources, each below what it was extracted from.

    Parameters
    ----------
    cal
        Calibrated exposures, of which the first with several sources is drawn.
    x1d
        Extracted spectra, of which the first are drawn.
    count
        How many sources.
    truth
        Whether to mark the lines that practice sources were made with.

    Returns
    -------
    Picture
        With the median flux and signal to noise of each in ``data``, by source.

    Raises
    ------
    UsageError
        If there is none.
    """
    path = _of_field(cal)
    cutouts: dict[int, Cutout] = {}
    for cutout in read_cutouts(path):
        cutouts.setdefault(cutout.source, cutout)
    spectra = [
        one
        for one in read_spectra(first(x1d, "extracted spectrum"))
        if np.isfinite(one.flux).any() and one.source is not None
    ]
    spectra.sort(key=_significance, reverse=True)
    chosen = spectra[: max(1, count)]
    if not chosen:
        raise UsageError(x1d[0].name, "none of its spectra has a flux", "look above for why")
    rows = -(-len(chosen) // _COLUMNS)
    drawn = figure(9, 0.5 + 2.9 * rows)
    grid = drawn.add_gridspec(rows, _COLUMNS)
    data: dict[str, Any] = {}
    for number, one in enumerate(chosen):
        inner = grid[number // _COLUMNS, number % _COLUMNS].subgridspec(
            2, 1, height_ratios=(1, 4), hspace=0.02
        )
        top, below = drawn.add_subplot(inner[0]), drawn.add_subplot(inner[1])
        below.sharex(top)
        source = int(one.source or 0)
        if source in cutouts:
            _strip(top, cutouts[source])
        top.tick_params(labelbottom=False)
        top.set_yticks([])
        top.set_title(f"source {source}", fontsize=9)
        micro = Spectrum(one.name, one.wavelength, one.flux * 1e6, one.error * 1e6, one.unit)
        draw_spectrum(below, micro)
        draw_lines(below, practice_lines(one) if truth else (), one)
        below.set_ylabel(f"flux (µ{one.unit})", fontsize=8)
        below.tick_params(labelsize=8)
        if number >= len(chosen) - _COLUMNS:
            below.set_xlabel("wavelength (µm)", fontsize=9)
        data[str(source)] = {
            "flux": float(median(one.flux)),
            "signal_to_noise": _significance(one),
        }
    best = _significance(chosen[0])
    text = (
        f"{len(chosen)} of {len(spectra)} spectra of {x1d[0].name}: sources "
        f"{', '.join(data)}, median signal to noise from {_significance(chosen[-1]):.3g} "
        f"to {best:.3g}"
    )
    return picture_of(drawn, text, data)


def _significance(one: Spectrum) -> float:
    with np.errstate(divide="ignore", invalid="ignore"):
        found = float(median(np.where(one.error > 0, one.flux / one.error, np.nan)))
    return found if np.isfinite(found) else -np.inf


def _strip(axes: Axes, one: Cutout) -> None:
    """Draw a cutout on the axis of wavelength."""
    middle = one.image.middle
    good = np.flatnonzero(np.isfinite(middle))
    if len(good) < 2:
        return
    values, wave = one.image.data[:, good], middle[good]
    if wave[0] > wave[-1]:
        values, wave = values[:, ::-1], wave[::-1]
    finite = values[np.isfinite(values)]
    low, high = np.percentile(finite, (2, 99)) if finite.size else (0.0, 1.0)
    axes.imshow(
        values,
        origin="lower",
        aspect="auto",
        extent=(float(wave[0]), float(wave[-1]), -0.5, len(values) - 0.5),
        vmin=float(low),
        vmax=float(max(high, low + 1e-12)),
        cmap="viridis",
    )
    axes.set_facecolor("#b0b0b0")

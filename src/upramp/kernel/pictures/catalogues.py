"""Pictures of a catalogue of sources: how bright, how sure, how compact."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from upramp.errors import InputError

from .drawing import Picture, figure, first, picture_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from astropy.table import Table

__all__ = ["catalogue", "read"]

_NEEDED: Final = ("xcentroid", "ycentroid", "aper_total_abmag", "aper_total_flux", "is_extended")
_CONCENTRATION: Final = "CI_70_30"
_POINT: Final = "#2a6f97"
_EXTENDED: Final = "#d1495b"


def read(cat: Sequence[Path]) -> Table:
    """Read the first of some catalogues.

    Parameters
    ----------
    cat
        Catalogues of stage 3.

    Raises
    ------
    UsageError
        If there is none.
    InputError
        If it is none of stage 3.
    """
    from astropy.table import Table

    path = first(cat, "catalogue")
    try:
        table = Table.read(path, format="ascii.ecsv")
    except Exception as error:  # astropy raises many kinds on damaged tables
        raise InputError(path, "it is no catalogue", "make it again") from error
    missing = [name for name in _NEEDED if name not in table.colnames]
    if missing:
        raise InputError(path, f"it has no {missing[0]}", "give a catalogue of stage 3")
    return table


def catalogue(cat: Sequence[Path]) -> Picture:
    """Picture a catalogue: signal over noise, concentration and number by magnitude.

    Parameters
    ----------
    cat
        Catalogues, of which the first is drawn.

    Returns
    -------
    Picture
        With the number of sources and the magnitudes at a signal of ten times the
        noise and of the brightest in ``data``.

    Raises
    ------
    UsageError
        If there is none.
    """
    path = first(cat, "catalogue")
    table = read(cat)
    magnitude = _numbers(table["aper_total_abmag"])
    flux = _numbers(table["aper_total_flux"])
    error = (
        _numbers(table["aper_total_flux_err"])
        if "aper_total_flux_err" in table.colnames
        else flux * np.nan
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        signal = flux / error
    extended = np.asarray(table["is_extended"], bool)
    drawn = figure(9.0, 4.2)
    left, middle, right = drawn.subplots(1, 3)
    compact = (
        _numbers(table[_CONCENTRATION]) if _CONCENTRATION in table.colnames else magnitude * np.nan
    )
    for chosen, colour, label in (
        (~extended, _POINT, "point"),
        (extended, _EXTENDED, "extended"),
    ):
        style: dict[str, Any] = {"color": colour, "label": label, "markersize": 3, "alpha": 0.8}
        left.plot(magnitude[chosen], signal[chosen], "o", **style)
        middle.plot(magnitude[chosen], compact[chosen], "o", **style)
    good = np.isfinite(magnitude)
    sure = good & np.isfinite(signal) & (signal > 0)
    if sure.any():
        left.set_yscale("log")
        left.axhline(10, color="#999999", linewidth=0.8)
    left.set(title="signal over noise", xlabel="AB magnitude", ylabel="flux / error")
    left.legend(fontsize=8)
    middle.set(title="concentration", xlabel="AB magnitude", ylabel="flux within 70 % / 30 %")
    if np.isfinite(compact).any():
        low, high = np.nanpercentile(compact, (1, 98))
        middle.set_ylim(low - 0.3, high + 0.5)
    if good.any():
        edges = (
            np.arange(np.floor(magnitude[good].min() * 2), np.ceil(magnitude[good].max() * 2) + 1)
            / 2
        )
        edges = edges if len(edges) > 1 else np.array([edges[0], edges[0] + 0.5])
        both = [magnitude[good & ~extended], magnitude[good & extended]]
        right.hist(both, edges, stacked=True, color=[_POINT, _EXTENDED])
    right.set(title="number", xlabel="AB magnitude", ylabel="sources in half a magnitude")
    drawn.suptitle(path.name, fontsize=9)
    limit = _magnitude_at(magnitude[sure], signal[sure], 10.0)
    brightest = float(magnitude[good].min()) if good.any() else float("nan")
    text = (
        f"{len(table)} sources in {path.name}, {int(extended.sum())} of them extended, from AB "
        f"magnitude {brightest:.2f}; ten times the noise is reached at {limit:.2f}"
    )
    data = {
        "sources": len(table),
        "extended": int(extended.sum()),
        "brightest": brightest,
        "limit": limit,
    }
    return picture_of(drawn, text, data)


def _numbers(column: Any) -> Any:
    return np.ma.filled(np.ma.asarray(getattr(column, "value", column), float), np.nan)


def _magnitude_at(magnitude: Any, signal: Any, wanted: float) -> float:
    """Give the magnitude at which sources have a signal over noise, by a line through them."""
    if len(magnitude) < 3 or np.ptp(magnitude) == 0:
        return float("nan")
    slope, level = np.polyfit(np.log10(signal), magnitude, 1)
    return float(slope * np.log10(wanted) + level)

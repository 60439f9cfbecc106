"""Pictures of extracted spectra: one with its error and lines, a combined one beside its parts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from upramp.errors import UsageError

from .dispersed_images import median
from .drawing import Picture, figure, first, picture_of
from .spectral_files import Spectrum, is_of_exposure, practice_lines, read_spectra

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from matplotlib.axes import Axes
    from numpy.typing import NDArray

__all__ = ["beside_parts", "draw_lines", "draw_spectrum", "spectrum"]

_WAVE: Final = "wavelength (µm)"
_BLUE, _RED, _ORANGE = "#13294b", "#d1495b", "#e08e0b"
_PARTS: Final = ("#3b6ea5", "#e08e0b", "#4c9f70", "#8e5ea2", "#8a8a8a", "#d1495b")


def spectrum(
    x1d: Sequence[Path],
    *,
    lines: Sequence[float] = (),
    truth: bool = False,
    source: int | None = None,
) -> Picture:
    """Picture an extracted spectrum with its error, and how significant it is.

    Parameters
    ----------
    x1d
        Extracted spectra, of which the first is drawn; of a series, the median.
    lines
        Wavelengths to mark, in micrometres.
    truth
        Whether to mark the lines that a practice exposure was made with.
    source
        Its number, where there are several.

    Returns
    -------
    Picture
        With the marked lines and the median signal to noise in ``data``.

    Raises
    ------
    UsageError
        If there is none, or no such source.
    """
    path = first(x1d, "extracted spectrum")
    found = read_spectra(path)
    chosen = found[0] if source is None else next((s for s in found if s.source == source), None)
    if chosen is None:
        raise UsageError(
            f"source {source}",
            f"there is none in {path.name}",
            f"there are {', '.join(str(one.source) for one in found)}",
        )
    marked = sorted({*map(float, lines), *(practice_lines(chosen) if truth else ())})
    drawn = figure(9, 4.8)
    top, bottom = drawn.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    draw_spectrum(top, chosen)
    draw_lines(top, marked, chosen)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(chosen.error > 0, chosen.flux / chosen.error, np.nan)
    bottom.plot(chosen.wavelength, ratio, color=_ORANGE, lw=0.9)
    bottom.set(xlabel=_WAVE, ylabel="flux / error")
    top.set(ylabel=f"flux ({chosen.unit})")
    top.set_title(path.name, fontsize=10)
    noise = float(median(ratio))
    span = (
        f"{chosen.wavelength[0]:.3g} to {chosen.wavelength[-1]:.3g} µm"
        if chosen.wavelength.size
        else "no wavelength"
    )
    text = (
        f"spectrum of {path.name}: {span}, median flux {median(chosen.flux):.3g} {chosen.unit}, "
        f"median signal to noise {noise:.3g}"
    )
    if marked:
        text += f"; lines marked at {', '.join(f'{one:.4g}' for one in marked)} µm"
    return picture_of(drawn, text, {"lines": marked, "signal_to_noise": noise})


def draw_spectrum(
    axes: Axes, one: Spectrum, *, color: str = _BLUE, label: str | None = None
) -> None:
    """Draw a spectrum with the band of its error, on a scale that its faulty ends do not set.

    Parameters
    ----------
    axes
        Where.
    one
        The spectrum.
    color
        Its colour.
    label
        Its name in a legend.
    """
    axes.fill_between(
        one.wavelength,
        one.flux - one.error,
        one.flux + one.error,
        color=color,
        alpha=0.3,
        lw=0,
    )
    axes.plot(one.wavelength, one.flux, color=color, lw=0.9, label=label)
    with np.errstate(invalid="ignore"):
        known = np.isfinite(one.flux) & (one.error <= 3 * median(one.error))
    good = one.flux[known] if known.any() else one.flux[np.isfinite(one.flux)]
    if good.size:
        low, high = np.percentile(good, (1, 99))
        # Lines are few pixels wide and may be the point of it; glitches stand far higher still.
        room = (float(high - low)) or abs(float(high)) or 1.0
        top = min(float(good.max()), float(high) + 10 * room)
        bottom = max(float(good.min()), float(low) - 2 * room)
        edge = 0.08 * (top - bottom) or 0.08 * room
        axes.set_ylim(bottom - edge, top + 2 * edge)


def draw_lines(axes: Axes, marked: Sequence[float], one: Spectrum) -> None:
    """Mark lines on a spectrum.

    Parameters
    ----------
    axes
        Where.
    marked
        Their wavelengths.
    one
        The spectrum.
    """
    if not one.wavelength.size:
        return
    for wave in marked:
        if one.wavelength[0] <= wave <= one.wavelength[-1]:
            axes.axvline(wave, color=_RED, ls=":", lw=1)
            axes.text(
                *(wave, 0.98, f" {wave:.4g}"),
                transform=axes.get_xaxis_transform(),
                rotation=90,
                va="top",
                ha="right",
                fontsize=7,
                color=_RED,
            )


def beside_parts(x1d: Sequence[Path]) -> Picture:
    """Picture a combined spectrum beside those of its exposures.

    Parameters
    ----------
    x1d
        Extracted spectra: one of all exposures together, and those of each.

    Returns
    -------
    Picture
        With the median ratio of each exposure's spectrum to the combined one in ``data``.

    Raises
    ------
    UsageError
        If there is no combined spectrum.
    """
    first(x1d, "extracted spectrum")
    whole = next((path for path in x1d if not is_of_exposure(path)), None)
    if whole is None:
        raise UsageError(x1d[0].name, "none is of all exposures", "look above for why")
    combined = read_spectra(whole)[0]
    parts = [read_spectra(path)[0] for path in x1d if is_of_exposure(path)][: len(_PARTS)]
    drawn = figure(9, 4.8)
    top, bottom = drawn.subplots(2, 1, sharex=True, height_ratios=(3, 2))
    ratios: dict[str, float] = {}
    scatter: dict[str, float] = {}
    for color, part in zip(_PARTS, parts, strict=False):
        top.plot(part.wavelength, part.flux, color=color, lw=0.7, alpha=0.8, label=part.name)
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = part.flux / _on(combined, part.wavelength)
        bottom.plot(part.wavelength, ratio, color=color, lw=0.7, alpha=0.8)
        ratios[part.name] = float(median(ratio))
        scatter[part.name] = float(1.4826 * median(np.abs(ratio - ratios[part.name])))
    draw_spectrum(top, combined, label=combined.name)
    top.legend(fontsize=7)
    top.set(ylabel=f"flux ({combined.unit})")
    bottom.axhline(1, color=_BLUE, lw=0.8)
    bottom.set(xlabel=_WAVE, ylabel="exposure / combined", ylim=_around(list(scatter.values())))
    told = ", ".join(
        f"{name} {ratio:.3f} of it with a scatter of {100 * scatter[name]:.2g} %"
        for name, ratio in ratios.items()
    )
    text = f"combined spectrum {combined.name}; {told or 'no spectrum of an exposure beside it'}"
    return picture_of(drawn, text, {"ratios": ratios, "scatter": scatter})


def _on(one: Spectrum, wavelength: NDArray[np.float64]) -> NDArray[np.float64]:
    good = np.isfinite(one.flux)
    if not good.any():
        return np.full(len(wavelength), np.nan)
    return np.interp(wavelength, one.wavelength[good], one.flux[good], left=np.nan, right=np.nan)


def _around(scatters: Sequence[float]) -> tuple[float, float]:
    finite = [one for one in scatters if np.isfinite(one)]
    half = min(max(6 * max(finite, default=0.1), 0.05), 1.0)
    return 1 - half, 1 + half

"""Pictures of dispersed light: on the detector, without its sky, where it was extracted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from upramp.errors import UsageError

from .dispersed_images import DispersedImage, median, read_dispersed
from .drawing import Picture, figure, first, picture_of, stretched
from .spectral_files import read_spectra, same_exposure

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from matplotlib.axes import Axes
    from numpy.typing import NDArray

__all__ = ["dispersed", "extraction", "nods"]

_WAVE: Final = "wavelength (µm)"
_BLUE, _RED = "#13294b", "#d1495b"
_LOW, _HIGH = 2.0, 99.5
_INTEGRATIONS: Final = ("calints.fits", "crfints.fits")


def dispersed(product: Sequence[Path], *, slit: int = 0) -> Picture:
    """Picture a spectrum on the detector, with the wavelengths that its coordinates give.

    Parameters
    ----------
    product
        Calibrated spectra, of which the first is drawn; of a series, the median of
        the integrations.
    slit
        Which, where there are several.

    Returns
    -------
    Picture
        With the range of wavelengths and the count of bad pixels in ``data``.

    Raises
    ------
    UsageError
        If there is none, or it has no wavelengths.
    """
    path = first(product, "calibrated spectrum")
    image = read_dispersed(path, slit)
    low, high = _range(image.wavelength, path)
    with np.errstate(divide="ignore", invalid="ignore"):
        significance = np.where(image.error > 0, image.data / image.error, np.nan)
    drawn = figure(9, 4.6)
    top, bottom = drawn.subplots(2, 1, sharex=True)
    for axes, values, label, cmap in (
        (top, image.data, image.unit, "viridis"),
        (bottom, significance, "signal / error", "cividis"),
    ):
        stretched(
            axes,
            values,
            label=label,
            cmap=cmap,
            extent=image.extent,
            aspect="auto",
            percentiles=(_LOW, _HIGH),
        )
        axes.set_facecolor("#b0b0b0")
        axes.set_ylabel(image.names[1])
        _contours(axes, image)
    top.set_title(f"{path.name}: wavelength in µm", fontsize=10)
    bottom.set_xlabel(image.names[0])
    inside = np.isfinite(image.wavelength)
    bad = int((inside & ~np.isfinite(image.data)).sum())
    text = (
        f"spectrum of {path.name} from {low:.3g} to {high:.3g} µm on {image.data.shape[1]} x "
        f"{image.data.shape[0]} pixels, {bad} of {int(inside.sum())} without a value"
    )
    return picture_of(drawn, text, {"low": low, "high": high, "bad": bad})


def _range(wavelength: NDArray[np.float64], path: Path) -> tuple[float, float]:
    finite = wavelength[np.isfinite(wavelength)]
    if not finite.size:
        raise UsageError(path.name, "none of its pixels has a wavelength", "see its coordinates")
    return float(finite.min()), float(finite.max())


def _contours(axes: Axes, image: DispersedImage) -> None:
    from matplotlib.ticker import MaxNLocator

    wavelength = image.wavelength
    if min(wavelength.shape) < 2:
        return
    low, high = np.nanmin(wavelength), np.nanmax(wavelength)
    levels = [one for one in MaxNLocator(10).tick_values(low, high) if low < one < high]
    if not levels:
        return
    x = np.arange(image.along[0], image.along[1] + 1)
    y = np.arange(image.across[0], image.across[1] + 1)
    lines = axes.contour(x, y, wavelength, levels, colors="white", linewidths=0.7)
    axes.clabel(lines, fmt="%g", fontsize=8)


def nods(rate: Sequence[Path], cal: Sequence[Path]) -> Picture:
    """Picture the exposures before and after their background was subtracted.

    Parameters
    ----------
    rate
        Slopes.
    cal
        Calibrated spectra of the same exposures.

    Returns
    -------
    Picture
        With the level of the sky between the sources in ``data``, by exposure.

    Raises
    ------
    UsageError
        If there is none, or none of the slopes is of the same exposure.
    """
    import upramp

    first(cal, "calibrated spectrum")
    pairs = [(before, one) for one in cal if (before := same_exposure(one, rate)) is not None]
    if not pairs:
        raise UsageError(cal[0].name, "there are no slopes of it", "look above for why")
    pairs = pairs[:4]
    drawn = figure(9, 0.9 + 2.0 * len(pairs))
    panels = drawn.subplots(len(pairs), 2, squeeze=False, sharey="row")
    levels: dict[str, Any] = {}
    told = []
    for number, ((before, after), (left, right)) in enumerate(zip(pairs, panels, strict=True), 1):
        image = read_dispersed(after)
        with upramp.open(before) as opened:
            subtracted = _subtracted(after)
            whole = np.asarray(opened.data, np.float32)
            unit = str(opened.header.get("BUNIT") or "DN/s")
            slopes = whole[image.region] if whole.ndim == 2 else median(whole)[image.region]
            bad = np.asarray(opened.dq)[..., image.region[0], image.region[1]] & 1
        slopes = np.where(bad if bad.ndim == 2 else bad.all(axis=0), np.nan, slopes)
        for axes, values, label, title in (
            (left, slopes.T if image.turned else slopes, unit, f"{number}: slopes"),
            (right, image.data, image.unit, f"{number}: {subtracted}, calibrated"),
        ):
            stretched(
                axes,
                np.asarray(values, np.float32),
                label=label,
                extent=image.extent,
                aspect="auto",
                percentiles=(_LOW, _HIGH),
            )
            axes.set_facecolor("#b0b0b0")
            axes.set_title(title, fontsize=9)
        left.set_ylabel(image.names[1])
        sky = [_sky(slopes.T if image.turned else slopes), _sky(image.data)]
        levels[after.name] = {"before": sky[0], "after": sky[1], "subtracted": subtracted}
        told.append(
            f"{number} ({after.name}): sky {sky[0]:.3g} {unit} before, "
            f"{sky[1]:.3g} {image.unit} after, {subtracted}"
        )
    for axes in panels[-1]:
        axes.set_xlabel(image.names[0])
    return picture_of(drawn, "; ".join(told), levels)


def _subtracted(path: Path) -> str:
    import upramp

    with upramp.open(path) as opened:
        done = str(opened.header.get("S_BKDSUB") or "").upper() == "COMPLETE"
    return "background subtracted" if done else "no background subtracted"


def _sky(values: NDArray[Any]) -> float:
    """Give what is between sources: the median of the image."""
    return float(median(np.ravel(values)))


def extraction(image: Sequence[Path], x1d: Sequence[Path]) -> Picture:
    """Picture the image that a spectrum was extracted from, and where.

    Parameters
    ----------
    image
        Rectified or calibrated spectra, of which the first that was extracted is drawn.
    x1d
        Extracted spectra; that of the same name tells the aperture.

    Returns
    -------
    Picture
        With the aperture's edges and where the profile is highest in ``data``.

    Raises
    ------
    UsageError
        If there is none, or none was extracted.
    """
    first(image, "image of a spectrum")
    pair = next(
        ((one, found) for one in image if (found := same_exposure(one, x1d)) is not None), None
    )
    if pair is None and x1d and image[0].name.endswith(_INTEGRATIONS):
        # All of a series lie on the same pixels, those of all segments together too.
        pair = (image[0], x1d[0])
    if pair is None:
        raise UsageError(image[0].name, "no spectrum was extracted from it", "look above for why")
    path = pair[0]
    aperture = read_spectra(pair[1])[0].aperture
    source = read_dispersed(path)
    low, high = _range(source.wavelength, path)
    drawn = figure(9, 3.6)
    left, right = drawn.subplots(1, 2, sharey=True, width_ratios=(4, 1))
    stretched(
        left,
        source.data,
        label=source.unit,
        extent=source.extent,
        aspect="auto",
        percentiles=(_LOW, _HIGH),
    )
    left.set_facecolor("#b0b0b0")
    _wavelength_ticks(left, source)
    left.set(ylabel=source.names[1], xlabel=_WAVE)
    left.set_title(path.name, fontsize=9)
    profile = median(source.data, axis=1)
    y = np.arange(source.across[0], source.across[1] + 1)
    right.plot(profile, y, color=_BLUE, drawstyle="default")
    right.set(xlabel=f"median ({source.unit})")
    peak = int(y[int(np.nanargmax(profile))]) if np.isfinite(profile).any() else None
    told = "no aperture is told"
    if aperture is not None:
        for edge in aperture:
            left.axhline(edge, color=_RED, lw=1.2)
        right.axhspan(*aperture, color=_RED, alpha=0.2, label="aperture")
        right.legend(fontsize=8)
        told = (
            f"extracted between {source.names[1]}s {aperture[0]:.1f} and {aperture[1]:.1f} "
            f"from {low:.3g} to {high:.3g} µm"
        )
    where = "" if peak is None else f"; its profile is highest at {source.names[1]} {peak}"
    return picture_of(drawn, f"{path.name}: {told}{where}", {"aperture": aperture, "peak": peak})


def _wavelength_ticks(axes: Axes, image: DispersedImage) -> None:
    """Put round wavelengths on the axis of pixels: they are not even along it."""
    from matplotlib.ticker import MaxNLocator

    middle = image.middle
    good = np.flatnonzero(np.isfinite(middle))
    if len(good) < 2:
        return
    order = good[np.argsort(middle[good])]
    wave, pixel = middle[order], order + image.along[0]
    ticks = [
        one for one in MaxNLocator(9).tick_values(wave[0], wave[-1]) if wave[0] <= one <= wave[-1]
    ]
    places = np.interp(ticks, wave, pixel)
    apart = 0.045 * (image.along[1] - image.along[0] + 1)
    kept: list[int] = []
    for number in range(len(ticks) - 1, -1, -1):
        # The steepest end of the dispersion crowds them.
        if not kept or abs(places[number] - places[kept[-1]]) > apart:
            kept.append(number)
    axes.set_xticks([places[one] for one in kept], [f"{ticks[one]:g}" for one in kept])

"""Pictures of time series: light curves, white light, flux by wavelength and time, scatter."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from upramp.errors import UsageError

from .dispersed_images import median
from .drawing import Picture, figure, first, picture_of, stretched
from .light_curves import (
    Dip,
    LightCurve,
    binned,
    find_dip,
    read_photometry,
    read_table,
    read_white_light,
)
from .spectral_files import Series, read_series

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from numpy.typing import NDArray

__all__ = ["aperture", "binned_scatter", "flux_map", "light_curve", "source", "white_light"]

_BLUE, _RED, _ORANGE, _GREY = "#13294b", "#d1495b", "#e08e0b", "#8a8a8a"
_RADII: Final = re.compile(r"r(?:_inner|_outer)?\s*=\s*(\d+(?:\.\d*)?)")
_BINS: Final = 80
_FAR: Final = 5
_TIME: Final = "minutes since the first integration's middle"


def aperture(image: Sequence[Path], phot: Sequence[Path]) -> Picture:
    """Picture the star with its aperture, and how much each pixel changes from its errors.

    Parameters
    ----------
    image
        Calibrated images of all integrations, of which the first is drawn.
    phot
        The photometry, which tells the place and the radii.

    Returns
    -------
    Picture
        With place and radii in ``data``.

    Raises
    ------
    UsageError
        If there is none.
    """
    import upramp

    path = first(image, "series of images")
    names = ("aperture_x", "aperture_y")
    table = read_table(first(phot, "photometry"), names, "phot")
    x, y = (
        float(median(np.asarray(getattr(table[name], "value", table[name]), np.float64)))
        for name in names
    )
    place = (x, y)
    radii = [float(one) for one in _RADII.findall(str(table.meta.get("apertures", "")))]
    with upramp.open(path) as opened:
        data = np.array(opened.data, np.float32)
        errors = np.array(opened.err, np.float32)
        unit = str(opened.header.get("BUNIT") or "")
    if data.ndim != 3:
        raise UsageError(path.name, "it is no series of images", "give a product calints")
    middle = median(data)
    rest = data - middle
    with np.errstate(divide="ignore", invalid="ignore"):
        change = 1.4826 * median(np.abs(rest)) / median(errors)
    drawn = figure(9, 4.2)
    left, right = drawn.subplots(1, 2, sharex=True, sharey=True)
    stretched(left, middle, label=unit, percentiles=(1, 100))
    stretched(right, change, label="scatter / error", cmap="cividis", percentiles=(1, 99.9))
    from matplotlib.patches import Circle

    for axes in (left, right):
        for radius, color in zip(radii, (_RED, "white", "white"), strict=False):
            axes.add_patch(Circle(place, radius, fill=False, ec=color, lw=1.1))
        axes.set_xlabel("column")
        axes.set_facecolor("#b0b0b0")
    left.set(title=f"median of {len(data)} integrations", ylabel="row")
    right.set(title="change from one to another")
    if radii:
        half = 4 * max(radii)
        ny, nx = middle.shape
        left.set_xlim(max(-0.5, place[0] - half), min(nx - 0.5, place[0] + half))
        left.set_ylim(max(-0.5, place[1] - half), min(ny - 0.5, place[1] + half))
    typical = float(median(np.ravel(change)))
    text = (
        f"{path.name}: aperture at column {place[0]:.2f}, row {place[1]:.2f} with radius "
        f"{radii[0] if radii else 'not told'}; pixels change by {typical:.3g} of their errors"
    )
    return picture_of(drawn, text, {"place": place, "radii": radii, "change": typical})


def light_curve(
    phot: Sequence[Path], whtlt: Sequence[Path] = (), x1dints: Sequence[Path] = ()
) -> Picture:
    """Picture a series' light curve, by its median, with a dip fitted to it.

    Parameters
    ----------
    phot
        Photometry of series of images, of which the first is drawn.
    whtlt, x1dints
        Where there is none: white-light curves and their spectra.

    Returns
    -------
    Picture
        With depth, scatter and the errors' own size in ``data``, all as parts of the light.

    Raises
    ------
    UsageError
        If there is none.
    """
    return _curve(_read(phot, whtlt, x1dints))


def _read(phot: Sequence[Path], whtlt: Sequence[Path], x1dints: Sequence[Path]) -> LightCurve:
    if phot or not whtlt:
        return read_photometry(first(phot, "light curve"))
    return read_white_light(Path(whtlt[0]), x1dints)


def white_light(whtlt: Sequence[Path], x1dints: Sequence[Path]) -> Picture:
    """Picture the white-light curve of spectra, by its median, with a dip fitted to it.

    Parameters
    ----------
    whtlt
        White-light curves, of which the first is drawn.
    x1dints
        The spectra that it is the sum of: they tell its errors.

    Returns
    -------
    Picture
        As `light_curve`.

    Raises
    ------
    UsageError
        If there is none.
    """
    return _curve(read_white_light(first(whtlt, "white-light curve"), x1dints))


def source(
    calints: Sequence[Path], phot: Sequence[Path] = (), x1dints: Sequence[Path] = ()
) -> Picture:
    """Picture where a series' light is taken from: an aperture, or a spectrum's trace.

    Parameters
    ----------
    calints
        Calibrated integrations.
    phot
        Photometry of images.
    x1dints
        Where there is none: extracted spectra.

    Raises
    ------
    UsageError
        If there is neither.
    """
    from .dispersed_light import extraction

    return aperture(calints, phot) if phot or not x1dints else extraction(calints, x1dints)


def _curve(curve: LightCurve) -> Picture:
    dip = find_dip(curve)
    residual = curve.relative - dip.model
    scatter = float(np.std(residual, ddof=min(3, len(residual) - 1)))
    expected = float(median(curve.relative_error))
    count = 2 + (curve.place is not None)
    drawn = figure(9, 5.0 + 1.2 * (count - 2))
    ratios = (3, 1.6, 1.2)[:count]
    panels = drawn.subplots(count, 1, sharex=True, height_ratios=ratios)
    top, below = panels[0], panels[1]
    style: dict[str, Any] = {"fmt": "o", "ms": 3, "color": _BLUE, "ecolor": _GREY, "elinewidth": 1}
    minutes = curve.minutes
    top.errorbar(minutes, 100 * curve.relative, 100 * curve.relative_error, **style)
    label = _told(dip) if dip.sure else "trend"
    top.plot(minutes, 100 * dip.model, color=_ORANGE, lw=1.6, label=label)
    top.legend(fontsize=8)
    top.set(ylabel="flux by its median\nless one (%)")
    top.set_title(curve.name, fontsize=9)
    below.errorbar(minutes, 1e6 * residual, 1e6 * curve.relative_error, **style)
    below.axhline(0, color=_ORANGE, lw=1.2)
    below.axhspan(-1e6 * expected, 1e6 * expected, color=_ORANGE, alpha=0.15)
    below.set(ylabel="rest (ppm)")
    if curve.place is not None:
        for values, name, color in zip(curve.place, "xy", (_BLUE, _RED), strict=True):
            shift = 1000 * (values - float(median(values)))
            panels[2].plot(minutes, shift, "o-", ms=2, lw=0.8, color=color, label=name)
        panels[2].legend(fontsize=8, ncols=2)
        panels[2].set(ylabel="shift of\ncentroid\n(0.001 pixel)")
    panels[-1].set_xlabel(_TIME)
    text = (
        f"light of {curve.name}: {_told(dip) if dip.sure else 'no dip'}; the rest scatters by "
        f"{1e6 * scatter:.0f} ppm, errors say {1e6 * expected:.0f} ppm"
    )
    data = {
        "depth": dip.depth if dip.sure else None,
        "depth_error": dip.error if dip.sure else None,
        "middle": float(curve.times[0] + dip.middle) if dip.sure else None,
        "duration": dip.duration if dip.sure else None,
        "scatter": scatter,
        "expected": expected,
    }
    return picture_of(drawn, text, data)


def _told(dip: Dip) -> str:
    return (
        f"a dip of {100 * dip.depth:.3g} ± {100 * dip.error:.2g} % "
        f"over {dip.duration * 1440:.3g} minutes"
    )


def binned_scatter(
    phot: Sequence[Path], whtlt: Sequence[Path] = (), x1dints: Sequence[Path] = ()
) -> Picture:
    """Picture how the scatter falls when ever more integrations are averaged.

    White noise falls with the root of their number; what stays above that line is noise
    that is correlated in time, which no longer series averages out.

    Parameters
    ----------
    phot, whtlt, x1dints
        As for `light_curve`.

    Returns
    -------
    Picture
        With the excess over white noise at the largest bin in ``data``.

    Raises
    ------
    UsageError
        If there is none.
    """
    curve = _read(phot, whtlt, x1dints)
    residual = curve.relative - find_dip(curve).model
    sizes, scatter = binned(residual)
    white = scatter[0] / np.sqrt(sizes)
    expected = float(median(curve.relative_error)) / np.sqrt(sizes)
    drawn = figure(7.5, 4.4)
    axes = drawn.add_subplot()
    seconds = float(np.median(np.diff(curve.minutes))) * 60 if len(curve.times) > 1 else 0.0
    axes.loglog(sizes, 1e6 * scatter, "o-", ms=4, color=_BLUE, label="measured")
    axes.loglog(sizes, 1e6 * white, color=_ORANGE, label="if it were white")
    axes.loglog(sizes, 1e6 * expected, color=_GREY, ls="--", label="from the errors")
    axes.set(
        title=curve.name,
        xlabel=f"integrations averaged (of {seconds:.3g} s each)",
        ylabel="scatter of the means (ppm)",
    )
    axes.title.set_fontsize(9)
    _plain_logs(axes)
    axes.legend(fontsize=8)
    excess = float(scatter[-1] / white[-1]) if white[-1] > 0 else float("nan")
    text = (
        f"scatter of {curve.name}: {1e6 * scatter[0]:.0f} ppm of one integration, "
        f"{1e6 * scatter[-1]:.0f} ppm of {sizes[-1]}, {excess:.2f} of what white noise would be"
    )
    data = {"sizes": sizes.tolist(), "scatter": scatter.tolist(), "excess": excess}
    return picture_of(drawn, text, data)


def _plain_logs(axes: Axes) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(LogLocator(subs=(1.0, 1.5, 2.0, 3.0, 5.0, 7.0)))
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axis.set_minor_formatter(NullFormatter())


def flux_map(x1dints: Sequence[Path]) -> Picture:
    """Picture the flux by wavelength and time, each wavelength by its median over time.

    Parameters
    ----------
    x1dints
        Spectra of all integrations, of which the first are drawn.

    Returns
    -------
    Picture
        With the scatter of one integration's bin in ``data``, as a part of the flux.

    Raises
    ------
    UsageError
        If there is none, or fewer than two integrations.
    """
    series = read_series(first(x1dints, "series of spectra"))
    if len(series.times) < 2 or series.wavelength.size < 2:
        raise UsageError(series.name, "it is no series", "give spectra of many integrations")
    edges, values, width = _by_bins(series)
    minutes = (series.times - series.times[0]) * 1440
    steps = np.append(minutes, 2 * minutes[-1] - minutes[-2]) - (minutes[1] - minutes[0]) / 2
    drawn = figure(9, 4.8)
    top, axes = drawn.subplots(2, 1, sharex=True, height_ratios=(1, 3))
    mean = median(series.flux)
    top.plot(series.wavelength, mean, color=_BLUE, lw=0.9)
    top.set_ylabel(f"median\n({series.unit})")
    spread = 1.4826 * median(np.abs(values - median(values)))
    limit = _limit(values, spread)
    with np.errstate(invalid="ignore"):
        outside = int((np.abs(values) > _FAR * np.maximum(spread, limit / 2)).sum())
    shown = axes.pcolormesh(
        edges, steps, 100 * values, cmap="RdBu", vmin=-100 * limit, vmax=100 * limit
    )
    drawn.colorbar(shown, ax=[top, axes], label="flux by its median, less one (%)", extend="both")
    axes.set(xlabel="wavelength (µm)", ylabel="minutes")
    top.set_title(series.name, fontsize=9)
    typical = float(median(spread))
    text = (
        f"flux of {series.name} by wavelength and time: {len(edges) - 1} bins of {width} pixels, "
        f"{len(minutes)} integrations, scatter {100 * typical:.2g} % in each, {outside} "
        f"value{'' if outside == 1 else 's'} beyond {_FAR} times that"
    )
    data = {"bins": len(edges) - 1, "scatter": typical, "outside": outside}
    return picture_of(drawn, text, data)


def _limit(values: NDArray[np.float64], spread: NDArray[np.float64]) -> float:
    """Give the end of a scale on which changes of all wavelengths together show.

    The noise of the faint end would set it otherwise.
    """
    good = np.isfinite(spread) & (spread > 0)
    if not good.any():
        return 0.01
    weight = 1 / spread[good] ** 2
    together = np.nansum(values[:, good] * weight, axis=1) / weight.sum()
    quiet = float(np.percentile(spread[good], 25))
    return max(3 * quiet, 1.5 * float(np.abs(together).max()))


def _by_bins(
    series: Series,
) -> tuple[NDArray[np.float64], NDArray[np.float64], int]:
    """Give edges of bins of wavelength, the flux in them by its median less one, their width."""
    width = max(1, -(-series.wavelength.size // _BINS))
    firsts = np.arange(0, series.wavelength.size, width)
    good = np.isfinite(series.flux)
    sums = np.add.reduceat(np.where(good, series.flux, 0), firsts, axis=1)
    counts = np.add.reduceat(good.astype(int), firsts, axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = np.where(counts > 0, sums / counts, np.nan)
        values = mean / median(mean) - 1
    edges = np.append(series.wavelength[firsts], series.wavelength[-1])
    if edges[-1] <= edges[-2]:
        edges[-1] = edges[-2] + (edges[-2] - edges[-3] if len(edges) > 2 else 1e-3)
    return edges, values, width

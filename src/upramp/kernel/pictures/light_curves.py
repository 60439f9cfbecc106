"""Light curves: read from products, searched for a dip, and binned."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from upramp.errors import InputError

from .dispersed_images import median
from .spectral_files import read_series, same_exposure

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = [
    "Dip",
    "LightCurve",
    "binned",
    "find_dip",
    "read_photometry",
    "read_table",
    "read_white_light",
]

_WHITE: Final = "whitelight_flux"
_MOST: Final = 150
"""Points in which a dip is searched for: more are averaged before."""
_EDGES: Final = (0.05, 0.15, 0.3, 0.5)
"""Ingress as a part of the whole length."""
_SURE: Final = 5.0


@dataclass(frozen=True)
class LightCurve:
    """How bright something was in each integration.

    Parameters
    ----------
    name
        The product's file.
    times
        The middle of each integration, MJD in days.
    flux, error
        In the product's unit; the error is that which the product tells.
    unit
        Of both.
    place
        Where the source was found, columns and rows, if that is told.
    """

    name: str
    times: NDArray[np.float64]
    flux: NDArray[np.float64]
    error: NDArray[np.float64]
    unit: str
    place: tuple[NDArray[np.float64], NDArray[np.float64]] | None = None

    @property
    def minutes(self) -> NDArray[np.float64]:
        """The times, from the first."""
        return np.asarray((self.times - self.times[0]) * 1440)

    @property
    def relative(self) -> NDArray[np.float64]:
        """The flux by its median, less one."""
        return np.asarray(self.flux / median(self.flux) - 1)

    @property
    def relative_error(self) -> NDArray[np.float64]:
        """The error by the flux's median."""
        return np.asarray(self.error / abs(float(median(self.flux))))


@dataclass(frozen=True)
class Dip:
    """A dip with straight sides that was fitted to a light curve, on a straight trend.

    Parameters
    ----------
    depth, error
        As a part of the light before and after, and how well it is known: from the
        errors of the points, made larger where these scatter more.
    middle, duration
        In days since the first point; from where the light begins to fall to where it is
        back.
    model
        The fit at all points, less one.
    sure
        Whether there is a dip at all: its depth is more than five errors. Where it is
        not, the model is the trend alone.
    """

    depth: float
    error: float
    middle: float
    duration: float
    model: NDArray[np.float64]
    sure: bool


def read_photometry(path: Path) -> LightCurve:
    """Read the photometry of a series of images.

    Parameters
    ----------
    path
        The official table ``phot``.

    Raises
    ------
    InputError
        If it is none.
    """
    needed = ("MJD", "net_aperture_sum", "net_aperture_sum_err")
    table = read_table(path, needed, "phot")
    times, flux, error = (np.asarray(_plain(table[name]), np.float64) for name in needed)
    place = None
    if {"centroid_x", "centroid_y"} <= set(table.colnames):
        x, y = (
            np.asarray(_plain(table[name]), np.float64) for name in ("centroid_x", "centroid_y")
        )
        place = x, y
    unit = str(getattr(table["net_aperture_sum"], "unit", "") or "")
    return _checked(LightCurve(path.name, times, flux, error, unit, place))


def read_white_light(path: Path, spectra: Sequence[Path]) -> LightCurve:
    """Read a white-light curve, with the errors of the spectra that it is the sum of.

    Parameters
    ----------
    path
        The official table ``whtlt``.
    spectra
        Products ``x1dints``, with the one of the same name among them.

    Raises
    ------
    InputError
        If it is none, or its spectra are missing or are others.
    """
    table = read_table(path, ("MJD_UTC",), "whtlt")
    column = next((name for name in table.colnames if name.startswith(_WHITE)), None)
    if column is None:
        raise InputError(path, f"it has no column {_WHITE}", "give a product whtlt")
    source = same_exposure(path, spectra)
    if source is None:
        raise InputError(path, "its spectra are not there", "give its x1dints too")
    series = read_series(source)
    times, flux = (np.asarray(_plain(table[name]), np.float64) for name in ("MJD_UTC", column))
    if len(series.times) != len(times):
        raise InputError(
            path,
            f"it has {len(times)} integrations and its spectra {len(series.times)}",
            "give products of one run",
        )
    error = np.sqrt(np.nansum(np.where(np.isfinite(series.flux), series.error, 0) ** 2, axis=1))
    return _checked(LightCurve(path.name, times, flux, error, series.unit))


def read_table(path: Path, columns: Sequence[str], kind: str) -> Any:
    """Read an official table.

    Parameters
    ----------
    path
        Its file, in ECSV.
    columns
        What it must have.
    kind
        The kind of product that has them.

    Raises
    ------
    InputError
        If it is no table, or lacks a column.
    """
    from astropy.table import QTable

    try:
        table = QTable.read(path, format="ascii.ecsv")
    except (OSError, ValueError) as error:
        raise InputError(path, "it is no table in ECSV", "give a product of stage 3") from error
    if missing := [name for name in columns if name not in table.colnames]:
        raise InputError(path, f"it has no column {missing[0]}", f"give a product {kind}")
    return table


def _plain(column: Any) -> Any:
    values = getattr(column, "value", column)
    return np.ma.filled(values, np.nan) if np.ma.isMaskedArray(values) else values


def _checked(curve: LightCurve) -> LightCurve:
    good = np.isfinite(curve.times) & np.isfinite(curve.flux)
    middle = float(median(curve.flux)) if good.any() else 0.0
    if not good.any() or not middle:
        raise InputError(curve.name, "it holds no light", "look above for why")
    place = None if curve.place is None else (curve.place[0][good], curve.place[1][good])
    return LightCurve(
        curve.name, curve.times[good], curve.flux[good], curve.error[good], curve.unit, place
    )


def find_dip(curve: LightCurve) -> Dip:
    """Fit a dip with straight sides, on a straight trend, to a light curve.

    All middles, lengths and four steepnesses of the sides are tried; depth, level and trend
    follow from each by least squares.

    Parameters
    ----------
    curve
        The light curve.
    """
    days = curve.times - curve.times[0]
    flux, error = curve.relative, _usable(curve.relative_error)
    span = float(days[-1]) if len(days) > 1 and days[-1] > 0 else 1.0
    every = -(-len(days) // _MOST)
    best: tuple[float, tuple[float, float, float]] | None = None
    if len(days) >= 8:
        t, f, e = (_averaged(values, every) for values in (days, flux, error))
        e = e / np.sqrt(every)
        for edge in _EDGES:
            shapes, chi = _tried(t, f, e, edge, span)
            at = int(np.argmin(chi))
            if best is None or chi[at] < best[0]:
                best = float(chi[at]), (*shapes[at], edge)
    flat, _, alone = _solved(np.zeros((1, len(days))), days / span, flux, error)
    if best is None:
        return Dip(0.0, float("nan"), float("nan"), float("nan"), flat[0], sure=False)
    middle, duration, edge = best[1]
    shape = _dip(days, np.array([middle]), np.array([duration]), edge)
    model, (depth, variance), chi2 = _solved(shape, days / span, flux, error)
    points = max(len(days) - 6, 1)
    uncertainty = float(np.sqrt(variance[0] * max(float(chi2[0]) / points, 1.0)))
    sure = bool(
        depth[0] > _SURE * uncertainty
        and alone[0] - chi2[0] > _SURE**2 * max(float(chi2[0]) / points, 1.0)
    )
    return Dip(float(depth[0]), uncertainty, middle, duration, model[0] if sure else flat[0], sure)


def _usable(error: NDArray[np.float64]) -> NDArray[np.float64]:
    good = np.isfinite(error) & (error > 0)
    typical = float(np.median(error[good])) if good.any() else 1.0
    return np.where(good, error, typical)


def _averaged(values: NDArray[np.float64], every: int) -> NDArray[np.float64]:
    whole = len(values) // every * every
    return np.asarray(values[:whole].reshape(-1, every).mean(axis=1))


def _tried(
    t: NDArray[np.float64],
    flux: NDArray[np.float64],
    error: NDArray[np.float64],
    edge: float,
    span: float,
) -> tuple[list[tuple[float, float]], NDArray[np.float64]]:
    step = span / max(len(t) - 1, 1)
    middles = np.arange(t[0] + 2 * step, t[-1] - 1.5 * step, step / 2)
    lengths = np.geomspace(3 * step, 0.8 * span, 24)
    pairs = [(float(m), float(d)) for d in lengths for m in middles]
    if not pairs:
        return [(float(span / 2), float(span / 2))], np.array([np.inf])
    grid = np.array(pairs)
    _, (depth, _), chi2 = _solved(_dip(t, grid[:, 0], grid[:, 1], edge), t / span, flux, error)
    return pairs, np.where(depth > 0, chi2, np.inf)


def _dip(
    t: NDArray[np.float64], middle: NDArray[np.float64], duration: NDArray[np.float64], edge: float
) -> NDArray[np.float64]:
    """Give shapes of dips, 0 outside and -1 at the bottom."""
    away = np.abs(t[None] - middle[:, None])
    half = duration[:, None] / 2
    return -np.clip((half - away) / (edge * duration[:, None]), 0, 1)


def _solved(
    shapes: NDArray[np.float64],
    trend: NDArray[np.float64],
    flux: NDArray[np.float64],
    error: NDArray[np.float64],
) -> tuple[
    NDArray[np.float64],
    tuple[NDArray[np.float64], NDArray[np.float64]],
    NDArray[np.float64],
]:
    """Fit level, trend and depth for each shape: models, depth and its variance, chi squared."""
    count = len(shapes)
    rows = np.broadcast_to(np.stack([np.ones_like(trend), trend - 0.5]), (count, 2, len(trend)))
    parts = np.concatenate([rows, shapes[:, None, :]], axis=1) / error
    normal = parts @ parts.transpose(0, 2, 1)
    # A shape that no point lies on has no depth: the light's own scale keeps it from mattering.
    normal[:, 2, 2] += 1e-12 * normal[:, 0, 0] + 1e-300
    inverse = np.linalg.pinv(normal, hermitian=True)
    found = (inverse @ (parts @ (flux / error))[..., None])[..., 0]
    models = np.einsum("kp,kpn->kn", found, parts) * error
    chi2 = (((flux - models) / error) ** 2).sum(axis=1)
    level = 1 + found[:, 0]
    return models, (found[:, 2] / level, inverse[:, 2, 2] / level**2), chi2


def binned(residual: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Give the scatter of the means of ever more points in a row.

    Parameters
    ----------
    residual
        What a light curve has beside its model.

    Returns
    -------
    sizes
        Numbers of points; there are eight means of the largest, at least.
    scatter
        Standard deviation of their means.
    """
    largest = max(1, len(residual) // 8)
    sizes = np.unique(np.round(np.geomspace(1, largest, 24)).astype(np.int64))
    total = np.concatenate([[0.0], np.cumsum(residual)])
    # All means that can be made, overlapping: fewer accidents than of those side by side.
    scatter = [np.std((total[size:] - total[:-size]) / size) for size in sizes]
    return sizes, np.array(scatter)

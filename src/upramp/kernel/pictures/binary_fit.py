"""A companion in fringes: what it does to them, and where it fits them best.

A companion of a star at an offset multiplies nothing: it adds fringes of its own, late
by what the offset turns each baseline. Squared visibilities tell that it is there,
closure phases also on which side (Monnier 2003, Reports on Progress in Physics 66, 789).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from upramp.errors import InputError, UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    Float = NDArray[np.float64]

__all__ = ["Binary", "Fringes", "binary_pulls", "fit_binary", "map_of_places", "read_fringes"]

_ARCSEC: Final = np.pi / 180 / 3600
_CONTRASTS: Final = np.geomspace(1e-3, 1, 25)
"""Contrasts that are tried at each place, before the best are refined."""
_STARTS: Final = 4
_COARSE: Final = 41
_PAIRS: Final = ("VIS2DATA", "VIS2ERR", "UCOORD", "VCOORD")
_SIDES: Final = ("U1COORD", "V1COORD", "U2COORD", "V2COORD")
_TRIPLES: Final = ("T3PHI", "T3PHIERR", *_SIDES)


@dataclass(frozen=True)
class Fringes:
    """What a file of fringes says, what it flags left out.

    Parameters
    ----------
    target
        Whose they are.
    wavelength, band
        Metres.
    baselines
        (n, 2): u to the east and v to the north of each pair of holes, metres.
    squared, squared_error
        Squared visibility of each.
    triangles
        (m, 2, 2): u and v of the first two sides of each triangle of holes.
    phases, phase_errors
        Closure phase of each, degrees.
    holes
        How many holes there are.
    """

    target: str
    wavelength: float
    band: float
    baselines: Float = field(repr=False)
    squared: Float = field(repr=False)
    squared_errors: Float = field(repr=False)
    triangles: Float = field(repr=False)
    phases: Float = field(repr=False)
    phase_errors: Float = field(repr=False)
    holes: int

    @property
    def lengths(self) -> Float:
        """Length of each baseline, metres."""
        return np.asarray(np.hypot(self.baselines[:, 0], self.baselines[:, 1]))

    @property
    def longest(self) -> Float:
        """Length of the longest side of each triangle, metres."""
        third = self.triangles.sum(axis=1, keepdims=True)
        sides = np.concatenate([self.triangles, third], axis=1)
        return np.asarray(np.hypot(sides[..., 0], sides[..., 1]).max(axis=1))

    @property
    def redundancy(self) -> float:
        """How many times more closure phases there are than are independent of each other."""
        independent = (self.holes - 1) * (self.holes - 2) / 2
        return max(len(self.phases) / independent, 1.0) if independent > 0 else 1.0


@dataclass(frozen=True)
class Binary:
    """A companion that fits fringes.

    Parameters
    ----------
    east, north
        Where it is beside its star, arcseconds.
    contrast
        Its light over the star's.
    covariance
        Of these three. Where the fit is worse than the errors allow, it is larger by as much.
    chi_squared
        Of the fit, for each degree of freedom.
    alone
        The same for a star without a companion.
    """

    east: float
    north: float
    contrast: float
    covariance: Float = field(repr=False)
    chi_squared: float
    alone: float

    @property
    def separation(self) -> float:
        """Arcseconds."""
        return float(np.hypot(self.east, self.north))

    @property
    def angle(self) -> float:
        """Position angle, degrees east of north, from 0 to 360."""
        return float(np.degrees(np.arctan2(self.east, self.north)) % 360)

    @property
    def separation_error(self) -> float:
        """Standard deviation of the separation, arcseconds."""
        return self._error([self.east, self.north]) / self.separation

    @property
    def angle_error(self) -> float:
        """Standard deviation of the position angle, degrees."""
        return float(np.degrees(self._error([self.north, -self.east]) / self.separation**2))

    @property
    def contrast_error(self) -> float:
        """Standard deviation of the contrast."""
        return float(np.sqrt(self.covariance[2, 2]))

    def _error(self, direction: list[float]) -> float:
        along = np.array([*direction, 0.0])
        return float(np.sqrt(along @ self.covariance @ along))


def read_fringes(path: Path) -> Fringes:
    """Read squared visibilities and closure phases.

    Parameters
    ----------
    path
        An OIFITS file of one wavelength.

    Raises
    ------
    InputError
        If it is none, or holds nothing that is not flagged.
    """
    from astropy.io import fits

    try:
        with fits.open(path) as file:
            pairs = _usable(file["OI_VIS2"].data, _PAIRS, "VIS2ERR", _propagated(file))
            triples = _usable(file["OI_T3"].data, _TRIPLES, "T3PHIERR")
            wave = {
                name: float(file["OI_WAVELENGTH"].data[name][0])
                for name in ("EFF_WAVE", "EFF_BAND")
            }
            target = str(file["OI_TARGET"].data["TARGET"][0]).strip()
    except (OSError, LookupError, TypeError, ValueError) as error:
        raise InputError(
            path, "it is no file of fringes", "give a product of ami_analyze or ami_normalize"
        ) from error
    if not len(pairs["VIS2DATA"]) or not len(triples["T3PHI"]):
        raise InputError(
            path, "all of its fringes are flagged", "look at the images that they were fitted to"
        )
    stations = np.concatenate([pairs["STA_INDEX"], triples["STA_INDEX"]], axis=None)
    return Fringes(
        target,
        wave["EFF_WAVE"],
        wave["EFF_BAND"],
        np.stack([pairs["UCOORD"], pairs["VCOORD"]], axis=1),
        pairs["VIS2DATA"],
        pairs["VIS2ERR"],
        np.stack([triples[name] for name in _SIDES], axis=1).reshape(-1, 2, 2),
        triples["T3PHI"],
        triples["T3PHIERR"],
        len(np.unique(stations)),
    )


def _propagated(file: Any) -> Float | None:
    """Give the errors of squared visibilities that the errors of the visibilities make.

    The official step divides its own by the root of the number of integrations twice
    (jwst 3.0), those of the visibilities once.
    """
    if "OI_VIS" not in file or len(file["OI_VIS"].data) != len(file["OI_VIS2"].data):
        return None
    table = file["OI_VIS"].data
    if not np.array_equal(table["STA_INDEX"], file["OI_VIS2"].data["STA_INDEX"]):
        return None
    amplitudes = np.array(table["VISAMP"], np.float64)
    return np.asarray(2 * np.abs(amplitudes) * np.array(table["VISAMPERR"], np.float64))


def _usable(
    table: Any, names: tuple[str, ...], error: str, at_least: Float | None = None
) -> dict[str, Float]:
    """Give columns of a table in the machine's order, without rows that are flagged."""
    found = {name: np.array(table[name], np.float64) for name in (*names, "STA_INDEX")}
    if at_least is not None:
        found[error] = np.fmax(found[error], at_least)
    good = ~np.array(table["FLAG"], bool) & (found[error] > 0)
    for name in names:
        good &= np.isfinite(found[name])
    return {name: column[good] for name, column in found.items()}


def binary_pulls(fringes: Fringes, east: float, north: float, contrast: float) -> Float:
    """Give how far fringes are from those of a binary, in their errors.

    Closure phases share baselines: there are more of them than are independent, and
    each counts for less by as much.

    Parameters
    ----------
    fringes
        What was measured.
    east, north
        Where the companion is beside its star, arcseconds.
    contrast
        Its light over the star's.

    Returns
    -------
    numpy.ndarray
        Of all squared visibilities, and then of all closure phases.
    """
    one = np.array([[east, north]])
    squared, phases = _expected(fringes, one, np.array([contrast]))
    return np.concatenate(_pulls(fringes, squared[0, 0], phases[0, 0]), axis=-1)


def _pulls(fringes: Fringes, squared: Float, phases: Float) -> tuple[Float, Float]:
    turned = (fringes.phases - phases + 180) % 360 - 180
    return (
        (fringes.squared - squared) / fringes.squared_errors,
        turned / (fringes.phase_errors * np.sqrt(fringes.redundancy)),
    )


def _expected(fringes: Fringes, places: Float, contrasts: Float) -> tuple[Float, Float]:
    """Give squared visibilities and closure phases, (places, contrasts, baselines)."""

    def visibility(metres: Float) -> NDArray[np.complex128]:
        turns = places @ metres.T * (_ARCSEC / fringes.wavelength)
        companion = np.exp(-2j * np.pi * turns)[:, None, :] * contrasts[None, :, None]
        return np.asarray((1 + companion) / (1 + contrasts[None, :, None]))

    first, second = fringes.triangles[:, 0], fringes.triangles[:, 1]
    triple = visibility(first) * visibility(second) * np.conj(visibility(first + second))
    return np.abs(visibility(fringes.baselines)) ** 2, np.degrees(np.angle(triple))


def map_of_places(fringes: Fringes, field: float, points: int = 71) -> tuple[Float, Float, Float]:
    """Give how well a companion fits at each place, with the contrast that fits best there.

    Parameters
    ----------
    fringes
        What was measured.
    field
        Half the side of the map, arcseconds.
    points
        Places along each side.

    Returns
    -------
    offsets : (points,)
        Of the places from the star, arcseconds: rows to the north, columns to the east.
    chi_squared : (points, points)
        For each degree of freedom.
    contrast : (points, points)
        The best of those that were tried.

    Raises
    ------
    UsageError
        If the map has no side, or no places.
    """
    if not field > 0 or points < 2:
        raise UsageError("field", f"it cannot be {field} with {points} points", "give more")
    offsets = np.linspace(-field, field, points)
    east, north = np.meshgrid(offsets, offsets)
    found = np.empty((points, points))
    best = np.empty((points, points))
    for row in range(points):
        places = np.stack([east[row], north[row]], axis=1)
        pulls = _pulls(fringes, *_expected(fringes, places, _CONTRASTS))
        total = sum(np.sum(one**2, axis=-1) for one in pulls)
        found[row] = np.min(total, axis=1)
        best[row] = _CONTRASTS[np.argmin(total, axis=1)]
    return offsets, found / _freedom(fringes), best


def _freedom(fringes: Fringes) -> float:
    return max(len(fringes.squared) + len(fringes.phases) / fringes.redundancy - 3, 1.0)


def fit_binary(fringes: Fringes, field: float = 0.35) -> Binary:
    """Fit a companion to fringes, wherever it is in a field.

    Parameters
    ----------
    fringes
        What was measured.
    field
        Half the side of the square in which it is looked for, arcseconds.

    Returns
    -------
    Binary
        The best.
    """
    from scipy.optimize import least_squares

    offsets, chi, contrast = map_of_places(fringes, field, _COARSE)
    fits = []
    # The same fringes come of a companion that outshines its star, on the other side.
    limits = (-2 * field, -2 * field, 0.0), (2 * field, 2 * field, 1.0)
    for row, column in _lowest(chi):
        start = (offsets[column], offsets[row], min(contrast[row, column], 0.99))
        fits.append(
            least_squares(
                lambda at: binary_pulls(fringes, *at), start, bounds=limits, x_scale="jac"
            )
        )
    best = min(fits, key=lambda fit: float(fit.cost))
    chi_squared = 2 * float(best.cost) / _freedom(fringes)
    # A flat direction has no error that could be told: it is as wide as need be.
    covariance = np.linalg.pinv(best.jac.T @ best.jac) * max(chi_squared, 1.0)
    alone = float(np.sum(binary_pulls(fringes, 0.0, 0.0, 0.0) ** 2))
    east, north, light = (float(one) for one in best.x)
    return Binary(east, north, light, covariance, chi_squared, alone / (_freedom(fringes) + 3))


def _lowest(chi: Float) -> list[tuple[int, int]]:
    """Give the places of the lowest minima of a map."""
    from scipy.ndimage import minimum_filter

    minima = np.argwhere(chi == minimum_filter(chi, 5))
    order = np.argsort(chi[tuple(minima.T)])[:_STARTS]
    return [(int(row), int(column)) for row, column in minima[order]]

"""How far rates are from the true ones, and whether their errors say so."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from upramp.dq import PIXEL

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["CLASSES", "FLUX_EDGES", "Rates", "compare_scatter", "robust_width", "summarize"]

FLUX_EDGES: Final = (0, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100, 300, 1000, 3000, 10000)
"""Bins of the true rate, DN/s; the lower edge belongs to a bin."""

CLASSES: Final = {
    "clean": "no flag in the rate's DQ, and no event left charge in the pixel",
    "jump": "JUMP_DET and no other flag in the rate's DQ, whether an event was there or not",
    "jump_hit": "those of class jump where an event left charge in the pixel",
    "jump_quiet": "those of class jump where none did in the pixel: neighbours, false alarms",
    "unnoticed": "an event left charge in the pixel, and the rate's DQ has no flag",
}
"""Which pixels are looked at apart from one another."""

_DARK: Final = 0.01
"""DN/s below which a bias is not given as a part of the rate."""
_NORMAL: Final = 1.4826
"""Standard deviation of a normal distribution over its median absolute deviation."""
_MEDIAN: Final = 1.2533
"""Error of the median over that of the mean, for a normal distribution."""


@dataclass(frozen=True)
class Rates:
    """Measured rates beside the true ones, DN/s; all arrays of one shape.

    Parameters
    ----------
    rate, error
        SCI and ERR of a rate product.
    dq
        Its DQ.
    true
        What the sky really shone.
    hit
        Where an event left charge in any group.
    light
        Which pixels see light: all but reference pixels.
    """

    rate: NDArray[np.floating[Any]]
    error: NDArray[np.floating[Any]]
    dq: NDArray[np.uint32]
    true: NDArray[np.floating[Any]]
    hit: NDArray[np.bool_]
    light: NDArray[np.bool_]

    @classmethod
    def join(cls, parts: Sequence[Rates]) -> Rates:
        """Put the pixels of several exposures together.

        Parameters
        ----------
        parts
            One for each exposure.
        """
        return cls(
            *(
                np.concatenate([getattr(part, name).ravel() for part in parts])
                for name in cls.__dataclass_fields__
            )
        )

    def of_class(self, name: str) -> NDArray[np.bool_]:
        """Give the pixels of a class that have a rate and an error.

        Parameters
        ----------
        name
            One of `CLASSES`.
        """
        valued = self.light & np.isfinite(self.rate) & np.isfinite(self.error) & (self.error > 0)
        unflagged = valued & (self.dq == 0)
        jump = valued & (self.dq == PIXEL["JUMP_DET"])
        classes: dict[str, NDArray[np.bool_]] = {
            "clean": unflagged & ~self.hit,
            "jump": jump,
            "jump_hit": jump & self.hit,
            "jump_quiet": jump & ~self.hit,
            "unnoticed": unflagged & self.hit,
        }
        return classes[name]


def robust_width(values: NDArray[np.floating[Any]]) -> float:
    """Give the standard deviation that a normal distribution of the same quartiles has.

    Parameters
    ----------
    values
        At least one.

    Returns
    -------
    float
        1.4826 times the median distance from the median (NMAD).
    """
    values = np.asarray(values, np.float64)
    return float(_NORMAL * np.median(np.abs(values - np.median(values))))


def summarize(
    rates: Rates, chosen: NDArray[np.bool_], edges: Sequence[float] = FLUX_EDGES
) -> list[dict[str, Any]]:
    """Describe errors and pulls, by true rate; last for all rates together.

    Parameters
    ----------
    rates
        Measured and true.
    chosen
        Which pixels; they must have rates, and errors above zero.
    edges
        Of the bins, DN/s.

    Returns
    -------
    list of dict
        Of each bin that holds pixels: ``low``, ``high`` (DN/s), ``pixels``,
        ``true`` (median, DN/s), ``bias`` (median of measured minus true,
        DN/s), ``bias_percent`` (of the median true rate, unless that is about
        zero), ``scatter`` (NMAD of measured minus true, DN/s), ``error``
        (median of the errors, DN/s),
        ``pull`` (median of measured minus true over error), ``pull_error``
        (its standard error), ``pull_width`` (NMAD of the same),
        ``beyond_3``, ``beyond_5`` (fractions of pulls farther than that from
        zero), and ``above_5`` (fraction of pulls above 5).
    """
    true = np.asarray(rates.true[chosen], np.float64)
    error = np.asarray(rates.error[chosen], np.float64)
    difference = np.asarray(rates.rate[chosen], np.float64) - true
    places = np.digitize(true, edges) - 1
    found = []
    for k, (low, high) in enumerate(pairwise(edges)):
        inside = places == k
        if inside.any():
            found.append(_describe(low, high, true[inside], difference[inside], error[inside]))
    if len(true):
        found.append(_describe(None, None, true, difference, error))
    return found


def _describe(
    low: float | None,
    high: float | None,
    true: NDArray[np.float64],
    difference: NDArray[np.float64],
    error: NDArray[np.float64],
) -> dict[str, Any]:
    pulls = difference / error
    far = np.abs(pulls)
    level, bias, width = float(np.median(true)), float(np.median(difference)), robust_width(pulls)
    return {
        "low": low,
        "high": high,
        "pixels": len(true),
        "true": level,
        "bias": bias,
        "bias_percent": 100 * bias / level if level >= _DARK else None,
        "scatter": robust_width(difference),
        "error": float(np.median(error)),
        "pull": float(np.median(pulls)),
        "pull_error": _MEDIAN * width / np.sqrt(len(true)),
        "pull_width": width,
        "beyond_3": float((far > 3).mean()),
        "beyond_5": float((far > 5).mean()),
        "above_5": float((pulls > 5).mean()),
    }


def compare_scatter(
    one: Rates, other: Rates, name: str = "clean", edges: Sequence[float] = FLUX_EDGES
) -> list[dict[str, Any]]:
    """Compare how much two ways to measure scatter around the truth, in pixels that both have.

    Parameters
    ----------
    one, other
        The same pixels, measured in two ways.
    name
        The class that a pixel must have in both.
    edges
        Of the bins of the true rate, DN/s.

    Returns
    -------
    list of dict
        Of each bin that holds 100 pixels at least: ``low``, ``high``,
        ``pixels``, ``scatter`` (NMAD of measured minus true, the second over
        the first) and ``error`` (median ERR, the second over the first).
    """
    both = one.of_class(name) & other.of_class(name)
    true = np.asarray(one.true[both], np.float64)
    first, second = ((np.asarray(r.rate[both], np.float64) - true) for r in (one, other))
    errors = one.error[both], other.error[both]
    places = np.digitize(true, edges) - 1
    found = []
    for k, (low, high) in enumerate(pairwise(edges)):
        inside = places == k
        if inside.sum() >= 100:
            found.append(
                {
                    "low": low,
                    "high": high,
                    "pixels": int(inside.sum()),
                    "scatter": robust_width(second[inside]) / robust_width(first[inside]),
                    "error": float(np.median(errors[1][inside]) / np.median(errors[0][inside])),
                }
            )
    return found

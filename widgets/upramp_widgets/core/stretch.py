"""From values to colours: limits, stretches and the distribution they come from.

The browser stretches by the same functions; `stretched` is what a picture
without a browser uses, and what the browser is tested against.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from upramp.errors import UsageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["STRETCHES", "Distribution", "Limits", "distribution", "stretched"]

STRETCHES: Final = ("linear", "sqrt", "log", "asinh", "equalised")
"""How values between the limits become colours."""

Limits = tuple[float, float]

_LOG: Final = 1000.0
_ASINH: Final = 10.0
_QUANTILES: Final = 129
_BINS: Final = 96


@dataclass(frozen=True)
class Distribution:
    """How the finite values of a sample are distributed.

    Parameters
    ----------
    ordered
        Its finite values in ascending order, float64; may be empty.
    """

    ordered: NDArray[np.float64]

    def percentile(self, low: float = 0.5, high: float = 99.5) -> Limits:
        """Give limits that leave out the outermost values.

        Parameters
        ----------
        low, high
            Percentiles, 0 to 100.

        Returns
        -------
        tuple of float
            Lower and upper limit, never equal; (0, 1) if nothing is finite.
        """
        if not 0 <= low < high <= 100:
            raise UsageError(
                "limits", f"percentiles {low} and {high} are no range", "give 0 <= low < high"
            )
        if not self.ordered.size:
            return (0.0, 1.0)
        ends = np.quantile(self.ordered, (low / 100, high / 100))
        return _apart(float(ends[0]), float(ends[1]))

    def zscale(self, contrast: float = 0.25) -> Limits:
        """Give limits about the background, as IRAF's zscale does.

        A line is fitted to the ordered sample, without outliers; its slope
        divided by the contrast gives the range about the median.

        Parameters
        ----------
        contrast
            Between 0 and 1; the smaller, the wider the range.

        Notes
        -----
        Source: the description of ``zscale`` in IRAF's help page of the task
        ``display``.
        """
        values = self.ordered
        count = values.size
        if count < 5:
            return self.percentile(0, 100)
        position = np.arange(count) - (count - 1) / 2
        good = np.ones(count, dtype=bool)
        slope, height = 0.0, float(np.median(values))
        for _ in range(5):
            slope, height = np.polyfit(position[good], values[good], 1)
            residual = values - (height + slope * position)
            spread = float(residual[good].std())
            kept = np.abs(residual) <= 2.5 * spread
            if kept.sum() < max(5, count // 2):
                return self.percentile(0, 100)
            if spread == 0 or (kept == good).all():
                break
            good = kept
        middle = float(np.median(values))
        reach = slope / contrast * (count - 1) / 2
        low = max(float(values[0]), middle - reach)
        high = min(float(values[-1]), middle + reach)
        return _apart(low, high)

    def limits(self, how: str) -> Limits:
        """Give limits by the name of the way.

        Parameters
        ----------
        how
            ``percentile``, ``zscale`` or ``minmax``.
        """
        if how == "percentile":
            return self.percentile()
        if how == "zscale":
            return self.zscale()
        if how == "minmax":
            return self.percentile(0, 100)
        raise UsageError(
            "limits", f"there is no way {how!r}", "give 'percentile', 'zscale' or 'minmax'"
        )

    def centre_and_scale(self) -> tuple[float, float]:
        """Give the median and a robust standard deviation, the latter positive."""
        if not self.ordered.size:
            return 0.0, 1.0
        q = np.quantile(self.ordered, (0.1587, 0.5, 0.8413))
        centre = float(q[1])
        scale = float(q[2] - q[0]) / 2
        if scale <= 0:  # most values are the same
            scale = float(self.ordered[-1] - self.ordered[0]) / 1000
        smallest = max(abs(centre) * 1e-7, 1e-30)  # what a float32 can tell apart
        return centre, max(scale, smallest)

    def quantiles(self) -> NDArray[np.float64]:
        """Give evenly spaced quantiles, which the stretch ``equalised`` follows."""
        if not self.ordered.size:
            return np.linspace(0.0, 1.0, _QUANTILES)
        return np.quantile(self.ordered, np.linspace(0, 1, _QUANTILES))

    def histogram(self) -> tuple[float, float, list[int]]:
        """Give the lower and upper end of a histogram, and its counts.

        Its range leaves out the most outlying values, but not the tails that
        limits are drawn into.
        """
        if not self.ordered.size:
            return 0.0, 1.0, [0] * _BINS
        inner = self.percentile()
        outer = self.percentile(0, 100)
        room = inner[1] - inner[0]
        low = max(outer[0] - room * 0.08, inner[0] - room * 0.5)
        high = min(outer[1] + room * 0.08, inner[1] + room * 0.5)
        counts, _ = np.histogram(self.ordered, bins=_BINS, range=(low, high))
        return low, high, counts.tolist()


def distribution(sample: NDArray[Any]) -> Distribution:
    """Describe how a sample is distributed.

    Parameters
    ----------
    sample
        Of any shape; NaN and infinities are left out.
    """
    values = np.asarray(sample, dtype=np.float64).ravel()
    values = values[np.isfinite(values)]
    values.sort()
    return Distribution(values)


def stretched(
    values: NDArray[Any],
    limits: Limits,
    stretch: str = "linear",
    quantiles: NDArray[Any] | None = None,
) -> NDArray[np.float64]:
    """Bring values between the limits to 0 to 1.

    Parameters
    ----------
    values
        Of any shape.
    limits
        Values that become 0 and 1. If the lower is not below the upper, what
        is below the upper becomes 0 and the rest 1.
    stretch
        One of `STRETCHES`.
    quantiles
        What ``equalised`` follows, from `Distribution.quantiles`.

    Returns
    -------
    ndarray
        0 to 1, of the same shape; NaN stays NaN.

    Raises
    ------
    UsageError
        If there is no such stretch, or nothing to equalise by.
    """
    if stretch not in STRETCHES:
        raise UsageError("stretch", f"there is no {stretch!r}", f"give one of {STRETCHES}")
    values = np.asarray(values, dtype=np.float64)
    low, high = limits
    if not low < high:
        return np.where(np.isnan(values), np.nan, (values >= high).astype(np.float64))
    if stretch == "equalised":
        if quantiles is None:
            raise UsageError("stretch", "nothing to equalise by", "give quantiles=")
        return _equalised(values, limits, np.asarray(quantiles, dtype=np.float64))
    share = np.clip((values - low) / (high - low), 0.0, 1.0)
    if stretch == "sqrt":
        share = np.sqrt(share)
    elif stretch == "log":
        share = np.log1p(_LOG * share) / np.log1p(_LOG)
    elif stretch == "asinh":
        share = np.arcsinh(_ASINH * share) / np.arcsinh(_ASINH)
    return share


def _equalised(
    values: NDArray[np.float64], limits: Limits, quantiles: NDArray[np.float64]
) -> NDArray[np.float64]:
    ranks = np.linspace(0.0, 1.0, quantiles.size)
    below, above = np.interp(limits, quantiles, ranks)
    if not below < above:
        return stretched(values, limits, "linear")
    rank = np.interp(np.clip(values, *limits), quantiles, ranks)
    rank[np.isnan(values)] = np.nan
    return (rank - below) / (above - below)


def _apart(low: float, high: float) -> Limits:
    if low < high:
        return low, high
    # All the same: in the middle of a range of its own size.
    half = max(abs(low) * 0.01, 0.5)
    return low - half, low + half

"""What lies within some standard deviations of the centre of a distribution, by its ranks.

Only whether a value lies beyond a bound comes out of that, so sums need not be
made in the official order: where a value lies so close to a bound that rounding
decides, nothing is said, and everything is to be done again as numpy does it.

Source: jwst/clean_flicker_noise/background_level.py, astropy/stats/sigma_clipping.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from .ranked import Ranked

__all__ = ["ITERATIONS", "SIGMA", "kept_ranks", "median_of_two"]

SIGMA: Final = 3.0
"""Standard deviations beyond which values are clipped before centre and spread are measured."""

ITERATIONS: Final = 5
_EPS: Final = float(np.finfo(np.float64).eps)
_SUMS: Final = 2e-12
"""Twice what the rounding of sums of terms of one sign comes to, here or officially."""


def kept_ranks(
    ranked: Ranked, lower: float, upper: float, *, lower_half: bool
) -> tuple[int, int] | None:
    """Tell which of an image's values are neither signal nor bad.

    Parameters
    ----------
    ranked
        The values; nothing is said if one of them is infinite or NaN.
    lower, upper
        How many standard deviations below and above the centre are kept.
    lower_half
        Whether centre and spread are those of the values up to the median,
        mirrored there.

    Returns
    -------
    start, end : int
        The first rank kept, and the one after the last; None if rounding decides.
    """
    if not (np.isfinite(ranked.smallest) and np.isfinite(ranked.largest)):
        return None
    spread = _Whole(ranked)
    if not spread.clip():
        return None
    if lower_half:
        spread = _Mirrored(ranked, spread.median())
        if not spread.clip():
            return None
    measured = spread.deviation()
    if measured is None:
        return None
    centre, (sigma, doubt) = spread.median(), measured
    start = _sure(ranked.below, centre - lower * sigma, lower * doubt, spread.size)
    end = _sure(ranked.up_to, centre + upper * sigma, upper * doubt, spread.size)
    if start is None or end is None or start >= end:
        return None
    return start, end


def _sure(count: Any, bound: float, doubt: float, size: float) -> int | None:
    """Count values below a bound that is known roughly; None if it matters how roughly."""
    doubt += 8 * _EPS * (abs(bound) + size)
    fewest, most = count(bound - doubt), count(bound + doubt)
    return int(fewest) if fewest == most else None


class _Whole:
    """A distribution that is being clipped."""

    def __init__(self, ranked: Ranked) -> None:
        self.ranked = ranked
        self.start, self.end = 0, len(ranked)
        # How numbers of this size are rounded bounds what differences may be wrong by.
        self.size = ranked.size(0, self.end)

    def clip(self) -> bool:
        """Clip repeatedly; tell whether it is sure what is left."""
        for _ in range(ITERATIONS):
            measured = self.deviation()
            if measured is None:
                return False
            median, (sigma, doubt) = self.median(), measured
            reach, doubt = sigma * SIGMA, doubt * SIGMA
            changed = self.narrow(median - reach, median + reach, doubt)
            if changed is None:
                return False
            if not changed:
                break
        return True

    def median(self) -> float:
        count = self.end - self.start
        middle = self.start + count // 2
        if count % 2:
            return float(self.ranked.value(middle))
        return (float(self.ranked.value(middle - 1)) + float(self.ranked.value(middle))) / 2

    def narrow(self, low: float, high: float, doubt: float) -> bool | None:
        """Keep what lies between two bounds; tell whether that is less than before."""
        start = _sure(self.ranked.below, low, doubt, self.size)
        end = _sure(self.ranked.up_to, high, doubt, self.size)
        if start is None or end is None:
            return None
        start, end = max(start, self.start), min(end, self.end)
        changed = (start, end) != (self.start, self.end)
        self.start, self.end = start, end
        return changed if start < end else None

    def deviation(self) -> tuple[float, float] | None:
        """Give the standard deviation, and by how much it may be wrong."""
        count = self.end - self.start
        first, second, terms = self.ranked.moments(self.start, self.end, self.median())
        size = self.ranked.size(self.start, self.end)
        return _deviation(count, first, second, terms, size)


class _Mirrored(_Whole):
    """The values up to a centre, and the same values mirrored there.

    The official steps from a value to what is clipped, ``(x - c) + c`` and
    ``(c - x) + c``, round: by less than what `_sure` allows for.
    """

    def __init__(self, ranked: Ranked, centre: float) -> None:
        super().__init__(ranked)
        self.size += abs(centre)
        self.centre = centre
        self.end = ranked.up_to(centre)
        self.start_above = 0

    def _at(self, rank: int) -> float:
        left = self.end - self.start
        if rank < left:
            return (float(self.ranked.value(self.start + rank)) - self.centre) + self.centre
        value = float(self.ranked.value(self.end - 1 - (rank - left)))
        return (self.centre - value) + self.centre

    def median(self) -> float:
        count = 2 * self.end - self.start - self.start_above
        if count % 2:
            return self._at(count // 2)
        return (self._at(count // 2 - 1) + self._at(count // 2)) / 2

    def narrow(self, low: float, high: float, doubt: float) -> bool | None:
        start = _sure(self.ranked.below, low, doubt, self.size)
        above = _sure(self.ranked.below, 2 * self.centre - high, doubt, self.size)
        if start is None or above is None:
            return None
        start, above = max(start, self.start), max(above, self.start_above)
        changed = (start, above) != (self.start, self.start_above)
        self.start, self.start_above = start, above
        return changed if max(start, above) < self.end else None

    def deviation(self) -> tuple[float, float] | None:
        count = 2 * self.end - self.start - self.start_above
        if self.start >= self.end or self.start_above >= self.end:
            return None
        below = self.ranked.moments(self.start, self.end, self.centre)
        above = below
        if self.start_above != self.start:
            above = self.ranked.moments(self.start_above, self.end, self.centre)
        start = min(self.start, self.start_above)
        size = self.ranked.size(start, self.end) + abs(self.centre)
        return _deviation(
            count, below[0] - above[0], below[1] + above[1], below[2] + above[2], size
        )


def _deviation(
    count: int, first: float, second: float, terms: float, size: float
) -> tuple[float, float] | None:
    """Give a standard deviation, and how far it may be from the official one."""
    variance = second / count - (first / count) ** 2
    if not variance > 0:
        return None
    sigma = float(np.sqrt(variance))
    rounding = size * _EPS / sigma
    relative = _SUMS * terms / count / variance + 16 * rounding + (64 * rounding) ** 2
    return sigma, sigma * relative


def median_of_two(ranked: Ranked, start: int, end: int) -> np.float32:
    """Compute the median of a range of values, in single precision.

    Parameters
    ----------
    ranked
        The values.
    start, end
        The first rank, and the one after the last.
    """
    middle = start + (end - start) // 2
    if (end - start) % 2:
        return ranked.value(middle)
    with np.errstate(over="ignore", invalid="ignore"):
        return np.float32((ranked.value(middle - 1) + ranked.value(middle)) / np.float32(2))

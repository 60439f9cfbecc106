"""Medians and clipped means of many float32 numbers, with the bits of numpy and astropy.

Source: numpy.median; astropy.stats.sigma_clipped_stats without an axis, which
medians, standard deviations and means of numpy make up.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from .kernels import array, const, f4, f8, i8, inner, kernel
from .refpix_means import pairwise_sum

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["clipped_means_of_groups", "median"]

_ITERATIONS: Final = 5
_SIGMA: Final = 3.0
_HALF: Final = 1 << 16
_DIGIT: Final = 1 << 11  # three digits make a key


@inner
def _key(bits: Any) -> Any:
    """Turn a float32's bits into a whole number of the same order."""
    if bits >> np.uint32(31):
        return ~bits
    return bits | np.uint32(1 << 31)


@inner
def _bits(key: Any) -> Any:
    if key >> np.uint32(31):
        return key & np.uint32((1 << 31) - 1)
    return ~key


@kernel(const(f4, 1), array(f4, 1))
def _middle(values: Any, found: Any) -> None:
    """Find both middle values (the same one twice for an odd number); NaN if any is NaN."""
    n = values.size
    bits = values.view(np.uint32)
    counts = np.zeros(_HALF, np.int64)
    nans = 0
    for k in range(n):
        nans += values[k] != values[k]
        counts[_key(bits[k]) >> np.uint32(16)] += 1
    if nans or n == 0:
        found[:] = np.nan
        return
    out = found.view(np.uint32)
    finer = np.zeros(_HALF, np.int64)
    before = -1
    for which in range(2):
        rank = (n - 1) // 2 if which == 0 else n // 2
        upper = 0
        while rank >= counts[upper]:
            rank -= counts[upper]
            upper += 1
        if upper != before:
            finer[:] = 0
            for k in range(n):
                key = _key(bits[k])
                if np.int64(key >> np.uint32(16)) == upper:
                    finer[key & np.uint32(_HALF - 1)] += 1
            before = upper
        lower = 0
        while rank >= finer[lower]:
            rank -= finer[lower]
            lower += 1
        out[which] = _bits(np.uint32((upper << 16) | lower))


def median(values: NDArray[np.float32]) -> np.float32:
    """Median; NaN if there is a NaN, or nothing.

    Parameters
    ----------
    values
        float32, contiguous, of any shape.
    """
    found = np.empty(2, np.float32)
    _middle(values.reshape(-1), found)
    zero = np.float32(0)  # what numpy begins its mean with: it makes 0 of -0
    if values.size % 2:
        return np.float32(zero + found[0])
    with np.errstate(all="ignore"):
        return np.float32((zero + found[0] + found[1]) / np.float32(2))


@inner
def _sort(keys: Any, spare: Any, counts: Any, n: Any) -> None:
    """Sort whole numbers digit by digit."""
    for d in range(3):
        for k in range(_DIGIT):
            counts[d, k] = 0
    mask = np.uint32(_DIGIT - 1)
    for k in range(n):
        key = keys[k]
        counts[0, key & mask] += 1
        counts[1, (key >> np.uint32(11)) & mask] += 1
        counts[2, key >> np.uint32(22)] += 1
    for d in range(3):
        begin = 0
        for k in range(_DIGIT):
            size = counts[d, k]
            counts[d, k] = begin
            begin += size
        shift = np.uint32(11 * d)
        for k in range(n):
            key = keys[k]
            digit = (key >> shift) & mask
            spare[counts[d, digit]] = key
            counts[d, digit] += 1
        for k in range(n):
            keys[k] = spare[k]


@inner
def _clipped_mean(values: Any, squares: Any, ranked: Any, n: Any) -> Any:
    """Mean of what is left; ``values`` in their order and ``ranked`` by size are the same."""
    begin, end = 0, n
    for _ in range(_ITERATIONS):
        if n == 0:
            break
        middle = begin + n // 2
        centre = np.float64(ranked[middle])
        if n % 2 == 0:
            centre = (np.float64(ranked[middle - 1]) + centre) / 2.0
        mean = (0.0 + pairwise_sum(values, n)) / n
        for k in range(n):
            off = values[k] - mean
            squares[k] = off * off
        reach = np.sqrt((0.0 + pairwise_sum(squares, n)) / n) * _SIGMA
        low = centre - reach
        high = centre + reach
        kept = 0
        for k in range(n):
            value = values[k]
            values[kept] = value
            kept += value >= low and value <= high
        if kept == n:
            break
        while begin < end and not np.float64(ranked[begin]) >= low:
            begin += 1
        while begin < end and not np.float64(ranked[end - 1]) <= high:
            end -= 1
        n = kept
    return (0.0 + pairwise_sum(values, n)) / n if n else np.nan


@kernel(const(f4, 1), const(i8, 1), array(f8, 1), i8, i8)
def _means_of_groups(values: Any, edges: Any, means: Any, first: Any, last: Any) -> None:
    most = 0
    for b in range(first, last):
        most = max(most, edges[b + 1] - edges[b])
    chosen = np.empty(most, np.float64)
    squares = np.empty(most, np.float64)
    ranked = np.empty(most, np.float32)
    keys = ranked.view(np.uint32)
    spare = np.empty(most, np.uint32)
    counts = np.empty((3, _DIGIT), np.int64)
    for b in range(first, last):
        n = 0
        for k in range(edges[b], edges[b + 1]):
            value = values[k]
            if np.isfinite(value):
                chosen[n] = np.float64(value)
                ranked[n] = value
                n += 1
        for k in range(n):
            keys[k] = _key(keys[k])
        _sort(keys, spare, counts, n)
        for k in range(n):
            keys[k] = _bits(keys[k])
        means[b] = _clipped_mean(chosen, squares, ranked, n)


def clipped_means_of_groups(
    values: NDArray[np.float32],
    edges: NDArray[np.int64],
    means: NDArray[np.float64],
    first: int,
    last: int,
) -> None:
    """Average each group of values but for outliers: sigma clipping about the median.

    Parameters
    ----------
    values
        float32: one group after the other; what is not finite does not count.
    edges
        Where each group begins, and where the last one ends.
    means
        float64: the result, NaN for a group without a value.
    first, last
        Which groups.
    """
    _means_of_groups(values, edges, means, first, last)

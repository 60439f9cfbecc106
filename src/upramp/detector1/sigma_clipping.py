"""Sigma clipping about the median, bit for bit as astropy's compiled code does it.

Source: ``astropy/stats/src/compute_bounds.c`` and ``wirth_select.c`` (astropy
8.0). Selecting a median changes the order of the samples, and the mean is
summed in that order: so the same selection (N. Wirth, Algorithms + data
structures = programs, 1976) has to be made, with the upper of two middle ranks
first.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from upramp.detector1.kernels import inner

__all__ = ["clipping_bounds"]


@inner
def _select(values: Any, n: Any, rank: Any) -> Any:
    low, high = 0, n - 1
    while low < high:
        pivot = values[rank]
        i, j = low, high
        while True:
            while values[i] < pivot:
                i += 1
            while pivot < values[j]:
                j -= 1
            if i <= j:
                values[i], values[j] = values[j], values[i]
                i += 1
                j -= 1
            if i > j:
                break
        if j < rank:
            low = i
        if rank < i:
            high = j
    return values[rank]


@inner
def _median(values: Any, n: Any) -> Any:
    if n % 2:
        return _select(values, n, n // 2)
    upper = _select(values, n, n // 2)
    return 0.5 * (upper + _select(values, n, n // 2 - 1))


@inner
def clipping_bounds(values: Any, n: Any, sigma: Any, iterations: Any) -> Any:
    """Compute the bounds outside of which samples are clipped.

    Parameters
    ----------
    values
        float64: the samples first, which must be finite; they are lost.
    n
        How many.
    sigma
        How many standard deviations from the median are kept.
    iterations
        At most so many times.

    Returns
    -------
    low, high : float
        NaN if there is no sample.
    """
    low = high = np.nan
    if n == 0:
        return low, high
    for _ in range(max(iterations, 1)):
        median = _median(values, n)
        mean = 0.0
        for k in range(n):
            mean += values[k]
        mean /= n
        variance = 0.0
        for k in range(n):
            variance += (values[k] - mean) * (values[k] - mean)
        deviation = np.sqrt(variance / n)
        low = median - sigma * deviation
        high = median + sigma * deviation
        kept = 0
        for k in range(n):
            if values[k] >= low and values[k] <= high:
                values[kept] = values[k]
                kept += 1
        if kept in (0, n):
            break
        n = kept
    return low, high

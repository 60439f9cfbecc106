"""Sigma clipping about the median, bit for bit as astropy's compiled code does it.

Source: ``astropy/stats/src/compute_bounds.c`` and ``wirth_select.c`` (astropy
8.0). Selecting a median changes the order of the samples, and the mean is
summed in that order: so the same selection (N. Wirth, Algorithms + data
structures = programs, 1976) has to be made, with the upper of two middle ranks
first.

Most pixels do not need that: to know what is clipped it is enough to know the
median roughly, if no sample is near the bounds. Many pixels are looked at so
side by side.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from upramp.detector1.kernels import inner

__all__ = ["bounds_of_columns", "clipping_bounds"]

_LARGEST: Final = float(np.finfo(np.float64).max)
_NEAR: Final = 0.25  # how close to the mean a median must be, in standard deviations
_MOST: Final = 32767  # samples that can be counted in a fourth of a number
_BELOW: Final = 1
_ABOVE: Final = 1 << 15
_INSIDE: Final = 1 << 30
_DOUBTFUL: Final = 1 << 45
_NARROW: Final = 1e-6  # standard deviations that are smaller, in means, suffer from rounding


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


@inner
def _moments(
    columns: Any, width: Any, low: Any, high: Any, size: Any, mean: Any, std: Any
) -> None:
    """Compute number, mean and standard deviation of each column's values in a range."""
    size[:width] = 0.0
    mean[:width] = 0.0
    std[:width] = 0.0
    for k in range(columns.shape[0]):
        row = columns[k]
        for x in range(width):
            kept = (row[x] >= low[x]) & (row[x] <= high[x])
            size[x] += 1.0 if kept else 0.0
            mean[x] += row[x] if kept else 0.0
    for x in range(width):
        mean[x] /= size[x]
    for k in range(columns.shape[0]):
        row = columns[k]
        for x in range(width):
            kept = (row[x] >= low[x]) & (row[x] <= high[x])
            offset = row[x] - mean[x]
            std[x] += offset * offset if kept else 0.0
    for x in range(width):
        std[x] = np.sqrt(std[x] / size[x])


@inner
def _count(
    columns: Any, width: Any, low: Any, high: Any, mean: Any, std: Any, sigma: Any, counts: Any
) -> None:
    """Count values that are far below the mean, far above, to be kept, and doubtful.

    The four counts share a number: its vector is read and written once per row.
    """
    counts[:width] = 0
    least, most = sigma - (_NEAR + 0.01), sigma + (_NEAR + 0.01)
    for k in range(columns.shape[0]):
        row = columns[k]
        for x in range(width):
            kept = (row[x] >= low[x]) & (row[x] <= high[x])
            offset = row[x] - mean[x]
            distance = abs(offset)
            near = _NEAR * std[x]
            below = _BELOW if kept & (offset < -near) else 0
            above = _ABOVE if kept & (offset > near) else 0
            inside = _INSIDE if kept & (distance <= sigma * std[x]) else 0
            close = (distance >= least * std[x]) & (distance <= most * std[x])
            counts[x] += below + above + inside + (_DOUBTFUL if close else 0)


@inner
def bounds_of_columns(
    columns: Any,
    width: Any,
    sigma: Any,
    iterations: Any,
    low: Any,
    high: Any,
    sure: Any,
    workspace: Any,
    counts: Any,
) -> None:
    """Compute bounds that clip the same samples as `clipping_bounds` do, where that is sure.

    Parameters
    ----------
    columns
        float64 (samples, at least `width`): samples of each column, or
        infinity.
    width
        How many columns there are.
    sigma, iterations
        As for `clipping_bounds`.
    low, high
        For the result. NaN if a column has no sample.
    sure
        For whether every sample is on the same side of a column's bounds as of
        those of `clipping_bounds`, in this and in all earlier iterations.
    workspace, counts
        float64 (5, at least `width`) and int64 (at least `width`).

    Notes
    -----
    Counting tells whether the median is within a quarter of a standard
    deviation of the mean. It is then sure what is clipped, unless a sample is
    as close as that to where bounds around the mean would be.
    """
    size, mean, std = workspace[0], workspace[1], workspace[2]
    least, most = workspace[3], workspace[4]
    going = columns.shape[0] <= _MOST
    for x in range(width):
        least[x], most[x] = -_LARGEST, _LARGEST
        sure[x] = going
    iteration = 0
    while going and iteration < max(iterations, 1):
        iteration += 1
        going = False
        _moments(columns, width, least, most, size, mean, std)
        _count(columns, width, least, most, mean, std, sigma, counts)
        for x in range(width):
            # A column that is done has an empty range.
            if least[x] > most[x]:
                continue
            if size[x] == 0:
                low[x] = high[x] = np.nan
                least[x], most[x] = 1.0, -1.0
                continue
            middle = (size[x] - 1) // 2
            kept = counts[x] // _INSIDE & _MOST
            sure[x] = (
                std[x] > _NARROW * abs(mean[x])
                and std[x] < _LARGEST
                and counts[x] < _DOUBTFUL
                and counts[x] & _MOST <= middle
                and counts[x] // _ABOVE & _MOST <= middle
            )
            low[x] = mean[x] - sigma * std[x]
            high[x] = mean[x] + sigma * std[x]
            if not sure[x] or kept == size[x] or kept == 0:
                least[x], most[x] = 1.0, -1.0
                continue
            least[x], most[x] = max(least[x], low[x]), min(most[x], high[x])
            going = True

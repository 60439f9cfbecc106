"""One slope of all integrations of the likelihood fit.

Source: `stcal/ramp_fitting/likely_fit.py`, `compute_image_info`; single
precision throughout.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from upramp.dq import PIXEL

from .kernels import array, b1, const, f4, i8, inner, kernel, u4
from .refpix_means import pairwise_sum
from .sorting import sort_columns

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["average_integrations", "combine_flags"]

_DNU: Final = np.uint32(PIXEL["DO_NOT_USE"])
_WIDTH: Final = 64
_MANY: Final = 600
"""From so many integrations on, numpy takes medians in another way."""


@inner
def _median(results: Any, start: int, n: int, columns: Any, slope: Any) -> None:
    """Median over integrations, NaN left out."""
    nints = results.shape[0]
    count = np.zeros(_WIDTH, np.int64)
    for i in range(nints):
        for x in range(n):
            value = results[i, 0, start + x]
            missing = np.isnan(value)
            columns[i, x] = np.float32(np.inf) if missing else value
            count[x] += 0 if missing else 1
    sort_columns(columns, nints, n)
    for x in range(n):
        if count[x] == 0:
            slope[x] = np.nan
            continue
        high = columns[count[x] // 2, x]
        low = columns[(count[x] - 1) // 2, x]
        if count[x] % 2 == 1 and nints >= _MANY:
            slope[x] = high
        else:
            slope[x] = (np.float32(0.0) + low + high) / np.float32(2.0)


@inner
def _sum_present(values: Any, n: int, total: Any, blank: bool, paired: bool) -> None:
    """Sum over integrations, NaN left out; NaN (if ``blank``) where there is nothing else."""
    nints = values.shape[0]
    line = np.empty(nints if paired else 0, np.float32)
    for x in range(n):
        total[x] = 0.0
    present = np.zeros(_WIDTH, np.bool_)
    for i in range(nints):
        for x in range(n):
            value = values[i, x]
            missing = np.isnan(value)
            present[x] |= not missing
            total[x] += np.float32(0.0) if missing else value
    if paired:
        for i in range(nints):
            line[i] = np.float32(0.0) if np.isnan(values[i, 0]) else values[i, 0]
        total[0] = np.float32(0.0) + pairwise_sum(line, nints)
    if blank:
        for x in range(n):
            total[x] = total[x] if present[x] else np.float32(np.nan)


@kernel(const(f4, 3), i8, b1, array(f4, 2))
def average_integrations(
    results: NDArray[np.float32], count: int, paired: bool, out: NDArray[np.float32]
) -> None:
    """Average the slopes of the integrations, with weights for a common count rate.

    Parameters
    ----------
    results
        (nints, 5, pixels): slope, error, variance by photons, variance by
        reads, chi squared of each integration.
    count
        How many pixels.
    paired
        Whether numpy would add up in pairs: where the frame is a single pixel.
    out
        (5, pixels): the same of the average; chi squared is the sum.
    """
    nints = results.shape[0]
    columns = np.empty((nints, _WIDTH), np.float32)
    photons = np.empty((nints, _WIDTH), np.float32)
    weights = np.empty((nints, _WIDTH), np.float32)
    slope = np.empty(_WIDTH, np.float32)
    total = np.empty(_WIDTH, np.float32)
    zero = np.float32(0.0)
    one = np.float32(1.0)
    for start in range(0, count, _WIDTH):
        n = min(_WIDTH, count - start)
        _median(results, start, n, columns, slope)
        for _ in range(2):
            for i in range(nints):
                for x in range(n):
                    rate = slope[x] / results[i, 0, start + x]
                    rate = zero if (not np.isfinite(rate)) or rate < zero else rate
                    photon = results[i, 2, start + x] * rate
                    photons[i, x] = photon
                    weights[i, x] = one / (photon + results[i, 3, start + x])
            _sum_present(weights, n, total, False, paired)
            for i in range(nints):
                for x in range(n):
                    weights[i, x] /= total[x]
                    columns[i, x] = results[i, 0, start + x] * weights[i, x]
            _sum_present(columns, n, slope, True, paired)
        for x in range(n):
            out[0, start + x] = slope[x]
        for i in range(nints):
            for x in range(n):
                columns[i, x] = photons[i, x] * (weights[i, x] * weights[i, x])
        _sum_present(columns, n, total, True, paired)
        for x in range(n):
            out[2, start + x] = total[x]
        for i in range(nints):
            for x in range(n):
                square = weights[i, x] * weights[i, x]
                columns[i, x] = results[i, 3, start + x] * square
        _sum_present(columns, n, total, True, paired)
        for x in range(n):
            out[3, start + x] = total[x]
            out[1, start + x] = np.sqrt(out[2, start + x] + total[x])
            total[x] = 0.0
        for i in range(nints):
            for x in range(n):
                total[x] += results[i, 4, start + x]
        if paired:
            total[0] = zero + pairwise_sum(results[:, 4, start].copy(), nints)
        for x in range(n):
            out[4, start + x] = total[x]


@kernel(const(u4, 3), i8, i8, array(u4, 2))
def combine_flags(dq: Any, first: int, last: int, out: Any) -> None:
    """Combine the flags of integrations: any one's, but DO_NOT_USE only if all have it.

    Parameters
    ----------
    dq
        (nints, ny, nx).
    first, last
        Rows that are wanted.
    out
        (ny, nx).
    """
    nints, _, nx = dq.shape
    for y in range(first, last):
        row = out[y]
        for x in range(nx):
            row[x] = dq[0, y, x]
        for i in range(1, nints):
            here = dq[i, y]
            for x in range(nx):
                both = row[x] & here[x] & _DNU
                row[x] = ((row[x] | here[x]) & ~_DNU) | both

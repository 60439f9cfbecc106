"""Kernels of `upramp.detector1.showers`, which says what they do.

Differences are taken between groups of which the official code's exact list of
flags (`_is_bad`) leaves something; others are NaN. All is float32, and sums run
in the order of groups or integrations, as NumPy's do along an outer axis.
"""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np

from upramp.detector1.kernels import array, const, f4, f8, i8, inner, kernel, u1, u4
from upramp.detector1.sigma_clipping import clipping_bounds
from upramp.detector1.sorting import sort_columns
from upramp.dq import GROUP

__all__ = ["accept", "columns", "contrast", "noise_between", "noise_within", "threshold"]

_INVALID: Final = np.uint8(GROUP["JUMP_DET"] | GROUP["SATURATED"] | GROUP["DO_NOT_USE"])

_NAN: Final = np.float32(np.nan)
_INFINITY: Final = np.float32(np.inf)
_TWO: Final = np.float32(2)
_SMALL: Final = 600  # samples: below, NumPy's nanmedian is that of masked arrays
_SIGMA: Final = 5.0
_ITERATIONS: Final = 5


def columns(samples: int) -> int:
    """Choose how many pixels to gather at once: some hundred kilobytes.

    Parameters
    ----------
    samples
        Per pixel.
    """
    return max(8, min(64, 65536 // max(samples, 1)))


@inner
def _is_bad(dq: Any) -> Any:
    # Exactly these: DNU, SATURATED, SATURATED | DNU, JUMP, JUMP | DNU. Others pass.
    return (dq >= 1) & (dq <= 5)


@inner
def _difference(ramp: Any, dq: Any, group: Any, y: Any, x: Any) -> Any:
    difference = ramp[group, y, x] - ramp[group - 1, y, x]
    return _NAN if _is_bad(dq[group, y, x]) | _is_bad(dq[group - 1, y, x]) else difference


@inner
def _select(values: Any, n: Any, rank: Any) -> Any:
    """Find the value of some rank among the first n, which are put in another order."""
    low, high = 0, n - 1
    while low < high:
        pivot = values[(low + high) // 2]
        i, j = low, high
        while i <= j:
            while values[i] < pivot:
                i += 1
            while pivot < values[j]:
                j -= 1
            if i <= j:
                values[i], values[j] = values[j], values[i]
                i += 1
                j -= 1
        if rank <= j:
            high = j
        elif rank >= i:
            low = i
        else:
            break
    return values[rank]


@inner
def _middle(low: Any, high: Any, n: Any, samples: Any) -> Any:
    """Combine the middle values of n samples out of some, in NumPy's way."""
    if n == 0:
        return _NAN
    if n % 2 and samples >= _SMALL:
        return high
    return (low + high) / _TWO


@inner
def _median(values: Any, samples: Any) -> Any:
    """Compute the median of all that is no NaN, as ``numpy.nanmedian`` does in float32."""
    n = 0
    for k in range(samples):
        if not np.isnan(values[k]):
            values[n] = values[k]
            n += 1
    if n == 0:
        return _NAN
    high = _select(values, n, n // 2)
    low = high
    if n % 2 == 0:
        low = values[0]
        for k in range(1, n // 2):
            low = max(low, values[k])
    return _middle(low, high, n, samples)


@inner
def _medians_of_columns(rows: Any, samples: Any, width: Any, medians: Any) -> None:
    """Compute the median of all that is no NaN of each column, by sorting them."""
    sizes = np.zeros(width, np.int64)
    for k in range(samples):
        row = rows[k]
        for x in range(width):
            number = row[x] == row[x]
            sizes[x] += number
            row[x] = row[x] if number else _INFINITY
    sort_columns(rows, samples, width)
    for x in range(width):
        n = sizes[x]
        medians[x] = _middle(rows[max(n - 1, 0) // 2, x], rows[n // 2, x], n, samples)


@kernel(const(f4, 4), const(u1, 4), const(f4, 2), f4, array(f4, 2), array(f4, 2), array(f4, 2))
def noise_within(
    electrons: Any,
    dq: Any,
    readnoise: Any,
    nframes: Any,
    level: Any,
    sigma: Any,
    workspace: Any,
) -> None:
    """Compute the median difference of each pixel and the noise expected for it."""
    nints, ngroups, ny, nx = electrons.shape
    samples, step = workspace.shape
    medians = np.empty(step, np.float32)
    for y in range(ny):
        for x0 in range(0, nx, step):
            n = min(step, nx - x0)
            for i in range(nints):
                for g in range(1, ngroups):
                    row = workspace[i * (ngroups - 1) + g - 1]
                    for x in range(n):
                        row[x] = _difference(electrons[i], dq[i], g, y, x0 + x)
            _medians_of_columns(workspace, samples, n, medians)
            for x in range(n):
                noise = readnoise[y, x0 + x]
                level[y, x0 + x] = medians[x]
                sigma[y, x0 + x] = np.sqrt(abs(medians[x]) + noise * noise / nframes)


@inner
def _deviation(values: Any) -> Any:
    """Compute the standard deviation of all that is no NaN, in order and in float32."""
    n = 0
    total = np.float32(0)
    for value in values:
        if not np.isnan(value):
            total += value
            n += 1
    if n == 0:
        return _NAN
    mean = np.float32(np.float64(total) / np.float64(n))
    total = np.float32(0)
    for value in values:
        if not np.isnan(value):
            total += (value - mean) * (value - mean)
    return np.sqrt(np.float32(np.float64(total) / np.float64(n)))


@kernel(const(f4, 4), const(u1, 4), array(f4, 3), array(f4, 3), array(f4, 2), array(f8, 1))
def noise_between(
    electrons: Any, dq: Any, level: Any, sigma: Any, workspace: Any, buffer: Any
) -> None:
    """Compute clipped median and deviation, between integrations, of each difference."""
    nints, ngroups, ny, nx = electrons.shape
    step = workspace.shape[0]
    for g in range(1, ngroups):
        for y in range(ny):
            for x0 in range(0, nx, step):
                n = min(step, nx - x0)
                for i in range(nints):
                    for x in range(n):
                        workspace[x, i] = _difference(electrons[i], dq[i], g, y, x0 + x)
                for x in range(n):
                    values = workspace[x]
                    count = 0
                    for value in values:
                        if np.isfinite(value):
                            buffer[count] = value
                            count += 1
                    low, high = clipping_bounds(buffer, count, _SIGMA, _ITERATIONS)
                    for i in range(nints):
                        value = values[i]
                        if not np.isfinite(value) or value < low or value > high:
                            values[i] = _NAN
                    sigma[g - 1, y, x0 + x] = _deviation(values)
                    level[g - 1, y, x0 + x] = _median(values, nints)


@kernel(
    const(f4, 3),
    const(u1, 3),
    const(u1, 3),
    const(u4, 2),
    i8,
    const(f4, 2),
    const(f4, 2),
    array(f4, 2),
    array(f8, 2),
)
def contrast(
    ramp: Any,
    before: Any,
    flagged: Any,
    pixeldq: Any,
    group: Any,
    level: Any,
    sigma: Any,
    ratio: Any,
    good: Any,
) -> None:
    """Compute a group's differences in noises: 0, and not good, where there is none."""
    ny, nx = ratio.shape
    margin = (good.shape[0] - ny) // 2
    for y in range(ny):
        for x in range(nx):
            flags = np.uint32(flagged[group, y, x]) | pixeldq[y, x]
            value = abs(_difference(ramp, before, group, y, x) - level[y, x]) / sigma[y, x]
            fine = flags & np.uint32(_INVALID) == 0 and math.isfinite(value)
            ratio[y, x] = value if fine else np.float32(0)
            good[y + margin, x + margin] = 1.0 if fine else 0.0


@kernel(const(f8, 2), const(f8, 2), const(f8, 2), f8, f8, array(u1, 2))
def threshold(smooth: Any, weight: Any, good: Any, least: Any, limit: Any, bright: Any) -> None:
    """Tell where the smoothed plane is above a limit."""
    ny, nx = bright.shape
    margin = (good.shape[0] - ny) // 2
    for y in range(ny):
        for x in range(nx):
            usable = good[y + margin, x + margin] != 0.0 and weight[y, x] > least
            bright[y, x] = 1 if usable and smooth[y, x] / weight[y, x] > limit else 0


@inner
def _rate(ramp: Any, dq: Any, y: Any, x: Any) -> Any:
    """Compute the mean difference of groups without flags."""
    total = np.float32(0)
    n = 0
    for g in range(1, dq.shape[0]):
        if (dq[g, y, x] | dq[g - 1, y, x]) & _INVALID == 0:
            difference = ramp[g, y, x] - ramp[g - 1, y, x]
            if not np.isnan(difference):
                total += difference
                n += 1
    return np.float32(np.float64(total) / np.float64(n))


@kernel(const(f4, 3), const(u1, 3), array(u1, 3), f4)
def accept(ramp: Any, flagged: Any, dq: Any, limit: Any) -> None:
    """Take over new flags where they change the mean rate by no more than a limit."""
    ngroups, ny, nx = dq.shape
    changed = np.empty(nx, np.uint8)
    for y in range(ny):
        changed[:] = 0
        for g in range(ngroups):
            new, old = flagged[g, y], dq[g, y]
            for x in range(nx):
                changed[x] |= new[x] ^ old[x]
        for x in range(nx):
            if changed[x] == 0:
                continue
            change = abs(_rate(ramp, dq, y, x) - _rate(ramp, flagged, y, x))
            if math.isfinite(change) and not change > limit:
                for g in range(ngroups):
                    dq[g, y, x] = flagged[g, y, x]

"""How far each pixel's worst difference lies from the median of them all, in sigma.

The image that a threshold is laid on while it moves: a pixel whose value is
above the threshold is one in which the jump step, with that threshold, finds
something in its first round. Which groups it flags, and which neighbours, only
the search itself says; so it does where integrations are compared by clipping.

Source: Anderson and Gordon 2011, PASP 123, 1237 (two-point difference).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from upramp import spill
from upramp.dq import GROUP

from .kernels import array, b1, const, f4, f8, i8, inner, kernel, u1
from .sorting import insertion_sort
from .tiles import in_rows

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["significance"]

_LOST = np.uint8(GROUP["DO_NOT_USE"] | GROUP["SATURATED"])


def significance(
    data: NDArray[np.float32],
    groupdq: NDArray[np.uint8],
    gain: NDArray[np.float32],
    noise2: NDArray[np.float32],
    nframes: int,
    three: float = 1.0,
    four: float = 1.0,
    *,
    single_pass: bool = False,
    threads: int = 1,
) -> NDArray[np.float32]:
    """Give each pixel's largest deviation of a difference from their median, in sigma.

    Parameters
    ----------
    data
        (nints, ngroups, ny, nx) DN.
    groupdq
        The same shape: flags before the search.
    gain
        (ny, nx) electrons per DN.
    noise2
        (ny, nx) square of the read noise of a difference, electrons.
    nframes
        Reads that a group is the mean of.
    three, four
        The thresholds for ramps of three and of four usable groups, as parts of the one for
        longer ones: what such ramps have is divided by them, so that one threshold fits all.
    single_pass
        Whether there are so many differences that all above the threshold are flagged at once.
    threads
        How many parts of the image are done at once.

    Returns
    -------
    ndarray
        (nints, ny, nx) float32; 0 where there are not two usable differences.
    """
    nints, _, ny, nx = data.shape
    found = spill.empty((nints, ny, nx), np.float32)
    found[:] = 0

    def work(first: int, last: int) -> None:
        _significance(
            data,
            groupdq,
            gain,
            noise2,
            float(nframes),
            three,
            four,
            single_pass,
            found,
            first,
            last,
        )

    in_rows(ny, threads, work)
    return found


@inner
def _median(values: Any, count: int, single: bool) -> float:
    """Give the median of sorted values: all of them, or without the largest."""
    kept = count
    if not single:
        if count <= 3:
            return float(values[count - 2])
        while kept > 0 and values[kept - 1] == values[count - 1]:
            kept -= 1
        if kept == 0:
            return math.nan
    half = kept // 2
    if kept % 2 == 0:
        return float((values[half - 1] + values[half]) / 2.0)
    return float(values[half])


@kernel(
    const(f4, 4), const(u1, 4), const(f4, 2), const(f4, 2), f8, f8, f8, b1, array(f4, 3), i8, i8
)  # fmt: skip
def _significance(
    data: Any,
    groupdq: Any,
    gain: Any,
    noise2: Any,
    nframes: float,
    three: float,
    four: float,
    single: bool,
    found: Any,
    first: int,
    last: int,
) -> None:
    nints, ngroups, _, nx = data.shape
    values = np.empty((nints, ngroups), np.float64)
    sorted_ = np.empty(nints * ngroups, np.float64)
    for y in range(first, last):
        for x in range(nx):
            count = 0
            for i in range(nints):
                for g in range(1, ngroups):
                    values[i, g] = math.nan
                    if (groupdq[i, g, y, x] | groupdq[i, g - 1, y, x]) & _LOST:
                        continue
                    after = data[i, g, y, x] * gain[y, x]
                    value = np.float64(after - data[i, g - 1, y, x] * gain[y, x])
                    if math.isfinite(value):
                        value = value if single else abs(value)
                        values[i, g] = value
                        sorted_[count] = value
                        count += 1
            if count < 2:
                continue
            insertion_sort(sorted_, count)
            median = _median(sorted_, count, single)
            sigma = math.sqrt(abs(median) + np.float64(noise2[y, x]) / nframes)
            if not sigma > 0.0:
                continue
            share = three if count == 2 else (four if count == 3 else 1.0)
            for i in range(nints):
                highest = 0.0
                for g in range(1, ngroups):
                    apart = abs(values[i, g] - median)
                    if not single:
                        apart = np.float64(np.float32(apart))
                    if apart / sigma > highest:
                        highest = apart / sigma
                found[i, y, x] = highest if single else highest / share

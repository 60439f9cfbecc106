"""Rows of an exposure on their way into the likelihood fit and out of it.

Source: `stcal/ramp_fitting/likely_fit.py`, `stcal/ramp_fitting/utils.py`.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from upramp.dq import GROUP, PIXEL

from .kernels import array, const, f4, f8, i8, kernel, u1, u4
from .sorting import sort_columns

__all__ = [
    "compress_flags",
    "final_guess",
    "median_guess",
    "per_gain",
    "take_differences",
    "take_differences_from_zero",
]

_JUMP: Final = np.uint8(GROUP["JUMP_DET"])
_SAT: Final = np.uint8(GROUP["SATURATED"])
_NO_DATA: Final = np.uint8(GROUP["DO_NOT_USE"] | GROUP["SATURATED"])
_PIXEL_DNU: Final = np.uint32(PIXEL["DO_NOT_USE"])
_PIXEL_SAT: Final = np.uint32(PIXEL["SATURATED"])
_PIXEL_JUMP: Final = np.uint32(PIXEL["JUMP_DET"])

_WIDTH: Final = 128
"""Pixels whose differences are sorted side by side."""


@kernel(const(f4, 3), const(u1, 3), i8, i8, const(f8, 1), array(f8, 2), array(u1, 2))
def take_differences(
    ramp: Any, groupdq: Any, first: int, last: int, times: Any, diffs: Any, used: Any
) -> None:
    """Differences of the groups, and which of them are between two groups without flags.

    Parameters
    ----------
    ramp, groupdq
        (ngroups, rows, nx).
    first, last
        Rows that are wanted.
    times
        Seconds between groups.
    diffs, used
        (ngroups - 1, pixels): DN/s; 1 or 0.
    """
    ngroups, _, nx = ramp.shape
    for k in range(ngroups - 1):
        time = times[k]
        for y in range(first, last):
            begin = (y - first) * nx
            early = ramp[k, y]
            late = ramp[k + 1, y]
            out = diffs[k, begin : begin + nx]
            for x in range(nx):
                out[x] = np.float64(late[x] - early[x]) / time
            before = groupdq[k, y]
            after = groupdq[k + 1, y]
            use = used[k, begin : begin + nx]
            for x in range(nx):
                use[x] = np.uint8(1) if (before[x] | after[x]) == 0 else np.uint8(0)


@kernel(
    const(f4, 3),
    const(u1, 3),
    const(f4, 2),
    f4,
    i8,
    i8,
    i8,
    const(f8, 1),
    array(f8, 2),
    array(u1, 2),
)
def take_differences_from_zero(
    ramp: Any,
    groupdq: Any,
    zeroframe: Any,
    nframes: Any,
    y0: int,
    first: int,
    last: int,
    times: Any,
    diffs: Any,
    used: Any,
) -> None:
    """Do the same with the zero frame as a group of its own, taken out of the first one.

    Parameters
    ----------
    ramp, groupdq
        (ngroups, rows, nx).
    zeroframe
        (ny, nx); row ``y0 + y`` belongs to row ``y`` of the ramp.
    nframes
        How many frames a group averages.
    y0, first, last
        Rows that are wanted.
    times
        Seconds between groups, the zero frame one of them.
    diffs, used
        (ngroups, pixels).
    """
    ngroups, _, nx = ramp.shape
    others = nframes - np.float32(1.0)
    for y in range(first, last):
        begin = (y - first) * nx
        for x in range(nx):
            zero = zeroframe[y0 + y, x]
            early = (ramp[0, y, x] * nframes - zero) / others
            # The zero frame has the flags of the first group.
            good = groupdq[0, y, x] == 0
            diffs[0, begin + x] = np.float64(early - zero) / times[0]
            used[0, begin + x] = good
            for k in range(1, ngroups):
                late = ramp[k, y, x]
                next_good = groupdq[k, y, x] == 0
                diffs[k, begin + x] = np.float64(late - early) / times[k]
                used[k, begin + x] = good & next_good
                early = late
                good = next_good


@kernel(const(f8, 2), i8, array(f8, 1))
def median_guess(diffs: Any, count: int, guess: Any) -> None:
    """Median difference of a pixel, flagged ones included, or 0 if that is less.

    Parameters
    ----------
    diffs
        (ndiffs, pixels).
    count
        How many pixels.
    guess
        Gets the count rates.
    """
    ndiffs = diffs.shape[0]
    high = ndiffs // 2
    low = (ndiffs - 1) // 2
    columns = np.empty((ndiffs, _WIDTH))
    spoilt = np.empty(_WIDTH, np.bool_)
    for start in range(0, count, _WIDTH):
        n = min(_WIDTH, count - start)
        spoilt[:] = False
        for i in range(ndiffs):
            column = columns[i]
            values = diffs[i, start : start + n]
            for x in range(n):
                column[x] = values[x]
                spoilt[x] |= np.isnan(values[x])
        sort_columns(columns, ndiffs, n)
        for x in range(n):
            middle = columns[high, x]
            if low < high:
                middle = (columns[low, x] + middle) / 2.0
            middle = np.nan if spoilt[x] else middle
            guess[start + x] = middle * np.float64(middle > 0.0)


@kernel(const(f8, 1), const(f4, 1), array(f8, 1))
def per_gain(rates: Any, gain: Any, photons: Any) -> None:
    """Divide count rates by the gain.

    Parameters
    ----------
    rates, gain, photons
        By pixel; as many as ``gain`` has.
    """
    for p in range(len(gain)):
        photons[p] = rates[p] / np.float64(gain[p])


@kernel(array(f8, 1), const(f4, 1))
def final_guess(rates: Any, dark: Any) -> None:
    """Turn count rates into the guess of the last fit: at least 0, with the dark current.

    Parameters
    ----------
    rates, dark
        By pixel; as many as ``dark`` has.
    """
    for p in range(len(dark)):
        rates[p] = rates[p] * np.float64(rates[p] > 0.0) + np.float64(dark[p])


@kernel(const(u1, 3), const(u4, 2), i8, i8, i8, array(u4, 2))
def compress_flags(groupdq: Any, pixeldq: Any, y0: int, first: int, last: int, out: Any) -> None:
    """Give the flags of an integration: the pixel's, and what its groups say.

    Parameters
    ----------
    groupdq
        (ngroups, rows, nx).
    pixeldq, out
        (ny, nx); row ``y0 + y`` belongs to row ``y`` of the groups.
    y0, first, last
        Rows that are wanted.
    """
    ngroups, _, nx = groupdq.shape
    every = np.empty(nx, np.uint8)
    some = np.empty(nx, np.uint8)
    for y in range(first, last):
        every[:] = 1
        some[:] = 0
        for k in range(ngroups):
            dq = groupdq[k, y]
            for x in range(nx):
                every[x] &= np.uint8(1) if (dq[x] & _NO_DATA) != 0 else np.uint8(0)
                some[x] |= dq[x]
        before = pixeldq[y0 + y]
        after = out[y0 + y]
        for x in range(nx):
            value = before[x]
            value |= _PIXEL_DNU if every[x] != 0 else np.uint32(0)
            value |= _PIXEL_SAT if (some[x] & _SAT) != 0 else np.uint32(0)
            value |= _PIXEL_JUMP if (some[x] & _JUMP) != 0 else np.uint32(0)
            after[x] = value

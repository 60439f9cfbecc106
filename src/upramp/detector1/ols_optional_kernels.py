"""The two passes over ramps that `upramp.detector1.ols_optional` is made of: count, and fill.

Source: `stcal/ramp_fitting/src/slope_fitter.c` (``save_opt``).
"""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np

from upramp.dq import GROUP, PIXEL

from .kernels import array, b1, const, f4, f8, i8, inner, kernel, u1, u4
from .ols import (
    _find_segments,
    _good_groups,
    _line,
    _median_rate,
    _noise_of,
    _single_time,
    _take_ramp,
    _variance,
)

__all__ = ["count", "fill"]

_JUMP: Final = np.uint8(GROUP["JUMP_DET"])
_SAT: Final = np.uint8(GROUP["SATURATED"])
_NO_DATA: Final = np.uint8(GROUP["DO_NOT_USE"] | GROUP["SATURATED"])
_PIXEL_DNU: Final = np.uint32(PIXEL["DO_NOT_USE"])
_PIXEL_SAT: Final = np.uint32(PIXEL["SATURATED"])
_PIXEL_INVALID: Final = np.uint32(PIXEL["DO_NOT_USE"] | PIXEL["SATURATED"])
_SQRT2: Final = 1.41421356
"""As many digits as the official package has of it."""

# What is told of times, in seconds; the last, in groups, leads from the first group to the reset.
_GROUP_TIME: Final = 0
_ONE_GROUP_TIME: Final = 2
_PEDESTAL: Final = 3


@inner
def _put_jumps(data: Any, quality: Any, out: Any, i: int, y: int, x: int) -> int:
    """Store by how much the ramp rises at each jump, if there is room at all."""
    found = 0
    for k in range(1, len(data)):
        if (quality[k] & _JUMP) != 0:
            if out.shape[1] > found:
                out[i, found, y, x] = np.float32(data[k] - data[k - 1])
            found += 1
    return found


@inner
def _count_segments(quality: Any, starts: Any, lengths: Any, ngroups: int) -> int:
    if (quality[0] & _SAT) != 0:
        return 0
    found = _find_segments(quality, starts, lengths, ngroups)
    if found == 1 and lengths[0] == 1:
        # All but the first are dropped, and still counted; each is one good group.
        return _good_groups(quality, ngroups)
    return found


@kernel(const(f4, 4), const(u1, 4), const(f4, 3), const(f8, 1), b1, b1, i8, i8, i8, array(i8, 1))
def count(
    ramp: Any,
    groupdq: Any,
    zeroframe: Any,
    times: Any,
    suppress: bool,
    forget: bool,
    y0: int,
    first: int,
    last: int,
    most: Any,
) -> None:
    """Find how many segments, and how many jumps, a ramp of a tile has at most.

    Parameters
    ----------
    ramp, groupdq
        (nints, ngroups, rows, nx).
    zeroframe
        (nints, ny, nx), or without any element.
    times
        Of a group, of a frame and of a lone first group, in seconds.
    suppress, forget
        As for the fit.
    y0, first, last
        Where the tile is in the frame, and which of its rows are wanted.
    most
        Gets the two numbers.
    """
    nints, ngroups, _, nx = ramp.shape
    has_zero = zeroframe.shape[0] > 0
    data = np.empty(ngroups, np.float64)
    quality = np.empty(ngroups, np.uint8)
    original = np.empty(ngroups, np.uint8)
    starts = np.empty(ngroups, np.int64)
    lengths = np.empty(ngroups, np.int64)
    nowhere = np.empty((0, 0, 0, 0), np.float32)
    flags = np.empty(nx, np.uint8)
    segments = 0
    jumps = 0
    for i in range(nints):
        for y in range(first, last):
            for x in range(nx):
                flags[x] = 0
            for k in range(ngroups):
                bits = groupdq[i, k, y]
                for x in range(nx):
                    flags[x] |= bits[x]
            for x in range(nx):
                if flags[x] == 0:
                    segments = max(segments, 1)
                    continue
                _take_ramp(ramp, groupdq, (i, y, x), data, quality, original, suppress, forget)
                jumps = max(jumps, _put_jumps(data, quality, nowhere, i, y, x))
                zero = np.float64(zeroframe[i, y0 + y, x]) if has_zero else 0.0
                _single_time(data, quality, zero, suppress, times)
                segments = max(segments, _count_segments(quality, starts, lengths, ngroups))
    most[0] = segments
    most[1] = jumps


@inner
def _median_of_pixel(
    ramp: Any,
    groupdq: Any,
    zeroframe: Any,
    times: Any,
    suppress: bool,
    forget: bool,
    place: Any,
    work: Any,
) -> float:
    """Give the mean of the integrations' median rates."""
    nints, ngroups, _, _ = ramp.shape
    y, row, x = place
    data, rates, quality, original = work
    total = 0.0
    for i in range(nints):
        _take_ramp(ramp, groupdq, (i, y, x), data, quality, original, suppress, forget)
        zero = np.float64(zeroframe[i, row, x]) if zeroframe.shape[0] > 0 else 0.0
        single, _ = _single_time(data, quality, zero, suppress, times)
        if ngroups == 1:
            total += data[0] / times[_ONE_GROUP_TIME]
            continue
        if math.isnan(single):
            value = _median_rate(data, quality, rates, ngroups, times[_GROUP_TIME])
        else:
            value = data[0] / single
        total += 0.0 if math.isnan(value) else value
    return total / np.float64(np.float32(nints))


@inner
def _fit_segment(
    data: Any, start: int, length: int, r: float, g: float, times: Any, single: float, table: Any
) -> tuple[float, float, float, float, float]:
    """Give slope, its error, value at group 0, its error, and what the variance is shared by."""
    time = times[_GROUP_TIME]
    if length == 1:
        return data[start] / single, 0.0, 0.0, 0.0, single * g
    if length == 2:
        here, following = data[start], data[start + 1]
        at = np.float64(start) + 1.0
        error = _SQRT2 * r
        value = following * (1.0 - at) + here * at
        return (following - here) / time, error, value, error, time * g
    slope, error, value, value_error = _line(data, start, length, r, g, table)
    return slope / time, error, value, value_error, time * g * (np.float64(length) - 1.0)


@kernel(
    const(f4, 4), const(u1, 4), const(u4, 2), const(f4, 2), const(f4, 2), const(f4, 2),
    const(f4, 3), const(f4, 2), const(f8, 1), b1, b1, i8, i8, i8,
    array(f4, 5), array(f4, 3), array(f4, 4),
)  # fmt: skip
def fill(
    ramp: Any,
    groupdq: Any,
    pixeldq: Any,
    gain: Any,
    noise: Any,
    dark: Any,
    zeroframe: Any,
    table: Any,
    times: Any,
    suppress: bool,
    forget: bool,
    y0: int,
    first: int,
    last: int,
    planes: Any,
    pedestal: Any,
    crmag: Any,
) -> None:
    """Fit each segment of a tile's ramps.

    Parameters
    ----------
    ramp, groupdq
        (nints, ngroups, rows, nx).
    pixeldq, gain, noise, dark
        (ny, nx); the dark current may be without any element.
    zeroframe
        (nints, ny, nx), or without any element.
    table
        Weights of the groups.
    times
        As for `count`, and then the weight of the slope in the pedestal.
    suppress, forget, y0, first, last
        As for `count`.
    planes, pedestal, crmag
        Of the rows that are wanted, and all zero: (7, nints, segments, rows, nx),
        (nints, rows, nx) and (nints, jumps, rows, nx).
    """
    nints, ngroups, _, nx = ramp.shape
    has_dark = dark.shape[0] > 0
    has_zero = zeroframe.shape[0] > 0
    data = np.empty(ngroups, np.float64)
    rates = np.empty(ngroups, np.float64)
    quality = np.empty(ngroups, np.uint8)
    original = np.empty(ngroups, np.uint8)
    starts = np.empty(ngroups, np.int64)
    lengths = np.empty(ngroups, np.int64)
    for y in range(first, last):
        row, out = y0 + y, y - first
        for x in range(nx):
            g = np.float64(gain[row, x])
            r = np.float64(noise[row, x])
            median = _median_of_pixel(
                ramp, groupdq, zeroframe, times, suppress, forget, (y, row, x),
                (data, rates, quality, original),
            )  # fmt: skip
            extra = np.float64(dark[row, x]) if has_dark else 0.0
            darkened = median + extra if median > 0.0 else extra
            shared = pixeldq[row, x] | (np.uint32(0) if g > 0.0 else _PIXEL_DNU)
            for i in range(nints):
                _take_ramp(ramp, groupdq, (i, y, x), data, quality, original, suppress, forget)
                if crmag.shape[1] > 0:
                    _put_jumps(data, quality, crmag, i, out, x)
                saturated = 0
                unusable = 0
                for k in range(ngroups):
                    saturated += 1 if (quality[k] & _SAT) != 0 else 0
                    unusable += 1 if (quality[k] & _NO_DATA) != 0 else 0
                zero = np.float64(zeroframe[i, row, x]) if has_zero else 0.0
                single, from_zero = _single_time(data, quality, zero, suppress, times)
                if from_zero:
                    # One group less is without data, whatever was said of the first.
                    unusable -= 1
                    saturated -= 1 if saturated == ngroups else 0
                single = times[_GROUP_TIME] if math.isnan(single) else single
                flag = shared
                slope = 0.0
                segments = 0
                if (quality[0] & _SAT) != 0:
                    flag |= _PIXEL_INVALID
                else:
                    segments = _find_segments(quality, starts, lengths, ngroups)
                if unusable == ngroups:
                    flag |= _PIXEL_DNU
                    flag |= _PIXEL_SAT if saturated == ngroups else np.uint32(0)
                elif segments > 0:
                    inverse_r = 0.0
                    numerator = 0.0
                    for s in range(segments):
                        length = lengths[s]
                        part, error, value, value_error, share = _fit_segment(
                            data, starts[s], length, r, g, times, single, table
                        )
                        part_r = _noise_of(length, r, g, times[_GROUP_TIME], single)
                        inverse_r += 1.0 / part_r
                        numerator += part / part_r
                        planes[0, i, s, out, x] = np.float32(part)
                        planes[1, i, s, out, x] = np.float32(error)
                        planes[2, i, s, out, x] = np.float32(darkened / share)
                        planes[3, i, s, out, x] = np.float32(part_r)
                        planes[4, i, s, out, x] = np.float32(value)
                        planes[5, i, s, out, x] = np.float32(value_error)
                        planes[6, i, s, out, x] = np.float32(1.0 / part_r)
                    slope = numerator * _variance(inverse_r)
                if (flag & _PIXEL_INVALID) != 0:
                    continue  # the pedestal of what has no slope is 0
                value = data[0] - slope * times[_PEDESTAL]
                pedestal[i, out, x] = np.float32(0.0 if math.isnan(value) else value)

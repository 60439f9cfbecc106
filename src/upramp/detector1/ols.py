"""Slopes by least squares with optimal weights: the algorithm OLS_C of the ramp fit.

A ramp is cut at its jumps into segments; each gets a weighted straight line,
and their slopes are averaged by read noise. Where a ramp has no flag at all,
which is most of them, a whole block of pixels is fitted at once.

Source: Fixsen et al. 2000, PASP 112, 1350 (optimal weights);
`stcal/ramp_fitting/src/slope_fitter.c` decides order and types: everything in
double precision but the powers of the weights.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from upramp.dq import GROUP, PIXEL

from .kernels import array, b1, const, f4, f8, i8, inner, kernel, u1, u4
from .ols_blocks import (
    BLOCK,
    DARKENED,
    ERROR,
    GAIN,
    MEDIAN,
    ROOM,
    SIMPLE,
    SLOPE,
    SUM_P,
    SUM_R,
    SUM_SLOPE,
    TOO_LARGE,
    VAR_P,
    VAR_R,
    add_median,
    finish_rate,
    fit_block,
    start_block,
    store,
    take_block,
)
from .sorting import insertion_sort

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Rates", "fit_ols", "read_noise_of_a_read", "weight_table"]

_DNU: Final = np.uint8(GROUP["DO_NOT_USE"])
_SAT: Final = np.uint8(GROUP["SATURATED"])
_JUMP: Final = np.uint8(GROUP["JUMP_DET"])
_PERSISTENCE: Final = np.uint8(GROUP["PERSISTENCE"])
_NOT_JUMP: Final = np.uint8(255 - GROUP["JUMP_DET"])
_NOT_PERSISTENCE: Final = np.uint8(255 - GROUP["PERSISTENCE"])
_CHARGELOSS: Final = np.uint8(GROUP["CHARGELOSS"])
_LOST_AND_DNU: Final = np.uint8(GROUP["CHARGELOSS"] | GROUP["DO_NOT_USE"])
_NO_DATA: Final = np.uint8(GROUP["DO_NOT_USE"] | GROUP["SATURATED"])

_PIXEL_DNU: Final = np.uint32(PIXEL["DO_NOT_USE"])
_PIXEL_SAT: Final = np.uint32(PIXEL["SATURATED"])
_PIXEL_JUMP: Final = np.uint32(PIXEL["JUMP_DET"])
_PIXEL_PERSISTENCE: Final = np.uint32(PIXEL["PERSISTENCE"])
_PIXEL_NO_GAIN: Final = np.uint32(PIXEL["DO_NOT_USE"] | PIXEL["NO_GAIN_VALUE"])
_PIXEL_INVALID: Final = np.uint32(PIXEL["DO_NOT_USE"] | PIXEL["SATURATED"])

_POWERS: Final = np.array([0.0, 0.4, 1.0, 3.0, 6.0, 10.0], np.float32)
# Columns of the numbers that describe an exposure's times to the kernels.
_GROUP_TIME: Final = 0
_FRAME_TIME: Final = 1
_ONE_GROUP_TIME: Final = 2


@dataclass
class Rates:
    """Slopes of an exposure, and of its integrations.

    Parameters
    ----------
    rate
        SCI, ERR, VAR_POISSON, VAR_RNOISE of the exposure: (4, ny, nx) float32,
        DN/s and its square.
    rate_dq
        (ny, nx) uint32.
    rateints
        The same of each integration: (4, nints, ny, nx).
    rateints_dq
        (nints, ny, nx).
    """

    rate: NDArray[np.float32]
    rate_dq: NDArray[np.uint32]
    rateints: NDArray[np.float32]
    rateints_dq: NDArray[np.uint32]

    @classmethod
    def empty(cls, nints: int, ny: int, nx: int) -> Rates:
        """Make room for the slopes of an exposure.

        Parameters
        ----------
        nints, ny, nx
            Its shape.
        """
        return cls(
            np.empty((4, ny, nx), np.float32),
            np.empty((ny, nx), np.uint32),
            np.empty((4, nints, ny, nx), np.float32),
            np.empty((nints, ny, nx), np.uint32),
        )


@kernel(i8, const(f4, 1), array(f4, 2))
def _fill_weights(ngroups: int, powers: Any, table: Any) -> None:
    for length in range(3, ngroups + 1):
        offset = length * (length - 1) // 2
        middle = (length - 1) / 2.0
        inverse = 1.0 / middle
        for k in range(length):
            distance = np.float32(abs((k - middle) * inverse))
            for p in range(6):
                table[p, offset + k] = math.pow(distance, powers[p])


def weight_table(ngroups: int) -> NDArray[np.float32]:
    """Tabulate the weights of the groups of a segment, but for the noise.

    Parameters
    ----------
    ngroups
        The longest segment.

    Returns
    -------
    ndarray
        (6, ngroups * (ngroups + 1) / 2) float32: by power, and the groups of
        segments of 1, 2, 3, ... groups one after the other.
    """
    table = np.ones((6, ngroups * (ngroups + 1) // 2), np.float32)
    # Single precision, and the C library's own function: numpy's differs in the last bit.
    _fill_weights(ngroups, _POWERS, table)
    return table


def read_noise_of_a_read(
    readnoise: NDArray[np.float32], gain: NDArray[np.float32], nframes: int
) -> NDArray[np.float32]:
    """Turn the readnoise reference into the noise of one group.

    Parameters
    ----------
    readnoise
        The reference: noise of a difference of two reads, DN.
    gain
        Electrons per DN.
    nframes
        How many frames a group averages.

    Returns
    -------
    ndarray
        Electrons.
    """
    noise = readnoise.copy()
    noise *= gain / np.sqrt(2.0 * nframes)
    return noise


@inner
def _power_of(signal_to_noise: float) -> int:
    # Each comparison by itself, so that NaN ends in the highest class.
    power = 0
    power += 0 if signal_to_noise < 5.0 else 1
    power += 0 if signal_to_noise < 10.0 else 1
    power += 0 if signal_to_noise < 20.0 else 1
    power += 0 if signal_to_noise < 50.0 else 1
    power += 0 if signal_to_noise < 100.0 else 1
    return power


@inner
def _median_rate(data: Any, quality: Any, rates: Any, ngroups: int, time: float) -> float:
    """Median of a ramp's differences, flagged ones left out; NaN if there is nothing."""
    n = 0
    earlier = math.nan if (quality[0] & _DNU) != 0 else data[0] / time
    start = earlier
    for k in range(1, ngroups):
        here = math.nan if (quality[k] & _DNU) != 0 else data[k] / time
        if (quality[k] & _JUMP) == 0:
            difference = here - earlier
            if not math.isnan(difference):
                rates[n] = difference
                n += 1
        earlier = here
    if n == 0:
        return start
    insertion_sort(rates, n)
    half = n // 2
    return rates[half] if n % 2 else (rates[half] + rates[half - 1]) / 2.0


@inner
def _find_segments(quality: Any, starts: Any, lengths: Any, ngroups: int) -> int:
    """Find the runs of good groups, each with the jump right before it."""
    found = 0
    longest = 0
    inside = False
    start = 0
    for k in range(ngroups + 1):
        if k < ngroups and (quality[k] & _NOT_PERSISTENCE) == 0:
            if not inside:
                inside = True
                start = k
                if k > 0 and (quality[k - 1] & _NOT_PERSISTENCE) == _JUMP:
                    start = k - 1
        elif inside:
            inside = False
            starts[found] = start
            lengths[found] = k - start
            longest = max(longest, k - start)
            found += 1
    if longest < 2:
        return min(found, 1)
    kept = 0
    for s in range(found):
        if lengths[s] > 1:
            starts[kept] = starts[s]
            lengths[kept] = lengths[s]
            kept += 1
    return kept


@inner
def _short_noise(noise: float, gain: float, time: float) -> float:
    over = noise / time
    return 12.0 * over * over / (6.0 * gain * gain)


@inner
def _long_noise(noise: float, gain: float, time: float, length: int) -> float:
    if gain <= 0.0 or math.isnan(gain):
        return 0.0
    over = noise / time
    count = np.float64(length)
    return 12.0 * over * over / ((count * count * count - count) * gain * gain)


@inner
def _noise_of(length: int, noise: float, gain: float, time: float, single: float) -> float:
    if length == 1:
        return _short_noise(noise, gain, single)
    if length == 2:
        return _short_noise(noise, gain, time)
    return _long_noise(noise, gain, time, length)


@inner
def _line(
    data: Any, start: int, length: int, noise: float, gain: float, table: Any
) -> tuple[float, float, float, float]:
    """Weighted straight line: slope in a group, its error, value at group 0, its error."""
    rise = data[start + length - 1] - data[start]
    variance = noise * noise + rise * gain
    signal_to_noise = 0.0
    if not (variance <= 0.0 or gain == 0.0):
        signal_to_noise = rise * gain / math.sqrt(variance)
        signal_to_noise = 0.0 if signal_to_noise < 0.0 else signal_to_noise
    weights = table[_power_of(signal_to_noise)]
    offset = length * (length - 1) // 2
    inverse = 1.0 / (noise * noise)
    sum_w = 0.0
    sum_x = 0.0
    sum_xx = 0.0
    sum_y = 0.0
    sum_xy = 0.0
    for k in range(length):
        weight = np.float64(weights[offset + k]) * inverse
        x = np.float64(k + start)
        y = data[start + k]
        y = 0.0 if math.isnan(y) else y
        xw = x * weight
        sum_w += weight
        sum_x += xw
        sum_xx += x * xw
        sum_y += y * weight
        sum_xy += y * xw
    inverse = 1.0 / (sum_w * sum_xx - sum_x * sum_x)
    return (
        (sum_w * sum_xy - sum_x * sum_y) * inverse,
        math.sqrt(sum_w * inverse),
        (sum_xx * sum_y - sum_x * sum_xy) * inverse,
        math.sqrt(sum_xx * inverse),
    )


@inner
def _good_groups(quality: Any, ngroups: int) -> int:
    good = 0
    for k in range(ngroups):
        good += 1 if (quality[k] & _NOT_PERSISTENCE) == 0 else 0
    return good


@inner
def _take_ramp(
    ramp: Any,
    groupdq: Any,
    place: Any,
    data: Any,
    quality: Any,
    original: Any,
    suppress: bool,
    forget: bool,
) -> None:
    """Copy a ramp out of its tile; saturated groups become NaN."""
    i, y, x = place
    ngroups = ramp.shape[1]
    for k in range(ngroups):
        flag = groupdq[i, k, y, x]
        original[k] = flag
        quality[k] = flag
        data[k] = math.nan if (flag & _SAT) != 0 else np.float64(ramp[i, k, y, x])
    if forget:
        quality[0] &= _NOT_JUMP
    if suppress and _good_groups(quality, ngroups) == 1:
        for k in range(ngroups):
            quality[k] |= _DNU


@inner
def _single_time(
    data: Any, quality: Any, zero: float, suppress: bool, times: Any
) -> tuple[float, bool]:
    """Give the time that a lone first group took, and put the zero frame in place of no group.

    NaN in place of the time: the ramp is no such special case.
    """
    ngroups = len(data)
    if suppress:
        return math.nan, False
    good = 0
    for k in range(ngroups):
        good += 1 if quality[k] == 0 else 0
    if good == 1 and quality[0] == 0:
        return times[_ONE_GROUP_TIME], False
    if good == 0 and zero != 0.0:
        data[0] = zero
        quality[0] = 0
        return times[_FRAME_TIME], True
    return math.nan, False


@inner
def _variance(inverse: float) -> float:
    variance = 1.0 / inverse
    return 0.0 if variance >= TOO_LARGE else variance


@inner
def _charge_loss_noise(
    original: Any, starts: Any, lengths: Any, noise: float, gain: float, time: float, single: float
) -> float:
    """Inverse read-noise variance as if charge migration had cost no group."""
    ngroups = len(original)
    for k in range(ngroups):
        if (original[k] & _CHARGELOSS) != 0:
            original[k] ^= _LOST_AND_DNU
    inverse = 0.0
    for s in range(_find_segments(original, starts, lengths, ngroups)):
        variance = _noise_of(lengths[s], noise, gain, time, single)
        if variance > 0.0:
            inverse += 1.0 / variance
    return inverse


@kernel(
    const(f4, 4), const(u1, 4), const(u4, 2), const(f4, 2), const(f4, 2), const(f4, 2),
    const(f4, 3), const(f4, 2), const(f8, 1), b1, b1, i8, i8, i8,
    array(f4, 3), array(u4, 2), array(f4, 4), array(u4, 3),
)  # fmt: skip
def _fit(
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
    rate: Any,
    rate_dq: Any,
    rateints: Any,
    rateints_dq: Any,
) -> None:
    nints, ngroups, _, nx = ramp.shape
    time = times[_GROUP_TIME]
    has_dark = dark.shape[0] > 0
    has_zero = zeroframe.shape[0] > 0
    offset = ngroups * (ngroups - 1) // 2
    weights = np.ascontiguousarray(table[:, offset : offset + ngroups])
    room = np.zeros(ROOM, np.float64)
    raw = np.zeros(ngroups * BLOCK, np.float32)
    steps = np.zeros(max(ngroups - 1, 1) * BLOCK, np.float64)
    flags = np.empty(BLOCK, np.uint8)
    simple = np.empty((nints, BLOCK), np.bool_)
    every = np.empty(nints, np.bool_)
    noises = np.empty((nints, BLOCK), np.float64)
    quality_now = np.zeros(BLOCK, np.uint32)
    all_dnu = np.empty(BLOCK, np.int64)
    all_sat = np.empty(BLOCK, np.int64)
    any_sat = np.empty(BLOCK, np.bool_)
    lossy = np.empty(BLOCK, np.bool_)
    data = np.empty(ngroups, np.float64)
    rates = np.empty(ngroups, np.float64)
    quality = np.empty(ngroups, np.uint8)
    original = np.empty(ngroups, np.uint8)
    starts = np.empty(ngroups, np.int64)
    lengths = np.empty(ngroups, np.int64)
    for y in range(first, last):
        row = y0 + y
        for x0 in range(0, nx, BLOCK):
            nb = min(BLOCK, nx - x0)
            gains = gain[row, x0 : x0 + nb]
            reads = noise[row, x0 : x0 + nb]
            start_block(room, gains, reads, nb)
            # ---- the median rate, which the Poisson variance is taken from
            all_simple = True
            for i in range(nints):
                for x in range(BLOCK):
                    flags[x] = 0
                for k in range(ngroups):
                    bits = groupdq[i, k, y, x0 : x0 + nb]
                    for x in range(nb):
                        flags[x] |= bits[x]
                take_block(raw, ramp, (i, y, x0), nb)
                every[i] = add_median(room, raw, flags, steps, time, nb)
                for x in range(nb):
                    simple[i, x] = room[SIMPLE + x] != 0.0
                if every[i]:
                    continue
                all_simple = False
                for x in range(nb):
                    if simple[i, x]:
                        continue
                    if ngroups == 1:
                        flag = groupdq[i, 0, y, x0 + x]
                        value = math.nan if flag & _SAT else np.float64(ramp[i, 0, y, x0 + x])
                        zero = np.float64(zeroframe[i, row, x0 + x]) if has_zero else 0.0
                        if not suppress and flag != 0 and zero != 0.0:
                            value = zero
                        room[MEDIAN + x] += value / times[_ONE_GROUP_TIME]
                        continue
                    _take_ramp(
                        ramp, groupdq, (i, y, x0 + x), data, quality, original, suppress, forget
                    )
                    zero = np.float64(zeroframe[i, row, x0 + x]) if has_zero else 0.0
                    single, _ = _single_time(data, quality, zero, suppress, times)
                    if math.isnan(single):
                        value = _median_rate(data, quality, rates, ngroups, time)
                    else:
                        value = data[0] / single
                    if not math.isnan(value):
                        room[MEDIAN + x] += value
            if has_dark:
                extra = dark[row, x0 : x0 + nb]
                for x in range(nb):
                    room[DARKENED + x] = np.float64(extra[x])
            else:
                for x in range(nb):
                    room[DARKENED + x] = 0.0
            parts = np.float64(np.float32(nints))
            for x in range(nb):
                # What the Poisson variance is made of, before time and gain.
                median = room[MEDIAN + x] / parts
                more = room[DARKENED + x]
                room[DARKENED + x] = median + more if median > 0.0 else more
            shared = pixeldq[row, x0 : x0 + nb]
            exposure_dq = rate_dq[row, x0 : x0 + nb]
            for x in range(nb):
                bad = not (room[GAIN + x] > 0.0)
                quality_now[x] = shared[x] | (_PIXEL_NO_GAIN if bad else np.uint32(0))
            for x in range(nb):
                exposure_dq[x] = quality_now[x]
            for x in range(nb):
                all_dnu[x] = 0
                all_sat[x] = 0
                any_sat[x] = False
                lossy[x] = False
            # ---- slopes of the integrations
            for i in range(nints):
                for x in range(nb):
                    room[SIMPLE + x] = 1.0 if simple[i, x] else 0.0
                if nints > 1:  # else it is still there
                    take_block(raw, ramp, (i, y, x0), nb)
                fit_block(room, raw, weights, quality_now, time)
                slopes = rateints[0, i, row, x0 : x0 + nb]
                errors = rateints[1, i, row, x0 : x0 + nb]
                poisson = rateints[2, i, row, x0 : x0 + nb]
                readout = rateints[3, i, row, x0 : x0 + nb]
                qualities = rateints_dq[i, row, x0 : x0 + nb]
                store(room, SLOPE, slopes, nb)
                store(room, ERROR, errors, nb)
                store(room, VAR_P, poisson, nb)
                store(room, VAR_R, readout, nb)
                for x in range(nb):
                    qualities[x] = quality_now[x]
                for x in range(nb):
                    noises[i, x] = room[VAR_R + x]
                for x in range(nb):
                    dnu = (quality_now[x] & _PIXEL_DNU) != 0
                    all_dnu[x] += 1 if dnu & simple[i, x] else 0
                for x in range(nb):
                    sat = (quality_now[x] & _PIXEL_SAT) != 0
                    all_sat[x] += 1 if sat & simple[i, x] else 0
                if every[i]:
                    continue
                for x in range(nb):
                    if simple[i, x]:
                        continue
                    _take_ramp(
                        ramp, groupdq, (i, y, x0 + x), data, quality, original, suppress, forget
                    )
                    saturated = 0
                    unusable = 0
                    flag = quality_now[x]
                    for k in range(ngroups):
                        bits_here = quality[k]
                        saturated += 1 if (bits_here & _SAT) != 0 else 0
                        unusable += 1 if (bits_here & _NO_DATA) != 0 else 0
                        if (bits_here & _JUMP) != 0:
                            flag |= _PIXEL_JUMP
                        if (bits_here & _PERSISTENCE) != 0:
                            flag |= _PIXEL_PERSISTENCE
                        if (bits_here & _CHARGELOSS) != 0:
                            lossy[x] = True
                    rate_dq[row, x0 + x] |= flag
                    zero = np.float64(zeroframe[i, row, x0 + x]) if has_zero else 0.0
                    single, from_zero = _single_time(data, quality, zero, suppress, times)
                    if from_zero:
                        unusable -= 1
                        saturated -= 1 if saturated == ngroups else 0
                    single = time if math.isnan(single) else single
                    slope = 0.0
                    error = 0.0
                    var_p = 0.0
                    var_r = 0.0
                    segments = 0
                    if (quality[0] & _SAT) != 0:
                        flag |= _PIXEL_INVALID
                        slope = math.nan
                    else:
                        segments = _find_segments(quality, starts, lengths, ngroups)
                    if unusable == ngroups:
                        flag |= _PIXEL_DNU
                        if saturated == ngroups:
                            flag |= _PIXEL_SAT
                    elif segments > 0:
                        g = np.float64(gains[x])
                        r = np.float64(reads[x])
                        inverse_p = 0.0
                        inverse_r = 0.0
                        inverse_e = 0.0
                        numerator = 0.0
                        for s in range(segments):
                            length = lengths[s]
                            begin = starts[s]
                            if length == 1:
                                part = data[begin] / single
                                part_p = room[DARKENED + x] / (single * g)
                            elif length == 2:
                                part = (data[begin + 1] - data[begin]) / time
                                part_p = room[DARKENED + x] / (time * g)
                            else:
                                part, _, _, _ = _line(data, begin, length, r, g, table)
                                part = part / time
                                part_p = room[DARKENED + x] / (
                                    time * g * (np.float64(length) - 1.0)
                                )
                            part_r = _noise_of(length, r, g, time, single)
                            inverse_r += 1.0 / part_r
                            if part_p > 0.0:
                                inverse_p += 1.0 / part_p
                            inverse_e += 1.0 / (part_p + part_r)
                            numerator += part / part_r
                        if inverse_p > 0.0:
                            var_p = 1.0 / inverse_p
                            room[SUM_P + x] += inverse_p
                        var_p = 0.0 if var_p >= TOO_LARGE else var_p
                        var_r = _variance(inverse_r)
                        if (flag & _PIXEL_INVALID) != 0:
                            slope = math.nan
                            var_p = 0.0
                            var_r = 0.0
                        else:
                            slope = numerator * var_r
                            total_e = 1.0 / inverse_e
                            error = 0.0 if total_e > TOO_LARGE else math.sqrt(total_e)
                        room[SUM_R + x] += inverse_r
                        room[SUM_SLOPE + x] += numerator
                    if (flag & _PIXEL_DNU) != 0:
                        all_dnu[x] += 1
                        slope = math.nan
                    if (flag & _PIXEL_SAT) != 0:
                        all_sat[x] += 1
                        slope = math.nan
                    if saturated > 0:
                        flag |= _PIXEL_SAT
                        any_sat[x] = True
                    noises[i, x] = var_r
                    slopes[x] = np.float32(slope)
                    errors[x] = np.float32(error)
                    poisson[x] = np.float32(var_p)
                    readout[x] = np.float32(var_r)
                    qualities[x] = flag
            # ---- the exposure
            for x in range(nb):
                exposure_dq[x] |= _PIXEL_DNU if all_dnu[x] == nints else np.uint32(0)
            for x in range(nb):
                exposure_dq[x] |= _PIXEL_SAT if all_sat[x] == nints else np.uint32(0)
            for x in range(nb):
                quality_now[x] = exposure_dq[x]
            finish_rate(room, quality_now)
            readout = rate[3, row, x0 : x0 + nb]
            store(room, SLOPE, rate[0, row, x0 : x0 + nb], nb)
            store(room, ERROR, rate[1, row, x0 : x0 + nb], nb)
            store(room, VAR_P, rate[2, row, x0 : x0 + nb], nb)
            store(room, VAR_R, readout, nb)
            if all_simple:
                continue
            for x in range(nb):
                exposure_dq[x] |= _PIXEL_SAT if any_sat[x] else np.uint32(0)
            for x in range(nb):
                if not lossy[x]:
                    continue
                inverse_r = 0.0
                for i in range(nints):
                    _take_ramp(
                        ramp, groupdq, (i, y, x0 + x), data, quality, original, suppress, forget
                    )
                    touched = False
                    for k in range(ngroups):
                        touched |= (quality[k] & _CHARGELOSS) != 0
                    if not touched:
                        if noises[i, x] > 0.0:
                            inverse_r += 1.0 / noises[i, x]
                        continue
                    zero = np.float64(zeroframe[i, row, x0 + x]) if has_zero else 0.0
                    single, _ = _single_time(data, quality, zero, suppress, times)
                    single = time if math.isnan(single) else single
                    part = _charge_loss_noise(
                        original,
                        starts,
                        lengths,
                        np.float64(reads[x]),
                        np.float64(gains[x]),
                        time,
                        single,
                    )
                    rateints[3, i, row, x0 + x] = np.float32(_variance(part))
                    inverse_r += part
                if inverse_r > 0.0:
                    readout[x] = np.float32(_variance(inverse_r))


def fit_ols(
    ramp: NDArray[np.float32],
    groupdq: NDArray[np.uint8],
    pixeldq: NDArray[np.uint32],
    gain: NDArray[np.float32],
    noise: NDArray[np.float32],
    rates: Rates,
    *,
    table: NDArray[np.float32],
    group_time: float,
    frame_time: float,
    nframes: int,
    suppress_one_group: bool = True,
    forget_first_jump: bool = False,
    dark_current: NDArray[np.float32] | None = None,
    zeroframe: NDArray[np.float32] | None = None,
    y0: int = 0,
    first: int = 0,
    last: int | None = None,
) -> None:
    """Fit the ramps of a tile.

    Parameters
    ----------
    ramp
        (nints, ngroups, rows, nx), DN; not changed.
    groupdq
        The same shape; not changed.
    pixeldq
        (ny, nx).
    gain
        (ny, nx), electrons per DN.
    noise
        (ny, nx), electrons: see `read_noise_of_a_read`.
    rates
        Where the slopes go: rows ``y0 + first`` to ``y0 + last``.
    table
        See `weight_table`; of at least as many groups.
    group_time, frame_time
        Seconds.
    nframes
        How many frames a group averages.
    suppress_one_group
        Whether a ramp with one good group counts as one with none; ramps of
        one group never do.
    forget_first_jump
        Whether a jump in the first group does not count, as where groups
        before it were taken off the ramp.
    dark_current
        (ny, nx), added to the median rate for the Poisson variance, as the
        official package has it: without regard to its unit.
    zeroframe
        (nints, ny, nx): stands in for ramps without a good group, unless one
        group is suppressed.
    y0
        Row of the frame that the tile's first row is.
    first, last
        Rows of the tile that are wanted; None for all.
    """
    _, ngroups, rows, _ = ramp.shape
    # The official package takes times in single precision and computes in double.
    single = np.float32(frame_time)
    times = np.array(
        [
            float(np.float32(group_time)),
            float(single),
            # A float in C, of a product in double precision.
            (float(np.float32(nframes)) + 1.0) * float(single) / 2.0,
        ]
    )
    none2 = np.zeros((0, 0), np.float32)
    none3 = np.zeros((0, 0, 0), np.float32)
    _fit(
        ramp,
        groupdq,
        pixeldq,
        gain,
        noise,
        none2 if dark_current is None else dark_current,
        none3 if zeroframe is None else zeroframe,
        table,
        times,
        suppress_one_group and ngroups > 1,
        forget_first_jump,
        y0,
        first,
        rows if last is None else last,
        rates.rate,
        rates.rate_dq,
        rates.rateints,
        rates.rateints_dq,
    )

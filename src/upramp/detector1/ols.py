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
from .sorting import insertion_sort, sort_columns

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Rates", "fit_ols", "read_noise_of_a_read", "weight_table"]

_DNU: Final = np.uint8(GROUP["DO_NOT_USE"])
_SAT: Final = np.uint8(GROUP["SATURATED"])
_JUMP: Final = np.uint8(GROUP["JUMP_DET"])
_PERSISTENCE: Final = np.uint8(GROUP["PERSISTENCE"])
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
_TOO_LARGE: Final = 1e6
"""A variance from here on stands for none at all."""

_BLOCK: Final = 128
"""Pixels that are fitted side by side."""

# Columns of the numbers that describe an exposure's times to the kernels.
_GROUP_TIME: Final = 0
_FRAME_TIME: Final = 1
_ONE_GROUP_TIME: Final = 2

# Columns of what is kept of a pixel while its integrations are added up.
_SUM_P: Final = 0
_SUM_R: Final = 1
_SUM_SLOPE: Final = 2


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
    """Runs of good groups, each with the jump right before it."""
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
    count = float(length)
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
        weight = float(weights[offset + k]) * inverse
        x = float(k + start)
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
) -> None:
    """Copy a ramp out of its tile; saturated groups become NaN."""
    i, y, x = place
    ngroups = ramp.shape[1]
    for k in range(ngroups):
        flag = groupdq[i, k, y, x]
        original[k] = flag
        quality[k] = flag
        data[k] = math.nan if (flag & _SAT) != 0 else float(ramp[i, k, y, x])
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
    return 0.0 if variance >= _TOO_LARGE else variance


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

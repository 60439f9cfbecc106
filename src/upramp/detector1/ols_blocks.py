"""Straight lines through ramps without a flag, a block of pixels side by side.

All that is kept of a block lies in one array at distances that are known when
this is compiled: so LLVM sees that nothing overlaps, and uses the processor's
vector instructions. Order of operations and types are those of `ols`.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from upramp.dq import PIXEL

from .kernels import inner
from .sorting import block_sorter

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "BLOCK",
    "DARKENED",
    "ERROR",
    "GAIN",
    "MEDIAN",
    "ROOM",
    "SIMPLE",
    "SLOPE",
    "SUM_P",
    "SUM_R",
    "SUM_SLOPE",
    "TOO_LARGE",
    "VAR_P",
    "VAR_R",
    "add_median",
    "finish_rate",
    "fit_block",
    "start_block",
    "store",
    "take_block",
]

BLOCK: Final = 64
"""Pixels that are fitted side by side."""

TOO_LARGE: Final = 1e6
"""A variance from here on stands for none at all."""

_INVALID: Final = np.uint32(PIXEL["DO_NOT_USE"] | PIXEL["SATURATED"])

_sort = block_sorter(BLOCK)

# Where in the room of a block each quantity lies.
GAIN: Final = 0 * BLOCK
NOISE: Final = 1 * BLOCK
MEDIAN: Final = 2 * BLOCK
DARKENED: Final = 3 * BLOCK
"""Median rate plus dark current: what the Poisson variance is made of."""
BEFORE: Final = 4 * BLOCK
FINITE: Final = 5 * BLOCK
SIMPLE: Final = 6 * BLOCK
INVERSE: Final = 7 * BLOCK
POWER: Final = 8 * BLOCK
SUM_W: Final = 9 * BLOCK
SUM_X: Final = 10 * BLOCK
SUM_XX: Final = 11 * BLOCK
SUM_Y: Final = 12 * BLOCK
SUM_XY: Final = 13 * BLOCK
SUM_P: Final = 14 * BLOCK
SUM_R: Final = 15 * BLOCK
SUM_SLOPE: Final = 16 * BLOCK
SLOPE: Final = 17 * BLOCK
ERROR: Final = 18 * BLOCK
VAR_P: Final = 19 * BLOCK
VAR_R: Final = 20 * BLOCK
BAD: Final = 21 * BLOCK
ROOM: Final = 22 * BLOCK
"""How many numbers a block needs."""


@inner
def start_block(room: NDArray[Any], gains: Any, noises: Any, count: int) -> None:
    """Take the gain and the noise of a block in, and forget the one before.

    Parameters
    ----------
    room
        `ROOM` float64. All of its `BLOCK` columns are computed with, whatever
        lies in those that are no pixels: loops of known length are the fast ones.
    gains, noises
        float32.
    count
        How many pixels the block has.
    """
    for x in range(count):
        room[GAIN + x] = np.float64(gains[x])
    for x in range(count):
        room[NOISE + x] = np.float64(noises[x])
    for x in range(BLOCK):
        room[MEDIAN + x] = 0.0
        room[SUM_P + x] = 0.0
        room[SUM_R + x] = 0.0
        room[SUM_SLOPE + x] = 0.0


@inner
def take_block(raw: NDArray[Any], ramp: Any, place: tuple[int, int, int], count: int) -> None:
    """Copy the ramps of a block.

    Parameters
    ----------
    raw
        Gets them: (ngroups * BLOCK,) float32, group after group.
    ramp
        Of the tile.
    place
        Integration, row of the tile, first column.
    count
        How many pixels the block has.
    """
    i, y, x0 = place
    for k in range(ramp.shape[1]):
        values = ramp[i, k, y, x0 : x0 + count]
        mine = raw[k * BLOCK : k * BLOCK + count]
        for x in range(count):
            mine[x] = values[x]


@inner
def _first_step(room: Any, values: Any, time: float) -> None:
    for x in range(BLOCK):
        here = np.float64(values[x]) / time
        room[BEFORE + x] = here
        # Zero unless a value is infinite or not a number.
        room[FINITE + x] = here * 0.0


@inner
def _add_step(room: Any, values: Any, step: Any, time: float) -> None:
    for x in range(BLOCK):
        here = np.float64(values[x]) / time
        step[x] = here - room[BEFORE + x]
        room[BEFORE + x] = here
        room[FINITE + x] += here * 0.0


@inner
def add_median(
    room: NDArray[Any],
    raw: NDArray[Any],
    flags: NDArray[Any],
    steps: NDArray[Any],
    time: float,
    count: int,
) -> bool:
    """Add the median rate of an integration, for the pixels that are simple.

    Parameters
    ----------
    room
        Of the block; gets SIMPLE.
    raw
        The block's ramps; see `take_block`.
    flags
        (BLOCK,) uint8: all flags of the integration's groups together.
    steps
        (max(ngroups - 1, 1) * BLOCK,) float64, for the differences.
    time
        Seconds of a group.
    count
        How many pixels the block has.

    Returns
    -------
    bool
        Whether all pixels are simple.
    """
    ngroups = len(raw) // BLOCK
    _first_step(room, raw[:BLOCK], time)
    for k in range(1, ngroups):
        here = raw[k * BLOCK : (k + 1) * BLOCK]
        _add_step(room, here, steps[(k - 1) * BLOCK : k * BLOCK], time)
    long_enough = ngroups > 2
    for x in range(BLOCK):
        fine = (room[FINITE + x] == 0.0) & (room[GAIN + x] > 0.0) & long_enough
        room[SIMPLE + x] = 1.0 if fine else 0.0
    for x in range(BLOCK):
        room[SIMPLE + x] = room[SIMPLE + x] if flags[x] == 0 else 0.0
    simple = 0
    for x in range(count):
        simple += 1 if room[SIMPLE + x] != 0.0 else 0
    # What is sorted must be numbers.
    if simple != BLOCK:
        for k in range(ngroups - 1):
            step = steps[k * BLOCK : (k + 1) * BLOCK]
            for x in range(BLOCK):
                step[x] = step[x] if room[SIMPLE + x] != 0.0 else 0.0
    _sort(steps, ngroups - 1)
    half = (ngroups - 1) // 2
    low = half if ngroups % 2 == 0 else max(half - 1, 0)
    upper = steps[half * BLOCK : (half + 1) * BLOCK]
    lower = steps[low * BLOCK : (low + 1) * BLOCK]
    for x in range(BLOCK):
        middle = (upper[x] + lower[x]) / 2.0
        room[MEDIAN + x] += middle if room[SIMPLE + x] != 0.0 else 0.0
    return simple == count


@inner
def fit_block(
    room: NDArray[Any], raw: NDArray[Any], weights: Any, quality: Any, time: float
) -> None:
    """Fit an integration of a block as if no ramp had a flag.

    Parameters
    ----------
    room
        Of the block; gets SLOPE, ERROR, VAR_P, VAR_R, and the sums over
        integrations for the pixels that are simple.
    raw
        The block's ramps; see `take_block`.
    weights
        (6, ngroups) float32.
    quality
        (BLOCK,) uint32: flags of the pixels.
    time
        Seconds of a group.
    """
    ngroups = len(raw) // BLOCK
    _choose_power(room, raw[:BLOCK], raw[(ngroups - 1) * BLOCK : ngroups * BLOCK])
    for k in range(ngroups):
        _add_group(room, raw[k * BLOCK : (k + 1) * BLOCK], weights, k)
    for x in range(BLOCK):
        room[BAD + x] = 1.0 if (quality[x] & _INVALID) != 0 else 0.0
    _solve(room, np.float64(ngroups), time)


@inner
def _choose_power(room: Any, start: Any, end: Any) -> None:
    for x in range(BLOCK):
        room[SLOPE + x] = np.float64(end[x]) - np.float64(start[x])
    for x in range(BLOCK):
        g = room[GAIN + x]
        r = room[NOISE + x]
        rise = room[SLOPE + x]
        variance = r * r + rise * g
        ratio = rise * g / math.sqrt(variance)
        ratio = 0.0 if ratio < 0.0 else ratio
        ratio = 0.0 if variance <= 0.0 else ratio
        power = 0.0 if ratio < 5.0 else 1.0
        power += 0.0 if ratio < 10.0 else 1.0
        power += 0.0 if ratio < 20.0 else 1.0
        power += 0.0 if ratio < 50.0 else 1.0
        power += 0.0 if ratio < 100.0 else 1.0
        room[POWER + x] = power
        room[INVERSE + x] = 1.0 / (r * r)
        room[SUM_W + x] = 0.0
        room[SUM_X + x] = 0.0
        room[SUM_XX + x] = 0.0
        room[SUM_Y + x] = 0.0
        room[SUM_XY + x] = 0.0


@inner
def _add_group(room: Any, values: Any, weights: Any, k: int) -> None:
    at = np.float64(k)
    w0 = np.float64(weights[0, k])
    w1 = np.float64(weights[1, k])
    w2 = np.float64(weights[2, k])
    w3 = np.float64(weights[3, k])
    w4 = np.float64(weights[4, k])
    w5 = np.float64(weights[5, k])
    for x in range(BLOCK):
        power = room[POWER + x]
        weight = w1 if power == 1.0 else w0
        weight = w2 if power == 2.0 else weight
        weight = w3 if power == 3.0 else weight
        weight = w4 if power == 4.0 else weight
        weight = w5 if power == 5.0 else weight
        weight *= room[INVERSE + x]
        value = np.float64(values[x])
        xw = at * weight
        room[SUM_W + x] += weight
        room[SUM_X + x] += xw
        room[SUM_XX + x] += at * xw
        room[SUM_Y + x] += value * weight
        room[SUM_XY + x] += value * xw


@inner
def _solve(room: Any, groups: float, time: float) -> None:
    for x in range(BLOCK):
        g = room[GAIN + x]
        w, xw, xxw = room[SUM_W + x], room[SUM_X + x], room[SUM_XX + x]
        over = 1.0 / (w * xxw - xw * xw)
        slope = (w * room[SUM_XY + x] - xw * room[SUM_Y + x]) * over / time
        var_p = room[DARKENED + x] / (time * g * (groups - 1.0))
        each = room[NOISE + x] / time
        var_r = 12.0 * each * each / ((groups * groups * groups - groups) * g * g)
        inverse_e = 1.0 / (var_p + var_r)
        inverse_r = 1.0 / var_r
        inverse_p = 1.0 / var_p
        inverse_p = inverse_p if var_p > 0.0 else 0.0
        numerator = slope / var_r
        total_p = 1.0 / inverse_p
        total_p = total_p if inverse_p > 0.0 else 0.0
        total_p = 0.0 if total_p >= TOO_LARGE else total_p
        total_r = 1.0 / inverse_r
        total_r = 0.0 if total_r >= TOO_LARGE else total_r
        total_e = 1.0 / inverse_e
        error = math.sqrt(total_e)
        error = 0.0 if total_e > TOO_LARGE else error
        bad = room[BAD + x] != 0.0
        room[SLOPE + x] = math.nan if bad else numerator * total_r
        room[ERROR + x] = 0.0 if bad else error
        room[VAR_P + x] = 0.0 if bad else total_p
        room[VAR_R + x] = 0.0 if bad else total_r
        fine = room[SIMPLE + x] != 0.0
        room[SUM_P + x] += inverse_p if fine else 0.0
        room[SUM_R + x] += inverse_r if fine else 0.0
        room[SUM_SLOPE + x] += numerator if fine else 0.0


@inner
def finish_rate(room: NDArray[Any], quality: Any) -> None:
    """Give the rate of the exposure from the sums over its integrations.

    Parameters
    ----------
    room
        Of the block; gets SLOPE, ERROR, VAR_P, VAR_R.
    quality
        (BLOCK,) uint32: flags of the pixels, DO_NOT_USE and SATURATED final
        but for partial saturation.
    """
    for x in range(BLOCK):
        room[BAD + x] = 1.0 if (quality[x] & _INVALID) != 0 else 0.0
    for x in range(BLOCK):
        sum_p, sum_r = room[SUM_P + x], room[SUM_R + x]
        var_p = 1.0 / sum_p
        var_p = var_p if sum_p > 0.0 else sum_p
        var_p = 0.0 if (var_p >= TOO_LARGE) | (var_p < 0.0) else var_p
        var_r = 1.0 / sum_r
        var_r = var_r if sum_r > 0.0 else sum_r
        var_r = 0.0 if var_r >= TOO_LARGE else var_r
        bad = room[BAD + x] != 0.0
        room[SLOPE + x] = math.nan if bad else room[SUM_SLOPE + x] * var_r
        error = math.sqrt(var_p + var_r)
        room[ERROR + x] = 0.0 if bad else error
        room[VAR_P + x] = 0.0 if bad else var_p
        room[VAR_R + x] = 0.0 if bad else var_r


@inner
def store(room: NDArray[Any], slot: int, out: Any, count: int) -> None:
    """Store a quantity of a block.

    Parameters
    ----------
    room
        Of the block.
    slot
        Which quantity.
    out
        (count,) float32.
    count
        How many pixels the block has.
    """
    for x in range(count):
        out[x] = np.float32(room[slot + x])

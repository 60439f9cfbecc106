"""Jumps by differences of neighbouring groups: the core of the jump step.

For most pixels nothing is to be found, and that is decided for a whole block
of pixels at once: differences, their median, the noise, and whether even the
most deviant difference stays below the threshold. Pixels that do not, or that
have flagged groups, are looked at one by one.

Source: Anderson and Gordon 2011, PASP 123, 1237 (two-point difference);
`stcal/jump/twopoint_difference.py` decides order and types.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from upramp.dq import GROUP

from .kernels import array, b1, const, f4, f8, i8, inner, kernel, u1, u4
from .sorting import block_sorter, insertion_sort

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["REACH", "TwoPoint", "find_jumps", "lost_groups", "mark_usable"]

REACH: Final = 1
"""How many rows beyond its own a tile needs: flags of neighbours."""

_DNU: Final = np.uint8(GROUP["DO_NOT_USE"])
_SAT: Final = np.uint8(GROUP["SATURATED"])
_JUMP: Final = np.uint8(GROUP["JUMP_DET"])
_NO_DATA: Final = np.uint8(GROUP["DO_NOT_USE"] | GROUP["SATURATED"])
_NOT_JUMP: Final = np.uint8(255 - GROUP["JUMP_DET"])

_BLOCK: Final = 64
"""Pixels that are screened side by side."""

_sort = block_sorter(_BLOCK)

# Where in the room of a block each quantity lies: single precision, then double.
_GAIN: Final = 0 * _BLOCK
_DATA: Final = 1 * _BLOCK
_BEFORE: Final = 2 * _BLOCK
_FINITE: Final = 3 * _BLOCK
_ROOM: Final = 4 * _BLOCK
_SPREAD: Final = 0 * _BLOCK
_MEDIAN: Final = 1 * _BLOCK
_WORST: Final = 2 * _BLOCK


@dataclass(frozen=True)
class TwoPoint:
    """How jumps are found.

    Parameters
    ----------
    rejection_threshold
        In sigma, where four or more differences are usable.
    three_group_rejection_threshold
        In sigma, where two are (the official name counts groups).
    four_group_rejection_threshold
        In sigma, where three are.
    flag_4_neighbors
        Whether the four neighbours of a jump are flagged too.
    max_jump_to_flag_neighbors, min_jump_to_flag_neighbors
        In sigma: between these a jump's neighbours are flagged.
    after_jump_e1, after_jump_e2
        In electrons: groups after larger jumps are flagged too.
    after_jump_n1, after_jump_n2
        How many groups.
    single_pass
        Flag everything above the threshold at once, as enough differences
        are there; else one jump at a time.
    search
        Whether to look for jumps at all; else what is flagged already counts.
    """

    rejection_threshold: float = 4.0
    three_group_rejection_threshold: float = 6.0
    four_group_rejection_threshold: float = 5.0
    flag_4_neighbors: bool = True
    max_jump_to_flag_neighbors: float = 1000.0
    min_jump_to_flag_neighbors: float = 10.0
    after_jump_e1: float = 0.0
    after_jump_n1: int = 0
    after_jump_e2: float = 0.0
    after_jump_n2: int = 0
    single_pass: bool = False
    search: bool = True


@kernel(const(u1, 4), array(b1, 2), i8, i8)
def _usable(groupdq: Any, usable: Any, first: int, last: int) -> None:
    nints, ngroups, _, nx = groupdq.shape
    for i in range(nints):
        for g in range(ngroups):
            if usable[i, g]:
                continue
            for y in range(first, last):
                row = groupdq[i, g, y]
                for x in range(nx):
                    if (row[x] & _DNU) == 0:
                        usable[i, g] = True
                        break
                if usable[i, g]:
                    break


def lost_groups(usable: NDArray[np.bool_]) -> int:
    """Count the groups that no pixel can use, in the integration that has most of them.

    Parameters
    ----------
    usable
        (nints, ngroups): whether any pixel is free of DO_NOT_USE.
    """
    return int((~usable).sum(axis=1).max(initial=0))


def mark_usable(
    groupdq: NDArray[np.uint8], usable: NDArray[np.bool_], first: int, last: int
) -> None:
    """Note which groups some pixel of a tile can use.

    Parameters
    ----------
    groupdq
        (nints, ngroups, rows, nx).
    usable
        (nints, ngroups); set where a pixel without DO_NOT_USE is found.
    first, last
        Rows of the tile that count.
    """
    _usable(groupdq, usable, first, last)


@inner
def _scan_pixel(values: Any, sorted_: Any, count: int, noise2: Any) -> tuple[float, float]:
    """Signed median of the differences of a pixel, NaN left out, and its noise."""
    n = 0
    for k in range(count):
        value = values[k]
        if not math.isnan(value):
            sorted_[n] = value
            n += 1
    if n == 0:
        return math.nan, math.nan
    insertion_sort(sorted_, n)
    half = n // 2
    median = sorted_[half]
    if n % 2 == 0:
        median = (sorted_[half - 1] + sorted_[half]) / 2.0
    sigma = math.sqrt(abs(median) + noise2)
    if sigma == 0.0:
        sigma = math.nan
    return median, sigma


@inner
def _flag_one_by_one(
    values: Any, absolute: Any, sorted_: Any, hit: Any, count: int, noise2: Any, limits: Any
) -> None:
    """Flag the most deviant difference, leave it out, and look again."""
    for k in range(count):
        absolute[k] = abs(values[k])
        hit[k] = False
    for repeat in range(count):
        n = 0
        for k in range(count):
            if not math.isnan(absolute[k]):
                sorted_[n] = absolute[k]
                n += 1
        if n < 2:
            return
        insertion_sort(sorted_, n)
        if n == 2:
            median = sorted_[0]
            limit = limits[2]
        elif n == 3:
            median = sorted_[1]
            limit = limits[1]
        else:
            largest = sorted_[n - 1]
            kept = n
            while kept > 0 and sorted_[kept - 1] == largest:
                kept -= 1
            if kept == 0:
                return
            half = kept // 2
            median = sorted_[half]
            if kept % 2 == 0:
                median = (sorted_[half - 1] + sorted_[half]) / 2.0
            limit = limits[0]
        if repeat > 0:
            # The official package keeps medians of later rounds in single precision.
            median = np.float64(np.float32(median))
        sigma = math.sqrt(abs(median) + noise2)
        if sigma == 0.0:
            return
        highest = -1.0
        for k in range(count):
            ratio = np.float64(abs(np.float32(absolute[k] - median))) / sigma
            if ratio > highest:
                highest = ratio
        if not highest > limit:
            return
        for k in range(count):
            if np.float64(abs(np.float32(absolute[k] - median))) / sigma == highest:
                hit[k] = True
                absolute[k] = math.nan


@inner
def _difference(room: Any, signed: Any, absolute: Any) -> None:
    """Take the difference of a group and the one before, in electrons."""
    for x in range(_BLOCK):
        after = room[_DATA + x] * room[_GAIN + x]
        difference = after - room[_BEFORE + x]
        signed[x] = difference
        room[_BEFORE + x] = after
        # Zero unless a difference is infinite or not a number.
        room[_FINITE + x] += difference * np.float32(0)
    for x in range(_BLOCK):
        absolute[x] = abs(signed[x])


@inner
def _zero_odd(room: Any, values: Any) -> None:
    for x in range(_BLOCK):
        odd = not (room[_FINITE + x] == np.float32(0))
        values[x] = np.float32(0) if odd else values[x]


@inner
def _middle(wide: Any, lower: Any, upper: Any) -> None:
    for x in range(_BLOCK):
        wide[_MEDIAN + x] = (np.float64(lower[x]) + np.float64(upper[x])) / 2.0


@inner
def _worst(wide: Any, smallest: Any, largest: Any) -> None:
    """Give the largest deviation from the median, in sigma; NaN where that is none."""
    for x in range(_BLOCK):
        median = wide[_MEDIAN + x]
        sigma = math.sqrt(abs(median) + wide[_SPREAD + x])
        high = abs(np.float64(largest[x]) - median) / sigma
        low = abs(np.float64(smallest[x]) - median) / sigma
        wide[_WORST + x] = high if high > low else low


@inner
def _worst_rounded(wide: Any, smallest: Any, largest: Any) -> None:
    """Give the same with deviations in single precision, as one-by-one flagging has them."""
    for x in range(_BLOCK):
        median = wide[_MEDIAN + x]
        sigma = math.sqrt(abs(median) + wide[_SPREAD + x])
        high = np.float64(abs(np.float32(np.float64(largest[x]) - median))) / sigma
        low = np.float64(abs(np.float32(np.float64(smallest[x]) - median))) / sigma
        wide[_WORST + x] = high if high > low else low


@kernel(
    const(f4, 4), array(u1, 4), const(f4, 2), const(f4, 2), f8, i8, i8, i8,
    f8, f8, f8, b1, b1, b1, f8, f8, array(f8, 2), array(u4, 1),
)  # fmt: skip
def _find(
    ramp: Any,
    groupdq: Any,
    gain: Any,
    noise2: Any,
    nframes: float,
    y0: int,
    first: int,
    last: int,
    limit4: float,
    limit3: float,
    limit2: float,
    single_pass: bool,
    search: bool,
    neighbours: bool,
    strong_low: float,
    strong_high: float,
    medians: Any,
    strong: Any,
) -> int:
    nints, ngroups, rows, nx = ramp.shape
    ndiffs = ngroups - 1
    count = nints * ndiffs
    signed = np.zeros(count * _BLOCK, np.float32)
    absolute = np.zeros(count * _BLOCK, np.float32)
    room = np.zeros(_ROOM, np.float32)
    wide = np.zeros(3 * _BLOCK, np.float64)
    flags = np.zeros(_BLOCK, np.uint8)
    look = np.zeros(_BLOCK, np.bool_)
    values = np.empty(count, np.float64)
    magnitudes = np.empty(count, np.float64)
    sorted_ = np.empty(count, np.float64)
    hit = np.empty(count, np.bool_)
    limits = np.array([limit4, limit3, limit2])
    limit_all = limit4 if count >= 4 else (limit3 if count == 3 else limit2)
    found = 0
    for y in range(first, last):
        for x0 in range(0, nx, _BLOCK):
            nb = min(_BLOCK, nx - x0)
            gains = gain[y0 + y, x0 : x0 + nb]
            noises = noise2[y0 + y, x0 : x0 + nb]
            for x in range(nb):
                room[_GAIN + x] = gains[x]
            for x in range(nb):
                wide[_SPREAD + x] = np.float64(noises[x]) / nframes
            for x in range(_BLOCK):
                flags[x] = 0
            for x in range(_BLOCK):
                room[_FINITE + x] = 0
            for i in range(nints):
                for k in range(ngroups):
                    quality = groupdq[i, k, y, x0 : x0 + nb]
                    for x in range(nb):
                        flags[x] |= quality[x]
                    data = ramp[i, k, y, x0 : x0 + nb]
                    for x in range(nb):
                        room[_DATA + x] = data[x]
                    if k == 0:
                        for x in range(_BLOCK):
                            room[_BEFORE + x] = room[_DATA + x] * room[_GAIN + x]
                        continue
                    at = (i * ndiffs + k - 1) * _BLOCK
                    _difference(room, signed[at : at + _BLOCK], absolute[at : at + _BLOCK])
            # What is not finite is sorted as zero, and then looked at by itself.
            odd = 0
            for x in range(nb):
                odd += 0 if room[_FINITE + x] == np.float32(0) else 1
            for x in range(nb):
                look[x] = (flags[x] & (_NO_DATA | _JUMP)) != 0
            if odd > 0:
                for x in range(nb):
                    look[x] |= not (room[_FINITE + x] == np.float32(0))
            if odd > 0 or nb < _BLOCK:
                for k in range(count):
                    _zero_odd(room, signed[k * _BLOCK : (k + 1) * _BLOCK])
                    _zero_odd(room, absolute[k * _BLOCK : (k + 1) * _BLOCK])
            _sort(signed, count)
            half = count // 2
            low = half - 1 if count % 2 == 0 else half
            _middle(
                wide,
                signed[low * _BLOCK : (low + 1) * _BLOCK],
                signed[half * _BLOCK : (half + 1) * _BLOCK],
            )
            middle = medians[y, x0 : x0 + nb]
            for x in range(nb):
                middle[x] = wide[_MEDIAN + x]
            if not search:
                pass
            elif single_pass:
                _worst(wide, signed[:_BLOCK], signed[(count - 1) * _BLOCK : count * _BLOCK])
                for x in range(nb):
                    look[x] |= not (wide[_WORST + x] <= limit4)
            elif count >= 2:
                _sort(absolute, count)
                last_one = absolute[(count - 1) * _BLOCK : count * _BLOCK]
                if count >= 4:
                    # The largest is left out: the median of the others.
                    half = (count - 1) // 2
                    low = half - 1 if count % 2 == 1 else half
                    second = absolute[(count - 2) * _BLOCK : (count - 1) * _BLOCK]
                    # Of equal largest ones all are left out: another median.
                    for x in range(nb):
                        look[x] |= second[x] == last_one[x]
                else:
                    half = low = count - 2 if count == 3 else 0
                _middle(
                    wide,
                    absolute[low * _BLOCK : (low + 1) * _BLOCK],
                    absolute[half * _BLOCK : (half + 1) * _BLOCK],
                )
                _worst_rounded(wide, absolute[:_BLOCK], last_one)
                for x in range(nb):
                    look[x] |= not (wide[_WORST + x] <= limit_all)
            for x in range(nb):
                if not look[x]:
                    continue
                column = x0 + x
                g = gains[x]
                for i in range(nints):
                    earlier = np.float32(math.nan)
                    for k in range(ngroups):
                        here = np.float32(math.nan)
                        if (groupdq[i, k, y, column] & _NO_DATA) == 0:
                            here = ramp[i, k, y, column] * g
                        if k > 0:
                            values[i * ndiffs + k - 1] = np.float64(here - earlier)
                        earlier = here
                spread = wide[_SPREAD + x]
                median, sigma = _scan_pixel(values, sorted_, count, spread)
                middle[x] = median
                if math.isnan(median):
                    continue
                if not search:
                    hit[:] = False
                elif single_pass:
                    for k in range(count):
                        hit[k] = (abs(values[k] - median) / sigma > limit4) & math.isfinite(
                            values[k]
                        )
                else:
                    _flag_one_by_one(values, magnitudes, sorted_, hit, count, spread, limits)
                for i in range(nints):
                    for k in range(ndiffs):
                        if hit[i * ndiffs + k]:
                            groupdq[i, k + 1, y, column] |= _JUMP
                        if neighbours and (groupdq[i, k + 1, y, column] & _JUMP) != 0:
                            ratio = abs(values[i * ndiffs + k] - median) / sigma
                            if ratio < strong_high and ratio > strong_low:
                                strong[found] = ((i * ngroups + k + 1) * rows + y) * nx + column
                                found += 1
    return found


@kernel(array(u1, 4), const(u4, 1), i8, i8, i8)
def _flag_neighbours(groupdq: Any, strong: Any, found: int, first: int, last: int) -> None:
    _, ngroups, rows, nx = groupdq.shape
    for n in range(found):
        place = np.int64(strong[n])
        x = place % nx
        y = (place // nx) % rows
        plane = place // (nx * rows)
        quality = groupdq[plane // ngroups, plane % ngroups]
        if y - 1 >= first and (quality[y - 1, x] & _NO_DATA) == 0:
            quality[y - 1, x] |= _JUMP
        if y + 1 < last and (quality[y + 1, x] & _NO_DATA) == 0:
            quality[y + 1, x] |= _JUMP
        if x > 0 and (quality[y, x - 1] & _NO_DATA) == 0:
            quality[y, x - 1] |= _JUMP
        if x + 1 < nx and (quality[y, x + 1] & _NO_DATA) == 0:
            quality[y, x + 1] |= _JUMP


@kernel(const(u1, 4), i8, i8)
def _count(groupdq: Any, first: int, last: int) -> int:
    nints, ngroups, _, nx = groupdq.shape
    total = 0
    for i in range(nints):
        for g in range(ngroups):
            for y in range(first, last):
                row = groupdq[i, g, y]
                in_row = 0
                for x in range(nx):
                    in_row += (row[x] & _JUMP) >> 2
                total += in_row
    return total


@inner
def _spread(big: Any, length: int, far: int) -> None:
    """Carry flags on to the groups that follow, as far as the official package does."""
    steps = min(far, length - 2)
    for _ in range(max(steps, 0)):
        for g in range(length - 1, 0, -1):
            big[g] |= big[g - 1]


@kernel(const(f4, 4), array(u1, 4), const(f4, 2), const(f8, 2), i8, i8, i8, f8, i8, f8, i8)
def _flag_after(
    ramp: Any,
    groupdq: Any,
    gain: Any,
    medians: Any,
    y0: int,
    first: int,
    last: int,
    e1: float,
    n1: int,
    e2: float,
    n2: int,
) -> None:
    nints, ngroups, _, nx = ramp.shape
    big = np.empty(ngroups, np.bool_)
    very_big = np.empty(ngroups, np.bool_)
    flags = np.empty(nx, np.uint8)
    for i in range(nints):
        for y in range(first, last):
            flags[:] = 0
            for g in range(1, ngroups):
                quality = groupdq[i, g, y]
                for x in range(nx):
                    flags[x] |= quality[x]
            for x in range(nx):
                if (flags[x] & _JUMP) == 0:
                    continue
                g32 = gain[y0 + y, x]
                median = medians[y, x]
                earlier = np.float32(math.nan)
                for g in range(ngroups):
                    here = np.float32(math.nan)
                    if (groupdq[i, g, y, x] & _NO_DATA) == 0:
                        here = ramp[i, g, y, x] * g32
                    jump = g > 0 and (groupdq[i, g, y, x] & _JUMP) != 0
                    height = np.float64(here - earlier) - median
                    big[g] = jump and height >= e1
                    very_big[g] = jump and height >= e2
                    earlier = here
                _spread(big, ngroups, n1)
                _spread(very_big, ngroups, n2)
                for g in range(ngroups):
                    if (big[g] or very_big[g]) and (groupdq[i, g, y, x] & _NO_DATA) == 0:
                        groupdq[i, g, y, x] |= _JUMP


@kernel(array(u1, 4), i8, i8)
def _clear_redundant(groupdq: Any, first: int, last: int) -> None:
    nints, ngroups, _, nx = groupdq.shape
    for i in range(nints):
        for g in range(ngroups):
            for y in range(first, last):
                row = groupdq[i, g, y]
                for x in range(nx):
                    flag = row[x]
                    row[x] = flag & _NOT_JUMP if (flag & _NO_DATA) != 0 else flag


def find_jumps(
    ramp: NDArray[np.float32],
    groupdq: NDArray[np.uint8],
    gain: NDArray[np.float32],
    noise2: NDArray[np.float32],
    nframes: int,
    how: TwoPoint,
    *,
    y0: int = 0,
    first: int = 0,
    last: int | None = None,
) -> int:
    """Flag jumps in a tile.

    Parameters
    ----------
    ramp
        (nints, ngroups, rows, nx), DN; not changed.
    groupdq
        The same shape; JUMP_DET is set in rows ``first`` to ``last``, rows
        within `REACH` of them are left half done.
    gain
        (ny, nx), electrons per DN.
    noise2
        (ny, nx), the square of the readnoise reference in electrons:
        ``(readnoise * gain) ** 2``.
    nframes
        How many frames a group averages.
    how
        Thresholds and what else is flagged.
    y0
        Row of the frame that the tile's first row is.
    first, last
        Rows of the tile that are wanted; None for all.

    Returns
    -------
    int
        How many groups of the wanted rows are flagged as jumps, before their
        neighbours are.
    """
    rows = ramp.shape[2]
    last = rows if last is None else last
    low, high = max(first - REACH, 0), min(last + REACH, rows)
    medians = np.empty(ramp.shape[2:], np.float64)
    strong = np.empty(ramp.size, np.uint32)
    found = _find(
        ramp, groupdq, gain, noise2, float(nframes), y0, low, high,
        how.rejection_threshold, how.four_group_rejection_threshold,
        how.three_group_rejection_threshold, how.single_pass, how.search, how.flag_4_neighbors,
        how.min_jump_to_flag_neighbors, how.max_jump_to_flag_neighbors, medians, strong,
    )  # fmt: skip
    primary = int(_count(groupdq, first, last))
    _flag_neighbours(groupdq, strong, found, low, high)
    if how.after_jump_n1 > 0 or how.after_jump_n2 > 0:
        _flag_after(
            ramp, groupdq, gain, medians, y0, first, last,
            how.after_jump_e1, how.after_jump_n1, how.after_jump_e2, how.after_jump_n2,
        )  # fmt: skip
    _clear_redundant(groupdq, first, last)
    return primary

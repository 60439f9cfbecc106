"""Jumps by likelihood: differences are left out while that improves chi squared enough.

The official package does this row by row, all pixels of a row at once. That
leaves traces in the last bits, which are kept: numpy adds up a single column,
and large masked arrays, in another order than several columns; so how many
pixels of a row are looked at again decides how each of them is added up. (One
trace is not kept: where a row has a jump, the other pixels' count rates become
0 if they were -0. Nothing that follows depends on that.)

Source: Brandt 2024, PASP 136, 045005 (arXiv 2404.01326), section 3;
`stcal/ramp_fitting/likely_fit.py`, `mask_jumps`.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from upramp.dq import GROUP

from .kernels import array, b1, const, f8, i8, inner, kernel, u1
from .likely_blocks import fit, load
from .likely_layout import (
    BEST_ONE,
    BEST_TWO,
    CHISQ,
    CHISQ_ONE,
    CHISQ_TWO,
    DIFF,
    HEADS,
    LANES,
    MASK,
    ONE,
    PHOTONS,
    RATE,
    RATE_ONE,
    RATE_TWO,
    READS,
    ROW,
    SCALE,
    table_size,
)
from .likely_omit import omit_one, omit_two
from .refpix_means import pairwise_sum

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["find_jumps", "numpy_reuses"]

_JUMP: Final = np.uint8(GROUP["JUMP_DET"])
_WIDTH: Final = int(LANES)
_NEVER: Final = np.iinfo(np.int64).max


@functools.cache
def numpy_reuses() -> int:
    """Tell from which size on numpy reuses the memory of an intermediate result.

    Returns
    -------
    int
        Bytes; a number that nothing reaches if it never does, which depends
        on the platform.
    """
    size = 1 << 18
    columns = np.ones((8, size // 64), order="F")
    rows = np.ones(columns.shape)
    # A result that is not put in place of its first operand has the rows' order.
    return size if (columns**2 * rows).flags.f_contiguous else _NEVER


@inner
def _gather(h: Any, s: Any, nd: Any, where: Any, chunk: Any) -> None:
    diffs, used, photons, reads, scale = chunk
    for x in range(LANES):
        p = where[x]
        h[PHOTONS + x] = photons[p]
        h[READS + x] = reads[p]
        h[SCALE + x] = scale[p]
    for i in range(nd):
        at = i * ROW
        for x in range(LANES):
            mask = np.float64(used[i, where[x]])
            s[at + MASK + x] = mask
            s[at + DIFF + x] = diffs[i, where[x]] * mask


@inner
def _sum_where(s: Any, count: Any, slot: Any, hit: Any, x: Any, column: Any, paired: bool) -> Any:
    # All terms are added up, those of other differences as zeros: one NaN spoils the sum.
    total = 0.0
    for i in range(count):
        value = s[i * ROW + slot + x] * hit[i]
        column[i] = value
        total += value
    return 0.0 + pairwise_sum(column, np.int64(count)) if paired else total


@inner
def _decide(h: Any, s: Any, nd: Any, x: Any, thresholds: Any, hit: Any) -> int:
    """Mark in ``hit`` what a pixel loses: 1 for single differences, 2 for pairs, 0 for nothing."""
    best_one = h[BEST_ONE + x]
    best_two = h[BEST_TWO + x]
    single = best_one - thresholds[0] > best_two - thresholds[1]
    best = best_one * np.float64(best_one > thresholds[0]) * np.float64(single)
    best += best_two * np.float64(best_two > thresholds[1]) * np.float64(not single)
    if best == 0.0 or np.isnan(best):
        return 0
    slot = CHISQ_ONE if single else CHISQ_TWO
    count = nd if single else nd - ONE
    found = 0
    for i in range(count):
        same = h[CHISQ + x] - s[i * ROW + slot + x] == best
        hit[i] = 1.0 if same else 0.0
        found += 1 if same else 0
    if found == 0:
        return 0
    return 1 if single else 2


@inner
def _flag(used: Any, i: Any, p: Any, groupdq: Any, row: int, zero: int) -> None:
    if used[i, p] != 0:
        used[i, p] = 0
        nx = groupdq.shape[2]
        groupdq[np.int64(i) + 1 - zero, row + p // nx, p % nx] |= _JUMP


@inner
def _drop(
    s: Any, nd: Any, x: Any, kind: int, hit: Any, column: Any, paired: bool, pixel: Any
) -> Any:
    """Take marked differences out of use and give the count rate without them."""
    used, p, groupdq, row, zero = pixel
    if kind == 1:
        for i in range(nd):
            if hit[i] != 0.0:
                _flag(used, i, p, groupdq, row, zero)
        return _sum_where(s, nd, RATE_ONE, hit, x, column, paired)
    for i in range(nd - ONE):
        if hit[i] != 0.0:
            _flag(used, i, p, groupdq, row, zero)
            _flag(used, i + ONE, p, groupdq, row, zero)
    return _sum_where(s, nd - ONE, RATE_TWO, hit, x, column, paired)


@inner
def _count_used(used: Any, p: Any) -> int:
    count = 0
    for i in range(used.shape[0]):
        count += used[i, p]
    return count


@inner
def _take(where: Any, places: Any, start: Any, end: Any) -> None:
    # The last block is filled up with a pixel of its own.
    for x in range(_WIDTH):
        where[x] = places[min(start + x, end - 1)]


@inner
def _screen(
    h: Any,
    s: Any,
    chunk: Any,
    terms: Any,
    threshold: Any,
    first: int,
    count: int,
    work: Any,
    rates: Any,
) -> int:
    """First fit of a row where no pairs may be dropped: keep the pixels that could lose anything.

    The improvement without a pair then counts as 0 or NaN, neither of which
    makes a pixel lose a difference: without an improvement by a single one
    that is large enough, it is through. What remains is fitted once more.
    """
    column, places = work
    nd = np.uint64(chunk[0].shape[0])
    kept = 0
    for start in range(0, count, _WIDTH):
        load(h, s, nd, first + start, chunk)
        fit(h, s, nd, terms, column, count == 1, False)
        omit_one(h, s, nd)
        for x in range(min(_WIDTH, count - start)):
            lane = np.uint64(x)
            p = first + start + x
            rates[p] = h[RATE + lane]
            if h[BEST_ONE + lane] > threshold:
                places[kept] = p
                kept += 1
    return kept


@kernel(
    const(f8, 2),
    array(u1, 2),
    const(f8, 1),
    const(f8, 1),
    const(f8, 1),
    array(f8, 1),
    const(f8, 2),
    const(f8, 1),
    const(f8, 1),
    array(u1, 3),
    i8,
    i8,
    i8,
    i8,
    b1,
)
def find_jumps(
    diffs: NDArray[np.float64],
    used: NDArray[np.uint8],
    photons: NDArray[np.float64],
    reads: NDArray[np.float64],
    scale: NDArray[np.float64],
    rates: NDArray[np.float64],
    terms: NDArray[np.float64],
    two_omit: NDArray[np.float64],
    thresholds: NDArray[np.float64],
    groupdq: NDArray[np.uint8],
    first: int,
    last: int,
    zero: int,
    reused: int,
    pairs: bool,
) -> None:
    """Search the ramps of some rows for jumps.

    Parameters
    ----------
    diffs
        (ndiffs, pixels): differences, DN/s. There have to be `LANES` more pixels
        than there are in the rows, here and in the following.
    used
        The same shape: 1 where a difference may be used, else 0; set to 0
        where there is a jump.
    photons, reads, scale
        By pixel: count rate over gain, square of the read noise, and what the
        covariance is divided by.
    rates
        By pixel: gets the count rate, DN/s.
    terms, two_omit
        See `Covariance`.
    thresholds
        By how much chi squared has to improve without one difference, and
        without two; positive.
    groupdq
        (ngroups, rows, nx): JUMP_DET is added to the later group of a dropped difference.
    first, last
        The rows that the pixels are of, one row after the other.
    zero
        1 if the first difference is that to the zero frame, else 0.
    reused
        See `numpy_reuses`.
    pairs
        Whether any pair may be dropped.
    """
    ndiffs = diffs.shape[0]
    nd = np.uint64(ndiffs)
    nx = groupdq.shape[2]
    h = np.zeros(HEADS)
    s = np.zeros(table_size(ndiffs))
    where = np.zeros(_WIDTH, np.int64)
    places = np.zeros(nx, np.int64)
    column = np.zeros(ndiffs)
    hit = np.zeros(ndiffs)
    chunk = (diffs, used, photons, reads, scale)
    for row in range(last - first):
        for x in range(nx):
            places[x] = row * nx + x
        count = nx
        if not pairs:
            work = (column, places)
            count = _screen(h, s, chunk, terms, thresholds[0], row * nx, nx, work, rates)
        # Order of sums in the official package: by the number of pixels that it looks at.
        paired = nx == 1
        paired_squares = False
        for j in range(ndiffs):
            kept = 0
            dropped = 0
            for start in range(0, count, _WIDTH):
                _take(where, places, start, count)
                if j == 0 and pairs:
                    load(h, s, nd, row * nx + start, chunk)
                else:
                    _gather(h, s, nd, where, chunk)
                fit(h, s, nd, terms, column, paired, paired_squares)
                omit_one(h, s, nd)
                omit_two(h, s, nd, two_omit)
                for x in range(min(_WIDTH, count - start)):
                    lane = np.uint64(x)
                    p = where[x]
                    if j == 0:
                        rates[p] = h[RATE + lane]
                    kind = _decide(h, s, nd, lane, thresholds, hit)
                    if kind == 0:
                        continue
                    dropped += 1
                    pixel = (used, p, groupdq, first, zero)
                    rate = _drop(s, nd, lane, kind, hit, column, paired, pixel)
                    rates[p] = rates[p] * 0.0 + rate
                    if _count_used(used, p) > 3:
                        places[kept] = p
                        kept += 1
            if dropped == 0:
                break
            count = kept
            paired = count == 1
            paired_squares = count * ndiffs * 8 >= reused

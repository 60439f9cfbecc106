"""Kernels of the flicker noise: differences of groups, medians of lines, what is put back.

Source: jwst/clean_flicker_noise/clean_flicker_noise.py (``median_clean``,
``do_correction``), numpy/ma/extras.py (``median``).
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from upramp.dq import GROUP

from .kernels import array, b1, const, f4, i8, inner, kernel, u1
from .sorting import insertion_sort

__all__ = ["add_up", "difference", "median_of_columns", "median_of_rows"]

_UNUSABLE: Final = np.uint8(GROUP["DO_NOT_USE"] | GROUP["JUMP_DET"])
_FEW: Final = 32
_ACROSS: Final = 16
"""Columns that are turned into lines together."""

_HALF: Final = np.float32(0.5)
_ZERO: Final = np.float32(0.0)
_INFINITE: Final = np.float32(np.inf)


@kernel(
    const(f4, 2),
    const(f4, 2),
    const(u1, 2),
    const(b1, 2),
    const(f4, 2),
    array(f4, 2),
    array(b1, 2),
)
def difference(
    after: Any, before: Any, groupdq: Any, scene: Any, flat: Any, image: Any, mask: Any
) -> None:
    """Subtract a group from the next, and say which pixels show the sky.

    Parameters
    ----------
    after, before
        The groups, (ny, nx).
    groupdq
        Flags of the later group.
    scene
        Which pixels show the sky in general.
    flat
        What to divide by, (ny, nx); (0, 0) for nothing.
    image, mask
        For the result: 0 and False where there is no number.
    """
    ny, nx = after.shape
    for y in range(ny):
        if flat.size > 0:
            for x in range(nx):
                image[y, x] = (after[y, x] - before[y, x]) / flat[y, x]
        else:
            for x in range(nx):
                image[y, x] = after[y, x] - before[y, x]
        for x in range(nx):
            value = image[y, x]
            number = value == value  # noqa: PLR0124 - not so for NaN, and vectorised
            image[y, x] = value if number else _ZERO
            mask[y, x] = scene[y, x] & ((groupdq[y, x] & _UNUSABLE) == 0) & number


@inner
def _median(line: Any, n: Any, few: Any) -> Any:
    """Compute the median of a line's values; 0 if there is none."""
    if n == 0:
        return _ZERO
    rank, next_rank = (n - 1) // 2, n // 2
    low = high = line[0]
    for k in range(1, n):
        value = line[k]
        low = value if value < low else low
        high = value if value > high else high
    if low == high:
        return low
    # Values below `low` are `fewer`; `above` counts those below the bound, which goes down.
    bound = _INFINITE
    fewer, above = 0, n
    while above - fewer > _FEW:
        middle = low * _HALF + high * _HALF
        if not (middle > low and middle < high):
            middle = high
            if bound == high:
                break
        count = 0
        for k in range(n):
            count += 1 if line[k] < middle else 0
        if count <= rank:
            low, fewer = middle, count
            if middle == high:
                break
        elif count > next_rank:
            high = bound = middle
            above = count
        else:
            below, beyond = -_INFINITE, _INFINITE
            for k in range(n):
                value = line[k]
                is_below = value < middle
                below = value if is_below and value > below else below
                beyond = value if not is_below and value < beyond else beyond
            return (below + beyond) / np.float32(2.0)
    if above - fewer > _FEW:
        # No number lies between the bounds any more: all that is left is one value.
        return low
    found = 0
    for k in range(n):
        value = line[k]
        few[found] = value
        found += 1 if (value >= low) & (value < bound) else 0
    insertion_sort(few, found)
    return (few[rank - fewer] + few[next_rank - fewer]) / np.float32(2.0)


@kernel(const(f4, 2), const(b1, 2), const(f4, 1), f4, array(f4, 2))
def median_of_rows(image: Any, mask: Any, limits: Any, background: float, medians: Any) -> None:
    """Compute the median of each row above the background.

    Parameters
    ----------
    image, mask
        (ny, nx).
    limits
        Least and greatest value that counts, before and after the background is subtracted.
    background
        To be subtracted.
    medians
        (ny, channels), for the result: 0 where no pixel counts. Channels are
        equal parts of a row.
    """
    ny, nx = image.shape
    low, high, above_low, above_high = limits[0], limits[1], limits[2], limits[3]
    width = nx // medians.shape[1]
    line = np.empty(width, np.float32)
    few = np.empty(_FEW + 1, np.float32)
    for y in range(ny):
        for c in range(medians.shape[1]):
            n = 0
            for x in range(c * width, (c + 1) * width):
                value = image[y, x]
                above = value - background
                line[n] = above
                kept = mask[y, x] & (value >= low) & (value <= high)
                n += 1 if kept & (above >= above_low) & (above <= above_high) else 0
            medians[y, c] = _median(line, n, few)


@kernel(const(f4, 2), const(b1, 2), const(f4, 1), f4, array(f4, 2))
def median_of_columns(image: Any, mask: Any, limits: Any, background: float, medians: Any) -> None:
    """Compute the median of each column above the background.

    Parameters
    ----------
    image, mask
        (ny, nx).
    limits
        Least and greatest value that counts, before and after the background is subtracted.
    background
        To be subtracted.
    medians
        (nx, channels), for the result: 0 where no pixel counts. Channels are
        equal parts of a column.
    """
    ny, nx = image.shape
    low, high, above_low, above_high = limits[0], limits[1], limits[2], limits[3]
    height = ny // medians.shape[1]
    lines = np.empty((_ACROSS, height), np.float32)
    few = np.empty(_FEW + 1, np.float32)
    found = np.empty(_ACROSS, np.int64)
    for x0 in range(0, nx, _ACROSS):
        x1 = min(x0 + _ACROSS, nx)
        for c in range(medians.shape[1]):
            found[:] = 0
            for y in range(c * height, (c + 1) * height):
                for x in range(x0, x1):
                    value = image[y, x]
                    n = found[x - x0]
                    above = value - background
                    lines[x - x0, n] = above
                    kept = mask[y, x] & (value >= low) & (value <= high)
                    kept = kept & (above >= above_low) & (above <= above_high)
                    found[x - x0] = n + 1 if kept else n
            for x in range(x0, x1):
                medians[x, c] = _median(lines[x - x0], found[x - x0], few)


@kernel(array(f4, 4), const(b1, 2), const(f4, 2), const(f4, 4), const(f4, 2), i8, i8, i8, i8, i8)
def add_up(
    ramp: Any,
    cleaned: Any,
    background: Any,
    stripes: Any,
    flat: Any,
    axis: int,
    size: int,
    y0: int,
    first: int,
    last: int,
) -> None:
    """Take stripes out of the differences of groups, and add the differences up again.

    Parameters
    ----------
    ramp
        (nints, ngroups, rows, nx), changed in place.
    cleaned
        (nints, ngroups - 1): which differences have stripes; a group after one
        that has none stays as it is.
    background
        (nints, ngroups - 1): what stripes are counted from.
    stripes
        (nints, ngroups - 1, lines, channels).
    flat
        What stripes are multiplied with, (ny, nx); (0, 0) for nothing.
    axis
        1 if lines are rows, 0 if they are columns.
    size
        How much of a line a channel is.
    y0, first, last
        Row ``r`` of the tile is row ``y0 + r`` of the exposure; rows
        ``first <= r < last`` are changed.
    """
    nints, ngroups, _, nx = ramp.shape
    before = np.empty(nx, np.float32)
    stripe = np.empty(nx, np.float32)
    for i in range(nints):
        for r in range(first, last):
            y = y0 + r
            for x in range(nx):
                before[x] = ramp[i, 0, r, x]
            for j in range(1, ngroups):
                row, sum_before = ramp[i, j, r], ramp[i, j - 1, r]
                if not cleaned[i, j - 1]:
                    for x in range(nx):
                        before[x] = row[x]
                    continue
                level = background[i, j - 1]
                _spread(stripes[i, j - 1], axis, size, y, stripe)
                if flat.size > 0:
                    for x in range(nx):
                        value = row[x]
                        what = (value - before[x]) / flat[y, x]
                        what = (((what - level) - stripe[x]) + level) * flat[y, x]
                        row[x] = sum_before[x] + what
                        before[x] = value
                else:
                    for x in range(nx):
                        value = row[x]
                        what = (((value - before[x]) - level) - stripe[x]) + level
                        row[x] = sum_before[x] + what
                        before[x] = value


@inner
def _spread(stripes: Any, axis: Any, size: Any, y: Any, out: Any) -> None:
    """Give each pixel of a row its stripe."""
    channels = stripes.shape[1]
    if axis == 1:
        for c in range(channels):
            for x in range(c * size, (c + 1) * size):
                out[x] = stripes[y, c]
    else:
        c = y // size
        for x in range(out.size):
            out[x] = stripes[x, c]

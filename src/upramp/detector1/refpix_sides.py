"""Signal of the side reference pixels: a running median up each side, line by line.

The official correction sorts a window of 11 lines and four columns anew for
every line. Here one sorted window is kept and its pixels are replaced one by one.

Source: jwst/refpix/reference_pixels.py (``median_filter``, ``combine_with_nans``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from upramp.detector1.kernels import array, const, f4, f8, i8, inner, kernel, u1

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Strips", "corrected_strips", "side_signals"]


@dataclass(frozen=True)
class Strips:
    """The reference pixels at both ends of the lines of a detector.

    Attributes
    ----------
    at
        Shape (2, lines, 4): place among the needed pixels; sides are left and
        right, lines are those of the exposure in the order of the readout.
    usable
        Same shape: 1 where the pixel exists and may be used.
    entry
        Shape (2, 4): the offset table's column for each of the columns.
    first
        The detector's line that the first line of the exposure is.
    size
        Lines of the detector.
    """

    at: NDArray[np.int64]
    usable: NDArray[np.uint8]
    entry: NDArray[np.int64]
    first: int
    size: int


@inner
def _below(window: Any, count: Any, value: Any) -> Any:
    """How many values of a sorted window are less."""
    low, high = 0, count
    while low < high:
        middle = (low + high) // 2
        if window[middle] < value:
            low = middle + 1
        else:
            high = middle
    return low


@inner
def _replace(window: Any, count: Any, old: Any, new: Any) -> None:
    at = _below(window, count, old)
    if new > old:
        while at + 1 < count and window[at + 1] < new:
            window[at] = window[at + 1]
            at += 1
    else:
        while at > 0 and window[at - 1] > new:
            window[at] = window[at - 1]
            at -= 1
    window[at] = new


@inner
def _insert(window: Any, count: Any, new: Any) -> None:
    at = count
    while at > 0 and window[at - 1] > new:
        window[at] = window[at - 1]
        at -= 1
    window[at] = new


@inner
def _remove(window: Any, count: Any, old: Any) -> None:
    for k in range(_below(window, count, old), count - 1):
        window[k] = window[k + 1]


@inner
def _reflected(line: Any, size: Any) -> Any:
    """Line of the detector for a line before its first or after its last."""
    if line < 0:
        return -line
    if line >= size:
        return 2 * size - 2 - line
    return line


@inner
def _middle(window: Any, count: Any, bad: Any, narrow: Any) -> Any:
    """Median of a sorted window, in the arithmetic of the official type."""
    if bad > 0 or count == 0:
        return np.nan
    high = window[count // 2]
    if count % 2:
        return high
    low = window[count // 2 - 1]
    if narrow:
        # numpy adds in float32 and divides in float64
        return np.float64(np.float32(np.float64(np.float32(low) + np.float32(high)) / 2))
    return (low + high) / 2


@inner
def running_median(
    strip: Any,
    usable: Any,
    first: Any,
    size: Any,
    length: Any,
    narrow: Any,
    window: Any,
    out: Any,
) -> None:
    """Run a median over a window of lines, all columns together.

    Parameters
    ----------
    strip, usable
        Shape (lines, columns): values, float64; non-zero where they count.
    first, size
        Line of the detector that the first line is; lines of the detector.
        What lies beyond the exposure counts as unusable; beyond the detector
        its lines are reflected.
    length
        Lines of the window; an even one reaches one line less upwards.
    narrow
        Whether the values are float32.
    window
        Room for all values of a window.
    out
        Shape (lines,): the medians; NaN where nothing is usable or a usable
        value is NaN.
    """
    lines, columns = strip.shape
    below = length // 2
    count, bad = 0, 0
    for k in range(first - below, first - below + length):
        line = _reflected(k, size) - first
        if 0 <= line < lines:
            for c in range(columns):
                if usable[line, c]:
                    value = strip[line, c]
                    if np.isnan(value):
                        bad += 1
                    else:
                        _insert(window, count, value)
                        count += 1
    out[0] = _middle(window, count, bad, narrow)
    for n in range(1, lines):
        leaving = _reflected(first + n - 1 - below, size) - first
        coming = _reflected(first + n - 1 - below + length, size) - first
        for c in range(columns):
            goes = 0 <= leaving < lines and usable[leaving, c] != 0
            comes = 0 <= coming < lines and usable[coming, c] != 0
            old, new = 0.0, 0.0
            if goes:
                old = strip[leaving, c]
                if np.isnan(old):
                    bad -= 1
                    goes = False
            if comes:
                new = strip[coming, c]
                if np.isnan(new):
                    bad += 1
                    comes = False
            if goes and comes:
                _replace(window, count, old, new)
            elif goes:
                _remove(window, count, old)
                count -= 1
            elif comes:
                _insert(window, count, new)
                count += 1
        out[n] = _middle(window, count, bad, narrow)


@inner
def _corrected(value: Any, offset: Any, narrow: Any) -> Any:
    result = np.float64(value) - offset
    if narrow:
        return np.float64(np.float32(result))
    return result


@kernel(
    const(f4, 3), const(f8, 3), const(u1, 2), const(i8, 3), const(u1, 3), const(i8, 2),
    i8, i8, i8, f8, array(f8, 3),
)  # fmt: skip
def _side_signals(
    values: Any,
    table: Any,
    narrow: Any,
    at: Any,
    usable: Any,
    entry: Any,
    first: Any,
    size: Any,
    length: Any,
    gain: Any,
    out: Any,
) -> None:
    lines = at.shape[1]
    strip = np.empty((lines, 4))
    medians = np.empty((2, lines))
    window = np.empty(4 * length)
    for i in range(values.shape[0]):
        for g in range(values.shape[1]):
            for side in range(2):
                for n in range(lines):
                    for c in range(4):
                        strip[n, c] = _corrected(
                            values[i, g, at[side, n, c]], table[i, g, entry[side, c]], narrow[i, g]
                        )
                running_median(
                    strip, usable[side], first, size, length, narrow[i, g], window, medians[side]
                )
            for n in range(lines):
                left, right = medians[0, n], medians[1, n]
                if np.isnan(left):
                    signal = 0.0 if np.isnan(right) else right
                elif np.isnan(right):
                    signal = left
                else:
                    signal = 0.5 * (left + right)
                out[i, g, n] = gain * signal


def side_signals(
    values: NDArray[np.float32],
    table: NDArray[np.float64],
    strips: Strips,
    narrow: NDArray[np.uint8],
    length: int,
    gain: float,
) -> NDArray[np.float64]:
    """Find what is to be subtracted from each line of every group.

    Parameters
    ----------
    values
        Shape (integrations, groups, needed pixels), DN.
    table
        The offsets of `refpix_means.offset_table`: the signal is that of
        pixels from which they are subtracted.
    strips
        The side pixels.
    narrow
        Shape (integrations, groups): 1 where the official group is float32.
    length
        Lines of the median's window (``side_smoothing_length``).
    gain
        Factor of the signal (``side_gain``).

    Returns
    -------
    ndarray
        Shape (integrations, groups, lines), DN, float64; 0 for lines without
        any usable pixel in reach.
    """
    out = np.empty((*values.shape[:2], strips.at.shape[1]))
    _side_signals(
        values, table, narrow, strips.at, strips.usable, strips.entry,
        strips.first, strips.size, length, gain, out,
    )  # fmt: skip
    return out


def corrected_strips(
    values: NDArray[np.float32],
    table: NDArray[np.float64],
    strips: Strips,
    narrow: NDArray[np.uint8],
) -> NDArray[np.float64]:
    """Side pixels with their amplifiers' offsets taken off.

    Parameters
    ----------
    values, table, strips, narrow
        As for `side_signals`.

    Returns
    -------
    ndarray
        Shape (integrations, groups, 2, lines, 4), DN, float64; what the
        official float32 group would hold is rounded to that.
    """
    entry = np.broadcast_to(strips.entry[:, None, :], strips.at.shape)
    out = values[..., strips.at] - table[..., entry]
    thin = narrow.astype(bool)
    with np.errstate(over="ignore"):
        out[thin] = out[thin].astype(np.float32)
    return out

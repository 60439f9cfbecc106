"""Values of an image in rough order, which is sorted only where somebody looks.

Sigma clipping asks for medians, for sums over ranges, and for how many values
lie below a bound. Distributed into narrow bins, millions of values answer that
at the cost of two passes: a bin is sorted when a rank or a bound falls into
it, and all other bins are known by their sums.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from .kernels import array, b1, const, f4, f8, i8, inner, kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Ranked"]

_BINS: Final = 1024
_BIN_SIZE: Final = 256
"""Fewer values than this in a bin are not worth one."""

_SAMPLE: Final = 4096
_STRETCH: Final = 6.0
"""How far bins go: from the median, that many times as far as the quartiles."""

_BLOCK: Final = 1024
"""Values whose sum is kept apart while summing, so that rounding does not grow."""


@inner
def _bin_of(value: Any, low: Any, scale: Any, last: Any) -> Any:
    place = (value - low) * scale
    place = place if place > np.float32(0.0) else np.float32(0.0)
    place = place if place < last else last
    return np.int32(place)


@kernel(const(f4, 1), const(b1, 1), f4, f4, array(i8, 1))
def _count(values: Any, wanted: Any, low: float, scale: float, ends: Any) -> None:
    last = np.float32(ends.size - 2)
    for k in range(values.size):
        b = _bin_of(values[k], low, scale, last)
        ends[b if wanted[k] else ends.size - 1] += 1


@kernel(const(f4, 1), const(b1, 1), f4, f4, array(i8, 1), array(f4, 1))
def _distribute(values: Any, wanted: Any, low: float, scale: float, starts: Any, out: Any) -> None:
    last = np.float32(starts.size - 2)
    for k in range(values.size):
        b = _bin_of(values[k], low, scale, last)
        # What is not wanted goes to the end, which costs less than a jump.
        place = b if wanted[k] else starts.size - 1
        out[starts[place]] = values[k]
        starts[place] += 1


@kernel(const(f4, 1), const(i8, 1), f8, array(f8, 1), array(f8, 1), array(f4, 1))
def _sum_bins(
    values: Any, edges: Any, origin: float, first: Any, second: Any, largest: Any
) -> None:
    """Sum each bin's distances from the origin, and their squares, and find its largest value."""
    top = np.float32(-np.inf)
    for b in range(edges.size - 1):
        s1 = s2 = 0.0
        start = edges[b]
        while start < edges[b + 1]:
            end = min(start + _BLOCK, edges[b + 1])
            # Four sums at once, as one after the other would wait for each addition.
            p0 = p1 = p2 = p3 = 0.0
            q0 = q1 = q2 = q3 = 0.0
            m0 = m1 = m2 = m3 = top
            k = start
            while k + 4 <= end:
                v0, v1, v2, v3 = values[k], values[k + 1], values[k + 2], values[k + 3]
                d0, d1 = np.float64(v0) - origin, np.float64(v1) - origin
                d2, d3 = np.float64(v2) - origin, np.float64(v3) - origin
                p0 += d0
                p1 += d1
                p2 += d2
                p3 += d3
                q0 += d0 * d0
                q1 += d1 * d1
                q2 += d2 * d2
                q3 += d3 * d3
                m0 = v0 if v0 > m0 else m0
                m1 = v1 if v1 > m1 else m1
                m2 = v2 if v2 > m2 else m2
                m3 = v3 if v3 > m3 else m3
                k += 4
            while k < end:
                v0 = values[k]
                d0 = np.float64(v0) - origin
                p0 += d0
                q0 += d0 * d0
                m0 = v0 if v0 > m0 else m0
                k += 1
            s1 += (p0 + p1) + (p2 + p3)
            s2 += (q0 + q1) + (q2 + q3)
            m0 = m1 if m1 > m0 else m0
            m2 = m3 if m3 > m2 else m2
            top = m2 if m2 > m0 else m0
            start = end
        first[b], second[b] = s1, s2
        # An empty bin has the largest value of those before it.
        largest[b] = top


@kernel(array(f4, 1), f4)
def _shift(values: Any, offset: float) -> None:
    for k in range(values.size):
        values[k] -= offset


class Ranked:
    """Values by rank, smallest first.

    Parameters
    ----------
    image
        Any shape, float32. Not changed.
    mask
        The same shape, bool: which values are meant, at least one; none of them NaN.
    room
        (at least as many) float32: written into, and kept.

    Attributes
    ----------
    smallest, largest
        The first and the last value. If one is infinite, `moments` are not to be trusted.
    """

    smallest: float
    largest: float

    def __init__(
        self, image: NDArray[np.float32], mask: NDArray[np.bool_], room: NDArray[np.float32]
    ) -> None:
        image, mask = image.reshape(-1), mask.reshape(-1)
        count = int(np.count_nonzero(mask))
        self.values = room[:count]
        bins, low, scale = _plan(image, mask, count)
        if bins == 1:
            self.values[:] = image[mask]
            self._edges = np.array([0, count])
        else:
            ends = np.zeros(bins + 1, np.int64)
            _count(image, mask, low, scale, ends)
            edges = np.concatenate(([0], np.cumsum(ends)))
            self._edges = edges[:-1]
            _distribute(image, mask, low, scale, self._edges.copy(), room)
        self._sorted = np.zeros(bins, np.bool_)
        self._first = np.empty(bins)
        self._second = np.empty(bins)
        self._tops = np.empty(bins, np.float32)
        self._origin = 0.0
        self._sum_up()

    def __len__(self) -> int:
        return int(self.values.size)

    def _sum_up(self) -> None:
        middle = self.value(len(self) // 2)
        self._origin = float(middle) if np.isfinite(middle) else 0.0
        _sum_bins(self.values, self._edges, self._origin, self._first, self._second, self._tops)
        lowest = int(np.searchsorted(self._edges, 0, "right")) - 1
        self.smallest = float(self.values[: self._edges[lowest + 1]].min())
        self.largest = float(self._tops[-1])

    def _in_order(self, b: int) -> NDArray[np.float32]:
        part = self.values[self._edges[b] : self._edges[b + 1]]
        if not self._sorted[b]:
            part.sort()
            self._sorted[b] = True
        return part

    def _bin_at(self, rank: int) -> int:
        return int(np.searchsorted(self._edges, rank, "right")) - 1

    def value(self, rank: int) -> np.float32:
        """Give the value of a rank.

        Parameters
        ----------
        rank
            From 0 to ``len(self) - 1``.
        """
        b = self._bin_at(rank)
        found: np.float32 = self._in_order(b)[rank - self._edges[b]]
        return found

    def below(self, bound: float) -> int:
        """Count the values below a bound.

        Parameters
        ----------
        bound
            In double precision.
        """
        limit = _single(bound)
        if float(limit) < bound:
            limit = np.nextafter(limit, np.float32(np.inf))
        return self._place(limit, "left")

    def up_to(self, bound: float) -> int:
        """Count the values up to a bound, and those equal to it.

        Parameters
        ----------
        bound
            In double precision.
        """
        limit = _single(bound)
        if float(limit) > bound:
            limit = np.nextafter(limit, np.float32(-np.inf))
        return self._place(limit, "right")

    def _place(self, limit: np.float32, side: Any) -> int:
        b = int(np.searchsorted(self._tops, limit, side))
        if b == len(self._tops):
            return len(self)
        return int(self._edges[b] + np.searchsorted(self._in_order(b), limit, side))

    def size(self, start: int, end: int) -> float:
        """Give the largest absolute value in a range.

        Parameters
        ----------
        start, end
            The first rank, and the one after the last.
        """
        low = float(self.value(start)) if start > 0 else self.smallest
        high = float(self.value(end - 1)) if end < len(self) else self.largest
        return max(abs(low), abs(high))

    def moments(self, start: int, end: int, origin: float) -> tuple[float, float, float]:
        """Sum the distances of a range of values from a number, and their squares.

        Parameters
        ----------
        start, end
            The first rank, and the one after the last.
        origin
            From where distances count.

        Returns
        -------
        first, second : float
            Sums, right to some 1e-12 of sums of absolute terms.
        terms : float
            What the second sum is the difference of: what its rounding scales with.
        """
        first = second = 0.0
        b, last = self._bin_at(start), self._bin_at(end - 1)
        for edge in {b, last}:
            low, high = self._edges[edge], self._edges[edge + 1]
            if start > low or end < high:
                part = self._in_order(edge)[max(start - low, 0) : end - low]
                distance = part.astype(np.float64) - self._origin
                first += float(distance.sum())
                second += float(np.square(distance).sum())
            else:
                first += float(self._first[edge])
                second += float(self._second[edge])
        first += float(self._first[b + 1 : last].sum())
        second += float(self._second[b + 1 : last].sum())
        count, step = end - start, origin - self._origin
        terms = second + abs(2 * step * first) + count * step * step
        return first - count * step, second - 2 * step * first + count * step * step, terms

    def shift(self, start: int, end: int, offset: np.float32) -> Ranked:
        """Keep a range of values, and subtract a number from them in single precision.

        Parameters
        ----------
        start, end
            The first rank, and the one after the last.
        offset
            What to subtract; the order stays the same.

        Returns
        -------
        Ranked
            The range; this object is of no use any more.
        """
        b, last = self._bin_at(start), self._bin_at(end - 1)
        self._in_order(b)
        self._in_order(last)
        edges = self._edges[b : last + 2].copy()
        edges[0], edges[-1] = start, end
        kept = object.__new__(Ranked)
        kept.values = self.values[start:end]
        _shift(kept.values, offset)
        kept._edges = edges - start
        kept._sorted = self._sorted[b : last + 1]
        kept._first = self._first[b : last + 1]
        kept._second = self._second[b : last + 1]
        kept._tops = self._tops[b : last + 1]
        kept._sum_up()
        return kept


def _single(number: float) -> np.float32:
    with np.errstate(over="ignore"):
        return np.float32(number)


def _plan(
    image: NDArray[np.float32], mask: NDArray[np.bool_], count: int
) -> tuple[int, np.float32, np.float32]:
    """Choose bins: how many, where they start, and how many there are in a unit."""
    bins = min(count // _BIN_SIZE, _BINS)
    step = max(image.size // _SAMPLE, 1)
    sample = np.sort(image[::step][mask[::step]])
    low, high, scale = np.float32(0), np.float32(0), np.float32(0)
    if sample.size:
        with np.errstate(all="ignore"):
            first, middle, third = sample[
                [sample.size // 4, sample.size // 2, -1 - sample.size // 4]
            ].astype(np.float64)
            low = np.float32(middle - _STRETCH * (middle - first))
            high = np.float32(middle + _STRETCH * (third - middle))
            scale = np.float32(bins / (np.float64(high) - np.float64(low)))
    if bins < 2 or not (np.isfinite(low) and np.isfinite(high) and 0 < scale < np.inf):
        return 1, np.float32(0), np.float32(0)
    return bins, low, scale

"""Comparison of two stored arrays, in pieces that fit into cache and memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from upramp import dq

from ._comparison_parts import ArrayComparison, BitConfusion, Difference
from ._ulp import bin_counts, bin_labels, ulp_distance

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from ._stored_array import StoredArray

__all__ = ["compare_arrays"]

_PIECE = 1 << 20
"""Elements looked at at once: tens of megabytes at most, whatever the array's size."""

_DQ_ARRAYS = {"DQ": dq.PIXEL, "PIXELDQ": dq.PIXEL, "GROUPDQ": dq.GROUP}


def compare_arrays(name: str, a: StoredArray, b: StoredArray) -> ArrayComparison:
    """Compare two arrays bit for bit, taking all NaN as one value.

    Parameters
    ----------
    name
        What to call them. Those called DQ, PIXELDQ or GROUPDQ are compared
        bit by bit too.
    a, b
        The arrays. Values are compared where the shapes are equal; where the
        types differ, after conversion to a common one.
    """
    header = (name, a.shape, b.shape, str(a.dtype), str(b.dtype))
    if a.shape != b.shape:
        return ArrayComparison(*header)
    tally = _Tally(a, b)
    for piece in _pieces(a.raw.size):
        tally.add(piece)
    flags = _DQ_ARRAYS.get(name.partition(",")[0])
    integers = a.dtype.kind in "iu" and b.dtype.kind in "iu"
    bits = _confusion(a, b, flags) if flags and integers else ()
    return ArrayComparison(*header, **tally.result(), bits=bits)


def _pieces(size: int) -> Iterator[slice]:
    for start in range(0, size, _PIECE):
        yield slice(start, min(start + _PIECE, size))


class _Tally:
    """Differences between two arrays of one shape, counted piece by piece."""

    def __init__(self, a: StoredArray, b: StoredArray) -> None:
        self._a, self._b = a, b
        self._same_storage = a.stored_like(b)
        self._same_type = a.dtype == b.dtype
        self._differing = self._nan_a = self._nan_b = self._sign_of_zero = 0
        self._first: Difference | None = None
        self._largest: dict[str, Difference] = {}
        self._histogram = np.zeros(len(bin_labels()), dtype=np.int64)

    def result(self) -> dict[str, Any]:
        """Give the counts under the names of `ArrayComparison`."""
        in_steps = self._same_type and self._a.dtype in (np.float32, np.float64)
        counts = zip(bin_labels(), self._histogram.tolist(), strict=True)
        return {
            "total": self._a.raw.size,
            "differing": self._differing,
            "nan_only_a": self._nan_a,
            "nan_only_b": self._nan_b,
            "sign_of_zero": self._sign_of_zero,
            "first": self._first,
            **self._largest,
            "ulp_histogram": dict(counts) if in_steps else None,
        }

    def add(self, piece: slice) -> None:
        """Look at one piece of the arrays."""
        where, x, y = self._candidates(piece)
        if not where.size:
            return
        if x.dtype.kind == "f" and y.dtype.kind == "f":
            self._add_floats(where, x, y)
        elif x.dtype.kind in "iub" and y.dtype.kind in "iub":
            self._note(where, x, y)
            self._keep_largest("largest_absolute", _integer_distance(x, y), where, x, y)
        else:
            self._note(where, x, y)

    def _candidates(self, piece: slice) -> tuple[NDArray[np.intp], NDArray[Any], NDArray[Any]]:
        """Elements that may differ, their values in A and in B."""
        if self._same_storage:
            unequal = self._a.bits(piece) != self._b.bits(piece)
            where = np.flatnonzero(unequal) + piece.start
            return where, self._a.values(where), self._b.values(where)
        x, y = self._a.values(piece), self._b.values(piece)
        if x.dtype != y.dtype and x.dtype.kind in "fiu" and y.dtype.kind in "fiu":
            common = np.result_type(x, y)
            x, y = x.astype(common), y.astype(common)
        signs = np.signbit(x) != np.signbit(y) if x.dtype.kind == y.dtype.kind == "f" else False
        inside = np.flatnonzero((x != y) | signs)
        return inside + piece.start, x[inside], y[inside]

    def _add_floats(self, where: NDArray[np.intp], x: NDArray[Any], y: NDArray[Any]) -> None:
        nan_x, nan_y = np.isnan(x), np.isnan(y)
        # Payloads and signs of NaN carry no meaning in a product.
        told = ~(nan_x & nan_y)
        where, x, y, nan_x, nan_y = (part[told] for part in (where, x, y, nan_x, nan_y))
        self._note(where, x, y)
        self._nan_a += int(np.count_nonzero(nan_x))
        self._nan_b += int(np.count_nonzero(nan_y))
        numbers = ~(nan_x | nan_y)
        unequal = numbers & (x != y)
        self._sign_of_zero += int(np.count_nonzero(numbers & ~unequal))
        where, x, y = where[unequal], x[unequal], y[unequal]
        if not where.size:
            return
        if self._same_type:
            steps = ulp_distance(x, y)
            self._histogram += bin_counts(steps)
            self._keep_largest("largest_ulp", steps, where, x, y)
        wide_x, wide_y = x.astype(np.float64), y.astype(np.float64)
        with np.errstate(over="ignore", invalid="ignore"):
            absolute = np.abs(wide_x - wide_y)
            relative = absolute / np.maximum(np.abs(wide_x), np.abs(wide_y))
        # Beside an infinity, every other number is infinitely far in proportion too.
        relative[np.isinf(absolute)] = np.inf
        self._keep_largest("largest_absolute", absolute, where, x, y)
        self._keep_largest("largest_relative", relative, where, x, y)

    def _note(self, where: NDArray[np.intp], x: NDArray[Any], y: NDArray[Any]) -> None:
        self._differing += where.size
        if self._first is None and where.size:
            self._first = self._difference(where, x, y, 0)

    def _keep_largest(
        self,
        kind: str,
        sizes: NDArray[Any],
        where: NDArray[np.intp],
        x: NDArray[Any],
        y: NDArray[Any],
    ) -> None:
        peak = int(np.argmax(sizes))
        size = sizes[peak].item()
        known = self._largest.get(kind)
        if known is None or known.size is None or size > known.size:
            self._largest[kind] = self._difference(where, x, y, peak, size)

    def _difference(
        self,
        where: NDArray[np.intp],
        x: NDArray[Any],
        y: NDArray[Any],
        at: int,
        size: float | None = None,
    ) -> Difference:
        index = tuple(int(axis) for axis in np.unravel_index(where[at], self._a.shape))
        return Difference(index, _scalar(x[at]), _scalar(y[at]), size)


def _scalar(value: Any) -> float | int | str:
    if isinstance(value, np.float32):
        # The shortest decimal that is this float32, not its float64 neighbour's digits.
        return float(str(value))
    plain: Any = value.item() if isinstance(value, np.generic) else value
    if isinstance(plain, bytes):
        return plain.decode("latin-1").rstrip()
    return plain if isinstance(plain, float | int) else str(plain)


def _integer_distance(x: NDArray[Any], y: NDArray[Any]) -> NDArray[np.uint64]:
    # Modulo 2**64 the difference of the larger and the smaller is exact for
    # every integer type.
    high, low = np.maximum(x, y), np.minimum(x, y)
    distance: NDArray[np.uint64] = high.astype(np.uint64) - low.astype(np.uint64)
    return distance


def _confusion(a: StoredArray, b: StoredArray, names: dict[str, int]) -> tuple[BitConfusion, ...]:
    """Count, for each bit set anywhere, the elements that have it in both, A, B, neither."""
    by_bit = {bit: name for name, bit in names.items()}
    counts: dict[int, tuple[int, int, int]] = {}
    for piece in _pieces(a.raw.size):
        x, y = _as_flags(a.values(piece)), _as_flags(b.values(piece))
        present = int(np.bitwise_or.reduce(x) | np.bitwise_or.reduce(y))
        equal = np.array_equal(x, y)
        while present:
            bit = present & -present
            present ^= bit
            in_a = int(np.count_nonzero(x & x.dtype.type(bit)))
            in_b = in_a if equal else int(np.count_nonzero(y & y.dtype.type(bit)))
            both = in_a if equal else int(np.count_nonzero(x & y & x.dtype.type(bit)))
            known = counts.get(bit, (0, 0, 0))
            counts[bit] = (known[0] + both, known[1] + in_a - both, known[2] + in_b - both)
    return tuple(
        BitConfusion(
            by_bit.get(bit, f"BIT_{bit.bit_length() - 1}"),
            bit,
            *counts[bit],
            neither=a.raw.size - sum(counts[bit]),
        )
        for bit in sorted(counts)
    )


def _as_flags(values: NDArray[Any]) -> NDArray[np.uint64] | NDArray[np.uint32]:
    # Bit 31 of a DQ written as signed is a flag like the others.
    if values.dtype.itemsize == 8:
        return values.view(np.uint64)
    return values.view(f"u{values.dtype.itemsize}").astype(np.uint32, copy=False)

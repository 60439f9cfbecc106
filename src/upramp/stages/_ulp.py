"""Distance between floating-point numbers, counted in representable steps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["bin_counts", "bin_labels", "ulp_distance"]

_BIN_EDGES = np.array([1, 5, 17, 65, 257, 1025, 4097, 16385, 65537], dtype=np.uint64)
"""Lowest distance of each bin after the exact one; each reaches four times as far."""


def ulp_distance(a: NDArray[np.floating[Any]], b: NDArray[np.floating[Any]]) -> NDArray[np.uint64]:
    """Count the representable numbers one must step over from ``a`` to reach ``b``.

    The two zeros are one number here, and infinity is one step beyond the
    largest finite number, just as `numpy.nextafter` walks.

    Parameters
    ----------
    a, b
        Arrays of one shape and of one type, float32 or float64, without NaN
        (a NaN is nowhere on this line: its distance means nothing).

    Returns
    -------
    NDArray
        Distances, of the shape of ``a``; zero exactly where ``a == b``.

    Raises
    ------
    TypeError
        If the two types differ or are neither float32 nor float64.

    Notes
    -----
    Read as integers, IEEE 754 numbers of one sign are in order; flipping the
    order of the negative ones puts all of them on one line (B. Dawson,
    "Comparing floating point numbers", 2012).
    """
    left, right = _on_a_line(a), _on_a_line(b)
    if left.dtype != right.dtype or a.dtype != b.dtype:
        raise TypeError(f"distance between {a.dtype} and {b.dtype}")
    low, high = np.minimum(left, right), np.maximum(left, right)
    # Between two float64 of opposite signs there are more steps than int64
    # counts; the difference modulo 2**64 is right as an unsigned number.
    return high.astype(np.uint64) - low.astype(np.uint64)


def _on_a_line(values: NDArray[np.floating[Any]]) -> NDArray[np.int64]:
    if values.dtype == np.float32:
        bits = np.ascontiguousarray(values).view(np.int32).astype(np.int64)
        negative_zero = np.int64(np.iinfo(np.int32).min)
    elif values.dtype == np.float64:
        bits = np.ascontiguousarray(values).view(np.int64)
        negative_zero = np.int64(np.iinfo(np.int64).min)
    else:
        raise TypeError(f"no distance is defined for {values.dtype}")
    # np.subtract of a scalar from the array stays in int64: the most negative
    # result is minus the bits of infinity.
    return np.where(bits < 0, negative_zero - np.minimum(bits, 0), bits)


def bin_labels() -> list[str]:
    """Names of the histogram's bins: ``1``, ``2-4``, ``5-16``, ... and the rest."""
    edges = [int(edge) for edge in _BIN_EDGES]
    between = zip([2, *edges[1:-1]], edges[1:], strict=True)
    return ["1", *(f"{low}-{high - 1}" for low, high in between), f">{edges[-1] - 1}"]


def bin_counts(distances: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Count distances per bin of `bin_labels`.

    Parameters
    ----------
    distances
        Distances of differing numbers, each at least 1.
    """
    edges = np.concatenate([[np.uint64(1), np.uint64(2)], _BIN_EDGES[1:]])
    bins = np.searchsorted(edges, distances, side="right") - 1
    return np.bincount(bins, minlength=len(edges)).astype(np.int64)

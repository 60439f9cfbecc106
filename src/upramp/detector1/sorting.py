"""Sorting many short columns at once.

A sorting network compares the same pairs whatever the values are, so that a
block of pixels is sorted side by side with the processor's vector
instructions: some thirty times as fast as one pixel after the other.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from .kernels import inner

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["block_sorter", "insertion_sort", "sort_columns"]


@inner
def sort_columns(columns: NDArray[Any], length: int, count: int) -> None:
    """Sort each column, smallest first; no value may be NaN.

    Parameters
    ----------
    columns
        (at least ``length``, at least ``count``); changed in place.
    length
        How many values a column has.
    count
        How many columns there are.

    Notes
    -----
    Source: merge exchange, Knuth, The Art of Computer Programming, volume 3,
    section 5.2.2, algorithm M.
    """
    if length < 2:
        return
    top = 1
    while 2 * top < length:
        top *= 2
    p = top
    while p > 0:
        q = top
        r = 0
        d = p
        while True:
            for i in range(length - d):
                if (i & p) == r:
                    low = columns[i]
                    high = columns[i + d]
                    for x in range(count):
                        a = low[x]
                        b = high[x]
                        low[x] = a if a < b else b
                        high[x] = b if a < b else a
            if q == p:
                break
            d = q - p
            q //= 2
            r = p
        p //= 2


@cache
def block_sorter(width: int) -> Any:
    """Make a function that sorts columns of a block whose width is known beforehand.

    Parameters
    ----------
    width
        How many columns a block has.

    Returns
    -------
    function
        Takes a one-dimensional array, value after value of ``width`` columns,
        and how many values a column has; for kernels. It is twice as fast as
        `sort_columns`, whose loops end somewhere.
    """

    @inner
    def sort_block(columns: Any, length: int) -> None:
        if length < 2:
            return
        top = 1
        while 2 * top < length:
            top *= 2
        p = top
        while p > 0:
            q = top
            r = 0
            d = p
            while True:
                for i in range(length - d):
                    if (i & p) == r:
                        low = columns[i * width : (i + 1) * width]
                        high = columns[(i + d) * width : (i + d + 1) * width]
                        for x in range(width):
                            a = low[x]
                            b = high[x]
                            low[x] = a if a < b else b
                            high[x] = b if a < b else a
                if q == p:
                    break
                d = q - p
                q //= 2
                r = p
            p //= 2

    return sort_block


@inner
def insertion_sort(values: NDArray[Any], length: int) -> None:
    """Sort a few values, smallest first; none may be NaN.

    Parameters
    ----------
    values
        At least ``length``; changed in place.
    length
        How many.
    """
    for i in range(1, length):
        value = values[i]
        j = i - 1
        while j >= 0 and values[j] > value:
            values[j + 1] = values[j]
            j -= 1
        values[j + 1] = value

"""Sigma-clipped means of sections of the reference pixels, with the official bits.

The official correction takes ``scipy.stats.sigmaclip`` of each section and its
mean, in the type that its copy of the group happens to have. NumPy sums in
pairs, in an order that its source fixes; the kernels here sum in that order.

Source: jwst/refpix/reference_pixels.py (``Dataset.sigma_clip``),
scipy.stats.sigmaclip, numpy's pairwise summation.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from upramp.detector1.kernels import array, const, f4, f8, i8, inner, kernel, u1

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Sections", "clipped_mean", "clipped_means", "offset_table", "pairwise_sum"]

NOTHING: Final = 0
"""A section has no usable pixel."""
NATIVE: Final = 1
"""Its mean has the type of the data."""
DOUBLE: Final = 2
"""Its pixels are all equal: the official mean is float64 then."""

_DEEPEST: Final = 40
"""Halvings of a sum: enough for 2**40 values."""


@dataclass(frozen=True)
class Sections:
    """Which reference pixels are averaged together.

    Attributes
    ----------
    members
        Places among the needed pixels, section after section, each in the
        order of the readout; only usable ones.
    starts
        Where each section begins in `members`; one more at the end.
    shape
        (amplifiers, parities, edges); sections are in C order of it. The edges
        of one parity are averaged; an amplifier that lacks a parity is left alone.
    """

    members: NDArray[np.int64]
    starts: NDArray[np.int64]
    shape: tuple[int, int, int]

    @classmethod
    def of(cls, lists: list[NDArray[np.int64]], shape: tuple[int, int, int]) -> Sections:
        """Sections from a list of members for each.

        Parameters
        ----------
        lists
            Members of the sections, in C order of `shape`.
        shape
            (amplifiers, parities, edges).
        """
        if len(lists) != np.prod(shape):
            raise ValueError(f"{len(lists)} sections do not make {shape}")
        starts = np.zeros(len(lists) + 1, np.int64)
        np.cumsum([len(each) for each in lists], out=starts[1:])
        return cls(np.concatenate(lists).astype(np.int64), starts, shape)

    @property
    def filled(self) -> NDArray[np.bool_]:
        """Which sections have members, in `shape`."""
        return (np.diff(self.starts) > 0).reshape(self.shape)

    @property
    def largest(self) -> int:
        """Members of the largest section."""
        return int(np.diff(self.starts).max(initial=0))


@inner
def _leaf_sum(a: Any, start: Any, n: Any) -> Any:
    if n < 8:
        total = a[start]
        for k in range(start + 1, start + n):
            total += a[k]
        return total
    r0, r1, r2, r3 = a[start], a[start + 1], a[start + 2], a[start + 3]
    r4, r5, r6, r7 = a[start + 4], a[start + 5], a[start + 6], a[start + 7]
    whole = n - n % 8
    for k in range(start + 8, start + whole, 8):
        r0 += a[k]
        r1 += a[k + 1]
        r2 += a[k + 2]
        r3 += a[k + 3]
        r4 += a[k + 4]
        r5 += a[k + 5]
        r6 += a[k + 6]
        r7 += a[k + 7]
    total = ((r0 + r1) + (r2 + r3)) + ((r4 + r5) + (r6 + r7))
    for k in range(start + whole, start + n):
        total += a[k]
    return total


@inner
def pairwise_sum(a: Any, n: Any) -> Any:
    """Sum of the first ``n >= 1`` values as numpy adds them up, in their own type.

    Parameters
    ----------
    a
        Contiguous values.
    n
        How many.
    """
    if n <= 128:
        return _leaf_sum(a, 0, n)
    # numpy halves recursively; numba cannot load a recursive function from its
    # cache, so what is left to do is kept here: halves, and (as 0 values) the
    # addition of the two sums before.
    sums = np.empty(_DEEPEST, a.dtype)
    begins = np.empty(2 * _DEEPEST, np.int64)
    counts = np.empty(2 * _DEEPEST, np.int64)
    begins[0], counts[0] = 0, n
    todo, done = 1, 0
    while todo > 0:
        todo -= 1
        begin, count = begins[todo], counts[todo]
        if count == 0:
            done -= 1
            sums[done - 1] += sums[done]
        elif count <= 128:
            sums[done] = _leaf_sum(a, begin, count)
            done += 1
        else:
            half = count // 2
            half -= half % 8
            counts[todo] = 0
            begins[todo + 1], counts[todo + 1] = begin + half, count - half
            begins[todo + 2], counts[todo + 2] = begin, half
            todo += 3
    return sums[0]


@inner
def clipped_mean(values: Any, squares: Any, cell: Any, n: Any, limit: Any) -> Any:
    """Mean of what iterated clipping leaves; the values are moved about.

    Parameters
    ----------
    values, squares
        The first ``n >= 1`` are the data, and room for as many; of one type.
    cell
        Room for one number of that type: storing there is how numpy's mean
        goes from its float64 quotient back to the type of the data.
    n
        How many.
    limit
        Standard deviations, in the type of the data.
    """
    while n > 0:
        cell[0] = (np.float64(pairwise_sum(values, n)) + 0.0) / n  # numpy begins with 0, not -0
        mean = cell[0]
        for k in range(n):
            off = values[k] - mean
            squares[k] = off * off
        cell[0] = np.float64(pairwise_sum(squares, n)) / n
        reach = np.sqrt(cell[0]) * limit
        low = mean - reach
        high = mean + reach
        kept = 0
        for k in range(n):
            value = values[k]
            if low <= value and value <= high:  # noqa: PLR1716 - numba compiles this better
                values[kept] = value
                kept += 1
        if kept == n:
            return np.float64(mean)
        n = kept
    return np.nan


@kernel(const(f4, 3), const(i8, 1), const(i8, 1), const(u1, 2), f8, i8, array(f8, 3), array(u1, 3))
def _clipped_means(
    values: Any,
    members: Any,
    starts: Any,
    narrow: Any,
    siglimit: Any,
    largest: Any,
    means: Any,
    kinds: Any,
) -> None:
    data4, squares4, cell4 = (
        np.empty(largest, np.float32),
        np.empty(largest, np.float32),
        np.empty(1, np.float32),
    )
    data8, squares8, cell8 = np.empty(largest), np.empty(largest), np.empty(1)
    limit4 = np.float32(siglimit)
    for i in range(values.shape[0]):
        for g in range(values.shape[1]):
            for s in range(starts.shape[0] - 1):
                begin, n = starts[s], starts[s + 1] - starts[s]
                if n == 0:
                    means[i, g, s] = 0.0
                    kinds[i, g, s] = NOTHING
                    continue
                head = values[i, g, members[begin]]
                same = np.isfinite(head)
                for k in range(n):
                    value = values[i, g, members[begin + k]]
                    data4[k] = value
                    if value != head:
                        same = False
                if same:
                    means[i, g, s] = np.float64(head) + 0.0  # never -0
                    kinds[i, g, s] = DOUBLE
                    continue
                kinds[i, g, s] = NATIVE
                if narrow[i, g]:
                    means[i, g, s] = clipped_mean(data4, squares4, cell4, n, limit4)
                else:
                    for k in range(n):
                        data8[k] = data4[k]
                    means[i, g, s] = clipped_mean(data8, squares8, cell8, n, siglimit)


def clipped_means(
    values: NDArray[np.float32],
    sections: Sections,
    narrow: NDArray[np.uint8],
    siglimit: float,
) -> tuple[NDArray[np.float64], NDArray[np.uint8]]:
    """Sigma-clipped mean of every section of every group.

    Parameters
    ----------
    values
        Shape (integrations, groups, needed pixels), DN.
    sections
        What to average.
    narrow
        Shape (integrations, groups): 1 where the official computation is in
        float32, 0 where it is in float64.
    siglimit
        Standard deviations beyond which values are dropped, again and again.

    Returns
    -------
    means
        Shape (integrations, groups, sections), DN; a float32 mean is held exactly.
    kinds
        Same shape: 0 without a usable pixel (mean 0), 1 for a mean in the type
        of the data, 2 for one in float64 (all pixels equal).
    """
    shape = (*values.shape[:2], len(sections.starts) - 1)
    means, kinds = np.empty(shape), np.empty(shape, np.uint8)
    _clipped_means(
        values, sections.members, sections.starts, narrow, siglimit, sections.largest, means, kinds
    )
    return means, kinds


def offset_table(
    values: NDArray[np.float32],
    sections: Sections,
    narrow: NDArray[np.uint8],
    siglimit: float,
) -> NDArray[np.float64]:
    """Find what is to be subtracted from each amplifier and parity of every group.

    Parameters
    ----------
    values, sections, narrow, siglimit
        As for `clipped_means`.

    Returns
    -------
    ndarray
        Shape (integrations, groups, amplifiers * parities + 1), DN, float64.
        It is 0 for an amplifier that lacks usable pixels of a parity, and in
        the last place, which belongs to no amplifier. Subtracted in float64
        and rounded to float32 these give the official float32 result too:
        one rounding more does no harm to a single sum of float32 numbers.
    """
    means, kinds = clipped_means(values, sections, narrow, siglimit)
    amplifiers, parities, edges = sections.shape
    means = means.reshape(*means.shape[:2], amplifiers, parities, edges)
    offsets = means[..., 0]
    if edges == 2:
        single = (kinds.reshape(means.shape) == NATIVE).all(axis=-1) & narrow[..., None, None]
        with np.errstate(all="ignore"):
            total32 = means[..., 0].astype(np.float32) + means[..., 1].astype(np.float32)
            half = np.where(
                single, np.float32(0.5) * total32, 0.5 * (means[..., 0] + means[..., 1])
            )
        # The mean of a section that has none is 0 here, so that a sum is the other's.
        both = sections.filled.all(axis=-1)
        offsets = np.where(both, half, means.sum(axis=-1))
    usable: NDArray[np.bool_] = np.all(np.any(sections.filled, axis=-1), axis=-1, keepdims=True)
    table = np.zeros((*means.shape[:2], amplifiers * parities + 1))
    table[..., :-1] = np.where(usable, offsets, 0.0).reshape(*means.shape[:2], -1)
    return table

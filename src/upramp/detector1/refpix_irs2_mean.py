"""Means of the edges of a frame in NIRSpec's IRS2 readout, subtracted.

An option before the IRS2 correction proper: for each of the five sections, the
clipped mean of the reference pixels at either end of the slow axis, of odd and
even columns of the detector apart, is subtracted from the whole section. Of
the reads between the ordinary pixels, the first pair of a visit is odd, the
second even.

Source: jwst/refpix/reference_pixels.py (``NIRDataset`` with ``is_irs2``,
``make_irs2_odd_mask``).
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from upramp.detector1.kernels import array, const, f4, f8, kernel
from upramp.dq import PIXEL

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from upramp.detector1.irs2_layout import Interleave

__all__ = ["edge_means", "odd_rows", "subtract_means"]

_EDGE: Final = 4
_SECTIONS: Final = 5
_UNUSABLE: Final = np.uint32(PIXEL["DO_NOT_USE"])


def odd_rows(layout: Interleave) -> NDArray[np.bool_]:
    """Tell which rows of the array are odd columns of the detector.

    Parameters
    ----------
    layout
        The layout.
    """
    reads = layout.reference_reads
    place = np.arange(layout.rows)
    odd = np.where(reads, place % 4 < 2, place % 2 == 0)
    return odd[::-1].copy() if layout.reversed else odd


def edge_means(
    frame: NDArray[np.float32],
    pixeldq: NDArray[np.uint32],
    layout: Interleave,
    *,
    odd_even_columns: bool = True,
    siglimit: float = 3.0,
) -> NDArray[np.float64]:
    """Compute what is to be subtracted from every row of a frame.

    Parameters
    ----------
    frame
        DN, interleaved, ``float32 (rows, nx)``.
    pixeldq
        Its flags, ``uint32`` of the same shape: bad reference reads are flagged
        DO_NOT_USE already.
    layout
        The layout.
    odd_even_columns
        Whether odd and even columns have means of their own.
    siglimit
        Standard deviations at which the means are clipped.

    Returns
    -------
    numpy.ndarray
        DN, ``float64 (rows,)``; zero where a section has no usable reference
        pixels of one kind, so that nothing is subtracted from it.
    """
    layout.check(frame.shape)
    result = np.zeros(layout.rows)
    odd = odd_rows(layout)
    every = np.ones_like(odd)
    step = -1 if layout.reversed else 1
    for section in range(_SECTIONS):
        rows = np.arange(section * layout.section, (section + 1) * layout.section)[::step]
        kinds = [rows[kind[rows]] for kind in ((odd, ~odd) if odd_even_columns else (every,))]
        means = [_both_edges(frame, pixeldq, kind, step, siglimit) for kind in kinds]
        if all(mean is not None for mean in means):
            for kind, mean in zip(kinds, means, strict=True):
                result[kind] = mean
    return result


def _both_edges(
    frame: NDArray[np.float32],
    pixeldq: NDArray[np.uint32],
    rows: NDArray[np.int64],
    step: int,
    siglimit: float,
) -> Any:
    """Average the means of both ends of the slow axis, or give the only one."""
    found = []
    for edge in (slice(frame.shape[1] - _EDGE, None), slice(_EDGE)):
        # Line by line in the detector's order: the order of a sum decides its bits.
        values = frame[rows, edge][:, ::step].T
        usable = (pixeldq[rows, edge][:, ::step].T & _UNUSABLE) == 0
        mean = _clipped_mean(values[usable], siglimit)
        if mean is not None:
            found.append(mean)
    if len(found) == 2:
        return 0.5 * (found[0] + found[1])
    return found[0] if found else None


def _clipped_mean(values: NDArray[np.float32], siglimit: float) -> Any:
    """Average what is left of values after clipping; None if there are none.

    Source: scipy.stats, ``sigmaclip``; the mean has single precision unless all
    values are equal.
    """
    if values.size == 0:
        return None
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore", RuntimeWarning)
        if np.std(values, dtype=np.float64) == 0:
            return values.mean(dtype=np.float64)
        while True:
            width, centre = np.std(values), np.mean(values)
            low, high = centre - width * siglimit, centre + width * siglimit
            kept = values[(values >= low) & (values <= high)]
            if kept.size == values.size:
                return kept.mean()
            values = kept


@kernel(array(f4, 2), const(f8, 1))
def _subtract(frame: Any, offsets: Any) -> None:
    for y in range(frame.shape[0]):
        row = frame[y]
        offset = offsets[y]
        for x in range(row.size):
            row[x] = f4(f8(row[x]) - offset)


def subtract_means(frame: NDArray[np.float32], offsets: NDArray[np.float64]) -> None:
    """Subtract a number from every row of a frame.

    Parameters
    ----------
    frame
        DN, interleaved, ``float32 (rows, nx)``; changed in place.
    offsets
        From `edge_means`.

    Notes
    -----
    The official pipeline subtracts in single precision where the mean has it;
    the rounded result of a subtraction in double precision is the same.
    """
    _subtract(frame, offsets)

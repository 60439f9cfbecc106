"""Bad reference reads of NIRSpec's IRS2 readout: found, flagged and replaced.

The reads come in pairs of one reference pixel. Three numbers describe a pair
over an integration: the mean difference of its reads, their mean and their
standard deviation. What stands out within its output is bad in all
integrations. A bad row takes the mean of the rows one period away on either
side, or the good one of them, or a good read two rows away, or zero.

Steps, all in the orientation of the files: `pair_statistics` of every
integration; `find_bad`; `flag_rows`; (the means of the edges, if wanted);
`recipe_of_flags` and `recipe_of_table`, whose lines together
`refpix_irs2_kernels.replace_rows` carries out on every frame.

Source: jwst/refpix/irs2_subtract_reference.py, ``flag_bad_refpix``,
``clobber_ref`` and ``replace_refpix``.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Final

import numpy as np

from upramp.detector1.refpix_irs2_kernels import replace_rows
from upramp.dq import PIXEL

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from upramp.detector1.irs2_layout import Interleave

__all__ = [
    "find_bad",
    "flag_rows",
    "flagged_rows",
    "pair_statistics",
    "recipe_of_flags",
    "recipe_of_table",
    "replace",
]

_BAD: Final = PIXEL["BAD_REF_PIXEL"]
_UNUSABLE: Final = np.uint32(_BAD | PIXEL["DO_NOT_USE"])
_SECTIONS: Final = 5
_CLIPS: Final = 5
"""Rounds of clipping at most: the default of astropy's ``sigma_clipped_stats``."""


def _pairs(layout: Interleave) -> NDArray[np.int64]:
    """Give the first row of every pair, ``(5, pairs of an output)``."""
    return np.flatnonzero(layout.reference_reads)[::2].reshape(_SECTIONS, -1)


def pair_statistics(ramp: NDArray[np.float32], layout: Interleave) -> NDArray[np.float32]:
    """Describe the pairs of reference reads in an integration.

    Parameters
    ----------
    ramp
        DN, interleaved, ``float32 (ngroups, rows, nx)``, contiguous.
    layout
        Its layout.

    Returns
    -------
    numpy.ndarray
        ``float32 (3, 5, pairs)``: mean difference, mean, standard deviation.
    """
    layout.check(ramp.shape)
    pairs = _pairs(layout)
    result = np.empty((3, *pairs.shape), np.float32)
    # The sums are numpy's over views of these very shapes: their order decides bits.
    with np.errstate(all="ignore"):
        for place, row in np.ndenumerate(pairs):
            both = ramp[:, row : row + 2]
            result[(0, *place)] = np.mean(np.abs(ramp[:, row + 1] - ramp[:, row]))
            result[(1, *place)] = np.mean(both)
            result[(2, *place)] = np.std(both)
    return result


def _stand_out(values: NDArray[np.float32], limit: float) -> NDArray[np.bool_]:
    """Tell which values lie far above the clipped mean of all.

    Source: astropy.stats, ``sigma_clipped_stats``: medians and standard
    deviations of what is left, in the type of the values.
    """
    if values.size == 0:
        return np.zeros(0, dtype=bool)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore", RuntimeWarning)
        kept = values[np.isfinite(values)]
        for _ in range(_CLIPS):
            centre, width = np.nanmedian(kept), np.nanstd(kept)
            inside = (kept >= centre - width * limit) & (kept <= centre + width * limit)
            changed = not inside.all()
            kept = kept[inside]
            if not changed:
                break
        high: NDArray[np.bool_] = (values - np.nanmean(kept)) > limit * np.nanstd(kept)
    return high


def find_bad(
    statistics: Sequence[NDArray[np.float32]],
    bad: NDArray[np.bool_],
    layout: Interleave,
    limit: float = 3.0,
) -> NDArray[np.bool_]:
    """Find rows of bad reference reads.

    Parameters
    ----------
    statistics
        From `pair_statistics`, of every integration.
    bad
        Rows known as bad before, ``bool (rows,)``; see `flagged_rows`.
    layout
        The layout.
    limit
        Standard deviations above the mean (``ovr_corr_mitigation_ftr``).

    Returns
    -------
    numpy.ndarray
        All bad rows, ``bool (rows,)``.
    """
    result = bad.copy()
    for number, rows in enumerate(_pairs(layout)):
        for integration in statistics:
            # What another integration has found does not count here.
            good = ~(bad[rows] | bad[rows + 1])
            for values in integration[:, number]:
                found = rows[good][_stand_out(values[good], limit)]
                result[found] = result[found + 1] = True
    return result


def flagged_rows(pixeldq: NDArray[np.uint32]) -> NDArray[np.bool_]:
    """Give the rows in which any pixel is flagged as a bad reference pixel.

    Parameters
    ----------
    pixeldq
        Interleaved, ``uint32 (rows, nx)``.
    """
    flagged: NDArray[np.bool_] = np.any(pixeldq & np.uint32(_BAD), axis=1)
    return flagged


def flag_rows(pixeldq: NDArray[np.uint32], bad: NDArray[np.bool_]) -> None:
    """Flag rows as bad reference pixels, not to be used.

    Parameters
    ----------
    pixeldq
        Interleaved, ``uint32 (rows, nx)``; changed in place.
    bad
        ``bool (rows,)``.
    """
    pixeldq[bad] |= _UNUSABLE


def _line(
    row: int, bad: NDArray[np.bool_], reads: NDArray[np.bool_], low: int, high: int, period: int
) -> tuple[int, int, int]:
    """Give what replaces a row, from rows in one direction between two limits."""
    sources = [
        source
        for source in (row - period, row + period)
        if low <= source < high and not bad[source]
    ]
    if not sources:
        near = (
            source
            for source in (row - 2, row + 2)
            if low <= source < high and reads[source] and not bad[source]
        )
        sources = [next(near, -1)]
    return row, sources[0], sources[1] if len(sources) > 1 else -1


def recipe_of_flags(bad: NDArray[np.bool_], layout: Interleave) -> NDArray[np.int64]:
    """Tell how rows that are flagged are to be replaced.

    Rows of ordinary pixels are replaced too if they are flagged, as the
    official function does it.

    Parameters
    ----------
    bad
        Rows that are flagged, ``bool (rows,)``.
    layout
        The layout.

    Returns
    -------
    numpy.ndarray
        ``int64 (lines, 3)``, for `replace`.
    """
    width, reads = layout.section, layout.reference_reads
    lines = [
        _line(row, bad, reads, row // width * width, (row // width + 1) * width, layout.period)
        for row in np.flatnonzero(bad).tolist()
    ]
    return np.array(lines, np.int64).reshape(-1, 3)


def recipe_of_table(
    output: Sequence[int] | NDArray[np.integer],
    odd_even: Sequence[int] | NDArray[np.integer],
    mask: Sequence[int] | NDArray[np.integer],
    bad: NDArray[np.bool_],
    layout: Interleave,
) -> NDArray[np.int64]:
    """Tell how the reads that the reference's table calls bad are to be replaced.

    Parameters
    ----------
    output, odd_even, mask
        Columns of the DQ table of the reference: output 1 to 4, first or second
        pair of a visit (1 or 2), and a bit for each visit.
    bad
        Rows that are flagged already and so replaced, ``bool (rows,)``.
    layout
        The layout.

    Returns
    -------
    numpy.ndarray
        ``int64 (lines, 3)``, for `replace`, after the lines of `recipe_of_flags`.

    Notes
    -----
    The flags of the science data do not show what is found here.
    """
    step = -1 if layout.reversed else 1
    # The table counts along the detector's fast axis.
    bad = bad[::step].copy()
    reads = layout.reference_reads
    lines = []
    for number, parity, bits in zip(output, odd_even, mask, strict=True):
        low = int(number) * layout.section
        pair = int(parity) if int(number) % 2 else 3 - int(parity)
        new = []
        for visit in range(32):
            if not (int(bits) >> visit) & 1:
                continue
            first = low + layout.normal // 2 + visit * layout.period + 2 * (pair - 1)
            for place in (first, first + 1):
                if not bad[place]:
                    bad[place] = True
                    new.append(place)
        high = low + layout.section
        lines += [_line(place, bad, reads, low, high, layout.period) for place in new]
    recipe = np.array(lines, np.int64).reshape(-1, 3)
    if layout.reversed:
        recipe = np.where(recipe >= 0, layout.rows - 1 - recipe, -1)
    return recipe


def replace(frame: NDArray[np.float32], recipe: NDArray[np.int64]) -> None:
    """Replace rows of a frame.

    Parameters
    ----------
    frame
        DN, interleaved, ``float32 (rows, nx)``; changed in place.
    recipe
        From `recipe_of_flags` and `recipe_of_table`; their lines in this order.
    """
    replace_rows(frame, recipe)

"""Slopes by maximum likelihood, with a jump search of its own: LIKELY of the ramp fit.

Each pixel's ramp is fitted with the full covariance of its group differences,
first with the median difference as guess of the count rate and while jumps are
searched, then with the rate found.

Source: Brandt 2024, PASP 136, 045004 and 045005 (arXiv 2309.08753, 2404.01326);
`stcal/ramp_fitting/likely_fit.py` decides order and types: double precision
within an integration, single precision when integrations are combined.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from .likely_average import average_integrations, combine_flags
from .likely_jumps import find_jumps, numpy_reuses
from .likely_layout import LANES
from .likely_rows import (
    compress_flags,
    final_guess,
    median_guess,
    per_gain,
    take_differences,
    take_differences_from_zero,
)
from .likely_solve import determinant_root, solve

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .likely_covariance import Covariance
    from .ols import Rates

__all__ = ["JUMP_THRESHOLDS", "fit_likely"]

JUMP_THRESHOLDS: Final = (20.25, 23.8)
"""By how much chi squared has to improve without one difference, and without two."""

_WIDTH: Final = int(LANES)
_SQRT2: Final = np.sqrt(2)
_AT_ONCE: Final = 4096
"""Pixels that are worked on at once, about: their differences stay in the cache."""


class _Bench:
    """Room for some rows of an exposure."""

    def __init__(self, ndiffs: int, pixels: int) -> None:
        # Whole blocks, also from the last pixels on.
        padded = (pixels // _WIDTH + 2) * _WIDTH
        self.diffs = np.zeros((ndiffs, padded))
        self.used = np.zeros((ndiffs, padded), np.uint8)
        self.rates = np.zeros(padded)
        # Harmless numbers beyond the pixels.
        self.photons = np.ones(padded)
        self.reads = np.ones(padded)
        self.state = np.ones((4, padded))


def _fit_rows(
    bench: _Bench,
    covariance: Covariance,
    gain: NDArray[np.float32],
    dark: NDArray[np.float32],
    thresholds: NDArray[np.float64],
    groupdq: NDArray[np.uint8],
    low: int,
    high: int,
    with_chisq: bool,
    out: NDArray[np.float32],
) -> None:
    """Fit what lies on the bench, with a first guess, and again without jumps."""
    terms = covariance.terms
    count = len(gain)
    median_guess(bench.diffs, count, bench.rates)
    per_gain(bench.rates, gain, bench.photons)
    scale = determinant_root(bench.photons, bench.reads, terms, bench.state)
    find_jumps(
        bench.diffs,
        bench.used,
        bench.photons,
        bench.reads,
        scale,
        bench.rates,
        terms,
        covariance.two_omit,
        thresholds,
        groupdq,
        low,
        high,
        int(covariance.zero_read),
        numpy_reuses(),
        bool(covariance.two_omit.any()),
    )
    final_guess(bench.rates, dark)
    per_gain(bench.rates, gain, bench.photons)
    scale = determinant_root(bench.photons, bench.reads, terms, bench.state)
    one_column = groupdq.shape[2] == 1
    solve(
        bench.diffs,
        bench.used,
        bench.photons,
        bench.reads,
        scale,
        terms,
        one_column,
        with_chisq,
        count,
        out,
    )


def fit_likely(
    ramp: NDArray[np.float32],
    groupdq: NDArray[np.uint8],
    pixeldq: NDArray[np.uint32],
    gain: NDArray[np.float32],
    readnoise: NDArray[np.float32],
    rates: Rates,
    *,
    covariance: Covariance,
    nframes: int = 1,
    dark_current: NDArray[np.float32] | None = None,
    zeroframe: NDArray[np.float32] | None = None,
    chisq: NDArray[np.float32] | None = None,
    thresholds: tuple[float, float] = JUMP_THRESHOLDS,
    y0: int = 0,
    first: int = 0,
    last: int | None = None,
) -> None:
    """Fit the ramps of a tile, and search them for jumps.

    Parameters
    ----------
    ramp
        (nints, ngroups, rows, nx), DN; not changed. At least 4 groups.
    groupdq
        The same shape; groups where a jump was found get JUMP_DET. A group
        with any flag is not used.
    pixeldq
        (ny, nx).
    gain
        (ny, nx), electrons per DN.
    readnoise
        (ny, nx), DN: the reference as it is, noise of a difference of two reads.
    rates
        Where the slopes go: rows ``y0 + first`` to ``y0 + last``.
    covariance
        See `covariance_of`; with the zero frame's read in front if ``zeroframe`` is given.
    nframes
        How many frames a group averages; only used with ``zeroframe``.
    dark_current
        (ny, nx), added to the count rate for the covariance, as the official
        package has it: without regard to its unit.
    zeroframe
        (nints, ny, nx), DN: becomes the first group.
    chisq
        (ny, nx): gets chi squared, added up over the integrations.
    thresholds
        By how much chi squared has to improve for a jump; positive.
    y0
        Row of the frame that the tile's first row is.
    first, last
        Rows of the tile that are wanted; None for all.

    Raises
    ------
    ValueError
        If ``covariance`` is of another number of groups, or of a zero frame and there is none.
    """
    nints, ngroups, rows, nx = ramp.shape
    if (covariance.ngroups, covariance.zero_read) != (ngroups, zeroframe is not None):
        raise ValueError(
            f"a covariance of {covariance.ngroups} groups for a ramp of {ngroups}"
            f" (zero frame: {covariance.zero_read}, {zeroframe is not None})"
        )
    last = rows if last is None else last
    step = max(1, _AT_ONCE // nx)
    bench = _Bench(len(covariance.times), min(step, max(last - first, 0)) * nx)
    results = np.zeros((nints, 5, bench.rates.size), np.float32)
    average = np.empty((5, bench.rates.size), np.float32)
    no_dark = np.zeros((step, nx), np.float32)
    limits = np.array(thresholds, np.float64)
    for low in range(first, last, step):
        high = min(low + step, last)
        count = (high - low) * nx
        frame = slice(y0 + low, y0 + high)
        noise = readnoise[frame].reshape(-1) / _SQRT2
        with np.errstate(all="ignore"):
            np.square(noise, out=bench.reads[:count])
        dark = no_dark[: high - low] if dark_current is None else dark_current[frame]
        for i in range(nints):
            if zeroframe is None:
                take_differences(
                    ramp[i], groupdq[i], low, high, covariance.times, bench.diffs, bench.used
                )
            else:
                take_differences_from_zero(
                    ramp[i],
                    groupdq[i],
                    zeroframe[i],
                    nframes,
                    y0,
                    low,
                    high,
                    covariance.times,
                    bench.diffs,
                    bench.used,
                )
            _fit_rows(
                bench,
                covariance,
                gain[frame].reshape(-1),
                dark.reshape(-1),
                limits,
                groupdq[i],
                low,
                high,
                chisq is not None,
                results[i],
            )
            compress_flags(groupdq[i], pixeldq, y0, low, high, rates.rateints_dq[i])
            rates.rateints[:, i, frame] = results[i, :4, :count].reshape(4, -1, nx)
        combine_flags(rates.rateints_dq, y0 + low, y0 + high, rates.rate_dq)
        single = nx == 1 and rates.rate_dq.shape[0] == 1
        if nints > 1:
            average_integrations(results, count, single, average)
        else:
            average = results[0]
        rates.rate[:, frame] = average[:4, :count].reshape(4, -1, nx)
        if chisq is not None:
            chisq[frame] = average[4, :count].reshape(-1, nx)

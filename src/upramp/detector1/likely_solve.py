"""The last fit of a ramp, and the number that keeps its determinants in range.

Source: Brandt 2024, PASP 136, 045004 (arXiv 2309.08753), section 4;
`stcal/ramp_fitting/likely_fit.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from .kernels import array, b1, const, f4, f8, i8, kernel, u1
from .likely_blocks import fit, fit_slope, load, propagate
from .likely_layout import (
    CHISQ,
    HEADS,
    LANES,
    PHOTONS,
    RATE,
    READS,
    SCALE,
    SUM_C,
    VARIANCE_P,
    VARIANCE_R,
    table_size,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["determinant_root", "solve"]

_WIDTH: Final = int(LANES)
_EVERY: Final = 10
"""Steps of the determinant after which it is brought back to 1."""

_NOW: Final = np.uint64(3 * _WIDTH)
_BEFORE: Final = np.uint64(4 * _WIDTH)


@kernel(const(f8, 1), const(f8, 1), const(f8, 2), i8, i8, array(f8, 2))
def _advance(photons: Any, reads: Any, terms: Any, reached: int, last: int, state: Any) -> None:
    """Continue the determinants of the covariance's upper left corners to order ``last``."""
    h = np.zeros(5 * _WIDTH)
    for start in range(0, len(photons), _WIDTH):
        begin = np.uint64(start)
        for x in range(LANES):
            h[PHOTONS + x] = photons[begin + x]
            h[READS + x] = reads[begin + x]
            h[SCALE + x] = state[0, begin + x]
            h[_NOW + x] = state[1, begin + x]
            h[_BEFORE + x] = state[2, begin + x]
        if reached == 1:
            for x in range(LANES):
                h[_NOW + x] = h[PHOTONS + x] * terms[0, 0] + h[READS + x] * terms[1, 0]
                h[_BEFORE + x] = 1.0
        for i in range(reached, last):
            alpha_photons, alpha_reads = terms[0, i], terms[1, i]
            beta_photons, beta_reads = terms[2, i - 1], terms[3, i - 1]
            if reached == 1:
                # Nothing was divided by yet.
                for x in range(LANES):
                    alpha = h[PHOTONS + x] * alpha_photons + h[READS + x] * alpha_reads
                    beta = h[PHOTONS + x] * beta_photons + h[READS + x] * beta_reads
                    now = h[_NOW + x]
                    h[_NOW + x] = alpha * now - beta * beta * h[_BEFORE + x]
                    h[_BEFORE + x] = now
            else:
                for x in range(LANES):
                    alpha = h[PHOTONS + x] * alpha_photons + h[READS + x] * alpha_reads
                    beta = h[PHOTONS + x] * beta_photons + h[READS + x] * beta_reads
                    now = h[_NOW + x]
                    scale = h[SCALE + x]
                    earlier = beta * beta / (scale * scale) * h[_BEFORE + x]
                    h[_NOW + x] = alpha / scale * now - earlier
                    h[_BEFORE + x] = now
        for x in range(LANES):
            state[1, begin + x] = h[_NOW + x]
            state[2, begin + x] = h[_BEFORE + x]


@kernel(array(f8, 2))
def _rescale(state: Any) -> None:
    scale, now, before, root = state
    for x in range(len(root)):
        scale[x] *= root[x]
        before[x] /= now[x] / root[x]
        now[x] = 1.0


def determinant_root(
    photons: NDArray[np.float64],
    reads: NDArray[np.float64],
    terms: NDArray[np.float64],
    state: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Find what the covariance is to be divided by, so that its determinant is 1.

    Parameters
    ----------
    photons, reads
        By pixel, a multiple of `LANES`: count rate over gain, square of the read noise.
    terms
        See `Covariance`.
    state
        (4, pixels) to work with.

    Returns
    -------
    ndarray
        By pixel: the first row of ``state``.
    """
    ndiffs = terms.shape[1]
    state[0] = 1.0
    reached = 1
    while reached < ndiffs:
        last = min(reached - reached % _EVERY + _EVERY, ndiffs)
        _advance(photons, reads, terms, reached, last, state)
        # By numpy, whose powers are not those of the C library on every processor.
        with np.errstate(all="ignore"):
            np.power(state[1], 1 / last, out=state[3])
        reached = last
        if reached < ndiffs:
            _rescale(state)
    state[0] *= state[3]
    return state[0]


@kernel(
    const(f8, 2),
    const(u1, 2),
    const(f8, 1),
    const(f8, 1),
    const(f8, 1),
    const(f8, 2),
    b1,
    b1,
    i8,
    array(f4, 2),
)
def solve(
    diffs: NDArray[np.float64],
    used: NDArray[np.uint8],
    photons: NDArray[np.float64],
    reads: NDArray[np.float64],
    scale: NDArray[np.float64],
    terms: NDArray[np.float64],
    paired: bool,
    with_chisq: bool,
    count: int,
    out: NDArray[np.float32],
) -> None:
    """Fit each pixel's ramp.

    Parameters
    ----------
    diffs, used
        (ndiffs, at least `LANES` more than count): DN/s; 1 where a difference is used, else 0.
    photons, reads, scale
        By pixel: count rate over gain, square of the read noise, and what the
        covariance is divided by.
    terms
        See `Covariance`.
    paired
        Whether numpy would add up in pairs: where the frame is one column wide.
    with_chisq
        Whether chi squared is wanted, which takes a good part of the time.
    count
        How many pixels are wanted.
    out
        (5, at least count): gets slope, error, variance by photons, variance
        by reads, and, if wanted, chi squared.
    """
    ndiffs = diffs.shape[0]
    nd = np.uint64(ndiffs)
    h = np.zeros(HEADS)
    s = np.zeros(table_size(ndiffs))
    column = np.zeros(ndiffs)
    for start in range(0, count, _WIDTH):
        load(h, s, nd, start, (diffs, used, photons, reads, scale))
        if with_chisq:
            fit(h, s, nd, terms, column, paired, False)
        else:
            fit_slope(h, s, nd, terms, column, paired)
        propagate(h, s, nd, terms, column, paired)
        for k in range(min(_WIDTH, count - start)):
            x = np.uint64(k)
            out[0, start + k] = h[RATE + x]
            out[1, start + k] = np.sqrt(h[SCALE + x] / h[SUM_C + x])
            out[2, start + k] = h[VARIANCE_P + x]
            out[3, start + k] = h[VARIANCE_R + x]
            if with_chisq:
                out[4, start + k] = h[CHISQ + x]

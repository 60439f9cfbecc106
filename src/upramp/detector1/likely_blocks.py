"""The likelihood fit of a block of pixels, side by side.

The order of operations is that of the official package, because the last bits
depend on it; divisions by the same number stay divisions.

Source: Brandt 2024, PASP 136, 045004 (arXiv 2309.08753), equations 38 to 75;
`stcal/ramp_fitting/likely_fit.py`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .kernels import inner
from .likely_layout import (
    ALPHA,
    BETA,
    CAP_PHI,
    CAP_PHI_D,
    CAP_THETA,
    CAP_THETA_D,
    CHISQ,
    COVARIANCE_P,
    COVARIANCE_R,
    DB,
    DC,
    DETERMINANT,
    DIFF,
    INVERSE,
    LANES,
    LINE_P,
    LINE_R,
    MASK,
    ONE,
    PHI,
    PHOTONS,
    RATE,
    READS,
    ROW,
    SCALE,
    SUM_A,
    SUM_A2,
    SUM_B,
    SUM_C,
    TERM_A1,
    TERM_A2,
    TERM_B,
    THETA,
    TWO,
    VARIANCE_P,
    VARIANCE_R,
)
from .refpix_means import pairwise_sum

__all__ = ["fit", "fit_slope", "load", "propagate"]


@inner
def load(h: Any, s: Any, nd: Any, begin: Any, chunk: Any) -> None:
    """Put neighbouring pixels into a block.

    Parameters
    ----------
    h, s
        Heads and table; get `PHOTONS`, `READS`, `SCALE`, `DIFF`, `MASK`.
    nd
        How many differences, unsigned.
    begin
        The first pixel; there have to be `LANES` from there on.
    chunk
        (ndiffs, pixels) differences, and the same with 1 where they are used, else
        0; by pixel count rate over gain, square of the read noise, scale.
    """
    diffs, used, photons, reads, scale = chunk
    first = np.uint64(begin)
    for x in range(LANES):
        h[PHOTONS + x] = photons[first + x]
        h[READS + x] = reads[first + x]
        h[SCALE + x] = scale[first + x]
    for i in range(nd):
        at = i * ROW
        for x in range(LANES):
            mask = np.float64(used[i, first + x])
            s[at + MASK + x] = mask
            s[at + DIFF + x] = diffs[i, first + x] * mask


@inner
def _forward(h: Any, s: Any, nd: Any, terms: Any) -> None:
    # Covariance; the determinants of its upper left corners (theta) and their sums.
    for x in range(LANES):
        first = (h[PHOTONS + x] * terms[0, 0] + h[READS + x] * terms[1, 0]) / h[SCALE + x]
        s[ALPHA + x] = first
        s[BETA + x] = 1.0
        s[THETA + x] = 1.0
        s[ROW + THETA + x] = first
        s[CAP_THETA + x] = -1.0
        s[CAP_THETA_D + x] = 0.0
        s[ROW + CAP_THETA_D + x] = -s[DIFF + x]
    sign = 1.0
    for i in range(ONE, nd):
        at = i * ROW
        before = at - ROW
        after = at + ROW
        alpha_photons, alpha_reads = terms[0, i], terms[1, i]
        beta_photons, beta_reads = terms[2, i - ONE], terms[3, i - ONE]
        for x in range(LANES):
            photons = h[PHOTONS + x]
            reads = h[READS + x]
            scale = h[SCALE + x]
            alpha = (photons * alpha_photons + reads * alpha_reads) / scale
            beta = (photons * beta_photons + reads * beta_reads) / scale
            beta = beta * s[at + MASK + x] * s[before + MASK + x]
            theta = s[at + THETA + x]
            s[at + ALPHA + x] = alpha
            s[at + BETA + x] = beta
            s[after + THETA + x] = alpha * theta - beta * beta * s[before + THETA + x]
            s[at + CAP_THETA + x] = s[before + CAP_THETA + x] * beta + sign * theta
            s[after + CAP_THETA_D + x] = (
                beta * s[at + CAP_THETA_D + x] + sign * s[at + DIFF + x] * theta
            )
        sign = -sign


@inner
def _backward(h: Any, s: Any, nd: Any) -> None:
    # The same from the lower right (phi), and the derivatives of the likelihood.
    end = nd * ROW
    for x in range(LANES):
        h[DETERMINANT + x] = s[end + THETA + x]
        h[INVERSE + x] = 1.0 / s[end + THETA + x]
        s[end + CAP_PHI + x] = 0.0
        s[end + CAP_PHI_D + x] = 0.0
        s[end + PHI + x] = 1.0
        # Beyond the end: with these, the last difference is no special case.
        s[end + BETA + x] = 0.0
        s[end + DIFF + x] = 0.0
        s[end + ROW + PHI + x] = 0.0
    sign = 1.0 if nd % TWO == 0 else -1.0
    for k in range(nd):
        i = nd - ONE - k
        at = i * ROW
        after = at + ROW
        beyond = after + ROW
        for x in range(LANES):
            beta = s[after + BETA + x]
            later = s[beyond + PHI + x]
            phi = s[after + PHI + x]
            alpha = s[at + ALPHA + x]
            s[at + PHI + x] = alpha * phi - beta * beta * later
            cap_phi = s[after + CAP_PHI + x] * beta + (-sign) * beta * later
            cap_phi_d = (s[after + CAP_PHI_D + x] + (-sign) * s[after + DIFF + x] * later) * beta
            s[at + CAP_PHI + x] = cap_phi
            s[at + CAP_PHI_D + x] = cap_phi_d
            theta = s[at + THETA + x]
            s[at + DC + x] = phi * s[at + CAP_THETA + x] + theta * cap_phi
            s[at + DB + x] = phi * s[after + CAP_THETA_D + x] + theta * cap_phi_d
        sign = -sign


@inner
def _add_squares(h: Any, s: Any, nd: Any) -> None:
    for x in range(LANES):
        h[SUM_A + x] = 0.0
        h[SUM_A2 + x] = 0.0
    sign = -1.0
    for i in range(nd):
        at = i * ROW
        after = at + ROW
        for x in range(LANES):
            diff = s[at + DIFF + x]
            determinant = h[DETERMINANT + x]
            phi = s[after + PHI + x]
            first = sign * diff / determinant * s[at + BETA + x] * phi * s[at + CAP_THETA_D + x]
            second = diff * diff * s[at + THETA + x] * phi / determinant
            s[at + TERM_A1 + x] = first
            s[at + TERM_A2 + x] = second
            h[SUM_A + x] += first
            h[SUM_A2 + x] += second
        sign = -sign


@inner
def _add_up(h: Any, s: Any, nd: Any) -> None:
    for x in range(LANES):
        h[SUM_B + x] = 0.0
        h[SUM_C + x] = 0.0
    sign = -1.0
    for i in range(nd):
        at = i * ROW
        for x in range(LANES):
            inverse = sign * h[INVERSE + x]
            dc = inverse * s[at + DC + x] * s[at + MASK + x]
            third = s[at + DIFF + x] * dc
            s[at + DC + x] = dc
            s[at + DB + x] = inverse * s[at + DB + x]
            s[at + TERM_B + x] = third
            h[SUM_B + x] += third
            h[SUM_C + x] += dc
        sign = -sign


@inner
def _add_pairwise(h: Any, s: Any, nd: Any, slot: Any, head: Any, column: Any) -> None:
    for x in range(LANES):
        for i in range(nd):
            column[i] = s[i * ROW + slot + x]
        h[head + x] = 0.0 + pairwise_sum(column, np.int64(nd))


@inner
def _finish(h: Any, s: Any, nd: Any, column: Any, paired: bool) -> None:
    _add_up(h, s, nd)
    if paired:
        _add_pairwise(h, s, nd, TERM_B, SUM_B, column)
        _add_pairwise(h, s, nd, DC, SUM_C, column)
    for x in range(LANES):
        h[RATE + x] = h[SUM_B + x] * (1.0 / h[SUM_C + x])


@inner
def fit(
    h: Any, s: Any, nd: Any, terms: Any, column: Any, paired: bool, paired_squares: bool
) -> None:
    """Fit a line to the ramps of a block, with its chi squared.

    Parameters
    ----------
    h, s
        Heads and table, with `PHOTONS`, `READS`, `SCALE`, `DIFF` and `MASK`.
        Afterwards they have `RATE`, `CHISQ`, `SUM_C` and `DC`.
    nd
        How many differences, unsigned.
    terms
        See `Covariance`.
    column
        As many numbers as there are differences, to work with.
    paired, paired_squares
        Whether all sums, or that of the squares, have the order of `pairwise_sum`.
    """
    _forward(h, s, nd, terms)
    _backward(h, s, nd)
    _add_squares(h, s, nd)
    if paired:
        _add_pairwise(h, s, nd, TERM_A1, SUM_A, column)
    if paired or paired_squares:
        _add_pairwise(h, s, nd, TERM_A2, SUM_A2, column)
    _finish(h, s, nd, column, paired)
    for x in range(LANES):
        a = 2.0 * h[SUM_A + x] + h[SUM_A2 + x]
        b = h[SUM_B + x]
        h[SUM_A + x] = a
        h[CHISQ + x] = (a - b * b / h[SUM_C + x]) / h[SCALE + x]


@inner
def fit_slope(h: Any, s: Any, nd: Any, terms: Any, column: Any, paired: bool) -> None:
    """Do the same without chi squared.

    Parameters
    ----------
    h, s, nd, terms, column, paired
        As for `fit`.
    """
    _forward(h, s, nd, terms)
    _backward(h, s, nd)
    _finish(h, s, nd, column, paired)


@inner
def propagate(h: Any, s: Any, nd: Any, terms: Any, column: Any, paired: bool) -> None:
    """Variance of the count rate, by photons and by reads.

    Parameters
    ----------
    h, s
        Heads and table after `fit` or `fit_slope`. Afterwards the heads have
        `VARIANCE_P` and `VARIANCE_R`; `DC` is lost.
    nd
        How many differences, unsigned.
    terms, column, paired
        As for `fit`.
    """
    for x in range(LANES):
        h[VARIANCE_P + x] = 0.0
        h[VARIANCE_R + x] = 0.0
        h[COVARIANCE_P + x] = 0.0
        h[COVARIANCE_R + x] = 0.0
    for i in range(nd):
        at = i * ROW
        photons, reads = terms[0, i], terms[1, i]
        for x in range(LANES):
            weight = s[at + DC + x] / h[SUM_C + x]
            line_p = weight * weight * (h[PHOTONS + x] * photons)
            line_r = weight * weight * (h[READS + x] * reads)
            s[at + DC + x] = weight
            s[at + LINE_P + x] = line_p
            s[at + LINE_R + x] = line_r
            h[VARIANCE_P + x] += line_p
            h[VARIANCE_R + x] += line_r
    if paired:
        _add_pairwise(h, s, nd, LINE_P, VARIANCE_P, column)
        _add_pairwise(h, s, nd, LINE_R, VARIANCE_R, column)
    for i in range(nd - ONE):
        at = i * ROW
        after = at + ROW
        photons, reads = terms[2, i], terms[3, i]
        for x in range(LANES):
            product = s[after + DC + x] * s[at + DC + x]
            line_p = product * (h[PHOTONS + x] * photons)
            line_r = product * (h[READS + x] * reads)
            s[at + LINE_P + x] = line_p
            s[at + LINE_R + x] = line_r
            h[COVARIANCE_P + x] += line_p
            h[COVARIANCE_R + x] += line_r
    if paired:
        _add_pairwise(h, s, nd - ONE, LINE_P, COVARIANCE_P, column)
        _add_pairwise(h, s, nd - ONE, LINE_R, COVARIANCE_R, column)
    for x in range(LANES):
        h[VARIANCE_P + x] += 2.0 * h[COVARIANCE_P + x]
        h[VARIANCE_R + x] += 2.0 * h[COVARIANCE_R + x]

"""What the likelihood fit of a block would be without a difference, and without two.

Source: Brandt 2024, PASP 136, 045005 (arXiv 2404.01326), section 3;
`stcal/ramp_fitting/likely_fit.py` decides the order of operations.
"""

from __future__ import annotations

from typing import Any

from .kernels import inner
from .likely_layout import (
    BEST_ONE,
    BEST_TWO,
    BETA,
    CHISQ,
    CHISQ_ONE,
    CHISQ_TWO,
    DB,
    DC,
    DETERMINANT,
    DIAGONAL,
    LANES,
    MASK,
    ONE,
    PHI,
    RATE,
    RATE_ONE,
    RATE_TWO,
    ROW,
    SCALE,
    SUM_A,
    SUM_B,
    SUM_C,
    THETA,
)

__all__ = ["omit_one", "omit_two"]


@inner
def omit_one(h: Any, s: Any, nd: Any) -> None:
    """Leave out each difference in turn.

    Parameters
    ----------
    h, s
        Heads and table after `fit`. Afterwards they have `RATE_ONE`,
        `CHISQ_ONE` and `BEST_ONE`.
    nd
        How many differences, unsigned.
    """
    for i in range(nd):
        at = i * ROW
        after = at + ROW
        for x in range(LANES):
            mask = s[at + MASK + x]
            diagonal = s[at + THETA + x] * s[after + PHI + x] / h[DETERMINANT + x] * mask
            s[at + DIAGONAL + x] = diagonal
            sum_a = h[SUM_A + x]
            sum_b = h[SUM_B + x]
            sum_c = h[SUM_C + x]
            db = s[at + DB + x]
            dc = s[at + DC + x]
            a = (diagonal * sum_b - db * dc) / (sum_c * diagonal - dc * dc)
            b = (db - a * dc) / diagonal
            chisq = (
                sum_a
                + a * a * sum_c
                - 2.0 * a * sum_b
                + b * b * diagonal
                - 2.0 * b * db
                + 2.0 * a * b * dc
            )
            chisq /= h[SCALE + x]
            everything = h[CHISQ + x]
            chisq = everything if mask == 0.0 else chisq
            s[at + CHISQ_ONE + x] = chisq
            s[at + RATE_ONE + x] = h[RATE + x] if mask == 0.0 else a
            gain = everything - chisq
            best = h[BEST_ONE + x]
            best = gain if i == 0 else best
            h[BEST_ONE + x] = best if (best >= gain) | (best != best) else gain  # noqa: PLR0124


@inner
def omit_two(h: Any, s: Any, nd: Any, allowed: Any) -> None:
    """Leave out each pair of neighbours in turn.

    Parameters
    ----------
    h, s
        Heads and table after `omit_one`. Afterwards they have `RATE_TWO`,
        `CHISQ_TWO` and `BEST_TWO`.
    nd
        How many differences, unsigned.
    allowed
        By pair, 1 where it may be dropped, else 0.
    """
    for i in range(nd - ONE):
        at = i * ROW
        after = at + ROW
        beyond = after + ROW
        may = allowed[i]
        for x in range(LANES):
            sum_a = h[SUM_A + x]
            sum_b = h[SUM_B + x]
            sum_c = h[SUM_C + x]
            diagonal0 = s[at + DIAGONAL + x]
            diagonal1 = s[after + DIAGONAL + x]
            beside = (
                -s[after + BETA + x] * s[at + THETA + x] * s[beyond + PHI + x] / h[DETERMINANT + x]
            )
            dc0 = s[at + DC + x]
            dc1 = s[after + DC + x]
            db0 = s[at + DB + x]
            db1 = s[after + DB + x]
            one = dc0 * dc0 - sum_c * diagonal0
            both = dc0 * dc1 - sum_c * beside
            lift = sum_b * dc0 - db0 * sum_c
            c = lift / one - (sum_b * dc1 - db1 * sum_c) / both
            c /= both / one - (dc1 * dc1 - sum_c * diagonal1) / both
            b = (lift - c * both) / one
            a = (sum_b - b * dc0 - c * dc1) / sum_c
            chisq = sum_a + a * a * sum_c + b * b * diagonal0 + c * c * diagonal1
            chisq -= 2.0 * a * sum_b + 2.0 * b * db0 + 2.0 * c * db1
            chisq += 2.0 * a * b * dc0 + 2.0 * a * c * dc1 + 2.0 * b * c * beside
            chisq /= h[SCALE + x]
            # Of a pair of which one is not used anyway, only the other is left out.
            out0 = s[at + MASK + x] == 0.0
            out1 = s[after + MASK + x] == 0.0
            chisq = s[at + CHISQ_ONE + x] if out1 else chisq
            a = s[at + RATE_ONE + x] if out1 else a
            chisq = s[after + CHISQ_ONE + x] if out0 else chisq
            a = s[after + RATE_ONE + x] if out0 else a
            s[at + CHISQ_TWO + x] = chisq
            s[at + RATE_TWO + x] = a
            gain = (h[CHISQ + x] - chisq) * may
            best = h[BEST_TWO + x]
            best = gain if i == 0 else best
            h[BEST_TWO + x] = best if (best >= gain) | (best != best) else gain  # noqa: PLR0124

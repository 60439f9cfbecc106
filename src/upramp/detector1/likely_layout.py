"""Where the numbers of a block of pixels lie during the likelihood fit.

There are two flat arrays: the heads, of one number a pixel, and the table, in
which each difference of the ramp has a row of slots. Within the table every
place is a compile-time constant away from every other one of the same and the
neighbouring rows, so that the compiler sees that loops over the pixels of a
block may be done with vector instructions (it does not if the heads lie in the
same array). Indices are unsigned for the same reason: a signed one may count
from the end.

Names of sums and recursions are those of the papers (Brandt 2024, arXiv
2309.08753 and 2404.01326).
"""

from __future__ import annotations

from typing import Final

import numpy as np

from .kernels import inner

__all__ = [
    "ALPHA",
    "BEST_ONE",
    "BEST_TWO",
    "BETA",
    "CAP_PHI",
    "CAP_PHI_D",
    "CAP_THETA",
    "CAP_THETA_D",
    "CHISQ",
    "CHISQ_ONE",
    "CHISQ_TWO",
    "COVARIANCE_P",
    "COVARIANCE_R",
    "DB",
    "DC",
    "DETERMINANT",
    "DIAGONAL",
    "DIFF",
    "HEADS",
    "INVERSE",
    "LANES",
    "LINE_P",
    "LINE_R",
    "MASK",
    "ONE",
    "PHI",
    "PHOTONS",
    "RATE",
    "RATE_ONE",
    "RATE_TWO",
    "READS",
    "ROW",
    "SCALE",
    "SUM_A",
    "SUM_A2",
    "SUM_B",
    "SUM_C",
    "TERM_A1",
    "TERM_A2",
    "TERM_B",
    "THETA",
    "TWO",
    "VARIANCE_P",
    "VARIANCE_R",
    "table_size",
]

_WIDTH: Final = 32
LANES: Final = np.uint64(_WIDTH)
"""Pixels side by side."""

ONE: Final = np.uint64(1)
TWO: Final = np.uint64(2)

# Heads: one number a pixel.
PHOTONS: Final = np.uint64(0 * _WIDTH)  # count rate over gain
READS: Final = np.uint64(1 * _WIDTH)  # square of the read noise
SCALE: Final = np.uint64(2 * _WIDTH)  # what the covariance is divided by
RATE: Final = np.uint64(3 * _WIDTH)
CHISQ: Final = np.uint64(4 * _WIDTH)
SUM_C: Final = np.uint64(5 * _WIDTH)
BEST_ONE: Final = np.uint64(6 * _WIDTH)  # largest improvement without one difference
BEST_TWO: Final = np.uint64(7 * _WIDTH)  # and without two neighbours
SUM_A: Final = np.uint64(8 * _WIDTH)
SUM_B: Final = np.uint64(9 * _WIDTH)
DETERMINANT: Final = np.uint64(10 * _WIDTH)
INVERSE: Final = np.uint64(11 * _WIDTH)
SUM_A2: Final = np.uint64(12 * _WIDTH)
VARIANCE_P: Final = np.uint64(13 * _WIDTH)  # of the count rate, by photons
VARIANCE_R: Final = np.uint64(14 * _WIDTH)  # and by reads
COVARIANCE_P: Final = np.uint64(15 * _WIDTH)
COVARIANCE_R: Final = np.uint64(16 * _WIDTH)

# Slots of a difference; some serve twice.
DIFF: Final = np.uint64(0 * _WIDTH)  # the difference, 0 if it is not used
TERM_B: Final = DIFF
MASK: Final = np.uint64(1 * _WIDTH)  # 1 where it is used, else 0
ALPHA: Final = np.uint64(2 * _WIDTH)
TERM_A1: Final = ALPHA
RATE_ONE: Final = ALPHA  # count rate without this difference
BETA: Final = np.uint64(3 * _WIDTH)  # covariance with the difference before
THETA: Final = np.uint64(4 * _WIDTH)
PHI: Final = np.uint64(5 * _WIDTH)
CAP_THETA: Final = np.uint64(6 * _WIDTH)
TERM_A2: Final = CAP_THETA
CHISQ_ONE: Final = CAP_THETA  # chi squared without this difference
CAP_THETA_D: Final = np.uint64(7 * _WIDTH)
DIAGONAL: Final = CAP_THETA_D  # of the inverse covariance
DC: Final = np.uint64(8 * _WIDTH)
DB: Final = np.uint64(9 * _WIDTH)
RATE_TWO: Final = np.uint64(10 * _WIDTH)  # without this difference and the next
CAP_PHI: Final = RATE_TWO
LINE_P: Final = RATE_TWO
CHISQ_TWO: Final = np.uint64(11 * _WIDTH)
CAP_PHI_D: Final = CHISQ_TWO
LINE_R: Final = CHISQ_TWO
_SLOTS: Final = 12

ROW: Final = np.uint64(_SLOTS * _WIDTH)
"""From a difference to the next."""
HEADS: Final = 17 * _WIDTH
"""Numbers in the heads."""


@inner
def table_size(ndiffs: int) -> int:
    """Count the numbers in the table of a ramp.

    Parameters
    ----------
    ndiffs
        How many differences the ramp has.
    """
    # One row more for the whole ramp's theta, and one beyond the end.
    return (ndiffs + 2) * _SLOTS * _WIDTH

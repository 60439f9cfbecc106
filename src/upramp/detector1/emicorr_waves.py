"""A periodic wave between its samples, as MIRI's interference is subtracted.

Source: jwst/emicorr/emicorr.py; the cubic spline is scipy's, and is evaluated
as scipy does it (scipy/interpolate/src/__fitpack.cc: de Boor's recurrence), so
that it gives the same bits without an array of its arguments.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from .kernels import inner

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Wave", "fraction", "prepare_wave", "wave_at"]

_WIDTH: Final = 16  # numbers of an interval: two lines of the cache
_T0: Final = 2
_T1: Final = 3
_INVERSE: Final = 6
_DIFFERENCES: Final = 7
_COEFFICIENTS: Final = 12


@dataclass(frozen=True, eq=False)
class Wave:
    """A wave of period 1, as a cubic spline.

    Parameters
    ----------
    centres
        (n + 2,) float64: phases of its samples, and of one more on either side.
    intervals
        (n - 1, 16) float64. Of each interval between knots: the knots, the two
        before and the two after; the reciprocal of its length; distances of
        knots that the recurrence divides by; four coefficients.
    """

    centres: NDArray[np.float64]
    intervals: NDArray[np.float64]

    @property
    def size(self) -> int:
        """How many samples it has."""
        return len(self.centres) - 2


def prepare_wave(samples: NDArray[Any]) -> Wave:
    """Lay a spline through a wave.

    Parameters
    ----------
    samples
        (n,), n >= 2: the wave in the middle of n equal parts of its period. One
        that has a NaN is NaN everywhere.

    Raises
    ------
    ValueError
        If there are less than two.
    """
    from scipy.interpolate import make_interp_spline

    if samples.ndim != 1 or len(samples) < 2:
        raise ValueError(f"a wave needs a line of two samples, not {samples.shape}")
    around = np.array([samples[-1], *samples, samples[0]])
    if not np.issubdtype(around.dtype, np.inexact):
        around = around.astype(np.float64)
    centres = (np.arange(len(samples) + 2) - 0.5) / len(samples)
    broken = np.isnan(around).any()
    spline = make_interp_spline(
        centres, np.ones_like(around) if broken else around, k=3, check_finite=False
    )
    knots, coefficients = spline.t, np.array(spline.c, np.float64)
    if broken:
        coefficients[:] = np.nan
    count = len(coefficients) - 3
    intervals = np.zeros((count, _WIDTH))
    for i in range(count):
        t = knots[i + 1 : i + 7]
        row = intervals[i]
        row[:6] = t
        row[_INVERSE] = 1.0 / (t[3] - t[2])
        row[_DIFFERENCES : _DIFFERENCES + 5] = (
            t[3] - t[1], t[4] - t[2], t[3] - t[0], t[4] - t[1], t[5] - t[2],
        )  # fmt: skip
        row[_COEFFICIENTS:] = coefficients[i : i + 4]
    return Wave(centres, intervals)


@inner
def fraction(x: Any) -> Any:
    """Remainder of a division by 1, as numpy has it: not negative.

    Parameters
    ----------
    x
        float64.
    """
    rest = x - np.trunc(x)
    if rest < 0.0:
        return rest + 1.0
    return rest if rest != 0.0 else 0.0


@inner
def wave_at(intervals: Any, size: Any, phase: Any) -> Any:
    """Value of a wave.

    Parameters
    ----------
    intervals, size
        Of a `Wave`.
    phase
        0 to 1; NaN for anything else.
    """
    if not (phase >= 0.0 and phase <= 1.0):
        return np.nan
    last = intervals.shape[0] - 1
    # The first and the last but one of the samples are no knots.
    i = min(max(np.int64(phase * size + 0.5) - 1, 0), last)
    if phase < intervals[i, _T0] and i > 0:
        i -= 1
    elif phase >= intervals[i, _T1] and i < last:
        i += 1
    at = intervals[i]
    from1, from0, after0, after1 = phase - at[1], phase - at[2], at[3] - phase, at[4] - phase
    w = at[_INVERSE]
    a = w * after0
    b = w * from0
    w = a / at[_DIFFERENCES]
    a2 = w * after0
    b2 = w * from1
    w = b / at[_DIFFERENCES + 1]
    b2 += w * after1
    c2 = w * from0
    w = a2 / at[_DIFFERENCES + 2]
    a3 = w * after0
    b3 = w * (phase - at[0])
    w = b2 / at[_DIFFERENCES + 3]
    b3 += w * after1
    c3 = w * from1
    w = c2 / at[_DIFFERENCES + 4]
    c3 += w * (at[5] - phase)
    d3 = w * from0
    return (
        at[_COEFFICIENTS] * a3
        + at[_COEFFICIENTS + 1] * b3
        + at[_COEFFICIENTS + 2] * c3
        + at[_COEFFICIENTS + 3] * d3
    )

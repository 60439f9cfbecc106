"""Covariance of the differences of a ramp's groups, as far as it follows from the read times.

Source: Brandt 2024, PASP 136, 045004 (arXiv 2309.08753), equations 4, 11, 28
and 29; `stcal/ramp_fitting/likely_algo_classes.py` decides the order of operations.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["MIN_GROUPS", "Covariance", "covariance_of", "even_read_times", "split_zero_read"]

MIN_GROUPS = 4
"""Fewer groups than this are left to OLS_C."""


@dataclass(frozen=True)
class Covariance:
    """What the covariance of an exposure's differences is made of.

    The covariance matrix of the differences (DN/s) is tridiagonal; each entry
    is the count rate over the gain times one number, plus the square of the
    read noise times another.

    Parameters
    ----------
    times
        Seconds between the middles of neighbouring groups: (ndiffs,).
    terms
        (4, ndiffs) float64: diagonal for photons, diagonal for read noise, then
        the entries beside the diagonal, between a difference and the next one
        (the last of which is not used).
    two_omit
        (ndiffs - 1,) float64: 1 where a difference and the next one may be
        dropped together, because the group they share averages several reads; else 0.
    zero_read
        Whether the first group stands for the zero frame.
    """

    times: NDArray[np.float64]
    terms: NDArray[np.float64]
    two_omit: NDArray[np.float64]
    zero_read: bool = False

    @property
    def ngroups(self) -> int:
        """How many groups the ramp has, without the zero frame."""
        return len(self.times) + (0 if self.zero_read else 1)


def even_read_times(
    ngroups: int, nframes: int, groupgap: int, frame_time: float
) -> list[NDArray[np.float64]]:
    """Give the times of the reads of each group of an evenly sampled ramp.

    Parameters
    ----------
    ngroups
        How many groups.
    nframes
        How many frames a group averages.
    groupgap
        How many frames between groups are dropped.
    frame_time
        Seconds.

    Returns
    -------
    list of ndarray
        For each group, seconds since the reset.
    """
    frames = np.arange(1, nframes + 1, dtype=np.float64)
    return [(frames + k * (nframes + groupgap)) * frame_time for k in range(ngroups)]


def split_zero_read(
    read_times: Sequence[Sequence[float] | NDArray[np.float64]],
) -> list[Sequence[float] | NDArray[np.float64]] | None:
    """Take the first read out of the first group, as the zero frame is that read.

    Parameters
    ----------
    read_times
        For each group, the times of its reads.

    Returns
    -------
    list or None
        One more group in front; None if the first group has a single read, so
        that the zero frame tells nothing new.
    """
    if len(read_times[0]) < 2:
        return None
    return [np.array([read_times[0][0]]), read_times[0][1:], *read_times[1:]]


def covariance_of(
    read_times: Sequence[Sequence[float] | NDArray[np.float64]], *, zero_read: bool = False
) -> Covariance:
    """Work out what of the covariance depends on the read times alone.

    Parameters
    ----------
    read_times
        For each group, the times of the reads that it averages; seconds.
    zero_read
        Whether the first group is the zero frame (see `split_zero_read`).

    Raises
    ------
    ValueError
        If there are fewer groups than a fit needs.
    """
    if len(read_times) - zero_read < MIN_GROUPS:
        raise ValueError(f"{len(read_times) - zero_read} groups, a fit needs {MIN_GROUPS}")
    reads = np.array([len(times) for times in read_times])
    middle = np.array([np.mean(times) for times in read_times])
    # Weighted so that the variance of an average of reads is the rate times this.
    tau = np.array([_variance_time(np.array(times)) for times in read_times])
    step = middle[1:] - middle[:-1]
    neighbours = step[1:] * step[:-1]

    terms = np.zeros((4, len(step)))
    terms[0] = (tau[:-1] + tau[1:] - 2 * middle[:-1]) / step**2
    terms[1] = (1 / reads[:-1] + 1 / reads[1:]) / step**2
    terms[2, :-1] = (middle[1:-1] - tau[1:-1]) / neighbours
    # Not over `neighbours`: the rounding is another.
    terms[3, :-1] = -1 / (reads[1:-1] * step[1:] * step[:-1])
    return Covariance(step, terms, (reads[1:-1] > 1).astype(np.float64), zero_read)


def _variance_time(times: NDArray[np.float64]) -> float:
    count = len(times)
    weights = (2 * count + 1) - 2 * np.arange(1, count + 1)
    return float(np.sum(weights * times) / count**2)

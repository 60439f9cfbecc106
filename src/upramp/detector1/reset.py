"""Subtract the reset anomaly of MIRI's first groups.

Source: jwst/reset/reset_sub.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from upramp.errors import InputError

from .dark import subtract_planes
from .tile_checks import check_tile

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["ResetPlan", "plan_reset", "subtract_reset"]


@dataclass(frozen=True)
class ResetPlan:
    """Which plane of the reference belongs to which group.

    Parameters
    ----------
    picks
        (nints,) int64: the reference's integration for each of the file's, -1 for none.
    groups
        How many groups are corrected, from the first.
    """

    picks: NDArray[np.int64]
    groups: int

    @property
    def corrects(self) -> bool:
        """Whether there is an integration to correct; only then the pixels' DQ gains bits."""
        return bool((self.picks >= 0).any())


def plan_reset(
    nints_here: int,
    nints: int,
    groups: int,
    integration_start: int | None,
    integration_end: int | None,
    reset_nints: int,
    reset_groups: int,
) -> ResetPlan:
    """Match the reference's integrations and groups with the file's.

    Parameters
    ----------
    nints_here
        Integrations in the file.
    nints, groups
        NINTS and NGROUPS of the exposure.
    integration_start, integration_end
        INTSTART and INTEND of the file, None where it has none.
    reset_nints, reset_groups
        NINTS and NGROUPS of the reference.

    Raises
    ------
    InputError
        If the header counts more integrations than the file holds. The
        official function fails there with an index out of range.

    Notes
    -----
    Source: jwst/reset/reset_sub.py. Integrations beyond the reference's last
    get its last.
    """
    start = 0 if integration_start is None else integration_start - 1
    stop = nints if integration_end is None else integration_end
    count = max(0, stop - start)
    if count > nints_here:
        raise InputError(
            "INTSTART, INTEND and NINTS",
            f"speak of {count} integrations where the file holds {nints_here}",
            "correct these keywords",
        )
    picks = np.full(nints_here, -1, np.int64)
    picks[:count] = np.minimum(np.arange(start, start + count), reset_nints - 1)
    return ResetPlan(picks, min(groups, reset_groups))


def subtract_reset(
    ramp: NDArray[Any], reset: NDArray[Any], plan: ResetPlan, y0: int, first: int, last: int
) -> None:
    """Subtract the reset anomaly from the first groups of a tile, in place.

    Parameters
    ----------
    ramp
        (nints, ngroups, rows, nx) float32, DN: all integrations of the file.
    reset
        (nints, ngroups, ny, nx) float32, C-contiguous, DN; NaN counts as zero.
    plan
        From `plan_reset`.
    y0, first, last
        Row ``r`` of the tile is row ``y0 + r`` of the exposure; rows
        ``first <= r < last`` are changed.

    Raises
    ------
    ValueError
        If the plan is for a reference with more planes, or for another ramp.

    Notes
    -----
    Source: jwst/reset/reset_sub.py.
    """
    if (
        len(plan.picks) != ramp.shape[0]
        or plan.picks.max(initial=-1) >= reset.shape[0]
        or plan.groups > min(reset.shape[1], ramp.shape[1])
    ):
        raise ValueError(f"{plan} does not fit ramp {ramp.shape} and reset {reset.shape}")
    check_tile(ramp, reset, y0, first, last)
    subtract_planes(ramp, reset, plan.picks, plan.groups, True, y0, first, last)

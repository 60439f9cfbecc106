"""Saturation: which groups a pixel's ramp is saturated in, and which it may be.

Five rules, each of which looks only at what the ramp and its flags were before:

1. *Tally.* Once at or above its threshold, a pixel is saturated for the rest of
   the integration.
2. *Growth.* In each group, the neighbours of saturated pixels are saturated too,
   in a box around each; this is not carried to later groups.
3. *Looking back.* The average of several frames hides that the last of them were
   saturated. Where a pixel is saturated in the next group, and this group's
   average could come from a ramp that reached the threshold in its last frame,
   this group is not to be used, nor that of the neighbours.
4. *Second group.* Saturation in the third group that the first group does not
   announce: the event may have begun in the last frame of the second.
5. *Floor.* Groups at or below zero are at the floor of the converter.

As rule 3 asks only whether the next group is saturated, and itself never
saturates anything, one pass forward over the groups does everything.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from upramp.detector1.saturation_kernels import LAYERS, blank, flag
from upramp.dq import PIXEL

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = [
    "SaturationPlan",
    "blank_saturated_zero_frame",
    "flag_saturation",
    "frames_of_groups",
    "plan_saturation",
    "prepare_thresholds",
]

_NO_CHECK: Final = np.uint32(PIXEL["NO_SAT_CHECK"])
_NEVER: Final = np.float32(65536.0)  # one more than 16 bits can hold


@dataclass(frozen=True, eq=False)
class SaturationPlan:
    """What the flagging of an exposure depends on apart from its pixels; see `plan_saturation`."""

    grow: int
    """Layers of neighbours that a saturated pixel saturates."""
    dilution: NDArray[np.float64]
    """(ngroups,): a steady ramp's mean over a group, as a part of its end; 1 is not looked at."""
    second: NDArray[np.float64]
    """For the rule of the second group: mean time of the first group, last of the third, and
    number of frames of the second; empty if the rule does not apply."""

    @property
    def looks_back(self) -> bool:
        """Whether any group is looked at again when the next one is saturated."""
        return bool(np.any(self.dilution[:-1] != 1))

    @property
    def reach(self) -> int:
        """Rows above and below that a row's result depends on."""
        return self.grow * (2 if self.looks_back else 1)


def frames_of_groups(ngroups: int, nframes: int) -> list[list[int]]:
    """Read pattern that the official step assumes: frames counted from 1, gaps left out.

    Parameters
    ----------
    ngroups, nframes
        Groups of an integration, and frames averaged in each.

    Returns
    -------
    list
        For each group, the numbers of its frames.
    """
    return [list(range(1 + g * nframes, 1 + (g + 1) * nframes)) for g in range(ngroups)]


def plan_saturation(
    ngroups: int, grow: int = 1, read_pattern: Sequence[Sequence[float]] | None = None
) -> SaturationPlan:
    """Decide what has to be looked at.

    Source: stcal/saturation/saturation.py.

    Parameters
    ----------
    ngroups
        Groups of an integration.
    grow
        Layers of neighbours to flag (``n_pix_grow_sat``); nothing grows below 1.
    read_pattern
        For each group the times or numbers of its frames, which need not be evenly
        spaced; None if groups are not to be looked at again (``use_readpatt`` off).

    Returns
    -------
    SaturationPlan
        The plan.

    Raises
    ------
    ValueError
        If the pattern is not one of at least ``ngroups`` groups.
    """
    dilution = np.ones(ngroups)
    second = np.empty(0)
    if read_pattern is not None:
        if len(read_pattern) < ngroups or not all(len(frames) for frames in read_pattern):
            raise ValueError(f"a read pattern of {ngroups} groups is needed, not {read_pattern}")
        # A pattern may count from 0; a division by 0 then flags nothing, as it does officially.
        with np.errstate(divide="ignore", invalid="ignore"):
            for group, frames in enumerate(read_pattern[:ngroups]):
                dilution[group] = np.mean(frames) / frames[-1]
        if ngroups > 2:
            second = np.array(
                [np.mean(read_pattern[0]), read_pattern[2][-1], len(read_pattern[1])],
                dtype=np.float64,
            )
    return SaturationPlan(max(int(grow), 0), dilution, second)


def prepare_thresholds(
    threshold: NDArray[Any], dq: NDArray[Any]
) -> tuple[NDArray[np.float32], NDArray[np.uint32]]:
    """Make a saturation reference's arrays ready, without changing them.

    Source: stcal/saturation/saturation.py.

    Parameters
    ----------
    threshold
        Saturation threshold in DN, of any shape.
    dq
        The reference's DQ, of the same shape.

    Returns
    -------
    threshold : numpy.ndarray
        float32: out of reach where it is NaN or not to be checked.
    dq : numpy.ndarray
        uint32, with NO_SAT_CHECK where the threshold is NaN. To be combined into the
        exposure's pixel DQ with OR.

    Raises
    ------
    ValueError
        If the shapes differ.
    """
    if threshold.shape != dq.shape:
        raise ValueError(f"thresholds are {threshold.shape}, their DQ is {dq.shape}")
    ready = np.array(threshold, dtype=np.float32, order="C")
    flags = np.array(dq, dtype=np.uint32, order="C")
    flags[np.isnan(ready)] |= _NO_CHECK
    ready[flags & _NO_CHECK != 0] = _NEVER
    return ready, flags


def flag_saturation(
    ramp: NDArray[np.float32],
    groupdq: NDArray[np.uint8],
    threshold: NDArray[np.float32],
    threshold_dq: NDArray[np.uint32],
    bias: NDArray[np.float32] | None,
    plan: SaturationPlan,
    y0: int,
    first: int,
    last: int,
) -> None:
    """Flag a tile's saturated groups and those at the converter's floor, in place.

    Source: stcal/saturation/saturation.py (``flag_saturated_pixels``). Frames smaller than
    twice the growth, on which that fails, are grown like any other.

    Parameters
    ----------
    ramp
        (nints, ngroups, rows, nx) float32, in DN, before the bias is subtracted.
    groupdq
        uint8 of the same shape; rows that are not flagged must be as they were before the step.
    threshold, threshold_dq
        (ny, nx): what `prepare_thresholds` returned.
    bias
        (ny, nx) float32 superbias as its reference has it (NaN included), or None.
    plan
        What `plan_saturation` returned.
    y0
        Row of the exposure that is the tile's row 0.
    first, last
        Rows of the tile to flag. ``plan.reach`` rows around them must be in the tile,
        where the exposure has them.

    Raises
    ------
    ValueError
        If the shapes do not fit, or neighbours are missing.
    """
    _, ngroups, rows, nx = ramp.shape
    if groupdq.shape != ramp.shape or len(plan.dilution) != ngroups:
        raise ValueError(f"ramp {ramp.shape}, groups {groupdq.shape}, plan {plan.dilution.shape}")
    _check_neighbours(threshold, (rows, nx), plan.reach, (y0, first, last))
    work = np.zeros((LAYERS, rows, nx + 2 * plan.grow), np.uint8)
    flag(
        ramp,
        groupdq,
        threshold,
        threshold_dq,
        threshold if bias is None else bias,
        bias is not None,
        plan.dilution,
        plan.second,
        plan.grow,
        plan.grow if plan.looks_back else 0,
        work,
        y0,
        first,
        last,
    )


def blank_saturated_zero_frame(
    zero_frame: NDArray[np.float32],
    threshold: NDArray[np.float32],
    grow: int,
    y0: int,
    first: int,
    last: int,
) -> None:
    """Put 0 where a tile of the zero frames is saturated or at the converter's floor.

    Source: stcal/saturation/saturation.py.

    Parameters
    ----------
    zero_frame
        (nints, rows, nx) float32, in DN; changed in place.
    threshold
        (ny, nx): what `prepare_thresholds` returned.
    grow
        Layers of neighbours to blank as well (``n_pix_grow_sat``).
    y0
        Row of the exposure that is the tile's row 0.
    first, last
        Rows of the tile to change. ``grow`` rows around them must be in the tile, as they
        were before the step, where the exposure has them.

    Raises
    ------
    ValueError
        If the shapes do not fit, or neighbours are missing.
    """
    _, rows, nx = zero_frame.shape
    grow = max(int(grow), 0)
    _check_neighbours(threshold, (rows, nx), grow, (y0, first, last))
    work = np.zeros((LAYERS, rows, nx + 2 * grow), np.uint8)
    blank(zero_frame, threshold, grow, work, y0, first, last)


def _check_neighbours(
    reference: NDArray[Any], tile: tuple[int, int], reach: int, place: tuple[int, int, int]
) -> None:
    rows, nx = tile
    y0, first, last = place
    ny = reference.shape[0]
    if reference.shape[1:] != (nx,) or not 0 <= y0 <= y0 + rows <= ny:
        raise ValueError(f"{rows} rows of {nx} from row {y0} do not fit into {reference.shape}")
    if not 0 <= first <= last <= rows:
        raise ValueError(f"rows {first} to {last} are not in a tile of {rows}")
    if first < min(reach, y0 + first) or rows - last < min(reach, ny - y0 - last):
        raise ValueError(f"{reach} rows around rows {first} to {last} are not all in the tile")

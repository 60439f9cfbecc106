"""Snowballs: large cosmic-ray events with saturated cores, flagged wider than detected.

Source: ``flag_large_events`` in ``stcal/jump/jump.py`` and what it calls.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from upramp.detector1.ellipses import (
    ASSIGN,
    MARK,
    MARK_UNSATURATED,
    Outline,
    Pens,
    Shape,
    Shapes,
    contains,
    draw,
    outline,
)
from upramp.detector1.kernels import array, b1, const, f8, kernel
from upramp.detector1.regions import Regions, find_regions
from upramp.dq import GROUP

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["SnowballParameters", "flag_snowballs"]

_JUMP: Final = GROUP["JUMP_DET"]
_SATURATED: Final = GROUP["SATURATED"]
_NONE: Final = np.empty(0, np.intp)


@dataclass(frozen=True, slots=True)
class SnowballParameters:
    """How to find and to expand snowballs; names and defaults of the jump step.

    Attributes
    ----------
    min_jump_area
        Least filled area of a region of jumps, in pixels.
    min_sat_area
        Least filled area of a newly saturated region, in pixels.
    expand_factor
        By how much a snowball's minor axis grows; its major axis grows by as
        many pixels.
    sat_required_snowball
        Whether a region of jumps must contain the centre of a newly saturated
        one, unless it is near an edge. If not, every region is a snowball and
        no core is expanded.
    min_sat_radius_extend
        Cores are expanded whose minor axis less one exceeds this, in pixels.
    sat_expand
        By how many pixels their radius grows.
    edge_size
        How far from an edge no core is required, in pixels.
    mask_snowball_core_next_int
        Whether cores are flagged in the next integration.
    snowball_time_masked_next_int
        For how long, in seconds.
    max_extended_radius
        Largest radius of what is expanded, in pixels.
    """

    min_jump_area: float = 5.0
    min_sat_area: float = 1.0
    expand_factor: float = 2.0
    sat_required_snowball: bool = True
    min_sat_radius_extend: float = 2.5
    sat_expand: int = 2
    edge_size: int = 25
    mask_snowball_core_next_int: bool = True
    snowball_time_masked_next_int: int = 4000
    max_extended_radius: int = 200


@kernel(const(f8, 2), const(f8, 2), array(b1, 1))
def _near_any(circles: Any, points: Any, near: Any) -> None:
    """Tell which circles (row, column, radius) have a point, sorted by row, in their square."""
    count = points.shape[1]
    for i in range(near.size):
        y, x, radius = circles[0, i], circles[1, i], circles[2, i]
        low, high = 0, count
        while low < high:
            middle = (low + high) // 2
            if points[0, middle] < y - radius:
                low = middle + 1
            else:
                high = middle
        while low < count and points[0, low] <= y + radius:
            if abs(points[1, low] - x) <= radius:
                near[i] = True
                break
            low += 1


class _Cores:
    """Newly saturated regions of a group that are large enough.

    Parameters
    ----------
    regions
        All of them.
    min_area
        Least filled area.
    """

    def __init__(self, regions: Regions | None, min_area: float) -> None:
        self.regions = regions
        chosen = _NONE if regions is None else regions.at_least(min_area)
        self.chosen = chosen
        nowhere = np.empty(0)
        self.rows = nowhere if regions is None else regions.rows[chosen]
        self.columns = nowhere if regions is None else regions.columns[chosen]
        order = np.argsort(self.rows)
        self.sorted = np.ascontiguousarray([self.rows[order], self.columns[order]])

    def perhaps_wider(self, limit: float) -> NDArray[np.intp]:
        """Choose those whose minor axis less one may exceed a limit."""
        if self.regions is None:
            return self.chosen
        rows, columns = self.regions.variances()
        least = np.minimum(rows, columns)[self.chosen]
        return self.chosen[4 * np.sqrt(least + 1e-6) - 1 + 1e-6 > limit]


def flag_snowballs(
    groupdq: NDArray[np.uint8], parameters: SnowballParameters, group_time: float
) -> int:
    """Flag snowballs, in place: jumps around them, saturation in and around their cores.

    A group is searched with the flags that were set while the groups before
    it were.

    Parameters
    ----------
    groupdq
        uint8 (nints, ngroups, ny, nx), contiguous, of the whole exposure, with
        jumps flagged and no pixel both a jump and saturated.
    parameters
        Parameters of the step.
    group_time
        Time per group, in seconds.

    Returns
    -------
    int
        How many there are, those of successive groups counted each.

    Notes
    -----
    The square that counts as far from the edges has the number of rows for
    both its sides, as in the official code. With two groups, which that code
    cannot take, there is no next group to look for saturation in.
    """
    limit = 2 * parameters.max_extended_radius
    masked = int(parameters.snowball_time_masked_next_int // group_time)
    masked_groups = (1, min(masked, groupdq.shape[1]))
    shapes = Shapes()
    pens = Pens(parameters.expand_factor, limit)
    total = 0
    persisting: list[tuple[tuple[int, int], Outline]] = []
    for cube in groupdq:
        last_cores = persisting
        persisting = []
        total += _flag_integration(cube, parameters, limit, shapes, pens, persisting)
        if parameters.mask_snowball_core_next_int:
            for centre, pen in last_cores:
                draw(cube, masked_groups, centre, pen, MARK, _JUMP)
    return total


def _flag_integration(
    cube: NDArray[np.uint8],
    parameters: SnowballParameters,
    limit: float,
    shapes: Shapes,
    pens: Pens,
    persisting: list[tuple[tuple[int, int], Outline]],
) -> int:
    ngroups = len(cube)
    total = 0
    following: _Cores | None = None
    for group in range(1, ngroups):
        jumps = find_regions(cube[group], _JUMP)
        balls = _NONE if jumps is None else jumps.at_least(parameters.min_jump_area)
        if parameters.sat_required_snowball:
            cores = following or _new_cores(cube, group, parameters)
            # What saturates in the next group is that group's own, if no core grows meanwhile.
            following = None
            if group < ngroups - 1:
                following = _new_cores(cube, group + 1, parameters)
            if jumps is not None:
                sides = [cores] if following is None else [cores, following]
                balls = _with_cores(jumps, balls, sides, parameters, len(cube[0]), shapes)
            if _extend_cores(cube, group, cores, parameters, limit, shapes, persisting):
                following = None
        total += len(balls)
        if jumps is not None:
            _expand(cube, group, jumps, balls, shapes, pens)
    return total


def _expand(
    cube: NDArray[np.uint8],
    group: int,
    jumps: Regions,
    balls: NDArray[np.intp],
    shapes: Shapes,
    pens: Pens,
) -> None:
    for index in balls:
        pen = pens(shapes(jumps, index))
        if pen is not None:
            centre = jumps.centre(index)
            draw(cube, (group, group + 1), centre, pen, MARK_UNSATURATED, _JUMP, _SATURATED)


def _new_cores(cube: NDArray[np.uint8], group: int, parameters: SnowballParameters) -> _Cores:
    regions = find_regions(cube[group], _SATURATED, cube[group - 1])
    return _Cores(regions, parameters.min_sat_area)


def _with_cores(
    jumps: Regions,
    large: NDArray[np.intp],
    sides: list[_Cores],
    parameters: SnowballParameters,
    ny: int,
    shapes: Shapes,
) -> NDArray[np.intp]:
    """Choose the regions of jumps that are snowballs."""
    low = parameters.edge_size
    high = max(0, ny - low)
    rows, columns = jumps.rows[large], jumps.columns[large]
    edge = (columns < low) | (rows < low) | (columns > high) | (rows > high)
    # No ellipse reaches further than this; one of a line of pixels has a negative axis.
    variances = jumps.variances()
    radius = np.maximum(4 * np.sqrt(variances[0] + variances[1] + 1e-6) - 1, 1.0)[large] / 2 + 1e-6
    circles = np.ascontiguousarray([rows, columns, radius])
    near = np.zeros(len(large), np.bool_)
    for side in sides:
        _near_any(circles, side.sorted, near)
    found = []
    seen: set[tuple[float, float, Shape]] = set()
    for i in np.flatnonzero(edge | near):
        shape = shapes(jumps, large[i])
        row, column = float(rows[i]), float(columns[i])
        ellipse = column, row, shape
        if not edge[i] and (
            ellipse in seen or not _has_core(sides, row, column, float(radius[i]), shape)
        ):
            continue
        found.append(large[i])
        # Concentric regions may have the same ellipse, which is counted once.
        seen.add(ellipse)
    return np.array(found, np.intp)


def _has_core(sides: list[_Cores], row: float, column: float, radius: float, shape: Shape) -> bool:
    for side in sides:
        near = (np.abs(side.rows - row) <= radius) & (np.abs(side.columns - column) <= radius)
        for y, x in zip(side.rows[near].tolist(), side.columns[near].tolist(), strict=True):
            if contains(row, column, shape, y, x):
                return True
    return False


def _extend_cores(
    cube: NDArray[np.uint8],
    group: int,
    cores: _Cores,
    parameters: SnowballParameters,
    limit: float,
    shapes: Shapes,
    persisting: list[tuple[tuple[int, int], Outline]],
) -> bool:
    """Saturate large cores and their surroundings from a group on; tell whether there are any."""
    regions = cores.regions
    if regions is None:
        return False
    drawn = False
    growth = 2 * parameters.sat_expand
    for index in cores.perhaps_wider(parameters.min_sat_radius_extend):
        shape = shapes(regions, index)
        if not shape.minor > parameters.min_sat_radius_extend:
            continue
        centre = regions.centre(index)
        axes = min(shape.minor + growth, limit), min(shape.major + growth, limit)
        pen = outline(*axes, shape.angle)
        if pen is not None:
            # All other flags are lost here, as in the official code.
            draw(cube, (group, len(cube)), centre, pen, ASSIGN, _SATURATED)
            drawn = True
        core = outline(shape.minor, shape.major, shape.angle)
        if core is not None:
            persisting.append((centre, core))
    return drawn

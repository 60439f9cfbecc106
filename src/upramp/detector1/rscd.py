"""Flag the first groups of MIRI's integrations, which still settle after the reset.

Bright pixels, which saturate before enough groups are left, keep more of
them. How far the search for such pixels goes down depends on the whole frame,
so it comes in two parts: `saturated_levels` looks, `flag_settling` flags.

Source: jwst/rscd/rscd_sub.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from upramp.dq import GROUP, PIXEL

from .kernels import array, b1, const, i8, kernel, u1, u4
from .tile_checks import check_tile

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from numpy.typing import NDArray

__all__ = [
    "SettlingRange",
    "find_skips",
    "flag_settling",
    "plan_rscd",
    "saturated_levels",
]

_DO_NOT_USE: Final = np.uint8(GROUP["DO_NOT_USE"])
_SATURATED: Final = np.uint8(GROUP["SATURATED"])
_FLUX_ESTIMATED: Final = np.uint32(PIXEL["FLUX_ESTIMATED"])


@dataclass(frozen=True)
class SettlingRange:
    """Integrations of a file that lose the same number of groups.

    Parameters
    ----------
    start, stop
        Integrations ``start <= i < stop`` of the file; there may be none.
    skip
        Groups to flag.
    is_first
        The exposure's first integration; otherwise its later ones.
    """

    start: int
    stop: int
    skip: int
    is_first: bool


def find_skips(
    table: Iterable[Mapping[str, Any]], subarray: str, readpatt: str
) -> tuple[int, int] | None:
    """Look up how many groups settle.

    Parameters
    ----------
    table
        Rows of RSCD_GROUP_SKIP, with ``subarray``, ``readpatt``, ``group_skip``
        and ``group_skip1`` (missing, or -1, in references of the old kind).
    subarray, readpatt
        SUBARRAY and READPATT of the exposure.

    Returns
    -------
    tuple of int, or None
        For the first integration and for later ones, of the first row that
        fits; None if no row fits: the step is skipped.

    Notes
    -----
    Source: jwst/rscd/rscd_sub.py, ``get_rscd_parameters``.
    """
    if subarray.upper() == "SUBPRISM":  # its name in old exposures
        subarray = "SLITLESSPRISM"
    for row in table:
        if row["subarray"] == subarray and row["readpatt"] == readpatt:
            first = int(row.get("group_skip1", -1))
            return (first if first >= 0 else 1), int(row["group_skip"])
    return None


def plan_rscd(
    nints_here: int,
    nints: int,
    groups: int,
    integration_start: int | None,
    skip_first: int,
    skip_later: int,
) -> list[SettlingRange] | None:
    """Say which integrations lose how many groups, so that three are left to fit.

    Parameters
    ----------
    nints_here
        Integrations in the file.
    nints, groups
        NINTS and NGROUPS of the exposure.
    integration_start
        INTSTART of the file, None if it has none.
    skip_first, skip_later
        From `find_skips`.

    Returns
    -------
    list of SettlingRange, or None
        In the order in which they are to be worked on; None if there are too
        few groups: the step is skipped.

    Notes
    -----
    Source: jwst/rscd/rscd_sub.py, ``correction_skip_groups``. An exposure of
    one integration has no range of later ones, even if its file starts later.
    """
    if groups < 3:
        return None
    if groups <= 5:
        skip_first = skip_later = 1
    most = groups - 3
    from_the_first = integration_start is None or integration_start == 1
    ranges = []
    if from_the_first:
        ranges.append(SettlingRange(0, 1, min(skip_first, most), is_first=True))
    if nints > 1:
        start = 1 if from_the_first else 0
        ranges.append(SettlingRange(start, nints_here, min(skip_later, most), is_first=False))
    return ranges


def saturated_levels(
    groupdq: NDArray[Any], part: SettlingRange, first: int, last: int
) -> NDArray[np.bool_]:
    """Tell in which groups a tile has saturated pixels that count.

    Parameters
    ----------
    groupdq
        (nints, ngroups, rows, nx) uint8: all integrations of the file.
    part
        One of `plan_rscd`.
    first, last
        Rows ``first <= r < last`` of the tile are looked at.

    Returns
    -------
    ndarray
        (skip + 2,) bool, by group: saturated somewhere where the first group is
        not. The exposure's is the OR of its tiles'.
    """
    check_tile(groupdq, groupdq, 0, first, last)
    _check_part(groupdq, part)
    found = np.zeros(max(part.skip + 2, 0), np.bool_)
    _find_levels(groupdq, part.start, part.stop, first, last, found)
    return found


def flag_settling(
    groupdq: NDArray[Any],
    pixeldq: NDArray[Any],
    part: SettlingRange,
    levels: NDArray[np.bool_],
    y0: int,
    first: int,
    last: int,
) -> tuple[int, int]:
    """Set DO_NOT_USE in the first groups of a tile, in place.

    Parameters
    ----------
    groupdq
        (nints, ngroups, rows, nx) uint8: all integrations of the file.
    pixeldq
        (ny, nx) uint32, the whole exposure's: FLUX_ESTIMATED where groups were kept.
    part
        One of `plan_rscd`; they are worked on in its order.
    levels
        `saturated_levels` of the whole exposure for this part.
    y0, first, last
        Row ``r`` of the tile is row ``y0 + r`` of the exposure; rows
        ``first <= r < last`` are flagged.

    Returns
    -------
    kept_groups : int
        Pixels that keep more groups than planned, in any of the integrations.
    kept_first : int
        Pixels that keep the first group too. The exposure's are the sums over its tiles.

    Notes
    -----
    Source: jwst/rscd/rscd_sub.py, ``flag_rscd`` and ``apply_rscd_flags``.
    """
    check_tile(groupdq, pixeldq, y0, first, last)
    _check_part(groupdq, part)
    lowest = part.skip + 2
    while lowest > 1 and levels[lowest - 1]:
        lowest -= 1
    counts = np.zeros(2, np.int64)
    _flag(groupdq, pixeldq, part.start, part.stop, part.skip, lowest, y0, first, last, counts)
    return int(counts[0]), int(counts[1])


def _check_part(groupdq: NDArray[Any], part: SettlingRange) -> None:
    nints, groups = groupdq.shape[:2]
    if part.stop > nints or part.skip + 2 > groups:
        raise ValueError(f"{part} is not for a ramp of {nints} integrations of {groups} groups")


@kernel(const(u1, 4), i8, i8, i8, i8, array(b1, 1))
def _find_levels(groupdq: Any, start: int, stop: int, first: int, last: int, found: Any) -> None:
    nx = groupdq.shape[3]
    for i in range(start, stop):
        for g in range(1, found.shape[0]):
            for r in range(first, last):
                flags = groupdq[i, g, r]
                opening = groupdq[i, 0, r]
                any_here = np.uint8(0)
                for x in range(nx):
                    any_here |= flags[x] & ~opening[x] & _SATURATED
                found[g] |= any_here != 0


@kernel(array(u1, 4), array(u4, 2), i8, i8, i8, i8, i8, i8, i8, array(i8, 1))
def _flag(
    groupdq: Any,
    pixeldq: Any,
    start: int,
    stop: int,
    skip: int,
    lowest: int,
    y0: int,
    first: int,
    last: int,
    counts: Any,
) -> None:
    nx = groupdq.shape[3]
    less = np.empty(nx, np.int32)
    backed_off = np.empty(nx, np.uint8)
    to_the_first = np.empty(nx, np.uint8)
    searched = lowest < skip + 2
    for r in range(first, last):
        backed_off[:] = 0
        to_the_first[:] = 0
        for i in range(start, stop):
            opening = groupdq[i, 0, r]
            less[:] = 0
            for g in range(lowest, skip + 2):
                flags = groupdq[i, g, r]
                for x in range(nx):
                    less[x] += np.int32((flags[x] & ~opening[x] & _SATURATED) != 0)
            for x in range(nx):
                backed_off[x] |= np.uint8(min(less[x], skip) > 0)
                to_the_first[x] |= np.uint8(less[x] >= skip)
            for g in range(min(max(skip, 0), groupdq.shape[1])):
                flags = groupdq[i, g, r]
                for x in range(nx):
                    flags[x] |= _DO_NOT_USE if g < skip - less[x] else np.uint8(0)
        if searched:
            pixel = pixeldq[y0 + r]
            for x in range(nx):
                pixel[x] |= _FLUX_ESTIMATED if backed_off[x] else np.uint32(0)
                counts[0] += backed_off[x]
                counts[1] += to_the_first[x]

"""The thermal picture frame of NIRSpec: a pattern scaled to each group, and subtracted.

How strong it is, the sky tells in the middle of the frame and along its edges.

Source: jwst/picture_frame/picture_frame.py and picture_frame_step.py.
"""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from .flicker_ranks import median_of_two
from .kernels import array, b1, const, f4, i8, kernel
from .ranked import Ranked

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

__all__ = ["Pattern", "measure", "refused", "regions", "subtract", "supported"]

_EDGE: Final = (4, 75, 1985, 2043)
"""Where edges begin and end, in rows and columns: the first and the last rows are no light."""

_CENTRE: Final = (76, 1984)


@dataclass(frozen=True)
class Pattern:
    """The pattern as each group has it.

    Parameters
    ----------
    shape
        (ny, nx) float32: the reference above its edges.
    scale, offset
        (nints, ngroups - 1) float32: what it is multiplied with, and what is added.
    """

    shape: NDArray[np.float32]
    scale: NDArray[np.float32]
    offset: NDArray[np.float32]


def refused(instrument: str, subarray: str, ngroups: int) -> str | None:
    """Say why there is no picture frame to correct.

    Parameters
    ----------
    instrument, subarray
        INSTRUME, SUBARRAY.
    ngroups
        Groups of an integration.

    Returns
    -------
    str or None
        The reason: the step then is skipped.
    """
    if instrument.upper() != "NIRSPEC" or subarray.upper() != "FULL":
        return "it is for full frames of NIRSpec"
    return "there is one group only" if ngroups == 1 else None


def supported(parameters: Mapping[str, Any]) -> str | None:
    """Say why the official step has to do it.

    Parameters
    ----------
    parameters
        Of the step.

    Returns
    -------
    str or None
        The reason; None if `measure` can.
    """
    for name in ("save_mask", "save_correction"):
        if parameters[name]:
            return f"{name} asks for a product of the official step"
    if parameters["mask_science_regions"]:
        return "mask_science_regions needs the slits' places on the sky"
    return None


def regions(sky: NDArray[np.bool_]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Find the sky in the middle of a frame, and along its edges.

    Parameters
    ----------
    sky
        (ny, nx): which pixels show nothing but sky.

    Returns
    -------
    centre, edge : ndarray
        (ny, nx) bool.
    """
    start, end = _CENTRE
    centre = np.zeros_like(sky)
    centre[start:end, start:end] = sky[start:end, start:end]
    outer_start, inner_start, inner_end, outer_end = _EDGE
    edge = np.zeros_like(sky)
    outer = slice(outer_start, outer_end)
    edge[outer, outer] = sky[outer, outer]
    edge[inner_start:inner_end, inner_start:inner_end] = False
    return centre, edge


@kernel(const(f4, 2), const(f4, 2), const(b1, 2), array(f4, 2), array(b1, 2))
def _difference(after: Any, before: Any, region: Any, image: Any, mask: Any) -> None:
    ny, nx = after.shape
    for y in range(ny):
        for x in range(nx):
            value = after[y, x] - before[y, x]
            image[y, x] = value
            number = value == value  # noqa: PLR0124 - not so for NaN, and vectorised
            mask[y, x] = region[y, x] & number


def _median(
    image: NDArray[np.float32], mask: NDArray[np.bool_], room: NDArray[np.float32]
) -> np.float32:
    if not mask.any():
        return np.float32(np.nan)
    ranked = Ranked(image, mask, room)
    return median_of_two(ranked, 0, len(ranked))


def measure(
    data: NDArray[np.float32],
    sky: NDArray[np.bool_],
    reference: NDArray[np.float32],
    threads: int = 1,
) -> Pattern | None:
    """Measure how strong the pattern is in each group.

    Parameters
    ----------
    data
        (nints, ngroups, ny, nx); not changed.
    sky
        (ny, nx): which pixels show nothing but sky.
    reference
        (ny, nx): the pattern.
    threads
        How many groups at once.

    Returns
    -------
    Pattern or None
        None where there is no sky to scale it by.
    """
    nints, ngroups, ny, nx = data.shape
    parts = regions(sky)
    if not all(part.any() for part in parts):
        return None
    rooms = threading.local()

    def room() -> tuple[NDArray[np.float32], NDArray[np.bool_], NDArray[np.float32]]:
        if not hasattr(rooms, "arrays"):
            shape = (ny, nx)
            rooms.arrays = (
                np.empty(shape, np.float32),
                np.empty(shape, np.bool_),
                np.empty(ny * nx, np.float32),
            )
        arrays: tuple[NDArray[np.float32], NDArray[np.bool_], NDArray[np.float32]] = rooms.arrays
        return arrays

    medians = np.empty((2, nints, ngroups - 1), np.float32)

    def work(i: int, j: int) -> None:
        image, mask, values = room()
        for which, part in enumerate(parts):
            _difference(data[i, j + 1], data[i, 0], part, image, mask)
            medians[which, i, j] = _median(image, mask, values)

    with ThreadPoolExecutor(threads, thread_name_prefix="upramp") as pool:
        for done in [pool.submit(work, *place) for place in np.ndindex(nints, ngroups - 1)]:
            done.result()
    number = ~np.isnan(reference)
    of_centre, of_edge = (_median(reference, part & number, room()[2]) for part in parts)
    with np.errstate(all="ignore"):
        return Pattern(
            reference - of_edge,
            (medians[0] - medians[1]) / (of_centre - of_edge),
            medians[1],
        )


@kernel(array(f4, 4), const(f4, 2), const(f4, 2), const(f4, 2), i8, i8, i8)
def _subtract(
    ramp: Any, shape: Any, scale: Any, offset: Any, y0: int, first: int, last: int
) -> None:
    nints, ngroups, _, nx = ramp.shape
    for i in range(nints):
        for j in range(1, ngroups):
            by, more = scale[i, j - 1], offset[i, j - 1]
            for r in range(first, last):
                zero, row, pattern = ramp[i, 0, r], ramp[i, j, r], shape[y0 + r]
                for x in range(nx):
                    row[x] = (row[x] - zero[x]) + (zero[x] - (by * pattern[x] + more))


def subtract(ramp: NDArray[np.float32], pattern: Pattern, y0: int, first: int, last: int) -> None:
    """Take the pattern out of a tile.

    Parameters
    ----------
    ramp
        (nints, ngroups, rows, nx), changed in place; first groups stay as they are.
    pattern
        What was measured.
    y0, first, last
        Row ``r`` of the tile is row ``y0 + r`` of the exposure; rows
        ``first <= r < last`` are changed.
    """
    _subtract(ramp, pattern.shape, pattern.scale, pattern.offset, y0, first, last)

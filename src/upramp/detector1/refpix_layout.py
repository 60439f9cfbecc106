"""Which reference pixels each readout of the near-infrared detectors has.

Source: jwst/refpix/reference_pixels.py (sections of the full frame, the
embedding of subarrays in it, ``do_subarray_corrections``, the multistripe methods).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from upramp.detector1.refpix_means import Sections
from upramp.detector1.refpix_sides import Strips
from upramp.dq import PIXEL

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from upramp.detector1.refpix_frame import DetectorFrame

__all__ = ["EDGELESS", "Layout", "four_outputs", "multistripe", "one_output"]

SIZE: Final = 2048
AMPLIFIERS: Final = 4
WIDTH: Final = SIZE // AMPLIFIERS
BORDER: Final = 4

EDGELESS: Final = frozenset({"SUB512", "SUB512S", "SUB32"})
"""Subarrays of NIRSpec away from the edges: their first and last four columns stand in."""


@dataclass(frozen=True)
class Layout:
    """What to read and how to group it.

    Attributes
    ----------
    needed
        Places in the exposure's flattened frame of the pixels to read.
    sections
        The sections to average, as places among `needed`.
    which
        For each place along the fast direction, in the order of the exposure:
        the column of the offset table that holds for it.
    strips
        Side pixels; None where lines are not corrected.
    """

    needed: NDArray[np.int64]
    sections: Sections
    which: NDArray[np.int64]
    strips: Strips | None


def four_outputs(
    pixeldq: NDArray[np.uint32], frame: DetectorFrame, *, odd_even: bool, sides: bool
) -> Layout:
    """Layout of a full frame, or of a subarray read through all four amplifiers.

    Parameters
    ----------
    pixeldq
        Shape (ny, nx): DQ on entry to the correction.
    frame
        The exposure on its detector.
    odd_even
        Whether columns of the detector are averaged by parity.
    sides
        Whether lines are corrected.
    """
    fast, slow = np.sort(frame.fast()), np.sort(frame.slow())
    lines_bottom, lines_top = slow[slow < BORDER], slow[slow >= SIZE - BORDER]
    parts: list[NDArray[np.int64]] = []
    usable: list[NDArray[np.bool_]] = []
    good = (pixeldq.reshape(-1) & PIXEL["DO_NOT_USE"]) == 0
    taken = 0

    def take(lines: NDArray[np.int64], columns: NDArray[np.int64]) -> NDArray[np.int64]:
        """Add a block of pixels; give its places among those needed."""
        nonlocal taken
        block = frame.flat(lines[:, None], columns[None, :])
        parts.append(block.ravel())
        usable.append(good[block].ravel())
        taken += block.size
        return np.arange(taken - block.size, taken).reshape(block.shape)

    places = [take(lines, fast) for lines in (lines_top, lines_bottom)]
    parities = 2 if odd_even else 1
    lists = []
    fine = np.concatenate(usable)
    for amplifier in range(AMPLIFIERS):
        for parity in range(parities):
            mine = (fast // WIDTH == amplifier) & (fast % parities == parity)
            for block in places:
                chosen = block[:, mine].ravel()
                lists.append(chosen[fine[chosen]])
    sections = Sections.of(lists, (AMPLIFIERS, parities, 2))
    which = _table_column(frame.fast(), parities)

    strips = None
    if sides and (taken or fast[0] < BORDER or fast[-1] >= SIZE - BORDER):
        columns = np.array([np.arange(BORDER), np.arange(SIZE - BORDER, SIZE)])
        at = np.zeros((2, len(slow), BORDER), np.int64)
        held = np.zeros(at.shape, np.uint8)
        for side in range(2):
            inside = np.isin(columns[side], fast)
            at[side][:, inside] = take(slow, columns[side][inside])
            held[side][:, inside] = usable[-1].reshape(len(slow), -1)
        strips = Strips(at, held, _table_column(columns, parities), int(slow[0]), SIZE)
    return Layout(np.concatenate(parts), sections, which, strips)


def one_output(
    pixeldq: NDArray[np.uint32], frame: DetectorFrame, *, odd_even: bool, name: str | None
) -> Layout:
    """Layout of a subarray read through one amplifier.

    Parameters
    ----------
    pixeldq
        Shape (ny, nx): DQ on entry to the correction.
    frame
        The exposure on its detector.
    odd_even
        Whether columns of the detector are averaged by parity.
    name
        Name of the subarray.
    """
    flagged = _usable_references(pixeldq)
    if name in EDGELESS:
        good = (pixeldq & PIXEL["DO_NOT_USE"]) == 0
        # Slices as the official ones: of a narrower subarray they overlap.
        flagged[:, :BORDER] = good[:, :BORDER]
        flagged[:, -BORDER:] = good[:, -BORDER:]
    line, column = np.nonzero(frame.turned(flagged))
    # In the order of the readout; parity is that of the detector's column.
    fast, slow = np.sort(frame.fast()), np.sort(frame.slow())
    needed = frame.flat(slow[line], fast[column])
    parities = 2 if odd_even else 1
    lists = [np.flatnonzero(fast[column] % parities == parity) for parity in range(parities)]
    sections = Sections.of(lists, (1, parities, 1))
    return Layout(needed, sections, frame.fast() % parities, None)


def multistripe(
    pixeldq: NDArray[np.uint32], frame: DetectorFrame, fast_start: int, *, odd_even: bool
) -> Layout:
    """Layout of a multistripe exposure: stripes of lines one above the other.

    Parameters
    ----------
    pixeldq
        Shape (ny, nx): DQ on entry; of superstripes the first plane, which the
        official correction takes for all integrations.
    frame
        The exposure, taken by itself (not on its detector).
    fast_start
        Where it begins along the fast direction, from 0 (XSTART - 1 or
        YSTART - 1): amplifiers are counted from there, whatever the direction,
        parities from the exposure's edge.
    odd_even
        Whether columns of the detector are averaged by parity.
    """
    line, column = np.nonzero(frame.turned(_usable_references(pixeldq)))
    fast, slow = np.sort(frame.fast()), np.sort(frame.slow())
    needed = frame.flat(slow[line], fast[column])
    count = len(fast)
    parities = 2 if odd_even else 1
    amplifier = (fast_start + np.arange(count)) // WIDTH
    lists = []
    for n in range(AMPLIFIERS):
        for parity in range(parities):
            mine = (amplifier == n) & (np.arange(count) % parities == parity)
            lists.append(np.flatnonzero(mine[column]))
    sections = Sections.of(lists, (AMPLIFIERS, parities, 1))
    which = amplifier * parities + np.arange(count) % parities
    which[amplifier >= AMPLIFIERS] = AMPLIFIERS * parities
    return Layout(needed, sections, which if frame.fastaxis > 0 else which[::-1].copy(), None)


def _table_column(fast: NDArray[np.int64], parities: int) -> NDArray[np.int64]:
    return fast // WIDTH * parities + fast % parities


def _usable_references(pixeldq: NDArray[Any]) -> NDArray[np.bool_]:
    both = PIXEL["REFERENCE_PIXEL"] | PIXEL["DO_NOT_USE"]
    return np.asarray((pixeldq & np.uint32(both)) == PIXEL["REFERENCE_PIXEL"])

"""Reference-pixel correction of the mid-infrared detectors.

Full frames only: the official step skips subarrays. The four amplifiers read
every fourth column; each has a reference column at the left and one at the
right end. What is averaged is the difference to the first group of the
integration, which is taken off all groups, and added again, in float32.

Source: jwst/refpix/reference_pixels.py (``MIRIDataset``).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from upramp.detector1.kernels import array, const, f4, f8, i8, kernel
from upramp.detector1.refpix_means import Sections, offset_table
from upramp.dq import PIXEL

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "MiriPlan",
    "MiriSignal",
    "is_miri_subarray",
    "measure_miri",
    "plan_miri",
    "subtract_miri",
]

ROWS: Final = 1024
COLUMNS: Final = 1032
AMPLIFIERS: Final = 4


@dataclass(frozen=True)
class MiriPlan:
    """What `measure_miri` needs to know; made once for an exposure.

    Attributes
    ----------
    needed
        Places in the flattened frame of the pixels that must be read.
    sections
        Sections to average.
    siglimit
        Standard deviations beyond which reference pixels are dropped.
    bad
        Whether a section has no usable pixel: nothing is corrected then.
    """

    needed: NDArray[np.int64]
    sections: Sections
    siglimit: float
    bad: bool


@dataclass(frozen=True)
class MiriSignal:
    """What is to be subtracted from the groups of some integrations.

    Attributes
    ----------
    table
        Shape (integrations, groups, 4 * parities + 1), DN, float64: offsets of
        amplifier (column modulo 4) and parity (row modulo parities). The first
        group's are not used.
    parities
        2 where odd and even rows differ, else 1.
    """

    table: NDArray[np.float64]
    parities: int

    def part(self, integrations: slice) -> MiriSignal:
        """Signal of some of the integrations.

        Parameters
        ----------
        integrations
            Which, without a step.
        """
        return replace(self, table=self.table[integrations])


def is_miri_subarray(shape: tuple[int, int]) -> bool:
    """Whether frames are a subarray, of which the official step is skipped.

    Parameters
    ----------
    shape
        (ny, nx) of the frames.
    """
    return shape[0] < ROWS or shape[1] < COLUMNS


def plan_miri(
    pixeldq: NDArray[np.uint32], *, odd_even_rows: bool = True, siglimit: float = 3.0
) -> MiriPlan:
    """Choose the reference pixels of an exposure.

    Parameters
    ----------
    pixeldq
        Shape (1024, 1032): DQ as it is when the step begins.
    odd_even_rows, siglimit
        The step's parameters of these names.

    Raises
    ------
    ValueError
        The frame is not a full one.
    """
    if pixeldq.shape != (ROWS, COLUMNS):
        raise ValueError(f"not a full frame: {pixeldq.shape}")
    columns = np.r_[:AMPLIFIERS, COLUMNS - AMPLIFIERS : COLUMNS]
    needed = np.arange(ROWS)[:, None] * COLUMNS + columns
    good = (pixeldq[:, columns] & PIXEL["DO_NOT_USE"]) == 0
    places = np.arange(needed.size).reshape(needed.shape)
    parities = 2 if odd_even_rows else 1
    lists = [
        places[parity::parities, column][good[parity::parities, column]]
        for amplifier in range(AMPLIFIERS)
        for parity in range(parities)
        for column in (amplifier, amplifier + AMPLIFIERS)
    ]
    sections = Sections.of(lists, (AMPLIFIERS, parities, 2))
    return MiriPlan(needed.ravel(), sections, siglimit, not bool(sections.filled.all()))


def measure_miri(plan: MiriPlan, values: NDArray[np.float32]) -> MiriSignal:
    """Make of the reference pixels what is to be subtracted.

    Parameters
    ----------
    plan
        Of the exposure.
    values
        Shape (integrations, groups, needed pixels), DN, float32: the data as
        they are when the step begins, at ``plan.needed``.
    """
    parities = plan.sections.shape[1]
    if plan.bad:
        return MiriSignal(np.zeros((*values.shape[:2], AMPLIFIERS * parities + 1)), parities)
    with np.errstate(invalid="ignore", over="ignore"):
        rise = np.ascontiguousarray(values - values[:, :1], np.float32)
    narrow = np.ones(values.shape[:2], np.uint8)
    return MiriSignal(offset_table(rise, plan.sections, narrow, plan.siglimit), parities)


@kernel(array(f4, 4), const(f8, 3), i8, i8, i8, i8)
def _subtract(ramp: Any, table: Any, parities: Any, y0: Any, first: Any, last: Any) -> None:
    nints, ngroups, _, nx = ramp.shape
    offset = np.empty((2, nx))
    for i in range(nints):
        for g in range(1, ngroups):
            for parity in range(parities):
                for x in range(nx):
                    offset[parity, x] = table[i, g, (x % 4) * parities + parity]
            for r in range(first, last):
                start, row = ramp[i, 0, r], ramp[i, g, r]
                shift = offset[(y0 + r) % parities]
                for x in range(nx):
                    rise = np.float32(np.float64(row[x] - start[x]) - shift[x])
                    row[x] = rise + start[x]
        for r in range(first, last):
            start = ramp[i, 0, r]
            for x in range(nx):
                # Changes infinities, to NaN, and negative zeros.
                start[x] = (start[x] - start[x]) + start[x]


def subtract_miri(
    ramp: NDArray[np.float32], signal: MiriSignal, y0: int, first: int, last: int
) -> None:
    """Subtract the reference signal from a tile, in place.

    Groups are changed (rounded) even where nothing is to be subtracted.

    Parameters
    ----------
    ramp
        Shape (integrations, groups, rows, 1032), DN, float32, C-contiguous;
        row r is row ``y0 + r`` of the exposure.
    signal
        Of the same integrations and groups.
    y0
        Row of the exposure that the tile's first row is.
    first, last
        Rows of the tile to change, the last excluded.
    """
    if ramp.shape[:2] != signal.table.shape[:2]:
        raise ValueError(f"signal of {signal.table.shape[:2]} groups for {ramp.shape[:2]}")
    _subtract(ramp, signal.table, signal.parities, y0, first, last)

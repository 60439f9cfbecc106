"""What the ramp fit by least squares says of each segment of a ramp: its optional results.

Two passes over the ramps of a tile: one counts how many segments and jumps a
ramp has at most, one fills arrays of just that size. The tiles' arrays are put
together when all are there, as large as the largest of them asks for.

Source: `stcal/ramp_fitting/src/slope_fitter.c` (``save_opt``), whose habits
decide what is where: segments without a fit are zero, a ramp whose segments
are all of one group counts as having all of them though one alone is fitted,
and the jumps are those of the flags, segments or not.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np

from .ols_optional_kernels import count, fill

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["PLANES", "OptionalFit", "OptionalResults", "pedestal_weight"]

PLANES: Final = (
    "slope", "sigslope", "var_poisson", "var_rnoise", "yint", "sigyint", "weights",
)  # fmt: skip
"""What is known of each segment, in the order of the arrays here."""


def pedestal_weight(nframes: int, groupgap: int, drop_frames1: int | None) -> float:
    """Give what a slope is multiplied by to lead from the first group back to the reset.

    Parameters
    ----------
    nframes, groupgap, drop_frames1
        NFRAMES, GROUPGAP and DRPFRMS1, none of which is dropped if it is None.

    Returns
    -------
    float
        In groups, though the official package multiplies it by a slope in a second.
    """
    with np.errstate(all="ignore"):
        before = np.float64((nframes + 1) / 2.0 + (drop_frames1 or 0))
        return float(before / np.float64(nframes + groupgap))


@dataclass
class OptionalResults:
    """What is known of the segments of an exposure.

    Parameters
    ----------
    planes
        (7, nints, segments, ny, nx) float32, in the order of `PLANES`: slope in DN/s,
        its error in DN a group, its variances, the value at group 0 and its error in DN, and
        the inverse of the read-noise variance; 0 where a ramp has fewer segments.
    pedestal
        (nints, ny, nx) float32: the signal at the reset, DN.
    crmag
        (nints, jumps, ny, nx) float32: how much ramps rise at their jumps, DN.
    """

    planes: NDArray[np.float32]
    pedestal: NDArray[np.float32]
    crmag: NDArray[np.float32]

    def named(self) -> dict[str, NDArray[np.float32]]:
        """Give the arrays by their names in the official product."""
        named = dict(zip(PLANES, self.planes, strict=True))
        return {**named, "pedestal": self.pedestal, "crmag": self.crmag}


@dataclass
class OptionalFit:
    """Collects the optional results of tiles, in any order and from many threads.

    Parameters
    ----------
    shape
        (nints, ny, nx) of the exposure.
    weight
        What `pedestal_weight` gives.
    """

    shape: tuple[int, int, int]
    weight: float
    _parts: dict[int, OptionalResults] = field(default_factory=dict)

    def add(
        self,
        ramp: NDArray[np.float32],
        groupdq: NDArray[np.uint8],
        pixeldq: NDArray[np.uint32],
        gain: NDArray[np.float32],
        noise: NDArray[np.float32],
        *,
        table: NDArray[np.float32],
        group_time: float,
        frame_time: float,
        nframes: int,
        suppress_one_group: bool = True,
        forget_first_jump: bool = False,
        dark_current: NDArray[np.float32] | None = None,
        zeroframe: NDArray[np.float32] | None = None,
        y0: int = 0,
        first: int = 0,
        last: int | None = None,
    ) -> None:
        """Add what a tile gives; its arguments are those of `upramp.detector1.ols.fit_ols`.

        Parameters
        ----------
        ramp, groupdq, pixeldq, gain, noise, table, group_time, frame_time, nframes
            The exposure; nothing is changed.
        suppress_one_group, forget_first_jump, dark_current, zeroframe
            As for the fit itself.
        y0, first, last
            Where the tile is in the frame, and which of its rows are wanted.
        """
        nints, ngroups, rows, nx = ramp.shape
        last = rows if last is None else last
        if not 0 <= first <= last <= rows or y0 + last > self.shape[1]:
            raise ValueError(f"rows {first} to {last} of a tile of {rows} at {y0}")
        suppress = suppress_one_group and ngroups > 1
        # The official package takes times in single precision and computes in double.
        single = np.float32(frame_time)
        one_group = (float(np.float32(nframes)) + 1.0) * float(single) / 2.0
        times = np.array([float(np.float32(group_time)), float(single), one_group, self.weight])
        zero = np.zeros((0, 0, 0), np.float32) if zeroframe is None else zeroframe
        most = np.zeros(2, np.int64)
        place = (suppress, forget_first_jump, y0, first, last)
        count(ramp, groupdq, zero, times, *place, most)
        segments, jumps = (int(n) for n in most)
        part = OptionalResults(
            np.zeros((len(PLANES), nints, segments, last - first, nx), np.float32),
            np.zeros((nints, last - first, nx), np.float32),
            np.zeros((nints, jumps, last - first, nx), np.float32),
        )
        dark = np.zeros((0, 0), np.float32) if dark_current is None else dark_current
        fill(
            ramp,
            groupdq,
            pixeldq,
            gain,
            noise,
            dark,
            zero,
            table,
            times,
            *place,
            part.planes,
            part.pedestal,
            part.crmag,
        )
        self._parts[y0 + first] = part

    def results(self) -> OptionalResults:
        """Put together what all tiles gave; the tiles' own arrays are given up.

        Returns
        -------
        OptionalResults
            Of the whole exposure.
        """
        nints, ny, nx = self.shape
        parts = self._parts
        segments = max((part.planes.shape[2] for part in parts.values()), default=0)
        jumps = max((part.crmag.shape[1] for part in parts.values()), default=0)
        whole = OptionalResults(
            np.zeros((len(PLANES), nints, segments, ny, nx), np.float32),
            np.zeros((nints, ny, nx), np.float32),
            np.zeros((nints, jumps, ny, nx), np.float32),
        )
        for row in sorted(parts):
            part = parts.pop(row)
            rows = slice(row, row + part.pedestal.shape[1])
            whole.planes[:, :, : part.planes.shape[2], rows] = part.planes
            whole.pedestal[:, rows] = part.pedestal
            whole.crmag[:, : part.crmag.shape[1], rows] = part.crmag
        return whole

"""An exposure on its way through stage 1.

Corrections that look at a pixel and its near neighbours wait in a chain, and
are done together, tile by tile, when something needs the whole frame. Of the
ramp nothing is kept meanwhile but what the file holds.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from upramp import spill

from .tiles import Frame, Tile, array_source, in_rows, run_tiles, tile_rows
from .two_point import mark_usable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from .inputs import Readout, References
    from .tiles import FlagSource, RampSource, TileStep

__all__ = ["State", "TileCall", "one_tile"]


@dataclass(frozen=True)
class TileCall:
    """A correction that works on tiles, as a plain function.

    Parameters
    ----------
    function
        What to call with each tile.
    reach
        How many rows beyond its own it looks at.
    """

    function: Callable[[Tile], None]
    reach: int = 0

    def __call__(self, tile: Tile) -> None:
        """Correct a tile in place."""
        self.function(tile)


@dataclass
class State:
    """An exposure on its way.

    Parameters
    ----------
    readout
        How it was taken.
    references
        Its references.
    parameters
        Parameters of each step, by the official names.
    frame
        Its shape now.
    ramp
        Where its ramps come from.
    flags
        Where its group flags come from; None where none is set yet.
    pixeldq
        (ny, nx) uint32.
    zeroframe
        (nints, ny, nx) float32, if it has one that is needed.
    threads
        How many tiles are done at once.
    done
        Told of each share of a pass that is done.

    Attributes
    ----------
    status
        COMPLETE, SKIPPED or FAILED of each step, as the official pipeline has it.
    chain
        Corrections that wait to be done.
    recorded
        Values for the products' headers, by their place under ``meta``.
    asked
        Steps that asked for their references, of those that do not always.
    groupdq, data
        The whole exposure's, once they are in memory.
    """

    readout: Readout
    references: References
    parameters: Mapping[str, Mapping[str, Any]]
    frame: Frame
    ramp: RampSource
    flags: FlagSource | None
    pixeldq: NDArray[np.uint32]
    zeroframe: NDArray[np.float32] | None = None
    threads: int = 1
    done: Callable[[float], None] | None = None
    status: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    recorded: dict[str, Any] = field(default_factory=dict)
    asked: set[str] = field(default_factory=set)
    chain: list[TileStep] = field(default_factory=list)
    groupdq: NDArray[np.uint8] | None = None
    data: NDArray[np.float32] | None = None

    @property
    def corrected_zeroframe(self) -> NDArray[np.float32] | None:
        """The zero frame, if corrections are to be done to it too."""
        return self.zeroframe if self.readout.zero_frame else None

    def through(self, function: Callable[[Tile], None], reach: int = 0) -> None:
        """Let a correction wait for the next pass.

        Parameters
        ----------
        function
            What to call with each tile.
        reach
            How many rows beyond its own it looks at.
        """
        self.chain.append(TileCall(function, reach))

    def flag_pixels(self, dq: NDArray[np.uint32] | None) -> None:
        """Give pixels the flags of a reference.

        Parameters
        ----------
        dq
            (ny, nx) uint32, or None.
        """
        if dq is not None:
            np.bitwise_or(self.pixeldq, dq, out=self.pixeldq)

    def note(self, text: str) -> None:
        """Keep a line for the log.

        Parameters
        ----------
        text
            What happened, as a sentence.
        """
        self.notes.append(text)

    def complete(self, step: str) -> None:
        """Note that a step is done, or will be with the chain."""
        self.status[step] = "COMPLETE"

    def skip(self, step: str, reason: str | None = None) -> None:
        """Note that a step does nothing, and why if nobody asked for that."""
        self.status[step] = "SKIPPED"
        if reason:
            self.note(f"{step} is skipped: {reason}")

    # ---- passes -----------------------------------------------------------

    def run(
        self, *last: TileStep, keep: bool = False
    ) -> tuple[NDArray[np.float32], NDArray[np.uint8]] | None:
        """Do what waits, and something more, in one pass; nothing of the exposure changes.

        Parameters
        ----------
        last
            What comes after the chain, which stays as it is; it may change flags alone.
        keep
            Whether to give the ramp and the group flags as they are at the end.

        Returns
        -------
        tuple of ndarray, or None
            (nints, ngroups, ny, nx) float32, and uint8, if they were to be kept.
        """
        frame = self.frame
        steps = [*self.chain, *last]
        if not keep:
            run_tiles(frame, self.ramp, self.flags, steps, threads=self.threads, done=self.done)
            return None
        # What comes last changes flags alone: a ramp that is in memory need not be copied.
        held = None if self.chain else self.data
        data = spill.empty(frame.shape, np.float32) if held is None else held
        groupdq = spill.empty(frame.shape, np.uint8)

        def store(tile: Tile) -> None:
            rows = slice(tile.y0 + tile.first, tile.y0 + tile.last)
            if held is None:
                data[:, :, rows] = tile.ramp[:, :, tile.first : tile.last]
            groupdq[:, :, rows] = tile.groupdq[:, :, tile.first : tile.last]

        steps.append(TileCall(store))
        run_tiles(frame, self.ramp, self.flags, steps, threads=self.threads, done=self.done)
        return data, groupdq

    def settle(self) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
        """Have the whole exposure in memory, with all that waits done.

        Returns
        -------
        data : ndarray
            (nints, ngroups, ny, nx) float32.
        groupdq : ndarray
            The same shape, uint8.
        """
        data, groupdq = self.data, self.groupdq
        if data is not None and groupdq is not None and not any(s.reach for s in self.chain):
            self._in_place(data, groupdq)
            return data, groupdq
        kept = self.run(keep=True)
        if kept is None:  # pragma: no cover - they were to be kept
            raise AssertionError
        self.replace(*kept)
        return kept

    def _in_place(self, data: NDArray[np.float32], groupdq: NDArray[np.uint8]) -> None:
        steps = self.chain

        def work(first: int, last: int) -> None:
            tile = Tile(data, groupdq, 0, first, last)
            for step in steps:
                step(tile)

        if steps:
            in_rows(self.frame.ny, self.threads, work)
        self.chain = []

    def replace(
        self,
        data: NDArray[np.float32],
        groupdq: NDArray[np.uint8],
        pixeldq: NDArray[np.uint32] | None = None,
    ) -> None:
        """Go on with other arrays.

        Parameters
        ----------
        data, groupdq
            (nints, ngroups, ny, nx).
        pixeldq
            (ny, nx); None leaves it.
        """
        self.chain = []
        self.frame = Frame(*data.shape)
        self.data, self.ramp = data, array_source(data)
        self.groupdq, self.flags = groupdq, array_source(groupdq)
        if pixeldq is not None:
            self.pixeldq = pixeldq

    def collect(self, places: NDArray[np.int64]) -> NDArray[np.float32]:
        """Give the values of some pixels, with all that waits done to them.

        Parameters
        ----------
        places
            Where they are in the flattened frame.

        Returns
        -------
        ndarray
            (nints, ngroups, len(places)) float32.
        """
        frame = self.frame
        rows, columns = np.divmod(places, frame.nx)
        order = np.argsort(rows, kind="stable")
        sorted_rows = rows[order]
        found = np.empty((frame.nints, frame.ngroups, len(places)), np.float32)

        def take(tile: Tile) -> None:
            low, high = np.searchsorted(sorted_rows, (tile.y0 + tile.first, tile.y0 + tile.last))
            which = order[low:high]
            found[:, :, which] = tile.ramp[:, :, rows[which] - tile.y0, columns[which]]

        steps = [*self.chain, TileCall(take)]
        run_tiles(frame, self.ramp, self.flags, steps, threads=self.threads)
        return found

    def usable_groups(self) -> NDArray[np.bool_]:
        """Guess which groups some pixel can use, from a few rows in the middle.

        Returns
        -------
        ndarray
            (nints, ngroups) bool.
        """
        frame = self.frame
        usable = np.zeros((frame.nints, frame.ngroups), np.bool_)
        if self.groupdq is not None and not self.chain:
            mark_usable(self.groupdq, usable, 0, frame.ny)
            return usable
        rows = min(tile_rows(frame, 1, 0), 8, frame.ny)
        start = (frame.ny - rows) // 2

        def take(tile: Tile) -> None:
            mark_usable(tile.groupdq, usable, tile.first, tile.last)

        steps = [*self.chain, TileCall(take)]
        one_tile(frame, self.ramp, self.flags, (start, start + rows), steps)
        return usable


def one_tile(
    frame: Frame,
    ramp: RampSource,
    flags: FlagSource | None,
    span: tuple[int, int],
    steps: Sequence[TileStep],
) -> None:
    """Put some rows through corrections, as a frame of their own with borrowed neighbours.

    Parameters
    ----------
    frame
        The exposure's shape.
    ramp, flags
        Where its ramps and flags come from.
    span
        The first row and the one after the last.
    steps
        Corrections, in order.
    """
    reach = sum(step.reach for step in steps)
    low, high = max(span[0] - reach, 0), min(span[1] + reach, frame.ny)
    shape = (frame.nints, frame.ngroups, high - low, frame.nx)
    tile = Tile(np.empty(shape, np.float32), np.zeros(shape, np.uint8), low)
    ramp(tile.ramp, low, high)
    if flags is not None:
        flags(tile.groupdq, low, high)
    ahead = reach
    for step in steps:
        ahead -= step.reach
        tile.first = max(span[0] - ahead, 0) - low
        tile.last = min(span[1] + ahead, frame.ny) - low
        step(tile)

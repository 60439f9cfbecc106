"""One pixel's ramp after each correction, for whoever asks what a step did to it.

Corrections wait in a chain until something needs the whole frame. The chain is
remembered as it grew, and the rows of a pixel are put through it again: a few
milliseconds for a click, and no memory meanwhile.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .state import TileCall, one_tile

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

    from .state import State
    from .tiles import FlagSource, Frame, RampSource, Tile, TileStep

__all__ = ["Correction", "Trace"]


@dataclass(frozen=True)
class Correction:
    """A pixel as a correction left it.

    Parameters
    ----------
    step
        The step's name; ``raw`` for what was read.
    data
        (nints, ngroups) float32, DN.
    groupdq
        (nints, ngroups) uint8.
    """

    step: str
    data: NDArray[np.float32]
    groupdq: NDArray[np.uint8]


@dataclass
class Trace:
    """The corrections of an exposure, in order, as they can be done again to some rows.

    Steps that had the whole exposure in memory are not among them, nor those
    that came after: what they were given is gone.
    """

    _frame: Frame | None = None
    _ramp: RampSource | None = None
    _flags: FlagSource | None = None
    _chain: list[TileStep] = field(default_factory=list)
    _marks: list[tuple[str, int]] = field(default_factory=list)
    _missed: list[str] = field(default_factory=list)

    @property
    def missed(self) -> tuple[str, ...]:
        """Steps that were done and cannot be told apart."""
        return tuple(self._missed)

    def watch(self, state: State, tell: Callable[[str], None]) -> Callable[[str], None]:
        """Give what is to be told of each step instead, and at the end of ``""``.

        Parameters
        ----------
        state
            The exposure, before any correction.
        tell
            What else is told.
        """
        self._frame, self._ramp, self._flags = state.frame, state.ramp, state.flags
        at_work = ""

        def told(name: str) -> None:
            nonlocal at_work
            if at_work:
                self._note(at_work, state)
            at_work = name
            if name:
                tell(name)

        return told

    def _note(self, step: str, state: State) -> None:
        if state.ramp is not self._ramp:
            if state.status.get(step) != "SKIPPED":
                self._missed.append(step)
        elif len(state.chain) > len(self._chain):
            self._chain = list(state.chain)
            self._marks.append((step, len(self._chain)))

    def of(self, x: int, y: int) -> list[Correction]:
        """Give a pixel's ramp as it was read, and after each correction that changes ramps.

        Parameters
        ----------
        x, y
            Column and row, from 0.

        Raises
        ------
        InputError
            If the exposure's file is not open any more.
        """
        if self._frame is None or self._ramp is None:
            return []
        found: list[Correction] = []

        def seen(step: str) -> TileStep:
            def take(tile: Tile) -> None:
                row = y - tile.y0
                ramp, flags = tile.ramp[:, :, row, x].copy(), tile.groupdq[:, :, row, x].copy()
                found.append(Correction(step, ramp, flags))

            return TileCall(take)

        steps: list[TileStep] = [seen("raw")]
        done = 0
        for step, length in self._marks:
            steps += [*self._chain[done:length], seen(step)]
            done = length
        one_tile(self._frame, self._ramp, self._flags, (y, y + 1), steps)
        return found

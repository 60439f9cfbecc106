"""Automatic flags of groups, and what was done by hand on top of them, with undo and redo."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from upramp.dq import GROUP
from upramp.errors import UsageError

from .mask_history import Change, History, Step
from .mask_paint import Paint, combined
from .mask_record import Tally, as_json, checked_flags

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from numpy.typing import NDArray

    from .mask_paint import Plane
    from .mask_pixels import Pixels

__all__ = ["REMOVABLE", "MaskLayers"]

REMOVABLE: Final = GROUP["JUMP_DET"]
"""Automatic flags that a mask can take back when an exposure is calibrated."""


class MaskLayers:
    """Automatic flags of groups, and edits by hand on top of them.

    Integrations and groups count from 0.

    Parameters
    ----------
    automatic
        (nints, ngroups, ny, nx) uint8: flags of groups as they were found. It
        is neither copied nor changed; tell `set_automatic` if you change it.
    provenance
        How it was found, such as ``{"jump.rejection_threshold": 4.0}``; goes
        into files and records.
    depth
        How many edits can be undone.
    history_bytes
        How much memory they may take.

    Raises
    ------
    UsageError
        If these are no flags of groups, or the provenance is no JSON.
    """

    def __init__(
        self,
        automatic: NDArray[np.uint8],
        *,
        provenance: Mapping[str, Any] | None = None,
        depth: int = 100,
        history_bytes: int = 64 << 20,
    ) -> None:
        self._automatic = checked_flags(automatic)
        self._provenance = as_json(provenance or {})
        self._paint = Paint(self._automatic[0, 0].size)
        self._history = History(depth, history_bytes)
        self._open: Step | None = None
        self._tally = Tally(self._automatic)

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Integrations, groups, rows, columns."""
        nints, ngroups, ny, nx = self._automatic.shape
        return nints, ngroups, ny, nx

    @property
    def image_shape(self) -> tuple[int, int]:
        """Rows, columns."""
        return self.shape[2:]

    @property
    def automatic(self) -> NDArray[np.uint8]:
        """The automatic flags, read-only."""
        return self._automatic

    @property
    def provenance(self) -> dict[str, Any]:
        """How the automatic flags were found."""
        return dict(self._provenance)

    @property
    def paint(self) -> Paint:
        """What was set and cleared by hand."""
        return self._paint

    @property
    def nbytes(self) -> int:
        """Memory that edits and their history take."""
        return self._paint.nbytes + self._history.nbytes

    def set_automatic(
        self, groupdq: NDArray[np.uint8], provenance: Mapping[str, Any] | None = None
    ) -> None:
        """Replace the automatic flags, as when a threshold moved; edits stay on top.

        Parameters
        ----------
        groupdq
            As for the class, and of the same shape.
        provenance
            How they were found; None keeps what was said before.

        Raises
        ------
        UsageError
            If these are no flags, or have another shape.
        """
        self._automatic = checked_flags(groupdq, self.shape)
        self._tally = Tally(self._automatic)
        if provenance is not None:
            self._provenance = as_json(provenance)

    # ---- changes ----------------------------------------------------------

    def clear(self) -> Change:
        """Take back everything that was done by hand, in one step.

        Returns
        -------
        Change
            What changed.
        """
        with self.step("clear") as step:
            for plane in self._paint.planes():
                positions, codes = self._paint.painted(plane)
                self.put(plane, positions, np.zeros_like(codes))
        return step.summary(self.shape[3])

    def put(self, plane: Plane, positions: NDArray[np.int64], codes: NDArray[np.uint16]) -> None:
        """Replace what was done by hand to some pixels, in the step that is open.

        Parameters
        ----------
        plane
            Integration and group.
        positions
            Row times columns plus column of each, in order, none twice.
        codes
            What is to be set and cleared there, as `mask_paint` has it.
        """
        with self.step("import") as step:
            step.add(plane, self._paint.write(plane, positions, codes))

    def _draw(
        self, pixels: Pixels, planes: list[Plane], bit: int, spared: int, *, erase: bool
    ) -> None:
        with self.step("draw") as step:
            # Planes within blocks: what changes alike in all groups is then noted once.
            for positions in pixels.blocks():
                for plane in planes:
                    here = positions
                    codes = self._paint.read(plane, here)
                    automatic = self._flat(plane)[here]
                    if spared:
                        free = np.flatnonzero(~combined(automatic, codes) & spared == spared)
                        step.left_alone += here.size - free.size
                        here, codes, automatic = here[free], codes[free], automatic[free]
                    if erase:
                        kept = bit & ~REMOVABLE
                        step.left_alone += int(np.count_nonzero(automatic & kept))
                        codes &= np.uint16(0xFFFF - bit)
                        codes |= np.uint16((bit & REMOVABLE) << 8)
                    else:
                        codes |= np.uint16(bit)
                        codes &= np.uint16(0xFFFF - (bit << 8))
                    step.add(plane, self._paint.write(plane, here, codes))

    def _flat(self, plane: Plane) -> NDArray[np.uint8]:
        return np.ascontiguousarray(self._automatic[plane]).reshape(-1)

    # ---- undo -------------------------------------------------------------

    @contextmanager
    def step(self, label: str) -> Iterator[Step]:
        """Make all edits of a block one step; if the block fails, none of them happens.

        Parameters
        ----------
        label
            What the step is called.

        Yields
        ------
        Step
            What the block changed so far.
        """
        around, step = self._open, Step(label)
        self._open = step
        try:
            yield step
        except BaseException:
            for plane, delta in step.deltas:
                self._paint.apply(plane, delta)
            raise
        finally:
            self._open = around
        if around is not None:
            around.deltas += step.deltas
            around.left_alone += step.left_alone
        elif step.deltas:
            self._history.push(step)

    @property
    def undoable(self) -> str | None:
        """What `undo` would take back; None if there is nothing."""
        return self._history.done[-1].label if self._history.done else None

    @property
    def redoable(self) -> str | None:
        """What `redo` would do again; None if there is nothing."""
        return self._history.undone[-1].label if self._history.undone else None

    def undo(self) -> Change | None:
        """Take the last step back.

        Returns
        -------
        Change or None
            What changed; None if there was nothing to take back.

        Raises
        ------
        UsageError
            If a step is not finished.
        """
        return self._move("undo", self._history.back)

    def redo(self) -> Change | None:
        """Do the step again that was taken back last.

        Returns
        -------
        Change or None
            What changed; None if there was nothing to do again.

        Raises
        ------
        UsageError
            If a step is not finished.
        """
        return self._move("redo", self._history.forth)

    def _move(self, name: str, turn: Callable[[], Step | None]) -> Change | None:
        if self._open is not None:
            raise UsageError(name, f"{self._open.label} is not finished", "finish it first")
        step = turn()
        if step is None:
            return None
        for plane, delta in step.deltas:
            self._paint.apply(plane, delta)
        return step.summary(self.shape[3])

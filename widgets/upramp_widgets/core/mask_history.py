"""Undo and redo: what changed in each step, within bounds of number and memory."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from .mask_pixels import Box, box_of_runs

if TYPE_CHECKING:
    from .mask_paint import Delta, Plane

__all__ = ["Change", "History", "Step"]


@dataclass(frozen=True, slots=True)
class Change:
    """What an edit, or its undoing, did.

    Attributes
    ----------
    label
        What it was, in a word or two: "brush", "erase box".
    planes
        Integration and group of every plane that changed, in order.
    box
        First column and row, last column and row around what changed, in any
        plane; None if nothing did.
    changed
        Pixels that changed, counted in every plane.
    left_alone
        Pixels that the shape has and the edit spared: they hold another flag
        that was to be kept, or an automatic one that no mask takes back.
    """

    label: str
    planes: tuple[Plane, ...] = ()
    box: Box | None = None
    changed: int = 0
    left_alone: int = 0

    def __bool__(self) -> bool:
        return self.changed > 0


@dataclass(slots=True)
class Step:
    """What one undo takes back.

    Attributes
    ----------
    label
        What it was.
    deltas
        The changes; a plane may have several, of which each may be taken back
        before the others.
    left_alone
        As in `Change`.
    """

    label: str
    deltas: list[tuple[Plane, Delta]] = field(default_factory=list)
    left_alone: int = 0

    def add(self, plane: Plane, delta: Delta) -> None:
        """Note a change; one that equals the last shares its memory.

        Parameters
        ----------
        plane
            Integration and group.
        delta
            What changed there.
        """
        if delta.starts.size:
            last = self.deltas[-1][1] if self.deltas else None
            shared = last is not None and delta.same_as(last)
            self.deltas.append((plane, last if shared and last is not None else delta))

    @property
    def nbytes(self) -> int:
        """Memory that it takes."""
        return sum({id(delta): delta.nbytes for _, delta in self.deltas}.values())

    def summary(self, nx: int) -> Change:
        """Tell what it does.

        Parameters
        ----------
        nx
            Columns of the image.
        """
        distinct = {id(delta): delta for _, delta in self.deltas}.values()
        starts, lengths = (
            np.concatenate([np.empty(0, np.int64), *(getattr(delta, name) for delta in distinct)])
            for name in ("starts", "lengths")
        )
        return Change(
            label=self.label,
            planes=tuple(sorted({plane for plane, _ in self.deltas})),
            box=box_of_runs(starts, starts + lengths, nx),
            changed=sum(len(delta) for _, delta in self.deltas),
            left_alone=self.left_alone,
        )


class History:
    """Steps that can be undone, and those that were.

    Parameters
    ----------
    depth
        How many steps are kept.
    most_bytes
        How much memory they may take together; the last step is always kept.
    """

    def __init__(self, depth: int, most_bytes: int) -> None:
        self._depth = depth
        self._most_bytes = most_bytes
        self.done: list[Step] = []
        self.undone: list[Step] = []

    @property
    def nbytes(self) -> int:
        """Memory that all steps take."""
        return sum(step.nbytes for step in (*self.done, *self.undone))

    def push(self, step: Step) -> None:
        """Note a new step; what was undone before can no longer be redone.

        Parameters
        ----------
        step
            The step.
        """
        self.undone.clear()
        self.done.append(step)
        sizes = [one.nbytes for one in self.done]
        total = sum(sizes)
        forgotten = 0
        while forgotten < len(sizes) - 1 and (
            len(sizes) - forgotten > self._depth or total > self._most_bytes
        ):
            total -= sizes[forgotten]
            forgotten += 1
        del self.done[:forgotten]

    def back(self) -> Step | None:
        """Give the step to undo, and count it as undone; None if there is none."""
        if not self.done:
            return None
        self.undone.append(self.done.pop())
        return self.undone[-1]

    def forth(self) -> Step | None:
        """Give the step to redo, and count it as done; None if there is none."""
        if not self.undone:
            return None
        self.done.append(self.undone.pop())
        return self.done[-1]

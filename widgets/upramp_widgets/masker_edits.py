"""What a hand does to a mask, as calls: each is one step that can be undone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypedDict

import numpy as np

from upramp.errors import UsageError

from .core import mask_shapes as shapes
from .core.mask_pixels import Pixels
from .core.mask_record import chosen
from .masker_search import hits
from .masker_traits import MaskerTraits

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Unpack

    from numpy.typing import ArrayLike, NDArray

    from .core.mask import Change
    from .core.mask_edits import Where
    from .core.ramp import RampModel
    from .masker_engine import MaskerEngine

    Groups = int | Iterable[int] | Literal["shown", "hit"] | None

__all__ = ["Drawn", "MaskerEdits"]


class Drawn(TypedDict, total=False):
    """Where and how something is drawn; what is left out is as the widget has it.

    ``groups``: one, several, None for all, ``hit`` for the group of each pixel's
    most unlikely step, or ``shown`` for the group that is looked at, or, where
    slopes are looked at, ``hit`` to set and None to erase. ``integrations``: one,
    several, or None for all. ``bit``: mnemonic of the flag. ``erase``: take it away
    instead. ``keep_labels``: leave pixels alone that hold other flags.
    """

    groups: Groups
    integrations: int | Iterable[int] | None
    bit: str
    erase: bool
    keep_labels: bool


class MaskerEdits(MaskerTraits):
    """A masker's calls that edit; the widget gives the mask and shows what changed."""

    if TYPE_CHECKING:
        model: RampModel
        shape: tuple[int, int, int, int]
        engine: MaskerEngine

        def _edited(self, change: Change | None) -> None: ...

    def paint(
        self, points: ArrayLike, radius: float | None = None, **drawn: Unpack[Drawn]
    ) -> Change:
        """Draw along a path with a round brush.

        Parameters
        ----------
        points
            (n, 2): corners (x, y) of the path; one is a dab.
        radius
            Of the brush, in pixels; None for that of the widget.
        **drawn
            See `Drawn`.

        Returns
        -------
        Change
            What changed.

        Raises
        ------
        UsageError
            If there is no such group, integration or flag, or a number is absurd.
        """
        size = float(self.brush) if radius is None else radius
        return self._draw("brush", shapes.stroke(self.shape[2:], points, size), drawn)

    def erase(
        self, points: ArrayLike, radius: float | None = None, **drawn: Unpack[Drawn]
    ) -> Change:
        """Erase along a path with a round brush.

        Parameters
        ----------
        points, radius, **drawn
            As for `paint`.
        """
        drawn["erase"] = True
        return self.paint(points, radius, **drawn)

    def line(
        self,
        x0: float,
        y0: float,
        x1: float,
        y1: float,
        width: float | None = None,
        **drawn: Unpack[Drawn],
    ) -> Change:
        """Draw a straight line with round ends.

        Parameters
        ----------
        x0, y0, x1, y1
            Its ends.
        width
            In pixels; None for that of the brush.
        **drawn
            See `Drawn`.
        """
        half = (2 * self.brush + 1 if width is None else width) / 2
        ends = [(x0, y0), (x1, y1)]
        return self._draw("line", shapes.stroke(self.shape[2:], ends, half), drawn)

    def box(self, x0: float, y0: float, x1: float, y1: float, **drawn: Unpack[Drawn]) -> Change:
        """Fill a box along the axes.

        Parameters
        ----------
        x0, y0, x1, y1
            Two opposite corners.
        **drawn
            See `Drawn`.
        """
        return self._draw("box", shapes.box(self.shape[2:], x0, y0, x1, y1), drawn)

    def polygon(self, vertices: ArrayLike, **drawn: Unpack[Drawn]) -> Change:
        """Fill a polygon.

        Parameters
        ----------
        vertices
            (n, 2): its corners (x, y), at least three.
        **drawn
            See `Drawn`.
        """
        return self._draw("polygon", shapes.polygon(self.shape[2:], vertices), drawn)

    def circle(self, x: float, y: float, radius: float, **drawn: Unpack[Drawn]) -> Change:
        """Fill a circle.

        Parameters
        ----------
        x, y
            Its centre.
        radius
            In pixels.
        **drawn
            See `Drawn`.
        """
        return self._draw("circle", shapes.circle(self.shape[2:], x, y, radius), drawn)

    def flag(self, pixels: Pixels | NDArray[np.bool_], **drawn: Unpack[Drawn]) -> Change:
        """Set or erase a flag of any pixels.

        Parameters
        ----------
        pixels
            Which: bool (ny, nx).
        **drawn
            See `Drawn`.
        """
        return self._draw("pixels", pixels, drawn)

    def snowball(
        self,
        x: float,
        y: float,
        radius: float,
        core_radius: float | None = None,
        *,
        group: int | None = None,
        integration: int | None = None,
        next_groups: int = 0,
        erase: bool = False,
        keep_labels: bool | None = None,
    ) -> Change:
        """Flag a snowball: a circle of jumps around a core that is saturated from then on.

        Parameters
        ----------
        x, y
            Its centre.
        radius
            Of the whole, in pixels.
        core_radius
            Of the core; None for the share ``core`` of the whole.
        group
            Where it hits; None for the group that is looked at, or, where slopes
            are looked at, the one in which most of its pixels jump.
        integration
            None for the one that is looked at.
        next_groups
            In how many groups of the next integration the core persists.
        erase
            Take these flags away instead.
        keep_labels
            Leave pixels alone that hold other flags; None for what the widget has.
        """
        at = self.integration if integration is None else integration
        core = self.core * radius if core_radius is None else core_radius
        with self.engine.lock:
            if group is None:
                disc = shapes.circle(self.shape[2:], x, y, radius)
                group = self.group if self.by_group else self._most_hit(disc, at)
            change = self.engine.mask.snowball(
                x,
                y,
                core,
                radius,
                group,
                integration=at,
                next_groups=next_groups,
                erase=erase,
                keep_labels=self.keep_labels if keep_labels is None else keep_labels,
            )
        self._edited(change)
        return change

    def clear(self) -> Change:
        """Take back everything that was done by hand."""
        with self.engine.lock:
            change = self.engine.mask.clear()
        self._edited(change)
        return change

    def undo(self) -> Change | None:
        """Take the last edit back; None if there is none."""
        with self.engine.lock:
            change = self.engine.mask.undo()
        self._edited(change)
        return change

    def redo(self) -> Change | None:
        """Do the edit again that was taken back last; None if there is none."""
        with self.engine.lock:
            change = self.engine.mask.redo()
        self._edited(change)
        return change

    # ---- what a hand does in the image

    def _stroked(
        self, tool: str, points: list[tuple[float, float]], radius: float, erase: bool
    ) -> None:
        drawn: Drawn = {"erase": erase}
        x, y = points[0]
        if tool in {"brush", "eraser"}:
            self.paint(points, radius, **drawn)
        elif tool == "line":
            self.line(x, y, *points[-1], **drawn)
        elif tool == "box":
            self.box(x, y, *points[-1], **drawn)
        elif tool == "polygon":
            self.polygon(points, **drawn)
        elif tool == "circle":
            self.circle(x, y, radius, **drawn)
        else:
            self.snowball(x, y, radius, erase=erase)

    def _acted(self, name: str) -> None:
        if name in {"undo", "redo"}:
            (self.undo if name == "undo" else self.redo)()
        step = {"previous": -1, "next": 1}.get(name)
        if step is not None:
            self.group = min(max(self.group + step, 0), self.shape[1] - 1)

    # ---- where

    def _where(self, drawn: Drawn) -> tuple[Where, bool]:
        """Say where something is drawn, and whether each pixel has a group of its own."""
        erase = drawn.get("erase", False)
        groups = drawn["groups"] if "groups" in drawn else self._scope()
        if isinstance(groups, str):
            if groups not in {"shown", "hit"}:
                raise UsageError(
                    "groups", f"there is no {groups!r}", "give numbers, None, 'shown' or 'hit'"
                )
            if groups == "shown" and (self.by_group or erase):
                groups = self.group if self.by_group else None
        one = None if self.all_integrations else self.integration
        where: Where = {
            "integrations": drawn.get("integrations", one),
            "bit": drawn.get("bit", self.bit),
            "erase": erase,
            "keep_labels": drawn.get("keep_labels", self.keep_labels),
        }
        if isinstance(groups, str):
            return where, True
        return {**where, "groups": groups}, False

    def _scope(self) -> Groups:
        if self.scope == "shown":
            return "shown"
        first, last = self.groups
        return range(first, last + 1) if self.scope == "range" else None

    def _draw(self, label: str, pixels: Pixels | NDArray[np.bool_], drawn: Drawn) -> Change:
        where, each = self._where(drawn)
        with self.engine.lock:
            if each:
                change = self._draw_hits(label, pixels, where)
            else:
                change = self.engine.mask.flag(pixels, label=label, **where)
        self._edited(change)
        return change

    def _draw_hits(self, label: str, pixels: Pixels | NDArray[np.bool_], where: Where) -> Change:
        """Draw every pixel in the group in which it was hit."""
        ny, nx = self.shape[2:]
        if not isinstance(pixels, Pixels):
            image = np.asarray(pixels, np.bool_)
            if image.shape != (ny, nx):
                raise UsageError(
                    "pixels", f"their image is {image.shape}", f"give one of {(ny, nx)}"
                )
            pixels = Pixels.of_image(image)
        positions = _positions(pixels)
        with self.engine.mask.step(label) as step:
            for integration in chosen("integrations", where.get("integrations"), self.shape[0]):
                groups = self._hits(positions, integration)
                for group in np.unique(groups).tolist():
                    y, x = np.divmod(positions[groups == group], nx)
                    at: Where = {**where, "groups": group, "integrations": integration}
                    part = Pixels.of_spans((ny, nx), y, x, x)
                    self.engine.mask.flag(part, label=label, **at)
        return step.summary(nx)

    def _most_hit(self, pixels: Pixels, integration: int) -> int:
        groups = self._hits(_positions(pixels), integration)
        return int(np.bincount(groups).argmax()) if groups.size else self.group

    def _hits(self, positions: NDArray[np.int64], integration: int) -> NDArray[np.int64]:
        """Give the group in which each pixel was hit."""
        y, x = np.divmod(positions, self.shape[3])
        kept = self.model.kept
        if kept is not None:
            flags = kept.ramp.groupdq[integration][:, y, x]
            return hits(kept.ramp.data[integration][:, y, x], flags)
        if self.model.shape != self.shape:
            raise UsageError("groups", "the ramps are not corrected yet", "wait, or name a group")
        if not positions.size:
            return positions
        rows = self.model.exposure.read_rows(integration, slice(int(y.min()), int(y.max()) + 1))
        ramps = np.asarray(rows, np.float32)[:, y - y.min(), x]
        return hits(ramps, np.zeros(ramps.shape, np.uint8))


def _positions(pixels: Pixels) -> NDArray[np.int64]:
    return np.concatenate([np.empty(0, np.int64), *pixels.blocks()])

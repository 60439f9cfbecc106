"""Regions of an overlay: read, drawn by hand, changed, taken back, written."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import traitlets

from upramp.errors import UprampError, UsageError

from .core.sky_crossings import distance
from .core.sky_outlines import outlines
from .core.sky_regions import read_regions, write_regions
from .overlay_traits import OverlayTraits

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .core.sky import Sky
    from .core.sky_outlines import Outline
    from .core.sky_regions import Frame

__all__ = ["OverlayShapes"]

_COLOUR: Final = "#5dff8f"
_DEEP: Final = 100
"""Changes that can be taken back."""
_NEAR: Final = 2.0
"""Pixels within which a line that takes regions away meets an outline: no hand hits a point."""
_LAYERS: Final = ("regions", "regions cut out", "region marks")


class OverlayShapes(OverlayTraits):
    """The regions of `upramp_widgets.WcsOverlay`.

    They are kept as they came: what was read on the sky stays on the sky, what is drawn by hand
    is in pixels of the first image.
    """

    def _follow_shapes(self) -> None:
        self._undone: list[tuple[Any, ...]] = []
        self._done: list[tuple[Any, ...]] = []
        self._stepping = False
        self.observe(self._renew_regions, "regions")

    def load_regions(self, path: str | os.PathLike[str] | Iterable[Any]) -> tuple[str, ...]:
        """Add regions.

        Parameters
        ----------
        path
            A file as DS9 writes it, or regions of the package regions.

        Returns
        -------
        tuple of str
            A sentence for every line that was not read and every region that cannot be drawn.

        Raises
        ------
        InputError
            If the file cannot be read.
        UsageError
            If there is nothing in it that can be read and drawn.
        """
        if isinstance(path, (str, os.PathLike)):
            found = read_regions(path)
            new, problems = found.regions, list(found.problems)
        else:
            new, problems = tuple(path), []
        sky, drawn = self._sky_for(new), 0
        for region in new:
            try:
                outlines(region, sky)
                drawn += 1
            except UprampError as error:
                problems.append(str(error))
        if problems and not drawn:
            of = str(path) if isinstance(path, (str, os.PathLike)) else "what was given"
            raise UsageError(
                of, f"no region of it can be drawn ({problems[0]})", "give one that can"
            )
        self.regions = (*self.regions, *new)
        self.status = f"{_count(len(new))} added" + (f"; {problems[0]}" if problems else "")
        return tuple(problems)

    def save_regions(
        self, path: str | os.PathLike[str], frame: Frame | None = None
    ) -> tuple[str, ...]:
        """Write all regions as DS9 reads them.

        Parameters
        ----------
        path
            The file.
        frame
            ``sky`` or ``pixel``: what all become; None leaves them.

        Returns
        -------
        tuple of str
            A sentence for every region that could not be written.

        Raises
        ------
        OutputError
            If the file cannot be written.
        InputError
            If they are to change, and the image has no sky.
        """
        needed = frame is not None and any(_on_sky(r) != (frame == "sky") for r in self.regions)
        sky = self.need_sky() if needed else None
        problems = tuple(write_regions(path, self.regions, sky=sky, frame=frame))
        written = len(self.regions) - len(problems)
        self.status = f"{_count(written)} written to {Path(path)}"
        return problems

    def clear_regions(self) -> None:
        """Take all regions away; `undo` brings them back."""
        self.regions = ()

    def undo(self) -> None:
        """Take back the last change of the regions."""
        self._step(self._done, self._undone)

    def redo(self) -> None:
        """Make the change that was taken back again."""
        self._step(self._undone, self._done)

    # ---- by hand

    def _stroked(
        self, tool: str, points: list[tuple[float, float]], radius: float, erase: bool
    ) -> None:
        region = _region_of(tool, points, radius)
        if region is None:
            return
        if not erase:
            self.regions = (*self.regions, region)
            self.status = f"{_count(len(self.regions))}; this one: {_told(region)}"
            return
        sky = self._sky_for(self.regions)
        kept = [each for each in self.regions if not _lies_in(each, region, sky)]
        self.status = f"{_count(len(self.regions) - len(kept))} taken away"
        self.regions = tuple(kept)

    # ---- what follows a change

    @traitlets.validate("regions")
    def _are_regions(self, proposal: Any) -> tuple[Any, ...]:
        from regions import Region

        for each in proposal["value"]:
            if not isinstance(each, Region):
                raise UsageError(
                    f"an object of type {type(each).__name__}",
                    "it is no region",
                    "give regions of the package regions",
                )
        return tuple(proposal["value"])

    def _renew_regions(self, change: Any) -> None:
        if not self._stepping:
            self._done = [*self._done[1 - _DEEP :], change["old"]]
            self._undone = []
        self._draw_regions()

    def _step(self, source: list[tuple[Any, ...]], target: list[tuple[Any, ...]]) -> None:
        if not source:
            self.status = "there is nothing more"
            return
        target.append(self.regions)
        self._stepping = True
        try:
            self.regions = source.pop()
        finally:
            self._stepping = False

    def _draw_regions(self) -> None:
        sky, found, problems = self._sky_for(self.regions), [], []
        for region in self.regions:
            try:
                found += outlines(region, sky)
            except UprampError as error:
                problems.append(str(error))
        curves = [one for one in found if len(one.x) > 1]
        for name, include in zip(_LAYERS[:2], (True, False), strict=True):
            self._lay_curves(name, [one for one in curves if one.include is include], include)
        marks = [one for one in found if len(one.x) == 1]
        if marks:
            x, y = (np.concatenate([getattr(one, axis) for one in marks]) for axis in "xy")
            labels = tuple(one.text for one in marks)
            self.image.set_points(_LAYERS[2], x, y, _COLOUR, labels=labels, shape="plus")
        elif _LAYERS[2] in self.image.scene.layers:
            self.image.set_points(_LAYERS[2], None)
        if problems:
            self.status = problems[0]
        self.tell()

    def _lay_curves(self, name: str, curves: list[Outline], include: bool) -> None:
        if curves:
            lines = [np.stack([one.x, one.y], axis=1) for one in curves]
            labels = tuple(one.text for one in curves)
            self.image.set_curves(name, lines, _COLOUR, labels=labels, dashed=not include)
        elif name in self.image.scene.layers:
            self.image.set_curves(name, None)

    def _sky_for(self, regions: tuple[Any, ...]) -> Sky | None:
        """Give the sky if one of the regions needs it, and there is one."""
        if not any(_on_sky(region) for region in regions):
            return None
        try:
            return self.need_sky()
        except UprampError:
            return None  # each region that needs one says so when it is drawn


def _region_of(tool: str, points: list[tuple[float, float]], radius: float) -> Any:
    """Make a region of what was drawn; None of what has no extent."""
    import regions
    from astropy import units as u

    x, y = np.transpose(points)
    if tool == "circle":
        centre = regions.PixCoord(float(x[0]), float(y[0]))
        return regions.CirclePixelRegion(centre, radius) if radius > 0 else None
    if tool == "box":
        wide, high = (float(abs(axis[-1] - axis[0])) for axis in (x, y))
        centre = regions.PixCoord(float(x[0] + x[-1]) / 2, float(y[0] + y[-1]) / 2)
        drawn = wide > 0 and high > 0
        return regions.RectanglePixelRegion(centre, wide, high, 0 * u.deg) if drawn else None
    if tool == "polygon":
        return regions.PolygonPixelRegion(regions.PixCoord(x, y)) if len(x) > 2 else None
    if tool == "line" and len(x) > 1:
        ends = [regions.PixCoord(float(x[at]), float(y[at])) for at in (0, -1)]
        return regions.LinePixelRegion(*ends)
    return None


def _lies_in(region: Any, drawn: Any, sky: Sky | None) -> bool:
    """Say whether a drawn line meets a region's outline, or a drawn shape holds points of it."""
    from regions import PixCoord

    try:
        lines = outlines(region, sky)
    except UprampError:
        return False
    if type(drawn).__name__.startswith("Line"):
        start, end = ((float(at.x), float(at.y)) for at in (drawn.start, drawn.end))
        return any(distance(start, end, one.x, one.y) <= _NEAR for one in lines)
    return any(bool(np.any(drawn.contains(PixCoord(one.x, one.y)))) for one in lines)


def _on_sky(region: Any) -> bool:
    return "Sky" in type(region).__name__


def _count(number: int) -> str:
    return "1 region" if number == 1 else f"{number} regions"


def _told(region: Any) -> str:
    name = type(region).__name__.removesuffix("PixelRegion").lower()
    if name == "circle":
        return f"circle of radius {region.radius:.1f} pixel"
    if name == "rectangle":
        return f"box of {region.width:.1f} x {region.height:.1f} pixel"
    return name

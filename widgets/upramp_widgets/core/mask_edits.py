"""Editing flags of groups by shapes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypedDict

import numpy as np

from upramp.dq import GROUP
from upramp.errors import UsageError

from . import mask_shapes as shapes
from .mask_layers import MaskLayers
from .mask_pixels import Pixels
from .mask_record import chosen, flag_bit

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Unpack

    from numpy.typing import ArrayLike, NDArray

    from .mask_history import Change

__all__ = ["MaskEdits", "Where"]

_JUMP: Final = GROUP["JUMP_DET"]
_SATURATED: Final = GROUP["SATURATED"]


class Where(TypedDict, total=False):
    """Where and how a shape is drawn, as for `MaskEdits.flag`."""

    groups: int | Iterable[int] | None
    integrations: int | Iterable[int] | None
    bit: str
    erase: bool
    keep_labels: bool


class MaskEdits(MaskLayers):
    """A mask whose flags are set and erased by shapes.

    Coordinates are (x, y) with the centres of pixels at whole numbers; shapes
    have the pixels whose centres they hold, and may reach off the image.
    """

    def flag(
        self,
        pixels: Pixels | NDArray[np.bool_],
        *,
        groups: int | Iterable[int] | None = None,
        integrations: int | Iterable[int] | None = None,
        bit: str = "JUMP_DET",
        erase: bool = False,
        keep_labels: bool = False,
        label: str = "pixels",
    ) -> Change:
        """Set or erase a flag of some pixels, in one step.

        Parameters
        ----------
        pixels
            Which: a set of pixels, or bool (ny, nx).
        groups
            A group, several, or None: all. The first has no jumps: None leaves
            it out for JUMP_DET, as a mask that is one image does.
        integrations
            An integration, several, or None: all.
        bit
            Mnemonic of the flag.
        erase
            Take the flag away instead. Automatic jumps are taken away too, and
            stay away when a threshold moves; of other flags only those set by
            hand, since calibration takes back no others.
        keep_labels
            Leave pixels alone that hold another flag.
        label
            What the step is called.

        Returns
        -------
        Change
            What changed.

        Raises
        ------
        UsageError
            If there is no such group, integration or flag, or the image has
            another shape.
        """
        number = flag_bit(bit)
        ngroups = self.shape[1]
        first = 1 if number == _JUMP and groups is None and ngroups > 1 else 0
        planes = [
            (integration, group)
            for integration in chosen("integrations", integrations, self.shape[0])
            for group in chosen("groups", groups, ngroups, first)
        ]
        with self.step(f"erase {label}" if erase else label) as step:
            spared = 255 - number if keep_labels else 0
            self._draw(self._pixels(pixels), planes, number, spared, erase=erase)
        return step.summary(self.shape[3])

    def brush(self, points: ArrayLike, radius: float = 2.0, **where: Unpack[Where]) -> Change:
        """Draw along a path with a round brush; a whole drag is one step.

        Parameters
        ----------
        points
            (n, 2): corners (x, y) of the path; one is a dab.
        radius
            Of the brush, in pixels; half a pixel at least.
        **where
            As for `flag`.
        """
        return self.flag(shapes.stroke(self.image_shape, points, radius), label="brush", **where)

    def line(
        self,
        x0: float,
        y0: float,
        x1: float,
        y1: float,
        width: float = 1.0,
        **where: Unpack[Where],
    ) -> Change:
        """Draw a straight line with round ends.

        Parameters
        ----------
        x0, y0, x1, y1
            Its ends.
        width
            In pixels; one at least.
        **where
            As for `flag`.
        """
        ends = [(x0, y0), (x1, y1)]
        half = shapes.finite("width", width, 0.0) / 2
        return self.flag(shapes.stroke(self.image_shape, ends, half), label="line", **where)

    def box(self, x0: float, y0: float, x1: float, y1: float, **where: Unpack[Where]) -> Change:
        """Fill a box along the axes.

        Parameters
        ----------
        x0, y0, x1, y1
            Two opposite corners.
        **where
            As for `flag`.
        """
        return self.flag(shapes.box(self.image_shape, x0, y0, x1, y1), label="box", **where)

    def polygon(self, vertices: ArrayLike, **where: Unpack[Where]) -> Change:
        """Fill a polygon.

        Parameters
        ----------
        vertices
            (n, 2): its corners (x, y), at least three.
        **where
            As for `flag`.
        """
        return self.flag(shapes.polygon(self.image_shape, vertices), label="polygon", **where)

    def circle(self, x: float, y: float, radius: float, **where: Unpack[Where]) -> Change:
        """Fill a circle.

        Parameters
        ----------
        x, y
            Its centre.
        radius
            In pixels.
        **where
            As for `flag`.
        """
        return self.flag(shapes.circle(self.image_shape, x, y, radius), label="circle", **where)

    def snowball(
        self,
        x: float,
        y: float,
        core_radius: float,
        radius: float,
        group: int,
        *,
        integration: int = 0,
        next_groups: int = 0,
        erase: bool = False,
        keep_labels: bool = False,
    ) -> Change:
        """Flag a snowball as the jump step does: a circle of jumps around a saturated core.

        The core is saturated, and has no jumps, in the group and all that
        follow. Around it are jumps in the group, but where it is saturated.

        Parameters
        ----------
        x, y
            Its centre.
        core_radius, radius
            Of its core and of the whole, in pixels.
        group, integration
            Where it hits.
        next_groups
            In how many groups of the next integration, after its first, the
            core is flagged as a jump, since it persists.
        erase
            Take all these flags away instead.
        keep_labels
            Leave pixels alone that hold flags other than these two.

        Returns
        -------
        Change
            What changed.

        Raises
        ------
        UsageError
            If the core is larger than the whole, there is no such group, or a
            number is not finite or absurd.
        """
        nints, ngroups = self.shape[:2]
        first = chosen("group", group, ngroups)[0]
        where = chosen("integration", integration, nints)[0]
        if shapes.finite("core_radius", core_radius, 0.0) > shapes.finite("radius", radius, 0.0):
            raise UsageError(
                "core_radius", f"{core_radius:g} is more than the radius {radius:g}", "lower it"
            )
        core = shapes.circle(self.image_shape, x, y, core_radius)
        whole = shapes.circle(self.image_shape, x, y, radius)
        since = [(where, later) for later in range(first, ngroups)]
        after = range(1, min(1 + next_groups, ngroups)) if where + 1 < nints else ()
        others = 255 - _JUMP - _SATURATED if keep_labels else 0
        with self.step("erase snowball" if erase else "snowball") as step:
            self._draw(core, since, _SATURATED, others, erase=erase)
            if not erase:
                self._draw(core, since, _JUMP, others, erase=True)
            ring, spared = (whole, others) if erase else (whole - core, others | _SATURATED)
            self._draw(ring, since[:1], _JUMP, spared, erase=erase)
            self._draw(core, [(where + 1, one) for one in after], _JUMP, others, erase=erase)
        return step.summary(self.shape[3])

    def _pixels(self, pixels: Pixels | NDArray[np.bool_]) -> Pixels:
        if isinstance(pixels, Pixels):
            shape = pixels.shape
        else:
            pixels = np.asarray(pixels)
            if pixels.dtype != np.bool_:
                raise UsageError("pixels", f"they are {pixels.dtype}", "give an image of bool")
            shape = pixels.shape
        if shape != self.image_shape:
            raise UsageError(
                "pixels",
                f"their image is {shape} where the exposure's is {self.image_shape}",
                "give pixels of this exposure",
            )
        return pixels if isinstance(pixels, Pixels) else Pixels.of_image(pixels)

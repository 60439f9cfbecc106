"""All that one view shows, and the tiles and headers a browser is sent of it.

The scene knows no browser: the same calls fill it in a notebook, in a script
and in a test. Versions count changes of its parts; who shows the scene compares
them with those of what it has, and asks for what is old.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from upramp.errors import UsageError

from .render import Source, Viewport, Window, as_source
from .render_codes import encode, encode_significance
from .render_layers import Mask
from .stretch import Distribution, distribution

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from .render import Plane
    from .render_layers import Layer

__all__ = ["Scene", "Tile"]

_MOST_MASKS: Final = 32
_BASE_SIDE: Final = 1024
"""Cells along a side that the tile of the whole detector may have."""


@dataclass(frozen=True)
class Tile:
    """Pooled pixels of a part of the scene.

    Parameters
    ----------
    header
        What they are and where, as plain values.
    cells
        (rows, columns), row 0 at the bottom.
    """

    header: dict[str, Any]
    cells: NDArray[Any]


class Scene:
    """Planes, significance, masks and what is drawn over them.

    Attributes
    ----------
    versions
        Counts of changes of ``image``, ``significance`` and ``masks``.
    masks
        By name, in the order of their bits.
    layers
        By name, in the order in which they are drawn.
    lock
        Held while the scene is changed or read: a notebook may answer its
        pages in one thread while a cell runs in another.
    """

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.versions = {"image": 0, "significance": 0, "masks": 0}
        self.masks: dict[str, Mask] = {}
        self.layers: dict[str, Layer] = {}
        self._planes: list[Source] = []
        self._significance: Source | None = None
        self._distributions: dict[int, Distribution] = {}

    @property
    def shape(self) -> tuple[int, int]:
        """(ny, nx) of what is shown; (0, 0) before there is anything."""
        return self._planes[0].shape if self._planes else (0, 0)

    @property
    def frames(self) -> int:
        """How many planes there are to step through."""
        return len(self._planes)

    @property
    def significance(self) -> Source | None:
        """The significance, if there is one."""
        return self._significance

    def set_planes(self, planes: Sequence[Plane], shape: tuple[int, int] | None = None) -> None:
        """Show other planes; one, or several to step through.

        Parameters
        ----------
        planes
            At least one, all of one shape.
        shape
            (ny, nx), for callables.
        """
        sources = [as_source(plane, shape) for plane in planes]
        shapes = {source.shape for source in sources}
        if not sources:
            raise UsageError("frames", "there are none", "give at least one plane")
        if len(shapes) > 1:
            raise UsageError("frames", f"they differ in shape: {sorted(shapes)}", "give one shape")
        with self.lock:
            if sources[0].shape != self.shape:
                # What lay over another detector would not fit.
                self._significance = None
                self.masks = {}
                self._changed("significance")
                self._changed("masks")
            self._planes = sources
            self._distributions = {}
            self._changed("image")

    def set_significance(self, plane: Plane | None) -> None:
        """Have pixels above a threshold marked, or, for None, no longer.

        Parameters
        ----------
        plane
            Significance in sigma, of the shape of what is shown.
        """
        with self.lock:
            self._significance = None if plane is None else self.fitting(plane, "significance")
            self._changed("significance")

    def set_mask(self, name: str, plane: Plane | None, colour: str, bits: int, label: str) -> None:
        """Put a mask over the image, or, for None, take it away.

        Parameters
        ----------
        name
            Of the mask; one of the same name is replaced.
        plane
            Booleans, or integers of flags.
        colour
            As ``#rrggbb``.
        bits
            Which bits of an integer count; -1 for any.
        label
            What the legend says.
        """
        with self.lock:
            if plane is None:
                self.masks.pop(name, None)
            elif name not in self.masks and len(self.masks) >= _MOST_MASKS:
                raise UsageError(
                    name, f"there are {_MOST_MASKS} masks already", "take one away with None"
                )
            else:
                source = self.fitting(plane, name)
                if not source.varies:
                    source.pooled(Window(0, 1, 0, 1), 1, "or")  # refuses what is no flags
                reach = 0xFFFFFFFF if bits == -1 else bits
                self.masks[name] = Mask(source, reach, colour, label)
            self._changed("masks")

    def touch_masks(self) -> None:
        """Say that arrays behind masks were changed in place."""
        with self.lock:
            self._changed("masks")

    def set_layer(self, name: str, layer: Layer | None) -> None:
        """Draw lines or points over the image, or, for None, no longer.

        Parameters
        ----------
        name
            Of the layer; one of the same name is replaced.
        layer
            What is drawn.
        """
        with self.lock:
            if layer is None:
                self.layers.pop(name, None)
            else:
                self.layers[name] = layer

    def plane(self, frame: int) -> Source:
        """Give a plane.

        Parameters
        ----------
        frame
            Which; one that does not exist is the nearest that does.
        """
        if not self._planes:
            raise UsageError("view", "there is nothing in it", "call show() first")
        return self._planes[min(max(frame, 0), len(self._planes) - 1)]

    def distribution(self, frame: int) -> Distribution:
        """Say how a plane's values are distributed; remembered until it changes.

        Parameters
        ----------
        frame
            Which plane.
        """
        with self.lock:
            if frame not in self._distributions:
                self._distributions[frame] = distribution(self.plane(frame).sample())
            return self._distributions[frame]

    def flags_at(self, x: int, y: int) -> list[str]:
        """Give the labels of the masks that hold a pixel.

        Parameters
        ----------
        x, y
            Which; must lie inside.
        """
        with self.lock:
            masks = list(self.masks.values())
        return [mask.label for mask in masks if int(mask.source.value(x, y)) & mask.bits]

    def base(self, part: str, frame: int, viewport: Viewport) -> Tile | None:
        """Give the whole detector, as fine as a canvas can show it.

        Parameters
        ----------
        part
            ``image``, ``significance`` or ``masks``.
        frame
            Which plane.
        viewport
            Its size counts, not what it shows.
        """
        with self.lock:
            ny, nx = self.shape
            whole = Viewport.whole(self.shape, viewport.width, viewport.height)
            factor = max(whole.factor(_HOW[part]), -(-max(ny, nx) // _BASE_SIDE))
            return self._tile(part, "base", frame, Window(0, nx, 0, ny), factor)

    def sharp(self, part: str, frame: int, viewport: Viewport) -> Tile | None:
        """Give what a canvas shows and a margin, as fine as it can show it.

        Parameters
        ----------
        part
            ``image``, ``significance`` or ``masks``.
        frame
            Which plane.
        viewport
            What the canvas shows.
        """
        with self.lock:
            window, factor = viewport.window(self.shape, viewport.factor(_HOW[part]))
            return self._tile(part, "sharp", frame, window, factor)

    def _tile(self, part: str, tier: str, frame: int, window: Window, factor: int) -> Tile | None:
        header: dict[str, Any] = {
            "part": part,
            "tier": tier,
            "version": self.versions[part],
            "frame": frame if part == "image" else 0,
            "x0": window.x0,
            "y0": window.y0,
            "factor": factor,
        }
        if part == "image":
            centre, scale = self.distribution(frame).centre_and_scale()
            means = self.plane(frame).pooled(window, factor, "mean")
            coded = encode(means, centre, scale)
            cells: NDArray[Any] = coded.codes
            header |= {"centre": coded.centre, "scale": coded.scale, "top": coded.top}
        elif part == "significance":
            if self._significance is None:
                return None
            cells = encode_significance(self._significance.pooled(window, factor, "max"))
        else:
            if not self.masks:
                return None
            cells = self._packed(window, factor)
        header |= {"width": cells.shape[1], "height": cells.shape[0], "bytes": cells.itemsize}
        return Tile(header, np.ascontiguousarray(cells))

    def _packed(self, window: Window, factor: int) -> NDArray[Any]:
        """Give bit i where the i-th mask has a pixel."""
        masks = list(self.masks.values())
        kind = np.dtype("u1" if len(masks) <= 8 else "u2" if len(masks) <= 16 else "u4")
        pooled: dict[int, NDArray[Any]] = {}  # masks of one plane of flags share its pooling
        packed: NDArray[Any] | None = None
        for index, mask in enumerate(masks):
            key = id(mask.source)
            if key not in pooled:
                pooled[key] = mask.source.pooled(window, factor, "or")
            flags = pooled[key]
            reach = np.iinfo(flags.dtype).max
            bit = ((flags & flags.dtype.type(mask.bits & reach)) != 0).astype(kind)
            bit <<= kind.type(index)
            packed = bit if packed is None else np.bitwise_or(packed, bit, out=packed)
        if packed is None:
            raise AssertionError("only called with masks")
        return packed

    def fitting(self, plane: Plane, what: str) -> Source:
        """Make a plane readable that is laid over the image.

        Parameters
        ----------
        plane
            Of the image's shape, or a callable.
        what
            Its name, for errors.
        """
        if not self._planes:
            raise UsageError(what, "there is no image to lay it over", "call show() first")
        source = as_source(plane, self.shape)
        if source.shape != self.shape:
            raise UsageError(
                what,
                f"its shape {source.shape} is not the image's {self.shape}",
                "give one of the same shape",
            )
        return source

    def masks_vary(self) -> bool:
        """Say whether a mask is given by a callable, which may answer otherwise each time."""
        return any(mask.source.varies for mask in self.masks.values())

    def _changed(self, part: str) -> None:
        self.versions[part] += 1


_HOW: Final[dict[str, Any]] = {"image": "mean", "significance": "max", "masks": "or"}

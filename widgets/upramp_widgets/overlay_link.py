"""Several images by the sky: aligned to blink, or side by side with views that move together."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any, Final

import ipywidgets
import numpy as np
from PIL import Image

from upramp.errors import UprampError, UsageError

from .core.sky_link import Link, link
from .display import Pictured

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .overlay_images import OverlayImage
    from .wcs_overlay import WcsOverlay

__all__ = ["SideBySide", "aligned", "edge"]

_ROWS: Final = 512
"""Of an aligned image that are made at once."""
_PIECES: Final = 12
"""Of each edge of an image: distortion bends it."""


def aligned(first: OverlayImage, other: OverlayImage) -> NDArray[Any]:
    """Give another image as the first one's pixels see it.

    Parameters
    ----------
    first, other
        Both with a sky.

    Returns
    -------
    numpy.ndarray
        (ny, nx) of the first: the nearest pixel of the other, NaN where it has none.

    Raises
    ------
    UsageError
        If the light of either is dispersed.
    """
    if first.sky is None or other.sky is None:
        raise UsageError(other.name, "it has no sky to be linked by", "run assign_wcs on it")
    way = link(first.sky, other.sky)
    ny, nx = first.shape
    dtype = np.float64 if other.pixels.dtype.itemsize > 4 else np.float32
    pixels = other.pixels.astype(dtype, copy=False)
    whole = np.empty((ny, nx), dtype)
    for low in range(0, ny, _ROWS):
        high = min(low + _ROWS, ny)
        found = way.resampling((-0.5, nx - 0.5), (low - 0.5, high - 0.5), nx, high - low)
        whole[low:high] = found.take(pixels)
    return whole


def edge(first: OverlayImage, other: OverlayImage) -> NDArray[np.float64]:
    """Give the outline of another image in the first one's pixels, (n, 2); NaN where it has none.

    Parameters
    ----------
    first, other
        Both with a sky.
    """
    if first.sky is None or other.sky is None:
        return np.empty((0, 2))
    ny, nx = other.shape
    at = np.linspace(0, 4, 4 * _PIECES + 1)
    x = np.interp(at, np.arange(5), [-0.5, nx - 0.5, nx - 0.5, -0.5, -0.5])
    y = np.interp(at, np.arange(5), [-0.5, -0.5, ny - 0.5, ny - 0.5, -0.5])
    return np.stack(link(other.sky, first.sky).pixels(x, y), axis=1)


class SideBySide(Pictured, ipywidgets.HBox):
    """Two overlays whose views show the same part of the sky at the same scale.

    Parameters
    ----------
    left, right
        The overlays; the left one leads at first.

    Raises
    ------
    InputError
        If one has no sky.
    UsageError
        If the light of one is dispersed.
    """

    def __init__(self, left: WcsOverlay, right: WcsOverlay) -> None:
        skies = left.need_sky(), right.need_sky()
        self.left, self.right = left, right
        self._ways = {
            id(left): (right, link(skies[0], skies[1])),
            id(right): (left, link(skies[1], skies[0])),
        }
        self._moving = False
        super().__init__([left, right], layout={"flex_flow": "row wrap"})
        for one in (left, right):
            one.observe(self._follow, ["xlim", "ylim"])
            one.observe(self._point, ["x", "y"])
        self._lead(left)

    def unlink(self) -> None:
        """Let both move by themselves again."""
        for one in (self.left, self.right):
            one.unobserve(self._follow, ["xlim", "ylim"])
            one.unobserve(self._point, ["x", "y"])

    def summary(self) -> str:
        """Say in a few words what is shown."""
        return f"{self.left.summary()} | {self.right.summary()}"

    def picture(self, theme: str = "light") -> bytes:
        """Give both as one picture.

        Parameters
        ----------
        theme
            ``light`` or ``dark``.
        """
        parts = [
            Image.open(io.BytesIO(one.picture(theme))).convert("RGB")
            for one in (self.left, self.right)
        ]
        size = sum(part.width for part in parts), max(part.height for part in parts)
        whole = Image.new("RGB", size, parts[0].getpixel((0, 0)))
        whole.paste(parts[0], (0, 0))
        whole.paste(parts[1], (parts[0].width, 0))
        target = io.BytesIO()
        whole.quantize(128).save(target, "PNG")
        return target.getvalue()

    def _follow(self, change: Any) -> None:
        self._lead(change["owner"])

    def _lead(self, leader: WcsOverlay) -> None:
        """Have the other overlay show what this one shows."""
        if self._moving:
            return
        other, way = self._ways[id(leader)]
        self._moving = True
        try:
            # Of the image: both ends of a move are there, of the traits perhaps one.
            other.look(*way.limits(leader.image.xlim, leader.image.ylim))
        except UprampError as error:
            leader.status = str(error)
        finally:
            self._moving = False

    def _point(self, change: Any) -> None:
        leader: WcsOverlay = change["owner"]
        if self._moving or min(leader.image.x, leader.image.y) < 0:
            return
        other, way = self._ways[id(leader)]
        self._moving = True
        try:
            x, y = _nearest(way, leader.image.x, leader.image.y)
            with other.hold_trait_notifications():
                other.x, other.y = (x, y) if other.image.inside(x, y) else (-1, -1)
        finally:
            self._moving = False


def _nearest(way: Link, x: int, y: int) -> tuple[int, int]:
    there = np.array(way.pixels(np.array([float(x)]), np.array([float(y)])))[:, 0]
    if not np.isfinite(there).all():
        return -1, -1
    return round(float(there[0])), round(float(there[1]))

"""Two images linked by the sky: views of one for the other, and pictures aligned to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from upramp.errors import UsageError

from .sky_lattice import Axis, Lattice

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .sky import Sky
    from .sky_plane import Float

__all__ = ["Limits", "Link", "Resampling", "link"]

Limits = tuple[float, float]

_COUNTS: Final = (9, 17, 33, 65)
_TOLERANCE: Final = 0.05
"""Pixels of the other image by which an aligned picture may be off."""
_EDGE: Final = 24
"""Places along each edge of a view that tell what it covers."""
_LARGEST: Final = 1 << 26
"""Pixels of an aligned picture; a screen has some millions."""


@dataclass(frozen=True, eq=False)
class Resampling:
    """Which pixels of another image a picture is made of.

    Attributes
    ----------
    rows, columns : numpy.ndarray of int32
        Nearest pixel of the other image, (height, width); 0 where there is none.
    inside : numpy.ndarray of bool
        Where there is one.
    """

    rows: NDArray[np.int32]
    columns: NDArray[np.int32]
    inside: NDArray[np.bool_]

    def take(self, image: NDArray[Any], fill: float = np.nan) -> NDArray[Any]:
        """Make the picture.

        Parameters
        ----------
        image
            The other image, (ny, nx).
        fill
            What is where the other image has no pixel; integers get what NaN
            cannot be, 0.

        Returns
        -------
        numpy.ndarray
            (height, width), of the image's type.
        """
        picture = image[self.rows, self.columns]
        if not np.issubdtype(image.dtype, np.inexact) and not np.isfinite(fill):
            fill = 0
        picture[~self.inside] = fill
        return picture


@dataclass(frozen=True)
class Link:
    """The way from pixels of an image to those of another, by the sky.

    Attributes
    ----------
    here, there : Sky
        Both images' coordinates.
    """

    here: Sky
    there: Sky

    def pixels(self, x: Float, y: Float) -> tuple[Float, Float]:
        """Give the pixels of the other image that see what pixels here see.

        Extrapolated outside either image; NaN where one sees no sky.

        Parameters
        ----------
        x, y
            Pixels here.
        """
        return self.there.pixels_of(self.here.vectors(x, y))

    def limits(self, xlim: Limits, ylim: Limits) -> tuple[Limits, Limits]:
        """Give the view of the other image with the same middle and the same scale.

        Parameters
        ----------
        xlim, ylim
            The view here, pixels.

        Raises
        ------
        UsageError
            If the other image cannot show the view's middle.
        """
        x, y = (xlim[0] + xlim[1]) / 2, (ylim[0] + ylim[1]) / 2
        there_x, there_y = (float(p) for p in self.pixels(np.asarray(x), np.asarray(y)))
        ratio = float(self.here.pixel_scale(x, y) / self.there.pixel_scale(there_x, there_y))
        if not np.isfinite([there_x, there_y, ratio]).all():
            raise UsageError(
                "this view", "the other image has no pixel for its middle", "move the view"
            )
        half_x, half_y = (ratio * (limits[1] - limits[0]) / 2 for limits in (xlim, ylim))
        return (there_x - half_x, there_x + half_x), (there_y - half_y, there_y + half_y)

    def covering(self, xlim: Limits, ylim: Limits) -> tuple[Limits, Limits]:
        """Give the smallest view of the other image that shows all of the view here.

        Parameters
        ----------
        xlim, ylim
            The view here, pixels.

        Raises
        ------
        UsageError
            If the other image can show nothing of it.
        """
        x, y = np.linspace(*xlim, _EDGE), np.linspace(*ylim, _EDGE)
        edge_x = np.concatenate([x, x, np.full(_EDGE, xlim[0]), np.full(_EDGE, xlim[1])])
        edge_y = np.concatenate([np.full(_EDGE, ylim[0]), np.full(_EDGE, ylim[1]), y, y])
        there_x, there_y = self.pixels(edge_x, edge_y)
        known = np.isfinite(there_x) & np.isfinite(there_y)
        if not known.any():
            raise UsageError("this view", "the other image has no pixel for it", "move the view")
        there_x, there_y = there_x[known], there_y[known]
        return (
            (float(there_x.min()), float(there_x.max())),
            (float(there_y.min()), float(there_y.max())),
        )

    def turn(self, x: float, y: float) -> tuple[float, bool]:
        """Say how the other image is turned against this one at a pixel.

        Parameters
        ----------
        x, y
            Pixel here.

        Returns
        -------
        float
            Direction in the other image, degrees from its x axis, of a step along x here.
        bool
            Whether one is the mirror image of the other.
        """
        there_x, there_y = self.pixels(np.array([x, x + 1, x]), np.array([y, y, y + 1]))
        ax, bx = np.diff(there_x)[0], there_x[2] - there_x[0]
        ay, by = np.diff(there_y)[0], there_y[2] - there_y[0]
        return float(np.degrees(np.arctan2(ay, ax))), bool(ax * by - ay * bx < 0)

    def resampling(self, xlim: Limits, ylim: Limits, width: int, height: int) -> Resampling:
        """Find the pixels of the other image that a picture aligned to this view is made of.

        Parameters
        ----------
        xlim, ylim
            The view here, pixels: from edge to edge of the picture.
        width, height
            Columns and rows of the picture.

        Raises
        ------
        UsageError
            If the picture has no pixel, or more than any screen.
        """
        if min(width, height) < 1 or width * height > _LARGEST:
            raise UsageError(
                f"a picture of {width} x {height}",
                "it has no size that a screen has",
                f"ask for 1 to {_LARGEST} pixels",
            )
        across = Axis(float(xlim[0]), float(xlim[1]), 4)
        up = Axis(float(ylim[0]), float(ylim[1]), 4)
        x, y = _middles(across, width), _middles(up, height)
        places = self._places(across, up, x, y)
        shape = self.there.shape
        if shape is None:
            _, right, _, top = self.there.box
            shape = int(np.floor(top + 0.5)), int(np.floor(right + 0.5))
        # Half a pixel on, what is left of a number's fraction is its nearest pixel.
        place_x, place_y = places
        place_x += 0.5
        place_y += 0.5
        inside = place_x >= 0
        inside &= place_x < shape[1]
        inside &= place_y >= 0
        inside &= place_y < shape[0]
        with np.errstate(invalid="ignore"):
            columns, rows = place_x.astype(np.int32), place_y.astype(np.int32)
        # Far away, or nowhere, is no integer: whatever came of it goes.
        columns *= inside
        rows *= inside
        return Resampling(rows, columns, inside)

    def _places(self, across: Axis, up: Axis, x: Float, y: Float) -> NDArray[np.float32]:
        """Give the other image's pixels of a grid of columns and rows, (2, len(y), len(x)).

        A ten-thousandth of a pixel is enough here, and half as much to move.
        """
        for count in _COUNTS:
            lattice = self._lattice(across, up, count)
            middles = lattice.across.middles, lattice.up.middles
            exact = np.stack(self.pixels(*np.meshgrid(*middles)))
            error = np.abs(lattice.on(*middles) - exact).max()
            if error < _TOLERANCE:
                return lattice.on(x, y, np.float32)
        return np.stack(self.pixels(*np.meshgrid(x, y))).astype(np.float32)

    def _lattice(self, across: Axis, up: Axis, count: int) -> Lattice:
        across, up = Axis(across.first, across.last, count), Axis(up.first, up.last, count)
        places = np.stack(self.pixels(*np.meshgrid(across.nodes, up.nodes)))
        return Lattice(across, up, places)


def _middles(axis: Axis, count: int) -> Float:
    """Give the middles of equal parts of an axis."""
    return axis.first + (np.arange(count, dtype=float) + 0.5) * (axis.last - axis.first) / count


def link(here: Sky, there: Sky) -> Link:
    """Link two images by the sky.

    Parameters
    ----------
    here, there
        Coordinates of the image that leads, and of the one that follows.

    Raises
    ------
    UsageError
        If the light of either is dispersed.
    """
    for sky in (here, there):
        sky.require_undispersed("spectra cannot be linked by the sky")
    return Link(here, there)

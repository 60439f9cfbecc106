"""The pixels of a region of the package ``regions``."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from upramp.errors import UsageError

from . import mask_shapes as shapes
from .mask_pixels import Pixels

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["pixels_of"]


def pixels_of(region: Any, shape: tuple[int, int], wcs: Any = None) -> Pixels:
    """Give the pixels whose centres a region holds.

    Circles, boxes, polygons, lines and points as `mask_shapes` has them: their
    edges count. What lies in other kinds is their own affair.

    Parameters
    ----------
    region : regions.Region
        In pixels; on the sky with a WCS.
    shape
        Rows and columns of the image.
    wcs : optional
        Any WCS of astropy's interface.

    Raises
    ------
    UsageError
        If it is no region, has no pixels, or cannot be placed.
    """
    from regions import (
        CirclePixelRegion,
        LinePixelRegion,
        PixelRegion,
        PointPixelRegion,
        PolygonPixelRegion,
        RectanglePixelRegion,
        SkyRegion,
        TextPixelRegion,
    )

    name = type(region).__name__
    if isinstance(region, SkyRegion):
        region = _placed(region, wcs)
    if isinstance(region, CirclePixelRegion):
        return shapes.circle(shape, *_xy(region.center), region.radius)
    if isinstance(region, RectanglePixelRegion):
        return _rectangle(region, shape)
    if isinstance(region, PolygonPixelRegion):
        return shapes.polygon(shape, np.transpose(_xy(region.vertices)))
    if isinstance(region, LinePixelRegion):
        return shapes.stroke(shape, [_xy(region.start), _xy(region.end)], 0.5)
    if isinstance(region, PointPixelRegion) and not isinstance(region, TextPixelRegion):
        return shapes.point(shape, *_xy(region.center))
    if not isinstance(region, PixelRegion) or isinstance(region, TextPixelRegion):
        raise UsageError("regions", f"a {name} has no pixels", "leave it out")
    return _any_kind(region, shape)


def _xy(place: Any) -> tuple[Any, Any]:
    return place.x, place.y


def _placed(region: Any, wcs: Any) -> Any:
    name = type(region).__name__
    if wcs is None:
        raise UsageError(
            "regions", f"a {name} is on the sky", "give a wcs, or regions in image coordinates"
        )
    try:
        return region.to_pixel(wcs)
    except Exception as error:
        raise UsageError(
            "regions", f"a {name} has no place in the image ({error})", "leave it out"
        ) from error


def _rectangle(region: Any, shape: tuple[int, int]) -> Pixels:
    x, y = (float(value) for value in _xy(region.center))
    half = np.array([float(region.width), float(region.height)]) / 2
    angle = math.radians(float(region.angle.to_value("deg")) % 360)
    if angle == 0:
        return shapes.box(shape, x - half[0], y - half[1], x + half[0], y + half[1])
    turn = np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])
    corners: NDArray[np.float64] = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * half
    return shapes.polygon(shape, corners @ turn + [x, y])


def _any_kind(region: Any, shape: tuple[int, int]) -> Pixels:
    from regions import PixCoord

    ny, nx = shape
    try:
        box = region.bounding_box
        x0, x1 = max(box.ixmin, 0), min(box.ixmax, nx)
        y0, y1 = max(box.iymin, 0), min(box.iymax, ny)
    except (ValueError, OverflowError, NotImplementedError) as error:
        raise UsageError(
            "regions", f"a {type(region).__name__} has no place ({error})", "leave it out"
        ) from error
    image = np.zeros(shape, np.bool_)
    if x0 < x1 and y0 < y1:
        y, x = np.mgrid[y0:y1, x0:x1]
        image[y0:y1, x0:x1] = region.contains(PixCoord(x, y))
    return Pixels.of_image(image)

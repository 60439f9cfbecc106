"""Regions as lines in an image's pixels, bent as the image's distortion bends them.

A region on the sky is followed on the sphere and then seen through the image's
coordinates; nothing is taken for a circle that the image does not show as one.
Angles are the package regions' and DS9's: of a width from west towards north,
or from the x axis towards y.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from upramp.errors import UsageError

from .sky_plane import Float, local_axes, to_vectors

if TYPE_CHECKING:
    from collections.abc import Callable

    from .sky import Sky

__all__ = ["Outline", "outlines", "shape_name"]

_SAG: Final = 0.02
"""Pixels by which a chord may leave its curve."""
_FEWEST, _MOST = 24, 720
"""Points of a closed curve."""
_PIECES: Final = 12
"""Of a straight edge on the sky, which is no straight line in pixels."""

_Place = tuple[Float, Float]


@dataclass(frozen=True, eq=False)
class Outline:
    """A line, a closed curve, or a point of a region.

    Attributes
    ----------
    x, y : numpy.ndarray
        Pixels; a closed curve ends with its first point, a point has one.
    closed : bool
        Whether it encloses something.
    include : bool
        Whether the region is meant, rather than cut out.
    text : str
        What the region is called, or a text says.
    """

    x: Float
    y: Float
    closed: bool
    include: bool
    text: str


def shape_name(region: Any) -> str:
    """Give the name of a region's shape, such as "Circle"."""
    name = type(region).__name__
    return name.removesuffix("Region").removesuffix("Sky").removesuffix("Pixel")


def outlines(region: Any, sky: Sky | None = None) -> list[Outline]:
    """Draw a region in pixels.

    Parameters
    ----------
    region
        Of the package regions: a circle, an ellipse, a rectangle, an annulus
        of these, a polygon, a line, a point or a text; in pixels or on the sky.
    sky
        The image's coordinates; needed for a region on the sky.

    Returns
    -------
    list of Outline
        An annulus has two. On the sky they are extrapolated outside the image.

    Raises
    ------
    UsageError
        If the shape cannot be drawn, or there is no sky for it.
    """
    kind = shape_name(region)
    on_sky = "Sky" in type(region).__name__
    if kind not in _SHAPES or "Spherical" in type(region).__name__:
        raise UsageError(
            f"a {type(region).__name__}", "it cannot be drawn", "use circles, boxes or polygons"
        )
    if on_sky and sky is None:
        raise UsageError("a region on the sky", "the image has no sky", "give one in pixels")
    paths = _SHAPES[kind](region, _SkyPen(sky) if on_sky and sky is not None else _PixelPen())
    include = bool(region.meta.get("include", True))
    text = str(getattr(region, "text", None) or region.meta.get("text") or "")
    closed = kind not in {"Line", "Point", "Text"}
    return [Outline(x, y, closed, include, text) for x, y in paths]


# ---- pens ---------------------------------------------------------------------------------


class _PixelPen:
    """Draws in pixels."""

    def size(self, value: Any) -> float:
        return float(value)

    def angle(self, region: Any) -> float:
        return _radians(region.angle)

    def scale(self, _place: Any) -> float:
        """Pixels of a unit of size."""
        return 1.0

    def around(self, place: Any, u: Float, v: Float) -> _Place:
        return float(place.x) + u, float(place.y) + v

    def along(self, places: Any) -> _Place:
        return np.atleast_1d(np.asarray(places.x, float)), np.atleast_1d(
            np.asarray(places.y, float)
        )


class _SkyPen:
    """Draws on the sphere; sizes are radians."""

    def __init__(self, sky: Sky) -> None:
        self._sky = sky

    def size(self, value: Any) -> float:
        return float(value.to_value("rad"))

    def angle(self, region: Any) -> float:
        return _radians(region.angle)

    def scale(self, _place: Any) -> float:
        x, y = self._sky.pixels_of(_vectors(_place))
        scale = float(self._sky.pixel_scale(x, y))
        return 648_000 / math.pi / scale if scale > 0 else 1.0

    def around(self, place: Any, u: Float, v: Float) -> _Place:
        centre = _vectors(place)
        east, north = local_axes(centre)
        # u points west where the angle is 0: as x does in a picture with north up.
        distance = np.hypot(u, v)
        safe = np.where(distance > 0, distance, 1)
        towards = np.multiply.outer(east, -u / safe) + np.multiply.outer(north, v / safe)
        return self._sky.pixels_of(
            np.multiply.outer(centre, np.cos(distance)) + towards * np.sin(distance)
        )

    def along(self, places: Any) -> _Place:
        corners = _vectors(places)
        corners = corners.reshape(3, -1)
        if corners.shape[1] == 1:
            return self._sky.pixels_of(corners)
        # Points of a chord, pulled out to the sphere, are on the great circle.
        at = np.linspace(0, corners.shape[1] - 1, (corners.shape[1] - 1) * _PIECES + 1)
        path = np.stack([np.interp(at, np.arange(corners.shape[1]), axis) for axis in corners])
        return self._sky.pixels_of(path / np.linalg.norm(path, axis=0))


_Pen = _PixelPen | _SkyPen


def _vectors(places: Any) -> Float:
    plain = places.icrs
    return to_vectors(plain.ra.deg, plain.dec.deg)


def _radians(angle: Any) -> float:
    return float(angle.to_value("rad"))


# ---- shapes -------------------------------------------------------------------------------


def _turned(u: Float, v: Float, angle: float) -> _Place:
    c, s = math.cos(angle), math.sin(angle)
    return c * u - s * v, s * u + c * v


def _oval(region: Any, pen: _Pen, width: Any, height: Any, angle: float) -> _Place:
    a, b = pen.size(width) / 2, pen.size(height) / 2
    pixels = max(a, b) * pen.scale(region.center)
    wanted = math.pi / math.sqrt(2 * _SAG / pixels) if pixels > _SAG else 0
    count = int(np.clip(math.ceil(wanted) if math.isfinite(wanted) else _MOST, _FEWEST, _MOST))
    t = np.linspace(0, 2 * np.pi, count + 1)
    return pen.around(region.center, *_turned(a * np.cos(t), b * np.sin(t), angle))


def _box(region: Any, pen: _Pen, width: Any, height: Any, angle: float) -> _Place:
    a, b = pen.size(width) / 2, pen.size(height) / 2
    at = np.linspace(0, 4, 4 * _PIECES + 1)
    u = np.interp(at, np.arange(5), [-a, a, a, -a, -a])
    v = np.interp(at, np.arange(5), [-b, -b, b, b, -b])
    return pen.around(region.center, *_turned(u, v, angle))


def _circle(region: Any, pen: _Pen) -> list[_Place]:
    return [_oval(region, pen, 2 * region.radius, 2 * region.radius, 0.0)]


def _circle_annulus(region: Any, pen: _Pen) -> list[_Place]:
    return [
        _oval(region, pen, 2 * radius, 2 * radius, 0.0)
        for radius in (region.inner_radius, region.outer_radius)
    ]


def _single(draw: Callable[..., _Place]) -> Callable[[Any, _Pen], list[_Place]]:
    return lambda region, pen: [draw(region, pen, region.width, region.height, pen.angle(region))]


def _annulus(draw: Callable[..., _Place]) -> Callable[[Any, _Pen], list[_Place]]:
    return lambda region, pen: [
        draw(region, pen, region.inner_width, region.inner_height, pen.angle(region)),
        draw(region, pen, region.outer_width, region.outer_height, pen.angle(region)),
    ]


def _polygon(region: Any, pen: _Pen) -> list[_Place]:
    vertices = region.vertices
    order = np.append(np.arange(len(vertices)), 0)
    return [pen.along(vertices[order])]


def _line(region: Any, pen: _Pen) -> list[_Place]:
    from astropy.coordinates import SkyCoord
    from regions import PixCoord

    ends = (region.start, region.end)
    if isinstance(region.start, PixCoord):
        return [pen.along(PixCoord([end.x for end in ends], [end.y for end in ends]))]
    return [pen.along(SkyCoord([end.icrs for end in ends]))]


def _point(region: Any, pen: _Pen) -> list[_Place]:
    return [pen.along(region.center)]


_SHAPES: Final[dict[str, Callable[[Any, _Pen], list[_Place]]]] = {
    "Circle": _circle,
    "Ellipse": _single(_oval),
    "Rectangle": _single(_box),
    "CircleAnnulus": _circle_annulus,
    "EllipseAnnulus": _annulus(_oval),
    "RectangleAnnulus": _annulus(_box),
    "Polygon": _polygon,
    "RegularPolygon": _polygon,
    "Line": _line,
    "Point": _point,
    "Text": _point,
}

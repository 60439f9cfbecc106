"""Ellipses that stand for regions: measuring and drawing them.

A flag may hang on the last bit of an axis or an angle. So they are computed by
the very NumPy calls that scikit-image makes, on the same small images: the
rounding of those calls depends on the linear algebra library. Equal images are
measured once.

Source: what ``stcal/jump/jump.py`` uses of ``skimage.measure`` (axes and
orientation of ``regionprops``) and ``skimage.draw`` (``ellipse``), and its own
``ellipse_subim``, ``compute_axes`` and ``point_inside_ellipse``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from upramp.detector1.kernels import array, const, f8, i8, kernel, u1

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from upramp.detector1.regions import Regions

__all__ = [
    "ASSIGN",
    "MARK",
    "MARK_UNSATURATED",
    "Outline",
    "Pens",
    "Shape",
    "Shapes",
    "contains",
    "draw",
    "expanded",
    "measure",
    "outline",
]

MARK, MARK_UNSATURATED, ASSIGN = range(3)
"""What drawing does: set bits, set bits until a pixel saturates, replace all bits."""

_REMEMBERED_AREA: Final = 1024  # bytes of image: larger ones hardly come twice
_REMEMBERED: Final = 20_000  # images


@kernel(array(u1, 3), i8, i8, i8, i8, i8, i8, const(f8, 1), i8, u1, u1)
def _draw(
    cube: Any,
    first: Any,
    last: Any,
    y0: Any,
    y1: Any,
    x0: Any,
    x1: Any,
    pen: Any,
    action: Any,
    value: Any,
    stop: Any,
) -> None:
    """Change the pixels of a rectangle that lie in an ellipse, in groups first to last - 1."""
    y_centre, x_centre, y_radius, x_radius, cosine, sine = pen
    for y in range(y0, y1):
        for x in range(x0, x1):
            r = y - y_centre
            c = x - x_centre
            u = (r * cosine + c * sine) / y_radius
            v = (r * sine - c * cosine) / x_radius
            if u * u + v * v < 1.0:
                for group in range(first, last):
                    old = cube[group, y, x]
                    if action == ASSIGN:
                        cube[group, y, x] = value
                    elif action == MARK:
                        cube[group, y, x] = old | value
                    elif old & stop != 0:
                        break
                    else:
                        cube[group, y, x] = old | value


@dataclass(frozen=True, slots=True)
class Shape:
    """The ellipse of a region but for its place: of all regions with one image.

    Attributes
    ----------
    minor, major
        Full axes less one pixel.
    angle
        Of the major axis, in degrees, as ``skimage`` counts it.
    """

    minor: float
    major: float
    angle: np.float64


@dataclass(frozen=True, slots=True)
class Outline:
    """A drawn ellipse but for its place.

    Attributes
    ----------
    reach
        Half the size of the square it is drawn in, without the central pixel.
    row_radius, column_radius
        Half axes along rows and columns before turning.
    row_extent, column_extent
        Half sizes of the rectangle around it.
    cosine, sine
        Of its angle.
    """

    reach: int
    row_radius: int
    column_radius: int
    row_extent: float
    column_extent: float
    cosine: float
    sine: float


class Shapes:
    """Measures regions; those with equal images once."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, bytes], Shape] = {}

    def __call__(self, regions: Regions, index: int | np.intp) -> Shape:
        """Measure a region.

        Parameters
        ----------
        regions
            Regions of a plane.
        index
            Which of them.
        """
        image = regions.image(index)
        if image.size > _REMEMBERED_AREA:
            return measure(image)
        key = image.shape[1], image.tobytes()
        shape = self._known.get(key)
        if shape is None:
            shape = measure(image)
            if len(self._known) < _REMEMBERED:
                self._known[key] = shape
        return shape


def measure(image: NDArray[np.uint8]) -> Shape:
    """Compute the ellipse with a region's second moments.

    Parameters
    ----------
    image
        Ones and zeros.
    """
    rows, columns = np.nonzero(image)
    mean = int(rows.sum()) / rows.size, int(columns.sum()) / rows.size
    moments: Any = image.astype(np.float64)
    orders = np.arange(4.0)
    # To the third order and by einsum: a product of other shape may round otherwise.
    for axis, length in enumerate(image.shape):
        powers = (np.arange(length, dtype=np.float64) - mean[axis])[:, np.newaxis] ** orders
        subscripts = [2, 1] if axis == 0 else [0, 2]
        result = [3, 1] if axis == 0 else [0, 3]
        moments = np.einsum(moments, subscripts, powers, [2, 3], result, optimize="greedy")
    yy, xx, yx, n = moments[2, 0], moments[0, 2], moments[1, 1], moments[0, 0]
    tensor = np.empty((2, 2))
    tensor[0, 0] = (yy + xx - yy) / n
    tensor[1, 1] = (yy + xx - xx) / n
    tensor[0, 1] = tensor[1, 0] = -yx / n
    small, large = sorted(max(float(value), 0.0) for value in np.linalg.eigvalsh(tensor))
    a, b, c = float(tensor[0, 0]), float(tensor[0, 1]), float(tensor[1, 1])
    if a == c:
        angle = math.pi / 4.0 if b < 0 else -math.pi / 4.0
    else:
        angle = 0.5 * math.atan2(-2 * b, c - a)
    return Shape(4 * math.sqrt(small) - 1, 4 * math.sqrt(large) - 1, np.degrees(angle))


def contains(row: float, column: float, shape: Shape, y: float, x: float) -> bool:
    """Tell whether an ellipse contains a point.

    Parameters
    ----------
    row, column
        Centre of the ellipse.
    shape
        The ellipse.
    y, x
        The point.
    """
    angle = np.radians(180 - shape.angle)
    cosine, sine = np.cos(angle), np.sin(angle)
    dx, dy = x - column, y - row
    along = dx * cosine - dy * sine
    across = dx * sine + dy * cosine
    with np.errstate(divide="ignore", invalid="ignore"):  # an axis may be zero
        distance = along**2 / (shape.major * 0.5) ** 2 + across**2 / (shape.minor * 0.5) ** 2
    return bool(distance <= 1)


def expanded(shape: Shape, expansion: float, limit: float) -> tuple[float, float]:
    """Compute the axes of an expanded ellipse: both grow by as many pixels.

    Parameters
    ----------
    shape
        The ellipse.
    expansion
        By how much its minor axis grows.
    limit
        Largest axis, in pixels.

    Returns
    -------
    minor, major : float
        Full axes.
    """
    return (
        min(shape.minor * expansion, limit),
        min(shape.major + (expansion - 1.0) * shape.minor, limit),
    )


def outline(minor: float, major: float, angle: np.float64) -> Outline | None:
    """Prepare to draw an ellipse.

    Parameters
    ----------
    minor, major
        Its full axes; the half axes are rounded to pixels. Negative ones are
        taken as the official code takes them.
    angle
        Degrees.

    Returns
    -------
    Outline or None
        None if there is nothing to draw.
    """
    # Of the drawing function's two axes, its first lies along rows before turning.
    row_radius, column_radius = round(major / 2), round(minor / 2)
    if row_radius == 0 or column_radius == 0:
        return None
    turn = np.radians(angle) % np.pi
    cosine, sine = np.cos(turn), np.sin(turn)
    row_extent = abs(row_radius * cosine) + column_radius * sine
    column_extent = row_radius * sine + abs(column_radius * cosine)
    turn %= np.pi  # the first remainder may be pi itself
    return Outline(
        reach=max(row_radius, column_radius) + 2,
        row_radius=row_radius,
        column_radius=column_radius,
        row_extent=float(row_extent),
        column_extent=float(column_extent),
        cosine=float(np.cos(turn)),
        sine=float(np.sin(turn)),
    )


class Pens:
    """Outlines of expanded ellipses; those of equal shapes are computed once.

    Parameters
    ----------
    expansion, limit
        As for `expanded`.
    """

    def __init__(self, expansion: float, limit: float) -> None:
        self._expansion = expansion
        self._limit = limit
        self._known: dict[Shape, Outline | None] = {}

    def __call__(self, shape: Shape) -> Outline | None:
        """Prepare to draw the expanded ellipse of a shape; None if there is nothing to draw.

        Parameters
        ----------
        shape
            The ellipse as measured.
        """
        if shape not in self._known:
            axes = expanded(shape, self._expansion, self._limit)
            self._known[shape] = outline(*axes, shape.angle)
        return self._known[shape]


def draw(
    cube: NDArray[np.uint8],
    groups: tuple[int, int],
    centre: tuple[int, int],
    pen: Outline,
    action: int,
    value: int,
    stop: int = 0,
) -> None:
    """Change the pixels inside an ellipse, in place.

    Parameters
    ----------
    cube
        (ngroups, ny, nx), contiguous.
    groups
        First group to change, and the one after the last.
    centre
        Row and column.
    pen
        The ellipse.
    action
        One of `MARK`, `MARK_UNSATURATED`, `ASSIGN`.
    value
        Bits to set.
    stop
        For `MARK_UNSATURATED`: where a pixel has this bit, it is left alone
        from this group on.
    """
    spans = []
    for middle, extent, size in zip(
        centre, (pen.row_extent, pen.column_extent), cube.shape[1:], strict=True
    ):
        low, high = max(middle - pen.reach, 0), min(middle + pen.reach + 1, size)
        # Ends are rounded relative to the square that the ellipse is drawn in.
        start = max(math.ceil(middle - low - extent), 0)
        end = min(math.floor(middle - low + extent), high - low - 1) + 1
        spans.append((low + start, low + end))
    (y0, y1), (x0, x1) = spans
    numbers = np.array(
        [*centre, pen.row_radius, pen.column_radius, pen.cosine, pen.sine], np.float64
    )
    _draw(cube, *groups, y0, y1, x0, x1, numbers, action, value, stop)

"""What part of a detector a canvas shows, and its pixels pooled to what the canvas can show.

A browser gets no more pixels than its screen has. Where several pixels of the
detector share one of the screen, science is averaged (without NaN), and
significance and flags keep their largest value or all their bits, so that a
single flagged pixel is seen from any distance.

Coordinates are those of the whole package: the centre of a pixel lies at whole
numbers, arrays are indexed [y, x].
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from upramp.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

__all__ = ["LARGEST_TILE", "Plane", "Source", "Viewport", "Window", "as_source", "pooled"]

LARGEST_TILE: Final = 2048 * 2048
"""Cells that a tile may have; a canvas that asks for more gets coarser ones."""

_LARGEST_CANVAS: Final = 16384
_MARGIN: Final = 0.125
"""How much more than the canvas shows is sent, so that a small move needs no new tile."""

How = Literal["mean", "max", "or"]
Plane = Any
"""An array (ny, nx), or a callable that takes a slice of rows and one of columns and gives
those pixels; a callable needs its shape said."""


@dataclass(frozen=True)
class Window:
    """A box of whole pixels: columns ``x0`` to ``x1`` and rows ``y0`` to ``y1``, ends excluded."""

    x0: int
    x1: int
    y0: int
    y1: int

    @property
    def rows(self) -> slice:
        """Its rows, as an array is indexed."""
        return slice(self.y0, self.y1)

    @property
    def columns(self) -> slice:
        """Its columns, as an array is indexed."""
        return slice(self.x0, self.x1)


@dataclass(frozen=True)
class Viewport:
    """What a canvas shows.

    Parameters
    ----------
    xlim, ylim
        The range of pixels, lower end first.
    width, height
        Size of the canvas in dots of the screen.
    """

    xlim: tuple[float, float]
    ylim: tuple[float, float]
    width: int
    height: int

    def __post_init__(self) -> None:
        ends = (*self.xlim, *self.ylim)
        if not all(math.isfinite(end) for end in ends):
            raise UsageError("viewport", f"its limits {ends} are not finite", "give numbers")
        if self.xlim[0] >= self.xlim[1] or self.ylim[0] >= self.ylim[1]:
            raise UsageError("viewport", f"its limits {ends} hold nothing", "give lower < upper")
        if not (0 < self.width <= _LARGEST_CANVAS and 0 < self.height <= _LARGEST_CANVAS):
            raise UsageError(
                "viewport",
                f"a canvas of {self.width} x {self.height} cannot be",
                f"give sizes from 1 to {_LARGEST_CANVAS}",
            )

    @classmethod
    def whole(cls, shape: tuple[int, int], width: int, height: int) -> Viewport:
        """Give the viewport that just holds a detector, in the canvas's own proportions.

        Parameters
        ----------
        shape
            (ny, nx) of the detector.
        width, height
            Size of the canvas in dots.
        """
        ny, nx = shape
        dots = min(width / nx, height / ny)
        half_x, half_y = width / dots / 2, height / dots / 2
        x, y = (nx - 1) / 2, (ny - 1) / 2
        return cls((x - half_x, x + half_x), (y - half_y, y + half_y), width, height)

    @property
    def pixels_per_dot(self) -> float:
        """Pixels of the detector that share one dot of the screen, along a side."""
        return max(
            (self.xlim[1] - self.xlim[0]) / self.width,
            (self.ylim[1] - self.ylim[0]) / self.height,
        )

    def factor(self, how: How) -> int:
        """Give the side of a cell, in pixels, that this canvas can show.

        Parameters
        ----------
        how
            Science may be a little finer than the screen. Flags may not: a
            cell smaller than a dot could fall between two of them.
        """
        if how == "mean":
            return max(1, math.floor(self.pixels_per_dot + 0.5))
        return max(1, math.ceil(self.pixels_per_dot - 0.02))

    def window(self, shape: tuple[int, int], factor: int) -> tuple[Window, int]:
        """Give the box to send, and the factor it can be sent with.

        It is wider than what is seen by an eighth on each side, and begins at
        multiples of the factor, so that a pixel falls into the same cell from
        wherever it is looked at.

        Parameters
        ----------
        shape
            (ny, nx) of the detector.
        factor
            The side of a cell; grows if there would be too many.
        """
        ny, nx = shape
        across, up = self.xlim[1] - self.xlim[0], self.ylim[1] - self.ylim[0]
        factor = max(1, min(factor, max(ny, nx)))
        while True:
            x0, x1 = _span(self.xlim, across * _MARGIN, nx, factor)
            y0, y1 = _span(self.ylim, up * _MARGIN, ny, factor)
            if math.ceil((x1 - x0) / factor) * math.ceil((y1 - y0) / factor) <= LARGEST_TILE:
                return Window(x0, x1, y0, y1), factor
            factor += 1


def _span(limits: tuple[float, float], margin: float, size: int, factor: int) -> tuple[int, int]:
    low = min(max(limits[0] - margin + 0.5, 0.0), size - 1.0)
    high = max(min(limits[1] + margin + 0.5, float(size)), 0.0)
    start = int(low) // factor * factor
    return start, max(start + 1, min(size, math.ceil(high / factor) * factor))


@dataclass(frozen=True)
class Source:
    """A plane that can be read piece by piece.

    Parameters
    ----------
    shape
        (ny, nx).
    read
        Gives the pixels of a slice of rows and one of columns, which may have steps.
    varies
        Whether it may give others the next time.
    """

    shape: tuple[int, int]
    read: Callable[[slice, slice], NDArray[Any]]
    varies: bool = False

    def pooled(self, window: Window, factor: int, how: How) -> NDArray[Any]:
        """Give a window in cells of ``factor`` pixels a side; see `pooled`.

        Parameters
        ----------
        window
            Which pixels.
        factor
            The side of a cell.
        how
            What becomes of the pixels of a cell.
        """
        return pooled(self._read(window.rows, window.columns), factor, how)

    def value(self, x: int, y: int) -> Any:
        """Give one pixel as it is.

        Parameters
        ----------
        x, y
            Which; must lie inside.
        """
        return self._read(slice(y, y + 1), slice(x, x + 1))[0, 0]

    def sample(self, at_most: int = 40_000) -> NDArray[np.float32]:
        """Give pixels from all over the plane, evenly.

        Parameters
        ----------
        at_most
            About how many.
        """
        ny, nx = self.shape
        step = max(1, math.ceil(math.sqrt(ny * nx / at_most)))
        found = self._read(slice(0, ny, step), slice(0, nx, step))
        return _as_float(found).ravel()

    def _read(self, rows: slice, columns: slice) -> NDArray[Any]:
        found = np.asarray(self.read(rows, columns))
        expected = tuple(
            len(range(*part.indices(size)))
            for part, size in zip((rows, columns), self.shape, strict=True)
        )
        if found.shape != expected:
            raise UsageError(
                "plane",
                f"its callable gave an array of shape {found.shape} for one of {expected}",
                "index with both slices that it is called with",
            )
        return found


def as_source(plane: Plane, shape: tuple[int, int] | None = None) -> Source:
    """Make a plane readable piece by piece.

    Parameters
    ----------
    plane
        An array (ny, nx) of numbers or booleans, or a callable.
    shape
        (ny, nx), for a callable.

    Raises
    ------
    UsageError
        If it is no plane, or holds nothing that can be shown.
    """
    if isinstance(plane, Source):
        return plane
    if callable(plane):
        if shape is None:
            raise UsageError("plane", "it is a callable and its shape is not said", "give shape=")
        ny, nx = shape
        if ny < 1 or nx < 1:
            raise UsageError("plane", f"a shape of {shape} holds no pixel", "give (ny, nx)")
        return Source((int(ny), int(nx)), plane, varies=True)
    array = np.asarray(plane)
    if array.ndim != 2 or array.size == 0:
        raise UsageError(
            "plane",
            f"an array of shape {array.shape} is no image",
            "give one of shape (ny, nx) with at least one pixel",
        )
    if array.dtype.kind not in "buif":
        raise UsageError(
            "plane", f"values of type {array.dtype} cannot be shown", "give real numbers"
        )
    return Source((array.shape[0], array.shape[1]), lambda rows, columns: array[rows, columns])


def pooled(pixels: NDArray[Any], factor: int, how: How) -> NDArray[Any]:
    """Pool pixels in cells of ``factor`` a side; cells at the far edges may hold fewer.

    Parameters
    ----------
    pixels
        (ny, nx); left as it is.
    factor
        The side of a cell.
    how
        ``mean`` of what is finite, ``max`` of what is not NaN, or ``or`` of bits.

    Returns
    -------
    ndarray
        (ceil(ny / factor), ceil(nx / factor)); float32 for ``mean`` and
        ``max`` (NaN where a cell holds nothing else), unsigned for ``or``.
    """
    if how == "or":
        return _both(_as_bits(pixels), factor, np.bitwise_or)
    values = _as_float(pixels)
    if how == "max":
        return _both(values, factor, np.fmax)
    if factor == 1:
        return values
    with np.errstate(invalid="ignore", over="ignore"):
        sums = _both(values, factor, np.add)
        counts = np.multiply.outer(
            _counts(values.shape[0], factor), _counts(values.shape[1], factor)
        )
        means = (sums / counts).astype(np.float32, copy=False)
    bad = ~np.isfinite(means)
    if bad.any():
        _mend(means, bad, values, factor)
    return means


def _mend(
    means: NDArray[np.float32], bad: NDArray[np.bool_], values: NDArray[np.float32], factor: int
) -> None:
    """Average again, over what is finite, the few cells where something is not."""
    at_y, at_x = np.nonzero(bad)
    total = np.zeros(at_y.size)
    count = np.zeros(at_y.size, dtype=np.int64)
    ny, nx = values.shape
    for down in range(factor):
        for along in range(factor):
            y, x = at_y * factor + down, at_x * factor + along
            inside = (y < ny) & (x < nx)
            found = values[np.minimum(y, ny - 1), np.minimum(x, nx - 1)]
            use = inside & np.isfinite(found)
            total[use] += found[use]
            count += use
    with np.errstate(invalid="ignore", over="ignore"):
        means[bad] = np.where(count > 0, total / np.maximum(count, 1), np.nan)


def _counts(size: int, factor: int) -> NDArray[np.float32]:
    counts = np.full(math.ceil(size / factor), factor, dtype=np.float32)
    if size % factor:
        counts[-1] = size % factor
    return counts


def _both(values: NDArray[Any], factor: int, join: np.ufunc) -> NDArray[Any]:
    if factor == 1:
        return values
    # Rows first: they are contiguous, and leave the slow direction a factor less to do.
    # Slices joined one by one are three times faster than reduceat, and need no compiler.
    rows = _along(values, factor, join, axis=0)
    return _along(rows, factor, join, axis=1)


def _along(values: NDArray[Any], factor: int, join: np.ufunc, axis: int) -> NDArray[Any]:
    def part(start: int, stop: int, step: int) -> NDArray[Any]:
        cut = slice(start, stop, step)
        return values[cut] if axis == 0 else values[:, cut]

    size = values.shape[axis]
    full = size // factor * factor
    pieces: list[NDArray[Any]] = []
    if full:
        joined = join(part(0, full, factor), part(1, full, factor))
        for offset in range(2, factor):
            join(joined, part(offset, full, factor), out=joined)
        pieces.append(joined)
    if full < size:
        pieces.append(join.reduce(part(full, size, 1), axis=axis, keepdims=True))
    return pieces[0] if len(pieces) == 1 else np.concatenate(pieces, axis=axis)


def _as_float(pixels: NDArray[Any]) -> NDArray[np.float32]:
    with np.errstate(over="ignore", invalid="ignore"):
        return np.asarray(pixels).astype(np.float32, copy=False)


def _as_bits(pixels: NDArray[Any]) -> NDArray[Any]:
    if pixels.dtype == bool:
        return pixels.view(np.uint8)
    if pixels.dtype.kind not in "ui":
        raise UsageError(
            "mask", f"values of type {pixels.dtype} are no flags", "give booleans or integers"
        )
    unsigned = np.dtype(f"u{min(pixels.dtype.itemsize, 4)}")
    return pixels.astype(unsigned, copy=False)

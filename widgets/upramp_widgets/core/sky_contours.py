"""Lines on which a smooth function of the sky is zero, traced in pixels.

The functions are planes through unit vectors, n . v = c: a parallel is one, a
meridian half of one. They have no seam at right ascension 0 and no singular
point at a pole, and need no way from the sky to pixels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from .sky import Sky
    from .sky_plane import Float
    from .sky_projection import Box

__all__ = ["Circle", "Field", "trace"]

_ROUNDS: Final = 6
"""At most, along the side of a cell, where a circle is nearly straight."""
_CLOSE: Final = 1e-3
"""Pixels from a circle that are near enough for all crossings to end the search."""
_STRAY: Final = 0.05
"""Pixels that a crossing may be off; more tells of a jump between slices, where no line is."""
_SAG: Final = 0.01
"""Pixels by which a line may leave a circle between two of its points."""
_SPLITS: Final = 5
_SLOPE: Final = 0.25


@dataclass(frozen=True)
class Circle:
    """Directions v with ``normal . v == offset``.

    Attributes
    ----------
    normal : (float, float, float)
        Unit vector.
    offset : float
        Sine of the angular distance from the great circle.
    """

    normal: tuple[float, float, float]
    offset: float


@dataclass(frozen=True, eq=False)
class Field:
    """Directions on the nodes of a grid over a part of an image.

    Attributes
    ----------
    sky : Sky
        The image's coordinates.
    x, y : numpy.ndarray
        Columns and rows of the nodes.
    vectors : numpy.ndarray
        (3, len(y), len(x)); NaN where there is no sky.
    """

    sky: Sky
    x: Float
    y: Float
    vectors: Float

    @classmethod
    def over(cls, sky: Sky, domain: Box, cells: int) -> Field:
        """Look at the sky of a part of an image, on a grid of some cells along each axis."""
        x = np.linspace(domain[0], domain[1], cells + 1)
        y = np.linspace(domain[2], domain[3], cells + 1)
        return cls(sky, x, y, sky.vectors_on(x, y))


def trace(field: Field, circles: list[Circle]) -> list[list[Float]]:
    """Trace circles through an image.

    Parameters
    ----------
    field
        Where.
    circles
        What.

    Returns
    -------
    list of list of numpy.ndarray
        For each circle its lines, (n, 2) each, x and y; a closed one ends with
        its first point.
    """
    normals = np.array([circle.normal for circle in circles]).reshape(-1, 3)
    offsets = np.array([circle.offset for circle in circles])
    values = np.tensordot(normals, field.vectors, axes=1) - offsets[:, None, None]
    owners, sides, ends = [], [], []
    chains: list[tuple[int, list[int]]] = []
    total = 0
    for number, plane in enumerate(values):
        crossed, lines = _crossings(plane)
        ends.append(crossed)
        sides.append(_along(plane, crossed))
        owners.append(np.full(len(crossed), number))
        chains += [(number, [total + point for point in line]) for line in lines]
        total += len(crossed)
    if not total:
        return [[] for _ in circles]
    owner = np.concatenate(owners)
    points, good = _refine(
        field, np.concatenate(ends), np.concatenate(sides), normals[owner], offsets[owner]
    )
    pieces = [(number, points[run]) for number, chain in chains for run in _good_runs(chain, good)]
    return _bend(field.sky, pieces, normals, offsets, len(circles))


def _crossings(values: Float) -> tuple[NDArray[np.intp], list[list[int]]]:
    """Find the sides of cells that the zero line crosses, and how it runs through them.

    Gives the nodes at both ends of each side, (n, 4) as row, column, row,
    column, and the lines as lists of sides; closed ones repeat the first.
    """
    above, known = values > 0, np.isfinite(values)
    flat = (above[:, 1:] != above[:, :-1]) & known[:, 1:] & known[:, :-1]
    upright = (above[1:] != above[:-1]) & known[1:] & known[:-1]
    flat_number = np.cumsum(flat).reshape(flat.shape) - 1
    upright_number = np.cumsum(upright).reshape(upright.shape) - 1 + int(flat.sum())
    j, i = np.nonzero(flat)
    m, n = np.nonzero(upright)
    ends = np.concatenate([np.stack([j, i, j, i + 1], 1), np.stack([m, n, m + 1, n], 1)])
    bottom, top, left, right = flat[:-1], flat[1:], upright[:, :-1], upright[:, 1:]
    whole = known[:-1, :-1] & known[:-1, 1:] & known[1:, :-1] & known[1:, 1:]
    links: dict[int, list[int]] = {}
    for j, i in zip(*np.nonzero((bottom | top | left | right) & whole), strict=True):
        around = (
            (bottom[j, i], flat_number[j, i]),
            (right[j, i], upright_number[j, i + 1]),
            (top[j, i], flat_number[j + 1, i]),
            (left[j, i], upright_number[j, i]),
        )
        met = [int(number) for crossed, number in around if crossed]
        if len(met) == 4 and above[j, i] != (values[j : j + 2, i : i + 2].mean() > 0):
            # The middle is with the other corners: each line turns around its own.
            met = met[3:] + met[:3]
        for a, b in zip(met[::2], met[1::2], strict=True):
            links.setdefault(a, []).append(b)
            links.setdefault(b, []).append(a)
    return ends, list(_chains(links))


def _chains(links: dict[int, list[int]]) -> Iterator[list[int]]:
    """Put links together to lines: first those with ends, then closed ones."""
    left = dict(links)
    for start in (*(key for key, to in links.items() if len(to) == 1), *links):
        if start not in left:
            continue
        line, at = [start], start
        while at in left:
            onwards = [to for to in left.pop(at) if to in left]
            if not onwards:
                break
            at = onwards[0]
            line.append(at)
        if len(links[start]) == 2 and len(line) > 2 and start in links[line[-1]]:
            line.append(start)
        if len(line) > 1:
            yield line


def _along(values: Float, ends: NDArray[np.intp]) -> Float:
    """Give the values at both ends of sides, (n, 2)."""
    return np.stack([values[ends[:, 0], ends[:, 1]], values[ends[:, 2], ends[:, 3]]], axis=1)


def _refine(
    field: Field, ends: NDArray[np.intp], values: Float, normals: Float, offsets: Float
) -> tuple[Float, NDArray[np.bool_]]:
    """Find where circles cross sides, and which crossings are none but jumps."""
    a = np.stack([field.x[ends[:, 1]], field.y[ends[:, 0]]], axis=1)
    b = np.stack([field.x[ends[:, 3]], field.y[ends[:, 2]]], axis=1)
    low, high = np.zeros(len(a)), np.ones(len(a))
    f_low, f_high = values.T
    span = np.hypot(*(b - a).T)
    # False position, where the value at an end that stays is halved (Illinois).
    kept = np.zeros(len(a))
    slope = np.abs(f_high - f_low)
    for _ in range(_ROUNDS):
        t = np.clip(low - f_low * (high - low) / (f_high - f_low), low, high)
        points = a + t[:, None] * (b - a)
        f = _values(field.sky, points, normals, offsets)
        with np.errstate(invalid="ignore", divide="ignore"):
            away = np.abs(f) * span / slope
        if (away < _CLOSE).all():
            break
        same = (f > 0) == (f_low > 0)
        f_high = np.where(same & (kept == 1), f_high / 2, f_high)
        f_low = np.where(~same & (kept == -1), f_low / 2, f_low)
        low, f_low = np.where(same, t, low), np.where(same, f, f_low)
        high, f_high = np.where(same, high, t), np.where(same, f_high, f)
        kept = np.where(same, 1, -1)
    return points, away < _STRAY


def _values(sky: Sky, points: Float, normals: Float, offsets: Float) -> Float:
    vectors = sky.vectors(points[:, 0], points[:, 1])
    return np.asarray(np.einsum("nc,cn->n", normals, vectors) - offsets)


def _good_runs(chain: list[int], good: NDArray[np.bool_]) -> Iterator[list[int]]:
    run: list[int] = []
    for point in chain:
        if good[point]:
            run.append(point)
            continue
        if len(run) > 1:
            yield run
        run = []
    if len(run) > 1:
        yield run


def _bend(
    sky: Sky, pieces: list[tuple[int, Float]], normals: Float, offsets: Float, count: int
) -> list[list[Float]]:
    """Put points between those of lines until no chord leaves its circle."""
    lines = [points for _, points in pieces]
    for _ in range(_SPLITS):
        if not lines:
            break
        middles = np.concatenate([(line[1:] + line[:-1]) / 2 for line in lines])
        chords = np.concatenate([line[1:] - line[:-1] for line in lines])
        owner = np.repeat([number for number, _ in pieces], [len(line) - 1 for line in lines])
        shift = _towards(sky, middles, chords, normals[owner], offsets[owner])
        far = np.abs(shift).max(axis=1) > _SAG
        if not far.any():
            break
        at, bent = 0, []
        for line in lines:
            part = slice(at, at + len(line) - 1)
            new = np.flatnonzero(far[part])
            bent.append(np.insert(line, new + 1, (middles + shift)[part][new], axis=0))
            at += len(line) - 1
        lines = bent
    found: list[list[Float]] = [[] for _ in range(count)]
    for (number, _), line in zip(pieces, lines, strict=True):
        found[number].append(line)
    return found


def _towards(sky: Sky, points: Float, chords: Float, normals: Float, offsets: Float) -> Float:
    """Give the steps that take points to their circles, (n, 2), across the chords they are on."""
    length = np.hypot(*chords.T)
    with np.errstate(invalid="ignore", divide="ignore"):
        across = np.stack([-chords[:, 1], chords[:, 0]], axis=1) / length[:, None]
    both = np.concatenate([points - _SLOPE * across, points + _SLOPE * across])
    before, after = np.split(_values(sky, both, np.tile(normals, (2, 1)), np.tile(offsets, 2)), 2)
    with np.errstate(invalid="ignore", divide="ignore"):
        step = -(before + after) / (after - before) * _SLOPE
    # Next to where there is no sky, or a jump, the chord stays as it is.
    step = np.where(np.isfinite(step) & (np.abs(step) < length / 2), step, 0)
    return np.asarray(np.where(length[:, None] > 0, across, 0) * step[:, None])

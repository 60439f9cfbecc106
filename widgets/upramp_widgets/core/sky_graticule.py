"""Parallels and meridians of an image, with their labels."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Final, Literal

import numpy as np

from .sky_contours import Circle, Field, trace
from .sky_labels import Style, axis_text, round_step
from .sky_plane import to_degrees

if TYPE_CHECKING:
    from .sky import Sky
    from .sky_plane import Float
    from .sky_projection import Box

__all__ = ["GridLine", "Limits", "Side", "graticule"]

Limits = tuple[float, float]
Side = Literal["left", "right", "bottom", "top", "inside"]

_CELLS: Final = 40
"""Along each axis of the view: no line turns back within so little of it."""
_MOST: Final = 100
"""Lines of a kind; more say nothing."""
_FULL_CIRCLE: Final = 300.0
"""Degrees of right ascension around a pole without a gap worth one."""
_PREFERRED: Final[dict[str, tuple[Side, ...]]] = {
    "dec": ("left", "right", "bottom", "top"),
    "ra": ("bottom", "top", "left", "right"),
}


@dataclass(frozen=True, eq=False)
class GridLine:
    """A piece of a parallel or a meridian.

    Attributes
    ----------
    kind : "ra" or "dec"
        What is constant along it.
    value : float
        Its value, degrees.
    x, y : numpy.ndarray
        Pixels along it.
    text : str
        Its value in words.
    label : (float, float) or None
        Where the text belongs; only one piece of a line has a place for it.
    side : str
        Which edge the label is at: "left", "right", "bottom", "top", or
        "inside" for a line that meets none.
    angle : float
        Direction of the line at the label, degrees from the x axis, in (-90, 90].
    """

    kind: Literal["ra", "dec"]
    value: float
    x: Float
    y: Float
    text: str
    label: tuple[float, float] | None
    side: Side
    angle: float


def graticule(
    sky: Sky,
    xlim: Limits,
    ylim: Limits,
    n: int = 6,
    *,
    style: Style = "sexagesimal",
    outside: bool = False,
) -> list[GridLine]:
    """Draw the celestial graticule of a view.

    Parameters
    ----------
    sky
        The image's coordinates.
    xlim, ylim
        The view, pixels.
    n
        About how many parallels and how many meridians.
    style
        "sexagesimal": steps round in hours, minutes and seconds, and degrees,
        minutes and seconds of arc; "degrees": decimal ones.
    outside
        Draw outside the bounding box too, extrapolated.

    Returns
    -------
    list of GridLine
        In pixels, within 0.05 of the WCS; clipped to the view, and to the
        bounding box unless ``outside``. Empty where the view sees no sky.
    """
    domain = _domain(sky, xlim, ylim, outside=outside)
    if domain is None or n < 1:
        return []
    field = Field.over(sky, domain, _CELLS)
    if not np.isfinite(field.vectors).any():
        return []
    ra, dec = to_degrees(field.vectors)
    poles = _poles(ra, dec)
    curves = [*_parallels(dec, poles, n, style), *_meridians(ra, poles, n, style)]
    lines = []
    for curve, pieces in zip(curves, trace(field, [c.circle for c in curves]), strict=True):
        own = [half for p in pieces for half in _halves(field, p, curve)] if curve.half else pieces
        lines += _labelled(field, curve, own)
    return lines


@dataclass(frozen=True)
class _Curve:
    """A parallel or a meridian that is wanted; a meridian is half of its circle."""

    kind: Literal["ra", "dec"]
    value: float
    text: str
    circle: Circle
    half: bool


def _domain(sky: Sky, xlim: Limits, ylim: Limits, *, outside: bool) -> Box | None:
    left, right = sorted(xlim)
    low, high = sorted(ylim)
    if not outside:
        left, right = max(left, sky.box[0]), min(right, sky.box[1])
        low, high = max(low, sky.box[2]), min(high, sky.box[3])
    return (left, right, low, high) if left < right and low < high else None


def _poles(ra: Float, dec: Float) -> list[int]:
    """Tell which poles, +1 or -1, are in cells of a grid: right ascension goes round them."""
    around = [ra[:-1, :-1], ra[:-1, 1:], ra[1:, 1:], ra[1:, :-1]]
    turn = sum(
        (after - before + 180) % 360 - 180
        for before, after in zip(around, around[1:] + around[:1], strict=True)
    )
    j, i = np.nonzero(np.abs(turn) > 180)
    return sorted({int(np.sign(dec[a, b])) for a, b in zip(j, i, strict=True)})


# ---- parallels ----------------------------------------------------------------------------


def _parallels(dec: Float, poles: list[int], n: int, style: Style) -> list[_Curve]:
    low = -90.0 if -1 in poles else float(np.nanmin(dec))
    high = 90.0 if 1 in poles else float(np.nanmax(dec))
    if not high > low:
        return []
    step = round_step(high - low, n, "dec", style)
    return [
        _Curve(
            "dec",
            float(value),
            axis_text(value, step, "dec", style),
            Circle((0.0, 0.0, 1.0), math.sin(math.radians(value))),
            half=False,
        )
        for value in _multiples(low, high, step)
        if abs(value) < 90
    ]


def _multiples(low: float, high: float, step: Fraction) -> list[Fraction]:
    first, last = math.ceil(Fraction(low) / step), math.floor(Fraction(high) / step)
    return [number * step for number in range(first, min(last, first + _MOST - 1) + 1)]


# ---- meridians ----------------------------------------------------------------------------


def _meridians(ra: Float, poles: list[int], n: int, style: Style) -> list[_Curve]:
    low, span = _range_of(ra[np.isfinite(ra)])
    if poles and span > _FULL_CIRCLE:
        low, span = 0.0, 360.0
    if not span > 0:
        return []
    step = round_step(span, n, "ra", style)
    # Once around, the last is the first.
    values = dict.fromkeys(value % 360 for value in _multiples(low, low + span, step))
    return [
        _Curve(
            "ra",
            float(value),
            axis_text(value, step, "ra", style),
            _meridian(float(value)),
            half=True,
        )
        for value in values
    ]


def _range_of(ra: Float) -> tuple[float, float]:
    """Give the start and the length of the shortest range that holds all values."""
    ordered = np.unique(ra)
    gaps = np.diff(ordered, append=ordered[0] + 360)
    widest = int(np.argmax(gaps))
    return float(ordered[(widest + 1) % len(ordered)]), float(360 - gaps[widest])


def _meridian(ra: float) -> Circle:
    angle = math.radians(ra)
    return Circle((-math.sin(angle), math.cos(angle), 0.0), 0.0)


def _halves(field: Field, points: Float, curve: _Curve) -> list[Float]:
    """Keep of a great circle through the poles the half that is the meridian."""
    angle, sky = math.radians(curve.value), field.sky
    towards = np.array([math.cos(angle), math.sin(angle), 0.0])
    with np.errstate(invalid="ignore"):
        if not (np.tensordot(towards, field.vectors, axes=1) < 0).any():
            return [points]
    x, y, z = sky.vectors(points[:, 0], points[:, 1])
    own = x * towards[0] + y * towards[1] > 0
    if own.all():
        return [points]
    kept = []
    cuts = np.flatnonzero(own[1:] != own[:-1]) + 1
    starts = [0, *cuts, len(points)]
    for start, end in itertools.pairwise(starts):
        if not own[start]:
            continue
        run = points[start:end]
        if start:
            run = np.concatenate([_pole(sky, points[start - 1 : start + 1], z[start]), run])
        if end < len(points):
            run = np.concatenate([run, _pole(sky, points[end - 1 : end + 1], z[end])])
        if len(run) > 1:
            kept.append(run)
    return kept


def _pole(sky: Sky, around: Float, height: float) -> Float:
    """Give the pole between two points on either side of it, (1, 2), or (0, 2) if it has none."""
    if sky.dispersed:
        return np.empty((0, 2))
    x, y = sky.to_pixel(0.0, math.copysign(90.0, height), outside=True)
    pole = np.array([[float(x), float(y)]])
    reach = float(np.hypot(*(around[1] - around[0])))
    near = np.hypot(*(pole[0] - around.mean(axis=0))) <= reach
    return pole if near else np.empty((0, 2))


# ---- labels -------------------------------------------------------------------------------


def _labelled(field: Field, curve: _Curve, pieces: list[Float]) -> list[GridLine]:
    places = [_label_of(field, curve.kind, piece) for piece in pieces]
    best = min(range(len(pieces)), key=lambda i: places[i][0], default=0)
    lines = []
    for number, (piece, (_, side, at, angle)) in enumerate(zip(pieces, places, strict=True)):
        label = (float(piece[at, 0]), float(piece[at, 1])) if number == best else None
        x, y = piece.T
        lines.append(GridLine(curve.kind, curve.value, x, y, curve.text, label, side, angle))
    return lines


def _label_of(field: Field, kind: str, line: Float) -> tuple[tuple[int, float], Side, int, float]:
    """Find the best place of a label: how good (smaller is better), side, point, angle."""
    left, right, low, high = field.x[0], field.x[-1], field.y[0], field.y[-1]
    near = 1e-6 * max(right - left, high - low)
    candidates: list[tuple[int, Side, int]] = []
    for at in (0, len(line) - 1):
        x, y = line[at]
        distances: dict[Side, float] = {
            "left": x - left,
            "right": right - x,
            "bottom": y - low,
            "top": high - y,
        }
        met = [side for side in _PREFERRED[kind] if abs(distances[side]) <= near]
        candidates += [(_PREFERRED[kind].index(side), side, at) for side in met]
    if candidates:
        rank, side, at = min(candidates)
    else:
        rank, side, at = len(_PREFERRED[kind]), "inside", int(np.argmin(line[:, 1]))
    to = at + 1 if at == 0 else at - 1
    dx, dy = line[to] - line[at]
    angle = math.degrees(math.atan2(dy, dx))
    if angle > 90 or angle <= -90:
        angle -= math.copysign(180, angle)
    # Of equally good pieces the longest gets the label.
    return (rank, -float(np.hypot(*np.diff(line, axis=0).T).sum())), side, at, angle

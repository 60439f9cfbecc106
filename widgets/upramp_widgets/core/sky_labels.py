"""Places on the sky in words: right ascension, declination, angles, and round steps of them."""

from __future__ import annotations

import math
from bisect import bisect_left
from fractions import Fraction
from typing import Final, Literal

from upramp.errors import UsageError

__all__ = [
    "STYLES",
    "Style",
    "angle_text",
    "axis_text",
    "readout_text",
    "round_length",
    "round_step",
    "sexagesimal",
]

Style = Literal["sexagesimal", "degrees"]

STYLES: Final = ("sexagesimal", "degrees")
"""Hours and degrees with minutes and seconds, or decimal degrees."""

_SIXTIETHS: Final = (1, 2, 5, 10, 15, 20, 30)
_HOURS: Final = (1, 2, 3, 4, 6)
_DEGREES: Final = (1, 2, 5, 10, 15, 30, 45)
_FINEST: Final = 9
"""Decimals of the finest step."""
_MINUS: Final = "\N{MINUS SIGN}"


def _decimals(units: tuple[int, ...]) -> list[Fraction]:
    return [Fraction(u, 10**k) for k in range(_FINEST, 0, -1) for u in units]


_SECOND_STEPS: Final[list[Fraction]] = [
    *_decimals((1, 2, 5)),
    *(Fraction(n) for n in _SIXTIETHS),
    *(Fraction(60 * n) for n in _SIXTIETHS),
]
_STEPS: Final[dict[tuple[str, str], list[Fraction]]] = {
    # Each divides half a turn, so that a meridian goes on beyond a pole as another.
    ("ra", "sexagesimal"): [
        *(step / 240 for step in _SECOND_STEPS),
        *(Fraction(15 * n) for n in _HOURS),
    ],
    ("dec", "sexagesimal"): [
        *(step / 3600 for step in _SECOND_STEPS),
        *(Fraction(n) for n in _DEGREES),
    ],
    ("ra", "degrees"): [*_decimals((1, 2, 5)), *(Fraction(n) for n in _DEGREES)],
    ("dec", "degrees"): [*_decimals((1, 2, 5)), *(Fraction(n) for n in _DEGREES)],
}
"""Steps in degrees by coordinate and style, ascending."""

_SIZES: Final = {key: [float(step) for step in steps] for key, steps in _STEPS.items()}


def round_step(span: float, count: float, axis: str, style: Style) -> Fraction:
    """Give the smallest round step that cuts a span into at most some parts, degrees.

    Parameters
    ----------
    span
        Degrees, positive.
    count
        How many parts are wanted at most.
    axis
        "ra" or "dec".
    style
        In whose units the step is round.

    Raises
    ------
    UsageError
        If the style is none of `STYLES`.
    """
    if style not in STYLES:
        raise UsageError(
            f"style {style!r}", "there is no such style", f"use {' or '.join(STYLES)}"
        )
    steps, sizes = _STEPS[axis, style], _SIZES[axis, style]
    return steps[min(bisect_left(sizes, span / count), len(steps) - 1)]


def axis_text(value: Fraction, step: Fraction, axis: str, style: Style) -> str:
    """Write a graticule's value with as many digits as its step needs.

    Parameters
    ----------
    value, step
        Degrees, exact.
    axis
        "ra" or "dec".
    style
        "sexagesimal" or "degrees".
    """
    if style == "degrees":
        digits = _digits(step)
        sign = "" if axis == "ra" else _sign(value)
        return f"{sign}{_fixed(abs(value), digits)}\N{DEGREE SIGN}"
    units = "hms" if axis == "ra" else "\N{DEGREE SIGN}\N{PRIME}\N{DOUBLE PRIME}"
    scale = 240 if axis == "ra" else 3600
    seconds, fine = abs(value) * scale, step * scale
    whole, rest = divmod(seconds, 3600)
    text = f"{whole}{units[0]}"
    if fine % 3600:
        minutes, rest = divmod(rest, 60)
        text += f"{minutes:02d}{units[1]}"
    if fine % 60:
        digits = _digits(fine)
        text += f"{_fixed(rest, digits):0>{2 + (digits + 1 if digits else 0)}}{units[2]}"
    return text if axis == "ra" else _sign(value) + text


def sexagesimal(ra: float, dec: float, digits: int = 3) -> str:
    """Write a place as hours and degrees; right ascension has a digit more than declination.

    Parameters
    ----------
    ra, dec
        Degrees.
    digits
        Decimals of the seconds of right ascension, at least 1.
    """
    hours = _clock(ra % 360 * 240, digits, 24 * 3600)
    sign = _MINUS if dec < 0 else "+"
    return f"{hours} {sign}{_clock(abs(dec) * 3600, digits - 1)}"


def angle_text(arcsec: float) -> str:
    """Write a length on the sky in the unit that suits it.

    Parameters
    ----------
    arcsec
        The length.
    """
    if arcsec >= 3600:
        return f"{arcsec / 3600:g}\N{DEGREE SIGN}"
    if arcsec >= 60:
        return f"{arcsec / 60:g}\N{PRIME}"
    return f"{arcsec:g}\N{DOUBLE PRIME}" if arcsec >= 0.01 else f"{arcsec * 1000:g} mas"


def round_length(arcsec: float) -> float:
    """Give the largest round length on the sky up to another, arcseconds.

    Parameters
    ----------
    arcsec
        Positive.
    """
    steps = _STEPS["dec", "sexagesimal"]
    fitting = [step for step in steps if step * 3600 <= arcsec]
    if fitting and fitting[-1] != steps[-1]:
        return float(fitting[-1] * 3600)
    # Beyond the table in either direction: a one, two or five and zeros.
    unit = 3600.0 if fitting else 1.0
    power = float(10.0 ** math.floor(math.log10(arcsec / unit)))
    return max(n for n in (1, 2, 5) if n * power * unit <= arcsec * (1 + 1e-12)) * power * unit


def readout_text(
    x: float, y: float, ra: float, dec: float, wavelength: float, unit: str, *, outside: bool
) -> str:
    """Write what is under the cursor in a line.

    Parameters
    ----------
    x, y
        Pixel.
    ra, dec
        Degrees.
    wavelength, unit
        Wavelength, NaN where there is none.
    outside
        Whether the place is extrapolated.
    """
    parts = [f"x {x:.2f}  y {y:.2f}"]
    if math.isfinite(ra) and math.isfinite(dec):
        parts += [sexagesimal(ra, dec), f"{ra:.6f}\N{DEGREE SIGN} {dec:+.6f}\N{DEGREE SIGN}"]
    else:
        parts.append("no sky here")
    if math.isfinite(wavelength):
        parts.append(f"{wavelength:.5f} {unit}")
    if outside:
        parts.append("outside the bounding box")
    return "   ".join(parts)


def _clock(seconds: float, digits: int, turn: int | None = None) -> str:
    # Rounded before it is cut up, so that no 60 appears.
    scale = 10**digits
    count = round(seconds * scale)
    if turn is not None:
        count %= turn * scale
    whole, fraction = divmod(count, scale)
    text = f"{whole // 3600:02d}:{whole // 60 % 60:02d}:{whole % 60:02d}"
    return f"{text}.{fraction:0{digits}d}" if digits else text


def _digits(step: Fraction) -> int:
    digits = 0
    while step.denominator > 1 and digits < _FINEST:
        step *= 10
        digits += 1
    return digits


def _fixed(value: Fraction, digits: int) -> str:
    count = int(value * 10**digits)
    if not digits:
        return str(count)
    return f"{count // 10**digits}.{count % 10**digits:0{digits}d}"


def _sign(value: Fraction) -> str:
    return _MINUS if value < 0 else "+"

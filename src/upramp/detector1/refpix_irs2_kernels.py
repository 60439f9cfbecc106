"""Compiled loops of the IRS2 correction, from the frame to series in time order and back.

A *series* holds what one output (or the reference output) delivers in one
frame, line by line along the detector's slow axis, with the pauses as zeros:
``(lines, samples)``. ``rows[sample]`` is the row of the array in the files
that a sample comes from, -1 in a pause; line y is column y of the array, or
counts from its end where the detector is reversed (NRS2).
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from upramp.detector1.kernels import array, b1, const, f4, f8, i8, inner, kernel

__all__ = [
    "add_group_mean", "edge_lines", "fold", "interpolate", "put_back", "reference_series",
    "replace_rows", "restore", "unfold",
]  # fmt: skip

_LINES: Final = 16
"""Lines that are turned at once: what they touch fits the first cache."""


@kernel(const(f4, 3), array(f8, 2), i8, i8)
def add_group_mean(ramp: Any, mean: Any, first: Any, last: Any) -> None:
    """Average the rows `first` to `last` over the groups of an integration."""
    ngroups, _, nx = ramp.shape
    number = f8(ngroups)
    for y in range(first, last):
        row = mean[y]
        for x in range(nx):
            row[x] = f8(ramp[0, y, x])
        for group in range(1, ngroups):
            plane = ramp[group, y]
            for x in range(nx):
                row[x] += f8(plane[x])
        for x in range(nx):
            row[x] /= number


@inner
def _level(frame: Any, mean: Any, y: Any, x: Any) -> Any:
    """Give a pixel less its mean over the groups."""
    return f4(f8(frame[y, x]) - mean[y, x])


@inner
def _without_line(value: Any, time: Any, middle: Any, intercept: Any, slope: Any) -> Any:
    """Subtract a straight line in time; what is exactly zero is no measurement."""
    weight = np.float32(1) if value != 0 else np.float32(0)
    return value - (intercept + f4(f8(time) - middle) * slope) * weight


@kernel(const(f4, 2), const(f8, 2), const(i8, 1), b1, const(i8, 1), array(f4, 2))
def edge_lines(frame: Any, mean: Any, rows: Any, turned: Any, lines: Any, out: Any) -> None:
    """Collect some lines of a series, ``(lines, samples)``."""
    nx = frame.shape[1]
    for sample in range(rows.size):
        row = rows[sample]
        for n in range(lines.size):
            if row < 0:
                out[n, sample] = 0
            else:
                x = nx - 1 - lines[n] if turned else lines[n]
                out[n, sample] = _level(frame, mean, row, x)


@kernel(const(f4, 2), const(f8, 2), const(i8, 1), b1, f4, f4, array(f4, 2))
def unfold(
    frame: Any, mean: Any, rows: Any, turned: Any, intercept: Any, slope: Any, out: Any
) -> None:
    """Make the series of an output, a straight line in time subtracted."""
    lines, samples = out.shape
    middle = f8(lines * samples - 1) / 2
    for start in range(0, lines, _LINES):
        for sample in range(samples):
            row = rows[sample]
            for n in range(min(_LINES, lines - start)):
                line = start + n
                value = np.float32(0)
                if row >= 0:
                    x = lines - 1 - line if turned else line
                    value = _level(frame, mean, row, x)
                out[line, sample] = _without_line(
                    value, line * samples + sample, middle, intercept, slope
                )


@kernel(const(f4, 2), const(f8, 2), const(i8, 1), b1, f4, f4, const(i8, 1), array(f4, 2))
def reference_series(
    frame: Any, mean: Any, rows: Any, turned: Any, intercept: Any, slope: Any, source: Any,
    out: Any,
) -> None:  # fmt: skip
    """Make the series of an output's reference reads, each repeated around its visit.

    ``source[sample]`` is the sample whose value stands there, -1 for none.
    """
    lines, samples = out.shape
    middle = f8(lines * samples - 1) / 2
    out[:] = 0
    for start in range(0, lines, _LINES):
        for sample in range(samples):
            origin = source[sample]
            if origin < 0:
                continue
            row = rows[origin]
            for n in range(min(_LINES, lines - start)):
                line = start + n
                x = lines - 1 - line if turned else line
                value = _level(frame, mean, row, x)
                out[line, sample] = _without_line(
                    value, line * samples + origin, middle, intercept, slope
                )


@inner
def _weighted(series: Any, place: Any, weights: Any, symmetric: Any, presence: Any) -> Any:
    """Sum a neighbourhood, or the presence of values in it, as scipy's correlation does."""
    size = series.size
    half = weights.size // 2
    total = 0.0
    for j in range(-half - 1, half):
        # The centre comes first where the weights are symmetric, the end where they are not.
        if symmetric:
            if j >= 0:
                break
            offset = 0 if j < -half else j
        else:
            offset = half if j < -half else j
        right, left = place + offset, place - offset
        if not half <= place < size - half:
            right, left = right % size, left % size
        value, other = f8(series[right]), f8(series[left])
        if presence:
            value, other = (1.0 if value != 0 else 0.0), (1.0 if other != 0 else 0.0)
        if symmetric and offset != 0:
            total += (value + other) * weights[half + offset]
        elif j < -half:
            total = value * weights[half + offset]
        else:
            total += value * weights[half + offset]
    return f4(total)


@kernel(const(f4, 1), const(f8, 1), b1, b1, array(f4, 1))
def interpolate(series: Any, weights: Any, symmetric: Any, everywhere: Any, out: Any) -> None:
    """Fill zeros with the weighted mean of their neighbours that are not.

    `everywhere`: look at the neighbours of other values too, whose NaN is
    handed on.
    """
    for place in range(series.size):
        value = series[place]
        out[place] = value
        if value != 0 and not everywhere:
            continue
        above = _weighted(series, place, weights, symmetric, False)
        below = _weighted(series, place, weights, symmetric, True)
        estimate = above / below if below != 0 else np.float32(0)
        missing = np.float32(0) if value != 0 else np.float32(1)
        out[place] = value + estimate * missing


@kernel(const(f4, 2), const(b1, 1), array(f4, 2))
def restore(known: Any, measured: Any, series: Any) -> None:
    """Set the measured samples of a series back to what is known."""
    for line in range(series.shape[0]):
        for sample in range(series.shape[1]):
            series[line, sample] = (
                known[line, sample] if measured[sample] else series[line, sample]
            )


@kernel(
    const(f4, 2), const(f8, 2), const(i8, 1), const(i8, 1), const(b1, 1), b1, f4, f4, const(f4, 2),
    array(f4, 2),
)  # fmt: skip
def fold(
    frame: Any, mean: Any, rows: Any, targets: Any, with_mean: Any, turned: Any, intercept: Any,
    slope: Any, correction: Any, out: Any,
) -> None:  # fmt: skip
    """Write the corrected pixels of an output.

    The line in time and the correction are subtracted, the mean over the groups
    added again where `with_mean`. ``targets[sample]`` is the row of `out`, -1 for
    none. Rows are written in the order that lets `out` be a part of `frame`.
    """
    lines, samples = correction.shape
    middle = f8(lines * samples - 1) / 2
    forwards = _descends(rows) != turned
    for start in range(0, lines, _LINES):
        for step in range(samples):
            sample = step if forwards else samples - 1 - step
            row, target = rows[sample], targets[sample]
            if target < 0:
                continue
            for n in range(min(_LINES, lines - start)):
                line = start + n
                x = lines - 1 - line if turned else line
                value = _without_line(
                    _level(frame, mean, row, x), line * samples + sample, middle, intercept, slope
                )
                value -= correction[line, sample]
                if with_mean[sample]:
                    value = f4(f8(value) + mean[row, x])
                out[target, x] = value


@inner
def _descends(rows: Any) -> Any:
    """Whether rows fall from sample to sample."""
    last = -1
    for sample in range(rows.size):
        if rows[sample] >= 0:
            if last >= 0:
                return rows[sample] < last
            last = rows[sample]
    return False


@kernel(const(f8, 2), const(i8, 1), const(i8, 1), b1, const(f4, 2), array(f4, 2))
def put_back(mean: Any, rows: Any, targets: Any, turned: Any, series: Any, out: Any) -> None:
    """Write a series as it is, with the mean over the groups added."""
    lines, samples = series.shape
    for start in range(0, lines, _LINES):
        for sample in range(samples):
            row, target = rows[sample], targets[sample]
            if target < 0:
                continue
            for n in range(min(_LINES, lines - start)):
                line = start + n
                x = lines - 1 - line if turned else line
                out[target, x] = f4(f8(series[line, sample]) + mean[row, x])


@kernel(array(f4, 2), const(i8, 2))
def replace_rows(frame: Any, recipe: Any) -> None:
    """Replace rows of a frame, one after another.

    Each line of the recipe is a row and the two rows whose mean it becomes; -1
    for the second takes the first as it is, -1 for both makes zeros.
    """
    for step in range(recipe.shape[0]):
        target, a, b = recipe[step]
        for x in range(frame.shape[1]):
            if a < 0:
                frame[target, x] = 0
            elif b < 0:
                frame[target, x] = frame[a, x]
            else:
                frame[target, x] = (frame[a, x] + frame[b, x]) / np.float32(2)

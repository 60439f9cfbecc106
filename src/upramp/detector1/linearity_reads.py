"""Linearity of averaged frames: each frame is predicted, corrected and averaged anew.

A group that averages several frames of a bright ramp is not on the detector's
curve: the mean of the curve's values is not its value at the mean. With the
inverse polynomial at hand, the frames of a group are predicted from the
pixel's straight line, shifted so that their mean is what was measured,
corrected one by one, and averaged.

Source: stcal/linearity/linearity.py (``_linearity_correction_tile``) and
jwst/linearity/linearity.py, which says when it applies.
"""

from __future__ import annotations

import functools
import threading
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from upramp.dq import GROUP

from .kernels import Kernel, array, const, f4, f8, i8, inner, kernel, u1
from .tile_checks import check_tile

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["linearize_reads", "read_pattern", "reads_matter"]

_SATURATED: Final = np.uint8(GROUP["SATURATED"])
_WIDTH: Final = 128
"""Pixels worked on at once: what a block needs stays in the first-level cache."""

_making: Final = threading.Lock()
"""Threads that start together share one kernel."""


def reads_matter(
    *,
    has_inverse: bool,
    frames_per_group: int | None,
    read_times: Sequence[Any] | None,
    groups: int,
    striped_cutout: bool = False,
) -> bool:
    """Tell whether the correction goes through the frames of each group.

    Parameters
    ----------
    has_inverse
        The reference has INV_COEFFS.
    frames_per_group
        NFRAMES of the exposure.
    read_times
        The exposure's read times, if it has any (then the frames of a group
        are not evenly spaced).
    groups
        Groups per integration. With one alone no slope predicts its frames
        (the official function fails there with an index out of range).
    striped_cutout
        The reference is put together from stripes, which drops its inverse.

    Returns
    -------
    bool
        Use `linearize_reads`; otherwise `upramp.detector1.linearity.linearize`.
    """
    return (
        has_inverse
        and not striped_cutout
        and frames_per_group is not None
        and frames_per_group > 1
        and (read_times is None or len(read_times) == 0)
        and groups > 1
    )


def read_pattern(groups: int, frames_per_group: int) -> list[list[int]]:
    """Give the numbers of the frames in evenly filled groups, as the JWST pipeline does.

    Frames that are skipped between groups are not counted, as there.

    Parameters
    ----------
    groups
        Groups per integration.
    frames_per_group
        Frames averaged into each.
    """
    return [
        list(range(1 + group * frames_per_group, 1 + (group + 1) * frames_per_group))
        for group in range(groups)
    ]


def linearize_reads(
    ramp: NDArray[Any],
    groupdq: NDArray[Any],
    coefficients: NDArray[Any],
    inverse: NDArray[Any],
    pattern: Sequence[Sequence[int]],
    y0: int,
    first: int,
    last: int,
) -> None:
    """Correct a tile of a ramp, in place, by way of the frames of its groups.

    Parameters
    ----------
    ramp
        (nints, ngroups, rows, nx) float32, DN; at least two groups.
    groupdq
        uint8, of the same shape. Saturated groups stay as they are.
    coefficients
        (n, ny, nx) float32 from `upramp.detector1.linearity.prepare_coefficients`, n >= 2.
    inverse
        (m, ny, nx) float32, prepared likewise, m >= 2.
    pattern
        Numbers of the frames in each group, see `read_pattern`.
    y0, first, last
        Row ``r`` of the tile is row ``y0 + r`` of the exposure; rows
        ``first <= r < last`` are corrected.

    Raises
    ------
    ValueError
        If there are fewer than two groups, or fewer entries in the pattern.

    Notes
    -----
    Source: stcal/linearity/linearity.py. All is float64 from the slope on, and
    float32 before.
    """
    groups = ramp.shape[1]
    if groups < 2 or len(pattern) < groups or not all(map(len, pattern)):
        raise ValueError("the frames of a group are predicted from two groups or more")
    check_tile(ramp, coefficients, y0, first, last)
    check_tile(ramp, inverse, y0, first, last)
    counts = np.array([len(reads) for reads in pattern[:groups]])
    mean = np.array([np.mean(reads) for reads in pattern[:groups]])
    since = np.zeros((groups, counts.max()))
    for group, reads in enumerate(pattern[:groups]):
        since[group, : len(reads)] = np.array(reads) - mean[0]
    with _making:
        correct = _corrector(len(coefficients), len(inverse))
    correct(ramp, groupdq, coefficients, inverse, mean - mean[0], since, counts, y0, first, last)


@inner
def _widen(planes: Any, y: int, x0: int, width: int, wide: Any) -> None:
    for j in range(planes.shape[0]):
        source = planes[j, y, x0 : x0 + width]
        target = wide[j * _WIDTH : j * _WIDTH + width]
        for x in range(width):
            target[x] = source[x]


@inner
def _find_late(
    ramp: Any, groupdq: Any, i: int, r: int, elapsed: Any, pick: Any, late: Any, span: Any
) -> None:
    # The group before the last unsaturated one, and never the first: group
    # n - 1, where n is the number of unsaturated groups less one, at least 2.
    # What is found of it: its value, its flags (in `pick`), its distance.
    nx = ramp.shape[3]
    for x in range(nx):
        pick[x] = np.int32(-2)
    for g in range(ramp.shape[1]):
        flags = groupdq[i, g, r]
        for x in range(nx):
            pick[x] += np.int32(1) if flags[x] & _SATURATED == 0 else np.int32(0)
    for x in range(nx):
        pick[x] = max(pick[x], np.int32(1))
        span[x] = elapsed[pick[x]]
    # Every group is looked at and one is kept, which takes no gathers.
    for g in range(1, ramp.shape[1]):
        values = ramp[i, g, r]
        here = np.int32(g)
        for x in range(nx):
            late[x] = values[x] if pick[x] == here else late[x]
    for g in range(1, ramp.shape[1]):
        flags = groupdq[i, g, r]
        here = np.int32(g)
        for x in range(nx):
            # Flags are kept as negative numbers: they are no group's.
            pick[x] = ~np.int32(flags[x]) if pick[x] == here else pick[x]


@inner
def _find_shift(values: Any, total: Any, width: int, count: int, shift: Any) -> None:
    # From the mean of the predicted frames to what was measured. A product
    # with half, a quarter... gives the bits of the division, which is slow.
    if count & (count - 1) == 0:
        share = 1.0 / count
        for x in range(width):
            shift[x] = values[x] - total[x] * share
    else:
        for x in range(width):
            shift[x] = values[x] - total[x] / count


@inner
def _store_mean(values: Any, flags: Any, total: Any, width: int, count: int) -> None:
    if count & (count - 1) == 0:
        share = 1.0 / count
        for x in range(width):
            better = np.float32(total[x] * share)
            values[x] = values[x] if flags[x] & _SATURATED else better
    else:
        for x in range(width):
            better = np.float32(total[x] / count)
            values[x] = values[x] if flags[x] & _SATURATED else better


@functools.cache
def _corrector(n: int, m: int) -> Kernel:
    """Make the kernel for n coefficients and m inverse ones: unrolled, it is thrice as fast."""
    top, inverse_top = (n - 1) * _WIDTH, (m - 1) * _WIDTH

    @kernel(
        array(f4, 4), const(u1, 4), const(f4, 3), const(f4, 3),
        const(f8, 1), const(f8, 2), const(i8, 1), i8, i8, i8,
    )  # fmt: skip
    def correct(
        ramp: Any,
        groupdq: Any,
        coefficients: Any,
        inverse: Any,
        elapsed: Any,
        since: Any,
        counts: Any,
        y0: int,
        first: int,
        last: int,
    ) -> None:
        nints, groups, _, nx = ramp.shape
        c = np.empty(n * _WIDTH, np.float64)
        e = np.empty(m * _WIDTH, np.float64)
        narrow = np.empty(n * _WIDTH, np.float32)
        reads = np.empty(since.shape[1] * _WIDTH, np.float64)
        start = np.empty(_WIDTH, np.float64)
        rate = np.empty(_WIDTH, np.float64)
        total = np.empty(_WIDTH, np.float64)
        shift = np.empty(_WIDTH, np.float64)
        late = np.empty(nx, np.float32)
        span = np.empty(nx, np.float64)
        pick = np.empty(nx, np.int32)
        for r in range(first, last):
            for i in range(nints):
                _find_late(ramp, groupdq, i, r, elapsed, pick, late, span)
                for x0 in range(0, nx, _WIDTH):
                    width = min(_WIDTH, nx - x0)
                    _widen(coefficients, y0 + r, x0, width, c)
                    _widen(coefficients, y0 + r, x0, width, narrow)
                    _widen(inverse, y0 + r, x0, width, e)
                    values = ramp[i, 0, r, x0 : x0 + width]
                    flags = groupdq[i, 0, r, x0 : x0 + width]
                    late_flags = pick[x0 : x0 + width]
                    late_values = late[x0 : x0 + width]
                    late_span = span[x0 : x0 + width]
                    for x in range(width):
                        a = values[x]
                        b = late_values[x]
                        p = narrow[top + x] * a
                        q = narrow[top + x] * b
                        for j in range(n - 2, 0, -1):
                            p = (p + narrow[j * _WIDTH + x]) * a
                            q = (q + narrow[j * _WIDTH + x]) * b
                        p += narrow[x]
                        q += narrow[x]
                        p = a if flags[x] & _SATURATED else p
                        q = b if ~late_flags[x] & np.int32(_SATURATED) else q
                        start[x] = p
                        rate[x] = np.float64(q - p) / late_span[x]
                    for g in range(groups):
                        values = ramp[i, g, r, x0 : x0 + width]
                        flags = groupdq[i, g, r, x0 : x0 + width]
                        count = counts[g]
                        fours = count // 4 * 4
                        for k in range(0, fours, 4):
                            t0, t1, t2, t3 = (
                                since[g, k], since[g, k + 1], since[g, k + 2], since[g, k + 3]
                            )  # fmt: skip
                            four = reads[k * _WIDTH :]
                            for x in range(width):
                                a0 = start[x] + rate[x] * t0
                                a1 = start[x] + rate[x] * t1
                                a2 = start[x] + rate[x] * t2
                                a3 = start[x] + rate[x] * t3
                                z = e[inverse_top + x]
                                z0 = z * a0
                                z1 = z * a1
                                z2 = z * a2
                                z3 = z * a3
                                for j in range(m - 2, 0, -1):
                                    z = e[j * _WIDTH + x]
                                    z0 = (z0 + z) * a0
                                    z1 = (z1 + z) * a1
                                    z2 = (z2 + z) * a2
                                    z3 = (z3 + z) * a3
                                z = e[x]
                                z0 += z
                                z1 += z
                                z2 += z
                                z3 += z
                                four[x] = z0
                                four[_WIDTH + x] = z1
                                four[2 * _WIDTH + x] = z2
                                four[3 * _WIDTH + x] = z3
                                before = z0 if k == 0 else total[x] + z0
                                total[x] = ((before + z1) + z2) + z3
                        for k in range(fours, count):
                            t0 = since[g, k]
                            one = reads[k * _WIDTH :]
                            for x in range(width):
                                a0 = start[x] + rate[x] * t0
                                z0 = e[inverse_top + x] * a0
                                for j in range(m - 2, 0, -1):
                                    z0 = (z0 + e[j * _WIDTH + x]) * a0
                                z0 += e[x]
                                one[x] = z0
                                total[x] = z0 if k == 0 else total[x] + z0
                        _find_shift(values, total, width, count, shift)
                        for k in range(0, fours, 4):
                            four = reads[k * _WIDTH :]
                            for x in range(width):
                                a0 = four[x] + shift[x]
                                a1 = four[_WIDTH + x] + shift[x]
                                a2 = four[2 * _WIDTH + x] + shift[x]
                                a3 = four[3 * _WIDTH + x] + shift[x]
                                z = c[top + x]
                                z0 = z * a0
                                z1 = z * a1
                                z2 = z * a2
                                z3 = z * a3
                                for j in range(n - 2, 0, -1):
                                    z = c[j * _WIDTH + x]
                                    z0 = (z0 + z) * a0
                                    z1 = (z1 + z) * a1
                                    z2 = (z2 + z) * a2
                                    z3 = (z3 + z) * a3
                                z = c[x]
                                z0 += z
                                z1 += z
                                z2 += z
                                z3 += z
                                before = z0 if k == 0 else total[x] + z0
                                total[x] = ((before + z1) + z2) + z3
                        for k in range(fours, count):
                            one = reads[k * _WIDTH :]
                            for x in range(width):
                                a0 = one[x] + shift[x]
                                z0 = c[top + x] * a0
                                for j in range(n - 2, 0, -1):
                                    z0 = (z0 + c[j * _WIDTH + x]) * a0
                                z0 += c[x]
                                total[x] = z0 if k == 0 else total[x] + z0
                        _store_mean(values, flags, total, width, count)

    return correct

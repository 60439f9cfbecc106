"""Kernels of `upramp.detector1.saturation`, which says what they do.

They work group by group on a tile, in a workspace of bytes: rows that are only
neighbours of those to flag go through the same rules, but are not written to.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from upramp.detector1.kernels import array, b1, const, f4, f8, i8, inner, kernel, u1, u4
from upramp.dq import GROUP, PIXEL

__all__ = ["LAYERS", "blank", "flag"]

_DNU: Final = np.uint8(GROUP["DO_NOT_USE"])
_SATURATED: Final = np.uint8(GROUP["SATURATED"])
_FLOOR: Final = np.uint8(GROUP["AD_FLOOR"] | GROUP["DO_NOT_USE"])
_NO_CHECK: Final = np.uint32(PIXEL["NO_SAT_CHECK"])

# Layers of the workspace, each of the tile's rows with `grow` columns more on both sides,
# which stay 0. There are two of what is grown: this group's and that of the group before.
_TALLY, _FLAGS, _WIDE, _GROWN, _PARTIAL = 0, 1, 2, 3, 5
LAYERS: Final = 6

_BLOCK: Final = 64  # pixels that are looked at together when few are expected


@inner
def _tally_row(values: Any, limit: Any, dq: Any, tally: Any, flags: Any) -> None:
    for x in range(values.shape[0]):
        value = values[x]
        now = tally[x] | (_SATURATED if value >= limit[x] else np.uint8(0))
        tally[x] = now
        flags[x] = now | (dq[x] & _SATURATED) | (_FLOOR if value <= 0 else np.uint8(0))


@inner
def _widen_row(flags: Any, wide: Any, grow: Any) -> None:
    """Combine each pixel's neighbours to the left and right: flags is longer by 2 grow."""
    nx = flags.shape[0] - 2 * grow
    if grow == 1:
        for x in range(nx):
            wide[x] = flags[x] | flags[x + 1] | flags[x + 2]
        return
    for x in range(nx):
        wide[x] = flags[x]
    for k in range(1, 2 * grow + 1):
        shifted = flags[k : k + nx]
        for x in range(nx):
            wide[x] |= shifted[x]


@inner
def _gather_row(wide: Any, start: Any, stop: Any, bits: Any, grown: Any) -> None:
    """Combine rows of what was widened."""
    nx = grown.shape[0]
    if stop - start == 3:
        above, here, below = wide[start], wide[start + 1], wide[start + 2]
        for x in range(nx):
            grown[x] = (above[x] | here[x] | below[x]) & bits
        return
    row = wide[start]
    for x in range(nx):
        grown[x] = row[x] & bits
    for r in range(start + 1, stop):
        row = wide[r]
        for x in range(nx):
            grown[x] |= row[x] & bits


@inner
def _any_new(now: Any, before: Any) -> Any:
    found = np.uint8(0)
    for x in range(now.shape[0]):
        found = np.uint8(found | (now[x] & ~before[x]))  # kept in 8 bits: 64 would be slow
    return found != 0


@inner
def _add_row(dq: Any, bits: Any) -> None:
    for x in range(dq.shape[0]):
        dq[x] |= bits[x]


@inner
def _gather(wide: Any, grow: Any, limits: Any, r: Any, bits: Any, grown: Any) -> None:
    """Combine the rows around row r, as far as the limits go."""
    _gather_row(wide, max(r - grow, limits[0]), min(r + grow + 1, limits[1]), bits, grown)


@inner
def _could_be_partial(value: Any, dq: Any, limit: Any, limit_dq: Any, dilution: Any) -> Any:
    """Whether a group's average could hide saturation in its last frame."""
    if dq & _DNU or value <= 0:
        return False
    part = 1.0 if limit_dq & _NO_CHECK else dilution
    return np.float64(value) >= np.float64(limit) * part


@inner
def _came_late(first: Any, second: Any, limit: Any, bias: Any, times: Any) -> Any:
    """Whether the first group promised no saturation, and the second rose suspiciously."""
    promised = np.float64(first - bias) / times[0] * times[1] + np.float64(bias)
    rise = (limit - first) / np.float32(times[2])
    return promised < np.float64(limit) and second - first > rise


@inner
def _look_back_row(
    new: Any, values: Any, dq: Any, limit: Any, limit_dq: Any, dilution: Any, partial: Any
) -> Any:
    """Find hidden saturation in the group before that in which pixels became saturated."""
    now, before = new
    nx = now.shape[0]
    found = False
    partial[:] = 0
    for start in range(0, nx, _BLOCK):
        stop = min(start + _BLOCK, nx)
        if not _any_new(now[start:stop], before[start:stop]):
            continue
        for x in range(start, stop):
            if now[x] & ~before[x] and _could_be_partial(
                values[x], dq[x], limit[x], limit_dq[x], dilution
            ):
                partial[x] = _DNU
                found = True
    return found


@inner
def _second_row(
    new: Any, groups: Any, dq: Any, limit: Any, bias: Any, has_bias: Any, times: Any
) -> None:
    """Flag the second group where the third is saturated out of the blue."""
    now, before = new
    first, second = groups
    for x in range(now.shape[0]):
        if now[x] & ~before[x]:
            offset = bias[x] if has_bias else np.float32(0)
            if _came_late(first[x], second[x], limit[x], offset, times):
                dq[x] |= _DNU


@inner
def _forward(
    values: Any, groupdq: Any, threshold: Any, work: Any, grown: Any, grow: Any, spans: Any
) -> None:
    """Flag one group by its tally, floor and growth."""
    (above, below), (top, bottom), (first, last) = spans
    tally, flags, wide = work[_TALLY], work[_FLAGS], work[_WIDE]
    nx = values.shape[1]
    for r in range(above, below):
        own = flags[r, grow : grow + nx]
        _tally_row(values[r], threshold[r], groupdq[r], tally[r], own)
        _widen_row(flags[r], wide[r], grow)
    for r in range(top, bottom):
        now = grown[r, :nx]
        _gather(wide, grow, (above, below), r, _SATURATED, now)
        if first <= r < last:
            _add_row(groupdq[r], now)
            _add_row(groupdq[r], flags[r, grow : grow + nx])


@inner
def _look_back(
    values: Any,
    groupdq: Any,
    threshold: Any,
    threshold_dq: Any,
    dilution: Any,
    work: Any,
    new: Any,
    grow: Any,
    spans: Any,
) -> None:
    """Flag and grow what may have been saturated in the group before."""
    _, (top, bottom), (first, last) = spans
    wide, partial = work[_WIDE], work[_PARTIAL]
    nx = values.shape[1]
    found = False
    for r in range(top, bottom):
        now, before = new[0][r, :nx], new[1][r, :nx]
        partial[r] = 0
        if _any_new(now, before):
            found |= _look_back_row(
                (now, before),
                values[r],
                groupdq[r],
                threshold[r],
                threshold_dq[r],
                dilution,
                partial[r, grow : grow + nx],
            )
    if not found:
        return
    for r in range(top, bottom):
        _widen_row(partial[r], wide[r], grow)
    for r in range(first, last):
        spread = partial[r, :nx]  # not needed any more
        _gather(wide, grow, (top, bottom), r, _DNU, spread)
        _add_row(groupdq[r], spread)


@inner
def _second(
    groups: Any,
    groupdq: Any,
    threshold: Any,
    bias: Any,
    has_bias: Any,
    times: Any,
    new: Any,
    y0: Any,
    rows: Any,
) -> None:
    nx = groupdq.shape[1]
    for r in range(rows[0], rows[1]):
        now, before = new[0][r, :nx], new[1][r, :nx]
        if _any_new(now, before):
            pair = (groups[0, r], groups[1, r])
            y = y0 + r
            _second_row((now, before), pair, groupdq[r], threshold[y], bias[y], has_bias, times)


@kernel(
    const(f4, 4),
    array(u1, 4),
    const(f4, 2),
    const(u4, 2),
    const(f4, 2),
    b1,
    const(f8, 1),
    const(f8, 1),
    i8,
    i8,
    array(u1, 3),
    i8,
    i8,
    i8,
)
def flag(
    ramp: Any,
    groupdq: Any,
    threshold: Any,
    threshold_dq: Any,
    bias: Any,
    has_bias: Any,
    dilution: Any,
    times: Any,
    grow: Any,
    back: Any,
    work: Any,
    y0: Any,
    first: Any,
    last: Any,
) -> None:
    """Flag a tile. Groups are looked back at from up to ``back`` rows beyond those to flag."""
    nints, ngroups, rows, _ = ramp.shape
    # Growing what looking back finds needs to know who is saturated beyond the rows to flag.
    top, bottom = max(first - back, 0), min(last + back, rows)
    above, below = max(top - grow, 0), min(bottom + grow, rows)
    spans = ((above, below), (top, bottom), (first, last))
    limit, limit_dq = threshold[y0 : y0 + rows], threshold_dq[y0 : y0 + rows]
    for i in range(nints):
        work[_TALLY, above:below] = 0
        for g in range(ngroups):
            grown = work[_GROWN + g % 2]
            _forward(ramp[i, g], groupdq[i, g], limit, work, grown, grow, spans)
            new = (grown, work[_GROWN + (g + 1) % 2])
            if g > 0 and dilution[g - 1] != 1.0:
                part = dilution[g - 1]
                earlier = groupdq[i, g - 1]
                _look_back(ramp[i, g - 1], earlier, limit, limit_dq, part, work, new, grow, spans)
            if g == 2 and times.shape[0] > 0:
                earlier = groupdq[i, 1]
                _second(ramp[i, :2], earlier, threshold, bias, has_bias, times, new, y0, spans[2])


@kernel(array(f4, 3), const(f4, 2), i8, array(u1, 3), i8, i8, i8)
def blank(
    zero_frame: Any, threshold: Any, grow: Any, work: Any, y0: Any, first: Any, last: Any
) -> None:
    """Put 0 where a tile of zero frames is saturated or at the floor."""
    nints, rows, nx = zero_frame.shape
    tally, flags, wide, grown = work[_TALLY], work[_FLAGS], work[_WIDE], work[_GROWN]
    above, below = max(first - grow, 0), min(last + grow, rows)
    none = work[_PARTIAL, 0]  # flags that were there before: a zero frame has none
    for i in range(nints):
        tally[above:below] = 0
        for r in range(above, below):
            own = flags[r, grow : grow + nx]
            _tally_row(zero_frame[i, r], threshold[y0 + r], none, tally[r], own)
            _widen_row(flags[r], wide[r], grow)
        for r in range(first, last):
            now, values = grown[r, :nx], zero_frame[i, r]
            _gather(wide, grow, (above, below), r, _SATURATED, now)
            _add_row(now, flags[r, grow : grow + nx])
            for x in range(nx):
                values[x] = np.float32(0) if now[x] else values[x]

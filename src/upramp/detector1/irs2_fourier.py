"""The passes of a fast Fourier transform, operation for operation as *pocketfft* does them.

Real and imaginary parts lie in arrays of their own. After every pass the
numbers lie in sections with a gap between them (see `GAP`). Every kernel is
of the forward transform; an inverse transform is the forward one with real and
imaginary parts exchanged at both ends, and no rounding changes by that.

The first number of a block is multiplied by one like the others by their
factors, which pocketfft leaves out: that can change the sign of a zero and
nothing else.

Source of the arithmetic: M. Reinecke, pocketfft (C++), as numpy 2 ships it.
"""

from __future__ import annotations

from typing import Any, Final

from upramp.detector1.kernels import array, const, f4, f8, i8, inner, kernel

__all__ = [
    "GAP", "LANES", "PRIME", "double_eight", "double_first", "double_four",
    "last_filtered", "last_imaginary", "last_scaled", "single_eight",
    "single_first", "single_four",
]  # fmt: skip

PRIME: Final = 89
"""The odd factor of the length."""
_HALVES: Final = (PRIME + 1) // 2
LANES: Final = 64
GAP: Final = 16
"""Unused numbers between sections: else eight streams would share one set of the cache."""


# --- butterflies -------------------------------------------------------------------------


@inner
def _eight(
    r0: Any, i0: Any, r1: Any, i1: Any, r2: Any, i2: Any, r3: Any, i3: Any,
    r4: Any, i4: Any, r5: Any, i5: Any, r6: Any, i6: Any, r7: Any, i7: Any, h: Any,
) -> Any:  # fmt: skip
    """Transform eight numbers; `h` is the square root of one half."""
    a1r, a1i, a5r, a5i = r1 + r5, i1 + i5, r1 - r5, i1 - i5
    a3r, a3i, dr, di = r3 + r7, i3 + i7, r3 - r7, i3 - i7
    a7r, a7i = di, -dr
    br, bi = a1r - a3r, a1i - a3i
    a1r, a1i = a1r + a3r, a1i + a3i
    a3r, a3i = bi, -br
    cr, ci = a5r - a7r, a5i - a7i
    er, ei = a5r + a7r, a5i + a7i
    a5r, a5i = h * (er + ei), h * (ei - er)
    a7r, a7i = h * (ci - cr), h * (-cr - ci)
    a0r, a0i, a4r, a4i = r0 + r4, i0 + i4, r0 - r4, i0 - i4
    a2r, a2i, dr, di = r2 + r6, i2 + i6, r2 - r6, i2 - i6
    a6r, a6i = di, -dr
    s0r, s0i, s2r, s2i = a0r + a2r, a0i + a2i, a0r - a2r, a0i - a2i
    s4r, s4i, s6r, s6i = a4r + a6r, a4i + a6i, a4r - a6r, a4i - a6i
    return (
        s0r + a1r, s0i + a1i, s4r + a5r, s4i + a5i, s2r + a3r, s2i + a3i, s6r + a7r, s6i + a7i,
        s0r - a1r, s0i - a1i, s4r - a5r, s4i - a5i, s2r - a3r, s2i - a3i, s6r - a7r, s6i - a7i,
    )  # fmt: skip


@inner
def _turn_eight(
    outr: Any, outi: Any, place: Any, step: Any, v: Any, wr: Any, wi: Any, i: Any
) -> None:
    """Store eight results, all but the first times the conjugate of its twiddle factor."""
    outr[place], outi[place] = v[0], v[1]
    c, s = wr[0, i], wi[0, i]
    outr[place + step], outi[place + step] = v[2] * c + v[3] * s, v[3] * c - v[2] * s
    c, s = wr[1, i], wi[1, i]
    outr[place + 2 * step], outi[place + 2 * step] = v[4] * c + v[5] * s, v[5] * c - v[4] * s
    c, s = wr[2, i], wi[2, i]
    outr[place + 3 * step], outi[place + 3 * step] = v[6] * c + v[7] * s, v[7] * c - v[6] * s
    c, s = wr[3, i], wi[3, i]
    outr[place + 4 * step], outi[place + 4 * step] = v[8] * c + v[9] * s, v[9] * c - v[8] * s
    c, s = wr[4, i], wi[4, i]
    outr[place + 5 * step], outi[place + 5 * step] = v[10] * c + v[11] * s, v[11] * c - v[10] * s
    c, s = wr[5, i], wi[5, i]
    outr[place + 6 * step], outi[place + 6 * step] = v[12] * c + v[13] * s, v[13] * c - v[12] * s
    c, s = wr[6, i], wi[6, i]
    outr[place + 7 * step], outi[place + 7 * step] = v[14] * c + v[15] * s, v[15] * c - v[14] * s


def _first_real(x: Any, outr: Any, outi: Any, wr: Any, wi: Any, h: Any) -> None:
    """Do the first pass, radix 8, on real samples of single precision, in double precision."""
    n = x.size // 8
    step = n + GAP
    z = h - h
    for i in range(n):
        v = _eight(
            f8(x[i]), z, f8(x[i + n]), z, f8(x[i + 2 * n]), z, f8(x[i + 3 * n]), z,
            f8(x[i + 4 * n]), z, f8(x[i + 5 * n]), z, f8(x[i + 6 * n]), z, f8(x[i + 7 * n]), z,
            h,
        )  # fmt: skip
        _turn_eight(outr, outi, i, step, v, wr, wi, i)


def _pass_eight(
    inr: Any, ini: Any, outr: Any, outi: Any, wr: Any, wi: Any, n: Any, done: Any, section: Any,
    gap: Any, h: Any,
) -> None:  # fmt: skip
    """Do a pass of radix 8.

    `done` is the product of the radices before, `n` the length of the blocks
    after; `gap` unused numbers follow every `section` of the input, and every
    eighth of the output.
    """
    step = n * done + GAP
    for k in range(done):
        o = 8 * n * k
        o += o // section * gap
        for i in range(n):
            p = o + i
            v = _eight(
                inr[p], ini[p], inr[p + n], ini[p + n],
                inr[p + 2 * n], ini[p + 2 * n], inr[p + 3 * n], ini[p + 3 * n],
                inr[p + 4 * n], ini[p + 4 * n], inr[p + 5 * n], ini[p + 5 * n],
                inr[p + 6 * n], ini[p + 6 * n], inr[p + 7 * n], ini[p + 7 * n], h,
            )  # fmt: skip
            _turn_eight(outr, outi, n * k + i, step, v, wr, wi, i)


def _pass_four(
    inr: Any, ini: Any, outr: Any, outi: Any, wr: Any, wi: Any, n: Any, done: Any, section: Any
) -> None:
    """Do a pass of radix 4 after one of radix 8; see there."""
    step = n * done + GAP
    for k in range(done):
        o = 4 * n * k
        o += o // section * GAP
        for i in range(n):
            p, q = o + i, n * k + i
            t2r, t2i = inr[p] + inr[p + 2 * n], ini[p] + ini[p + 2 * n]
            t1r, t1i = inr[p] - inr[p + 2 * n], ini[p] - ini[p + 2 * n]
            t3r, t3i = inr[p + n] + inr[p + 3 * n], ini[p + n] + ini[p + 3 * n]
            dr, di = inr[p + n] - inr[p + 3 * n], ini[p + n] - ini[p + 3 * n]
            t4r, t4i = di, -dr
            ar, ai = t1r + t4r, t1i + t4i
            br, bi = t2r - t3r, t2i - t3i
            cr, ci = t1r - t4r, t1i - t4i
            outr[q], outi[q] = t2r + t3r, t2i + t3i
            c, s = wr[0, i], wi[0, i]
            outr[q + step], outi[q + step] = ar * c + ai * s, ai * c - ar * s
            c, s = wr[1, i], wi[1, i]
            outr[q + 2 * step], outi[q + 2 * step] = br * c + bi * s, bi * c - br * s
            c, s = wr[2, i], wi[2, i]
            outr[q + 3 * step], outi[q + 3 * step] = cr * c + ci * s, ci * c - cr * s


# --- the last pass, radix 89 -------------------------------------------------------------


@inner
def _fold(values: Any, first: Any, section: Any, sums: Any, differences: Any) -> None:
    """Add and subtract the samples j and 89 - j of `LANES` blocks."""
    for lane in range(LANES):
        o = PRIME * (first + lane)
        o += o // section * GAP
        sums[0, lane] = values[o]
        for j in range(1, _HALVES):
            a, b = values[o + j], values[o + PRIME - j]
            sums[j, lane] = a + b
            differences[j, lane] = a - b


@inner
def _even(values: Any, weights: Any, result: Any) -> None:
    """Sum the cosine terms of one output."""
    for lane in range(LANES):
        result[lane] = (
            values[0, lane] + weights[1] * values[1, lane] + weights[2] * values[2, lane]
        )
    for j in range(3, _HALVES, 6):
        for lane in range(LANES):
            t = result[lane]
            t += values[j, lane] * weights[j] + values[j + 1, lane] * weights[j + 1]
            t += values[j + 2, lane] * weights[j + 2] + values[j + 3, lane] * weights[j + 3]
            t += values[j + 4, lane] * weights[j + 4] + values[j + 5, lane] * weights[j + 5]
            result[lane] = t


@inner
def _odd(values: Any, weights: Any, result: Any) -> None:
    """Sum the sine terms of one output."""
    for lane in range(LANES):
        result[lane] = weights[1] * values[1, lane] + weights[2] * values[2, lane]
    for j in range(3, _HALVES, 6):
        for lane in range(LANES):
            t = result[lane]
            t += values[j, lane] * weights[j] + values[j + 1, lane] * weights[j + 1]
            t += values[j + 2, lane] * weights[j + 2] + values[j + 3, lane] * weights[j + 3]
            t += values[j + 4, lane] * weights[j + 4] + values[j + 5, lane] * weights[j + 5]
            result[lane] = t


@inner
def _total(values: Any, result: Any) -> None:
    """Sum the sums: the output of frequency zero."""
    for lane in range(LANES):
        result[lane] = values[0, lane]
    for j in range(1, _HALVES):
        for lane in range(LANES):
            result[lane] += values[j, lane]


@kernel(
    const(f8, 1), const(f8, 1), const(f8, 3), array(f8, 3), const(i8, 1), const(f8, 1),
    array(f4, 1), array(f4, 1), i8, i8,
)  # fmt: skip
def last_filtered(
    inr: Any, ini: Any, weights: Any, room: Any, wanted: Any, response: Any,
    outr: Any, outi: Any, blocks: Any, section: Any,
) -> None:  # fmt: skip
    """Compute the wanted outputs, round them, multiply them by the filter and round again."""
    sr, si, dr, di, acc = room[0], room[1], room[2], room[3], room[4]
    for first in range(0, blocks, LANES):
        _fold(inr, first, section, sr, dr)
        _fold(ini, first, section, si, di)
        for output in wanted:
            if output == 0:
                _total(sr, acc[0])
                _total(si, acc[1])
                for lane in range(LANES):
                    k = first + lane
                    outr[k] = f4(f8(f4(acc[0, lane])) * response[k])
                    outi[k] = f4(f8(f4(acc[1, lane])) * response[k])
                continue
            _even(sr, weights[0, output], acc[0])
            _even(si, weights[0, output], acc[1])
            _odd(di, weights[1, output], acc[2])
            _odd(dr, weights[1, output], acc[3])
            for lane in range(LANES):
                k = output * blocks + first + lane
                outr[k] = f4(f8(f4(acc[0, lane] - acc[2, lane])) * response[k])
                outi[k] = f4(f8(f4(acc[1, lane] + acc[3, lane])) * response[k])
                k = (PRIME - output) * blocks + first + lane
                outr[k] = f4(f8(f4(acc[0, lane] + acc[2, lane])) * response[k])
                outi[k] = f4(f8(f4(acc[1, lane] - acc[3, lane])) * response[k])


@kernel(const(f8, 1), const(f8, 1), const(f8, 3), array(f8, 3), array(f4, 2), f4, i8, i8)
def last_scaled(
    inr: Any, ini: Any, weights: Any, room: Any, out: Any, scale: Any, blocks: Any, section: Any
) -> None:
    """Compute all outputs, round them and divide them by a number (as its reciprocal)."""
    sr, si, dr, di, acc = room[0], room[1], room[2], room[3], room[4]
    for first in range(0, blocks, LANES):
        _fold(inr, first, section, sr, dr)
        _fold(ini, first, section, si, di)
        _total(sr, acc[0])
        _total(si, acc[1])
        for lane in range(LANES):
            out[first + lane, 0] = f4(acc[0, lane]) * scale
            out[first + lane, 1] = f4(acc[1, lane]) * scale
        for output in range(1, _HALVES):
            _even(sr, weights[0, output], acc[0])
            _even(si, weights[0, output], acc[1])
            _odd(di, weights[1, output], acc[2])
            _odd(dr, weights[1, output], acc[3])
            for lane in range(LANES):
                k = output * blocks + first + lane
                out[k, 0] = f4(acc[0, lane] - acc[2, lane]) * scale
                out[k, 1] = f4(acc[1, lane] + acc[3, lane]) * scale
                k = (PRIME - output) * blocks + first + lane
                out[k, 0] = f4(acc[0, lane] + acc[2, lane]) * scale
                out[k, 1] = f4(acc[1, lane] - acc[3, lane]) * scale


@kernel(const(f4, 1), const(f4, 1), const(f4, 3), array(f4, 3), array(f4, 1), f4, f4, i8, i8)
def last_imaginary(
    inr: Any,
    ini: Any,
    weights: Any,
    room: Any,
    out: Any,
    factor: Any,
    scale: Any,
    blocks: Any,
    section: Any,
) -> None:
    """Compute the imaginary part of all outputs, times a factor and times a scale."""
    si, dr, unused, acc = room[0], room[1], room[2], room[3]
    for first in range(0, blocks, LANES):
        _fold(inr, first, section, unused, dr)
        _fold(ini, first, section, si, unused)
        _total(si, acc[0])
        for lane in range(LANES):
            out[first + lane] = acc[0, lane] * factor * scale
        for output in range(1, _HALVES):
            _even(si, weights[0, output], acc[0])
            _odd(dr, weights[1, output], acc[1])
            for lane in range(LANES):
                k = output * blocks + first + lane
                out[k] = (acc[0, lane] + acc[1, lane]) * factor * scale
                k = (PRIME - output) * blocks + first + lane
                out[k] = (acc[0, lane] - acc[1, lane]) * factor * scale


def _first_complex(x: Any, outr: Any, outi: Any, wr: Any, wi: Any, h: Any) -> None:
    """Do the first pass, radix 8, on complex numbers, with real and imaginary exchanged."""
    n = x.shape[0] // 8
    step = n + GAP
    for i in range(n):
        v = _eight(
            x[i, 1], x[i, 0], x[i + n, 1], x[i + n, 0],
            x[i + 2 * n, 1], x[i + 2 * n, 0], x[i + 3 * n, 1], x[i + 3 * n, 0],
            x[i + 4 * n, 1], x[i + 4 * n, 0], x[i + 5 * n, 1], x[i + 5 * n, 0],
            x[i + 6 * n, 1], x[i + 6 * n, 0], x[i + 7 * n, 1], x[i + 7 * n, 0], h,
        )  # fmt: skip
        _turn_eight(outr, outi, i, step, v, wr, wi, i)


double_first = kernel(const(f4, 1), *[array(f8, 1)] * 2, *[const(f8, 2)] * 2, f8)(_first_real)
double_eight = kernel(
    *[const(f8, 1)] * 2, *[array(f8, 1)] * 2, *[const(f8, 2)] * 2, *[i8] * 4, f8
)(_pass_eight)
double_four = kernel(*[const(f8, 1)] * 2, *[array(f8, 1)] * 2, *[const(f8, 2)] * 2, *[i8] * 3)(
    _pass_four
)
single_first = kernel(const(f4, 2), *[array(f4, 1)] * 2, *[const(f4, 2)] * 2, f4)(_first_complex)
single_eight = kernel(
    *[const(f4, 1)] * 2, *[array(f4, 1)] * 2, *[const(f4, 2)] * 2, *[i8] * 4, f4
)(_pass_eight)
single_four = kernel(*[const(f4, 1)] * 2, *[array(f4, 1)] * 2, *[const(f4, 2)] * 2, *[i8] * 3)(
    _pass_four
)

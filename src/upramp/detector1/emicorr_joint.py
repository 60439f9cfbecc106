"""Interference of known waves, fitted together with the ramps it lies on.

For every trial phase the wave's best amplitude follows from sums over pixels of
the same phase; of two passes over the exposure one gathers these sums, and one
subtracts the wave.

Source: jwst/emicorr/emicorr.py (``emicorr_refwave``, ``EMIfitter``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from .emicorr_ranks import median
from .emicorr_waves import fraction, prepare_wave, wave_at
from .kernels import array, b1, const, f4, f8, i4, i8, inner, kernel, u4
from .refpix_means import pairwise_sum
from .tiles import in_rows

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .emicorr import Clocks

__all__ = ["TRIALS", "best_phase", "subtract_joint_fit"]

TRIALS: Final = 500
"""How many phases are tried."""

_TOO_SMALL: Final = 1e-8


@kernel(const(f4, 4), array(f4, 3), i8, i8)
def _spread(ramp: Any, spread: Any, first: Any, last: Any) -> None:
    """Compute the standard deviation of each pixel's groups, in float32."""
    nints, ngroups, _, nx = ramp.shape
    n = np.float32(ngroups)
    mean = np.empty(nx, np.float32)
    for i in range(nints):
        for y in range(first, last):
            out = spread[i, y]
            mean[:] = np.float32(0.0)
            for g in range(ngroups):
                line = ramp[i, g, y]
                for x in range(nx):
                    mean[x] += line[x]
            for x in range(nx):
                mean[x] /= n
                out[x] = np.float32(0.0)
            for g in range(ngroups):
                line = ramp[i, g, y]
                for x in range(nx):
                    off = line[x] - mean[x]
                    out[x] += off * off
            for x in range(nx):
                out[x] = np.sqrt(out[x] / n)


@kernel(const(f4, 3), f4, const(u4, 2), array(b1, 3), i8, i8)
def _choose(spread: Any, limit: Any, pixeldq: Any, quiet: Any, first: Any, last: Any) -> None:
    for i in range(spread.shape[0]):
        for y in range(first, last):
            for x in range(spread.shape[2]):
                quiet[i, y, x] = (spread[i, y, x] < limit) & (pixeldq[y, x] == 0)


@kernel(const(f4, 4), const(b1, 3), const(i4, 2), array(f8, 3), array(f8, 2), i8, i8)
def _gather(
    ramp: Any, quiet: Any, bins: Any, sums: Any, counts: Any, first: Any, last: Any
) -> None:
    """Add up the pixels of each phase, group by group: planes are one another's strangers."""
    _, ngroups, ny, nx = ramp.shape
    for plane in range(first, last):
        i = plane // ngroups
        g = plane % ngroups
        out = sums[i, g]
        for y in range(ny):
            line = ramp[i, g, y]
            take = quiet[i, y]
            for k in range(nx // 4):
                if k in (1, 2):  # bad reference columns
                    continue
                at = bins[y, k]
                x = 4 * k
                # What is not taken counts as 0 times itself, which NaN survives.
                total = out[at]
                total += np.float64(line[x] * np.float32(take[x]))
                total += np.float64(line[x + 1] * np.float32(take[x + 1]))
                total += np.float64(line[x + 2] * np.float32(take[x + 2]))
                total += np.float64(line[x + 3] * np.float32(take[x + 3]))
                out[at] = total
                if g == 0:
                    counts[i, at] += take[x] + take[x + 1] + take[x + 2] + take[x + 3]


@inner
def _line_sum(values: Any, n: Any) -> Any:
    """Sum as numpy adds up a line, without more ado for a short one."""
    if n < 8:
        total = 0.0
        for k in range(n):
            total += values[k]
        return total
    return 0.0 + pairwise_sum(values, n)


@kernel(
    const(f8, 2), const(f8, 1), const(f8, 2), i8, const(f8, 3), const(f8, 2), const(f8, 2),
    const(f8, 2), array(f8, 3), i8, i8,
)  # fmt: skip
def _try(
    template: Any,
    trials: Any,
    intervals: Any,
    size: Any,
    sums: Any,
    counts: Any,
    sum_y: Any,
    sum_ty: Any,
    terms: Any,
    first: Any,
    last: Any,
) -> None:
    """Make the three sums that amplitude and chi squared of a trial phase consist of."""
    nints, nphases, ngroups = sums.shape
    s_t = ngroups * (ngroups - 1) // 2
    s_tt = (ngroups - 1) * ngroups * (2 * ngroups - 1) // 6
    delta = np.float64(ngroups * s_tt - s_t * s_t)
    tt, t, t2, n = np.float64(s_tt), np.float64(s_t), np.float64(2 * s_t), np.float64(ngroups)
    wave = np.empty((nphases, ngroups))
    s_z, s_tz, s_zz = np.empty(nphases), np.empty(nphases), np.empty(nphases)
    product = np.empty(ngroups)
    of_a, of_b, of_q = np.empty(nphases), np.empty(nphases), np.empty(nphases)
    for k in range(first, last):
        for m in range(nphases):
            for g in range(ngroups):
                wave[m, g] = wave_at(intervals, size, fraction(template[m, g] + trials[k]))
            z = tz = zz = 0.0
            for g in range(ngroups):
                value = wave[m, g]
                z += value
                tz += g * value
                zz += value * value
            s_z[m], s_tz[m], s_zz[m] = z, tz, zz
        for i in range(nints):
            for m in range(nphases):
                for g in range(ngroups):
                    product[g] = wave[m, g] * sums[i, m, g]
                of_q[m] = _line_sum(product, ngroups)
                z, tz, y, ty = s_z[m], s_tz[m], sum_y[i, m], sum_ty[i, m]
                of_a[m] = (
                    counts[i, m]
                    / delta
                    * (-tt * (z * z) + t2 * z * tz - n * (tz * tz) + s_zz[m] * delta)
                )
                of_b[m] = tt * z * y - t * tz * y - t * z * ty + n * tz * ty
            terms[0, i, k] = _line_sum(of_a, nphases)
            terms[1, i, k] = _line_sum(of_b, nphases)
            terms[2, i, k] = _line_sum(of_q, nphases)


@kernel(const(f8, 1), const(f8, 1), f8, array(i8, 1))
def _nearest(trials: Any, phases: Any, shift: Any, found: Any) -> None:
    """Find the trial phase that follows each phase, shifted, most closely."""
    for p in range(phases.size):
        best = np.inf
        found[p] = 0
        for k in range(trials.size):
            distance = fraction(trials[k] - phases[p] - shift)
            if np.isnan(distance):
                found[p] = k
                break
            if distance < best:
                best = distance
                found[p] = k


@kernel(
    array(f4, 4), const(f8, 2), f8, const(f8, 1), const(f8, 1), const(f8, 2), i8, i8, i8
)  # fmt: skip
def _subtract(
    ramp: Any,
    phase: Any,
    step: Any,
    shifts: Any,
    amplitudes: Any,
    intervals: Any,
    size: Any,
    first: Any,
    last: Any,
) -> None:
    nints, ngroups, _, nx = ramp.shape
    noise = np.empty(nx)
    for i in range(nints):
        amplitude = amplitudes[i]
        shift = shifts[i]
        for g in range(ngroups):
            later = step * g
            for y in range(first, last):
                for k in range(nx // 4):
                    at = fraction(phase[y, k] + later + shift)
                    value = amplitude * wave_at(intervals, size, at)
                    noise[4 * k] = value
                    noise[4 * k + 1] = value
                    noise[4 * k + 2] = value
                    noise[4 * k + 3] = value
                line = ramp[i, g, y]
                for x in range(nx):
                    line[x] = np.float32(np.float64(line[x]) - noise[x])


class _Fit:
    """Chi squared and amplitude at trial phases, from three sums for each."""

    def __init__(self, terms: NDArray[np.float64], step: float, ngroups: int) -> None:
        self.terms = terms
        self.step = step
        self.trials = np.arange(TRIALS) * 1.0 / TRIALS
        times = np.arange(ngroups)
        self.double = 2 / (ngroups * np.sum(times**2) - np.sum(times) ** 2)

    def __call__(
        self, ints: range, phases: NDArray[np.float64] | None = None
    ) -> tuple[list[float], list[float]]:
        """Combine integrations: chi squared and amplitude at each phase."""
        phases = self.trials if phases is None else phases
        square, linear = np.zeros(len(phases)), np.zeros(len(phases))
        at = np.empty(len(phases), np.int64)
        for i in ints:
            _nearest(self.trials, phases, float(self.step * i), at)
            square += self.terms[0, i, at]
            linear += self.double * self.terms[1, i, at]
            linear -= 2 * self.terms[2, i, at]
        chisq, amplitudes = [], []
        # One by one: the square of a scalar need not be what it is in an array.
        for a, b in zip(square, linear, strict=True):
            if abs(a) <= _TOO_SMALL or not (np.isfinite(a) and np.isfinite(b)):
                chisq.append(np.nan)
                amplitudes.append(0.0)
                continue
            amplitude = -b / (2 * a)
            chisq.append(a * amplitude**2 + b * amplitude)
            amplitudes.append(amplitude)
        return chisq, amplitudes


def best_phase(phases: NDArray[np.float64], chisq: list[float]) -> float:
    """Give the phase of the least chi squared, between trial phases.

    Parameters
    ----------
    phases
        Trial phases, of which the first follows the last.
    chisq
        Of each; NaN where there is none.

    Returns
    -------
    float
        The vertex of the parabola through the least of them and its neighbours
        (whose phases are taken as they are, even across the end of the period);
        the phase of the least where they do not make one; the first without any.
    """
    if not np.isfinite(chisq).any():
        return float(phases[0])
    least = int(np.nanargmin(chisq))
    around = [least - 1, least, (least + 1) % len(chisq)]
    values = [chisq[k] for k in around]
    if not np.isfinite(values).all() or np.nanstd(values) == 0:
        return float(phases[least])
    a, b, _ = np.polyfit([phases[k] for k in around], values, 2)
    return float(-b / (2 * a))


def subtract_joint_fit(
    ramp: NDArray[np.float32],
    pixeldq: NDArray[np.uint32],
    samples: NDArray[Any],
    frequency: float,
    clocks: Clocks,
    *,
    apart: bool,
    threads: int = 1,
) -> None:
    """Fit one wave to an exposure, and subtract it.

    Parameters
    ----------
    ramp
        (nints, ngroups, ny, nx) float32 with nx a multiple of 4; changed in place.
    pixeldq
        (ny, nx) uint32: flagged pixels are not fitted.
    samples
        The wave, in equal parts of its period.
    frequency
        Of the wave, in Hz.
    clocks
        How the detector was read; ``reset`` clocks lie between integrations.
    apart
        Whether each integration has a phase and an amplitude of its own.
    threads
        How many rows or groups are worked on at once; the result is the same.
    """
    nints, ngroups, ny, nx = ramp.shape
    period = clocks.period(frequency)
    wave = prepare_wave(samples)
    start = np.arange(ny)[:, None] * clocks.row + np.arange(nx // 4) * clocks.samples
    phase = np.ascontiguousarray((start.astype(np.float64) / period) % 1)
    step = ((ny * clocks.row + clocks.between_frames(ny)) / period) % 1
    step_of_integration = step * ngroups + clocks.reset / period
    times = np.arange(ngroups)
    template = np.ascontiguousarray((wave.centres[1:-1, np.newaxis] + times * step) % 1)

    sums, counts = _gathered(
        ramp, pixeldq, (phase * wave.size).astype(np.int32), wave.size, threads
    )
    with np.errstate(all="ignore"):
        sum_y = np.sum(sums, axis=2)
        sum_ty = np.sum(sums * times, axis=2)
        terms = np.empty((3, nints, TRIALS))
        fit = _Fit(terms, step_of_integration, ngroups)
        in_rows(
            TRIALS,
            threads,
            lambda first, last: _try(
                template, fit.trials, wave.intervals, wave.size, sums, counts, sum_y, sum_ty,
                terms, first, last,
            ),
        )  # fmt: skip
        shifts, amplitudes = _solve(fit, nints, step_of_integration, apart=apart)
    in_rows(
        ny,
        threads,
        lambda first, last: _subtract(
            ramp, phase, step, shifts, amplitudes, wave.intervals, wave.size, first, last
        ),
    )


def _gathered(
    ramp: NDArray[np.float32],
    pixeldq: NDArray[np.uint32],
    bins: NDArray[np.int32],
    size: int,
    threads: int,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Sum up the quiet pixels of each phase, (nints, size, ngroups), and count them."""
    nints, ngroups, _, _ = ramp.shape
    quiet = _quiet_pixels(ramp, pixeldq, threads)
    sums = np.zeros((nints, ngroups, size))
    counts = np.zeros((nints, size))
    in_rows(
        nints * ngroups,
        threads,
        lambda first, last: _gather(ramp, quiet, bins, sums, counts, first, last),
    )
    return np.ascontiguousarray(sums.transpose(0, 2, 1)), counts


def _quiet_pixels(
    ramp: NDArray[np.float32], pixeldq: NDArray[np.uint32], threads: int
) -> NDArray[np.bool_]:
    """Say which pixels scatter little and have no flag, in each integration."""
    nints, _, ny, nx = ramp.shape
    spread = np.empty((nints, ny, nx), np.float32)
    in_rows(ny, threads, lambda first, last: _spread(ramp, spread, first, last))
    limit = np.float32(2) * median(spread)
    quiet = np.empty(spread.shape, np.bool_)
    in_rows(ny, threads, lambda first, last: _choose(spread, limit, pixeldq, quiet, first, last))
    return quiet


def _solve(
    fit: _Fit, nints: int, step: float, *, apart: bool
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Phase and amplitude of each integration."""
    if apart:
        shifts, amplitudes = np.empty(nints), np.empty(nints)
        for i in range(nints):
            only = range(i, i + 1)
            phase = best_phase(fit.trials, fit(only)[0])
            shifts[i] = phase + i * step
            amplitudes[i] = fit(only, np.array([phase]))[1][0]
        return shifts, amplitudes
    every = range(nints)
    phase = best_phase(fit.trials, fit(every)[0])
    amplitude = fit(every, np.array([phase]))[1][0]
    places = (phase + np.arange(nints) * step) % 1
    return np.asarray(places, np.float64), np.full(nints, amplitude, np.float64)

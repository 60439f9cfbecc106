"""Interference found in what is left of ramps without their slope and bias.

An integration after the other is cleaned roughly, and its pixels are sorted by
their phase; the clipped mean of each bin of phases makes the wave, or says
where a known one lies.

Source: jwst/emicorr/emicorr.py (``_run_sequential_algorithm``).
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from .emicorr_ranks import clipped_means_of_groups, median
from .kernels import array, b1, const, f4, f8, i8, inner, kernel
from .sorting import sort_columns
from .tiles import in_rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from .emicorr import Clocks

__all__ = ["SequentialOptions", "subtract_sequential_fit"]

_MOST_BINS: Final = 500
_BLOCK: Final = 128  # pixels that are cleaned at once: whole quads
_LATE: Final = float(3 + 2**32)
"""Clocks by which the last pixel of a full row is late, by the official reckoning."""


@dataclass(frozen=True)
class SequentialOptions:
    """How waves are found one after the other.

    Parameters
    ----------
    nints_to_phase
        How many integrations the wave is made of; None leaves it to ``use_n_cycles``.
    nbins
        How many bins its period has; by default one for every other clock.
    scale_reference
        Whether a known wave gets the amplitude that is found.
    use_n_cycles
        How many periods suffice; None takes all integrations.
    """

    nints_to_phase: int | None = None
    nbins: int | None = None
    scale_reference: bool = True
    use_n_cycles: int | None = 3


# ---- when pixels are read -------------------------------------------------------


@kernel(f8, f8, f8, array(f8, 3))
def _starts(row: Any, between: Any, reset: Any, starts: Any) -> None:
    """Clock at which each row of each group begins."""
    clock = 0.0
    for i in range(starts.shape[0]):
        for g in range(starts.shape[1]):
            for y in range(starts.shape[2]):
                starts[i, g, y] = clock
                clock += row
            clock += between
        clock += reset


@inner
def _phases(start: Any, samples: Any, late: Any, period: Any, phases: Any) -> None:
    """Phase of each quad of a row."""
    n = phases.size
    for k in range(n):
        time = np.trunc(np.float64(k * samples) + start) / period
        phases[k] = time - np.trunc(time)
    if late:
        time = (np.trunc(np.float64((n - 1) * samples) + start) + _LATE) / period
        phases[n - 1] = time - np.trunc(time)


@inner
def _bin_of(phase: Any, edges: Any, nbins: Any) -> Any:
    """Bin that a phase lies in, its upper edge included; -1 for none, as 0 has."""
    b = min(max(np.int64(phase * nbins), 0), nbins - 1)
    while b >= 0 and not phase > edges[b]:
        b -= 1
    while b + 1 < nbins and b >= 0 and not phase <= edges[b + 1]:
        b += 1
    return b


@kernel(const(f8, 3), i8, b1, f8, const(f8, 1), i8, array(i8, 2), i8, i8)
def _count(
    starts: Any,
    samples: Any,
    late: Any,
    period: Any,
    edges: Any,
    width: Any,
    counts: Any,
    first: Any,
    last: Any,
) -> None:
    """Count each group's pixels in each bin; of a plane's counters others take no notice."""
    nbins = edges.size - 1
    ngroups = starts.shape[1]
    phases = np.empty(width)
    for plane in range(first, last):
        for y in range(starts.shape[2]):
            _phases(starts[plane // ngroups, plane % ngroups, y], samples, late, period, phases)
            for k in range(width):
                b = _bin_of(phases[k], edges, nbins)
                if b >= 0:
                    counts[plane, b] += 1


@kernel(
    const(f4, 3), const(f4, 1), const(f8, 3), i8, i8, b1, f8, const(f8, 1), array(i8, 2),
    array(f4, 1), i8, i8,
)  # fmt: skip
def _sort_into_bins(
    cleaned: Any,
    offsets: Any,
    starts: Any,
    i: Any,
    samples: Any,
    late: Any,
    period: Any,
    edges: Any,
    places: Any,
    found: Any,
    first: Any,
    last: Any,
) -> None:
    """Put an integration's values where their bins lie, in the order they are read."""
    nbins = edges.size - 1
    width = cleaned.shape[2]
    phases = np.empty(width)
    for g in range(first, last):
        place = places[g]
        offset = offsets[g]
        for y in range(cleaned.shape[1]):
            _phases(starts[i, g, y], samples, late, period, phases)
            for k in range(width):
                b = _bin_of(phases[k], edges, nbins)
                if b >= 0:
                    found[place[b]] = cleaned[g, y, k] - offset
                    place[b] += 1


@kernel(array(f4, 4), const(f8, 3), i8, b1, f8, const(f8, 1), i8, i8)
def _subtract(
    ramp: Any,
    starts: Any,
    samples: Any,
    late: Any,
    period: Any,
    noise: Any,
    first: Any,
    last: Any,
) -> Any:
    """Subtract the noise of each phase; tell whether the table had them all."""
    nints, ngroups, _, nx = ramp.shape
    phases = np.empty(nx // 4)
    for i in range(nints):
        for g in range(ngroups):
            for y in range(first, last):
                _phases(starts[i, g, y], samples, late, period, phases)
                line = ramp[i, g, y]
                for k in range(nx // 4):
                    at = np.int64(phases[k] * period)
                    if at < 0 or at >= noise.size:
                        return False
                    for x in range(4 * k, 4 * k + 4):
                        line[x] = np.float32(np.float64(line[x]) - noise[at])
    return True


# ---- what is left of a ramp -----------------------------------------------------


@inner
def _quads(values: Any, quads: Any, count: Any) -> None:
    """Average the four outputs."""
    for k in range(count // 4):
        x = 4 * k
        quads[k] = (values[x] + values[x + 1] + values[x + 2] + values[x + 3]) / np.float32(4)


@inner
def _mend(quads: Any) -> None:
    """Replace two bad reference columns."""
    quads[1] = (quads[0] + quads[3]) / np.float32(2)
    quads[2] = (quads[0] + quads[3]) / np.float32(2)


@kernel(const(f4, 3), array(f4, 3), i8, i8)
def _clean(ramp: Any, cleaned: Any, first: Any, last: Any) -> Any:
    """Subtract each pixel's slope and bias; tell whether all is finite, else nothing counts."""
    ngroups, _, nx = ramp.shape
    inside = ngroups - 2
    n = np.float64(inside)
    sx = sxx = 0.0
    for g in range(inside):
        sx += np.float64(g)
        sxx += np.float64(g) * np.float64(g)
    divisor = n * sxx - sx * sx
    zero, two = np.float32(0), np.float32(2)
    rest = np.empty((ngroups, _BLOCK), np.float32)
    ranked = np.empty((inside, _BLOCK), np.float32)
    sxy, sy = np.empty(_BLOCK), np.empty(_BLOCK)
    bias = np.empty(_BLOCK, np.float32)
    for y in range(first, last):
        for x0 in range(0, nx, _BLOCK):
            count = min(_BLOCK, nx - x0)
            sxy[:] = 0.0
            sy[:] = 0.0
            for g in range(inside):
                line = ramp[g + 1, y, x0 : x0 + count]
                for x in range(count):
                    sxy[x] += np.float64(g) * np.float64(line[x])
                    sy[x] += np.float64(line[x])
            for x in range(count):
                sxy[x] = (n * sxy[x] - sx * sy[x]) / divisor
            strange = 0
            for g in range(ngroups):
                line = ramp[g, y, x0 : x0 + count]
                for x in range(count):
                    value = np.float32(np.float64(line[x]) - sxy[x] * np.float64(g))
                    rest[g, x] = value
                    strange += not abs(value) < np.inf
            if strange:
                return False
            ranked[:, :count] = rest[1 : ngroups - 1, :count]
            sort_columns(ranked, inside, count)
            upper = inside // 2
            lower = upper - 1 + inside % 2  # the same one twice can overflow, as it is to
            for x in range(count):
                if inside <= 2:
                    bias[x] = ranked[0, x]
                else:
                    bias[x] = (ranked[lower, x] + ranked[upper, x]) / two + zero
            for g in range(ngroups):
                for x in range(count):
                    rest[g, x] -= bias[x]
                _quads(rest[g], cleaned[g, y, x0 // 4 :], count)
        for g in range(ngroups):
            _mend(cleaned[g, y])
    return True


def _clean_by_numpy(ramp: NDArray[np.float32], cleaned: NDArray[np.float32]) -> None:
    """Do the same where something is not finite."""
    ngroups = len(ramp)
    inside = ramp[1 : ngroups - 1].astype(np.float64)
    times = np.arange(len(inside), dtype=np.float64)
    n, sx, sxx = len(inside), times.sum(), (times**2).sum()
    sxy, sy = np.zeros(ramp.shape[1:]), np.zeros(ramp.shape[1:])
    for time, image in zip(times, inside, strict=True):
        sxy += time * image
        sy += image
    slope = (n * sxy - sx * sy) / np.float64(n * sxx - sx * sx)
    rest = np.stack([image - slope * g for g, image in enumerate(ramp)]).astype(np.float32)
    lowest = np.nanmin if n <= 2 else np.nanmedian
    rest -= lowest(rest[1 : ngroups - 1], axis=0)
    cleaned[:] = (rest[..., 0::4] + rest[..., 1::4] + rest[..., 2::4] + rest[..., 3::4]) / 4.0
    cleaned[..., 1] = (cleaned[..., 0] + cleaned[..., 3]) / 2
    cleaned[..., 2] = cleaned[..., 1]


def _cleaned(
    ramp: NDArray[np.float32], cleaned: NDArray[np.float32], threads: int
) -> NDArray[np.float32]:
    """Clean an integration; give the median of each of its groups."""
    whole: list[bool] = []
    in_rows(
        ramp.shape[1],
        threads,
        lambda first, last: whole.append(_clean(ramp, cleaned, first, last)),
    )
    if not all(whole):
        _clean_by_numpy(ramp, cleaned)
    return np.array([median(image) for image in cleaned], np.float32)


# ---- the wave -------------------------------------------------------------------


def _nearest_samples(values: NDArray[Any], count: float) -> NDArray[Any]:
    """Stretch a wave to so many samples, which need not be whole, without interpolation."""
    (places,) = np.mgrid[slice(0, len(values), len(values) / count),]
    stretched: NDArray[Any] = values[places.astype("i")]
    return stretched


def _aligned(
    samples: NDArray[Any], found: NDArray[np.float64], period: float, *, scale: bool
) -> NDArray[Any]:
    """Shift a known wave to where it is most like the one found, and stretch it."""
    like = _nearest_samples(found, len(samples))
    alike = np.zeros(len(samples))
    for shift in range(len(samples)):
        alike[shift] = np.corrcoef(np.roll(samples, shift), like)[0, 1]
    known = _nearest_samples(np.roll(samples, np.argmax(alike)), period)
    amplitude, _ = np.polyfit(known, _nearest_samples(found, period), 1)
    return known * amplitude if scale else known


def _bins(period: float, wanted: int | None) -> int:
    nbins = int(period / 2.0) if wanted is None else wanted
    return _MOST_BINS if nbins > _MOST_BINS + 1 else nbins


def subtract_sequential_fit(
    ramp: NDArray[np.float32],
    waves: Sequence[tuple[float, NDArray[Any] | None]],
    clocks: Clocks,
    options: SequentialOptions,
    *,
    xstart: int = 1,
    threads: int = 1,
) -> None:
    """Find one wave after the other in an exposure, and subtract it.

    Parameters
    ----------
    ramp
        (nints, ngroups, ny, nx) float32 with nx a multiple of 4, at least 16;
        changed in place.
    waves
        Frequency in Hz and samples of each; without samples what is found is
        subtracted itself.
    clocks
        How the detector was read.
    options
        How waves are found.
    xstart
        First column, counted from 1.
    threads
        How many rows, groups or bins are worked on at once; the result is the same.

    Raises
    ------
    IndexError
        If a phase lies beyond the stretched wave.
    numpy.linalg.LinAlgError
        If what is found is no wave that a known one could be scaled to.
    """
    nints, ngroups, ny, nx = ramp.shape
    starts = np.empty((nints, ngroups, ny))
    _starts(float(clocks.row), float(clocks.between_frames(ny)), float(clocks.reset), starts)
    late = int(nx / 4 + xstart - 1) == 258
    wanted = options.nints_to_phase
    for frequency, samples in waves:
        period = clocks.period(frequency)
        # What one frequency leaves of this the next one finds.
        if wanted is None:
            wanted = nints
            if options.use_n_cycles is not None:
                cycles = options.use_n_cycles * period
                wanted = int(np.ceil(cycles / (clocks.frame * ngroups)))
        elif options.use_n_cycles == 3 and wanted > nints:
            wanted = nints
        nbins = _bins(period, options.nbins)
        edges = np.array([b / nbins for b in range(nbins + 1)])
        reading = clocks.samples, late, period
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            used = range(nints)[:wanted]
            found = _found_wave(ramp, starts[: len(used)], reading, edges, threads)
            if samples is None:
                noise = _nearest_samples(found, period)
            else:
                noise = _aligned(samples, found, period, scale=options.scale_reference)
        noise = np.where(np.isfinite(noise), noise, 0.0).astype(np.float64)
        _subtract_noise(ramp, starts, reading, noise, threads)


def _found_wave(
    ramp: NDArray[np.float32],
    starts: NDArray[np.float64],
    reading: tuple[int, bool, float],
    edges: NDArray[np.float64],
    threads: int,
) -> NDArray[np.float64]:
    """Clipped mean of each bin of phases, about the median of all bins."""
    nints, ngroups, ny = starts.shape
    width, nbins = ramp.shape[3] // 4, len(edges) - 1
    counts = np.zeros((nints * ngroups, nbins), np.int64)
    in_rows(
        nints * ngroups,
        threads,
        lambda first, last: _count(starts, *reading, edges, width, counts, first, last),
    )
    ends = np.cumsum(counts.sum(axis=0))
    bounds = np.concatenate([[0], ends]).astype(np.int64)
    places = np.cumsum(counts, axis=0) - counts + bounds[:-1]
    values = np.empty(bounds[-1], np.float32)
    cleaned = np.empty((ngroups, ny, width), np.float32)
    for i in range(nints):
        offsets = _cleaned(ramp[i], cleaned, threads)
        part = places[i * ngroups : (i + 1) * ngroups]
        in_rows(
            ngroups,
            threads,
            lambda first, last, i=i, offsets=offsets, part=part: _sort_into_bins(  # type: ignore[misc]
                cleaned, offsets, starts, i, *reading, edges, part, values, first, last
            ),
        )
    means = np.empty(nbins)
    in_rows(
        nbins,
        threads,
        lambda first, last: clipped_means_of_groups(values, bounds, means, first, last),
    )
    means -= np.median(means)
    return means


def _subtract_noise(
    ramp: NDArray[np.float32],
    starts: NDArray[np.float64],
    reading: tuple[int, bool, float],
    noise: NDArray[np.float64],
    threads: int,
) -> None:
    covered: list[bool] = []
    in_rows(
        ramp.shape[2],
        threads,
        lambda first, last: covered.append(_subtract(ramp, starts, *reading, noise, first, last)),
    )
    if not all(covered):
        raise IndexError("a phase lies beyond the wave")

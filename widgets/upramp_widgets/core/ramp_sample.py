"""One pixel's ramp with all that is known of it: flags, fit, residuals, in numbers and words."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np

from upramp.dq import GROUP, PIXEL, names

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from upramp.detector1.trace import Correction

    from .box_statistics import BoxStatistics

__all__ = ["Fit", "Mean", "RampSample", "Segment", "fit_of", "mean_of", "segments"]

_JUMP: Final = GROUP["JUMP_DET"]
_LOST: Final = GROUP["DO_NOT_USE"] | GROUP["SATURATED"]
_REFERENCE: Final = PIXEL["REFERENCE_PIXEL"]
_WORDS: Final = {
    "DO_NOT_USE": "do not use",
    "SATURATED": "saturated",
    "JUMP_DET": "jump",
    "AD_FLOOR": "below the converter's floor",
    "CHARGELOSS": "charge migrated",
    "REFERENCE_PIXEL": "reference pixel",
    "NON_SCIENCE": "no science",
}


@dataclass(frozen=True)
class Segment:
    """Groups in a row that a fit takes together.

    Parameters
    ----------
    first, last
        Both belong to it, counted from 0.
    offset
        DN that the line has at time 0: the mean of its groups, less the slope's part.
    """

    first: int
    last: int
    offset: float


@dataclass(frozen=True)
class Fit:
    """A slope on its ramp.

    Parameters
    ----------
    slope, error
        DN/s, as the ramp fit gave them.
    segments
        Where the line is drawn: between jumps, on groups that are used.
    residuals
        (ngroups,) DN, NaN where a group is not used.
    chi_square, freedom
        Of differences between neighbouring groups against slope times time, with the noise of
        both photons and reads, and how many differences less one; NaN and 0 where gain and
        read noise are not known.
    """

    slope: float
    error: float
    segments: tuple[Segment, ...]
    residuals: NDArray[np.float64]
    chi_square: float = float("nan")
    freedom: int = 0

    def line(self, times: NDArray[np.float64]) -> Iterator[tuple[NDArray[np.float64], ...]]:
        """Give each segment's times, its line, and the line's error, in DN.

        Parameters
        ----------
        times
            (ngroups,) seconds.
        """
        for each in self.segments:
            there = times[each.first : each.last + 1]
            middle = there.mean()
            yield there, each.offset + self.slope * there, self.error * np.abs(there - middle)


@dataclass(frozen=True)
class RampSample:
    """A pixel, or the mean of a box, in one integration.

    Parameters
    ----------
    x, y
        Column and row, from 0; of a box its middle.
    integration
        Counted from 0.
    times
        (ngroups,) seconds since the integration began: the middle of each group's reads.
    data
        (ngroups,) DN: corrected, or as read where nothing could be corrected.
    groupdq
        (ngroups,) flags after the jump search.
    corrections
        The ramp as read and after each correction.
    fit
        The slope; None where there is none.
    pixeldq
        The pixel's flags.
    pixels
        How many it is the mean of.
    spread
        (ngroups,) standard deviation among a box's pixels; None of one pixel.
    slopes
        Statistics of the slopes of a box's pixels, DN/s; None of one pixel.
    """

    x: float
    y: float
    integration: int
    times: NDArray[np.float64]
    data: NDArray[np.float64]
    groupdq: NDArray[np.uint8]
    corrections: tuple[Correction, ...] = ()
    fit: Fit | None = None
    pixeldq: int = 0
    pixels: int = 1
    spread: NDArray[np.float64] | None = field(default=None)
    slopes: BoxStatistics | None = None

    def marks(self) -> dict[str, NDArray[np.bool_]]:
        """Say which groups carry which flag that a ramp plot marks."""
        return {
            "jump": (self.groupdq & _JUMP) != 0,
            "saturated": (self.groupdq & GROUP["SATURATED"]) != 0,
            "do not use": (self.groupdq & GROUP["DO_NOT_USE"]) != 0,
            "reference": np.full(len(self.groupdq), bool(self.pixeldq & _REFERENCE)),
        }

    def words(self) -> tuple[str, ...]:
        """Give each group's flags in words; empty for a good one."""
        return tuple(", ".join(_in_words(int(value))) for value in self.groupdq)

    def pixel_words(self) -> str:
        """Give the pixel's flags in words; empty for a good one."""
        return ", ".join(_in_words(self.pixeldq))

    def text(self) -> str:
        """Say in a few lines what there is to see."""
        who = f"pixel ({self.x:g}, {self.y:g})"
        if self.pixels > 1:
            who = f"mean of {self.pixels} pixels\naround ({self.x:g}, {self.y:g})"
        lines = [f"{who}, integration {self.integration + 1}"]
        if self.fit is None:
            lines.append("no slope")
        else:
            lines.append(f"{self.fit.slope:.6g} ± {self.fit.error:.3g} DN/s")
            if self.fit.freedom > 0:
                reduced = self.fit.chi_square / self.fit.freedom
                lines.append(
                    f"chi-square {self.fit.chi_square:.1f} for {self.fit.freedom} ({reduced:.2f})"
                )
        if self.slopes is not None:
            lines += ["slopes of " + self.slopes.text("DN/s")]
        for word, where in self.marks().items():
            if where.any() and word != "reference":
                groups = ", ".join(str(group + 1) for group in np.flatnonzero(where))
                lines.append(f"{word}: group {groups}")
        if self.pixeldq:
            lines.append(f"pixel: {self.pixel_words()}")
        return "\n".join(lines)


@dataclass(frozen=True)
class Mean:
    """A mean ramp.

    Parameters
    ----------
    data
        (ngroups,) DN; NaN before the first usable group, and from where no pixel has a good
        difference.
    spread
        (ngroups,) standard deviation of the pixels around it.
    groupdq
        (ngroups,) DO_NOT_USE where there is no mean.
    pixels
        How many it is the mean of.
    """

    data: NDArray[np.float64]
    spread: NDArray[np.float64]
    groupdq: NDArray[np.uint8]
    pixels: int


def _in_words(value: int) -> list[str]:
    return [_WORDS.get(name, name.lower().replace("_", " ")) for name in names(value)]


def segments(groupdq: NDArray[np.uint8]) -> list[tuple[int, int]]:
    """Cut a ramp where a fit cuts it: a jump begins a segment, a lost group ends one.

    Parameters
    ----------
    groupdq
        (ngroups,) flags.

    Returns
    -------
    list of tuple
        First and last group of each, both belonging to it.
    """
    found: list[tuple[int, int]] = []
    begin: int | None = None
    for group, value in enumerate(groupdq.tolist()):
        if value & _LOST:
            if begin is not None:
                found.append((begin, group - 1))
            begin = None
        elif begin is None:
            begin = group
        elif value & _JUMP:
            found.append((begin, group - 1))
            begin = group
    if begin is not None:
        found.append((begin, len(groupdq) - 1))
    return found


def fit_of(
    data: NDArray[np.float64],
    groupdq: NDArray[np.uint8],
    times: NDArray[np.float64],
    slope: float,
    error: float,
    *,
    gain: float = float("nan"),
    read_noise: float = float("nan"),
) -> Fit | None:
    """Lay a slope on its ramp.

    Parameters
    ----------
    data
        (ngroups,) DN.
    groupdq
        (ngroups,) flags.
    times
        (ngroups,) seconds.
    slope, error
        DN/s.
    gain
        Electrons per DN.
    read_noise
        Of one group, in electrons.

    Returns
    -------
    Fit or None
        None where the slope is no number or no group is used.

    Notes
    -----
    Chi-square is that of differences of neighbouring groups, which share a read: their
    covariance is tridiagonal (Brandt 2024, PASP 136, 045004, section 2).
    """
    found = segments(groupdq)
    if not np.isfinite(slope) or not found:
        return None
    residuals = np.full(len(data), np.nan)
    drawn = []
    chi_square, count = 0.0, 0
    for first, last in found:
        part = slice(first, last + 1)
        offset = float(np.mean(data[part] - slope * times[part]))
        drawn.append(Segment(first, last, offset))
        residuals[part] = data[part] - (offset + slope * times[part])
        if last > first:
            chi_square += _chi_square(data[part], times[part], slope, gain, read_noise)
            count += last - first
    known = bool(np.isfinite(chi_square)) and count > 1
    return Fit(
        slope=slope,
        error=error,
        segments=tuple(drawn),
        residuals=residuals,
        chi_square=chi_square if known else float("nan"),
        freedom=count - 1 if known else 0,
    )


def _chi_square(
    data: NDArray[np.float64],
    times: NDArray[np.float64],
    slope: float,
    gain: float,
    read_noise: float,
) -> float:
    steps = np.diff(times)
    off = (np.diff(data) - slope * steps) * gain
    shared = -(read_noise**2)
    own = max(slope, 0.0) * gain * steps - 2 * shared
    total, rest, pivot = 0.0, 0.0, float("inf")
    # Elimination from the top: what each difference says beyond those before it.
    for apart, variance in zip(off.tolist(), own.tolist(), strict=True):
        part = shared / pivot
        rest = apart - part * rest
        pivot = variance - part * shared
        if not pivot > 0:  # no noise at all, or none that is known
            return float("nan")
        total += rest**2 / pivot
    return total


def mean_of(data: NDArray[np.float32], groupdq: NDArray[np.uint8]) -> Mean:
    """Give the mean ramp of pixels.

    It is put together from mean differences, each of the pixels that have a good one: a mean
    of values would step wherever one of them is lost. Its height is that of the pixels in
    their first usable groups: some detectors lose the first group of all, and a pixel may
    begin later than its neighbours.

    Parameters
    ----------
    data
        (ngroups, n) DN.
    groupdq
        (ngroups, n) flags.
    """
    good = ((groupdq & _LOST) == 0) & np.isfinite(data)
    pairs = good[1:] & good[:-1] & ((groupdq[1:] & _JUMP) == 0)
    values = data.astype(np.float64)
    linked = pairs.any(axis=1)
    begin = int(linked.argmax()) if linked.any() else int(good.any(axis=1).argmax())
    steps = _mean(np.diff(values[begin:], axis=0), pairs[begin:])
    rise = np.concatenate([np.zeros(1), steps]).cumsum()
    mean = np.full(len(values), np.nan)
    mean[begin:] = rise + _height(values[begin:] - rise[:, None], good[begin:])
    apart = np.where(good, values - mean[:, None], 0.0) ** 2
    with np.errstate(invalid="ignore", divide="ignore"):
        spread = np.sqrt(apart.sum(axis=1) / good.sum(axis=1))
    flags = np.where(np.isfinite(mean), 0, GROUP["DO_NOT_USE"]).astype(np.uint8)
    return Mean(mean, spread, flags, data.shape[1])


def _height(values: NDArray[np.float64], good: NDArray[np.bool_]) -> float:
    """Give the mean of what each pixel has in its first good group."""
    good = good & np.isfinite(values)
    some = np.flatnonzero(good.any(axis=0))
    return float(values[good.argmax(axis=0)[some], some].mean()) if len(some) else float("nan")


def _mean(values: NDArray[np.float64], good: NDArray[np.bool_]) -> NDArray[np.float64]:
    with np.errstate(invalid="ignore", divide="ignore"):
        total: NDArray[np.float64] = np.where(good, values, 0.0).sum(axis=1) / good.sum(axis=1)
    return total

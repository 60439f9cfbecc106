"""MIRI's electromagnetic interference: waves of known frequencies, removed from raw ramps.

All four outputs are read at once, and see the same wave; when a pixel is read
follows from the clocks of its subarray.

Source: jwst/emicorr/emicorr.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from upramp.errors import InputError, ReferenceFileError, UsageError

from .emicorr_joint import subtract_joint_fit
from .emicorr_sequential import SequentialOptions, subtract_sequential_fit

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

__all__ = [
    "LEAST_GROUPS",
    "READ_PATTERNS",
    "Case",
    "Clocks",
    "EmiReference",
    "SequentialOptions",
    "find_case",
    "own_case",
    "subtract_interference",
]

READ_PATTERNS: Final = ("FAST", "FASTR1", "SLOW", "SLOWR1")
"""Patterns for which the correction is made."""

LEAST_GROUPS: Final = 3

_CLOCK: Final = 10.0e-6
"""Seconds."""

_CLOCKS: Final = {
    "FULL_FAST": (271, 277504),
    "FULL_SLOW": (2333, 2388992),
    "BRIGHTSKY": (162, 86528),
    "MASK1065": (82, 23968),
    "MASK1140": (82, 23968),
    "MASK1550": (82, 23968),
    "MASKLYOT": (90, 32400),
    "SLITLESSPRISM": (28, 15904),
    "SUB128": (44, 11904),
    "SUB256": (96, 29952),
    "SUB64": (28, 8512),
}
"""Clocks of a row and of a frame, where no reference has them."""


@dataclass(frozen=True)
class Clocks:
    """How the detector is read, in clocks of 10 microseconds.

    Parameters
    ----------
    row
        From the beginning of a row to that of the next.
    frame
        Of a frame.
    samples
        Of a pixel: NSAMPLES.
    reset
        Between integrations.
    """

    row: float
    frame: float
    samples: int
    reset: float

    @staticmethod
    def between_frames(ny: int) -> float:
        """Clocks that skipped rows take, between one frame's last row and the next one's first."""
        return (1024.0 - ny) * (4 + 3.0)

    @staticmethod
    def period(frequency: float) -> float:
        """Clocks of a period."""
        return (1.0 / frequency) / _CLOCK


@dataclass(frozen=True, eq=False)
class EmiReference:
    """A reference of interference.

    Parameters
    ----------
    frequencies
        By name: the frequency in Hz, and one period of the wave.
    subarray_cases
        By subarray (FULL_FAST, FULL_SLOW for the full frame): ``rowclocks``,
        ``frameclocks``, and names of frequencies as ``freqs``.
    name
        The file, for messages.
    """

    frequencies: Mapping[str, tuple[float, NDArray[Any]]]
    subarray_cases: Mapping[str, Mapping[str, Any]]
    name: str = "the emicorr reference"

    @property
    def nbytes(self) -> int:
        """What the waves take."""
        return sum(np.asarray(wave).nbytes for _, wave in self.frequencies.values())


@dataclass(frozen=True, eq=False)
class Case:
    """What is to be removed from an exposure.

    Parameters
    ----------
    row, frame
        Clocks of a row and of a frame.
    waves
        Frequencies in Hz, the first to be removed first, with one period of
        each wave, if it is known.
    """

    row: float
    frame: float
    waves: tuple[tuple[float, NDArray[Any] | None], ...]


def find_case(reference: EmiReference, subarray: str, readpatt: str, detector: str) -> Case | None:
    """Look up what a reference has for a way of reading.

    Parameters
    ----------
    reference
        The reference.
    subarray, readpatt, detector
        SUBARRAY, READPATT, DETECTOR.

    Returns
    -------
    Case or None
        None if it has nothing.

    Raises
    ------
    ReferenceFileError
        If it names a frequency that it does not have, or has no sensible clocks.
    """
    speed = "SLOW" if "SLOW" in readpatt.upper() else "FAST"
    found = reference.subarray_cases.get(f"{subarray}_{speed}" if "FULL" in subarray else subarray)
    names = _item(_item(found, "freqs"), speed)
    if speed == "SLOW":
        names = _item(names, detector)
    row, frame = _item(found, "rowclocks"), _item(found, "frameclocks")
    if not names or row is None or frame is None:
        return None
    remedy = "give another file as `override_emicorr`"
    missing = [name for name in names if name not in reference.frequencies]
    if missing:
        raise ReferenceFileError(reference.name, f"it has no frequency {missing[0]}", remedy)
    waves = tuple(reference.frequencies[name] for name in names)
    if not (_is_positive(row) and _is_positive(frame) and all(_is_positive(f) for f, _ in waves)):
        raise ReferenceFileError(
            reference.name, f"its clocks or frequencies for {subarray} are no numbers", remedy
        )
    return Case(row, frame, waves)


def own_case(frequencies: Sequence[float], subarray: str, readpatt: str) -> Case | None:
    """Say what is to be removed where a user gives the frequencies.

    Parameters
    ----------
    frequencies
        In Hz.
    subarray, readpatt
        SUBARRAY, READPATT.

    Returns
    -------
    Case or None
        None if there are none, or the subarray's clocks are not known.

    Raises
    ------
    UsageError
        If one is no frequency.
    """
    if subarray == "FULL":
        subarray += "_FAST" if "FAST" in readpatt.upper() else "_SLOW"
    clocks = _CLOCKS.get(subarray)
    if clocks is None or not frequencies:
        return None
    for frequency in frequencies:
        if not _is_positive(frequency):
            raise UsageError(
                "emicorr.onthefly_corr_freq", f"{frequency} is no frequency", "give some in Hz"
            )
    return Case(*clocks, tuple((frequency, None) for frequency in frequencies))


def _item(found: Any, name: str) -> Any:
    return found.get(name) if hasattr(found, "get") else None


def _is_positive(value: Any) -> bool:
    return isinstance(value, (int, float, np.number)) and bool(0 < value < np.inf)


def subtract_interference(
    ramp: NDArray[np.float32],
    pixeldq: NDArray[np.uint32],
    case: Case,
    *,
    readpatt: str,
    nsamples: int | None,
    algorithm: str = "joint",
    fit_ints_separately: bool = False,
    options: SequentialOptions | None = None,
    xstart: int = 1,
    threads: int = 1,
) -> str:
    """Remove the waves of a case from an exposure.

    Parameters
    ----------
    ramp
        (nints, ngroups, ny, nx) float32, DN, at least three groups, nx a multiple
        of 4 and at least 16; changed in place.
    pixeldq
        (ny, nx) uint32: pixels with a flag say nothing of waves (joint fit).
    case
        Of `find_case` or `own_case`.
    readpatt
        READPATT.
    nsamples
        NSAMPLES.
    algorithm
        ``joint``, or ``sequential``, which it is in any case without known waves.
    fit_ints_separately
        Whether each integration has its own phase and amplitude (joint fit).
    options
        Of the sequential way.
    xstart
        SUBSTRT1.
    threads
        How much is worked on at once; the result is the same.

    Returns
    -------
    str
        The algorithm.

    Raises
    ------
    InputError
        If NSAMPLES is missing.
    ValueError
        If the ramp has a shape that cannot be.
    """
    _, ngroups, _, nx = ramp.shape
    if ngroups < LEAST_GROUPS or nx % 4 or nx < 16:
        raise ValueError(f"no four outputs of three groups make up {ramp.shape}")
    if nsamples is None:
        raise InputError("NSAMPLES", "it is missing, and emicorr needs it", "skip emicorr")
    resets = readpatt.upper() in {"FASTR1", "SLOWR1"}
    clocks = Clocks(case.row, case.frame, nsamples, case.frame if resets else 0)
    if algorithm == "joint" and all(wave is not None for _, wave in case.waves):
        for frequency, wave in case.waves:
            assert wave is not None  # noqa: S101 - as was just seen
            subtract_joint_fit(
                ramp, pixeldq, wave, frequency, clocks, apart=fit_ints_separately, threads=threads
            )
        return "joint"
    subtract_sequential_fit(
        ramp,
        case.waves,
        clocks,
        options or SequentialOptions(),
        xstart=xstart,
        threads=threads,
    )
    return "sequential"

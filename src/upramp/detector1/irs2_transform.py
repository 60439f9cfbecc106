"""Fourier transforms of one frame in time order, with the bits of ``numpy.fft``.

The IRS2 correction transforms series of 712 x 2048 samples many times, and its
bits hang on the rounding of every butterfly. `Transform` does the operations
of ``numpy.fft`` on the same operands in the same order (see `irs2_fourier`),
but leaves out what nobody asks for: an imaginary part that is zero at the
start or unused at the end, and frequencies that a filter removes.

Two rules of numpy 2 are built in. ``numpy.fft.fft`` of single precision works
in double precision and rounds at the end (its factor is the integer 1, which
no single-precision loop accepts); ``numpy.fft.ifft`` works in single precision
throughout. A transform compares itself with numpy once, on a short series;
where any bit differs (another numpy, another compiler), and for lengths that
the kernels do not know, numpy does the work.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from upramp.detector1 import irs2_fourier as passes
from upramp.detector1.irs2_fourier import GAP, LANES, PRIME
from upramp.detector1.irs2_twiddles import Twiddles, radices

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Transform", "Workspace", "agrees_with_numpy"]

_HALVES: Final = (PRIME + 1) // 2
_PROBE: Final = 8 * 8 * 4 * PRIME
_HALF_ROOT: Final = 0.7071067811865476


@cache
def _twiddles(length: int) -> tuple[Twiddles, Twiddles]:
    return Twiddles.of(length, np.float64), Twiddles.of(length, np.float32)


@cache
def agrees_with_numpy() -> bool:
    """Whether the transforms here have numpy's bits on this machine, by a short series."""
    rng = np.random.default_rng(89)
    x = rng.normal(0, 100, _PROBE).astype(np.float32)
    response = np.where(rng.random(_PROBE) < 0.5, rng.random(_PROBE), 1.0)
    ours, theirs = (Transform(_PROBE, response, fast=fast) for fast in (True, False))
    work = ours.workspace()
    results = []
    for transform in (ours, theirs):
        spectrum = np.empty(_PROBE, np.complex64)
        back, filtered = np.empty_like(x), x.copy()
        transform.spectrum(x, spectrum, work)
        transform.series(spectrum, back, work)
        transform.filter(filtered, work)
        results.append((spectrum.real, spectrum.imag, back, filtered))
    return all(np.array_equal(a, b) for a, b in zip(*results, strict=True))


class Workspace:
    """Memory that one thread's transforms work in.

    Parameters
    ----------
    length
        Number of samples.
    """

    def __init__(self, length: int) -> None:
        size = length + 8 * GAP
        self.double = [np.empty(size, np.float64) for _ in range(4)]
        # Single precision uses the same memory: never both at once.
        self.single = [plane.view(np.float32)[:size] for plane in self.double]
        self.filtered = [np.zeros(length, np.float32) for _ in range(2)]
        self.room = np.empty((5, _HALVES, LANES), np.float64)
        self.small_room = np.empty((4, _HALVES, LANES), np.float32)


@dataclass(frozen=True)
class Transform:
    """Transforms of real series of one length.

    Parameters
    ----------
    length
        Number of samples.
    response
        What `filter` multiplies the frequencies by, ``float64 (length,)``; zero
        for most of them.
    fast
        Whether the kernels may work; by default, if they agree with numpy.
    """

    length: int
    response: NDArray[np.float64]
    fast: bool = field(default=True, kw_only=True)

    @classmethod
    def best(cls, length: int, response: NDArray[np.float64]) -> Transform:
        """Make the fastest transform that has numpy's bits.

        Parameters
        ----------
        length, response
            As for the class.
        """
        return cls(length, response, fast=radices(length) is not None and agrees_with_numpy())

    def workspace(self) -> Workspace:
        """Make the memory that a thread needs."""
        return Workspace(self.length)

    def spectrum(
        self, series: NDArray[np.float32], out: NDArray[np.complex64], work: Workspace
    ) -> None:
        """Compute ``numpy.fft.fft(series) / float(length)``.

        Parameters
        ----------
        series
            ``float32 (length,)``.
        out
            ``complex64 (length,)``.
        work
            Memory.
        """
        if not self.fast:
            np.divide(np.fft.fft(series), float(self.length), out=out)
            return
        real, imaginary = self._forward(series, work)
        scale = np.float32(1) / np.float32(self.length)
        weights = _twiddles(self.length)[0].last
        parts = out.view(np.float32).reshape(self.length, 2)
        passes.last_scaled(real, imaginary, weights, work.room, parts, scale, *self._blocks())

    def series(
        self, spectrum: NDArray[np.complex64], out: NDArray[np.float32], work: Workspace
    ) -> None:
        """Compute ``(numpy.fft.ifft(spectrum) * float(length)).real``.

        Parameters
        ----------
        spectrum
            ``complex64 (length,)``.
        out
            ``float32 (length,)``.
        work
            Memory.
        """
        if not self.fast:
            out[:] = (np.fft.ifft(spectrum) * float(self.length)).real
            return
        single = _twiddles(self.length)[1]
        parts = spectrum.view(np.float32).reshape(self.length, 2)
        half = np.float32(_HALF_ROOT)
        a, b = work.single[:2], work.single[2:]
        passes.single_first(parts, *a, single.real[0], single.imaginary[0], half)
        self._backward(a, b, out, np.float32(self.length), work)

    def filter(self, series: NDArray[np.float32], work: Workspace) -> None:
        """Compute ``numpy.fft.ifft(numpy.fft.fft(series) * response).real``, in place.

        Parameters
        ----------
        series
            ``float32 (length,)``.
        work
            Memory.
        """
        if not self.fast:
            spectrum = np.fft.fft(series)
            spectrum *= self.response
            series[:] = np.fft.ifft(spectrum).real
            return
        real, imaginary = self._forward(series, work)
        double, single = _twiddles(self.length)
        blocks, section = self._blocks()
        passes.last_filtered(
            real, imaginary, double.last, work.room, self._wanted, self.response,
            *work.filtered, blocks, section,
        )  # fmt: skip
        a, b = work.single[:2], work.single[2:]
        eighth = self.length // 8
        # Real and imaginary parts change places: the inverse.
        passes.single_eight(
            work.filtered[1], work.filtered[0], *a, single.real[0], single.imaginary[0],
            eighth, 1, self.length, 0, np.float32(_HALF_ROOT),
        )  # fmt: skip
        self._backward(a, b, series, np.float32(1), work)

    @cached_property
    def _wanted(self) -> NDArray[np.int64]:
        """Which pairs of outputs of the last pass the filter lets through."""
        through = np.any(self.response.reshape(PRIME, -1) != 0, axis=1)
        pairs = through[1:_HALVES] | through[: _HALVES - 1 : -1]
        return np.concatenate([[0], 1 + np.flatnonzero(pairs)])

    def _blocks(self) -> tuple[int, int]:
        """Give the number of blocks of the last pass, and the size of a section before it."""
        radix = (radices(self.length) or [0, 8])[-2]
        return self.length // PRIME, self.length // radix

    def _forward(self, series: NDArray[np.float32], work: Workspace) -> list[NDArray[np.float64]]:
        """Do all passes but the last, in double precision."""
        double = _twiddles(self.length)[0]
        a, b = work.double[:2], work.double[2:]
        passes.double_first(series, *a, double.real[0], double.imaginary[0], _HALF_ROOT)
        return self._middle(a, b, double, passes.double_eight, passes.double_four, _HALF_ROOT)

    def _backward(
        self,
        a: list[NDArray[np.float32]],
        b: list[NDArray[np.float32]],
        out: NDArray[np.float32],
        scale: np.float32,
        work: Workspace,
    ) -> None:
        """Do all passes but the first, in single precision, and give the exchanged real part."""
        single = _twiddles(self.length)[1]
        half = np.float32(_HALF_ROOT)
        real, imaginary = self._middle(a, b, single, passes.single_eight, passes.single_four, half)
        factor = np.reciprocal(self.length, dtype=np.float32)
        passes.last_imaginary(
            real, imaginary, single.last, work.small_room, out, factor, scale, *self._blocks()
        )

    def _middle(
        self,
        a: list[NDArray[Any]],
        b: list[NDArray[Any]],
        factors: Twiddles,
        eight: Any,
        four: Any,
        half: Any,
    ) -> list[NDArray[Any]]:
        """Do the passes between the first and the last, from `a` to `b` and back."""
        done = 8
        eighth = self.length // 8
        for number, radix in enumerate((radices(self.length) or [])[1:-1], start=1):
            block = self.length // (done * radix)
            twiddles = factors.real[number], factors.imaginary[number]
            if radix == 8:
                eight(*a, *b, *twiddles, block, done, eighth, GAP, half)
            else:
                four(*a, *b, *twiddles, block, done, eighth)
            done *= radix
            a, b = b, a
        return a

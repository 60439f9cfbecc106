"""Noise that remembers: the 1/f noise, drifts and odd-even offsets of the read-out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from .instruments import Detector

__all__ = ["OffsetDrift", "ReadoutOrder", "pink_noise"]

Float = NDArray[np.float32]


def pink_noise(count: int, sigma: float, rng: np.random.Generator) -> Float:
    """Draw a sequence whose power falls with frequency, of a given standard deviation.

    Parameters
    ----------
    count
        Its length.
    sigma
        Its standard deviation, over many draws.
    rng
        Where the numbers come from.
    """
    from scipy.fft import irfft, next_fast_len

    length = next_fast_len(count, real=True)
    half = length // 2 + 1
    frequency = np.arange(half, dtype=np.float32)
    frequency[0] = 1
    amplitude = 1 / np.sqrt(frequency)
    amplitude[0] = 0
    scale = (
        np.float32(sigma)
        * np.float32(length / 2)
        / np.sqrt(np.sum(amplitude**2, dtype=np.float64))
    )
    amplitude *= np.float32(scale)
    spectrum = rng.standard_normal((half, 2), np.float32).view(np.complex64)[:, 0] * amplitude
    return np.asarray(irfft(spectrum, n=length)[:count], np.float32)


class ReadoutOrder:
    """In which order the pixels of a window are read, and by which amplifier.

    Parameters
    ----------
    detector
        Which detector.
    shape
        Rows and columns of the window in the science frame.
    outputs
        How many amplifiers read it: 4 or 1.
    """

    row_overhead = 12
    """Pixel times between the end of a row and the start of the next."""

    def __init__(self, detector: Detector, shape: tuple[int, int], outputs: int) -> None:
        self.detector = detector
        self.fast_is_x = abs(detector.fastaxis) == 1
        self.slow, self.fast = shape if self.fast_is_x else shape[::-1]
        self.outputs = outputs
        self.interleaved = detector.technology == "miri"
        self.per_row = self.fast // outputs

    def science(self, array: Float) -> Float:
        """Turn a (slow, fast) array in the order of read-out into the science frame."""
        if self.detector.fastaxis < 0:
            array = array[:, ::-1]
        if self.detector.slowaxis < 0:
            array = array[::-1]
        return array if self.fast_is_x else array.T

    def correlated(self, sigma: float, rng: np.random.Generator) -> Float:
        """Draw one frame of 1/f noise, each amplifier's its own; (ny, nx), DN."""
        line = self.per_row + self.row_overhead
        frame = np.empty((self.slow, self.fast), np.float32)
        for output in range(self.outputs):
            sequence = pink_noise(self.slow * line, sigma, rng)
            lines = sequence.reshape(self.slow, line)[:, : self.per_row]
            if self.interleaved:
                frame[:, output :: self.outputs] = lines
            else:
                # Neighbouring amplifiers read towards each other.
                part = lines[:, ::-1] if output % 2 else lines
                frame[:, output * self.per_row : (output + 1) * self.per_row] = part
        return self.science(frame)

    def pattern(self, offsets: Float) -> Float:
        """Spread offsets (outputs, 2), even and odd, over a frame; (ny, nx).

        Odd and even are columns of the fast axis, for MIRI rows.
        """
        if self.interleaved:
            frame = np.tile(offsets.T, (self.slow // 2 + 1, self.fast // self.outputs + 1))
            return self.science(np.ascontiguousarray(frame[: self.slow, : self.fast]))
        line = np.empty(self.fast, np.float32)
        for output in range(self.outputs):
            part = line[output * self.per_row : (output + 1) * self.per_row]
            part[0::2], part[1::2] = offsets[output]
        return self.science(np.broadcast_to(line, (self.slow, self.fast)))


class OffsetDrift:
    """Offsets of each amplifier's even and odd columns, wandering from frame to frame.

    Parameters
    ----------
    outputs
        How many amplifiers.
    drift
        Standard deviation of an offset, DN.
    odd_even
        Standing difference between odd and even, DN.
    rng
        Where the numbers come from.
    """

    _memory = 0.5
    """Part of an offset that is left a frame later."""

    def __init__(
        self, outputs: int, drift: float, odd_even: float, rng: np.random.Generator
    ) -> None:
        self._drift = np.float32(drift)
        self._rng = rng
        self._standing = np.zeros((outputs, 2), np.float32)
        self._standing[:, 1] = odd_even
        self._offset = self._drift * self._fresh()

    def step(self) -> Float:
        """Give the offsets (outputs, 2) of the next frame, DN."""
        step = self._drift * np.float32(np.sqrt(1 - self._memory**2))
        self._offset = np.float32(self._memory) * self._offset + step * self._fresh()
        return np.asarray(self._standing + self._offset, np.float32)

    def _fresh(self) -> Float:
        fresh = self._rng.standard_normal(self._standing.shape, np.float32)
        # Odd and even of an amplifier drift together for the most part.
        fresh[:, 1] = 0.9 * fresh[:, 0] + np.float32(np.sqrt(1 - 0.81)) * fresh[:, 1]
        return fresh

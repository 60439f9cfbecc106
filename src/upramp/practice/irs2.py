"""NIRSpec's IRS2 read-out: reference pixels between the science pixels.

Each row of each of four outputs is read in blocks of 16 science pixels between
which the multiplexer steps out to 4 reference pixels; a fifth output sees no
pixels at all (Rauscher et al. 2017, PASP 129, 105003; layout as in
``jwst/refpix/irs2_subtract_reference.py``). Noise that the outputs share, and
each output's own, can so be followed much faster than once a row.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from .noise import pink_noise

if TYPE_CHECKING:
    from .instruments import Detector

__all__ = [
    "SCIENCE_SHAPE",
    "WEIGHT_ROWS",
    "correction_weights",
    "interleave",
    "read_frame",
    "science_rows",
]

Float = NDArray[np.float32]
Pixel = TypeVar("Pixel", bound=np.generic)

SCIENCE_SHAPE: Final = (3200, 2048)
"""Rows and columns of a raw image in the science frame of NRS1."""
_NORMAL, _REFERENCE, _PAD = 16, 4, 8
_OUTPUTS = 5
_LINES = 2048
_PIXELS = 512
_SAMPLES = (_NORMAL + _REFERENCE + 2) * _PIXELS // _NORMAL + _PAD
"""Pixel times of a row: 712, steps out and in and the row's end included."""
WEIGHT_ROWS: Final = 2 * _SAMPLES * _LINES
"""Rows of the reference table: real and imaginary parts of each frequency's weight."""

_n = np.arange(_PIXELS)
_r = np.arange(_PIXELS // _NORMAL * _REFERENCE)
_SCIENCE_PLACE = _n + _REFERENCE * ((_n + _NORMAL // 2) // _NORMAL)
_REFERENCE_PLACE = _r + _NORMAL * (_r // _REFERENCE) + _NORMAL // 2
_SCIENCE_TIME = _n + (_REFERENCE + 2) * ((_n + _NORMAL // 2) // _NORMAL)
_REFERENCE_TIME = _r + (_NORMAL + 2) * (_r // _REFERENCE) + _NORMAL // 2 + 1
_WIDTH = SCIENCE_SHAPE[0] // _OUTPUTS


def science_rows() -> NDArray[np.intp]:
    """Rows of a raw image (science frame of NRS1) that hold the 2048 science rows."""
    return np.concatenate([_WIDTH * k + _SCIENCE_PLACE for k in range(1, _OUTPUTS)])


def interleave(science: NDArray[Pixel], fill: Pixel) -> NDArray[Pixel]:
    """Put a (2048, 2048) map where a raw image of NRS1 has its science pixels.

    Parameters
    ----------
    science
        (2048, 2048), science frame.
    fill
        Value of reference pixels and of the reference output.
    """
    raw = np.full(SCIENCE_SHAPE, fill, science.dtype)
    raw[science_rows()] = science
    return raw


def read_frame(level: Float, white: Float, detector: Detector, rng: np.random.Generator) -> Float:
    """Add the noise of one IRS2 read and interleave its reference pixels.

    Parameters
    ----------
    level
        (2048, 2048) DN without noise, science frame of NRS1.
    white
        (2048, 2048) standard deviation of the white noise of a read, DN.
    detector
        Its bias and correlated noise.
    rng
        Where the numbers come from.

    Returns
    -------
    ndarray
        (3200, 2048) DN, science frame of NRS1.
    """
    noise = np.empty((_OUTPUTS, _LINES, _SAMPLES), np.float32)
    shared = pink_noise(_LINES * _SAMPLES, 1.5 * detector.one_over_f, rng).reshape(
        _LINES, _SAMPLES
    )
    noise[0] = shared
    for output in range(1, _OUTPUTS):
        own = pink_noise(_LINES * _SAMPLES, detector.one_over_f, rng)
        noise[output] = shared + own.reshape(_LINES, _SAMPLES)
    lines = np.empty((_LINES, SCIENCE_SHAPE[0]), np.float32)
    reference_noise = np.float32(0.55 * detector.read_noise)
    science = (level + white * rng.standard_normal(level.shape, np.float32)).T
    for output in range(_OUTPUTS):
        block = np.full((_LINES, _WIDTH), detector.bias, np.float32)
        block[:, _REFERENCE_PLACE[1::2]] += np.float32(detector.odd_even)
        block += reference_noise * rng.standard_normal(block.shape, np.float32)
        pixels = slice(_PIXELS * (output - 1), _PIXELS * output)
        # In the order of time; every other output is read backwards.
        backwards = output % 2 == 0
        if output > 0:
            values = science[:, pixels]
            block[:, _SCIENCE_PLACE] = values[:, ::-1] if backwards else values
        block[:, _SCIENCE_PLACE] += noise[output][:, _SCIENCE_TIME]
        block[:, _REFERENCE_PLACE] += noise[output][:, _REFERENCE_TIME]
        lines[:, _WIDTH * output : _WIDTH * (output + 1)] = block[:, ::-1] if backwards else block
    return np.ascontiguousarray(lines.T)


def correction_weights() -> tuple[Float, Float]:
    """Weights with which the pipeline subtracts the reference output and pixels.

    Returns
    -------
    reference_output, reference_pixels : (`WEIGHT_ROWS`,)
        For each frequency its real, then its imaginary part. Slow noise is
        followed by the reference pixels, which see the output's own as well;
        faster noise only by the reference output.
    """
    count = _SAMPLES * _LINES
    frequency = np.abs(np.fft.fftfreq(count)).astype(np.float32)
    pixels = np.exp(-((frequency / 0.008) ** 2))
    output = (1 - pixels) * np.exp(-((frequency / 0.03) ** 2))
    # Beyond any noise worth following the weights are nought, not minute.
    pixels[pixels < 1e-4] = 0
    output[output < 1e-4] = 0
    # Eighths of a per cent are enough, and keep the table small once packed.
    tables = []
    for weight in (output, pixels):
        table = np.zeros(2 * count, np.float32)
        table[0::2] = np.round(weight * 1024) / 1024
        tables.append(table)
    return tables[0], tables[1]

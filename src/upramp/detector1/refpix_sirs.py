"""Side signals by convolution: "simple improved reference subtraction" (SIRS).

Instead of a running median, the side pixels' mean of each line is convolved
with a kernel of its own for each amplifier and side. A correction of whole
frames of the near-infrared detectors only.

Source: jwst/refpix/optimized_convolution.py; Rauscher et al. 2022, the method.
The convolutions are numpy's, whose bits are those of its linear algebra library.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["AMPLIFIERS", "convolution_kernels", "line_templates"]

AMPLIFIERS: Final = 4

_SIGMA_OF_DEVIATION: Final = 1.48  # of a normal distribution's median absolute deviation


def convolution_kernels(
    coefficients: NDArray[Any], gaussmooth: float, halfwidth: int
) -> NDArray[np.float64]:
    """Convolution kernels of one side from their Fourier coefficients.

    Parameters
    ----------
    coefficients
        Shape (amplifiers, frequencies), complex: ``gamma`` (left) or ``zeta``
        (right) of the detector in the SIRSKERNEL reference.
    gaussmooth
        Width of the Gaussian that smooths the kernels, in lines.
    halfwidth
        Lines of a kernel on either side of its middle.

    Returns
    -------
    ndarray
        Shape (amplifiers, taps), float64.
    """
    lag = np.arange(-halfwidth, halfwidth + 1)
    smoother = np.exp(-(lag**2) / (2 * gaussmooth**2))
    smoother /= np.sum(smoother)
    made = []
    for spectrum in coefficients:
        middle = len(spectrum) - 1
        response = np.fft.fftshift(np.fft.irfft(spectrum))
        response = response[middle - halfwidth : middle + halfwidth + 1]
        made.append(np.convolve(response, smoother, mode="same"))
    return np.array(made)


def line_templates(
    strips: NDArray[np.float64],
    kernels: tuple[NDArray[np.float64], NDArray[np.float64]],
    sigreject: float,
) -> NDArray[np.float64]:
    """Find what is to be subtracted from each line of each amplifier in one group.

    Parameters
    ----------
    strips
        Shape (2, lines, 4): left and right side pixels, DN, with their
        amplifiers' offsets taken off. Their DQ is not looked at.
    kernels
        Left and right kernels.
    sigreject
        Standard deviations (by the median deviation) beyond which a side
        pixel is left out.

    Returns
    -------
    ndarray
        Shape (amplifiers, lines), DN, float64; amplifiers as in the detector.
    """
    ones = np.ones(strips.shape[1])
    means, shares = [], []
    with np.errstate(all="ignore"):
        for strip in strips:
            centre = np.median(strip)
            distance = np.abs(strip - centre)
            sigma = _SIGMA_OF_DEVIATION * np.median(distance)
            kept = 1 * (distance <= sigreject * sigma)
            means.append(np.sum(strip * kept, axis=1) / strip.shape[1])
            shares.append(np.sum(kept, axis=1) / strip.shape[1])
        templates = np.empty((AMPLIFIERS, strips.shape[1]))
        for amplifier in range(AMPLIFIERS):
            sides = []
            for mean, share, kernel in zip(means, shares, kernels, strict=True):
                taps = kernel[amplifier]
                norm = np.convolve(ones, taps, mode="same")
                norm /= np.convolve(share, taps, mode="same")
                sides.append(np.convolve(mean, taps, mode="same") * norm)
            np.add(sides[0], sides[1], out=templates[amplifier])
    return templates

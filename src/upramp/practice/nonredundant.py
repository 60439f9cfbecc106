"""NIRISS's non-redundant mask: seven hexagonal holes in the pupil, and their interferogram.

The holes stand where Sivaramakrishnan et al. 2012 (SPIE 8442, 84422S) put them; how the
pupil's image on the detector is stretched and sheared was measured in commissioning
(Sivaramakrishnan et al. 2023, PASP 135, 015003). The wavefront over them is invented.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from .optics import pupil
from .wavefronts import pupil_axis

if TYPE_CHECKING:
    from .instruments import Filter

__all__ = [
    "DIAMETERS",
    "HOLES",
    "HOLE_SIZE",
    "STRETCH",
    "bandpass_curve",
    "hole_map",
    "interferogram",
]

Float = NDArray[np.float64]

HOLES: Final = np.array(
    [
        (0.0, -2.64),
        (-2.28631, 0.0),
        (2.28631, -1.32),
        (-2.28631, 1.32),
        (-1.14315, 1.98),
        (2.28631, 1.32),
        (1.14315, 1.98),
    ]
)
"""Centres in metres on the primary mirror, x and y along the detector's columns and rows."""
HOLE_SIZE: Final = 0.82
"""Metres across the flats of a hole, which are up and down."""
DIAMETERS: Final = (6.559348, 6.603464)
"""Metres across the primary mirror's flats, and across the circle around it."""
SAMPLES: Final = 320
"""Samples across the pupil."""
OVERSAMPLING: Final = 5
STRETCH: Final = np.array([[0.99282, 0.00618605], [-0.00727008, 0.99854]])
"""Matrix from rows and columns of the image of the mask to those of the mask."""
_COLOURS: Final = 15
_EDGE: Final = 0.02
"""Part of the bandpass's width over which its edges rise."""
_ARCSEC = np.pi / 180 / 3600
_DIFFUSION = 0.22
"""Charge spreads by a Gaussian of so many pixels, as behind any optics here."""


def hole_map(x: Float, y: Float, sample: float) -> Float:
    """Give the transmission at places of the mask, softened over a sample.

    Parameters
    ----------
    x, y
        Metres.
    sample
        Metres from place to place.
    """
    total = np.zeros(np.broadcast(x, y).shape)
    for centre_x, centre_y in HOLES:
        inside = np.ones_like(total)
        for angle in np.radians([30.0, 90.0, 150.0]):
            across = np.abs((x - centre_x) * np.cos(angle) + (y - centre_y) * np.sin(angle))
            inside *= np.clip((HOLE_SIZE / 2 - across) / sample + 0.5, 0, 1)
        total += inside
    return total


def bandpass_curve(bandpass: Filter, count: int) -> tuple[Float, Float]:
    """Give wavelengths in micrometres across a bandpass and what part of the light passes.

    Parameters
    ----------
    bandpass
        Its middle and width.
    count
        How many wavelengths.
    """
    place = np.linspace(-0.5 - 2 * _EDGE, 0.5 + 2 * _EDGE, count)
    passed = 1 / (1 + np.exp((np.abs(place) - 0.5) / (_EDGE / 2)))
    return bandpass.wavelength + bandpass.width * place, passed


def interferogram(
    bandpass: Filter,
    x: float,
    y: float,
    shape: tuple[int, int],
    pixel: float,
    seed: int,
    drift: Float,
) -> Float:
    """Compute the image of a point source.

    Parameters
    ----------
    bandpass
        In which light.
    x, y
        Zero-based pixel where the source is.
    shape
        Rows and columns of the window.
    pixel
        Side of a pixel in arcseconds, the mean of both.
    seed
        Chooses the telescope's wavefront error.
    drift
        (`SAMPLES`, `SAMPLES`), micrometres: what is added to that.

    Returns
    -------
    ndarray
        (ny, nx), parts of the light that passes the mask.
    """
    from scipy.ndimage import gaussian_filter

    _, wavefront = pupil(seed, SAMPLES)
    axis = pupil_axis(SAMPLES)
    spacing = axis[1] - axis[0]
    # Where on the mask the light comes from that seems to come from here.
    across, up = np.meshgrid(axis, axis)
    rows, columns = STRETCH
    holes = hole_map(
        columns[1] * across + columns[0] * up, rows[0] * up + rows[1] * across, spacing
    )
    ny, nx = shape
    total = np.zeros((ny * OVERSAMPLING, nx * OVERSAMPLING))
    weights = 0.0
    for wavelength, passed in zip(*bandpass_curve(bandpass, _COLOURS), strict=True):
        field = holes * np.exp(2j * np.pi * (wavefront + drift) / wavelength)
        waves = 1e6 / wavelength * pixel * _ARCSEC * axis
        down = np.exp(-2j * np.pi * np.outer(_samples(ny) - y, waves)).astype(np.complex64)
        along = np.exp(-2j * np.pi * np.outer(_samples(nx) - x, waves)).astype(np.complex64)
        amplitude = down @ field.astype(np.complex64) @ along.T
        cell = (pixel * _ARCSEC / OVERSAMPLING * spacing * 1e6 / wavelength) ** 2
        total += passed * (amplitude.real**2 + amplitude.imag**2) * cell
        weights += float(passed * (holes**2).sum())
    total = gaussian_filter(total / weights, _DIFFUSION * OVERSAMPLING, mode="nearest")
    return np.asarray(total.reshape(ny, OVERSAMPLING, nx, OVERSAMPLING).sum(axis=(1, 3)))


def _samples(count: int) -> Float:
    return np.asarray((np.arange(count * OVERSAMPLING) + 0.5) / OVERSAMPLING - 0.5)

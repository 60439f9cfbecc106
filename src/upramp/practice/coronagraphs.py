"""Images behind a coronagraph: a mask in the focal plane, a stop in the pupil behind it.

Light goes from the segmented pupil to the mask by a fast Fourier transform, from
there back to the Lyot stop, and on to the detector by a matrix Fourier transform
(Soummer et al. 2007, Optics Express 15, 15935), so that a source may stand anywhere
on the detector and before the mask. The masks have the flight masks' nature and size
(Krist et al. 2010, SPIE 7731, 77313J for NIRCam; Boccaletti et al. 2015, PASP 127, 633
for MIRI); the stops are plain ones of our own, and the wavefront is invented.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from .optics import DIAMETER, pupil
from .wavefronts import pupil_axis

if TYPE_CHECKING:
    from .instruments import Detector, Filter

__all__ = ["CORONAGRAPHS", "Coronagraph", "Place", "image", "stops_field"]

Float = NDArray[np.float64]

SAMPLES: Final = 200
"""Samples across the pupil."""
_PADDED: Final = SAMPLES * 8
"""Samples of the transform: eight per resolution element in the plane of the mask."""
OVERSAMPLING: Final = 4
"""Samples per side of a detector's pixel."""
_COLOURS: Final = (-0.3, 0.0, 0.3)
"""Wavelengths that stand for a bandpass, in its widths from its middle."""
_ARCSEC = np.pi / 180 / 3600
_DIFFUSION = 0.22
"""Charge spreads by a Gaussian of so many pixels, as behind any optics here."""


@dataclass(frozen=True)
class Coronagraph:
    """A mask and the stop that belongs to it."""

    kind: str
    """``round``: transmission grows with distance; ``phase``: quadrants in turn are half
    a wavelength late."""
    size: float
    """Round: the radius in arcseconds at which half the light passes. Phase: the
    wavelength in micrometres for which it is made."""
    outer: float
    """Diameter of the stop's opening, metres."""
    inner: float
    """Diameter of its central obscuration, metres."""
    spider: float
    """Width of its arms, metres."""
    gap: float = 0.0
    """Phase: width in arcseconds of the lines between quadrants, which are dark."""
    field: float | None = None
    """Side in arcseconds of the square that sees light; the whole window if not given."""


CORONAGRAPHS: Final[dict[str, Coronagraph]] = {
    "MASKA335R": Coronagraph("round", 0.63, outer=5.2, inner=1.3, spider=0.45),
    "4QPM_1065": Coronagraph(
        "phase", 10.575, outer=5.9, inner=1.1, spider=0.35, gap=0.06, field=24.0
    ),
}
"""By the ``CORONMSK`` keyword."""


def stops_field(detector: Detector) -> bool:
    """Say whether a detector is behind a coronagraph that lets a square of the field pass."""
    name = detector.coronagraph
    return name is not None and CORONAGRAPHS[name].field is not None


@dataclass(frozen=True)
class Place:
    """Where a source is."""

    x: float
    y: float
    """Zero-based pixel of the window."""
    from_mask: tuple[float, float]
    """Arcseconds from the mask's centre along the window's columns and rows."""


def image(
    coronagraph: Coronagraph,
    bandpass: Filter,
    place: Place,
    shape: tuple[int, int],
    scale: tuple[float, float],
    seed: int,
    drift: Float,
) -> tuple[Float, float]:
    """Compute the image of a point source.

    Parameters
    ----------
    coronagraph, bandpass
        What the light passes.
    place
        Where the source is.
    shape
        Rows and columns of the window.
    scale
        Arcseconds per pixel along columns and rows.
    seed
        Chooses the telescope's wavefront error.
    drift
        (`SAMPLES`, `SAMPLES`), micrometres: what is added to that.

    Returns
    -------
    image : (ny, nx)
        Parts of the light that would pass the stop if there were no mask.
    transmission
        Part of it that arrives anywhere at all.
    """
    from scipy.ndimage import gaussian_filter

    transmission, wavefront = pupil(seed, SAMPLES)
    stop = _stop(coronagraph)
    through_stop = float(((transmission * stop) ** 2).sum())
    axis = pupil_axis(SAMPLES)
    spacing = DIAMETER / SAMPLES
    ny, nx = shape
    total = np.zeros((ny * OVERSAMPLING, nx * OVERSAMPLING))
    passed = 0.0
    for colour in _COLOURS:
        wavelength = bandpass.wavelength + colour * bandpass.width
        waves = 1e6 / wavelength * _ARCSEC * axis
        tilt = place.from_mask[1] * waves[:, None] + place.from_mask[0] * waves[None, :]
        phase = (wavefront + drift) / wavelength + tilt
        field = transmission * np.exp(2j * np.pi * phase)
        field = stop * _behind_mask(coronagraph, field, wavelength)
        passed += float((field.real**2 + field.imag**2).sum()) / through_stop
        down = np.exp(-2j * np.pi * np.outer(_angles(ny, place.y, scale[1], place, 1), waves))
        across = np.exp(-2j * np.pi * np.outer(_angles(nx, place.x, scale[0], place, 0), waves))
        amplitude = down.astype(np.complex64) @ field.astype(np.complex64)
        amplitude = amplitude @ across.astype(np.complex64).T
        # Parseval: the whole plane would hold what passed the stop.
        cell = scale[0] * scale[1] * (_ARCSEC / OVERSAMPLING * spacing * 1e6 / wavelength) ** 2
        total += (amplitude.real**2 + amplitude.imag**2) * (cell / through_stop)
    total = gaussian_filter(total, _DIFFUSION * OVERSAMPLING, mode="nearest")
    pixels = total.reshape(ny, OVERSAMPLING, nx, OVERSAMPLING).sum(axis=(1, 3))
    return pixels / len(_COLOURS), passed / len(_COLOURS)


def _angles(count: int, centre: float, scale: float, place: Place, axis: int) -> Float:
    """Give the angles from the mask's centre of a row of fine samples, arcseconds."""
    fine = (np.arange(count * OVERSAMPLING) + 0.5) / OVERSAMPLING - 0.5
    return (fine - centre) * scale + place.from_mask[axis]


def _behind_mask(
    coronagraph: Coronagraph, field: NDArray[np.complex128], wavelength: float
) -> NDArray[np.complex128]:
    """Carry a field in the pupil through the mask to the next pupil."""
    from scipy.fft import fft2, ifft2

    # Both planes have their middle between samples, on which the quadrants' edges lie.
    half = np.exp(1j * np.pi * np.arange(SAMPLES) / _PADDED)
    shift = half[:, None] * half[None, :]
    spectrum = fft2((field / shift).astype(np.complex64), (_PADDED, _PADDED))
    step = wavelength / 1e6 / (DIAMETER * _PADDED / SAMPLES) / _ARCSEC
    spectrum *= _mask(coronagraph, step, wavelength)
    return np.asarray(ifft2(spectrum)[:SAMPLES, :SAMPLES] * shift)


# For the colours of one bandpass: all sources of a program look through them.
@lru_cache(maxsize=len(_COLOURS))
def _mask(
    coronagraph: Coronagraph, step: float, wavelength: float
) -> NDArray[np.complex64] | NDArray[np.float32]:
    """Amplitude that passes the mask at steps of arcseconds from its centre."""
    angle: Float = np.asarray((np.fft.fftfreq(_PADDED, 1 / _PADDED) + 0.5) * step, np.float64)
    x, y = angle[None, :], angle[:, None]
    if coronagraph.kind == "round":
        from scipy.special import j1

        # Where 1 - (2 J1(u) / u)^2 is the root of a half.
        u = np.hypot(x, y) * (_HALF_AMPLITUDE / coronagraph.size)
        u = np.maximum(u, 1e-6)
        return np.asarray(1 - (2 * j1(u) / u) ** 2, np.float32)
    late = (x > 0) ^ (y > 0)
    passed = np.where(late, np.exp(1j * np.pi * coronagraph.size / wavelength), 1)
    dark = (np.abs(x) < coronagraph.gap / 2) | (np.abs(y) < coronagraph.gap / 2)
    return np.asarray(np.where(dark, 0, passed), np.complex64)


_HALF_AMPLITUDE: Final = 2.1001
"""Solution u of 1 - (2 J1(u) / u)^2 = sqrt(1/2)."""


def _stop(coronagraph: Coronagraph) -> Float:
    """Transmission of the Lyot stop: a ring with arms before those of the secondary."""
    axis = pupil_axis(SAMPLES)
    x, y = np.meshgrid(axis, axis)
    sample = axis[1] - axis[0]
    radius = np.hypot(x, y)
    stop = np.clip((coronagraph.outer / 2 - radius) / sample + 0.5, 0, 1)
    stop *= np.clip((radius - coronagraph.inner / 2) / sample + 0.5, 0, 1)
    for angle in np.radians([90.0, 210.0, 330.0]):
        across = np.abs(-x * np.sin(angle) + y * np.cos(angle))
        before = x * np.cos(angle) + y * np.sin(angle) > 0
        stop *= np.where(
            before, np.clip((across - coronagraph.spider / 2) / sample + 0.5, 0, 1), 1
        )
    return np.asarray(stop)

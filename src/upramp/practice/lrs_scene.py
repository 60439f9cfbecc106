"""What MIRI's low-resolution spectrometer sees: a source with lines, the sky, a transit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from .lrs import (
    SLIT,
    SlitPsf,
    electrons_per_jansky,
    pixel_side,
    place_of,
    psfs_of,
    reference_pixel,
    trace,
    wavelength,
)
from .setups import area_of
from .transit import TRANSIT, integration_table, mean_light

if TYPE_CHECKING:
    from .geometry import Attitude, Subarray
    from .programs import ExposurePlan

__all__ = ["LINES", "PIVOT", "SLOPES", "Dispersed", "Line", "disperse", "lines_of", "spectrum"]

Float = NDArray[np.float64]


@dataclass(frozen=True)
class Line:
    """A Gaussian line on a continuum."""

    wavelength: float
    """Micrometres."""
    width: float
    """Its standard deviation, micrometres."""
    strength: float
    """Its peak over the continuum; negative where it absorbs."""


LINES: Final = (
    Line(6.985, 0.020, 1.2),
    Line(8.991, 0.020, 1.4),
    Line(10.511, 0.020, 1.6),
    Line(7.740, 0.050, -0.45),
    Line(11.900, 0.050, -0.5),
)
"""Three lines of emission and two of absorption, apart from one another."""
SLOPES: Final = {"MIR_LRS-FIXEDSLIT": -0.8, "MIR_LRS-SLITLESS": -2.0}
"""Power of the wavelength that the continuum goes with: a nebula's, a star's."""
PIVOT: Final = 7.5
"""Wavelength in micrometres at which a target's flux is given."""
_PER_ROW: Final = 8
"""Wavelengths at which each row is computed."""
_FIRST, _LAST = 99.0, -299.0


@dataclass(frozen=True)
class Dispersed:
    """What falls on a window, and what is true about it."""

    electrons: Float
    """Electrons per second in a pixel of mean response, (ny, nx); (nints, ny, nx) in a transit."""
    tables: dict[str, NDArray[Any]]
    """Of the truth: the spectrum, its lines, the light curve."""
    facts: dict[str, float | str]
    """Keywords of the truth."""


def spectrum(micrometres: Float, flux: float, slope: float, lines: tuple[Line, ...]) -> Float:
    """Give a source's flux density in Jy.

    Parameters
    ----------
    micrometres
        Wavelengths.
    flux
        Jy of the continuum at `PIVOT`.
    slope
        Power of the wavelength.
    lines
        What stands on the continuum.
    """
    factor = np.ones_like(micrometres)
    for line in lines:
        factor += line.strength * np.exp(
            -0.5 * ((micrometres - line.wavelength) / line.width) ** 2
        )
    return np.asarray(flux * (micrometres / PIVOT) ** slope * factor)


def lines_of(exposure_type: str) -> tuple[Line, ...]:
    """Give the lines of a source: the star that is transited has but absorption."""
    if exposure_type == "MIR_LRS-SLITLESS":
        return tuple(line for line in LINES if line.strength < 0)
    return LINES


def sky_brightness(micrometres: Float) -> Float:
    """Give the sky's and the telescope's brightness in MJy/sr."""
    return 2 + 40 * (micrometres / 12) ** 6


def disperse(plan: ExposurePlan, subarray: Subarray, attitude: Attitude, seed: int) -> Dispersed:
    """Put a spectrum on the detector.

    Each of many wavelengths of the source makes an image of its own, as wide
    as diffraction makes it, where the prism puts it.

    Parameters
    ----------
    plan
        The exposure, with its target.
    subarray
        The window that it reads.
    attitude
        Where the telescope really points.
    seed
        The archive's seed.
    """
    if plan.target is None:
        raise AssertionError(plan.root)
    x_ref, y_ref = reference_pixel(plan.exposure_type)
    x, y = place_of(attitude, (plan.target.ra, plan.target.dec))
    slit = (x - x_ref, y - y_ref) if plan.exposure_type == "MIR_LRS-FIXEDSLIT" else None
    rows = np.arange(_FIRST, _LAST, -1 / _PER_ROW)
    micrometres = wavelength(rows)
    lines = lines_of(plan.exposure_type)
    jansky = spectrum(micrometres, plan.target.flux, SLOPES[plan.exposure_type], lines)
    electrons = electrons_per_jansky(micrometres) / _PER_ROW
    nx, ny = subarray.size
    origin = subarray.start[0] - 1, subarray.start[1] - 1
    x, y = x - origin[0], y - origin[1]
    source = np.zeros((ny, nx))
    _draw(source, x + trace(rows), y + rows, micrometres, jansky * electrons, psfs_of(seed, slit))
    sky = electrons * sky_brightness(micrometres) * area_of(plan.detector)[0] * 1e6
    if slit is None:
        # Every pixel sees some part of the sky at each wavelength.
        veil = np.full((ny, nx), sky.sum())
    else:
        veil = _slit_image((ny, nx), (x_ref - origin[0], y_ref - origin[1]), rows, sky)
    tables: dict[str, NDArray[Any]] = {
        "SPECTRUM": np.array(
            list(zip(micrometres, jansky, strict=True)), [("wavelength", "f8"), ("flux", "f8")]
        ),
        "LINES": np.array(
            [(line.wavelength, line.width, line.strength) for line in lines],
            [("wavelength", "f8"), ("width", "f8"), ("strength", "f8")],
        ),
    }
    facts: dict[str, float | str] = {
        "FLUX75": plan.target.flux,
        "SLOPE": SLOPES[plan.exposure_type],
        "STAR_X": x,
        "STAR_Y": y,
    }
    if slit is not None:
        facts |= {"SLIT_X": slit[0], "SLIT_Y": slit[1]}
    if not plan.time_series:
        return Dispersed(source + veil, tables, facts)
    light = mean_light(TRANSIT, plan)
    length = plan.integrations * (plan.frames + 1) * plan.frame_time
    facts |= {
        "TRDEPTH": TRANSIT.depth,
        "TRMIDDLE": TRANSIT.middle * length,
        "TRLENGTH": TRANSIT.duration * length,
    }
    tables["LIGHT"] = integration_table(light)
    return Dispersed(light[:, None, None] * source + veil, tables, facts)


def _draw(
    image: Float, x: Float, y: Float, micrometres: Float, amplitude: Float, psf: SlitPsf
) -> None:
    """Add the images of a source at its wavelengths."""
    ny, nx = image.shape
    for column, row, wave, value in zip(x, y, micrometres, amplitude, strict=True):
        i, j = int(np.floor(column)), int(np.floor(row))
        stamp = psf.stamp(wave, column - i, row - j) * value
        half = stamp.shape[0] // 2
        top, left = j - half, i - half
        ys = slice(max(top, 0), min(top + stamp.shape[0], ny))
        xs = slice(max(left, 0), min(left + stamp.shape[1], nx))
        if ys.start < ys.stop and xs.start < xs.stop:
            image[ys, xs] += stamp[
                ys.start - top : ys.stop - top, xs.start - left : xs.stop - left
            ]


def _slit_image(
    shape: tuple[int, int], middle: tuple[float, float], rows: Float, sky: Float
) -> Float:
    """Give the light of an even sky through the slit, wavelength by wavelength.

    Parameters
    ----------
    shape
        Rows and columns of the window.
    middle
        Zero-based column and row of the slit.
    rows
        Where each wavelength falls, counted from the slit.
    sky
        Electrons per second that each gives a pixel that the sky fills.
    """
    ny, nx = shape
    length, width = (side / pixel_side() for side in SLIT)
    y = np.arange(ny, dtype=np.float64)[:, None] - middle[1]
    # A wavelength's image is as high as the slit is wide; a pixel sees the part it covers.
    covered = np.clip(width / 2 + 0.5 - np.abs(y - rows[None, :]), 0, 1)
    along = covered @ sky
    x = np.arange(nx)[None, :] - middle[0] - trace(y)
    across = np.clip(length / 2 + 0.5 - np.abs(x), 0, 1)
    return np.asarray(along[:, None] * across)

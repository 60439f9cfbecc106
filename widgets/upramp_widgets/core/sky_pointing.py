"""Where the telescope points, and what a detector sees then, by the mission's aperture file."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from upramp.errors import InputError

from .sky_plane import ARCSEC, Float, to_degrees, to_vectors
from .sky_projection import Projection, box_of_shape, plane_shape

if TYPE_CHECKING:
    from .sky_facts import Facts

__all__ = ["Pointing", "aperture_file", "projection_of_pointing"]

_APERTURES: Final = {
    "NRCALONG": ("NIRCam", "NRCA5_FULL"),
    "NRCBLONG": ("NIRCam", "NRCB5_FULL"),
    "NIS": ("NIRISS", "NIS_CEN"),
    "MIRIMAGE": ("MIRI", "MIRIM_FULL"),
    "GUIDER1": ("FGS", "FGS1_FULL"),
    "GUIDER2": ("FGS", "FGS2_FULL"),
} | {f"NRC{m}{n}": ("NIRCam", f"NRC{m}{n}_FULL") for m in "AB" for n in "1234"}
"""Detectors that see the sky undispersed, with instrument and aperture that spans them."""


@dataclass(frozen=True)
class Pointing:
    """A place in the telescope's frame that sees a place on the sky.

    Attributes
    ----------
    v2, v3 : float
        Arcseconds (V2_REF, V3_REF).
    ra, dec : float
        Degrees, ICRS (RA_REF, DEC_REF).
    roll : float
        Position angle of V3 there, degrees east of north (ROLL_REF).
    """

    v2: float
    v3: float
    ra: float
    dec: float
    roll: float

    @cached_property
    def attitude(self) -> Float:
        """Rotation of a direction in V2, V3 to one on the sky, (3, 3)."""
        v2, v3 = self.v2 * ARCSEC, self.v3 * ARCSEC
        ra, dec, roll = np.radians([self.ra, self.dec, self.roll])
        return np.asarray(
            _turn(ra, 2) @ _turn(-dec, 1) @ _turn(-roll, 0) @ _turn(v3, 1) @ _turn(-v2, 2)
        )

    def sky(self, v2: Float, v3: Float) -> tuple[Float, Float]:
        """Give right ascension and declination (degrees) of V2, V3 (arcseconds)."""
        there = to_vectors(np.asarray(v2) / 3600, np.asarray(v3) / 3600)
        return to_degrees(np.tensordot(self.attitude, there, axes=1))


@lru_cache(maxsize=8)
def aperture_file(instrument: str) -> Any:
    """Give the apertures of an instrument, as pysiaf names it.

    Parameters
    ----------
    instrument
        NIRCam, NIRSpec, NIRISS, MIRI or FGS.
    """
    # It logs that it cannot compare itself with the newest release on the
    # network; nobody asked.
    logging.getLogger("pysiaf").setLevel(logging.ERROR)
    import pysiaf

    return pysiaf.Siaf(instrument)


def projection_of_pointing(facts: Facts) -> Projection:
    """Read the pointing keywords of an exposure that has no WCS yet.

    The distortion is the aperture file's, which is what the pipeline's
    references are made from; filters' offsets are not in it.

    Parameters
    ----------
    facts
        What the exposure's metadata says.

    Raises
    ------
    InputError
        If it does not say where the detector looks, or the light is dispersed.
    """
    if facts.pointing is None:
        raise InputError(facts.subject, "its pointing is not known", "run assign_wcs")
    if facts.dispersed or facts.detector not in _APERTURES:
        raise InputError(
            facts.subject,
            f"{facts.detector or 'its detector'} sees spectra in {facts.exp_type or 'this mode'}",
            "run assign_wcs",
        )
    if facts.window is None:
        raise InputError(
            facts.subject, "it does not say which part of the detector it is", "run assign_wcs"
        )
    instrument, name = _APERTURES[facts.detector]
    aperture = aperture_file(instrument)[name]
    pointing, scale = facts.pointing, facts.aberration
    column, row = facts.window

    def forward(x: Float, y: Float) -> tuple[Float, ...]:
        # The aperture file counts pixels from 1, as SUBSTRT1 and SUBSTRT2 do.
        v2, v3 = aperture.sci_to_tel(x + column, y + row)
        # The telescope's own speed shrinks or widens the field about the reference.
        v2 = pointing.v2 + scale * (v2 - pointing.v2)
        v3 = pointing.v3 + scale * (v3 - pointing.v3)
        return pointing.sky(v2, v3)

    return Projection(
        forward,
        box_of_shape(facts.shape),
        f"pointing keywords and aperture {name} of the SIAF",
        plane_shape(facts.shape),
    )


def _turn(angle: float, axis: int) -> Float:
    """Give the rotation about an axis that takes the next axis towards the one after it."""
    c, s = float(np.cos(angle)), float(np.sin(angle))
    matrix = np.eye(3)
    a, b = (axis + 1) % 3, (axis + 2) % 3
    matrix[a, a], matrix[a, b], matrix[b, a], matrix[b, b] = c, -s, s, c
    return matrix

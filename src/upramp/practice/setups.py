"""The sky, optics, detectors and pointing of an archive, each computed once a process."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from .character import Character, make_character
from .crds_context import ANY
from .geometry import ARCSEC, Attitude, Geometry, Subarray
from .instruments import DETECTORS
from .optics import Psf, make_psf
from .programs import PROGRAMS, ExposurePlan
from .randomness import stream
from .sky import CENTRE, SCENES, Sky

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .needs import Reference

__all__ = [
    "area_of",
    "attitudes",
    "character_of",
    "full_of",
    "geometry_of",
    "psf_of",
    "sky_of",
    "subarray_of",
    "window_of",
]

_POINTING_ERROR = 0.022
"""Standard deviation of the pointing in each coordinate, arcseconds."""


def attitudes(plan: ExposurePlan, subarray: Subarray, seed: int) -> tuple[Attitude, Attitude]:
    """Give where the telescope thinks it points, and where it does."""
    dx, dy = plan.offset
    ra = CENTRE[0] + dx / 3600 / np.cos(np.radians(CENTRE[1]))
    dec = CENTRE[1] + dy / 3600
    rng = stream(seed, plan.visit or plan.root, "pointing")
    error_x, error_y = _POINTING_ERROR * rng.standard_normal(2) / 3600
    place = subarray.v2_ref, subarray.v3_ref
    true_ra = ra + error_x / np.cos(np.radians(dec))
    return (
        Attitude(*place, float(ra), float(dec), plan.roll),
        Attitude(*place, float(true_ra), float(dec + error_y), plan.roll),
    )


def window_of(reference: Reference) -> Subarray:
    """Give the window that a reference covers."""
    if reference.subarray == ANY:
        return full_of(reference.detector)
    for program in PROGRAMS.values():
        for plan in program.exposures:
            name = DETECTORS[plan.detector].name
            known_as = {name, plan.detector}
            if reference.detector in known_as and plan.subarray == reference.subarray:
                return subarray_of(plan)
    raise AssertionError(reference)


def full_of(name: str) -> Subarray:
    """Give the whole of a detector."""
    return geometry_of(name).subarray(DETECTORS[name].full_aperture, "FULL")


def subarray_of(plan: ExposurePlan) -> Subarray:
    """Give the window that an exposure reads."""
    found = geometry_of(plan.detector).subarray(plan.aperture, plan.subarray)
    if plan.start is not None and plan.size is not None:
        # A window of the same aperture: what it points with stays where it is.
        reference = (
            found.reference[0] + found.start[0] - plan.start[0],
            found.reference[1] + found.start[1] - plan.start[1],
        )
        found = replace(found, start=plan.start, size=plan.size, reference=reference)
    return found


@lru_cache(maxsize=8)
def geometry_of(name: str) -> Geometry:
    """Give a detector's distortion."""
    return Geometry(DETECTORS[name])


@lru_cache(maxsize=1)
def character_of(name: str, seed: int) -> Character:
    """Give the maps of a whole detector."""
    return make_character(DETECTORS[name], seed)


@lru_cache(maxsize=2)
def area_of(name: str) -> tuple[float, NDArray[np.float32]]:
    """Give the nominal area of a pixel in steradians, and each one's relative to it."""
    detector = DETECTORS[name]
    if detector.instrument == "NIRSPEC":
        # Its pixels' area on the sky depends on the slit: even here.
        return (0.1 * ARCSEC) ** 2, np.ones(detector.shape, np.float32)
    nominal, relative = geometry_of(name).area_map()
    return nominal, relative.astype(np.float32)


@lru_cache(maxsize=3)
def psf_of(name: str, bandpass: str, seed: int) -> Psf:
    """Give the PSF of a bandpass on a detector."""
    pixel = np.sqrt(area_of(name)[0]) / ARCSEC
    return make_psf(DETECTORS[name].filters[bandpass], pixel, seed)


def sky_of(seed: int, scene: str = "field") -> Sky:
    """Give what shines in a scene of stars; others are of none, and have the usual field's."""
    return _sky(seed, scene if scene in SCENES else "field")


@lru_cache(maxsize=2)
def _sky(seed: int, scene: str) -> Sky:
    return SCENES[scene](seed)

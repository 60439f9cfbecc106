"""Makes each reference of an archive from the simulated detectors."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from upramp.dq import PIXEL

from . import (
    high_contrast_references,
    imaging_references,
    lrs_references,
    references,
    wfss_references,
)
from .coronagraphs import stops_field
from .instruments import DETECTORS, Detector
from .programs import PROGRAMS
from .setups import area_of, character_of, full_of, geometry_of, psf_of, window_of
from .target_scene import field_of_view, pixel_scale

if TYPE_CHECKING:
    from pathlib import Path

    from .character import Character
    from .geometry import Subarray
    from .needs import Reference
    from .plans import ExposurePlan

__all__ = ["make_reference"]

_DARK_FRAMES = {"NIRCAM": 12, "NIRISS": 14, "NIRSPEC": 3, "MIRI": 8}
"""Frames of a dark; the official step extrapolates it for longer exposures."""
_SMALL = 300 * 300
"""Pixels of a window whose dark is as long as its exposures."""
_RESET_GROUPS = 6
_FLIGHT_LIKE_JUMP = {
    "expand_large_events": True,
    "after_jump_flag_dn1": 1000.0,
    "after_jump_flag_time1": 90.0,
    "after_jump_flag_dn2": 10.0,
    "after_jump_flag_time2": 15.0,
}


def make_reference(path: Path, reference: Reference, seed: int) -> None:
    """Make a reference.

    Parameters
    ----------
    path
        Where.
    reference
        Which.
    seed
        The archive's seed.
    """
    detector = DETECTORS[reference.detector]
    reftype = reference.reftype
    if detector.optics == "PRISM" and reftype in lrs_references.TYPES:
        lrs_references.make_lrs_reference(path, reftype, reference.exposure_type, seed)
    elif detector.optics == "GRISMR":
        wfss_references.make_wfss_reference(path, detector, reftype, seed)
    elif reftype.startswith("pars-"):
        _make_parameters(path, detector, reftype)
    elif reftype in {"psfmask", "throughput", "nrm"}:
        _make_for_high_contrast(path, reference)
    elif reftype in {"dark", "reset"}:
        _make_timed(path, reference, seed)
    elif not _make_without_pixels(path, detector, reftype, seed):
        _make_map(path, reference, seed)


def _make_map(path: Path, reference: Reference, seed: int) -> None:
    """Make a reference that holds maps of a detector's character."""
    detector = DETECTORS[reference.detector]
    subarray = window_of(reference)
    character = character_of(reference.detector, seed).window(*subarray.window)
    nominal, area = area_of(reference.detector)
    area = area[subarray.window]
    raw_irs2 = reference.plan is not None and reference.plan.irs2
    match reference.reftype:
        case "mask":
            if stops_field(detector) and reference.plan is not None:
                character = _behind_field_stop(character, reference.plan, subarray)
            references.mask(path, detector, subarray, character, raw_irs2=raw_irs2)
        case "superbias":
            references.superbias(path, detector, subarray, character, raw_irs2=raw_irs2)
        case "saturation":
            references.saturation(path, detector, subarray, character)
        case "linearity":
            inverse = reference.flight_like
            references.linearity(path, detector, subarray, character, inverse=inverse)
        case "gain":
            references.gain(path, detector, subarray, character)
        case "readnoise":
            references.read_noise(path, detector, subarray, character)
        case "flat":
            references.flat(path, detector, subarray, character, area)
        case "area":
            references.pixel_area(path, detector, subarray, area, nominal)
        case unknown:
            raise AssertionError(unknown)


def _make_timed(path: Path, reference: Reference, seed: int) -> None:
    """Make a reference that depends on the timing of the exposures it is for."""
    detector, plan = DETECTORS[reference.detector], reference.plan
    if plan is None:
        raise AssertionError(reference)
    subarray = window_of(reference)
    pattern = plan.pattern.name
    if reference.reftype == "reset":
        references.reset(path, detector, subarray, pattern=pattern, groups=_RESET_GROUPS)
        return
    frames = _DARK_FRAMES[detector.instrument]
    if subarray.size[0] * subarray.size[1] < _SMALL:
        frames = max(frames, plan.frames)
    references.dark(
        path,
        detector,
        subarray,
        character_of(reference.detector, seed).window(*subarray.window),
        frame_time=plan.frame_time,
        frames=frames,
        pattern=pattern,
    )


def _make_without_pixels(path: Path, detector: Detector, reftype: str, seed: int) -> bool:
    """Make a reference that holds no image of the detector; tell whether it was one."""
    plans = [p for q in PROGRAMS.values() for p in q.exposures if p.detector == detector.key]
    subarrays = tuple(sorted({plan.subarray for plan in plans}))
    match reftype:
        case "rscd":
            modes = sorted({(plan.subarray, plan.pattern.name) for plan in plans})
            references.rscd(path, detector, modes)
        case "refpix":
            references.irs2_weights(path, detector)
        case "ipc":
            references.ipc(path, detector, full_of(detector.key))
        case "distortion":
            geometry = geometry_of(detector.key)
            imaging_references.distortion(path, detector, geometry, plans[0].exposure_type)
        case "filteroffset":
            imaging_references.filter_offsets(path, detector)
        case "photom":
            imaging_references.photometry(path, detector, subarrays, area_of(detector.key)[0])
        case "apcorr":
            psfs = {name: psf_of(detector.name, name, seed) for name in detector.filters}
            imaging_references.aperture_corrections(path, detector, subarrays, psfs)
        case "abvegaoffset":
            imaging_references.vega_offsets(path, detector)
        case _:
            return False
    return True


def _make_for_high_contrast(path: Path, reference: Reference) -> None:
    """Make a reference that only a coronagraph or a pupil mask needs."""
    detector, plan = DETECTORS[reference.detector], reference.plan
    if plan is None:
        raise AssertionError(reference)
    match reference.reftype:
        case "psfmask":
            subarray = window_of(reference)
            scale = pixel_scale(plan, subarray)
            high_contrast_references.psf_mask(path, detector, subarray, scale, plan.exposure_type)
        case "throughput":
            high_contrast_references.throughput(path, detector)
        case _:
            high_contrast_references.hole_geometry(path, detector, plan.exposure_type)


def _behind_field_stop(character: Character, plan: ExposurePlan, subarray: Subarray) -> Character:
    """Mark what a coronagraph's field stop keeps in the dark."""
    dark = np.uint32(PIXEL["NON_SCIENCE"] | PIXEL["DO_NOT_USE"])
    seen = field_of_view(plan, subarray) | ~character.light
    return replace(character, dq=np.where(seen, character.dq, character.dq | dark))


def _make_parameters(path: Path, detector: Detector, reftype: str) -> None:
    if reftype == "pars-jumpstep":
        values = dict(_FLIGHT_LIKE_JUMP)
        if detector.technology == "miri":
            values = {**values, "expand_large_events": False, "find_showers": True}
        imaging_references.parameters(path, detector.instrument, "JumpStep", "jump", values)
    elif reftype == "pars-pixelreplacestep":
        imaging_references.parameters(
            path, detector.instrument, "PixelReplaceStep", "pixel_replace", {"skip": False}
        )
    else:
        imaging_references.parameters(
            path,
            detector.instrument,
            "ChargeMigrationStep",
            "charge_migration",
            {"skip": False, "signal_threshold": 21000.0},
        )

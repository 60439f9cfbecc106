"""The pieces of work that make a practice archive, each run in any process."""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from . import imaging_references, references
from .character import Character, make_character
from .crds_context import ANY, Entry
from .exposures import write_level1b
from .geometry import ARCSEC, Attitude, Geometry, Subarray
from .instruments import DETECTORS, Detector
from .optics import Psf, make_psf
from .other_scenes import guide_star, spectra
from .programs import PROGRAMS, ExposurePlan
from .randomness import stream
from .readout import read_out
from .scene import Scene, render
from .sky import CENTRE, Sky, make_sky
from .truth import write_exposure_truth

__all__ = ["Job", "entries", "missing", "prepare_worker", "work"]

_ROLL = 37.0
_POINTING_ERROR = 0.022
"""Standard deviation of the pointing in each coordinate, arcseconds."""
_IMAGING = ("NIRCAM", "NIRISS", "MIRI")
_DARK_FRAMES = {"NIRCAM": 12, "NIRISS": 14, "NIRSPEC": 3, "MIRI": 8}
_RESET_GROUPS = 6
_FLIGHT_LIKE_JUMP = {
    "expand_large_events": True,
    "after_jump_flag_dn1": 1000.0,
    "after_jump_flag_time1": 90.0,
    "after_jump_flag_dn2": 10.0,
    "after_jump_flag_time2": 15.0,
}


@dataclass(frozen=True)
class Reference:
    """A reference to be made: whom it is for, and its kind."""

    detector: str
    reftype: str
    subarray: str
    """The window it covers; `ANY` for the whole detector."""
    pattern: str = ANY
    plan: ExposurePlan | None = None
    """An exposure that uses it, where its timing matters."""
    flight_like: bool = False


@dataclass(frozen=True)
class Job:
    """Something to make."""

    folder: Path
    seed: int
    what: ExposurePlan | tuple[Reference, ...]
    cost: float
    label: str


# --------------------------------------------------------------------------
# What there is to make


def wanted_references(plans: list[ExposurePlan]) -> list[Reference]:
    """Every reference that exposures need, each once."""
    wanted: dict[tuple[str, ...], Reference] = {}

    def want(reference: Reference) -> None:
        r = reference
        key = (r.detector, r.reftype, r.subarray, r.pattern, str(r.flight_like))
        wanted.setdefault(key, reference)

    for plan in plans:
        detector = DETECTORS[plan.detector]
        window = _static_window(plan)
        raw_pattern = plan.pattern.name if detector.instrument == "NIRSPEC" else ANY
        want(Reference(plan.detector, "mask", window, raw_pattern, plan))
        for reftype in ("gain", "readnoise"):
            want(Reference(plan.detector, reftype, window))
        if plan.exposure_type.startswith("FGS_"):
            want(Reference(plan.detector, "flat", window))
            continue
        for reftype in ("saturation", "linearity"):
            want(Reference(plan.detector, reftype, window))
        want(Reference(plan.detector, "dark", plan.subarray, _dark_pattern(plan), plan))
        if detector.technology == "miri":
            want(Reference(plan.detector, "reset", plan.subarray, plan.pattern.name, plan))
            want(Reference(plan.detector, "rscd", ANY))
        else:
            want(Reference(plan.detector, "superbias", window, raw_pattern, plan))
            if plan.pattern.frames > 1:
                # Working read by read makes a difference to averaged reads only.
                want(Reference(plan.detector, "linearity", window, flight_like=True))
        if detector.corrects_ipc:
            want(Reference(plan.detector, "ipc", ANY))
        if plan.irs2:
            want(Reference(plan.detector, "refpix", ANY, plan.pattern.name))
        if detector.instrument == "NIRISS":
            want(Reference(plan.detector, "pars-chargemigrationstep", ANY, flight_like=True))
        want(Reference(plan.detector, "pars-jumpstep", ANY, flight_like=True))
        if detector.instrument in _IMAGING:
            for reftype in ("flat", "area"):
                want(Reference(plan.detector, reftype, window))
            for reftype in ("distortion", "filteroffset", "photom", "apcorr", "abvegaoffset"):
                want(Reference(plan.detector, reftype, ANY))
    return list(wanted.values())


def entries(plans: list[ExposurePlan]) -> list[Entry]:
    """Give the rules' entries for all references of exposures."""
    return [
        Entry(
            DETECTORS[r.detector].instrument,
            r.reftype,
            r.detector,
            (r.subarray,),
            (r.pattern,),
            file_name(r),
            r.flight_like,
        )
        for r in wanted_references(plans)
    ]


def missing(folder: Path, plans: list[ExposurePlan], seed: int) -> list[Job]:
    """Give the jobs that make what is not there yet, the longest first."""
    jobs = []
    by_window: dict[tuple[str, str], list[Reference]] = {}
    for reference in wanted_references(plans):
        if not _reference_path(folder, reference).exists():
            by_window.setdefault((reference.detector, reference.subarray), []).append(reference)
    for (detector, _), group in by_window.items():
        cost = 2.0 + sum(_reference_cost(r) for r in group)
        jobs.append(Job(folder, seed, tuple(group), cost, f"references of {detector}"))
    for plan in plans:
        if not (_uncal_path(folder, plan).exists() and _truth_path(folder, plan).exists()):
            cost = 2.0 + plan.integrations * plan.frames * _pixels(plan) / 4e6
            jobs.append(Job(folder, seed, plan, cost, plan.root))
    return sorted(jobs, key=lambda job: -job.cost)


def file_name(reference: Reference) -> str:
    """Name of a reference's file: the same whatever else an archive holds."""
    detector = DETECTORS[reference.detector]
    every = [
        r
        for r in wanted_references([p for q in PROGRAMS.values() for p in q.exposures])
        if DETECTORS[r.detector].instrument == detector.instrument
        and r.reftype == reference.reftype
    ]
    keys = [(r.detector, r.subarray, r.pattern, r.flight_like) for r in every]
    r = reference
    serial = 1 + keys.index((r.detector, r.subarray, r.pattern, r.flight_like))
    asdf = r.reftype in {"distortion", "filteroffset", "abvegaoffset"}
    suffix = "asdf" if asdf or r.reftype.startswith("pars-") else "fits"
    return f"jwst_{detector.instrument.lower()}_{r.reftype}_{serial:04d}.{suffix}"


def _static_window(plan: ExposurePlan) -> str:
    """Which window the references cover that do not depend on timing.

    Large detectors that are read as subarrays have references of these
    subarrays, which keeps an archive small.
    """
    return plan.subarray if DETECTORS[plan.detector].instrument in {"NIRCAM", "NIRISS"} else ANY


def _dark_pattern(plan: ExposurePlan) -> str:
    return ANY if DETECTORS[plan.detector].instrument == "NIRCAM" else plan.pattern.name


def _pixels(plan: ExposurePlan) -> int:
    nx, ny = _subarray(plan).size
    return nx * ny


def _reference_cost(reference: Reference) -> float:
    large = reference.subarray in {ANY, "FULL"} and not reference.reftype.startswith("pars-")
    return 0.8 if large else 0.1


def _reference_path(folder: Path, reference: Reference) -> Path:
    instrument = DETECTORS[reference.detector].instrument.lower()
    return folder / "crds" / "references" / "jwst" / instrument / file_name(reference)


def _uncal_path(folder: Path, plan: ExposurePlan) -> Path:
    return folder / "uncal" / f"{plan.root}_uncal.fits"


def _truth_path(folder: Path, plan: ExposurePlan) -> Path:
    return folder / "truth" / f"{plan.root}_truth.fits"


# --------------------------------------------------------------------------
# Making it


def prepare_worker() -> None:
    """Leave interrupts to the process that started this one."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ.setdefault(name, "1")


def work(job: Job) -> list[Path]:
    """Do a job and give the files it made."""
    if isinstance(job.what, ExposurePlan):
        return _make_exposure(job.folder, job.what, job.seed)
    paths = []
    for reference in job.what:
        path = _reference_path(job.folder, reference)
        path.parent.mkdir(parents=True, exist_ok=True)
        _make_reference(path, reference, job.seed)
        paths.append(path)
    return paths


def _make_exposure(folder: Path, plan: ExposurePlan, seed: int) -> list[Path]:
    detector, geometry, subarray = DETECTORS[plan.detector], _geometry(plan.detector), _subarray(plan)
    window = subarray.window
    character = _character(plan.detector, seed).window(*window)
    believed, true = _attitudes(plan, subarray, seed)
    nominal, area = _area(plan.detector)
    bandpass = detector.filters[plan.filter]
    scene: Scene | None = None
    if plan.scene == "field":
        scene = render(
            _sky(seed), bandpass, _psf(plan.detector, plan.filter, seed), geometry, subarray, true
        )
        brightness = scene.brightness
    elif plan.scene == "guide-star":
        psf = _psf(plan.detector, plan.filter, seed)
        brightness = guide_star(character.light.shape, bandpass, psf)
    else:
        brightness = spectra(character.light.shape, bandpass, seed)
    electrons = detector.gain / bandpass.photmjsr
    flux = brightness * np.float32(electrons) * character.efficiency * area[window]
    flux = flux.astype(np.float32)
    ramp = read_out(plan, detector, character, flux, seed)
    uncal, truth = _uncal_path(folder, plan), _truth_path(folder, plan)
    uncal.parent.mkdir(parents=True, exist_ok=True)
    write_exposure_truth(truth, plan, flux, ramp, scene, _sky(seed), true, electrons, nominal)
    write_level1b(uncal, plan, detector, subarray, believed, ramp)
    return [uncal, truth]


def _make_reference(path: Path, reference: Reference, seed: int) -> None:
    detector = DETECTORS[reference.detector]
    reftype = reference.reftype
    if reftype.startswith("pars-"):
        _make_parameters(path, detector, reftype)
        return
    if _make_without_pixels(path, detector, reftype, seed):
        return
    subarray = _window_of(reference)
    character = _character(reference.detector, seed).window(*subarray.window)
    nominal, area = _area(reference.detector)
    area = area[subarray.window]
    plan = reference.plan
    raw_irs2 = plan is not None and plan.irs2
    match reftype:
        case "mask":
            references.mask(path, detector, subarray, character, raw_irs2=raw_irs2)
        case "superbias":
            references.superbias(path, detector, subarray, character, raw_irs2=raw_irs2)
        case "saturation":
            references.saturation(path, detector, subarray, character)
        case "linearity":
            references.linearity(
                path, detector, subarray, character, inverse=reference.flight_like
            )
        case "gain":
            references.gain(path, detector, subarray, character)
        case "readnoise":
            references.read_noise(path, detector, subarray, character)
        case "flat":
            references.flat(path, detector, subarray, character, area)
        case "area":
            references.pixel_area(path, detector, subarray, area, nominal)
        case "dark" if plan is not None:
            frames = max(_DARK_FRAMES[detector.instrument], plan.groups if _small(plan) else 0)
            references.dark(
                path, detector, subarray, character,
                frame_time=plan.frame_time, frames=frames, pattern=plan.pattern.name,
            )
        case "reset" if plan is not None:
            references.reset(
                path, detector, subarray, pattern=plan.pattern.name, groups=_RESET_GROUPS
            )
        case _:
            raise AssertionError(reftype)


def _make_without_pixels(path: Path, detector: Detector, reftype: str, seed: int) -> bool:
    """Make a reference that holds no image of the detector; tell whether it was one."""
    plans = [p for q in PROGRAMS.values() for p in q.exposures if p.detector == detector.name]
    match reftype:
        case "rscd":
            modes = sorted({(plan.subarray, plan.pattern.name) for plan in plans})
            references.rscd(path, detector, modes)
        case "refpix":
            references.irs2_weights(path, detector)
        case "ipc":
            references.ipc(path, detector, _full(detector.name))
        case "distortion":
            geometry = _geometry(detector.name)
            imaging_references.distortion(path, detector, geometry, plans[0].exposure_type)
        case "filteroffset":
            imaging_references.filter_offsets(path, detector)
        case "photom":
            subarrays = tuple(sorted({plan.subarray for plan in plans}))
            imaging_references.photometry(path, detector, subarrays, _area(detector.name)[0])
        case "apcorr":
            psfs = {name: _psf(detector.name, name, seed) for name in detector.filters}
            imaging_references.aperture_corrections(path, detector, psfs)
        case "abvegaoffset":
            imaging_references.vega_offsets(path, detector)
        case _:
            return False
    return True


def _make_parameters(path: Path, detector: Detector, reftype: str) -> None:
    if reftype == "pars-jumpstep":
        values = dict(_FLIGHT_LIKE_JUMP)
        if detector.technology == "miri":
            values = {**values, "expand_large_events": False, "find_showers": True}
        imaging_references.parameters(path, detector.instrument, "JumpStep", "jump", values)
    else:
        imaging_references.parameters(
            path, detector.instrument, "ChargeMigrationStep", "charge_migration",
            {"skip": False, "signal_threshold": 21000.0},
        )


def _small(plan: ExposurePlan) -> bool:
    return _pixels(plan) < 300 * 300


def _attitudes(plan: ExposurePlan, subarray: Subarray, seed: int) -> tuple[Attitude, Attitude]:
    """Where the telescope thinks it points, and where it does."""
    dx, dy = plan.offset
    ra = CENTRE[0] + dx / 3600 / np.cos(np.radians(CENTRE[1]))
    dec = CENTRE[1] + dy / 3600
    rng = stream(seed, plan.root, "pointing")
    error_x, error_y = _POINTING_ERROR * rng.standard_normal(2) / 3600
    place = subarray.v2_ref, subarray.v3_ref
    true_ra = ra + error_x / np.cos(np.radians(dec))
    return (
        Attitude(*place, float(ra), float(dec), _ROLL),
        Attitude(*place, float(true_ra), float(dec + error_y), _ROLL),
    )


def _window_of(reference: Reference) -> Subarray:
    if reference.subarray == ANY:
        return _full(reference.detector)
    for program in PROGRAMS.values():
        for plan in program.exposures:
            if (plan.detector, plan.subarray) == (reference.detector, reference.subarray):
                return _subarray(plan)
    raise AssertionError(reference)


def _full(name: str) -> Subarray:
    return _geometry(name).subarray(DETECTORS[name].full_aperture, "FULL")


def _subarray(plan: ExposurePlan) -> Subarray:
    from dataclasses import replace

    found = _geometry(plan.detector).subarray(plan.aperture, plan.subarray)
    if plan.start is not None and plan.size is not None:
        found = replace(found, start=plan.start, size=plan.size)
    return found


@lru_cache(maxsize=8)
def _geometry(name: str) -> Geometry:
    return Geometry(DETECTORS[name])


@lru_cache(maxsize=1)
def _character(name: str, seed: int) -> Character:
    return make_character(DETECTORS[name], seed)


@lru_cache(maxsize=2)
def _area(name: str) -> tuple[float, np.ndarray]:  # type: ignore[type-arg]  # any float
    detector = DETECTORS[name]
    if detector.instrument == "NIRSPEC":
        # Its pixels' area on the sky depends on the slit: even here.
        return (0.1 * ARCSEC) ** 2, np.ones(detector.shape, np.float32)
    nominal, relative = _geometry(name).area_map()
    return nominal, relative.astype(np.float32)


@lru_cache(maxsize=3)
def _psf(name: str, bandpass: str, seed: int) -> Psf:
    pixel = np.sqrt(_area(name)[0]) / ARCSEC
    return make_psf(DETECTORS[name].filters[bandpass], pixel, seed)


@lru_cache(maxsize=1)
def _sky(seed: int) -> Sky:
    return make_sky(seed)

"""The pieces of work that make a practice archive, each run in any process."""

from __future__ import annotations

import signal
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

import numpy as np

from .crds_context import ANY
from .exposures import write_level1b
from .geometry import ARCSEC
from .instruments import DETECTORS
from .lights import light_of
from .needs import Reference, file_name, wanted_references
from .programs import ExposurePlan
from .readout import read_out
from .reference_tasks import make_reference
from .setups import area_of, attitudes, character_of, sky_of, subarray_of
from .target_scene import point_at_target
from .truth import write_exposure_truth

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Job", "missing", "prepare_worker", "work"]


@dataclass(frozen=True)
class Job:
    """Something to make."""

    folder: Path
    seed: int
    what: ExposurePlan | tuple[Reference, ...]
    cost: float
    label: str


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


def _pixels(plan: ExposurePlan) -> int:
    nx, ny = subarray_of(plan).size
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


_ending = threading.Event()
"""That this process is to end."""


def prepare_worker() -> None:
    """Leave interrupts to the process that started this one; be ended without leaving pieces."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _end)


def _end(_number: int, _frame: object) -> NoReturn:
    # Unwinds, so that what was being written is taken away; jobs that wait are not begun.
    _ending.set()
    raise SystemExit


def work(job: Job) -> list[Path]:
    """Do a job and give the files it made."""
    if _ending.is_set():
        raise SystemExit
    if isinstance(job.what, ExposurePlan):
        return _make_exposure(job.folder, job.what, job.seed)
    paths = []
    for reference in job.what:
        path = _reference_path(job.folder, reference)
        path.parent.mkdir(parents=True, exist_ok=True)
        make_reference(path, reference, job.seed)
        paths.append(path)
    return paths


def _make_exposure(folder: Path, plan: ExposurePlan, seed: int) -> list[Path]:
    detector, subarray = DETECTORS[plan.detector], subarray_of(plan)
    window = subarray.window
    character = character_of(plan.detector, seed).window(*window)
    point = attitudes if plan.target is None else point_at_target
    believed, true = point(plan, subarray, seed)
    nominal, area = area_of(plan.detector)
    bandpass = detector.filters[plan.filter]
    light = light_of(plan, subarray, true, seed)
    electrons = detector.gain / bandpass.photmjsr
    flux = light.brightness * np.float32(electrons) * character.efficiency * area[window]
    flux = flux.astype(np.float32)
    ramp = read_out(plan, detector, character, flux, seed)
    uncal, truth = _uncal_path(folder, plan), _truth_path(folder, plan)
    uncal.parent.mkdir(parents=True, exist_ok=True)
    write_exposure_truth(
        truth, plan, flux, ramp, light, sky_of(seed, plan.scene), true, electrons, nominal
    )
    write_level1b(
        uncal, plan, detector, subarray, believed, float(np.sqrt(nominal)) / ARCSEC, ramp
    )
    return [uncal, truth]

"""Which references the exposures of an archive need, and what their files are called."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from .coronagraphs import stops_field
from .crds_context import ANY, Entry
from .instruments import DETECTORS
from .programs import PROGRAMS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .programs import ExposurePlan

__all__ = ["Reference", "entries", "file_name", "wanted_references"]

_ASDF = {"distortion", "filteroffset", "abvegaoffset", "wavelengthrange"}
_IMAGING = ("NIRCAM", "NIRISS", "MIRI")


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
    exposure_type: str = ANY
    """The only ``EXP_TYPE`` it is for; `ANY` for all that have none of their own."""


def wanted_references(plans: list[ExposurePlan]) -> list[Reference]:
    """Give every reference that exposures need, each once."""
    wanted: dict[tuple[object, ...], Reference] = {}
    for plan in plans:
        for reference in _needed_by(plan):
            wanted.setdefault(_identity(reference), reference)
    return list(wanted.values())


def entries(plans: list[ExposurePlan]) -> list[Entry]:
    """Give the rules' entries for all references of exposures."""
    return [
        Entry(
            DETECTORS[r.detector].instrument,
            r.reftype,
            DETECTORS[r.detector].name,
            (r.subarray,),
            (r.pattern,),
            file_name(r),
            r.flight_like,
            (r.exposure_type,),
        )
        for r in wanted_references(plans)
    ]


def file_name(reference: Reference) -> str:
    """Name of a reference's file: the same whatever else an archive holds."""
    instrument = DETECTORS[reference.detector].instrument
    serial = 1 + _all_of_type(instrument, reference.reftype).index(_identity(reference))
    asdf = reference.reftype in _ASDF
    if reference.reftype == "specwcs":
        asdf = instrument != "MIRI"  # a table there
    if reference.reftype == "extract1d":
        return f"jwst_{instrument.lower()}_{reference.reftype}_{serial:04d}.json"
    suffix = "asdf" if asdf or reference.reftype.startswith("pars-") else "fits"
    return f"jwst_{instrument.lower()}_{reference.reftype}_{serial:04d}.{suffix}"


def _identity(reference: Reference) -> tuple[object, ...]:
    r = reference
    return r.detector, r.reftype, r.subarray, r.pattern, r.flight_like, r.exposure_type


@cache
def _all_of_type(instrument: str, reftype: str) -> list[tuple[object, ...]]:
    every = wanted_references([p for q in PROGRAMS.values() for p in q.exposures])
    return [
        _identity(r)
        for r in every
        if (DETECTORS[r.detector].instrument, r.reftype) == (instrument, reftype)
    ]


def _needed_by(plan: ExposurePlan) -> Iterator[Reference]:
    detector, window = DETECTORS[plan.detector], _static_window(plan)
    name = detector.name
    stopped = stops_field(detector)
    raw_pattern = plan.pattern.name if detector.instrument == "NIRSPEC" else ANY
    if not stopped:
        yield Reference(name, "mask", window, raw_pattern, plan)
    yield Reference(name, "gain", window)
    yield Reference(name, "readnoise", window)
    if plan.exposure_type.startswith("FGS_"):
        yield Reference(name, "flat", window)
        return
    yield Reference(name, "saturation", window)
    yield Reference(name, "linearity", window)
    shut = plan.exposure_type.endswith("_DARK")
    if not shut:  # of darks, references are made
        yield Reference(name, "dark", plan.subarray, _dark_pattern(plan), plan)
        yield Reference(name, "pars-jumpstep", ANY, flight_like=True)
    if detector.technology == "miri":
        yield Reference(name, "reset", plan.subarray, plan.pattern.name, plan)
        if detector.optics is None:
            yield Reference(name, "rscd", ANY)
    else:
        yield Reference(name, "superbias", window, raw_pattern, plan)
    yield from _needed_in_some_modes(plan, window)
    if not shut:
        yield from _needed_later(plan, window)


def _needed_later(plan: ExposurePlan, window: str) -> Iterator[Reference]:
    """Give what stages 2 and 3 need."""
    detector = DETECTORS[plan.detector]
    if detector.optics == "PRISM":
        yield from _needed_behind_prism(plan)
    elif detector.optics == "GRISMR":
        yield from _needed_behind_grism(plan, window)
    elif detector.optics is not None:
        yield from _needed_behind_optics(plan)
    elif detector.instrument in _IMAGING:
        yield Reference(detector.name, "flat", window)
        yield Reference(detector.name, "area", window)
        for reftype in ("distortion", "filteroffset", "photom", "apcorr", "abvegaoffset"):
            yield Reference(detector.name, reftype, ANY)


def _needed_behind_optics(plan: ExposurePlan) -> Iterator[Reference]:
    """Give what a coronagraph or a pupil mask makes different, for its exposure type only."""
    detector = DETECTORS[plan.detector]

    def own(reftype: str, window: str = ANY) -> Reference:
        return Reference(
            detector.key, reftype, window, plan=plan, exposure_type=plan.exposure_type
        )

    if stops_field(detector):
        yield own("mask", plan.subarray)
    if detector.technology == "miri":
        yield own("rscd")
    yield own("flat", plan.subarray)
    yield own("area", plan.subarray)
    for reftype in ("distortion", "filteroffset", "photom"):
        yield own(reftype)
    if detector.coronagraph is not None:
        yield own("psfmask", plan.subarray)
    else:
        yield own("throughput")
        yield own("nrm")


def _needed_behind_prism(plan: ExposurePlan) -> Iterator[Reference]:
    """Give what stages 2 and 3 need of MIRI's low-resolution spectrometer."""
    detector = DETECTORS[plan.detector]
    for reftype in ("flat", "area", "distortion", "filteroffset"):
        yield Reference(detector.name, reftype, ANY)
    own = ["specwcs", "photom", "extract1d", "apcorr"]
    if plan.exposure_type == "MIR_LRS-FIXEDSLIT":
        own += ["pathloss", "psf"]
    for reftype in ("rscd", *own):
        yield Reference(detector.key, reftype, ANY, exposure_type=plan.exposure_type)
    yield Reference(
        detector.key,
        "pars-pixelreplacestep",
        ANY,
        flight_like=True,
        exposure_type=plan.exposure_type,
    )


def _needed_behind_grism(plan: ExposurePlan, window: str) -> Iterator[Reference]:
    """Give what stages 2 and 3 need of NIRCam's slitless spectra."""
    detector = DETECTORS[plan.detector]
    yield Reference(detector.name, "area", window)
    for reftype in ("distortion", "filteroffset"):
        yield Reference(detector.name, reftype, ANY)
    for reftype in ("specwcs", "wavelengthrange", "photom", "apcorr", "bkg", "flat"):
        yield Reference(detector.key, reftype, ANY, exposure_type=plan.exposure_type)


def _needed_in_some_modes(plan: ExposurePlan, window: str) -> Iterator[Reference]:
    name = DETECTORS[plan.detector].name
    if plan.pattern.frames > 1:
        # Working read by read makes a difference to averaged reads only.
        yield Reference(name, "linearity", window, flight_like=True)
    if DETECTORS[name].corrects_ipc:
        yield Reference(name, "ipc", ANY)
    if plan.irs2:
        yield Reference(name, "refpix", ANY, plan.pattern.name)
    if DETECTORS[name].instrument == "NIRISS":
        yield Reference(name, "pars-chargemigrationstep", ANY, flight_like=True)


def _static_window(plan: ExposurePlan) -> str:
    """Which window the references cover that do not depend on timing.

    Large detectors that are read as subarrays have references of these
    subarrays, which keeps an archive small.
    """
    return plan.subarray if DETECTORS[plan.detector].instrument in {"NIRCAM", "NIRISS"} else ANY


def _dark_pattern(plan: ExposurePlan) -> str:
    return ANY if DETECTORS[plan.detector].instrument == "NIRCAM" else plan.pattern.name

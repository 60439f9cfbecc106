"""What an exposure must hold to be calibrated.

The official pipeline takes some of these for granted: without DETECTOR,
NFRAMES or TGROUP it fails minutes later with a message about something else,
and without EXP_TYPE, or with an NGROUPS that is not the data's, it calibrates
wrongly and says nothing.
"""

from __future__ import annotations

import datetime as dt
import re
from typing import TYPE_CHECKING, Final

from upramp.errors import InputError, UsageError

from .instruments import DETECTORS, MIRI_SIZE, NEAR_INFRARED_SIZE
from .kinds import with_article
from .metadata_tree import embedded_asdf, read_tree, require_sound_tree

if TYPE_CHECKING:
    from .exposure import Exposure

__all__ = ["DECISIVE", "check_calibratable"]

_ALWAYS: Final = ("INSTRUME", "DETECTOR", "EXP_TYPE", "DATE-OBS", "TIME-OBS")
_POSITION: Final = ("SUBARRAY", "SUBSTRT1", "SUBSTRT2", "SUBSIZE1", "SUBSIZE2")
_AXES: Final = ("FASTAXIS", "SLOWAXIS")
_TIMING: Final = ("READPATT", "NINTS", "NGROUPS", "NFRAMES", "GROUPGAP", "TFRAME", "TGROUP")
_POINTING: Final = ("RA_REF", "DEC_REF", "ROLL_REF", "V2_REF", "V3_REF", "V3I_YANG", "VPARITY")

_NEEDED: Final = {
    "uncal": _ALWAYS + _POSITION + _AXES + _TIMING,
    "ramp": _ALWAYS + _POSITION + _AXES + _TIMING,
    "guider-uncal": (*_ALWAYS, *_POSITION, "READPATT", "NINTS", "NGROUPS", "TGROUP"),
    "rate": _ALWAYS + _POSITION + _POINTING,
    "rateints": _ALWAYS + _POSITION + _POINTING,
}
DECISIVE: Final = frozenset().union(*_NEEDED.values(), ("FILTER", "PUPIL", "GRATING"))
"""Keywords that decide how an exposure is calibrated."""

_TAKES: Final = {
    1: ("uncal", "ramp", "guider-uncal"),
    2: ("rate", "rateints"),
    3: ("cal", "calints", "crf", "crfints"),
}
_PREFIXES: Final = {
    "NIRCAM": "NRC_",
    "NIRSPEC": "NRS_",
    "NIRISS": "NIS_",
    "MIRI": "MIR_",
    "FGS": "FGS_",
}
_INTERNAL: Final = ("DARK", "LAMP", "FLAT", "LED", "AUTOWAVE", "CAL")
"""Exposure types that look at no sky have these in their names."""
_DATE: Final = re.compile(r"\d{4}-\d{2}-\d{2}")
_TIME: Final = re.compile(r"(\d{2}:\d{2}:\d{2})(\.\d*)?")
_UNDEFINED: Final = frozenset({"UNDEFINED", "UNKNOWN", "N/A", "ANY"})
_POSITIVE: Final = ("NINTS", "NGROUPS", "NFRAMES", "TFRAME", "TGROUP", "SUBSTRT1", "SUBSTRT2")
_REPAIR: Final = "fetch the product again, or put the keyword right"


def check_calibratable(exposure: Exposure, stage: int) -> None:
    """Refuse what a stage would choke on or silently miscalibrate.

    Parameters
    ----------
    exposure
        The product.
    stage
        1, 2 or 3.

    Raises
    ------
    InputError
        If the product does not serve.
    UsageError
        If there is no such stage.
    """
    if stage not in _TAKES:
        raise UsageError(f"stage {stage}", "there is no such stage", "choose 1, 2 or 3")
    if exposure.kind not in _TAKES[stage]:
        wanted = ", ".join(_TAKES[stage])
        raise InputError(
            exposure.path,
            f"it is {with_article(exposure.kind)} product, which stage {stage} does not take",
            f"give one of {wanted}",
        )
    if exposure.header.text("DATAMODL") and not exposure.has_asdf:
        raise InputError(
            exposure.path,
            "it was written by the mission's software but its ASDF extension, the last one, is"
            " missing, so the file was cut short",
            "download or copy it again",
        )
    _require_keywords(exposure)
    _require_known_detector(exposure)
    if exposure.is_ramp:
        _require_unsigned_or_float(exposure)
        _require_counts(exposure)
        _require_subarray(exposure)
        _require_companions(exposure)
        _require_read_out(exposure)
    _require_metadata(exposure)


def _needed(exposure: Exposure) -> tuple[str, ...]:
    needed = _NEEDED.get(exposure.kind, _ALWAYS)
    if exposure.kind in ("uncal", "ramp") and exposure.header.text("DATAMODL"):
        # Ground tests look at no sky; the mission's own exposures do, and the
        # rates made of them could not go on.
        needed += _POINTING
    if any(word in (exposure.exp_type or "") for word in _INTERNAL):
        needed = tuple(name for name in needed if name not in _POINTING)
    if exposure.is_ramp and "IRS2" in (exposure.readpatt or ""):
        needed += ("NRS_NORM", "NRS_REF")
    return needed


def _require_keywords(exposure: Exposure) -> None:
    header, needed = exposure.header, _needed(exposure)
    missing = [name for name in needed if header.get(name) is None]
    if missing:
        names = ", ".join(missing)
        raise InputError(exposure.path, f"it lacks the keyword {names}", _REPAIR)
    for name in ("INSTRUME", "DETECTOR", "EXP_TYPE"):
        if header.text(name) in _UNDEFINED:
            raise InputError(exposure.path, f"its {name} is {header.text(name)}", _REPAIR)
    for name in (name for name in _POINTING + _POSITIVE if name in needed):
        value = header.number(name)  # refuses what is no number
        if name in _POSITIVE and value is not None and not 0 < value < float("inf"):
            raise InputError(exposure.path, f"its {name} is {value:g}, not above 0", _REPAIR)
    date, time = header.text("DATE-OBS") or "", header.text("TIME-OBS") or ""
    if not _is_date(date):
        raise InputError(exposure.path, f"its DATE-OBS is {date}, which is no date", _REPAIR)
    if not _is_time(time):
        raise InputError(exposure.path, f"its TIME-OBS is {time}, which is no time", _REPAIR)


def _is_date(text: str) -> bool:
    try:
        return bool(_DATE.fullmatch(text)) and bool(dt.date.fromisoformat(text))
    except ValueError:
        return False


def _is_time(text: str) -> bool:
    found = _TIME.fullmatch(text)
    try:
        dt.time.fromisoformat(found[1] if found else "none")
    except ValueError:
        return False
    return True


def _require_known_detector(exposure: Exposure) -> None:
    instrument, detector = exposure.instrument or "", exposure.detector or ""
    if instrument not in DETECTORS:
        known = ", ".join(DETECTORS)
        raise InputError(
            exposure.path, f"its instrument {instrument} is unknown", f"JWST has {known}"
        )
    if detector not in DETECTORS[instrument] and (exposure.is_ramp or detector != "MULTIPLE"):
        known = ", ".join(DETECTORS[instrument])
        raise InputError(
            exposure.path,
            f"its detector {detector} does not belong to {instrument}",
            f"{instrument} has {known}",
        )
    if not (exposure.exp_type or "").startswith(_PREFIXES[instrument]):
        raise InputError(
            exposure.path,
            f"its EXP_TYPE {exposure.exp_type} does not belong to {instrument}",
            _REPAIR,
        )


def _require_unsigned_or_float(exposure: Exposure) -> None:
    science = exposure.hdu("SCI")
    if science.is_unsigned and science.dtype.itemsize == 2:
        return
    if science.dtype.kind == "f" and science.is_plain:
        return
    raise InputError(
        exposure.path,
        f"its SCI holds {science.dtype.itemsize * 8}-bit numbers with BZERO {science.bzero:g},"
        " neither unsigned 16-bit counts nor floating point",
        "fetch the product again",
    )


def _require_counts(exposure: Exposure) -> None:
    integrations, groups = exposure.shape[:2]
    header = exposure.header
    if header.whole("NGROUPS") != groups:
        raise InputError(
            exposure.path,
            f"its NGROUPS is {header.whole('NGROUPS')} but its data have {groups} groups",
            "fetch the product again",
        )
    whole = header.whole("NINTS") or 0
    first, last = header.whole("INTSTART"), header.whole("INTEND")
    if first is None or last is None:
        expected, told_by = whole, "NINTS"
    else:
        # A segment of a long exposure: NINTS counts all segments together.
        expected, told_by = last - first + 1, "INTSTART to INTEND"
        if not 1 <= first <= last <= whole:
            raise InputError(
                exposure.path,
                f"its integrations {first} to {last} are not among the {whole} of NINTS",
                "fetch the product again",
            )
    if expected != integrations:
        raise InputError(
            exposure.path,
            f"its {told_by} is {expected} integrations but its data have {integrations}",
            "fetch the product again",
        )


def _require_subarray(exposure: Exposure) -> None:
    subarray, (rows, columns) = exposure.subarray, exposure.shape[2:]
    if exposure.kind == "guider-uncal":
        return  # the guide function stacks strips and stores windows of other sizes
    irs2 = "IRS2" in (exposure.readpatt or "")
    if irs2 or exposure.header.whole("NSTRIPES") or "STRIPE" in (subarray.name or ""):
        return  # reference samples are interleaved, so the data are larger
    if (subarray.xsize, subarray.ysize) != (columns, rows):
        raise InputError(
            exposure.path,
            f"its SUBSIZE1 and SUBSIZE2 are {subarray.xsize} and {subarray.ysize} but its data"
            f" have {columns} columns and {rows} rows",
            "fetch the product again",
        )
    size = MIRI_SIZE if exposure.instrument == "MIRI" else NEAR_INFRARED_SIZE
    starts = (subarray.xstart or 1, subarray.ystart or 1)
    for number, (start, length, there) in enumerate(
        zip(starts, (columns, rows), size, strict=True), start=1
    ):
        if start + length - 1 > there:
            raise InputError(
                exposure.path,
                f"its SUBSTRT{number} is {start}, from where {length} pixels reach beyond the"
                f" {there} of the detector",
                _REPAIR,
            )


def _require_companions(exposure: Exposure) -> None:
    nints, ngroups, ny, nx = exposure.shape
    wanted = {
        "GROUPDQ": (nints, ngroups, ny, nx),
        "PIXELDQ": (ny, nx),
        "ZEROFRAME": (nints, ny, nx),
    }
    for name, shape in wanted.items():
        if name in exposure.arrays and exposure.hdu(name).shape != shape:
            raise InputError(
                exposure.path,
                f"its {name} is {exposure.hdu(name).shape} where SCI calls for {shape}",
                "fetch the product again",
            )


def _require_read_out(exposure: Exposure) -> None:
    header = exposure.header
    nframes, gap = exposure.nframes, exposure.groupgap
    if nframes is not None and gap is not None and gap < 0:
        raise InputError(exposure.path, f"its GROUPGAP is {gap}, not 0 or more", _REPAIR)
    axes = {abs(header.whole(name) or 0) for name in _AXES if header.get(name) is not None}
    if axes and axes != {1, 2}:
        raise InputError(exposure.path, "its FASTAXIS and SLOWAXIS are impossible", _REPAIR)
    if header.get("ZEROFRAM") is True and "ZEROFRAME" not in exposure.arrays:
        raise InputError(
            exposure.path,
            "its ZEROFRAM says that there is a ZEROFRAME array, which is missing",
            "fetch the product again",
        )


def _require_metadata(exposure: Exposure) -> None:
    content = embedded_asdf(exposure.source, exposure.hdus)
    if content is None:
        return
    require_sound_tree(exposure.source, content)
    if not isinstance(read_tree(exposure.source, content), dict):
        raise InputError(
            exposure.path,
            "its ASDF extension is damaged (it holds no metadata)",
            "download or copy it again",
        )

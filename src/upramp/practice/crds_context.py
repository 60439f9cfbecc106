"""The CRDS cache of the practice archive: rules that lead each exposure to its references.

The layout is the one that the ``crds`` package reads with no server. Two
contexts are written: `CODE_DEFAULTS`, in which every step has the official
code's own parameters, and `FLIGHT_LIKE`, in which ``pars-*`` references turn
on what is usually on in flight (snowballs, showers, flags after jumps,
charge migration) and linearity works read by read.
"""

from __future__ import annotations

import hashlib
import inspect
import pprint
from dataclasses import dataclass
from functools import cache
from pathlib import PurePath
from typing import TYPE_CHECKING, Final

from upramp.atomic import write_text
from upramp.spared_imports import spare_grammar

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["ANY", "CODE_DEFAULTS", "FLIGHT_LIKE", "Entry", "write_context"]

CODE_DEFAULTS: Final = "jwst_0001.pmap"
FLIGHT_LIKE: Final = "jwst_0002.pmap"
ANY: Final = "*"
"""Matches every value of a keyword."""

_SELECTED_BY: Final = (
    "META.INSTRUMENT.DETECTOR",
    "META.SUBARRAY.NAME",
    "META.EXPOSURE.READPATT",
)
_EXPOSURE_TYPE: Final = "META.EXPOSURE.TYPE"
_OPTIONAL: Final = ("ipc", "refpix")
_TRADITIONAL: Final = ("NRS", "NRSRAPID", "NRSRAPIDD1", "NRSRAPIDD2", "NRSRAPIDD6")
"""NIRSpec's read patterns without interleaved reference pixels."""
_DETECTORS: Final = {
    "FGS": ("GUIDER1", "GUIDER2"),
    "MIRI": ("MIRIFULONG", "MIRIFUSHORT", "MIRIMAGE"),
    "NIRCAM": tuple(f"NRC{m}{n}" for m in "AB" for n in ("1", "2", "3", "4", "LONG")),
    "NIRISS": ("NIS",),
    "NIRSPEC": ("NRS1", "NRS2"),
}
_USE_AFTER: Final = "1900-01-01 00:00:00"


@dataclass(frozen=True)
class Entry:
    """A reference file and the exposures it is for."""

    instrument: str
    reftype: str
    detector: str
    subarrays: tuple[str, ...]
    """Names of subarrays, or `ANY` alone."""
    patterns: tuple[str, ...]
    """Read patterns, or `ANY` alone."""
    file: str
    flight_like: bool = False
    """Whether it is for the flight-like context only, in place of the other's."""
    exposure_types: tuple[str, ...] = (ANY,)
    """Values of ``EXP_TYPE``; `ANY` alone means all that no other entry names."""


def write_context(crds: Path, entries: list[Entry]) -> None:
    """Write rules and server information for a set of references.

    Parameters
    ----------
    crds
        The cache's folder (``CRDS_PATH``).
    entries
        Every reference in it.
    """
    mappings = crds / "mappings" / "jwst"
    config = crds / "config" / "jwst"
    for folder in (mappings, config):
        folder.mkdir(parents=True, exist_ok=True)
    types = _all_reference_types()
    instruments = ("FGS", "MIRI", "NIRCAM", "NIRISS", "NIRSPEC")
    for number, context in enumerate((CODE_DEFAULTS, FLIGHT_LIKE), start=1):
        selected = _in_context(entries, flight_like=context == FLIGHT_LIKE)
        imaps = {}
        for instrument in instruments:
            rules: dict[str, str] = {name.upper(): "N/A" for name in types}
            for reftype in sorted({e.reftype for e in selected if e.instrument == instrument}):
                own = [e for e in selected if (e.instrument, e.reftype) == (instrument, reftype)]
                name = f"jwst_{instrument.lower()}_{reftype}_{number:04d}.rmap"
                _write_rmap(mappings / name, instrument, reftype, own)
                rules[reftype.upper()] = name
            imaps[instrument] = f"jwst_{instrument.lower()}_{number:04d}.imap"
            _write_mapping(
                mappings / imaps[instrument],
                {"mapping": "INSTRUMENT", "instrument": instrument, "parkey": ("REFTYPE",)},
                pprint.pformat(rules, width=100),
            )
        _write_mapping(
            mappings / context,
            {"mapping": "PIPELINE", "parkey": ("META.INSTRUMENT.NAME",)},
            pprint.pformat(imaps, width=100),
        )
    server = {
        "observatory": "jwst",
        "operational_context": CODE_DEFAULTS,
        "last_synced": "2026-01-01 00:00:00",
        "bad_files_list": [],
    }
    write_text(config / "server_config", pprint.pformat(server) + "\n")
    write_text(config / "ref_cache_subdir_mode", "instrument\n")


def _in_context(entries: list[Entry], *, flight_like: bool) -> list[Entry]:
    if not flight_like:
        return [entry for entry in entries if not entry.flight_like]
    replaced = {
        (e.instrument, e.reftype, e.detector, e.subarrays, e.patterns, e.exposure_types)
        for e in entries
        if e.flight_like
    }
    return [
        e
        for e in entries
        if e.flight_like
        or (e.instrument, e.reftype, e.detector, e.subarrays, e.patterns, e.exposure_types)
        not in replaced
    ]


def _write_rmap(path: Path, instrument: str, reftype: str, entries: list[Entry]) -> None:
    rows = []
    # Types of exposures are told apart only where they have references of their own.
    by_type = any(entry.exposure_types != (ANY,) for entry in entries)
    selected_by = (*_SELECTED_BY, _EXPOSURE_TYPE) if by_type else _SELECTED_BY
    for entry in sorted(
        entries, key=lambda e: (e.detector, e.subarrays, e.patterns, e.exposure_types)
    ):
        key: tuple[str, ...]
        key = (entry.detector, "|".join(entry.subarrays), "|".join(entry.patterns))
        if by_type:
            key = (*key, "|".join(_types_of(entry, entries)))
        rows.append(
            f"    {key!r} : UseAfter({{\n        '{_USE_AFTER}' : '{entry.file}',\n    }}),\n"
        )
    uncovered: list[tuple[str, ...]] = []
    of_single_modes = all(entry.exposure_types != (ANY,) for entry in entries)
    if reftype in _OPTIONAL or reftype.startswith("pars-") or of_single_modes:
        uncovered = [(*key, ANY) if by_type else key for key in _uncovered(instrument, entries)]
    if by_type:
        uncovered += _other_types(entries)
    rows += [f"    {key!r} : 'N/A',\n" for key in uncovered]
    suffix = PurePath(entries[0].file).suffix
    header: dict[str, object] = {
        "classes": ("Match", "UseAfter"),
        "file_ext": suffix,
        "filekind": reftype.upper(),
        "filetype": reftype.upper(),
        "instrument": instrument,
        "mapping": "REFERENCE",
        "parkey": (selected_by, ("META.OBSERVATION.DATE", "META.OBSERVATION.TIME")),
        "suffix": reftype,
        "text_descr": f"Simulated {reftype}",
    }
    _write_mapping(path, header, "Match({\n" + "".join(rows) + "})")


def _types_of(entry: Entry, entries: list[Entry]) -> tuple[str, ...]:
    """Give the exposure types that an entry is for, with none that another one names.

    A type that is written out and `ANY` match equally well to CRDS, which then knows
    not which to take.
    """
    if entry.exposure_types != (ANY,):
        return entry.exposure_types
    named = {name for other in entries for name in other.exposure_types} - {ANY}
    if not named:
        return (ANY,)
    return tuple(name for name in _every_exposure_type() if name not in named)


def _other_types(entries: list[Entry]) -> list[tuple[str, ...]]:
    """Keys of the exposures of a detector that has a reference for others alone."""
    keys: list[tuple[str, ...]] = []
    for detector in sorted({entry.detector for entry in entries}):
        own = [entry for entry in entries if entry.detector == detector]
        if any(entry.exposure_types == (ANY,) for entry in own):
            continue
        named = {name for entry in own for name in entry.exposure_types}
        others = "|".join(name for name in _every_exposure_type() if name not in named)
        keys.append((detector, ANY, ANY, others))
    return keys


@cache
def _every_exposure_type() -> tuple[str, ...]:
    from stdatamodels.jwst.datamodels import JwstDataModel

    known = JwstDataModel().schema
    for name in ("meta", "exposure", "type"):
        known = known["properties"][name]
    # To CRDS these two match every type.
    return tuple(sorted(set(known["enum"]) - {"ANY", "N/A"}))


def _uncovered(instrument: str, entries: list[Entry]) -> list[tuple[str, ...]]:
    """Keys of what has no reference of an optional type: it goes on without, as in flight.

    One row that matches everything would be simpler, but to CRDS it matches as
    well as a row for one detector and any pattern.
    """
    covered = {entry.detector for entry in entries}
    keys: list[tuple[str, ...]]
    keys = [(name, ANY, ANY) for name in _DETECTORS[instrument] if name not in covered]
    if all(entry.patterns != (ANY,) for entry in entries):
        keys += [(name, ANY, "|".join(_TRADITIONAL)) for name in sorted(covered)]
    return keys


def _write_mapping(path: Path, header: dict[str, object], selector: str) -> None:
    header = {
        **header,
        "derived_from": "practice archive",
        "name": path.name,
        "observatory": "JWST",
        "description": "Simulated by upramp; not a flight context",
    }
    lines = "".join(f"    {key!r} : {header[key]!r},\n" for key in sorted(header))
    body = "\n".join([f"header = {{\n{lines}", "}\n", f"selector = {selector}\n"])
    # CRDS's checksum leaves out every line that names it.
    sha1 = hashlib.sha1(body.encode(), usedforsecurity=False).hexdigest()
    write_text(path, body.replace("header = {\n", f"header = {{\n    'sha1sum' : '{sha1}',\n", 1))


def _all_reference_types() -> list[str]:
    """Every type that any official step or pipeline may ask for, ``pars-*`` included.

    A type that is missing from an instrument's rules is an error to CRDS;
    those with no practice reference become N/A.
    """
    spare_grammar()
    import jwst.pipeline
    import jwst.step
    from stpipe import Step

    types: set[str] = set()
    for module in (jwst.pipeline, jwst.step):
        for _, member in inspect.getmembers(module, inspect.isclass):
            if issubclass(member, Step):
                asked = inspect.getattr_static(member, "reference_file_types", None)
                types.update(asked if isinstance(asked, list | tuple) else ())
                types.add(f"pars-{member.__name__.lower()}")
    return sorted(types)

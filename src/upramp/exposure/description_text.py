"""A description on one screen."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Final

from upramp.errors import printable

from .kinds import with_article

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .describe import Description

__all__ = ["LINES", "WIDTH", "sections", "to_text"]

WIDTH: Final = 100
LINES: Final = 24
_LABEL: Final = 12

_KINDS: Final = {
    "uncal": "a level-1b exposure: raw ramps",
    "ramp": "corrected ramps",
    "rate": "a count-rate image",
    "rateints": "count-rate images, one per integration",
    "cal": "a calibrated exposure",
    "i2d": "a resampled image",
    "guider-uncal": "a guide-star exposure: raw ramps",
    "guider-cal": "a calibrated guide-star exposure",
    "reference": "a calibration reference",
    "image": "a FITS image, no JWST product",
    "table": "a FITS table, no JWST product",
    "empty": "a FITS file without data",
}


def to_text(described: Description) -> str:
    """Lay a description out on a screen.

    Parameters
    ----------
    described
        What to lay out.

    Returns
    -------
    str
        At most 24 lines of at most 100 columns; what does not fit ends in
        an ellipsis, and is in the JSON.
    """
    lines: list[str] = []
    for label, text, most in sections(described):
        lines += textwrap.wrap(
            text,
            WIDTH,
            initial_indent=f"{label:<{_LABEL}}",
            subsequent_indent=" " * _LABEL,
            max_lines=most,
            placeholder=" …",
        )
    return "\n".join(lines[:LINES])


def sections(described: Description) -> Iterator[tuple[str, str, int]]:
    """Give what is to be said, section by section.

    Parameters
    ----------
    described
        What to lay out.

    Yields
    ------
    tuple
        Label (empty where the section before goes on), text, and most lines of
        each: together no more than a screen.
    """
    yield from _identity(described)
    yield from _contents(described)
    quality = _quality(described)[:3]
    for index, line in enumerate(quality):
        yield "" if index else "Quality", line, 2 if len(quality) == 1 else 1
    yield "Footprint", _footprint(described), 3
    yield from _provenance(described)


def _identity(described: Description) -> Iterator[tuple[str, str, int]]:
    kind = _KINDS.get(described.kind, f"{with_article(described.kind)} product")
    size = f"{described.bytes / 1e6:.1f} MB" + (" (gzip on disk)" if described.compressed else "")
    model = described.model if described.model not in (None, described.kind) else ""
    yield (
        "File",
        f"{printable(Path(described.path).name)}: {kind}, {size}{model and ', ' + model}",
        2,
    )
    if described.mode:
        mode = " ".join(described.mode.values())
        yield "Mode", f"{mode}{_subarray(described)}", 2
    if described.target:
        target = described.target.get("target", "")
        where = ", ".join(
            f"{name} {described.target[name]}"
            for name in ("program", "observation", "visit")
            if name in described.target
        )
        yield "Target", ", ".join(part for part in (target, where) if part), 1
    timing = _timing(described)
    if timing:
        yield "Timing", timing, 2


def _subarray(described: Description) -> str:
    part = described.subarray
    if not part:
        return ""
    text = f", subarray {part['name'] or 'without a name'}"
    if part["xsize"] is not None and part["ysize"] is not None:
        text += f" {part['xsize']} x {part['ysize']}"
    if part["xstart"] is not None and part["ystart"] is not None:
        text += f" from ({part['xstart']}, {part['ystart']})"
    return text


def _timing(described: Description) -> str:
    timing = described.timing
    parts = [f"start {described.start} UTC"] if described.start else []
    parts += [
        f"{name} {timing[f'{name}_time']:.6g} s"
        for name in ("frame", "group", "integration", "exposure")
        if f"{name}_time" in timing
    ]
    if "nints" in timing and "ngroups" in timing:
        parts.append(f"NINTS {timing['nints']}, NGROUPS {timing['ngroups']}")
    if "nframes" in timing:
        gap = f" and {timing['groupgap']} dropped" if "groupgap" in timing else ""
        parts.append(f"of each group {timing['nframes']} averaged{gap}")
    return ", ".join(parts)


def _contents(described: Description) -> Iterator[tuple[str, str, int]]:
    arrays = [
        f"{array.name} {' x '.join(map(str, array.shape))} {array.dtype}"
        + (f" {array.units}" if array.units else "")
        for array in described.arrays
    ]
    if arrays:
        yield "Arrays", ", ".join(arrays), 2
    only = not arrays
    tables = [
        f"{table.name if not table.name.isdigit() else 'HDU ' + table.name}: {table.rows} rows of"
        f" {len(table.columns)} columns" + (f" ({', '.join(table.columns)})" if only else "")
        for table in described.tables
    ]
    if tables:
        yield "Tables", ", ".join(tables), 6 if only else 1


def _quality(described: Description) -> list[str]:
    lines = []
    for summary in described.dq:
        clean = 100 * summary.clean / summary.size if summary.size else 0.0
        most = sorted(summary.bits, key=lambda name: -summary.bits[name])
        bits = [f"{name} {summary.bits[name]} ({summary.percentage(name):.3g} %)" for name in most]
        lines.append(", ".join([f"{summary.array}: clean {clean:.4g} %", *bits]))
    return lines


def _footprint(described: Description) -> str:
    found = described.footprint
    if not found.corners:
        return f"not known: {found.source}"
    corners = " ".join(f"({ra:.6f}, {dec:+.6f})" for ra, dec in found.corners)
    several = f", the first of {found.regions} regions" if found.regions > 1 else ""
    return f"{corners} from {found.source}{several}"


def _provenance(described: Description) -> Iterator[tuple[str, str, int]]:
    software = described.software
    names = {
        "calibration": "jwst",
        "crds_context": "CRDS context",
        "data_processing": "ground system",
        "origin": "from",
        "created": "written",
    }
    parts = [f"{label} {software[name]}" for name, label in names.items() if name in software]
    if parts:
        yield "Provenance", ", ".join(parts), 1
    if described.upramp:
        yield "", described.upramp, 1
    by_status: dict[str, list[str]] = {}
    for step, status in described.steps.items():
        by_status.setdefault(status.lower(), []).append(step)
    if by_status:
        text = "; ".join(f"{status}: {' '.join(by_status[status])}" for status in by_status)
        yield "Steps", text, 2
    if described.references:
        yield "References", ", ".join(described.references.values()), 2
    if described.inferred:
        values = ", ".join(
            f"{name}={found['value']}" for name, found in described.inferred.items()
        )
        yield "Inferred", values, 2
    if described.readiness:
        problem = described.readiness.problem
        text = "ready" if problem is None else f"not ready: {problem}"
        yield f"Stage {described.readiness.stage}", text, 2

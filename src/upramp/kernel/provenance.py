"""The provenance of a product, as a table."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Final

from upramp.errors import UsageError

from .markup import Card

__all__ = ["of_object", "provenance_card"]

_GENERAL: Final = frozenset(
    {"input_dir", "output_dir", "output_ext", "output_file", "output_use_index", "skip"}
    | {"output_use_model", "post_hooks", "pre_hooks", "save_results", "search_output_file"}
    | {"suffix"}
)
"""Parameters that every step has."""


def of_object(thing: Any) -> dict[str, Any]:
    """Find the provenance of a product, wherever it is.

    Parameters
    ----------
    thing
        A path, an `upramp.stages.Result`, a data model, an `upramp.Exposure`,
        or a provenance.

    Raises
    ------
    UsageError
        If it carries none.
    InputError
        If it is a file that cannot be read.
    """
    if isinstance(thing, (str, os.PathLike)):
        return _of_file(thing)
    if isinstance(thing, Mapping) and "engine" in thing:
        return dict(thing)
    own = getattr(thing, "provenance", None)
    if isinstance(own, Mapping):
        return dict(own)
    branch = getattr(getattr(thing, "meta", None), "upramp", None)
    text = getattr(branch, "provenance", None)
    if isinstance(text, str):
        import json

        try:
            found = json.loads(text)
        except ValueError:
            found = None
        if isinstance(found, dict):
            return found
    path = getattr(thing, "path", None)
    if isinstance(path, os.PathLike):
        return _of_file(path)
    raise UsageError(
        type(thing).__name__,
        "it carries no provenance of upramp",
        "give a product that upramp made, or its file",
    )


def _of_file(path: str | os.PathLike[str]) -> dict[str, Any]:
    from upramp.stages.provenance import read_provenance

    found = read_provenance(path)
    if not isinstance(found, dict):
        raise UsageError(
            path, "it carries no provenance of upramp", "give a product that upramp made"
        )
    return found


def provenance_card(provenance: Mapping[str, Any], title: str = "") -> Card:
    """Lay a provenance out: what calibrated, with what, from what, how.

    Parameters
    ----------
    provenance
        As products and results carry it; values of other kinds are shown as
        far as they can be.
    title
        What it is of; by default the exposure's file.
    """
    source = _mapping(provenance.get("input"))
    rows: list[tuple[object, object]] = [
        ("engine", provenance.get("engine", "not recorded")),
        ("pipeline", f"{provenance.get('pipeline', '?')}, stage {provenance.get('stage', '?')}"),
        ("context", provenance.get("context", "not recorded")),
        ("versions", _pairs(_mapping(provenance.get("versions")))),
        ("input", _input(source)),
        ("made", provenance.get("created", "not recorded")),
    ]
    if "fused" in provenance:
        fused = provenance["fused"]
        steps = ", ".join(map(str, fused)) if isinstance(fused, list) else str(fused)
        rows.append(("fused steps", steps or "none"))
    delegated = provenance.get("delegated")
    if delegated:
        reasons = "; ".join(f"{step}: {why}" for step, why in _mapping(delegated).items())
        rows.append(("official steps", reasons))
    elif "delegated" in provenance:
        rows.append(("official steps", "none"))
    for status in ("SKIPPED",):
        names = [name for name, is_ in _mapping(provenance.get("steps")).items() if is_ == status]
        if names:
            rows.append((status.lower(), ", ".join(map(str, names))))
    mask = _mapping(provenance.get("mask"))
    if mask:
        rows.append(("mask", _pairs(mask)))
    rows.append(("set by the user", _pairs(_mapping(provenance.get("overrides"))) or "nothing"))
    rows += _references(_mapping(provenance.get("references")))
    rows += _parameters(provenance)
    return Card(title or f"{source.get('file', 'a product')}", rows, data=dict(provenance))


def _input(source: Mapping[str, Any]) -> str:
    members = source.get("members")
    if source.get("made_of") and isinstance(members, list):
        # The association was made of these, and went with the run.
        return "; ".join(
            f"{one.get('exptype', '?')} {_file(one)}" for one in map(_mapping, members)
        )
    return _file(source)


def _file(record: Mapping[str, Any]) -> str:
    return f"{record.get('file', '?')}, sha256 {_short(record.get('sha256'))}"


def _references(references: Mapping[str, Any]) -> list[tuple[object, object]]:
    rows: list[tuple[object, object]] = []
    for kind, reference in references.items():
        found = _mapping(reference)
        if found.get("sha256"):
            text = f"{found.get('file', '?')}, sha256 {_short(found['sha256'])}"
            rows.append((f"reference {kind}", text))
    return rows


def _parameters(provenance: Mapping[str, Any]) -> list[tuple[object, object]]:
    rows: list[tuple[object, object]] = []
    steps = _mapping(_mapping(provenance.get("parameters")).get("steps"))
    for step, values in steps.items():
        own = _mapping(values)
        if own.get("skip") is True:
            continue
        shown = {name: value for name, value in own.items() if name not in _GENERAL}
        if shown:
            rows.append((f"parameters of {step}", _pairs(shown, "=")))
    return rows


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _pairs(values: Mapping[str, Any], between: str = " ") -> str:
    return ", ".join(f"{name}{between}{value}" for name, value in values.items())


def _short(digest: object) -> str:
    return f"{digest[:12]}…" if isinstance(digest, str) else "not recorded"

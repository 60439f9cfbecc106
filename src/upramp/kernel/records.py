"""What made a notebook's outputs: the record, as cells carry it and as a notebook sums it up.

A cell that calibrates carries a record of each run as an output of its own
media type, which front ends that do not know it leave alone and save. The
server sums them up in the notebook's metadata when it saves (`.saving`).
Notebooks come from anywhere: whatever is read here is checked, shortened and
counted, and what is not as it should be is left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["KEY", "MEDIA_TYPE", "SCHEMA", "Record", "from_notebook", "run_record", "sum_up"]

MEDIA_TYPE: Final = "application/vnd.upramp.provenance+json"
"""The media type of a cell's record."""

KEY: Final = "upramp"
"""The key of the summary in a notebook's metadata."""

SCHEMA: Final = 1

_TEXT: Final = 400
_RUNS: Final = 2000
_ENVIRONMENTS: Final = 100
_NAMES: Final = 64
_REFERENCES: Final = 1000
_INPUTS: Final = 1000


@dataclass(frozen=True)
class Record:
    """What made a notebook's outputs.

    Parameters
    ----------
    environments
        Engine, context and versions, each combination once, oldest first; with
        ``runs``, how many calibrations it did, and ``last``, the time of the last.
    references
        References that were used: ``type``, ``file`` and ``sha256``, each once.
    inputs
        Exposures that were calibrated: ``file`` and ``sha256``, each once.
    """

    environments: tuple[Mapping[str, Any], ...] = ()
    references: tuple[Mapping[str, str], ...] = ()
    inputs: tuple[Mapping[str, str], ...] = ()

    def __bool__(self) -> bool:
        return bool(self.environments)

    def to_dict(self) -> dict[str, Any]:
        """Give it as a notebook's metadata hold it."""
        return {
            "schema": SCHEMA,
            "environments": [dict(one) for one in self.environments],
            "references": [dict(one) for one in self.references],
            "inputs": [dict(one) for one in self.inputs],
        }


def run_record(provenance: Mapping[str, Any]) -> dict[str, Any]:
    """Give what a cell's output keeps of a calibration's provenance.

    Parameters
    ----------
    provenance
        As `upramp.stages.Result` has it.

    Returns
    -------
    dict
        The same without parameters that nobody set, and without references
        that do not apply: the product itself carries all of it.
    """
    kept = ("engine", "pipeline", "stage", "context", "created", "versions", "overrides", "input")
    record: dict[str, Any] = {"schema": SCHEMA}
    record |= {name: provenance[name] for name in kept if name in provenance}
    record |= {name: provenance[name] for name in ("fused", "delegated") if name in provenance}
    if "mask" in provenance:
        record["mask"] = provenance["mask"]
    record["references"] = {
        kind: dict(reference)
        for kind, reference in provenance.get("references", {}).items()
        if reference.get("sha256")
    }
    return record


def from_notebook(notebook: object) -> Record:
    """Read what made a notebook's outputs, from its cells or else from its metadata.

    Parameters
    ----------
    notebook
        A notebook's JSON, from anywhere.

    Returns
    -------
    Record
        What was understood of it; empty if that is nothing.
    """
    found = sum_up(notebook)
    if found or not isinstance(notebook, dict):
        return found
    metadata = notebook.get("metadata")
    return _of_summary(metadata.get(KEY) if isinstance(metadata, dict) else None)


def sum_up(notebook: object) -> Record:
    """Sum up the records that a notebook's cells carry.

    Parameters
    ----------
    notebook
        A notebook's JSON, from anywhere.
    """
    environments: dict[object, dict[str, Any]] = {}
    references: dict[object, dict[str, str]] = {}
    inputs: dict[object, dict[str, str]] = {}
    for run in _runs(notebook):
        one = _environment(run)
        if one is None:
            continue
        key = (one["engine"], one["context"], tuple(sorted(one["versions"].items())))
        known = environments.setdefault(key, {**one, "runs": 0, "last": ""})
        known["runs"] += 1
        known["last"] = max(known["last"], _text(run.get("created")))
        for reference in _references(run.get("references")):
            references.setdefault(tuple(reference.values()), reference)
        source = _file(run.get("input"))
        if source is not None:
            inputs.setdefault(tuple(source.values()), source)
    return Record(
        tuple(sorted(environments.values(), key=lambda one: str(one["last"])))[-_ENVIRONMENTS:],
        tuple(references.values())[:_REFERENCES],
        tuple(inputs.values())[:_INPUTS],
    )


def _of_summary(summary: object) -> Record:
    if not isinstance(summary, dict):
        return Record()
    environments = []
    for one in _items(summary.get("environments"))[:_ENVIRONMENTS]:
        checked = _environment(one)
        if checked is not None:
            runs = one.get("runs")
            counted = runs if isinstance(runs, int) and not isinstance(runs, bool) else 1
            last = _text(one.get("last"))
            environments.append({**checked, "runs": max(1, min(counted, 10**6)), "last": last})
    references = [
        {"type": _text(one.get("type")), **file}
        for one in _items(summary.get("references"))[:_REFERENCES]
        if (file := _file(one)) is not None
    ]
    inputs = [_file(one) for one in _items(summary.get("inputs"))[:_INPUTS]]
    return Record(
        tuple(environments), tuple(references), tuple(one for one in inputs if one is not None)
    )


def _runs(notebook: object) -> Iterator[dict[str, Any]]:
    count = 0
    cells = notebook.get("cells") if isinstance(notebook, dict) else None
    for cell in _items(cells):
        for output in _items(cell.get("outputs")):
            data = output.get("data")
            content = data.get(MEDIA_TYPE) if isinstance(data, dict) else None
            for run in _items(content.get("runs") if isinstance(content, dict) else None):
                count += 1
                if count > _RUNS:
                    return
                yield run


def _environment(run: Mapping[str, Any]) -> dict[str, Any] | None:
    engine, context = _text(run.get("engine")), _text(run.get("context"))
    versions = run.get("versions")
    if not engine or not isinstance(versions, dict):
        return None
    pairs = [(_text(name), _text(value)) for name, value in list(versions.items())[:_NAMES]]
    kept = {name: value for name, value in pairs if name and value}
    return {"engine": engine, "context": context, "versions": kept}


def _references(references: object) -> Iterator[dict[str, str]]:
    if isinstance(references, dict):
        for kind, reference in list(references.items())[:_NAMES]:
            file = _file(reference)
            if file is not None:
                yield {"type": _text(kind), **file}


def _file(value: object) -> dict[str, str] | None:
    if not isinstance(value, dict):
        return None
    name, digest = _text(value.get("file")), _text(value.get("sha256"))
    return {"file": name, "sha256": digest} if name and digest else None


def _items(value: object) -> list[dict[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _text(value: object) -> str:
    return value[:_TEXT] if isinstance(value, str) else ""

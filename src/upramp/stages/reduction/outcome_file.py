"""What came of a reduction, for machines: one JSON file beside its products."""

from __future__ import annotations

import datetime as dt
import json
import math
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from upramp.atomic import write_text
from upramp.memory import peak
from upramp.stages.provenance import versions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .records import Failure
    from .run import Reduction

__all__ = [
    "SCHEMA",
    "OutcomeFile",
    "left_over",
    "outcome_path",
    "products_named",
    "refusal",
    "write_outcome",
]

SCHEMA: Final = 1


def outcome_path(name: str, folder: Path) -> Path:
    """Say where the outcome of a notebook is.

    Parameters
    ----------
    name
        The notebook: ``mode/nircam-imaging``.
    folder
        The folder of its products.
    """
    return folder / f"{Path(name).name}_outcome.json"


def write_outcome(path: Path, outcome: dict[str, Any]) -> None:
    """Write an outcome, whole or not at all.

    Parameters
    ----------
    path
        Its file.
    outcome
        Its content.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    text = json.dumps(_plain(outcome), indent=2, allow_nan=False)
    write_text(path, f"{text}\n")


def products_named(path: Path) -> list[str]:
    """Give the names of the products that an outcome lists which is there already.

    What is no outcome lists none: it will be replaced.

    Parameters
    ----------
    path
        Its file.
    """
    try:
        content = json.loads(path.read_text())
        names = [str(one["file"]) for one in content["products"]]
    except (OSError, ValueError, TypeError, LookupError, RecursionError):
        return []
    return [name for name in names if name == Path(name).name]


def left_over(folder: Path, names: Sequence[str]) -> list[str]:
    """Give a warning of products of an earlier run that are still in a folder, if any are.

    Parameters
    ----------
    folder
        The folder.
    names
        Names of those that this run did not make.
    """
    left = [one for one in names if (folder / one).is_file()]
    if not left:
        return []
    what = "still holds products of an earlier run, which this one did not make"
    return [f"{folder} {what}: {', '.join(left)}"]


def refusal(name: str, parameters: dict[str, Any], failure: Failure) -> dict[str, Any]:
    """Give the outcome of what was refused before anything ran.

    Parameters
    ----------
    name
        The notebook.
    parameters
        As they were given.
    failure
        Why.
    """
    now = _now().isoformat(timespec="seconds")
    nothing = ("contexts", "inputs", "steps", "products", "references", "comparisons", "warnings")
    return {
        "schema": SCHEMA,
        "notebook": name,
        "status": "failed",
        "began": now,
        "ended": now,
        "seconds": 0.0,
        "peak_memory_bytes": peak(),
        "parameters": parameters,
        "versions": versions(),
        **{each: [] for each in nothing},
        "failures": [{**asdict(failure), "text": str(failure)}],
    }


class OutcomeFile:
    """The file ``NAME_outcome.json`` in the folder of the products.

    It is written when the reduction begins and after each pipeline, whole or not
    at all: where the process died, it says ``running`` and how far that had come.

    Parameters
    ----------
    reduction
        Whose outcome it is.
    """

    def __init__(self, reduction: Reduction) -> None:
        self._reduction = reduction
        self._began = _now()

    @property
    def path(self) -> Path:
        """Where it is."""
        return outcome_path(self._reduction.name, self._reduction.choices.output_dir)

    def write(self, status: str) -> None:
        """Write it.

        Parameters
        ----------
        status
            ``running``, ``done`` or ``failed``.

        Raises
        ------
        OutputError
            If it cannot be written.
        """
        write_outcome(self.path, self.to_dict(status))

    def to_dict(self, status: str) -> dict[str, Any]:
        """Give its content.

        Parameters
        ----------
        status
            ``running``, ``done`` or ``failed``.
        """
        run = self._reduction
        found: dict[str, Any] = {
            "schema": SCHEMA,
            "notebook": run.name,
            "status": status,
            "began": self._began.isoformat(timespec="seconds"),
            "ended": None if status == "running" else _now().isoformat(timespec="seconds"),
            "seconds": round((_now() - self._began).total_seconds(), 3),
            "peak_memory_bytes": peak(),
            "parameters": run.choices.to_dict(),
            "versions": versions(),
            "contexts": sorted({str(one.get("context")) for one in run.provenance}),
            "inputs": [_file(path) for path in run.inputs],
            "steps": [asdict(step) for step in run.steps],
            "products": [
                {
                    **_file(product.path),
                    "suffix": product.suffix,
                    "pipeline": product.pipeline,
                    "made_of": list(product.made_of),
                }
                for product in run.products
            ],
            "references": self._references(),
            "comparisons": run.comparisons,
            "warnings": run.warnings,
            "failures": [{**asdict(one), "text": str(one)} for one in run.failures],
        }
        return found

    def _references(self) -> list[dict[str, Any]]:
        found: dict[tuple[str, str], dict[str, Any]] = {}
        for record in self._reduction.provenance:
            for kind, reference in record.get("references", {}).items():
                for one in (reference, *reference.get("also", [])):
                    if one.get("sha256"):
                        key = (kind, str(one["sha256"]))
                        found[key] = {
                            "type": kind,
                            "file": one.get("file"),
                            "sha256": one["sha256"],
                        }
        return [found[key] for key in sorted(found)]


def _file(path: Path) -> dict[str, Any]:
    from upramp.references import sha256_of

    try:
        return {"file": path.name, "sha256": sha256_of(path), "bytes": path.stat().st_size}
    except OSError:
        return {"file": path.name, "sha256": None, "bytes": None}


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


def _plain(value: Any) -> Any:
    """Give values that strict JSON knows."""
    if isinstance(value, dict):
        return {str(name): _plain(one) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    if isinstance(value, bool) or value is None or isinstance(value, (str, int)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    return str(value)

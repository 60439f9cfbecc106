"""Where a product comes from: engine, versions, references, parameters.

The record travels in the product itself, as JSON in the metadata tree of the
ASDF extension (`meta.upramp.provenance`), where the official packages leave it
alone, and is announced by a HISTORY entry, which every FITS reader shows.
"""

from __future__ import annotations

import datetime as dt
import json
import platform
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from upramp import __version__
from upramp.errors import InputError

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Mapping

__all__ = [
    "PINNED",
    "attach",
    "build",
    "input_record",
    "of_model",
    "plain",
    "read_provenance",
    "versions",
]

PINNED: Final = (
    "jwst",
    "stcal",
    "stdatamodels",
    "crds",
    "numpy",
    "scipy",
    "numba",
    "scikit-image",
    "astropy",
)
"""The packages whose releases decide the bits of a product."""

_BRANCH: Final = "upramp"


def versions() -> dict[str, str]:
    """Give the versions of everything that a product's bits depend on."""
    found = {"upramp": __version__, "python": platform.python_version()}
    for name in PINNED:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found


def input_record(exposure: Any) -> dict[str, Any]:
    """Say which file a product was made from.

    Parameters
    ----------
    exposure
        An `upramp.Exposure`.
    """
    from upramp.references import sha256_of

    record: dict[str, Any] = {"file": Path(exposure.path).name, "sha256": sha256_of(exposure.path)}
    inferred = getattr(exposure, "inferred", None)
    if inferred:
        record["inferred"] = {
            key: {"value": item.value, "reason": item.reason} for key, item in inferred.items()
        }
    return record


def build(
    *,
    engine: str,
    pipeline: str,
    stage: int,
    context: str,
    references: Mapping[str, Mapping[str, Any]],
    parameters: Mapping[str, Any],
    overrides: Mapping[str, Any],
    source: Mapping[str, Any],
) -> dict[str, Any]:
    """Put a provenance together.

    Parameters
    ----------
    engine
        What calibrated: ``stsci`` or ``upramp``.
    pipeline
        The pipeline's name.
    stage
        1, 2 or 3.
    context
        The CRDS context that chose the references.
    references
        Name and SHA-256 of each, by type.
    parameters
        Every parameter of every step, as it was used.
    overrides
        Those that the user set.
    source
        See `input_record`.
    """
    return {
        "engine": engine,
        "pipeline": pipeline,
        "stage": stage,
        "versions": versions(),
        "context": context,
        "references": plain(references),
        "parameters": plain(parameters),
        "overrides": plain(overrides),
        "input": plain(source),
        "created": dt.datetime.now(dt.UTC).isoformat(),
    }


def attach(
    model: Any, provenance: Mapping[str, Any], switched_off: Iterable[str] = ()
) -> dict[str, Any]:
    """Store a provenance in a data model, with the steps that the model has been through.

    Parameters
    ----------
    model
        A data model of `stdatamodels`; changed in place.
    provenance
        What `build` gave.
    switched_off
        Steps that were not to run: the model forgets some of them.

    Returns
    -------
    dict
        The provenance as stored, with ``steps``: their status by name.
    """
    steps = getattr(model.meta, "cal_step", None)
    status = {} if steps is None else dict(steps.instance)
    status |= dict.fromkeys(switched_off, "SKIPPED")
    stored = {
        **provenance,
        "steps": {name: str(value) for name, value in status.items() if value is not None},
    }
    before = getattr(model.meta, _BRANCH, None)
    announced = before is not None and json.loads(before.provenance)["created"]
    setattr(model.meta, _BRANCH, {"provenance": json.dumps(stored, sort_keys=True)})
    if announced != stored["created"]:
        # Once for each run, however often a model is saved on its way; a card of the header
        # holds 72 characters.
        model.add_history_entry(
            f"upramp {__version__}: {stored['engine']} {stored['pipeline']}, "
            f"{stored['context']} (meta.upramp)"
        )
    return stored


def of_model(model: Any) -> dict[str, Any] | None:
    """Give the provenance that a data model carries, or None.

    Parameters
    ----------
    model
        A data model of `stdatamodels`.
    """
    branch = getattr(model.meta, _BRANCH, None)
    return None if branch is None else dict(json.loads(branch.provenance))


def read_provenance(path: str | os.PathLike[str]) -> dict[str, Any] | None:
    """Read the provenance that a product carries.

    Parameters
    ----------
    path
        A product in FITS, or a table in ECSV.

    Returns
    -------
    dict or None
        The provenance, or None if the file carries none of upramp's.

    Raises
    ------
    InputError
        If the file cannot be read.
    """
    if Path(path).suffix.lower() == ".ecsv":
        from .product_records import read_table_provenance

        return read_table_provenance(Path(path))
    from upramp.exposure import open_exposure
    from upramp.exposure.metadata_tree import embedded_asdf, read_tree

    with open_exposure(path) as exposure:
        content = embedded_asdf(exposure.source, exposure.hdus)
        if content is None:
            return None
        tree = read_tree(exposure.source, content)
    try:
        text = tree.get("meta", {}).get(_BRANCH, {}).get("provenance")
        found: dict[str, Any] | None = None if text is None else json.loads(text)
    except (AttributeError, TypeError, ValueError) as error:
        raise InputError(
            path,
            f"its provenance cannot be read ({' '.join(str(error).split())[:120]})",
            "check where the file is from",
        ) from error
    return found


def plain(value: Any) -> Any:
    """Give a value as JSON can hold it; what it cannot becomes text.

    Parameters
    ----------
    value
        Any parameter: nested mappings and sequences of scalars, as a rule.
    """
    if hasattr(value, "items"):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if hasattr(value, "item") and getattr(value, "ndim", 1) == 0:
        value = value.item()
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        # NaN and infinities are no JSON.
        return value if value - value == 0 else repr(value)
    return str(value)

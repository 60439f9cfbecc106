"""Provenance in products that the official pipelines write past a model's own saving.

Tables in ECSV take it as a line of their header, which their readers show as
metadata; the values' lines stay as they are.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from upramp.errors import InputError

from . import provenance

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

__all__ = ["complete_records", "read_table_provenance"]

_KEY = "upramp"
_META = "# meta: !!omap\n"
_SCHEMA = "# schema: "


def complete_records(
    folder: Path, record: Mapping[str, Any], switched_off: Iterable[str]
) -> dict[str, Any]:
    """Give every product of a folder its provenance that has none of this run yet.

    Parameters
    ----------
    folder
        Where the products are.
    record
        The provenance, as `upramp.stages.provenance.build` gave it.
    switched_off
        Steps that were not to run.

    Returns
    -------
    dict
        The provenance with the steps of the product that has been through most.
    """
    from stdatamodels.jwst import datamodels

    off = list(switched_off)
    told = dict(record)
    tables = []
    for file in sorted(one for one in folder.iterdir() if one.is_file()):
        if file.suffix == ".ecsv":
            tables.append(file)
        elif file.suffix == ".fits":
            found = provenance.read_provenance(file)
            if found is None or found["created"] != record["created"]:
                again = folder / "again"
                again.mkdir(exist_ok=True)
                with datamodels.open(file) as model:
                    found = provenance.attach(model, record, off)
                    model.save(again / file.name)
                (again / file.name).replace(file)
                again.rmdir()
            # What is made of all exposures has been through more steps than what is made of one.
            if len(found["steps"]) > len(told.get("steps", {})):
                told = found
    for file in tables:
        _put_into_table(file, told)
    return told


def _put_into_table(file: Path, record: Mapping[str, Any]) -> None:
    text = file.read_text(encoding="utf-8")
    quoted = json.dumps(record, sort_keys=True).replace("'", "''")
    line = f"# - {{{_KEY}: '{quoted}'}}\n"
    if _META in text:
        text = text.replace(_META, _META + line, 1)
    elif _SCHEMA in text:
        text = text.replace(_SCHEMA, _META + line + _SCHEMA, 1)
    else:
        return
    file.write_text(text, encoding="utf-8")


def read_table_provenance(path: Path) -> dict[str, Any] | None:
    """Read the provenance that a table carries.

    Parameters
    ----------
    path
        A table in ECSV.

    Raises
    ------
    InputError
        If it cannot be read.
    """
    start = f"# - {{{_KEY}: '"
    try:
        with path.open(encoding="utf-8") as lines:
            for line in lines:
                if not line.startswith("#"):
                    return None
                if line.startswith(start):
                    text = line[len(start) :].rstrip().removesuffix("'}").replace("''", "'")
                    found: dict[str, Any] = json.loads(text)
                    return found
    except (OSError, ValueError) as error:
        raise InputError(
            path,
            f"its provenance cannot be read ({' '.join(str(error).split())[:120]})",
            "check where the file is from",
        ) from error
    return None

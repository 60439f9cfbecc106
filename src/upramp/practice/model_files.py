"""How the practice archive's references are written by the mission's own data models."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np

from upramp.atomic import replacing

from .exposures import MADE_ON, save_reproducibly

if TYPE_CHECKING:
    from pathlib import Path

    from .instruments import Detector

__all__ = ["describe", "make_table", "save_asdf", "save_fits", "write_asdf"]


def describe(file: Any, detector: Detector, reftype: str) -> None:
    """Say in a reference's metadata what it is and that it is simulated.

    Parameters
    ----------
    file
        A data model of stdatamodels; it is changed.
    detector
        Which detector it is for.
    reftype
        Its type, as CRDS names it.
    """
    meta = file.meta
    meta.reftype = reftype
    meta.author = "upramp"
    meta.pedigree = "SIMULATION"
    meta.description = "Simulated; the practice archive of upramp"
    meta.useafter = "1900-01-01T00:00:00"
    meta.telescope = "JWST"
    meta.instrument.name = detector.instrument
    meta.instrument.detector = detector.name


def make_table(dtype: Any, rows: list[dict[str, Any]]) -> Any:
    """Give a table of a model's type from rows by column name; what a row lacks is zero.

    Parameters
    ----------
    dtype
        The table's type.
    rows
        Values by column.
    """
    table = np.zeros(len(rows), dtype)
    for k, row in enumerate(rows):
        for name in table.dtype.names or ():
            if name in row:
                table[name][k] = row[name]
    return table


def save_fits(file: Any, path: Path) -> None:
    """Save a data model as FITS, the same bytes on every day.

    Parameters
    ----------
    file
        A data model of stdatamodels.
    path
        Where.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        save_reproducibly(file, temporary)


def save_asdf(file: Any, path: Path, **nodes: Any) -> None:
    """Save a data model as ASDF, the same bytes on every day.

    Parameters
    ----------
    file
        A data model of stdatamodels.
    path
        Where.
    **nodes
        Further nodes of the tree.
    """
    file.meta.date = MADE_ON
    file.meta.filename = path.name
    # As with FITS, the model's own save() would put in today's date.
    write_asdf({**file._instance, **nodes}, path)  # noqa: SLF001 - no public way


def write_asdf(tree: dict[str, Any], path: Path) -> None:
    """Write a tree as ASDF, the same bytes for the same tree.

    Parameters
    ----------
    tree
        What to write.
    path
        Where.
    """
    import asdf

    # asdf lists the extensions that it used in any order, but for those already
    # listed: a first writing finds them, and their order is fixed for the second.
    content = io.BytesIO()
    asdf.AsdfFile(tree).write_to(content)
    content.seek(0)
    with asdf.open(content) as found:
        used = sorted(found["history"]["extensions"], key=str)
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        asdf.AsdfFile({**tree, "history": {"extensions": used}}).write_to(temporary)

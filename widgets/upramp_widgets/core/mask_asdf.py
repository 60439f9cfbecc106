"""Masks in ASDF: what a FITS mask has, in a tree ``upramp_mask``."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from upramp.atomic import replacing
from upramp.errors import InputError
from upramp.exposure.light_asdf import light_asdf

from .mask_runs import COLUMNS, SavedMask, table_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from .mask import MaskModel

__all__ = ["read", "write"]

_TREE: Final = "upramp_mask"
_REMEDY: Final = "give a mask that was saved here, or a FITS image of flags"


def write(model: MaskModel, path: Path, record: Mapping[str, Any]) -> None:
    """Write a mask, whole or not at all.

    Parameters
    ----------
    model
        The mask.
    path
        Where to.
    record
        What is to be said of it, from `MaskModel.record`.

    Raises
    ------
    OutputError
        If it cannot be written there.
    """
    import asdf

    tree = {
        "groupdq": model.to_groupdq(),
        "manual": {name.lower(): values for name, values in table_of(model).items()},
        "record": dict(record),
    }
    with light_asdf(), replacing(path) as temporary:
        asdf.AsdfFile({_TREE: tree}).write_to(temporary)


def read(path: Path) -> SavedMask:
    """Read a mask that was saved.

    Parameters
    ----------
    path
        The file.

    Raises
    ------
    InputError
        If it cannot be read, is no mask, or its layers are damaged.
    """
    import asdf

    if not path.is_file():
        raise InputError(path, "there is no such file", "check the name")
    try:
        with light_asdf(), warnings.catch_warnings():
            warnings.simplefilter("ignore", asdf.exceptions.AsdfWarning)
            with asdf.open(path, lazy_load=True, memmap=False) as file:
                saved = _saved(file.tree.get(_TREE))
    except Exception as error:  # asdf raises many kinds
        first = (str(error).splitlines() or [type(error).__name__])[0][:120]
        raise InputError(path, f"it is no ASDF file, or damaged ({first})", _REMEDY) from error
    if saved is None:
        raise InputError(path, "it holds no mask", _REMEDY)
    return saved


def _saved(tree: Any) -> SavedMask | None:
    try:
        flags, manual = tree["groupdq"], tree["manual"]
        record = tree["record"]["automatic"]
        columns = {name: manual[name.lower()] for name in COLUMNS}
        right = flags.dtype == np.uint8 and len(flags.shape) == 4 and 0 not in flags.shape
        rows = next(iter(columns.values())).shape
        for name, dtype in COLUMNS.items():
            right &= columns[name].dtype == dtype and columns[name].shape == rows
        provenance, known = dict(record["parameters"]), str(record["sha256"])
    except (KeyError, TypeError, AttributeError, ValueError):
        return None
    if not right or len(rows) != 1:
        return None
    # Only now are blocks read: what fails here is a damaged file.
    return SavedMask(
        flags=np.array(flags),
        table={name: np.array(column) for name, column in columns.items()},
        provenance=provenance,
        automatic_sha256=known,
    )

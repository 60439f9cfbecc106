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

    from numpy.typing import NDArray

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
        sizes = {column.shape for column in columns.values()}
        if (
            len(sizes) != 1
            or len(next(iter(sizes))) != 1
            or len(flags.shape) != 4
            or 0 in flags.shape
        ):
            return None
        table = {name: _array(columns[name], dtype) for name, dtype in COLUMNS.items()}
        return SavedMask(
            flags=_array(flags, np.dtype(np.uint8)),
            table=table,
            provenance=dict(record["parameters"]),
            automatic_sha256=str(record["sha256"]),
        )
    except (KeyError, TypeError, AttributeError):
        return None


def _array(stored: Any, dtype: np.dtype[Any]) -> NDArray[Any]:
    values = np.array(stored)
    if values.dtype != dtype:
        raise TypeError(f"{values.dtype} is not {dtype}")
    return values

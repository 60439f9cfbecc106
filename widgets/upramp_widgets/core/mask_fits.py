"""Masks in FITS, as ``upramp calibrate --mask`` reads them.

The image GROUPDQ has all flags, with MASKMODE = 'REPLACE'; the table MANUAL has
what was done by hand. Both are written piece by piece, so that a mask takes no
memory a second time.
"""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from astropy.io import fits

from upramp import __version__
from upramp.atomic import replacing
from upramp.errors import InputError
from upramp.exposure import open_exposure

from .mask_runs import COLUMNS, SavedMask, table_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from .mask import MaskModel

__all__ = ["read", "write"]

_BLOCK: Final = 2880  # bytes: the standard's unit
_IMAGE, _TABLE = "GROUPDQ", "MANUAL"
_FORMATS: Final = {np.dtype(np.int32): "J", np.dtype(np.uint8): "B"}
_COUNTED: Final = {"JUMP_DET": "JUMP", "SATURATED": "SAT", "DO_NOT_USE": "DNU"}
_NUMBERS: Final = (
    ("automatic", "AUTO", "found automatically"),
    ("set_by_hand", "SET", "set by hand"),
    ("cleared_by_hand", "CLR", "cleared by hand"),
)
_COMMENT: Final = (
    "The image GROUPDQ has all flags of the mask. The table MANUAL has what was"
    " done by hand, as runs of pixels along rows; it counts integrations, groups,"
    " rows and columns from 0, and tells what was set, what was cleared and what"
    " was flagged automatically there."
)


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
    nints, ngroups = model.shape[:2]
    with replacing(path) as temporary, temporary.open("wb") as file:
        file.write(_primary(record).tostring().encode("ascii"))
        file.write(_image(model.shape).tostring().encode("ascii"))
        for integration in range(nints):
            for group in range(ngroups):
                file.write(model.flags(integration, group).data)
        file.write(bytes(-file.tell() % _BLOCK))
        file.write(_table(model))


def _primary(record: Mapping[str, Any]) -> fits.Header:
    header = fits.PrimaryHDU().header
    header["ORIGIN"] = (f"upramp {__version__}", "what made this file")
    header["MASKMODE"] = (record["mode"], "jumps that are not here are taken back")
    drawn_on = record["automatic"]["parameters"].get("exposure")
    if isinstance(drawn_on, str) and drawn_on.isascii() and len(drawn_on) < 60:
        header["MASKOF"] = drawn_on
    for name, short in _COUNTED.items():
        for key, end, words in _NUMBERS:
            header[short + end] = (record["counts"][name][key], f"{name} {words}")
    header["FLAGSHA"] = record["sha256"]
    header["AUTOSHA"] = record["automatic"]["sha256"]
    # Neither quotes nor ampersands, which mean something in cards that are continued.
    text = json.dumps(record["automatic"]["parameters"])
    header["AUTOPROV"] = text.replace("'", "\\u0027").replace("&", "\\u0026")
    header["COMMENT"] = _COMMENT
    return header


def _image(shape: tuple[int, ...]) -> fits.Header:
    cards = [("XTENSION", "IMAGE"), ("BITPIX", 8), ("NAXIS", len(shape))]
    cards += [(f"NAXIS{i}", size) for i, size in enumerate(reversed(shape), 1)]
    cards += [("PCOUNT", 0), ("GCOUNT", 1), ("EXTNAME", _IMAGE)]
    return fits.Header(cards)


def _table(model: MaskModel) -> bytes:
    columns = [
        fits.Column(name, _FORMATS[COLUMNS[name]], array=values)
        for name, values in table_of(model).items()
    ]
    whole = io.BytesIO()
    table = fits.BinTableHDU.from_columns(columns, name=_TABLE)
    fits.HDUList([fits.PrimaryHDU(), table]).writeto(whole)
    return whole.getvalue()[_BLOCK:]


def read(path: Path) -> SavedMask | None:
    """Read a mask that was saved with both its layers.

    Parameters
    ----------
    path
        The file.

    Returns
    -------
    SavedMask or None
        None if the file has no manual layer.

    Raises
    ------
    InputError
        If it cannot be read, or its layers are damaged.
    """
    with open_exposure(path) as file:
        if _TABLE not in file.tables or _IMAGE not in file.arrays:
            return None
        flags = file[_IMAGE]
        if flags.ndim != 4 or flags.dtype != np.uint8 or not flags.size:
            raise InputError(path, f"its {_IMAGE} is no array of group flags", _REMEDY)
        rows = file[_TABLE]
        names = set(rows.dtype.names or ())
        if not names.issuperset(COLUMNS):
            lacking = ", ".join(sorted(set(COLUMNS) - names))
            raise InputError(path, f"its table {_TABLE} lacks {lacking}", _REMEDY)
        table = {}
        for name, dtype in COLUMNS.items():
            values = np.asarray(rows[name])
            if values.ndim != 1 or values.dtype.kind not in "iu":
                raise InputError(path, f"its column {name} holds no whole numbers", _REMEDY)
            if values.size and not np.array_equal(values, values.astype(dtype)):
                raise InputError(path, f"its column {name} has numbers too large", _REMEDY)
            table[name] = values.astype(dtype)
        return SavedMask(
            flags=flags,
            table=table,
            provenance=_provenance(path, file.header.text("AUTOPROV")),
            automatic_sha256=file.header.text("AUTOSHA") or "",
        )


_REMEDY: Final = "save the mask again"


def _provenance(path: Path, text: str | None) -> dict[str, Any]:
    try:
        provenance = json.loads(text or "")
    except (ValueError, RecursionError):
        provenance = None
    if not isinstance(provenance, dict):
        raise InputError(path, "its keyword AUTOPROV is damaged", _REMEDY)
    return provenance

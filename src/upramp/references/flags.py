"""Flags of a reference in the mission's bits, whatever bits its file uses."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from upramp.dq import PIXEL

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .records import Reference

__all__ = ["standard_flags"]


def standard_flags(reference: Reference) -> NDArray[np.uint32] | None:
    """Give a reference's DQ in the bits of `upramp.dq.PIXEL`.

    A table DQ_DEF says what each bit of the file stands for; names that the
    mission does not have are ignored. Without rows there the bits are the mission's.

    Parameters
    ----------
    reference
        A reference, parsed.

    Returns
    -------
    ndarray or None
        uint32, of the shape of its array DQ; None if it has none.

    Notes
    -----
    Source: stdatamodels/dynamicdq.py.
    """
    stored = reference.arrays.get("DQ")
    if stored is None:
        return None
    dq = stored.astype(np.uint32)
    table = reference.tables.get("DQ_DEF")
    if table is None or len(table) == 0:
        return dq
    flags = np.zeros_like(dq)
    used = np.bitwise_or.reduce(dq, axis=None)
    names = {name.upper(): name for name in table.dtype.names or ()}
    for row in table:
        bit = PIXEL.get(_text(row[names["NAME"]]))
        value = np.uint32(int(row[names["VALUE"]]) & 0xFFFFFFFF)
        if bit is None or not used & value:
            continue
        flags[(dq & value) != 0] |= np.uint32(bit)
    return flags


def _text(value: object) -> str:
    return (value.decode("ascii", "replace") if isinstance(value, bytes) else str(value)).strip()

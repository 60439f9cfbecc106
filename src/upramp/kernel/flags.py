"""Data-quality arrays by their mnemonics."""

from __future__ import annotations

from typing import Any, Final

from upramp.dq import GROUP, PIXEL
from upramp.errors import UsageError

from .markup import Card

__all__ = ["count_flags", "flags_card", "is_flags"]

_PIECE: Final = 1 << 20


def is_flags(array: Any) -> bool:
    """Guess whether an array in a notebook holds data-quality flags.

    Parameters
    ----------
    array
        Any numpy array. Flags of pixels are uint32 with two dimensions or
        more, those of groups uint8 with four; images hardly ever are.
    """
    kind, dimensions = str(array.dtype.name), int(array.ndim)
    return (kind == "uint32" and dimensions >= 2) or (kind == "uint8" and dimensions == 4)


def count_flags(array: Any) -> dict[str, int]:
    """Count the values that have each bit.

    Parameters
    ----------
    array
        Whole numbers, of any shape.

    Returns
    -------
    dict
        Mnemonic to count, only of bits that occur, lowest first; ``GOOD`` for
        values without any.

    Raises
    ------
    UsageError
        If it does not hold whole numbers.
    """
    import numpy as np

    values = np.asarray(array)
    if values.dtype.kind not in "iu":
        raise UsageError("flags", f"{values.dtype} are no flags", "give an array such as DQ")
    known = GROUP if values.dtype.itemsize == 1 else PIXEL
    counts = dict.fromkeys(("GOOD", *known), 0)
    flat = values.reshape(-1)
    for start in range(0, flat.size, _PIECE):
        piece = flat[start : start + _PIECE]
        counts["GOOD"] += piece.size - int(np.count_nonzero(piece))
        present = int(np.bitwise_or.reduce(piece))
        for name, bit in known.items():
            if present & bit:
                counts[name] += int(np.count_nonzero(piece & piece.dtype.type(bit)))
    return {name: count for name, count in counts.items() if count}


def flags_card(array: Any, title: str = "") -> Card:
    """Show how many values have each flag.

    Parameters
    ----------
    array
        Whole numbers, of any shape.
    title
        What it is; by default its type and shape.

    Raises
    ------
    UsageError
        If it does not hold whole numbers.
    """
    counts = count_flags(array)
    size = max(int(array.size), 1)
    known = {"GOOD": 0, **PIXEL}
    rows = [
        (name, count, f"{100 * count / size:.3g} %", known[name])
        for name, count in sorted(counts.items(), key=lambda one: (one[0] != "GOOD", -one[1]))
    ]
    shape = " x ".join(map(str, array.shape))
    return Card(
        title or f"flags, {array.dtype} {shape}",
        rows,
        header=("flag", "values", "share", "bit"),
        data=counts,
    )

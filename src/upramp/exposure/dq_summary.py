"""How many pixels carry each data-quality bit, counted piece by piece."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from upramp.dq import PIXEL

from .decode import decode

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .hdus import HDU
    from .source import Source

__all__ = ["DQSummary", "summarise_dq"]

_PIECE: Final = 1 << 18


@dataclass(frozen=True)
class DQSummary:
    """Counts of one data-quality array.

    Attributes
    ----------
    array : str
        DQ, PIXELDQ or GROUPDQ, with the version where there are several.
    size : int
        Values in the array.
    clean : int
        Values without any bit.
    bits : dict
        Mnemonic to count of values that have the bit; only bits that occur.
    """

    array: str
    size: int
    clean: int
    bits: dict[str, int]

    def percentage(self, name: str) -> float:
        """Share of values that have a bit, in percent.

        Parameters
        ----------
        name
            Mnemonic of the bit.
        """
        return 100 * self.bits.get(name, 0) / self.size if self.size else 0.0


def summarise_dq(source: Source, hdu: HDU) -> DQSummary:
    """Count the bits of a data-quality array, in a mebibyte of memory.

    Parameters
    ----------
    source
        The file.
    hdu
        The array.

    Returns
    -------
    DQSummary
        The counts.

    Raises
    ------
    InputError
        If the array does not hold whole numbers.
    """
    if hdu.dtype.kind not in "iu" or not (hdu.is_plain or hdu.is_unsigned):
        source.fail(f"its {hdu.label} does not hold whole numbers", "fetch the product again")
    counts = dict.fromkeys(PIXEL, 0)
    clean = 0
    for piece in _pieces(source, hdu):
        clean += piece.size - int(np.count_nonzero(piece))
        present = int(np.bitwise_or.reduce(piece))
        for name, bit in PIXEL.items():
            if present & bit:
                counts[name] += int(np.count_nonzero(piece & np.uint32(bit)))
    total = hdu.size // hdu.dtype.itemsize
    return DQSummary(hdu.label, total, clean, {name: n for name, n in counts.items() if n})


def _pieces(source: Source, hdu: HDU) -> Iterator[np.ndarray[Any, Any]]:
    total = hdu.size // hdu.dtype.itemsize
    stored = np.empty(min(_PIECE, total), hdu.dtype)
    values = np.empty(stored.size, np.uint32)
    for start in range(0, total, _PIECE):
        count = min(_PIECE, total - start)
        raw = stored[:count].view(np.uint8).data
        source.read_into(raw, hdu.offset + start * hdu.dtype.itemsize)
        decode(hdu, stored[:count], values[:count])
        yield values[:count]

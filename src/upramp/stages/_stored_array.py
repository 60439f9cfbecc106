"""An array as a FITS file stores it, read piece by piece.

Astropy turns a whole unsigned array into a second copy when it is asked for;
here only the piece that is looked at is ever converted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["StoredArray"]


@dataclass(frozen=True)
class StoredArray:
    """A flat array of stored numbers and how they become values.

    Parameters
    ----------
    raw
        The numbers as stored, flat, in C order.
    shape
        Shape of the array; its product is the size of ``raw``.
    zero, scale
        FITS scaling: a value is ``zero + scale * stored``.
    blank
        The stored integer that stands for "no value", if any.
    """

    raw: NDArray[Any]
    shape: tuple[int, ...]
    zero: float = 0
    scale: float = 1
    blank: int | None = None

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the values."""
        stored = self.raw.dtype
        if self.scale == 1 and self.zero == 0:
            return stored.newbyteorder("=")
        if self._flips_sign:
            return np.dtype(f"{'i' if stored.kind == 'u' else 'u'}{stored.itemsize}")
        return np.dtype(np.float64)

    @property
    def _flips_sign(self) -> bool:
        """Whether the scaling is FITS's way to store the other signedness."""
        if self.raw.dtype.kind not in "iu" or self.scale != 1:
            return False
        half = 2 ** (8 * self.raw.dtype.itemsize - 1)
        return bool(self.zero == (-half if self.raw.dtype.kind == "u" else half))

    def values(self, where: slice | NDArray[np.intp]) -> NDArray[Any]:
        """Values of some elements, in native byte order.

        Parameters
        ----------
        where
            Flat indices.
        """
        stored = self.raw[where]
        stored = stored.astype(stored.dtype.newbyteorder("="))
        if self.dtype == stored.dtype and self.scale == 1 and self.zero == 0:
            return stored
        if self._flips_sign:
            unsigned = np.dtype(f"u{stored.itemsize}")
            sign = unsigned.type(1 << (8 * stored.itemsize - 1))
            flipped: NDArray[Any] = (stored.view(unsigned) ^ sign).view(self.dtype)
            return flipped
        scaled = self.zero + self.scale * stored.astype(np.float64)
        if self.blank is not None and stored.dtype.kind in "iu":
            scaled[stored == self.blank] = np.nan
        return scaled

    def stored_like(self, other: StoredArray) -> bool:
        """Whether equal stored bits mean equal values in the two arrays."""
        return (self.raw.dtype, self.zero, self.scale, self.blank) == (
            other.raw.dtype,
            other.zero,
            other.scale,
            other.blank,
        )

    def bits(self, where: slice) -> NDArray[Any]:
        """Give the stored elements of a piece, as unsigned integers or text, uncopied."""
        piece = self.raw[where]
        if piece.dtype.kind in "fiu":
            return piece.view(f"u{piece.dtype.itemsize}")
        return piece

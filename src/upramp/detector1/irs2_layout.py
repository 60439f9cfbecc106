"""Where the pixels of NIRSpec's IRS2 readout lie.

In this mode each of the four outputs breaks off after every few ordinary
pixels, reads some reference pixels and goes on, while a fifth output, read at
the same time, gives reference values only. A frame comes as five sections of
one width, side by side along the fast axis of the detector: the reference
output and the four outputs, each with its reference reads still between its
ordinary pixels. In the orientation of the files (that of the sky) the fast
axis runs along the columns of the array: upwards for NRS1, downwards for NRS2,
where the slow axis is reversed too.

"Row" below is a row of the array in the files; "place" is a position along the
detector's fast axis.

Source: jwst/saturation/x_irs2.py, jwst/ipc/x_irs2.py and
jwst/refpix/irs2_subtract_reference.py (``make_irs2_mask``), which agree where
the sections are made of whole periods.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Interleave", "deinterleave", "interleave", "is_interleaved"]

_PIXELS_PER_OUTPUT: Final = 512
_SECTIONS: Final = 5


def is_interleaved(shape: tuple[int, ...]) -> bool:
    """Whether data are in this layout, as the official pipeline decides it.

    Parameters
    ----------
    shape
        Of the science array.
    """
    return max(shape[-2:]) > 2048


@dataclass(frozen=True)
class Interleave:
    """The layout of one exposure.

    Parameters
    ----------
    detector
        ``NRS1`` or ``NRS2`` (``meta.instrument.detector``).
    normal
        Ordinary pixels between two visits of the reference pixels
        (``meta.exposure.nrs_normal``, keyword NRS_NORM).
    reference
        Reference reads of one visit (``meta.exposure.nrs_reference``, NRS_REF).

    Raises
    ------
    ValueError
        For another detector, and for a pattern that does not fill an output
        of 512 pixels with whole periods.
    """

    detector: str
    normal: int = 16
    reference: int = 4

    def __post_init__(self) -> None:
        if self.detector not in {"NRS1", "NRS2"}:
            raise ValueError(f"the detector {self.detector} is not read in IRS2 mode")
        pairs = self.normal > 0 and self.normal % 2 == 0 and self.reference % 2 == 0
        if not pairs or _PIXELS_PER_OUTPUT % self.normal != 0 or self.reference <= 0:
            raise ValueError(
                f"{self.normal} ordinary and {self.reference} reference pixels are no IRS2 pattern"
            )

    @property
    def period(self) -> int:
        """Reads from one visit of the reference pixels to the next."""
        return self.normal + self.reference

    @property
    def section(self) -> int:
        """Rows of one output: 640 in practice."""
        return _PIXELS_PER_OUTPUT // self.normal * self.period

    @property
    def rows(self) -> int:
        """Rows of a frame: 3200 in practice."""
        return _SECTIONS * self.section

    @property
    def reversed(self) -> bool:
        """Whether both axes of the array run against those of the detector."""
        return self.detector == "NRS2"

    @cached_property
    def reference_reads(self) -> NDArray[np.bool_]:
        """Which rows are reference reads, by the pattern; the reference output has it too."""
        one = np.zeros(self.section, dtype=bool)
        for first in range(self.normal // 2, self.section, self.period):
            one[first : first + self.reference] = True
        # A section reads the same from both ends.
        return np.tile(one, _SECTIONS)

    @cached_property
    def science(self) -> NDArray[np.bool_]:
        """Which rows are ordinary pixels."""
        found = ~self.reference_reads
        found[self.reference_output] = False
        return found

    @cached_property
    def science_rows(self) -> NDArray[np.int64]:
        """The rows of the ordinary pixels, ascending."""
        return np.flatnonzero(self.science)

    @property
    def reference_output(self) -> slice:
        """The rows of the reference output."""
        first = self.rows - self.section if self.reversed else 0
        return slice(first, first + self.section)

    def row(self, place: int) -> int:
        """Give the row of a place along the detector's fast axis.

        Parameters
        ----------
        place
            Counted from the start of the reference output.
        """
        return self.rows - 1 - place if self.reversed else place

    def check(self, shape: tuple[int, ...]) -> None:
        """Refuse arrays that are not of this layout.

        Parameters
        ----------
        shape
            Of an array whose last two axes are rows and columns.

        Raises
        ------
        ValueError
            If the number of rows is another.
        """
        if shape[-2] != self.rows:
            raise ValueError(f"{self.rows} rows belong to this IRS2 pattern, not {shape[-2]}")


def deinterleave(array: NDArray[Any], layout: Interleave) -> NDArray[Any]:
    """Copy the ordinary pixels out of an array.

    Parameters
    ----------
    array
        Any type, ``(..., rows, columns)``.
    layout
        Its layout.

    Returns
    -------
    numpy.ndarray
        The same type, ``(..., 2048, columns)``, contiguous.
    """
    layout.check(array.shape)
    return np.ascontiguousarray(np.take(array, layout.science_rows, axis=-2))


def interleave(into: NDArray[Any], normal: NDArray[Any], layout: Interleave) -> None:
    """Put ordinary pixels back between the reference pixels.

    Parameters
    ----------
    into
        The array in this layout, ``(..., rows, columns)``; changed in place.
    normal
        The ordinary pixels, ``(..., 2048, columns)``.
    layout
        The layout.
    """
    layout.check(into.shape)
    into[..., layout.science_rows, :] = normal

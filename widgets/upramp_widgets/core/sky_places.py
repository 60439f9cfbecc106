"""What a question to the sky of an image is answered with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from .sky_plane import Float

__all__ = ["Located", "Readout"]


@dataclass(frozen=True, eq=False)
class Located:
    """Pixels that see places on the sky.

    Attributes
    ----------
    x, y : numpy.ndarray
        Pixels, counted from 0; NaN where there is none.
    outside : numpy.ndarray of bool
        Where a pixel is outside the bounding box: extrapolated, if given.
    found : numpy.ndarray of bool
        Where there is a pixel at all, inside or not.
    """

    x: Float
    y: Float
    outside: NDArray[np.bool_]
    found: NDArray[np.bool_]

    @property
    def problem(self) -> str:
        """A sentence on the places that have no pixel; empty if all have one."""
        lost = int((~self.found).sum())
        if not lost:
            return ""
        of = f"{lost} of {self.found.size} places" if self.found.size > 1 else "The place"
        return f"{of} could not be found in the image: the inverse did not converge there."


@dataclass(frozen=True)
class Readout:
    """What is under the cursor.

    Attributes
    ----------
    x, y : float
        Pixel.
    ra, dec : float
        Degrees, ICRS; NaN where the pixel sees no sky.
    wavelength : float
        In the sky's ``wavelength_unit``; NaN where there is none.
    outside : bool
        Whether the pixel is outside the bounding box, so extrapolated.
    text : str
        The same for a person, in a line.
    """

    x: float
    y: float
    ra: float
    dec: float
    wavelength: float
    outside: bool
    text: str

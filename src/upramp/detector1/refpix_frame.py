"""Where the pixels of an exposure lie on its detector, in the order they are read out.

Files show the sky the usual way round, so that the direction in which pixels
follow each other in time (FASTAXIS) and the direction of the lines (SLOWAXIS)
differ between detectors. Reference pixels are grouped by amplifier and parity
along the fast direction and smoothed along the slow one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["DetectorFrame"]


@dataclass(frozen=True)
class DetectorFrame:
    """An exposure's frame laid over its detector.

    "Fast" and "slow" coordinates are those of the detector, from 0, in the
    order of the readout.

    Parameters
    ----------
    ny, nx
        Rows and columns of the exposure.
    fastaxis, slowaxis
        The keywords: 1 is the exposure's x, 2 its y; negative against it.
    row0, column0
        Where the exposure begins in the full frame, from 0 (YSTART - 1, XSTART - 1).
    size
        Rows and columns of the full frame, which is square.

    Raises
    ------
    ValueError
        The axes are impossible or the exposure does not fit.
    """

    ny: int
    nx: int
    fastaxis: int
    slowaxis: int
    row0: int = 0
    column0: int = 0
    size: int = 2048

    def __post_init__(self) -> None:
        if {abs(self.fastaxis), abs(self.slowaxis)} != {1, 2}:
            raise ValueError(f"impossible axes {self.fastaxis}, {self.slowaxis}")
        if not (
            0 <= self.row0 <= self.size - self.ny and 0 <= self.column0 <= self.size - self.nx
        ):
            raise ValueError("the frame does not fit on the detector")

    @property
    def fast_is_x(self) -> bool:
        """Whether the exposure's rows are the detector's lines."""
        return abs(self.fastaxis) == 1

    def fast(self) -> NDArray[np.int64]:
        """Fast coordinate of every column (row, where the fast direction is y) of the exposure."""
        if self.fast_is_x:
            return self._along(self.column0, self.nx, self.fastaxis)
        return self._along(self.row0, self.ny, self.fastaxis)

    def slow(self) -> NDArray[np.int64]:
        """Slow coordinate of every row (column, where the fast direction is y) of the exposure."""
        if self.fast_is_x:
            return self._along(self.row0, self.ny, self.slowaxis)
        return self._along(self.column0, self.nx, self.slowaxis)

    def flat(self, slow: NDArray[np.int64], fast: NDArray[np.int64]) -> NDArray[np.int64]:
        """Places in the exposure's flattened frame.

        Parameters
        ----------
        slow, fast
            Coordinates of pixels that the exposure holds; broadcast.
        """
        k_fast = np.abs(fast - self.fast()[0])
        k_slow = np.abs(slow - self.slow()[0])
        y, x = (k_slow, k_fast) if self.fast_is_x else (k_fast, k_slow)
        return np.asarray(y * self.nx + x, np.int64)

    def turned(self, image: NDArray[Any]) -> NDArray[Any]:
        """View of an image of the exposure with lines as rows, in the order of the readout.

        Parameters
        ----------
        image
            Shape (ny, nx).
        """
        if not self.fast_is_x:
            image = image.T
        return image[:: 1 if self.slowaxis > 0 else -1, :: 1 if self.fastaxis > 0 else -1]

    def _along(self, start: int, count: int, axis: int) -> NDArray[np.int64]:
        forward = np.arange(start, start + count, dtype=np.int64)
        return forward if axis > 0 else self.size - 1 - forward

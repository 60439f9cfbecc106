"""Numbers of many pixels, which a few bad ones among them move little or much."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["BoxStatistics"]

_SIGMA: Final = 1.482602218505602
"""Standard deviation of a normal distribution in its median absolute deviations."""


@dataclass(frozen=True)
class BoxStatistics:
    """Statistics of the pixels of a box that are numbers.

    Parameters
    ----------
    count, pixels
        How many are numbers, of how many.
    mean, median
        NaN where none is.
    sigma
        Robust standard deviation: 1.4826 times the median distance from the median.
    least, most
        The smallest and the largest.
    """

    count: int
    pixels: int
    mean: float
    median: float
    sigma: float
    least: float
    most: float

    @classmethod
    def of(cls, values: NDArray[Any]) -> BoxStatistics:
        """Reckon.

        Parameters
        ----------
        values
            Of any shape.
        """
        good = values[np.isfinite(values)].astype(np.float64)
        if not good.size:
            return cls(0, values.size, *[float("nan")] * 5)
        median = float(np.median(good))
        return cls(
            count=good.size,
            pixels=values.size,
            mean=float(good.mean()),
            median=median,
            sigma=_SIGMA * float(np.median(np.abs(good - median))),
            least=float(good.min()),
            most=float(good.max()),
        )

    def text(self, unit: str) -> str:
        """Say it in a few short lines.

        Parameters
        ----------
        unit
            Of the values.
        """
        return (
            f"{self.count} of {self.pixels} pixels, {unit}\n"
            f"mean {self.mean:.4g}, median {self.median:.4g}\n"
            f"robust sigma {self.sigma:.4g}\n"
            f"from {self.least:.4g} to {self.most:.4g}"
        )

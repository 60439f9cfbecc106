"""A catalogue as it lies over an image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .core.sky import Sky
    from .core.sky_catalogue import Catalogue
    from .core.sky_plane import Float

__all__ = ["LaidCatalogue"]

_MOST: Final = 20_000
"""Sources that are drawn of a catalogue, the brightest."""


@dataclass(frozen=True, eq=False)
class LaidCatalogue:
    """A catalogue that lies over the image.

    Attributes
    ----------
    catalogue
        At the image's epoch, if that is known.
    index
        Which of its rows are drawn.
    x, y
        Pixels of those.
    """

    catalogue: Catalogue
    index: NDArray[np.intp]
    x: Float
    y: Float

    @classmethod
    def over(cls, catalogue: Catalogue, sky: Sky) -> Self:
        """Choose what is drawn: what lies in an image or near it, of too many the brightest.

        Parameters
        ----------
        catalogue
            At the image's epoch.
        sky
            The image's coordinates.
        """
        left, right, low, high = sky.box
        margin = max(right - left, high - low) / 2
        seen = catalogue.in_view(sky, (left, right), (low, high), margin=margin, outside=True)
        order = np.argsort(catalogue.magnitude[seen.index], kind="stable")[:_MOST]
        return cls(catalogue, seen.index[order], seen.x[order], seen.y[order])

    def told(self, name: str, sky: Sky) -> str:
        """Say how much of it is in the image, and what whoever looks at it should know.

        Parameters
        ----------
        name
            What it is called.
        sky
            The image's coordinates.
        """
        catalogue = self.catalogue
        inside = int((~sky.is_outside(self.x, self.y)).sum())
        parts = [f"{name}: {inside} of {len(catalogue)} sources in the image"]
        if sky.epoch is not None and np.isfinite(catalogue.pmra).any():
            parts.append(f"moved to {sky.epoch.jyear:.2f}")
        return "; ".join([*parts, *(note.rstrip(".") for note in catalogue.notes)])

    def words(self) -> tuple[str, ...]:
        """Give what is written beside each: its name or its magnitude."""
        names = self.catalogue.name[self.index]
        magnitudes = self.catalogue.magnitude[self.index]
        return tuple(
            f"{magnitude:.1f}" if np.isfinite(magnitude) else str(name)
            for name, magnitude in zip(names, magnitudes, strict=True)
        )

    def nearest(self, x: float, y: float) -> str:
        """Say in words which source is nearest to a pixel; empty where none is near."""
        if not len(self.x):
            return ""
        distance = np.hypot(self.x - x, self.y - y)
        at = int(distance.argmin())
        row = int(self.index[at])
        known = self.catalogue
        parts = [str(known.name[row]) or f"row {row}"]
        if np.isfinite(known.magnitude[row]):
            parts.append(f"magnitude {known.magnitude[row]:.2f}")
        return f"{', '.join(parts)}, {distance[at]:.1f} pixel away"

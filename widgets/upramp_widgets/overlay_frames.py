"""Several images of an overlay as frames of one view, aligned with the first by the sky."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from upramp.errors import UprampError

from .overlay_link import aligned, edge

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .core.stretch import Limits
    from .overlay_images import OverlayImage
    from .views.image_view import ImageView

__all__ = ["OverlayFrames"]

_ALIKE: Final = 3.0
"""Times by which limits of images may differ that are blinked with the same colours."""


class OverlayFrames:
    """The images that a view steps through.

    Parameters
    ----------
    view
        Shows the first of them.
    images
        All.
    """

    def __init__(self, view: ImageView, images: Sequence[OverlayImage]) -> None:
        self._view, self._images = view, images
        self._frames = [images[0]]
        self._limits: dict[int, Limits] = {}

    @property
    def shown(self) -> OverlayImage:
        """The image that is seen."""
        return self._frames[min(self._view.frame, len(self._frames) - 1)]

    def put_together(self) -> list[str]:
        """Align the images that follow with the first, now that their skies are known.

        Returns
        -------
        list of str
            A sentence for each that cannot be, or shows nothing.
        """
        first, problems = self._images[0], []
        if first.sky is None:
            return []
        planes, frames, outlines = [first.pixels], [first], []
        for other in self._images[1:]:
            if other.sky is None:
                continue  # why is said already
            try:
                pixels = aligned(first, other)
            except UprampError as error:
                problems.append(f"{other.name} is left out: {error}")
                continue
            if not np.isfinite(pixels).any():
                problems.append(f"{other.name} shows no part of the sky that {first.name} shows.")
            planes.append(pixels)
            frames.append(other)
            outlines.append(edge(first, other))
        if len(frames) > 1:
            self._frames, names = frames, [each.name for each in frames]
            self._view.set_frames(planes, labels=names)
            style: dict[str, Any] = {"labels": names[1:], "width": 1.0, "dashed": True}
            self._view.set_curves("other images", outlines, "#ffffff", **style)
            self._find_limits()
        return problems

    def step(self, change: Any) -> None:
        """Say which image is seen, with its own limits where one pair would not do for all.

        Parameters
        ----------
        change
            Of the view's frame.
        """
        before, now = change["old"], change["new"]
        view, shown = self._view, self.shown
        view.title, view.unit = shown.name, shown.unit
        if not self._limits:
            return
        if before in self._limits:
            self._limits[before] = view.limits
        if now in self._limits:
            with view.hold_sync():
                view.vmin, view.vmax = self._limits[now]

    def _find_limits(self) -> None:
        view = self._view
        limits = [
            view.scene.distribution(frame).percentile() for frame in range(len(self._frames))
        ]
        spans = [high - low for low, high in limits if high > low]
        if spans and max(spans) > _ALIKE * min(spans):
            self._limits = dict(enumerate(limits))
            self._limits[view.frame] = view.limits

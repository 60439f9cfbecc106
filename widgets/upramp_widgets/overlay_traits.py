"""The state of an overlay: no arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import ipywidgets
import traitlets

from .core.colormaps import COLORMAPS
from .core.sky_labels import STYLES
from .core.stretch import STRETCHES
from .views.browser_words import TOOLS

if TYPE_CHECKING:
    from collections.abc import Callable

    from .core.sky import Sky
    from .overlay_images import OverlayImage
    from .views.image_view import ImageView

__all__ = ["SHARED", "OverlayTraits"]

SHARED: Final = (
    *("xlim", "ylim", "vmin", "vmax", "stretch", "cmap", "x", "y"),
    *("frame", "playing", "layers_hidden", "tool", "busy", "status"),
)
"""Traits that the image has under the same name."""


class OverlayTraits(ipywidgets.VBox):
    """Traits of `upramp_widgets.WcsOverlay`, which says what they mean."""

    x = traitlets.Int(-1)
    y = traitlets.Int(-1)
    xlim = traitlets.Tuple(default_value=(-0.5, 0.5))
    ylim = traitlets.Tuple(default_value=(-0.5, 0.5))
    vmin = traitlets.Float(None, allow_none=True)
    vmax = traitlets.Float(None, allow_none=True)
    stretch = traitlets.Enum(STRETCHES, "asinh")
    cmap = traitlets.Enum(COLORMAPS, "gray")
    frame = traitlets.Int(0)
    playing = traitlets.Bool(False)
    layers_hidden = traitlets.Tuple()
    tool = traitlets.Enum(TOOLS, "inspect")
    busy = traitlets.Bool(False)
    status = traitlets.Unicode("")
    style = traitlets.Enum(STYLES, "sexagesimal")
    lines = traitlets.Int(6, min=0, max=40)
    outside = traitlets.Bool(False)
    regions = traitlets.Tuple()

    image: ImageView
    images: tuple[OverlayImage, ...]

    def need_sky(self) -> Sky:
        """Give the sky of the first image, once it is known.

        Raises
        ------
        InputError
            If it has none.
        """
        raise NotImplementedError

    def later(self, job: Callable[[], Any], told: str) -> None:
        """Do something beside the kernel's own thread, after what was asked for before.

        Parameters
        ----------
        job
            What.
        told
            The status meanwhile.
        """
        raise NotImplementedError

    def tell(self) -> None:
        """Renew the words below the image, after something was laid over it, too."""
        raise NotImplementedError

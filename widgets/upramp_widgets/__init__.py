"""Widgets for up-the-ramp data: ramps, masks of cosmic rays, sky coordinates.

>>> from upramp_widgets import RampInspector          # doctest: +SKIP
>>> RampInspector("x_uncal.fits")                     # doctest: +SKIP

Importing this package imports neither Bokeh nor ipywidgets: the first widget does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .cosmic_ray_masker import CosmicRayMasker
    from .display import display_mode, set_display_mode
    from .ramp_inspector import RampInspector
    from .wcs_overlay import WcsOverlay

__all__ = [
    "CosmicRayMasker",
    "RampInspector",
    "WcsOverlay",
    "display_mode",
    "set_display_mode",
]

_HOMES = {
    "CosmicRayMasker": "cosmic_ray_masker",
    "RampInspector": "ramp_inspector",
    "WcsOverlay": "wcs_overlay",
    "display_mode": "display",
    "set_display_mode": "display",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(f".{_HOMES[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)

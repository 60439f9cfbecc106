"""The state of an image view that kernel and browser share: no arrays."""

from __future__ import annotations

import anywidget
import traitlets

from upramp_widgets.core.colormaps import COLORMAPS, NODES
from upramp_widgets.core.stretch import STRETCHES

from .browser_code import module, sheet
from .browser_words import TOOLS

__all__ = ["ImageTraits"]


class ImageTraits(anywidget.AnyWidget):
    """Traits of an image view; `upramp_widgets.views.image_view.ImageView` says what they mean."""

    _esm = traitlets.Unicode(module()).tag(sync=True)
    _css = traitlets.Unicode(sheet()).tag(sync=True)
    _key = traitlets.Unicode().tag(sync=True)
    _colormaps = traitlets.Dict(default_value=dict(NODES)).tag(sync=True)
    _stretches = traitlets.List(default_value=list(STRETCHES)).tag(sync=True)

    xlim = traitlets.Tuple(traitlets.Float(), traitlets.Float(), default_value=(-0.5, 0.5)).tag(
        sync=True
    )
    ylim = traitlets.Tuple(traitlets.Float(), traitlets.Float(), default_value=(-0.5, 0.5)).tag(
        sync=True
    )
    vmin = traitlets.Float(None, allow_none=True).tag(sync=True)
    vmax = traitlets.Float(None, allow_none=True).tag(sync=True)
    stretch = traitlets.Enum(STRETCHES, "linear").tag(sync=True)
    cmap = traitlets.Enum(COLORMAPS, "gray").tag(sync=True)
    threshold = traitlets.Float(5.0).tag(sync=True)
    threshold_range = traitlets.Tuple(
        traitlets.Float(), traitlets.Float(), default_value=(1.0, 30.0)
    ).tag(sync=True)
    threshold_shown = traitlets.Bool(True).tag(sync=True)
    threshold_colour = traitlets.Unicode("#ff5fd2").tag(sync=True)
    paint_colour = traitlets.Unicode("#00e5c8").tag(sync=True)
    flags_shown = traitlets.Tuple(default_value=()).tag(sync=True)
    layers_hidden = traitlets.Tuple(default_value=()).tag(sync=True)
    tool = traitlets.Enum(TOOLS, "inspect").tag(sync=True)
    tools = traitlets.Tuple(default_value=("pan", "inspect", "box")).tag(sync=True)
    brush = traitlets.Int(1, min=0, max=200).tag(sync=True)
    x = traitlets.Int(-1).tag(sync=True)
    y = traitlets.Int(-1).tag(sync=True)
    frame = traitlets.Int(0).tag(sync=True)
    frame_labels = traitlets.Tuple(default_value=()).tag(sync=True)
    playing = traitlets.Bool(False).tag(sync=True)
    readout = traitlets.Unicode("").tag(sync=True)
    title = traitlets.Unicode("").tag(sync=True)
    unit = traitlets.Unicode("").tag(sync=True)
    busy = traitlets.Bool(False).tag(sync=True)
    status = traitlets.Unicode("").tag(sync=True)
    panel = traitlets.Bool(True).tag(sync=True)
    height = traitlets.Int(560, min=80, max=4000).tag(sync=True)

"""The state of a masker: no arrays."""

from __future__ import annotations

from typing import Any, Final

import ipywidgets
import traitlets

from upramp.dq import GROUP
from upramp.errors import UsageError

from .core.colormaps import COLORMAPS
from .core.stretch import STRETCHES
from .views.browser_words import TOOLS

__all__ = ["PLANES", "SCOPES", "SHARED", "MaskerTraits"]

PLANES: Final = ("group", "difference", "rate", "significance")
"""What the image may be of."""

SCOPES: Final = ("shown", "range", "all")
"""Which groups are drawn into."""

SHARED: Final = (
    *("xlim", "ylim", "vmin", "vmax", "stretch", "cmap", "threshold", "flags_shown"),
    *("x", "y", "tool", "brush", "busy", "status"),
)
"""Traits that the image has under the same name."""


class MaskerTraits(ipywidgets.VBox):
    """Traits of `upramp_widgets.CosmicRayMasker`, which says what they mean."""

    x = traitlets.Int(-1)
    y = traitlets.Int(-1)
    integration = traitlets.Int(0)
    group = traitlets.Int(0)
    plane = traitlets.Enum(PLANES, "rate")
    threshold = traitlets.Float(4.0)
    overrides = traitlets.Dict()
    scope = traitlets.Enum(SCOPES, "shown")
    groups = traitlets.Tuple(traitlets.Int(), traitlets.Int(), default_value=(1, 1))
    all_integrations = traitlets.Bool(False)
    bit = traitlets.Enum(tuple(GROUP), "JUMP_DET")
    keep_labels = traitlets.Bool(False)
    core = traitlets.Float(0.5, min=0.0, max=1.0)
    compared = traitlets.Bool(False)
    xlim = traitlets.Tuple(default_value=(-0.5, 0.5))
    ylim = traitlets.Tuple(default_value=(-0.5, 0.5))
    vmin = traitlets.Float(None, allow_none=True)
    vmax = traitlets.Float(None, allow_none=True)
    stretch = traitlets.Enum(STRETCHES, "linear")
    cmap = traitlets.Enum(COLORMAPS, "gray")
    flags_shown = traitlets.Tuple()
    tool = traitlets.Enum(TOOLS, "inspect")
    brush = traitlets.Int(1, min=0, max=200)
    busy = traitlets.Bool(False)
    status = traitlets.Unicode("")

    shape: tuple[int, int, int, int]
    """(nints, ngroups, ny, nx) of the mask."""

    @traitlets.validate("integration", "group")
    def _there(self, proposal: Any) -> int:
        name, value = proposal["trait"].name, int(proposal["value"])
        count = self.shape[("integration", "group").index(name)]
        if not 0 <= value < count:
            raise UsageError(name, f"there is no {value}", f"give 0 to {count - 1}")
        return value

    @property
    def by_group(self) -> bool:
        """Whether the image is of one group, and not of a whole ramp."""
        return self.plane in {"group", "difference"}

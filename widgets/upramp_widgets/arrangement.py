"""How parts of a widget stand beside and under one another."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import ipywidgets

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["BESIDE", "NARROW", "WRAPPED", "arrange", "row"]

WRAPPED: Final = {"flex_flow": "row wrap"}
"""Of a row whose parts come under one another where a page is narrow."""

BESIDE: Final = {"flex": "1000 1 640px", "min_width": "320px", "max_width": "832px"}
"""Of an image with its panel; what is beside it has the rest."""

NARROW: Final = {**BESIDE, "flex": "1000 1 500px"}
"""Of one that gives up more, as what is beside it is looked at together with it."""


def arrange(widget: ipywidgets.Widget, place: Mapping[str, str]) -> None:
    """Give a widget another place; the layout that it has stays, with other values.

    Parameters
    ----------
    widget
        What is placed.
    place
        Such as `BESIDE`; of what is not in it, nothing is said.
    """
    with widget.layout.hold_sync():
        for name in ("flex", "min_width", "max_width"):
            setattr(widget.layout, name, place.get(name))


def row(widgets: Sequence[ipywidgets.Widget]) -> ipywidgets.Widget:
    """Put controls into a row that begins where images do.

    Parameters
    ----------
    widgets
        From left to right.
    """
    layout = {"align_items": "center", "grid_gap": "0 12px", "padding": "0 0 0 44px"}
    made = ipywidgets.HBox(widgets, layout={**WRAPPED, **layout})
    made.add_class("upramp-controls")  # image_view.css has how they look
    return made

"""Widgets that go when what they belong to is closed: ipywidgets keeps each until it is told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import ipywidgets
from ipywidgets.widgets import widget as registry

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["close_all", "parts", "rows_with"]


def parts(widget: ipywidgets.Widget) -> list[ipywidgets.Widget]:
    """Give what a widget is made of, and what that is made of: children, layouts, styles.

    Parameters
    ----------
    widget
        Itself is not among them.
    """
    found: dict[int, ipywidgets.Widget] = {}
    waiting = [widget]
    while waiting:
        for part in _held(waiting.pop()):
            if part is not widget and id(part) not in found:
                found[id(part)] = part
                waiting.append(part)
    return list(found.values())


def rows_with(widget: ipywidgets.Widget) -> list[ipywidgets.HBox]:
    """Give the rows that a widget stands in, or stood in before it was arranged anew.

    Parameters
    ----------
    widget
        One that nobody else puts anywhere.
    """
    # Where the registry is depends on the version of ipywidgets.
    known = getattr(registry, "_instances", None)
    if known is None:
        known = ipywidgets.Widget._instances  # noqa: SLF001 - there is no other list of them
    return [
        each
        for each in list(known.values())
        if type(each) is ipywidgets.HBox and any(child is widget for child in each.children)
    ]


def close_all(*widgets: ipywidgets.Widget) -> None:
    """Close widgets and what they are made of.

    Parameters
    ----------
    *widgets
        Those that are closed already stay so; what they are made of is closed all the same.
    """
    for widget in widgets:
        for each in (widget, *parts(widget)):
            if each.comm is not None:
                each.close()


def _held(widget: ipywidgets.Widget) -> Iterator[ipywidgets.Widget]:
    # Of values that are there: a trait that nobody asked for would only now make its widget.
    values: dict[str, Any] = widget._trait_values  # noqa: SLF001 - traitlets tells it no other way
    for value in list(values.values()):
        for each in value if isinstance(value, (tuple, list)) else (value,):
            if isinstance(each, ipywidgets.Widget):
                yield each

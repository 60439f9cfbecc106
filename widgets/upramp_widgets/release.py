"""Widgets that go when what they belong to is closed: ipywidgets keeps each until it is told."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import ipywidgets

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["close_all", "closed_if_it_fails", "parts"]

_ONE: Final = threading.RLock()
"""Held while a widget of many is made: who notes what is made is noted in one place only."""


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


@contextmanager
def closed_if_it_fails() -> Iterator[None]:
    """Close what was made meanwhile if making the whole fails: nobody could close it later.

    A decorator of ``__init__``, too.
    """
    made: list[ipywidgets.Widget] = []
    thread = threading.get_ident()
    with _ONE:
        others = ipywidgets.Widget._widget_construction_callback  # noqa: SLF001 - it has no getter

        def note(widget: ipywidgets.Widget) -> None:
            if threading.get_ident() == thread:
                made.append(widget)
            if others is not None:
                others(widget)

        ipywidgets.Widget.on_widget_constructed(note)
        try:
            yield
        except BaseException:
            close_all(*made)
            raise
        finally:
            ipywidgets.Widget.on_widget_constructed(others)


def _held(widget: ipywidgets.Widget) -> Iterator[ipywidgets.Widget]:
    # Of values that are there: a trait that nobody asked for would only now make its widget.
    values: dict[str, Any] = widget._trait_values  # noqa: SLF001 - traitlets tells it no other way
    for value in list(values.values()):
        for each in value if isinstance(value, (tuple, list)) else (value,):
            if isinstance(each, ipywidgets.Widget):
                yield each

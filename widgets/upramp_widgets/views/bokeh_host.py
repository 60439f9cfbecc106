"""Figures of Bokeh in a notebook that has no network.

Bokeh's extension for JupyterLab does not carry BokehJS, and asks the network for
it. It is in the wheel of Bokeh as well: a page that needs it is sent it by the
kernel, once, and nothing of it is kept in the notebook.
"""

from __future__ import annotations

import json
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anywidget
import ipywidgets
import traitlets
from bokeh.protocol import Protocol
from jupyter_bokeh import BokehModel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["BokehHost"]


class Together(BokehModel):
    """A figure whose changes, where they are made together, are sent together.

    Each would be three messages of its own, and be drawn by itself: a click changes a dozen.
    """

    _held: list[Any] | None = None
    _changed = False  # since the state that a new view begins with

    def close(self) -> None:
        """Let go of the figure; once, though it is asked for again."""
        if self.comm is not None:
            super().close()

    def refresh(self) -> None:
        """Give every view the figure as it is, if it changed since it was last given whole.

        What changed before a view listened never reached it.
        """
        if self._changed:
            self._changed = False
            self.update_from_model(self._model)

    @contextmanager
    def together(self) -> Iterator[None]:
        """Send what changes meanwhile at the end, as one."""
        if self._held is not None:
            yield
            return
        self._held = []
        try:
            yield
        finally:
            held, self._held = self._held, None
            if held:
                self._send_changes(held)

    def _document_patched(self, event: Any) -> None:
        if event.setter is self:
            return
        self._changed = True
        if self._held is None:
            self._send_changes([event])
        else:
            self._held.append(event)

    def _send_changes(self, events: list[Any]) -> None:
        """Send changes as one message, which the host's page hands on part by part.

        A view that began to listen between two parts would never understand again.
        """
        patch = Protocol().create("PATCH-DOC", events)
        parts: list[str | None] = [patch.header_json, patch.metadata_json, patch.content_json]
        buffers = []
        for buffer in patch.buffers:
            parts += [json.dumps(buffer.ref), None]
            buffers.append(buffer.to_bytes())
        self.send({"msg": "whole-patch", "parts": parts}, buffers)


class BokehHost(anywidget.AnyWidget):
    """A figure of Bokeh as a widget.

    Parameters
    ----------
    figure
        Any layout of Bokeh, with all that will be in it. What is done to it in a page stays there.
    themed
        Told whether the page is dark, at first and when that changes.
    """

    _esm = Path(__file__).with_name("bokeh_host.js")
    child = traitlets.Instance(ipywidgets.Widget).tag(sync=True, **ipywidgets.widget_serialization)

    def __init__(
        self, figure: Any, themed: Callable[[bool], None] | None = None, **options: Any
    ) -> None:
        # A page would send back each change that it makes, also those that the kernel asked for.
        for model in figure.references():
            model.syncable = False
        super().__init__(child=Together(figure), **options)
        self._themed = themed
        self.on_msg(self._answer)

    def _answer(self, _widget: Any, message: Any, _buffers: Any) -> None:
        kind = message.get("kind") if isinstance(message, dict) else None
        if kind == "need-bokehjs":
            self.send({"kind": "bokehjs", "source": _bokehjs()})
        elif kind == "shown":
            self.child.refresh()
        elif kind == "theme" and self._themed is not None:
            self._themed(bool(message.get("dark")))


@cache
def _bokehjs() -> str:
    from bokeh.util.paths import bokehjs_path

    return (Path(bokehjs_path()) / "js" / "bokeh.min.js").read_text(encoding="utf-8")

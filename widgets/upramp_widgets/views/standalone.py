"""A page that shows an image view with no kernel behind it.

It carries the browser's half of the view, the messages that a kernel would
have answered with, and a model that plays them back.
"""

from __future__ import annotations

import base64
import html
import json
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from upramp_widgets.core.render import Viewport

from .browser_code import module, sheet
from .image_talk import described, tiles_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .browser_words import Want
    from .image_view import ImageView

__all__ = ["page"]

_SCREEN: Final = 1024
"""Dots of the canvas for which the image is embedded."""


def page(view: ImageView) -> str:
    """Give the page.

    Parameters
    ----------
    view
        What it shows.

    Returns
    -------
    str
        HTML, which needs nothing else.
    """
    messages: list[dict[str, Any]] = [_message(described(view.scene, view.frame), [])]
    for name, layer in view.scene.layers.items():
        told: dict[str, Any] = {"kind": "layer", "name": name, "header": layer.header()}
        messages.append(_message(told, layer.arrays()))
    if view.scene.frames:
        canvas = Viewport.whole(view.scene.shape, _SCREEN, _SCREEN)
        wants: list[Want] = [("image", "base", frame) for frame in range(view.scene.frames)]
        wants += [("significance", "base", 0), ("masks", "base", 0)]
        tiles = tiles_of(view.scene, canvas, wants)
        told = {"kind": "tiles", "parts": [tile.header for tile in tiles]}
        messages.append(_message(told, [tile.cells for tile in tiles]))
    state = {name: value for name, value in view.get_state().items() if name not in _LEFT_OUT}
    return _PAGE.format(
        title=html.escape(view.title or "Image"),
        sheet=sheet(),
        picture=base64.b64encode(view.picture()).decode("ascii"),
        data=json.dumps({"state": state, "messages": messages}).replace("<", "\\u003c"),
        code=module("standalone").replace("</", "<\\/"),
    )


_LEFT_OUT: Final = ("_esm", "_css", "layout", "tabbable", "tooltip", "_dom_classes")
"""Traits that mean something only to a widget manager, or are in the page already."""


def _message(content: dict[str, Any], arrays: list[NDArray[Any]]) -> dict[str, Any]:
    buffers = [
        base64.b64encode(np.ascontiguousarray(array).tobytes()).decode("ascii") for array in arrays
    ]
    return {"content": content, "buffers": buffers}


_PAGE: Final = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; }}
body {{ margin: 0 auto; padding: 12px; max-width: 1200px; background: light-dark(#fff, #15181c); }}
{sheet}
</style>
</head>
<body>
<div id="view"><noscript><img alt="{title}" src="data:image/png;base64,{picture}"></noscript></div>
<script type="application/json" id="data">{data}</script>
<script type="module">
{code}
</script>
</body>
</html>
"""

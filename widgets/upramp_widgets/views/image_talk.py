"""What an image view and the pages that show it say to each other.

A page asks and the kernel answers, so that many changes in a row cost one
answer. Unasked the kernel says only what is small: that the scene has changed,
and lines and points that lie over it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from upramp.errors import UprampError
from upramp_widgets.core.render import Viewport
from upramp_widgets.core.render_codes import SIGNIFICANCE_STEP

from .browser_words import read_have, read_place, read_stroke, read_view, read_wants

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from upramp_widgets.core.render_layers import Layer
    from upramp_widgets.core.render_scene import Scene, Tile

    from .browser_words import Want
    from .image_view import ImageView

__all__ = ["ImageTalk", "described", "tiles_of"]


_AROUND: Final = 32
"""Dots of a page's canvas that are no image, above and below it."""
_WIDEST: Final = 2.4
"""Of a canvas, in heights."""


class ImageTalk:
    """Hears pages and answers them.

    Parameters
    ----------
    view
        Whose pages they are.
    """

    def __init__(self, view: ImageView) -> None:
        self._view = view
        self._watched = False  # before a page has asked, there is none to tell
        self._handlers: dict[str, Callable[[dict[str, Any]], None]] = {
            "ready": self._greet,
            "tiles": self._answer,
            "cursor": self._cursor,
            "click": self._clicked,
            "stroke": self._stroked,
            "action": self._acted,
        }
        view.on_msg(self.hear)

    def tell(self) -> None:
        """Say that the scene has changed."""
        if self._watched:
            self._view.send(described(self._view.scene, self._view.frame))

    def tell_layer(self, name: str) -> None:
        """Say that a layer has changed.

        Parameters
        ----------
        name
            Which; one that is no longer there is forgotten.
        """
        if self._watched:
            self._send_layer(name, self._view.scene.layers.get(name))

    def announce(self) -> None:
        """Send pages what they will ask for first, before they do.

        While a cell runs, its kernel answers no question, and a picture takes a while to be
        stored. A page that has not begun to listen asks all the same.
        """
        view = self._view
        if self._watched or not view.scene.frames:
            return  # a page has it already, or there is nothing to have
        told = described(view.scene, view.frame)
        ny, nx = view.scene.shape
        high = max(view.height - _AROUND, 1)
        wide = round(high * min(max(nx / ny, 1.0), _WIDEST))
        tiles = tiles_of(
            view.scene, Viewport(view.xlim, view.ylim, wide, high), self._first_wants()
        )
        parts = [tile.header for tile in tiles]
        buffers = [tile.cells.data.cast("B") for tile in tiles]
        view.send({"kind": "ahead", "scene": told, "parts": parts}, buffers)

    def _first_wants(self) -> list[Want]:
        frame = min(self._view.frame, max(0, self._view.scene.frames - 1))
        return [("image", "base", frame), ("significance", "base", 0), ("masks", "base", 0)]

    def hear(self, _: Any, content: Any, __: Any) -> None:
        """Take what a page says.

        Parameters
        ----------
        content
            As it came; what is not for us is left alone.
        """
        if not isinstance(content, dict):
            return
        handler = self._handlers.get(str(content.get("kind")))
        if handler is None:
            return  # commands of anywidget itself come the same way
        try:
            handler(content)
        except UprampError as error:
            self._view.status = str(error)
        except Exception as error:
            # What a listener meets is to be seen by the one who clicked, not only in a log.
            self._view.status = f"{type(error).__name__}: {error}"
            raise

    def _greet(self, content: dict[str, Any]) -> None:
        view = self._view
        self._watched = True
        self.tell()
        for name in list(view.scene.layers):
            self.tell_layer(name)
        try:
            self._send_tiles(content, self._first_wants())
        finally:
            view.was_shown()

    def _answer(self, content: dict[str, Any]) -> None:
        self._send_tiles(content, None)

    def _send_tiles(self, content: dict[str, Any], wants: Sequence[Want] | None) -> None:
        reply: dict[str, Any] = {"kind": "tiles", "parts": []}
        reply |= {"page": content.get("page"), "seq": content.get("seq")}
        buffers: list[memoryview] = []
        try:
            have = read_have(content)
            known = self._view.scene.versions
            asked = [
                want
                for want in (read_wants(content) if wants is None else wants)
                if have.get(want) != known[want[0]]
            ]
            for tile in tiles_of(self._view.scene, read_view(content), asked):
                reply["parts"].append(tile.header)
                buffers.append(tile.cells.data.cast("B"))
        except Exception as error:
            # The page waits for an answer; without one it would ask for nothing more.
            reply |= {"parts": [], "problem": str(error) or type(error).__name__}
            self._view.send(reply)
            raise
        self._view.send(reply, buffers)

    def _send_layer(self, name: str, layer: Layer | None) -> None:
        header = None if layer is None else layer.header()
        arrays = [] if layer is None else layer.arrays()
        buffers = [np.ascontiguousarray(array).data.cast("B") for array in arrays]
        self._view.send({"kind": "layer", "name": name, "header": header}, buffers)

    def _cursor(self, content: dict[str, Any]) -> None:
        view = self._view
        reply: dict[str, Any] = {"kind": "cursor", "page": content.get("page")}
        try:
            place = read_place(content)
            x, y = (round(at) for at in place)
            reply |= {"x": x, "y": y, "frame": view.frame}
            if view.inside(x, y):
                value = float(view.scene.plane(view.frame).value(x, y))
                reply["value"] = value if np.isfinite(value) else None
                reply["flags"] = view.scene.flags_at(x, y)
            view.hover(*place)
        finally:
            view.send(reply)

    def _clicked(self, content: dict[str, Any]) -> None:
        x, y = read_place(content)
        modifiers = content.get("modifiers")
        self._view.click(round(x), round(y), modifiers if isinstance(modifiers, dict) else None)

    def _stroked(self, content: dict[str, Any]) -> None:
        try:
            self._view.draw(read_stroke(content))
        finally:
            answer = {"kind": "stroke", "page": content.get("page"), "id": content.get("id")}
            self._view.send(answer)

    def _acted(self, content: dict[str, Any]) -> None:
        self._view.act(str(content.get("name")))


def described(scene: Scene, frame: int) -> dict[str, Any]:
    """Give what a page must know of a scene besides its tiles, as plain values.

    Parameters
    ----------
    scene
        What is shown.
    frame
        Which of its planes.
    """
    told: dict[str, Any] = {
        "kind": "scene",
        "shape": list(scene.shape),
        "frames": scene.frames,
        "versions": dict(scene.versions),
        "significance": scene.significance is not None,
        "step": SIGNIFICANCE_STEP,
        "masks": [
            {"name": name, "label": mask.label, "colour": mask.colour}
            for name, mask in list(scene.masks.items())
        ],
    }
    if scene.frames:
        values = scene.distribution(frame)
        low, high, counts = values.histogram()
        told["histogram"] = {"low": low, "high": high, "counts": counts}
        told["quantiles"] = values.quantiles().tolist()
        told["limits"] = list(values.percentile())
    return told


def tiles_of(scene: Scene, viewport: Viewport, wants: Sequence[Want]) -> list[Tile]:
    """Give tiles; those of parts or frames that do not exist are left out.

    Parameters
    ----------
    scene
        What is shown.
    viewport
        What a canvas shows of it.
    wants
        Part, tier and frame of each.
    """
    found = [
        (scene.base if tier == "base" else scene.sharp)(part, frame, viewport)
        for part, tier, frame in wants
        if 0 <= frame < scene.frames
    ]
    return [tile for tile in found if tile is not None]

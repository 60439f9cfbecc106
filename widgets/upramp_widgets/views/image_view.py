"""One canvas that shows a plane of a detector, with layers over it.

The kernel keeps what is shown (`upramp_widgets.core.render_scene.Scene`) and
answers the browser's questions; the browser keeps tiles of it, and stretches,
thresholds, moves, zooms and paints by itself. Without a browser all is the
same, but that no one asks.
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

import numpy as np
import traitlets

from upramp.errors import UsageError
from upramp_widgets.core.picture import Look, drawn, palette_png
from upramp_widgets.core.render_scene import Scene
from upramp_widgets.display import Pictured

from .browser_words import ACTIONS, TOOLS, Stroke, read_stroke, text
from .image_overlays import ImageOverlays
from .image_talk import ImageTalk
from .standalone import page

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from PIL import Image

    from upramp_widgets.core.render import Plane
    from upramp_widgets.core.stretch import Limits

__all__ = ["TOOLS", "ImageView"]


class ImageView(Pictured, ImageOverlays):  # type: ignore[misc]
    """A detector's image that a person can move, zoom, stretch, click and paint in.

    Parameters
    ----------
    **traits
        First values of any of the traits below.

    Attributes
    ----------
    xlim, ylim
        Range of pixels that is shown at least.
    vmin, vmax
        Limits of the colours; None for automatic ones.
    stretch, cmap
        One of `upramp_widgets.core.stretch.STRETCHES`, and one of
        `upramp_widgets.core.colormaps.COLORMAPS`.
    threshold
        In sigma; pixels of higher significance are marked.
    flags_shown
        Names of the masks that are visible.
    tool, tools
        The tool in hand, and those that the toolbar offers.
    brush
        Radius of the brush in pixels; 0 paints one pixel.
    x, y
        The pixel that was clicked; -1 for none.
    frame, frame_labels, playing
        Which of several planes is shown, what they are called, whether they blink.
    readout
        What the readout says besides pixel, value and flags.
    title, busy, status, unit
        Words around the picture.
    """

    _closed = False
    _talk: ImageTalk | None = None  # while traits get their first values, there is no one to tell

    def __init__(self, **traits: Any) -> None:
        self.scene = Scene()
        self._shown_key: object = None
        self._listeners: dict[str, list[Callable[..., Any]]] = {
            "click": [],
            "stroke": [],
            "cursor": [],
            "action": [],
            "shown": [],
        }
        super().__init__(_key=uuid.uuid4().hex, **traits)
        self._talk = ImageTalk(self)

    def close(self) -> None:
        """Close the view, and let go of what it shows."""
        self._closed = True
        self.scene, self._shown_key = Scene(), None
        for listeners in self._listeners.values():
            listeners.clear()
        super().close()

    def _require_open(self) -> None:
        if self._closed:
            raise UsageError(self.title or "the image", "it is closed", "make it anew")

    def _changed(self) -> None:
        if self._talk is not None:
            self._talk.tell()

    def _layer_changed(self, name: str) -> None:
        if self._talk is not None:
            self._talk.tell_layer(name)

    @traitlets.observe("frame")
    def _frame_changed(self, _: Any) -> None:
        if self.scene.masks_vary():
            self.scene.touch_masks()
        self._changed()

    # What is shown

    def show(
        self,
        plane: Plane,
        *,
        shape: tuple[int, int] | None = None,
        key: object = None,
        limits: str | Limits | None = None,
    ) -> None:
        """Show a plane; masks and layers stay if it is of the same shape.

        Parameters
        ----------
        plane
            (ny, nx), never changed; or a callable of a slice of rows and one of columns.
        shape
            (ny, nx), for a callable.
        key
            What the plane is of, for comparison: with the key of before, what
            the browser has stays good.
        limits
            ``percentile``, ``zscale``, ``minmax`` or a pair; None keeps those
            there are, and chooses by percentiles where there are none.
        """
        same = key is not None and key == self._shown_key
        self._shown_key = key
        if not same:
            self._set_planes([plane], shape)
        self.use_limits(limits)
        self._changed()

    def set_frames(
        self,
        planes: Sequence[Plane],
        *,
        labels: Sequence[str] = (),
        shape: tuple[int, int] | None = None,
        limits: str | Limits | None = None,
    ) -> None:
        """Show several planes to step through and blink; `frame` says which is seen.

        Parameters
        ----------
        planes
            All of one shape; the browser gets each when it is stepped to, and
            those that follow ahead of time.
        labels
            What each is called.
        shape
            (ny, nx), for callables.
        limits
            As for `show`.
        """
        self._shown_key = None
        self._set_planes(planes, shape)
        self.frame_labels = tuple(str(label) for label in labels)
        self.use_limits(limits)
        self._changed()

    def _set_planes(self, planes: Sequence[Plane], shape: tuple[int, int] | None) -> None:
        before = self.scene.shape
        self.scene.set_planes(planes, shape)
        if self.frame >= self.scene.frames:
            self.frame = 0
        if self.scene.shape != before:
            self.flags_shown = ()
            if before != (0, 0) or (self.xlim, self.ylim) == ((-0.5, 0.5), (-0.5, 0.5)):
                self.fit()
            if not self.inside(self.x, self.y):
                self.x = self.y = -1

    def use_limits(self, limits: str | Limits | None) -> None:
        """Set vmin and vmax.

        Parameters
        ----------
        limits
            As for `show`.
        """
        if isinstance(limits, tuple | list):
            low, high = (float(end) for end in limits)
            if not (np.isfinite([low, high]).all() and low < high):
                raise UsageError("limits", f"{limits} hold nothing", "give finite low < high")
        elif limits is not None:
            low, high = self.scene.distribution(self.frame).limits(limits)
        elif self.vmin is None or self.vmax is None:
            low, high = self.limits
        else:
            return
        with self.hold_trait_notifications():
            self.vmin, self.vmax = low, high

    @property
    def limits(self) -> Limits:
        """The limits of the colours as they are, automatic ones included."""
        low, high = self.scene.distribution(self.frame).percentile()
        return (
            low if self.vmin is None else self.vmin,
            high if self.vmax is None else self.vmax,
        )

    def fit(self) -> None:
        """Show the whole detector."""
        ny, nx = self.scene.shape
        self._look((-0.5, max(nx, 1) - 0.5), (-0.5, max(ny, 1) - 0.5))

    def center(self, x: float, y: float, width: float | None = None) -> None:
        """Move to a place.

        Parameters
        ----------
        x, y
            What comes to the middle, in pixels.
        width
            How many pixels are seen from left to right; None leaves the zoom.
        """
        across = self.xlim[1] - self.xlim[0]
        up = self.ylim[1] - self.ylim[0]
        if width is not None:
            if not 0 < width < np.inf:
                raise UsageError(
                    "width", f"{width} pixels cannot be seen", "give a number above 0"
                )
            across, up = width, width * up / across
        self._look((x - across / 2, x + across / 2), (y - up / 2, y + up / 2))

    def _look(self, xlim: Limits, ylim: Limits) -> None:
        with self.hold_sync(), self.hold_trait_notifications():
            self.xlim, self.ylim = xlim, ylim

    def inside(self, x: float, y: float) -> bool:
        """Say whether a pixel lies on the detector.

        Parameters
        ----------
        x, y
            Which.
        """
        ny, nx = self.scene.shape
        return 0 <= x < nx and 0 <= y < ny

    # What a person does; each by a call, too

    def click(self, x: int, y: int, modifiers: Mapping[str, bool] | None = None) -> None:
        """Choose a pixel, as a click does.

        Parameters
        ----------
        x, y
            Which; nothing happens outside of the detector.
        modifiers
            Which of ``shift``, ``ctrl`` and ``alt`` are held.
        """
        if not self.inside(x, y):
            return
        with self.hold_sync(), self.hold_trait_notifications():
            self.x, self.y = x, y
        held = {name: bool((modifiers or {}).get(name)) for name in ("shift", "ctrl", "alt")}
        for listener in self._listeners["click"]:
            listener(x, y, held)

    def stroke(
        self,
        tool: str,
        points: Sequence[tuple[float, float]],
        radius: float = 0.0,
        erase: bool = False,
    ) -> None:
        """Draw, as the hand does.

        Parameters
        ----------
        tool
            One of those that draw.
        points
            (x, y); see `upramp_widgets.views.browser_words.Stroke`.
        radius
            Of the brush or the circle, in pixels.
        erase
            Whether it takes away.
        """
        told = {"tool": tool, "points": list(points), "radius": radius, "erase": erase}
        self.draw(read_stroke(told))

    def draw(self, drawn: Stroke) -> None:
        """Draw a stroke; see `stroke`.

        Parameters
        ----------
        drawn
            What was drawn.
        """
        for listener in self._listeners["stroke"]:
            listener(drawn.tool, drawn.points, drawn.radius, drawn.erase)

    def hover(self, x: float, y: float) -> None:
        """Move the cursor to a place.

        Parameters
        ----------
        x, y
            In pixels.
        """
        said = [listener(x, y) for listener in self._listeners["cursor"]]
        self.readout = "   ".join(str(each) for each in said if each)

    def act(self, name: str) -> None:
        """Ask for what a key asks for.

        Parameters
        ----------
        name
            ``undo``, ``redo``, ``previous``, ``next``, ``blink`` or ``escape``.
        """
        name = text(name, ACTIONS, "action")
        for listener in self._listeners["action"]:
            listener(name)

    def on_click(self, listener: Callable[[int, int, dict[str, bool]], Any]) -> None:
        """Call something when a pixel is chosen.

        Parameters
        ----------
        listener
            Called with x, y and a dictionary of the modifiers held.
        """
        self._listeners["click"].append(listener)

    def on_stroke(
        self, listener: Callable[[str, list[tuple[float, float]], float, bool], Any]
    ) -> None:
        """Call something when a stroke is done.

        Parameters
        ----------
        listener
            Called with tool, points, radius and whether it erases; see `stroke`.
        """
        self._listeners["stroke"].append(listener)

    def on_cursor(self, listener: Callable[[float, float], str | None]) -> None:
        """Call something when the cursor moves.

        Parameters
        ----------
        listener
            Called with x and y in pixels; the text it gives is read out.
        """
        self._listeners["cursor"].append(listener)

    def on_action(self, listener: Callable[[str], Any]) -> None:
        """Call something when a key asks for what only the program can do.

        Parameters
        ----------
        listener
            Called with the name of the action; see `act`.
        """
        self._listeners["action"].append(listener)

    def on_shown(self, listener: Callable[[], Any]) -> None:
        """Call something when a page has the picture on the screen and asks for the rest.

        Parameters
        ----------
        listener
            Called for each page, and again when one is loaded again.
        """
        self._listeners["shown"].append(listener)

    def was_shown(self) -> None:
        """Tell those who asked by `on_shown`; a page does."""
        for listener in self._listeners["shown"]:
            listener()

    def announce(self) -> None:  # noqa: D102 - as Pictured has it
        if self._talk is not None:
            self._talk.announce()

    # Pictures

    def summary(self) -> str:
        """Give what is shown in a line."""
        ny, nx = self.scene.shape
        shown = f"{nx} x {ny} pixels" if self.scene.frames else "nothing yet"
        return f"{self.title or 'Image'}: {shown}"

    def picture(self, theme: str = "light") -> bytes:
        """Give what is shown as a picture.

        Parameters
        ----------
        theme
            ``light`` or ``dark``.

        Returns
        -------
        bytes
            A PNG of at most 200 kB.

        Raises
        ------
        UsageError
            If it is closed.
        """
        return palette_png(self.drawn(theme))

    def drawn(self, theme: str = "light") -> Image.Image:
        """Give what is shown as an image of Pillow, in RGB.

        Parameters
        ----------
        theme
            ``light`` or ``dark``.

        Raises
        ------
        UsageError
            If it is closed.
        """
        self._require_open()
        look = Look(
            xlim=self.xlim,
            ylim=self.ylim,
            limits=self.limits if self.scene.frames else None,
            stretch=self.stretch,
            cmap=self.cmap,
            threshold=self.threshold if self.threshold_shown else None,
            threshold_colour=self.threshold_colour,
            flags_shown=self.flags_shown,
            layers_hidden=self.layers_hidden,
            chosen=(self.x, self.y) if self.inside(self.x, self.y) else None,
            title=self.title,
            unit=self.unit,
            theme=theme,
        )
        return drawn(self.scene, look, frame=self.frame)

    def to_html(self) -> str:
        """Give a page that shows the view with no kernel: moves, stretch, threshold and blinking.

        It holds the image as fine as a large screen shows the whole detector.

        Raises
        ------
        UsageError
            If it is closed.
        """
        self._require_open()
        return page(self)

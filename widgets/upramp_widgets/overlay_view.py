"""Graticule, compass and scale bar, kept as the view is."""

from __future__ import annotations

from contextlib import contextmanager
from threading import RLock
from typing import TYPE_CHECKING, Any, Final, cast

import numpy as np

from upramp.errors import UprampError

from .core.render_layers import Compass, Curves
from .core.sky_marks import compass
from .overlay_net import Seen, net
from .views.browser_words import read_view
from .worker import Worker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .core.render_layers import Layer
    from .core.sky import Sky
    from .core.sky_labels import Style
    from .overlay_traits import OverlayTraits

__all__ = ["DECLINATION", "RIGHT_ASCENSION", "OverlayView"]

RIGHT_ASCENSION: Final = "right ascension"
DECLINATION: Final = "declination"
_COLOURS: Final = {RIGHT_ASCENSION: "#86d3ff", DECLINATION: "#ffc48a"}
_COMPASS: Final = "compass"

_AROUND: Final = 41
"""Dots of a browser's canvas that are no image, above and below it."""
_PICTURE: Final = 540.0
"""Dots of the longer side of a picture without a browser."""
_LEAST: Final = 120.0
_BAR: Final = (0.25, 34.0, 46.0)
"""Of the scale bar in the lower right corner: share of the width, dots beside, dots high."""
_ROSE: Final = 90.0
"""Dots of the compass in the upper right corner."""
_TURNED: Final = 0.01
"""Radians, and share of a pixel's size, by which a compass may be wrong."""

Size = tuple[float, float]


class OverlayView:
    """Draws what depends on the view; only the newest view is worth it.

    Parameters
    ----------
    owner
        The overlay, whose traits say how.
    failed
        Told what went wrong.

    Attributes
    ----------
    sky
        Whose coordinates; None for nothing to draw.
    """

    def __init__(self, owner: OverlayTraits, failed: Callable[[Exception], None]) -> None:
        self.sky: Sky | None = None
        self._owner = owner
        self._worker = Worker("upramp graticule", failed)
        self._lock = RLock()
        self._size: Size | None = None
        self._drawn: object = None
        self._compass: Compass | None = None
        owner.image.on_msg(self._hear)
        owner.image.observe(self.ask, ["xlim", "ylim", "layers_hidden"])
        owner.observe(self.ask, ["style", "lines", "outside"])

    def ask(self, _: Any = None) -> None:
        """Draw anew, soon."""
        if self.sky is not None:
            self._worker.ask(self.draw)

    def wait(self, seconds: float | None = None) -> bool:
        """Wait until all is drawn; say whether that came in time.

        Parameters
        ----------
        seconds
            None waits as long as it takes.
        """
        return self._worker.wait(seconds)

    def draw(self) -> None:
        """Draw what the newest view needs, if it is not there."""
        with self._lock:
            image, owner = self._owner.image, self._owner
            hidden = {name for name in _COLOURS if name in image.layers_hidden}
            seen = self._seen(self._size or _size_of_picture(image.xlim, image.ylim))
            key = seen, owner.style, owner.lines, owner.outside, hidden
            if self.sky is None or key == self._drawn:
                return
            for name, layer in self._layers(seen, whole=False).items():
                if isinstance(layer, Curves) and name not in hidden:
                    style = {"labels": layer.labels, "width": layer.width}
                    image.set_curves(name, layer.lines, layer.colour, **style)
                elif isinstance(layer, Compass) and self._is_other(layer):
                    image.set_compass(layer, name)
                    self._compass = layer
            self._drawn = key

    def raise_compass(self) -> None:
        """Draw the compass over all that was laid meanwhile."""
        with self._lock:
            image, drawn = self._owner.image, self._compass
            if drawn is not None and next(reversed(image.scene.layers)) != _COMPASS:
                image.set_compass(None, _COMPASS)
                image.set_compass(drawn, _COMPASS)

    @contextmanager
    def as_picture(self, *, whole: bool = False) -> Iterator[None]:
        """Have the layers fit a picture, and not a browser's canvas, for a while.

        Parameters
        ----------
        whole
            Whether lines reach over the whole image.
        """
        with self._lock:
            image = self._owner.image
            layers, seen = image.scene.layers, _size_of_picture(image.xlim, image.ylim)
            new = self._layers(self._seen(seen), whole=whole)
            before = {name: layers.get(name) for name in new}
            layers.update(new)
            try:
                yield
            finally:
                for name, layer in before.items():
                    if layer is None:
                        del layers[name]
                    else:
                        layers[name] = layer

    def lines(self) -> dict[str, tuple[list[Any], list[str]]]:
        """Give the lines of the graticule, (n, 2) each, and their labels, by name."""
        self.draw()
        layers = self._owner.image.scene.layers
        return {
            name: (list(layer.lines), list(layer.labels))
            for name in _COLOURS
            if isinstance(layer := layers.get(name), Curves)
        }

    # ---- how it is drawn

    def _seen(self, size: Size) -> Seen:
        image = self._owner.image
        return Seen.holding(image.xlim, image.ylim, size)

    def _layers(self, seen: Seen, *, whole: bool) -> dict[str, Layer]:
        sky, owner = self.sky, self._owner
        if sky is None:
            return {}
        width, height = seen.size
        share, beside, high = _BAR
        rose = (width - _ROSE, height - _ROSE, width, height)
        bar = (width * (1 - share) - beside, 0.0, width, high)
        kinds = net(
            sky,
            seen,
            owner.lines,
            style=cast("Style", owner.style),
            outside=owner.outside,
            whole=whole,
            kept_free=[bar, rose],
        )
        found: dict[str, Layer] = {
            name: Curves(kinds[kind].lines, _COLOURS[name], kinds[kind].labels, 1.1)
            for kind, name in (("ra", RIGHT_ASCENSION), ("dec", DECLINATION))
        }
        pointed = _pointed(sky, sum(seen.xlim) / 2, sum(seen.ylim) / 2)
        if pointed is not None:
            found[_COMPASS] = pointed
        return found

    def _is_other(self, new: Compass) -> bool:
        """Say whether a compass differs from the one that is drawn by more than can be seen."""
        old = self._compass
        if old is None:
            return True
        turned = np.abs(np.subtract([*new.north, *new.east], [*old.north, *old.east])).max()
        return bool(turned > _TURNED or abs(new.scale - old.scale) > _TURNED * old.scale)

    def _hear(self, _: Any, content: Any, __: Any) -> None:
        """Learn from a page how large its canvas is."""
        if not isinstance(content, dict) or content.get("kind") not in {"ready", "tiles"}:
            return
        try:
            view = read_view(content)
        except UprampError:
            return  # the image view tells the page
        high = max(self._owner.image.height - _AROUND, 1)
        size = float(high * view.width / view.height), float(high)
        if size != self._size:
            self._size = size
            self.ask()


def _size_of_picture(xlim: tuple[float, float], ylim: tuple[float, float]) -> Size:
    across, up = xlim[1] - xlim[0], ylim[1] - ylim[0]
    scale = _PICTURE / max(across, up)
    return max(_LEAST, across * scale), max(_LEAST, up * scale)


def _pointed(sky: Sky, x: float, y: float) -> Compass | None:
    """Give the directions at a pixel and a pixel's size; None where there are none."""
    try:
        arrows = compass(sky, x, y, 1.0)
        scale = float(sky.pixel_scale(x, y))
    except UprampError:
        return None  # in a spectrum, or where no sky is seen, there is no direction to draw
    north, east = (
        (arrow[2] - arrow[0], arrow[3] - arrow[1]) for arrow in (arrows.north, arrows.east)
    )
    return Compass(north, east, scale if np.isfinite(scale) else 0.0)

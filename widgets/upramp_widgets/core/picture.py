"""A picture of a scene, for where no browser is: the notebook as it is stored.

Drawn with Pillow alone, in a tenth of a second. It holds what a reader needs
who cannot move anything: title, axes, colour bar, legend.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from PIL import Image

from upramp.errors import UsageError

from .colormaps import table
from .picture_layers import draw_layers
from .picture_parts import THEMES, Canvas, ticks, written
from .render import Viewport
from .render_layers import Compass, rgb
from .render_scene import Scene
from .stretch import stretched

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .render import How, Plane, Source
    from .stretch import Limits

__all__ = ["LARGEST", "Look", "drawn", "palette_png", "picture"]

LARGEST: Final = 200_000
"""Bytes that a picture may have: it is stored in a notebook."""

_SIDE: Final = 540
_LEAST_SIDE: Final = 120
_COVER: Final = 200 / 255
_LEVELS: Final = (128, 64, 40, 24, 16, 8)


@dataclass(frozen=True)
class Look:
    """How a scene is looked at.

    Parameters
    ----------
    xlim, ylim
        Range of pixels that is shown; None for all.
    limits
        Of the colours; None for automatic ones.
    stretch, cmap
        How values become colours.
    threshold, threshold_colour
        Above which significance is marked, None for nowhere; and how.
    flags_shown
        Names of the masks that are visible.
    layers_hidden
        Names of the layers that are not.
    chosen
        A pixel that is marked.
    title, unit
        Written above the picture and at the colour bar.
    theme
        ``light`` or ``dark``.
    """

    xlim: Limits | None = None
    ylim: Limits | None = None
    limits: Limits | None = None
    stretch: str = "linear"
    cmap: str = "gray"
    threshold: float | None = None
    threshold_colour: str = "#ff5fd2"
    flags_shown: tuple[str, ...] = ()
    layers_hidden: tuple[str, ...] = ()
    chosen: tuple[int, int] | None = None
    title: str = ""
    unit: str = ""
    theme: str = "light"


def picture(shown: Scene | Plane, look: Look | None = None, *, frame: int = 0) -> bytes:
    """Draw a picture as a PNG.

    Parameters
    ----------
    shown, look, frame
        As `drawn` has them.

    Returns
    -------
    bytes
        Of at most `LARGEST` bytes.
    """
    return palette_png(drawn(shown, look, frame=frame))


def drawn(shown: Scene | Plane, look: Look | None = None, *, frame: int = 0) -> Image.Image:
    """Draw a picture.

    Parameters
    ----------
    shown
        A scene, or just a plane (ny, nx).
    look
        How it is looked at; None for the whole of it, in gray.
    frame
        Which plane of the scene.

    Returns
    -------
    Image
        In RGB, about 700 dots wide.

    Raises
    ------
    UsageError
        If the look or the plane is none.
    """
    look = look or Look()
    if look.theme not in THEMES:
        raise UsageError("theme", f"there is no {look.theme!r}", f"give one of {tuple(THEMES)}")
    scene = shown if isinstance(shown, Scene) else _scene_of(shown)
    if not scene.frames:
        return _empty(look)
    view = _viewport(scene, look)
    limits = look.limits or scene.distribution(frame).percentile()
    levels, share = _science(scene, frame, view, limits, look)
    legend = _legend(scene, look)
    canvas = Canvas(view.width, view.height, len(legend), look.theme, bool(look.title))
    pixels = _coloured(share, levels, look.cmap, canvas)
    _cover(pixels, scene, view, look)
    canvas.put(pixels)
    draw_layers(canvas, dict(scene.layers), look.layers_hidden, view, look.chosen)
    canvas.axes(view)
    canvas.colour_bar(table(look.cmap), _bar_ticks(limits, look, scene, frame), look.unit)
    canvas.legend(legend)
    canvas.title(look.title)
    return canvas.image


def _scene_of(plane: Plane) -> Scene:
    scene = Scene()
    scene.set_planes([plane])
    return scene


def _empty(look: Look) -> Image.Image:
    canvas = Canvas(360, 120, 0, look.theme, bool(look.title))
    canvas.title(look.title)
    canvas.middle("Nothing to show yet")
    return canvas.image


def _viewport(scene: Scene, look: Look) -> Viewport:
    ny, nx = scene.shape
    xlim = look.xlim or (-0.5, nx - 0.5)
    ylim = look.ylim or (-0.5, ny - 0.5)
    across, up = xlim[1] - xlim[0], ylim[1] - ylim[0]
    scale = _SIDE / max(across, up)
    width = max(_LEAST_SIDE, round(across * scale))
    height = max(_LEAST_SIDE, round(up * scale))
    per_dot = max(across / width, up / height)
    x, y = sum(xlim) / 2, sum(ylim) / 2
    half_x, half_y = per_dot * width / 2, per_dot * height / 2
    return Viewport((x - half_x, x + half_x), (y - half_y, y + half_y), width, height)


def _seen(source: Source, view: Viewport, how: How) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Give the cell at each dot, row 0 at the top, and which dots lie on the detector."""
    window, factor = view.window(source.shape, view.factor(how))
    cells = source.pooled(window, factor, how)
    at_x, in_x = _dots(view.xlim, view.width, window.x0, window.x1, factor)
    at_y, in_y = _dots(view.ylim, view.height, window.y0, window.y1, factor)
    return cells[np.ix_(at_y[::-1], at_x)], in_y[::-1, None] & in_x[None, :]


def _dots(
    limits: Limits, count: int, start: int, stop: int, factor: int
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    places = limits[0] + (np.arange(count) + 0.5) * (limits[1] - limits[0]) / count
    pixels = np.floor(places + 0.5)
    inside = (pixels >= start) & (pixels < stop)
    return (np.clip(pixels, start, stop - 1).astype(np.int64) - start) // factor, inside


def _science(
    scene: Scene, frame: int, view: Viewport, limits: Limits, look: Look
) -> tuple[int, NDArray[np.float64]]:
    """Give shares 0 to 1, NaN for none, -1 outside; and how many levels the file has room for."""
    values, inside = _seen(scene.plane(frame), view, "mean")
    quantiles = scene.distribution(frame).quantiles()
    share = stretched(values, limits, look.stretch, quantiles)
    share[~inside] = -1
    for levels in _LEVELS:
        counts = np.unique(np.floor(share * levels), return_counts=True, equal_nan=True)[1]
        part = counts / counts.sum()
        if -(part * np.log2(part)).sum() * share.size / 8 < 0.8 * LARGEST:
            break
    return levels, share


def _coloured(
    share: NDArray[np.float64], levels: int, cmap: str, canvas: Canvas
) -> NDArray[np.uint8]:
    bad, outside = np.isnan(share), share < 0
    step = np.minimum(np.floor(np.where(bad | outside, 0, share) * levels), levels - 1)
    colours: NDArray[np.uint8] = table(cmap)[
        np.rint(step * 255 / max(levels - 1, 1)).astype(np.int64)
    ]
    colours[bad] = canvas.theme.missing
    colours[outside] = canvas.theme.outside
    return colours


def _cover(pixels: NDArray[np.uint8], scene: Scene, view: Viewport, look: Look) -> None:
    def blend(where: NDArray[np.bool_], colour: str) -> None:
        mixed = pixels[where] * (1 - _COVER) + np.array(rgb(colour)) * _COVER
        pixels[where] = mixed.astype(np.uint8)

    if scene.significance is not None and look.threshold is not None:
        values, inside = _seen(scene.significance, view, "max")
        blend((values > look.threshold) & inside, look.threshold_colour)
    for name, mask in list(scene.masks.items()):
        if name in look.flags_shown:
            flags, inside = _seen(mask.source, view, "or")
            reach = int(np.iinfo(flags.dtype).max)
            blend(((flags & flags.dtype.type(mask.bits & reach)) != 0) & inside, mask.colour)


def _legend(scene: Scene, look: Look) -> list[tuple[str, str]]:
    rows: list[tuple[str, str]] = []
    if scene.significance is not None and look.threshold is not None:
        rows.append((look.threshold_colour, f"above {look.threshold:g} sigma"))
    rows += [
        (mask.colour, mask.label)
        for name, mask in list(scene.masks.items())
        if name in look.flags_shown
    ]
    rows += [
        (layer.colour, name)
        for name, layer in list(scene.layers.items())
        if name not in look.layers_hidden and not isinstance(layer, Compass)
    ]
    return rows


def _bar_ticks(limits: Limits, look: Look, scene: Scene, frame: int) -> list[tuple[float, str]]:
    """Give places along the bar, 0 to 1, and what is written there."""
    quantiles = scene.distribution(frame).quantiles()
    values = np.array(ticks(*limits, 6))
    if look.stretch in {"log", "equalised"}:  # round values would crowd at one end
        places = np.linspace(0, 1, 6)
        finer = np.linspace(*limits, 2001)
        values = np.interp(places, stretched(finer, limits, look.stretch, quantiles), finer)
    shares = stretched(values, limits, look.stretch, quantiles)
    found: list[tuple[float, str]] = []
    for share, value in zip(shares, values, strict=True):
        if not found or abs(share - found[-1][0]) > 0.045:
            found.append((float(share), written(float(value))))
    return found


def palette_png(image: Image.Image) -> bytes:
    """Give a picture as a PNG with a palette, of at most `LARGEST` bytes if that can be.

    Parameters
    ----------
    image
        In RGB.
    """
    # A page waits for it: what is quick comes first, and is nearly always small enough.
    for colours, level in ((256, 3), (256, 7), (128, 7), (64, 7), (32, 7), (16, 7)):
        buffer = io.BytesIO()
        reduced = image.quantize(
            colors=colours, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE
        )
        reduced.save(buffer, "PNG", compress_level=level)
        if buffer.tell() <= LARGEST:
            break
    return buffer.getvalue()

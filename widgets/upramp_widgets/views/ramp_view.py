"""The plot of ramps: groups with their flags, the slope with its error, what is left over.

The figure is made once; a click changes the columns of its sources, all of
them in one message.
"""

from __future__ import annotations

import threading
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from bokeh.layouts import column
from bokeh.models import ColumnDataSource, CrosshairTool, HoverTool, Range1d
from bokeh.plotting import figure

from upramp_widgets.core.ramp_picture import COLOURS
from upramp_widgets.core.render_layers import JUMP

from .bokeh_host import BokehHost

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from upramp_widgets.core.ramp_sample import RampSample

__all__ = ["MARKS", "RampView"]

MARKS: Final = {
    "good": ("circle", 7, "good group"),
    "jump": ("triangle", 12, "jump"),
    "saturated": ("square", 10, "saturated"),
    "do not use": ("x", 10, "do not use"),
    "reference": ("diamond", 9, "reference pixel"),
}
"""How a group is drawn that carries a flag: shape, size, words."""

_STEPS: Final = ("#b14a00", "#a0740a", "#6a7f00", "#00805a", "#007a8a", "#3b66b0", "#7a4fb0")
"""Of the ramp after one correction and the next."""

_INK: Final = {
    False: {"ink": "#1f2933", "paper": "#ffffff", "grid": "#e4e7eb", "now": "#1f2933"},
    True: {"ink": "#d8dee9", "paper": "#111111", "grid": "#2b3038", "now": "#f5f7fa"},
}


class RampView:
    """Ramps of pixels as a figure of Bokeh.

    Parameters
    ----------
    width, height
        Of the whole, in pixels of the screen.
    dark
        Whether it is on a dark page.
    """

    def __init__(self, width: int = 560, height: int = 520, *, dark: bool = False) -> None:
        self._lock = threading.RLock()
        self._host: BokehHost | None = None
        self._now: RampSample | None = None
        self._pinned: tuple[RampSample, ...] = ()
        self._corrections: tuple[str, ...] = ()
        self.points = ColumnDataSource(_no_points())
        self.lines = ColumnDataSource({"xs": [], "ys": [], "colour": [], "name": []})
        self.fits = ColumnDataSource({"xs": [], "ys": [], "colour": []})
        self.bands = ColumnDataSource({"xs": [], "ys": [], "colour": []})
        self.left = ColumnDataSource({"t": [], "r": [], "colour": []})
        tools = "pan,wheel_zoom,box_zoom,reset,save"
        self.ramp = figure(
            width=width,
            height=int(height * 0.7),
            tools=tools,
            active_scroll="wheel_zoom",
            x_range=Range1d(start=0, end=1),
            y_range=Range1d(start=0, end=1),
            y_axis_label="DN",
            output_backend="canvas",
        )
        self.residuals = figure(
            width=width,
            height=height - int(height * 0.7),
            tools=tools,
            x_range=self.ramp.x_range,
            y_range=Range1d(start=-1, end=1),
            x_axis_label="seconds since the reset",
            y_axis_label="left over, DN",
            output_backend="canvas",
        )
        self._draw()
        self.layout = column(self.ramp, self.residuals)
        self.set_theme(dark=dark)

    def _draw(self) -> None:
        ramp = self.ramp
        ramp.patches("xs", "ys", source=self.bands, color="colour", alpha=0.25, line_width=0)
        ramp.multi_line(
            "xs",
            "ys",
            source=self.lines,
            color="colour",
            line_dash="dashed",
            line_width=1.8,
            legend_field="name",
        )
        ramp.multi_line("xs", "ys", source=self.fits, color="colour", line_width=2.5)
        self._dots = ramp.scatter(
            "t",
            "v",
            source=self.points,
            marker="shape",
            size="size",
            fill_color="fill",
            line_color="colour",
            line_width=1.5,
        )
        self.residuals.scatter("t", "r", source=self.left, size=6, color="colour", line_width=0)
        self._zero = self.residuals.hspan(y=[0], line_width=1)
        ramp.add_tools(
            HoverTool(
                renderers=[self._dots],
                tooltips=[
                    ("pixel", "@who"),
                    ("group", "@group"),
                    ("DN", "@v{0,0.0}"),
                    ("flags", "@words"),
                ],
            ),
            CrosshairTool(dimensions="height", line_alpha=0.3),
        )
        ramp.xaxis.visible = False  # it is the one below
        ramp.legend.title = "after, moved onto the first group"
        ramp.legend.location = "top_left"
        ramp.legend.background_fill_alpha = 0.7
        for each in (ramp, self.residuals):
            each.toolbar.logo = None
            each.toolbar.autohide = True
            each.min_border_right = 12
            # Room for any number: else the whole figure is laid out anew for a longer one.
            each.min_border_left = 72
            each.axis.minor_tick_line_color = None
            side: Any = each.yaxis
            side.axis_label_standoff_mode = "axis"
            side.axis_label_standoff = 48

    def set_theme(self, *, dark: bool) -> None:
        """Draw for a light page, or a dark one.

        Parameters
        ----------
        dark
            Which.
        """
        with self._lock, self._together():
            self._dark = dark
            self._colour(_INK[dark])
            self._refresh()

    def _colour(self, ink: Mapping[str, str]) -> None:
        for each in (self.ramp, self.residuals):
            each.background_fill_color = ink["paper"]
            each.border_fill_color = ink["paper"]
            each.outline_line_color = ink["grid"]
            each.border_line_color = None
            # The dots at its edge keep a little of the theme before: they are not seen.
            each.styles = {"clip-path": "inset(2px)"}
            each.grid.grid_line_color = ink["grid"]
            for axis in each.axis:
                axis.axis_label_text_color = ink["ink"]
                axis.major_label_text_color = ink["ink"]
                axis.axis_line_color = axis.major_tick_line_color = ink["ink"]
        legend = self.ramp.legend
        legend.label_text_color = legend.title_text_color = ink["ink"]
        legend.background_fill_color = ink["paper"]
        self._zero.glyph.line_color = ink["ink"]

    def _together(self) -> AbstractContextManager[None]:
        """Let changes come to the page as one, if there is a page."""
        if self._host is None:
            return nullcontext()
        together: AbstractContextManager[None] = self._host.child.together()
        return together

    # ---- what is shown

    def show(
        self,
        now: RampSample | None,
        pinned: Sequence[RampSample] = (),
        corrections: Sequence[str] = (),
    ) -> None:
        """Show ramps.

        Parameters
        ----------
        now
            The pixel that is looked at.
        pinned
            Those that it is compared with.
        corrections
            Steps after which the pixel's ramp is shown as well, ``raw`` for what was read.
        """
        # What is corrected beside the kernel's own thread is shown from there, too.
        with self._lock:
            self._now, self._pinned, self._corrections = now, tuple(pinned), tuple(corrections)
            self._refresh()

    def _coloured(self) -> list[tuple[RampSample, str]]:
        found = [
            (each, COLOURS[number % len(COLOURS)]) for number, each in enumerate(self._pinned)
        ]
        if self._now is not None:
            found.append((self._now, _INK[self._dark]["now"]))
        return found

    def _refresh(self) -> None:
        points, fits, bands, left = _no_points(), _no_lines(), _no_lines(), _no_residuals()
        lines: dict[str, list[Any]] = {**_no_lines(), "name": []}
        paper = _INK[self._dark]["paper"]
        for sample, colour in self._coloured():
            _add_points(points, sample, colour, paper)
            _add_fit(fits, bands, left, sample, colour)
        self._add_corrections(lines)
        with self._together():
            self.ramp.legend.visible = bool(lines["name"])
            self._fit_ranges(points, lines, left)
            for source, data in (
                (self.bands, bands),
                (self.lines, lines),
                (self.fits, fits),
                (self.left, left),
                (self.points, points),
            ):
                if source.data != data:
                    source.data = data

    def _add_corrections(self, lines: dict[str, list[Any]]) -> None:
        """Draw the ramp after some steps, from where the corrected one begins.

        A bias is a hundred times what a faint source adds: on one scale with it nothing of
        what the steps do to the ramp's form could be seen.
        """
        now = self._now
        if now is None:
            return
        for number, correction in enumerate(now.corrections):
            if correction.step in self._corrections:
                values = correction.data[now.integration].astype(np.float64)
                lines["xs"].append(now.times.tolist())
                lines["ys"].append((values - values[0] + now.data[0]).tolist())
                lines["colour"].append(_STEPS[number % len(_STEPS)])
                lines["name"].append(correction.step)

    def _fit_ranges(
        self,
        points: Mapping[str, list[Any]],
        lines: Mapping[str, list[Any]],
        left: Mapping[str, list[Any]],
    ) -> None:
        """Leave room around data alone: not around marks, lines or what is off the scale."""
        values = np.array(
            [*points["v"], *(value for each in lines["ys"] for value in each)], dtype=np.float64
        )
        _span(self.ramp.y_range, values)
        _span(self.ramp.x_range, np.array([0.0, *points["t"]], dtype=np.float64))
        rest = np.array(left["r"], dtype=np.float64)
        most = float(np.nanmax(np.abs(rest))) if np.isfinite(rest).any() else 0.0
        most = most or 1.0
        self.residuals.y_range.update(start=-1.15 * most, end=1.15 * most)

    # ---- out of the kernel

    def widget(self) -> BokehHost:
        """Give the figure as a widget."""
        self._host = BokehHost(self.layout, lambda dark: self.set_theme(dark=dark))
        return self._host

    def to_html(self, title: str = "ramp") -> str:
        """Give a page that needs no kernel and no network.

        Parameters
        ----------
        title
            Of the page.
        """
        from bokeh.embed import file_html
        from bokeh.resources import INLINE

        page: str = file_html(self.layout, INLINE, title=title)
        return page


def _span(span: Any, values: NDArray[np.float64]) -> None:
    good = values[np.isfinite(values)]
    low, high = (float(good.min()), float(good.max())) if good.size else (0.0, 1.0)
    room = 0.06 * (high - low) or max(abs(high) * 0.05, 1.0)
    span.update(start=low - room, end=high + room)


def _no_points() -> dict[str, list[Any]]:
    names = ("t", "v", "shape", "size", "colour", "fill", "who", "group", "words")
    return {name: [] for name in names}


def _no_lines() -> dict[str, list[Any]]:
    return {"xs": [], "ys": [], "colour": []}


def _no_residuals() -> dict[str, list[Any]]:
    return {"t": [], "r": [], "colour": []}


def _add_points(points: dict[str, list[Any]], sample: RampSample, colour: str, paper: str) -> None:
    words = sample.words()
    who = f"({sample.x:g}, {sample.y:g})"
    kinds = np.full(len(sample.data), "good", dtype=object)
    # What is said last is what is drawn: the worst.
    marks = sample.marks()
    for kind in ("reference", "jump", "do not use", "saturated"):
        kinds[marks[kind]] = kind
    for group, (time, value, kind) in enumerate(
        zip(sample.times.tolist(), sample.data.tolist(), kinds, strict=True)
    ):
        shape, size, _ = MARKS[kind]
        points["t"].append(time)
        points["v"].append(value)
        points["shape"].append(shape)
        points["size"].append(size)
        points["colour"].append(colour)
        points["fill"].append({"good": colour, "jump": JUMP}.get(kind, paper))
        points["who"].append(who)
        points["group"].append(group + 1)
        points["words"].append(words[group] or "none")


def _add_fit(
    fits: dict[str, list[Any]],
    bands: dict[str, list[Any]],
    left: dict[str, list[Any]],
    sample: RampSample,
    colour: str,
) -> None:
    if sample.fit is None:
        return
    for times, line, error in sample.fit.line(sample.times):
        # Lists: each array would be two messages of its own.
        fits["xs"].append(times.tolist())
        fits["ys"].append(line.tolist())
        fits["colour"].append(colour)
        bands["xs"].append([*times.tolist(), *times[::-1].tolist()])
        bands["ys"].append([*(line - error).tolist(), *(line + error)[::-1].tolist()])
        bands["colour"].append(colour)
    good = np.isfinite(sample.fit.residuals)
    left["t"] += sample.times[good].tolist()
    left["r"] += sample.fit.residuals[good].tolist()
    left["colour"] += [colour] * int(good.sum())

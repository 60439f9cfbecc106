"""RampInspector: a detector's image, the ramps of its pixels, and what would change them."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any, Final

import ipywidgets
import numpy as np
import traitlets

from upramp.dq import GROUP
from upramp.errors import UsageError

from .alike import keep_alike
from .arrangement import NARROW, WRAPPED
from .core.colormaps import COLORMAPS
from .core.ramp import Counts, RampModel
from .core.ramp_picture import ramp_picture
from .core.render_layers import JUMP, PALE
from .core.stretch import STRETCHES
from .display import Pictured
from .inspector_controls import Controls
from .release import close_all, closed_if_it_fails
from .views.image_view import ImageView
from .views.ramp_view import RampView
from .views.side_by_side import page_of, picture_of
from .worker import Worker, Working, in_a_kernel

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from upramp.exposure import Exposure

    from .core.ramp_sample import RampSample

__all__ = ["RampInspector"]

PLANES: Final = ("group", "difference", "rate", "significance")
"""What the image may be of."""

_SHARED: Final = (
    *("xlim", "ylim", "vmin", "vmax", "stretch", "cmap", "threshold", "flags_shown"),
    *("x", "y", "tool", "busy", "status"),
)
"""Traits that the image has under the same name."""

_THRESHOLD: Final = "jump.rejection_threshold"
_JUMP: Final = np.uint8(GROUP["JUMP_DET"])
_QUICK: Final = 1_000_000
"""Pixels of a view whose search is done before that of the whole detector."""

_GLANCE: Final = 0.3
"""Seconds in which a page draws the flags of a view before the whole detector is searched."""


_UNSEEN: Final = 1.5
"""Seconds after which the plot is made though no page shows the image."""


class RampInspector(Working, Pictured, ipywidgets.VBox):
    """Look at the ramps of an exposure, and tune jump and fit on them.

    Parameters
    ----------
    exposure
        An `upramp.Exposure`, the path of one, or the result of `upramp.calibrate`.
    overrides
        Values by ``step.parameter``, as `upramp.calibrate` takes them.
    threads
        As `upramp.calibrate` has it.
    **traits
        First values of traits.

    Attributes
    ----------
    x, y
        The pixel whose ramp is shown; -1 for none.
    pinned
        Pairs (x, y) of those that it is compared with.
    integration, group
        Counted from 0.
    plane
        What the image is of: ``group``, ``difference``, ``rate`` (of the integration) or
        ``significance``.
    since
        Which group is taken away from the one that is shown, as ``difference``; None for the
        one before.
    threshold
        ``jump.rejection_threshold``, in sigma.
    overrides
        What jump and ramp_fit are tried with, by ``step.parameter``, besides the threshold.
    corrections
        Steps after which the pixel's ramp is drawn as well; ``raw`` for what was read.
    xlim, ylim, vmin, vmax, stretch, cmap, flags_shown, tool, busy, status
        As `upramp_widgets.views.image_view.ImageView` has them.

    Raises
    ------
    InputError
        If there are no ramps.
    """

    x = traitlets.Int(-1)
    y = traitlets.Int(-1)
    pinned = traitlets.Tuple()
    integration = traitlets.Int(0)
    group = traitlets.Int(0)
    plane = traitlets.Enum(PLANES, "group")
    since = traitlets.Int(None, allow_none=True)
    threshold = traitlets.Float(4.0)
    overrides = traitlets.Dict()
    corrections = traitlets.Tuple()
    xlim = traitlets.Tuple(default_value=(-0.5, 0.5))
    ylim = traitlets.Tuple(default_value=(-0.5, 0.5))
    vmin = traitlets.Float(None, allow_none=True)
    vmax = traitlets.Float(None, allow_none=True)
    stretch = traitlets.Enum(STRETCHES, "linear")
    cmap = traitlets.Enum(COLORMAPS, "gray")
    flags_shown = traitlets.Tuple()
    tool = traitlets.Unicode("inspect")
    busy = traitlets.Bool(False)
    status = traitlets.Unicode("")

    @closed_if_it_fails()
    def __init__(
        self,
        exposure: Exposure | str | os.PathLike[str] | Any,
        *,
        overrides: Mapping[str, Any] | None = None,
        threads: int | None = None,
        **traits: Any,
    ) -> None:
        self.refuse_unknown(traits)
        chosen: dict[str, Any] = {name: traits.pop(name) for name in _SHARED if name in traits}
        self.model = RampModel.open(
            exposure, **({} if overrides is None else {"overrides": overrides}), threads=threads
        )
        try:
            self._make(chosen, traits)
        except BaseException:
            self.model.close()
            raise
        self.picture_first(self.image)
        self._worker.ask(self._prepare)
        if in_a_kernel():
            self.image.on_shown(self._add_plot)
            asyncio.get_running_loop().call_later(_UNSEEN, self._add_plot)
        else:
            self._add_plot()

    def _make(self, chosen: dict[str, Any], traits: dict[str, Any]) -> None:
        self.image = ImageView(
            title=self.model.name,
            unit="DN",
            tools=("pan", "inspect", "box"),
            threshold_colour=PALE,
        )
        self._ramps: RampView | None = None
        self._making = threading.Lock()
        self._worker = Worker("upramp inspector", self._failed)
        self._planes: dict[tuple[str, int, int, int | None], NDArray[np.float32]] = {}
        self._flags: NDArray[np.uint8] | None = None
        self._before: Counts | None = None
        self._ready = False
        self._box: tuple[slice, slice] | None = None
        self._tried: tuple[tuple[slice, slice], NDArray[np.uint8]] | None = None
        self._drawn: tuple[Any, ...] = ()
        traits.setdefault("group", self.model.shape[1] - 1)
        super().__init__(**traits)
        self._show_plane()
        # The image knows better how it begins; after that both say the same.
        keep_alike(self.image, self, _SHARED)
        for name, value in chosen.items():
            setattr(self, name, value)
        self._chosen = frozenset(chosen)
        self.controls = Controls(self)
        # Under one another where a page is narrow; the words beside the plot where it is wide.
        words = ipywidgets.HBox([self.controls.beside], layout={"flex": "1 1 400px"})
        self._plot = ipywidgets.HBox(layout={"flex": "0 0 500px"})
        ramps = ipywidgets.HBox([self._plot, words], layout={"flex": "1 1 500px", **WRAPPED})
        left = ipywidgets.VBox([self.image, self.controls.under], layout=NARROW)
        self.children = [
            self.controls.top,
            ipywidgets.HBox([left, ramps], layout=WRAPPED),
            self.controls.bottom,
        ]
        self.image.on_click(self._clicked)
        self.image.on_stroke(self._stroked)
        self.image.on_action(self._acted)
        self.observe(self._show_plane, ["plane", "integration", "since"])
        self.observe(self._show_significance, "integration")
        self.observe(self._follow_group, "group")
        self.observe(self._changed, ["threshold", "overrides"])
        self.observe(self._draw_ramps, ["x", "y", "pinned", "corrections", "integration"])
        self.image.observe(self._follow_frame, "frame")
        self.busy, self.status = True, "correcting the ramps: raw ones are shown meanwhile"
        self._made = True

    @traitlets.validate("x", "y", "integration", "group", "since")
    def _valid_place(self, proposal: Any) -> int | None:
        if proposal["value"] is None:
            return None
        name, value = proposal["trait"].name, int(proposal["value"])
        nints, ngroups, ny, nx = self.model.shape
        first = -1 if name in {"x", "y"} else 0
        end = {"x": nx, "y": ny, "integration": nints}.get(name, ngroups)
        if not first <= value < end:
            raise UsageError(name, f"there is no {value}", f"give one of {first} to {end - 1}")
        return value

    @traitlets.validate("threshold")
    def _valid_threshold(self, proposal: Any) -> float:
        value = float(proposal["value"])
        if not 0 < value < np.inf:
            raise UsageError("threshold", f"it is {value}", "give a positive number of sigma")
        return value

    @traitlets.validate("overrides")
    def _valid_overrides(self, proposal: Any) -> dict[str, Any]:
        if _THRESHOLD in proposal["value"]:
            raise UsageError("overrides", f"{_THRESHOLD} has a trait of its own", "set threshold")
        value = dict(proposal["value"])
        if self._ready:  # a pixel is enough to hear what the engine says of them
            pixel = slice(0, 1), slice(0, 1)
            self.model.window(pixel, {**value, _THRESHOLD: self.threshold})
        return value

    @property
    def ramps(self) -> RampView:
        """The plot of ramps, made when it is first needed."""
        with self._making:
            if self._ramps is None:
                self._ramps = RampView(width=490)
            return self._ramps

    def _add_plot(self) -> None:
        """Put the plot beside the image: it takes longer to make, and the image need not wait."""
        if self._made and not self._plot.children:
            self._plot.children = [self.ramps.widget()]

    def announce(self) -> None:  # noqa: D102 - as Pictured has it
        self.image.announce()

    # ---- what a person does, as calls

    def ramp(self, x: int, y: int, integration: int | None = None) -> RampSample:
        """Give a pixel's ramp, corrected and fitted with what is chosen now.

        Parameters
        ----------
        x, y
            Column and row, from 0.
        integration
            Counted from 0; None for the one that is shown.

        Raises
        ------
        UsageError
            If there is no such pixel or integration.
        """
        self.wait()
        at = self.integration if integration is None else integration
        return self.model.sample(x, y, at, self.parameters)

    def box(self, x0: int, y0: int, x1: int, y1: int) -> RampSample:
        """Show the mean ramp of a box, and give it.

        Parameters
        ----------
        x0, y0, x1, y1
            Its corners; all of them belong to it.
        """
        self.wait()
        _, _, ny, nx = self.model.shape
        rows = slice(max(min(y0, y1), 0), min(max(y0, y1), ny - 1) + 1)
        columns = slice(max(min(x0, x1), 0), min(max(x0, x1), nx - 1) + 1)
        if rows.start >= rows.stop or columns.start >= columns.stop:
            raise UsageError("box", "it is not on the detector", f"the detector is {nx} x {ny}")
        self._box = rows, columns
        self._draw_ramps()
        return self.model.box(self._box, self.integration, self.parameters)

    def pin(self, x: int | None = None, y: int | None = None) -> None:
        """Keep a pixel's ramp in the plot.

        Parameters
        ----------
        x, y
            Column and row; None for the pixel that is shown.
        """
        pair = (self.x if x is None else x, self.y if y is None else y)
        _, _, ny, nx = self.model.shape
        if pair[0] >= nx or pair[1] >= ny:
            raise UsageError("pin", f"{pair} is not on the detector", f"it is {nx} x {ny}")
        if min(pair) >= 0 and pair not in self.pinned:
            self.pinned = (*self.pinned, pair)

    def unpin(self) -> None:
        """Let go of all pinned pixels."""
        self.pinned = ()

    @property
    def parameters(self) -> dict[str, Any]:
        """What jump and ramp_fit are tried with now, by ``step.parameter``."""
        return {**self.overrides, _THRESHOLD: self.threshold}

    def apply(self) -> tuple[Counts, Counts]:
        """Search and fit the whole detector with what is chosen now; show it.

        Returns
        -------
        before, after : Counts
            Jumps with the parameters that the exposure came with, and with these.
        """
        self.wait()
        self._apply()
        return self.counts()

    def counts(self) -> tuple[Counts, Counts]:
        """Give the jumps found with the parameters that the exposure came with, and with these."""
        after = Counts.of(self.model.flags(self.parameters))
        return self._before or after, after

    def flags(self) -> NDArray[np.uint8]:
        """Give the flags of all groups with what is chosen now, (nints, ngroups, ny, nx)."""
        self.wait()
        return self.model.flags(self.parameters)

    def _release(self) -> None:
        close_all(self.image)
        self.model.close()
        self._planes.clear()
        self._flags = self._tried = None

    # ---- pictures

    def summary(self) -> str:
        """Say in a few words what is shown."""
        nints, ngroups, ny, nx = self.model.shape
        told = f"RampInspector of {self.model.name}: {nints} x {ngroups} x {ny} x {nx}"
        return told if min(self.x, self.y) < 0 else f"{told}, pixel ({self.x}, {self.y})"

    def picture(self, theme: str = "light") -> bytes:
        """Give image and ramps as one picture.

        Parameters
        ----------
        theme
            ``light`` or ``dark``.

        Returns
        -------
        bytes
            A PNG.
        """
        now, pinned = self._samples()
        left = self.image.drawn(theme)
        right = ramp_picture(now, pinned, height=left.height, dark=theme == "dark")
        return picture_of([left, right])

    def to_html(self) -> str:
        """Give a page that shows image and ramps with no kernel and no network."""
        pages = {"image": self.image.to_html(), "ramps": self.ramps.to_html(self.model.name)}
        return page_of(self.model.name, pages)

    # ---- planes

    def _plane(self, kind: str, integration: int, group: int) -> NDArray[np.float32]:
        """Give an image; the last few are kept, as tiles of it are asked for one by one."""
        key = (kind, integration, group, self.since)
        if key not in self._planes:
            if len(self._planes) >= 3:
                del self._planes[next(iter(self._planes))]
            if kind == "rate":
                self._planes[key] = self.model.rate(self.parameters, integration)
            elif kind == "significance":
                self._planes[key] = self.model.significance(integration)
            elif kind == "difference":
                self._planes[key] = self.model.difference(integration, group, self.since)
            else:
                self._planes[key] = self.model.group(integration, group)
        return self._planes[key]

    def _show_plane(self, _: Any = None) -> None:
        ngroups = self.model.shape[1]
        kind, integration = self.plane, self.integration
        limits = "percentile"
        if kind in {"rate", "significance"}:
            if not self._ready:
                refused = self.model.refused
                self.status = refused or "this is shown as soon as the ramps are corrected"
                return
            self.image.unit = "DN/s" if kind == "rate" else "sigma"
            self.image.show(self._plane(kind, integration, 0), limits=limits)
            return
        self.image.unit = "DN"

        shape = self.model.shape[2:]

        def frame(group: int) -> Any:
            def read(rows: slice, columns: slice) -> NDArray[np.float32]:
                plane = self._plane(kind, integration, group)
                if plane.shape != shape:  # corrected meanwhile, by which IRS2 loses rows
                    plane = self.model.group(integration, group, raw=True)
                return plane[rows, columns]

            return read

        less = "" if self.since is None or kind == "group" else f" less {self.since + 1}"
        self.image.frame = min(self.group, ngroups - 1)
        self.image.set_frames(
            [frame(group) for group in range(ngroups)],
            labels=[f"group {group + 1}{less}" for group in range(ngroups)],
            shape=shape,
            limits=limits,
        )

    def _show_significance(self, _: Any = None) -> None:
        if self._ready:
            # At first what is above the threshold is not marked: the jumps that it finds are.
            shown = self.image.scene.significance is not None and self.image.threshold_shown
            self.image.set_significance(self.model.significance(self.integration), shown=shown)

    def _follow_group(self, _: Any) -> None:
        if self.plane in {"group", "difference"}:
            self.image.frame = self.group
        self.image.refresh_masks()

    def _follow_frame(self, change: Any) -> None:
        if self.plane in {"group", "difference"}:
            self.group = change["new"]

    # ---- pixels

    def _samples(self) -> tuple[RampSample | None, list[RampSample]]:
        def one(x: int, y: int) -> RampSample:
            return self.model.sample(x, y, self.integration, self.parameters)

        now = None
        if self._box is not None:
            now = self.model.box(self._box, self.integration, self.parameters)
        elif min(self.x, self.y) >= 0:
            now = one(self.x, self.y)
        return now, [one(*pair) for pair in self.pinned]

    def _draw_ramps(self, change: Any = None) -> None:
        if change is not None and change["name"] in {"x", "y"}:
            self._box = None
        # Of a click x and y are told one after the other, when both have changed.
        wanted = (
            *(self.x, self.y, self.integration, self.pinned, self.corrections, self._box),
            *(self._ready, repr(self.parameters)),
        )
        if wanted == self._drawn:
            return
        now, pinned = self._samples()
        self.ramps.show(now, pinned, self.corrections)
        self.controls.tell(now)
        self._drawn = wanted

    def _clicked(self, x: int, y: int, held: Mapping[str, bool]) -> None:
        if self._box is not None:
            self._box = None
            self._draw_ramps()
        if held["shift"]:
            self.pin(x, y)

    def _stroked(self, tool: str, points: Any, _radius: float, _erase: bool) -> None:
        if tool == "box":
            (x0, y0), (x1, y1) = points[0], points[-1]
            self.box(round(x0), round(y0), round(x1), round(y1))

    def _acted(self, name: str) -> None:
        step = {"previous": -1, "next": 1}.get(name)
        if step is not None:
            self.group = min(max(self.group + step, 0), self.model.shape[1] - 1)

    # ---- what takes time

    def _prepare(self) -> None:
        ready = self.model.prepare()
        if not ready:
            self.busy, self.status = False, f"raw ramps are shown: {self.model.refused}"
            return
        steps = self.model.steps
        self.controls.offer(steps)
        usual = float(steps["jump"]["rejection_threshold"])
        if "threshold" not in self._chosen:
            self.threshold = usual
        self._ready = True
        self._planes.clear()
        # The model remembers the last search, which is to be the one that is shown.
        self._before = Counts.of(self.model.flags({**self.overrides, _THRESHOLD: usual}))
        self._flags = self.model.flags(self.parameters)
        limits = {name: getattr(self, name) for name in ("vmin", "vmax") if name in self._chosen}
        self._show_plane()
        for name, value in limits.items():
            setattr(self, name, value)
        self._show_significance()
        self.image.set_mask("jump", self._jumps, JUMP, label="jump")
        self._draw_ramps()
        self.busy, self.status = False, self._told()

    def _jumps(self, rows: slice, columns: slice) -> NDArray[np.bool_]:
        """Give where the group that is shown has a jump, or any group of a slope image."""
        if self._flags is None:
            return np.zeros((rows.stop - rows.start, columns.stop - columns.start), np.bool_)
        found = self._jumps_in(self._flags[:, :, rows, columns])
        if self._tried is not None:
            # Of the view there is something newer than of the whole.
            window, flags = self._tried
            inner, within = _common((rows, columns), window)
            found[inner] = self._jumps_in(flags[:, :, within[0], within[1]])
        return found

    def _jumps_in(self, flags: NDArray[np.uint8]) -> NDArray[np.bool_]:
        shown = flags[self.integration]
        if self.plane in {"group", "difference"}:
            return np.asarray((shown[self.group] & _JUMP) != 0)
        return np.asarray((np.bitwise_or.reduce(shown) & _JUMP) != 0)

    def _changed(self, _: Any) -> None:
        if not self._ready:
            return
        self._draw_ramps()
        self.busy = True
        self._worker.ask(self._apply)

    def _apply(self) -> None:
        """Search the view first, then the whole detector, unless the threshold moves on."""
        parameters = self.parameters
        if self._flags is None:
            return
        window = self._view()
        if (window[0].stop - window[0].start) * (window[1].stop - window[1].start) < _QUICK:
            self._tried = window, self.model.window(window, parameters).groupdq
            self.image.refresh_masks()
            if not self._worker.rest(_GLANCE):
                return
        self._flags = self.model.flags(parameters)
        self._tried = None
        self._planes.clear()
        self.image.refresh_masks()
        if self.plane == "rate":
            self._show_plane()
        self.busy, self.status = False, self._told()

    def _view(self) -> tuple[slice, slice]:
        _, _, ny, nx = self.model.shape
        sides = []
        for (low, high), size in ((self.ylim, ny), (self.xlim, nx)):
            first = min(max(int(np.floor(low)), 0), size - 1)
            sides.append(slice(first, max(min(int(np.ceil(high)) + 1, size), first + 1)))
        return sides[0], sides[1]

    def _told(self) -> str:
        before, after = self.counts()
        told = f"jumps: {after.groups:,} in {after.pixels:,} pixels"
        first = f"at first {before.groups:,} in {before.pixels:,}"
        return told if after == before else f"{told}; {first}"

    def _failed(self, error: Exception) -> None:
        self.busy, self.status = False, str(error)


def _common(
    wanted: tuple[slice, slice], window: tuple[slice, slice]
) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """Give where a part and a window overlap: in the part, and in the window."""
    inner, within = [], []
    for side, other in zip(wanted, window, strict=True):
        first = max(side.start, other.start)
        last = max(min(side.stop, other.stop), first)
        inner.append(slice(first - side.start, last - side.start))
        within.append(slice(first - other.start, last - other.start))
    return (inner[0], inner[1]), (within[0], within[1])

"""WcsOverlay: where an image looks, and what lies there."""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING, Any, Final, cast

import numpy as np
from ipywidgets import HBox

from upramp.errors import InputError, UprampError

from .alike import keep_alike
from .arrangement import BESIDE, WRAPPED
from .display import Pictured, display_mode
from .overlay_catalogues import OverlayCatalogues
from .overlay_controls import OverlayControls
from .overlay_frames import OverlayFrames
from .overlay_images import OverlayImage, images_of
from .overlay_link import SideBySide
from .overlay_pointers import OverlayPointers
from .overlay_readout import Reading, reading
from .overlay_traits import SHARED
from .overlay_view import OverlayView
from .release import close_all, closed_if_it_fails
from .views.image_view import ImageView
from .worker import Worker, Working

if TYPE_CHECKING:
    from collections.abc import Callable

    from .core.sky import Sky
    from .core.sky_labels import Style
    from .core.stretch import Limits

__all__ = ["WcsOverlay"]

_PATIENCE: Final = 0.3
"""Seconds that the picture beside a live view waits for the sky: the view itself waits not."""


class WcsOverlay(Working, Pictured, OverlayCatalogues):
    """Lay the sky over an image: graticule, catalogues, apertures, regions, other images.

    Parameters
    ----------
    image
        A path (rate, cal, i2d, uncal, ...), an `upramp.Exposure`, a data model, the result of
        `upramp.calibrate`, an array, or a tuple (array, WCS). Of a list, the images
        that follow are aligned with the first by the sky, as frames to step through and blink.
    wcs
        Whatever `upramp_widgets.core.sky_open.open_sky` takes, in place of the image's own;
        an array needs one.
    slit
        Which slit of a product with several: its place, from 0, or its name.
    plane
        Which plane of a cube or of several integrations, from 0; None for the middle one. Of a
        ramp, which integration: its last group less its first is shown.
    **traits
        First values of traits.

    Attributes
    ----------
    images : tuple of OverlayImage
        The images, each with its own pixels and sky.
    x, y
        The pixel that was clicked; -1 for none.
    frame, playing
        Which of the images is shown, and whether they blink.
    style
        ``sexagesimal`` or ``degrees``.
    lines
        About how many meridians and parallels are seen.
    outside
        Whether they go on outside the bounding box, extrapolated.
    regions
        Those that lie over the image, of the package regions.
    xlim, ylim, vmin, vmax, stretch, cmap, layers_hidden, tool, busy, status
        As `upramp_widgets.views.image_view.ImageView` has them.

    Raises
    ------
    InputError
        If there is no image. One that does not say where it looks is shown all the same, and
        `status` tells why.
    """

    @closed_if_it_fails()
    def __init__(
        self,
        image: Any,
        *,
        wcs: Any = None,
        slit: int | str | None = None,
        plane: int | None = None,
        **traits: Any,
    ) -> None:
        self.refuse_unknown(traits)
        self.images: tuple[OverlayImage, ...] = tuple(
            images_of(image, wcs=wcs, slit=slit, plane=plane)
        )
        first = self.images[0]
        self.catalogues = {}
        self.image = ImageView(
            title=first.name,
            unit=first.unit,
            tools=("pan", "inspect", "line", "box", "polygon", "circle"),
            paint_colour="#5dff8f",
            stretch="asinh",
            layout=BESIDE,
        )
        self._known = threading.Event()
        self._jobs: deque[tuple[Callable[[], Any], str]] = deque()
        self._worker = Worker("upramp overlay", self._failed)
        self._frames = OverlayFrames(self.image, self.images)
        self._hurried = False
        chosen = {name: traits.pop(name) for name in SHARED if name in traits}
        super().__init__(**traits)
        self.image.show(first.pixels, limits="percentile")
        # The image knows better how it begins; after that both say the same.
        keep_alike(self.image, self, SHARED)
        for name, value in chosen.items():
            setattr(self, name, value)
        self._view = OverlayView(self, self._failed)
        self._pointers = OverlayPointers(self.image, self.tell)
        self._follow_shapes()
        self.controls = OverlayControls(self)
        row = HBox([self.image, self.controls.bottom], layout=WRAPPED)
        self.children = [self.controls.top, row]
        self.image.on_cursor(self._hovered)
        self.image.on_stroke(self._stroked)
        self.image.on_action(self._acted)
        self.image.observe(self._frames.step, "frame")
        self.observe(lambda _: self.tell(), ["x", "y", "style", "frame"])
        if self.regions:
            self._draw_regions()
        self._made = True
        self.later(self._prepare, "finding where the image looks")

    def announce(self) -> None:  # noqa: D102 - as Pictured has it
        self.image.announce()

    # ---- what a person does, as calls

    @property
    def sky(self) -> Sky | None:
        """The first image's coordinates, with exact ways to the sky and back; None without any.

        Waits until they are known.
        """
        self._known.wait()
        return self.images[0].sky

    def need_sky(self) -> Sky:
        """Give the first image's coordinates.

        Raises
        ------
        InputError
            If it has none.
        """
        sky, error = self.sky, self.images[0].error
        if sky is None and error is not None:
            raise InputError(error.subject, error.problem, error.remedy)
        if sky is None:
            raise InputError(self.images[0].name, "its sky could not be opened", "see the status")
        return sky

    def readout(self, x: float, y: float) -> Reading:
        """Tell what is at a pixel: value, right ascension, declination, wavelength.

        Parameters
        ----------
        x, y
            In pixels of the first image.
        """
        self._known.wait()
        shown = self._frames.shown
        return reading(self.images[0], shown, x, y, cast("Style", self.style))

    def graticule(self) -> dict[str, tuple[list[Any], list[str]]]:
        """Give the graticule that is drawn now.

        Returns
        -------
        dict
            ``right ascension`` and ``declination``: lines, (n, 2) each, x and y in pixels; and
            the label of each, empty where it has none. They reach a little beyond the view.
        """
        self.need_sky()
        return self._view.lines()

    def look(self, xlim: Limits, ylim: Limits) -> None:
        """Show a part of the image.

        Parameters
        ----------
        xlim, ylim
            In pixels.
        """
        with self.image.hold_sync(), self.image.hold_trait_notifications():
            self.image.xlim, self.image.ylim = xlim, ylim

    def look_at(self, ra: float, dec: float, width: float | None = None) -> None:
        """Move to a place on the sky.

        Parameters
        ----------
        ra, dec
            Degrees.
        width
            Arcseconds that are seen from left to right; None leaves the zoom.

        Raises
        ------
        InputError
            If the image has no sky, or not this place.
        """
        sky = self.need_sky()
        x, y = (float(axis) for axis in sky.to_pixel(ra, dec, outside=True))
        if not np.isfinite([x, y]).all():
            raise InputError(
                f"{ra:g}, {dec:g}", "the image cannot show this place", "give one nearby"
            )
        pixels = None if width is None else width / float(sky.pixel_scale(x, y))
        self.image.center(x, y, pixels)

    def fit(self) -> None:
        """Show the whole image."""
        self.image.fit()

    def link(self, other: Any, **options: Any) -> SideBySide:
        """Put another image beside, whose view shows the same part of the sky.

        Parameters
        ----------
        other
            A `WcsOverlay`, or what one is made of.
        **options
            As the class has them, for one that is made.

        Returns
        -------
        SideBySide
            Both, to be displayed; ``unlink`` lets them go.

        Raises
        ------
        InputError
            If one has no sky.
        """
        beside = other if isinstance(other, WcsOverlay) else WcsOverlay(other, **options)
        return SideBySide(self, beside)

    def wait(self, seconds: float | None = None) -> bool:  # noqa: D102 - as Working has it
        return super().wait(seconds) and self._view.wait(seconds)

    def _release(self) -> None:
        close_all(self.image)

    # ---- pictures

    def summary(self) -> str:
        """Say in a few words what is shown."""
        ny, nx = self.images[0].shape
        others = f" and {len(self.images) - 1} more" if len(self.images) > 1 else ""
        return f"WcsOverlay of {self.images[0].name}{others}: {nx} x {ny} pixels"

    def picture(self, theme: str = "light") -> bytes:
        """Give what is shown as a picture.

        Parameters
        ----------
        theme
            ``light`` or ``dark``.

        Returns
        -------
        bytes
            A PNG.
        """
        self.wait(_PATIENCE if self._hurried else None)
        with self._view.as_picture():
            return self.image.picture(theme)

    def to_html(self) -> str:
        """Give a page that shows it with no kernel and no network."""
        self.wait()
        with self._view.as_picture(whole=True):
            return self.image.to_html()

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, Any]:
        self._hurried = display_mode() == "live"
        try:
            return super()._repr_mimebundle_(**kwargs)
        finally:
            self._hurried = False

    # ---- words

    def tell(self) -> None:
        """Renew the words below the image, after something was laid over it, too."""
        self._view.raise_compass()
        first = self.images[0]
        rows = [("sky", first.problem)]
        if first.sky is not None:
            rows = [("sky", f"from {first.sky.source}")]
            if first.sky.epoch is not None:
                rows.append(("epoch", f"{first.sky.epoch.jyear:.4f}"))
        if self.image.inside(self.x, self.y) and self._known.is_set():
            rows.append((f"pixel {self.x}, {self.y}", self.readout(self.x, self.y).text))
            rows += [
                (name, laid.nearest(self.x, self.y)) for name, laid in self.catalogues.items()
            ]
        self.controls.follow({outline.instrument for outline in self.apertures})
        rows.append(("outside the view", self._pointers.text))
        if self.found is not None:
            rows.append(("residuals", str(self.found.statistics)))
        self.controls.tell(rows)

    def _hovered(self, x: float, y: float) -> str:
        return self.readout(x, y).sky_text if self._known.is_set() else ""

    # ---- what follows a change

    def _acted(self, name: str) -> None:
        if name == "undo":
            self.undo()
        elif name == "redo":
            self.redo()

    # ---- what takes time

    def later(self, job: Callable[[], Any], told: str) -> None:
        """Do something beside the kernel's own thread, after what was asked for before.

        Parameters
        ----------
        job
            What.
        told
            The status meanwhile.
        """
        self._jobs.append((job, told))
        self._worker.ask(self._work)

    def _work(self) -> None:
        try:
            while self._jobs:
                self._do(*self._jobs.popleft())
        finally:
            if self._jobs:  # one failed unforeseen: the others are done all the same
                self._worker.ask(self._work)

    def _do(self, job: Callable[[], Any], told: str) -> None:
        self.busy, self.status = True, told
        try:
            job()
        except UprampError as error:
            self.status = str(error)
        else:
            self.status = "" if self.status == told else self.status
        finally:
            self.busy = False

    def _prepare(self) -> None:
        try:
            for image in self.images:
                image.prepare()
        finally:
            self._known.set()
        self._view.sky = self.images[0].sky
        self._view.draw()
        problems = [image.problem for image in self.images if image.problem]
        problems += self._frames.put_together()
        if problems:
            self.status = problems[0] if len(problems) == 1 else " ".join(problems)
        if self.regions:
            self._draw_regions()
        self.tell()

    def _failed(self, error: Exception) -> None:
        known = isinstance(error, UprampError)
        self.busy, self.status = False, str(error) if known else f"{type(error).__name__}: {error}"

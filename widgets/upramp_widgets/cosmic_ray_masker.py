"""CosmicRayMasker: the jumps that a threshold finds, and a hand that knows better."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

import ipywidgets
import numpy as np

from upramp.errors import UprampError

from .arrangement import BESIDE, WRAPPED, arrange
from .core.mask import MaskModel
from .core.ramp import RampModel
from .display import Pictured, display_mode
from .masker_controls import MaskerControls, differences
from .masker_engine import MaskerEngine
from .masker_exchange import MaskerExchange
from .masker_files import given, load
from .masker_views import MaskerViews
from .release import close_all, closed_if_it_fails
from .worker import Worker, Working

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from upramp.exposure import Exposure

    from .core.mask import Change
    from .views.image_view import ImageView

    Window = tuple[slice, slice]

__all__ = ["CosmicRayMasker"]

_PAUSE: Final = 0.04
"""Seconds before what takes time begins."""

_QUICK: Final = 1_000_000
"""Pixels of a view whose search is done before that of the whole detector."""


class CosmicRayMasker(Working, Pictured, MaskerExchange):
    """Find cosmic rays by a threshold, and set and clear flags of groups by hand.

    Parameters
    ----------
    exposure
        An `upramp.Exposure`, the path of one, or the result of `upramp.calibrate`.
    mask
        A mask to go on with: a `MaskModel`, which is edited from here on; or the path of a saved
        one, or of the ramp product of a masked run. Its threshold is taken over, if it says one.
    overrides
        Values by ``step.parameter``, as `upramp.calibrate` takes them.
    threads
        As `upramp.calibrate` has it.
    **traits
        First values of traits.

    Attributes
    ----------
    x, y
        The pixel that was clicked; -1 for none.
    integration, group
        Counted from 0.
    plane
        What the image is of: ``group``, ``difference``, ``rate`` (with the mask) or
        ``significance``. Of the first two the flags of the group are shown, of the others those
        of any group.
    threshold
        ``jump.rejection_threshold``, in sigma.
    overrides
        What jump and ramp_fit are tried with, by ``step.parameter``, besides the threshold.
    scope, groups
        Which groups are drawn into: ``shown``, the group that is looked at or, where slopes are,
        that in which each pixel was hit; ``range``, the first to the last of ``groups``;
        or ``all``.
    all_integrations
        Whether all of them are drawn into, or the one that is looked at.
    bit
        Mnemonic of the flag that is drawn.
    keep_labels
        Whether pixels that hold other flags are left alone.
    core
        Radius of a snowball's saturated core, as a share of the whole.
    compared
        Whether the rate without the mask is shown beside, and what the mask changes.
    xlim, ylim, vmin, vmax, stretch, cmap, flags_shown, tool, brush, busy, status
        As `upramp_widgets.views.image_view.ImageView` has them.

    Raises
    ------
    InputError
        If there are no ramps, or the mask cannot be read.
    UsageError
        If the mask is of another exposure.
    """

    @closed_if_it_fails()
    def __init__(
        self,
        exposure: Exposure | str | os.PathLike[str] | Any,
        *,
        mask: MaskModel | str | os.PathLike[str] | None = None,
        overrides: Mapping[str, Any] | None = None,
        threads: int | None = None,
        **traits: Any,
    ) -> None:
        self.refuse_unknown(traits)
        tuned, self._to_load = given(mask)
        self.model = RampModel.open(
            exposure, **({} if overrides is None else {"overrides": overrides}), threads=threads
        )
        self._worker = Worker("upramp masker", self._failed)
        self._problem: Exception | None = None
        try:
            self.engine = MaskerEngine(self.model, mask if isinstance(mask, MaskModel) else None)
            self.shape = self.engine.shape
            last = self.shape[1] - 1
            self._chosen = "threshold" in {**tuned, **traits}
            super().__init__(**{"group": last, "groups": (min(1, last), last), **tuned, **traits})
            known = {"threshold", "busy", "status", *traits}
            self.views = MaskerViews(self, self.engine, known)
        except BaseException:
            self.model.close()
            raise
        self.controls = MaskerControls(self)
        self._counted = self.counts()
        self._row = ipywidgets.HBox(layout=WRAPPED)
        self.children = [self.controls.top, self._row]
        self._arrange()
        self.image.on_stroke(self._stroked)
        self.image.on_action(self._acted)
        self.image.observe(self._stepped, "frame")
        self.observe(self._show, ["plane", "integration"])
        self.observe(self._look, ["group", "bit"])
        self.observe(self._tune, ["threshold", "overrides"])
        self.observe(self._put_beside, "compared")
        self.busy, self.status = True, "correcting the ramps: raw ones are shown meanwhile"
        self._made = True
        self.picture_first(self.image)
        self._worker.ask(self._prepare)

    def announce(self) -> None:  # noqa: D102 - as Pictured has it
        self.image.announce()

    @property
    def image(self) -> ImageView:
        """The image that is drawn on."""
        return self.views.image

    @property
    def mask(self) -> MaskModel:
        """The mask, once what was asked for is found; `refresh` shows what is done to it."""
        self.wait()
        return self.engine.mask

    # ---- what is found, as calls

    @property
    def parameters(self) -> dict[str, Any]:
        """What jump and ramp_fit are tried with now, by ``step.parameter``."""
        return {**self.overrides, "jump.rejection_threshold": self.threshold}

    def flags(self) -> NDArray[np.uint8]:
        """Give the flags of all groups, (nints, ngroups, ny, nx): a new array.

        Raises
        ------
        UprampError
            If they cannot be found as it is asked for.
        """
        self._settle()
        with self.engine.lock:
            return self.engine.mask.to_groupdq()

    def apply(self) -> dict[str, dict[str, int]]:
        """Wait until the whole detector is searched with what is chosen now; give the counts.

        Raises
        ------
        UprampError
            If it cannot be searched so.
        """
        self._settle()
        return self.counts()

    def counts(self) -> dict[str, dict[str, int]]:
        """Count the groups of pixels with each flag, as `MaskModel.counts` does."""
        with self.engine.lock:
            return self.engine.mask.counts()

    def compare(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Show the rate without the mask beside the rate with it, and the difference; give both.

        Returns
        -------
        without, with : ndarray of float32
            (ny, nx) DN/s: what `upramp.calibrate` gives of the exposure, and what it gives with
            the mask.

        Raises
        ------
        UprampError
            If the ramps cannot be corrected or fitted.
        """
        self._settle()
        self.engine.need_kept()
        if self.compared:
            self._put_beside()
        self.compared = True
        self._settle()
        return self.engine.both()

    def refresh(self) -> None:
        """Show the mask as it is, after calls of its own."""
        self.views.lay()
        self.engine.fit_all()
        self._tell()
        self._worker.ask(self._catch_up)

    def _release(self) -> None:
        for view in (self.views.image, self.views.beside, self.views.change):
            if view is not None:
                close_all(view)
        self.model.close()
        self.engine.release()

    # ---- pictures

    def summary(self) -> str:
        """Say in a few words what is shown."""
        nints, ngroups, ny, nx = self.shape
        return f"CosmicRayMasker of {self.model.name}: {nints} x {ngroups} x {ny} x {nx}"

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
        if display_mode() == "static":
            self.wait()  # the picture is all that there will be
        return self.views.picture(theme)

    def to_html(self) -> str:
        """Give a page that shows it with no kernel and no network."""
        return self.views.page(self.model.name)

    # ---- what follows a change

    def _edited(self, change: Change | None) -> None:
        if change is None:
            self.status = "there is nothing more"
            return
        self.engine.edited(change)
        told = ""
        if change:
            self.image.refresh_masks()
            told = differences(self._counted, self._tell())
            if self.engine.searched_with is not None:
                self._worker.ask(self._catch_up)
        spared = f", {change.left_alone:,} left alone" if change.left_alone else ""
        self.status = f"{change.label}: {told or 'no flag changed'}{spared}"

    def _arrange(self) -> None:
        images = self.views.together()
        controls = self.controls.bottom
        # Two images have the width; what stands around one is beside it where there is room.
        for view in images:
            arrange(view, BESIDE if len(images) == 1 else {"flex": "1 1 360px"})
        controls.layout.flex = "1 1 400px" if len(images) == 1 else "1 0 100%"
        self._row.children = [*images, controls]

    def _show(self, _: Any) -> None:
        if self.plane != "rate":
            self.compared = False  # what is beside is a rate, with the same limits
        self.views.show()
        if self.engine.searched_with is not None:
            self._worker.ask(self._catch_up)

    def _look(self, _: Any) -> None:
        if self.by_group:
            self.image.frame = self.group
        self.views.lay()

    def _stepped(self, change: Any) -> None:
        if self.by_group:
            self.group = change["new"]

    def _tune(self, change: Any) -> None:
        self._chosen = self._chosen or change["name"] == "threshold"
        if not self.engine.significance:
            return
        if change["name"] == "threshold" and not self.by_group:
            # As the browser shows it by itself, until the engine has the last word.
            self.engine.preview(self.integration, self.threshold)
            self.image.refresh_masks()
        self._worker.ask(self._catch_up)

    def _put_beside(self, _: Any = None) -> None:
        if self.compared:
            self.plane = "rate"
            self.engine.fit_all()
            if self.engine.significance:
                self._worker.ask(self._catch_up)
        self.views.uncover(bare=self.compared)
        self._arrange()

    # ---- what takes time

    def _prepare(self) -> None:
        if not self.engine.prepare():
            self._take_given()
            self.busy, self.status = False, f"raw ramps are shown: {self.model.refused}"
            return
        if not self._chosen:
            self.threshold = float(self.model.steps["jump"]["rejection_threshold"])
        self.views.show()
        self._catch_up()

    def _catch_up(self) -> None:
        """Find, fit and show what is not up to date; start anew if the threshold moves on."""
        # What is known already is to be on the screen before the work begins.
        time.sleep(_PAUSE)
        parameters, engine = self.parameters, self.engine
        self._problem = None

        def outdated() -> bool:
            return self.parameters != parameters

        if parameters != engine.searched_with:
            self.busy, self.status = True, "searching the ramps for jumps"
            first = engine.searched_with is None
            if not engine.search(parameters, self._view(), outdated, self.image.refresh_masks):
                return
            self.views.threshold()
            self._tell()
            if self.plane == "rate" and first:
                self.views.show()
            elif self.plane == "rate":
                self.views.show_slopes()
            self._take_given()
            self.status = self._told()
        if self.plane == "rate" or self.compared:
            if engine.fit(outdated) and self.plane == "rate":
                self.views.show_slopes()
            without = engine.without(outdated) if self.compared else None
            if without is not None and engine.slopes is not None:
                self.views.compare(without, engine.slopes)
                self._arrange()
        self.busy = False

    def _take_given(self) -> None:
        """Take over the mask that the widget was given, once there is something to lay it on."""
        path, self._to_load = self._to_load, None
        if path is not None:
            with self.engine.lock:
                change = load(self.engine.mask, path)
            self._edited(change)

    def _view(self) -> Window | None:
        """Give the pixels that are seen, if these are few."""
        sides = []
        for (low, high), size in zip((self.ylim, self.xlim), self.shape[2:], strict=True):
            first = min(max(int(np.floor(low)), 0), size - 1)
            sides.append(slice(first, max(min(int(np.ceil(high)) + 1, size), first + 1)))
        seen = (sides[0].stop - sides[0].start) * (sides[1].stop - sides[1].start)
        return (sides[0], sides[1]) if seen < _QUICK else None

    def _settle(self) -> None:
        """Wait; if what was asked for could not be done, say so."""
        self.wait()
        if self._problem is not None:
            raise self._problem

    def _tell(self) -> dict[str, dict[str, int]]:
        self._counted = self.counts()
        self.controls.tell(self._counted)
        return self._counted

    def _told(self) -> str:
        jumps = self.counts()["JUMP_DET"]
        return f"{jumps['automatic']:,} jumps above {self.threshold:g} sigma"

    def _failed(self, error: Exception) -> None:
        known = isinstance(error, UprampError)
        self._problem = error
        self.busy, self.status = False, str(error) if known else f"{type(error).__name__}: {error}"

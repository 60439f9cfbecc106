"""A masker without its widgets: flags that follow a threshold, a mask on top, slopes with it."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any, Final, TypeVar

import numpy as np

from upramp import spill
from upramp.errors import UsageError
from upramp.stages.fused_input import corrected_shape

from .core.mask import MaskModel
from .masker_layers import MaskerLayers, touched
from .masker_search import fitted, strips

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from upramp.stages.kept import Kept

    from .core.mask import Change
    from .core.ramp import RampModel

    Window = tuple[slice, slice]

__all__ = ["MaskerEngine"]

S = TypeVar("S", bound=np.generic)

_OFTEN: Final = 0.25  # seconds between two pictures of a search that goes on


class MaskerEngine:
    """What a masker knows. One thread searches and fits; another edits, under `lock`.

    Parameters
    ----------
    model
        The ramps.
    mask
        What is to be edited; None for a new one.

    Attributes
    ----------
    shape
        (nints, ngroups, ny, nx) of the mask: without interleaved reference pixels.
    mask
        Holds the flags of the last search that was finished.
    layers
        What is drawn: they follow a search while it goes on.
    slopes
        (ny, nx) DN/s with the mask; None before there are any.
    significance
        (ny, nx) for each integration; empty before the ramps are corrected.
    searched_with
        The parameters of the last search that was finished.

    Raises
    ------
    UsageError
        If the mask is of another exposure.
    """

    def __init__(self, model: RampModel, mask: MaskModel | None = None) -> None:
        nints, ngroups, ny, nx = corrected_shape(model.exposure)
        self.model = model
        self.shape = nints, ngroups, ny, nx
        if mask is not None and mask.shape != self.shape:
            raise UsageError(
                "mask",
                f"it is {mask.shape} where {model.name} calls for {self.shape}",
                "give a mask of this exposure",
            )
        self.mask = MaskModel(np.zeros(self.shape, np.uint8)) if mask is None else mask
        self.layers = MaskerLayers(self.mask.automatic)
        self.lock = threading.RLock()
        self.significance: list[NDArray[np.float32]] = []
        self.searched_with: dict[str, Any] | None = None
        self.slopes: NDArray[np.float32] | None = None
        self._stale: list[Window] = []
        self._plain: NDArray[np.float32] | None = None
        self._plain_left = list(strips(ny, nx))

    def release(self) -> None:
        """Let go of all but the mask, which may be saved after all."""
        with self.lock:
            self.slopes = self._plain = None
            self.significance, self._stale = [], []
            self.searched_with = None

    def need_kept(self) -> Kept:
        """Give the corrected ramps.

        Raises
        ------
        UsageError
            If there are none.
        """
        kept = self.model.kept
        if kept is None:
            self.model.require_open()
            why = f" ({self.model.refused})" if self.model.refused else ""
            raise UsageError(
                self.model.name, f"its ramps are not corrected{why}", "mend that first"
            )
        return kept

    def prepare(self) -> bool:
        """Correct the ramps; say whether that could be done."""
        if not self.model.prepare():
            return False
        self.significance = [self.model.significance(i) for i in range(self.shape[0])]
        return True

    def look(self, integration: int, group: int | None, bit: int) -> None:
        """Draw the layers of another group or flag.

        Parameters
        ----------
        integration, group, bit
            As `MaskerLayers.choose` has them.
        """
        with self.lock:
            self.layers.choose(integration, group, bit)
            self.layers.update(self.mask)

    def preview(self, integration: int, threshold: float) -> None:
        """Draw what the first round of a search will find in any group.

        Parameters
        ----------
        integration
            Counted from 0.
        threshold
            In sigma.
        """
        with self.lock:
            self.layers.preview(self.significance[integration] > threshold)

    def search(
        self,
        parameters: Mapping[str, Any],
        first: Window | None,
        outdated: Callable[[], bool],
        changed: Callable[[], None],
    ) -> bool:
        """Search the whole detector anew, and give the mask what is found.

        Parameters
        ----------
        parameters
            Values by ``jump.parameter`` and ``ramp_fit.parameter``.
        first
            A window that is done before all others.
        outdated
            Says whether nobody wants to know any more.
        changed
            Called when there is something new to be seen.

        Returns
        -------
        bool
            Whether it was finished.
        """
        _, _, ny, nx = self.shape
        with self.lock:
            if not self.layers.automatic.flags.writeable:
                self.layers.automatic = _in_file(self.layers.automatic)
        slopes = (
            _in_file(np.full((ny, nx), np.nan, np.float32)) if self.slopes is None else self.slopes
        )
        windows = list(strips(ny, nx))
        shown = 0.0
        for window in windows if first is None else [first, *windows]:
            if outdated():
                return False
            refit = self.model.window(window, parameters)
            with self.lock:
                self.layers.automatic[:, :, *window] = refit.groupdq
                self.layers.update(self.mask, window)
            slopes[window] = refit.rates.rate[0]
            if window is first or time.monotonic() - shown > _OFTEN:
                shown = time.monotonic()
                changed()
        settings = {
            name: value
            for name, value in {**self.model.overrides, **parameters}.items()
            if name.startswith(("jump.", "ramp_fit."))
        }
        settings["exposure"] = self.model.name
        with self.lock:
            self.mask.set_automatic(self.layers.automatic, settings)
            self.layers.automatic = self.mask.automatic
            self.slopes, self.searched_with = slopes, dict(parameters)
            self._stale = [box for window in windows for box in self._edited_in(window)]
        changed()
        spill.let_go()
        return True

    def edited(self, change: Change) -> None:
        """Draw what a hand has changed.

        Parameters
        ----------
        change
            What it did.
        """
        if change.box is None:
            return
        x0, y0, x1, y1 = change.box
        window = slice(y0, y1 + 1), slice(x0, x1 + 1)
        with self.lock:
            self.layers.update(self.mask, window)
            self._stale.append(window)

    def fit(self, outdated: Callable[[], bool]) -> bool:
        """Bring the slopes up to date with the mask; say whether something had changed.

        Parameters
        ----------
        outdated
            Says whether nobody wants to know any more; what is left is done the next time.
        """
        with self.lock:
            stale, self._stale = self._stale, []
            flags = self.mask.to_groupdq() if stale else None
        if flags is None or self.slopes is None:
            return False
        kept = self.need_kept()
        for at, window in enumerate(stale):
            if outdated():
                with self.lock:
                    self._stale = [*stale[at:], *self._stale]
                break
            self.slopes[window] = fitted(kept, window, flags)
        del flags
        spill.let_go()
        return True

    def fit_all(self) -> None:
        """Have `fit` do the whole detector the next time."""
        with self.lock:
            self._stale = list(strips(*self.shape[2:]))

    def without(self, outdated: Callable[[], bool]) -> NDArray[np.float32] | None:
        """Give the slopes as they are without the mask, (ny, nx) DN/s.

        Parameters
        ----------
        outdated
            Says whether nobody wants to know any more; then it gives None, and goes on from
            there the next time.
        """
        if self._plain is None:
            self._plain = _in_file(np.full(self.shape[2:], np.nan, np.float32))
        while self._plain_left:
            if outdated():
                return None
            self._plain[self._plain_left[-1]] = fitted(self.need_kept(), self._plain_left[-1])
            self._plain_left.pop()
        spill.let_go()
        return self._plain

    def both(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Give the slopes without and with the mask: new arrays, (ny, nx) DN/s.

        Raises
        ------
        UsageError
            If the ramps are not searched yet.
        """
        without = self.without(lambda: False)
        self.fit(lambda: False)
        if without is None or self.slopes is None:
            raise UsageError(self.model.name, "its ramps are not searched yet", "wait first")
        return without.copy(), self.slopes.copy()

    def _edited_in(self, window: Window) -> list[Window]:
        """Give the box around what a hand has done in a window; none if that is nothing."""
        positions = touched(self.mask, self.mask.paint.planes(), window[0])
        y, x = np.divmod(positions, self.shape[3])
        if not y.size:
            return []
        return [(slice(int(y.min()), int(y.max()) + 1), slice(int(x.min()), int(x.max()) + 1))]


def _in_file(array: NDArray[S]) -> NDArray[S]:
    """Copy an array to where its memory can be given back while it is not looked at."""
    with spill.spilling():
        copy = spill.empty(array.shape, array.dtype.type)
    np.copyto(copy, array)
    return copy

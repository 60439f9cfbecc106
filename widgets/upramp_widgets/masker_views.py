"""The images of a masker: the one that is drawn on, and the rate without the mask beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from upramp.dq import GROUP

from .alike import keep_alike
from .core.render import as_source
from .core.render_layers import PALE
from .masker_layers import AUTOMATIC, CLEARED, LAYERS, SET
from .masker_planes import MaskerPlanes
from .masker_traits import SHARED
from .views.browser_words import TOOLS
from .views.image_view import ImageView
from .views.side_by_side import page_of, picture_of

if TYPE_CHECKING:
    from collections.abc import Collection

    from numpy.typing import NDArray

    from .masker_engine import MaskerEngine
    from .masker_traits import MaskerTraits

__all__ = ["MaskerViews"]

_PLACES: Final = ("xlim", "ylim", "x", "y")
_LINKED: Final = (*_PLACES, "vmin", "vmax", "stretch", "cmap")
"""What two images side by side have in common."""

_ROWS: Final = 256
"""Of a difference, reckoned at once."""
_SHARE: Final = 0.98
"""Of the changed pixels whose change the colours reach."""
_TOLD: Final = AUTOMATIC | SET | CLEARED


class MaskerViews:
    """A masker's images, kept as its traits say.

    Parameters
    ----------
    owner
        The masker.
    engine
        What it knows.
    chosen
        Names of traits whose first value the owner knows, and not the image.
    """

    def __init__(self, owner: MaskerTraits, engine: MaskerEngine, chosen: Collection[str]) -> None:
        self._owner, self._engine = owner, engine
        self._planes = MaskerPlanes(engine.model)
        self._title = engine.model.name
        self._layers = as_source(engine.layers.read, engine.shape[2:])
        self.beside: ImageView | None = None
        self.change: ImageView | None = None
        self._covers: tuple[tuple[str, ...], bool] | None = None
        self._tells = True
        self.image = ImageView(title=self._title, tools=TOOLS, threshold_colour=PALE)
        self.show()
        for name in SHARED:
            if name in chosen:
                setattr(self.image, name, getattr(owner, name))
        keep_alike(self.image, owner, SHARED)

    def show_slopes(self) -> None:
        """Show what has become of the slopes; all else is as it was."""
        self.image.show(self._engine.slopes)

    def show(self) -> None:
        """Show the plane that is chosen, and the layers over it."""
        owner, engine, image = self._owner, self._engine, self.image
        shape = engine.shape if engine.model.kept is not None else engine.model.shape
        integration, ngroups = owner.integration, shape[1]
        plane: Any
        if owner.by_group:
            read = self._planes.group if owner.plane == "group" else self._planes.difference
            image.unit = "DN"
            image.frame = owner.group
            image.set_frames(
                [read(integration, group) for group in range(ngroups)],
                labels=[f"group {group + 1} of {ngroups}" for group in range(ngroups)],
                shape=shape[2:],
                limits="percentile",
            )
        else:
            if owner.plane == "significance" and engine.significance:
                image.unit, plane = "sigma", engine.significance[integration]
            elif owner.plane == "rate" and engine.slopes is not None:
                image.unit, plane = "DN/s", engine.slopes
            else:
                # What the ramp has gained in all looks like a slope until there is a better one.
                image.unit = "DN"
                plane = self._planes.difference(integration, ngroups - 1, 0)
            image.frame, image.frame_labels = 0, ()
            image.show(plane, shape=shape[2:], limits="percentile")
        self.lay()

    def lay(self) -> None:
        """Draw the layers that are chosen over the image."""
        owner, engine, image = self._owner, self._engine, self.image
        if image.scene.shape != engine.shape[2:]:
            return  # as it was read, with reference pixels in between
        engine.look(owner.integration, owner.group if owner.by_group else None, GROUP[owner.bit])
        for name, bit, colour, visible in LAYERS:
            if name not in image.scene.masks:
                image.set_mask(name, self._layers, colour, visible, bits=bit)
        self.threshold()
        image.refresh_masks()

    def threshold(self) -> None:
        """Have the browser mark what a lower threshold would find besides what is found.

        Significance is the largest of all groups, and says nothing of one of them.
        """
        owner, engine, image = self._owner, self._engine, self.image
        if not engine.significance or image.scene.shape != engine.shape[2:]:
            return
        tells = not owner.by_group and owner.bit == "JUMP_DET"
        if tells != self._tells:
            self._tells = tells
            image.threshold_shown = tells
        significance = engine.significance[owner.integration]
        told = (engine.layers.plane & _TOLD) != 0

        def more(rows: slice, columns: slice) -> NDArray[np.float32]:
            return np.where(told[rows, columns], np.float32(0), significance[rows, columns])

        image.set_significance(more, shown=image.threshold_shown)

    def compare(self, without: NDArray[Any], slopes: NDArray[Any]) -> None:
        """Show the rate without the mask beside, and what the mask changes.

        Parameters
        ----------
        without
            (ny, nx) DN/s.
        slopes
            The same with the mask.
        """
        if self.beside is None:
            self.beside = ImageView(
                unit="DN/s",
                panel=False,
                title="Rate without the mask",
                tools=("pan", "inspect"),
            )
            keep_alike(self.image, self.beside, _LINKED)
        self.beside.show(without, key=id(without))
        if self.change is None:
            self.change = ImageView(
                unit="DN/s",
                panel=False,
                title="With the mask less without",
                tools=("pan", "inspect"),
                cmap="diverging",
            )
            keep_alike(self.image, self.change, _PLACES)

        def change(rows: slice, columns: slice) -> NDArray[np.float32]:
            less: NDArray[np.float32] = slopes[rows, columns] - without[rows, columns]
            return less

        self.change.show(change, shape=without.shape, limits=_limits(slopes, without))

    def uncover(self, *, bare: bool) -> None:
        """Take all layers off the image, which would hide what differs, or put them back.

        Parameters
        ----------
        bare
            Whether they are taken off.
        """
        image = self.image
        image.title = "Rate with the mask" if bare else self._title
        image.panel = not bare
        if bare and self._covers is None:
            self._covers = image.flags_shown, image.threshold_shown
            image.flags_shown, image.threshold_shown = (), False
        elif not bare and self._covers is not None:
            (image.flags_shown, image.threshold_shown), self._covers = self._covers, None

    def together(self) -> list[ImageView]:
        """Give the images that are seen."""
        more = [self.beside, self.change] if self._owner.compared else []
        return [self.image, *(view for view in more if view is not None)]

    def picture(self, theme: str) -> bytes:
        """Give the images as one.

        Parameters
        ----------
        theme
            ``light`` or ``dark``.

        Returns
        -------
        bytes
            A PNG.
        """
        return picture_of([view.picture(theme) for view in self.together()])

    def page(self, title: str) -> str:
        """Give a page that shows the images with no kernel and no network.

        Parameters
        ----------
        title
            Of the page.
        """
        return page_of(title, {view.title: view.to_html() for view in self.together()})


def _limits(slopes: NDArray[Any], without: NDArray[Any]) -> tuple[float, float]:
    """Give limits around 0 that all but a few of the changed pixels lie within."""
    sizes = [np.zeros(0, np.float32)]
    for first in range(0, len(slopes), _ROWS):
        rows = slice(first, first + _ROWS)
        apart = np.abs(slopes[rows] - without[rows])
        sizes.append(apart[np.isfinite(apart) & (apart > 0)])
    changed = np.concatenate(sizes)
    most = float(np.quantile(changed, _SHARE)) if changed.size else 1.0
    return -most, most

"""What is laid over an image: masks, flags, lines, places, arrows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from upramp_widgets.core.render_layers import Arrows, Compass, Curves, Points, colour_of_flag

from .image_traits import ImageTraits

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from upramp_widgets.core.render import Plane
    from upramp_widgets.core.render_layers import Layer
    from upramp_widgets.core.render_scene import Scene

__all__ = ["ImageOverlays"]

_PALETTE: Final = ("#00e5c8", "#ff5fd2", "#ffb000", "#5a9bff", "#b6e34a", "#ff8a65")


class ImageOverlays(ImageTraits):
    """Lays things over an image; `ImageView` adds the image and the talk with browsers.

    Attributes
    ----------
    scene
        What is shown.
    """

    scene: Scene

    def _changed(self) -> None:
        """Tell pages that the scene has changed."""
        raise NotImplementedError

    def _layer_changed(self, name: str) -> None:
        """Tell pages that a layer has changed."""
        raise NotImplementedError

    def set_significance(self, plane: Plane | None, *, shown: bool = True) -> None:
        """Have pixels whose significance is above `threshold` marked; the browser compares.

        Parameters
        ----------
        plane
            In sigma, of the image's shape; None for nothing.
        shown
            Whether they are visible.
        """
        self.scene.set_significance(plane)
        self.threshold_shown = shown
        self._changed()

    def set_mask(
        self,
        name: str,
        plane: Plane | None,
        colour: str | None = None,
        visible: bool = True,
        *,
        bits: int = -1,
        label: str | None = None,
    ) -> None:
        """Put a mask over the image, replace the one of its name, or, for None, take it away.

        Parameters
        ----------
        name
            Of the mask.
        plane
            Booleans or integers of flags, of the image's shape; or a callable,
            which is asked again when the frame changes.
        colour
            As ``#rrggbb``; None for one of its own.
        visible
            Whether it is seen; said anew only when the mask is.
        bits
            Which bits of integers count; -1 for any.
        label
            What the legend says; None for the name.
        """
        new = name not in self.scene.masks
        chosen = colour or _PALETTE[len(self.scene.masks) % len(_PALETTE)]
        self.scene.set_mask(name, plane, chosen, bits, name if label is None else label)
        if plane is None or new:
            rest = tuple(each for each in self.flags_shown if each != name)
            self.flags_shown = (*rest, name) if plane is not None and visible else rest
        self._changed()

    def set_flags(
        self, plane: Plane | None, names: Mapping[str, int], shown: Sequence[str] = ()
    ) -> None:
        """Put flags over the image, each in its colour, with its mnemonic in the legend.

        Parameters
        ----------
        plane
            Integers of flags, of the image's shape; None takes all of them away.
        names
            Mnemonics and their bits, as `upramp.dq.GROUP`.
        shown
            Those that are visible at first.
        """
        source = None if plane is None else self.scene.fitting(plane, "flags")
        with self.hold_sync():
            for name, bit in names.items():
                new = name not in self.scene.masks
                self.scene.set_mask(name, source, colour_of_flag(name), bit, name)
                if source is None or new:
                    rest = tuple(each for each in self.flags_shown if each != name)
                    add = source is not None and name in shown
                    self.flags_shown = (*rest, name) if add else rest
        self._changed()

    def refresh_masks(self) -> None:
        """Say that arrays given as masks were changed in place."""
        self.scene.touch_masks()
        self._changed()

    def set_curves(
        self, name: str, lines: Sequence[Any] | None, colour: str = "#7fdbff", **style: Any
    ) -> None:
        """Draw lines over the image, or, for None, no longer.

        Parameters
        ----------
        name
            Of the layer.
        lines
            Each (n, 2): x and y in pixels; NaN breaks a line.
        colour
            As ``#rrggbb``.
        **style
            ``labels``, ``width``, ``dashed``, ``closed``: see
            `upramp_widgets.core.render_layers.Curves`.
        """
        self._lay(name, None if lines is None else Curves(tuple(lines), colour, **style))

    def set_points(
        self, name: str, x: Any, y: Any = None, colour: str = "#ffd166", **style: Any
    ) -> None:
        """Mark places over the image, or, for None, no longer.

        Parameters
        ----------
        name
            Of the layer.
        x, y
            In pixels.
        colour
            As ``#rrggbb``.
        **style
            ``labels``, ``shape``, ``size``: see `upramp_widgets.core.render_layers.Points`.
        """
        self._lay(name, None if x is None else Points(x, y, colour, **style))

    def set_arrows(
        self,
        name: str,
        x: Any,
        y: Any = None,
        dx: Any = None,
        dy: Any = None,
        colour: str = "#ff9f6b",
        *,
        scale: float = 1.0,
    ) -> None:
        """Draw arrows over the image, or, for None, no longer.

        Parameters
        ----------
        name
            Of the layer.
        x, y, dx, dy
            Where they begin and where they point, in pixels.
        colour
            As ``#rrggbb``.
        scale
            How many times longer they are drawn.
        """
        self._lay(name, None if x is None else Arrows(x, y, dx, dy, colour, scale))

    def set_compass(self, compass: Compass | None, name: str = "compass") -> None:
        """Draw directions and a scale in a corner, or, for None, no longer.

        Parameters
        ----------
        compass
            Its directions.
        name
            Of the layer.
        """
        self._lay(name, compass)

    def _lay(self, name: str, layer: Layer | None) -> None:
        self.scene.set_layer(name, layer)
        self._layer_changed(name)

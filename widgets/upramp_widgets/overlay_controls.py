"""What stands around an overlay's image: how lines are drawn, what lies over it, files, words."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any, Final

import ipywidgets
import traitlets

from upramp.errors import UprampError

from .arrangement import row
from .core.sky_apertures import INSTRUMENTS, MAIN
from .core.sky_labels import STYLES
from .overlay_catalogues import READING

if TYPE_CHECKING:
    from collections.abc import Callable

    from .core.sky_regions import Frame
    from .wcs_overlay import WcsOverlay

__all__ = ["OverlayControls"]

_WORDS: Final = {"description_width": "initial"}
_WIDE: Final = "   "
"""What stands between two parts of a readout; a page would make it one blank."""


_FRAMES: Final[dict[str, Frame]] = {"sky": "sky", "pixel": "pixel"}
"""In which regions are written, where they are to change."""


class OverlayControls:
    """The controls of an overlay.

    Parameters
    ----------
    owner
        The overlay, whose traits they change.
    """

    def __init__(self, owner: WcsOverlay) -> None:
        self._owner = owner
        self.top = row(self._lines())
        self.text = ipywidgets.HTML()
        self.bottom = ipywidgets.VBox(
            [
                row(self._layers()),
                row(self._files()),
                self.text,
            ],
            layout={"flex": "1 1 400px"},
        )

    def tell(self, rows: list[tuple[str, str]]) -> None:
        """Say in words what is shown.

        Parameters
        ----------
        rows
            What is told of, and what.
        """
        told = "".join(
            f'<tr><td style="padding-right:16px;opacity:.7;white-space:nowrap">{escape(of)}</td>'
            f"<td>{escape(what).replace(_WIDE, ' &emsp;')}</td></tr>"
            for of, what in rows
            if what
        )
        self.text.value = (
            f'<table style="line-height:1.5;margin-left:41px;text-align:left">{told}</table>'
        )

    def _lines(self) -> list[ipywidgets.Widget]:
        owner = self._owner
        style = ipywidgets.ToggleButtons(
            options=STYLES, value=owner.style, style={"button_width": "auto"}
        )
        traitlets.link((owner, "style"), (style, "value"))
        lines = ipywidgets.IntSlider(
            value=owner.lines,
            min=0,
            max=20,
            description="lines",
            tooltip="about how many meridians and parallels",
            style=_WORDS,
            layout={"width": "260px"},
        )
        # More can be set by a program than the slider offers.
        owner.observe(lambda told: setattr(lines, "value", min(told["new"], 20)), "lines")
        lines.observe(self._choose_lines, "value")
        outside = ipywidgets.Checkbox(
            value=owner.outside,
            description="beyond the bounding box",
            indent=False,
            layout={"width": "auto"},
        )
        traitlets.link((owner, "outside"), (outside, "value"))
        return [style, lines, outside]

    def _choose_lines(self, change: Any) -> None:
        if min(self._owner.lines, 20) != change["new"]:
            self._owner.lines = change["new"]

    def _layers(self) -> list[ipywidgets.Widget]:
        owner = self._owner
        self.instruments = ipywidgets.Dropdown(
            options=[("no apertures", ())]
            + [(name, (name,)) for name in INSTRUMENTS]
            + [("all instruments", INSTRUMENTS)],
            description="footprints",
            style=_WORDS,
            layout={"width": "220px"},
        )
        self.every = ipywidgets.Checkbox(
            value=False,
            description="every aperture",
            indent=False,
            layout={"width": "auto"},
        )
        self._followed = False
        for control in (self.instruments, self.every):
            control.observe(self._choose_apertures, "value")
        ask = "ask the archive of Gaia for stars; needs a network"
        return [
            self.instruments,
            self.every,
            self._button(
                "Stars of Gaia", ask, lambda: owner.later(owner.cone_search, "asking Gaia")
            ),
            self._button(
                "Residuals",
                "arrows from the stars of the last catalogue to sources in the image",
                lambda: owner.later(owner.residuals, "matching stars"),
            ),
        ]

    def follow(self, instruments: set[str]) -> None:
        """Say of which instruments apertures are shown.

        Parameters
        ----------
        instruments
            Their names.
        """
        known = [value for _, value in self.instruments.options]
        shown = next((value for value in known if set(value) == instruments), INSTRUMENTS)
        self._followed = True
        try:
            self.instruments.value = shown
        finally:
            self._followed = False

    def _choose_apertures(self, _: Any) -> None:
        if self._followed:
            return
        owner = self._owner
        if self.instruments.value:
            chosen = self.instruments.value, "*" if self.every.value else MAIN
            owner.later(lambda: owner.show_footprints(*chosen), READING)
        else:
            owner.hide_footprints()

    def _files(self) -> list[ipywidgets.Widget]:
        owner = self._owner
        self.file = ipywidgets.Text(
            value="",
            placeholder="path of a catalogue, or of DS9 regions",
            description="file",
            style=_WORDS,
            layout={"width": "420px"},
        )
        self.frame = ipywidgets.Dropdown(
            options=[("as they are", "as is"), ("on the sky", "sky"), ("in pixels", "pixel")],
            description="regions",
            style=_WORDS,
            layout={"width": "190px"},
        )
        write = "write the regions as DS9 reads them"
        return [
            self.file,
            self._button(
                "Add catalogue",
                "lay a table over the image",
                lambda: owner.add_catalogue(self.file.value),
            ),
            self._button(
                "Load regions", "read regions", lambda: owner.load_regions(self.file.value)
            ),
            self.frame,
            self._button(
                "Save regions",
                write,
                lambda: owner.save_regions(self.file.value, _FRAMES.get(self.frame.value)),
            ),
        ]

    def _button(self, words: str, tooltip: str, act: Callable[[], Any]) -> ipywidgets.Widget:
        button = ipywidgets.Button(description=words, tooltip=tooltip, layout={"width": "auto"})

        def click(_: Any) -> None:
            try:
                act()
            except UprampError as error:
                self._owner.status = str(error)

        button.on_click(click)
        return button

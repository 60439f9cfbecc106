"""What stands around a masker's image: what is looked at, where is drawn, counts, files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import ipywidgets
import traitlets

from upramp.errors import UprampError

from .arrangement import row
from .masker_traits import PLANES

if TYPE_CHECKING:
    from collections.abc import Callable

    from .cosmic_ray_masker import CosmicRayMasker

    Counts = dict[str, dict[str, int]]

__all__ = ["MaskerControls", "differences"]

_BITS: Final = ("JUMP_DET", "SATURATED", "DO_NOT_USE")
"""Flags that a hand may want to set; all others by a call."""

_WORDS: Final = {"description_width": "initial"}


class MaskerControls:
    """The controls of a masker.

    Parameters
    ----------
    owner
        The masker, whose traits they change.
    """

    def __init__(self, owner: CosmicRayMasker) -> None:
        self._owner = owner
        nints, ngroups = owner.shape[:2]
        plane = ipywidgets.ToggleButtons(
            options=PLANES, value=owner.plane, style={"button_width": "auto"}
        )
        traitlets.link((owner, "plane"), (plane, "value"))
        looked_at = [plane]
        if nints > 1:
            looked_at.append(self._integrations(nints))
        self.top = row(looked_at)
        self.text = ipywidgets.HTML()
        self.bottom = ipywidgets.VBox(
            [
                row(self._where(nints, ngroups)),
                row(self._files()),
                self.text,
            ]
        )

    def _integrations(self, count: int) -> ipywidgets.Widget:
        owner = self._owner
        slider = ipywidgets.IntSlider(
            value=owner.integration + 1,
            min=1,
            max=count,
            description="integration",
            style=_WORDS,
            layout={"width": "260px"},
        )
        # People count groups and integrations from 1, as the pipeline's keywords do.
        slider.observe(lambda change: setattr(owner, "integration", change["new"] - 1), "value")
        owner.observe(lambda change: setattr(slider, "value", change["new"] + 1), "integration")
        return slider

    def _where(self, nints: int, ngroups: int) -> list[ipywidgets.Widget]:
        owner = self._owner
        scope = ipywidgets.Dropdown(
            options=[("group shown, or hit", "shown"), ("range of groups", "range"),
                     ("all groups", "all")],
            value=owner.scope,
            description="draw into",
            style=_WORDS,
            layout={"width": "230px"},
        )  # fmt: skip
        traitlets.link((owner, "scope"), (scope, "value"))
        groups = ipywidgets.IntRangeSlider(
            value=[end + 1 for end in owner.groups],
            min=1,
            max=ngroups,
            description="groups",
            style=_WORDS,
            layout={"width": "260px"},
        )
        groups.observe(self._choose_groups, "value")
        owner.observe(
            lambda change: setattr(groups, "value", tuple(end + 1 for end in change["new"])),
            "groups",
        )

        def fit(_: Any = None) -> None:
            groups.layout.display = None if owner.scope == "range" else "none"

        owner.observe(fit, "scope")
        fit()
        bit = ipywidgets.Dropdown(
            options=dict.fromkeys((*_BITS, owner.bit), None).keys(),
            value=owner.bit,
            description="flag",
            style=_WORDS,
            layout={"width": "190px"},
        )
        traitlets.dlink((bit, "value"), (owner, "bit"))
        owner.observe(self._offer_bit(bit), "bit")
        core = ipywidgets.FloatSlider(
            value=owner.core,
            min=0,
            max=1,
            step=0.05,
            description="snowball core",
            style=_WORDS,
            layout={"width": "260px"},
        )
        traitlets.link((owner, "core"), (core, "value"))
        shown = [scope, groups]
        if nints > 1:
            shown.append(self._check("all_integrations", "all integrations"))
        return [*shown, bit, self._check("keep_labels", "keep other flags"), core]

    def _choose_groups(self, change: Any) -> None:
        first, last = change["new"]
        self._owner.groups = (first - 1, last - 1)

    @staticmethod
    def _offer_bit(field: ipywidgets.Dropdown) -> Callable[[Any], None]:
        def offer(change: Any) -> None:
            if change["new"] not in field.options:
                field.options = (*field.options, change["new"])
            field.value = change["new"]

        return offer

    def _check(self, name: str, words: str) -> ipywidgets.Widget:
        box = ipywidgets.Checkbox(
            value=getattr(self._owner, name),
            description=words,
            indent=False,
            layout={"width": "auto"},
        )
        traitlets.link((self._owner, name), (box, "value"))
        return box

    def _files(self) -> list[ipywidgets.Widget]:
        owner = self._owner
        name = owner.model.name.removesuffix(".fits").removesuffix("_uncal")
        self.file = ipywidgets.Text(
            value=f"{name}_mask.fits",
            description="file",
            tooltip="FITS or ASDF, or regions of DS9 by the ending .reg",
            style=_WORDS,
            layout={"width": "420px"},
        )
        compare = ipywidgets.ToggleButton(
            value=owner.compared,
            description="Compare",
            tooltip="the rate with the mask, without it, and what the mask changes",
            layout={"width": "auto"},
        )
        traitlets.link((owner, "compared"), (compare, "value"))
        export = "write the mask, for upramp calibrate --mask and the notebooks"
        return [
            compare,
            self._button("Clear", "take back all that was done by hand", owner.clear),
            self.file,
            self._button("Import", "take over a mask", lambda: owner.load(self.file.value)),
            self._button("Export", export, lambda: owner.save(self.file.value)),
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

    def tell(self, counts: Counts) -> None:
        """Say how much is flagged.

        Parameters
        ----------
        counts
            As the mask gives them.
        """
        rows = "".join(
            f"<tr><td>{name}</td>"
            + "".join(
                f'<td style="padding-left:16px;text-align:right">{found[key]:,}</td>'
                for key in ("automatic", "set_by_hand", "cleared_by_hand", "total")
            )
            + "</tr>"
            for name, found in sorted(counts.items(), key=lambda each: each[0] != "JUMP_DET")
            if any(found.values())
        )
        head = "".join(
            f'<th style="padding-left:16px;text-align:right;font-weight:500">{word}</th>'
            for word in ("automatic", "set by hand", "cleared by hand", "in all")
        )
        self.text.value = (
            '<table style="line-height:1.5;margin-left:41px"><tr>'
            f'<th style="text-align:left;font-weight:500">groups of pixels</th>{head}</tr>'
            f"{rows}</table>"
        )


def differences(before: Counts, after: Counts) -> str:
    """Say what was set and cleared by hand between two counts; empty for nothing.

    Parameters
    ----------
    before, after
        As the mask gives them.
    """
    told = []
    for flag, found in after.items():
        for key in ("set_by_hand", "cleared_by_hand"):
            more = found[key] - before.get(flag, {}).get(key, 0)
            if more:
                kind = "more" if more > 0 else "fewer"
                told.append(f"{abs(more):,} {kind} {flag} {key.replace('_', ' ')}")
    return ", ".join(told)

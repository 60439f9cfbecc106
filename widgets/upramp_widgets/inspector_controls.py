"""What stands around the inspector's image: sliders, parameters, words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import ipywidgets
import traitlets

from .arrangement import row

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .core.ramp_sample import RampSample
    from .ramp_inspector import RampInspector

__all__ = ["Controls"]

TUNED: Final = (
    "jump.three_group_rejection_threshold",
    "jump.four_group_rejection_threshold",
    "jump.flag_4_neighbors",
    "jump.min_jump_to_flag_neighbors",
    "jump.max_jump_to_flag_neighbors",
    "jump.after_jump_flag_dn1",
    "jump.after_jump_flag_time1",
    "jump.after_jump_flag_dn2",
    "jump.after_jump_flag_time2",
    "jump.expand_large_events",
    "jump.min_jump_area",
    "jump.expand_factor",
    "ramp_fit.algorithm",
    "ramp_fit.suppress_one_group",
)
"""Parameters that have a control of their own; all others are set by ``overrides``."""

_ALGORITHMS: Final = ("OLS_C", "LIKELY")


def _seen(plane: str) -> str | None:
    """Give how what only a difference needs is displayed."""
    return None if plane == "difference" else "none"


class Controls:
    """The controls of an inspector.

    Parameters
    ----------
    owner
        The inspector, whose traits they change.
    """

    def __init__(self, owner: RampInspector) -> None:
        self._owner = owner
        plane = ipywidgets.ToggleButtons(
            options=[("group", "group"), ("difference", "difference"), ("rate", "rate"),
                     ("significance", "significance")],
            value=owner.plane,
            style={"button_width": "auto"},
        )  # fmt: skip
        traitlets.link((owner, "plane"), (plane, "value"))
        looked_at: list[ipywidgets.Widget] = [plane, self._since(owner.model.shape[1])]
        if owner.model.shape[0] > 1:
            looked_at.append(self._integrations(owner.model.shape[0]))
        self.top = row(looked_at)
        apply = ipywidgets.Button(description="Apply", tooltip="search the whole detector anew")
        apply.on_click(lambda _: owner.apply())
        pin = ipywidgets.Button(description="Pin", tooltip="keep this pixel's ramp in the plot")
        pin.on_click(lambda _: owner.pin())
        unpin = ipywidgets.Button(description="Unpin all")
        unpin.on_click(lambda _: owner.unpin())
        self._parameters = ipywidgets.VBox()
        more = ipywidgets.Accordion([self._parameters], titles=("jump and ramp_fit",))
        self._steps = ipywidgets.SelectMultiple(
            description="ramp after",
            rows=5,
            tooltip="draw the ramp after these corrections, too",
            style={"description_width": "initial"},
            layout={"flex": "0 1 220px", "width": "auto"},
        )
        self._steps.observe(self._choose_steps, "value")
        owner.observe(self._follow_steps, "corrections")
        self.text = ipywidgets.HTML()
        self.under = row([apply, pin, unpin])
        self.text.layout.flex = "1 0 260px"
        self.beside = ipywidgets.HBox([self.text, self._steps], layout={"flex": "1 1 auto"})
        self.bottom = ipywidgets.VBox([more])
        self.bottom.add_class("upramp-controls")

    def _since(self, count: int) -> ipywidgets.Widget:
        owner = self._owner
        before = [("the group before", 0), *((f"group {n}", n) for n in range(1, count + 1))]
        chosen = ipywidgets.Dropdown(
            options=before,
            value=0 if owner.since is None else owner.since + 1,
            description="less",
            tooltip="what a difference takes away from the group that is shown",
            style={"description_width": "initial"},
            layout={"width": "180px", "display": _seen(owner.plane)},
        )
        # 0 is the group before; counted from 1, as the slider's label has it.
        chosen.observe(
            lambda told: setattr(owner, "since", told["new"] - 1 if told["new"] else None), "value"
        )
        owner.observe(
            lambda told: setattr(chosen, "value", 0 if told["new"] is None else told["new"] + 1),
            "since",
        )
        owner.observe(lambda told: setattr(chosen.layout, "display", _seen(told["new"])), "plane")
        return chosen

    def _integrations(self, count: int) -> ipywidgets.Widget:
        owner = self._owner
        slider = ipywidgets.IntSlider(
            value=owner.integration + 1,
            min=1,
            max=count,
            description="integration",
            style={"description_width": "initial"},
            layout={"width": "260px"},
        )
        # People count integrations from 1, as the pipeline's keywords do.
        slider.observe(lambda told: setattr(owner, "integration", told["new"] - 1), "value")
        owner.observe(lambda told: setattr(slider, "value", told["new"] + 1), "integration")
        return slider

    def offer(self, steps: Mapping[str, Mapping[str, Any]]) -> None:
        """Give each parameter its control, once what the exposure is calibrated with is known.

        Parameters
        ----------
        steps
            Values by step and parameter.
        """
        controls = []
        for name in TUNED:
            step, _, parameter = name.partition(".")
            if parameter in steps[step]:
                controls.append(self._control(name, steps[step][parameter]))
        self._parameters.children = controls

    def _control(self, name: str, value: Any) -> ipywidgets.Widget:
        wide = {"style": {"description_width": "16em"}, "layout": {"width": "30em"}}
        if name == "ramp_fit.algorithm":
            chosen = value if value in _ALGORITHMS else _ALGORITHMS[0]
            control = ipywidgets.Dropdown(
                options=_ALGORITHMS, value=chosen, description=name, **wide
            )
        elif isinstance(value, bool):
            control = ipywidgets.Checkbox(value=value, description=name, **wide)
        else:
            control = ipywidgets.FloatText(value=float(value), description=name, **wide)
        control.observe(lambda change: self._set(name, change["new"]), "value")
        return control

    def _set(self, name: str, value: Any) -> None:
        self._owner.overrides = {**self._owner.overrides, name: value}

    def _choose_steps(self, change: Any) -> None:
        self._owner.corrections = tuple(change["new"])

    def _follow_steps(self, change: Any) -> None:
        self._steps.value = tuple(each for each in change["new"] if each in self._steps.options)

    def tell(self, sample: RampSample | None) -> None:
        """Say in words what is shown, and offer the steps that can be.

        Parameters
        ----------
        sample
            The ramp; None for none.
        """
        if sample is None:
            self.text.value = "Click a pixel; with shift, it is pinned."
            return
        self.text.value = f"<pre>{sample.text()}</pre>"
        steps = tuple(each.step for each in sample.corrections)
        if steps and steps != tuple(self._steps.options):
            chosen = self._owner.corrections
            self._steps.options = steps
            self._steps.value = tuple(each for each in chosen if each in steps)

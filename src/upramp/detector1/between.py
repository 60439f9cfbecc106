"""Steps between the jump search and the ramp fit: the picture frame, and flicker noise.

Both find the sky in a draft of the rates, which is the ramp fit with its
default parameters, whatever those of the real fit are.

Source: jwst/picture_frame/picture_frame_step.py,
jwst/clean_flicker_noise/clean_flicker_noise_step.py.
"""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from . import flicker_noise, picture_frame
from .flicker_choice import choose_parameters
from .flicker_mask import scene_mask
from .flicker_parameters import chooses, plan, refused, supported
from .jump import usable_now
from .ramp_fit import RampFit

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from .state import State

__all__ = ["DONE", "clean_flicker_noise", "correct_picture_frame", "foreign"]

_DRAFT: Final = MappingProxyType(
    {
        "algorithm": "OLS_C",
        "suppress_one_group": True,
        "firstgroup": None,
        "lastgroup": None,
        "save_opt": False,
    }
)
"""Parameters of the draft's ramp fit."""

_NO_RATES: Final = "no ramp can be fitted, so where the sky is cannot be told"


def foreign(state: State, name: str) -> str | None:
    """Say why a step between jump and fit is not done here; None if it is.

    Parameters
    ----------
    state
        The exposure.
    name
        ``picture_frame`` or ``clean_flicker_noise``.
    """
    parameters, readout = state.parameters[name], state.readout
    if name == "picture_frame":
        skips = picture_frame.refused(readout.instrument, readout.subarray, state.frame.ngroups)
        if skips or state.references.picture_frame is None:
            return None
        return picture_frame.supported(parameters) or _draft_refused(state)
    reason = supported(parameters, readout.exp_type)
    if reason or refused(parameters, readout.exp_type):
        return reason
    if state.references.sky is not None and not chooses(parameters, readout.exp_type):
        return None
    return _draft_refused(state)


def _draft_refused(state: State) -> str | None:
    """Say why rates cannot be drafted: the official draft's references are always CRDS's."""
    if state.references.gain is None or state.references.readnoise is None:
        return "the draft of the rates needs gain and readnoise"
    for step in ("jump", "ramp_fit"):
        for kind in ("gain", "readnoise"):
            if state.parameters[step].get(f"override_{kind}") is not None:
                return f"the draft of the rates takes the {kind} that CRDS has"
    return None


def _draft(
    state: State, dark_current: NDArray[np.float32] | None, *, each: bool
) -> NDArray[np.float32] | None:
    """Draft the rates, (ny, nx), or (nints, ny, nx) if those of each integration are wanted."""
    _, groupdq = state.settle()
    parameters = {**state.parameters, "ramp_fit": _DRAFT}
    fit = RampFit(
        replace(state, parameters=parameters, done=None), dark_current, usable_now(groupdq)
    )
    state.run(fit)
    if not fit.has_result:
        return None
    return fit.rates.rateints[0] if each else fit.rates.rate[0]


def correct_picture_frame(state: State, dark_current: NDArray[np.float32] | None) -> None:
    """Subtract the thermal picture frame.

    Parameters
    ----------
    state
        The exposure.
    dark_current
        (ny, nx), or None.
    """
    readout, reference = state.readout, state.references.picture_frame
    if reference is None:
        state.skip("picture_frame", "no reference")
        return
    reason = picture_frame.refused(readout.instrument, readout.subarray, state.frame.ngroups)
    if reason:
        state.skip("picture_frame", reason)
        return
    rate = _draft(state, dark_current, each=False)
    if rate is None:
        state.skip("picture_frame", _NO_RATES)
        return
    sky = scene_mask(rate, n_sigma=state.parameters["picture_frame"]["n_sigma"])
    data, _ = state.settle()
    pattern = picture_frame.measure(data, sky, reference, state.threads)
    if pattern is None:
        state.skip("picture_frame", "there is no sky to scale the reference by")
        return
    state.through(lambda t: picture_frame.subtract(t.ramp, pattern, t.y0, t.first, t.last))
    state.complete("picture_frame")


def clean_flicker_noise(state: State, dark_current: NDArray[np.float32] | None) -> None:
    """Subtract flicker noise.

    Parameters
    ----------
    state
        The exposure.
    dark_current
        (ny, nx), or None.
    """
    parameters, readout = state.parameters["clean_flicker_noise"], state.readout
    reason = refused(parameters, readout.exp_type)
    rate = None
    chosen: Mapping[str, Any] = {}
    if reason is None and chooses(parameters, readout.exp_type):
        rate = _draft(state, dark_current, each=False)
        if rate is None:
            reason = _NO_RATES
        else:
            axis = plan(parameters, readout, (0, 0)).axis
            chosen = choose_parameters(rate, state.references.flat, readout.exp_type, axis)
            state.note(f"clean_flicker_noise: {chosen}")
    if reason is None:
        reason = _clean(state, dark_current, {**parameters, **chosen}, rate)
    if reason is None:
        state.complete("clean_flicker_noise")
    else:
        state.status["clean_flicker_noise"] = "FAILED"
        state.note(f"clean_flicker_noise has failed: {reason}")


def _clean(
    state: State,
    dark_current: NDArray[np.float32] | None,
    parameters: Mapping[str, Any],
    rate: NDArray[np.float32] | None,
) -> str | None:
    """Clean with these parameters; say what failed, if something does.

    A draft of the rates, of all integrations together, may be at hand.
    """
    shape = state.frame.shape
    scene, single = state.references.sky, parameters["single_mask"]
    flat = state.references.flat if parameters["apply_flat_field"] else None
    if scene is not None:
        if scene.shape not in {shape[2:], (shape[0], *shape[2:])}:
            return f"the mask is {scene.shape} where the exposure calls for {shape[2:]}"
    elif shape[1] < 2:
        return None  # there is no difference of groups
    else:
        if rate is None or not single:
            rate = _draft(state, dark_current, each=not single)
        if rate is None:
            return _NO_RATES
        with np.errstate(all="ignore"):
            scene = scene_mask(
                rate if flat is None else rate / flat,
                n_sigma=parameters["n_sigma"],
                fit_histogram=parameters["fit_histogram"],
                single_mask=single,
            )
    cleaning = plan(parameters, state.readout, shape[2:], flat)
    data, groupdq = state.settle()
    if cleaning.model:
        flicker_noise.clean_by_model(data, groupdq, scene, cleaning)
        return None
    noise = flicker_noise.measure(data, groupdq, scene, cleaning, state.threads)
    state.through(lambda t: flicker_noise.subtract(t.ramp, noise, cleaning, t.y0, t.first, t.last))
    return None


DONE: Final = MappingProxyType(
    {"picture_frame": correct_picture_frame, "clean_flicker_noise": clean_flicker_noise}
)
"""The steps by name."""

"""Stage 1 from the raw ramp to slopes, in the official order of steps.

Source: jwst/pipeline/calwebb_detector1.py.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol

import numpy as np

from upramp.dq import GROUP

from . import mid_infrared, near_infrared
from .jump import (
    MIN_GROUPS,
    JumpCounts,
    JumpSearch,
    event_rates,
    flag_bad_gain,
    flag_large_events,
    needs_whole_frame,
    search_by_clipping,
    usable_now,
)
from .ramp_fit import RampFit
from .state import State, TileCall
from .two_point import mark_usable

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from .ols import Rates
    from .tiles import Tile, TileStep

__all__ = [
    "BETWEEN",
    "FUSED",
    "Delegate",
    "Mask",
    "Outcome",
    "correct",
    "finish",
    "search_whole_frame",
]

FUSED: Final = {
    "group_scale": near_infrared.group_scale,
    "dq_init": near_infrared.dq_init,
    "emicorr": mid_infrared.emicorr,
    "saturation": near_infrared.saturation,
    "ipc": near_infrared.ipc,
    "superbias": near_infrared.superbias,
    "refpix": near_infrared.refpix,
    "linearity": near_infrared.linearity,
    "charge_migration": near_infrared.charge_migration,
    "firstframe": mid_infrared.firstframe,
    "lastframe": mid_infrared.lastframe,
    "reset": mid_infrared.reset,
    "rscd": mid_infrared.rscd,
}
"""Steps that are one function each; dark_current, jump and what follows are done below."""

_NEAR: Final = (
    "group_scale", "dq_init", "saturation", "ipc", "superbias", "refpix", "linearity",
    "dark_current", "charge_migration",
)  # fmt: skip
_MIRI: Final = (
    "group_scale", "dq_init", "emicorr", "saturation", "ipc", "firstframe", "lastframe", "reset",
    "linearity", "rscd", "dark_current", "refpix", "charge_migration",
)  # fmt: skip
BETWEEN: Final = ("picture_frame", "clean_flicker_noise")
"""Steps between jump and fit that look at the whole frame."""


class Delegate(Protocol):
    """Does a step that is not done here, and says so."""

    def __call__(self, name: str, state: State, reason: str) -> None:
        """Do a step to the exposure."""


@dataclass
class Mask:
    """A user's flags of groups.

    Parameters
    ----------
    flags
        (nints, ngroups, ny, nx) uint8; or (ny, nx), which means every group
        after the first.
    replaces
        Whether jumps that the mask does not have are taken back.
    """

    flags: NDArray[np.uint8]
    replaces: bool = False
    reach: int = 0

    def __call__(self, tile: Tile) -> None:
        """Flag the groups of a tile."""
        rows = slice(tile.y0 + tile.first, tile.y0 + tile.last)
        groupdq = tile.groupdq[:, :, tile.first : tile.last]
        if self.flags.ndim == 2:
            groups, flags = groupdq[:, 1:], self.flags[rows]
        else:
            groups, flags = groupdq, self.flags[:, :, rows]
        if self.replaces:
            groups &= np.uint8(255 - GROUP["JUMP_DET"])
        groups |= flags


@dataclass
class Outcome:
    """What stage 1 made of an exposure.

    Parameters
    ----------
    rates
        Slopes; None where there is nothing to fit, or the fit was not to run.
    fit
        How they were fitted.
    events
        Primary hits and extended events, as the header has them.
    counts
        How many there were.
    """

    rates: Rates | None = None
    fit: RampFit | None = None
    events: tuple[float, float] | None = None
    counts: JumpCounts = field(default_factory=JumpCounts)


def correct(
    state: State, delegate: Delegate, tell: Callable[[str], None]
) -> NDArray[np.float32] | None:
    """Do the steps before the jump search; most wait in the state's chain.

    Parameters
    ----------
    state
        The exposure.
    delegate
        Does steps that are not done here.
    tell
        Told the name of each step as it comes.

    Returns
    -------
    ndarray or None
        The average dark current, (ny, nx), that the ramp fit counts with.
    """
    current = None
    steps = FUSED
    if state.readout.is_irs2:
        from .near_infrared_irs2 import STEPS  # the kernels are seldom needed

        steps = {**FUSED, **STEPS}
    for name in _MIRI if state.readout.is_miri else _NEAR:
        tell(name)
        if state.parameters[name]["skip"]:
            state.skip(name)
        elif name == "dark_current":
            current = near_infrared.dark_current(state)
        elif reason := _foreign(state, name):
            delegate(name, state, reason)
        elif name == "refpix" and state.readout.is_miri:
            mid_infrared.refpix(state)
        else:
            steps[name](state)
    return current


def _foreign(state: State, name: str) -> str | None:
    """Say why a step is not done here; None if it is."""
    if name == "emicorr":
        return mid_infrared.emicorr_refused(state)
    if name == "refpix" and not (state.readout.is_miri or state.readout.is_irs2):
        return near_infrared.refpix_refused(state)
    return None


def finish(
    state: State,
    dark_current: NDArray[np.float32] | None,
    delegate: Delegate,
    tell: Callable[[str], None],
    *,
    mask: Mask | None = None,
    keep_ramp: Callable[[NDArray[np.float32], NDArray[np.uint8]], None] | None = None,
    persistence: Callable[[State], TileStep | None] | None = None,
) -> Outcome:
    """Search for jumps and fit.

    Parameters
    ----------
    state
        The exposure, with the steps before the jump search done or waiting.
    dark_current
        What `correct` gave.
    delegate
        Does steps that are not done here.
    tell
        Told the name of each step as it comes.
    mask
        A user's flags, set between jump and fit.
    keep_ramp
        Given the corrected ramp and its flags before the fit, if they are wanted.
    persistence
        Gives the persistence step, anew for each pass; None where it is switched off.
    """
    outcome = Outcome()
    parameters = state.parameters
    jump = parameters["jump"]
    jumps = not jump["skip"] and state.frame.ngroups >= MIN_GROUPS
    if jumps:
        if state.references.gain is not None:
            flag_bad_gain(state.pixeldq, state.references.gain)
        state.complete("jump")
    else:
        state.skip("jump", None if jump["skip"] else "two groups or fewer")
    fits = not parameters["ramp_fit"]["skip"]
    between = [name for name in BETWEEN if not parameters[name]["skip"]]
    for name in BETWEEN:
        if name not in between:
            state.skip(name)
    tell("jump, ramp_fit" if fits and not between else "jump")
    usable = state.usable_groups()
    if jumps and (needs_whole_frame(jump, usable) or between):
        outcome = search_whole_frame(state, usable)
        usable = state.usable_groups()
        jumps = False
    if between:
        from .between import DONE, foreign  # the kernels are seldom needed

        if outcome.events is not None:
            names = ("exposure.primary_cosmic_rays", "exposure.extended_emission_events")
            state.recorded.update(zip(names, outcome.events, strict=True))
        for name in between:
            tell(name)
            if reason := foreign(state, name):
                delegate(name, state, reason)
            else:
                DONE[name](state, dark_current)
        tell("ramp_fit")
    _last_pass(
        state,
        outcome,
        usable,
        dark_current,
        jumps=jumps,
        fits=fits,
        mask=mask,
        keep_ramp=keep_ramp,
        persistence=persistence,
    )
    if not fits:
        state.skip("ramp_fit")
    return outcome


def _seen(usable: NDArray[np.bool_]) -> TileStep:
    return TileCall(lambda t: mark_usable(t.groupdq, usable, t.first, t.last))


def search_whole_frame(state: State, usable: NDArray[np.bool_]) -> Outcome:
    """Search for jumps before anything else, as what follows needs them all.

    Parameters
    ----------
    state
        The exposure; it is then in memory, with its jumps flagged.
    usable
        (nints, ngroups): which groups some pixel can use, perhaps a guess.

    Returns
    -------
    Outcome
        Counts and events.
    """
    outcome = Outcome()
    jump = state.parameters["jump"]
    search = JumpSearch(jump, state.readout, state.references, usable)
    if search.way == "clip":
        search_by_clipping(state)
        search = JumpSearch(jump, state.readout, state.references, usable, searched=True)
    while True:
        seen = np.zeros_like(usable)
        kept = state.run(_seen(seen), search, keep=True)
        if (seen == usable).all() or search.searched:
            break
        # The guess from a few rows was wrong: with what all of them say it is right.
        usable = seen
        search = JumpSearch(jump, state.readout, state.references, usable)
    if kept is not None:
        state.replace(*kept)
    outcome.counts = search.counts
    flag_large_events(state, outcome.counts)
    _, groupdq = state.settle()
    usable = usable_now(groupdq)
    outcome.events = _events(state, outcome.counts, usable)
    return outcome


def _last_pass(
    state: State,
    outcome: Outcome,
    usable: NDArray[np.bool_],
    dark_current: NDArray[np.float32] | None,
    *,
    jumps: bool,
    fits: bool,
    mask: Mask | None,
    keep_ramp: Callable[[NDArray[np.float32], NDArray[np.uint8]], None] | None,
    persistence: Callable[[State], TileStep | None] | None,
) -> None:
    if not (jumps or fits or keep_ramp):
        return
    usable_by_fit = usable
    while True:
        steps: list[TileStep] = []
        seen = np.zeros_like(usable)
        steps.append(_seen(seen))
        search = None
        if jumps:
            search = JumpSearch(state.parameters["jump"], state.readout, state.references, usable)
            steps.append(search)
        lasting = None if persistence is None else persistence(state)
        if persistence is None:
            state.skip("persistence")
        steps += [step for step in (lasting, mask) if step is not None]
        store: list[tuple[NDArray[np.float32], NDArray[np.uint8]]] = []
        if keep_ramp is not None:
            data = np.empty(state.frame.shape, np.float32)
            groupdq = np.empty(state.frame.shape, np.uint8)
            store.append((data, groupdq))
            steps.append(_store(data, groupdq))
        fit = None
        seen_by_fit = np.zeros_like(usable)
        if fits:
            fit = RampFit(state, dark_current, usable_by_fit)
            steps += [_seen(seen_by_fit), fit]
        state.run(*steps)
        if (seen == usable).all() and (fit is None or (seen_by_fit == usable_by_fit).all()):
            break
        # The guess from a few rows was wrong: with what all of them say it is right.
        usable, usable_by_fit = seen, seen_by_fit
    if search is not None:
        outcome.counts = search.counts
        outcome.events = _events(state, search.counts, usable)
    if keep_ramp is not None:
        keep_ramp(*store[0])
    if fit is not None:
        outcome.fit = fit
        outcome.rates = fit.rates if fit.has_result else None
        if outcome.rates is not None:
            state.complete("ramp_fit")


def _store(data: NDArray[np.float32], groupdq: NDArray[np.uint8]) -> TileStep:
    def store(tile: Tile) -> None:
        rows = slice(tile.y0 + tile.first, tile.y0 + tile.last)
        data[:, :, rows] = tile.ramp[:, :, tile.first : tile.last]
        groupdq[:, :, rows] = tile.groupdq[:, :, tile.first : tile.last]

    return TileCall(store)


def _events(
    state: State, counts: JumpCounts, usable: NDArray[np.bool_]
) -> tuple[float, float] | None:
    pixels = state.frame.ny * state.frame.nx
    return event_rates(counts, usable, state.readout.group_time, pixels)

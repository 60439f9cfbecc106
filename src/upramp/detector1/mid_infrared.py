"""Steps of stage 1 that only MIRI has, or does otherwise.

Source: jwst/pipeline/calwebb_detector1.py and the steps it names.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .firstframe import flag_first_group
from .lastframe import flag_last_group
from .near_infrared import NO_REFERENCE
from .refpix_miri import is_miri_subarray, measure_miri, plan_miri, subtract_miri
from .reset import plan_reset, subtract_reset
from .rscd import find_skips, flag_settling, plan_rscd, saturated_levels
from .tiles import in_rows

if TYPE_CHECKING:
    from .state import State

__all__ = ["firstframe", "lastframe", "refpix", "reset", "rscd"]


def firstframe(state: State) -> None:
    """Leave the first group out."""
    if state.frame.ngroups <= 3:
        state.skip("firstframe", "too few groups")
        return
    bright = state.parameters["firstframe"]["bright_use_group1"]
    pixeldq = state.pixeldq
    state.through(
        lambda t: _ignore(flag_first_group(t.groupdq, pixeldq, bright, t.y0, t.first, t.last))
    )
    state.complete("firstframe")


def lastframe(state: State) -> None:
    """Leave the last group out."""
    if state.frame.ngroups <= 2:
        state.skip("lastframe", "too few groups")
        return
    state.through(lambda t: _ignore(flag_last_group(t.groupdq, t.first, t.last)))
    state.complete("lastframe")


def _ignore(_result: object) -> None:
    """Drop the answer: whether the step applies was seen beforehand."""


def reset(state: State) -> None:
    """Subtract the reset anomaly."""
    planes, readout = state.references.reset, state.readout
    if planes is None:
        state.skip("reset", NO_REFERENCE)
        return
    plan = plan_reset(
        state.frame.nints,
        readout.nints,
        readout.ngroups,
        readout.integration_start,
        readout.integration_end,
        *state.references.reset_shape,
    )
    state.through(lambda t: subtract_reset(t.ramp, planes, plan, t.y0, t.first, t.last))
    if plan.corrects:
        state.flag_pixels(state.references.reset_dq)
    state.complete("reset")


def rscd(state: State) -> None:
    """Leave out the groups in which the detector settles."""
    table, readout = state.references.rscd, state.readout
    if table is None:
        state.skip("rscd", NO_REFERENCE)
        return
    skips = find_skips(table, readout.subarray, readout.readpatt)
    if skips is None:
        state.skip("rscd", f"no entry for {readout.subarray} {readout.readpatt}")
        return
    ranges = plan_rscd(
        state.frame.nints, readout.nints, readout.ngroups, readout.integration_start, *skips
    )
    if ranges is None:
        state.skip("rscd", "too few groups")
        return
    # Whether a pixel keeps a group depends on whether any pixel of the frame does.
    _, groupdq = state.settle()
    pixeldq = state.pixeldq
    for part in ranges:
        levels = saturated_levels(groupdq, part, 0, state.frame.ny)

        counts: list[tuple[int, int]] = []

        def flag(first: int, last: int, part=part, levels=levels, counts=counts) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001 - bound, since the loop goes on
            counts.append(flag_settling(groupdq, pixeldq, part, levels, 0, first, last))

        in_rows(state.frame.ny, state.threads, flag)
        which = "int1" if part.is_first else "int2p"
        lowered, alone = (sum(each) for each in zip(*counts, strict=True))
        state.recorded |= {
            f"rscd.keep_groups_saturation_{which}": lowered,
            f"rscd.keep_bright_firstgroup_{which}": alone,
            f"rscd.ngroups_skip_{which}": part.skip,
        }
    state.complete("rscd")


def refpix(state: State) -> None:
    """Subtract what the reference pixels say."""
    if is_miri_subarray((state.frame.ny, state.frame.nx)):
        state.skip("refpix", "a subarray of MIRI has too few reference pixels")
        return
    parameters = state.parameters["refpix"]
    plan = plan_miri(
        state.pixeldq,
        odd_even_rows=parameters["odd_even_rows"],
        siglimit=parameters["siglimit"],
    )
    data, _ = state.settle()
    nints, ngroups, _, _ = state.frame.shape
    values = data.reshape(nints, ngroups, -1)[:, :, plan.needed]
    signal = measure_miri(plan, np.ascontiguousarray(values))
    in_rows(
        state.frame.ny,
        state.threads,
        lambda first, last: subtract_miri(data, signal, 0, first, last),
    )
    state.complete("refpix")

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
    from .emicorr import Case
    from .state import State

__all__ = ["emicorr", "emicorr_refused", "firstframe", "lastframe", "refpix", "reset", "rscd"]


def emicorr_refused(state: State) -> str | None:
    """Say why interference is not removed here; None if it is."""
    parameters = state.parameters["emicorr"]
    if parameters["user_supplied_reffile"] is not None:
        return "emicorr.user_supplied_reffile is served by the official step"
    if parameters["save_intermediate_results"] and parameters["onthefly_corr_freq"] is not None:
        return "emicorr.save_intermediate_results is served by the official step"
    if state.frame.nx % 4 or state.frame.nx < 16:
        return "columns that no four outputs share are served by the official step"
    return None


def emicorr(state: State) -> None:
    """Remove electromagnetic interference."""
    # The kernels are seldom needed.
    from .emicorr import LEAST_GROUPS, READ_PATTERNS, SequentialOptions, subtract_interference

    parameters, readout = state.parameters["emicorr"], state.readout
    if readout.readpatt.upper() not in READ_PATTERNS:
        state.skip("emicorr", f"it is not made for the read pattern {readout.readpatt}")
        return
    if parameters["onthefly_corr_freq"] is None:
        state.asked.add("emicorr")
        if state.references.emicorr is None:
            state.skip("emicorr", NO_REFERENCE)
            return
    if state.frame.ngroups < LEAST_GROUPS:
        state.skip("emicorr", "too few groups")
        return
    case = _emicorr_case(state)
    if case is None:
        state.skip("emicorr", f"nothing is known of {readout.subarray} {readout.readpatt}")
        return
    data, _ = state.settle()
    algorithm = subtract_interference(
        data,
        state.pixeldq,
        case,
        readpatt=readout.readpatt,
        nsamples=readout.nsamples,
        algorithm=parameters["algorithm"],
        fit_ints_separately=parameters["fit_ints_separately"],
        options=SequentialOptions(
            nints_to_phase=parameters["nints_to_phase"],
            nbins=parameters["nbins"],
            scale_reference=parameters["scale_reference"],
            use_n_cycles=parameters["use_n_cycles"],
        ),
        xstart=readout.xstart,
        threads=state.threads,
    )
    waves = ", ".join(f"{frequency:g} Hz" for frequency, _ in case.waves)
    state.note(f"emicorr removed {waves} ({algorithm})")
    state.complete("emicorr")


def _emicorr_case(state: State) -> Case | None:
    from .emicorr import find_case, own_case

    readout, reference = state.readout, state.references.emicorr
    frequencies = state.parameters["emicorr"]["onthefly_corr_freq"]
    if frequencies is not None:
        return own_case(frequencies, readout.subarray, readout.readpatt)
    if reference is None:
        return None
    return find_case(reference, readout.subarray, readout.readpatt, readout.detector)


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
        state.asked.add("rscd")
        state.skip("rscd", f"no entry for {readout.subarray} {readout.readpatt}")
        return
    ranges = plan_rscd(
        state.frame.nints, readout.nints, readout.ngroups, readout.integration_start, *skips
    )
    if ranges is None:
        state.asked.add("rscd")
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

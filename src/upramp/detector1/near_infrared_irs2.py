"""Steps of stage 1 that NIRSpec's IRS2 read-out has in its own way.

Up to `refpix` the exposure is interleaved with reference pixels, 3200 rows;
from there on it has 2048. The reference-pixel correction works on whole
frames, each in one thread, and leaves its result in the memory of the ramp.

Source: jwst/saturation/saturation_step.py, jwst/ipc/ipc_step.py and
jwst/refpix/refpix_step.py.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from .ipc import correct as undo_capacitance
from .ipc import reach as capacitance_reach
from .ipc import reference_borders
from .irs2_layout import Interleave, deinterleave
from .near_infrared import NO_REFERENCE, averaged_frames
from .refpix_irs2 import Correction, Room, group_mean
from .refpix_irs2_bad_pixels import (
    find_bad,
    flag_rows,
    flagged_rows,
    pair_statistics,
    recipe_of_flags,
    recipe_of_table,
    replace,
)
from .refpix_irs2_mean import edge_means, subtract_means
from .saturation_irs2 import flag_saturation, reach, update_pixeldq
from .tiles import in_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from numpy.typing import NDArray

    from .state import State

__all__ = ["STEPS", "ipc", "refpix", "saturation"]


def _layout(state: State) -> Interleave:
    readout = state.readout
    return Interleave(readout.detector, readout.nrs_normal or 0, readout.nrs_reference or 0)


def saturation(state: State) -> None:
    """Flag saturated groups of ordinary pixels, their neighbours, and the converter's floor."""
    refs, layout = state.references, _layout(state)
    threshold, dq, bias = refs.threshold, refs.threshold_dq, refs.raw_bias
    if threshold is None or dq is None:
        state.skip("saturation", NO_REFERENCE)
        return
    grow, frames = state.parameters["saturation"]["n_pix_grow_sat"], averaged_frames(state)
    state.through(
        lambda t: flag_saturation(
            t.ramp, t.groupdq, threshold, bias, layout,
            grow=grow, frames=frames, y0=t.y0, first=t.first, last=t.last,
        ),
        reach(layout, grow),
    )  # fmt: skip
    update_pixeldq(state.pixeldq, dq, layout)
    state.complete("saturation")


def ipc(state: State) -> None:
    """Undo inter-pixel capacitance among ordinary pixels."""
    weights, readout, layout = state.references.ipc, state.readout, _layout(state)
    if weights is None:
        state.skip("ipc", NO_REFERENCE)
        return
    size = state.frame.nx, layout.science_rows.size
    borders = reference_borders(readout.instrument, readout.xstart, readout.ystart, *size)
    state.through(
        lambda t: undo_capacitance(
            t.ramp, weights, borders, layout=layout, y0=t.y0, first=t.first, last=t.last
        ),
        capacitance_reach(weights, layout),
    )
    state.complete("ipc")


def refpix(state: State) -> None:
    """Subtract what the reference pixels say, and take them out."""
    correction, parameters = state.references.irs2, state.parameters["refpix"]
    if correction is None:  # pragma: no cover - nothing is loaded without it
        raise AssertionError
    layout = _layout(state)
    ramp, groupdq = state.settle()
    statistics = [pair_statistics(integration, layout) for integration in ramp]
    limit = parameters["ovr_corr_mitigation_ftr"]
    bad = find_bad(statistics, flagged_rows(state.pixeldq), layout, limit)
    flag_rows(state.pixeldq, bad)
    recipe = recipe_of_flags(bad, layout)
    listed = state.references.irs2_bad
    if listed is not None:
        recipe = np.concatenate([recipe, recipe_of_table(*listed, bad, layout)])

    def mend(frame: NDArray[np.float32]) -> None:
        if parameters["irs2_mean_subtraction"]:
            offsets = edge_means(
                frame,
                state.pixeldq,
                layout,
                odd_even_columns=parameters["odd_even_columns"],
                siglimit=parameters["siglimit"],
            )
            subtract_means(frame, offsets)
        replace(frame, recipe)

    frames = ramp.reshape(-1, *ramp.shape[2:])
    _each(mend, frames, state.threads)
    _correct(state, correction, ramp)
    state.replace(
        _compacted(ramp, correction.in_place(ramp)),
        deinterleave(groupdq, layout),
        deinterleave(state.pixeldq, layout),
    )
    state.complete("refpix")


def _correct(state: State, correction: Correction, ramp: NDArray[np.float32]) -> None:
    """Correct every group, the result in the rows that `Correction.in_place` gives."""
    nints, ngroups, ny, nx = ramp.shape
    mean = np.empty((ny, nx), np.float64)
    rooms: list[Room] = []

    def work(frame: NDArray[np.float32]) -> None:
        # Whoever comes first makes room; there are then as many as threads.
        try:
            room = rooms.pop()
        except IndexError:
            room = correction.room()
        correction.correct_frame(frame, mean, correction.in_place(frame), room)
        rooms.append(room)
        if state.done is not None:
            state.done(1 / (nints * ngroups))

    for integration in ramp:

        def average(first: int, last: int, of: NDArray[np.float32] = integration) -> None:
            group_mean(of, mean, first, last)

        in_rows(ny, state.threads, average)
        _each(work, integration, state.threads)


def _each(work: Callable[[Any], None], items: Iterable[Any], threads: int) -> None:
    """Do something to each of several things, some at once."""
    if threads == 1:
        for item in items:
            work(item)
        return
    with ThreadPoolExecutor(threads, thread_name_prefix="upramp") as pool:
        try:
            for _ in pool.map(work, items):
                pass
        finally:
            # An interruption, or a failure in one: the others need not begin.
            pool.shutdown(cancel_futures=True)


def _compacted(whole: NDArray[np.float32], part: NDArray[np.float32]) -> NDArray[np.float32]:
    """Move a part of each frame to the start of the array, so that it is contiguous there."""
    result = whole.reshape(-1)[: part.size].reshape(part.shape)
    for place in np.ndindex(part.shape[:2]):
        result[place] = part[place]  # never beyond where it was, so that none is overwritten
    return result


STEPS: Final = {"saturation": saturation, "ipc": ipc, "refpix": refpix}
"""By name, instead of those in `upramp.detector1.near_infrared`."""

"""Steps of stage 1 up to the dark, in the order of the near-infrared detectors.

Each function does one official step to a `State`: decides as the official step
does whether there is anything to do, and lets its correction wait in the chain.

Source: jwst/pipeline/calwebb_detector1.py and the steps it names.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from upramp.errors import InputError

from .charge_migration import MIN_GROUPS, flag_charge_migration
from .charge_migration import REACH as CHARGE_REACH
from .dark import average_dark_current, subtract_dark
from .dq_init import flag_masked
from .group_scale import choose_group_scale, scale_groups
from .ipc import correct as undo_capacitance
from .ipc import reach as capacitance_reach
from .ipc import reference_borders
from .linearity import linearize, linearize_zero_frame
from .linearity_reads import linearize_reads, read_pattern, reads_matter
from .refpix_nir import (
    NirOptions,
    NirReadout,
    fits,
    measure_nir,
    plan_nir,
    subtract_nir,
    subtract_nir_zero_frame,
    supported,
)
from .saturation import (
    blank_saturated_zero_frame,
    flag_saturation,
    frames_of_groups,
    plan_saturation,
)
from .superbias import subtract_bias, subtract_bias_of_zero_frame

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from .state import State

__all__ = [
    "NO_REFERENCE",
    "averaged_frames",
    "charge_migration",
    "dark_current",
    "dq_init",
    "group_scale",
    "ipc",
    "linearity",
    "refpix",
    "refpix_refused",
    "saturation",
    "superbias",
]

NO_REFERENCE = "no reference"


def group_scale(state: State) -> None:
    """Scale groups that were averaged on board with another divisor."""
    scale = choose_group_scale(state.readout.nframes, state.readout.frame_divisor)
    if scale.suspicious:
        state.note(f"group_scale: {scale.reason}: the data may have a wrong scale")
    factor = scale.factor
    if factor is None:
        state.skip("group_scale")
        return
    state.through(lambda t: scale_groups(t.ramp, factor, t.y0, t.first, t.last))
    state.complete("group_scale")


def dq_init(state: State) -> None:
    """Start flags from the mask."""
    mask = state.references.mask
    if mask is None:
        state.skip("dq_init", NO_REFERENCE)
        return
    state.flag_pixels(mask)
    state.through(lambda t: flag_masked(t.groupdq, mask, t.y0, t.first, t.last))
    state.complete("dq_init")


def averaged_frames(state: State) -> int | None:
    """Say how many frames a group averages, if saturation is to mind that.

    Parameters
    ----------
    state
        The exposure.

    Raises
    ------
    InputError
        If the header does not say it.
    """
    if not state.parameters["saturation"]["use_readpatt"]:
        return None
    frames = state.readout.nframes
    if frames is None:
        raise InputError(
            "NFRAMES",
            "it is missing, and saturation needs it",
            "set saturation.use_readpatt=false",
        )
    return frames


def saturation(state: State) -> None:
    """Flag saturated groups, their neighbours, and the converter's floor."""
    parameters, refs, readout = state.parameters["saturation"], state.references, state.readout
    threshold, dq, bias = refs.threshold, refs.threshold_dq, refs.raw_bias
    if threshold is None or dq is None:
        state.skip("saturation", NO_REFERENCE)
        return
    frames = averaged_frames(state)
    pattern = None
    if frames is not None:
        pattern = frames_of_groups(max(readout.ngroups, state.frame.ngroups), frames)
    plan = plan_saturation(state.frame.ngroups, parameters["n_pix_grow_sat"], pattern)
    state.through(
        lambda t: flag_saturation(
            t.ramp, t.groupdq, threshold, dq, bias, plan, t.y0, t.first, t.last
        ),
        plan.reach,
    )
    if state.corrected_zeroframe is not None:
        blank_saturated_zero_frame(
            state.corrected_zeroframe, threshold, plan.grow, 0, 0, state.frame.ny
        )
    state.flag_pixels(dq)
    state.complete("saturation")


def ipc(state: State) -> None:
    """Undo inter-pixel capacitance."""
    weights, readout = state.references.ipc, state.readout
    if weights is None:
        state.skip("ipc", NO_REFERENCE)
        return
    ny, nx = state.frame.ny, state.frame.nx
    borders = reference_borders(readout.instrument, readout.xstart, readout.ystart, nx, ny)
    state.through(
        lambda t: undo_capacitance(
            t.ramp, weights, borders, height=ny, y0=t.y0, first=t.first, last=t.last
        ),
        capacitance_reach(weights),
    )
    state.complete("ipc")


def superbias(state: State) -> None:
    """Subtract the bias."""
    bias = state.references.bias
    if bias is None:
        state.skip("superbias", NO_REFERENCE)
        return
    state.through(lambda t: subtract_bias(t.ramp, bias, t.y0, t.first, t.last))
    if state.corrected_zeroframe is not None:
        subtract_bias_of_zero_frame(state.corrected_zeroframe, bias, 0, 0, state.frame.ny)
    state.flag_pixels(state.references.bias_dq)
    state.complete("superbias")


def _refpix_readout(state: State) -> NirReadout:
    readout = state.readout
    return NirReadout(
        fastaxis=readout.fastaxis,
        slowaxis=readout.slowaxis,
        xstart=readout.xstart,
        ystart=readout.ystart,
        subarray=readout.subarray,
        noutputs=readout.noutputs,
        multistripe=readout.multistripe,
        irs2=readout.is_irs2,
    )


def _refpix_options(state: State) -> NirOptions:
    parameters = state.parameters["refpix"]
    return NirOptions(**{name: parameters[name] for name in NirOptions.__dataclass_fields__})


def _sirs(state: State) -> tuple[NDArray[Any], NDArray[Any]] | None:
    wanted = state.parameters["refpix"]["refpix_algorithm"] == "sirs"
    return state.references.sirs if wanted and "FULL" in state.readout.subarray else None


def refpix_refused(state: State) -> str | None:
    """Say why the reference-pixel correction must be left to the official step.

    Parameters
    ----------
    state
        The exposure.

    Returns
    -------
    str or None
        The reason; None if it need not.
    """
    shape = (state.frame.ny, state.frame.nx)
    sirs = _sirs(state) is not None
    return supported(shape, _refpix_readout(state), _refpix_options(state), sirs=sirs)


def refpix(state: State) -> None:
    """Subtract what the reference pixels say."""
    readout, options = _refpix_readout(state), _refpix_options(state)
    if not fits((state.frame.ny, state.frame.nx), readout):
        state.skip("refpix", "the subarray does not lie on the detector")
        return
    plan = plan_nir(state.pixeldq, readout, options, _sirs(state))
    signal = measure_nir(plan, state.collect(plan.needed), begins=True)
    state.through(lambda t: subtract_nir(t.ramp, signal, t.y0, t.first, t.last))
    if (frame := state.corrected_zeroframe) is not None:
        values = frame.reshape(len(frame), 1, -1)[:, :, plan.needed]
        zero_signal = measure_nir(plan, values, begins=False)
        subtract_nir_zero_frame(frame, zero_signal, 0, 0, state.frame.ny)
    state.complete("refpix")


def linearity(state: State) -> None:
    """Straighten ramps, by way of the single frames where groups are averages."""
    refs, readout = state.references, state.readout
    coefficients, inverse = refs.coefficients, refs.inverse
    if coefficients is None:
        state.skip("linearity", NO_REFERENCE)
        return
    through_reads = reads_matter(
        has_inverse=inverse is not None,
        frames_per_group=readout.nframes,
        read_times=readout.read_times,
        groups=state.frame.ngroups,
    )
    if through_reads and inverse is not None and readout.nframes is not None:
        pattern = read_pattern(state.frame.ngroups, readout.nframes)
        state.through(
            lambda t: linearize_reads(
                t.ramp, t.groupdq, coefficients, inverse, pattern, t.y0, t.first, t.last
            )
        )
    else:
        state.through(lambda t: linearize(t.ramp, t.groupdq, coefficients, t.y0, t.first, t.last))
    if state.corrected_zeroframe is not None:
        linearize_zero_frame(state.corrected_zeroframe, coefficients, 0, 0, state.frame.ny)
    state.flag_pixels(refs.linearity_dq)
    state.complete("linearity")


def dark_current(state: State) -> NDArray[np.float32] | None:
    """Subtract the dark.

    Returns
    -------
    ndarray or None
        The average dark current, (ny, nx), that the ramp fit counts with.
    """
    refs = state.references
    if refs.dark_dq is None:
        state.skip("dark_sub", NO_REFERENCE)
        return None
    current = average_dark_current(
        (state.frame.ny, state.frame.nx),
        state.parameters["dark_current"]["average_dark_current"],
        refs.dark_image,
        refs.dark_scalar,
    )
    dark = refs.dark
    if dark is None:
        state.asked.add("dark_current")
        state.skip("dark_sub", "the dark is coarser than the exposure")
        return current
    start = state.readout.integration_start
    state.through(lambda t: subtract_dark(t.ramp, dark, start, t.y0, t.first, t.last))
    state.flag_pixels(refs.dark_dq)
    state.complete("dark_sub")
    return current


def charge_migration(state: State) -> None:
    """Flag groups that lost charge to their neighbours."""
    if state.frame.ngroups < MIN_GROUPS:
        state.skip("charge_migration", "too few groups")
        return
    threshold = state.parameters["charge_migration"]["signal_threshold"]
    state.through(
        lambda t: flag_charge_migration(t.ramp, t.groupdq, threshold, t.y0, t.first, t.last),
        CHARGE_REACH,
    )
    state.complete("charge_migration")

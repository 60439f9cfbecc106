"""Reference-pixel correction of the near-infrared detectors (but for IRS2).

Three steps: `plan_nir` says which pixels of a frame are needed, `measure_nir`
makes of them what is to be subtracted, `subtract_nir` subtracts it from a tile.

The official correction copies each group into an array that begins as float32
and, where lines are corrected, is replaced by a float64 one after the very
first group of the exposure. All arithmetic follows the type of that array.

Source: jwst/refpix/reference_pixels.py (``NIRDataset``), refpix_step.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from upramp.detector1.refpix_frame import DetectorFrame
from upramp.detector1.refpix_layout import (
    SIZE,
    Layout,
    four_outputs,
    multistripe,
    one_output,
)
from upramp.detector1.refpix_means import offset_table
from upramp.detector1.refpix_sides import corrected_strips, side_signals
from upramp.detector1.refpix_signal import NirSignal, subtract_nir, subtract_nir_zero_frame
from upramp.detector1.refpix_sirs import AMPLIFIERS, convolution_kernels, line_templates
from upramp.errors import UsageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "NirOptions",
    "NirPlan",
    "NirReadout",
    "NirSignal",
    "fits",
    "measure_nir",
    "plan_nir",
    "subtract_nir",
    "subtract_nir_zero_frame",
    "supported",
]

_LONGEST: Final = 2 * SIZE - 1


@dataclass(frozen=True)
class NirOptions:
    """Parameters of the official step ``refpix``, by their names."""

    odd_even_columns: bool = True
    use_side_ref_pixels: bool = True
    side_smoothing_length: int = 11
    side_gain: float = 1.0
    refpix_algorithm: str = "median"
    sigreject: float = 4.0
    gaussmooth: float = 1.0
    halfwidth: int = 30
    siglimit: float = 3.0


@dataclass(frozen=True)
class NirReadout:
    """How an exposure was read out, by its keywords.

    Attributes
    ----------
    fastaxis, slowaxis
        FASTAXIS, SLOWAXIS.
    xstart, ystart
        SUBSTRT1, SUBSTRT2, from 1.
    subarray
        SUBARRAY.
    noutputs
        NOUTPUTS.
    multistripe
        Whether the header has ``multistripe_reads1``.
    irs2
        Whether the frames are longer than the detector.
    """

    fastaxis: int
    slowaxis: int
    xstart: int = 1
    ystart: int = 1
    subarray: str | None = None
    noutputs: int | None = None
    multistripe: bool = False
    irs2: bool = False


@dataclass(frozen=True)
class NirPlan:
    """What `measure_nir` needs to know; made once for an exposure.

    Attributes
    ----------
    layout
        Pixels, sections and strips.
    frame
        The exposure on its detector.
    options
        The parameters.
    kernels
        Convolution kernels of the left and right side, where SIRS is used.
    """

    layout: Layout
    frame: DetectorFrame
    options: NirOptions
    kernels: tuple[NDArray[np.float64], NDArray[np.float64]] | None = None

    @property
    def needed(self) -> NDArray[np.int64]:
        """Places in the flattened frame, (ny * nx), of the pixels that must be read."""
        return self.layout.needed

    @property
    def idle(self) -> bool:
        """Whether nothing would be subtracted from any group."""
        strips = self.layout.strips
        return not self.layout.sections.filled.any() and (
            strips is None or (not strips.usable.any() and self.kernels is None)
        )


def fits(shape: tuple[int, int], readout: NirReadout) -> bool:
    """Whether an exposure lies on the detector; the official step skips one that does not.

    Parameters
    ----------
    shape
        (ny, nx) of its frames.
    readout
        How it was read out.
    """
    ny, nx = shape
    if readout.multistripe or (ny >= SIZE and nx >= SIZE):
        return True  # the official step does not look
    row, column = readout.ystart - 1, readout.xstart - 1
    return 0 <= row <= SIZE - ny and 0 <= column <= SIZE - nx


def supported(
    shape: tuple[int, int], readout: NirReadout, options: NirOptions, *, sirs: bool
) -> str | None:
    """Why an exposure must be left to the official correction; None if it need not.

    Parameters
    ----------
    shape
        (ny, nx) of its frames.
    readout
        How it was read out.
    options
        The parameters.
    sirs
        Whether there are SIRS coefficients for its detector.
    """
    if readout.irs2 or max(shape) > SIZE:
        return "IRS2 has a correction of its own"
    if sirs and options.refpix_algorithm == "sirs" and options.use_side_ref_pixels:
        four = shape == (SIZE, SIZE) or (readout.noutputs == 4 and not readout.multistripe)
        if four and shape != (SIZE, SIZE):
            return "SIRS of a subarray reads lines that the subarray does not have"
    return None


def plan_nir(
    pixeldq: NDArray[np.uint32],
    readout: NirReadout,
    options: NirOptions,
    sirs: tuple[NDArray[Any], NDArray[Any]] | None = None,
) -> NirPlan:
    """Choose the reference pixels of an exposure.

    Parameters
    ----------
    pixeldq
        Shape (ny, nx): DQ as it is when the step begins; of superstripes
        (3-D) the first plane.
    readout
        How the exposure was read out.
    options
        The parameters.
    sirs
        ``gamma`` and ``zeta`` of the detector, complex (4, frequencies), from
        the SIRSKERNEL reference; used with ``refpix_algorithm="sirs"`` only.
        Without them the running median is used, as the official step does.

    Raises
    ------
    UsageError
        The smoothing length is one with which the official step fails.
    ValueError
        The exposure is not `supported`, or does not fit on the detector.
    """
    ny, nx = pixeldq.shape
    reason = supported((ny, nx), readout, options, sirs=sirs is not None)
    if reason:
        raise ValueError(reason)
    full = (ny, nx) == (SIZE, SIZE)
    odd_even = options.odd_even_columns
    axes = (readout.fastaxis, readout.slowaxis)
    if readout.multistripe and not full:
        frame = DetectorFrame(ny, nx, *axes)
        start = (readout.xstart if frame.fast_is_x else readout.ystart) - 1
        return NirPlan(multistripe(pixeldq, frame, start, odd_even=odd_even), frame, options)
    if full:
        frame = DetectorFrame(ny, nx, *axes)
    else:
        frame = DetectorFrame(ny, nx, *axes, readout.ystart - 1, readout.xstart - 1)
    if not full and readout.noutputs != 4:
        layout = one_output(pixeldq, frame, odd_even=odd_even, name=readout.subarray)
        return NirPlan(layout, frame, options)

    sides = options.use_side_ref_pixels
    layout = four_outputs(pixeldq, frame, odd_even=odd_even, sides=sides)
    kernels = None
    if sides and sirs is not None and options.refpix_algorithm == "sirs":
        if len(sirs[0]) != AMPLIFIERS or len(sirs[1]) != AMPLIFIERS:
            raise ValueError("SIRS coefficients must be those of four amplifiers")
        left, right = (
            convolution_kernels(one, options.gaussmooth, options.halfwidth) for one in sirs
        )
        kernels = (left, right)
    elif sides and not 2 <= options.side_smoothing_length <= _LONGEST:
        raise UsageError(
            "side_smoothing_length",
            f"it is {options.side_smoothing_length}",
            f"give a length from 2 to {_LONGEST} lines",
        )
    return NirPlan(layout, frame, options, kernels)


def measure_nir(plan: NirPlan, values: NDArray[np.float32], *, begins: bool) -> NirSignal:
    """Make of the reference pixels what is to be subtracted.

    Parameters
    ----------
    plan
        Of the exposure.
    values
        Shape (integrations, groups, needed pixels), DN, float32: the data as
        they are when the step begins (bias subtracted), at ``plan.needed``.
        Of the zero frame: one group.
    begins
        Whether the first group of the first integration here is the very
        first of the exposure. Never for a zero frame, which comes last.
    """
    options, layout, frame = plan.options, plan.layout, plan.frame
    values = np.ascontiguousarray(values, np.float32)
    shape = values.shape[:2]
    narrow = np.full(shape, layout.strips is None, np.uint8)
    if begins:
        narrow[0, 0] = 1
    table = offset_table(values, layout.sections, narrow, options.siglimit)
    count = len(layout.which)
    edges = np.array([0, count], np.int64)
    if layout.strips is None:
        sides = np.zeros((*shape, 0, len(frame.slow())))
    elif plan.kernels is None:
        signals = side_signals(
            values, table, layout.strips, narrow, options.side_smoothing_length, options.side_gain
        )
        sides = signals[:, :, None, :]
    else:
        edges = np.arange(AMPLIFIERS + 1, dtype=np.int64) * count // AMPLIFIERS
        sides = np.empty((*shape, AMPLIFIERS, count))
        for i in range(shape[0]):
            strips = corrected_strips(values[i], table[i], layout.strips, narrow[i])
            for g in range(shape[1]):
                sides[i, g] = line_templates(strips[g], plan.kernels, options.sigreject)
        if frame.fastaxis < 0:
            sides = sides[:, :, ::-1]
    if frame.slowaxis < 0:
        sides = sides[..., ::-1]
    return NirSignal(
        table=table,
        which=layout.which,
        sides=np.ascontiguousarray(sides),
        edges=edges,
        narrow=narrow,
        fast_is_x=frame.fast_is_x,
        idle=plan.idle,
    )

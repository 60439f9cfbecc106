"""What stage 1 needs to know of an exposure, and its references as it uses them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from .ols import read_noise_of_a_read

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from .dark import Dark
    from .emicorr import EmiReference
    from .refpix_irs2 import Correction

__all__ = ["Readout", "References", "with_noise"]


@dataclass(frozen=True)
class Readout:
    """How an exposure was taken, by its keywords.

    Parameters
    ----------
    instrument, detector, exp_type, subarray, readpatt
        INSTRUME, DETECTOR, EXP_TYPE, SUBARRAY, READPATT.
    nints, ngroups
        NINTS and NGROUPS: of the exposure, not only of this file's segment.
    nframes, groupgap, frame_divisor, drop_frames1
        NFRAMES, GROUPGAP, FRMDIVSR, DRPFRMS1; None where the header has none.
    frame_time, group_time, integration_time
        TFRAME, TGROUP, EFFINTTM, in seconds.
    noutputs, fastaxis, slowaxis
        NOUTPUTS, FASTAXIS, SLOWAXIS.
    xstart, ystart
        SUBSTRT1, SUBSTRT2, counted from 1.
    integration_start, integration_end
        INTSTART and INTEND; None where the header has none.
    exposure_start
        EXPSTART, a modified Julian date.
    integration_starts
        Column ``int_start_MJD_UTC`` of INT_TIMES; None where there is no such table.
    zero_frame
        ZEROFRAM: whether there are first frames of their own.
    read_times
        Times of the reads of each group, where they are unevenly spaced.
    multistripe
        Whether the frame is read in stripes.
    nsamples
        NSAMPLES: how often a pixel is sampled in a read (MIRI).
    nrs_normal, nrs_reference
        NRS_NORM and NRS_REF: how many ordinary and reference pixels IRS2 reads in turn.
    """

    instrument: str
    detector: str
    exp_type: str
    subarray: str
    readpatt: str
    nints: int
    ngroups: int
    nframes: int | None
    groupgap: int
    frame_divisor: int | None
    frame_time: float
    group_time: float
    integration_time: float | None = None
    drop_frames1: int | None = None
    noutputs: int | None = None
    fastaxis: int = 1
    slowaxis: int = 2
    xstart: int = 1
    ystart: int = 1
    integration_start: int | None = None
    integration_end: int | None = None
    exposure_start: float | None = None
    integration_starts: NDArray[np.float64] | None = None
    zero_frame: bool = False
    read_times: Sequence[Sequence[float]] | None = None
    multistripe: bool = False
    nsamples: int | None = None
    nrs_normal: int | None = None
    nrs_reference: int | None = None

    @property
    def is_miri(self) -> bool:
        """Whether the mid-infrared order of steps holds."""
        return self.instrument == "MIRI"

    @property
    def is_irs2(self) -> bool:
        """Whether reference pixels are interleaved with the others (NIRSpec)."""
        return "IRS2" in self.readpatt


@dataclass(frozen=True, eq=False)
class References:
    """References of an exposure, cut to its subarray and prepared; None where there is none.

    Of an exposure in IRS2 mode, ``mask``, ``bias`` and ``bias_dq`` have the reference
    pixels' rows between the others, as the exposure has; all else has not.

    Parameters
    ----------
    mask
        Flags of the pixels, (ny, nx) uint32.
    threshold, threshold_dq
        Of saturation: `upramp.detector1.saturation.prepare_thresholds`.
    bias, raw_bias, bias_dq
        `upramp.detector1.superbias.prepare_bias`, the same as its file has it, and its flags.
    coefficients, inverse, linearity_dq
        `upramp.detector1.linearity.prepare_coefficients`.
    dark, dark_dq, dark_image, dark_scalar
        `upramp.detector1.dark.prepare_dark` for this read-out (None with flags
        present: coarser than the exposure), and its average current.
    gain, readnoise
        (ny, nx) float32.
    gain_median
        Of the gain, without what is no number.
    noise2, read_noise
        The square of the readnoise in electrons, and the noise of a group: made of
        gain and readnoise by `with_noise`.
    gain_factor
        GAINFACT of the gain reference.
    reset, reset_dq, reset_shape
        Planes, flags, and (NINTS, NGROUPS) of MIRI's reset anomaly.
    rscd
        Rows of RSCD_GROUP_SKIP.
    emicorr
        Waves of MIRI's electromagnetic interference.
    ipc
        Kernel of inter-pixel capacitance.
    picture_frame
        The thermal picture frame of NIRSpec, (ny, nx) float32.
    flat, sky
        What groups are divided by before flicker noise is looked for, without zeros
        or NaN, and a user's mask of where to look: (ny, nx), or (nints, ny, nx) bool.
    sirs
        ``gamma`` and ``zeta`` of the SIRS kernel.
    irs2
        The correction that the tables ``alpha`` and ``beta`` of IRS2 make.
    irs2_bad
        Its reference pixels that are bad: columns OUTPUT, ODD_EVEN, MASK.
    """

    mask: NDArray[np.uint32] | None = None
    threshold: NDArray[np.float32] | None = None
    threshold_dq: NDArray[np.uint32] | None = None
    bias: NDArray[np.float32] | None = None
    raw_bias: NDArray[np.float32] | None = None
    bias_dq: NDArray[np.uint32] | None = None
    coefficients: NDArray[np.float32] | None = None
    inverse: NDArray[np.float32] | None = None
    linearity_dq: NDArray[np.uint32] | None = None
    dark: Dark | None = None
    dark_dq: NDArray[np.uint32] | None = None
    dark_image: NDArray[np.float32] | None = None
    dark_scalar: float | None = None
    gain: NDArray[np.float32] | None = None
    readnoise: NDArray[np.float32] | None = None
    gain_median: np.float32 | None = None
    noise2: NDArray[np.float32] | None = None
    read_noise: NDArray[np.float32] | None = None
    gain_factor: float | None = None
    reset: NDArray[np.float32] | None = None
    reset_dq: NDArray[np.uint32] | None = None
    reset_shape: tuple[int, int] = (0, 0)
    rscd: Sequence[Mapping[str, Any]] | None = None
    emicorr: EmiReference | None = None
    ipc: NDArray[np.float32] | None = None
    picture_frame: NDArray[np.float32] | None = None
    flat: NDArray[np.float32] | None = None
    sky: NDArray[np.bool_] | None = None
    sirs: tuple[NDArray[Any], NDArray[Any]] | None = None
    irs2: Correction | None = None
    irs2_bad: tuple[NDArray[Any], NDArray[Any], NDArray[Any]] | None = None


def with_noise(references: References, nframes: int | None) -> References:
    """Add what jump and fit make of gain and readnoise.

    Parameters
    ----------
    references
        Of an exposure.
    nframes
        How many frames its groups average.

    Returns
    -------
    upramp.detector1.inputs.References
        The same, with ``noise2``, ``read_noise`` and ``gain_median``.
    """
    gain, readnoise = references.gain, references.readnoise
    if gain is None or readnoise is None:
        return references
    with np.errstate(all="ignore"):
        electrons = readnoise * gain
        np.square(electrons, out=electrons)
        return replace(
            references,
            noise2=electrons,
            read_noise=read_noise_of_a_read(readnoise, gain, int(nframes or 1)),
            gain_median=np.nanmedian(gain),
        )

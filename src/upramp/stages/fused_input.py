"""An exposure as the fused engine takes it: how it was read, and where its ramps come from."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import numpy as np

from upramp.detector1.decode import decode_tile
from upramp.detector1.inputs import Readout
from upramp.detector1.tiles import array_source

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from upramp.exposure import Exposure

    Source = Callable[[NDArray[Any], int, int], None]

__all__ = [
    "corrected_shape",
    "dark_current_of",
    "flag_source",
    "irs2_refused",
    "pixel_flags",
    "ramp_source",
    "readout_of",
    "zero_frame_of",
]


def readout_of(model: Any) -> Readout:
    """Say how an exposure was read.

    Parameters
    ----------
    model
        Its metadata, as a ``RampModel``.
    """
    meta = model.meta
    exposure, subarray = meta.exposure, meta.subarray
    times = model.int_times
    starts = None
    if times is not None and len(times):
        starts = np.asarray(times["int_start_MJD_UTC"], np.float64)
    # Looked for without asking for them, which would leave an empty list in the metadata.
    read_times = exposure.instance.get("read_times")
    return Readout(
        instrument=str(meta.instrument.name),
        detector=str(meta.instrument.detector),
        exp_type=str(exposure.type),
        subarray=str(subarray.name or ""),
        readpatt=str(exposure.readpatt or ""),
        nints=exposure.nints,
        ngroups=exposure.ngroups,
        nframes=exposure.nframes,
        groupgap=exposure.groupgap or 0,
        frame_divisor=exposure.frame_divisor,
        frame_time=exposure.frame_time,
        group_time=exposure.group_time,
        integration_time=exposure.integration_time,
        drop_frames1=exposure.drop_frames1,
        noutputs=exposure.noutputs,
        fastaxis=subarray.fastaxis or 1,
        slowaxis=subarray.slowaxis or 2,
        xstart=subarray.xstart or 1,
        ystart=subarray.ystart or 1,
        integration_start=exposure.integration_start,
        integration_end=exposure.integration_end,
        exposure_start=exposure.start_time,
        integration_starts=starts,
        zero_frame=bool(exposure.zero_frame),
        read_times=list(read_times) if read_times else None,
        nsamples=exposure.nsamples,
        nrs_normal=exposure.nrs_normal,
        nrs_reference=exposure.nrs_reference,
        multistripe=subarray.multistripe_reads1 is not None or bool(subarray.num_superstripe),
    )


def irs2_refused(exposure: Exposure) -> str | None:
    """Say why an exposure in IRS2 mode cannot be fused.

    Parameters
    ----------
    exposure
        The exposure.

    Returns
    -------
    str or None
        The reason; None if it can, or is not in that mode.
    """
    if "IRS2" not in (exposure.readpatt or ""):
        return None
    subarray, header = exposure.subarray, exposure.header
    pattern = header.whole("NRS_NORM"), header.whole("NRS_REF")
    sizes = *exposure.shape[-2:], subarray.ysize, subarray.xsize
    if pattern != (16, 4) or sizes != (3200, 2048, 2048, 2048):
        return "this layout of the read-out IRS2 is not among what is fused"
    if header.get("ZEROFRAM") or "ZEROFRAME" in exposure.arrays:
        return "the read-out IRS2 with a zero frame is not among what is fused"
    return None


def corrected_shape(exposure: Exposure) -> tuple[int, ...]:
    """Give the shape that ramps have in the end: without interleaved reference pixels.

    Parameters
    ----------
    exposure
        A ramp.
    """
    nints, ngroups, ny, nx = exposure.shape
    if "IRS2" in (exposure.readpatt or ""):
        ny = exposure.subarray.ysize or ny
    return nints, ngroups, ny, nx


def ramp_source(exposure: Exposure) -> Source:
    """Read ramps from the file, some rows at a time.

    Parameters
    ----------
    exposure
        A ramp.
    """
    hdu = exposure.hdu("SCI")
    nints, ngroups, ny, nx = hdu.shape
    if not (hdu.is_unsigned and hdu.dtype.itemsize == 2):

        def read(out: NDArray[Any], low: int, high: int) -> None:
            for integration in range(nints):
                exposure.read_rows(integration, slice(low, high), out=out[integration])

        return read
    room = threading.local()

    def decode(out: NDArray[Any], low: int, high: int) -> None:
        size = nints * ngroups * (high - low) * nx
        buffer = getattr(room, "buffer", None)
        if buffer is None or buffer.size < size:
            buffer = room.buffer = np.empty(size, np.uint16)
        stored = buffer[:size].reshape(nints * ngroups, (high - low) * nx)
        for plane in range(nints * ngroups):
            exposure.source.read_into(
                stored[plane].view(np.uint8).data, hdu.offset + 2 * nx * (plane * ny + low)
            )
        decode_tile(stored.reshape(out.shape), out)

    return decode


def flag_source(exposure: Exposure) -> Source | None:
    """Read the group flags that a file has, if it has any.

    Parameters
    ----------
    exposure
        A ramp.
    """
    return array_source(exposure.groupdq) if "GROUPDQ" in exposure.arrays else None


def pixel_flags(exposure: Exposure) -> NDArray[np.uint32]:
    """Give the pixel flags that a file has, or none set; an array of its own.

    Parameters
    ----------
    exposure
        A ramp.
    """
    if "PIXELDQ" in exposure.arrays:
        return exposure.pixeldq.astype(np.uint32)
    return np.zeros(exposure.shape[-2:], np.uint32)


def dark_current_of(exposure: Exposure) -> NDArray[np.float32] | None:
    """Give the average dark current that a corrected ramp may have; an array of its own.

    Parameters
    ----------
    exposure
        A ramp.
    """
    name = "AVDRKCUR"
    return np.array(exposure[name], np.float32) if name in exposure.arrays else None


def zero_frame_of(exposure: Exposure) -> NDArray[np.float32] | None:
    """Give the zero frames that a file has; an array of its own.

    Parameters
    ----------
    exposure
        A ramp.
    """
    return exposure.zeroframe.astype(np.float32) if "ZEROFRAME" in exposure.arrays else None

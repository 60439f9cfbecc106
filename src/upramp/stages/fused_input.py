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

__all__ = ["flag_source", "pixel_flags", "ramp_source", "readout_of", "zero_frame_of"]


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
    read_times = exposure.read_times
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
        multistripe=subarray.multistripe_reads1 is not None or bool(subarray.num_superstripe),
    )


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


def zero_frame_of(exposure: Exposure) -> NDArray[np.float32] | None:
    """Give the zero frames that a file has; an array of its own.

    Parameters
    ----------
    exposure
        A ramp.
    """
    return exposure.zeroframe.astype(np.float32) if "ZEROFRAME" in exposure.arrays else None

"""What a masker asks the engine: flags of a threshold, slopes with and without a mask.

The detector is done in strips, so that a slider that moves on need not wait for
an answer that nobody wants any more. Strips of the engine are bit for bit what
the whole is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from upramp.dq import GROUP

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from upramp.stages.kept import Kept

    Window = tuple[slice, slice]

__all__ = ["fitted", "hits", "strips"]

_STRIP: Final = 1 << 19
"""Pixels that are done before it is asked whether they are still wanted."""

_UNUSABLE: Final = np.uint8(GROUP["DO_NOT_USE"] | GROUP["SATURATED"])


def strips(ny: int, nx: int) -> Iterator[Window]:
    """Cut a detector into windows.

    Parameters
    ----------
    ny, nx
        Its rows and columns.
    """
    rows = max(_STRIP // nx, 1)
    for first in range(0, ny, rows):
        yield slice(first, min(first + rows, ny)), slice(0, nx)


def fitted(
    kept: Kept, window: Window, flags: NDArray[np.uint8] | None = None
) -> NDArray[np.float32]:
    """Give the slopes of a window as ``upramp calibrate`` would, with a saved mask or none.

    Parameters
    ----------
    kept
        The corrected ramp, with the parameters that it is calibrated with.
    window
        Rows and columns.
    flags
        (nints, ngroups, ny, nx), all flags of the mask; None for no mask.

    Returns
    -------
    ndarray
        (rows, columns) float32, DN/s.
    """
    from upramp.detector1.pipeline import Mask

    mask = None if flags is None else Mask(flags, replaces=True)
    refit = kept.ramp.refit(kept.parameters.steps, window, mask=mask, threads=kept.threads)
    slopes: NDArray[np.float32] = refit.rates.rate[0]
    return slopes


def hits(ramps: NDArray[np.float32], flags: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Give the group before which each ramp makes the step that is least like its others.

    Parameters
    ----------
    ramps
        (ngroups, pixels) DN.
    flags
        Of the same shape; saturated groups and those not to be used do not count.

    Returns
    -------
    ndarray
        (pixels,) groups, counted from 0; of a ramp with no step that counts,
        the second group, or the only one.
    """
    if len(ramps) < 2:
        return np.zeros(ramps.shape[1], np.int64)
    steps = np.diff(ramps.astype(np.float32, copy=False), axis=0)
    steps[((flags[1:] | flags[:-1]) & _UNUSABLE) != 0] = np.nan
    steps[~np.isfinite(steps)] = np.nan
    lost = np.isnan(steps).all(axis=0)
    steps[:, lost] = 0
    away = np.abs(steps - np.nanmedian(steps, axis=0))
    found: NDArray[np.int64] = np.nanargmax(away, axis=0) + 1
    return found

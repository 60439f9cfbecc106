"""A ramp in tiles of whole rows: read, decoded, and nothing kept.

Each group's rows are read with one call into a small buffer and decoded from
there while they are in the processor's cache, so that no array of the size of
the ramp exists and none is mapped.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from upramp.errors import InputError, UsageError

from .decode import decode
from .kinds import with_article

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import DTypeLike

    from .exposure import Exposure
    from .hdus import HDU

__all__ = ["iterate_tiles", "read_group", "read_rows"]

_OUTPUTS: Final = (np.dtype(np.float32), np.dtype(np.uint16))
_ROWS: Final = 64
"""Rows of a group that are decoded at once: they stay in the cache."""


def iterate_tiles(
    exposure: Exposure, rows: int, dtype: DTypeLike, *, reuse: bool
) -> Iterator[tuple[slice, int, np.ndarray[Any, Any]]]:
    """Go through a ramp in tiles; see `Exposure.tiles`.

    Parameters
    ----------
    exposure
        A ramp.
    rows
        Rows of a tile.
    dtype
        float32, or uint16 of level 1b.
    reuse
        Put every tile into the same memory.

    Yields
    ------
    tuple
        Rows, integration, (ngroups, rows, nx).

    Raises
    ------
    InputError
        If this is no ramp, or the file became shorter.
    UsageError
        If rows or dtype do not fit.
    """
    hdu = _ramp(exposure)
    nints, ngroups, ny, nx = hdu.shape
    if rows < 1:
        raise UsageError("rows", f"{rows} is no count of rows", "give 1 or more")
    wanted = _output(exposure, hdu, dtype)
    step = min(rows, ny)
    stored = np.empty((step, nx), hdu.dtype)
    shared = np.empty(ngroups * step * nx, wanted) if reuse else None
    for integration in range(nints):
        for start in range(0, ny, step):
            part = slice(start, min(start + step, ny))
            shape = (ngroups, part.stop - part.start, nx)
            if shared is None:
                tile = np.empty(shape, wanted)
            else:
                tile = shared[: shape[0] * shape[1] * shape[2]].reshape(shape)
            _fill(exposure, hdu, integration, part, (tile, stored))
            yield part, integration, tile


def read_rows(
    exposure: Exposure,
    integration: int,
    rows: slice,
    out: np.ndarray[Any, Any] | None = None,
    *,
    dtype: DTypeLike = np.float32,
) -> np.ndarray[Any, Any]:
    """Read some rows of all groups of an integration; see `Exposure.read_rows`.

    Parameters
    ----------
    exposure
        A ramp.
    integration
        Which, counted from 0.
    rows
        Which rows.
    out
        Where to put them.
    dtype
        Type of the array that is made.

    Returns
    -------
    numpy.ndarray
        (ngroups, rows, nx), in DN.

    Raises
    ------
    InputError
        If this is no ramp, or the file became shorter.
    UsageError
        If integration, rows, out or dtype do not fit.
    """
    hdu = _ramp(exposure)
    nints, ngroups, ny, nx = hdu.shape
    if not 0 <= integration < nints:
        raise UsageError("integration", f"there is no {integration}", f"give 0 to {nints - 1}")
    start, stop, step = rows.indices(ny)
    if step != 1 or stop <= start:
        raise UsageError("rows", f"{rows} selects no rows in one piece", f"give part of 0 to {ny}")
    shape = (ngroups, stop - start, nx)
    tile = np.empty(shape, _output(exposure, hdu, dtype)) if out is None else out
    _output(exposure, hdu, tile.dtype)
    if tile.shape != shape or not tile.flags.c_contiguous or not tile.flags.writeable:
        raise UsageError("out", f"it is not a writable contiguous {shape}", "give one that is")
    stored = np.empty((stop - start, nx), hdu.dtype)
    _fill(exposure, hdu, integration, slice(start, stop), (tile, stored))
    return tile


def read_group(
    exposure: Exposure, integration: int, group: int, *, dtype: DTypeLike = np.float32
) -> np.ndarray[Any, Any]:
    """Read one group; see `Exposure.read_group`.

    Parameters
    ----------
    exposure
        A ramp.
    integration, group
        Which, counted from 0.
    dtype
        Type of the array that is made.

    Returns
    -------
    numpy.ndarray
        (ny, nx), in DN.

    Raises
    ------
    InputError
        If this is no ramp, or the file became shorter.
    UsageError
        If integration, group or dtype do not fit.
    """
    hdu = _ramp(exposure)
    nints, ngroups, ny, nx = hdu.shape
    for name, value, count in (("integration", integration, nints), ("group", group, ngroups)):
        if not 0 <= value < count:
            raise UsageError(name, f"there is no {value}", f"give 0 to {count - 1}")
    image = np.empty((ny, nx), _output(exposure, hdu, dtype))
    stored = np.empty((min(ny, _ROWS), nx), hdu.dtype)
    for start in range(0, ny, _ROWS):
        part = stored[: min(_ROWS, ny - start)]
        first = ((integration * ngroups + group) * ny + start) * nx
        exposure.source.read_into(
            part.reshape(-1).view(np.uint8).data, hdu.offset + first * hdu.dtype.itemsize
        )
        decode(hdu, part, image[start : start + len(part)])
    return image


def _ramp(exposure: Exposure) -> HDU:
    if not exposure.is_ramp:
        raise InputError(
            exposure.path,
            f"it is {with_article(exposure.kind)} product, not a ramp",
            "give a level-1b or ramp file",
        )
    return exposure.hdu("SCI")


def _output(exposure: Exposure, hdu: HDU, dtype: DTypeLike) -> np.dtype[Any]:
    wanted = np.dtype(dtype)
    if wanted not in _OUTPUTS or not wanted.isnative:
        raise UsageError("dtype", f"tiles cannot be {wanted}", "choose float32 or uint16")
    if wanted == np.uint16 and not (hdu.is_unsigned and hdu.dtype.itemsize == 2):
        raise UsageError("dtype", f"{exposure.path.name} does not hold uint16", "choose float32")
    return wanted


def _fill(
    exposure: Exposure,
    hdu: HDU,
    integration: int,
    rows: slice,
    buffers: tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]],
) -> None:
    tile, stored = buffers
    _, ngroups, ny, nx = hdu.shape
    buffer = stored[: rows.stop - rows.start]
    raw = buffer.reshape(-1).view(np.uint8).data
    for group in range(ngroups):
        first = ((integration * ngroups + group) * ny + rows.start) * nx
        exposure.source.read_into(raw, hdu.offset + first * hdu.dtype.itemsize)
        decode(hdu, buffer, tile[group])

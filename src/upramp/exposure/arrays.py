"""Arrays and tables of a file, read when asked for."""

from __future__ import annotations

import io
import warnings
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from astropy.io import fits
from astropy.utils.exceptions import AstropyWarning

from .hdus import BLOCK, HDU, keyword, parse_header

if TYPE_CHECKING:
    from .source import Source

__all__ = ["read_array", "read_table", "stored_array"]

_DOWNLOAD_AGAIN: Final = "download or copy it again"
_MAX_COLUMNS: Final = 999
"""Of a table, by the FITS standard."""
_CHUNK: Final = 1 << 20


def stored_array(source: Source, hdu: HDU) -> np.ndarray[Any, Any]:
    """Array as it is stored: big-endian, before BZERO, mapped and read-only.

    Parameters
    ----------
    source
        The file.
    hdu
        An image.

    Returns
    -------
    numpy.ndarray
        A view of the file; pages load when touched.
    """
    if hdu.size == 0:
        empty = np.empty(hdu.shape, hdu.dtype)
        empty.flags.writeable = False
        return empty
    return np.ndarray(hdu.shape, hdu.dtype, buffer=source.mapped(), offset=hdu.offset)


def read_array(source: Source, hdu: HDU) -> np.ndarray[Any, Any]:
    """Array of an image, read-only; a copy only where values are not stored as they are.

    Parameters
    ----------
    source
        The file.
    hdu
        An image.

    Returns
    -------
    numpy.ndarray
        Plain values: a big-endian view of the file. Unsigned integers: native.
        Other BZERO and BSCALE: float32 for integers up to 16 bits, else
        float64, with NaN where BLANK says so.

    Raises
    ------
    InputError
        If there is not memory enough.
    """
    stored = stored_array(source, hdu)
    if hdu.is_plain:
        return stored
    try:
        values = _unsigned(stored) if hdu.is_unsigned else _scaled(source, hdu, stored)
    except MemoryError:
        source.fail(f"its {hdu.label} does not fit into memory", "read it in tiles")
    values.flags.writeable = False
    return values


def read_table(source: Source, hdu: HDU) -> fits.FITS_rec:
    """Rows of a binary table.

    Parameters
    ----------
    source
        The file.
    hdu
        A binary table.

    Returns
    -------
    astropy.io.fits.FITS_rec
        A record array, in memory of its own.

    Raises
    ------
    InputError
        If its columns are damaged.
    """
    if hdu.type != "BINTABLE" or len(hdu.shape) != 2:
        source.fail(f"its {hdu.label} is no binary table", "ask for one of its tables")
    fields = keyword(source, parse_header(source, hdu.raw), "TFIELDS")
    # astropy would make room for as many columns as are declared.
    if not isinstance(fields, int) or not 0 <= fields <= _MAX_COLUMNS:
        source.fail(f"the columns of its table {hdu.label} are damaged", _DOWNLOAD_AGAIN)
    content = io.BytesIO(hdu.raw + source.read(hdu.offset, -(-hdu.size // BLOCK) * BLOCK))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", AstropyWarning)
            table = fits.BinTableHDU.readfrom(content)
            width = table.columns.dtype.itemsize
            # Before the rows are touched: a damaged TFORM can ask for any memory.
            if width == hdu.shape[1]:
                return table.data
    except Exception:  # noqa: BLE001 - astropy raises many kinds on damaged columns
        source.fail(f"the columns of its table {hdu.label} are damaged", _DOWNLOAD_AGAIN)
    return source.fail(
        f"the columns of its table {hdu.label} take {width} bytes where its rows have"
        f" {hdu.shape[1]}",
        _DOWNLOAD_AGAIN,
    )


def _unsigned(stored: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    bits = 8 * stored.dtype.itemsize
    values = np.empty(stored.shape, f"u{stored.dtype.itemsize}")
    np.copyto(values.view(f"i{stored.dtype.itemsize}"), stored)
    # Adding half the range to a two's-complement number flips its top bit.
    values ^= values.dtype.type(1 << (bits - 1))
    return values


def _scaled(source: Source, hdu: HDU, stored: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    small = hdu.dtype.itemsize <= 2 or hdu.dtype == np.dtype(">f4")
    values = np.empty(stored.shape, np.float32 if small else np.float64)
    flat, target = stored.reshape(-1), values.reshape(-1)
    blank = keyword(source, parse_header(source, hdu.raw), "BLANK")
    for start in range(0, flat.size, _CHUNK):
        piece = slice(start, start + _CHUNK)
        target[piece] = flat[piece] * hdu.bscale + hdu.bzero
        if isinstance(blank, int) and hdu.dtype.kind in "iu":
            target[piece][flat[piece] == blank] = np.nan
    return values

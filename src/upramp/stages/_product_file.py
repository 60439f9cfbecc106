"""A product as a comparison needs it: parts by name, nothing read until looked at."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from upramp.exposure.hdus import keyword, parse_header, scan
from upramp.exposure.source import open_source

from ._stored_array import StoredArray

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator

    from astropy.io import fits

    from upramp.exposure.hdus import HDU
    from upramp.exposure.source import Source

__all__ = ["ProductFile"]

_SUFFIX = re.compile(
    "uncal|ramp|rate|rateints|dark|cal|calints|bsub|bsubints|crf|crfints|i2d|s2d|s3d|x1d|x1dints|"
    "c1d|segm|cat|whtlt|phot|ami-oi|psfstack|psfalign|psfsub|fitopt"
)
"""Endings of product names that tell kinds apart; others (a user's own) tell nothing."""

_DAMAGED = "download or copy it again"


@dataclass(frozen=True)
class ProductFile:
    """A checked FITS file, its parts by name.

    Parameters
    ----------
    path
        As the user gave it.
    source
        Its plain bytes.
    hdus
        Its parts by a label that is unique: EXTNAME, with EXTVER after a
        comma where that is not 1.
    """

    path: Path
    source: Source
    hdus: dict[str, HDU]

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> ProductFile:
        """Open and check a file; only headers are read.

        Parameters
        ----------
        path
            FITS, plain or gzip, whatever its name says.

        Raises
        ------
        InputError
            If it is not FITS, is cut short or damaged.
        """
        source = open_source(path)
        try:
            hdus: dict[str, HDU] = {}
            for hdu in scan(source):
                hdus[_unused(hdu.label if hdu.name else f"HDU {hdu.index}", hdus)] = hdu
        except BaseException:
            source.close()
            raise
        return cls(Path(path), source, hdus)

    def close(self) -> None:
        """Close the file."""
        self.source.close()

    def header(self, hdu: HDU) -> fits.Header:
        """Parse the header of one part."""
        return parse_header(self.source, hdu.raw)

    @property
    def model(self) -> str | None:
        """Name of the data model that wrote it, as its DATAMODL says."""
        value = keyword(self.source, self.header(self.hdus["PRIMARY"]), "DATAMODL")
        return value if isinstance(value, str) else None

    @property
    def suffix(self) -> str | None:
        """Kind of product by the mission's naming: rate, cal, ...; None for another name.

        The name written inside comes first, since files are renamed.
        """
        written = keyword(self.source, self.header(self.hdus["PRIMARY"]), "FILENAME")
        for name in (written, self.path.name):
            if isinstance(name, str):
                ending = Path(name).name.split(".")[0].rpartition("_")[2]
                if _SUFFIX.fullmatch(ending):
                    return ending
        return None

    def array(self, hdu: HDU) -> StoredArray:
        """Look at an image, without reading it.

        Parameters
        ----------
        hdu
            An image, or any part that is no binary table: then its bytes.
        """
        dtype = hdu.dtype if hdu.type == "IMAGE" else np.dtype(np.uint8)
        shape = hdu.shape if hdu.type == "IMAGE" else (hdu.size,)
        # Without axes there is no array, though an empty product says one value.
        count = int(np.prod(shape, dtype=np.int64)) if shape else 0
        blank = keyword(self.source, self.header(hdu), "BLANK")
        return StoredArray(
            self._look(dtype, count, hdu.offset),
            shape,
            hdu.bzero,
            hdu.bscale,
            blank if isinstance(blank, int) else None,
        )

    def content(self, hdu: HDU) -> memoryview:
        """Bytes of the data of one part, uncopied."""
        return memoryview(self.source.mapped())[hdu.offset : hdu.offset + hdu.size]

    def columns(self, hdu: HDU) -> dict[str, StoredArray]:
        """Look at the columns of a binary table.

        Cells of varying length appear as a text that tells size and SHA-256.

        Parameters
        ----------
        hdu
            A part of type BINTABLE.

        Raises
        ------
        InputError
            If the header's description of the rows does not fit their size.
        """
        from astropy.io import fits

        try:
            columns = fits.BinTableHDU.fromstring(hdu.raw).columns
            record = columns.dtype.newbyteorder(">")
            names = columns.names
        except Exception as error:  # noqa: BLE001 - astropy raises many kinds on damaged headers
            self.source.fail(
                f"the columns of {hdu.label} cannot be understood ({error})", _DAMAGED
            )
        if len(hdu.shape) != 2 or record.itemsize != hdu.shape[1]:
            self.source.fail(f"the columns of {hdu.label} do not fill its rows", _DAMAGED)
        rows = hdu.shape[0] if record.itemsize else 0
        table = self._look(record, rows, hdu.offset)
        return {
            name: self._column(hdu, columns[place], table[field], rows)
            for place, (name, field) in enumerate(zip(names, record.names or (), strict=True))
        }

    def _look(self, dtype: np.dtype[Any], count: int, offset: int) -> np.ndarray[Any, Any]:
        if not count:
            return np.empty(0, dtype)
        return np.frombuffer(self.source.mapped(), dtype, count, offset)

    def _column(
        self, hdu: HDU, column: Any, cells: np.ndarray[Any, Any], rows: int
    ) -> StoredArray:
        code = str(column.format).lstrip("0123456789")[:1]
        if code in "PQ":
            texts = np.array(list(self._heap_cells(hdu, column, cells)), dtype="S")
            return StoredArray(texts, (rows,))
        if code == "L":
            cells = cells.view("S1")
        if cells.dtype.kind == "c":
            part = np.dtype(f">f{cells.dtype.itemsize // 2}")
            cells = np.ascontiguousarray(cells)[..., np.newaxis].view(part)
        # A column is strided in its rows: this copies it, and it alone.
        return StoredArray(cells.reshape(-1), cells.shape, column.bzero or 0, column.bscale or 1)

    def _heap_cells(self, hdu: HDU, column: Any, cells: np.ndarray[Any, Any]) -> Iterator[str]:
        declared = keyword(self.source, self.header(hdu), "THEAP")
        heap = declared if isinstance(declared, int) else hdu.shape[0] * hdu.shape[1]
        element = str(column.format).lstrip("0123456789")[1:2]
        width = {"I": 2, "J": 4, "E": 4, "K": 8, "D": 8, "C": 8, "M": 16}.get(element, 1)
        content = self.content(hdu)
        for count, start in cells.reshape(-1, 2).tolist():
            size = -(-count // 8) if element == "X" else count * width
            if count < 0 or start < 0 or heap < 0 or heap + start + size > hdu.size:
                self.source.fail(f"a cell of {hdu.label} lies outside the file", _DAMAGED)
            digest = hashlib.sha256(content[heap + start : heap + start + size]).hexdigest()
            yield f"{count} elements, SHA-256 {digest}"


def _unused(label: str, taken: dict[str, Any]) -> str:
    number = 2
    unique = label
    while unique in taken:
        unique, number = f"{label} (no. {number})", number + 1
    return unique

"""An exposure: a JWST product on disk, read as far as it is asked."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from upramp.errors import InputError

from .arrays import read_array, read_table
from .hdus import HDU, scan
from .header_values import HeaderValues, Subarray
from .inference import infer
from .keywords import Inferred, Keywords
from .kinds import RAMPS, check_layout, kind_of
from .requirements import check_calibratable
from .source import DECOMPRESSED_LIMIT, Source, open_source
from .tiles import iterate_tiles, read_group, read_rows

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator, Mapping
    from pathlib import Path
    from types import TracebackType

    from numpy.typing import DTypeLike

__all__ = ["Exposure", "Subarray", "open_exposure"]


def open_exposure(
    path: str | os.PathLike[str], *, decompressed_limit: int = DECOMPRESSED_LIMIT
) -> Exposure:
    """Open a JWST product, of any instrument and level, plain or gzip.

    Only headers are read. A gzip stream, told by its first bytes and not by
    the name, is decompressed into a nameless temporary file.

    Parameters
    ----------
    path
        The file.
    decompressed_limit
        Bytes that a gzip stream may grow to.

    Returns
    -------
    Exposure
        The product. A FITS file that is no JWST product opens too; its kind
        says so.

    Raises
    ------
    InputError
        If the file cannot be read or understood: it is missing, no FITS, cut
        short anywhere, damaged, or misshapen for the kind of product it is.
    """
    source = open_source(path, decompressed_limit=decompressed_limit)
    try:
        return Exposure(source)
    except BaseException:
        source.close()
        raise


class Exposure(HeaderValues):
    """A JWST product on disk, whose arrays are read when they are asked for.

    Arrays are read-only. Those stored as they are (float32, uint8) are views
    of the file; unsigned 16-bit and 32-bit integers are decoded on access.
    Made by `open_exposure`; usable as a context manager.

    Parameters
    ----------
    source
        The plain bytes of the file, which this object closes.

    Attributes
    ----------
    path : Path
        The file.
    hdus : tuple of HDU
        Its parts, in order.
    header : Keywords
        Keywords of the primary and the SCI header, inferred ones included.
    inferred : dict
        Keyword to `Inferred`: what was filled in because a raw exposure
        without the mission's metadata lacks it. Nothing else is ever filled.
    kind : str
        "uncal", "ramp", "rate", "rateints", "cal", "i2d" and the archive's
        other suffixes, "guider-uncal", "guider-cal", "reference", or "image",
        "table", "empty" for FITS files that are no JWST product.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self._alive: weakref.WeakValueDictionary[int, Any] = weakref.WeakValueDictionary()
        self.path: Path = source.path
        self.hdus: tuple[HDU, ...] = scan(source)
        science = [hdu for hdu in self.hdus if hdu.name == "SCI"][:1]
        self.header = Keywords(source, (self.hdus[0], *science))
        self.kind: str = kind_of(source.path, self.hdus, self.header)
        if self.kind == "uncal" and "DATAMODL" not in self.header and not self.has_asdf:
            self.header.inferred = infer(self.header, self.hdus)
        check_layout(source, self.kind, self.hdus)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Exposure {self.path.name}: {self.kind} {self.shape or 'without SCI'}>"

    def close(self) -> None:
        """Close the file; arrays that were given out stay valid."""
        self._source.close()

    # ---- what it is -------------------------------------------------------

    @property
    def source(self) -> Source:
        """The plain bytes of the file."""
        return self._source

    @property
    def inferred(self) -> Mapping[str, Inferred]:
        """Keywords that were filled in, each with its reason."""
        return self.header.inferred

    @property
    def has_asdf(self) -> bool:
        """Whether the ASDF extension with the mission's metadata is there."""
        return any(hdu.name == "ASDF" for hdu in self.hdus)

    @property
    def is_ramp(self) -> bool:
        """Whether SCI is (nints, ngroups, ny, nx)."""
        return self.kind in RAMPS

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of SCI: (nints, ngroups, ny, nx) for ramps; () where there is none."""
        return next((hdu.shape for hdu in self.hdus if hdu.name == "SCI"), ())

    @property
    def arrays(self) -> tuple[str, ...]:
        """Names of the arrays, as ``exposure[name]`` takes them."""
        return tuple(hdu.label for hdu in self.hdus if hdu.is_image and hdu.name != "ASDF")

    @property
    def tables(self) -> tuple[str, ...]:
        """Names of the tables, as ``exposure[name]`` takes them."""
        return tuple(
            hdu.label for hdu in self.hdus if hdu.type == "BINTABLE" and hdu.name != "ASDF"
        )

    # ---- arrays -----------------------------------------------------------

    def hdu(self, name: str | int | tuple[str, int]) -> HDU:
        """Find a part of the file.

        Parameters
        ----------
        name
            EXTNAME, "EXTNAME,EXTVER", (EXTNAME, EXTVER) or the position.

        Raises
        ------
        InputError
            If there is no such part.
        """
        wanted = f"{name[0]},{name[1]}" if isinstance(name, tuple) else str(name)
        wanted = wanted.strip().upper().removesuffix(",1")
        for hdu in self.hdus:
            if wanted in (hdu.label, str(hdu.index)):
                return hdu
        there = ", ".join((*self.arrays, *self.tables)) or "nothing"
        raise InputError(self.path, f"it has no array {wanted}", f"it holds {there}")

    def __getitem__(self, name: str | int | tuple[str, int]) -> Any:
        """Read an array or a table.

        Parameters
        ----------
        name
            EXTNAME, "EXTNAME,EXTVER", (EXTNAME, EXTVER) or the position.

        Returns
        -------
        numpy.ndarray or astropy.io.fits.FITS_rec
            The array, read-only, or the rows of the table.

        Raises
        ------
        InputError
            If there is none of this name, or it is damaged.
        """
        hdu = self.hdu(name)
        if hdu.type == "BINTABLE":
            return read_table(self._source, hdu)
        if not hdu.is_image:
            raise InputError(self.path, f"its {hdu.label} holds no array", "ask for another")
        # As long as someone holds a decoded array it is not decoded again.
        array = self._alive.get(hdu.index)
        if array is None:
            array = self._alive[hdu.index] = read_array(self._source, hdu)
        return array

    def __contains__(self, name: object) -> bool:
        return name in self.arrays or name in self.tables

    @property
    def data(self) -> np.ndarray[Any, Any]:
        """SCI."""
        return self._array("SCI")

    @property
    def err(self) -> np.ndarray[Any, Any]:
        """ERR."""
        return self._array("ERR")

    @property
    def dq(self) -> np.ndarray[Any, Any]:
        """DQ, uint32."""
        return self._array("DQ")

    @property
    def groupdq(self) -> np.ndarray[Any, Any]:
        """GROUPDQ, uint8, (nints, ngroups, ny, nx)."""
        return self._array("GROUPDQ")

    @property
    def pixeldq(self) -> np.ndarray[Any, Any]:
        """PIXELDQ, uint32, (ny, nx)."""
        return self._array("PIXELDQ")

    @property
    def refout(self) -> np.ndarray[Any, Any]:
        """REFOUT: MIRI's reference output, (nints, ngroups, ny, nx / 4)."""
        return self._array("REFOUT")

    @property
    def zeroframe(self) -> np.ndarray[Any, Any]:
        """ZEROFRAME: first frames, (nints, ny, nx)."""
        return self._array("ZEROFRAME")

    def _array(self, name: str) -> np.ndarray[Any, Any]:
        array: np.ndarray[Any, Any] = self[name]
        return array

    # ---- the fast way through a ramp --------------------------------------

    def read_rows(
        self,
        integration: int,
        rows: slice,
        out: np.ndarray[Any, Any] | None = None,
        *,
        dtype: DTypeLike = np.float32,
    ) -> np.ndarray[Any, Any]:
        """Read some rows of all groups of an integration.

        Parameters
        ----------
        integration
            Which, counted from 0.
        rows
            Which rows, without a step.
        out
            Where to put them: (ngroups, rows, nx), contiguous; None makes one.
        dtype
            Type of the array that is made: float32, or uint16 of level 1b.

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
        return read_rows(self, integration, rows, out, dtype=dtype)

    def read_group(
        self, integration: int, group: int, *, dtype: DTypeLike = np.float32
    ) -> np.ndarray[Any, Any]:
        """Read one group of one integration.

        Parameters
        ----------
        integration, group
            Which, counted from 0.
        dtype
            Type of the array that is made: float32, or uint16 of level 1b.

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
        return read_group(self, integration, group, dtype=dtype)

    def tiles(
        self, rows: int = 64, dtype: DTypeLike = np.float32, *, reuse: bool = False
    ) -> Iterator[tuple[slice, int, np.ndarray[Any, Any]]]:
        """Go through a ramp in tiles of whole rows, in the order of the file.

        Parameters
        ----------
        rows
            Rows of a tile; the last one of an integration may have fewer.
        dtype
            float32, or uint16 of level 1b.
        reuse
            Put every tile into the same memory: fastest, for those who are
            done with a tile before they ask for the next.

        Yields
        ------
        slice
            The rows.
        int
            The integration, counted from 0.
        numpy.ndarray
            (ngroups, rows, nx), in DN.

        Raises
        ------
        InputError
            If this is no ramp, or the file became shorter.
        UsageError
            If rows or dtype do not fit.
        """
        return iterate_tiles(self, rows, dtype, reuse=reuse)

    # ---- calibration ------------------------------------------------------

    def require_calibratable(self, stage: int = 1) -> None:
        """Refuse what a stage would choke on or silently miscalibrate.

        Parameters
        ----------
        stage
            1, 2 or 3.

        Raises
        ------
        InputError
            If it is the wrong kind of product, was cut short of its metadata,
            contradicts itself or lacks a keyword that the stage needs.
        UsageError
            If there is no such stage.
        """
        check_calibratable(self, stage)

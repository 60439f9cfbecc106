"""Calibration references as plain arrays and keywords, checked as they are read.

A reference is a few named arrays or tables and some keywords. They are read
here with astropy alone, into little-endian or big-endian as the machine has
it, once; what a correction then does with them is its own affair.
"""

from __future__ import annotations

import errno
import math
import re
import textwrap
import warnings
import zlib
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from upramp.errors import InputError, ReferenceFileError

from .coverage import Subarray, require_cover
from .hashing import sha256_of

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from .coverage import Window

__all__ = ["REQUIRED_ARRAYS", "Reference", "check_reference", "load_reference"]

REQUIRED_ARRAYS: Final[Mapping[str, Mapping[str, tuple[int, ...]]]] = MappingProxyType(
    {
        "dark": {"SCI": (3, 4), "DQ": (2, 3, 4)},
        "flat": {"SCI": (2, 3), "DQ": (2, 3)},
        "gain": {"SCI": (2,)},
        "ipc": {"SCI": (2, 4)},
        "linearity": {"COEFFS": (3,), "DQ": (2,)},
        "mask": {"DQ": (2,)},
        "readnoise": {"SCI": (2,)},
        "reset": {"SCI": (3, 4), "DQ": (2, 3, 4)},
        "rscd": {},
        "saturation": {"SCI": (2,), "DQ": (2,)},
        "superbias": {"SCI": (2,), "DQ": (2,)},
    }
)
"""The arrays of each FITS type, by EXTNAME, and how many dimensions each may have."""

_REQUIRED_TABLES: Final[Mapping[str, str]] = MappingProxyType({"refpix": "IRS2"})
"""The table that a FITS type must have, by EXTNAME."""

_REMEDY: Final = "sync the CRDS cache again, or give another file as `override_{}`"
_UNREADABLE: Final = (
    OSError,
    EOFError,
    ValueError,
    TypeError,
    LookupError,
    MemoryError,
    zlib.error,
)
"""What astropy raises for one kind of damage or another."""
_PIECE: Final = 1 << 18
"""Numbers that are read at once."""
_SIGNS_OF_A_CUT: Final = ("truncated", "Error validating header", "Unexpected extra padding")


@dataclass(frozen=True, eq=False)
class Reference:
    """A calibration reference, parsed; its arrays are read-only.

    Parameters
    ----------
    reftype
        Its type, in lower case.
    path
        The file it was read from.
    sha256
        The hash of the file's bytes.
    keywords
        Keywords of the primary header, then of the first extension.
    arrays
        Image extensions by EXTNAME: float32, or the integer type of the file,
        in the machine's byte order.
    tables
        Table extensions by EXTNAME, as structured arrays.
    """

    reftype: str
    path: Path
    sha256: str
    keywords: Mapping[str, Any]
    arrays: Mapping[str, NDArray[Any]]
    tables: Mapping[str, NDArray[Any]]

    @property
    def nbytes(self) -> int:
        """What the arrays take, in bytes."""
        return sum(a.nbytes for group in (self.arrays, self.tables) for a in group.values())

    @property
    def subarray(self) -> Subarray:
        """The part of the detector that the reference covers.

        Without the keywords, the whole of it: the shape of the first array.
        """
        ny, nx = next(iter(self.arrays.values())).shape[-2:]
        return Subarray(
            xstart=int(self.keywords.get("SUBSTRT1", 1)),
            ystart=int(self.keywords.get("SUBSTRT2", 1)),
            xsize=int(self.keywords.get("SUBSIZE1", nx)),
            ysize=int(self.keywords.get("SUBSIZE2", ny)),
        )

    def cut(self, name: str, subarray: Subarray) -> NDArray[Any]:
        """Give the part of an array that a subarray needs, as a view.

        Parameters
        ----------
        name
            The array's EXTNAME.
        subarray
            Where the exposure lies on the detector.

        Returns
        -------
        ndarray
            Shape ``(..., ysize, xsize)``; shares memory with the reference.

        Raises
        ------
        ReferenceFileError
            If the reference has no such array or does not cover the subarray.
        """
        if name not in self.arrays:
            raise ReferenceFileError(
                self.path, f"it has no array {name}", _REMEDY.format(self.reftype)
            )
        array = self.arrays[name]
        own = self.subarray
        x = subarray.xstart - own.xstart
        y = subarray.ystart - own.ystart
        ny, nx = array.shape[-2:]
        if x < 0 or y < 0 or x + subarray.xsize > nx or y + subarray.ysize > ny:
            raise ReferenceFileError(
                self.path,
                f"its {nx} x {ny} pixels from ({own.xstart}, {own.ystart}) do not cover the "
                f"exposure's {subarray.xsize} x {subarray.ysize} from "
                f"({subarray.xstart}, {subarray.ystart})",
                _REMEDY.format(self.reftype),
            )
        return array[..., y : y + subarray.ysize, x : x + subarray.xsize]


class _Image:
    """An image of an open file, read piece by piece.

    Astropy keeps all of what it scales, and its copy in the file's byte order beside it.
    """

    def __init__(self, hdu: Any) -> None:
        self.shape: tuple[int, ...] = hdu.shape
        self._hdu = hdu

    def _pieces(self) -> Iterator[tuple[slice, NDArray[Any]]]:
        rest = max(1, math.prod(self.shape[1:]))
        step = max(1, _PIECE // rest)
        for start in range(0, self.shape[0], step):
            part = slice(start, min(start + step, self.shape[0]))
            yield part, np.asarray(self._hdu.section[part])

    def has_number(self) -> bool:
        """Whether not all of it is NaN."""
        header = self._hdu.header
        if header.get("BITPIX", 0) > 0 and "BLANK" not in header:
            return True
        return any(_Array(piece).has_number() for _, piece in self._pieces())

    def read(self) -> NDArray[Any]:
        """Give all of it in memory: floats as float32, and in the machine's byte order."""
        native: NDArray[Any] | None = None
        for part, piece in self._pieces():
            if native is None:
                is_float = piece.dtype.kind == "f"
                kind = np.float32 if is_float else piece.dtype.newbyteorder("=")
                native = np.empty(self.shape, kind)
            native[part] = piece
        if native is None:
            native = np.empty(self.shape, np.float32)
        native.flags.writeable = False
        return native


class _Array:
    """An array in memory."""

    def __init__(self, array: NDArray[Any]) -> None:
        self.shape = array.shape
        self._array = array

    def has_number(self) -> bool:
        """Whether not all of it is NaN."""
        if self._array.dtype.kind != "f":
            return True
        flat = self._array.reshape(-1)
        return any(
            bool(np.isfinite(flat[start : start + _PIECE]).any())
            for start in range(0, flat.size, _PIECE)
        )


def load_reference(path: str | os.PathLike[str], reftype: str) -> Reference:
    """Read a FITS reference into plain arrays.

    Parameters
    ----------
    path
        The file.
    reftype
        Its type, as CRDS calls it.

    Raises
    ------
    ReferenceFileError
        If the file is missing, cut short, no FITS file, lacks an array that
        its type has, has one of a wrong shape, or one that is all NaN.
    """
    file = Path(path)
    reftype = reftype.lower()
    arrays: dict[str, NDArray[Any]] = {}
    tables: dict[str, NDArray[Any]] = {}
    keywords: dict[str, Any] = {}
    with _opened(file, reftype) as hdus:
        for hdu in hdus:
            for key, value in hdu.header.items():
                keywords.setdefault(key, value)
            if hdu.name == "ASDF":
                continue
            if hdu.is_image and hdu.header["NAXIS"]:
                arrays[hdu.name] = _Image(hdu).read()
            elif not hdu.is_image and hdu.data is not None:
                tables[hdu.name] = _table(hdu.data)
        _check({name: _Array(array) for name, array in arrays.items()}, file, reftype)
    return Reference(
        reftype=reftype,
        path=file,
        sha256=_hash(file),
        keywords=MappingProxyType(keywords),
        arrays=MappingProxyType(arrays),
        tables=MappingProxyType(tables),
    )


def check_reference(
    path: str | os.PathLike[str], reftype: str, window: Window | None = None
) -> None:
    """Check a reference without reading all of it.

    Headers, sizes and shapes are checked, and of each required array as much
    is read as it takes to find a number: one row of a good one.

    Parameters
    ----------
    path
        The file, FITS or ASDF.
    reftype
        Its type, as CRDS calls it.
    window
        The exposure's part of the detector, which the reference must cover;
        None where that is not known.

    Raises
    ------
    ReferenceFileError
        As for `load_reference`, or if it does not cover the window.
    """
    file = Path(path)
    reftype = reftype.lower()
    if file.suffix.lower() in {".asdf", ".json"}:
        _check_other(file, reftype)
        return
    with _opened(file, reftype) as hdus:
        arrays = {hdu.name: _Image(hdu) for hdu in hdus if hdu.is_image and hdu.header["NAXIS"]}
        _check(arrays, file, reftype)
        _check_tables([hdu for hdu in hdus if not hdu.is_image], file, reftype)
        if window is not None:
            shapes = {name: arrays[name].shape for name in REQUIRED_ARRAYS.get(reftype, {})}
            require_cover(file, reftype, shapes, hdus[0].header, window)


def _require_memory(error: Exception) -> None:
    """Not blame a file for what the machine lacks."""
    if isinstance(error, MemoryError) or getattr(error, "errno", None) == errno.ENOMEM:
        raise MemoryError from error


@contextmanager
def _opened(file: Path, reftype: str) -> Iterator[Any]:
    """Open a FITS file that is whole, for as long as the block lasts."""
    from astropy.io import fits

    def failed(problem: str) -> ReferenceFileError:
        return ReferenceFileError(
            file, f"{problem}, and it is the {reftype} reference", _remedy(reftype)
        )

    try:
        # A file cut short is only warned of, so the warnings are looked at.
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            hdus = fits.open(file, lazy_load_hdus=False)
    except FileNotFoundError as error:
        raise failed("this reference file is missing") from error
    except _UNREADABLE as error:
        _require_memory(error)
        raise failed(f"it cannot be read as a FITS file ({_first(error)})") from error
    with hdus:
        if any(sign in str(w.message) for w in caught for sign in _SIGNS_OF_A_CUT):
            raise failed(f"it is cut short or damaged ({_first(caught[0].message)})")
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                yield hdus
        except _UNREADABLE as error:
            _require_memory(error)
            raise failed(f"its data cannot be read ({_first(error)})") from error


def _check(arrays: Mapping[str, _Array | _Image], file: Path, reftype: str) -> None:
    for name, dimensions in REQUIRED_ARRAYS.get(reftype, {}).items():
        array = arrays.get(name)
        if array is None:
            problem = f"it has no array {name}, which a {reftype} reference must have"
        elif len(array.shape) not in dimensions:
            wanted = " or ".join(map(str, dimensions))
            problem = f"its array {name} has {len(array.shape)} dimensions instead of {wanted}"
        elif 0 in array.shape:
            problem = f"its array {name} is empty"
        elif not array.has_number():
            problem = f"its array {name} holds nothing but NaN"
        else:
            continue
        raise ReferenceFileError(file, problem, _remedy(reftype))


def _check_tables(tables: list[Any], file: Path, reftype: str) -> None:
    wanted = _REQUIRED_TABLES.get(reftype)
    if wanted is None:
        return
    if not any(hdu.name == wanted and hdu.header["NAXIS2"] for hdu in tables):
        raise ReferenceFileError(
            file,
            f"it has no rows in a table {wanted}, which a {reftype} reference must have",
            _remedy(reftype),
        )


def _check_other(file: Path, reftype: str) -> None:
    import asdf

    try:
        if file.suffix.lower() == ".json":
            import json

            json.loads(file.read_bytes())
            return
        with warnings.catch_warnings(), asdf.open(file, lazy_load=True) as tree:
            warnings.simplefilter("ignore")
            keys = set(tree.tree)
            missing = _missing(tree.tree, reftype)
    except FileNotFoundError as error:
        raise ReferenceFileError(
            file, f"this {reftype} reference file is missing", _remedy(reftype)
        ) from error
    except Exception as error:
        # asdf and yaml have no common base for what a damaged file raises.
        raise ReferenceFileError(
            file,
            f"this {reftype} reference cannot be read as ASDF ({_first(error)})",
            _remedy(reftype),
        ) from error
    if not keys:
        raise ReferenceFileError(file, f"this {reftype} reference is empty", _remedy(reftype))
    if missing is not None:
        raise ReferenceFileError(
            file, f"this {reftype} reference holds no {missing}", _remedy(reftype)
        )


def _missing(tree: Mapping[str, Any], reftype: str) -> str | None:
    """Name what an ASDF reference must hold and does not."""
    if reftype == "emicorr":
        return next((key for key in ("frequencies", "subarray_cases") if not tree.get(key)), None)
    if reftype == "sirskernel":
        kernels = [
            v for v in tree.values() if hasattr(v, "keys") and {"gamma", "zeta"} <= v.keys()
        ]
        return None if kernels else "kernel of any detector"
    return None


def _table(data: Any) -> NDArray[Any]:
    # Column by column, so that scaled and text columns come as their values.
    columns = {name: np.asarray(data[name]) for name in data.names}
    dtype = [(n, c.dtype.newbyteorder("="), c.shape[1:]) for n, c in columns.items()]
    table: NDArray[Any] = np.empty(len(data), dtype)
    for name, column in columns.items():
        table[name] = column
    table.flags.writeable = False
    return table


def _hash(file: Path) -> str:
    try:
        return sha256_of(file)
    except InputError as error:
        raise ReferenceFileError(file, error.problem, error.remedy) from error


def _remedy(reftype: str) -> str:
    if reftype.startswith("pars-"):
        # No parameter of a step overrides these.
        return (
            "sync the CRDS cache again, choose another context, or set "
            "STPIPE_DISABLE_CRDS_STEPPARS=true to do without parameter references"
        )
    return _REMEDY.format(reftype)


def _first(error: object) -> str:
    """Give the first sentence of what a library says, at most a line of it."""
    text = " ".join(str(error).split()) or type(error).__name__
    return textwrap.shorten(re.split(r"(?<=\w)[.;] ", text)[0], 120, placeholder=" ...")

"""The parts of a FITS file, checked before anything is believed.

Cards are parsed by astropy; where headers and data lie is found by walking
the file in FITS blocks, because a header without an END would otherwise be
read to the end of the file, and sizes would be believed. Nothing but headers
is read.
"""

from __future__ import annotations

import contextlib
import math
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NoReturn

import numpy as np
from astropy.io import fits
from astropy.utils.exceptions import AstropyWarning

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .source import Source

__all__ = ["BLOCK", "HDU", "keyword", "parse_header", "scan"]

BLOCK: Final = 2880
_CARD: Final = 80
_MAX_HEADER: Final = 1000 * BLOCK
"""36,000 cards: twenty times the longest header the mission writes."""
_MAX_ALL_HEADERS: Final = 64 << 20
_MAX_HDUS: Final = 20_000
_MAX_AXES: Final = 32
"""Arrays in memory cannot have many more; the standard allows 999."""
_HUGE: Final = 1e300
_ABSURD: Final = 1 << 50
_BITPIX: Final = {8: "u1", 16: ">i2", 32: ">i4", 64: ">i8", -32: ">f4", -64: ">f8"}
_END: Final = b"END" + b" " * (_CARD - 3)
_DOWNLOAD_AGAIN: Final = "download or copy it again"


@dataclass(frozen=True)
class HDU:
    """One header and the place of its data.

    Attributes
    ----------
    index : int
        Position in the file; 0 is the primary.
    name : str
        EXTNAME in capitals; "PRIMARY" for the primary; may be empty.
    version : int
        EXTVER.
    type : str
        "IMAGE", "BINTABLE" or "TABLE".
    shape : tuple of int
        Shape of an image in numpy's order; (rows, bytes per row) of a table.
    dtype : numpy.dtype
        As stored: big-endian, before BZERO.
    bzero, bscale : float
        Offset and scale of stored values.
    offset, size : int
        Where the data are, bytes; size without padding.
    raw : bytes
        The header's blocks.
    """

    index: int
    name: str
    version: int
    type: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    bzero: float
    bscale: float
    offset: int
    size: int
    raw: bytes

    @property
    def label(self) -> str:
        """What an array or table of this HDU is asked for by."""
        if not self.name:
            return str(self.index)
        return self.name if self.version == 1 else f"{self.name},{self.version}"

    @property
    def is_image(self) -> bool:
        """Whether there is an array of at least one axis."""
        return self.type == "IMAGE" and bool(self.shape)

    @property
    def is_unsigned(self) -> bool:
        """Whether integers are stored with the offset that makes them unsigned."""
        bits = 8 * self.dtype.itemsize
        return self.dtype.kind == "i" and self.bscale == 1 and self.bzero == 1 << (bits - 1)

    @property
    def is_plain(self) -> bool:
        """Whether stored values are the values."""
        return self.bscale == 1 and self.bzero == 0


def scan(source: Source) -> tuple[HDU, ...]:
    """Find every HDU of a file, and check that all its data are there.

    Parameters
    ----------
    source
        Plain FITS bytes.

    Returns
    -------
    tuple of HDU
        In the order of the file; at least the primary.

    Raises
    ------
    InputError
        If the file is cut short anywhere, a header is damaged or beyond
        reason, or sizes are impossible.
    """
    hdus: list[HDU] = []
    offset = headers = 0
    while offset < source.size:
        if hdus and _is_padding(source, offset):
            break
        hdu = _read_hdu(source, offset, len(hdus))
        hdus.append(hdu)
        headers += len(hdu.raw)
        if headers > _MAX_ALL_HEADERS or len(hdus) > _MAX_HDUS:
            source.fail("it has more headers than any product", "check where it comes from")
        offset = hdu.offset + -(-hdu.size // BLOCK) * BLOCK
    return tuple(hdus)


def parse_header(source: Source, raw: bytes) -> fits.Header:
    """Parse a header's blocks with astropy.

    Parameters
    ----------
    source
        The file, named if the header is damaged.
    raw
        The blocks, up to and with END.

    Raises
    ------
    InputError
        If it holds bytes that no header may.
    """
    text = raw.decode("latin-1")
    if not (text.isascii() and text.isprintable()):
        # Neither FITS nor a terminal that shows a value allows these.
        source.fail("a header holds bytes that are no text", _DOWNLOAD_AGAIN)
    with _parsing(source, "a card of a header is damaged"):
        return fits.Header.fromstring(text)


def keyword(source: Source, header: fits.Header, name: str) -> Any:
    """Value of a keyword, None where it is absent or undefined.

    Parameters
    ----------
    source
        The file, named if the card is damaged.
    header
        Where to look.
    name
        The keyword.

    Raises
    ------
    InputError
        If its card cannot be understood.
    """
    with _parsing(source, f"the card of its keyword {name} is damaged"):
        value = header.get(name)
    return None if isinstance(value, fits.card.Undefined) else value


@contextlib.contextmanager
def _parsing(source: Source, problem: str) -> Iterator[None]:
    """Let astropy parse: it warns of cards it mends, and raises many kinds on others."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", AstropyWarning)
            yield
    except Exception:  # noqa: BLE001 - see above
        source.fail(problem, _DOWNLOAD_AGAIN)


def _is_padding(source: Source, offset: int) -> bool:
    # Some writers fill up a tape record after the last HDU.
    return not source.read(offset, BLOCK).strip(b"\0 ")


def _read_hdu(source: Source, offset: int, index: int) -> HDU:
    raw = _header_blocks(source, offset, index)
    card = _Cards(source, parse_header(source, raw), index)
    first = card.value("XTENSION" if index else "SIMPLE")
    if index == 0 and (first is not True or card.value("GROUPS") is True):
        source.fail("it does not follow the FITS standard for images", "give a JWST product")
    shape, bitpix, size = card.sizes()
    name = card.text("EXTNAME").upper() or ("" if index else "PRIMARY")
    data = offset + len(raw)
    _require_inside(source, name or f"HDU {index}", data, size)
    return HDU(
        index=index,
        name=name,
        version=card.whole("EXTVER", 1),
        type=str(first).strip() if index else "IMAGE",
        shape=shape,
        dtype=np.dtype(_BITPIX[bitpix]),
        bzero=card.number("BZERO", 0.0),
        bscale=card.number("BSCALE", 1.0),
        offset=data,
        size=size,
        raw=raw,
    )


class _Cards:
    """The structural keywords of one header, each checked."""

    def __init__(self, source: Source, header: fits.Header, index: int) -> None:
        self._source = source
        self._header = header
        self._index = index

    def value(self, name: str) -> Any:
        return keyword(self._source, self._header, name)

    def text(self, name: str) -> str:
        value = self.value(name)
        return value.strip() if isinstance(value, str) else ""

    def whole(self, name: str, default: int | None = None) -> int:
        value = self.value(name)
        if value is None and default is not None:
            return default
        if isinstance(value, bool) or not isinstance(value, int):
            self._fail(f"has no valid {name}")
        return value

    def number(self, name: str, default: float) -> float:
        value = self.value(name)
        if value is None:
            return default
        if isinstance(value, bool) or not isinstance(value, int | float) or abs(value) > _HUGE:
            self._fail(f"has no valid {name}")
        return float(value)

    def sizes(self) -> tuple[tuple[int, ...], int, int]:
        """Shape in numpy's order, BITPIX, and bytes of data."""
        bitpix = self.whole("BITPIX")
        if bitpix not in _BITPIX:
            self._fail(f"has BITPIX {bitpix}, which does not exist")
        naxis = self.whole("NAXIS")
        if not 0 <= naxis <= _MAX_AXES:
            self._fail(f"has NAXIS {naxis}, beyond reason")
        shape = tuple(self.whole(f"NAXIS{axis}") for axis in range(naxis, 0, -1))
        extra, groups = self.whole("PCOUNT", 0), self.whole("GCOUNT", 1)
        if min(shape, default=0) < 0 or extra < 0 or groups != 1:
            self._fail("has sizes that are impossible")
        values = math.prod(shape) if shape else 0
        return shape, bitpix, abs(bitpix) // 8 * (values + extra)

    def _fail(self, problem: str) -> NoReturn:
        self._source.fail(f"HDU {self._index} {problem}", _DOWNLOAD_AGAIN)


def _header_blocks(source: Source, offset: int, index: int) -> bytes:
    expected = b"XTENSION= " if index else b"SIMPLE  ="
    blocks = bytearray()
    while True:
        block = source.read(offset + len(blocks), BLOCK)
        if not blocks and not block.startswith(expected[: len(block)]):
            source.fail(f"what follows HDU {index - 1} is no FITS extension", _DOWNLOAD_AGAIN)
        if len(block) < BLOCK:
            source.fail(f"it is cut short inside the header of HDU {index}", _DOWNLOAD_AGAIN)
        blocks += block
        if any(block[at : at + _CARD] == _END for at in range(0, BLOCK, _CARD)):
            return bytes(blocks)
        if len(blocks) >= _MAX_HEADER:
            source.fail(
                f"the header of HDU {index} has more than {_MAX_HEADER // _CARD} cards",
                "check where it comes from",
            )


def _require_inside(source: Source, name: str, offset: int, size: int) -> None:
    if size > _ABSURD:
        source.fail(f"{name} declares {size} bytes of data, beyond reason", _DOWNLOAD_AGAIN)
    padded = -(-size // BLOCK) * BLOCK
    if offset + padded > source.size:
        there = min(max(source.size - offset, 0), size)
        where = "its data" if there < size else "the padding after its data"
        source.fail(
            f"it is cut short in {name}: {there} of {size} bytes are there, ending in {where}",
            _DOWNLOAD_AGAIN,
        )

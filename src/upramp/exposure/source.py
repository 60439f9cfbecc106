"""The bytes of a FITS file, whatever its name says it is.

What a file is, is told by its first bytes. A gzip stream is decompressed, in
pieces, into a temporary file without a name, which is gone when the last
descriptor on it is closed, even if the process is killed.
"""

from __future__ import annotations

import errno
import gzip
import mmap
import os
import stat
import tempfile
import weakref
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final, NoReturn

from upramp.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["DECOMPRESSED_LIMIT", "Source", "open_source"]

DECOMPRESSED_LIMIT: Final = 8 << 30
"""Bytes that a gzip stream may grow to: above the archive's largest segment."""

_PIECE: Final = 4 << 20
_MAGIC: Final = 80
_FITS: Final = b"SIMPLE  ="
_GZIP: Final = b"\x1f\x8b"

_DOWNLOAD_AGAIN = "download or copy it again"

_OTHERS: Final = {
    b"#ASDF": ("it is an ASDF file, not FITS", "open it with the asdf package"),
    b"PK\x03\x04": ("it is a zip archive", "unpack it first"),
    b"BZh": ("it is a bzip2 stream", "decompress it with bunzip2 first"),
    b"\xfd7zXZ": ("it is an xz stream", "decompress it with unxz first"),
    b"\x28\xb5\x2f\xfd": ("it is a zstd stream", "decompress it with unzstd first"),
    b"\x1f\x9d": ("it is a compress stream", "decompress it with uncompress first"),
    b"<": ("it is a web page or XML, not FITS", _DOWNLOAD_AGAIN),
    b"{": ("it is JSON, not FITS", "give the FITS file that it speaks of"),
    b"XTENSION": ("it begins with an extension, its primary header is lost", _DOWNLOAD_AGAIN),
}


class Source:
    """Plain FITS bytes on disk, read through one descriptor.

    Parameters
    ----------
    path
        The name a user knows the file by.
    descriptor
        An open descriptor on the plain bytes, which this object closes.
    compressed
        Whether the bytes come from a gzip stream.

    Attributes
    ----------
    path : Path
        The name a user knows the file by.
    size : int
        Count of plain bytes.
    compressed : bool
        Whether the file itself is a gzip stream.
    """

    def __init__(self, path: Path, descriptor: int, *, compressed: bool) -> None:
        self.path = path
        self.compressed = compressed
        self.size = os.fstat(descriptor).st_size
        self._descriptor = descriptor
        self._map: mmap.mmap | None = None
        self._close = weakref.finalize(self, os.close, descriptor)

    def descriptor(self) -> int:
        """Give the open descriptor, for reading only.

        Raises
        ------
        InputError
            If the source is closed.
        """
        if not self._close.alive:
            self.fail("it was closed", "open it again")
        return self._descriptor

    def file(self) -> BinaryIO:
        """Open the plain bytes once more, as a file with a place of its own.

        Raises
        ------
        InputError
            If the source is closed, or the system refuses.
        """
        descriptor = self.descriptor()
        try:
            # Through the descriptor, because a decompressed file has no name
            # and the one at the path may have been replaced since.
            return open(
                self.path, "rb", opener=lambda *_: os.open(f"/dev/fd/{descriptor}", os.O_RDONLY)
            )
        except OSError as error:
            self._fail_reading(error)

    def read(self, offset: int, count: int) -> bytes:
        """Read up to ``count`` bytes from ``offset``.

        Parameters
        ----------
        offset
            Where to start.
        count
            How many bytes to read at most.

        Raises
        ------
        InputError
            If the disk reports an error.
        """
        try:
            return os.pread(self.descriptor(), count, offset)
        except OSError as error:
            self._fail_reading(error)

    def read_into(self, buffer: memoryview, offset: int) -> None:
        """Fill ``buffer`` with the bytes from ``offset``.

        Parameters
        ----------
        buffer
            Contiguous writable bytes.
        offset
            Where to start.

        Raises
        ------
        InputError
            If there are fewer bytes, or the disk reports an error.
        """
        done = 0
        while done < len(buffer):
            try:
                count = os.preadv(self.descriptor(), [buffer[done:]], offset + done)
            except OSError as error:
                self._fail_reading(error)
            if count == 0:
                self.fail("it became shorter while it was read", _DOWNLOAD_AGAIN)
            done += count

    def mapped(self) -> mmap.mmap:
        """Map the whole file into memory, read-only; pages load when touched.

        Raises
        ------
        InputError
            If the system refuses the mapping.
        """
        if self._map is None:
            try:
                self._map = mmap.mmap(self.descriptor(), self.size, access=mmap.ACCESS_READ)
            except (OSError, ValueError, OverflowError) as error:
                self._fail_reading(error)
        return self._map

    def close(self) -> None:
        """Close the descriptor; arrays that were given out stay valid."""
        self._map = None
        self._close()

    def fail(self, problem: str, remedy: str) -> NoReturn:
        """Raise the InputError that names this file.

        Parameters
        ----------
        problem
            What is wrong.
        remedy
            What to do.
        """
        raise InputError(self.path, problem, remedy)

    def _fail_reading(self, error: Exception) -> NoReturn:
        if getattr(error, "errno", None) == errno.ENOMEM:
            raise MemoryError(str(self.path)) from error
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(self.path, f"it cannot be read ({reason})", "check the disk") from error


def open_source(
    path: str | os.PathLike[str], *, decompressed_limit: int = DECOMPRESSED_LIMIT
) -> Source:
    """Open a FITS file, plain or gzip, as plain bytes.

    Parameters
    ----------
    path
        The file; its name may lie about what it is.
    decompressed_limit
        Bytes that a gzip stream may grow to.

    Returns
    -------
    Source
        The plain bytes.

    Raises
    ------
    InputError
        If there is no such file, it may not be read, is neither FITS nor gzip
        of FITS, or its stream is damaged, cut short or larger than the limit.
    """
    path = Path(path)
    descriptor = _open_regular(path)
    try:
        head = os.pread(descriptor, _MAGIC, 0)
        if not head.startswith(_GZIP):
            _require_fits(path, head)
            return Source(path, descriptor, compressed=False)
    except OSError as error:
        os.close(descriptor)
        raise InputError(
            path, f"it cannot be read ({error.strerror})", "check the disk"
        ) from error
    except InputError:
        os.close(descriptor)
        raise
    try:
        plain = _decompressed(path, descriptor, decompressed_limit)
    finally:
        os.close(descriptor)
    return Source(path, plain, compressed=True)


def _open_regular(path: Path) -> int:
    try:
        # A pipe without a writer would block the open for ever.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except ValueError as error:  # a NUL byte in the name
        raise InputError(repr(str(path)), "it is no file name", "check the name") from error
    except FileNotFoundError as error:
        raise InputError(path, "there is no such file", "check the path") from error
    except PermissionError as error:
        raise InputError(path, "it may not be read", "ask for permission to read it") from error
    except OSError as error:
        raise InputError(path, f"it cannot be opened ({error.strerror})", "check it") from error
    mode = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(mode):
        os.close(descriptor)
        if stat.S_ISDIR(mode):
            raise InputError(
                path, "it is a folder, not a file", f"give the files in it: {path}/*.fits, perhaps"
            )
        raise InputError(path, "it is a pipe or a device, not a file", "give a FITS file")
    return descriptor


def _require_fits(path: Path, head: bytes, *, inside: str = "") -> None:
    if head.startswith(_FITS):
        return
    if not head:
        raise InputError(path, f"it is empty{inside}", _DOWNLOAD_AGAIN)
    for magic, (problem, remedy) in _OTHERS.items():
        if head.lstrip().startswith(magic):
            raise InputError(path, problem + inside, remedy)
    raise InputError(path, f"it is not FITS{inside}", "give a FITS file")


def _decompressed(path: Path, descriptor: int, limit: int) -> int:
    plain = _nameless_file(path)
    try:
        with (
            os.fdopen(descriptor, "rb", closefd=False) as raw,
            gzip.GzipFile(fileobj=raw) as stream,
        ):
            _pour(path, stream.read, plain, limit)
    except BaseException:
        os.close(plain)
        raise
    return plain


def _pour(path: Path, read: Callable[[int], bytes], plain: int, limit: int) -> None:
    size = 0
    while True:
        try:
            piece = read(_PIECE)
        except EOFError as error:
            raise InputError(path, "its gzip stream is cut short", _DOWNLOAD_AGAIN) from error
        except (gzip.BadGzipFile, zlib.error) as error:
            raise InputError(path, "its gzip stream is damaged", _DOWNLOAD_AGAIN) from error
        except OSError as error:
            problem = f"it cannot be read ({error.strerror})"
            raise InputError(path, problem, "check the disk") from error
        if size == 0:
            _require_fits(path, piece[:_MAGIC], inside=" inside its gzip stream")
        if not piece:
            return
        size += len(piece)
        if size > limit:
            raise InputError(
                path,
                f"it decompresses to more than {limit} bytes",
                "decompress it yourself if you trust it",
            )
        _write_all(path, plain, piece)


def _write_all(path: Path, plain: int, piece: bytes) -> None:
    rest = memoryview(piece)
    try:
        while rest:
            rest = rest[os.write(plain, rest) :]
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            problem = f"there is no room in {tempfile.gettempdir()} to decompress it"
            raise InputError(path, problem, "set TMPDIR to a folder with room") from error
        raise InputError(
            path, f"it cannot be decompressed ({error.strerror})", "check the disk"
        ) from error


def _nameless_file(path: Path) -> int:
    try:
        descriptor, name = tempfile.mkstemp(prefix="upramp-")
    except OSError as error:
        problem = "there is no folder in which to decompress it"
        raise InputError(path, problem, "set TMPDIR to a folder with room") from error
    Path(name).unlink()
    return descriptor

"""Content hashes of files, computed once for as long as a file stays as it is."""

from __future__ import annotations

import hashlib
import os
import threading
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from upramp.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["hash_ahead", "sha256_of"]

_lock = threading.Lock()
_known: dict[tuple[int, int, int, int], str] = {}


def sha256_of(path: str | os.PathLike[str]) -> str:
    """Give the SHA-256 of a file's bytes, in hexadecimal.

    The answer is remembered by device, inode, size and time of change, so a
    reference that serves many exposures is read for it once.

    Parameters
    ----------
    path
        An existing file.

    Raises
    ------
    InputError
        If it cannot be read.
    """
    path = Path(path)
    try:
        key = _key(path.stat())
        with _lock:
            known = _known.get(key)
        if known is not None:
            return known
        with path.open("rb") as file:
            # Of the file that is read, should it be replaced just now.
            key = _key(os.fstat(file.fileno()))
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise InputError(
            path,
            f"it cannot be read ({error.strerror})",
            "check the path and its permissions",
        ) from error
    with _lock:
        _known[key] = digest
    return digest


def hash_ahead(paths: Iterable[str | os.PathLike[str]]) -> None:
    """Hash files in a thread of its own, so that the answers are there when asked for.

    Parameters
    ----------
    paths
        Files; what cannot be read is left to whoever asks for its hash.
    """

    def work(files: list[str | os.PathLike[str]]) -> None:
        for file in files:
            with suppress(InputError, MemoryError):
                sha256_of(file)

    # It reads and computes without the interpreter's lock.
    thread = threading.Thread(target=work, args=(list(paths),), name="upramp-hash", daemon=True)
    with suppress(RuntimeError):  # where no more threads may be started there is no hurry
        thread.start()


def _key(status: os.stat_result) -> tuple[int, int, int, int]:
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns

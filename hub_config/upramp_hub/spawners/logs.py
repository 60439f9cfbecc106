"""What a server writes: a file for each, private to the hub and never large.

The server holds the file open for writing only, so that it goes on when the
hub is gone, which a pipe to the hub would not.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["ServerLog"]

_LARGEST: Final = 8 * 1024**2
_KEPT: Final = 256 * 1024


class ServerLog:
    """The log of one server.

    Parameters
    ----------
    file
        Where it is; its folder must be private.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        self._begin = 0

    def open(self) -> int:
        """Give a descriptor for the server to write to; what it wrote before is kept."""
        self.file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.trim()
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
        descriptor = os.open(self.file, flags, 0o600)
        self._begin = os.fstat(descriptor).st_size
        return descriptor

    def tail(self, lines: int = 60) -> list[str]:
        """Give the last lines that were written since it was opened.

        Parameters
        ----------
        lines
            How many at most.
        """
        try:
            with self.file.open("rb") as log:
                size = log.seek(0, os.SEEK_END)
                begin = self._begin if self._begin <= size else 0
                log.seek(max(begin, size - 64 * 1024))
                text = log.read().decode("utf-8", "replace")
        except OSError:
            return []
        return text.splitlines()[-lines:]

    def trim(self) -> None:
        """Keep the end of it alone, once it is large.

        Lines that are written meanwhile may be lost: a user who fills the disk
        of the hub through it would lose more for everybody.
        """
        with suppress(OSError):
            if self.file.stat().st_size <= _LARGEST:
                return
            with self.file.open("r+b") as log:
                log.seek(-_KEPT, os.SEEK_END)
                kept = log.read()
                log.truncate(0)
            with self.file.open("ab") as log:
                log.write(kept)
            self._begin = 0

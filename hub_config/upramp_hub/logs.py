"""Logs of the hub and the proxy: never large, though whoever writes them holds them open.

The end of a log is copied away and the log emptied, instead of having its
writer send lines through a pipe or open another file: so the writer needs
nobody, and goes on writing when the launcher is killed. It has to have opened
the log to append to it.
"""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["KEPT", "LARGEST", "rotate"]

LARGEST: Final = 10 * 1024**2
"""Bytes beyond which a log is put away: some weeks of a hub with a few users."""

KEPT: Final = 3
"""How many of those that were put away are kept."""


def rotate(file: Path, largest: int = LARGEST, kept: int = KEPT) -> bool:
    """Put a log away once it is large, as ``NAME.1``; the one before becomes ``NAME.2``.

    Killed at any moment, it leaves each line at least once. What is written
    between the last look and the emptying, some microseconds, is lost.

    Parameters
    ----------
    file
        The log, in a folder that only its owner may write to.
    largest
        Bytes that it may have.
    kept
        How many are kept beside it.

    Returns
    -------
    bool
        Whether it was put away; not if there is no room for the copy.
    """
    copy = file.with_name(f"{file.name}.new")
    try:
        if file.stat().st_size <= largest:
            return False
        with file.open("r+b") as log, open(copy, "wb", opener=_private) as away:
            shutil.copyfileobj(log, away)
            away.flush()  # if there is no room, nothing has been moved yet
            for number in range(kept, 1, -1):
                with suppress(FileNotFoundError):
                    _numbered(file, number - 1).replace(_numbered(file, number))
            copy.replace(_numbered(file, 1))
            shutil.copyfileobj(log, away)  # what has come meanwhile
            away.flush()
            os.ftruncate(log.fileno(), 0)
    except OSError:
        # A log that cannot be put away goes on; whoever fills the disk is told of elsewhere.
        with suppress(OSError):
            copy.unlink(missing_ok=True)
        return False
    return True


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _numbered(file: Path, number: int) -> Path:
    return file.with_name(f"{file.name}.{number}")

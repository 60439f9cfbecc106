"""One reduction at a time in a folder: two would publish each other's products as their own."""

from __future__ import annotations

import fcntl
import os
import socket
from typing import IO, TYPE_CHECKING, Final

from upramp.errors import OutputError, printable

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["NAME", "hold", "release"]

NAME: Final = ".upramp-reduction.lock"
_held: dict[Path, IO[str]] = {}


def hold(folder: Path, what: str) -> bool:
    """Keep a folder for this process until `release`, or until the process ends.

    Parameters
    ----------
    folder
        The folder of the products.
    what
        What is at work there, for whoever comes second.

    Returns
    -------
    bool
        False where the file system knows no locks.

    Raises
    ------
    OutputError
        If another process holds it, or it cannot be written to.
    """
    path = folder.resolve() / NAME
    ours = _held.get(folder.resolve())
    if ours is not None and _is_there(path, ours):
        return True
    release(folder)
    while True:
        try:
            file = path.open("a+", encoding="utf-8")
        except OSError as error:
            raise OutputError(
                folder, f"it cannot be written to ({error.strerror})", "choose another folder"
            ) from error
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            who = printable(file.read(300).strip()) or "another reduction"
            file.close()
            raise OutputError(
                folder,
                f"{who} is at work in it",
                "wait until it is done, shut its kernel down, or choose another output_dir",
            ) from None
        except OSError:
            file.close()
            return False
        if _is_there(path, file):
            break
        # Whoever held it took it away between our two steps.
        file.close()
    file.truncate(0)
    file.write(f"{what} (process {os.getpid()} on {socket.gethostname()})")
    file.flush()
    _held[folder.resolve()] = file
    return True


def _is_there(path: Path, file: IO[str]) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(file.fileno()))
    except OSError:
        return False


def release(folder: Path) -> None:
    """Let a folder go, if this process holds it.

    Parameters
    ----------
    folder
        The folder.
    """
    file = _held.pop(folder.resolve(), None)
    if file is None:
        return
    try:
        (folder.resolve() / NAME).unlink(missing_ok=True)
    except OSError:
        pass  # somebody made it read-only: the lock itself is let go all the same
    finally:
        file.close()

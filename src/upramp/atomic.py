"""Files that appear whole or not at all.

A product is written under a temporary name in its own folder (so that the
rename stays on one file system), synchronised to disk and renamed. A run that
fails, is interrupted or killed leaves nothing under a product's name, and the
product that was there before stays as it was.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
import socket
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from .errors import OutputError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["output_errors", "publish", "replacing", "staging_directory", "write_text"]

_PREFIX = ".upramp-"
"""Leftovers of a killed run are hidden and recognisable by this, a host and a process."""


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a temporary path that becomes ``path`` when the block succeeds.

    Parameters
    ----------
    path
        Where the file is to appear; its folder must exist.

    Yields
    ------
    Path
        A path in the same folder with the same suffix, where to write.

    Raises
    ------
    OutputError
        If the file cannot be written there: no folder, no room, no permission.
    """
    target = Path(path)
    with output_errors(target), staging_directory(target.parent) as stage:
        temporary = stage / target.name
        yield temporary
        publish([temporary], target.parent)


@contextmanager
def staging_directory(parent: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a hidden folder inside ``parent`` that is gone after the block.

    Those that killed processes of this host left there are removed too.

    Parameters
    ----------
    parent
        The folder, existing, whose file system the staged files will stay on.

    Raises
    ------
    OutputError
        If nothing can be written there.
    """
    parent = Path(parent)
    with output_errors(parent):
        _sweep(parent)
        stage = Path(tempfile.mkdtemp(prefix=f"{_own_prefix()}{os.getpid()}-", dir=parent))
    try:
        yield stage
    finally:
        shutil.rmtree(stage, ignore_errors=True)


def _own_prefix() -> str:
    # A folder may be shared with hosts that count their processes for themselves.
    host = re.sub(r"[^A-Za-z0-9.]", "_", socket.gethostname())
    return f"{_PREFIX}{host}-"


def _sweep(parent: Path) -> None:
    prefix = _own_prefix()
    with suppress(OSError):  # what cannot be listed or removed is not in the way
        for entry in os.scandir(parent):
            process = entry.name.removeprefix(prefix).partition("-")[0]
            ours = entry.name.startswith(prefix) and process.isdecimal()
            if ours and entry.is_dir(follow_symlinks=False) and not _alive(int(process)):
                shutil.rmtree(entry.path, ignore_errors=True)


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:  # another user's
        return True
    return True


def publish(files: list[Path], directory: str | os.PathLike[str]) -> list[Path]:
    """Move finished files into ``directory`` under their own names.

    Every file is on disk before the first is renamed, so that a set of
    products is either the old one or the new one but for an instant.

    Parameters
    ----------
    files
        Finished files on the same file system as ``directory``.
    directory
        Where they are to appear.

    Returns
    -------
    list of Path
        Their new paths.
    """
    directory = Path(directory)
    with output_errors(directory):
        for file in files:
            _synchronise(file)
        published = [file.replace(directory / file.name) for file in files]
        _synchronise(directory)
    return published


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Write a text file atomically.

    Parameters
    ----------
    path
        Where the file is to appear.
    text
        What it is to hold, encoded as UTF-8.
    """
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def _synchronise(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


_REMEDIES = {
    errno.ENOSPC: ("there is no room left on the disk", "free some space or write elsewhere"),
    errno.EDQUOT: ("the disk quota is used up", "free some space or write elsewhere"),
    errno.EFBIG: ("the file would be larger than allowed here", "raise the limit on file sizes"),
    errno.EACCES: ("it may not be written", "choose a folder that you may write to"),
    errno.EPERM: ("it may not be written", "choose a folder that you may write to"),
    errno.EROFS: ("its file system is read-only", "choose a folder that you may write to"),
    errno.ENOENT: ("its folder does not exist", "make the folder first"),
    errno.ENOTDIR: ("its folder is a file", "choose another output folder"),
    errno.EISDIR: ("it is a folder", "choose another name, or move the folder away"),
    errno.EIO: ("the disk reports an error", "check the disk, then run again"),
}


@contextmanager
def output_errors(path: Path) -> Iterator[None]:
    """Turn what the system says about a file that is written into one sentence.

    Parameters
    ----------
    path
        What is written in this block.

    Raises
    ------
    OutputError
        For every system error that a user can do something about.
    """
    try:
        yield
    except OSError as error:
        number = _number_of(error)
        if number is None:
            raise
        raise OutputError(path, *_REMEDIES[number]) from error


_SHORT_WRITE = re.compile(r"\d+ requested and \d+ written")
"""What NumPy says, without the system's number, if a disk takes only a part of an array."""


def _number_of(error: BaseException | None) -> int | None:
    """Find the system's number of an error, also where a library put its own in place of it."""
    while error is not None:
        number: int | None = getattr(error, "errno", None)
        if number in _REMEDIES:
            return number
        if _SHORT_WRITE.search(str(error)):
            return errno.ENOSPC
        error = error.__cause__ or error.__context__
    return None

"""Files inside a home, reached without following a link that somebody put there.

Every folder on the way is opened by the descriptor of the one above it, so
what a name means cannot change between a look and a use, and nothing is
written outside the home.
"""

from __future__ import annotations

import errno
import os
import secrets
import stat
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from upramp.atomic import output_errors

from .errors import HomeError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Inside"]

_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_LARGEST: Final = 64 * 1024**2
"""Bytes of a file that is read whole: notebooks with pictures stay below it."""


class Inside:
    """Files of one folder, by paths relative to it.

    Parameters
    ----------
    root
        The folder; it may itself be reached by links.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def read(self, path: str, largest: int = _LARGEST) -> bytes | None:
        """Read a regular file.

        Parameters
        ----------
        path
            Relative to the folder.
        largest
            Bytes that are read at most.

        Returns
        -------
        bytes or None
            None if there is no such file.

        Raises
        ------
        HomeError
            If it is a link, no regular file, too large, or may not be read.
        """
        try:
            with self._folder_of(path) as (folder, name):
                # A pipe would keep the open waiting for its writer.
                flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
                with os.fdopen(os.open(name, flags, dir_fd=folder), "rb") as file:
                    status = os.fstat(file.fileno())
                    if not stat.S_ISREG(status.st_mode):
                        raise HomeError(path, "it is no file", "move it away, then try again")
                    content = file.read(largest + 1)
        except FileNotFoundError:
            return None
        except OSError as error:
            if error.errno in {errno.ELOOP, errno.EISDIR}:
                raise HomeError(
                    path, "it is no regular file", "move it away, then try again"
                ) from error
            raise HomeError(
                path, f"it cannot be read ({error.strerror})", "check its permissions"
            ) from error
        if len(content) > largest:
            raise HomeError(
                path,
                f"it is larger than {largest // 1024**2} MiB",
                "clear its outputs, or move it",
            )
        return content

    def create(self, path: str, content: bytes) -> bool:
        """Write a new file; one that is there stays as it is.

        Parameters
        ----------
        path
            Relative to the folder; folders on the way are made.
        content
            What it is to hold.

        Returns
        -------
        bool
            Whether it was made; False if something of this name is there.

        Raises
        ------
        OutputError
            If there is no room, or no permission.
        HomeError
            If a folder on the way is a link or a file.
        """
        with self._writing(path) as (folder, name):
            with suppress(FileNotFoundError):
                os.stat(name, dir_fd=folder, follow_symlinks=False)
                return False
            with self._written(folder, content) as temporary:
                try:
                    # Unlike a rename, a second name never takes the place of a file.
                    os.link(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
                except FileExistsError:
                    return False
                except OSError as error:
                    if error.errno not in {errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS}:
                        raise
                    return _write_exclusively(folder, name, content)
            return True

    def replace(self, path: str, content: bytes) -> None:
        """Write a file, in place of one that is there.

        Parameters
        ----------
        path
            Relative to the folder; folders on the way are made.
        content
            What it is to hold.

        Raises
        ------
        OutputError
            If there is no room, or no permission.
        HomeError
            If a folder on the way is a link or a file.
        """
        with (
            self._writing(path) as (folder, name),
            self._written(folder, content) as temporary,
        ):
            os.rename(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)

    def link(self, path: str, target: str, replaces: str = "") -> str:
        """Make a symbolic link; what is there stays, unless it is a link of ours.

        Parameters
        ----------
        path
            Relative to the folder.
        target
            Where it leads.
        replaces
            Where the link led that may be replaced; nothing for none.

        Returns
        -------
        str
            ``there`` if it is, and leads there; else ``taken``: somebody's own.

        Raises
        ------
        OutputError
            If there is no room, or no permission.
        """
        with self._writing(path) as (folder, name):
            leads = None
            with suppress(FileNotFoundError):
                status = os.stat(name, dir_fd=folder, follow_symlinks=False)
                if not stat.S_ISLNK(status.st_mode):
                    return "taken"
                leads = os.readlink(name, dir_fd=folder)
            if leads == target:
                return "there"
            if leads is None:
                os.symlink(target, name, dir_fd=folder)
                return "there"
            if not replaces or leads != replaces:
                return "taken"
            temporary = _temporary()
            os.symlink(target, temporary, dir_fd=folder)
            os.rename(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
            return "there"

    def kind(self, path: str) -> str:
        """Say what is at a path: ``file``, ``nothing``, or ``other``.

        Parameters
        ----------
        path
            Relative to the folder.
        """
        try:
            with self._folder_of(path) as (folder, name):
                mode = os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode
        except FileNotFoundError:
            return "nothing"
        except (OSError, HomeError):
            return "other"
        return "file" if stat.S_ISREG(mode) else "other"

    def trim(self, path: str, most: int) -> None:
        """Remove the oldest files of a folder, if there are too many; as far as that goes.

        Parameters
        ----------
        path
            The folder.
        most
            How many files stay.
        """
        with suppress(OSError, HomeError), self._folder_of(f"{path}/any") as (folder, _):
            with os.scandir(folder) as entries:
                found = [
                    (entry.stat(follow_symlinks=False).st_mtime_ns, entry.name)
                    for entry in entries
                ]
            for _, name in sorted(found)[: max(0, len(found) - most)]:
                os.unlink(name, dir_fd=folder)

    # ---- the way there

    @contextmanager
    def _folder_of(self, path: str, *, make: bool = False) -> Iterator[tuple[int, str]]:
        parts = path.split("/")
        if "\0" in path or any(part in {"", ".", ".."} for part in parts):
            raise HomeError(path, "it is no path inside the home", "name a file in it")
        folder = os.open(self.root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            for depth, part in enumerate(parts[:-1], 1):
                if make:
                    with suppress(FileExistsError):
                        os.mkdir(part, 0o700, dir_fd=folder)
                try:
                    deeper = os.open(part, _FOLDER, dir_fd=folder)
                except OSError as error:
                    if error.errno not in {errno.ELOOP, errno.ENOTDIR}:
                        raise
                    raise HomeError(
                        "/".join(parts[:depth]),
                        "it is a link or a file, and a folder is needed",
                        "move it away, then try again",
                    ) from error
                os.close(folder)
                folder = deeper
            yield folder, parts[-1]
        finally:
            os.close(folder)

    @contextmanager
    def _writing(self, path: str) -> Iterator[tuple[int, str]]:
        with output_errors(Path(path)), self._folder_of(path, make=True) as found:
            yield found

    @contextmanager
    def _written(self, folder: int, content: bytes) -> Iterator[str]:
        temporary = _temporary()
        try:
            _write_exclusively(folder, temporary, content)
            yield temporary
        finally:
            with suppress(OSError):
                os.unlink(temporary, dir_fd=folder)


def _temporary() -> str:
    return f".upramp-{secrets.token_hex(8)}"


def _write_exclusively(folder: int, name: str, content: bytes) -> bool:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        descriptor = os.open(name, flags, 0o600, dir_fd=folder)
    except FileExistsError:
        return False
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except OSError:
        with suppress(OSError):
            os.unlink(name, dir_fd=folder)
        raise
    return True

"""Folders that root makes for users, where users could have put a trap.

A home's owner can replace everything in it, by a symbolic link to
``/etc/shadow`` for example, so nothing below is ever opened by its name, and
only the folder itself changes hands, never what is in it.
"""

from __future__ import annotations

import errno
import os
import stat
from typing import TYPE_CHECKING

from upramp.errors import UprampError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["FolderError", "folder_name", "free_bytes", "make_private", "make_shared"]


class FolderError(UprampError):
    """A folder that a server needs cannot be made, or is somebody else's."""


def folder_name(user: str) -> str:
    """Give the name of a user's folders: their own where that is harmless, else a made one.

    Parameters
    ----------
    user
        Their name at the hub.
    """
    import re

    from jupyterhub.slugs import safe_slug

    # Made names have three hyphens in a row; nobody's own may look like one.
    if re.fullmatch(r"[a-z0-9][a-z0-9._@+-]{0,63}", user) and "--" not in user:
        return user
    return f"{safe_slug(user, max_length=30)}---{user.encode().hex()[:64]}"


def make_shared(path: Path) -> str:
    """Make the folder that users' folders lie in: others pass, and see no list.

    One that is there keeps its mode, which is its owner's choice.

    Parameters
    ----------
    path
        Where.

    Returns
    -------
    str
        What its owner should know, as a sentence; nothing if all is well.

    Raises
    ------
    FolderError
        If it is no folder of this process's own.
    """
    try:
        is_new = not os.path.lexists(path)
        path.mkdir(parents=True, exist_ok=True, mode=0o711)
        descriptor = _open(path)
    except OSError as error:
        raise _problem(path, error) from error
    try:
        status = os.fstat(descriptor)
        if status.st_uid != os.geteuid() or status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            raise FolderError(
                path,
                "others than the hub may write to the folder that homes lie in",
                "give it to the hub's user alone, or choose another with UPRAMP_HUB_HOMES",
            )
        if is_new:
            os.fchmod(descriptor, 0o711)  # whatever the umask is
        elif status.st_mode & stat.S_IROTH:
            return (
                f"{path}: everybody on this machine may list whose folders lie in it "
                f"(mode {stat.S_IMODE(status.st_mode):04o}); 'chmod 711 {path}' ends that"
            )
    finally:
        os.close(descriptor)
    return ""


def make_private(path: Path, uid: int | None = None) -> None:
    """Make a folder that its user alone may enter.

    Parameters
    ----------
    path
        Where; what it lies in must belong to this process's user alone.
    uid
        Who is to own it; None for this process's user.

    Raises
    ------
    FolderError
        If there is something else in its place, or it is another user's.
    """
    owner = os.geteuid() if uid is None else uid
    try:
        if not os.path.lexists(path):
            path.mkdir(mode=0o700)
        descriptor = _open(path)
    except OSError as error:
        raise _problem(path, error) from error
    try:
        status = os.fstat(descriptor)
        if status.st_uid not in (owner, os.geteuid()):
            raise FolderError(
                path,
                f"it belongs to another user (number {status.st_uid}, not {owner})",
                "an administrator has to move it away, or to give it to this one with chown",
            )
        if status.st_uid != owner:
            os.fchown(descriptor, owner, owner)
        if stat.S_IMODE(status.st_mode) != 0o700:
            os.fchmod(descriptor, 0o700)
    except OSError as error:
        raise _problem(path, error) from error
    finally:
        os.close(descriptor)


def free_bytes(path: Path) -> int:
    """Give the room that is left where a folder lies; 0 if nobody can say.

    Parameters
    ----------
    path
        The folder.
    """
    try:
        found = os.statvfs(path)
    except OSError:
        return 0
    return found.f_bavail * found.f_frsize


def _open(path: Path) -> int:
    return os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)


def _problem(path: Path, error: OSError) -> FolderError:
    if error.errno in (errno.ELOOP, errno.ENOTDIR):
        return FolderError(
            path,
            "there is a link or a file where the folder has to be",
            "an administrator has to move it away",
        )
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return FolderError(path, "No space left on device", "an administrator has to make room")
    return FolderError(path, f"it cannot be made ({error.strerror})", "tell an administrator")

"""Room that is kept for the hub: a file that gives way when somebody fills the disk.

Where users' files lie on the disk of the hub's state, one of them can fill it,
and a hub that cannot write its database neither lets anybody in nor starts
again. So the hub keeps a file there that holds nothing. Once the disk is full
it is made shorter, a piece at a time, for who filled the disk may take what
becomes free; once there is room again, it is made whole.
"""

from __future__ import annotations

import logging
import os
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

    from .settings import Settings

__all__ = ["Ballast", "install"]

_NAME: Final = "ballast"
_MIB: Final = 1024**2
_INTERVAL: Final = 1.0
"""Seconds between two looks: nobody who waits for a page is to notice a full disk."""


@dataclass
class Ballast:
    """The file, and what is done with it.

    Parameters
    ----------
    folder
        The hub's private folder.
    size
        Bytes that the file has.
    piece
        Bytes that are given up at once: many times what the database needs to write.
    least
        Bytes of room below which the disk counts as full.
    """

    folder: Path
    size: int = 64 * _MIB
    piece: int = 8 * _MIB
    least: int = 4 * _MIB

    @property
    def file(self) -> Path:
        """Where it is."""
        return self.folder / _NAME

    @property
    def held(self) -> int:
        """How many bytes it has now."""
        try:
            return self.file.lstat().st_size
        except OSError:
            return 0

    @property
    def is_given_up(self) -> bool:
        """Whether it has had to give way; one that was never made has not."""
        return self.file.exists() and self.held < self.size

    @property
    def words(self) -> str:
        """What has happened, as a sentence."""
        left = f"{self.held // _MIB} of {self.size // _MIB} MiB that are kept for the hub are left"
        return (
            f"the disk of {self.folder} is full, and {left}: delete files on it, "
            "or soon nobody can log in"
        )

    def look(self) -> str:
        """Give way if the disk is full, and take the place again if there is room.

        Returns
        -------
        str
            What was done, as a sentence; nothing if there was nothing to do.
        """
        try:
            free = self._free()
            held = self.held
            missing = self.size - held
            if free < self.least and held:
                self._resize(max(0, held - self.piece))
                return self.words
            # Twice as much: what is made now must not be given up by the next look.
            if missing > 0 and free >= 2 * missing + self.least:
                again = ", where there is room again" if self.is_given_up else ""
                self._resize(self.size)
                kept = f"{self.size // _MIB} MiB are kept for the hub"
                return f"{kept} on the disk of {self.folder}{again}"
        except OSError as error:
            return f"{self.file}: no room can be kept for the hub ({error.strerror})"
        return ""

    def _free(self) -> int:
        found = os.statvfs(self.folder)
        # Some file systems have a rest that root alone may take.
        blocks = found.f_bavail if os.geteuid() else found.f_bfree
        return blocks * found.f_frsize

    def _resize(self, size: int) -> None:
        is_new = not self.file.exists()
        flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(self.file, flags, 0o600)
        try:
            before = os.fstat(descriptor).st_size
            if size < before:
                os.ftruncate(descriptor, size)
                return
            try:
                # Not a hole: its blocks are to be the hub's.
                os.posix_fallocate(descriptor, 0, size)
            except OSError:
                os.ftruncate(descriptor, before)
                if is_new:
                    self.file.unlink()
                raise
        finally:
            os.close(descriptor)


def install(settings: Settings) -> None:
    """Have the hub of this process look after its room, now and as long as it runs.

    It is called in JupyterHub's configuration, before the hub opens its database.

    Parameters
    ----------
    settings
        Of the hub.
    """
    from jupyterhub.app import JupyterHub

    if not JupyterHub.initialized():
        return  # something else reads the configuration
    log = JupyterHub.instance().log
    ballast = Ballast(settings.state)
    _tell(log, ballast, ballast.look())
    # In a thread: a hub whose loop waits for its database is who needs it.
    threading.Thread(target=_look_after, args=(ballast, log), name="ballast", daemon=True).start()


def _look_after(ballast: Ballast, log: logging.Logger) -> None:
    waits = threading.Event()
    told = ""
    while not waits.wait(_INTERVAL):
        said = ballast.look()
        if said != told:  # what stays as it is was said
            _tell(log, ballast, said)
        told = said


def _tell(log: logging.Logger, ballast: Ballast, said: str) -> None:
    if said:
        level = logging.WARNING if ballast.held < ballast.size else logging.INFO
        log.log(level, "upramp: %s", said)

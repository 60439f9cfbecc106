"""Which campaigns run: they say so by a file in the home of whoever started them.

A campaign writes ``~/.upramp/campaigns/NAME.running``, a JSON object with the
number ``pid`` of the process that runs it and the name ``host`` of its
machine, and touches it at least once a minute for as long as it runs. It
removes the file when it ends. One that was killed cannot: a campaign counts
as running only while its file was touched in the last three minutes and, on
this machine, its process is there.
"""

from __future__ import annotations

import json
import os
import socket
import stat
import time
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Final

__all__ = ["FOLDER", "HEARTBEAT", "running"]

FOLDER: Final = Path(".upramp") / "campaigns"
"""Where campaigns say that they run, in a home."""

HEARTBEAT: Final = 180.0
"""Seconds after which one that was not heard of has ended."""

_MOST: Final = 100
"""Files that are looked at: this is done every few seconds."""

_LARGEST: Final = 4096


def running(home: Path, now: float | None = None) -> list[str]:
    """Give the names of the campaigns that run.

    Parameters
    ----------
    home
        Of their user.
    now
        The time of day, in seconds since 1970; None for the system's.
    """
    now = time.time() if now is None else now
    found = []
    with suppress(OSError), os.scandir(home / FOLDER) as entries:
        for entry in islice(entries, _MOST):
            name, dot, kind = entry.name.rpartition(".")
            if dot and kind == "running" and _runs(entry.path, now):
                found.append(name)
    return sorted(found)


def _runs(path: str, now: float) -> bool:
    try:
        # Neither a link nor a pipe, which would hold up the whole server.
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return False
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        # A file from the future is as old as it is far: a clock was put back.
        if not stat.S_ISREG(status.st_mode) or abs(now - status.st_mtime) > HEARTBEAT:
            return False
        try:
            said = json.loads(file.read(_LARGEST))
            pid, host = said["pid"], said["host"]
        except (OSError, ValueError, RecursionError, TypeError, KeyError):
            return False
    if host == socket.gethostname():
        return _is_there(pid)
    return isinstance(host, str)  # of another machine, as a batch system's, nobody knows more


def _is_there(pid: object) -> bool:
    if isinstance(pid, bool) or not isinstance(pid, int) or pid <= 0:
        return False
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True
    except (OSError, OverflowError):
        return False
    return True

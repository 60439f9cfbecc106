"""Why a kernel is gone: how it ended, what it held, and what room there was, in words.

The page of a notebook says that a kernel "appears to have died". Its server
knows more: the signal or code that it ended with, how much memory it held a
moment before, whether the system has killed a process for want of memory
since, and whether the home is full.
"""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

__all__ = ["SHARED", "Ending", "Sample", "free_in", "kills_for_memory", "take_sample", "why"]

SHARED: Final = Path("/dev/shm")  # noqa: S108 - looked at, not written to
"""Where memory lies that processes share."""

_FULL: Final = 1024**2
"""Bytes of room below which a home counts as full: less than a notebook needs to be saved.
Shared memory does too: what is shared is rarely smaller."""

_NEAR: Final = 0.85
"""The part of its limit that a process holds when it is about to meet it."""


@dataclass(frozen=True)
class Sample:
    """A kernel and its surroundings at one moment.

    Parameters
    ----------
    memory
        Bytes that it and its children held.
    available
        Bytes that the machine, or the group of the server, could still give.
    kills
        How many processes the system had killed for want of memory.
    shared_free
        Bytes of room where memory lies that processes share; -1 if nobody can say.
    """

    memory: int
    available: int | None
    kills: int | None
    shared_free: int = -1


@dataclass(frozen=True)
class Ending:
    """How a kernel ended, and why.

    Parameters
    ----------
    kernel_id
        Of the kernel.
    ended_at
        When it was noticed, in seconds since 1970.
    code
        Its exit code, negative for a signal; None if nobody knows.
    signal
        The signal's name, or nothing.
    cause
        ``memory``, ``shared``, ``killed``, ``crash``, ``disk``, ``exit`` or ``unknown``.
    message
        What happened, as a sentence.
    remedy
        What to do, as a sentence.
    memory
        Bytes that it held when it was last looked at.
    memory_limit
        Bytes that it may hold; 0 for no limit.
    home_free
        Bytes of room in the home.
    """

    kernel_id: str
    ended_at: float
    code: int | None
    signal: str
    cause: str
    message: str
    remedy: str
    memory: int
    memory_limit: int
    home_free: int

    def to_json(self) -> dict[str, Any]:
        """Give it as the answer of a route."""
        return asdict(self)

    @property
    def text(self) -> str:
        """Both sentences."""
        return f"{self.message} {self.remedy}"


def take_sample(pid: int) -> Sample:
    """Look at a kernel.

    Parameters
    ----------
    pid
        Its process.
    """
    import psutil

    memory, available = 0, None
    with suppress(psutil.Error):
        process = psutil.Process(pid)
        for each in [process, *process.children(recursive=True)]:
            with suppress(psutil.Error):
                memory += int(each.memory_info().rss)
    with suppress(psutil.Error, OSError):
        available = int(psutil.virtual_memory().available)
    return Sample(memory, available, kills_for_memory(), free_in(SHARED))


def kills_for_memory(root: Path = Path("/sys/fs/cgroup")) -> int | None:
    """Give how many processes the system has killed for want of memory, here and in all.

    Parameters
    ----------
    root
        Where control groups are mounted.

    Returns
    -------
    int or None
        None if this system does not say.
    """
    found = []
    with suppress(OSError, ValueError):
        found += _count(Path("/proc/vmstat"))
    with suppress(OSError, ValueError):
        for line in Path("/proc/self/cgroup").read_text(encoding="ascii").splitlines():
            number, controllers, path = line.split(":", 2)
            if number == "0":
                found += _count(root / path.lstrip("/") / "memory.events")
            elif "memory" in controllers.split(","):
                found += _count(root / "memory" / path.lstrip("/") / "memory.oom_control")
    return sum(found) if found else None


def _count(file: Path) -> list[int]:
    with suppress(OSError, ValueError):
        for line in file.read_text(encoding="ascii").splitlines():
            if line.startswith("oom_kill "):
                return [int(line.split()[1])]
    return []


def free_in(folder: Path) -> int:
    """Give the bytes of room for this user where a folder lies; -1 if nobody can say.

    Parameters
    ----------
    folder
        The folder, as their home.
    """
    try:
        found = os.statvfs(folder)
    except OSError:
        return -1
    return found.f_bavail * found.f_frsize


def why(
    kernel_id: str,
    code: int | None,
    before: Sample,
    *,
    now: float,
    kills: int | None,
    limit: int,
    home_free: int,
    shared_free: int = -1,
) -> Ending:
    """Find out why a kernel ended.

    Parameters
    ----------
    kernel_id
        Of the kernel.
    code
        What it ended with.
    before
        When it was last looked at.
    now
        The time, in seconds since 1970.
    kills
        As in the sample, now.
    limit
        Bytes that a process may hold; 0 for no limit.
    home_free
        Bytes of room in the home; -1 if nobody can say.
    shared_free
        As in the sample, now.
    """
    name = _signal(code)
    # What shares memory gives it back when it ends, or leaves it behind: either look may see it.
    if name == "SIGBUS" and any(_is_full(free) for free in (before.shared_free, shared_free)):
        cause, message, remedy = _shared()
    else:
        cause, message, remedy = _cause(code, name, before, kills, limit, home_free)
    if _is_full(home_free) and cause != "disk":
        remedy += " Besides, your home is full: nothing can be saved until you delete files there."
    return Ending(
        kernel_id, now, code, name, cause, message, remedy, before.memory, limit, home_free
    )


_SMALLER: Final = "Hold less at once: delete arrays you no longer need, or work on parts of them."
_AGAIN: Final = "Run the cells again; if you did not do it, ask an administrator."
_ROOM: Final = "Delete files that you no longer need, then run the cells again."


def _cause(
    code: int | None,
    name: str,
    before: Sample,
    kills: int | None,
    limit: int,
    home_free: int,
) -> tuple[str, str, str]:
    full = _is_full(home_free)
    if name == "SIGKILL":
        return _killed(before, kills, limit)
    if name in {"SIGTERM", "SIGINT", "SIGHUP"}:
        return "killed", f"The kernel was told to end ({name}).", _AGAIN
    if name:
        return _crashed(name, before, limit, full=full)
    if code is None:
        return (
            "unknown",
            "The kernel is gone, and nobody saw how it ended.",
            "Run the cells again.",
        )
    if full and code:
        return "disk", f"The kernel ended with exit code {code} while the home is full.", _ROOM
    remedy = (
        "Run the cells again; exit() or os._exit() in a cell does this, and so does a package "
        "that cannot be loaded at its start."
    )
    return "exit", f"The kernel's program ended with exit code {code}.", remedy


def _is_full(free: int) -> bool:
    return 0 <= free < _FULL


def _shared() -> tuple[str, str, str]:
    message = (
        f"The kernel ended because the memory that processes share ({SHARED}) is full (SIGBUS)."
    )
    remedy = (
        f"Delete what lies in {SHARED} and is no longer needed, use fewer processes or share less "
        "between them, then run the cells again."
    )
    return "shared", message, remedy


def _killed(before: Sample, kills: int | None, limit: int) -> tuple[str, str, str]:
    held = _held(before)
    if before.kills is not None and kills is not None and kills > before.kills:
        message = f"The kernel was killed because the machine ran out of memory; {held}."
        return "memory", message, _SMALLER
    if _is_near(before, limit):
        message = f"The kernel was killed, most likely for want of memory; {held}."
        return "memory", message, _SMALLER
    message = f"The kernel was killed (SIGKILL), as far as can be seen not for memory; {held}."
    return "killed", message, _AGAIN


def _crashed(name: str, before: Sample, limit: int, *, full: bool) -> tuple[str, str, str]:
    if name == "SIGBUS" and full:
        message = (
            "The kernel ended because a file that it had mapped into memory did not fit on the "
            "disk any more (SIGBUS)."
        )
        return "disk", message, _ROOM
    if name == "SIGABRT" and limit and before.memory >= _NEAR * limit:
        message = (
            "Compiled code gave up (SIGABRT), most likely because it got no memory; "
            f"{_held(before)}."
        )
        return "memory", message, _SMALLER
    remedy = (
        "Run the cells again up to the one that did it; it is an error of a package, not of the "
        "notebook's Python."
    )
    return "crash", f"The kernel crashed in compiled code ({name}); {_held(before)}.", remedy


def _held(before: Sample) -> str:
    return f"it held {_size(before.memory)} of memory when it was last looked at"


def _is_near(before: Sample, limit: int) -> bool:
    if limit and before.memory >= _NEAR * limit:
        return True
    # What is killed so fast that no look saw it large took more than there was.
    return before.available is not None and before.available < before.memory / 4


def _signal(code: int | None) -> str:
    if code is None:
        return ""
    # A shell around a kernel gives 128 plus the signal.
    number = -code if code < 0 else code - 128
    if number <= 0:
        return ""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}" if code < 0 else ""


def _size(count: int) -> str:
    if count >= 1024**3:
        return f"{count / 1024**3:.1f} GiB"
    return f"{count / 1024**2:.0f} MiB"

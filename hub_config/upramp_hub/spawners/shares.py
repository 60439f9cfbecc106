"""Each user's share of the processor, by the means that this machine has.

Best are control groups, where the hub may make some: each server gets one, so
that a user with ten busy kernels has no more of the machine than one with a
single one. Without them, Linux shares between sessions: each server and each
kernel is one, so more kernels get more; that is said in the log, not hidden.
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

__all__ = ["Shares", "find_shares"]

_ROOT: Final = Path("/sys/fs/cgroup")
_GROUP: Final = "upramp-hub"
_BELOW: Final = 5
"""Niceness of servers where there are no control groups, so that the hub answers before them."""


@dataclass(frozen=True)
class Shares:
    """How servers share the processor.

    Parameters
    ----------
    base
        The folder of control groups that servers' groups are made in, or None.
    version
        Of the control groups; 0 for none.
    nice
        By how much servers step back.
    words
        The same for the log.
    """

    base: Path | None
    version: int
    nice: int
    words: str

    def group(self, name: str, memory: int) -> list[str]:
        """Make a server's group, and give the folders that it has to join.

        Parameters
        ----------
        name
            Of the server's folders.
        memory
            Bytes that one of its processes may hold: all together may hold twice as much.
        """
        if self.base is None:
            return []
        folder = self.base / name
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError:
            return []
        if self.version == 2:
            _write(folder / "cpu.weight", "100")
            _write(folder / "memory.max", str(2 * memory))
            # A kernel that is too large is killed, not the server beside it that says so.
            _write(folder / "memory.oom.group", "0")
        return [str(folder)]

    def clear(self, name: str) -> bool:
        """Remove a server's group once it has ended.

        Parameters
        ----------
        name
            Of the server's folders.

        Returns
        -------
        bool
            Whether it is gone: not while the last of its processes is ending.
        """
        if self.base is None:
            return True
        with suppress(OSError):
            (self.base / name).rmdir()
        return not (self.base / name).exists()


def find_shares(root: Path = _ROOT, memberships: str | None = None, *, hub: str = "") -> Shares:
    """Find out what this machine has to share the processor with.

    Parameters
    ----------
    root
        Where control groups are mounted.
    memberships
        This process's, as ``/proc/self/cgroup`` gives them; None to read that.
    hub
        What tells this hub from others on the machine, whose users may have the same names.
    """
    if memberships is None:
        try:
            memberships = Path("/proc/self/cgroup").read_text(encoding="ascii")
        except OSError:
            memberships = ""
    for line in memberships.splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers in ("", "cpu", "cpu,cpuacct"):
            version = 2 if not controllers else 1
            mounted = root if version == 2 else root / controllers
            base = mounted / path.lstrip("/") / (f"{_GROUP}-{hub}" if hub else _GROUP)
            if _can_share(base, version):
                return Shares(
                    base,
                    version,
                    0,
                    f"control groups (version {version}): each server has the same share",
                )
    return Shares(
        None,
        0,
        _BELOW if hasattr(os, "nice") else 0,
        "no control groups that this hub may make: servers and kernels are sessions with equal "
        f"shares, {_BELOW} steps below the hub; a user with more busy kernels gets more",
    )


def _can_share(base: Path, version: int) -> bool:
    try:
        base.mkdir(exist_ok=True)
    except OSError:
        return False
    if version == 1:
        return os.access(base / "cpu.shares", os.W_OK)
    # Groups below get what this one hands on: that is for who runs the machine to allow
    # (systemd: Delegate=yes), and not possible while processes sit in it themselves.
    _write(base / "cgroup.subtree_control", "+cpu")
    _write(base / "cgroup.subtree_control", "+memory")
    try:
        return "cpu" in (base / "cgroup.subtree_control").read_text(encoding="ascii").split()
    except OSError:
        return False


def _write(file: Path, text: str) -> None:
    with suppress(OSError):
        file.write_text(text, encoding="ascii")

"""How much memory users' servers and kernels hold, and a hub and its proxy."""

from __future__ import annotations

import contextlib
import re
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["by_user", "of_processes", "servers"]

_PSS = re.compile(r"^Pss:\s+(\d+) kB", re.MULTILINE)


def of_processes(pids: Iterable[int]) -> float:
    """Give the memory of processes in MB: what they share is divided among those that share it.

    Parameters
    ----------
    pids
        Their numbers; of those that have ended nothing is counted.
    """
    total = 0
    for pid in pids:
        with contextlib.suppress(OSError):
            found = _PSS.search(Path(f"/proc/{pid}/smaps_rollup").read_text("ascii"))
            total += int(found[1]) if found else 0
    return total * 1024 / 1e6


def servers(hub_port: int) -> dict[str, list[int]]:
    """Give the processes of each user's server of a hub, its kernels among them.

    Parameters
    ----------
    hub_port
        Where the hub listens: by it a server knows its hub, and so do its children.
    """
    found: dict[str, list[int]] = defaultdict(list)
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            variables = process.environ()
            # A service of the hub has the same address, and no user.
            user = variables.get("JUPYTERHUB_USER")
            if user and f":{hub_port}/" in variables.get("JUPYTERHUB_API_URL", ""):
                found[user].append(process.pid)
    return dict(found)


def by_user(hub_port: int) -> list[float]:
    """Give what each user's server and kernels hold, in MB.

    Parameters
    ----------
    hub_port
        Where the hub listens.
    """
    return [of_processes(pids) for pids in servers(hub_port).values()]

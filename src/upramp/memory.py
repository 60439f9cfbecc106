"""How much memory this process may hold, who says so, and how much it has held."""

from __future__ import annotations

import os
import resource
import sys
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Limit", "limit", "peak"]

_UNITS = 1024 if sys.platform.startswith("linux") else 1


@dataclass(frozen=True)
class Limit:
    """The lowest limit on a kernel's memory.

    Parameters
    ----------
    size
        In bytes.
    source
        Who set it.
    """

    size: int
    source: str


def limit() -> Limit:
    """Find the lowest limit that holds for this process."""
    pages = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    found = [Limit(pages, "this machine has no more")]
    for name, what in (("RLIMIT_DATA", "data"), ("RLIMIT_AS", "addresses")):
        soft, _ = resource.getrlimit(getattr(resource, name))
        if soft != resource.RLIM_INFINITY:
            found.append(Limit(soft, f"the server's limit on {what}, {name}"))
    group = _group_limit(Path("/proc/self/cgroup"), Path("/sys/fs/cgroup"))
    if group is not None:
        found.append(Limit(group, "the container's limit"))
    return min(found, key=lambda one: one.size)


def _group_limit(membership: Path, root: Path) -> int | None:
    """Read the limit of the control group (version 2) and of those around it."""
    try:
        lines = membership.read_text("ascii", "replace").splitlines()
    except OSError:
        return None
    path = next((line[3:] for line in lines if line.startswith("0::/")), None)
    if path is None or ".." in Path(path).parts:
        return None
    folder = root / path.strip("/")
    sizes = []
    for place in (folder, *folder.parents):
        try:
            text = (place / "memory.max").read_text("ascii", "replace").strip()
        except OSError:
            text = ""
        if text.isdecimal():
            sizes.append(int(text))
        if place == root:
            break
    return min(sizes, default=None)


def peak() -> int:
    """Give the most bytes of memory that this process has held at once."""
    try:
        status = Path("/proc/self/status").read_text("ascii", "replace")
    except OSError:
        status = ""
    for name, *value in (line.split() for line in status.splitlines() if line.strip()):
        if name == "VmHWM:":
            return int(value[0]) * 1024
    # It begins with what the process held that started this one, which is not ours.
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _UNITS

"""What holds the memory of this kernel now, and how much it may be."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from upramp.memory import limit

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["explain", "held", "largest"]

_GIB: Final = 1024**3
_LISTED: Final = 3
_WORTH_LISTING: Final = 64 << 20


def held() -> int:
    """Give the bytes of memory that this process holds now."""
    fields = Path("/proc/self/statm").read_text("ascii").split()
    return int(fields[1]) * os.sysconf("SC_PAGE_SIZE")


def largest(namespace: Mapping[str, Any]) -> list[tuple[str, int]]:
    """Name a notebook's largest variables that hold arrays.

    Parameters
    ----------
    namespace
        Variables by name.

    Returns
    -------
    list of tuple
        Name and bytes, largest first; only what is worth freeing.
    """
    sizes: list[tuple[str, int]] = []
    for name, value in tuple(namespace.items()):
        if name.startswith("_"):
            continue
        size = _size(value)
        if size >= _WORTH_LISTING:
            sizes.append((name, size))
    return sorted(sizes, key=lambda one: -one[1])[:_LISTED]


def _size(value: object) -> int:
    # Only what an array says of itself: to ask other objects could run code of theirs.
    import sys

    numpy = sys.modules.get("numpy")
    if numpy is None:
        return 0
    if isinstance(value, numpy.ndarray):
        return int(value.nbytes)
    models = getattr(value, "models", None) if type(value).__name__ == "Result" else None
    if isinstance(models, dict):
        arrays = (getattr(model, "data", None) for model in models.values())
        return sum(int(one.nbytes) for one in arrays if isinstance(one, numpy.ndarray))
    return 0


def explain(namespace: Mapping[str, Any]) -> str:
    """Say why there is no memory, and what to do, in sentences.

    Parameters
    ----------
    namespace
        The notebook's variables.
    """
    most = limit()
    text = (
        f"There is not enough memory: this kernel holds {held() / _GIB:.1f} GiB, and may hold "
        f"{most.size / _GIB:.1f} GiB ({most.source})."
    )
    variables = largest(namespace)
    if variables:
        names = ", ".join(f"{name} ({size / _GIB:.1f} GiB)" for name, size in variables)
        text += f" The largest variables are {names}: del those that are no longer needed."
    return (
        f"{text} The kernel goes on and nothing is lost; work on a part of the data, restart the "
        "kernel to free all of it, or start a server with more memory."
    )

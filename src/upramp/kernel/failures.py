"""Errors in a cell: upramp's sentence instead of a traceback, and why memory ran out."""

from __future__ import annotations

from traceback import extract_tb
from typing import TYPE_CHECKING, Any

from upramp.errors import UprampError

from .memory import explain

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["install", "uninstall"]

_RED = "\x1b[31m"
_PLAIN = "\x1b[0m"


def install(shell: Any) -> None:
    """Have these errors told in sentences.

    Parameters
    ----------
    shell
        The shell; an own handler of the user's is left in place.
    """
    if not shell.custom_exceptions:
        shell.set_custom_exc((UprampError, MemoryError), _tell)


def uninstall(shell: Any) -> None:
    """Leave errors to IPython again.

    Parameters
    ----------
    shell
        The shell.
    """
    if shell.custom_exceptions == (UprampError, MemoryError):
        shell.custom_exceptions = ()


def _tell(
    shell: Any,
    kind: type[BaseException],
    error: BaseException,
    trace: TracebackType | None,
    tb_offset: int | None = None,
) -> list[str]:
    """Give the lines that a cell shows for an error; the whole traceback where it is wanted."""
    whole: list[str] = []
    # `%xmode Verbose` and `%tb` is how a developer asks for all of it; for want of memory the
    # place matters to everyone.
    verbose = str(shell.InteractiveTB.mode).lower() == "verbose"
    if verbose or isinstance(error, MemoryError):
        whole = shell.InteractiveTB.structured_traceback(kind, error, trace, tb_offset=tb_offset)
    if isinstance(error, MemoryError):
        return [*whole, f"{_RED}MemoryError{_PLAIN}: {explain(shell.user_ns)}"]
    if verbose:
        return whole
    place = _place(shell, trace)
    return [f"{_RED}{kind.__name__}{_PLAIN}{place}: {error}"]


def _place(shell: Any, trace: TracebackType | None) -> str:
    """Name the line of the cell that an error came from."""
    names = getattr(shell.compile, "_filename_map", {})
    for frame in reversed(extract_tb(trace)):
        if frame.filename in names and frame.lineno is not None:
            # A cell of one line needs no number.
            return "" if frame.lineno == 1 else f" (line {frame.lineno} of the cell)"
    return ""

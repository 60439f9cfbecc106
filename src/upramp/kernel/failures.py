"""Errors in a cell: upramp's sentence instead of a traceback, and why memory ran out."""

from __future__ import annotations

import sys
from traceback import extract_tb
from typing import TYPE_CHECKING, Any

from upramp.errors import UprampError

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
    """Show an error; `%tb` shows the whole traceback after it, and `%debug` goes there."""
    sys.last_type, sys.last_value, sys.last_traceback = kind, error, trace
    from .memory import explain

    shown = error
    if isinstance(error, MemoryError):
        # Here the place matters to everyone: what asked for so much is in the cell.
        lines = shell.InteractiveTB.structured_traceback(kind, error, trace, tb_offset=tb_offset)
        shown = MemoryError(explain(shell.user_ns))
        lines = [*lines, f"{_RED}MemoryError{_PLAIN}: {shown}"]
    else:
        lines = [f"{_RED}{kind.__name__}{_PLAIN}{_place(shell, trace)}: {error}"]
        if _for_want_of_memory(error):
            lines.append(explain(shell.user_ns))
    # IPython leaves the showing to a handler.
    shell._showtraceback(kind, shown, lines)  # noqa: SLF001 - what front ends differ in
    return lines


def _for_want_of_memory(error: BaseException) -> bool:
    cause: BaseException | None = error
    for _ in range(10):  # causes may go in circles
        if cause is None or isinstance(cause, MemoryError):
            break
        cause = cause.__cause__ or cause.__context__
    return isinstance(cause, MemoryError)


def _place(shell: Any, trace: TracebackType | None) -> str:
    """Name the line of the cell that an error came from."""
    names = getattr(shell.compile, "_filename_map", {})
    for frame in reversed(extract_tb(trace)):
        if frame.filename in names and frame.lineno is not None:
            # A cell of one line needs no number.
            return "" if frame.lineno == 1 else f" (line {frame.lineno} of the cell)"
    return ""

"""What a run gave, and what its failures mean, whichever engine ran."""

from __future__ import annotations

import errno
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from upramp.errors import CalibrationError, OutputError, UprampError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Outcome", "note_step", "translated"]

_NO_ROOM: Final[dict[int | None, str]] = {
    errno.ENOSPC: "there is no room left on the disk",
    errno.EDQUOT: "the disk quota is used up",
    errno.EFBIG: "a product would be larger than files may be here",
}


@dataclass
class Outcome:
    """What a run gave.

    Parameters
    ----------
    models
        Data models by the suffix of their product.
    provenance
        The provenance, as the main product carries it.
    warnings
        What official steps warned of.
    """

    models: dict[str, Any] = field(default_factory=dict)
    provenance: dict[str, Any] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)


def translated(
    error: BaseException, path: object, output: Path, step: str, log: Path, who: str = ""
) -> UprampError:
    """Turn a failure into one sentence.

    Parameters
    ----------
    error
        What happened.
    path
        The exposure.
    output
        Where products were to go.
    step
        What was being done.
    log
        Where the log is.
    who
        Who failed, if it was not upramp itself.
    """
    see = f"the whole log is in {log}"
    for cause in _chain(error):
        if isinstance(cause, MemoryError):
            return CalibrationError(
                path,
                f"there is not enough memory ({step})",
                f"close other programs, or use a larger machine; {see}",
                step,
            )
        if _out_of_threads(cause):
            return CalibrationError(
                path,
                f"no more threads can be started here ({step})",
                f"close other programs, or ask for one thread; {see}",
                step,
            )
        if isinstance(cause, OSError) and (problem := _no_room(cause)):
            return OutputError(output, problem, "free some space or write elsewhere")
    text = next((line for line in str(error).splitlines() if line.strip()), "")
    reason = f"{type(error).__name__}: {text.strip()}" if text else type(error).__name__
    return CalibrationError(path, f"{who or 'calibration'} failed ({step}): {reason}", see, step)


def note_step(error: UprampError, step: str) -> None:
    """Let an error say what was at work, where it does not yet.

    Parameters
    ----------
    error
        What happened.
    step
        What was being done.
    """
    if isinstance(error, CalibrationError) and not error.step:
        error.step = step


def _out_of_threads(error: BaseException) -> bool:
    """Tell whether the system would not start a thread, for want of memory or by a limit.

    Parameters
    ----------
    error
        What happened.
    """
    return isinstance(error, RuntimeError) and "start new thread" in str(error)


def _no_room(error: OSError) -> str | None:
    # numpy tells of a write that was cut short by text alone.
    if re.search(r"\d+ requested and \d+ written|Not enough space", str(error)):
        return "there is no room for the products"
    return _NO_ROOM.get(error.errno)


def _chain(error: BaseException | None) -> list[BaseException]:
    found: list[BaseException] = []
    while error is not None and error not in found:
        found.append(error)
        error = error.__cause__ or error.__context__
    return found

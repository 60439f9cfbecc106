"""Why a server did not start, or ended: its exit code and its last words, as a sentence.

The causes are those that hosted notebooks are known to die of; what is not
recognised is told as it is, with the last line that the server wrote.
"""

from __future__ import annotations

import re
import signal
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Final

from upramp.errors import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Cause", "find_cause", "name_of_signal"]

_SHOWN: Final = 6
"""Lines of a server's log that a page shows."""


@dataclass(frozen=True)
class Cause:
    """Why a server is not there.

    Parameters
    ----------
    label
        One word for logs and metrics.
    problem
        What happened, as a clause.
    remedy
        What to do, as a clause.
    lines
        The last lines of the server's log, without secrets.
    """

    label: str
    problem: str
    remedy: str
    lines: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The cause as one sentence."""
        return f"Your server is not running: {self.problem}; {self.remedy}."

    @property
    def html(self) -> str:
        """The cause as a part of a page."""
        parts = [
            f'<strong class="upramp-problem">{escape(_sentence(self.problem))}</strong>',
            f'<br><span class="upramp-remedy">{escape(_sentence(self.remedy))}</span>',
        ]
        if self.lines:
            log = escape("\n".join(self.lines))
            parts.append(f"<details><summary>Its last lines</summary><pre>{log}</pre></details>")
        return "".join(parts)


def _sentence(clause: str) -> str:
    return f"{clause[:1].upper()}{clause[1:]}."


_KNOWN: Final = (
    (
        "disk",
        r"No space left on device|Errno 28\b|Disk quota exceeded|Errno 122\b|disk is full",
        "there is no room left on the disk",
        "delete files that you no longer need, or ask an administrator for room, then start again",
    ),
    (
        "memory",
        r"MemoryError|annot allocate memory|Errno 12\b|bad_alloc|to map segment",
        "it may not hold as much memory as it needs",
        "ask an administrator for a higher limit, then start again",
    ),
    (
        "processes",
        r"start new thread|Resource temporarily unavailable|Errno 11\b",
        "no more processes or threads may be started",
        "end some of your kernels and terminals, then start again",
    ),
    (
        "port",
        r"Address already in use|Errno 98\b|port \d+ is already in use|is not available\.$",
        "another program took its port",
        "start again: another one is chosen",
    ),
    (
        "import",
        r"ModuleNotFoundError: (.+)|ImportError: (.+)",
        "a part of its software is missing or damaged",
        "tell an administrator, who has to install the environment again",
    ),
    (
        "permission",
        r"PermissionError: (.+)|Permission denied",
        "a file or folder that it needs is closed to it",
        "tell an administrator",
    ),
)

_SECRET: Final = re.compile(r"(?i)(token|secret|password|authorization|code|state)([=:]\s*)\S+")


def find_cause(
    lines: Sequence[str], code: int | None = None, *, waited: float | None = None
) -> Cause:
    """Find out why a server is not there.

    Parameters
    ----------
    lines
        The end of its log.
    code
        What it ended with, negative for a signal; None while it runs, or if
        nobody knows.
    waited
        For how many seconds it was waited for in vain, if it did not end.
    """
    said = [
        line
        for line in (_SECRET.sub(r"\1\2***", printable(raw.rstrip())) for raw in lines)
        if line.strip()
    ]
    shown = tuple(line[:300] for line in said[-_SHOWN:])
    for line in reversed(said):
        if line.startswith("upramp-hub: "):
            problem = line.removeprefix("upramp-hub: ").rstrip(".")
            problem, _, remedy = problem.rpartition("; ")
            if not problem:
                problem, remedy = remedy, "tell an administrator"
            return Cause("setup", problem, remedy, shown)
    for label, pattern, problem, remedy in _KNOWN:
        found = next((m for line in reversed(said) if (m := re.search(pattern, line))), None)
        if found is not None:
            detail = next(filter(None, found.groups()), "")
            named = f"{problem} ({detail[:200]})" if detail else problem
            return Cause(label, named, remedy, shown)
    if code is None and waited is not None:
        return Cause(
            "silent",
            f"it started, but did not answer within {waited:.0f} seconds",
            "start again; if it happens again, tell an administrator",
            shown,
        )
    return Cause(*_of_code(code), shown)


def _of_code(code: int | None) -> tuple[str, str, str]:
    again = "start again; if it happens again, tell an administrator"
    if code is None:
        return "unknown", "it ended while nobody watched it", "start it again"
    if code == 0:
        return "ended", "it was ended from inside", "start it again when you need it"
    if code == -signal.SIGKILL:
        return (
            "killed",
            "it was killed, by the system for want of memory or by an administrator",
            "hold less at once in memory, then start again",
        )
    if code in (-signal.SIGTERM, -signal.SIGINT):
        return "stopped", f"it was told to end ({name_of_signal(-code)})", "start it again"
    if code < 0:
        return "crashed", f"it crashed ({name_of_signal(-code)})", again
    return "exit", f"it ended with exit code {code}", again


def name_of_signal(number: int) -> str:
    """Give a signal's name.

    Parameters
    ----------
    number
        Its number.
    """
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"

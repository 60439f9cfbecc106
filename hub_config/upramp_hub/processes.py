"""Processes that the launcher keeps alive, and their end."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from upramp.errors import UprampError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

__all__ = ["HubError", "Process", "adopt_orphans", "end_children", "ending", "last_line", "reap"]

_PATIENCE: Final = 60.0
"""Seconds that a process may take until it answers."""

_GRACE: Final = 10.0
"""Seconds that a process has between being asked to end and being ended."""

_PR_SET_PDEATHSIG: Final = 1
_PR_SET_CHILD_SUBREAPER: Final = 36


class HubError(UprampError):
    """The hub could not be started, or not be kept running."""


def end_with_parent() -> None:
    """Have this process asked to end when its parent is gone."""
    _prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def unhurried() -> None:
    """Have this process step back, and write what all may read."""
    end_with_parent()
    os.umask(0o022)
    os.nice(10)


def adopt_orphans() -> None:
    """Become the parent of what its own parent leaves behind."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def _prctl(option: int, value: int) -> None:
    # Linux alone has it; elsewhere what it is for does not happen.
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


@dataclass
class Process:
    """A process that is started again when it ends.

    Parameters
    ----------
    name
        What it is, in words.
    command
        What it runs.
    environment
        Its variables.
    log
        Where what it writes is appended.
    ready
        Says whether it answers.
    before
        What it does itself before it runs the command.
    running, started, failures
        The process there is, since when, and how many have ended before.
    """

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    log: Path
    ready: Callable[[], bool]
    before: Callable[[], None] = end_with_parent
    running: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    failures: int = 0

    def start(self) -> None:
        """Start it; its log is opened to append, so that it can be emptied meanwhile."""
        with self.log.open("ab") as log:
            self.running = subprocess.Popen(  # noqa: S603 - our own command
                self.command,
                env=dict(self.environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                # Ctrl-C is the launcher's: it says in which order they end.
                start_new_session=True,
                # A launcher that is killed must not leave them in the way of the next one.
                preexec_fn=self.before,  # noqa: PLW1509 - the launcher has one thread
            )
        self.started = time.monotonic()

    @property
    def is_running(self) -> bool:
        """Whether there is one."""
        return self.running is not None and self.running.poll() is None

    def wait_until_ready(
        self, patience: float = _PATIENCE, stop: Callable[[], bool] = lambda: False
    ) -> None:
        """Wait until it answers.

        Parameters
        ----------
        patience
            Seconds that it has.
        stop
            Says whether nobody waits for it any more.

        Raises
        ------
        HubError
            If it ends, or does not answer.
        """
        end = time.monotonic() + patience
        while time.monotonic() < end and not stop():
            if self.running is None or self.running.poll() is not None:
                raise HubError(
                    self.name,
                    f"it ended while it started: {last_line(self.log)}",
                    f"see {self.log}",
                )
            if self.ready():
                return
            time.sleep(0.05)
        if stop():
            return
        raise HubError(
            self.name, f"it does not answer after {patience:.0f} seconds", f"see {self.log}"
        )

    def stop(self) -> None:
        """Have it end, and wait for that."""
        if self.running is None or self.running.poll() is not None:
            return
        self.running.terminate()
        try:
            self.running.wait(_GRACE)
        except subprocess.TimeoutExpired:
            self.running.kill()
            self.running.wait()


def last_line(log: Path) -> str:
    """Give the last line of a log that says something.

    Parameters
    ----------
    log
        Its file.
    """
    try:
        text = log.read_bytes()[-4000:].decode("utf-8", "replace")
    except OSError:
        return "it left no log"
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "it left no word"


def ending(code: int) -> str:
    """Say how a process ended.

    Parameters
    ----------
    code
        Its exit code, negative for a signal.
    """
    if code >= 0:
        return f"exit code {code}"
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"


def reap(processes: Iterable[Process]) -> None:
    """Take note of servers that ended after their hub did.

    Parameters
    ----------
    processes
        Those that are waited for elsewhere.
    """
    # Those that are waited for elsewhere are left alone.
    own = {p.running.pid for p in processes if p.running is not None}
    for pid in _children():
        if pid not in own:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)


def _children() -> list[int]:
    found = []
    for task in Path(f"/proc/{os.getpid()}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            found += [int(pid) for pid in task.read_text().split() if not _ends_by_itself(pid)]
    return found


def _ends_by_itself(pid: str) -> bool:
    # What Python starts beside the processes that make an archive, and ends with this one.
    with contextlib.suppress(OSError):
        return b"multiprocessing.resource_tracker" in Path(f"/proc/{pid}/cmdline").read_bytes()
    return False


def end_children() -> None:
    """End what is left of this launcher's processes: first asked, then made to."""
    for number, patience in ((signal.SIGTERM, _GRACE), (signal.SIGKILL, 2.0)):
        end = time.monotonic() + patience
        for pid in _children():
            with contextlib.suppress(OSError):
                os.kill(pid, number)
        while time.monotonic() < end and _children():
            reap([])
            time.sleep(0.05)
        if not _children():
            return

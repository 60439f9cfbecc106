"""Who is busy in a server, what its kernels hold, and how those that died did."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from .campaigns import running
from .endings import SHARED, Ending, Sample, free_in, kills_for_memory, take_sample, why
from .executions import Executions, pid_of

__all__ = ["Watch"]

_REMEMBERED: Final = 200
"""Endings that are kept: a kernel that dies at every start must not fill the memory."""

_LONGEST: Final = 24 * 3600
"""Seconds by which a user may put off the end of a server that nobody uses."""


class Watch:
    """What is known of a server's kernels.

    Parameters
    ----------
    settings
        The server's; activity is put into them where Jupyter Server looks for it.
    kernels
        Its manager of kernels.
    terminals
        Its manager of terminals, or None.
    limit
        Bytes that a process may hold; 0 for no limit.
    """

    def __init__(
        self, settings: dict[str, Any], kernels: Any, terminals: Any = None, limit: int = 0
    ) -> None:
        self._settings = settings
        self._kernels = kernels
        self._terminals = terminals
        self.limit = limit
        self._samples: dict[str, Sample] = {}
        self._followed: dict[str, Any] = {}
        self._executions = Executions()
        self._endings: dict[str, Ending] = {}
        self._ended: dict[str, int] = {}
        self._stop_at: datetime | None = None
        self._warned_at: datetime | None = None
        self._until: datetime | None = None

    # ---- looked at regularly

    def look(self) -> None:
        """Look at all kernels; a busy one is activity, also one that prints nothing."""
        for kernel_id in list(self._kernels.list_kernel_ids()):
            with suppress(KeyError):
                kernel = self.follow(kernel_id)
                pid = pid_of(kernel)
                if pid is not None and _is_running(pid):
                    sample = take_sample(pid)
                    if sample.memory:  # one that is about to end has given it back already
                        self._samples[kernel_id] = sample
        for gone in set(self._samples) - set(self._kernels.list_kernel_ids()):
            self._samples.pop(gone, None)
            self._followed.pop(gone, None)
        self._executions.keep(self._kernels.list_kernel_ids())
        if self.busy() or self.busy_terminals() or running(Path.home()):
            self.somebody()

    def follow(self, kernel_id: str) -> Any:
        """Hear from now on what a kernel runs, and when it dies.

        Parameters
        ----------
        kernel_id
            Of the kernel.

        Returns
        -------
        Any
            Its manager.
        """
        kernel = self._kernels.get_kernel(kernel_id)
        self._executions.follow(kernel_id, kernel)
        if self._followed.get(kernel_id) is not kernel:
            self._followed[kernel_id] = kernel
            for event in ("restart", "dead"):
                self._kernels.add_restart_callback(
                    kernel_id, lambda: self.ended(kernel_id, kernel), event
                )
        return kernel

    def ended(self, kernel_id: str, kernel: Any) -> Ending:
        """Note how a kernel ended; called again for the same process, it gives the same.

        Parameters
        ----------
        kernel_id
            Of the kernel.
        kernel
            Its manager, which has not started another process yet.
        """
        self._executions.ended(kernel_id)
        process = getattr(getattr(kernel, "provisioner", None), "process", None)
        pid = getattr(process, "pid", 0)
        if kernel_id in self._endings and self._ended.get(kernel_id) == pid:
            return self._endings[kernel_id]
        ending = why(
            kernel_id,
            getattr(process, "returncode", None),
            self._samples.pop(kernel_id, Sample(0, None, None)),
            now=time.time(),
            kills=kills_for_memory(),
            limit=self.limit,
            home_free=free_in(Path.home()),
            shared_free=free_in(SHARED),
        )
        self._endings.pop(kernel_id, None)
        self._endings[kernel_id], self._ended[kernel_id] = ending, pid
        while len(self._endings) > _REMEMBERED:
            oldest = next(iter(self._endings))
            del self._endings[oldest], self._ended[oldest]
        return ending

    def ending(self, kernel_id: str) -> Ending | None:
        """Give how a kernel last ended; None if it did not.

        Parameters
        ----------
        kernel_id
            Of the kernel.
        """
        return self._endings.get(kernel_id)

    # ---- activity

    def busy(self) -> list[str]:
        """Give the kernels that run a cell."""
        return [
            kernel_id
            for kernel_id in self._kernels.list_kernel_ids()
            if self._executions.is_running(kernel_id)
            or self._model(kernel_id).get("execution_state") == "busy"
        ]

    def _model(self, kernel_id: str) -> dict[str, Any]:
        with suppress(Exception):  # it may go while it is looked at, in more ways than one
            return dict(self._kernels.kernel_model(kernel_id))
        return {}

    def busy_terminals(self) -> int:
        """Give how many terminals run something else than their shell."""
        busy = 0
        for terminal in getattr(self._terminals, "terminals", {}).values():
            process: Any = getattr(terminal, "ptyproc", None)
            with suppress(OSError, AttributeError, TypeError):
                busy += os.tcgetpgrp(process.fd) != process.pid
        return busy

    def somebody(self) -> None:
        """Note that somebody is there, or something runs."""
        self._settings["upramp_last_activity"] = _now()

    def last_activity(self) -> datetime:
        """Give when somebody, or a kernel, last did something.

        What only reads is no activity: an open page asks for kernels, terminals and files all
        the time, whether somebody sits before it or not. It tells when somebody does.
        """
        times = [
            value
            for key, value in self._settings.items()
            if key.endswith("_last_activity") and key != "api_last_activity"
        ]
        times += [self._settings["started"], self._kernels.last_kernel_activity]
        times += self._settings.get("last_activity_times", {}).values()
        latest: datetime = max(times)
        return latest

    def extend(self, seconds: int) -> datetime:
        """Put off the end of the server, though nobody uses it.

        Parameters
        ----------
        seconds
            For how long from now; at most a day.

        Returns
        -------
        datetime
            Until when.
        """
        now = _now()
        self.somebody()
        self._until = now + timedelta(seconds=min(max(seconds, 0), _LONGEST))
        self._stop_at = None
        return self._until

    def warn(self, stop_at: datetime | None) -> None:
        """Say that the server will be stopped, so that pages can tell.

        Parameters
        ----------
        stop_at
            When; None if it will not.
        """
        self._stop_at = stop_at
        self._warned_at = None if stop_at is None else _now()

    def warning(self) -> datetime | None:
        """Give when the server will be stopped; None once somebody has done something since."""
        if self._warned_at is not None and self.last_activity() > self._warned_at:
            self._stop_at = self._warned_at = None
        return self._stop_at

    def extended_until(self) -> datetime | None:
        """Give until when the server is kept, used or not."""
        if self._until is not None and self._until <= _now():
            self._until = None
        return self._until

    def to_json(self) -> dict[str, Any]:
        """Give all of it, for the culler and for pages."""
        kernels = []
        busy = self.busy()
        for kernel_id in self._kernels.list_kernel_ids():
            model = self._model(kernel_id)
            sample = self._samples.get(kernel_id)
            kernels.append(
                {
                    "id": kernel_id,
                    "name": model.get("name"),
                    "state": ("busy" if kernel_id in busy else model.get("execution_state")),
                    "last_activity": model.get("last_activity"),
                    "memory": sample.memory if sample else None,
                }
            )
        return {
            "busy_kernels": len(busy),
            "busy_terminals": self.busy_terminals(),
            "campaigns": len(running(Path.home())),
            "kernels": kernels,
            "last_activity": _text(self.last_activity()),
            "extended_until": _text(self.extended_until()),
            "stop_at": _text(self.warning()),
            "memory": {
                "held": sum(s.memory for s in self._samples.values()),
                "limit_of_a_process": self.limit,
            },
            "home_free": free_in(Path.home()),
            "now": _text(_now()),
        }


def _is_running(pid: int) -> bool:
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return not Path("/proc/self").exists()
    # A dead one holds nothing any more: what it held before is what explains its end.
    return text.rpartition(")")[2].split()[0] not in "ZX"


def _now() -> datetime:
    return datetime.now(UTC)


def _text(moment: datetime | None) -> str | None:
    return None if moment is None else moment.astimezone(UTC).isoformat()

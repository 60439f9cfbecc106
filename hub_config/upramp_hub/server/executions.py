"""Which kernels run a cell: heard from the kernels themselves, whatever else they are asked.

What Jupyter Server takes a kernel's state for becomes "idle" under a running
cell as soon as anything ends that is asked on another channel, or in a
subshell: pages do so all the time. So the end of a cell counts here, and of
nothing else.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import zmq
from jupyter_client.session import Session

__all__ = ["Executions", "pid_of"]


class Executions:
    """The cells that run, by the kernels that are followed."""

    def __init__(self) -> None:
        self._listeners: dict[str, _Listener] = {}

    def follow(self, kernel_id: str, kernel: Any) -> None:
        """Listen to a kernel from now on, once, at the port that it has now.

        Parameters
        ----------
        kernel_id
            Of the kernel.
        kernel
            Its manager.
        """
        if not kernel.iopub_port:  # it has not been started yet
            return
        listener = self._listeners.get(kernel_id)
        if listener is not None and listener.hears(kernel):
            return
        self._close(kernel_id)
        with suppress(zmq.ZMQError):  # as when too many files are open: the next look tries again
            self._listeners[kernel_id] = _Listener(kernel)

    def is_running(self, kernel_id: str) -> bool:
        """Say whether a kernel runs a cell, as far as it was heard.

        Parameters
        ----------
        kernel_id
            Of the kernel.
        """
        listener = self._listeners.get(kernel_id)
        return listener is not None and listener.is_running()

    def ended(self, kernel_id: str) -> None:
        """Note that a kernel's process has ended, and with it what it ran.

        Parameters
        ----------
        kernel_id
            Of the kernel.
        """
        listener = self._listeners.get(kernel_id)
        if listener is not None:
            listener.running.clear()

    def keep(self, kernel_ids: list[str]) -> None:
        """Stop listening to all kernels but some.

        Parameters
        ----------
        kernel_ids
            Of those that there are still.
        """
        for gone in set(self._listeners) - set(kernel_ids):
            self._close(gone)

    def _close(self, kernel_id: str) -> None:
        listener = self._listeners.pop(kernel_id, None)
        if listener is not None:
            listener.stream.close()


class _Listener:
    """Hears one kernel."""

    def __init__(self, kernel: Any) -> None:
        self._kernel = kernel
        self._port = kernel.iopub_port
        # Its own: a session takes no message twice, and the kernel's hears this one elsewhere.
        self._session: Any = Session(config=kernel.session.config, key=kernel.session.key)
        # The cell that runs, and in which process, by the subshell that runs it (None: in none).
        self.running: dict[str | None, tuple[str, int | None]] = {}
        self.stream: Any = kernel.connect_iopub()
        self.stream.on_recv(self.hear, copy=False)

    def hears(self, kernel: Any) -> bool:
        return (
            kernel is self._kernel and kernel.iopub_port == self._port and not self.stream.closed()
        )

    def is_running(self) -> bool:
        # A restart that its user wishes for is told to nobody: another process shows it.
        process = pid_of(self._kernel)
        return any(pid == process for _, pid in self.running.values())

    def hear(self, frames: list[zmq.Frame]) -> None:
        with suppress(Exception):  # what is malformed says nothing
            _, parts = self._session.feed_identities(frames, copy=False)
            # Of what cells print and show no more is looked at, however large it is.
            if self._session.unpack(parts[1].bytes)["msg_type"] == "status":
                message = self._session.deserialize(parts, copy=False)
                self._note(message["content"]["execution_state"], message["parent_header"])

    def _note(self, state: Any, parent: dict[str, Any]) -> None:
        if state in {"starting", "restarting"}:
            self.running.clear()
        name, subshell = parent.get("msg_id"), parent.get("subshell_id")
        if parent.get("msg_type") != "execute_request" or not isinstance(name, str):
            return
        if state == "busy":
            # In the place of one whose end was missed: messages may be dropped.
            self.running[subshell] = (name, pid_of(self._kernel))
        elif state == "idle" and self.running.get(subshell, ("", None))[0] == name:
            del self.running[subshell]


def pid_of(kernel: Any) -> int | None:
    """Give a kernel's process; None if it has none here.

    Parameters
    ----------
    kernel
        Its manager.
    """
    pid = getattr(getattr(kernel, "provisioner", None), "pid", None)
    return pid if isinstance(pid, int) else None

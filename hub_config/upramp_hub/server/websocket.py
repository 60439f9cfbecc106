"""The connection of a page to its kernel: without delay, and with the reason when it dies."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

from jupyter_server.services.kernels.connection import base
from jupyter_server.services.kernels.connection.channels import ZMQChannelsWebsocketConnection

__all__ = ["KernelConnection"]

_BASE: Any = base  # without annotations
_V1 = "v1.kernel.websocket.jupyter.org"


class KernelConnection(ZMQChannelsWebsocketConnection):
    """Jupyter Server's connection, which waits for no acknowledgement before it sends on.

    Without this, a small answer waits for the browser to acknowledge the one
    before it, which the browser puts off for 40 ms: every movement of a slider.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        # Cells that were sent and are not answered, by their messages' names; the first runs.
        self._asked: dict[str, dict[str, Any]] = {}

    async def prepare(self) -> None:
        """Wait until the kernel answers; by then it is heard, as its first cell may be long."""
        watch = self.websocket_handler.settings.get("upramp_watch")
        if watch is not None:
            with suppress(KeyError):  # one that is gone is refused below
                watch.follow(self.kernel_id)
        await super().prepare()  # type: ignore[no-untyped-call]

    def connect(self) -> Any:
        """Connect the page and the kernel."""
        with suppress(Exception):  # a connection that is gone already is somebody else's affair
            self.websocket_handler.set_nodelay(True)
        return super().connect()

    def handle_incoming_message(self, incoming_msg: Any) -> None:
        """Pass a message of the page on; remember which cell it runs.

        Parameters
        ----------
        incoming_msg
            As it came.
        """
        with suppress(Exception):  # what is malformed is refused below, with its own words
            self._note_execution(incoming_msg)
        super().handle_incoming_message(incoming_msg)

    def _note_execution(self, message: Any) -> None:
        if self.subprotocol == _V1:
            # Only the header is looked at, however large the rest is.
            channel, parts = _BASE.deserialize_msg_from_ws_v1(message)
            header = self.session.unpack(parts[0]) if channel == "shell" else {}
        else:
            whole = (
                _BASE.deserialize_binary_message(message)
                if isinstance(message, bytes)
                else json.loads(message)
            )
            header = whole["header"] if whole.get("channel") == "shell" else {}
        if header.get("msg_type") == "execute_request":
            self._asked[header["msg_id"]] = header

    def handle_outgoing_message(self, stream: Any, outgoing_msg: list[Any]) -> None:
        """Pass a message of the kernel on; forget the cell that it answers.

        Parameters
        ----------
        stream
            Where it came from, or the name of that channel.
        outgoing_msg
            As it came.
        """
        with suppress(Exception):  # what is malformed is told below
            channel = stream if isinstance(stream, str) else stream.channel
            if channel == "shell":
                _, (_, _, parent, *_) = self.session.feed_identities(outgoing_msg)
                self._asked.pop(self.session.unpack(parent).get("msg_id"), None)
        super().handle_outgoing_message(stream, outgoing_msg)

    def on_kernel_restarted(self) -> None:
        """Tell the page why its kernel has died, then that another one is started."""
        self._explain()
        super().on_kernel_restarted()  # type: ignore[no-untyped-call]

    def on_restart_failed(self) -> None:
        """Tell the page why its kernel has died, then that there is none any more."""
        self._explain()
        super().on_restart_failed()  # type: ignore[no-untyped-call]

    def _explain(self) -> None:
        watch = self.websocket_handler.settings.get("upramp_watch")
        # Not what Jupyter Server takes the kernel for: it may have missed that a cell began.
        running = next(iter(self._asked.values()), None)
        self._asked.clear()
        if watch is None or running is None:
            return
        text = watch.ended(self.kernel_id, self.kernel_manager).text
        content = {"ename": "KernelDied", "evalue": text, "traceback": [text]}
        message = self.session.msg("error", content, parent=running)
        with suppress(Exception):  # a page that is gone needs no explanation
            if self.subprotocol == _V1:
                packed = _BASE.serialize_msg_to_ws_v1(message, "iopub", self.session.pack)
                self.write_message(packed, binary=True)
            else:
                message["channel"] = "iopub"
                self.write_message(json.dumps(message, default=str))

"""Websockets, byte for byte.

Once a server has agreed to a websocket, the proxy reads none of it: the bytes
of either side go to the other as they come. Subprotocols, compression, pings,
messages of any size and the codes they close with are between the two ends,
and a message is never held in memory.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import TYPE_CHECKING, Any, Final

from aiohttp.client_proto import ResponseHandler
from aiohttp.http import StreamWriter

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiohttp import ClientResponse, web
    from aiohttp.base_protocol import BaseProtocol

    from .routes import Route

__all__ = ["Tunnels"]

_GOODBYE: Final = 5.0
"""Seconds that a client has to close its side after the server closed its own."""

_PROBES: Final = (("TCP_KEEPIDLE", 60), ("TCP_KEEPINTVL", 15), ("TCP_KEEPCNT", 4))
"""A side that vanished without a word is noticed after two minutes."""


class Tunnels:
    """The websockets that are open."""

    def __init__(self) -> None:
        self._open: set[_Direction] = set()

    async def run(self, request: web.BaseRequest, answer: ClientResponse, route: Route) -> None:
        """Pass bytes both ways until either side closes.

        Parameters
        ----------
        request
            The client's, to which the server's consent was already sent.
        answer
            The server's consent.
        route
            Marked as used by what the client sends.
        """
        client: BaseProtocol = request.protocol
        connection = answer.connection
        server = None if connection is None else connection.protocol
        if server is None:  # it consented and was gone
            return
        both = {
            upwards := _Direction(client, server, route.touch),
            downwards := _Direction(server, client, None),
        }
        self._open |= both
        try:
            await _splice(upwards, downwards)
        finally:
            self._open -= both

    def close(self) -> None:
        """Close every websocket: they have no end of their own to wait for."""
        for direction in self._open:
            direction.feed_eof()


async def _splice(upwards: _Direction, downwards: _Direction) -> None:
    client, server = upwards.source, downwards.source
    for side in (client, server):
        _probe(side)
    try:
        # Bytes that came before this are handed over by this call, in their order.
        _attach(server, downwards)
        _attach(client, upwards)
        await asyncio.wait([upwards.ended, downwards.ended], return_when=asyncio.FIRST_COMPLETED)
        if not upwards.ended.done() and client.transport is not None:
            # The server's last frame, its reason, is still on its way: closing at once
            # while the client writes would make the system throw it away.
            with contextlib.suppress(OSError, RuntimeError):
                client.transport.write_eof()
            await asyncio.wait([upwards.ended], timeout=_GOODBYE)
    finally:
        for direction in (upwards, downwards):
            direction.cancel()
        for side in (server, client):
            if side.transport is not None:
                side.transport.close()  # after what is still to be written


def _attach(source: Any, direction: _Direction) -> None:
    # Both of the library's protocols take a reader of websockets here; it declares the
    # type of its own.
    if isinstance(source, ResponseHandler):
        source.set_parser(direction, direction)
    else:
        source.set_parser(direction)
    if not source.connected:  # it spoke and was gone, before anyone listened
        direction.feed_eof()


class _Direction:
    """One of a websocket's two directions.

    Parameters
    ----------
    source
        The connection that bytes come from.
    sink
        The connection that they go to.
    used
        Told when bytes pass.
    """

    def __init__(
        self, source: BaseProtocol, sink: BaseProtocol, used: Callable[[], None] | None
    ) -> None:
        loop = asyncio.get_running_loop()
        self.ended: asyncio.Future[None] = loop.create_future()
        self.source = source
        self._sink = sink
        self._used = used
        self._writer = StreamWriter(sink, loop)
        self._waiting: asyncio.Task[None] | None = None

    # ---- what the library calls

    def feed_data(self, data: bytes) -> tuple[bool, bytes]:
        """Pass bytes on at once.

        Parameters
        ----------
        data
            As they came.

        Returns
        -------
        bool
            Never that the source is at its end.
        bytes
            Nothing that is left over.
        """
        transport = self._sink.transport
        if transport is not None and not transport.is_closing():
            transport.write(data)
            if self._used is not None:
                self._used()
            if self._sink.writing_paused and self._waiting is None:
                self.source.pause_reading()
                self._waiting = asyncio.ensure_future(self._resume())
        return False, b""

    def feed_eof(self) -> None:
        """Note that no more bytes come."""
        if not self.ended.done():
            self.ended.set_result(None)

    def set_exception(self, *_: object) -> None:
        """Note that no more bytes come, and that the library knows why."""
        self.feed_eof()

    def is_eof(self) -> bool:
        """Tell whether no more bytes come."""
        return self.ended.done()

    # ---- the flow

    async def _resume(self) -> None:
        try:
            await self._writer.drain()
        except ConnectionError:
            self.feed_eof()  # what is not taken any more is not asked for either
        finally:
            self._waiting = None
        self.source.resume_reading()

    def cancel(self) -> None:
        """Wait for nothing any more."""
        self.feed_eof()
        if self._waiting is not None:
            self._waiting.cancel()


def _probe(side: BaseProtocol) -> None:
    if side.transport is None:
        return
    connection = side.transport.get_extra_info("socket")
    with contextlib.suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in _PROBES:
            if hasattr(socket, name):  # not every system has every one
                connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)

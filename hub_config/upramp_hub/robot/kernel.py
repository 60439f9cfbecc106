"""A kernel over its websocket."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from typing import TYPE_CHECKING, Final

import aiohttp

from upramp.errors import InputError

from .errors import LostCellError, RobotError, WrongAnswerError
from .messages import PROTOCOL, Message, pack, request, unpack

if TYPE_CHECKING:
    from .cells import Cell

__all__ = ["Kernel"]

_LONGEST: Final = 500
"""Characters of an error that are told."""


class Kernel:
    """A kernel that cells are sent to.

    Parameters
    ----------
    websocket
        Open, with the protocol of `messages`.
    """

    def __init__(self, websocket: aiohttp.ClientWebSocketResponse) -> None:
        if websocket.protocol != PROTOCOL:
            raise RobotError(
                "the kernel's websocket",
                f"the server chose {websocket.protocol or 'no protocol'}, not {PROTOCOL}",
                "see whether the proxy passes Sec-WebSocket-Protocol on",
            )
        self._websocket = websocket
        self._session = uuid.uuid4().hex
        self._heard: asyncio.Queue[aiohttp.WSMessage | None] = asyncio.Queue()
        # A page answers the server's pings also while nobody does anything there: the answer
        # is given when something is received.
        self._listening = asyncio.create_task(self._listen())

    async def run(self, cell: Cell, patience: float) -> None:
        """Run a cell and check its answer.

        Parameters
        ----------
        cell
            What is run.
        patience
            Seconds that it may take.

        Raises
        ------
        LostCellError
            If no reply comes: the connection closed, the kernel died, or time is over.
        WrongAnswerError
            If it failed or its answer is not the right one.
        """
        content = {"code": cell.source, "silent": False, "store_history": False}
        asked = request("execute_request", {**content, "allow_stdin": False})
        try:
            async with asyncio.timeout(patience):
                await self._websocket.send_bytes(pack(asked, self._session))
                printed = await self._reply(asked)
        except TimeoutError:
            raise LostCellError(
                "a cell",
                f"its reply has not come after {patience:.0f} seconds",
                "see the kernel's log",
            ) from None
        except (aiohttp.ClientError, ConnectionError) as error:
            raise LostCellError("a cell", f"the connection broke ({error})", _LOOK) from None
        except InputError as error:
            raise LostCellError(error.subject, error.problem, error.remedy) from None
        cell.check(printed)

    async def _reply(self, asked: Message) -> str:
        """Listen until a request is answered and its output is complete; give the output."""
        printed: list[str] = []
        reply: Message | None = None
        idle = False
        while reply is None or not idle:
            message = await self._next()
            state = message.content.get("execution_state") if message.kind == "status" else None
            if state in {"restarting", "dead"}:
                raise LostCellError(
                    "a cell",
                    "its kernel died under it",
                    "see how much memory the server may hold, and its log",
                )
            if message.parent != asked.identity:
                continue
            if message.kind == "stream":
                printed.append(str(message.content.get("text", "")))
            elif message.kind == "execute_reply":
                reply = message
            idle = idle or state == "idle"
        if reply.content.get("status") != "ok":
            name, value = (str(reply.content.get(key, "?")) for key in ("ename", "evalue"))
            raise WrongAnswerError(
                "a cell", f"it failed with {name}: {value[:_LONGEST]}", "run it by hand"
            )
        return "".join(printed)

    @property
    def is_open(self) -> bool:
        """Whether the websocket still is."""
        return not self._listening.done()

    async def _listen(self) -> None:
        try:
            while True:
                # receive() and not the iterator, which swallows the code that it was closed with.
                received = await self._websocket.receive()
                if received.type not in {aiohttp.WSMsgType.BINARY, aiohttp.WSMsgType.TEXT}:
                    return
                self._heard.put_nowait(received)
        finally:
            self._heard.put_nowait(None)  # whoever waits is told that nothing more comes

    async def _next(self) -> Message:
        ended = self._listening.done() and self._heard.empty()
        received = None if ended else await self._heard.get()
        if received is None:
            code = self._websocket.close_code
            raise LostCellError("a cell", f"its websocket was closed (code {code})", _LOOK)
        if received.type is aiohttp.WSMsgType.TEXT:
            raise LostCellError("a cell", "text came where messages are binary", _LOOK)
        return unpack(received.data)

    async def close(self) -> None:
        """Close the websocket, as a page that is left does."""
        self._listening.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._listening
        await self._websocket.close()


_LOOK: Final = "see the logs of the proxy and the server"

"""How far a start is, for everybody who looks at its page, also if they come late."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

__all__ = ["Stages"]


class Stages:
    """What happened in a start until now, and what is waited for."""

    def __init__(self) -> None:
        self._begin = time.monotonic()
        self._told: list[dict[str, Any]] = []
        self._news = asyncio.Event()
        self._ended = False

    def tell(self, progress: int, message: str, expected: float | None = None) -> None:
        """Say that a stage is reached; the same message again is not repeated.

        Parameters
        ----------
        progress
            How far that is, of 100.
        message
            What is being done, as a sentence.
        expected
            In how many seconds the server is expected, if that is known.
        """
        if self._told and self._told[-1]["message"] == message:
            return
        event: dict[str, Any] = {
            "progress": progress,
            "message": message,
            "seconds": round(time.monotonic() - self._begin, 1),
        }
        if expected is not None:
            event["expected"] = max(1, round(expected))
        self._told.append(event)
        self._wake()

    def end(self) -> None:
        """Say that nothing will follow."""
        self._ended = True
        self._wake()

    def _wake(self) -> None:
        self._news.set()
        self._news = asyncio.Event()

    async def events(self) -> AsyncIterator[dict[str, Any]]:
        """Give all that was told and will be, as JupyterHub's events of progress.

        Yields
        ------
        dict
            ``progress``, ``message``, ``seconds`` since the start was asked for,
            and perhaps ``expected``.
        """
        given = 0
        while True:
            news = self._news
            while given < len(self._told):
                yield dict(self._told[given])
                given += 1
            if self._ended:
                return
            await news.wait()

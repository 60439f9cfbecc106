"""The line in which servers wait to be started, and how long that takes.

JupyterHub refuses a start when too many are under way. Here they wait their
turn, first come, first served, and see their place; only when the line is
long, or all servers are taken, is somebody sent away, and told until when.
"""

from __future__ import annotations

import asyncio
import json
import math
import statistics
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Final

from upramp.atomic import write_text
from upramp.errors import OutputError
from upramp_hub.metrics import WAITING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

__all__ = ["Line", "Times"]

_REMEMBERED: Final = 20


class Times:
    """How long the last starts took.

    Parameters
    ----------
    file
        Where they are kept over restarts of the hub; None to keep them in memory.
    """

    def __init__(self, file: Path | None = None) -> None:
        self._file = file
        self._taken: list[float] = []
        if file is not None:
            # What cannot be read is not worth a hub that does not start.
            with suppress(OSError, ValueError, TypeError):
                self._taken = [float(s) for s in json.loads(file.read_text("utf-8"))]

    def add(self, seconds: float) -> None:
        """Remember a start that went well.

        Parameters
        ----------
        seconds
            How long it took, from its turn in the line to the server's first answer.
        """
        self._taken = [*self._taken, round(seconds, 2)][-_REMEMBERED:]
        if self._file is not None:
            with suppress(OutputError):  # a full disk must not fail a start that went well
                write_text(self._file, json.dumps(self._taken))

    @property
    def expected(self) -> float | None:
        """Seconds that a start takes by experience; None without any."""
        return statistics.median(self._taken) if self._taken else None


class Line:
    """Who is being started, and who waits for it.

    Parameters
    ----------
    width
        How many are started at once.
    length
        How many may wait.
    """

    def __init__(self, width: int, length: int) -> None:
        self.width = max(1, width)
        self.length = length
        self._starting = 0
        self._waiting: list[tuple[asyncio.Event, Callable[[int, int], None]]] = []

    @property
    def is_full(self) -> bool:
        """Whether nobody else may join."""
        return self._starting >= self.width and len(self._waiting) >= self.length

    def wait(self, expected: float, place: int | None = None) -> float:
        """Give the seconds until a place's server answers.

        Parameters
        ----------
        expected
            How long one start takes.
        place
            In the line, from 1; None for the one after its end.
        """
        place = len(self._waiting) + 1 if place is None else place
        return (math.ceil(place / self.width) + 1) * expected

    @asynccontextmanager
    async def turn(self, told: Callable[[int, int], None]) -> AsyncIterator[None]:
        """Wait for a turn, and keep it during the block.

        Parameters
        ----------
        told
            Called with the place in the line and the line's length whenever they change.
        """
        if self._starting >= self.width or self._waiting:
            ticket = (asyncio.Event(), told)
            self._waiting.append(ticket)
            self._announce()
            try:
                await ticket[0].wait()
            except asyncio.CancelledError:
                if ticket in self._waiting:
                    self._waiting.remove(ticket)
                    self._announce()
                else:  # its turn came in the same moment
                    self._leave()
                raise
        else:
            self._starting += 1
        try:
            yield
        finally:
            self._leave()

    def _leave(self) -> None:
        # A turn is handed on, so that nobody who comes just now slips in before.
        if self._waiting:
            self._waiting.pop(0)[0].set()
            self._announce()
        else:
            self._starting -= 1

    def _announce(self) -> None:
        WAITING.set(len(self._waiting))
        for place, (_, told) in enumerate(self._waiting, 1):
            told(place, len(self._waiting))

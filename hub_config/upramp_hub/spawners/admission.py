"""What all spawners here share: who may start a server, when, and what they are told.

A mixin that stands before a spawner of JupyterHub: it lets starts wait in a
line, refuses them with ``Retry-After`` where waiting makes no sense, tells the
stages to the page, and the cause when a start fails.
"""

from __future__ import annotations

import asyncio
import time
import weakref
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar, Final

from jupyterhub.spawner import SpawnException
from tornado import web
from traitlets import Any as AnyTrait
from traitlets.config import LoggingConfigurable

from upramp.errors import UprampError
from upramp_hub.metrics import spawn_stage

from .causes import Cause
from .line import Line, Times
from .stages import Stages

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from upramp_hub.settings import Settings

__all__ = ["Admission", "SpawnFailed", "TooBusy", "answers", "last_cause", "remember_cause"]

_GUESS: Final = 8.0
"""Seconds that a start takes if none has been seen yet."""

_SOONEST: Final = 15
_LATEST: Final = 900


class TooBusy(SpawnException):
    """A start is refused for now.

    Parameters
    ----------
    problem
        Why, as a clause.
    reason
        The same in a word, for metrics.
    retry_after
        Seconds after which it makes sense to try again.
    """

    def __init__(self, problem: str, *, reason: str, retry_after: float) -> None:
        self.retry_after = int(min(max(retry_after, _SOONEST), _LATEST))
        self.headers = {"Retry-After": str(self.retry_after)}
        self.problem = problem
        super().__init__(
            f"{problem[:1].upper()}{problem[1:]}. Try again in {_in_words(self.retry_after)}.",
            reason=reason,
            status_code=429,
        )
        self.jupyterhub_message = self.message


class SpawnFailed(web.HTTPError):
    """A server did not start, and why.

    Parameters
    ----------
    cause
        Why.
    """

    def __init__(self, cause: Cause) -> None:
        super().__init__(500, cause.text.replace("%", "%%"))
        self.cause = cause
        # JupyterHub's pages and interfaces show these.
        self.jupyterhub_message = cause.text
        self.jupyterhub_html_message = cause.html


def _in_words(seconds: int) -> str:
    if seconds < 100:
        return f"{seconds} seconds"
    return f"{round(seconds / 60)} minutes"


_last: dict[tuple[str, str], Cause] = {}


def last_cause(user: str, server: str = "") -> Cause | None:
    """Give why a server that ran is not there any more, for the page of one that does not run.

    Parameters
    ----------
    user
        Its owner's name.
    server
        Its name; empty for the only one.
    """
    return _last.get((user, server))


def remember_cause(user: str, server: str, cause: Cause) -> None:
    """Keep why a server ended, until it is started again.

    Parameters
    ----------
    user
        Its owner's name.
    server
        Its name; empty for the only one.
    cause
        Why.
    """
    _last[user, server] = cause


class Admission(LoggingConfigurable):
    """Lets servers start in their turn."""

    settings: Settings = AnyTrait(  # type: ignore[assignment] # what the configuration puts there
        help="What the processes of the hub agree on (upramp_hub.settings.Settings)."
    ).tag(config=True)

    _line: ClassVar[Line | None] = None
    _times: ClassVar[Times | None] = None
    _all: ClassVar[weakref.WeakSet[Any]] = weakref.WeakSet()
    _warned: ClassVar[set[str]] = set()

    # What JupyterHub's spawners bring.
    user: Any
    name: str
    active: bool
    orm_spawner: Any

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.stages = Stages()
        Admission._all.add(self)

    @property
    def line(self) -> Line:
        """The line of all servers of this hub."""
        if Admission._line is None:
            spawns = self.settings.spawns
            Admission._line = Line(spawns, 4 * spawns)
        return Admission._line

    @property
    def times(self) -> Times:
        """How long starts take at this hub."""
        if Admission._times is None:
            Admission._times = Times(self.settings.state / "start_times.json")
        return Admission._times

    @property
    def expected(self) -> float:
        """Seconds that a start takes: by experience, else a guess, which is told nobody."""
        return self.times.expected or _GUESS

    async def start(self) -> Any:
        """Start the server in its turn.

        Raises
        ------
        TooBusy
            If there are too many servers, or too many wait.
        SpawnFailed
            If it does not start, with the cause.
        """
        self.stages = Stages()
        _last.pop((self.user.name, self.name), None)
        self._refuse()
        try:
            async with AsyncExitStack() as stack:
                with spawn_stage("line"):
                    await stack.enter_async_context(self.line.turn(self._told))
                begin = time.monotonic()
                with spawn_stage("launch"):
                    where = await self.launch()
                self.times.add(time.monotonic() - begin)
        except UprampError as error:
            problem = f"{error.subject}: {error.problem}"
            raise self._failed_with(Cause("setup", problem, error.remedy)) from error
        except SpawnFailed as failure:
            self._failed_with(failure.cause)
            raise
        finally:
            self.stages.end()
        return where

    async def launch(self) -> Any:
        """Start the server now; spawners that can tell stages of their own override it."""
        self.stages.tell(30, "The server is being started", self.times.expected)
        return await super().start()  # type: ignore[misc] # of the spawner after this one

    def warn_once(self, sentence: str) -> None:
        """Put into the log what is true of the machine, not of one start.

        Parameters
        ----------
        sentence
            What; nothing if there is nothing.
        """
        if sentence and sentence not in Admission._warned:
            Admission._warned.add(sentence)
            self.log.warning("%s", sentence)

    def _failed_with(self, cause: Cause) -> SpawnFailed:
        remember_cause(self.user.name, self.name, cause)
        self.log.error("server of %s: %s (%s)", self.user.name, cause.problem, cause.label)
        return SpawnFailed(cause)

    def _told(self, place: int, length: int) -> None:
        wait = self.line.wait(self.expected, place)
        percent = max(2, 14 - place)
        self.stages.tell(percent, f"Waiting for a turn: place {place} of {length}", wait)

    def _refuse(self) -> None:
        others = [s for s in Admission._all if s is not self and s.active]
        most = self.settings.servers
        if most and len(others) >= most:
            raise TooBusy(
                f"all {most} servers of this hub are in use",
                reason="too_many_users",
                retry_after=self._until_one_is_idle(others),
            )
        if self.line.is_full:
            raise TooBusy(
                "many servers are being started just now",
                reason="throttled",
                retry_after=self.line.wait(self.expected),
            )

    def _until_one_is_idle(self, others: list[Any]) -> float:
        """Give the seconds until the first of these is stopped, if nobody uses it any more."""
        now = datetime.now(UTC).replace(tzinfo=None)
        idle = [
            (now - each.orm_spawner.last_activity).total_seconds()
            for each in others
            if each.orm_spawner is not None and each.orm_spawner.last_activity is not None
        ]
        return self.settings.idle_after - max(idle, default=0.0)

    async def progress(self) -> AsyncIterator[dict[str, Any]]:
        """Give the stages of the start, for the page that waits for it."""
        async for event in self.stages.events():
            yield event


async def answers(
    host: str, port: int, path: str, *, patience: float = 1.0, hidden: bool = False
) -> bool:
    """Say whether a server answers a request with anything.

    Parameters
    ----------
    host
        Where it listens.
    port
        Its port.
    path
        What is asked for.
    patience
        Seconds that it has.
    hidden
        Whether it speaks to holders of a certificate alone: then listening is enough.
    """
    writer = None
    try:
        async with asyncio.timeout(patience):
            reader, writer = await asyncio.open_connection(host, port)
            if hidden:
                return True
            writer.write(f"GET {path} HTTP/1.0\r\nHost: {host}\r\n\r\n".encode())
            return (await reader.read(5)) == b"HTTP/"
    except (OSError, TimeoutError):
        return False
    finally:
        if writer is not None:
            writer.close()

"""Whether users can work: ``/health``.

JupyterHub's own ``/hub/health`` says whether the hub lives, and stays what it
is: who restarts a hub that does not answer must not do so because an archive
cannot be read. This one looks at all that a user needs. Without a login it
says ``ok`` or ``failing``; why, it says to holders of ``read:metrics``, as
administrators are.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from jupyterhub.handlers import BaseHandler
from jupyterhub.utils import url_path_join
from prometheus_client import Gauge

from .ballast import Ballast

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from .settings import Settings

__all__ = [
    "LEAST_FREE",
    "Failing",
    "Health",
    "HealthPage",
    "Part",
    "archive_is_readable",
    "disk_has_room",
    "routes",
]

LEAST_FREE: Final = 256 * 1024**2
"""Bytes that the folder of state must have: with less, the database soon cannot be written."""

_PATIENCE: Final = 5.0
"""Seconds that a part may take to answer."""

_FRESH: Final = 5.0
"""Seconds for which an answer is good: whoever asks often does not make the hub look often."""

_PARTS: Final = ("hub", "proxy", "database", "disk", "archive")
_HEALTHY: Final = Gauge("upramp_hub_healthy", "Whether a part of the hub is healthy", ["part"])
_FREE: Final = Gauge("upramp_hub_state_free_bytes", "Free bytes of the disk of the hub's state")
for _part in _PARTS:
    _HEALTHY.labels(_part).set(1)  # until it is known otherwise: no alarm at every start


class Failing(Exception):  # noqa: N818 - it is a finding, not a mistake
    """A part is not healthy; its text says what is wrong and what to do."""


@dataclass(frozen=True)
class Part:
    """What was found of one part.

    Parameters
    ----------
    healthy
        Whether it is.
    seconds
        How long it took to find out.
    what
        What was found, as a sentence.
    """

    healthy: bool
    seconds: float
    what: str


@dataclass
class Health:
    """How healthy a hub is.

    Parameters
    ----------
    checks
        For each part what looks at it: gives a sentence, or raises `Failing`.
    patience
        Seconds that a part may take.
    fresh
        Seconds for which an answer is good.
    """

    checks: Mapping[str, Callable[[], Awaitable[str]]]
    patience: float = _PATIENCE
    fresh: float = _FRESH
    _found: dict[str, Part] = field(default_factory=dict)
    _at: float = float("-inf")
    _looking: asyncio.Task[dict[str, Part]] | None = None
    _running: dict[str, asyncio.Task[str]] = field(default_factory=dict)

    @classmethod
    def of_hub(cls, app: Any, settings: Settings) -> Health:
        """Give what looks at a hub, from within.

        Parameters
        ----------
        app
            The hub.
        settings
            Its settings.
        """

        async def hub() -> str:
            # If the loop is busy, users wait in every page: this comes back late then.
            begun = time.monotonic()
            await asyncio.sleep(0)
            return f"its loop turns in {(time.monotonic() - begun) * 1000:.0f} ms"

        async def proxy() -> str:
            try:
                routes = await app.proxy.get_all_routes()
            except Exception as error:
                raise Failing(
                    f"its interface does not answer ({_named(error)}); see the proxy's log"
                ) from error
            if not any(spec.rstrip("/") == app.hub.routespec.rstrip("/") for spec in routes):
                raise Failing("it has no route to the hub; restart the hub to give it one")
            return f"it has {len(routes)} routes"

        return cls(
            {
                "hub": hub,
                "proxy": proxy,
                "database": lambda: asyncio.to_thread(_database_answers, app),
                "disk": lambda: asyncio.to_thread(
                    disk_has_room, settings.state, ballast=Ballast(settings.state)
                ),
                "archive": lambda: asyncio.to_thread(archive_is_readable, settings.archive),
            }
        )

    async def look(self) -> dict[str, Part]:
        """Look at every part, unless that was done just now.

        Returns
        -------
        dict
            What was found of each part.
        """
        if time.monotonic() - self._at < self.fresh:
            return self._found
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look())
        # Whoever asks and leaves must not take the answer from the others who wait for it.
        return await asyncio.shield(self._looking)

    async def _look(self) -> dict[str, Part]:
        parts = await asyncio.gather(*(self._part(name) for name in self.checks))
        self._found = dict(zip(self.checks, parts, strict=True))
        self._at = time.monotonic()
        for name, part in self._found.items():
            _HEALTHY.labels(name).set(part.healthy)
        return self._found

    async def _part(self, name: str) -> Part:
        begun = time.monotonic()
        # A file system that hangs keeps a thread: there is one at most, not one for each look.
        task = self._running.get(name)
        if task is None or task.done():
            task = self._running[name] = asyncio.ensure_future(_awaited(self.checks[name]))
        done, _ = await asyncio.wait({task}, timeout=self.patience)
        seconds = round(time.monotonic() - begun, 3)
        if not done:
            return Part(False, seconds, f"it has not answered after {self.patience:g} seconds")
        error = task.exception()
        if error is None:
            return Part(True, seconds, task.result())
        return Part(False, seconds, str(error) if isinstance(error, Failing) else _named(error))


async def _awaited(check: Callable[[], Awaitable[str]]) -> str:
    return await check()


def _named(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"[:300]


def _database_answers(app: Any) -> str:
    from sqlalchemy import text

    # A connection of its own: the hub's session belongs to the hub's thread.
    with app.session_factory.kw["bind"].connect() as connection:
        connection.execute(text("SELECT count(*) FROM roles")).scalar_one()
    return "it answers"


def disk_has_room(folder: Path, least: int = LEAST_FREE, ballast: Ballast | None = None) -> str:
    """Demand room where the hub keeps what it must not lose.

    Parameters
    ----------
    folder
        Where that is.
    least
        Bytes.
    ballast
        What is kept free there for the hub; None for nothing.

    Returns
    -------
    str
        How much there is.

    Raises
    ------
    Failing
        If there is less, or what is kept for the hub has had to give way.
    """
    try:
        free = shutil.disk_usage(folder).free
    except OSError as error:
        raise Failing(f"{folder} cannot be looked at ({error.strerror})") from error
    _FREE.set(free)
    if ballast is not None and ballast.is_given_up:
        raise Failing(ballast.words)
    what = f"{free // 1024**2} MiB are free in {folder}"
    if free < least:
        raise Failing(f"only {what}; free some, or logins and starts will fail")
    return what


def archive_is_readable(archive: Path) -> str:
    """Demand that exposures can be read.

    Parameters
    ----------
    archive
        Where they are: folder ``uncal``.

    Returns
    -------
    str
        What was read.

    Raises
    ------
    Failing
        If there is none, or it cannot be read.
    """
    try:
        with os.scandir(archive / "uncal") as entries:
            first = next((Path(e.path) for e in entries if e.name.endswith(".fits")), None)
        if first is None:
            raise Failing(f"{archive} holds no exposure; see whether its volume is there")
        with first.open("rb", buffering=0) as file:
            if file.read(6) != b"SIMPLE":
                raise Failing(f"{first} is no FITS file; see whether its disk is sound")
    except OSError as error:
        raise Failing(
            f"{archive} cannot be read ({error.strerror}); see whether its volume is there"
        ) from error
    return f"{archive} can be read"


class HealthPage(BaseHandler):
    """Says it over HTTP: 200 or 503, and JSON."""

    _accept_token_auth = True

    def initialize(self, health: Health) -> None:
        """Take what tornado gives.

        Parameters
        ----------
        health
            What looks.
        """
        self.health = health

    async def get(self) -> None:
        """Answer."""
        parts = await self.health.look()
        healthy = all(part.healthy for part in parts.values())
        answer: dict[str, Any] = {"status": "ok" if healthy else "failing"}
        if "read:metrics" in self.parsed_scopes:
            answer["parts"] = {name: vars(part) for name, part in parts.items()}
        self.set_status(200 if healthy else 503)
        self.set_header("Content-Type", "application/json")
        self.set_header("Cache-Control", "no-store")
        self.finish(json.dumps(answer))

    head = get


def routes(app: Any, health: Health) -> list[tuple[str, type[HealthPage], dict[str, Health]]]:
    """Give where it is: for monitors at ``/health``, for who is logged in below the hub.

    Parameters
    ----------
    app
        The hub.
    health
        What looks.
    """
    given = {"health": health}
    return [
        (url_path_join(app.base_url, "health"), HealthPage, given),
        # Where the cookie of an administrator is sent to.
        (url_path_join(app.hub_prefix, "api", "health"), HealthPage, given),
    ]

"""What the culler asks of the hub and of servers, and what it sends them."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlsplit

import aiohttp

from upramp.errors import UprampError, printable

from .answers import LARGEST, Answer, AnswerError, read_answer

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Asking", "HubSilentError", "Server"]

_PATIENCE: Final = 10.0
"""Seconds that a server has to answer; a busy kernel does not slow its server down."""

_HUB_PATIENCE: Final = 60.0

_TOKEN_LIFE: Final = 900
"""Seconds for which a token of a server is good; it is renewed in time."""

_PAGE: Final = 100

_PAGINATED: Final = "application/jupyterhub-pagination+json"


class HubSilentError(UprampError):
    """The hub does not say what is asked of it."""


@dataclass(frozen=True)
class Server:
    """A server that runs, as the hub knows it.

    Parameters
    ----------
    user
        Whose.
    name
        Its name; nothing for the user's only one.
    path
        Of its pages.
    started
        When it was started; another one of the same name has another.
    pending
        What the hub is doing with it, as ``stop``; nothing if it is ready.
    hub_idle
        Seconds since the hub has last seen it used.
    target
        Where it listens.
    """

    user: str
    name: str
    path: str
    started: str
    pending: str
    hub_idle: float | None
    target: str

    def __str__(self) -> str:
        return printable(f"server of {self.user}" + (f" ({self.name})" if self.name else ""))

    @property
    def key(self) -> tuple[str, str, str]:
        """What tells it from others, and from later ones."""
        return self.user, self.name, self.started


class Asking:
    """Talks with the hub and with servers.

    Parameters
    ----------
    hub
        The address of the hub's interface, which ends in ``/hub/api``.
    token
        The culler's own, which no server ever sees.
    """

    def __init__(self, hub: str, token: str) -> None:
        self._hub = hub.rstrip("/")
        self._tokens: dict[tuple[str, str, str], tuple[str, float]] = {}
        # A server's answer is read as it is: one that is packed could be of any size.
        self._servers = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=_PATIENCE),
            auto_decompress=False,
            headers={"Accept-Encoding": "identity", "Accept": "application/json"},
            cookie_jar=aiohttp.DummyCookieJar(),
        )
        self._own = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=_HUB_PATIENCE),
            headers={"Authorization": f"token {token}"},
            cookie_jar=aiohttp.DummyCookieJar(),
        )

    async def close(self) -> None:
        """Close all connections."""
        await self._servers.close()
        await self._own.close()

    # ---- the hub

    async def running(self) -> list[Server]:
        """Give all servers that run.

        Raises
        ------
        HubSilentError
            If the hub does not say.
        """
        # Servers are asked where they listen, not through the proxy, for which that would
        # be use of them: of all servers, all the time.
        targets = {
            (data.get("user"), data.get("server_name")): route.get("target", "")
            for route in await self._routes()
            if isinstance(data := route.get("data"), dict)
        }
        found: list[Server] = []
        now = datetime.now(UTC)
        async for user in self._pages("/users?state=active&include_stopped_servers=0"):
            for name, model in user.get("servers", {}).items():
                last = model.get("last_activity")
                found.append(
                    Server(
                        user=user["name"],
                        name=name,
                        path=urlsplit(model["url"]).path,
                        started=str(model.get("started")),
                        pending=model.get("pending") or ("" if model.get("ready") else "start"),
                        hub_idle=None if last is None else _age(last, now),
                        target=targets.get((user["name"], name), ""),
                    )
                )
        self._tokens = {s.key: self._tokens[s.key] for s in found if s.key in self._tokens}
        return found

    async def _routes(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        while True:
            page = await self._ask_hub("GET", f"/proxy?offset={len(found)}&limit={_PAGE}")
            routes = [each for each in page["items"].values() if isinstance(each, dict)]
            found += routes
            if len(page["items"]) < _PAGE:
                return found

    async def _pages(self, place: str) -> Any:
        offset = 0
        while True:
            page = await self._ask_hub("GET", f"{place}&offset={offset}&limit={_PAGE}")
            for item in page["items"]:
                yield item
            following = page["_pagination"]["next"]
            if not following:
                return
            offset = following["offset"]

    async def stop(self, server: Server) -> None:
        """Stop a server.

        Parameters
        ----------
        server
            Which.

        Raises
        ------
        HubSilentError
            If the hub refuses.
        """
        user = quote(server.user, safe="")
        which = f"servers/{quote(server.name, safe='')}" if server.name else "server"
        await self._ask_hub("DELETE", f"/users/{user}/{which}")

    async def _token(self, server: Server) -> str:
        token, expires = self._tokens.get(server.key, ("", 0.0))
        if time.monotonic() < expires:
            return token
        found = await self._ask_hub(
            "POST",
            f"/users/{quote(server.user, safe='')}/tokens",
            {
                "scopes": [f"access:servers!server={server.user}/{server.name}"],
                "expires_in": _TOKEN_LIFE,
                # What begins like this is no sign of its user to the hub.
                "note": f"Server at {server.path}: asked by the culler whether it is used",
            },
        )
        token = str(found["token"])
        self._tokens[server.key] = token, time.monotonic() + _TOKEN_LIFE * 2 / 3
        return token

    async def _ask_hub(
        self, method: str, place: str, body: Mapping[str, Any] | None = None
    ) -> Any:
        subject = f"the hub ({method} {place.partition('?')[0]})"
        try:
            async with self._own.request(
                method, self._hub + place, json=body, headers={"Accept": _PAGINATED}
            ) as answer:
                text = await answer.read()
                if answer.status >= 300:
                    raise HubSilentError(
                        subject,
                        f"it answers {answer.status}: {_said(text)}",
                        "give the culler its scopes, as jupyterhub_config.py does",
                    )
        except (aiohttp.ClientError, TimeoutError) as error:
            raise HubSilentError(subject, _words(error), "it is asked again") from error
        return json.loads(text) if text else None

    # ---- servers

    async def activity(self, server: Server) -> Answer:
        """Ask a server what is going on in it.

        Parameters
        ----------
        server
            Which.

        Raises
        ------
        AnswerError
            If it does not say, in time, in words that can be understood.
        HubSilentError
            If the hub gives no token for it.
        """
        return read_answer(await self._ask_server(server, "GET", "activity"), str(server))

    async def warn(self, server: Server, stop_at: str) -> None:
        """Tell a server, and so its pages, that it will be stopped.

        Parameters
        ----------
        server
            Which.
        stop_at
            When.

        Raises
        ------
        AnswerError
            If it does not take it.
        HubSilentError
            As above.
        """
        await self._ask_server(server, "PUT", "activity/warning", {"stop_at": stop_at})

    async def withdraw(self, server: Server) -> None:
        """Take a warning back.

        Parameters
        ----------
        server
            Whose.

        Raises
        ------
        AnswerError
            If it does not take it.
        HubSilentError
            As above.
        """
        await self._ask_server(server, "DELETE", "activity/warning")

    async def _ask_server(
        self, server: Server, method: str, place: str, body: Mapping[str, Any] | None = None
    ) -> bytes:
        if not server.target:
            raise AnswerError(str(server), "the proxy has no way to it", "start it again")
        address = f"{server.target.rstrip('/')}{server.path}upramp/{place}"
        headers = {"Authorization": f"token {await self._token(server)}"}
        try:
            async with self._servers.request(
                # What a server redirects to would be asked with its token.
                *(method, address),
                json=body,
                headers=headers,
                allow_redirects=False,
            ) as answer:
                content = await _read(answer.content)
                if answer.status in {401, 403}:
                    self._tokens.pop(server.key, None)
                if answer.status not in {200, 204}:
                    raise AnswerError(
                        str(server),
                        f"it answers {answer.status} to {method} upramp/{place}",
                        "see its log",
                    )
                return content
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise AnswerError(str(server), _words(error), "see its log") from error


async def _read(stream: aiohttp.StreamReader) -> bytes:
    """Read no more than an answer may have, and one byte, by which that is seen."""
    content = bytearray()
    while len(content) <= LARGEST and (chunk := await stream.read(65536)):
        content += chunk
    return bytes(content[: LARGEST + 1])


def _age(text: str, now: datetime) -> float | None:
    try:
        moment = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return (now - moment).total_seconds()


def _words(error: BaseException) -> str:
    if isinstance(error, TimeoutError | asyncio.TimeoutError):
        return "it does not answer in time"
    return f"it cannot be asked: {printable(str(error))[:200] or type(error).__name__}"


def _said(text: bytes) -> str:
    try:
        found = json.loads(text)["message"]
    except (ValueError, TypeError, KeyError):
        found = text[:200].decode("utf-8", "replace")
    return printable(str(found))[:200]

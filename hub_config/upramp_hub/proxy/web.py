"""Requests and their responses, streamed both ways.

Nothing is held back: what a server says is passed on as it is said, however
long that takes and however much it is. A reader that is slow slows the other
side down, through the connections' own flow control.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

import aiohttp
from aiohttp import web
from yarl import URL

from upramp.errors import InputError

from .headers import for_client, for_server, wants_websocket
from .pages import SERVER, ErrorPages, reason_of
from .routes import segments_of
from .tunnel import Tunnels

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from .routes import Path, Route, RouteTable

__all__ = ["Forwarder", "client_session"]

_LOG: Final = logging.getLogger(__name__)

_HEALTH: Final = "/_chp_healthz"
"""Where configurable-http-proxy says that it is well, and so does this one."""

_CONNECT_WITHIN: Final = 10.0
"""Seconds that a server may take to accept a connection; to answer, it may take any time."""

_REUSE_WITHIN: Final = 4.0
"""Seconds that an idle connection is kept: fewer than any common server keeps it."""

_VERSIONS: Final = frozenset({(1, 0), (1, 1)})

_REFUSED: Final = frozenset({"CONNECT", "TRACE"})

_FAILURES: Final = (aiohttp.ClientError, asyncio.TimeoutError, OSError)


def client_session() -> aiohttp.ClientSession:
    """Give what servers are asked with: it adds nothing, keeps nothing and changes nothing."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=_REUSE_WITHIN),
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_WITHIN),
        # One user's cookies would go to the next user's server.
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        skip_auto_headers=("Accept", "Accept-Encoding", "Content-Type", "User-Agent"),
        trust_env=False,
        max_line_size=2**16,
        max_field_size=2**16,
        max_headers=1024,
    )


class Forwarder:
    """Pass each request on to the server that its path belongs to.

    Parameters
    ----------
    routes
        Which server that is.
    session
        What servers are asked with.
    pages
        What is answered where there is none.
    host_routing
        Whether the host that a client asked for is a path's first segment.
    forwarded
        Whether servers are told whom a request comes from.
    token
        The secret of proxy and hub; the hub's route is the root.
    """

    def __init__(
        self,
        routes: RouteTable,
        session: aiohttp.ClientSession,
        pages: ErrorPages,
        *,
        host_routing: bool = False,
        forwarded: bool = True,
        token: str = "",
    ) -> None:
        self._routes = routes
        self._session = session
        self._pages = pages
        self._host_routing = host_routing
        self._forwarded = forwarded
        self._token = token
        self.tunnels = Tunnels()

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer a request.

        Parameters
        ----------
        request
            The client's.
        """
        if request.method in _REFUSED:
            return _closing(self._pages.sentence(405))
        if request.raw_path == _HEALTH:
            return web.json_response({"status": "OK"}, headers={"Server": SERVER})
        websocket = wants_websocket(request)
        try:
            path = self._path_of(request, websocket=websocket)
        except InputError as error:
            return _closing(self._pages.sentence(400, str(error)))
        route = self._routes.find(path)
        if route is None:
            return await self._pages.response(request, 404)
        try:
            answer = await self._ask(request, route, websocket=websocket)
        except (*_FAILURES, ValueError) as error:
            return await self._unanswered(request, error)
        try:
            return await self._answer(request, route, answer, websocket=websocket)
        finally:
            # A response that was not read to its end is of no use to the next request.
            answer.close()

    def _path_of(self, request: web.BaseRequest, *, websocket: bool) -> Path:
        """Give the path that chooses the server, from exactly what that server is sent."""
        if websocket and request.body_exists:
            raise InputError("the request", "a websocket's has no body", "send none")
        target = request.raw_path
        if request.version not in _VERSIONS:
            raise InputError("the request", "its version is none of HTTP/1", "send HTTP/1.1")
        if not target.startswith("/"):
            raise InputError(target[:200], "it is no path", "ask for one that begins with /")
        if "#" in target or " " in target or not (target.isascii() and target.isprintable()):
            raise InputError(target[:200], "it is not encoded as a URL is", "encode it")
        path = segments_of(target.partition("?")[0])
        if self._host_routing:
            host = request.headers.get("Host", "").rpartition("@")[2]
            return (host.partition(":")[0].lower(), *path)
        return path

    async def _ask(
        self, request: web.BaseRequest, route: Route, *, websocket: bool
    ) -> aiohttp.ClientResponse:
        if request.body_exists and request.headers.get("Expect", "").lower() == "100-continue":
            await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        return await self._session.request(
            request.method,
            URL(route.target + request.raw_path, encoded=True),
            headers=for_server(
                request,
                websocket=websocket,
                forwarded=self._forwarded,
                token=self._token,
                to_hub=route is self._routes.find(()),
            ),
            data=_Body(request, route) if request.body_exists else None,
            allow_redirects=False,
            read_until_eof=not websocket,
        )

    async def _unanswered(self, request: web.BaseRequest, error: Exception) -> web.Response:
        if request.content.exception() is not None:  # the client's own upload broke off
            return _closing(self._pages.sentence(400, "its body is not complete."))
        _LOG.warning("503 %s %s: %s", request.method, _loggable(request), reason_of(error))
        return await self._pages.response(request, 503)

    async def _answer(
        self,
        request: web.BaseRequest,
        route: Route,
        answer: aiohttp.ClientResponse,
        *,
        websocket: bool,
    ) -> web.StreamResponse:
        switched = answer.status == 101
        if switched and not websocket:
            _LOG.warning("503 %s %s: 101, unasked", request.method, _loggable(request))
            return _closing(await self._pages.response(request, 503))
        headers = for_client(answer)
        headers.setdefault("Server", SERVER)
        if answer.content.is_eof() and (body := answer.content.read_nowait()):
            # All of it came at once, and so it goes: one packet, not two.
            self._used(route, answer)
            return web.Response(
                status=answer.status, reason=answer.reason, headers=headers, body=body
            )
        response = web.StreamResponse(status=answer.status, reason=answer.reason, headers=headers)
        if switched:
            response.force_close()  # after the websocket, nothing follows
            await response.prepare(request)
            route.touch()
            await self.tunnels.run(request, answer, route)
            return response
        await response.prepare(request)
        try:
            async for chunk in answer.content.iter_any():
                await response.write(chunk)
        except aiohttp.ClientConnectionResetError:  # the client is gone; nobody to tell
            return response
        except _FAILURES as error:
            _LOG.warning(
                "%s %s broke off: %s", request.method, _loggable(request), reason_of(error)
            )
            # The end of what was passed on must not look like the end of the answer.
            request.protocol.force_close()
            return response
        await response.write_eof()
        self._used(route, answer)
        return response

    @staticmethod
    def _used(route: Route, answer: aiohttp.ClientResponse) -> None:
        if answer.status < 300:  # refusals and failures are no use of a server
            route.touch()


class _Body:
    """A request's body on its way, which cannot be sent a second time.

    Parameters
    ----------
    request
        The client's.
    route
        Its server's, which is in use as long as the body comes in.
    """

    def __init__(self, request: web.BaseRequest, route: Route) -> None:
        self._content = request.content
        self._route = route
        self._begun = False

    def __aiter__(self) -> AsyncIterator[bytes]:
        # The library may try a request again whose connection was closed under it.
        if self._begun:
            raise aiohttp.ClientConnectionError("a part of the body was sent already")
        return self._chunks()

    async def _chunks(self) -> AsyncIterator[bytes]:
        self._begun = True
        async for chunk in self._content.iter_any():
            self._route.touch()
            yield chunk


def _closing(response: web.Response) -> web.Response:
    response.force_close()
    return response


def _loggable(request: web.BaseRequest) -> str:
    # Queries may hold tokens.
    return ascii(request.raw_path.partition("?")[0][:200])[1:-1]

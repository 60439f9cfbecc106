"""The routes over HTTP, as JupyterHub drives them: ``/api/routes``, with a token."""

from __future__ import annotations

import hmac
import json
import logging
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs

from aiohttp import web

from upramp.errors import InputError, printable

from .pages import SERVER
from .routes import Route, segments_of, target_of

if TYPE_CHECKING:
    from .routes import Path, RouteTable

__all__ = ["Interface"]

_LOG: Final = logging.getLogger(__name__)

_PLACE: Final = "/api/routes"

_LARGEST: Final = 2**20
"""Bytes that a route's description may have."""

_AUTHORIZATION: Final = re.compile(r"token\s+(\S+)\s*", re.IGNORECASE)


class Interface:
    """Answer the hub.

    Parameters
    ----------
    routes
        The routes that it reads and changes.
    token
        What it has to know.
    """

    def __init__(self, routes: RouteTable, token: str) -> None:
        self._routes = routes
        self._token = token.encode()

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer a request.

        Parameters
        ----------
        request
            The hub's, or someone's who would like to be it.
        """
        response = await self._answer(request)
        response.headers["Server"] = SERVER
        if response.status >= 400:
            response.force_close()
        return response

    async def _answer(self, request: web.BaseRequest) -> web.Response:
        place, _, query = request.raw_path.partition("?")
        if place != _PLACE and not place.startswith(_PLACE + "/"):
            return web.Response(status=404, text="There is only /api/routes here.\n")
        # Before anything is read of what was sent.
        if not self._knows_token(request):
            _LOG.warning("403 %s from %s: no valid token", request.method, request.remote)
            return web.Response(status=403, text="A valid token is needed.\n")
        answer = {"GET": self._get, "POST": self._post, "DELETE": self._delete}.get(request.method)
        if answer is None:
            allowed = {"Allow": "GET, POST, DELETE"}
            return web.Response(status=405, text="Use GET, POST or DELETE.\n", headers=allowed)
        try:
            return await answer(request, _path_of(place), query)
        except InputError as error:
            return web.Response(status=400, text=f"{error}\n")

    def _knows_token(self, request: web.BaseRequest) -> bool:
        found = _AUTHORIZATION.fullmatch(request.headers.get("Authorization", ""))
        given = found.group(1).encode("utf-8", "surrogateescape") if found else b""
        return hmac.compare_digest(given, self._token)

    async def _get(self, request: web.BaseRequest, path: Path, query: str) -> web.Response:  # noqa: ARG002 - all three are called alike
        if path:
            route = self._routes.get(path)
            if route is None:
                return web.Response(status=404)
            return web.json_response(route.to_json())
        return web.json_response(self._routes.to_json(_inactive_since(query)))

    async def _post(self, request: web.BaseRequest, path: Path, query: str) -> web.Response:  # noqa: ARG002 - as above
        data = await _described(request)
        target = data.pop("target", None)
        if not isinstance(target, str):
            raise InputError("the route", "its target is no text", "give a server's address")
        data.pop("last_activity", None)
        self._routes.add(path, Route(target_of(target), data))
        _LOG.info("route /%s -> %s", printable("/".join(path)), target)
        return web.Response(status=201)

    async def _delete(self, request: web.BaseRequest, path: Path, query: str) -> web.Response:  # noqa: ARG002 - as above
        if not self._routes.remove(path):
            return web.Response(status=404)
        _LOG.info("route /%s is gone", printable("/".join(path)))
        return web.Response(status=204)


def _path_of(place: str) -> Path:
    rest = place.removeprefix(_PLACE).strip("/")
    path = segments_of(rest) if rest else ()
    if any("/" in segment or not segment for segment in path):
        # It could not be told from another route in what is answered.
        raise InputError(rest[:200], "a segment of it is empty or holds a slash", "rename it")
    return path


def _inactive_since(query: str) -> float | None:
    asked = parse_qs(query)
    values = asked.get("inactive_since") or asked.get("inactiveSince")
    if not values:
        return None
    text = values[0]
    try:
        # A plus that was not encoded has become a space.
        moment = datetime.fromisoformat(text.strip().replace(" ", "+"))
    except ValueError:
        try:
            moment = datetime.fromisoformat(text.strip())
        except ValueError:
            raise InputError(text[:200], "it is no moment", "give one as ISO 8601") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


async def _described(request: web.BaseRequest) -> dict[str, Any]:
    body = bytearray()
    async for chunk in request.content.iter_any():
        body += chunk
        if len(body) > _LARGEST:
            raise InputError("the body", "it is too large for a route", "send less")
    try:
        data = json.loads(body)
    except (ValueError, RecursionError):
        raise InputError("the body", "it is no JSON", "send an object") from None
    if not isinstance(data, dict):
        raise InputError("the body", "it is no JSON object", "send one")
    return data

"""What a client is told where no server answers: the hub's own page, or one sentence."""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import Final
from urllib.parse import quote

import aiohttp
from aiohttp import web

__all__ = ["SERVER", "ErrorPages", "reason_of"]

_LOG: Final = logging.getLogger(__name__)

_PATIENCE: Final = aiohttp.ClientTimeout(total=10)
"""A page that takes longer is not waited for: the hub may be what is gone."""

_LARGEST: Final = 2**20
"""Bytes that a page may have."""

_TAKEN_OVER: Final = (
    "Content-Type",
    "Content-Encoding",
    "Content-Language",
    "Content-Security-Policy",
)

_SENTENCES: Final = {
    400: "The request is not one that can be passed on: {detail}",
    404: "No server is registered for this address; check it, or start at the hub's home page.",
    405: "This method is not passed on; use another.",
    503: "The server behind this address does not answer; wait a moment, then try again, "
    "or start it anew from the hub's home page.",
}


class ErrorPages:
    """Make the responses of the proxy itself.

    Parameters
    ----------
    session
        What the hub is asked with.
    target
        Where the hub's pages are, without the status that ends their address;
        None if there are none.
    """

    def __init__(self, session: aiohttp.ClientSession, target: str | None) -> None:
        self._session = session
        self._target = target

    async def response(self, request: web.BaseRequest, status: int) -> web.Response:
        """Give the hub's page for a status; where it has none, a sentence.

        Parameters
        ----------
        request
            The one that fails.
        status
            404 or 503.
        """
        if self._target is None:
            return self.sentence(status)
        url = f"{self._target}/{status}?url={quote(request.raw_path, safe='')}"
        try:
            async with self._session.get(url, timeout=_PATIENCE, allow_redirects=False) as page:
                body = await _read(page)
                headers = {
                    name: page.headers[name] for name in _TAKEN_OVER if name in page.headers
                }
        except (TimeoutError, aiohttp.ClientError, OSError, ValueError) as error:
            _LOG.warning("the page for status %d cannot be had: %s", status, reason_of(error))
            return self.sentence(status)
        response = web.Response(status=status, body=body, headers=headers)
        response.headers["Server"] = SERVER
        return response

    @staticmethod
    def sentence(status: int, detail: str = "") -> web.Response:
        """Give a status with one sentence about it.

        Parameters
        ----------
        status
            400, 404, 405 or 503.
        detail
            What is wrong, where the status alone does not say it.
        """
        # As plain text: what is quoted of a request must not become a page.
        return web.Response(
            status=status,
            text=f"{status} {HTTPStatus(status).phrase}\n\n"
            f"{_SENTENCES[status].format(detail=detail)}\n",
            headers={"X-Content-Type-Options": "nosniff", "Server": SERVER},
        )


SERVER: Final = "upramp-hub"
"""What the proxy calls itself; its library would tell all its versions."""


def reason_of(error: Exception) -> str:
    """Give what may be logged of a failure.

    Parameters
    ----------
    error
        As the library raised it: with the whole address, whose query may hold a token,
        or with a piece of what the server said.
    """
    if isinstance(error, aiohttp.ClientConnectorError):
        return f"no connection, {error.os_error.strerror or 'no such host'}"
    return type(error).__name__


async def _read(page: aiohttp.ClientResponse) -> bytes:
    body = bytearray()
    async for chunk in page.content.iter_any():
        body += chunk
        if len(body) > _LARGEST:
            raise ValueError(f"it has more than {_LARGEST} bytes")
    return bytes(body)

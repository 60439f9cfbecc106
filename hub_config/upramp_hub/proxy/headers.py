"""What of a message's head is passed on.

Headers that speak of one connection end at the proxy (RFC 9110, 7.6.1), as do
those that a message names as such. How a body is framed is said anew on each
side by the library that sends it, which takes no message that says it twice:
what one side could misread, the other never sees.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from multidict import CIMultiDict

from upramp_hub.vouching import HEADER

if TYPE_CHECKING:
    from aiohttp import ClientResponse, web
    from multidict import CIMultiDictProxy

__all__ = ["for_client", "for_server", "wants_websocket"]

_HOP_BY_HOP: Final = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)

_NEEDED: Final = frozenset({"host", "content-length"})
"""What a request may not take away by naming it in its Connection."""

_PORT: Final = re.compile(r":(\d{1,5})$")


def wants_websocket(request: web.BaseRequest) -> bool:
    """Tell whether a request asks for a websocket.

    Parameters
    ----------
    request
        The client's.
    """
    return (
        request.method == "GET"
        and request.version >= (1, 1)
        and request.headers.get("Upgrade", "").strip().lower() == "websocket"
        and "upgrade" in _tokens(request.headers.getall("Connection", []))
    )


def for_server(
    request: web.BaseRequest, *, websocket: bool, forwarded: bool, voucher: str = ""
) -> CIMultiDict[str]:
    """Give the headers that a server is sent.

    Parameters
    ----------
    request
        The client's.
    websocket
        Whether the connection is to become a websocket.
    forwarded
        Whether to say whom the request comes from.
    voucher
        What proves to the hub that the request came this way; empty for other servers.
    """
    # "Expect" was answered here, where the body is waited for.
    headers = _end_to_end(request.headers, also=frozenset({"expect", HEADER.lower()}))
    if voucher:
        headers[HEADER] = voucher
    if forwarded:
        # Servers believe these before the list of X-Forwarded-For, which is completed here.
        for name in ("X-Real-Ip", "X-Scheme"):
            headers.popall(name, None)
        _say_whom(headers, request)
    if websocket:
        headers["Connection"] = "Upgrade"
        headers["Upgrade"] = "websocket"
    return headers


def for_client(response: ClientResponse) -> CIMultiDict[str]:
    """Give the headers that a client is sent.

    Parameters
    ----------
    response
        The server's.
    """
    headers = _end_to_end(response.headers)
    if response.status == 101:
        headers["Connection"] = "Upgrade"
        headers["Upgrade"] = "websocket"
    return headers


def _end_to_end(
    headers: CIMultiDictProxy[str], also: frozenset[str] = frozenset()
) -> CIMultiDict[str]:
    named = _tokens(headers.getall("Connection", [])) - _NEEDED
    return CIMultiDict(
        (name, _as_sent(value))
        for name, value in headers.items()
        if (low := name.lower()) not in _HOP_BY_HOP and low not in named and low not in also
    )


def _tokens(values: list[str]) -> set[str]:
    return {token.strip().lower() for value in values for token in value.split(",")}


def _as_sent(value: str) -> str:
    # The library sends UTF-8, and would leave out bytes that are none: they are
    # Latin-1 then, as headers used to be.
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        return value.encode("utf-8", "surrogateescape").decode("latin-1")
    return value


def _say_whom(headers: CIMultiDict[str], request: web.BaseRequest) -> None:
    host = request.headers.get("Host", "")
    port = _PORT.search(host)
    for name, value in (
        ("X-Forwarded-For", (request.remote or "").removeprefix("::ffff:")),
        ("X-Forwarded-Port", port.group(1) if port else "80"),
        ("X-Forwarded-Proto", "http"),
    ):
        # A web server before this proxy said its part already, which comes first.
        before = [each for each in headers.popall(name, []) if each.strip()]
        headers[name] = ",".join([*before, value])
    if host and "X-Forwarded-Host" not in headers:
        headers["X-Forwarded-Host"] = host

"""What of a message's head is passed on.

Headers that speak of one connection end at the proxy (RFC 9110, 7.6.1), as do
those that a message names as such. How a body is framed is said anew on each
side by the library that sends it, which takes no message that says it twice:
what one side could misread, the other never sees.
"""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING, Final

from multidict import CIMultiDict

from upramp_hub.vouching import HEADER, WEB_SERVER, is_web_server, voucher

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
    request: web.BaseRequest,
    *,
    websocket: bool,
    forwarded: bool,
    token: str = "",
    to_hub: bool = False,
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
    token
        The secret of proxy and hub.
    to_hub
        Whether the server is the hub, to which it is proved that the request came this way.
    """
    # "Expect" was answered here, where the body is waited for.
    ours = frozenset({"expect", HEADER.lower(), WEB_SERVER.lower()})
    headers = _end_to_end(request.headers, also=ours)
    if to_hub and token:
        headers[HEADER] = voucher(token)
    if forwarded:
        # Servers believe these before the list of X-Forwarded-For, which is completed here.
        for name in ("X-Real-Ip", "X-Scheme"):
            headers.popall(name, None)
        _say_whom(headers, request, token)
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


def _say_whom(headers: CIMultiDict[str], request: web.BaseRequest, token: str) -> None:
    peer = (request.remote or "").removeprefix("::ffff:")
    if _is_here(peer) and not is_web_server(request.headers.get(WEB_SERVER), token):
        # Any process of this machine may say that, a user's kernel too.
        headers.popall("X-Forwarded-For", None)
    host = request.headers.get("Host", "")
    port = _PORT.search(host)
    for name, value in (
        ("X-Forwarded-For", peer),
        ("X-Forwarded-Port", port.group(1) if port else "80"),
        ("X-Forwarded-Proto", "http"),
    ):
        # A web server before this proxy said its part already, which comes first; how the
        # browser speaks, it alone knows: what is said last would be believed of that.
        before = [each for each in headers.popall(name, []) if each.strip()]
        said = [*before, value] if name == "X-Forwarded-For" or not before else before
        headers[name] = ",".join(said)
    if host and "X-Forwarded-Host" not in headers:
        headers["X-Forwarded-Host"] = host


def _is_here(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:  # a socket of this machine
        return True

"""Which server a path belongs to: the longest prefix that was registered.

Paths are compared segment by segment, each decoded by itself: an encoded slash
never moves a request to another server, and a path that climbs is refused
rather than resolved, so what chose the server is what the server is sent.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from upramp.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Path", "Route", "RouteTable", "segments_of", "target_of"]

Path = tuple[str, ...]
"""A path's segments, decoded; empty for the root."""


@dataclass
class Route:
    """Where requests below a prefix go.

    Parameters
    ----------
    target
        The server's address, and a path that goes before every request's own.
    data
        What the hub registered with it, and wants back.
    last_activity
        When it was last used, in seconds of the system's clock.
    """

    target: str
    data: Mapping[str, Any] = field(default_factory=dict)
    last_activity: float = field(default_factory=time.time)

    def touch(self) -> None:
        """Note that it is used now."""
        self.last_activity = time.time()

    def to_json(self) -> dict[str, Any]:
        """Give what the interface shows of it."""
        moment = datetime.fromtimestamp(self.last_activity, UTC)
        stamp = moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        return {**self.data, "target": self.target, "last_activity": stamp}


class RouteTable:
    """The routes there are, by path."""

    def __init__(self) -> None:
        self._routes: dict[Path, Route] = {}
        self._depth = 0

    def add(self, path: Path, route: Route) -> None:
        """Register a route, in place of the one that may be there.

        Parameters
        ----------
        path
            The prefix that it answers for.
        route
            Where to.
        """
        self._routes[path] = route
        self._measure()

    def remove(self, path: Path) -> bool:
        """Forget a route.

        Parameters
        ----------
        path
            Its prefix.

        Returns
        -------
        bool
            Whether there was one.
        """
        found = self._routes.pop(path, None)
        self._measure()
        return found is not None

    def get(self, path: Path) -> Route | None:
        """Give the route of exactly this prefix.

        Parameters
        ----------
        path
            The prefix.
        """
        return self._routes.get(path)

    def find(self, path: Path) -> Route | None:
        """Give the route that a request's path belongs to.

        Parameters
        ----------
        path
            The request's.
        """
        # No prefix is longer than the longest route, however long the request's path.
        for length in range(min(len(path), self._depth), -1, -1):
            route = self._routes.get(path[:length])
            if route is not None:
                return route
        return None

    def to_json(self, inactive_since: float | None = None) -> dict[str, dict[str, Any]]:
        """Give every route by its path.

        Parameters
        ----------
        inactive_since
            Only those that were last used before this, in seconds of the system's clock.
        """
        return {
            "/" + "/".join(path): route.to_json()
            for path, route in self._routes.items()
            if inactive_since is None or route.last_activity < inactive_since
        }

    def _measure(self) -> None:
        self._depth = max(map(len, self._routes), default=0)


def segments_of(path: str) -> Path:
    """Cut a path into its segments, and decode each of them.

    Parameters
    ----------
    path
        As it stands in a request: encoded, without a query.

    Raises
    ------
    InputError
        If a segment is one that climbs, whatever way it is written.
    """
    found = tuple(unquote(segment) for segment in path.removeprefix("/").split("/"))
    if any(segment in {".", ".."} for segment in found):
        raise InputError(path[:200], "a path may not hold . or ..", "write it without them")
    return found


def target_of(text: str) -> str:
    """Read a server's address.

    Parameters
    ----------
    text
        An ``http`` URL: a host, perhaps a port, perhaps a path.

    Returns
    -------
    str
        The same without a slash at its end.

    Raises
    ------
    InputError
        If it is no such URL.
    """
    remedy = "give one such as http://127.0.0.1:8081"
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise InputError(text, "it is no URL", remedy) from None
    if parts.scheme == "https":
        raise InputError(
            text,
            "this proxy reaches servers over plain HTTP only",
            "use configurable-http-proxy 5 for TLS",
        )
    if parts.scheme != "http" or not parts.hostname or port == 0:
        raise InputError(text, "it is no address of an HTTP server", remedy)
    if parts.query or parts.fragment or "@" in parts.netloc or not text.isprintable():
        raise InputError(text, "it holds more than a host, a port and a path", remedy)
    if " " in text or not text.isascii():
        raise InputError(text, "it holds what has to be encoded in a URL", remedy)
    return text.rstrip("/")

"""What whoever starts a hub asks of it: the launcher, and the units of systemd."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.parse
import urllib.request
from typing import TYPE_CHECKING, Any, Final

from .settings import LAUNCHER_TOKEN

if TYPE_CHECKING:
    from .settings import Settings

__all__ = ["ask_for_routes", "stop_servers"]

_PATIENCE: Final = 60.0
_POLL: Final = 0.5


def ask_for_routes(settings: Settings, patience: float = _PATIENCE) -> bool:
    """Have the hub tell a proxy that was started anew where users' servers are.

    By itself the hub looks every minute; until then users would be told that
    their running server does not run.

    Parameters
    ----------
    settings
        Of the hub.
    patience
        Seconds in which there has to be a hub; without one there is nothing to ask for, and
        the hub that comes will do it by itself.

    Returns
    -------
    bool
        Whether it did.
    """
    request = urllib.request.Request(
        f"http://127.0.0.1:{settings.hub_port}/hub/api/proxy",
        method="POST",
        headers={"Authorization": f"token {settings.secret(LAUNCHER_TOKEN)}"},
    )
    end = time.monotonic() + patience
    while True:
        try:
            with urllib.request.urlopen(request, timeout=10):  # noqa: S310 - as above
                return True
        except urllib.error.HTTPError as error:
            if error.code < 500:  # a hub that refuses goes on refusing
                return False
        except OSError:
            pass
        if time.monotonic() + _POLL > end:
            return False
        time.sleep(_POLL)


def stop_servers(settings: Settings, patience: float = 30.0) -> int:
    """Stop all servers that run, and wait until they have.

    Parameters
    ----------
    settings
        Of the hub.
    patience
        Seconds to wait at most.

    Returns
    -------
    int
        How many run still.

    Raises
    ------
    OSError
        If the hub does not answer.
    """
    running = _running(settings)
    for name, server in running:
        place = f"users/{_quoted(name)}/" + (f"servers/{_quoted(server)}" if server else "server")
        try:
            _ask(settings, "DELETE", place)
        except urllib.error.HTTPError as error:
            if error.code not in (400, 404):  # it has stopped since, or is about to
                raise
    end = time.monotonic() + patience
    while running and time.monotonic() < end:
        time.sleep(0.1)
        running = _running(settings)
    return len(running)


def _running(settings: Settings) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    seen = 0
    while True:
        users = _ask(settings, "GET", f"users?state=active&offset={seen}&limit=100")
        seen += len(users)
        found += [(user["name"], server) for user in users for server in user["servers"]]
        if len(users) < 100:
            return found


def _quoted(text: str) -> str:
    return urllib.parse.quote(text, safe="")


def _ask(settings: Settings, method: str, place: str) -> Any:
    request = urllib.request.Request(
        f"http://127.0.0.1:{settings.hub_port}/hub/api/{place}",
        method=method,
        headers={"Authorization": f"token {settings.secret(LAUNCHER_TOKEN)}"},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - as above
        text = answer.read()
    return json.loads(text) if text else None

"""What the launcher asks of the hub that it started."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.parse
import urllib.request
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from .settings import Settings

__all__ = ["TOKEN", "stop_servers"]

TOKEN: Final = "launcher_token"  # noqa: S105 - its file's name
"""The secret of the service ``launcher``, in the folder of state."""


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
        headers={"Authorization": f"token {settings.secret(TOKEN)}"},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - as above
        text = answer.read()
    return json.loads(text) if text else None

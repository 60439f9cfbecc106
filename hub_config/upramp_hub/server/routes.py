"""What a server answers beside Jupyter's own: to its owner's pages and to the hub, nobody else."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from jupyter_server.base.handlers import APIHandler
from tornado import web

if TYPE_CHECKING:
    from .watch import Watch

__all__ = ["ROUTES", "Activity", "Ending", "Extend", "Warn"]

_HOUR: Final = 3600


class _Handler(APIHandler):
    """Answers that are no activity themselves: pages ask for them all the time."""

    _track_activity = False

    @property
    def watch(self) -> Watch:
        found: Watch = self.settings["upramp_watch"]
        return found

    @web.authenticated
    def options(self, *_: str) -> None:  # type: ignore[override] # its decorator gives more
        """Refuse what a page of another origin asks first, as all else, without a login."""
        self.set_status(204)
        self.finish()

    def answer(self, content: dict[str, Any]) -> None:
        self.set_header("Cache-Control", "no-store")
        self.finish(json.dumps(content))

    def asked(self) -> dict[str, Any]:
        """Give what was sent, a JSON object; none for nothing."""
        try:
            content = json.loads(self.request.body or b"{}")
        except ValueError:
            content = None
        if not isinstance(content, dict):
            raise web.HTTPError(400, "a JSON object is expected")
        return content


class Activity(_Handler):
    """Who is busy, what is held, and until when the server is kept."""

    @web.authenticated
    def get(self) -> None:
        """Give it."""
        self.answer(self.watch.to_json())

    @web.authenticated
    def post(self) -> None:
        """Note that somebody sits before a page, and types or points."""
        self.watch.somebody()
        self.set_status(204)
        self.finish()


class Extend(_Handler):
    """Puts off the end of the server: ``{"seconds": 3600}``."""

    @web.authenticated
    async def post(self) -> None:
        """Put it off, and tell the hub at once."""
        seconds = self.asked().get("seconds", _HOUR)
        if not isinstance(seconds, int) or isinstance(seconds, bool) or seconds <= 0:
            raise web.HTTPError(400, "seconds is to be a whole number above 0")
        until = self.watch.extend(seconds)
        notify = self.settings.get("upramp_notify")
        if notify is not None:
            await notify()
        self.answer({"extended_until": until.astimezone(UTC).isoformat()})


class Warn(_Handler):
    """Tells the server when it will be stopped: ``{"stop_at": "2030-01-01T00:00:00+00:00"}``."""

    @web.authenticated
    def put(self) -> None:
        """Note it, so that pages can tell their user."""
        try:
            moment = datetime.fromisoformat(self.asked()["stop_at"])
        except (KeyError, TypeError, ValueError) as error:
            raise web.HTTPError(400, "stop_at is to be a time as ISO 8601 writes it") from error
        self.watch.warn(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
        self.answer({"stop_at": moment.isoformat()})

    @web.authenticated
    def delete(self) -> None:
        """Take it back."""
        self.watch.warn(None)
        self.set_status(204)
        self.finish()


class Ending(_Handler):
    """How a kernel ended."""

    @web.authenticated
    def get(self, kernel_id: str) -> None:
        """Give its last ending.

        Parameters
        ----------
        kernel_id
            Of the kernel.
        """
        ending = self.watch.ending(kernel_id)
        if ending is None:
            raise web.HTTPError(404, f"kernel {kernel_id} has not ended by itself")
        self.answer(ending.to_json())


ROUTES: Final[tuple[tuple[str, type[APIHandler]], ...]] = (
    (r"/upramp/activity", Activity),
    (r"/upramp/activity/extend", Extend),
    (r"/upramp/activity/warning", Warn),
    (r"/upramp/kernels/([0-9a-f-]{36})/ending", Ending),
)
"""Every route of this extension; a test asks each of them without a login."""

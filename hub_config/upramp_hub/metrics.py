"""What Prometheus is told beside what JupyterHub tells it already.

All of it is at ``/hub/metrics``, for holders of the scope ``read:metrics``.
What happens in other processes than the hub, as the culler, is written down
there in a `Tally` and read when somebody asks.
"""

from __future__ import annotations

import json
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final

from prometheus_client import REGISTRY, Counter, Gauge, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

from upramp.atomic import write_text
from upramp.errors import OutputError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator
    from pathlib import Path

    from prometheus_client.registry import Collector, CollectorRegistry

    from .settings import Settings

__all__ = [
    "CULLER",
    "REFUSALS",
    "STAGES",
    "WAITING",
    "ServerStates",
    "Tallies",
    "Tally",
    "count_refusals",
    "install",
    "spawn_stage",
]

STAGES: Final = ("line", "launch")
"""Stages of a start: waiting for a turn, and from the turn until the server answers."""

REFUSALS: Final = ("wrong", "locked", "busy", "other")
"""Why a login is refused: name or password, too many wrong ones, too many others, the rest."""

CULLER: Final = ("stopped", "kept", "warned", "extended", "failed")
"""What the culler decides of a server: to stop it, to keep it though nobody was seen (a busy
kernel, a campaign), to warn its user, to give more time as asked; or it could not stop it."""

_STATES: Final = ("starting", "ready", "stopping")

# As long as a start may take in a queue, in steps that tell a good one from a bad one.
_SECONDS: Final = (0.5, 1, 2, 4, 6, 8, 12, 16, 24, 32, 60, 120, 300, 900)

_SPAWN_STAGE: Final = Histogram(
    "upramp_hub_spawn_stage_seconds",
    "Seconds that a stage of a server's start took",
    ["stage"],
    buckets=_SECONDS,
)
_REFUSED: Final = Counter(
    "upramp_hub_logins_refused", "Logins that were refused, by the reason", ["reason"]
)
WAITING: Final = Gauge("upramp_hub_line_waiting", "Servers that wait for their turn to start")

# Names are there from the beginning: a graph of nothing is not the same as no graph.
for _stage in STAGES:
    _SPAWN_STAGE.labels(_stage)
for _reason in REFUSALS:
    _REFUSED.labels(_reason)


@contextmanager
def spawn_stage(stage: str) -> Iterator[None]:
    """Measure a stage of a start; one that fails counts too, for it took its time.

    Parameters
    ----------
    stage
        One of `STAGES`.
    """
    begun = time.monotonic()
    try:
        yield
    finally:
        _SPAWN_STAGE.labels(stage).observe(time.monotonic() - begun)


class Tally:
    """Counts of another process than the hub, which survive both.

    Parameters
    ----------
    state
        The hub's private folder.
    name
        Of the process, as ``culler``.
    """

    def __init__(self, state: Path, name: str) -> None:
        self._file = state / "metrics" / f"{name}.json"
        self._counts = _read(self._file)

    def add(self, what: str, count: int = 1) -> None:
        """Count something.

        Parameters
        ----------
        what
            What happened; for the culler one of `CULLER`.
        count
            How often.
        """
        self._counts[what] = self._counts.get(what, 0) + count
        # What is counted has happened, whether or not there is room to write it down.
        with suppress(OSError, OutputError):
            self._file.parent.mkdir(mode=0o700, exist_ok=True)
            write_text(self._file, json.dumps(self._counts, sort_keys=True))


def _read(file: Path) -> dict[str, int]:
    try:
        found = json.loads(file.read_text("utf-8"))
        return {str(what): int(count) for what, count in found.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}  # a new one begins at nothing, which Prometheus takes for a restart


class Tallies:
    """A collector of what other processes counted.

    Parameters
    ----------
    state
        The hub's private folder.
    """

    def __init__(self, state: Path) -> None:
        self._state = state

    def collect(self) -> Iterator[CounterMetricFamily]:
        """Give the counts as they are now."""
        family = CounterMetricFamily(
            "upramp_hub_culler_decisions", "What the culler decided", labels=["decision"]
        )
        counts = dict.fromkeys(CULLER, 0) | _read(self._state / "metrics" / "culler.json")
        for decision in CULLER:
            family.add_metric([decision], counts[decision])
        yield family


class ServerStates:
    """A collector of how many servers are in which state.

    Parameters
    ----------
    users
        Gives the hub's users.
    """

    def __init__(self, users: Callable[[], Any]) -> None:
        self._users = users

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Give the numbers as they are now."""
        family = GaugeMetricFamily(
            "upramp_hub_servers", "Servers of users, by state", labels=["state"]
        )
        counts = self._users().count_active_users()
        for state, key in zip(_STATES, ("spawn_pending", "ready", "stop_pending"), strict=True):
            family.add_metric([state], counts[key])
        yield family


def count_refusals(
    authenticate: Callable[..., Awaitable[Any]],
) -> Callable[..., Awaitable[Any]]:
    """Wrap what judges a login, whichever authenticator it is of.

    Parameters
    ----------
    authenticate
        ``get_authenticated_user`` of an authenticator.
    """

    async def counted(*arguments: Any) -> Any:
        try:
            found = await authenticate(*arguments)
        except Exception as error:
            status = getattr(error, "status_code", None)
            reason = {403: "wrong", 401: "wrong", 429: "locked", 503: "busy"}.get(status or 0)
            _REFUSED.labels(reason or "other").inc()
            raise
        if not found:
            _REFUSED.labels("wrong").inc()
        return found

    return counted


def install(settings: Settings, registry: CollectorRegistry = REGISTRY) -> None:
    """Have the hub of this process tell all of this, and how healthy it is.

    It is called in JupyterHub's configuration, before the hub is made.

    Parameters
    ----------
    settings
        Of the hub.
    registry
        Where Prometheus looks.
    """
    from jupyterhub.app import JupyterHub

    from .health import Health, routes

    if not JupyterHub.initialized():
        return  # something else reads the configuration
    app = JupyterHub.instance()
    make_application = app.init_tornado_application

    def init_tornado_application() -> None:
        make_application()
        health = Health.of_hub(app, settings)
        # JupyterHub has no other place for a page outside its own prefix.
        app.tornado_application.add_handlers(".*$", routes(app, health))
        app.authenticator.get_authenticated_user = count_refusals(
            app.authenticator.get_authenticated_user
        )
        collectors: list[Collector] = [
            Tallies(settings.state),
            ServerStates(lambda: app.users),
        ]
        for collector in collectors:
            registry.register(collector)

    app.init_tornado_application = init_tornado_application

"""Puts all of it into a running server."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Final

from jupyter_server.utils import url_path_join
from tornado.ioloop import PeriodicCallback

from upramp_hub.home import extension as home

from .routes import ROUTES
from .watch import Watch
from .websocket import KernelConnection

__all__ = ["link", "load"]

_INTERVAL: Final = 2000
"""Milliseconds between two looks at the kernels: what fills the memory does so in seconds."""

_REFUSED: Final = 400

_DOING: Final = frozenset({"kernels", "sessions", "terminals", "contents"})
"""Parts of Jupyter Server's interface that are used by somebody who works. Pages keep their
layout and ask their extensions' parts by themselves, also by POST."""

_READING: Final = frozenset({"GET", "HEAD", "OPTIONS"})


def link(app: Any) -> None:
    """Have JupyterLab load the part of this that runs in its page.

    Parameters
    ----------
    app
        The server, before its extensions are loaded.
    """
    folder = str(Path(__file__).resolve().parent.parent / "lab")
    config = app.config.LabApp
    config.extra_labextensions_path = [*config.get("extra_labextensions_path", []), folder]
    for each in app.extension_manager.extension_apps.get("jupyterlab", ()):
        # It was linked before, and has taken its configuration already.
        each.extra_labextensions_path = [*each.extra_labextensions_path, folder]


def load(app: Any) -> None:
    """Put routes, watch and connections into a server.

    Parameters
    ----------
    app
        The server (``jupyter_server.serverapp.ServerApp``).
    """
    web_app = app.web_app
    settings = web_app.settings
    limit = os.environ.get("UPRAMP_MEMORY", "")
    watch = Watch(
        settings,
        app.kernel_manager,
        settings.get("terminal_manager"),
        int(limit) if limit.isdecimal() else 0,
    )
    settings["upramp_watch"] = watch
    settings["upramp_notify"] = _notifier(app)
    settings["kernel_websocket_connection_class"] = KernelConnection
    base = settings["base_url"]
    settings["log_function"] = _noting(watch, base, settings.get("log_function"))
    web_app.add_handlers(".*$", [(url_path_join(base, path), each) for path, each in ROUTES])
    home.load(app)
    callback = PeriodicCallback(watch.look, _INTERVAL)
    callback.start()
    settings["upramp_looks"] = callback  # so that it lives as long as the server
    app.log.info("upramp: activity, endings of kernels and websockets without delay")


def _noting(watch: Watch, base: str, log: Any) -> Any:
    """Give what notes after each request whether it was somebody's doing, and logs it."""
    interface = url_path_join(base, "api/")

    def note(handler: Any) -> None:
        request = handler.request
        part = request.path.removeprefix(interface).partition("/")[0]
        if (
            request.path.startswith(interface)
            and part in _DOING
            and request.method not in _READING
            and handler.get_status() < _REFUSED
            # After a warning pages save by themselves.
            and not (part == "contents" and watch.warning() is not None)
        ):
            watch.somebody()
        if log is not None:
            log(handler)

    return note


def _notifier(app: Any) -> Any:
    """Give what tells the hub of activity now, instead of within the next minute."""
    for points in app.extension_manager.extension_apps.values():
        for each in points:
            if hasattr(each, "notify_activity"):
                return each.notify_activity
    return None

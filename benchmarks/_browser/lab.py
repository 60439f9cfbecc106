"""A server of JupyterLab or Notebook 7 with folders of its own, and notebooks opened in it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar

from .notebook import PATIENCE, Notebook
from .notebook7 import Notebook7

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

__all__ = ["Lab", "until"]

TOKEN: Final = "a-token-of-the-tests"  # noqa: S105 - of a server that only this machine reaches
Found = TypeVar("Found")

_APPS: Final[dict[str, tuple[type[Notebook], tuple[str, ...]]]] = {
    "jupyterlab": (Notebook, ("--LabApp.expose_app_in_browser=True", "--LabApp.news_url=None")),
    "notebook": (Notebook7, ()),
}
"""By module: what its pages are, and options of its own."""


def until(what: Callable[[], Found], patience: float = PATIENCE, pause: float = 0.03) -> Found:
    """Wait until something is true, and give it.

    Parameters
    ----------
    what
        Asked again and again.
    patience, pause
        Seconds to wait at most, and between two questions.

    Raises
    ------
    AssertionError
        If it does not come true in time.
    """
    end = time.monotonic() + patience
    while not (found := what()):
        if time.monotonic() > end:
            raise AssertionError(f"it did not come true in {patience} s: {what}")
        time.sleep(pause)
    return found


class Lab:
    """A server with folders of its own.

    Parameters
    ----------
    folder
        Where all that it writes goes.
    theme
        Of its pages.
    python
        Whose packages the server and its kernels have; None for this process's.
    app
        ``jupyterlab``, or ``notebook`` for Notebook 7.
    **variables
        Of the environment, besides those of this process.
    """

    def __init__(
        self,
        folder: Path,
        theme: str = "JupyterLab Light",
        python: str | None = None,
        app: str = "jupyterlab",
        **variables: str,
    ) -> None:
        self.folder = folder
        self.root = folder / "notebooks"
        self.log = folder / "server.log"
        self.root.mkdir(parents=True, exist_ok=True)
        self._python = python or sys.executable
        self._app = app
        self._page, self._options = _APPS[app]
        self._settings(theme)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.token = TOKEN
        self._variables = variables

    def _settings(self, theme: str) -> None:
        wanted: dict[str, dict[str, Any]] = {
            "apputils-extension/themes": {"theme": theme},
            "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
            "notebook-extension/tracker": {"windowingMode": "none"},
        }
        for name, content in wanted.items():
            file = self.folder / "settings" / "@jupyterlab" / f"{name}.jupyterlab-settings"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(json.dumps(content))

    def __enter__(self) -> Self:
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("JUPYTER")}
        places = {
            "JUPYTER_CONFIG_DIR": "configuration",
            "JUPYTER_DATA_DIR": "data",
            "JUPYTER_RUNTIME_DIR": "runtime",
            "JUPYTERLAB_SETTINGS_DIR": "settings",
            "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
            "IPYTHONDIR": "ipython",
        }
        own = {name: str(self.folder / place) for name, place in places.items()}
        with self.log.open("a") as log:
            self.process = subprocess.Popen(
                [
                    *(self._python, "-m", self._app, "--no-browser", "--allow-root"),
                    f"--ServerApp.port={self.port}",
                    "--ServerApp.port_retries=0",
                    "--ServerApp.ip=127.0.0.1",
                    f"--ServerApp.root_dir={self.root}",
                    f"--IdentityProvider.token={TOKEN}",
                    *self._options,
                ],
                env={**inherited, **own, **self._variables},
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            until(self._answers)
        except BaseException:
            self.__exit__()
            raise
        return self

    def _answers(self) -> bool:
        if self.process.poll() is not None:
            raise RuntimeError(f"{self._app} ended: {self.log.read_text()[-3000:]}")
        try:
            request = urllib.request.Request(f"{self.url}/api?token={TOKEN}")  # noqa: S310 - http
            with urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310 - as above
                return bool(answer.status == 200)
        except OSError:
            return False

    def __exit__(self, *_: object) -> None:
        # The server's own group: its kernels are in it, or end with it.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGTERM)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(20)

    @contextlib.contextmanager
    def stopped(self) -> Iterator[None]:
        """Let the server do nothing for a while, as if the network were gone."""
        self.process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.process.send_signal(signal.SIGCONT)

    @contextlib.contextmanager
    def open(
        self,
        browser: Any,
        cells: Sequence[str],
        name: str = "test.ipynb",
        width: int = 1280,
        height: int = 1000,
        script: str = "",
        **options: Any,
    ) -> Iterator[Notebook]:
        """Open a notebook with these cells in a page of its own.

        Parameters
        ----------
        browser
            Of playwright.
        cells
            Source of each.
        name
            Of the notebook's file.
        width, height
            Of the page, in pixels.
        script
            JavaScript that runs in the page before anything else.
        **options
            As playwright's ``new_context`` has them.
        """
        self.write(cells, name)
        context = browser.new_context(
            viewport={"width": width, "height": height}, service_workers="block", **options
        )
        context.set_default_timeout(PATIENCE * 1000)
        if script:
            context.add_init_script(script)
        try:
            notebook = self._page(self.url, self.token, context, name)
            notebook.load()
            yield notebook
        finally:
            context.close()

    def write(self, cells: Sequence[str], name: str = "test.ipynb") -> None:
        """Write a notebook.

        Parameters
        ----------
        cells
            Source of each.
        name
            Of the file.
        """
        content = {
            "cells": [
                {
                    "cell_type": "code",
                    "id": f"cell-{at}",
                    "metadata": {},
                    "source": text,
                    "outputs": [],
                    "execution_count": None,
                }
                for at, text in enumerate(cells)
            ],
            "metadata": {
                "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}
            },
            "nbformat": 4,
            "nbformat_minor": 5,
        }
        (self.root / name).write_text(json.dumps(content))

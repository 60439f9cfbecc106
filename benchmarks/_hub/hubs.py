"""The hubs, each started as it is started for people, in a folder of its own."""

from __future__ import annotations

import contextlib
import os
import random
import secrets
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from typing import TYPE_CHECKING, ClassVar, Final

import psutil

from benchmarks._hub import memory
from upramp_hub.accounts import Accounts
from upramp_hub.robot.logins import Login

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

__all__ = ["SERVERS", "SPAWNS", "Hub", "PlainHub", "ProjectHub"]

SPAWNS: Final = 4
"""Servers that may be starting at once, at both."""

SERVERS: Final = 16
"""Servers that may run at once, at both."""

_PATIENCE: Final = 120.0
_COMPILED: Final = 1200.0
"""Seconds in which the engine is compiled; a hub does it once."""

_OURS: Final = ("UPRAMP_HUB_", "JUPYTERHUB_", "JUPYTER_", "CONFIGPROXY_", "CRDS_")

_PLAIN: Final = """
import sys
c.JupyterHub.bind_url = "http://127.0.0.1:{port}"
c.JupyterHub.hub_bind_url = "http://127.0.0.1:{hub_port}"
c.JupyterHub.authenticator_class = "dummy"
c.DummyAuthenticator.password = "{password}"
c.Authenticator.allow_all = True
c.JupyterHub.spawner_class = "simple"
c.SimpleLocalProcessSpawner.home_dir_template = "{folder}/homes/{{username}}"
c.Spawner.cmd = [sys.executable, "-m", "jupyterhub.singleuser"]
c.Spawner.args = {arguments}
c.Spawner.default_url = "/lab"
c.Spawner.environment = {environment}
c.JupyterHub.concurrent_spawn_limit = {spawns}
c.JupyterHub.active_server_limit = {servers}
c.ConfigurableHTTPProxy.command = [sys.executable, "-m", "upramp_hub.proxy"]
c.ConfigurableHTTPProxy.api_url = "http://127.0.0.1:{api_port}"
"""


class Hub:
    """A hub with its proxy, for robots.

    Parameters
    ----------
    folder
        Where it keeps what it keeps; empty.
    archive
        What users read.
    names
        Who may come.
    """

    title: ClassVar[str]

    def __init__(self, folder: Path, archive: Path, names: Sequence[str]) -> None:
        self.folder = folder
        self.archive = archive
        self.port = _three_ports()
        self.hub_port = self.port + 1
        self.url = f"http://127.0.0.1:{self.port}"
        self.output = folder / "output"
        folder.mkdir(mode=0o700)
        command, variables = self._command()
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(_OURS)}
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                command,
                cwd=folder,
                env={**inherited, **variables},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            self._until(self._is_up)
            self.logins = self._accounts(names)
        except BaseException:
            self.stop()
            raise

    def _command(self) -> tuple[list[str], dict[str, str]]:
        raise NotImplementedError

    def _accounts(self, names: Sequence[str]) -> list[Login]:
        raise NotImplementedError

    def _until(self, come: Callable[[], bool], patience: float = _PATIENCE) -> None:
        end = time.monotonic() + patience
        while not come():
            if self.process.poll() is not None or time.monotonic() > end:
                text = self.output.read_text("utf-8", "replace")[-3000:]
                sys.exit(f"{self.title} is not ready:\n{text}")
            time.sleep(0.1)

    def _is_up(self) -> bool:
        try:
            # The address is one of this machine.
            with urllib.request.urlopen(f"{self.url}/hub/health", timeout=5) as answer:  # noqa: S310
                return bool(answer.status == 200)
        except OSError:
            return False

    def own_memory(self) -> dict[str, float]:
        """Give what the hub and the proxy hold, in MB."""
        found: dict[str, float] = {}
        with contextlib.suppress(psutil.Error):
            process = psutil.Process(self.process.pid)
            for each in (process, *process.children(recursive=True)):
                with contextlib.suppress(psutil.Error):
                    command = each.cmdline()
                    for name, word in (("hub", "jupyterhub"), ("proxy", "upramp_hub.proxy")):
                        if word in command:
                            found[name] = memory.of_processes([each.pid])
        return found

    def stop(self) -> None:
        """End it, and what it started."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(60)
        left = [pid for pids in memory.servers(self.hub_port).values() for pid in pids]
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


class ProjectHub(Hub):
    """The project's, by ``python -m upramp_hub``; its users have accounts with passwords."""

    title = "the project's hub"

    def _command(self) -> tuple[list[str], dict[str, str]]:
        options = {"port": self.port, "state": self.folder / "state", "archive": self.archive}
        words = [f"--{name}={value}" for name, value in options.items()]
        limits = {"UPRAMP_HUB_SPAWNS": str(SPAWNS), "UPRAMP_HUB_SERVERS": str(SERVERS)}
        return [sys.executable, "-m", "upramp_hub", *words], limits

    def _accounts(self, names: Sequence[str]) -> list[Login]:
        accounts = Accounts(self.folder / "state")
        logins = [Login(name, secrets.token_urlsafe(16)) for name in names]
        for login in logins:
            accounts.accept(accounts.invite("admin", name=login.name), "", login.password)
        # What it compiles for all users in its first minutes is no user's load.
        self._until(lambda: not self._compiles(), _COMPILED)
        return logins

    def _compiles(self) -> bool:
        with contextlib.suppress(psutil.Error):
            children = psutil.Process(self.process.pid).children()
            return any("upramp.detector1" in each.cmdline() for each in children)
        return False


class PlainHub(Hub):
    """JupyterHub's own simple spawner, with one password for all and the project's proxy."""

    title = "plain JupyterHub"

    def _command(self) -> tuple[list[str], dict[str, str]]:
        self._password = secrets.token_urlsafe(16)
        crds = self.archive / "crds"
        text = _PLAIN.format(
            port=self.port,
            hub_port=self.hub_port,
            api_port=self.port + 2,
            folder=self.folder,
            password=self._password,
            # Its users are the hub's own user, which Jupyter asks about if that is root.
            arguments=["--allow-root"] if os.geteuid() == 0 else [],
            environment={
                "UPRAMP_ARCHIVE": str(self.archive),
                "CRDS_PATH": str(crds),
                "CRDS_CONTEXT": "jwst_0001.pmap",
            },
            spawns=SPAWNS,
            servers=SERVERS,
        )
        (self.folder / "configuration.py").write_text(text, "utf-8")
        return [sys.executable, "-m", "jupyterhub", "-f", "configuration.py"], {}

    def _accounts(self, names: Sequence[str]) -> list[Login]:
        return [Login(name, self._password) for name in names]


def _three_ports() -> int:
    """Give the first of three ports in a row that nobody listens on."""
    while True:
        first = random.randrange(20000, 32000)  # noqa: S311 - no secret
        with contextlib.suppress(OSError), contextlib.ExitStack() as stack:
            for port in range(first, first + 3):
                stack.enter_context(socket.socket()).bind(("127.0.0.1", port))
            return first

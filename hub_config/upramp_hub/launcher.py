"""One command to a hub: the proxy and the hub as two processes that are kept alive.

The proxy outlives the hub and the hub the proxy, so either can be restarted
alone: users' connections go through the proxy to their servers and do not
notice a hub that is gone. Users' servers outlive both. Whoever stops the
launcher stops all of it.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from upramp.atomic import output_errors
from upramp.errors import UsageError

from . import ports
from .ballast import Ballast
from .client import ask_for_routes, stop_servers
from .logs import rotate
from .processes import (
    HubError,
    Process,
    adopt_orphans,
    end_children,
    ending,
    last_line,
    reap,
    unhurried,
)
from .settings import PROXY_TOKEN, PYTHON, Settings, proxy_options

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

__all__ = ["HubError", "Launcher", "configuration_file", "proxy_command"]

_STEADY: Final = 60.0
"""Seconds after which a process counts as running well, and its failures are forgotten."""

_TRIES: Final = 5
"""How often a process that does not get that far is started again."""

_LINGERING: Final = 65.0
"""Seconds for which the system remembers connections of a program that listened there."""


def configuration_file() -> Path:
    """Give the configuration that JupyterHub reads: in this package, else beside it."""
    package = Path(str(resources.files("upramp_hub")))
    inside = package / "jupyterhub_config.py"
    return inside if inside.exists() else package.parent / "jupyterhub_config.py"


def proxy_command(settings: Settings) -> list[str]:
    """Choose the proxy: *configurable-http-proxy* 5 or later where it is, else the hub's own.

    Where users have numbers of their own it is always the hub's own, for the
    other cannot listen on a port that is held for it (`upramp_hub.ports`).

    Parameters
    ----------
    settings
        Of the hub.
    """
    found = None if os.geteuid() == 0 else shutil.which("configurable-http-proxy")
    program = [found] if found and _version_of(found) >= 5 else [PYTHON, "-m", "upramp_hub.proxy"]
    return [*program, *proxy_options(settings)]


def _version_of(program: str) -> int:
    """Give the major version of a proxy; 0 for PyPI's rewrite, which says none of npm's."""
    if b"node" not in Path(program).read_bytes()[:200]:
        return 0
    try:
        out = subprocess.run(  # noqa: S603 - found on PATH as the user set it
            [program, "--version"], capture_output=True, text=True, timeout=20, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return 0
    major = out.stdout.strip().split(".")[0]
    return int(major) if major.isdigit() else 0


@dataclass
class Launcher:
    """The processes of a hub.

    Parameters
    ----------
    settings
        What they agree on.
    say
        Told, in lines, what the person who started it should know.
    """

    settings: Settings
    say: Callable[[str], None] = print
    _processes: list[Process] = field(default_factory=list)
    _kernels: Process | None = None
    _stopping: bool = False
    _gave_up: bool = False
    _lock: Any = None
    _held: list[socket.socket] = field(default_factory=list)

    def run(self, before: Callable[[], None] = lambda: None) -> None:
        """Start everything, keep it running until SIGINT or SIGTERM, stop everything.

        Parameters
        ----------
        before
            What has to be done first, once it is known that a hub can be started.

        Raises
        ------
        UsageError
            If a port is taken or another launcher uses the same state.
        HubError
            If a process does not start, or not keep running.
        """
        self._begin()
        try:
            before()
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                signal.signal(number, self._stop_soon)
            first = self._first_login()
            for process in self._processes:
                self.say(f"starting the {process.name}")
                process.start()
                process.wait_until_ready(stop=lambda: self._stopping)
                if self._stopping:
                    return
            self._compile_kernels()
            self._greet(first)
            try:
                self._watch()
            except HubError:
                # Whoever works on a server is not to lose that work too.
                self._gave_up = True
                self.say("users' servers go on; they are found again by the next start")
                raise
        finally:
            self.stop()

    def _begin(self) -> None:
        os.umask(0o077)
        is_new = not self.settings.state.exists()
        if is_new:
            self._take_ports()  # first: a start that is refused leaves nothing behind
        self.settings.prepare()
        (self.settings.state / "logs").mkdir(exist_ok=True, mode=0o700)
        # On a disk that is full already nothing of what follows could be written.
        ballast = Ballast(self.settings.state)
        if (said := ballast.look()) and ballast.is_given_up:
            self.say(said)
        was_killed = self._take_lock()
        if not is_new:
            # Only now: whoever has them may be a hub of this state, which is told by its lock.
            # What a launcher that was killed had started ends within seconds.
            self._take_ports(patience=15 if was_killed else 0)
        # Servers whose hub was killed become children of this process, and end with it.
        adopt_orphans()
        self._rotate_logs()
        self._processes = self._plan()

    def _take_ports(self, patience: float = 0) -> None:
        settings = self.settings
        for port, what in (
            (settings.port, "the proxy"),
            (settings.hub_port, "the hub"),
            (settings.api_port, "the proxy's own interface"),
        ):
            ports.require_free(port, what, settings.address, patience=patience)
        held = [(settings.hub_port, "127.0.0.1")]
        if proxy_command(settings)[0] == PYTHON:
            held += [(settings.port, settings.address), (settings.api_port, "127.0.0.1")]
        for port, address in held:
            self._held.append(self._hold_port(port, address))

    def _hold_port(self, port: int, address: str) -> socket.socket:
        end = time.monotonic() + _LINGERING
        told = False
        while True:
            try:
                return ports.hold(port, address)
            except OSError as error:
                if time.monotonic() > end:
                    raise UsageError(
                        f"port {port}",
                        f"it cannot be kept ({error.strerror})",
                        "choose others with PORT= or --port",
                    ) from error
            if not told:
                self.say(f"waiting up to a minute for port {port}, which was in use until now")
                told = True
            time.sleep(0.5)

    def _take_lock(self) -> bool:
        """Be the only launcher of this state; say whether the last one was killed."""
        import fcntl

        file = self.settings.state / "launcher.lock"
        self._lock = file.open("a+")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._lock.seek(0)
            raise UsageError(
                str(self.settings.state),
                f"a hub runs from it already, as process {self._lock.read().strip() or '?'}",
                "stop that one, or choose another folder with --state",
            ) from None
        self._lock.seek(0)
        was_killed = bool(self._lock.read().strip())
        with output_errors(file):
            self._lock.truncate(0)
            self._lock.write(f"{os.getpid()}\n")
            self._lock.flush()
        return was_killed

    def _plan(self) -> list[Process]:
        settings = self.settings
        environment = {
            **os.environ,
            **settings.to_environment(),
            "CONFIGPROXY_AUTH_TOKEN": settings.secret(PROXY_TOKEN),
            "PYTHONUNBUFFERED": "1",
            ports.VARIABLE: "1",
        }
        logs = settings.state / "logs"
        hub = [PYTHON, "-m", "jupyterhub", "-f", str(configuration_file())]
        return [
            Process(
                "proxy",
                proxy_command(settings),
                environment,
                logs / "proxy.log",
                lambda: ports.answers(settings.api_port),
            ),
            Process(
                "hub",
                hub,
                environment,
                logs / "hub.log",
                lambda: _is_healthy(settings),
            ),
        ]

    def _compile_kernels(self) -> None:
        """Have the engine's kernels compiled for all users, once the hub is there.

        Earlier it would take a core from the archive that is being made. Whoever
        calibrates before it is done compiles what it needs for itself.
        """
        self._kernels = Process(
            "kernels",
            [PYTHON, "-m", "upramp.detector1"],
            # What it writes is everybody's to read, and it has time.
            os.environ,
            self.settings.state / "logs" / "kernels.log",
            lambda: True,
            before=unhurried,
        )
        self._kernels.start()

    def _first_login(self) -> tuple[str, str] | None:
        """Make the first administrator, before anybody can knock."""
        if self.settings.authenticator != "accounts":
            return None
        from .accounts import first_administrator

        return first_administrator(self.settings.state)

    def _greet(self, first: tuple[str, str] | None) -> None:
        self.say(f"the hub is at {self.settings.url}")
        if self.settings.address not in {"127.0.0.1", "::1", "localhost"}:
            self.say(
                "other machines reach it without encryption: put a web server with TLS before it"
            )
        if first is not None:
            name, password = first
            self.say(
                f"first login: {name}, password {password} (shown this once; change it there)"
            )
        if self.settings.authenticator == "accounts":
            self.say(
                f"to invite others, log in as administrator: {self.settings.url}/hub/accounts"
            )
        if self._kernels is not None and self._kernels.is_running:
            self.say("the engine is still being compiled, once; until then it starts slowly")
        self.say(f"logs are in {self.settings.state / 'logs'}; Ctrl-C stops all of it")

    # ---- while it runs

    def _stop_soon(self, _number: int, _frame: Any) -> None:
        self._stopping = True

    def _watch(self) -> None:
        while not self._stopping:
            for process in self._processes:
                self._keep_alive(process)
            self._look_at_kernels()
            self._rotate_logs()
            reap([*self._processes, *filter(None, [self._kernels])])
            time.sleep(0.2)

    def _rotate_logs(self) -> None:
        for log in (self.settings.state / "logs").glob("*.log"):
            rotate(log)

    def _look_at_kernels(self) -> None:
        kernels = self._kernels
        if kernels is None or kernels.is_running:
            return
        self._kernels = None
        if kernels.running is not None and kernels.running.returncode:
            why = last_line(kernels.log).removeprefix("upramp: ")
            self.say(f"the engine is compiled by each user alone: {why}")

    def _keep_alive(self, process: Process) -> None:
        if process.running is None:
            return
        code = process.running.poll()
        if code is None:
            if process.failures and time.monotonic() - process.started > _STEADY:
                process.failures = 0
            return
        process.failures += 1
        if process.failures > _TRIES:
            raise HubError(
                process.name,
                f"it ended {process.failures} times: {last_line(process.log)}",
                f"see {process.log}",
            )
        self.say(f"the {process.name} ended ({ending(code)}); it is started again")
        time.sleep(min(2.0 ** (process.failures - 1) / 4, 5.0))
        process.start()
        if process.name == "proxy":
            # Routes live in the proxy's memory; until it is told, no server can be reached.
            ask_for_routes(self.settings, patience=10)

    # ---- the end

    def stop(self) -> None:
        """Stop users' servers, the hub and the proxy, and whatever they left behind."""
        if self._stopping:
            self.say("stopping servers, hub and proxy")
        hub = next((p for p in self._processes if p.name == "hub"), None)
        if hub is not None and hub.is_running and not self._gave_up:
            with contextlib.suppress(Exception):
                stop_servers(self.settings)
        for process in [*filter(None, [self._kernels]), *reversed(self._processes)]:
            process.stop()
        if not self._gave_up:
            end_children()
        for holder in self._held:
            holder.close()
        if self._lock is not None:
            self._lock.truncate(0)


def _is_healthy(settings: Settings) -> bool:
    from urllib.error import URLError
    from urllib.request import urlopen

    if not ports.answers(settings.hub_port):
        return False  # the proxy would only note in its log that there is no hub yet
    try:
        # Through the proxy: its route to the hub is part of what has to work.
        with urlopen(f"http://127.0.0.1:{settings.port}/hub/health", timeout=2) as answer:
            return bool(answer.status == 200)
    except (URLError, OSError):
        return False

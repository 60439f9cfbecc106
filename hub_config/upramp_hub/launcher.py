"""One command to a hub: the proxy and the hub as two processes that are kept alive.

The proxy outlives the hub and the hub the proxy, so either can be restarted
alone: users' connections go through the proxy to their servers and do not
notice a hub that is gone. Users' servers outlive both. Whoever stops the
launcher stops all of it.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import shutil
import signal
import socket
import subprocess
import time
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from upramp.errors import UprampError, UsageError

from . import ports
from .client import ask_for_routes, stop_servers
from .settings import PROXY_TOKEN, PYTHON, Settings, proxy_options

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

__all__ = ["HubError", "Launcher", "configuration_file", "proxy_command"]

_PATIENCE: Final = 60.0
"""Seconds that a process may take until it answers."""

_STEADY: Final = 60.0
"""Seconds after which a process counts as running well, and its failures are forgotten."""

_TRIES: Final = 5
"""How often a process that does not get that far is started again."""

_GRACE: Final = 10.0
"""Seconds that a process has between being asked to end and being ended."""

_LINGERING: Final = 65.0
"""Seconds for which the system remembers connections of a program that listened there."""

_PR_SET_PDEATHSIG: Final = 1
_PR_SET_CHILD_SUBREAPER: Final = 36


class HubError(UprampError):
    """The hub could not be started, or not be kept running."""


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


def _end_with_parent() -> None:
    _prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _unhurried() -> None:
    _end_with_parent()
    os.umask(0o022)
    os.nice(10)


def _prctl(option: int, value: int) -> None:
    # Linux alone has it; elsewhere what it is for does not happen.
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


@dataclass
class _Process:
    """A process that is started again when it ends."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    log: Path
    ready: Callable[[], bool]
    before: Callable[[], None] = _end_with_parent
    running: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    failures: int = 0

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.running = subprocess.Popen(  # noqa: S603 - our own command
                self.command,
                env=dict(self.environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                # Ctrl-C is the launcher's: it says in which order they end.
                start_new_session=True,
                # A launcher that is killed must not leave them in the way of the next one.
                preexec_fn=self.before,  # noqa: PLW1509 - the launcher has one thread
            )
        self.started = time.monotonic()

    @property
    def is_running(self) -> bool:
        return self.running is not None and self.running.poll() is None

    def wait_until_ready(
        self, patience: float = _PATIENCE, stop: Callable[[], bool] = lambda: False
    ) -> None:
        end = time.monotonic() + patience
        while time.monotonic() < end and not stop():
            if self.running is None or self.running.poll() is not None:
                raise HubError(
                    self.name,
                    f"it ended while it started: {last_line(self.log)}",
                    f"see {self.log}",
                )
            if self.ready():
                return
            time.sleep(0.05)
        if stop():
            return
        raise HubError(
            self.name, f"it does not answer after {patience:.0f} seconds", f"see {self.log}"
        )

    def stop(self) -> None:
        if self.running is None or self.running.poll() is not None:
            return
        self.running.terminate()
        try:
            self.running.wait(_GRACE)
        except subprocess.TimeoutExpired:
            self.running.kill()
            self.running.wait()


def last_line(log: Path) -> str:
    """Give the last line of a log that says something.

    Parameters
    ----------
    log
        Its file.
    """
    try:
        text = log.read_bytes()[-4000:].decode("utf-8", "replace")
    except OSError:
        return "it left no log"
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "it left no word"


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
    _processes: list[_Process] = field(default_factory=list)
    _kernels: _Process | None = None
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
            self._compile_kernels()
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
        self.settings.prepare()
        (self.settings.state / "logs").mkdir(exist_ok=True, mode=0o700)
        was_killed = self._take_lock()
        for port, what in (
            (self.settings.port, "the proxy"),
            (self.settings.hub_port, "the hub"),
            (self.settings.api_port, "the proxy's own interface"),
        ):
            # What a launcher that was killed had started ends within seconds.
            require_free(port, what, self.settings.address, patience=15 if was_killed else 0)
        self._hold_ports()
        # Servers whose hub was killed become children of this process, and end with it.
        _prctl(_PR_SET_CHILD_SUBREAPER, 1)
        self._processes = self._plan()

    def _hold_ports(self) -> None:
        settings = self.settings
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
        self._lock.truncate(0)
        self._lock.write(f"{os.getpid()}\n")
        self._lock.flush()
        return was_killed

    def _plan(self) -> list[_Process]:
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
            _Process(
                "proxy",
                proxy_command(settings),
                environment,
                logs / "proxy.log",
                lambda: answers(settings.api_port),
            ),
            _Process(
                "hub",
                hub,
                environment,
                logs / "hub.log",
                lambda: _is_healthy(settings),
            ),
        ]

    def _compile_kernels(self) -> None:
        """Have the engine's kernels compiled for all users, beside everything else.

        Whoever calibrates before that is done compiles what it needs for itself.
        """
        self._kernels = _Process(
            "kernels",
            [PYTHON, "-m", "upramp.detector1"],
            # What it writes is everybody's to read, and it has time.
            os.environ,
            self.settings.state / "logs" / "kernels.log",
            lambda: True,
            before=_unhurried,
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
            _reap([*self._processes, *filter(None, [self._kernels])])
            time.sleep(0.2)

    def _look_at_kernels(self) -> None:
        kernels = self._kernels
        if kernels is None or kernels.is_running:
            return
        self._kernels = None
        if kernels.running is not None and kernels.running.returncode:
            why = last_line(kernels.log).removeprefix("upramp: ")
            self.say(f"the engine is compiled by each user alone: {why}")

    def _keep_alive(self, process: _Process) -> None:
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
        self.say(f"the {process.name} ended ({_ending(code)}); it is started again")
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
            _end_children()
        for holder in self._held:
            holder.close()
        if self._lock is not None:
            self._lock.truncate(0)


def require_free(port: int, what: str, address: str = "127.0.0.1", *, patience: float = 0) -> None:
    """Demand that nobody listens on a port.

    Parameters
    ----------
    port
        Its number.
    what
        Who is to have it.
    address
        Of this machine.
    patience
        Seconds in which it may still become free.

    Raises
    ------
    UsageError
        If somebody does, or this user may not, or this machine has no such address.
    """
    end = time.monotonic() + patience
    while (error := _refusal(port, address)) is not None:
        if error.errno == errno.EADDRINUSE and time.monotonic() < end:
            time.sleep(0.1)
            continue
        if error.errno == errno.EADDRNOTAVAIL:
            raise UsageError(
                address, "this machine has no such address", "choose one of its own with --address"
            )
        taken = error.errno == errno.EADDRINUSE
        raise UsageError(
            f"port {port}",
            "it is taken by another program" if taken else f"it cannot be had ({error.strerror})",
            f"{what} needs it: choose others with PORT= or --port",
        )


def _refusal(port: int, address: str) -> OSError | None:
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError as error:
            return error
    return None


def answers(port: int) -> bool:
    """Say whether somebody listens on a port of this machine.

    Parameters
    ----------
    port
        Its number.
    """
    with contextlib.closing(socket.socket()) as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _is_healthy(settings: Settings) -> bool:
    from urllib.error import URLError
    from urllib.request import urlopen

    if not answers(settings.hub_port):
        return False  # the proxy would only note in its log that there is no hub yet
    try:
        # Through the proxy: its route to the hub is part of what has to work.
        with urlopen(f"http://127.0.0.1:{settings.port}/hub/health", timeout=2) as answer:
            return bool(answer.status == 200)
    except (URLError, OSError):
        return False


def _ending(code: int) -> str:
    if code >= 0:
        return f"exit code {code}"
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"


def _reap(processes: Sequence[_Process]) -> None:
    """Take note of servers that ended after their hub did."""
    # Those that are waited for elsewhere are left alone.
    own = {p.running.pid for p in processes if p.running is not None}
    for pid in _children():
        if pid not in own:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)


def _children() -> list[int]:
    found = []
    for task in Path(f"/proc/{os.getpid()}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            found += [int(pid) for pid in task.read_text().split() if not _ends_by_itself(pid)]
    return found


def _ends_by_itself(pid: str) -> bool:
    # What Python starts beside the processes that make an archive, and ends with this one.
    with contextlib.suppress(OSError):
        return b"multiprocessing.resource_tracker" in Path(f"/proc/{pid}/cmdline").read_bytes()
    return False


def _end_children() -> None:
    """End what is left of this launcher's processes: first asked, then made to."""
    for number, patience in ((signal.SIGTERM, _GRACE), (signal.SIGKILL, 2.0)):
        end = time.monotonic() + patience
        for pid in _children():
            with contextlib.suppress(OSError):
                os.kill(pid, number)
        while time.monotonic() < end and _children():
            _reap([])
            time.sleep(0.05)
        if not _children():
            return

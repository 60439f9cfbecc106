"""Servers as processes of this machine, each user with a number of their own where possible."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import secrets
import shutil
import signal
import site
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import psutil
from jupyterhub.spawner import LocalProcessSpawner
from traitlets import Any as AnyTrait
from traitlets import Float, Integer, default

from upramp.atomic import write_text
from upramp.errors import UprampError
from upramp.notebooks import notebooks_folder
from upramp_hub import ports

from . import enter
from .admission import Admission, SpawnFailed, answers, remember_cause
from .causes import find_cause
from .folders import folder_name, make_private, make_shared
from .logs import ServerLog
from .numbers import BASE, number_of
from .shares import Shares, find_shares

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterable

    from upramp_hub.settings import Settings

__all__ = ["ProcessSpawner", "SetupError", "can_hide", "identity_of", "needed_folders"]

_KEPT_VARIABLES: Final = (
    "LANG",
    "LC_ALL",
    "LC_CTYPE",
    "TZ",
    "LD_LIBRARY_PATH",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "REQUESTS_CA_BUNDLE",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "CRDS_SERVER_URL",
    "UPRAMP_THREADS",
)
"""All that a server sees of the hub's own environment."""

_MARK: Final = "UPRAMP_SERVER_MARK"
"""Variable by which all processes of a server are known, whoever their parents are by now."""


class SetupError(UprampError):
    """The machine is not set up so that the hub could start servers."""


def identity_of(pid: int) -> str | None:
    """Give what tells a process from a later one with its number; None if it is not running.

    Parameters
    ----------
    pid
        Its number. It need not be a child: after a hub was killed, its servers
        are somebody else's, who may not have taken note of their end yet.
    """
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None if Path("/proc/self/stat").exists() else _identity_elsewhere(pid)
    # The name, in brackets, may hold anything.
    state, *rest = text.rpartition(")")[2].split()
    return None if state in "ZX" else rest[18]


def _identity_elsewhere(pid: int) -> str | None:
    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else str(process.create_time())
    except psutil.Error:
        return None


def needed_folders(settings: Settings) -> list[str]:
    """Give what every server reads: interpreter, packages, archive and notebooks.

    Parameters
    ----------
    settings
        Of the hub.
    """
    import upramp
    import upramp_hub

    needed = [
        sys.prefix,
        sys.base_prefix,
        *site.getsitepackages(),
        *(str(Path(str(package.__file__)).parent) for package in (upramp, upramp_hub)),
    ]
    if settings.archive.exists():
        # Its parts may be links to other places.
        parts = (settings.archive, settings.archive / "crds", settings.archive / "uncal")
        needed += [str(part) for part in parts if part.exists()]
    with suppress(UprampError):  # an installation may carry no notebooks
        originals = notebooks_folder()
        # In a clone they lie beside its pyproject.toml, by which it is known as one.
        needed += [
            str(each) for each in (originals, originals.parent / "pyproject.toml") if each.exists()
        ]
    return list(dict.fromkeys(os.path.realpath(path) for path in needed))


def can_hide(settings: Settings) -> bool:
    """Try whether another user's process could be a server here, and how.

    Parameters
    ----------
    settings
        Of the hub.

    Returns
    -------
    bool
        Whether the hub hides closed folders from servers, with mounts of their own.

    Raises
    ------
    SetupError
        If users' processes could not run the interpreter at all.
    """
    plan = {
        "command": [sys.executable, "-I", "-c", "import upramp, upramp_hub, jupyter_server"],
        "home": "/",
        "memory": 0,
        "nice": 0,
        "cgroups": [],
        "uid": BASE,
        "address": "127.0.0.1",
        "port": 0,
        "temporary": tempfile.gettempdir(),
        "shared": 1 << 20,
        "folders": [[path, False] for path in needed_folders(settings)],
        "passwd": "",
        "make": [],
    }
    hides = True
    done = _try({**plan, "private": True})
    if done.returncode == enter.NOT_POSSIBLE:
        hides = False
        done = _try({**plan, "private": False})
    if done.returncode == 0:
        return hides
    lines = done.stderr.strip().splitlines()
    said = (lines[-1] if lines else f"exit code {done.returncode}").removeprefix(enter.PREFIX)
    problem, _, remedy = said.rstrip(".").rpartition("; ")
    raise SetupError(
        sys.executable,
        f"users' servers cannot run it: {problem or said}",
        remedy if problem else f"make {sys.prefix} readable for all ('chmod -R o+rX')",
    )


def _try(plan: dict[str, Any]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 - our own file
        _entering(plan), capture_output=True, text=True, timeout=60, check=False, env={}
    )


def _entering(plan: dict[str, Any]) -> list[str]:
    return [sys.executable, "-I", "-S", str(enter.__file__), json.dumps(plan)]


class ProcessSpawner(Admission, LocalProcessSpawner):
    """A server as a process: of its user's own number if the hub is root, else of the hub's."""

    hides = AnyTrait(
        None,
        help="Whether closed folders are hidden from servers (see ``can_hide``); None to try.",
    ).tag(config=True)
    patience = Float(60.0, help="Seconds that a server has until it answers.").tag(config=True)
    grace = Float(8.0, help="Seconds that a server has to end before it is ended.").tag(
        config=True
    )
    poll_interval = Integer(5, help="Seconds between two looks whether a server runs.").tag(
        config=True
    )

    _shares: Shares | None = None

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.identity = ""
        self.mark = ""
        self.uid: int | None = None
        self._ended_by_us = False
        self._held: socket.socket | None = None

    @default("env_keep")
    def _default_env_keep(self) -> list[str]:
        return list(_KEPT_VARIABLES)

    # ---- where things are

    @property
    def folder(self) -> str:
        """The name of the user's folders."""
        return folder_name(self.user.name)

    @property
    def home(self) -> Path:
        """The user's home."""
        return self.settings.homes / self.folder

    @property
    def runtime(self) -> Path:
        """Where a server keeps what it needs to run; a full home does not fill it."""
        return self._runtimes() / self.folder

    @property
    def _certificates(self) -> Path:
        return self._runtimes() / f"{self.server_log.file.stem}---certificates"

    def _runtimes(self) -> Path:
        if os.geteuid() or self._hides():
            return self.settings.state / "runtime"
        # The hub's folder is closed to users, and cannot be opened for one alone here.
        state = hashlib.sha256(str(self.settings.state).encode()).hexdigest()[:12]
        return Path("/var/tmp") / f"upramp-hub-{state}"  # noqa: S108 - checked to be the hub's

    @property
    def server_log(self) -> ServerLog:
        """What the server writes."""
        if self._log is None:
            name = self.folder + (f"+{folder_name(self.name)}" if self.name else "")
            self._log = ServerLog(self.settings.state / "logs" / "servers" / f"{name}.log")
        return self._log

    _log: ServerLog | None = None

    @property
    def _note(self) -> Path:
        """Where a process is noted before the hub knows that it runs."""
        return self.settings.state / "servers" / f"{self.server_log.file.stem}.json"

    def _hides(self) -> bool:
        if self.hides is None:
            self.hides = not os.geteuid() and can_hide(self.settings)
        return bool(self.hides)

    # ---- start

    async def launch(self) -> tuple[str, int]:
        """Prepare the home, start the process and wait until it answers, or is known not to."""
        expected = self.times.expected
        self.stages.tell(15, "Preparing your home", expected)
        await self._end_leftover()
        self._find_number()
        self._hold_port(0)
        plan = self._prepare()
        self.mark = secrets.token_hex(16)
        environment = self.get_env() | {ports.VARIABLE: "1"}
        self._start_process(plan, environment)
        self.pid = self.proc.pid
        self.identity = identity_of(self.pid) or ""
        write_text(self._note, json.dumps([self.pid, self.identity]))
        self.stages.tell(35, "The server's process has started", expected)
        await self._until_it_answers(expected)
        self.stages.tell(90, "The server answers; its address is being published", 1)
        return (self.ip or "127.0.0.1", self.port)

    def _hold_port(self, port: int) -> None:
        """Keep a port for this user, also from when its server dies until no route leads there."""
        self._release_port()
        self._held = ports.hold(port, self.ip or "127.0.0.1", self.uid)
        self.port = self._held.getsockname()[1]

    def _release_port(self) -> None:
        if self._held is not None:
            self._held.close()
            self._held = None

    def _find_number(self) -> None:
        if os.geteuid() == 0:
            ledger = self.settings.state / "numbers.json"
            self.uid = number_of(self.user.name, self.user.id, ledger)
        else:
            self.uid = None
            self.log.info(
                "server of %s: the hub is not root, so all servers run as its own user, "
                "who can read everything of all of them",
                self.user.name,
            )

    def _shared_memory(self) -> int:
        """Give the bytes of memory that a server's processes may share.

        Half of what one may hold, and with all servers together half of the machine's.
        """
        machine = int(psutil.virtual_memory().total) // (2 * max(self.settings.servers, 1))
        return min(self.settings.memory // 2, machine) if self.settings.memory else machine

    def _prepare(self) -> dict[str, Any]:
        for shared in (self.settings.homes, self._runtimes()):
            self.warn_once(make_shared(shared))
        make_private(self.settings.state / "servers")
        make_private(self.home, self.uid)
        make_private(self.runtime, self.uid)
        make_private(self.runtime / "tmp", self.uid)
        return {
            "command": [*self.cmd, *self.get_args()],
            "home": str(self.home),
            "memory": self.settings.memory,
            "nice": self.shares.nice,
            "cgroups": self.shares.group(self.server_log.file.stem, self.settings.memory),
            "uid": self.uid,
            "address": self.ip or "127.0.0.1",
            "port": self.port,
            "temporary": str(self.runtime / "tmp"),
            "shared": self._shared_memory(),
            "private": self._hides(),
            "folders": [
                *([path, False] for path in needed_folders(self.settings)),
                [str(self.home), True],
                [str(self.runtime), True],
                *([str(self._certificates), False] for _ in [0] if self._certificates.exists()),
            ],
            "make": [str(self.runtime / name) for name in ("tmp", "cache", "jupyter")],
            "passwd": self._write_names() if self.uid is not None and self._hides() else "",
        }

    def _write_names(self) -> str:
        """Give a file of users that holds this one, so that programs can say who runs them."""
        with suppress(OSError):
            file = self.settings.state / "servers" / f"{self.server_log.file.stem}.passwd"
            names = Path("/etc/passwd").read_text(encoding="utf-8")
            login = self.folder.split("---")[0]
            write_text(file, f"{names}{login}:x:{self.uid}:{self.uid}::{self.home}:/bin/bash\n")
            file.chmod(0o644)
            return str(file)
        return ""

    def _start_process(self, plan: dict[str, Any], environment: dict[str, str]) -> None:
        log = self.server_log.open()
        try:
            self.proc = subprocess.Popen(  # noqa: S603 - our own file
                _entering(plan),
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        finally:
            os.close(log)

    async def _until_it_answers(self, expected: float | None) -> None:
        begin = time.monotonic()
        path = f"{self.server.base_url if self.server else '/'}api"
        host = self.ip or "127.0.0.1"
        while (passed := time.monotonic() - begin) < self.patience:
            code = await self.poll()
            if code is not None:
                raise SpawnFailed(find_cause(self.server_log.tail(), code))
            if await answers(host, self.port, path, hidden=self.internal_ssl):
                return
            if any("Extension" in line or "extension" in line for line in self.server_log.tail()):
                left = None if expected is None else max(1.0, expected - passed)
                self.stages.tell(60, "The server loads its extensions", left)
            await asyncio.sleep(0.1)
        lines = self.server_log.tail()
        await self.stop(now=True)
        raise SpawnFailed(find_cause(lines, waited=self.patience))

    # ---- what the server sees

    def user_env(self, env: dict[str, str]) -> dict[str, str]:
        """Say where the user and their files are.

        Parameters
        ----------
        env
            Variables until now.
        """
        said = dict(env)
        crds = self.settings.archive / "crds"
        runtime = self.runtime
        env.update(
            HOME=str(self.home),
            USER=self.folder,
            LOGNAME=self.folder,
            SHELL="/bin/bash" if Path("/bin/bash").exists() else "/bin/sh",
            PATH=os.pathsep.join([str(Path(sys.executable).parent), os.defpath]),
            PYTHONNOUSERSITE="1",
            **{_MARK: self.mark},
            # All of these lie in the home otherwise, and a server with a full home would not
            # start to let its owner make room.
            JUPYTER_RUNTIME_DIR=str(runtime / "jupyter"),
            IPYTHONDIR=str(runtime / "ipython"),
            JUPYTERLAB_WORKSPACES_DIR=str(runtime / "workspaces"),
            XDG_CACHE_HOME=str(runtime / "cache"),
            MPLCONFIGDIR=str(runtime / "matplotlib"),
            TMPDIR=str(runtime / "tmp"),
            # Activity is told every minute; five, the default, lets a busy server look idle.
            JUPYTERHUB_ACTIVITY_INTERVAL="60",
            UPRAMP_ARCHIVE=str(self.settings.archive),
            UPRAMP_MEMORY=str(self.settings.memory),
        )
        if crds.is_dir():
            env.update(
                CRDS_PATH=str(crds), CRDS_CONTEXT=self.settings.context, CRDS_READONLY_CACHE="1"
            )
        # What the configuration says stays said.
        env.update({key: env_value for key, env_value in said.items() if key in self.environment})
        return env

    async def move_certs(self, paths: dict[str, str]) -> dict[str, str]:
        """Give the server its certificates, in a folder that its user alone may enter.

        Parameters
        ----------
        paths
            Where the hub made them.
        """
        return self._place_certificates(paths)

    def _place_certificates(self, paths: dict[str, str]) -> dict[str, str]:
        self._prepare()
        # It is made anew beside the users' folders: what lay in it may be a user's trap by now.
        fresh = Path(tempfile.mkdtemp(dir=self._runtimes()))
        for name in paths.values():
            copy = Path(shutil.copy(name, fresh))
            copy.chmod(0o400)
            if self.uid is not None:
                os.chown(copy, self.uid, self.uid, follow_symlinks=False)
        make_private(fresh, self.uid)
        shutil.rmtree(self._certificates, ignore_errors=True)
        fresh.rename(self._certificates)
        return {kind: str(self._certificates / Path(name).name) for kind, name in paths.items()}

    # ---- while it runs

    @property
    def shares(self) -> Shares:
        """How servers share the processor."""
        if ProcessSpawner._shares is None:
            state = os.path.realpath(self.settings.state)
            hub = hashlib.sha256(state.encode()).hexdigest()[:12]
            ProcessSpawner._shares = find_shares(hub=hub)
            self.log.info("share of the processor: %s", ProcessSpawner._shares.words)
        return ProcessSpawner._shares

    def get_state(self) -> dict[str, Any]:
        """Give what the next hub needs to find the process again."""
        state: dict[str, Any] = super().get_state()
        if self.pid:
            state.update(identity=self.identity, mark=self.mark, uid=self.uid, port=self.port)
        return state

    def load_state(self, state: dict[str, Any]) -> None:
        """Find the process of an earlier hub again.

        Parameters
        ----------
        state
            What that hub kept.
        """
        super().load_state(state)
        self.identity = state.get("identity", "")
        self.mark = state.get("mark", "")
        self.uid = state.get("uid")
        if port := state.get("port"):
            with suppress(OSError):  # a server of an earlier version does not share it
                self._hold_port(port)

    def clear_state(self) -> None:
        """Forget the process."""
        super().clear_state()
        self.identity = ""

    async def poll(self) -> int | None:
        """Say whether the process runs: None if so, else its exit code, 0 if that is not known."""
        self.server_log.trim()
        child: Any = self.proc  # None for a process of an earlier hub
        if child is not None:
            code: int | None = child.poll()
            if code is not None:
                self._note_ending(code)
                setattr(self, "proc", None)  # noqa: B010 - declared without it
                self.clear_state()
            return code
        if not self.pid:
            return 0
        if identity_of(self.pid) == self.identity:
            return None
        self._note_ending(None)
        self.clear_state()
        return 0

    def _note_ending(self, code: int | None) -> None:
        self._clear_away()
        if not self._ended_by_us:
            remember_cause(self.user.name, self.name, find_cause(self.server_log.tail(), code))

    async def stop(self, now: bool = False) -> None:
        """End the server and all that it started, within seconds.

        Parameters
        ----------
        now
            Whether it is not asked first.
        """
        self._ended_by_us = True
        try:
            if await self.poll() is None:
                await self._end(self.pid, grace=0 if now else self.grace)
            await self.poll()
            for _ in range(20):
                if self.shares.clear(self.server_log.file.stem):
                    break
                await asyncio.sleep(0.05)
        finally:
            self._ended_by_us = False
            self._release_port()

    def _clear_away(self) -> None:
        """Remove what an ended server has left: processes that detached themselves, and notes."""
        if self.mark:
            mark = self.mark
            _kill(p for p in psutil.process_iter() if _has_mark(p, mark))
            self.mark = ""
        with suppress(OSError):
            self._note.unlink(missing_ok=True)
        # Links in it are removed, not followed.
        shutil.rmtree(self.runtime / "tmp", ignore_errors=True)
        self.shares.clear(self.server_log.file.stem)

    async def _end(self, pid: int, grace: float) -> None:
        """End a process and its children; the kernels are sessions of their own."""
        try:
            process = psutil.Process(pid)
            children = process.children(recursive=True)
        except psutil.Error:
            return
        if grace:
            with suppress(psutil.Error):
                process.terminate()
            await self.wait_for_death(grace)
        _kill([process, *children])
        await self.wait_for_death(self.kill_timeout)

    async def _end_leftover(self) -> None:
        """End a process of this server that a killed hub had started and not yet kept."""
        with suppress(OSError, ValueError, TypeError):
            pid, identity = json.loads(self._note.read_text("utf-8"))
            if identity and identity_of(int(pid)) == identity:
                self.log.warning(
                    "server of %s: an earlier hub left process %d", self.user.name, pid
                )
                process = psutil.Process(pid)
                _kill([process, *process.children(recursive=True)])


def _has_mark(process: psutil.Process, mark: str) -> bool:
    try:
        return bool(process.environ().get(_MARK) == mark)
    except (psutil.Error, OSError):
        return False


def _kill(processes: Iterable[psutil.Process]) -> None:
    for process in processes:
        with suppress(psutil.Error):
            process.send_signal(signal.SIGKILL)  # psutil makes sure that it is still the same

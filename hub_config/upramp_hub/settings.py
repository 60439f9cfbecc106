"""What a hub is started with: its folders, ports and choices, from the environment.

The launcher, the proxy, the configuration of JupyterHub and the services are
processes of their own; what they have to agree on is read here, once, from
variables that begin with ``UPRAMP_HUB_``.
"""

from __future__ import annotations

import os
import secrets
import socket
import sys
from contextlib import suppress
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Final

from upramp.atomic import output_errors, staging_directory
from upramp.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "LAUNCHER_TOKEN",
    "MONITORING_TOKEN",
    "PREFIX",
    "PROXY_TOKEN",
    "PYTHON",
    "Settings",
    "default_state",
    "proxy_options",
]

PROXY_TOKEN: Final = "proxy_token"  # noqa: S105 - its file's name
"""The secret of hub and proxy, in the folder of state."""

LAUNCHER_TOKEN: Final = "launcher_token"  # noqa: S105 - its file's name
"""The secret of whoever starts and stops the hub."""

MONITORING_TOKEN: Final = "monitoring_token"  # noqa: S105 - its file's name
"""The secret of whoever looks after it."""

PREFIX: Final = "UPRAMP_HUB_"
_HIGHEST_PORT: Final = 65535


def default_state() -> Path:
    """Give the folder where a hub keeps what it must not lose."""
    base = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(base) / "upramp-hub"


@dataclass(frozen=True)
class Settings:
    """What the processes of a hub agree on.

    Parameters
    ----------
    state
        The private folder: accounts, database, secrets, logs.
    address
        The address that the proxy listens on.
    port
        Its port; the hub and the proxy's own interface take the next two.
    archive
        The archive: folders ``uncal`` and ``crds``, read-only for users.
    homes
        Users' homes.
    context
        The CRDS context in force.
    spawner
        ``process`` (a server is a process, with a uid of its own where the hub is
        root), ``container`` or ``kubernetes``.
    authenticator
        ``accounts`` (the hub's own) or ``oidc``.
    memory
        Bytes that a server may hold.
    servers
        How many servers may run at once.
    spawns
        How many may be starting at once.
    trusted
        Addresses of web servers before this hub, with commas between them: what they
        say of whom a request comes from is believed.
    idle_after
        Seconds after which a server that nobody uses is stopped.
    warning
        Seconds before that when its user is told.
    """

    state: Path = field(default_factory=default_state)
    address: str = "127.0.0.1"
    port: int = 8000
    archive: Path = Path("practice")
    homes: Path = Path()
    context: str = "jwst_0001.pmap"
    spawner: str = "process"
    authenticator: str = "accounts"
    memory: int = 4 * 1024**3
    servers: int = 16
    spawns: int = 4
    trusted: str = ""
    idle_after: int = 3600
    warning: int = 600

    def __post_init__(self) -> None:
        if not 0 < self.port <= _HIGHEST_PORT - 2:
            raise UsageError(
                f"port {self.port}",
                "two more ports are needed above it, up to 65535",
                "choose one between 1 and 65533",
            )
        for name, allowed in (
            ("spawner", ("process", "container", "kubernetes")),
            ("authenticator", ("accounts", "oidc")),
        ):
            if getattr(self, name) not in allowed:
                raise UsageError(
                    f"{PREFIX}{name.upper()}={getattr(self, name)}",
                    "there is none of this name",
                    f"choose one of {', '.join(allowed)}",
                )
        if self.homes == Path():
            object.__setattr__(self, "homes", self.state / "homes")

    @property
    def hub_port(self) -> int:
        """Port of the hub, on this machine only."""
        return self.port + 1

    @property
    def api_port(self) -> int:
        """Port of the proxy's own interface, on this machine only."""
        return self.port + 2

    @property
    def url(self) -> str:
        """Where users go."""
        anywhere = self.address in {"0.0.0.0", "::"}  # noqa: S104 - compared, not listened on
        host = socket.gethostname() if anywhere else self.address
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> Settings:
        """Read the settings.

        Parameters
        ----------
        environment
            Variables; None for this process's.

        Raises
        ------
        UsageError
            If a number is none, or a choice is not among those there are.
        """
        environment = os.environ if environment is None else environment
        found: dict[str, Path | int | str] = {}
        for each in fields(cls):
            text = environment.get(PREFIX + each.name.upper())
            if text is None:
                continue
            if each.type == "Path":
                found[each.name] = Path(text).absolute()
            elif each.type == "int":
                found[each.name] = _whole(PREFIX + each.name.upper(), text)
            else:
                found[each.name] = text
        return cls(**found)  # type: ignore[arg-type]

    def to_environment(self) -> dict[str, str]:
        """Give the variables that other processes of the hub read."""
        return {PREFIX + f.name.upper(): str(getattr(self, f.name)) for f in fields(self)}

    # ---- what lies in the folder of state

    def prepare(self) -> None:
        """Make the folder of state, for this user alone."""
        self.state.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.state.chmod(0o700)

    def secret(self, name: str) -> str:
        """Give a secret that the processes share; it is made when it is first asked for.

        Parameters
        ----------
        name
            Its file's name.

        Raises
        ------
        OutputError
            If there is no room for it.
        UsageError
            If its file is there and empty.
        """
        file = self.state / name
        if not file.exists():
            # Whole or not at all: an empty one, on a full disk, would be a secret that all know.
            with output_errors(file), staging_directory(self.state) as stage:
                new = stage / name
                new.touch(mode=0o600)
                new.write_text(secrets.token_hex(32), "ascii")
                with suppress(FileExistsError):  # another process was faster: its one counts
                    os.link(new, file)
        found = file.read_text("ascii").strip()
        if not found:
            raise UsageError(str(file), "the secret is empty", "remove the file: another is made")
        return found


def proxy_options(settings: Settings) -> list[str]:
    """Give the options of the proxy that belongs to a hub.

    Parameters
    ----------
    settings
        Of the hub.
    """
    hub = f"http://127.0.0.1:{settings.hub_port}"
    return [
        *("--ip", settings.address, "--port", str(settings.port)),
        *("--api-ip", "127.0.0.1", "--api-port", str(settings.api_port)),
        *("--default-target", hub, "--error-target", f"{hub}/hub/error"),
    ]


def _whole(name: str, text: str) -> int:
    if not text.isascii() or not text.isdigit():
        raise UsageError(f"{name}={text}", "it is no whole number", "give one")
    return int(text)


PYTHON: Final = sys.executable
"""The interpreter that every process of the hub runs."""

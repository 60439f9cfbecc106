"""What the units of systemd run: ``python -m upramp_hub.systemd WHAT``.

On a server, systemd does what the launcher does on a laptop: it starts proxy
and hub, and either again alone. What the two have to agree on is here.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from upramp.errors import InputError, UprampError, UsageError

from . import ports
from .client import ask_for_routes
from .settings import LAUNCHER_TOKEN, PROXY_TOKEN, Settings, proxy_options

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

__all__ = ["main", "read_environment"]


def read_environment(file: Path) -> dict[str, str]:
    """Read a file of variables as systemd does, as far as such a file needs it.

    Parameters
    ----------
    file
        Lines ``NAME=value``, the value perhaps in quotes; ``#`` begins a comment line.

    Raises
    ------
    InputError
        If it cannot be read, or a line is something else.
    """
    try:
        lines = file.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(file, f"it cannot be read ({error})", "name another") from error
    found = {}
    for number, line in enumerate(lines, 1):
        text = line.strip()
        if not text or text[0] in "#;":
            continue
        name, equals, value = text.partition("=")
        if not equals or not name.isidentifier():
            raise InputError(file, f"line {number} is not NAME=value", "write it so")
        quoted = len(value) > 1 and value[0] == value[-1] and value[0] in "\"'"
        found[name] = value[1:-1] if quoted else value
    return found


def _prepare(settings: Settings, _environment: Mapping[str, str]) -> int:
    """Make the folder of state and the secrets, before anything needs them."""
    settings.prepare()
    settings.secret(PROXY_TOKEN)
    settings.secret(LAUNCHER_TOKEN)
    return 0


def _proxy(settings: Settings, environment: Mapping[str, str]) -> int:
    """Run the proxy, which knows the secret and may read nothing else of the hub's."""
    from .proxy.main import main as proxy

    file = Path(environment.get("CREDENTIALS_DIRECTORY") or "/nowhere", PROXY_TOKEN)
    try:
        os.environ["CONFIGPROXY_AUTH_TOKEN"] = file.read_text("ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            file,
            "the secret that is shared with the hub cannot be read",
            "run it as the unit upramp-hub-proxy.service does",
        ) from error
    return proxy(proxy_options(settings))


def _hold_hub(settings: Settings, _environment: Mapping[str, str]) -> int:
    """Keep the hub's port, as root, while the hub is started again."""
    return _hold((("127.0.0.1", settings.hub_port),))


def _hold_proxy(settings: Settings, _environment: Mapping[str, str]) -> int:
    """Keep the proxy's ports, as the proxy's user."""
    return _hold(((settings.address, settings.port), ("127.0.0.1", settings.api_port)))


def _hold(places: Sequence[tuple[str, int]]) -> int:
    held = []
    for address, port in places:
        try:
            held.append(ports.hold(port, address))
        except OSError as error:
            raise UsageError(
                f"port {port} at {address}",
                f"it cannot be kept ({error.strerror})",
                "end what listens there, or choose another by UPRAMP_HUB_PORT",
            ) from error
    signal.pause()  # what systemd sends to end it, ends it
    return 0


def _routes(settings: Settings, _environment: Mapping[str, str]) -> int:
    """Have the hub tell the proxy its routes again."""
    return 0 if ask_for_routes(settings) else 1


def _web_secret(settings: Settings, _environment: Mapping[str, str]) -> int:
    """Show the header by which a web server on this machine proves itself to the proxy."""
    from .vouching import WEB_SERVER, web_secret

    print(f'proxy_set_header {WEB_SERVER} "{web_secret(settings.secret(PROXY_TOKEN))}";')  # noqa: T201
    return 0


def _first_login(settings: Settings, _environment: Mapping[str, str]) -> int:
    """Show the first administrator's password, once."""
    from .accounts import first_administrator

    settings.prepare()
    first = first_administrator(settings.state)
    if first is None:
        print("there are accounts already: ask an administrator for an invitation")  # noqa: T201
        return 1
    name, password = first
    print(f"first login: {name}, password {password} (shown this once; change it there)")  # noqa: T201
    return 0


_COMMANDS: Final[dict[str, Callable[[Settings, Mapping[str, str]], int]]] = {
    "prepare": _prepare,
    "proxy": _proxy,
    "hold-hub": _hold_hub,
    "hold-proxy": _hold_proxy,
    "routes": _routes,
    "first-login": _first_login,
    "web-secret": _web_secret,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what a unit asks for.

    Parameters
    ----------
    arguments
        Without the program's name; None for this process's.

    Returns
    -------
    int
        What systemd is told.
    """
    os.umask(0o077)
    parser = argparse.ArgumentParser(
        prog="python -m upramp_hub.systemd", allow_abbrev=False, description=__doc__
    )
    parser.add_argument("what", choices=_COMMANDS)
    parser.add_argument("--environment", type=Path, help="file of variables to read first")
    options = parser.parse_args(arguments)
    try:
        environment = dict(os.environ)
        if options.environment is not None:
            environment |= read_environment(options.environment)
        settings = Settings.from_environment(environment)
        return _COMMANDS[options.what](settings, environment)
    except UprampError as error:
        print(error, file=sys.stderr)  # noqa: T201 - a command speaks to its user
        return error.exit_code


if __name__ == "__main__":
    sys.exit(main())

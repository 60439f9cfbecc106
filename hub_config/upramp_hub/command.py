"""The command ``upramp hub``: a hub from an installed wheel, or from a clone."""

from __future__ import annotations

import argparse
import os
import sys
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from upramp.errors import UprampError, UsageError

from .settings import PREFIX, Settings

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["TEXT", "add_options", "main", "run"]

TEXT: Final = "start a JupyterHub beside an archive"
"""What the command does, as ``upramp --help`` says it."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options.

    Parameters
    ----------
    parser
        The command's.
    """
    parser.add_argument(
        "--port", type=int, help="where it listens (default: 8000); it takes three"
    )
    parser.add_argument("--address", help="of this machine (default: 127.0.0.1, it alone)")
    parser.add_argument("--state", type=Path, help="the private folder of accounts, secrets, logs")
    parser.add_argument("--archive", type=Path, help="the archive; made, if there is none")
    parser.add_argument(
        "--new-password",
        metavar="NAME",
        help="start nothing: make a password for an account whose own is lost, and print it",
    )
    parser.add_argument("--context", help="the CRDS context in force")


def run(options: argparse.Namespace) -> int:
    """Start a hub, and keep it running until Ctrl-C.

    Parameters
    ----------
    options
        As `add_options` declares them.

    Returns
    -------
    int
        0 once all of it has stopped.

    Raises
    ------
    UprampError
        If it cannot be started, or not be kept running.
    """
    if any(find_spec(package) is None for package in ("jupyterhub", "jupyterlab", "aiohttp")):
        raise UsageError(
            "upramp hub", "the hub's packages are not installed", "run pip install 'upramp[hub]'"
        )
    from .launcher import Launcher

    chosen: dict[str, Any] = {
        name: value.absolute() if isinstance(value, Path) else value
        for name in ("port", "address", "state", "archive", "context")
        if (value := getattr(options, name, None)) is not None
    }
    settings = Settings.from_environment()
    if "state" in chosen and PREFIX + "HOMES" not in os.environ:
        chosen["homes"] = chosen["state"] / "homes"
    settings = replace(settings, **chosen)
    if options.new_password is not None:
        return _new_password(settings, options.new_password)
    Launcher(settings, say=_say).run(lambda: _require_archive(settings))
    return 0


def _say(text: str) -> None:
    print(f"upramp: {text}", flush=True)  # noqa: T201 - the command's own output


def _new_password(settings: Settings, name: str) -> int:
    from .accounts import Accounts
    from .accounts.errors import ConflictError

    if not settings.state.is_dir():
        raise UsageError(
            str(settings.state), "no hub has its state there", "name its folder with --state"
        )
    try:
        password = Accounts(settings.state).make_new_password(name)
    except ConflictError:
        raise UsageError(name, "nobody has an account of this name", "write it as it is") from None
    _say(f"password of {name}: {password} (shown this once; it is changed at the next sign-in)")
    _say(f"whoever is signed in as {name} is signed out within a minute")
    return 0


def _require_archive(settings: Settings) -> None:
    """Make a practice archive where there is none, so that there is something to work on."""
    begun = settings.archive / "practice.json"
    has_all = all((settings.archive / part).is_dir() for part in ("uncal", "crds"))
    if has_all and not (begun.exists() and not (settings.archive / "crds" / "mappings").is_dir()):
        return
    from upramp.practice import make_archive
    from upramp.progress import for_terminal

    _say(f"making a practice archive in {settings.archive} (a minute or two, once)")
    before = os.umask(0o022)  # it is for all users to read
    try:
        make_archive(settings.archive, progress=for_terminal())
    finally:
        os.umask(before)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command by itself: ``python -m upramp_hub``.

    Parameters
    ----------
    arguments
        What follows on the command line; None for this process's.

    Returns
    -------
    int
        What the shell gets.
    """
    parser = argparse.ArgumentParser(prog="python -m upramp_hub", description=__doc__)
    add_options(parser)
    try:
        return run(parser.parse_args(arguments))
    except UprampError as error:
        print(f"upramp: {error}", file=sys.stderr)  # noqa: T201 - the command's own output
        return error.exit_code

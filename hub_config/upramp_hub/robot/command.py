"""The command: options, and what the shell is told."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn
from urllib.parse import urlsplit

from upramp.atomic import write_text
from upramp.errors import UprampError, UsageError

from .fleet import Fleet, Plan
from .logins import Login, named, read_logins, read_token

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .report import Report

__all__ = ["Options", "main", "read_options"]


@dataclass(frozen=True)
class Options:
    """What the command is given.

    Parameters
    ----------
    url
        The hub.
    logins
        An account for each robot.
    plan
        What they do.
    report
        Where the report goes as JSON; None for nowhere, ``-`` for standard output.
    """

    url: str
    logins: Sequence[Login]
    plan: Plan
    report: str | None


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError("the robots", message, "see --help")


def _parser() -> _Parser:
    parser = _Parser(
        prog="python -m upramp_hub.robot",
        allow_abbrev=False,
        description="Send robots to a hub that use it as people do, and say how it went. "
        "The exit code is 0 if nothing failed and no cell was lost, 1 otherwise.",
    )
    add = parser.add_argument
    add("--url", required=True, help="where the hub is, as http://127.0.0.1:8000")
    add("--users", type=_whole, default=None, help="robots (as many as --logins has)")
    add("--logins", type=Path, help="file of accounts, a line name:password for each")
    add("--token", type=Path, help="file with the token of a service that speaks for robot-001 …")
    add("--for", dest="seconds", type=_seconds, default=0.0, help="begin visits for SECONDS")
    add("--visits", type=_whole, default=0, help="at most so many visits of each robot")
    add("--within", type=_seconds, default=0.0, help="let them arrive over so many seconds")
    add("--rounds", type=_whole, default=3, help="rounds of cells in a visit (%(default)s)")
    add("--pause", type=_seconds, default=0.0, help="seconds of thought between rounds")
    add("--stay", action="store_true", help="never stop, close or log out")
    add("--no-archive", action="store_true", help="leave the archive alone")
    add("--archive", help="the archive as servers see it (what UPRAMP_ARCHIVE says there)")
    add("--profile", help="the size of server, as the spawn page names it")
    add("--patience", type=_seconds, default=120.0, help="seconds for a stage (%(default)s)")
    add("--json", dest="report", help="file that the report goes to; - for standard output")
    return parser


def read_options(arguments: Sequence[str]) -> Options:
    """Read the command line.

    Parameters
    ----------
    arguments
        Without the program's name.

    Raises
    ------
    UsageError
        If an option is unknown or makes no sense.
    InputError
        If the accounts or the token cannot be read.
    """
    found = _parser().parse_args(list(arguments))
    parts = urlsplit(found.url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query:
        raise UsageError(found.url, "it is no address of a hub", "give one as http://host:8000")
    plan = Plan(
        seconds=found.seconds,
        visits=found.visits,
        within=found.within,
        rounds=found.rounds,
        pause=found.pause,
        stays=found.stay,
        reads_archive=not found.no_archive,
        archive=found.archive,
        options={"profile": found.profile} if found.profile else {},
        patience=found.patience,
    )
    return Options(found.url, _logins(found), plan, found.report)


def _logins(found: argparse.Namespace) -> list[Login]:
    if (found.logins is None) == (found.token is None):
        raise UsageError(
            "the robots", "they need accounts, or a token", "give one of --logins and --token"
        )
    if found.users == 0:
        raise UsageError("--users 0", "nobody would go", "send at least one")
    if found.token is not None:
        return named(found.users or 1, read_token(found.token))
    logins = read_logins(found.logins)
    count = len(logins) if found.users is None else found.users
    if count > len(logins):
        # Two robots with one account would stop each other's server.
        raise UsageError(
            f"--users {count}",
            f"{found.logins} has {len(logins)} accounts",
            "add accounts to it, or send fewer robots",
        )
    return logins[:count]


def _whole(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 6:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number")
    return int(text)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < 1e7:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds")
    return seconds


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Parameters
    ----------
    arguments
        Without the program's name; None for this process's.

    Returns
    -------
    int
        What the shell is told.
    """
    try:
        options = read_options(sys.argv[1:] if arguments is None else arguments)
        report = asyncio.run(_run(options))
        _publish(report, options.report)
    except UprampError as error:
        print(error, file=sys.stderr)  # noqa: T201 - a command speaks to its user
        return error.exit_code
    except KeyboardInterrupt:
        print("the robots were called back; their servers may still run", file=sys.stderr)  # noqa: T201
        return 130
    return 0 if report.good else 1


async def _run(options: Options) -> Report:
    fleet = Fleet(options.url, options.logins, options.plan)
    return await fleet.run()


def _publish(report: Report, where: str | None) -> None:
    text = json.dumps(report.as_json(), indent=2, ensure_ascii=False) + "\n"
    if where == "-":
        sys.stdout.write(text)
        print(report.as_table(), file=sys.stderr)  # noqa: T201 - as above
        return
    if where is not None:
        write_text(where, text)
    print(report.as_table())  # noqa: T201 - as above

"""What follows a magic: the command's options, in a cell."""

from __future__ import annotations

import argparse
import os
import re
import shlex
from dataclasses import dataclass
from typing import Any, Final, NoReturn

from upramp.errors import UsageError

__all__ = ["CALIBRATE_OPTIONS", "Arguments", "calibrate_arguments", "split"]

CALIBRATE_OPTIONS: Final = (
    "--stage",
    "--engine",
    "--set",
    "--mask",
    "--threads",
    "--save-ramp",
    "--output-dir",
    "--to",
    "--quiet",
)
"""The options of ``%calibrate``: those of the command, and ``--to``."""


@dataclass(frozen=True)
class Arguments:
    """What ``%calibrate`` is asked for.

    Parameters
    ----------
    file
        The exposure.
    name
        The variable that the result goes into.
    keywords
        Arguments of `upramp.calibrate`.
    quiet
        Whether progress is shown.
    """

    file: str
    name: str
    keywords: dict[str, Any]
    quiet: bool


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(f"%{self.prog}", message, f"see %{self.prog}?")


def split(line: str, magic: str) -> list[str]:
    """Split what follows a magic as a shell would.

    Parameters
    ----------
    line
        What follows it.
    magic
        Its name, for errors.

    Raises
    ------
    UsageError
        If a quotation mark is not closed.
    """
    try:
        return shlex.split(line)
    except ValueError as error:
        raise UsageError(
            f"%{magic}", f"this cannot be read ({error})", "close the quotation"
        ) from error


def calibrate_arguments(line: str) -> Arguments:
    """Read what follows ``%calibrate``.

    Parameters
    ----------
    line
        What follows it.

    Raises
    ------
    UsageError
        If an option is none of `upramp calibrate`'s, or lacks what it needs.
    """
    from upramp.stages.calibration import require_served
    from upramp.stages.overrides import parse_assignment

    options = _calibrate_parser().parse_args(split(line, "calibrate"))
    if not options.to.isidentifier():
        raise UsageError(options.to, "this is no name of a variable", "give --to another")
    keywords: dict[str, Any] = {
        "stage": options.stage,
        "engine": options.engine,
        "mask": _path(options.mask),
        "threads": options.threads,
        "output_dir": _path(options.output_dir),
    }
    require_served(**{name: value for name, value in keywords.items() if name != "save_ramp"})
    keywords["overrides"] = dict(parse_assignment(text) for text in options.assignments)
    keywords["save_ramp"] = options.save_ramp
    return Arguments(os.path.expanduser(options.file), options.to, keywords, options.quiet)  # noqa: PTH111 - stays a text


def _path(text: str | None) -> str | None:
    return None if text is None else os.path.expanduser(text)  # noqa: PTH111 - stays a text


def _named(text: str) -> str:
    if not text.strip():
        raise argparse.ArgumentTypeError("no file is named")
    return text


def _calibrate_parser() -> _Parser:
    parser = _Parser(prog="calibrate", add_help=False, allow_abbrev=False)
    parser.add_argument("file", metavar="FILE", type=_named)
    parser.add_argument("-o", "--output-dir", metavar="DIR", type=_named)
    parser.add_argument("--stage", type=int, default=1)
    parser.add_argument("--engine", default="upramp", metavar="NAME")
    parser.add_argument(
        "--set", action="append", default=[], metavar="STEP.PARAM=VALUE", dest="assignments"
    )
    parser.add_argument("--mask", metavar="FILE", type=_named)
    parser.add_argument("--save-ramp", action="store_true")
    parser.add_argument("--threads", type=int, metavar="N")
    parser.add_argument("--quiet", action="store_true")
    parser.add_argument("--to", default="result", metavar="NAME")
    return parser


_OPTION: Final = re.compile(r"(?:^|\s)(-o|--[a-z-]+)\s+\S*\Z")


def option_before(text: str) -> str | None:
    """Name the option whose value is being written at the end of a line.

    Parameters
    ----------
    text
        The line up to the cursor.
    """
    found = _OPTION.search(text)
    return found.group(1) if found else None

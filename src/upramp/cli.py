"""The commands: thin, over the rooms that do the work.

Rooms are imported where they are used, so that ``upramp --help`` costs nothing.
"""

from __future__ import annotations

import argparse
import difflib
import json
import logging
import os
import shlex
import signal
import sys
import traceback
import warnings
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn

from . import __version__
from .errors import OutputError, UprampError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

__all__ = ["main"]

_INTERRUPTED: Final = 128 + signal.SIGINT
_TERMINATED: Final = 128 + signal.SIGTERM
_BROKEN_PIPE: Final = 128 + signal.SIGPIPE


class _Terminated(KeyboardInterrupt):
    """SIGTERM: unwinds like an interruption, so that nothing partial is left."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command.

    Parameters
    ----------
    arguments
        What follows ``upramp`` on the command line; None for this process's.

    Returns
    -------
    int
        What the shell gets: 0 done, 1 failed or different, 2 bad usage or
        input, 130 interrupted, 143 terminated.
    """
    if arguments is None:
        arguments = sys.argv[1:]
    options, rest = _parser(arguments).parse_known_args(arguments, argparse.Namespace(debug=False))
    if rest:
        options.parser.refuse(rest)
    if not options.debug:
        # Libraries' warnings are for developers; what matters is in errors and logs.
        warnings.simplefilter("ignore")
        logging.getLogger().addHandler(logging.NullHandler())
    try:
        with _unwound_by_sigterm():
            code: int = options.handler(options)
    except BrokenPipeError:
        # Whoever read our output has closed it: nothing is left to be said to it.
        _discard_output()
        return _BROKEN_PIPE
    except _Terminated:
        return _TERMINATED
    except KeyboardInterrupt:
        _say("interrupted")
        return _INTERRUPTED
    except (Exception, SystemExit) as error:  # noqa: BLE001 - the last resort for all of it
        return _failed(error, debug=options.debug)
    return code


def _failed(error: BaseException, *, debug: bool) -> int:
    if debug:
        traceback.print_exception(error)
    if isinstance(error, UprampError):
        _say(str(error))
        return error.exit_code
    if isinstance(error, MemoryError):
        _say("there is not enough memory; close other programs, or use a larger machine.")
        return 1
    if isinstance(error, RuntimeError) and "start new thread" in str(error):
        _say("no more threads can be started here; close other programs, or raise the limits.")
        return 1
    text = " ".join(f"{type(error).__name__} {error}".split())
    _say(f"{text}; this is a fault of upramp: run again with --debug and report what it says.")
    return 1


def _say(text: str) -> None:
    with suppress(OSError):  # nobody is left to be told, and the exit code says it too
        print(f"upramp: {text}", file=sys.stderr)  # noqa: T201 - the command's own output


def _tell(text: str) -> None:
    try:
        print(text, flush=True)  # noqa: T201 - the command's own output
    except BrokenPipeError:
        raise
    except OSError as error:
        _discard_output()
        raise OutputError(
            "standard output",
            f"it cannot be written ({error.strerror or error})",
            "free some space, or send it elsewhere",
        ) from error


def _discard_output() -> None:
    # What is still pending would fail again when Python ends, and be told as its own error.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@contextmanager
def _unwound_by_sigterm() -> Iterator[None]:
    def terminate(_signal: int, _frame: object) -> NoReturn:
        raise _Terminated

    try:
        before = signal.signal(signal.SIGTERM, terminate)
    except ValueError:  # signals belong to the main thread
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """Say what is wrong in one line, as every other error is said."""
        self.exit(2, f"upramp: {message}; see `{self.prog} --help`.\n")

    def refuse(self, arguments: Sequence[str]) -> NoReturn:
        """Say that there is no such argument, and which may have been meant."""
        known = [name for action in self._actions for name in action.option_strings]
        first = arguments[0].partition("=")[0]
        near = difflib.get_close_matches(first.replace("_", "-"), known, n=1)
        meant = f" (perhaps {near[0]} is meant)" if near and first.startswith("-") else ""
        self.error(f"unrecognized arguments: {' '.join(arguments)}{meant}")


def _named(what: str) -> Callable[[str], str]:
    def named(text: str) -> str:
        # An unset variable of a shell gives this; as a path it would mean the folder itself.
        if not text.strip():
            raise argparse.ArgumentTypeError(f"no {what} is named")
        return text

    return named


def _parser(arguments: Sequence[str] = ()) -> argparse.ArgumentParser:
    common = _Parser(add_help=False)
    common.add_argument(
        "--debug",
        action="store_true",
        default=argparse.SUPPRESS,
        help="show where an error comes from",
    )
    parser = _Parser(
        prog="upramp",
        description="A workbench for up-the-ramp infrared detector data.",
        parents=[common],
    )
    parser.add_argument("--version", action="version", version=f"upramp {__version__}")
    commands = parser.add_subparsers(
        title="commands", metavar="COMMAND", required=True, parser_class=_Parser
    )

    def command(
        name: str, handler: Callable[[argparse.Namespace], int], text: str
    ) -> argparse.ArgumentParser:
        made = commands.add_parser(name, help=text, description=f"{text}.", parents=[common])
        made.set_defaults(handler=handler, parser=made)
        return made

    _practice_options(command("practice", _practice, "make practice exposures and references"))
    _calibrate_options(command("calibrate", _calibrate, "calibrate exposures"))
    compare = command("compare", _compare, "compare two products, value by value")
    compare.add_argument("first", metavar="A", type=_named("file"), help="a product")
    compare.add_argument(
        "second", metavar="B", type=_named("file"), help="another of the same kind"
    )
    compare.add_argument("--json", action="store_true", help="for a program to read")
    info = command("info", _info, "say what a file is")
    info.add_argument("file", metavar="FILE", type=_named("file"), help="an exposure or a product")
    info.add_argument("--json", action="store_true", help="for a program to read")
    _notebooks_options(command("notebooks", _notebooks, "list or copy the notebooks"))
    _kernel_options(command("kernel", _kernel, "install or remove the Jupyter kernel"))
    # Looking for what other packages add takes longer than all of the above.
    if not set(arguments[:1]) & set(commands.choices):
        for name, added in _added_commands():
            added.add_options(command(name, added.run, added.TEXT))
    return parser


def _added_commands() -> Iterator[tuple[str, Any]]:
    """Load the commands of packages above this one, which it does not know."""
    from importlib.metadata import entry_points

    for entry in entry_points(group="upramp.commands"):
        yield entry.name, entry.load()


def _practice_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "directory", metavar="DIR", nargs="?", type=_named("folder"), help="where to make them"
    )
    parser.add_argument(
        "--program",
        action="append",
        metavar="NAME",
        help="only this program, besides those that the folder was begun with; may be repeated "
        "(default: those of imaging and of single detectors, but for full frames)",
    )
    parser.add_argument("--full-frame", action="store_true", help="the full-frame programs too")
    parser.add_argument("--seed", type=int, help="another sky and noise; the same for the same")
    parser.add_argument("--list", action="store_true", help="say which programs there are")


def _calibrate_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "inputs",
        metavar="INPUT",
        nargs="+",
        type=_named("file"),
        help="exposures; for stages 2 and 3 also association files (.json)",
    )
    parser.add_argument(
        "-o",
        "--output-dir",
        metavar="DIR",
        type=_named("folder"),
        default=".",
        help="where products go (default: here)",
    )
    parser.add_argument(
        "--stage",
        type=int,
        default=1,
        help="1, from ramps to slopes (default); 2, to calibrated exposures; 3, to one product of "
        "all exposures given",
    )
    parser.add_argument(
        "--engine",
        default="upramp",
        metavar="NAME",
        help="upramp: our own, with the official numbers (default); stsci: the official pipeline",
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="STEP.PARAM=VALUE",
        dest="assignments",
        help="a parameter of a step, by the official names; may be repeated",
    )
    parser.add_argument(
        "--mask",
        metavar="FILE",
        type=_named("file"),
        help="a FITS image of group flags, set before the fit; MASKMODE = 'REPLACE' in its header "
        "takes back the jumps that it does not have (engine upramp)",
    )
    parser.add_argument("--save-ramp", action="store_true", help="write the corrected ramp too")
    parser.add_argument(
        "--threads",
        type=int,
        metavar="N",
        help="how many threads the engine upramp uses; the results are the same for any number "
        "(default: UPRAMP_THREADS, or one for each processor)",
    )
    parser.add_argument("--quiet", action="store_true", help="say nothing but errors")


def _notebooks_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--list", action="store_true", help="say which there are (default)")
    parser.add_argument(
        "--copy",
        metavar="DIR",
        type=_named("folder"),
        help="copy them there; those that were changed there are kept",
    )


def _kernel_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("action", choices=("install", "remove"), help="what to do")
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--user", action="store_true", help="for this user, in every environment")
    where.add_argument(
        "--sys-prefix", action="store_true", help="in this Python environment (default)"
    )
    where.add_argument(
        "--prefix", metavar="DIR", type=_named("folder"), help="in another environment"
    )


def _practice(options: argparse.Namespace) -> int:
    from . import practice
    from .progress import for_terminal

    if options.list:
        for program in practice.list_programs():
            number = program.exposures[0].root[:7]
            _tell(f"{program.name:<20} {number}  {program.description}")
        return 0
    if options.directory is None:
        raise UsageError(
            "practice", "no folder is named", "say where: upramp practice DIR, or use --list"
        )
    try:
        archive = practice.make_archive(
            options.directory,
            options.program,
            full_frame=options.full_frame,
            seed=options.seed,
            progress=for_terminal(),
        )
    except KeyboardInterrupt:
        _say(f"{options.directory}: what is finished is kept; the same command goes on from there")
        raise
    # Comments, so that a shell may evaluate all of this output.
    count = f"{len(archive.made)} exposure{'' if len(archive.made) == 1 else 's'}"
    _tell(f"# {count} made in {shlex.quote(str(archive.directory))}")
    for name, value in practice.environment(options.directory).items():
        _tell(f"export {name}={shlex.quote(value)}" if value else f"unset {name}")
    return 0


def _calibrate(options: argparse.Namespace) -> int:
    from .progress import for_terminal
    from .stages import calibrate
    from .stages.calibration import require_served
    from .stages.overrides import parse_assignment

    # What would be the same for every input is refused once, before any of them.
    overrides = dict(parse_assignment(text) for text in options.assignments)
    require_served(
        options.stage,
        options.engine,
        mask=options.mask,
        threads=options.threads,
        output_dir=options.output_dir,
        save_ramp=options.save_ramp,
    )
    worst = 0
    turns = _turns(options.inputs, options.stage)
    for given in turns:
        try:
            result = calibrate(
                given,
                stage=options.stage,
                engine=options.engine,
                overrides=overrides,
                output_dir=options.output_dir,
                save_ramp=options.save_ramp,
                mask=options.mask,
                threads=options.threads,
                progress=for_terminal(quiet=options.quiet),
            )
            if not options.quiet:
                for product in result.products:
                    _tell(f"wrote {shlex.quote(str(product))}")
        except UprampError as error:
            named = isinstance(given, list) or (len(turns) == 1 and error.subject in overrides)
            told = error if named else _about(given, error)
            worst = max(worst, _failed(told, debug=options.debug))
    return worst


def _turns(inputs: Sequence[str], stage: int) -> list[Any]:
    """Say what is calibrated together: for stage 3 all exposures, else each by itself."""
    from .stages.associations import is_association

    if stage == 3:
        lists = [file for file in inputs if is_association(file)]
        if not lists:
            return [list(inputs)]
        if len(lists) < len(inputs):
            other = next(file for file in inputs if file not in lists)
            raise UsageError(
                other,
                "it is given beside an association, which says by itself what belongs together",
                "give either associations or exposures",
            )
    _require_distinct(inputs, stage)
    return list(inputs)


def _about(file: str, error: UprampError) -> UprampError:
    """Name the input that a parameter does not suit, where the error names the parameter."""
    if not isinstance(error, UsageError):
        return error
    named = UsageError(file, f"{error.subject}: {error.problem}", error.remedy)
    named.__cause__ = error
    return named


def _require_distinct(inputs: Sequence[str], stage: int) -> None:
    from .stages.calibration import product_root, stem

    seen: dict[str, str] = {}
    for file in inputs:
        # Slopes and slopes by integration of one exposure have products of their own.
        root = product_root(file) if stage == 1 else stem(file)
        if root in seen and Path(seen[root]).resolve() == Path(file).resolve():
            raise UsageError(file, "it is given twice", "name it once")
        if root in seen:
            raise UsageError(
                file,
                f"its products would have the names of those of {seen[root]}",
                "calibrate them into different folders",
            )
        seen[root] = file


def _compare(options: argparse.Namespace) -> int:
    from .stages import compare

    found = compare(options.first, options.second)
    _tell(_json(found.to_dict()) if options.json else found.to_text())
    return found.exit_code


def _info(options: argparse.Namespace) -> int:
    from .exposure import open_exposure
    from .exposure.describe import describe

    if Path(options.file).suffix.lower() == ".ecsv":
        from .stages.table_description import describe_table

        table = describe_table(options.file)
        _tell(_json(table.to_json()) if options.json else table.to_text())
        return 0
    with open_exposure(options.file) as exposure:
        found = describe(exposure)
    _tell(_json(found.to_json()) if options.json else found.to_text())
    return 0


def _notebooks(options: argparse.Namespace) -> int:
    from .notebooks import copy_notebooks, list_notebooks

    if options.copy is not None:
        for copied in copy_notebooks(options.copy):
            _tell(f"{copied.what} {shlex.quote(str(copied.path))}")
    if options.list or options.copy is None:
        notebooks = list_notebooks()
        width = max(len(notebook.name) for notebook in notebooks)
        for notebook in notebooks:
            _tell(f"{notebook.name:<{width}} {notebook.title}")
    return 0


def _kernel(options: argparse.Namespace) -> int:
    from .kernel import install as kernel

    if options.action == "remove":
        folder = kernel.remove(user=options.user, prefix=options.prefix)
        _tell(f"removed {shlex.quote(str(folder))}")
        return 0
    folder = kernel.install(user=options.user, prefix=options.prefix)
    _tell(f"installed the kernel Calibration in {shlex.quote(str(folder))}")
    return 0


def _json(value: Any) -> str:
    from .stages.provenance import plain

    return json.dumps(plain(value), indent=2, ensure_ascii=False)

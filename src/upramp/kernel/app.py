"""The kernel's process: the ordinary Python kernel, with the extension and a crash record."""

from __future__ import annotations

import faulthandler
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["CRASH_VARIABLE", "crash_file", "run"]

CRASH_VARIABLE: Final = "UPRAMP_KERNEL_CRASH"
"""The variable by which the process knows the file of its crash record."""


def run(arguments: Sequence[str]) -> None:
    """Start a kernel and serve it until it is shut down.

    Parameters
    ----------
    arguments
        What Jupyter gives: ``-f CONNECTION_FILE``, and options of ipykernel.
    """
    arguments = list(arguments)
    # The kernel forwards its own standard error to the notebook by a thread that a crash
    # takes along, so what a crash leaves goes to a file.
    descriptor = _start_crash_record(arguments)
    from ipykernel.kernelapp import IPKernelApp

    _let_import_from_here()
    IPKernelApp.launch_instance(arguments, extra_extensions=["upramp.kernel"])
    if descriptor is not None:
        _end_crash_record(descriptor)


def crash_file(connection_file: str | os.PathLike[str]) -> Path:
    """Name the file where a kernel that crashes leaves Python's traceback.

    Parameters
    ----------
    connection_file
        The kernel's connection file: ``kernel-ID.json``.

    Returns
    -------
    Path
        ``kernel-ID.crash`` beside it. It is empty while nothing has happened,
        and is gone after an orderly end.
    """
    return Path(connection_file).with_suffix(".crash")


def _let_import_from_here() -> None:
    """Put the notebook's folder on the path, behind the standard library, as IPython does.

    The kernelspec runs Python with ``-P``, so that no ``random.py`` of the folder is taken for
    Python's own while the kernel starts; IPython takes that for a wish to have no folder at all.
    """
    if "" in sys.path:
        return
    packages = ("site-packages", "dist-packages")
    names = [Path(entry).name for entry in sys.path]
    sys.path.insert(next((n for n, name in enumerate(names) if name in packages), 0), "")


def _start_crash_record(arguments: Sequence[str]) -> int | None:
    connection = _connection_file(arguments)
    if connection is None or not connection.parent.is_dir():
        faulthandler.enable()
        return None
    file = crash_file(connection)
    try:
        # Kept open as a bare descriptor: nothing may be allocated in a crash. It is not
        # emptied, so that a kernel that was restarted finds what its predecessor left.
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(file, flags, 0o600)
    except OSError:  # a full disk is no reason not to start
        faulthandler.enable()
        return None
    faulthandler.enable(descriptor)
    os.environ[CRASH_VARIABLE] = os.fspath(file)
    return descriptor


def _end_crash_record(descriptor: int) -> None:
    faulthandler.disable()
    os.close(descriptor)
    Path(os.environ[CRASH_VARIABLE]).unlink(missing_ok=True)


def _connection_file(arguments: Sequence[str]) -> Path | None:
    for position, argument in enumerate(arguments):
        if argument == "-f" and position + 1 < len(arguments):
            return Path(arguments[position + 1])
        for prefix in ("-f=", "--f=", "--IPKernelApp.connection_file="):
            if argument.startswith(prefix):
                return Path(argument.removeprefix(prefix))
    return None

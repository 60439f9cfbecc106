"""The official packages' log: whole in a file, silent on the terminal."""

from __future__ import annotations

import logging
import sys
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from upramp.errors import OutputError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["official_log"]

_MOST: Final = 50
"""Warnings of a run that are told beyond the log."""


class _LogFile(logging.FileHandler):
    """The log, which may run out of room at any line: the first failure is kept, none is raised.

    Raised where it happens, it would hide what ended the run, and stop the
    loggers from being put back as they were.
    """

    failure: OSError | None = None

    def __init__(self, file: Path, warned: list[str]) -> None:
        super().__init__(file, "w", "utf-8")
        self._warned = warned

    def emit(self, record: logging.LogRecord) -> None:
        """Write a line, and note what an official step warns of."""
        super().emit(record)
        # What Python's packages warn of is for their authors.
        if record.levelno == logging.WARNING and record.name != "py.warnings":
            line = f"{record.name}: {' '.join(record.getMessage().split())}"
            if line not in self._warned and len(self._warned) < _MOST:
                self._warned.append(line)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
        """Keep why a line could not be written."""
        del record
        error = sys.exception()
        if not isinstance(error, OSError):
            return
        self.failure = self.failure or error

    def flush(self) -> None:
        """Write what is pending."""
        try:
            super().flush()
        except OSError as error:
            self.failure = self.failure or error

    def close(self) -> None:
        """Close the file, also one that takes no more bytes."""
        try:
            super().close()
        except OSError as error:
            self.failure = self.failure or error


@contextmanager
def official_log(
    pipeline: Any, file: Path, warned: list[str] | None = None
) -> Iterator[logging.Logger]:
    """Send what the official packages log and warn into a file, while the block lasts.

    It is the configuration that ``Pipeline.call`` makes, with a file for the
    terminal, so the products' own log records are the same.

    Parameters
    ----------
    pipeline
        An official pipeline class.
    file
        The log; an older one is replaced.
    warned
        Takes what official steps warn of, each line once.

    Yields
    ------
    Logger
        Where to add lines to the log.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    from stpipe import _log

    try:
        handler = _LogFile(file, [] if warned is None else warned)
    except OSError as error:
        raise _unwritten(file, error) from error
    config = _log.load_configuration(log_level="INFO", log_stream="null")
    config.set_recording_formatter(pipeline._log_records_formatter)  # noqa: SLF001 - as call does
    handler.setLevel(config.level)
    handler.setFormatter(config.format)
    config.handlers.append(handler)
    with warnings.catch_warnings(), config.context(pipeline.get_stpipe_loggers()):
        # The log is whole, however quiet the process around it is: Python's own defaults.
        warnings.simplefilter("default")
        for kind in (DeprecationWarning, PendingDeprecationWarning, ImportWarning):
            warnings.simplefilter("ignore", kind)
        warnings.simplefilter("ignore", ResourceWarning)
        yield logging.getLogger("stpipe")
    # An error of the run has passed by already: it says more than one of its log.
    if handler.failure is not None:
        raise _unwritten(file, handler.failure) from handler.failure


def _unwritten(file: Path, error: OSError) -> OutputError:
    return OutputError(
        file,
        f"the log cannot be written ({error.strerror or error})",
        "free some space, or choose another folder",
    )

"""The official packages' log: whole in a file, silent on the terminal."""

from __future__ import annotations

import logging
import os
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from upramp.errors import OutputError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["official_log"]


@contextmanager
def official_log(pipeline: Any, file: Path) -> Iterator[logging.Logger]:
    """Send what the official packages log and warn into a file, while the block lasts.

    It is the configuration that ``Pipeline.call`` makes, with a file for the
    terminal, so the products' own log records are the same.

    Parameters
    ----------
    pipeline
        An official pipeline class.
    file
        The log; an older one is replaced.

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
        file.write_text("", encoding="utf-8")
    except OSError as error:
        raise OutputError(
            file, f"the log cannot be written ({error.strerror})", "choose another folder for it"
        ) from error
    config = _log.load_configuration(log_level="INFO", log_file=os.fspath(file), log_stream="null")
    config.set_recording_formatter(pipeline._log_records_formatter)  # noqa: SLF001 - as call does
    raises, logging.raiseExceptions = logging.raiseExceptions, False
    try:
        with warnings.catch_warnings(), config.context(pipeline.get_stpipe_loggers()):
            # The log is whole, however quiet the process around it is: Python's own defaults.
            warnings.simplefilter("default")
            for kind in (DeprecationWarning, PendingDeprecationWarning, ImportWarning):
                warnings.simplefilter("ignore", kind)
            warnings.simplefilter("ignore", ResourceWarning)
            yield logging.getLogger("stpipe")
    finally:
        logging.raiseExceptions = raises

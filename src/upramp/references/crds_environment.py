"""What ``CRDS_PATH``, ``CRDS_CONTEXT`` and ``CRDS_SERVER_URL`` mean here.

The `crds` package ends the whole process where it finds no cache, remembers
its first environment for as long as the process lives, and tells of trouble on
the terminal. Here everything that it needs is looked at before it is called, a
changed environment is taken up, and what still goes wrong becomes a
`ReferenceFileError`.

Layout of a cache: the CRDS user manual, "Cache layout"; the smallest one that
serves the official pipeline was found by experiment.
"""

from __future__ import annotations

import ast
import hashlib
import importlib
import logging
import os
import re
import threading
from contextlib import contextmanager, redirect_stderr
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from upramp.errors import ReferenceFileError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "OBSERVATORY",
    "CrdsEnvironment",
    "CrdsMessages",
    "crds_environment",
    "guarded_crds",
    "import_crds",
]

OBSERVATORY: Final = "jwst"
_DEFAULT_CACHE: Final = "/grp/crds/cache"
_READ_ONLY: Final = "CRDS_READONLY_CACHE"
_NO_SERVER: Final = "https://crds-serverless-mode.stsci.edu"
"""An address with "serverless" in it is one that crds never calls."""
_CONTEXT: Final = re.compile(r"jwst_(\d{4,}|[a-z][a-z0-9_]*)\.pmap\Z|jwst_\w+\.imap\Z")
_VARIABLES: Final = (
    "CRDS_PATH",
    "CRDS_PATH_SINGLE",
    "CRDS_MAPPATH",
    "CRDS_MAPPATH_SINGLE",
    "CRDS_REFPATH",
    "CRDS_REFPATH_SINGLE",
    "CRDS_CFGPATH",
    "CRDS_CFGPATH_SINGLE",
    "CRDS_CONTEXT",
    "CRDS_SERVER_URL",
    "CRDS_MODE",
)
_SETUP: Final = (
    'set CRDS_PATH to a CRDS cache (eval "$(upramp practice DIR)" makes one and sets it), or '
    "CRDS_SERVER_URL to a CRDS server"
)


@dataclass(frozen=True)
class CrdsEnvironment:
    """A CRDS cache and how it is to be used.

    Parameters
    ----------
    path
        The cache's folder, the value of ``CRDS_PATH``.
    context
        What ``CRDS_CONTEXT`` says, or None where the cache or server chooses.
    server_url
        What ``CRDS_SERVER_URL`` says, or None where no server may be asked.
    writable
        Whether files may be added to the cache.
    """

    path: Path
    context: str | None
    server_url: str | None
    writable: bool

    @property
    def mappings(self) -> Path:
        """Where the rules are."""
        return _located("CRDS_MAPPATH", self.path, "mappings")

    @property
    def references(self) -> Path:
        """Where the references are, or their folders by instrument."""
        return _located("CRDS_REFPATH", self.path, "references")

    @property
    def server_config(self) -> Path:
        """The file that tells the cache's own default context."""
        return _located("CRDS_CFGPATH", self.path, "config") / "server_config"

    def require_usable(self, context: str | None = None) -> None:
        """Check what can be checked before `crds` is called.

        Parameters
        ----------
        context
            A context that is to be used instead of the environment's.

        Raises
        ------
        ReferenceFileError
            If there is no cache, or it has no such context, and no server to
            ask either; or if the cache is damaged.
        """
        chosen = context or self.context
        if chosen is not None:
            self._require_context_name(chosen)
        if self.server_url is not None:
            return
        if not self.path.is_dir():
            if "CRDS_PATH" not in os.environ and str(self.path) == _DEFAULT_CACHE:
                raise ReferenceFileError(
                    "CRDS_PATH",
                    f"it is not set, and there is no CRDS cache at its default, {self.path}",
                    _SETUP,
                )
            raise ReferenceFileError(self.path, "there is no CRDS cache here", _SETUP)
        self._require_server_config()
        if chosen is not None and _CONTEXT.match(chosen):
            self._require_mapping(chosen)

    def _require_context_name(self, name: str) -> None:
        # Dates and symbolic names (jwst-operational, latest) are the server's to interpret.
        if _CONTEXT.match(name) or name in {"latest", "build"} or name.startswith("jwst-"):
            return
        raise ReferenceFileError(
            name,
            "this is not the name of a JWST context",
            "set CRDS_CONTEXT to a name such as jwst_1535.pmap, or unset it",
        )

    def _require_server_config(self) -> None:
        file = self.server_config
        try:
            config = ast.literal_eval(file.read_text(encoding="utf-8"))
        except FileNotFoundError as error:
            raise ReferenceFileError(
                self.path, "it has no config/jwst/server_config, so it is no CRDS cache", _SETUP
            ) from error
        except (OSError, ValueError, SyntaxError, MemoryError, RecursionError) as error:
            raise ReferenceFileError(
                file, "it cannot be read as a CRDS configuration", "restore it, or sync the cache"
            ) from error
        if not isinstance(config, dict):
            config = {}
        missing = {"observatory", "last_synced", "bad_files_list"} - config.keys()
        if not config.keys() & {"latest_context", "operational_context"}:
            missing.add("operational_context")
        if missing:
            raise ReferenceFileError(
                file,
                f"it lacks {', '.join(sorted(missing))}",
                "restore it, or sync the cache",
            )

    def _require_mapping(self, name: str) -> None:
        if (self.mappings / name).is_file():
            return
        known = sorted(file.name for file in self.mappings.glob("jwst_*.pmap"))
        has = f"it has {', '.join(known[-3:])}" if known else "it has none at all"
        raise ReferenceFileError(
            self.path,
            f"the cache does not hold the context {name}, and no CRDS_SERVER_URL is set",
            f"choose a context that it holds ({has}), or set CRDS_SERVER_URL",
        )


def crds_environment() -> CrdsEnvironment:
    """Read the environment's CRDS variables.

    Nothing is checked yet; see `CrdsEnvironment.require_usable`.
    """
    single = os.environ.get("CRDS_PATH_SINGLE")
    path = Path(single or os.environ.get("CRDS_PATH") or _DEFAULT_CACHE)
    server = os.environ.get("CRDS_SERVER_URL") or None
    if server is not None and "serverless" in server:
        server = None
    return CrdsEnvironment(
        path=path,
        context=os.environ.get("CRDS_CONTEXT") or None,
        server_url=server,
        writable=_writable(path),
    )


def _located(variable: str, cache: Path, folder: str) -> Path:
    # Sites that keep rules, references or configuration apart say so by these.
    if single := os.environ.get(f"{variable}_SINGLE"):
        return Path(single)
    if several := os.environ.get(variable):
        return Path(several) / OBSERVATORY
    if os.environ.get("CRDS_PATH_SINGLE"):
        return cache / folder
    return cache / folder / OBSERVATORY


def _writable(path: Path) -> bool:
    # A cache that is not there yet is made by crds, if its parent allows it.
    while not path.exists() and path.parent != path:
        path = path.parent
    return os.access(path, os.W_OK | os.X_OK)


class CrdsMessages(logging.Handler):
    """Keeps what `crds` logs, to quote the reason in an error's sentence."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.errors: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one message."""
        self.errors.append(record.getMessage())


class _State:
    """What crds was last told: it keeps its own state for the whole process."""

    seen: str | None = None
    read_only_here: bool = False


_lock = threading.RLock()
_state = _State()


@contextmanager
def guarded_crds(context: str | None = None) -> Iterator[CrdsEnvironment]:
    """Call `crds` inside this block: it can neither exit nor write on the terminal.

    Parameters
    ----------
    context
        A context that is to be used instead of the environment's.

    Yields
    ------
    CrdsEnvironment
        The environment, checked. `crds` sees a cache that is not writable as
        read-only, and forgets what it remembers of another environment.

    Raises
    ------
    ReferenceFileError
        If the cache is not usable, or for whatever `crds` raises in the block.
    """
    environment = crds_environment()
    environment.require_usable(context)
    with _lock:
        import_crds()
        messages = CrdsMessages()
        with _silent(messages):
            _take_up(environment)
            try:
                yield environment
            except ReferenceFileError:
                raise
            except SystemExit as error:
                raise _unusable(environment, messages, error) from error
            except Exception as error:
                raise _translated(environment, context, messages, error) from error


def import_crds() -> None:
    """Load `crds` without the warning that it prints about some addresses of servers."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        importlib.import_module("crds")
    finally:
        logging.disable(before)


def _take_up(environment: CrdsEnvironment) -> None:
    from crds.client import api
    from crds.core import config, utils

    if environment.writable:
        # Only what was set here is taken back: a user may want a read-only cache.
        if _state.read_only_here:
            os.environ.pop(_READ_ONLY, None)
            _state.read_only_here = False
    elif _READ_ONLY not in os.environ:
        os.environ[_READ_ONLY] = "1"
        _state.read_only_here = True
    seen = _fingerprint(environment)
    if seen != _state.seen:
        utils.clear_function_caches()
        config.CRDS_REF_SUBDIR_MODE = "None"
        api.set_crds_server(environment.server_url or _NO_SERVER)
        _state.seen = seen


def _fingerprint(environment: CrdsEnvironment) -> str:
    values: list[Any] = [os.environ.get(name) for name in _VARIABLES]
    for file in (environment.server_config, environment.mappings):
        try:
            status = file.stat()
            values += [status.st_ino, status.st_mtime_ns]
        except OSError:
            values.append(None)
    return hashlib.sha256(repr(values).encode()).hexdigest()


@contextmanager
def _silent(messages: CrdsMessages) -> Iterator[None]:
    from crds.core import log

    logger = log.THE_LOGGER
    console = logger.console is not None
    if console:
        logger.remove_console_handler()
    logger.logger.addHandler(messages)
    try:
        # crds prints some tracebacks itself.
        with redirect_stderr(StringIO()):
            yield
    finally:
        logger.logger.removeHandler(messages)
        if console:
            logger.add_console_handler()


def _unusable(
    environment: CrdsEnvironment, messages: CrdsMessages, error: BaseException
) -> ReferenceFileError:
    reason = messages.errors[0] if messages.errors else f"crds gave up ({error!r})"
    if environment.server_url is not None and not environment.server_config.exists():
        return ReferenceFileError(
            environment.path,
            f"the cache is empty and {environment.server_url} does not answer",
            "check the network and CRDS_SERVER_URL, or set CRDS_PATH to a cache that is filled",
        )
    return ReferenceFileError(environment.path, f"crds cannot use this cache: {reason}", _SETUP)


def _translated(
    environment: CrdsEnvironment,
    context: str | None,
    messages: CrdsMessages,
    error: Exception,
) -> ReferenceFileError:
    kind = type(error).__name__
    text = " ".join(str(error).split()) or kind
    if kind == "ChecksumError":
        return ReferenceFileError(
            environment.mappings,
            f"a mapping is damaged: {text}",
            "sync the cache again; CRDS_IGNORE_MAPPING_CHECKSUM=1 accepts an edited mapping",
        )
    if kind == "CrdsDownloadError" and environment.server_url is None:
        wanted = context or environment.context or "the default context"
        return ReferenceFileError(
            environment.path,
            f"the cache does not hold all the rules of {wanted}",
            "sync the cache, or set CRDS_SERVER_URL",
        )
    if kind in {"CrdsNetworkError", "CrdsDownloadError"}:
        return ReferenceFileError(
            environment.path,
            f"a file is not in the cache and cannot be fetched: {text}",
            "sync the cache, or check the network and CRDS_SERVER_URL",
        )
    if isinstance(error, FileNotFoundError):
        return ReferenceFileError(
            error.filename or environment.path,
            "this file of the CRDS cache is missing",
            "sync the cache, or set CRDS_SERVER_URL",
        )
    if messages.errors and kind == "CrdsError":
        text = messages.errors[0]
    return ReferenceFileError(
        environment.path, f"crds failed: {text}", "check the context and the cache"
    )

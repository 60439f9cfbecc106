"""The CRDS cache and context that a kernel works with."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from upramp.errors import ReferenceFileError, UsageError

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    from .markup import Card

__all__ = ["as_sentence", "choose", "context_card", "in_force", "prepare", "what_is_missing"]

_SHOWN: Final = 12
_AT_START: dict[str, str | None] = {}


def prepare(environment: MutableMapping[str, str] | None = None) -> None:
    """Lead CRDS to the archive's cache where the environment names only the archive.

    A cache that may not be written is said to be read-only, also to code that
    calls the official packages by itself.

    Parameters
    ----------
    environment
        Variables, changed in place; None for this process's.
    """
    environment = os.environ if environment is None else environment
    archive = environment.get("UPRAMP_ARCHIVE", "")
    if not environment.get("CRDS_PATH") and not environment.get("CRDS_PATH_SINGLE"):
        cache = Path(archive) / "crds"
        if archive and "://" not in archive and cache.is_dir():
            environment["CRDS_PATH"] = os.fspath(cache.resolve())
    path = environment.get("CRDS_PATH_SINGLE") or environment.get("CRDS_PATH")
    if path and Path(path).is_dir() and not os.access(path, os.W_OK):
        environment.setdefault("CRDS_READONLY_CACHE", "1")
    _AT_START.setdefault("context", environment.get("CRDS_CONTEXT"))


def what_is_missing() -> str | None:
    """Say, as a remedy, what must be set before anything can be calibrated.

    Returns
    -------
    str or None
        None if nothing is missing.
    """
    if any(os.environ.get(name) for name in ("CRDS_PATH", "CRDS_PATH_SINGLE", "CRDS_SERVER_URL")):
        return None
    if Path("/grp/crds/cache").is_dir():  # where crds looks if nothing is said
        return None
    return (
        "set CRDS_PATH to a CRDS cache or UPRAMP_ARCHIVE to an archive's folder "
        "(`upramp practice DIR` makes both), or CRDS_SERVER_URL to a CRDS server, and restart the "
        "kernel"
    )


def as_sentence(remedy: str) -> str:
    """Give a remedy as a sentence of its own.

    Parameters
    ----------
    remedy
        A clause in lower case, without a full stop.
    """
    return f"{remedy[0].upper()}{remedy[1:]}."


def in_force() -> tuple[str | None, str]:
    """Give the context that the next calibration uses, and who chose it.

    Returns
    -------
    str or None
        Its name; None if only a server can tell.
    str
        Who chose it.
    """
    from upramp.references import crds_environment

    environment = crds_environment()
    if environment.context is not None:
        return environment.context, "CRDS_CONTEXT"
    default = _server_config(environment).get("operational_context")
    if isinstance(default, str):
        return default, "the cache's own"
    return None, "the server's own"


def _server_config(environment: Any) -> dict[str, Any]:
    import ast

    try:
        config = ast.literal_eval(environment.server_config.read_text(encoding="utf-8"))
    except (OSError, ValueError, SyntaxError, MemoryError, RecursionError):
        return {}
    return config if isinstance(config, dict) else {}


def choose(name: str | None) -> Card:
    """Put a context in force, once it is known that the cache has it.

    Parameters
    ----------
    name
        ``jwst_1535.pmap``; None for the one that the kernel was started with.

    Raises
    ------
    ReferenceFileError
        If this is not the name of a context, or the cache does not hold it.
    """
    from upramp.references import crds_environment

    if name is None:
        name = _AT_START.get("context")
        if name is None:
            os.environ.pop("CRDS_CONTEXT", None)
            return context_card()
    if (missing := what_is_missing()) is not None:
        raise UsageError("context", "there is no CRDS cache to find it in", missing)
    environment = crds_environment()
    try:
        environment.require_usable(name)
    except ReferenceFileError as error:
        # The command's remedy is to set a variable: here the magic does that.
        remedy = error.remedy.replace("set CRDS_CONTEXT to", "give").replace(", or unset it", "")
        raise ReferenceFileError(error.subject, error.problem, remedy) from error
    os.environ["CRDS_CONTEXT"] = name
    return context_card()


def context_card() -> Card:
    """Show the context in force and the cache it is from."""
    from upramp.references import crds_environment

    from .markup import Card

    missing = what_is_missing()
    if missing is not None:
        return Card("No CRDS context", notes=[as_sentence(missing)], kind="notice")
    environment = crds_environment()
    name, who = in_force()
    held = sorted(file.name for file in environment.mappings.glob("jwst_*.pmap"))
    rows: list[tuple[str, object]] = [
        ("context", f"{name or 'chosen by the server'} ({who})"),
        ("cache", f"{environment.path} ({'writable' if environment.writable else 'read-only'})"),
        ("server", environment.server_url or "none: nothing is fetched"),
    ]
    if held:
        more = f"{len(held) - _SHOWN} older ones, " if len(held) > _SHOWN else ""
        rows.append(("the cache holds", f"{more}{', '.join(held[-_SHOWN:])}"))
    notes = []
    if environment.server_url is None:
        try:
            environment.require_usable()
        except ReferenceFileError as error:
            notes.append(str(error))
    data = {"context": name, "path": os.fspath(environment.path), "held": held}
    return Card("CRDS context", rows, notes=notes, kind="notice" if notes else "plain", data=data)

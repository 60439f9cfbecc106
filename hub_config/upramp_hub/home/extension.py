"""Puts the home's pages into a running server, and prepares the home."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from jupyter_core.paths import jupyter_runtime_dir
from jupyter_server.utils import url_path_join

from upramp.errors import UprampError
from upramp.notebooks import list_notebooks, notebooks_folder

from .copies import Copies
from .exposures import Catalogue
from .handlers import ROUTES, Home
from .inside import Inside
from .prepare import LINKS, ReadOnly, prepare_home

__all__ = ["load"]


def load(app: Any) -> None:
    """Prepare the home, and put the routes into a server.

    Parameters
    ----------
    app
        The server (``jupyter_server.serverapp.ServerApp``).
    """
    inside = Inside(Path(app.root_dir))
    archive = _archive()
    targets = dict(zip(LINKS, (archive, _originals()), strict=True))
    problems = prepare_home(inside, targets)
    for problem in problems:
        app.log.warning("upramp: %s", problem)
    app.contents_manager.register_pre_save_hook(
        ReadOnly(tuple(target for target in targets.values() if target is not None))
    )
    cache = Path(jupyter_runtime_dir(), "upramp-exposures")
    try:
        cache.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        app.log.warning("upramp: %s: what is read of exposures is not kept (%s)", cache, error)
    app.web_app.settings["upramp_home"] = Home(
        inside,
        Copies(inside, list_notebooks),
        None if archive is None else Catalogue(archive / "uncal", cache),
        os.environ.get("UPRAMP_ARCHIVE", ""),
        problems,
    )
    base = app.web_app.settings["base_url"]
    app.web_app.add_handlers(".*$", [(url_path_join(base, path), each) for path, each in ROUTES])


def _archive() -> Path | None:
    """Give the archive's folder; other archives have no path in a home."""
    named = os.environ.get("UPRAMP_ARCHIVE", "")
    return Path(named) if named and Path(named).is_absolute() and Path(named).is_dir() else None


def _originals() -> Path | None:
    try:
        return notebooks_folder()
    except UprampError:
        return None

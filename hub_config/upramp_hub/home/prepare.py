"""What a home is given when its server starts: the archive and the originals, to be read.

It runs in the server, as its user, and never keeps a server from starting: a
home that is full or cannot be written is told about on the welcome page.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tornado.web import HTTPError

from upramp.errors import UprampError

from .copies import PRIVATE
from .errors import HomeError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .inside import Inside

__all__ = ["LINKS", "ReadOnly", "greet", "is_new", "prepare_home"]

LINKS: Final = ("archive", "notebooks-originals")
"""Names in a home under which the archive and the notebooks' originals are found."""

_RECORDS: Final = f"{PRIVATE}/links.json"
_GREETED: Final = f"{PRIVATE}/welcomed"


def prepare_home(inside: Inside, targets: Mapping[str, Path | None]) -> list[str]:
    """Put links into a home.

    Parameters
    ----------
    inside
        The home.
    targets
        Name in the home to what it leads to; None for what there is not.

    Returns
    -------
    list of str
        What could not be done, as sentences.
    """
    problems = []
    records = _records(inside)
    done = dict(records)
    for name, target in targets.items():
        if target is None:
            continue
        try:
            if inside.link(name, str(target), records.get(name, "")) == "there":
                done[name] = str(target)
            else:
                raise HomeError(
                    f"~/{name}", f"it is yours, so that {target} has no link here", "rename it"
                )
        except (UprampError, OSError) as error:
            problems.append(str(error))
    if done != records:
        try:
            inside.replace(_RECORDS, json.dumps(done).encode())
        except (UprampError, OSError) as error:
            problems.append(str(error))
    return problems


def _records(inside: Inside) -> dict[str, str]:
    try:
        found = json.loads(inside.read(_RECORDS) or b"{}")
    except (ValueError, RecursionError, UprampError, OSError):
        return {}
    if not isinstance(found, dict):
        return {}
    return {key: value for key, value in found.items() if isinstance(value, str)}


def is_new(inside: Inside) -> bool:
    """Say whether a user has not been greeted yet.

    Parameters
    ----------
    inside
        Their home.
    """
    return inside.kind(_GREETED) == "nothing"


def greet(inside: Inside) -> None:
    """Note that a user has been greeted; where that cannot be written, they are again.

    Parameters
    ----------
    inside
        Their home.
    """
    try:
        inside.create(_GREETED, b"")
    except (UprampError, OSError):
        return


@dataclass(frozen=True)
class ReadOnly:
    """What refuses to save over the archive or an original, also where the disk would let it.

    Where all servers are one user of the machine, the files may be that user's own.

    Parameters
    ----------
    folders
        What is not to be changed.
    """

    folders: tuple[Path, ...]

    @property
    def __name__(self) -> str:
        """How Jupyter's log names the hook."""
        return "upramp_hub.home.ReadOnly"

    def __call__(self, *, path: str, contents_manager: Any, **_: Any) -> None:
        """Refuse a save.

        Parameters
        ----------
        path
            Where to, as Jupyter writes it.
        contents_manager
            Jupyter's.
        **_
            The content.

        Raises
        ------
        HTTPError
            If the path is in one of the folders.
        """
        root = getattr(contents_manager, "root_dir", None)
        if root is None:
            return
        real = Path(os.path.realpath(Path(root, path.lstrip("/"))))
        for folder in self.folders:
            if real.is_relative_to(os.path.realpath(folder)):
                raise HTTPError(
                    403, f"{path}: it is to be read only; save it under another folder instead"
                )

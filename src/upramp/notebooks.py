"""The notebooks that the installation carries: originals to read, copies to work in."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Final

from .atomic import output_errors, replacing
from .errors import InputError, OutputError, UsageError

__all__ = ["Copied", "Notebook", "copy_notebooks", "list_notebooks", "notebooks_folder"]

_CARRIED: Final = ("share", "jupyter", "upramp", "notebooks")
"""Where a wheel puts them, under the environment's folder."""


@dataclass(frozen=True)
class Notebook:
    """A notebook that the installation carries.

    Parameters
    ----------
    name
        Its path in the folder of notebooks: ``stage/detector1.ipynb``.
    path
        The original, which is not to be changed.
    title
        Its first heading.
    """

    name: str
    path: Path
    title: str


@dataclass(frozen=True)
class Copied:
    """What became of a notebook that was to be copied.

    Parameters
    ----------
    path
        The copy.
    what
        ``copied``; ``kept`` if one that differs was there; ``unchanged`` if
        the same was.
    """

    path: Path
    what: str


def notebooks_folder() -> Path:
    """Give the folder of the originals: of an installed wheel, or of a checkout.

    Raises
    ------
    InputError
        If this installation carries none.
    """
    here = Path(__file__).resolve()
    checkout = here.parents[2]
    if (checkout / "pyproject.toml").is_file() and (checkout / "notebooks").is_dir():
        return checkout / "notebooks"
    carried = _carried()
    if carried is not None:
        return carried
    raise InputError(
        here.parent, "this installation carries no notebooks", "install upramp from its wheel"
    )


def _carried() -> Path | None:
    """Find the folder by the installation's own list of files, wherever it was installed to."""
    try:
        files = metadata.files("upramp") or []
    except metadata.PackageNotFoundError:
        return None
    for file in files:
        for depth, part in enumerate(file.parts):
            end = depth + len(_CARRIED)
            if part == _CARRIED[0] and file.parts[depth:end] == _CARRIED:
                inside = len(file.parts) - end
                folder = Path(str(file.locate())).resolve().parents[inside - 1]
                return folder if folder.is_dir() else None
    return None


def list_notebooks() -> list[Notebook]:
    """Give all notebooks, by name.

    Raises
    ------
    InputError
        If this installation carries none.
    """
    folder = notebooks_folder()
    return [
        Notebook(path.relative_to(folder).as_posix(), path, _title(path))
        for path in sorted(folder.rglob("*.ipynb"))
        if not any(part.startswith(".") for part in path.relative_to(folder).parts)
    ]


def copy_notebooks(directory: str | os.PathLike[str]) -> list[Copied]:
    """Copy the notebooks into a folder, where they may be changed.

    Parameters
    ----------
    directory
        The folder, made if need be. A notebook of the same name that differs
        is somebody's work, and is kept.

    Returns
    -------
    list of Copied
        What became of each.

    Raises
    ------
    UsageError
        If the folder is a file.
    OutputError
        If it cannot be written.
    """
    target = Path(directory)
    if target.exists() and not target.is_dir():
        raise UsageError(directory, "it is a file", "name a folder for the notebooks")
    done = []
    for notebook in list_notebooks():
        copy = target / notebook.name
        content = notebook.path.read_bytes()
        if os.path.lexists(copy):
            same = copy.is_file() and copy.read_bytes() == content
            done.append(Copied(copy, "unchanged" if same else "kept"))
            continue
        _make(copy.parent)
        with replacing(copy) as temporary:
            temporary.write_bytes(content)
        done.append(Copied(copy, "copied"))
    return done


def _make(folder: Path) -> None:
    with output_errors(folder):
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except FileExistsError as error:
            raise OutputError(folder, "it is a file", "name another folder") from error


def _title(path: Path) -> str:
    try:
        cells = json.loads(path.read_bytes())["cells"]
        lines = [line for cell in cells for line in "".join(cell["source"]).splitlines()]
    except (OSError, ValueError, KeyError, TypeError):
        return ""
    return next((line.removeprefix("# ") for line in lines if line.startswith("# ")), "")

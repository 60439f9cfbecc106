"""Finding an exposure by its name alone, in the archive beside the notebook."""

from __future__ import annotations

import glob
import os
from pathlib import Path
from typing import TYPE_CHECKING

from upramp.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["find_exposure", "find_exposures"]


def find_exposure(name: str, environment: Mapping[str, str] | None = None) -> Path:
    """Find an exposure.

    Parameters
    ----------
    name
        A path; or a file's name alone, which is looked for here, and then in
        the folder ``uncal`` of the archive that ``UPRAMP_ARCHIVE`` names or
        that ``CRDS_PATH`` belongs to.
    environment
        Variables; None for this process's.

    Raises
    ------
    InputError
        If there is no such file.
    """
    environment = os.environ if environment is None else environment
    path = Path(os.path.expanduser(name))  # noqa: PTH111 - of "~nobody" there is no home
    if path.is_file():
        return path
    alone = path.name == name
    places = list(_places(environment)) if alone else []
    for place in places:
        if (place / name).is_file():
            return place / name
    looked = f", nor in {' or '.join(map(str, places))}" if places else ""
    raise InputError(
        name,
        f"there is no such file here{looked}",
        _remedy(name, "name") if alone else "check it",
    )


def find_exposures(name: str, environment: Mapping[str, str] | None = None) -> list[Path]:
    """Find the exposures that a name, a pattern of names or a folder stands for.

    Parameters
    ----------
    name
        As for `find_exposure`; or with ``*``, ``?`` and ``[...]`` for all that
        match, here or in the archive; or a folder, for all its raw exposures.
    environment
        Variables; None for this process's.

    Returns
    -------
    list of Path
        One at least, sorted by name.

    Raises
    ------
    InputError
        If there is none.
    """
    environment = os.environ if environment is None else environment
    path = Path(os.path.expanduser(name))  # noqa: PTH111 - of "~nobody" there is no home
    if path.is_dir():
        if found := sorted(one for one in path.glob("*_uncal.fits*") if one.is_file()):
            return found
        raise InputError(
            name,
            "this folder holds no raw exposures (*_uncal.fits)",
            "name the files or a pattern of them, such as FOLDER/*_rate.fits",
        )
    if path.is_file() or not any(mark in name for mark in "*?["):
        return [find_exposure(name, environment)]
    alone = path.name == name
    tried = [Path(), *(_places(environment) if alone else [])]
    for folder in tried:
        pattern = os.path.join(folder, path)  # noqa: PTH118 - folders may be patterns too
        found = sorted(Path(one) for one in glob.glob(pattern) if Path(one).is_file())  # noqa: PTH207
        if found:
            return found
    raise InputError(
        name,
        f"no file in {' or '.join(map(str, tried))} has such a name",
        _remedy(name, "pattern"),
    )


def _remedy(name: str, what: str) -> str:
    """Say what to do about a name that is not there: practice exposures can be made."""
    if name.startswith("jw99"):
        return (
            "`upramp practice --list` says which program makes it; or set UPRAMP_ARCHIVE to the"
            " archive's folder"
        )
    return f"check the {what}, or set UPRAMP_ARCHIVE to the archive's folder"


def _places(environment: Mapping[str, str]) -> Iterator[Path]:
    archive = environment.get("UPRAMP_ARCHIVE", "")
    if archive and "://" not in archive:
        yield Path(archive) / "uncal"
    cache = environment.get("CRDS_PATH", "")
    if cache and Path(cache).parent != Path(archive or "/"):
        yield Path(cache).parent / "uncal"

"""A user's copies of the notebooks, and what becomes of them when the originals change.

A copy is never written again once it is there. What its original was at the
time of copying is kept in a private folder of the home, so that a later
version can be shown as what it changes, apart from what the user changed.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import asdict, dataclass, replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, Final

from upramp.errors import InputError

from . import cells
from .errors import HomeError

if TYPE_CHECKING:
    from collections.abc import Callable

    from upramp.notebooks import Notebook

    from .inside import Inside

__all__ = ["PRIVATE", "Comparison", "Copies", "Copy", "Standing"]

PRIVATE: Final = ".local/share/upramp"
"""The folder in a home where this package keeps what it has to remember."""

_FOLDER: Final = "notebooks"
_RECORDS: Final = f"{PRIVATE}/copies.json"
_PARAMETER: Final = "inputs"
_MOST: Final = 999


@dataclass(frozen=True)
class Copy:
    """What is remembered of a copy.

    Parameters
    ----------
    path
        In the home.
    notebook
        The original's name.
    base
        SHA-256 of the original when it was copied.
    seen
        SHA-256 of the newer original about which the user has decided.
    exposure
        The exposure that it was made for; nothing for none.
    """

    path: str
    notebook: str
    base: str
    seen: str = ""
    exposure: str = ""


@dataclass(frozen=True)
class Standing:
    """How a copy stands to its original.

    Parameters
    ----------
    copy
        The copy.
    state
        ``current``; ``yours`` if only the user changed it; ``updated`` if the
        original changed and the user has not decided yet; ``kept`` if they
        have; ``deleted`` if the copy is gone; ``orphan`` if the original is;
        ``unreadable``.
    problem
        Why it cannot be read.
    """

    copy: Copy
    state: str
    problem: str = ""


@dataclass(frozen=True)
class Comparison:
    """A copy beside its original as it was and as it is.

    Parameters
    ----------
    standing
        How they stand.
    new
        What the original changed since the copy was made; None if what it was
        then is lost.
    mine
        What the user changed; then against the new original.
    """

    standing: Standing
    new: list[cells.CellChange] | None
    mine: list[cells.CellChange]


class Copies:
    """The copies in a home.

    Parameters
    ----------
    inside
        The home.
    originals
        What gives the notebooks that the installation carries.
    """

    def __init__(self, inside: Inside, originals: Callable[[], list[Notebook]]) -> None:
        self._inside = inside
        self._originals = originals

    # ---- making copies

    def originals(self) -> dict[str, Notebook]:
        """Give the originals by their names; none if the installation has none to be read."""
        try:
            return {each.name: each for each in self._originals()}
        except (InputError, OSError):
            return {}

    def take(self, name: str, exposure: str = "") -> str:
        """Copy a notebook, unless its copy is there already.

        Parameters
        ----------
        name
            The original's.
        exposure
            An exposure's file name, to which the parameter ``inputs`` of
            the copy is set; each exposure has a copy of its own.

        Returns
        -------
        str
            The path of the copy in the home.

        Raises
        ------
        HomeError
            If there is no such original, or something else has the copy's name.
        OutputError
            If there is no room for it, or no permission.
        """
        original = self._read_original(name)
        path = _place(name, exposure)
        content = _for_exposure(original, name, exposure)
        made = self._make(path, content, original)
        if not made:
            there = self._inside.read(path)  # says what is wrong if it is no file
            if there != content or path in self.records():
                return path
            self._keep_base(original)
        self._remember(Copy(path, name, _digest(original), exposure=exposure))
        return path

    def keep(self, path: str) -> None:
        """Note that a user keeps their copy as it is, whatever the original has become.

        Parameters
        ----------
        path
            Of the copy.

        Raises
        ------
        HomeError
            If it is not a copy that is known, or its original is gone.
        """
        copy = self._copy(path)
        self._remember(replace(copy, seen=_digest(self._read_original(copy.notebook))))

    def take_beside(self, path: str) -> str:
        """Put the new original beside a copy, under a new name.

        Parameters
        ----------
        path
            Of the copy.

        Returns
        -------
        str
            The new copy's path.

        Raises
        ------
        HomeError
            If it is not a copy that is known, its original is gone, or all
            names are taken.
        OutputError
            If there is no room for it, or no permission.
        """
        copy = self._copy(path)
        original = self._read_original(copy.notebook)
        content = _for_exposure(original, copy.notebook, copy.exposure)
        for number in range(1, _MOST):
            beside = str(PurePosixPath(path).with_suffix("")) + f"-new{_suffix(number)}.ipynb"
            if self._make(beside, content, original):
                digest = _digest(original)
                self._remember(
                    replace(copy, seen=digest),
                    Copy(beside, copy.notebook, digest, exposure=copy.exposure),
                )
                return beside
        raise HomeError(path, "all names beside it are taken", "move some of them away")

    def _make(self, path: str, content: bytes, original: bytes) -> bool:
        if self._inside.kind(path) != "nothing":
            return False
        self._keep_base(original)
        return self._inside.create(path, content)

    def _keep_base(self, original: bytes) -> None:
        self._inside.create(_base(_digest(original)), original)

    def _read_original(self, name: str) -> bytes:
        found = self.originals().get(name)
        if found is None:
            raise HomeError(
                name, "the installation carries no such notebook", "choose one of the list"
            )
        try:
            return found.path.read_bytes()
        except OSError as error:
            raise HomeError(
                name, f"the original cannot be read ({error.strerror})", "tell the hub's people"
            ) from error

    # ---- how they stand

    def look(self) -> list[Standing]:
        """Say how each copy stands to its original, by path."""
        return [self._standing(copy) for _, copy in sorted(self.records().items())]

    def place(self, name: str) -> str:
        """Give the path where the plain copy of a notebook is or would be.

        Parameters
        ----------
        name
            The original's.
        """
        return _place(name, "")

    def is_there(self, path: str) -> bool:
        """Say whether there is a file at a path of the home.

        Parameters
        ----------
        path
            In the home.
        """
        return self._inside.kind(path) == "file"

    def compare(self, path: str) -> Comparison:
        """Set a copy beside its original.

        Parameters
        ----------
        path
            Of the copy.

        Raises
        ------
        HomeError
            If it is not a copy that is known, or one of them is no notebook.
        """
        copy = self._copy(path)
        original = _for_exposure(self._read_original(copy.notebook), copy.notebook, copy.exposure)
        content = self._inside.read(path)
        if content is None:
            raise HomeError(path, "it has been deleted", "copy the notebook again")
        new = cells.cells_of(original, copy.notebook)
        mine = cells.cells_of(content, path)
        base = self._read_base(copy)
        standing = self._standing(copy)
        if base is None:
            return Comparison(standing, None, cells.compare(mine, new))
        was = cells.cells_of(base, copy.notebook)
        return Comparison(standing, cells.compare(was, new), cells.compare(was, mine))

    def _standing(self, copy: Copy) -> Standing:
        try:
            content = self._inside.read(copy.path)
            if content is None:
                return Standing(copy, "deleted")
            if copy.notebook not in self.originals():
                return Standing(copy, "orphan")
            original = self._read_original(copy.notebook)
            plain = _for_exposure(original, copy.notebook, copy.exposure)
            mine = _sources(cells.cells_of(content, copy.path))
            now = _sources(cells.cells_of(plain, copy.notebook))
        except HomeError as error:
            return Standing(copy, "unreadable", str(error))
        states = {copy.seen: "kept", copy.base: "yours"}
        state = "current" if mine == now else states.get(_digest(original), "updated")
        return Standing(copy, state)

    def _read_base(self, copy: Copy) -> bytes | None:
        try:
            content = self._inside.read(_base(copy.base))
            if content is None or _digest(content) != copy.base:
                return None
            return _for_exposure(content, copy.notebook, copy.exposure)
        except HomeError:
            return None

    # ---- what is remembered

    def records(self) -> dict[str, Copy]:
        """Give what is remembered of copies, by path; nothing if it is damaged."""
        try:
            found = json.loads(self._inside.read(_RECORDS) or b"[]")
        except (ValueError, RecursionError, HomeError):
            return {}
        copies = (_record(each) for each in (found if isinstance(found, list) else []))
        return {copy.path: copy for copy in copies if copy is not None}

    def _copy(self, path: str) -> Copy:
        found = self.records().get(path)
        if found is None:
            raise HomeError(path, "it is no copy that is known", "choose one of the list")
        return found

    def _remember(self, *copies: Copy) -> None:
        records = self.records() | {copy.path: copy for copy in copies}
        text = json.dumps([asdict(records[path]) for path in sorted(records)], indent=1)
        self._inside.replace(_RECORDS, text.encode())


def _record(found: Any) -> Copy | None:
    """Read a record; whoever wrote into the file, it names nothing outside the notebooks."""
    try:
        copy = Copy(**found)
    except TypeError:
        return None
    if not all(isinstance(value, str) for value in asdict(copy).values()):
        return None
    parts = copy.path.split("/")
    inside = parts[0] == _FOLDER and not any(part in {"", ".", ".."} for part in parts)
    digests = all(re.fullmatch(r"[0-9a-f]{64}|", text) for text in (copy.base, copy.seen))
    return copy if inside and digests and "\0" not in copy.path else None


def _place(name: str, exposure: str) -> str:
    path = PurePosixPath(_FOLDER, name)
    if not exposure:
        return str(path)
    stem = exposure.removesuffix(".gz").removesuffix(".fits").removesuffix("_uncal")
    # What a path of a notebook can hold without surprises, told apart by a digest if need be.
    plain = re.sub(r"[^A-Za-z0-9_.-]", "_", stem).lstrip(".")[:120]
    if plain != stem:
        plain += "-" + hashlib.sha256(exposure.encode()).hexdigest()[:8]
    return str(path.with_name(f"{path.stem}-{plain}.ipynb"))


def _for_exposure(content: bytes, name: str, exposure: str) -> bytes:
    return cells.set_parameter(content, name, _PARAMETER, exposure) if exposure else content


def _base(digest: str) -> str:
    return f"{PRIVATE}/originals/{digest}.ipynb"


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _sources(found: list[cells.Cell]) -> list[tuple[str, str]]:
    return [(cell.kind, cell.source) for cell in found]


def _suffix(number: int) -> str:
    return "" if number == 1 else f"-{number}"

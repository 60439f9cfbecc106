"""Compiled kernels on disk: found where they were compiled before, by whomever.

Kernels are looked for in the installation itself, where an administrator may
have put them for everyone (it is often read-only), then in the user's own
cache. What is compiled anew goes to the first of these that may be written.
A kernel's key covers the source of its module and of those that this one
imports from here, since kernels call functions of one another's modules, and
the processor that it was made for.
"""

from __future__ import annotations

import hashlib
import os
import pickle
import re
import sys
import tempfile
import zlib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import llvmlite
import numba
from numba.core.caching import CompileResultCacheImpl, FunctionCache, IndexDataCacheFile
from numba.core.registry import cpu_target

import upramp.dq
from upramp.errors import OutputError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = [
    "KernelCache",
    "folders",
    "installation_folder",
    "let_others_read",
    "open_installation",
    "user_folder",
]

_VARIABLE: Final = "UPRAMP_KERNEL_CACHE"


def installation_folder() -> Path:
    """Give the folder of kernels that belongs to this installation."""
    return Path(__file__).with_name("__kernels__")


def user_folder() -> Path:
    """Give the folder of kernels of the user: ``UPRAMP_KERNEL_CACHE``, or their cache's."""
    chosen = os.environ.get(_VARIABLE)
    if chosen:
        return Path(chosen)
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "upramp" / "kernels"


_IMPORT: Final = re.compile(
    r"^ *from (?:\.|upramp\.detector1\.?)(\w*) import (\([^)]*\)|.*)$", re.MULTILINE
)


@cache
def _text(file: Path) -> str:
    return file.read_text(encoding="utf-8")


def _sources(file: Path, found: dict[str, Path]) -> None:
    """Collect a module and all that it imports from its own folder, and so on."""
    if file.name in found or not file.is_file():
        return
    found[file.name] = file
    for module, names in _IMPORT.findall(_text(file)):
        for name in [module] if module else re.findall(r"\w+", names):
            _sources(file.with_name(f"{name}.py"), found)


@cache
def _source_stamp(file: Path) -> str:
    sources: dict[str, Path] = {}
    _sources(file, sources)
    stamp = hashlib.sha256(_text(Path(upramp.dq.__file__)).encode())
    for name in sorted(sources):
        stamp.update(f"{name} ".encode() + _text(sources[name]).encode())
    return stamp.hexdigest()


def _version() -> str:
    python = f"{sys.version_info[0]}.{sys.version_info[1]}"
    return f"numba{numba.__version__}-llvmlite{llvmlite.__version__}-py{python}"


def _is_writable(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError:
        return False
    return True


class _Choice:
    """What this process was told about where kernels belong."""

    installation_alone = False


@cache
def folders() -> tuple[tuple[Path, ...], Path | None]:
    """Give the folders that kernels are looked for in, and the one they are kept in.

    Returns
    -------
    tuple of Path
        Those to look into, in order.
    Path or None
        Where new ones go; None if nothing may be written anywhere: kernels are
        then compiled in every process.
    """
    own = user_folder() / _version()
    if _Choice.installation_alone:
        # What this user has compiled is of no use to others.
        shared = installation_folder() / _version()
        return (shared,), shared
    if os.environ.get(_VARIABLE):
        return (own,), own if _is_writable(own) else None
    shared = installation_folder() / _version()
    if shared.is_dir() and os.access(shared, os.W_OK):
        return (shared, own), shared
    return (shared, own), own if _is_writable(own) else None


def open_installation() -> Path:
    """Have kernels kept in the installation from now on, whatever the environment says.

    Returns
    -------
    Path
        Their folder, made if need be.

    Raises
    ------
    OutputError
        If this user may not write it.
    """
    _Choice.installation_alone = True
    folder = installation_folder() / _version()
    if not _is_writable(folder):
        raise OutputError(
            folder,
            "this user may not write it",
            "let whoever installed upramp compile the kernels",
        )
    folders.cache_clear()
    return folder


def let_others_read(folder: Path) -> None:
    """Let every user read a folder of kernels, whatever this user's mask hides.

    Parameters
    ----------
    folder
        The folder.
    """
    for each in (folder.parent, folder):
        each.chmod(0o755)
    for each in folder.iterdir():
        each.chmod(0o644)


class _Locator:
    """Tells numba where a kernel's files are."""

    def __init__(self, function: Callable[..., Any], folder: Path) -> None:
        self._py_file = function.__code__.co_filename
        self._lineno = function.__code__.co_firstlineno
        self._folder = folder

    def ensure_cache_path(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    def get_cache_path(self) -> str:
        return str(self._folder)

    def get_source_stamp(self) -> str:
        return _source_stamp(Path(self._py_file))

    def get_disambiguator(self) -> str:
        return str(self._lineno)


@cache
def _processor() -> Any:
    """Give what numba tells processors apart by."""
    return cpu_target.target_context.codegen().magic_tuple()


class _Files(IndexDataCacheFile):
    """A function's files in one folder; what is damaged, or another source's, is not there."""

    def _load_index(self) -> dict[Any, str]:
        try:
            found: dict[Any, str] = super()._load_index()
        except Exception:  # noqa: BLE001 - whatever a damaged pickle gives
            return {}
        return found

    def _mark(self, content: bytes) -> bytes:
        # The index and this file are written one after the other, and another process, or
        # a loss of power, may come between.
        return f"{self._source_stamp} {zlib.crc32(content):08x}\n".encode()

    def _save_data(self, name: str, data: Any) -> None:
        content = self._dump(data)
        with self._open_for_write(self._data_path(name)) as file:
            file.write(self._mark(content))
            file.write(content)

    def _load_data(self, name: str) -> Any:
        mark, _, content = Path(self._data_path(name)).read_bytes().partition(b"\n")
        if mark + b"\n" != self._mark(content):
            raise ValueError("damaged")
        return pickle.loads(content)  # noqa: S301 - from a folder that kernels are run from


class KernelCache(FunctionCache):
    """Numba's cache of one function, over several folders.

    Parameters
    ----------
    function
        The function.
    look
        Folders to look into.
    keep
        Where it goes if it was not found; None for nowhere.
    """

    def __init__(
        self, function: Callable[..., Any], look: Sequence[Path], keep: Path | None
    ) -> None:
        locator = _Locator(function, keep or look[0])

        class Impl(CompileResultCacheImpl):
            _locator_classes = (type("Chosen", (), {"from_function": lambda *_: locator}),)

        self._impl_class = Impl
        super().__init__(function)
        self._keep = keep
        stamp = locator.get_source_stamp()
        self._files = [_Files(str(f), self._impl.filename_base, stamp) for f in look]
        self._cache_file = _Files(self._cache_path, self._impl.filename_base, stamp)

    @property
    def is_filled(self) -> bool:
        """Whether some folder has the function, as its source is now, for this processor."""
        indices = (file._load_index() for file in self._files)  # noqa: SLF001 - no public way
        return any(_processor() in key for index in indices for key in index)

    def _load_overload(self, sig: Any, target_context: Any) -> Any:
        key = self._index_key(sig, target_context.codegen())
        for file in self._files:
            try:
                data = file.load(key)
            except Exception:  # noqa: BLE001, S112 - a damaged entry is compiled anew, whatever it is
                continue
            if data is not None:
                return self._impl.rebuild(target_context, data)
        return None

    def _save_overload(self, sig: Any, data: Any) -> None:
        if self._keep is None:
            return
        try:
            super()._save_overload(sig, data)
        except OSError:
            # A full disk costs time, not results: the kernel is compiled again next time.
            self._keep = None

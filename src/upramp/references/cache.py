"""A resident cache of parsed references.

Calibrating one exposure after another, the same references are read, decoded
and prepared each time. Here they stay, keyed by what is in the file, so that a
file that changes is read anew and the same file under two names is held once.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar, cast

import numpy as np

from upramp.errors import InputError, ReferenceFileError
from upramp.memory import limit

from .hashing import sha256_of
from .records import Reference, load_reference

if TYPE_CHECKING:
    import os
    from collections.abc import Callable

__all__ = ["CacheStatistics", "ReferenceCache", "default_capacity"]

_SHARE: Final = 4
"""One part in so many of what this process may hold is what references may take."""


class _Sized(Protocol):
    @property
    def nbytes(self) -> int: ...


T = TypeVar("T", bound=_Sized)


@dataclass(frozen=True)
class CacheStatistics:
    """What a cache has done since it was made.

    Parameters
    ----------
    hits
        Requests that found what they asked for, or waited for it being loaded.
    loads
        Requests that had to load.
    evictions
        Entries that gave way to others.
    entries
        Entries held now.
    nbytes
        Bytes held now.
    """

    hits: int
    loads: int
    evictions: int
    entries: int
    nbytes: int


def default_capacity() -> int:
    """Give a quarter of the memory that this process may hold, in bytes."""
    return limit().size // _SHARE


class ReferenceCache:
    """Parsed references, least recently used first to go; safe among threads.

    Parameters
    ----------
    capacity
        How many bytes of arrays to hold at most; None for a quarter of
        what this process may hold. One entry larger than that is given, but not kept.

    Examples
    --------
    >>> cache = ReferenceCache()
    >>> gain = cache.reference(path, "gain")            # doctest: +SKIP
    >>> ready = cache.get(path, "gain/e", prepare)      # doctest: +SKIP
    """

    def __init__(self, capacity: int | None = None) -> None:
        self.capacity = default_capacity() if capacity is None else capacity
        self._lock = threading.Lock()
        self._entries: OrderedDict[tuple[str, str], Future[Any]] = OrderedDict()
        self._nbytes = 0
        self._hits = self._loads = self._evictions = 0

    def reference(self, path: str | os.PathLike[str], reftype: str) -> Reference:
        """Give a reference as `load_reference` parses it.

        Parameters
        ----------
        path
            The file.
        reftype
            Its type.

        Raises
        ------
        ReferenceFileError
            As `load_reference` does.
        """
        return self.get(path, reftype.lower(), lambda file: load_reference(file, reftype))

    def get(
        self,
        path: str | os.PathLike[str],
        kind: str,
        load: Callable[[str | os.PathLike[str]], T],
    ) -> T:
        """Give what ``load`` makes of a file, from memory if it was made before.

        Requests for one thing at one time load it once: the others wait.

        Parameters
        ----------
        path
            The file.
        kind
            The name of this way of parsing: the same for the same ``load``.
        load
            Makes an object that has ``nbytes`` out of the file. If it is a
            numpy array it is made read-only.

        Raises
        ------
        ReferenceFileError
            If the file cannot be read; and whatever ``load`` raises, which is
            not remembered.
        """
        try:
            key = (sha256_of(path), kind)
        except InputError as error:
            raise ReferenceFileError(path, error.problem, error.remedy) from error
        with self._lock:
            future = self._entries.get(key)
            mine = future is None
            if future is None:
                future = Future()
                self._entries[key] = future
                self._loads += 1
            else:
                self._entries.move_to_end(key)
                self._hits += 1
        if mine:
            self._fill(key, future, path, load)
        return cast("T", future.result())

    def clear(self) -> None:
        """Let go of everything that is held."""
        with self._lock:
            for key in [key for key, future in self._entries.items() if future.done()]:
                self._drop(key)

    @property
    def statistics(self) -> CacheStatistics:
        """What the cache has done so far."""
        with self._lock:
            return CacheStatistics(
                hits=self._hits,
                loads=self._loads,
                evictions=self._evictions,
                entries=len(self._entries),
                nbytes=self._nbytes,
            )

    def _fill(
        self,
        key: tuple[str, str],
        future: Future[Any],
        path: str | os.PathLike[str],
        load: Callable[[str | os.PathLike[str]], Any],
    ) -> None:
        try:
            value = load(path)
            if isinstance(value, np.ndarray):
                value.flags.writeable = False
        except BaseException as error:  # noqa: BLE001 - who waits must be told of any end
            with self._lock:
                self._entries.pop(key, None)
            future.set_exception(error)
            return
        with self._lock:
            self._nbytes += int(value.nbytes)
            future.set_result(value)
            for old in list(self._entries):
                if self._nbytes <= self.capacity:
                    break
                if self._entries[old].done() and (old != key or value.nbytes > self.capacity):
                    self._drop(old)
                    self._evictions += 1

    def _drop(self, key: tuple[str, str]) -> None:
        self._nbytes -= int(self._entries.pop(key).result().nbytes)

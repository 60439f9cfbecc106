"""Arrays in files without a name: the system may take their memory back at any time.

An interactive session keeps a corrected ramp and its references for hours, and
looks at a few pixels of them. Held in a process's own memory they count against
its limit all that time, and cannot be taken back without swapping. A mapped
file's pages can: they are read again, mostly from the system's cache, when they
are looked at.
"""

from __future__ import annotations

import mmap
import os
import tempfile
import weakref
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Final, TypeVar

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

__all__ = ["empty", "let_go", "spilled", "spilling", "wanted"]

_LEAST: Final = 1 << 20
"""Bytes from which an array is worth a file of its own."""

_wanted: ContextVar[bool] = ContextVar("spill", default=False)
_maps: weakref.WeakSet[mmap.mmap] = weakref.WeakSet()

S = TypeVar("S", bound=np.generic)


@contextmanager
def spilling() -> Iterator[None]:
    """Have what is loaded meanwhile, in this thread, held in files."""
    token = _wanted.set(True)
    try:
        yield
    finally:
        _wanted.reset(token)


def wanted() -> bool:
    """Say whether what is loaded now is to be held in files."""
    return _wanted.get()


def spilled(array: NDArray[S]) -> NDArray[S]:
    """Give an array's copy in a file without a name, in the folder for temporary files.

    Parameters
    ----------
    array
        Of numbers.

    Returns
    -------
    ndarray
        The same numbers, writable if the array is; the array itself where it is small, or
        there is no room for the file.
    """
    if array.nbytes < _LEAST or not array.flags.c_contiguous:
        return array
    copy = _mapped(array.shape, array.dtype)
    if copy is None:
        return array
    np.copyto(copy, array)
    copy.flags.writeable = array.flags.writeable
    return copy


def empty(shape: tuple[int, ...], dtype: type[S]) -> NDArray[S]:
    """Give an array to be filled: in a file where that is wanted, else in memory.

    Parameters
    ----------
    shape
        Of the array.
    dtype
        Type of its numbers.
    """
    made = _mapped(shape, np.dtype(dtype)) if wanted() else None
    return np.empty(shape, dtype) if made is None else made


def _mapped(shape: tuple[int, ...], dtype: np.dtype[S]) -> NDArray[S] | None:
    size = int(np.prod(shape)) * dtype.itemsize
    if size < _LEAST:
        return None
    try:
        with tempfile.TemporaryFile(prefix="upramp-") as file:
            # A file with holes would end the process, by SIGBUS, where the disk is full.
            os.posix_fallocate(file.fileno(), 0, size)
            mapped = mmap.mmap(file.fileno(), size)
    except OSError:  # no room: the process's own memory, then
        return None
    _maps.add(mapped)
    return np.frombuffer(mapped, dtype).reshape(shape)


def let_go() -> None:
    """Give the memory of all such arrays back; they are read again when they are looked at."""
    for mapped in list(_maps):
        # Of Linux; elsewhere the system sees by itself what is not used.
        if hasattr(mmap, "MADV_DONTNEED"):
            mapped.madvise(mmap.MADV_DONTNEED)

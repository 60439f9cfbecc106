"""Compiled kernels: declared with their argument types, compiled once, kept on disk.

A kernel is a plain function that numba compiles. Its argument types are
declared, so that it is compiled once and never again for another layout by
surprise; arithmetic follows IEEE 754 without reordering or contraction, which
agreement bit for bit depends on; the interpreter's lock is released.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Final

import numba
from numba import types

from upramp.progress import ONCE

from . import kernel_cache

if TYPE_CHECKING:
    from collections.abc import Callable

    from upramp.progress import Progress

__all__ = [
    "Kernel",
    "array",
    "b1",
    "const",
    "f4",
    "f8",
    "i4",
    "i8",
    "inner",
    "kernel",
    "prepare",
    "u1",
    "u2",
    "u4",
    "u8",
]

f4: Final = types.float32
f8: Final = types.float64
i8: Final = types.int64
i4: Final = types.int32
u1: Final = types.uint8
u2: Final = types.uint16
u4: Final = types.uint32
u8: Final = types.uint64
b1: Final = types.boolean

_OPTIONS: Final = {"nogil": True, "fastmath": False, "error_model": "numpy"}


def array(dtype: Any, dimensions: int) -> Any:
    """Type of a writable array, contiguous in C order.

    Parameters
    ----------
    dtype
        One of this module's number types.
    dimensions
        How many.
    """
    return types.Array(dtype, dimensions, "C")


def const(dtype: Any, dimensions: int) -> Any:
    """Type of an array that is only read, contiguous in C order; any such array will do.

    Parameters
    ----------
    dtype
        One of this module's number types.
    dimensions
        How many.
    """
    return types.Array(dtype, dimensions, "C", readonly=True)


def inner(function: Callable[..., Any]) -> Any:
    """Make a function callable from kernels.

    Parameters
    ----------
    function
        What numba can compile.
    """
    return numba.njit(**_OPTIONS)(function)


class Kernel:
    """A function that is compiled for the argument types it declares.

    Parameters
    ----------
    function
        What numba can compile.
    signature
        The types of its arguments.
    """

    def __init__(self, function: Callable[..., Any], signature: tuple[Any, ...]) -> None:
        self.function = function
        self.signature = signature
        self.__doc__ = function.__doc__
        self.__name__ = function.__name__
        self.__module__ = function.__module__
        self._compiled: Any = None

    def __call__(self, *arguments: Any) -> Any:
        """Run the kernel, compiled if it was not yet."""
        compiled = self._compiled
        if compiled is None:
            compiled = self.compile()
        return compiled(*arguments)

    def compile(self) -> Any:
        """Compile the kernel, or load it from the cache on disk."""
        with _lock:
            if self._compiled is None:
                dispatcher = numba.njit(**_OPTIONS)(self.function)
                dispatcher._cache = self._cache()  # noqa: SLF001 - no public way
                dispatcher.compile(self.signature)
                dispatcher.disable_compile()
                self._compiled = dispatcher
        return self._compiled

    @property
    def is_ready(self) -> bool:
        """Whether the kernel is in memory."""
        return self._compiled is not None

    @property
    def is_kept(self) -> bool:
        """Whether the cache on disk has the kernel."""
        return self._cache().is_filled

    def _cache(self) -> kernel_cache.KernelCache:
        return kernel_cache.KernelCache(self.function, *kernel_cache.folders())


_lock = threading.RLock()
_declared: list[Kernel] = []


def prepare(progress: Progress | None = None) -> int:
    """Compile the kernels that modules imported so far declare and no cache has.

    The others are loaded when they are first called.

    Parameters
    ----------
    progress
        Told of each kernel, if any has to be compiled: that takes a minute or
        two, once for an installation.

    Returns
    -------
    int
        How many were not in the cache.
    """
    missing = [kernel for kernel in _declared if not kernel.is_ready and not kernel.is_kept]
    if progress is not None and missing:
        progress.start(len(missing), f"compiling kernels{ONCE}")
    for kernel in missing:
        kernel.compile()
        if progress is not None:
            progress.advance(1)
    if progress is not None and missing:
        progress.finish()
    return len(missing)


def kernel(*signature: Any) -> Callable[[Callable[..., Any]], Kernel]:
    """Declare a kernel.

    Parameters
    ----------
    signature
        The types of its arguments.

    Examples
    --------
    >>> @kernel(array(f4, 2), const(f4, 2), i8, i8)
    ... def subtract(image, bias, first, last):
    ...     for y in range(first, last):
    ...         for x in range(image.shape[1]):
    ...             image[y, x] -= bias[y, x]
    """

    def declare(function: Callable[..., Any]) -> Kernel:
        declared = Kernel(function, signature)
        _declared.append(declared)
        return declared

    return declare

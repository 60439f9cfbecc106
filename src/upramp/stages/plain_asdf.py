"""Small ASDF files of plain values and arrays, read without trusting them.

What comes out is what lies in the file itself: numbers, texts, lists, mappings
and arrays of one dimension in blocks that are not compressed. Everything else,
references to other files among it, is refused.

Source: the ASDF Standard, low-level file layout.
"""

from __future__ import annotations

import hashlib
import os
import stat
import struct
from typing import TYPE_CHECKING, Any, Final, NoReturn

import numpy as np

from upramp.errors import InputError
from upramp.exposure.metadata_tree import read_tree, require_sound_tree
from upramp.exposure.source import Source

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["read_plain_asdf"]

_MAX_TEXT: Final = 8 << 20
"""Bytes of the tree."""
_PIECE: Final = 1 << 16
_END: Final = b"\n..."
_BLOCK: Final = b"\xd3BLK"
_HEADER: Final = struct.Struct(">I4sQQQ16s")
"""Of a block: flags, compression, room, used, uncompressed size, checksum."""
_STREAMED: Final = 1
_NUMBERS: Final = frozenset(
    f"{kind}{bits}" for kind in ("int", "uint") for bits in (8, 16, 32, 64)
) | {"float32", "float64"}
_TAGS: Final = ("tag:stsci.edu:asdf/core/asdf-", "tag:yaml.org,2002:")
_ARRAY: Final = "tag:stsci.edu:asdf/core/ndarray-"
_OWN: Final = frozenset({"asdf_library", "history"})
"""Entries of a tree that say by what it was written."""


class _OddError(Exception):
    """A file that holds something else than plain values and arrays."""


def read_plain_asdf(path: Path, remedy: str) -> dict[str, Any] | None:
    """Read the tree of a file.

    Parameters
    ----------
    path
        The file.
    remedy
        What to do about one that cannot be read: a clause for the error.

    Returns
    -------
    dict or None
        Values and arrays, without what the tree says of the library that wrote it; None if
        there is no such file.

    Raises
    ------
    InputError
        If it cannot be read, is damaged, or holds something else.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except ValueError as error:  # a NUL byte in the name
        raise InputError(repr(str(path)), "it is no file name", "check the name") from error
    except OSError as error:
        raise InputError(path, f"it cannot be opened ({error.strerror})", "check it") from error
    source = Source(path, descriptor, compressed=False)
    try:
        return _tree(source)
    except _OddError as error:
        _fail(path, str(error), remedy, error)
    except InputError as error:
        _fail(path, f"it is no ASDF file that can be read ({error.problem})", remedy, error)
    except (RecursionError, MemoryError) as error:
        _fail(path, "it is too deep or too large", remedy, error)
    finally:
        source.close()


def _fail(path: Path, problem: str, remedy: str, cause: Exception | None = None) -> NoReturn:
    raise InputError(path, problem, remedy) from cause


def _tree(source: Source) -> dict[str, Any]:
    if not stat.S_ISREG(os.fstat(source.descriptor()).st_mode):
        raise _OddError("it is no regular file")
    text = _text(source)
    require_sound_tree(source, text)
    tree = read_tree(source, text)
    if not isinstance(tree, dict):
        raise _OddError("it holds no values by name")
    blocks = _Blocks(source, len(text))
    return {str(key): _plain(value, blocks) for key, value in tree.items() if str(key) not in _OWN}


def _text(source: Source) -> bytes:
    """Give the tree's own bytes, up to the end of the line that ends it."""
    text = b""
    while len(text) < min(source.size, _MAX_TEXT):
        text += source.read(len(text), _PIECE)
        end = text.find(_END)
        line = text.find(b"\n", end + len(_END))
        if end >= 0 and line >= 0:
            return text[: line + 1]
    if len(text) < source.size:
        raise _OddError("its tree is too long")
    return text


def _plain(node: Any, blocks: _Blocks) -> Any:
    tag = getattr(node, "_tag", "")
    if tag.startswith(_ARRAY):
        return _array(node, blocks)
    if tag and not tag.startswith(_TAGS):
        raise _OddError(f"it holds a value of kind {tag}")
    if isinstance(node, dict):
        return {str(key): _plain(value, blocks) for key, value in node.items()}
    if isinstance(node, list):
        return [_plain(value, blocks) for value in node]
    if isinstance(node, str):
        return str(node)
    if node is not None and not isinstance(node, (bool, int, float)):
        raise _OddError(f"it holds a value of kind {type(node).__name__}")
    return node


def _array(node: Any, blocks: _Blocks) -> NDArray[Any]:
    if isinstance(node, list) or "data" in node:
        data = node if isinstance(node, list) else node["data"]
        found = np.array(_plain_list(data))
        if found.dtype.kind not in "iuf":
            raise _OddError("one of its arrays holds no numbers")
        return found
    number, kind, shape = node.get("source"), node.get("datatype"), node.get("shape")
    order, start = node.get("byteorder", "little"), node.get("offset", 0)
    if not (isinstance(number, int) and isinstance(kind, str) and isinstance(order, str)):
        raise _OddError("one of its arrays does not lie in the file, or holds no numbers")
    if kind not in _NUMBERS or order not in {"little", "big"}:
        raise _OddError("one of its arrays holds no numbers")
    if not (isinstance(shape, list) and len(shape) == 1 and _is_count(shape[0])):
        raise _OddError("one of its arrays is no list of numbers")
    dtype = np.dtype(str(kind)).newbyteorder("<" if order == "little" else ">")
    strides = node.get("strides", [dtype.itemsize])
    if not (isinstance(strides, list) and len(strides) == 1 and _is_count(strides[0])):
        raise _OddError("one of its arrays is no list of numbers")
    count, step = int(shape[0]), int(strides[0])
    if not _is_count(start) or step < dtype.itemsize or "mask" in node:
        raise _OddError("one of its arrays is no list of numbers")
    content = blocks[number]
    if count and start + (count - 1) * step + dtype.itemsize > len(content):
        raise _OddError("one of its arrays reaches beyond what the file holds")
    if not count:
        return np.empty(0, dtype.newbyteorder("="))
    view: NDArray[Any] = np.ndarray((count,), dtype, content, start, (step,))
    return view.astype(dtype.newbyteorder("="))


def _plain_list(data: Any) -> list[Any]:
    if not isinstance(data, list) or any(not isinstance(one, (int, float)) for one in data):
        raise _OddError("one of its arrays is no list of numbers")
    return list(data)


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


class _Blocks:
    """The binary blocks behind a tree, read when they are asked for."""

    def __init__(self, source: Source, start: int) -> None:
        self._source = source
        self._next: int | None = start
        self._places: list[tuple[int, int, bytes]] = []
        self._kept: dict[int, bytes] = {}

    def __getitem__(self, number: int) -> bytes:
        if number not in self._kept:
            while len(self._places) <= number and self._next is not None:
                self._find()
            if not 0 <= number < len(self._places):
                raise _OddError("it is cut short: one of its arrays is not there")
            start, size, digest = self._places[number]
            content = self._source.read(start, size)
            while len(content) < size and (more := self._source.read(start + len(content), size)):
                content += more[: size - len(content)]
            # Not to guard against anyone: bits do turn over.
            found = hashlib.md5(content, usedforsecurity=False).digest()
            if len(content) < size or (any(digest) and digest != found):
                raise _OddError("it is damaged: an array is not what was written")
            self._kept[number] = content
        return self._kept[number]

    def _find(self) -> None:
        """Find the next block, if there is one."""
        place = self._next or 0
        self._next = None
        head = self._source.read(place, len(_BLOCK) + 2 + _HEADER.size)
        if len(head) < len(_BLOCK) + 2 + _HEADER.size or not head.startswith(_BLOCK):
            return
        length = int.from_bytes(head[4:6], "big")
        flags, compression, room, used, size, digest = _HEADER.unpack(head[6:])
        if flags & _STREAMED or any(compression) or used != size or length < _HEADER.size:
            raise _OddError("one of its arrays is compressed or without an end")
        start = place + len(_BLOCK) + 2 + length
        if used > room or start + used > self._source.size:
            raise _OddError("it is cut short: one of its arrays is not whole")
        self._places.append((start, used, digest))
        self._next = start + room

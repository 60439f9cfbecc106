"""The metadata tree that the mission's software embeds, read without trusting it.

The parser that builds a tree calls itself for each level, in C: text that is
nested deep enough would end the whole process. So its events are counted
first, which builds nothing.
"""

from __future__ import annotations

import io
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NoReturn

if TYPE_CHECKING:
    from .hdus import HDU
    from .source import Source

__all__ = ["embedded_asdf", "read_tree", "require_sound_tree"]

_MAX_DEPTH: Final = 1000
"""Levels of nesting; the deepest compound model of the mission has tens."""
_MAX_TEXT: Final = 64 << 20
"""Bytes of text parsed; parsing takes some ten times as much memory."""
_MAX_EMBEDDED: Final = 512 << 20
"""Bytes of an embedded ASDF file, with what it holds behind its text."""
_MAX_NODES: Final = 5_000_000
"""Nodes once every alias is written out: hundreds of times the mission's largest tree."""
_MAGIC: Final = b"#ASDF "


@dataclass(frozen=True)
class _Extent:
    depth: int
    nodes: float
    """Counted as if aliases were copies; infinite where a node holds itself."""


def embedded_asdf(source: Source, hdus: tuple[HDU, ...]) -> bytes | None:
    """Give the bytes of the embedded ASDF file, None where there is none.

    Parameters
    ----------
    source
        The FITS file.
    hdus
        All its parts.

    Raises
    ------
    InputError
        If it is larger than any metadata.
    """
    extension = next((hdu for hdu in hdus if hdu.name == "ASDF"), None)
    if extension is None:
        return None
    if extension.size > _MAX_EMBEDDED:
        source.fail("its ASDF extension is larger than any metadata", "check where it is from")
    return source.read(extension.offset, extension.size)


def require_sound_tree(source: Source, content: bytes) -> None:
    """Refuse an embedded ASDF file that no reader should be given.

    Parameters
    ----------
    source
        The FITS file, named in the error.
    content
        The bytes of the embedded ASDF file.

    Raises
    ------
    InputError
        If its text is damaged, or describes a tree that is too deep, too
        large or endless.
    """
    if not content.startswith(_MAGIC):
        _fail_damaged(source, "it does not begin as ASDF does")
    if not math.isfinite(nodes := _checked_extent(source, content, "read").nodes):
        source.fail("its metadata tree holds itself", "check where it is from")
    if nodes > _MAX_NODES:
        source.fail("its metadata tree is too large to read", "check where it is from")


def read_tree(source: Source, content: bytes, *, purpose: str = "read") -> Any:
    """Build the tree of an embedded ASDF file, tags and all, without any plugin.

    Nodes that the text shares are shared in the tree, which may be endless so.

    Parameters
    ----------
    source
        The FITS file, named in the error.
    content
        The bytes of the embedded ASDF file.
    purpose
        What the tree is wanted for, a verb for the error.

    Returns
    -------
    object
        Tagged dictionaries, lists and values.

    Raises
    ------
    InputError
        If the text is damaged, too deep or too large.
    """
    from asdf.util import load_yaml

    _checked_extent(source, content, purpose)
    try:
        return load_yaml(io.BytesIO(content), tagged=True)
    except Exception as error:  # noqa: BLE001 - asdf and yaml raise many kinds on damaged text
        _fail_damaged(source, _first_line(error))


def _checked_extent(source: Source, content: bytes, purpose: str) -> _Extent:
    end = content.find(b"\n...")
    text = content if end < 0 else content[: end + 1]
    if len(text) > _MAX_TEXT:
        source.fail(f"its metadata tree is too large to {purpose}", "check where it is from")
    try:
        extent = _extent(text)
    except Exception as error:  # noqa: BLE001 - yaml raises many kinds on damaged text
        _fail_damaged(source, _first_line(error))
    if extent.depth > _MAX_DEPTH:
        source.fail(f"its metadata tree is too deep to {purpose}", "check where it is from")
    return extent


def _extent(text: bytes) -> _Extent:
    """Count levels and nodes of a tree without building it."""
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    sizes: dict[str, float] = {}
    # Anchor and size of the collections that are open; the outermost is the document.
    stack: list[tuple[str | None, float]] = [(None, 0.0)]
    deepest = 0
    for event in yaml.parse(text, Loader=loader):
        if isinstance(event, yaml.events.CollectionStartEvent):
            if event.anchor is not None:
                sizes[event.anchor] = math.inf  # until it is closed, an alias would be a circle
            stack.append((event.anchor, 1.0))
            deepest = max(deepest, len(stack) - 1)
            if deepest > _MAX_DEPTH:
                break
            continue
        if isinstance(event, yaml.events.CollectionEndEvent):
            anchor, size = stack.pop()
        elif isinstance(event, yaml.events.AliasEvent):
            if event.anchor not in sizes:
                raise ValueError(f"nothing is called {event.anchor}")
            anchor, size = None, sizes[event.anchor]
        elif isinstance(event, yaml.events.ScalarEvent):
            anchor, size = event.anchor, 1.0
        else:
            continue
        if anchor is not None:
            sizes[anchor] = size
        outer, total = stack[-1]
        stack[-1] = outer, total + size
    return _Extent(deepest, stack[0][1])


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__


def _fail_damaged(source: Source, reason: str) -> NoReturn:
    source.fail(f"its ASDF extension is damaged ({reason})", "download or copy it again")

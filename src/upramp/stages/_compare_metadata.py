"""Comparison of headers and of the metadata tree in the ASDF extension."""

from __future__ import annotations

import hashlib
import json
import math
import re
from typing import TYPE_CHECKING, Any

from upramp.exposure.metadata_tree import read_tree

from ._comparison_parts import MetadataDifference

if TYPE_CHECKING:
    from collections.abc import Iterator

    from astropy.io import fits

    from upramp.exposure.source import Source

__all__ = ["VOLATILE_KEYWORDS", "compare_headers", "compare_trees"]

_STRUCTURAL = re.compile(
    r"SIMPLE|XTENSION|BITPIX|NAXIS\d*|EXTEND|PCOUNT|GCOUNT|BSCALE|BZERO|BLANK|END|NEXTEND|"
    r"TFIELDS|THEAP|(TTYPE|TFORM|TDIM|TZERO|TSCAL|TBCOL)\d+"
)
"""Keywords that describe the arrays, which are compared themselves."""

VOLATILE_KEYWORDS = frozenset({"DATE", "FILENAME", "CHECKSUM", "DATASUM"})
_VOLATILE_NODES = re.compile(
    r"meta\.(date|filename|upramp\.provenance\.created)|_fits_hash|cal_logs.*|history(\.entries)?\[\d+\]\.time"
)
"""What two runs of one calibration cannot share: names, times, logs with times, checksums."""

_PROVENANCE = "meta.upramp.provenance"
"""A node whose text is JSON, compared member by member."""

_MAX_NODES = 1_000_000
"""Pairs of nodes looked at: a hundred times the largest tree the mission writes."""


def compare_headers(where: str, a: fits.Header, b: fits.Header) -> Iterator[MetadataDifference]:
    """Find the keywords that two headers do not share.

    Parameters
    ----------
    where
        Name of the extension.
    a, b
        Its headers.
    """
    in_a, in_b = _keywords(a), _keywords(b)
    for key in [*in_a, *(key for key in in_b if key not in in_a)]:
        if key in in_a and key in in_b and _same(in_a[key], in_b[key]):
            continue
        yield MetadataDifference(
            where,
            key,
            in_a.get(key),
            in_b.get(key),
            None if key in in_a and key in in_b else "a" if key in in_a else "b",
            volatile=key in VOLATILE_KEYWORDS,
        )


def _keywords(header: fits.Header) -> dict[str, Any]:
    """Values by keyword; a repeated one (HISTORY, COMMENT) has the list of its values."""
    from astropy.io import fits

    found: dict[str, list[Any]] = {}
    for card in header.cards:
        try:
            key, value = card.keyword, card.value
        except Exception:  # noqa: BLE001 - astropy raises many kinds on damaged cards
            # Compared as written: a damaged card is as good as any for telling apart.
            key, value = card.image[:8].strip(), card.image[8:].strip()
        if key and not _STRUCTURAL.fullmatch(key):
            undefined = isinstance(value, fits.card.Undefined)
            found.setdefault(key, []).append(None if undefined else value)
    return {
        key: values[0] if len(values) == 1 and key not in ("COMMENT", "HISTORY") else values
        for key, values in found.items()
    }


def compare_trees(
    where: str, sources: tuple[Source, Source], contents: tuple[memoryview, memoryview]
) -> Iterator[MetadataDifference]:
    """Find the nodes that the trees of two embedded ASDF files do not share.

    Trees are compared as they are serialized, tags and all, so that no plugin
    is needed to understand a world coordinate system.

    Parameters
    ----------
    where
        Name of the extension.
    sources
        The files, named if an embedded one is damaged.
    contents
        The bytes of the embedded ASDF files.

    Raises
    ------
    InputError
        If an embedded ASDF file cannot be understood.
    """
    if contents[0] == contents[1]:
        return
    (tree_a, blocks_a), (tree_b, blocks_b) = (
        _parse(source, bytes(content)) for source, content in zip(sources, contents, strict=True)
    )
    seen = 0
    for path, a, b in _differing_nodes(tree_a, tree_b):
        seen += 1
        if seen > _MAX_NODES:
            sources[0].fail("its metadata tree is too large to compare", "check where it is from")
        if path is None:
            continue
        yield MetadataDifference(
            where,
            path,
            None if a is _ABSENT else a,
            None if b is _ABSENT else b,
            "b" if a is _ABSENT else "a" if b is _ABSENT else None,
            volatile=_VOLATILE_NODES.fullmatch(path) is not None,
            in_tree=True,
        )
    for number in range(max(len(blocks_a), len(blocks_b))):
        left, right = (
            _fingerprint(blocks[number]) if number < len(blocks) else None
            for blocks in (blocks_a, blocks_b)
        )
        if left != right:
            only = "b" if left is None else "a" if right is None else None
            yield MetadataDifference(where, f"block {number}", left, right, only, in_tree=True)


def _parse(source: Source, content: bytes) -> tuple[Any, list[bytes]]:
    return read_tree(source, content, purpose="compare"), _blocks(content)


def _blocks(content: bytes) -> list[bytes]:
    """Give the binary blocks behind the tree (ASDF standard 1.6, "Low-level file layout")."""
    end = content.find(b"\n...")
    at = content.find(b"\xd3BLK", end)
    blocks = []
    while 0 <= at <= len(content) - 54 and content[at : at + 4] == b"\xd3BLK":
        header_size = int.from_bytes(content[at + 4 : at + 6], "big")
        allocated, used = (
            int.from_bytes(content[at + start : at + start + 8], "big") for start in (14, 22)
        )
        data = at + 6 + header_size
        blocks.append(content[data : data + used])
        at = data + allocated
    return blocks


def _fingerprint(block: bytes) -> str:
    return f"{len(block)} bytes, SHA-256 {hashlib.sha256(block).hexdigest()[:16]}"


_ABSENT = object()


def _differing_nodes(a: Any, b: Any) -> Iterator[tuple[str | None, Any, Any]]:
    """Walk two trees; give a path where they differ, and None for each pair that does not.

    YAML may share nodes, even so that a small text describes an endless
    tree: a pair of shared nodes is looked at once.
    """
    waiting: list[tuple[str, Any, Any]] = [("", a, b)]
    known: set[tuple[int, int]] = set()
    # What was decoded here must live on: `known` takes identities for names.
    kept: list[tuple[Any, Any]] = []
    while waiting:
        path, x, y = waiting.pop()
        yield None, None, None
        if path == _PROVENANCE:
            x, y = _decoded(x), _decoded(y)
            kept.append((x, y))
        containers = isinstance(x, dict | list) and type(x) is type(y)
        if containers:
            pair = (id(x), id(y))
            if pair in known:
                continue
            known.add(pair)
        tags = getattr(x, "_tag", None), getattr(y, "_tag", None)
        if x is not _ABSENT and y is not _ABSENT and tags[0] != tags[1]:
            yield f"{path} tag", tags[0], tags[1]
        if containers:
            children = _children(x, y)
            joined = [(_join(path, key), left, right) for key, left, right in children]
            waiting.extend(reversed(joined))
        elif not _same(x, y):
            yield path, x, y


def _decoded(node: Any) -> Any:
    """Give what a JSON text says, or the node itself where it is none."""
    if not isinstance(node, str):
        return node
    try:
        return json.loads(node)
    except (ValueError, RecursionError):
        return node


def _children(x: Any, y: Any) -> Iterator[tuple[str | int, Any, Any]]:
    if isinstance(x, dict):
        for key in [*x, *(key for key in y if key not in x)]:
            yield key, x.get(key, _ABSENT), y.get(key, _ABSENT)
        return
    for place in range(max(len(x), len(y))):
        yield (
            place,
            x[place] if place < len(x) else _ABSENT,
            y[place] if place < len(y) else _ABSENT,
        )


def _join(path: str, key: str | int) -> str:
    if isinstance(key, int):
        return f"{path}[{key}]"
    return f"{path}.{key}" if path else str(key)


def _same(x: Any, y: Any) -> bool:
    if x is _ABSENT or y is _ABSENT:
        return False
    if isinstance(x, float) and isinstance(y, float):
        if math.isnan(x) or math.isnan(y):
            return math.isnan(x) and math.isnan(y)
        return x == y and math.copysign(1, x) == math.copysign(1, y)
    # True is no number here, though it equals 1.
    return isinstance(x, bool) == isinstance(y, bool) and bool(x == y)

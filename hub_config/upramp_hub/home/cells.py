"""Notebooks as cells: reading, setting a parameter, and what differs between two."""

from __future__ import annotations

import ast
import difflib
import json
from collections import Counter
from dataclasses import dataclass
from typing import Any, Final

from .errors import HomeError

__all__ = ["Cell", "CellChange", "cells_of", "compare", "set_parameter"]

_LONGEST: Final = 4000
"""Lines of a cell that are compared one by one: time grows with their square."""

_ALIKE: Final = 0.4
"""How alike two cells in the same place have to be, to be one that was changed."""


@dataclass(frozen=True)
class Cell:
    """A cell, without its outputs.

    Parameters
    ----------
    kind
        ``code``, ``markdown`` or ``raw``.
    source
        Its text.
    name
        Its id; nothing in notebooks of old.
    """

    kind: str
    source: str
    name: str = ""


@dataclass(frozen=True)
class CellChange:
    """What became of a cell.

    Parameters
    ----------
    what
        ``same``, ``changed``, ``added`` or ``removed``.
    kind
        ``code``, ``markdown`` or ``raw``.
    before, after
        Its number in the two notebooks, from 1; 0 where it is not.
    lines
        Its lines, each with what became of it: ``" "``, ``"-"`` or ``"+"``;
        none for a cell that is the same.
    """

    what: str
    kind: str
    before: int
    after: int
    lines: tuple[tuple[str, str], ...] = ()


def _loaded(content: bytes, path: str) -> dict[str, Any]:
    try:
        notebook = json.loads(content)
        cells = notebook["cells"]
        good = isinstance(cells, list) and all(
            isinstance(cell, dict)
            and isinstance(cell.get("cell_type"), str)
            and _text(cell.get("source")) is not None
            for cell in cells
        )
    except (ValueError, KeyError, TypeError, RecursionError):
        good = False
    if not good:
        raise HomeError(path, "it is no notebook", "move it away, or put an earlier version back")
    found: dict[str, Any] = notebook
    return found


def _text(source: Any) -> str | None:
    if isinstance(source, str):
        return source
    if isinstance(source, list) and all(isinstance(line, str) for line in source):
        return "".join(source)
    return None


def cells_of(content: bytes, path: str) -> list[Cell]:
    """Read the cells of a notebook.

    Parameters
    ----------
    content
        The notebook's bytes.
    path
        What it is called in an error.

    Raises
    ------
    HomeError
        If it is no notebook.
    """
    return [
        Cell(cell["cell_type"], _text(cell["source"]) or "", str(cell.get("id") or ""))
        for cell in _loaded(content, path)["cells"]
    ]


def set_parameter(content: bytes, path: str, name: str, value: str) -> bytes:
    """Give a notebook with a parameter set, in the cell that is tagged for it.

    Parameters
    ----------
    content
        The notebook's bytes.
    path
        What it is called in an error.
    name
        Of the parameter.
    value
        A text; where the parameter is a list, it becomes a list of this one.

    Raises
    ------
    HomeError
        If it is no notebook, or has no such parameter.
    """
    notebook = _loaded(content, path)
    for cell in notebook["cells"]:
        metadata = cell.get("metadata")
        tags = metadata.get("tags") if isinstance(metadata, dict) else None
        if cell["cell_type"] != "code" or not isinstance(tags, list) or "parameters" not in tags:
            continue
        source = _assigned(_text(cell["source"]) or "", name, value)
        if source is not None:
            cell["source"] = source.splitlines(keepends=True)
            text = json.dumps(notebook, indent=1, ensure_ascii=False)
            return f"{text}\n".encode(errors="surrogatepass")
    raise HomeError(
        path, f"it has no parameter {name}", "open the notebook itself, and set it there"
    )


def _assigned(source: str, name: str, value: str) -> str | None:
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return None
    for statement in tree.body:
        target = _target(statement, name)
        if target is not None:
            lines = [f"{line}\n" for line in source.split("\n")]  # as the parser counts them
            # What follows the statement in its last line, such as a comment, stays.
            last = lines[(statement.end_lineno or statement.lineno) - 1].encode()
            rest = last[statement.end_col_offset or 0 :].decode()
            first = lines[statement.lineno - 1].encode()[: statement.col_offset].decode()
            literal = _literal(value)
            if isinstance(getattr(statement, "value", None), ast.List):
                literal = f"[{literal}]"
            lines[statement.lineno - 1 : statement.end_lineno] = [
                f"{first}{target} = {literal}{rest}"
            ]
            return "".join(lines).removesuffix("\n")
    return None


def _target(statement: ast.stmt, name: str) -> str | None:
    """Give the left side of a statement that assigns a name, with its type if it says one."""
    if isinstance(statement, ast.AnnAssign):
        if isinstance(statement.target, ast.Name) and statement.target.id == name:
            return f"{name}: {ast.unparse(statement.annotation)}"
    elif isinstance(statement, ast.Assign) and any(
        isinstance(target, ast.Name) and target.id == name for target in statement.targets
    ):
        return name
    return None


def _literal(value: str) -> str:
    """Write a text as Python does, in the quotes of this project's code."""
    if value.isprintable() and "\\" not in value:
        return json.dumps(value, ensure_ascii=False)
    return repr(value)


# ---- what differs ---------------------------------------------------------------------------


def compare(before: list[Cell], after: list[Cell]) -> list[CellChange]:
    """Say what became of each cell.

    Cells are told by their ids where both notebooks have them, else by what
    they hold. Outputs are not compared: running a notebook does not change it.

    Parameters
    ----------
    before, after
        The cells of the two notebooks.

    Returns
    -------
    list of CellChange
        In the order of the newer notebook, what was removed where it was.
    """
    keys = _keys(before, after)
    matcher = difflib.SequenceMatcher(None, *keys, autojunk=False)
    changes = []
    for what, i, j, k, m in matcher.get_opcodes():
        if what == "equal":
            changes += [_changed(before, i + n, after, k + n) for n in range(j - i)]
            continue
        changes += _between(before, range(i, j), after, range(k, m))
    return changes


def _keys(before: list[Cell], after: list[Cell]) -> tuple[list[object], list[object]]:
    counts = [Counter(cell.name for cell in cells if cell.name) for cells in (before, after)]
    shared = {name for name, count in counts[0].items() if count == 1 == counts[1][name]}
    return (
        [cell.name if cell.name in shared else (cell.kind, cell.source) for cell in before],
        [cell.name if cell.name in shared else (cell.kind, cell.source) for cell in after],
    )


def _between(before: list[Cell], old: range, after: list[Cell], new: range) -> list[CellChange]:
    """Pair cells in the same place that are alike; the rest was removed and added."""
    changes = []
    waiting = list(new)
    for i in old:
        for k in waiting:
            if _alike(before[i], after[k]):
                changes += [_single("added", after, n) for n in waiting[: waiting.index(k)]]
                del waiting[: waiting.index(k) + 1]
                changes.append(_changed(before, i, after, k))
                break
        else:
            changes.append(_single("removed", before, i))
    return changes + [_single("added", after, k) for k in waiting]


def _alike(one: Cell, other: Cell) -> bool:
    if one.kind != other.kind or (one.name and other.name and one.name != other.name):
        return False
    lines = (one.source.splitlines(), other.source.splitlines())
    if max(map(len, lines)) > _LONGEST:
        return False
    return difflib.SequenceMatcher(None, *lines, autojunk=False).ratio() >= _ALIKE


def _single(what: str, cells: list[Cell], at: int) -> CellChange:
    mark, place = ("+", (0, at + 1)) if what == "added" else ("-", (at + 1, 0))
    lines = tuple((mark, line) for line in cells[at].source.splitlines())
    return CellChange(what, cells[at].kind, *place, lines)


def _changed(before: list[Cell], i: int, after: list[Cell], k: int) -> CellChange:
    old, new = before[i], after[k]
    if (old.kind, old.source) == (new.kind, new.source):
        return CellChange("same", new.kind, i + 1, k + 1)
    one, other = old.source.splitlines(), new.source.splitlines()
    lines: list[tuple[str, str]] = []
    if max(len(one), len(other)) > _LONGEST:
        lines = [*(("-", line) for line in one), *(("+", line) for line in other)]
    else:
        matcher = difflib.SequenceMatcher(None, one, other, autojunk=False)
        for what, a, b, c, d in matcher.get_opcodes():
            if what == "equal":
                lines += [(" ", line) for line in one[a:b]]
            else:
                lines += [("-", line) for line in one[a:b]]
                lines += [("+", line) for line in other[c:d]]
    return CellChange("changed", new.kind, i + 1, k + 1, tuple(lines))

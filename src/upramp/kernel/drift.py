"""What has changed since a notebook's outputs were made."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from .markup import Card
from .records import Record, from_notebook

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["drift_card", "notebook_of_session", "read_record", "reference_changes"]

_LARGEST: Final = 256 << 20
"""Bytes of a notebook that is looked into: whoever has larger ones knows why."""

_WHAT_DECIDES: Final = "The outputs below were made with what is named under “then”."


def notebook_of_session(environment: Mapping[str, str] | None = None) -> Path | None:
    """Find the notebook that this kernel was started for.

    Parameters
    ----------
    environment
        Variables; None for this process's.

    Returns
    -------
    Path or None
        None where the kernel has no notebook, as in a console.
    """
    environment = os.environ if environment is None else environment
    name = environment.get("JPY_SESSION_NAME", "")
    if not name.endswith(".ipynb") or "\0" in name:
        return None
    path = Path(name)
    return path if path.is_file() else None


def read_record(path: Path) -> Record:
    """Read what made a notebook's outputs.

    Parameters
    ----------
    path
        The notebook.

    Returns
    -------
    Record
        Empty if there is none, or the file is no notebook.
    """
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST + 1)
        if len(content) > _LARGEST or b"upramp" not in content:
            return Record()
        return from_notebook(json.loads(content))
    except (OSError, ValueError, RecursionError):
        return Record()


def drift_card(record: Record, *, most: int | None = None) -> Card | None:
    """Compare what made a notebook's outputs with what is here now.

    Parameters
    ----------
    record
        What made them.
    most
        Bytes of references to hash at most; None for all of them.

    Returns
    -------
    Card or None
        A row for each difference; None if there is none.
    """
    rows: list[tuple[str, str, str]] = []
    rows += _version_changes(record)
    rows += _context_changes(record)
    changes, unchecked = reference_changes(record, most=most)
    rows += changes
    if not rows:
        return None
    notes = [_WHAT_DECIDES, "Run the notebook again to have it all of one make."]
    if len(record.environments) > 1:
        made = f"They were made in {len(record.environments)} different environments."
        notes.insert(1, made)
    if unchecked:
        notes.append(f"{unchecked} references are there and were not read: %provenance --drift.")
    return Card(
        "Something has changed since this notebook was run",
        list(dict.fromkeys(rows)),
        header=("", "then", "now"),
        notes=notes,
        kind="notice",
        data=rows,
    )


def _version_changes(record: Record) -> list[tuple[str, str, str]]:
    from upramp.stages.provenance import versions

    now = versions()
    found: dict[str, set[str]] = {}
    for one in record.environments:
        for name, version in one["versions"].items():
            found.setdefault(name, set()).add(version)
    return [
        (name, ", ".join(sorted(then)), now.get(name, "not recorded"))
        for name, then in found.items()
        if then != {now.get(name)}
    ]


def _context_changes(record: Record) -> list[tuple[str, str, str]]:
    from .context import in_force

    now, _ = in_force()
    then = {str(one["context"]) for one in record.environments if one["context"]}
    if now is None or then in (set(), {now}):
        return []
    return [("CRDS context", ", ".join(sorted(then)), now)]


def reference_changes(
    record: Record, *, most: int | None = None
) -> tuple[list[tuple[str, str, str]], int]:
    """Look for the references of a record in the cache.

    Parameters
    ----------
    record
        What made a notebook's outputs.
    most
        Bytes to hash at most; None for all.

    Returns
    -------
    list of tuple
        Reference, then, now: for each that is gone or differs.
    int
        How many are there and were not hashed.
    """
    from upramp.errors import InputError
    from upramp.references import crds_environment, sha256_of

    environment = crds_environment()
    folder = environment.references
    rows: list[tuple[str, str, str]] = []
    unchecked = 0
    left = most
    for one in record.references:
        name, label = one["file"], f"reference {one['file']}"
        then = f"sha256 {one['sha256'][:12]}…"
        path = _in_cache(folder, name)
        if path is None:
            now = "not in the cache" + (", to be fetched" if environment.server_url else "")
            rows.append((label, then, now))
            continue
        size = path.stat().st_size
        if left is not None and size > left:
            unchecked += 1
            continue
        left = None if left is None else left - size
        try:
            digest = sha256_of(path)
        except InputError as error:
            rows.append((label, then, error.problem))
            continue
        if digest != one["sha256"]:
            rows.append((label, then, f"sha256 {digest[:12]}…"))
    return rows, unchecked


def _in_cache(folder: Path, name: str) -> Path | None:
    # The name is a notebook's word: it may lead nowhere but into the cache.
    if Path(name).name != name or "\0" in name:
        return None
    places = [folder / name]
    parts = name.split("_")
    if len(parts) > 2 and parts[1].isalnum():  # caches may keep each instrument apart
        places.append(folder / parts[1] / name)
    for place in places:
        try:
            if place.is_file():
                return place
        except OSError:  # a name that is too long
            return None
    return None


def describe_record(record: Record) -> Card:
    """Say that nothing has changed, and what the outputs were made with.

    Parameters
    ----------
    record
        What made them.
    """
    rows: list[tuple[str, Any]] = []
    for one in record.environments:
        versions = ", ".join(f"{name} {version}" for name, version in one["versions"].items())
        runs = f"{one['runs']} run" + ("s" if one["runs"] > 1 else "")
        rows.append((one["engine"], f"{one['context']}, {runs}, {versions}"))
    rows.append(("references", f"{len(record.references)}, all as they were"))
    return Card("Nothing has changed since this notebook was run", rows)

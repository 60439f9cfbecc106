"""Which proposals' exposures a user may read, from the groups that they are in.

A group ``proposal-1234`` gives the proposal ``1234``. What else a group gives
is said in the file ``proposals.toml`` in the hub's private folder, for
institutions whose groups have names of their own::

    [groups]
    "ramp-team" = ["1234", "5678"]
    "staff" = ["*"]

``*`` stands for all proposals. A server is told in ``UPRAMP_PROPOSALS``; its
user can change what is in there, so it is for display. The archive asks the
hub for the groups of who asks it.
"""

from __future__ import annotations

import re
import tomllib
from typing import TYPE_CHECKING, Final

from upramp.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

__all__ = ["FILE", "VARIABLE", "mapping_of", "proposals_of", "written"]

FILE: Final = "proposals.toml"
VARIABLE: Final = "UPRAMP_PROPOSALS"
_GROUP: Final = re.compile(r"proposal-([0-9]{1,6})")
_PROPOSAL: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,31}|\*")


def proposals_of(groups: Iterable[str], state: Path | None = None) -> set[str]:
    """Give the proposals that groups give.

    Parameters
    ----------
    groups
        Names of groups.
    state
        The hub's private folder, where further groups may be told; None for none.

    Raises
    ------
    InputError
        If the file that tells them cannot be read as what it is.
    """
    mapping = {} if state is None else mapping_of(state)
    found: set[str] = set()
    for group in groups:
        if match := _GROUP.fullmatch(group):
            # Proposal 42 is written 00042 in names of files.
            found.add(match[1].lstrip("0") or "0")
        found.update(mapping.get(group, ()))
    return found


def mapping_of(state: Path) -> dict[str, tuple[str, ...]]:
    """Read what further groups give.

    Parameters
    ----------
    state
        The hub's private folder.

    Raises
    ------
    InputError
        If the file is there and is not such a table.
    """
    file = state / FILE
    try:
        content = tomllib.loads(file.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise InputError(file, f"it cannot be read ({error})", "mend it or remove it") from error
    groups = content.get("groups")
    if not isinstance(groups, dict) or set(content) != {"groups"}:
        raise InputError(file, "it is not one table [groups]", "write each group in there")
    mapping: dict[str, tuple[str, ...]] = {}
    for group, given in groups.items():
        if not isinstance(given, list) or not all(
            isinstance(each, str) and _PROPOSAL.fullmatch(each) for each in given
        ):
            raise InputError(
                file,
                f"what the group {group!r} gives is no list of proposals",
                'write them as ["1234", "5678"]',
            )
        mapping[group] = tuple(given)
    return mapping


def written(proposals: Iterable[str]) -> str:
    """Give proposals as ``UPRAMP_PROPOSALS`` has them: sorted, with commas between.

    Parameters
    ----------
    proposals
        The proposals.
    """
    return ",".join(sorted(set(proposals)))

"""What an account and a group may be called.

A name becomes part of addresses, of a folder's path and of cookies' names, so
it is held to what is itself in all of them. It is ASCII before it is made
lower-case: some letters that are not (the Kelvin sign for one) become one that
is, and two names would be one.
"""

from __future__ import annotations

import pwd
import re
from typing import TYPE_CHECKING, Final

from .errors import AccountError

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["RULE", "check_groups", "check_name", "is_name", "normalised", "split_groups"]

RULE: Final = (
    "a name is 2 to 32 lower-case letters and digits, begins with a letter, and may hold single "
    "dots and dashes between them"
)
_NAME: Final = re.compile(r"[a-z][a-z0-9]*(?:[.-][a-z0-9]+)*")
_LENGTHS: Final = range(2, 33)
_GROUP: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,62}[A-Za-z0-9])?")
_MOST_GROUPS: Final = 200

_RESERVED: Final = frozenset(
    {"accounts", "anonymous", "api", "guest", "hub", "nobody", "service", "services", "shared"}
    | {"root", "static", "system", "upramp", "user", "users"}
)
"""Names that would read as something else than a person in a path or in a log."""

_FIRST_PERSON: Final = 1000
"""Accounts of a machine below this uid are not persons but its own."""


def normalised(text: str) -> str:
    """Give a name as it is kept, from what somebody typed.

    Parameters
    ----------
    text
        What was typed; only ASCII is changed, so that nothing turns into another's name.
    """
    text = text.strip(" \t")
    return text.lower() if text.isascii() else text


def is_name(name: str) -> bool:
    """Tell whether a text, as it stands, may be the name of an account.

    Parameters
    ----------
    name
        The text.
    """
    return len(name) in _LENGTHS and _NAME.fullmatch(name) is not None


def check_name(name: str) -> None:
    """Refuse what may not be the name of a new account.

    Parameters
    ----------
    name
        As it is to be kept.

    Raises
    ------
    AccountError
        If the rule is broken, or it means something else on this machine.
    """
    shown = name if len(name) <= 40 else f"{name[:40]}..."
    if not is_name(name):
        raise AccountError(f"The name {shown!r}", "it cannot be one", RULE)
    if name in _RESERVED or _of_the_system(name):
        raise AccountError(
            f"The name {name!r}", "it means something else on this machine", "choose another"
        )


def _of_the_system(name: str) -> bool:
    try:
        number = pwd.getpwnam(name).pw_uid
    except KeyError:
        return False
    return number < _FIRST_PERSON


def split_groups(text: str) -> tuple[str, ...]:
    """Give the groups of a text in which commas, spaces or line ends are between them.

    Parameters
    ----------
    text
        What was typed.
    """
    return tuple(dict.fromkeys(filter(None, re.split(r"[\s,;]+", text))))


def check_groups(groups: Iterable[str]) -> tuple[str, ...]:
    """Refuse what may not be the name of a group; give them sorted, each once.

    Parameters
    ----------
    groups
        Names of groups.

    Raises
    ------
    AccountError
        If there is one that cannot be, or there are very many.
    """
    found = sorted(set(groups))
    for group in found:
        if not _GROUP.fullmatch(group):
            raise AccountError(
                f"The group {group[:70]!r}",
                "it cannot be one",
                "use up to 64 letters, digits, dots, dashes and underscores",
            )
    if len(found) > _MOST_GROUPS:
        raise AccountError(f"{len(found)} groups", f"{_MOST_GROUPS} are the most", "give fewer")
    return tuple(found)

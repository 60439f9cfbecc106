"""A number of its own for each user of the hub, as which their servers run.

The base is 20000 plus the user's number in the hub's database. That one is not
enough: the database gives the number of a deleted user to the next new one,
who would own the files of the first. So who has which is written down, by
name, and none is given twice.
"""

from __future__ import annotations

import json
import pwd
from typing import TYPE_CHECKING, Final

from upramp.atomic import write_text
from upramp.errors import UprampError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["BASE", "NumbersError", "number_of"]

BASE: Final = 20000
_END: Final = 60000
"""Beyond this, systems have other uses for numbers of users."""


class NumbersError(UprampError):
    """A user could not be given a number of their own."""


def number_of(name: str, identity: int, ledger: Path) -> int:
    """Give the number that a user's servers run as, always the same.

    Parameters
    ----------
    name
        Of the user at the hub.
    identity
        Their number in the hub's database.
    ledger
        The file where numbers are written down, in a private folder.

    Raises
    ------
    NumbersError
        If the file is damaged, or there are no numbers left.
    """
    try:
        given: dict[str, int] = json.loads(ledger.read_text("utf-8"))
        taken = {int(number) for number in given.values()}
    except FileNotFoundError:
        given, taken = {}, set()
    except (ValueError, AttributeError) as error:
        raise NumbersError(
            ledger,
            "the list of users' numbers cannot be read",
            "put back a copy of it: without it, users could be given each other's files",
        ) from error
    if name in given:
        return given[name]
    number = BASE + identity
    while number in taken or _is_of_system(number):
        number += 1
    if number >= _END:
        raise NumbersError(name, "there is no number left for this user", f"clear {ledger}")
    write_text(ledger, json.dumps({**given, name: number}, indent=1, sort_keys=True))
    return number


def _is_of_system(number: int) -> bool:
    try:
        pwd.getpwuid(number)
    except KeyError:
        return False
    return True

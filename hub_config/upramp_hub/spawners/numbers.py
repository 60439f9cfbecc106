"""A number of its own for each user of the hub, as which their servers run.

It is the user's number in the hub's database above a base. That one is not
enough: the database gives the number of a deleted user to the next new one,
who would own the files of the first. So who has which is written down, by
name, and none is given twice.

Two hubs on one machine must not give one number to two people, who could then
look into each other's processes and files. So each has a base of its own,
by where its list lies, and numbers under which something runs are left out.
"""

from __future__ import annotations

import hashlib
import json
import pwd
from typing import TYPE_CHECKING, Final

import psutil

from upramp.atomic import write_text
from upramp.errors import UprampError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["BASE", "NumbersError", "base_of", "number_of"]

BASE: Final = 20000
_END: Final = 60000
"""Beyond this, systems have other uses for numbers of users."""


_BLOCK: Final = 100
"""How far the bases of two hubs are apart, at least."""


class NumbersError(UprampError):
    """A user could not be given a number of their own."""


def base_of(ledger: Path) -> int:
    """Give where a hub's numbers begin: always the same for one list.

    Parameters
    ----------
    ledger
        The file where its numbers are written down.
    """
    digest = hashlib.sha256(str(ledger.resolve()).encode()).digest()
    blocks = (_END - BASE) // _BLOCK - 1  # the last one is left to grow into
    return BASE + _BLOCK * (int.from_bytes(digest[:8]) % blocks)


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
    number = base_of(ledger) + identity
    taken |= _at_work()
    while number in taken or _is_of_system(number):
        number += 1
    if number >= _END:
        raise NumbersError(name, "there is no number left for this user", f"clear {ledger}")
    write_text(ledger, json.dumps({**given, name: number}, indent=1, sort_keys=True))
    return number


def _at_work() -> set[int]:
    """Give the numbers under which something runs: of users of another hub, perhaps."""
    return {
        number
        for process in psutil.process_iter(["uids"])
        if process.info["uids"]
        for number in process.info["uids"]
    }


def _is_of_system(number: int) -> bool:
    try:
        pwd.getpwuid(number)
    except KeyError:
        return False
    return True

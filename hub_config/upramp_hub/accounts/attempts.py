"""Wrong passwords: who has to wait, and for how long.

Three counts, each of which slows down one way of guessing and is built so that
it cannot be turned against a user from elsewhere:

- of a name from an address: somebody guesses one user's password;
- of an address: somebody tries many names from one place;
- of a name: somebody guesses one user's password from many places.

The second and third do not bind a user at an address where they have signed in
before: whoever tries to lock users out from elsewhere, or sits behind the same
gateway as they do, hinders newcomers only, and those for minutes at most.
Right passwords do not wipe the second and third out: an attacker who has an
account would mix it in.

Names and addresses are kept as keyed hashes: people type passwords in the
field of the name.
"""

from __future__ import annotations

import hashlib
import ipaddress
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from .errors import LockedOutError

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable

    from .database import Database

__all__ = ["Attempts", "place"]


@dataclass(frozen=True)
class _Limit:
    """From the ``free``-th wrong password on a wait that doubles up to ``longest`` seconds."""

    free: int
    longest: float

    def wait(self, times: int) -> float:
        beyond = times - self.free
        return 0.0 if beyond < 0 else min(_FIRST_WAIT * 2.0 ** min(beyond, 30), self.longest)


_FIRST_WAIT: Final = 5.0
_PAIR: Final = _Limit(free=5, longest=900.0)
_ADDRESS: Final = _Limit(free=20, longest=300.0)
_NAME: Final = _Limit(free=50, longest=60.0)
_FORGET: Final = 3600.0
"""Seconds without a wrong password after which a count begins anew."""
_FAMILIAR: Final = 90 * 86400.0
_MOST_ROWS: Final = 20_000


def place(address: str) -> str:
    """Give what counts as one place: an IPv4 address, or the network that a site is given in IPv6.

    Parameters
    ----------
    address
        Of a client; what is no address is a place of its own.
    """
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped:
            return str(found.ipv4_mapped)
        return str(ipaddress.ip_network((int(found) >> 64 << 64, 64)))
    return str(found)


class Attempts:
    """Counts of wrong passwords.

    Parameters
    ----------
    database
        Where they are kept: a restart of the hub forgives nobody.
    clock
        Gives seconds.
    """

    def __init__(self, database: Database, clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self._clock = clock
        with database.reading() as connection:
            row = connection.execute("SELECT value FROM fact WHERE name = 'key'").fetchone()
        self._key: bytes = row["value"]

    def check(self, name: str, address: str) -> None:
        """Refuse a try that comes too early.

        Parameters
        ----------
        name
            What was given as one, whether there is such an account or not.
        address
            Where it comes from.

        Raises
        ------
        LockedOutError
            If it has to wait.
        """
        now = self._clock()
        counts = self._counts(name, address)
        with self._database.reading() as connection:
            if self._is_familiar(connection, name, address):
                counts = {who: limit for who, limit in counts.items() if limit is _PAIR}
            wait = 0.0
            for who, limit in counts.items():
                row = connection.execute(
                    "SELECT locked FROM wrong WHERE who = ?", (who,)
                ).fetchone()
                if row is not None:
                    # A clock that was set back makes nobody wait longer than the longest.
                    wait = max(wait, min(row["locked"] - now, limit.longest))
        if wait > 0:
            raise LockedOutError(wait)

    def failed(self, name: str, address: str) -> None:
        """Count a wrong password.

        Parameters
        ----------
        name
            What was given as one.
        address
            Where it came from.
        """
        now = self._clock()
        with self._database.changing() as connection:
            connection.execute("DELETE FROM wrong WHERE last < ?", (now - _FORGET,))
            for who, limit in self._counts(name, address).items():
                row = connection.execute(
                    "SELECT times FROM wrong WHERE who = ?", (who,)
                ).fetchone()
                times = 1 + (row["times"] if row else 0)
                connection.execute(
                    "INSERT OR REPLACE INTO wrong VALUES (?, ?, ?, ?)",
                    (who, times, now + limit.wait(times), now),
                )
            connection.execute(
                "DELETE FROM wrong WHERE who IN"
                " (SELECT who FROM wrong ORDER BY last DESC LIMIT -1 OFFSET ?)",
                (_MOST_ROWS,),
            )

    def succeeded(self, name: str, address: str) -> None:
        """Take note of a right password.

        Parameters
        ----------
        name
            Of the account.
        address
            Where it came from.
        """
        now = self._clock()
        pair = self._hash("pair", name, address)
        with self._database.changing() as connection:
            connection.execute("DELETE FROM wrong WHERE who = ?", (pair,))
            connection.execute("DELETE FROM familiar WHERE last < ?", (now - _FAMILIAR,))
            connection.execute("INSERT OR REPLACE INTO familiar VALUES (?, ?)", (pair, now))

    def _counts(self, name: str, address: str) -> dict[bytes, _Limit]:
        return {
            self._hash("pair", name, address): _PAIR,
            self._hash("address", "", address): _ADDRESS,
            self._hash("name", name, ""): _NAME,
        }

    def _is_familiar(self, connection: sqlite3.Connection, name: str, address: str) -> bool:
        found = connection.execute(
            "SELECT 1 FROM familiar WHERE who = ? AND last >= ?",
            (self._hash("pair", name, address), self._clock() - _FAMILIAR),
        ).fetchone()
        return found is not None

    def _hash(self, kind: str, name: str, address: str) -> bytes:
        text = "\0".join((kind, place(address) if address else "", name))
        data = text.encode("utf-8", "surrogatepass")
        return hashlib.blake2b(data, key=self._key, digest_size=16).digest()

"""The hub's own accounts and the invitations to have one."""

from __future__ import annotations

import hashlib
import json
import secrets
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from . import passwords
from .database import Database
from .errors import ConflictError, InvitationError, RefusedError
from .names import check_groups, check_name, is_name

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterable
    from pathlib import Path

__all__ = ["LIFETIME", "Account", "Accounts", "Invitation", "first_administrator"]

LIFETIME: Final = 7 * 86400.0
"""Seconds for which an invitation holds."""

_FIRST_NAME: Final = "admin"


@dataclass(frozen=True)
class Account:
    """An account as others see it: what is kept of its password is not in it.

    Parameters
    ----------
    number
        Its own for ever: never given to another, also not after it was removed.
    name
        Its name.
    administrator
        Whether it may invite, reset and remove others.
    groups
        Names of its groups, sorted.
    has_password
        Whether it can sign in; not after a reset, until the invitation is accepted.
    must_change
        Whether its password was made by the hub and is to be replaced.
    made
        When it was made, in seconds since 1970.
    """

    number: int
    name: str
    administrator: bool
    groups: tuple[str, ...]
    has_password: bool
    must_change: bool
    made: float


@dataclass(frozen=True)
class Invitation:
    """An invitation as administrators see it: the secret in its address is not in it.

    Parameters
    ----------
    identity
        What it is taken back by.
    name
        For whom it is; None if whoever accepts it chooses a name.
    administrator, groups
        What the account will be.
    resets
        Whether the account is there and gets a new password.
    maker
        The administrator who made it.
    expires
        When, in seconds since 1970.
    """

    identity: str
    name: str | None
    administrator: bool
    groups: tuple[str, ...]
    resets: bool
    maker: str
    expires: float


_SIGNED_OUT: Final = "signed out "
"""How the name of a fact begins that says whose sessions are to end."""


class Accounts:
    """Accounts and invitations.

    Parameters
    ----------
    state
        The hub's private folder.
    clock
        Gives seconds since 1970.
    """

    def __init__(self, state: Path, clock: Callable[[], float] = time.time) -> None:
        self.database = Database(state)
        self._clock = clock

    # ---- who there is

    def all(self) -> list[Account]:
        """Give all accounts, by name."""
        with self.database.reading() as connection:
            rows = connection.execute("SELECT * FROM account ORDER BY name").fetchall()
        return [_account(row) for row in rows]

    def find(self, name: str) -> Account | None:
        """Give an account, or None where there is none.

        Parameters
        ----------
        name
            Its name, as it is kept.
        """
        row = self._row(name)
        return None if row is None else _account(row)

    def get(self, name: str) -> Account:
        """Give an account.

        Parameters
        ----------
        name
            Its name.

        Raises
        ------
        ConflictError
            If there is none.
        """
        found = self.find(name)
        if found is None:
            raise _unknown(name)
        return found

    def was_removed(self, name: str) -> bool:
        """Tell whether a name was somebody's who is no longer here.

        Parameters
        ----------
        name
            The name.
        """
        with self.database.reading() as connection:
            return _one(connection, "SELECT 1 FROM removed WHERE name = ?", name) is not None

    def _row(self, name: str) -> sqlite3.Row | None:
        with self.database.reading() as connection:
            return _one(connection, "SELECT * FROM account WHERE name = ?", name)

    # ---- passwords

    def verify(self, name: str, password: str) -> Account | None:
        """Give the account whose name and password these are, else None.

        It takes a tenth of a second, whether there is such an account or not.

        Parameters
        ----------
        name, password
            What was typed.
        """
        row = self._row(name) if is_name(name) else None
        kept = None if row is None else row["password"]
        if not passwords.matches(password, kept) or kept is None:
            return None
        if passwords.outdated(kept):
            anew = passwords.hashed(password)
            with self.database.changing() as connection:
                connection.execute(
                    "UPDATE account SET password = ? WHERE name = ? AND password = ?",
                    (anew, name, kept),
                )
        return self.find(name)

    def change_password(self, name: str, old: str, new: str) -> None:
        """Replace a password by its owner.

        Parameters
        ----------
        name
            Whose.
        old, new
            The passwords.

        Raises
        ------
        RefusedError
            If the old one is wrong, or was changed meanwhile.
        AccountError
            If the new one would be guessed, or is the old one.
        """
        row = self._row(name)
        kept = None if row is None else row["password"]
        wrong = RefusedError("The old password", "it is wrong", "type the one you sign in with")
        if not passwords.matches(old, kept):
            raise wrong
        passwords.check(new, name)
        if passwords.matches(new, kept):
            raise ConflictError("The new password", "it is the old one", "choose another")
        anew = passwords.hashed(new)
        with self.database.changing() as connection:
            changed = connection.execute(
                "UPDATE account SET password = ?, must_change = 0 WHERE name = ? AND password = ?",
                (anew, name, kept),
            ).rowcount
        if not changed:
            raise wrong

    # ---- invitations

    def invite(
        self,
        maker: str,
        *,
        name: str | None = None,
        groups: Iterable[str] = (),
        administrator: bool = False,
        lifetime: float = LIFETIME,
    ) -> str:
        """Make an invitation to have an account; one for the same name before it is void.

        Parameters
        ----------
        maker
            The administrator who invites.
        name
            For whom; None to let whoever accepts choose. A name that was
            removed may be given again in this way only: its holder gets what
            the one before left in the home.
        groups, administrator
            What the account will be.
        lifetime
            Seconds for which it holds.

        Returns
        -------
        str
            The secret that accepts it, kept nowhere.

        Raises
        ------
        AccountError
            If the name or a group cannot be, or there is an account of this name.
        """
        groups = check_groups(groups)
        if name is not None:
            check_name(name)
            if self.find(name) is not None:
                raise ConflictError(
                    f"The name {name!r}",
                    "there is an account of it",
                    "reset it, or choose another",
                )
        with self.database.changing() as connection:
            return self._new_invitation(
                connection, (name, administrator, groups, False, maker, self._clock() + lifetime)
            )

    def reset(self, name: str, maker: str, lifetime: float = LIFETIME) -> str:
        """Take an account's password away, and make the invitation to give it a new one.

        Parameters
        ----------
        name
            Whose.
        maker
            The administrator who does it.
        lifetime
            Seconds for which the invitation holds.

        Returns
        -------
        str
            The secret that accepts the invitation.

        Raises
        ------
        ConflictError
            If there is no such account, or nobody else could administrate.
        """
        with self.database.changing() as connection:
            _check_others_administrate(connection, name)
            connection.execute("UPDATE account SET password = NULL WHERE name = ?", (name,))
            return self._new_invitation(
                connection, (name, False, (), True, maker, self._clock() + lifetime)
            )

    def _new_invitation(
        self,
        connection: sqlite3.Connection,
        what: tuple[str | None, bool, tuple[str, ...], bool, str, float],
    ) -> str:
        name, administrator, groups, resets, maker, expires = what
        secret = secrets.token_urlsafe(32)
        connection.execute(
            "DELETE FROM invitation WHERE expires <= ? OR name = ?", (self._clock(), name)
        )
        connection.execute(
            "INSERT INTO invitation (identity, digest, name, administrator, groups, resets,"
            " maker, expires) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                *(secrets.token_hex(8), _digest(secret), name, administrator),
                *(json.dumps(groups), resets, maker, expires),
            ),
        )
        return secret

    def invitations(self) -> list[Invitation]:
        """Give the invitations that still hold, the first to expire first."""
        with self.database.reading() as connection:
            rows = connection.execute(
                "SELECT * FROM invitation WHERE expires > ? ORDER BY expires", (self._clock(),)
            ).fetchall()
        return [_invitation(row) for row in rows]

    def invitation(self, secret: str) -> Invitation:
        """Give what a secret invites to, without using it.

        Parameters
        ----------
        secret
            What :meth:`invite` or :meth:`reset` gave.

        Raises
        ------
        InvitationError
            If it invites to nothing, or no longer.
        """
        with self.database.reading() as connection:
            return self._invitation(connection, secret)

    def _invitation(self, connection: sqlite3.Connection, secret: str) -> Invitation:
        row = _one(connection, "SELECT * FROM invitation WHERE digest = ?", _digest(secret))
        if row is None or row["expires"] <= self._clock():
            raise InvitationError(
                "This invitation", "it was used, has expired or never was", "ask for a new one"
            )
        return _invitation(row)

    def withdraw(self, identity: str) -> None:
        """Take an invitation back; nothing happens if it was used meanwhile.

        Parameters
        ----------
        identity
            Of the invitation.
        """
        with self.database.changing() as connection:
            connection.execute("DELETE FROM invitation WHERE identity = ?", (identity,))

    def accept(self, secret: str, name: str, password: str) -> Account:
        """Use an invitation: make the account, or give it its new password.

        Parameters
        ----------
        secret
            The invitation's.
        name
            The name that was chosen; not asked for where the invitation has one.
        password
            The password that was chosen.

        Raises
        ------
        InvitationError
            If it does not hold, or somebody else used it in the meantime.
        AccountError
            If the name is taken or the password would be guessed; it can be used again then.
        """
        found = self.invitation(secret)
        name = found.name or name
        if found.name is None:
            self._check_free(name)
        passwords.check(password, name)
        kept = passwords.hashed(password)
        with self.database.changing() as connection:
            # Of two who accept at once, the second finds none here.
            found = self._invitation(connection, secret)
            connection.execute("DELETE FROM invitation WHERE identity = ?", (found.identity,))
            if found.resets:
                changed = connection.execute(
                    "UPDATE account SET password = ?, must_change = 0 WHERE name = ?",
                    (kept, name),
                ).rowcount
                if not changed:
                    raise _unknown(name)
            else:
                # Only an administrator gives a removed name again.
                tables = ("account",) if found.name else ("account", "removed")
                for table in tables:
                    if _one(connection, f"SELECT 1 FROM {table} WHERE name = ?", name):  # noqa: S608  # one of two
                        raise _taken(name)
                self._insert(connection, name, kept, found.groups, found.administrator)
        return self.get(name)

    def _check_free(self, name: str) -> None:
        check_name(name)
        promised = any(each.name == name for each in self.invitations())
        if promised or self.find(name) is not None or self.was_removed(name):
            raise _taken(name)

    def _insert(
        self,
        connection: sqlite3.Connection,
        name: str,
        kept: str,
        groups: tuple[str, ...],
        administrator: bool,
        must_change: bool = False,
    ) -> None:
        before = _one(connection, "SELECT number FROM removed WHERE name = ?", name)
        connection.execute("DELETE FROM removed WHERE name = ?", (name,))
        connection.execute(
            "INSERT INTO account (number, name, password, administrator, groups, must_change,"
            " made) VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                # Whoever comes back finds their files theirs.
                *(None if before is None else before["number"], name, kept, administrator),
                *(json.dumps(groups), must_change, self._clock()),
            ),
        )

    # ---- what administrators change

    def set_groups(self, name: str, groups: Iterable[str]) -> tuple[str, ...]:
        """Give an account its groups, and give them as they are kept.

        Parameters
        ----------
        name
            Whose.
        groups
            All that it is to have.

        Raises
        ------
        AccountError
            If there is no such account, or a group cannot be.
        """
        kept = check_groups(groups)
        with self.database.changing() as connection:
            changed = connection.execute(
                "UPDATE account SET groups = ? WHERE name = ?", (json.dumps(kept), name)
            ).rowcount
        if not changed:
            raise _unknown(name)
        return kept

    def set_administrator(self, name: str, administrator: bool) -> None:
        """Make somebody an administrator, or no longer.

        Parameters
        ----------
        name
            Whose account.
        administrator
            Whether it is to be one's.

        Raises
        ------
        ConflictError
            If there is no such account, or nobody else could administrate.
        """
        with self.database.changing() as connection:
            if not administrator:
                _check_others_administrate(connection, name)
            changed = connection.execute(
                "UPDATE account SET administrator = ? WHERE name = ?", (administrator, name)
            ).rowcount
            if not changed:
                raise _unknown(name)

    def check_removable(self, name: str) -> None:
        """Refuse to remove an account that cannot be.

        Parameters
        ----------
        name
            Whose.

        Raises
        ------
        ConflictError
            If there is no such account, or nobody else could administrate.
        """
        with self.database.reading() as connection:
            _check_others_administrate(connection, name)

    def remove(self, name: str) -> None:
        """Remove an account; its name stays kept, as its home does.

        Parameters
        ----------
        name
            Whose.

        Raises
        ------
        ConflictError
            If there is no such account, or nobody else could administrate.
        """
        with self.database.changing() as connection:
            _check_others_administrate(connection, name)
            row = _one(connection, "SELECT number FROM account WHERE name = ?", name)
            assert row is not None  # noqa: S101  # it was just looked up
            connection.execute("DELETE FROM account WHERE name = ?", (name,))
            connection.execute("DELETE FROM invitation WHERE name = ?", (name,))
            connection.execute("INSERT INTO removed VALUES (?, ?)", (name, row["number"]))

    # ---- the first administrator

    def make_first(self, name: str = _FIRST_NAME) -> tuple[str, str] | None:
        """Make the first administrator where there never was an account.

        Parameters
        ----------
        name
            The name it gets.

        Returns
        -------
        tuple of str or None
            Name and password, this once; None at any later time.
        """
        password = passwords.made_up()
        kept = passwords.hashed(password)
        with self.database.changing() as connection:
            # Numbers are remembered for good, so this also knows of accounts that are gone.
            if _one(connection, "SELECT 1 FROM sqlite_sequence WHERE name = ?", "account"):
                return None
            self._insert(connection, name, kept, (), administrator=True, must_change=True)
        return name, password

    def make_new_password(self, name: str) -> str:
        """Give an account a password that the hub makes, whatever it had; for who has the machine.

        Parameters
        ----------
        name
            Whose.

        Returns
        -------
        str
            The password, to be replaced at the next sign-in.

        Raises
        ------
        ConflictError
            If there is no such account.
        """
        password = passwords.made_up()
        kept = passwords.hashed(password)
        with self.database.changing() as connection:
            changed = connection.execute(
                "UPDATE account SET password = ?, must_change = 1 WHERE name = ?", (kept, name)
            ).rowcount
            connection.execute(
                "INSERT OR REPLACE INTO fact VALUES (?, x'')", (_SIGNED_OUT + name,)
            )
        if not changed:
            raise _unknown(name)
        return password

    def take_signed_out(self, name: str) -> bool:
        """Tell, once, whether whoever is signed in as somebody is to be signed out.

        Parameters
        ----------
        name
            Whose password was made anew beside the hub.
        """
        key = (_SIGNED_OUT + name,)
        with self.database.reading() as connection:
            if connection.execute("SELECT 1 FROM fact WHERE name = ?", key).fetchone() is None:
                return False
        with self.database.changing() as connection:
            return connection.execute("DELETE FROM fact WHERE name = ?", key).rowcount > 0

    # ---- which tokens are those of running servers

    def remember_server_token(self, name: str, hashed: str, others: Iterable[str]) -> None:
        """Take note of the token that a user's server was given.

        Parameters
        ----------
        name
            Whose server.
        hashed
            As the hub keeps the token.
        others
            The user's other tokens that there still are, as the hub keeps them.
        """
        there = {hashed, *others}
        with self.database.changing() as connection:
            for row in connection.execute(
                "SELECT hashed FROM server_token WHERE name = ?", (name,)
            ).fetchall():
                if row["hashed"] not in there:
                    connection.execute(
                        "DELETE FROM server_token WHERE hashed = ?", (row["hashed"],)
                    )
            connection.execute("INSERT OR REPLACE INTO server_token VALUES (?, ?)", (hashed, name))

    def server_tokens(self, name: str) -> set[str]:
        """Give the tokens of a user's servers, as the hub keeps them.

        Parameters
        ----------
        name
            Whose.
        """
        with self.database.reading() as connection:
            rows = connection.execute(
                "SELECT hashed FROM server_token WHERE name = ?", (name,)
            ).fetchall()
        return {row["hashed"] for row in rows}


def first_administrator(state: Path) -> tuple[str, str] | None:
    """Make the first administrator of a new hub.

    Parameters
    ----------
    state
        The hub's private folder.

    Returns
    -------
    tuple of str or None
        Name and password, to be shown once; None where there is or was an account.
    """
    return Accounts(state).make_first()


def _one(connection: sqlite3.Connection, query: str, value: str) -> sqlite3.Row | None:
    row: sqlite3.Row | None = connection.execute(query, (value,)).fetchone()
    return row


def _account(row: sqlite3.Row) -> Account:
    return Account(
        number=row["number"],
        name=row["name"],
        administrator=bool(row["administrator"]),
        groups=tuple(json.loads(row["groups"])),
        has_password=row["password"] is not None,
        must_change=bool(row["must_change"]),
        made=row["made"],
    )


def _invitation(row: sqlite3.Row) -> Invitation:
    return Invitation(
        identity=row["identity"],
        name=row["name"],
        administrator=bool(row["administrator"]),
        groups=tuple(json.loads(row["groups"])),
        resets=bool(row["resets"]),
        maker=row["maker"],
        expires=row["expires"],
    )


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def _check_others_administrate(connection: sqlite3.Connection, name: str) -> None:
    if _one(connection, "SELECT 1 FROM account WHERE name = ?", name) is None:
        raise _unknown(name)
    others = _one(
        connection,
        "SELECT 1 FROM account WHERE administrator AND password IS NOT NULL AND name != ? LIMIT 1",
        name,
    )
    if others is None:
        raise ConflictError(
            f"The account {name!r}",
            "without it there would be no administrator who can sign in",
            "make somebody else an administrator first",
        )


def _unknown(name: str) -> ConflictError:
    return ConflictError(f"The account {name[:40]!r}", "there is none", "choose one from the list")


def _taken(name: str) -> ConflictError:
    return ConflictError(f"The name {name!r}", "it is taken", "choose another")

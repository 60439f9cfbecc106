"""The file that accounts are kept in: private, and changed as a whole or not at all."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from .errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Database"]

_FILE: Final = "accounts.sqlite"
_VERSION: Final = 1
# Numbers of accounts are never given twice (AUTOINCREMENT): what belongs to a
# number, files with its uid for one, never falls to somebody else.
_SCHEMA: Final = """
CREATE TABLE account (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE,
    password TEXT,
    administrator INTEGER NOT NULL,
    groups TEXT NOT NULL,
    must_change INTEGER NOT NULL,
    made REAL NOT NULL
);
CREATE TABLE removed (name TEXT PRIMARY KEY, number INTEGER NOT NULL);
CREATE TABLE invitation (
    identity TEXT PRIMARY KEY,
    digest TEXT NOT NULL UNIQUE,
    name TEXT,
    administrator INTEGER NOT NULL,
    groups TEXT NOT NULL,
    resets INTEGER NOT NULL,
    maker TEXT NOT NULL,
    expires REAL NOT NULL
);
CREATE TABLE wrong (
    who BLOB PRIMARY KEY,
    times INTEGER NOT NULL,
    locked REAL NOT NULL,
    last REAL NOT NULL
);
CREATE TABLE familiar (who BLOB PRIMARY KEY, last REAL NOT NULL);
CREATE TABLE server_token (hashed TEXT PRIMARY KEY, name TEXT NOT NULL);
CREATE TABLE fact (name TEXT PRIMARY KEY, value BLOB NOT NULL);
INSERT INTO fact VALUES ('key', randomblob(32));
"""


class Database:
    """The accounts' file.

    Parameters
    ----------
    state
        The hub's private folder, which exists.
    """

    def __init__(self, state: Path) -> None:
        self.file = Path(state) / _FILE
        with self._told():
            # SQLite gives its journals the mode of the file; itself it would ask the umask.
            os.close(os.open(self.file, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600))
            self.file.chmod(0o600)
        with self.changing() as connection:
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            if version > _VERSION:
                raise StoreError(
                    self.file, "a newer release wrote it", "start the hub with that release"
                )
            if version == 0:
                for statement in filter(str.strip, _SCHEMA.split(";")):
                    connection.execute(statement)
                connection.execute(f"PRAGMA user_version = {_VERSION}")

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Give a connection that sees one state of the file.

        Raises
        ------
        StoreError
            If the file cannot be read.
        """
        with self._told(), self._connected() as connection:
            connection.execute("BEGIN")
            yield connection

    @contextmanager
    def changing(self) -> Iterator[sqlite3.Connection]:
        """Give a connection whose changes all come into force, or none if the block fails.

        Raises
        ------
        StoreError
            If the file cannot be written.
        """
        with self._told(), self._connected() as connection:
            connection.execute("BEGIN IMMEDIATE")
            yield connection
            connection.execute("COMMIT")

    @contextmanager
    def _connected(self) -> Iterator[sqlite3.Connection]:
        # One for each use: cheap, and threads share none. What is open is undone by closing.
        with closing(sqlite3.connect(self.file, timeout=20, isolation_level=None)) as connection:
            connection.row_factory = sqlite3.Row
            connection.execute("PRAGMA secure_delete = ON")  # of a hash nothing is to remain
            yield connection

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise StoreError(
                self.file, f"it cannot be used ({error})", "check the disk and the file's owner"
            ) from error

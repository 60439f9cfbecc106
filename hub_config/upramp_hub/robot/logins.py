"""The accounts that robots use."""

from __future__ import annotations

import stat
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from upramp.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Login", "named", "read_logins", "read_token"]


@dataclass(frozen=True)
class Login:
    """An account.

    Parameters
    ----------
    name
        As the hub has it.
    password
        Its password; empty if a service's token speaks for it.
    token
        The service's token; empty if the form is filled in.
    """

    name: str
    password: str = field(default="", repr=False)
    token: str = field(default="", repr=False)


def named(count: int, token: str) -> list[Login]:
    """Give accounts ``robot-001`` and so on that a service speaks for.

    Parameters
    ----------
    count
        How many.
    token
        The service's.
    """
    return [Login(f"robot-{number:03d}", token=token) for number in range(1, count + 1)]


def read_logins(file: Path) -> list[Login]:
    """Read accounts from a file with a line ``name:password`` for each.

    Parameters
    ----------
    file
        Where they are; lines that are empty or begin with ``#`` are skipped.

    Raises
    ------
    InputError
        If it cannot be read, others may read it too, or a line is no account.
    """
    found: dict[str, Login] = {}
    for number, line in enumerate(_private(file).splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        name, colon, password = line.partition(":")
        if not (name and colon and password):
            # The line itself is not shown: it may be a password.
            raise InputError(file, f"line {number} is not name:password", "write it so")
        if name in found:
            raise InputError(file, f"line {number} has a name for the second time", "remove one")
        found[name] = Login(name, password=password)
    if not found:
        raise InputError(file, "it holds no account", "write a line name:password for each")
    return list(found.values())


def read_token(file: Path) -> str:
    """Read the token of a service.

    Parameters
    ----------
    file
        It holds nothing else.

    Raises
    ------
    InputError
        If it cannot be read, others may read it too, or it is empty.
    """
    token = _private(file).strip()
    if not token or any(c.isspace() or not c.isprintable() for c in token):
        raise InputError(file, "it holds no token", "write the service's token into it")
    return token


def _private(file: Path) -> str:
    try:
        with file.open(encoding="utf-8") as opened:
            mode = file.stat().st_mode
            if stat.S_ISREG(mode) and mode & (stat.S_IRGRP | stat.S_IROTH):
                raise InputError(file, "other users may read it", f"run: chmod 600 {file}")
            return opened.read()
    except OSError as error:
        raise InputError(
            file, f"it cannot be read ({error.strerror})", "name another file"
        ) from None
    except UnicodeDecodeError:
        raise InputError(file, "it is no text", "write it in UTF-8") from None

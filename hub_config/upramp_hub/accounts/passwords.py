"""Passwords: how they are kept, compared, judged and made.

Kept is what scrypt makes of one, with its parameters, so that these can be
raised later: a password kept with others is hashed anew when its owner signs
in. Whether a name exists is not told by the time that an answer takes: for one
that does not, a hash is computed all the same.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import unicodedata
from dataclasses import dataclass
from typing import Final

from .errors import AccountError, StoreError

__all__ = ["COST", "SHORTEST", "Cost", "check", "hashed", "made_up", "matches", "outdated"]

SHORTEST: Final = 12
_LONGEST: Final = 1024
_FEWEST_DIFFERENT: Final = 5
_GUESSED_FIRST: Final = ("password", "passwort", "qwertyuiop", "1234567890", "abcdefghij")
_ALPHABET: Final = "abcdefghijkmnpqrstuvwxyz23456789"
"""32 characters none of which is read as another: five bits each."""


@dataclass(frozen=True)
class Cost:
    """What scrypt is to cost (RFC 7914).

    Parameters
    ----------
    log_n
        The logarithm of N, to the base of two; it takes 128 r N bytes.
    r
        The size of a block.
    p
        How often it is done.
    """

    log_n: int
    r: int
    p: int

    def digest(self, password: str, salt: bytes) -> bytes:
        """Give what scrypt makes of a password.

        Parameters
        ----------
        password
            The password.
        salt
            Random bytes, kept with it.
        """
        n = 2**self.log_n
        return hashlib.scrypt(
            # One password typed on two keyboards may be two sequences of code points.
            unicodedata.normalize("NFC", password).encode("utf-8", "surrogatepass"),
            salt=salt,
            n=n,
            r=self.r,
            p=self.p,
            maxmem=256 * n * self.r,
            dklen=32,
        )


COST = Cost(log_n=15, r=8, p=1)
"""32 MiB and about a tenth of a second: 16 users may sign in at once on two cores."""


def hashed(password: str) -> str:
    """Give what is kept of a password.

    Parameters
    ----------
    password
        The password.
    """
    salt = secrets.token_bytes(16)
    return _written(COST, salt, COST.digest(password, salt))


def _written(cost: Cost, salt: bytes, digest: bytes) -> str:
    texts = (base64.b64encode(each).decode("ascii") for each in (salt, digest))
    return "$".join(("scrypt", str(cost.log_n), str(cost.r), str(cost.p), *texts))


def _read(kept: str) -> tuple[Cost, bytes, bytes]:
    try:
        kind, log_n, r, p, salt, digest = kept.split("$")
        if kind == "scrypt":
            cost = Cost(int(log_n), int(r), int(p))
            return cost, base64.b64decode(salt, validate=True), base64.b64decode(digest)
    except ValueError:
        pass
    raise StoreError("A kept password", "it cannot be read", "have an administrator reset it")


def matches(password: str, kept: str | None) -> bool:
    """Tell whether a password is the one that is kept.

    Parameters
    ----------
    password
        What was typed.
    kept
        What :func:`hashed` gave; None where there is none, which takes as long.

    Raises
    ------
    StoreError
        If what is kept was damaged.
    """
    if kept is None:
        cost, salt, expected = COST, secrets.token_bytes(16), secrets.token_bytes(32)
    else:
        cost, salt, expected = _read(kept)
    same = hmac.compare_digest(cost.digest(password[: _LONGEST + 1], salt), expected)
    return same and kept is not None


def outdated(kept: str) -> bool:
    """Tell whether a password is kept with other parameters than today's.

    Parameters
    ----------
    kept
        What :func:`hashed` gave.
    """
    return _read(kept)[0] != COST


def check(password: str, name: str) -> None:
    """Refuse a new password that would be guessed.

    Parameters
    ----------
    password
        The password.
    name
        Whose it is to be.

    Raises
    ------
    AccountError
        If it is short, has the name in it, or is one of those that are tried first.
    """
    folded = password.casefold()
    problem = remedy = ""
    if len(password) < SHORTEST:
        problem, remedy = "it is too short", f"use {SHORTEST} characters or more"
    elif len(password) > _LONGEST:
        problem, remedy = "it is too long", f"use {_LONGEST} characters or fewer"
    elif name in folded or name[::-1] in folded:
        problem, remedy = "it has your name in it", "choose one that nobody would guess"
    elif len(set(folded)) < _FEWEST_DIFFERENT:
        problem, remedy = "it repeats the same few characters", "use more different ones"
    elif folded.startswith(_GUESSED_FIRST):
        problem, remedy = "it is among those that are tried first", "choose another"
    if problem:
        raise AccountError("The new password", problem, remedy)


def made_up() -> str:
    """Make a random password of 100 bits that can be read out and typed."""
    groups = ("".join(secrets.choice(_ALPHABET) for _ in range(5)) for _ in range(4))
    return "-".join(groups)

"""Passwords: kept as hashes, compared without telling, judged before they are taken."""

from __future__ import annotations

import hashlib

import pytest
from accounts_hub import CHEAP

from upramp_hub.accounts import passwords
from upramp_hub.accounts.errors import AccountError, StoreError


def test_what_is_kept_is_scrypt_with_its_parameters():
    kept = passwords.hashed("seven green umbrellas")
    kind, log_n, r, p, _, _ = kept.split("$")
    assert (kind, log_n, r, p) == ("scrypt", "15", "8", "1")
    assert passwords.matches("seven green umbrellas", kept)
    assert not passwords.matches("seven green umbrella", kept)
    assert not passwords.outdated(kept)


def test_it_is_the_scrypt_of_the_standard():
    # The second vector of RFC 7914, section 12, as far as 32 bytes go.
    cost = passwords.Cost(log_n=10, r=8, p=16)
    expected = hashlib.scrypt(b"password", salt=b"NaCl", n=1024, r=8, p=16, dklen=64)
    assert expected.hex().startswith("fdbabe1c9d3472007856e7190d01e9fe")
    assert cost.digest("password", b"NaCl") == expected[:32]


def test_the_same_password_is_never_kept_the_same(monkeypatch):
    monkeypatch.setattr(passwords, "COST", CHEAP)
    assert passwords.hashed("seven green umbrellas") != passwords.hashed("seven green umbrellas")


def test_one_password_from_two_keyboards_is_one(monkeypatch):
    monkeypatch.setattr(passwords, "COST", CHEAP)
    assert passwords.matches("caf\u00e9 au lait", passwords.hashed("cafe\u0301 au lait"))


def test_where_none_is_kept_nothing_matches(monkeypatch):
    monkeypatch.setattr(passwords, "COST", CHEAP)
    for password in ("", "x", "\udc80", "x" * 10_000_000):
        assert not passwords.matches(password, None)


def test_hashes_are_compared_in_constant_time(monkeypatch):
    monkeypatch.setattr(passwords, "COST", CHEAP)
    kept = passwords.hashed("seven green umbrellas")
    compared = []

    def watched(a, b):
        compared.append((len(a), len(b)))
        return a == b

    monkeypatch.setattr(passwords.hmac, "compare_digest", watched)
    passwords.matches("a", kept)
    passwords.matches("a", None)
    assert compared == [(32, 32)] * 2


@pytest.mark.parametrize(
    "kept", ["", "plain", "bcrypt$15$8$1$AA==$AA==", "scrypt$x$8$1$AA==$AA==", "scrypt$15$8$1"]
)
def test_a_damaged_hash_is_said(kept):
    with pytest.raises(StoreError, match="reset"):
        passwords.matches("x", kept)


@pytest.mark.parametrize(
    ("password", "problem"),
    [
        ("tooshort", "12 characters or more"),
        ("elevenchars", "12 characters or more"),
        ("x" * 1025, "too long"),
        ("Ada-is-the-best", "your name"),
        ("long-live-ADA!", "your name"),
        ("evil-adalevol", "your name"),
        ("abababababababab", "same few"),
        ("Password12345678", "tried first"),
        ("1234567890123", "tried first"),
    ],
)
def test_what_would_be_guessed_is_refused(password, problem):
    with pytest.raises(AccountError, match=problem) as caught:
        passwords.check(password, "ada")
    assert password not in str(caught.value)


def test_what_would_not_is_taken():
    for password in (
        "seven green umbrellas",
        "tr0ub4dor&3xy",
        "\u00e4\u00f6\u00fc\u00df\u00e9" * 3,
    ):
        passwords.check(password, "ada")
    for _ in range(100):
        passwords.check(passwords.made_up(), "admin")


def test_made_up_ones_are_all_different():
    assert len({passwords.made_up() for _ in range(1000)}) == 1000

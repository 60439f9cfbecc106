"""Accounts and invitations: what is kept, what is refused, and who wins a race."""

from __future__ import annotations

import stat
import threading

import pytest
from accounts_hub import CHEAP, PASSWORD

from upramp_hub.accounts import Accounts, first_administrator, passwords
from upramp_hub.accounts.errors import (
    AccountError,
    ConflictError,
    InvitationError,
    RefusedError,
    StoreError,
)
from upramp_hub.accounts.store import LIFETIME

OTHER = "nine violet kangaroos"


@pytest.fixture(autouse=True)
def _cheap(monkeypatch):
    monkeypatch.setattr(passwords, "COST", CHEAP)


class Clock:
    now = 1_800_000_000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def accounts(tmp_path, clock):
    found = Accounts(tmp_path, clock)
    found.make_first()
    return found


def joined(accounts, name, password=PASSWORD, **what):
    return accounts.accept(accounts.invite("admin", name=name, **what), "", password)


# ---- the first administrator


def test_the_first_administrator_is_given_once(tmp_path):
    name, password = first_administrator(tmp_path)
    assert name == "admin"
    assert len(password.replace("-", "")) == 20
    assert first_administrator(tmp_path) is None
    accounts = Accounts(tmp_path)
    found = accounts.verify(name, password)
    assert found.administrator
    assert found.must_change


def test_nobody_becomes_first_again_when_all_are_gone(tmp_path, accounts):
    with accounts.database.changing() as connection:
        connection.execute("DELETE FROM account")
    assert first_administrator(tmp_path) is None


def test_who_has_the_machine_can_have_a_new_password_made(accounts):
    password = accounts.make_new_password("admin")
    assert accounts.verify("admin", password).must_change
    with pytest.raises(ConflictError, match="there is none"):
        accounts.make_new_password("nobody-here")


def test_the_file_is_for_its_owner_alone(tmp_path, accounts):
    joined(accounts, "ada")
    assert stat.S_IMODE(accounts.database.file.stat().st_mode) == 0o600
    assert PASSWORD.encode() not in accounts.database.file.read_bytes()


def test_a_file_that_others_could_read_is_closed(tmp_path, accounts):
    accounts.database.file.chmod(0o644)
    Accounts(tmp_path)
    assert stat.S_IMODE(accounts.database.file.stat().st_mode) == 0o600


def test_a_link_in_the_file_s_place_is_not_followed(tmp_path):
    (tmp_path / "accounts.sqlite").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StoreError, match="cannot be used"):
        Accounts(tmp_path)
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize("content", [b"no database at all, " * 100, None])
def test_a_damaged_or_newer_file_is_said(tmp_path, content):
    accounts = Accounts(tmp_path)
    if content is None:
        with accounts.database.changing() as connection:
            connection.execute("PRAGMA user_version = 99")
    else:
        accounts.database.file.write_bytes(content)
    with pytest.raises(StoreError, match=r"accounts\.sqlite"):
        Accounts(tmp_path)


# ---- invitations


def test_an_invitation_makes_the_account_that_it_is_for(accounts):
    secret = accounts.invite("admin", name="ada", groups=["b", "a", "b"], administrator=True)
    found = accounts.accept(secret, "mallory", PASSWORD)
    assert (found.name, found.groups, found.administrator) == ("ada", ("a", "b"), True)
    assert accounts.find("mallory") is None
    assert accounts.verify("ada", PASSWORD) == found


def test_an_invitation_is_used_once(accounts):
    secret = accounts.invite("admin")
    accounts.accept(secret, "ada", PASSWORD)
    with pytest.raises(InvitationError, match="used"):
        accounts.accept(secret, "bob", PASSWORD)
    assert accounts.find("bob") is None


def test_of_many_who_use_one_at_once_one_gets_an_account(tmp_path, accounts):
    secret = accounts.invite("admin")
    outcomes = []
    together = threading.Barrier(8)

    def use(number):
        together.wait()
        try:
            outcomes.append(accounts.accept(secret, f"racer{number}", PASSWORD).name)
        except AccountError as error:
            outcomes.append(type(error))

    threads = [threading.Thread(target=use, args=(n,)) for n in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert outcomes.count(InvitationError) == 7
    assert len(accounts.all()) == 2


def test_of_two_who_choose_one_name_the_second_can_choose_another(accounts):
    first, second = accounts.invite("admin"), accounts.invite("admin")
    accounts.accept(first, "ada", PASSWORD)
    with pytest.raises(ConflictError, match="taken"):
        accounts.accept(second, "ada", OTHER)
    assert accounts.verify("ada", PASSWORD)
    assert accounts.accept(second, "bob", OTHER).name == "bob"


def test_an_invitation_expires(accounts, clock):
    secret = accounts.invite("admin", name="ada")
    clock.now += LIFETIME - 1
    assert accounts.invitation(secret).name == "ada"
    clock.now += 1
    assert accounts.invitations() == []
    with pytest.raises(InvitationError, match="expired"):
        accounts.accept(secret, "", PASSWORD)


def test_one_that_was_taken_back_or_made_anew_does_not_hold(accounts):
    first = accounts.invite("admin", name="ada")
    second = accounts.invite("admin", name="ada")
    (only,) = accounts.invitations()
    with pytest.raises(InvitationError):
        accounts.invitation(first)
    accounts.withdraw(only.identity)
    with pytest.raises(InvitationError):
        accounts.accept(second, "", PASSWORD)


@pytest.mark.parametrize("secret", ["", "x", "\udc80", "a" * 10_000, "' OR 1=1 --"])
def test_what_is_no_invitation_is_none(accounts, secret):
    accounts.invite("admin")
    with pytest.raises(InvitationError):
        accounts.accept(secret, "ada", PASSWORD)


def test_the_secret_is_kept_nowhere(accounts):
    secret = accounts.invite("admin", name="ada")
    assert secret.encode() not in accounts.database.file.read_bytes()


def test_a_bad_password_does_not_use_an_invitation_up(accounts):
    secret = accounts.invite("admin", name="ada")
    with pytest.raises(AccountError, match="too short"):
        accounts.accept(secret, "", "short")
    assert accounts.accept(secret, "", PASSWORD).name == "ada"


def test_a_name_that_is_promised_cannot_be_chosen(accounts):
    accounts.invite("admin", name="ada")
    with pytest.raises(ConflictError, match="taken"):
        accounts.accept(accounts.invite("admin"), "ada", PASSWORD)


def test_who_is_there_is_not_invited(accounts):
    joined(accounts, "ada")
    with pytest.raises(ConflictError, match="reset it"):
        accounts.invite("admin", name="ada")


# ---- reset and removal


def test_a_reset_takes_the_password_and_gives_an_invitation(accounts):
    before = joined(accounts, "ada", groups=["a"])
    secret = accounts.reset("ada", "admin")
    assert accounts.verify("ada", PASSWORD) is None
    assert not accounts.find("ada").has_password
    assert accounts.accept(secret, "mallory", OTHER) == before
    assert accounts.verify("ada", OTHER)


def test_a_reset_of_who_is_removed_meanwhile_brings_nobody_back(accounts):
    joined(accounts, "ada")
    secret = accounts.reset("ada", "admin")
    accounts.remove("ada")
    with pytest.raises(InvitationError):
        accounts.accept(secret, "", OTHER)
    assert accounts.find("ada") is None


def test_the_name_of_who_is_gone_is_given_by_an_administrator_only(accounts):
    number = joined(accounts, "ada").number
    joined(accounts, "bob")
    accounts.remove("ada")
    with pytest.raises(ConflictError, match="taken"):
        accounts.accept(accounts.invite("admin"), "ada", PASSWORD)
    # Whose files are told by the number finds them.
    assert joined(accounts, "ada").number == number


def test_a_number_is_never_given_to_somebody_else(accounts):
    numbers = set()
    for name in ("ada", "bob", "cyd"):
        numbers.add(joined(accounts, name).number)
        accounts.remove(name)
    assert len(numbers) == 3


@pytest.mark.parametrize("act", ["remove", "reset", "unmake"])
def test_the_last_administrator_stays(accounts, act):
    joined(accounts, "ada")
    # One who has no password cannot sign in to be one.
    joined(accounts, "bob", administrator=True)
    accounts.reset("bob", "admin")
    acts = {
        "remove": lambda: accounts.remove("admin"),
        "reset": lambda: accounts.reset("admin", "admin"),
        "unmake": lambda: accounts.set_administrator("admin", administrator=False),
    }
    with pytest.raises(ConflictError, match="no administrator"):
        acts[act]()
    accounts.set_administrator("ada", administrator=True)
    acts[act]()


def test_who_is_not_there_is_said(accounts):
    for act in (
        lambda: accounts.remove("ada"),
        lambda: accounts.reset("ada", "admin"),
        lambda: accounts.set_groups("ada", ["a"]),
        lambda: accounts.set_administrator("ada", administrator=True),
        lambda: accounts.get("ada"),
        lambda: accounts.check_removable("ada"),
    ):
        with pytest.raises(ConflictError, match="there is none"):
            act()


# ---- passwords


def test_a_password_is_changed_by_who_knows_it(accounts):
    joined(accounts, "ada")
    with pytest.raises(RefusedError, match="old password"):
        accounts.change_password("ada", OTHER, PASSWORD)
    with pytest.raises(ConflictError, match="old one"):
        accounts.change_password("ada", PASSWORD, PASSWORD)
    accounts.change_password("ada", PASSWORD, OTHER)
    assert accounts.verify("ada", PASSWORD) is None
    assert accounts.verify("ada", OTHER)


def test_a_change_is_refused_if_there_was_another_meanwhile(accounts, monkeypatch):
    joined(accounts, "ada")
    hashed = passwords.hashed

    def slow(password):
        monkeypatch.setattr(passwords, "hashed", hashed)
        accounts.reset("ada", "admin")
        return hashed(password)

    monkeypatch.setattr(passwords, "hashed", slow)
    with pytest.raises(RefusedError):
        accounts.change_password("ada", PASSWORD, OTHER)
    assert accounts.verify("ada", OTHER) is None


def test_a_password_that_cost_less_is_hashed_anew_at_a_sign_in(accounts, monkeypatch):
    joined(accounts, "ada")
    kept = [row["password"] for row in _rows(accounts)]
    monkeypatch.setattr(passwords, "COST", passwords.Cost(log_n=5, r=8, p=1))
    assert accounts.verify("ada", PASSWORD)
    assert accounts.verify("ada", OTHER) is None
    (anew,) = [row["password"] for row in _rows(accounts) if row["password"] not in kept]
    assert anew.startswith("scrypt$5$8$1$")
    assert accounts.verify("ada", PASSWORD)


def _rows(accounts):
    with accounts.database.reading() as connection:
        return connection.execute("SELECT * FROM account").fetchall()


@pytest.mark.parametrize("name", ["nobody-here", "", "../ada", "\u212aelvin", "x" * 10_000, "\0"])
def test_a_hash_is_computed_for_a_name_that_is_none(accounts, monkeypatch, name):
    joined(accounts, "ada")
    computed = []
    digest = passwords.Cost.digest

    def counted(self, password, salt):
        computed.append((self, len(salt)))
        return digest(self, password, salt)

    monkeypatch.setattr(passwords.Cost, "digest", counted)
    accounts.verify("ada", "a wrong password")
    accounts.verify(name, "a wrong password")
    existing, unknown = computed
    assert existing == unknown


def test_a_server_s_tokens_are_forgotten_with_it(accounts):
    accounts.remember_server_token("ada", "first", ["other"])
    accounts.remember_server_token("bob", "his", [])
    accounts.remember_server_token("ada", "second", ["first", "other"])
    assert accounts.server_tokens("ada") == {"first", "second"}
    accounts.remember_server_token("ada", "third", ["second"])
    assert accounts.server_tokens("ada") == {"second", "third"}
    assert accounts.server_tokens("bob") == {"his"}

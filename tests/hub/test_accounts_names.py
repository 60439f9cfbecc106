"""Names of accounts and groups: what is one, what only looks like one."""

from __future__ import annotations

import pwd

import pytest

from upramp_hub.accounts.errors import AccountError
from upramp_hub.accounts.names import (
    check_groups,
    check_name,
    is_name,
    normalised,
    split_groups,
)


@pytest.mark.parametrize("name", ["ada", "ada.lovelace", "a1", "x-ray", "a.b-c.d", "a" * 32])
def test_names(name):
    assert is_name(name)
    check_name(name)


@pytest.mark.parametrize(
    "name",
    [
        *("", "a", "a" * 33, "Ada", "1ada", "-ada", ".ada", "ada.", "ada-", "a..b", "a.-b"),
        *(
            "a/b",
            "../a",
            "..",
            ".",
            "a\\b",
            "a b",
            " ada",
            "ada\n",
            "ada\0",
            "a%2fb",
            "a~b",
            "a_b",
        ),
        *("\u0430da", "ad\u00e4", "\u212aelvin", "ada\u200b", "\uff41da", "ad\u0131", "\u0661ab"),
        *("$(id)", "a;b", "a'b", 'a"b', "<b>", "ada@x.org", "a:b", "a" * 100_000),
    ],
)
def test_what_is_no_name(name):
    assert not is_name(name)
    with pytest.raises(AccountError, match="a name is 2 to 32") as caught:
        check_name(name)
    assert len(str(caught.value)) < 400
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("name", ["root", "daemon", "shared", "hub", "nobody"])
def test_names_that_mean_something_else(name):
    with pytest.raises(AccountError, match="something else"):
        check_name(name)


def test_accounts_of_the_system_are_not_given(monkeypatch):
    def found(name):
        return pwd.struct_passwd((name, "x", {"postgres": 105, "ada": 1000}[name], 0, "", "", ""))

    monkeypatch.setattr(pwd, "getpwnam", found)
    check_name("ada")
    with pytest.raises(AccountError, match="something else"):
        check_name("postgres")


def test_only_ascii_is_made_lower_case():
    assert normalised(" Ada\t") == "ada"
    assert normalised("\u212aelvin") == "\u212aelvin"
    assert normalised("\u0130da") == "\u0130da"


def test_groups_are_split_sorted_and_checked():
    assert split_groups(" b, a;a\n c ") == ("b", "a", "c")
    assert check_groups(["proposal-1234", "A_b.c", "a"]) == ("A_b.c", "a", "proposal-1234")
    assert check_groups([]) == ()


@pytest.mark.parametrize(
    "group", ["", "-a", "a/b", "a=b", "a!b", "\u00e4", "a" * 65, "a b", "a\n"]
)
def test_what_is_no_group(group):
    with pytest.raises(AccountError, match="group"):
        check_groups([group])


def test_very_many_groups_are_refused():
    with pytest.raises(AccountError, match="200 are the most"):
        check_groups(f"g{n}" for n in range(201))

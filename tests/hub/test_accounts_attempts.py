"""Waits after wrong passwords: long enough for who guesses, never long for who does not."""

from __future__ import annotations

import itertools

import pytest

from upramp_hub.accounts.attempts import Attempts, place
from upramp_hub.accounts.database import Database
from upramp_hub.accounts.errors import LockedOutError, in_words

HERE, THERE = "198.51.100.1", "203.0.113.1"


class Clock:
    now = 1_800_000_000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def attempts(tmp_path, clock):
    return Attempts(Database(tmp_path), clock)


def wait(attempts, name, address):
    try:
        attempts.check(name, address)
    except LockedOutError as error:
        return error.wait
    return 0.0


def fail(attempts, name, address, times=1):
    for _ in range(times):
        attempts.failed(name, address)


def test_a_wait_grows_and_ends(attempts, clock):
    fail(attempts, "ada", HERE, 4)
    assert wait(attempts, "ada", HERE) == 0
    waits = []
    for _ in range(12):
        attempts.failed("ada", HERE)
        waits.append(wait(attempts, "ada", HERE))
        clock.now += waits[-1]
        assert wait(attempts, "ada", HERE) == 0
    assert waits[:4] == [5, 10, 20, 40]
    assert waits[-1] == 900


def test_it_is_told_in_one_sentence(attempts):
    fail(attempts, "ada", HERE, 5)
    with pytest.raises(LockedOutError) as caught:
        attempts.check("ada", HERE)
    sentence = "This sign-in: there were too many wrong passwords; try again in 5 seconds."
    assert str(caught.value) == sentence


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.1, "1 second"),
        (1.5, "2 seconds"),
        (90, "90 seconds"),
        (91, "2 minutes"),
        (900, "15 minutes"),
    ],
)
def test_waits_in_words(seconds, words):
    assert in_words(seconds) == words


def test_a_right_password_begins_anew(attempts):
    fail(attempts, "ada", HERE, 4)
    attempts.succeeded("ada", HERE)
    fail(attempts, "ada", HERE, 4)
    assert wait(attempts, "ada", HERE) == 0


def test_an_hour_without_any_begins_anew(attempts, clock):
    fail(attempts, "ada", HERE, 8)
    clock.now += 3601
    fail(attempts, "ada", HERE, 4)
    assert wait(attempts, "ada", HERE) == 0


def test_one_place_s_guesses_bind_nobody_elsewhere(attempts):
    fail(attempts, "ada", THERE, 40)
    assert wait(attempts, "ada", THERE) > 0
    assert wait(attempts, "ada", HERE) == 0


def test_guesses_from_everywhere_bind_a_user_for_a_minute_and_not_where_they_are_known(
    attempts, clock
):
    attempts.succeeded("ada", HERE)
    for number in range(5000):
        attempts.failed("ada", f"192.0.{number // 250}.{number % 250}")
        if number > 100:
            assert wait(attempts, "ada", HERE) == 0
            break
    fail(attempts, "ada", THERE, 3)
    # At a new place the wait is a minute at most, however long it goes on.
    assert 0 < wait(attempts, "ada", "192.0.2.200") <= 60
    clock.now += 60
    assert wait(attempts, "ada", "192.0.2.200") == 0


def test_many_names_from_one_place_are_one_guesser(attempts, clock):
    for number in range(20):
        attempts.failed(f"name{number}", THERE)
    assert wait(attempts, "another", THERE) == 5
    fail(attempts, "more", THERE, 30)
    assert wait(attempts, "another", THERE) == 300


def test_who_shares_a_gateway_with_a_guesser_still_signs_in(attempts):
    attempts.succeeded("ada", THERE)
    for number in range(60):
        attempts.failed(f"name{number}", THERE)
    assert wait(attempts, "bob", THERE) > 0
    assert wait(attempts, "ada", THERE) == 0
    # Their own wrong ones count all the same.
    fail(attempts, "ada", THERE, 5)
    assert wait(attempts, "ada", THERE) > 0


def test_an_account_of_their_own_does_not_help_a_guesser(attempts):
    names = (f"name{n}" for n in itertools.count())
    for _ in range(20):
        attempts.failed(next(names), THERE)
        attempts.succeeded("mallory", THERE)
    assert wait(attempts, next(names), THERE) > 0


def test_a_clock_that_is_set_back_locks_nobody_out(attempts, clock):
    fail(attempts, "ada", HERE, 8)
    clock.now -= 10 * 365 * 86400
    assert wait(attempts, "ada", HERE) <= 900


def test_a_place_is_forgotten_after_a_season(attempts, clock):
    attempts.succeeded("ada", HERE)
    clock.now += 91 * 86400
    fail(attempts, "mallory", HERE, 25)
    assert wait(attempts, "ada", HERE) > 0


def test_neither_names_nor_addresses_are_kept(tmp_path, attempts):
    fail(attempts, "my-password-by-mistake", HERE, 6)
    attempts.succeeded("ada", HERE)
    content = b"".join(each.read_bytes() for each in tmp_path.iterdir())
    assert b"my-password-by-mistake" not in content
    assert HERE.encode() not in content


def test_what_is_kept_is_bounded(attempts, monkeypatch):
    monkeypatch.setattr("upramp_hub.accounts.attempts._MOST_ROWS", 50)
    for number in range(100):
        attempts.failed(f"name{number}", f"192.0.2.{number}")
    with attempts._database.reading() as connection:
        assert connection.execute("SELECT count(*) FROM wrong").fetchone()[0] <= 50


@pytest.mark.parametrize("name", ["", "\0", "\udc80", "x" * 100_000, "a\0b"])
def test_any_text_can_be_counted(attempts, name):
    fail(attempts, name, HERE, 5)
    assert wait(attempts, name, HERE) > 0


def test_a_name_cannot_be_written_as_another_s_address(attempts):
    fail(attempts, "", f"{HERE}\0ada", 5)
    assert wait(attempts, "ada", HERE) == 0


@pytest.mark.parametrize(
    ("address", "same"),
    [
        ("2001:db8::1", "2001:db8::ffff:ffff:1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("192.0.2.1", "192.0.2.1"),
    ],
)
def test_one_place(address, same):
    assert place(address) == place(same)


def test_two_places():
    found = {
        place(each) for each in ("2001:db8::1", "2001:db8:0:1::1", "192.0.2.1", "192.0.2.2", "")
    }
    assert len(found) == 5

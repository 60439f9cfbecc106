"""What robots are told, what they run, and what they report."""

from __future__ import annotations

import contextlib
import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from upramp.errors import InputError, UsageError
from upramp_hub.robot import cells
from upramp_hub.robot.command import main, read_options
from upramp_hub.robot.errors import RobotError, WrongAnswerError
from upramp_hub.robot.logins import Login, read_logins, read_token
from upramp_hub.robot.messages import Message, pack, request, unpack
from upramp_hub.robot.report import Failure, Report, percentile


def run(source):
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(source, {})
    return printed.getvalue()


# ---- messages


@given(st.text(), st.dictionaries(st.text(), st.text() | st.integers() | st.none()))
def test_a_message_comes_back_as_it_was_sent(kind, content):
    sent = request(kind, content)
    assert unpack(pack(sent, "s")) == sent


@given(st.binary())
def test_no_bytes_are_taken_for_a_message(data):
    with pytest.raises(InputError, match=r"v1\.kernel"):
        unpack(data)


@given(st.data())
def test_a_damaged_message_is_refused_or_a_message_still(data):
    whole = pack(Message("shell", "status", {"execution_state": "idle"}, "m"), "s")
    at = data.draw(st.integers(0, len(whole) - 1))
    damaged = whole[:at] + bytes([data.draw(st.integers(0, 255))]) + whole[at + 1 :]
    with contextlib.suppress(InputError):
        assert isinstance(unpack(damaged), Message)


# ---- cells


def test_the_ramp_has_the_slope_that_is_expected():
    cell = cells.ramp()
    cell.check(run(cell.source))


@pytest.mark.parametrize("factor", ["1.0001", "float('nan')"])
def test_a_ramp_with_another_slope_is_not_accepted(factor):
    cell = cells.ramp()
    with pytest.raises(WrongAnswerError, match="its answer is"):
        cell.check(run(cell.source.replace("slopes * times", f"slopes * {factor} * times")))


def test_the_archive_is_read(practice_archive):
    cell = cells.archive(str(practice_archive), 7)
    cell.check(run(cell.source))


def test_an_answer_of_another_run_does_not_count():
    said = run(cells.ramp().source)
    with pytest.raises(WrongAnswerError, match="without its answer"):
        cells.ramp().check(said)


# ---- accounts


def private(file, text):
    file.write_text(text)
    file.chmod(0o600)
    return file


def test_accounts_are_read_and_passwords_may_hold_colons(tmp_path):
    file = private(tmp_path / "logins", "# robots\nada:a:b\n\nbob: \n")
    assert read_logins(file) == [Login("ada", password="a:b"), Login("bob", password=" ")]


@pytest.mark.parametrize(
    "text", ["", "ada", "ada:", ":secret", "ada:1\nada:2", "# nothing", "ada:1\nsecret-password"]
)
def test_accounts_that_make_no_sense_are_refused_without_showing_them(tmp_path, text):
    with pytest.raises(InputError) as refused:
        read_logins(private(tmp_path / "logins", text))
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644])
@pytest.mark.parametrize("read", [read_logins, read_token])
def test_secrets_that_others_may_read_are_refused(tmp_path, read, mode):
    file = private(tmp_path / "secret", "ada:1")
    file.chmod(mode)
    with pytest.raises(InputError, match="chmod 600"):
        read(file)


def test_a_login_shows_neither_password_nor_token():
    assert repr(Login("ada", "secret-1", "secret-2")) == "Login(name='ada')"


def test_a_token_is_one_word(tmp_path):
    assert read_token(private(tmp_path / "token", "abc\n")) == "abc"
    for text in ("", "a b", "a\nb", "\x00"):
        with pytest.raises(InputError):
            read_token(private(tmp_path / "token", text))


# ---- the command


@pytest.fixture
def logins(tmp_path):
    return str(private(tmp_path / "logins", "ada:1\nbob:2\n"))


def test_options(logins):
    options = read_options(
        [
            *("--url", "http://h:1", "--logins", logins, "--users", "1", "--for", "1.5"),
            *("--stay", "--profile", "large"),
        ]
    )
    assert [login.name for login in options.logins] == ["ada"]
    assert (options.plan.seconds, options.plan.stays) == (1.5, True)
    assert options.plan.options == {"profile": "large"}


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (["--users", "3"], "2 accounts"),
        (["--users", "0"], "nobody"),
        (["--users", "-1"], "-1"),
        (["--for", "nan"], "nan"),
        (["--for", "soon"], "soon"),
        (["--url", "ftp://h"], "ftp://h"),
        (["--url", "h:8000"], "h:8000"),
        (["--token", "t"], "one of"),
        (["--magic"], "magic"),
        (["--logins", "/does/not/exist"], "cannot be read"),
    ],
)
def test_a_wrong_option_is_named_in_one_line(logins, change, word, capsys):
    assert main(["--url", "http://h:1", "--logins", logins, *change]) == 2
    told = capsys.readouterr().err
    assert word in told
    assert told.count("\n") == 1


def test_robots_need_accounts():
    with pytest.raises(UsageError, match="accounts, or a token"):
        read_options(["--url", "http://h:1"])


def test_a_hub_that_is_not_there_is_a_failure_of_the_login(logins, tmp_path, capsys):
    report = tmp_path / "report.json"
    assert main(["--url", "http://127.0.0.1:9", "--logins", logins, "--json", str(report)]) == 1
    found = json.loads(report.read_text())
    assert found["failures_by_stage"] == {"login": 2}
    assert found["visits"] == {"begun": 2, "completed": 0}
    assert "127.0.0.1:9" in capsys.readouterr().out


# ---- the report


@given(st.lists(st.floats(0, 1e6), min_size=1), st.floats(0, 100))
def test_a_percentile_is_a_value_that_as_many_do_not_exceed(values, percent):
    found = percentile(values, percent)
    assert found in values
    assert sum(v <= found for v in values) * 100 >= percent * len(values) * (1 - 1e-9)


def test_percentiles_of_a_hundred():
    values = list(range(100, 0, -1))
    assert [percentile(values, p) for p in (0, 50, 90, 99, 100)] == [1, 50, 90, 99, 100]


def report():
    made = Report("http://h:1", 2)
    made.visits = made.completed = 3
    made.cells = 5
    made.times["login"] = [0.25, 0.75]
    return made


def test_a_report_is_good_only_if_nothing_went_wrong():
    assert report().good
    assert not Report("http://h:1", 2).good  # nobody came
    for change in ({"lost": 1}, {"wrong": 1}, {"failures": [Failure("ada", 1, "stop", 1, "x")]}):
        bad = report()
        vars(bad).update(change)
        assert not bad.good
        assert not bad.as_json()["good"]


def test_a_report_tells_times_and_failures_by_stage():
    made = report()
    made.failures = [Failure("ada", n, "spawn", 1.0, "it broke") for n in range(12)]
    found = json.loads(json.dumps(made.as_json()))
    assert found["stages"] == {
        "login": {"count": 2, "p50": 0.25, "p90": 0.75, "p99": 0.75, "p100": 0.75}
    }
    assert found["failures_by_stage"] == {"spawn": 12}
    table = made.as_table()
    assert table.count("it broke") == 10
    assert "and 2 more failures" in table
    assert [line.split()[-1] for line in table.splitlines()[1:3]] == ["0", "12"]


def test_errors_of_robots_are_sentences():
    assert str(RobotError("a", "b", "c")) == "a: b; c."

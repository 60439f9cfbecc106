"""What the culler believes of what a server says, and what it does not."""

from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from upramp_hub.culler.answers import LARGEST, Answer, AnswerError, after, read_answer

TRUE = {
    "busy_kernels": 0,
    "busy_terminals": 0,
    "campaigns": 0,
    "last_activity": "2030-01-01T11:00:00+00:00",
    "extended_until": None,
    "stop_at": None,
    "now": "2030-01-01T12:00:00+00:00",
}


def read(**changes):
    return read_answer(json.dumps(TRUE | changes).encode(), "server of ada")


def test_a_true_answer_is_understood():
    found = read(
        busy_kernels=2,
        campaigns=1,
        extended_until="2030-01-01T12:30:00Z",
        stop_at="2030-01-01T13:10:00+01:00",
    )
    assert found.work == "2 busy kernels, 1 running campaign"
    assert found.idle == 3600
    assert found.extended == 1800
    assert found.stop_in == 600
    assert after(found, 60) == "2030-01-01T12:01:00+00:00"


def test_a_server_that_knows_no_campaigns_has_none():
    content = {k: v for k, v in TRUE.items() if k != "campaigns"}
    assert read_answer(json.dumps(content).encode(), "").work == ""


def test_what_is_to_come_is_now_and_what_has_passed_is_nothing():
    found = read(
        last_activity="2031-01-01T12:00:00+00:00", extended_until="2029-01-01T12:00:00+00:00"
    )
    assert (found.idle, found.extended) == (0, 0)


@pytest.mark.parametrize(
    "changes",
    [
        {"busy_kernels": -1},
        {"busy_kernels": True},
        {"busy_kernels": 0.5},
        {"busy_kernels": "1"},
        {"busy_terminals": 10**30},
        {"campaigns": None},
        {"campaigns": [1]},
        {"now": None},
        {"now": 0},
        {"now": "soon"},
        {"now": "2" * 1000},
        {"last_activity": {}},
        {"last_activity": "0001-01-01T00:00:00+23:00"},
        {"stop_at": "never"},
        {"extended_until": "2030-01-02T12:02:00+00:00"},
        {"extended_until": "9999-12-31T23:59:59+00:00"},
    ],
)
def test_nonsense_is_not_believed(changes):
    with pytest.raises(AnswerError, match="server of ada: its answer is not as it should be"):
        read(**changes)


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"7", b"null", b"\xff", b"[" * 10**5, b"<html>", b"1" * 10**5]
)
def test_what_is_no_json_object_is_refused(content):
    with pytest.raises(AnswerError, match="JSON"):
        read_answer(content, "server of ada")


def test_too_much_is_refused_unread():
    with pytest.raises(AnswerError, match="more than"):
        read_answer(b" " * (LARGEST + 1), "server of ada")


def test_what_it_says_steers_no_terminal():
    with pytest.raises(AnswerError) as caught:
        read(now="\x1b[2J\n")
    assert str(caught.value).isprintable()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)


@settings(max_examples=200, deadline=None)
@given(st.fixed_dictionaries({}, optional=dict.fromkeys(TRUE, JSON)))
def test_whatever_it_says_is_an_answer_or_an_error(changes):
    with contextlib.suppress(AnswerError):
        found = read(**changes)
        assert isinstance(found, Answer)
        assert found.idle >= 0

"""Work beside the kernel's thread: the newest counts, and what rests is awake for it."""

from __future__ import annotations

import threading

import pytest

from upramp_widgets.worker import Worker


@pytest.fixture
def failures():
    return []


@pytest.fixture
def worker(failures):
    return Worker("a worker of the tests", failures.append)


def test_of_what_comes_meanwhile_only_the_last_is_done(worker):
    begun, go, done = threading.Event(), threading.Event(), []

    def first():
        begun.set()
        go.wait(30)

    worker.ask(first)
    assert begun.wait(30)
    for number in range(5):
        worker.ask(lambda number=number: done.append(number))
    assert worker.outdated
    assert not worker.wait(0.01)
    go.set()
    assert worker.wait(30)
    assert done == [4]


def test_work_that_rests_goes_on_unless_something_newer_comes(worker):
    heard = []
    worker.ask(lambda: heard.append(worker.rest(0.001)))
    assert worker.wait(30)
    assert heard == [True]

    begun = threading.Event()

    def resting():
        begun.set()
        heard.append(worker.rest(30))

    worker.ask(resting)
    assert begun.wait(30)
    worker.ask(lambda: heard.append("newer"))
    assert worker.wait(20)
    assert heard == [True, False, "newer"]


def test_a_failure_is_told_and_the_next_is_done(worker, failures):
    done = []
    worker.ask(lambda: 1 / 0)
    assert worker.wait(30)
    worker.ask(lambda: done.append(1))
    assert worker.wait(30)
    assert [type(each) for each in failures] == [ZeroDivisionError]
    assert done == [1]


def test_held_work_begins_when_it_is_released(worker):
    begun = threading.Event()
    worker.hold(600)
    worker.ask(begun.set)
    assert not begun.wait(0.05)
    worker.release()
    assert begun.wait(30)


def test_held_work_begins_when_someone_waits_or_after_a_while(worker):
    done = []
    worker.hold(600)
    worker.ask(lambda: done.append("waited for"))
    assert worker.wait(30)
    worker.hold(0.01)
    begun = threading.Event()
    worker.ask(begun.set)
    assert begun.wait(30)
    assert done == ["waited for"]

"""The culler's decisions: by example, and by all there is to say of any course of events."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from upramp.errors import UsageError
from upramp_hub.culler.answers import Answer
from upramp_hub.culler.decisions import Action, Memory, Rules, Silence, decide

RULES = Rules(idle_after=3600, warning=600)
LOST = Silence("it does not answer", hub_idle=10**6)


def answer(idle=0.0, activity="a", **more):
    return Answer(**{"work": "", "activity": activity, "idle": idle, **more})


def course(*events, rules=RULES, memory=None):
    """Go through (time, what was seen); give all decisions."""
    memory = memory or Memory()
    found = []
    for now, seen in events:
        decision, memory = decide(seen, memory, rules, now)
        found.append(decision)
    return found


def actions(*events, **more):
    return [each.action for each in course(*events, **more)]


def test_one_that_is_used_is_left_alone():
    (decision,) = course((0, answer(idle=2990)))
    assert decision.action is Action.LEAVE
    assert decision.reason == "idle for 2990 s"


def test_one_that_is_not_used_is_warned_and_then_stopped():
    found = course(
        (0, answer(idle=2000)),
        (1010, answer(idle=3010)),
        (1020, answer(idle=3020, stop_in=590)),
        (1609, answer(idle=3609, stop_in=1)),
        (1610, answer(idle=3610, stop_in=0)),
    )
    assert [d.action for d in found] == [
        *(Action.LEAVE, Action.WARN, Action.LEAVE, Action.LEAVE, Action.STOP)
    ]
    assert found[1].stop_in == 600
    assert found[4].reason == "idle for 3610 s, and warned in time"


def test_one_that_is_seen_late_is_warned_in_full():
    found = course((0, answer(idle=10**5)), (599, answer(idle=10**5 + 599, stop_in=1)))
    assert found[0].action is Action.WARN
    assert found[0].stop_in == 600
    assert found[1].action is Action.LEAVE


@pytest.mark.parametrize("late", [0, 300])
def test_work_that_begins_takes_a_warning_back(late):
    found = course(
        (0, answer(idle=3100)),
        (late, answer(idle=0, activity="b", work="1 busy kernel", stop_in=600 - late)),
        (700, answer(idle=3700)),
    )
    assert [d.action for d in found[:2]] == [Action.WARN, Action.WITHDRAW]
    assert found[1].counts == ("kept",)
    assert found[2].action is not Action.STOP


def test_silent_work_is_never_warned_and_its_keeping_counted_once():
    found = course(*((t, answer(idle=t, work="1 busy terminal")) for t in range(0, 9000, 30)))
    assert {d.action for d in found} == {Action.LEAVE}
    assert [d.counts for d in found].count(("kept",)) == 1


def test_an_extension_keeps_it_and_is_counted_once():
    asked = answer(idle=0, activity="b", extension="e", extended=7200)
    found = course(
        (0, answer(idle=3000)),
        (300, asked),
        (4000, asked),
        (300 + 6600, asked),
        (300 + 7199, replace(asked, stop_in=1)),
        (300 + 7200, replace(asked, stop_in=0)),
    )
    assert [d.action for d in found] == [
        *(Action.WARN, Action.LEAVE, Action.LEAVE, Action.WARN, Action.LEAVE, Action.STOP)
    ]
    assert [d.counts for d in found] == [(), ("extended",), (), (), (), ()]


def test_a_warning_that_was_lost_is_given_again_in_full():
    found = course((0, answer(idle=3000)), (601, answer(idle=3601)), (602, answer(idle=3602)))
    assert [d.action for d in found] == [Action.WARN] * 3
    assert {d.stop_in for d in found} == {600}


def test_a_culler_that_starts_anew_goes_on_where_the_last_one_left_it():
    warned = answer(idle=3300, stop_in=300)
    assert actions(
        (0, warned), (299, replace(warned, stop_in=1)), (300, replace(warned, stop_in=0))
    ) == [Action.LEAVE, Action.LEAVE, Action.STOP]
    # Long past: another look first, and no more.
    past = answer(idle=9000, stop_in=-5400)
    assert actions((0, past), (29, past), (30, past)) == [Action.LEAVE, Action.LEAVE, Action.STOP]


def test_a_warning_of_nobody_knows_whom_is_replaced():
    (decision,) = course((0, answer(idle=3300, stop_in=10**8)))
    assert decision.action is Action.WARN
    (decision,) = course((0, answer(idle=10, stop_in=5)))
    assert decision.action is Action.WITHDRAW


def test_a_clock_that_jumps_ahead_or_a_night_asleep_ends_nothing():
    found = actions((0, answer(idle=60)), (30, answer(idle=30000)), (60, answer(idle=30030)))
    assert found == [Action.LEAVE] * 3
    # Neither while it is warned.
    warned = actions((0, answer(idle=3000)), (30, answer(idle=30000, stop_in=-26000)))
    assert warned == [Action.WARN, Action.LEAVE]
    # Nor where something was done in between.
    again = actions((0, answer(idle=60)), (30, answer(idle=30000, activity="b")))
    assert again == [Action.LEAVE] * 2


def test_a_clock_that_is_put_back_keeps_nothing_for_ever():
    # The last activity lies a day ahead from now on.
    found = actions(*((t, answer(idle=0)) for t in (0, 2999, 3000)))
    assert found == [Action.LEAVE, Action.LEAVE, Action.WARN]


def test_one_that_cannot_be_asked_is_left_alone_until_it_is_lost():
    events = [(t, LOST) for t in range(0, 7201, 600)]
    assert actions(*events) == [Action.LEAVE] * (len(events) - 1) + [Action.STOP]
    for idle in (None, 7199):
        seen = [(t, Silence("it is slow", idle)) for t in range(0, 72000, 600)]
        assert set(actions(*seen)) == {Action.LEAVE}


def test_an_answer_ends_a_silence():
    assert actions((0, LOST), (7000, answer()), (7100, LOST), (14000, LOST)) == [Action.LEAVE] * 4


def test_a_warning_is_at_most_half_of_the_time():
    assert Rules(10, 600).warning == 5
    assert Rules(3600, 600).interval == 30
    assert Rules(8, 4).interval == 1
    for nonsense in ((0, 1), (float("nan"), 1), (10, -1)):
        with pytest.raises(UsageError, match="positive"):
            Rules(*nonsense)


# ---- any course of events

SECONDS = st.floats(0.5, 900)
QUIET = st.tuples(st.just("quiet"), SECONDS, st.just(0.0))
EVENTS = [
    *(QUIET, QUIET, QUIET),  # or hardly any course would come to its end
    st.tuples(st.just("used"), SECONDS, st.floats(0, 900)),
    st.tuples(st.just("working"), SECONDS, st.just(0.0)),
    st.tuples(st.just("lost"), SECONDS, st.just(0.0)),
    st.tuples(st.just("extended"), SECONDS, st.floats(1, 5000)),
]
JUMP = st.tuples(st.just("jump"), SECONDS, st.floats(-1e6, 1e6))
RESTART = st.tuples(st.just("restart"), SECONDS, st.just(0.0))


class Model:
    """A server, what is true of it, and a culler that looks at it after each event."""

    def __init__(self):
        self.now = self.jump = self.used = 0.0
        self.kept, self.extension, self.number = 0.0, "", 0
        self.told = None  # when it was warned, and when it will be stopped by its own clock
        self.memory = Memory()
        self.looks = 0

    def happen(self, kind, passed, how):
        self.now += passed
        if kind == "jump" and self.looks:
            self.jump += how
        if kind == "restart":
            self.memory = Memory()
        if kind in {"used", "working", "extended"}:
            ago = min(how, passed) if kind == "used" else 0.0
            self.used, self.number = self.now - ago, self.number + 1
            if kind != "working":
                self.told = None  # as a server does by itself
        if kind == "extended":
            self.kept, self.extension = self.now + how, str(self.number)

    def seen(self, kind):
        if kind == "lost":
            return Silence("it is slow", 0.0)
        wall = self.now + self.jump
        return Answer(
            work="1 busy kernel" if kind == "working" else "",
            activity=str(self.number),
            idle=max(0.0, wall - self.used),
            extension=self.extension,
            extended=max(0.0, self.kept - wall),
            stop_in=None if self.told is None else self.told[1] - wall,
        )

    def look(self, kind):
        decision, self.memory = decide(self.seen(kind), self.memory, RULES, self.now)
        self.looks += kind != "lost"
        if decision.action is Action.WARN:
            self.told = (self.now, self.now + self.jump + decision.stop_in)
        elif decision.action is Action.WITHDRAW:
            self.told = None
        return decision.action


def stopped_in_time(steps):
    """Go through events; say whether it came to a stop, which then was right."""
    model = Model()
    for kind, passed, how in steps:
        model.happen(kind, passed, how)
        action = model.look(kind)
        if kind == "working":
            assert action in {Action.LEAVE, Action.WITHDRAW}
        if action is Action.STOP:
            assert kind not in {"working", "lost"}
            assert model.now - model.used >= RULES.idle_after - 1e-6
            assert model.now >= model.kept - 1e-6
            assert model.now - model.told[0] >= RULES.warning - 1e-6
            return True
    return False


@settings(max_examples=200, deadline=None)
@given(st.lists(st.one_of(*EVENTS, JUMP), max_size=50))
def test_nobody_is_stopped_early_or_unwarned_whatever_the_clock_does(steps):
    stopped_in_time(steps)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.one_of(*EVENTS, RESTART), max_size=50))
def test_nor_however_often_the_culler_starts_anew(steps):
    stopped_in_time(steps)


def test_such_courses_do_come_to_stops():
    quiet = [("quiet", 300.0, 0.0)] * 20
    assert stopped_in_time([("jump", 1.0, 1e6), *quiet, *quiet])
    assert stopped_in_time([*quiet[:11], ("restart", 100.0, 0.0), *quiet])
    assert stopped_in_time([*quiet[:11], ("lost", 100.0, 0.0), ("jump", 1.0, -1e6), *quiet])


@settings(max_examples=100, deadline=None)
@given(st.floats(0, 1e5), st.floats(-1e5, 1e5), st.floats(1, 120))
def test_whoever_is_idle_for_good_is_stopped_in_the_end(idle, jump, step):
    memory, told, now = Memory(), None, 0.0
    while now < 2 * (RULES.idle_after + RULES.warning):
        at = max(0.0, idle + now + (jump if now > 900 else 0))
        seen = answer(idle=at, stop_in=None if told is None else told - now)
        decision, memory = decide(seen, memory, RULES, now)
        if decision.action is Action.STOP:
            return
        if decision.action is Action.WARN:
            told = now + decision.stop_in
        now += step
    pytest.fail("it runs for ever")

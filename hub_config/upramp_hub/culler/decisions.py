"""Whether a server is left alone, warned, or stopped: a function of what was seen, and when.

Time is the culler's monotonic clock throughout. What a server says in times
of day counts only when it is first heard, as a span; from then on the
monotonic clock measures, so that a clock that jumps, or a laptop that slept,
stops nobody's server early.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING

from upramp.errors import UsageError

if TYPE_CHECKING:
    from .answers import Answer

__all__ = ["Action", "Decision", "Memory", "Rules", "Silence", "decide"]


class Action(Enum):
    """What is done about a server."""

    LEAVE = "left alone"
    WARN = "warned"
    WITHDRAW = "no longer to be stopped"
    STOP = "stopped"


@dataclass(frozen=True)
class Rules:
    """When a server is to be stopped.

    Parameters
    ----------
    idle_after
        Seconds after which a server that nobody uses is stopped.
    warning
        Seconds before that when its user is told; at most half of ``idle_after``.
    unreachable
        Seconds that a server must have been silent, to the culler and to the hub,
        before it is stopped without a warning; None for twice ``idle_after``.
    """

    idle_after: float
    warning: float
    unreachable: float | None = None

    def __post_init__(self) -> None:
        if not self.idle_after > 0 or self.warning < 0:
            raise UsageError(
                f"idle_after {self.idle_after}, warning {self.warning}",
                "a server needs time to be used, and its user to be warned",
                "give positive numbers of seconds",
            )
        object.__setattr__(self, "warning", min(self.warning, self.idle_after / 2))

    @property
    def patience(self) -> float:
        """Seconds of silence after which a server counts as lost."""
        return 2 * self.idle_after if self.unreachable is None else self.unreachable

    @property
    def interval(self) -> float:
        """Seconds between two looks."""
        return min(30.0, max(1.0, min(self.idle_after, self.warning or self.idle_after) / 20))


@dataclass(frozen=True)
class Silence:
    """A server that could not be asked.

    Parameters
    ----------
    problem
        Why.
    hub_idle
        Seconds since the hub has last seen it used; None if the hub does not say.
    """

    problem: str
    hub_idle: float | None


@dataclass(frozen=True)
class Memory:
    """What is remembered of a server from look to look. All times are monotonic.

    Parameters
    ----------
    looked
        When it last answered; None if it never did.
    activity, since, idle
        The last activity it spoke of, when that was first heard, and how many seconds it
        was past then.
    extension, extended_since, extended
        The same for the time until which its user wants it kept.
    due
        When it is to be stopped; None if it was not warned.
    silent_since
        Since when it has not answered; None if it does.
    working_since
        Since when something runs in it, and whether that it was kept has been counted.
    """

    looked: float | None = None
    activity: str = ""
    since: float = 0.0
    idle: float = 0.0
    extension: str = ""
    extended_since: float = 0.0
    extended: float = 0.0
    due: float | None = None
    silent_since: float | None = None
    working_since: float | None = None
    counted: bool = False


@dataclass(frozen=True)
class Decision:
    """What is done about a server, and why.

    Parameters
    ----------
    action
        What.
    reason
        Why, in words.
    stop_in
        For a warning: seconds until the server is stopped.
    counts
        What Prometheus is told beside the action (``kept``, ``extended``).
    """

    action: Action
    reason: str
    stop_in: float = 0.0
    counts: tuple[str, ...] = ()


def decide(
    seen: Answer | Silence, memory: Memory, rules: Rules, now: float
) -> tuple[Decision, Memory]:
    """Judge a server.

    Parameters
    ----------
    seen
        What it said, or that it said nothing.
    memory
        What is remembered of it.
    rules
        When servers are stopped.
    now
        The monotonic clock.

    Returns
    -------
    tuple
        What to do, and what to remember if that succeeds.
    """
    if isinstance(seen, Silence):
        return _decide_silent(seen, memory, rules, now)
    new_extension = bool(seen.extension) and seen.extension != memory.extension
    fresh = memory.looked is None
    memory = _updated(seen, memory, now)
    counts = ("extended",) if new_extension and not fresh else ()
    if seen.work:
        return _decide_working(seen, memory, rules, now, counts)
    memory = replace(memory, working_since=None, counted=False)
    idle = memory.idle + now - memory.since
    kept = memory.extended - (now - memory.extended_since) if memory.extension else 0.0
    left = max(rules.idle_after - idle, kept)
    why = f"idle for {idle:.0f} s" + (f", wanted for {kept:.0f} s more" if kept > 0 else "")
    if left > rules.warning:
        return _spared(seen, memory, why, counts)
    return _decide_due(seen, memory, rules, now, _Case(left, why, counts))


@dataclass(frozen=True)
class _Case:
    """A server whose time is up, or nearly."""

    left: float
    why: str
    counts: tuple[str, ...]


def _decide_due(
    seen: Answer, memory: Memory, rules: Rules, now: float, case: _Case
) -> tuple[Decision, Memory]:
    why, counts = case.why, case.counts
    if memory.due is not None and seen.stop_in is not None:
        if now >= memory.due:
            return Decision(Action.STOP, f"{why}, and warned in time", counts=counts), memory
        reason = f"{why}; warned, {memory.due - now:.0f} s left"
        return Decision(Action.LEAVE, reason, counts=counts), memory
    # One that an earlier culler has warned goes on where that left it, but for another look.
    if memory.due is None and seen.stop_in is not None and seen.stop_in <= rules.warning + 1:
        due = now + max(seen.stop_in, rules.interval)
        reason = f"{why}; warned before, {due - now:.0f} s left"
        return Decision(Action.LEAVE, reason, counts=counts), replace(memory, due=due)
    stop_in = max(case.left, rules.warning)
    return Decision(Action.WARN, why, stop_in, counts), replace(memory, due=now + stop_in)


def _updated(seen: Answer, memory: Memory, now: float) -> Memory:
    """Take in what a server says; what it has said before is measured on, not read again."""
    if memory.looked is None or seen.activity != memory.activity:
        idle = seen.idle
        if memory.looked is not None:
            # It was after the last look, whatever its clock has done since.
            idle = min(idle, now - memory.looked)
        memory = replace(memory, activity=seen.activity, since=now, idle=idle)
    if seen.extension != memory.extension:
        memory = replace(
            memory, extension=seen.extension, extended_since=now, extended=seen.extended
        )
    return replace(memory, looked=now, silent_since=None)


def _decide_working(
    seen: Answer, memory: Memory, rules: Rules, now: float, counts: tuple[str, ...]
) -> tuple[Decision, Memory]:
    begun = now if memory.working_since is None else memory.working_since
    # One that works longer than it may be idle, or that was warned, is kept for its work alone.
    if not memory.counted and (
        now - begun >= rules.idle_after - rules.warning or seen.stop_in is not None
    ):
        memory = replace(memory, counted=True)
        counts = (*counts, "kept")
    return _spared(seen, replace(memory, working_since=begun), seen.work, counts)


def _spared(
    seen: Answer, memory: Memory, reason: str, counts: tuple[str, ...]
) -> tuple[Decision, Memory]:
    action = Action.LEAVE if seen.stop_in is None else Action.WITHDRAW
    return Decision(action, reason, counts=counts), replace(memory, due=None)


def _decide_silent(
    seen: Silence, memory: Memory, rules: Rules, now: float
) -> tuple[Decision, Memory]:
    since = now if memory.silent_since is None else memory.silent_since
    memory = replace(memory, silent_since=since)
    silent = now - since
    if silent < rules.patience:
        return Decision(Action.LEAVE, f"{seen.problem} (for {silent:.0f} s)"), memory
    if seen.hub_idle is None or seen.hub_idle < rules.patience:
        reason = f"{seen.problem} (for {silent:.0f} s), but the hub has seen it used since"
        return Decision(Action.LEAVE, reason), memory
    reason = f"{seen.problem} (for {silent:.0f} s), and the hub has not seen it used either"
    return Decision(Action.STOP, reason), memory

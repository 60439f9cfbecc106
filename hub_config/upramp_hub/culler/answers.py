"""What a server says of its own activity, read with distrust: its user may have written it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from upramp.errors import UprampError, printable

__all__ = ["LARGEST", "LONGEST_EXTENSION", "Answer", "AnswerError", "after", "read_answer"]

LARGEST: Final = 1024**2
"""Bytes that an answer may have; a thousand kernels need a fifth of it."""

LONGEST_EXTENSION: Final = 24 * 3600
"""Seconds by which a server lets its user put off its end; what claims more is no answer."""

_SLACK: Final = 60.0
"""Seconds by which times may contradict each other: they are of one clock, but rounded."""

_LONGEST_TEXT: Final = 64


class AnswerError(UprampError):
    """What a server says of itself cannot be believed, or not be read."""


@dataclass(frozen=True)
class Answer:
    """What a server says of itself, as spans of its own clock.

    Parameters
    ----------
    work
        What runs in it, in words; nothing if nothing does.
    activity
        When something last happened; only compared with what it said before.
    idle
        Seconds since then; 0 for a time that is still to come.
    extension
        Until when its user wants it kept; only compared, nothing for none.
    extended
        Seconds until then; 0 for none.
    stop_in
        Seconds until it believes that it is stopped; None if it was not warned.
    now
        Its clock.
    """

    work: str
    activity: str
    idle: float
    extension: str = ""
    extended: float = 0.0
    stop_in: float | None = None
    now: datetime = datetime(1970, 1, 1, tzinfo=UTC)


def read_answer(content: bytes, server: str) -> Answer:
    """Read a server's answer.

    Parameters
    ----------
    content
        As it came.
    server
        Whose, for errors.

    Raises
    ------
    AnswerError
        If it is not what the hub's servers answer.
    """
    if len(content) > LARGEST:
        raise _nonsense(server, f"its answer has more than {LARGEST} bytes")
    try:
        found = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise _nonsense(server, "its answer is no JSON") from error
    if not isinstance(found, dict):
        raise _nonsense(server, "its answer is no JSON object")
    try:
        return _understand(found)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise _nonsense(server, f"its answer is not as it should be: {_short(error)}") from error


def _understand(found: dict[str, Any]) -> Answer:
    now = _moment(found["now"])
    last = _moment(found["last_activity"])
    counts = [
        (_count(found["busy_kernels"]), "busy kernel"),
        (_count(found["busy_terminals"]), "busy terminal"),
        (_count(found.get("campaigns", 0)), "running campaign"),
    ]
    until, stop = (
        None if found.get(key) is None else _moment(found[key])
        for key in ("extended_until", "stop_at")
    )
    extended = 0.0 if until is None else (until - now).total_seconds()
    if extended > LONGEST_EXTENSION + _SLACK:
        raise ValueError(f"it is kept for {extended:.0f} seconds, which no user can ask for")
    return Answer(
        work=", ".join(f"{n} {what}{'s' * (n > 1)}" for n, what in counts if n),
        activity=last.isoformat(),
        idle=max(0.0, (now - last).total_seconds()),
        extension="" if until is None else until.isoformat(),
        extended=max(0.0, extended),
        stop_in=None if stop is None else (stop - now).total_seconds(),
        now=now,
    )


def after(answer: Answer, seconds: float) -> str:
    """Give a moment by a server's own clock, as ISO 8601 writes it.

    Parameters
    ----------
    answer
        What the server said last.
    seconds
        How long after that.
    """
    return (answer.now + timedelta(seconds=seconds)).isoformat()


def _moment(text: Any) -> datetime:
    if not isinstance(text, str) or len(text) > _LONGEST_TEXT:
        raise TypeError("a time is no short text")
    moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)


def _count(number: Any) -> int:
    if isinstance(number, bool) or not isinstance(number, int) or not 0 <= number < 10**6:
        raise TypeError("a count is no count")
    return number


def _short(error: Exception) -> str:
    return printable(str(error))[:120]


def _nonsense(server: str, problem: str) -> AnswerError:
    return AnswerError(server, problem, "stop it by hand if it is not used")

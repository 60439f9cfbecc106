"""What robots met, in numbers."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["STAGES", "Failure", "Report", "percentile"]

STAGES: Final = (
    "login",
    "first event",
    "spawn",
    "lab",
    "kernel",
    "websocket",
    "first cell",
    "ramp",
    "archive",
    "stop",
    "logout",
)
"""Stages of a visit, in their order.

``spawn`` is counted from the first request until the server answers, with all the waiting
that a full hub asks for; ``first event`` from there to the first word on how the start goes.
"""

_PERCENTILES: Final = (50, 90, 99, 100)
_SHOWN: Final = 10


def percentile(values: Sequence[float], percent: float) -> float:
    """Give a percentile by nearest rank: a value that was measured, never one between two.

    Parameters
    ----------
    values
        At least one.
    percent
        0 to 100.
    """
    ordered = sorted(values)
    return ordered[max(0, math.ceil(percent / 100 * len(ordered)) - 1)]


@dataclass(frozen=True)
class Failure:
    """Something that went wrong in a visit.

    Parameters
    ----------
    robot
        Whose.
    visit
        Which of its visits.
    stage
        Where.
    after
        Seconds since the first robot set out.
    what
        A sentence.
    """

    robot: str
    visit: int
    stage: str
    after: float
    what: str


@dataclass
class Report:
    """What robots met.

    Parameters
    ----------
    url
        The hub.
    robots
        How many there were.
    """

    url: str
    robots: int
    seconds: float = 0.0
    visits: int = 0
    completed: int = 0
    throttled: int = 0
    cells: int = 0
    lost: int = 0
    wrong: int = 0
    open_websockets: int = 0
    times: dict[str, list[float]] = field(default_factory=lambda: {s: [] for s in STAGES})
    failures: list[Failure] = field(default_factory=list)

    @property
    def good(self) -> bool:
        """Whether every visit was completed and every cell answered."""
        return bool(self.visits) and not self.failures and not self.lost and not self.wrong

    def as_json(self) -> dict[str, Any]:
        """Give everything as what JSON can hold."""
        return {
            "url": self.url,
            "robots": self.robots,
            "seconds": round(self.seconds, 3),
            "visits": {"begun": self.visits, "completed": self.completed},
            "cells": {"sent": self.cells, "lost": self.lost, "wrong": self.wrong},
            "throttled": self.throttled,
            "open_websockets": self.open_websockets,
            "stages": {
                stage: {
                    "count": len(times),
                    **{f"p{p}": round(percentile(times, p), 4) for p in _PERCENTILES},
                }
                for stage, times in self.times.items()
                if times
            },
            "failures_by_stage": dict(Counter(f.stage for f in self.failures)),
            "failures": [vars(f) for f in self.failures],
            "good": self.good,
        }

    def as_table(self) -> str:
        """Give the table that a person reads."""
        head = ("stage", "count", *(f"p{p} [s]" for p in _PERCENTILES), "failed")
        failed = Counter(f.stage for f in self.failures)
        rows = [head]
        for stage, times in self.times.items():
            if times or failed[stage]:
                values = [f"{percentile(times, p):.3f}" if times else "-" for p in _PERCENTILES]
                rows.append((stage, str(len(times)), *values, str(failed[stage])))
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = [
            "  ".join(
                [row[0].ljust(widths[0])]
                + [text.rjust(width) for text, width in zip(row[1:], widths[1:], strict=True)]
            )
            for row in rows
        ]
        lines.append("")
        lines.append(
            f"{self.robots} robots, {self.completed} of {self.visits} visits completed in "
            f"{self.seconds:.1f} s; {self.cells} cells sent, {self.lost} lost, {self.wrong} "
            f"wrong; asked to come again {self.throttled} times; "
            f"{self.open_websockets} websockets left open"
        )
        lines += [
            f"{f.robot}, visit {f.visit}, {f.stage} after {f.after:.1f} s: {f.what}"
            for f in self.failures[:_SHOWN]
        ]
        if len(self.failures) > _SHOWN:
            lines.append(f"and {len(self.failures) - _SHOWN} more failures")
        return "\n".join(lines)

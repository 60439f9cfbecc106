"""The hub under load, beside plain JupyterHub with the simple spawner, by the same robots.

Both run at the same time, with the same limits (4 servers starting, 16
running), kernels, archive and proxy: the project's, since it is the one that
both find here; plain JupyterHub is otherwise as usual.

(a) 16 users come at once: each logs in, waits for room where there is none,
starts a server and a kernel, opens the lab and runs cells; at the project's
hub, twice at the other, and at the project's again, so that neither is the
first. While all are there, the memory of each user's server and kernel is
read (PSS: what processes share is divided among them). (b) 100
servers in a row are started and stopped by one user after the other, at both
hubs in turn, so that what else the machine does meets both alike.

A login at the project's hub is judged with scrypt at its real cost; plain
JupyterHub compares one password for all. Servers at the project's hub have,
where it is root, a user each; plain ones are all the hub's own user.

UPRAMP_LOAD_USERS and UPRAMP_LOAD_SPAWNS make it shorter.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING

from benchmarks._hub import memory
from benchmarks._hub.hubs import SERVERS, Hub, PlainHub, ProjectHub
from upramp.errors import UprampError
from upramp.practice import make_archive
from upramp_hub.robot import Fleet, Plan
from upramp_hub.robot.report import percentile
from upramp_hub.robot.visitor import Visitor

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks._table import Row
    from upramp_hub.robot import Report
    from upramp_hub.robot.logins import Login

__all__ = ["rows"]

_USERS = 16
_SPAWNS = 100
_PATIENCE = 600.0
_PERCENTILES = (50, 90, 99)
_SHOWN = (("login", (50, 99)), ("spawn", _PERCENTILES), ("lab", (50,)), ("kernel", (50,)))
_CELLS = (("first cell", (50, 99)), ("archive", (50, 99)))


@dataclass
class _Met:
    """What one hub was like."""

    reports: list[Report] = field(default_factory=list)
    users: list[float] = field(default_factory=list)
    own: dict[str, float] = field(default_factory=dict)
    seconds: list[float] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    def times(self, stage: str) -> list[float]:
        """Give what a stage took, each time that users came at once."""
        return [seconds for report in self.reports for seconds in report.times[stage]]


def rows() -> list[Row]:
    """Send the robots to both, and give times by percentile."""
    users = min(int(os.environ.get("UPRAMP_LOAD_USERS", _USERS)), SERVERS)
    spawns = int(os.environ.get("UPRAMP_LOAD_SPAWNS", _SPAWNS))
    names = [f"robot-{number:02d}" for number in range(1, users + 1)]
    with tempfile.TemporaryDirectory(prefix="hubs-") as scratch, ExitStack() as stack:
        archive = _archive(Path(scratch))
        hubs: list[Hub] = []
        for kind in (ProjectHub, PlainHub):
            hubs.append(kind(Path(scratch) / kind.__name__, archive, [*names, "first"]))
            stack.callback(hubs[-1].stop)
        ours, plain = asyncio.run(_visit(hubs, spawns))
    for hub, met in zip(hubs, (ours, plain), strict=True):
        _tell(hub, met)
    return _rows(users, ours, plain)


def _archive(scratch: Path) -> Path:
    """Give the practice archive of this clone; one is made if it has none."""
    practice = Path(__file__).resolve().parent.parent / "practice"
    if (practice / "uncal").is_dir() and (practice / "crds").is_dir():
        return practice
    made = scratch / "practice"
    make_archive(made)
    return made


async def _visit(hubs: Sequence[Hub], spawns: int) -> list[_Met]:
    for hub in hubs:
        # Whoever comes first waits for what is read from disk for the first time.
        await Fleet(hub.url, hub.logins[-1:], Plan(rounds=1, patience=_PATIENCE)).run()
    met = [_Met() for _ in hubs]
    both = list(zip(hubs, met, strict=True))
    for hub, one in (*both, *reversed(both)):
        await _at_once(hub, one)
    visitors = []
    for hub in hubs:
        visitors.append([Visitor(hub.url, login) for login in hub.logins[:-1]])
        for visitor in visitors[-1]:
            await visitor.log_in()
    for number in range(spawns):
        for some, one in zip(visitors, met, strict=True):
            await _one_spawn(some[number % len(some)], one)
    for some in visitors:
        for visitor in some:
            await visitor.close()
    for hub, one in zip(hubs, met, strict=True):
        one.own = hub.own_memory()
    return met


async def _at_once(hub: Hub, met: _Met) -> None:
    load = os.getloadavg()[0]
    plan = Plan(rounds=3, pause=1.0, stays=True, patience=_PATIENCE)
    fleet = Fleet(hub.url, hub.logins[:-1], plan)
    report = await fleet.run()
    met.reports.append(report)
    met.users += memory.by_user(hub.hub_port)
    _say(f"\n{hub.title}, users at once:\n{report.as_table()}")
    _say(f"the machine's load was {load:.1f} before, {os.getloadavg()[0]:.1f} after")
    await fleet.leave()
    await asyncio.gather(*(_stop(hub, login) for login in hub.logins[:-1]))


async def _stop(hub: Hub, login: Login) -> None:
    visitor = Visitor(hub.url, login)
    try:
        await visitor.log_in()
        await visitor.stop_server()
    finally:
        await visitor.close()


async def _one_spawn(visitor: Visitor, met: _Met) -> None:
    begun = time.monotonic()
    try:
        async with asyncio.timeout(_PATIENCE):
            await visitor.start_server({}, _PATIENCE, lambda: None)
            met.seconds.append(time.monotonic() - begun)
            await visitor.stop_server()
    except (UprampError, TimeoutError) as error:
        met.failures.append(str(error) or f"it was not over after {_PATIENCE:.0f} s")


def _tell(hub: Hub, met: _Met) -> None:
    _say(f"\n{hub.title}:\nmemory of a user's server and kernel, MB: {_spread(met.users)}")
    own = ", ".join(f"{name} {megabytes:.0f} MB" for name, megabytes in met.own.items())
    _say(f"memory at the end: {own}")
    _say(f"in a row: {len(met.seconds)} started, {len(met.failures)} not: {met.failures[:3]}")


def _spread(values: Sequence[float]) -> str:
    return ", ".join(f"{each:.0f}" for each in sorted(values))


def _rows(users: int, ours: _Met, plain: _Met) -> list[Row]:
    found = []
    for stage, percents in (*_SHOWN, *_CELLS):
        for percent in percents:
            figure = f"hub, {users} users at once: {stage}, p{percent}"
            times = ours.times(stage), plain.times(stage)
            found.append(_row(figure, *(_percentile(each, percent) for each in times)))
    for percent in _PERCENTILES:
        figure = f"hub, {len(ours.seconds)} spawns in a row: p{percent}"
        found.append(_row(figure, *(_percentile(m.seconds, percent) for m in (ours, plain))))
    lost, again = (
        [sum(getattr(report, what) for report in one.reports) for one in (ours, plain)]
        for what in ("lost", "throttled")
    )
    whole = _row(
        f"hub, {users} users at once, until the last has done; memory by user; "
        f"lost cells {lost[0]} and {lost[1]}; asked to come again {again[0]} and {again[1]} times",
        fmean(report.seconds for report in ours.reports),
        fmean(report.seconds for report in plain.reports),
    )
    whole["memory_project"], whole["memory_peer"] = _mean(ours.users), _mean(plain.users)
    return [*found, whole]


def _row(figure: str, project: float | None, peer: float | None) -> Row:
    if project is None:
        sys.exit(f"{figure}: nothing was measured; see above what failed")
    return {
        "figure": figure,
        "project": project,
        "peer": peer,
        "ratio": None if peer is None else project / peer,
        "memory_project": None,
        "memory_peer": None,
    }


def _percentile(times: Sequence[float], percent: float) -> float | None:
    return percentile(times, percent) if times else None


def _mean(values: Sequence[float]) -> float | None:
    return fmean(values) if values else None


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)

"""Many robots at once."""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import aiohttp

from upramp.errors import UprampError

from . import cells
from .errors import LostCellError, RobotError, WrongAnswerError
from .report import Failure, Report
from .visitor import Visitor

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from .cells import Cell
    from .kernel import Kernel
    from .logins import Login

__all__ = ["Fleet", "Plan"]


@dataclass(frozen=True)
class Plan:
    """What robots do.

    Parameters
    ----------
    seconds
        How long visits are begun for; 0 for one visit each.
    visits
        How many each robot makes at most; 0 for as many as there is time for.
    within
        Seconds over which the robots arrive.
    rounds
        How often a visit runs its cells, the ramp and the archive.
    pause
        Seconds of thought between rounds.
    stays
        Whether robots leave their websocket open and their server running.
    reads_archive
        Whether they read the archive.
    archive
        Where servers have it; None for what ``UPRAMP_ARCHIVE`` says there.
    options
        What the form of the spawn page would send, as a profile.
    patience
        Seconds that a stage may take.
    """

    seconds: float = 0.0
    visits: int = 0
    within: float = 0.0
    rounds: int = 3
    pause: float = 0.0
    stays: bool = False
    reads_archive: bool = True
    archive: str | None = None
    options: dict[str, Any] = field(default_factory=dict)
    patience: float = 120.0


class _StopVisitError(Exception):
    """A stage failed, which is written down; the rest of the visit makes no sense."""


class Fleet:
    """Robots that visit one hub.

    Parameters
    ----------
    url
        Where it is.
    logins
        An account for each robot.
    plan
        What they do.
    """

    def __init__(self, url: str, logins: Sequence[Login], plan: Plan) -> None:
        self.report = Report(url, len(logins))
        self._logins = logins
        self._plan = plan
        self._begun = 0.0
        self.started: set[str] = set()
        """Logins whose servers were started here, and may therefore be ended."""

        self._stayed: list[tuple[Visitor, Kernel]] = []

    async def run(self) -> Report:
        """Send the robots, and wait until the last is back.

        Returns
        -------
        Report
            What they met.
        """
        self._begun = time.monotonic()
        gap = self._plan.within / max(len(self._logins), 1)
        async with asyncio.TaskGroup() as group:
            for number, login in enumerate(self._logins):
                group.create_task(self._robot(login, number, number * gap))
        self.report.seconds = time.monotonic() - self._begun
        self.report.open_websockets = sum(kernel.is_open for _, kernel in self._stayed)
        return self.report

    async def leave(self) -> None:
        """Close what robots that stay have left open; without it, the process's end does."""
        for visitor, kernel in self._stayed:
            await kernel.close()
            await visitor.close()
        self._stayed.clear()

    async def _robot(self, login: Login, number: int, delay: float) -> None:
        await asyncio.sleep(delay)
        visit = 0
        while True:
            visit += 1
            self.report.visits += 1
            await self._visit(login, number, visit)
            over = time.monotonic() - self._begun >= self._plan.seconds
            if visit == self._plan.visits or (not self._plan.visits and over):
                return
            if self._plan.seconds and over:
                return
            await asyncio.sleep(self._plan.pause)

    async def _visit(self, login: Login, number: int, visit: int) -> None:
        visitor = Visitor(self.report.url, login)
        one = _Visit(self, visitor, number, visit)
        kernel: Kernel | None = None
        good = False
        try:
            kernel = await one.arrive()
            await one.work(kernel)
            good = True
        except _StopVisitError:
            pass
        finally:
            self.report.throttled += visitor.throttled
        if good and kernel is not None and self._plan.stays:
            self._stayed.append((visitor, kernel))
            self.report.completed += 1
            return
        # A visit that failed leaves nothing behind either.
        try:
            await one.leave(kernel)
            self.report.completed += good
        except _StopVisitError:
            pass
        finally:
            await visitor.close()

    def _fail(self, login: Login, visit: int, stage: str, what: str) -> None:
        after = round(time.monotonic() - self._begun, 3)
        self.report.failures.append(Failure(login.name, visit, stage, after, what))


class _Visit:
    """One visit of one robot.

    Parameters
    ----------
    fleet
        Whose report it writes into.
    visitor
        The robot before the hub.
    number
        Of the robot.
    visit
        Which of its visits this is.
    """

    def __init__(self, fleet: Fleet, visitor: Visitor, number: int, visit: int) -> None:
        self._fleet = fleet
        self._plan = fleet._plan  # noqa: SLF001 - of this module
        self._report = fleet.report
        self._visitor = visitor
        self._number = number
        self._visit = visit
        self._logged_in = False
        self._asked = False

    async def arrive(self) -> Kernel:
        """Log in, start the server, and open a kernel."""
        patience = self._plan.patience
        with self._stage("login"):
            async with asyncio.timeout(patience):
                await self._visitor.log_in()
        self._logged_in = True
        with self._stage("spawn"):
            begun = time.monotonic()
            name = self._visitor.login.name
            if name not in self._fleet.started and await self._visitor.has_server():
                raise RobotError(
                    name,
                    "their server runs already, and a robot would end it",
                    "give robots logins of their own",
                )
            self._asked = True
            self._fleet.started.add(name)
            async with asyncio.timeout(2 * patience):  # until there is room, and until it is up
                await self._visitor.start_server(
                    self._plan.options,
                    patience,
                    lambda: self._took("first event", time.monotonic() - begun),
                )
        with self._stage("lab"):
            async with asyncio.timeout(patience):
                await self._visitor.open_lab()
        with self._stage("kernel"):
            async with asyncio.timeout(patience):
                identity = await self._visitor.start_kernel()
        with self._stage("websocket"):
            async with asyncio.timeout(patience):
                kernel = await self._visitor.connect(identity)
        await self._run("first cell", kernel, cells.ramp())
        return kernel

    async def work(self, kernel: Kernel) -> None:
        """Run cells."""
        for turn in range(self._plan.rounds):
            await self._run("ramp", kernel, cells.ramp())
            if self._plan.reads_archive:
                exposure = cells.archive(self._plan.archive, self._number + turn)
                await self._run("archive", kernel, exposure)
            await asyncio.sleep(self._plan.pause)

    async def leave(self, kernel: Kernel | None) -> None:
        """Stop the server and log out, as far as the visit came."""
        patience = self._plan.patience
        if kernel is not None:
            await kernel.close()
        if self._asked:
            with self._stage("stop"):
                async with asyncio.timeout(patience):
                    await self._visitor.stop_server()
        if self._logged_in:
            with self._stage("logout"):
                async with asyncio.timeout(patience):
                    await self._visitor.log_out()

    async def _run(self, stage: str, kernel: Kernel, cell: Cell) -> None:
        with self._stage(stage):
            self._report.cells += 1
            try:
                await kernel.run(cell, self._plan.patience)
            except LostCellError:
                self._report.lost += 1
                raise
            except WrongAnswerError:
                self._report.wrong += 1
                raise

    @contextmanager
    def _stage(self, name: str) -> Iterator[None]:
        """Measure a stage; where it fails, write down that it did, and stop the visit."""
        begun = time.monotonic()
        try:
            yield
        except UprampError as error:
            what = str(error)
        except TimeoutError:
            what = f"it is not over after {self._plan.patience:.0f} seconds"
        except (aiohttp.ClientError, OSError, json.JSONDecodeError) as error:
            what = f"{type(error).__name__}: {error}"
        else:
            self._took(name, time.monotonic() - begun)
            return
        self._fleet._fail(self._visitor.login, self._visit, name, what)  # noqa: SLF001
        raise _StopVisitError

    def _took(self, stage: str, seconds: float) -> None:
        self._report.times[stage].append(seconds)

"""Goes around: looks at every server, does what was decided, and says so."""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final, Protocol

from upramp.errors import UprampError

from .answers import Answer, AnswerError, after
from .decisions import Action, Decision, Memory, Rules, Silence, decide

if TYPE_CHECKING:
    from collections.abc import Callable

    from .asking import Server

__all__ = ["Rounds"]

_LOG: Final = logging.getLogger("upramp.culler")

_AT_ONCE: Final = 16
"""Servers that are asked at once; one that is slow holds up none but those behind it."""


class _Asking(Protocol):
    async def running(self) -> list[Server]: ...

    async def stop(self, server: Server) -> None: ...

    async def activity(self, server: Server) -> Answer: ...

    async def warn(self, server: Server, stop_at: str) -> None: ...

    async def withdraw(self, server: Server) -> None: ...


class _Counter(Protocol):
    def add(self, what: str, count: int = 1) -> None: ...


@dataclass
class Rounds:
    """Looks at all servers, again and again.

    Parameters
    ----------
    asking
        What it asks the hub and servers with.
    rules
        When servers are stopped.
    tally
        What counts its decisions.
    clock
        The monotonic clock.
    """

    asking: _Asking
    rules: Rules
    tally: _Counter
    clock: Callable[[], float] = time.monotonic
    _memories: dict[tuple[str, str, str], Memory] = field(default_factory=dict)
    _said: dict[tuple[str, str, str], Any] = field(default_factory=dict)
    _trouble: str = ""

    async def run(self) -> None:
        """Go around until cancelled."""
        rules = self.rules
        _LOG.info(
            "servers are stopped after %.0f s without use, and warned %.0f s before; "
            "looked at every %.0f s",
            *(rules.idle_after, rules.warning, rules.interval),
        )
        while True:
            await self.once()
            await asyncio.sleep(rules.interval)

    async def once(self) -> None:
        """Look at all servers once."""
        try:
            servers = await self.asking.running()
        except UprampError as error:
            self._note_trouble(str(error))
            return
        except Exception:  # noqa: BLE001 - whatever it says, the next round may go better
            self._note_trouble("the hub gives an answer that cannot be understood")
            _LOG.debug("what it was", exc_info=True)
            return
        self._trouble = ""
        keys = {server.key for server in servers}
        self._memories = {k: v for k, v in self._memories.items() if k in keys}
        self._said = {k: v for k, v in self._said.items() if k in keys}
        slots = asyncio.Semaphore(_AT_ONCE)

        async def look(server: Server) -> None:
            async with slots:
                try:
                    await self._look(server)
                except Exception:  # noqa: BLE001 - keeps no other from being looked at
                    _LOG.exception("%s: it could not be looked at", server)

        await asyncio.gather(*(look(server) for server in servers if not server.pending))

    def _note_trouble(self, text: str) -> None:
        if text != self._trouble:
            _LOG.warning("%s", text)
            self._trouble = text
        # Who was not looked at was not silent either.
        self._memories = {k: replace(v, silent_since=None) for k, v in self._memories.items()}

    async def _look(self, server: Server) -> None:
        memory = self._memories.get(server.key, Memory())
        seen: Answer | Silence
        try:
            seen = await self.asking.activity(server)
        except AnswerError as error:
            seen = Silence(error.problem, server.hub_idle)
        except UprampError as error:
            self._say(server, "", str(error))
            self._memories[server.key] = replace(memory, silent_since=None)
            return
        decision, after_it = decide(seen, memory, self.rules, self.clock())
        for what in decision.counts:
            self.tally.add(what)
        try:
            await self._do(server, seen, decision)
        except UprampError as error:
            # It is decided again at the next look: what was not told is no warning.
            self._memories[server.key] = replace(after_it, due=memory.due)
            if decision.action is Action.STOP:
                self.tally.add("failed")
            self._say(server, decision.action, f"it could not be {decision.action.value}: {error}")
            return
        self._memories[server.key] = after_it
        # What only counts seconds is said once.
        ends = decision.action in {Action.STOP, Action.WITHDRAW}
        kind = (type(seen), getattr(seen, "work", ""), after_it.due, ends)
        reason = decision.reason
        if decision.action is Action.WARN:
            reason += f"; to be stopped in {decision.stop_in:.0f} s"
        self._say(server, kind, f"{decision.action.value}: {reason}")

    def _say(self, server: Server, kind: Any, text: str) -> None:
        """Write down what was decided, once for as long as it stays the same."""
        if self._said.get(server.key) == kind:
            _LOG.debug("%s: %s", server, text)
            return
        self._said[server.key] = kind
        _LOG.info("%s: %s", server, text)

    async def _do(self, server: Server, seen: Answer | Silence, decision: Decision) -> None:
        if decision.action is Action.STOP:
            await self.asking.stop(server)
            self.tally.add("stopped")
        elif decision.action is Action.WARN and isinstance(seen, Answer):
            await self.asking.warn(server, after(seen, decision.stop_in))
            self.tally.add("warned")
        elif decision.action is Action.WITHDRAW:
            await self.asking.withdraw(server)

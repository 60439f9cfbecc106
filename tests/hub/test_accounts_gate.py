"""Where passwords are judged: a few at once, and nobody waits without an end."""

from __future__ import annotations

import asyncio
import threading

import pytest

pytest.importorskip("jupyterhub", reason="the hub's packages are not installed")

from upramp_hub.accounts import gate as module
from upramp_hub.accounts.attempts import Attempts
from upramp_hub.accounts.database import Database
from upramp_hub.accounts.errors import LockedOutError
from upramp_hub.accounts.gate import BusyError, Gate


class Slow:
    """Accounts whose passwords are looked at until they may be done with."""

    def __init__(self):
        self.two, self.may_end = threading.Event(), threading.Event()
        self.now = self.most = self.calls = 0
        self._lock = threading.Lock()

    def verify(self, name, password):
        with self._lock:
            self.calls += 1
            self.now += 1
            self.most = max(self.most, self.now)
            if self.now >= 2:
                self.two.set()
        assert self.may_end.wait(20)
        with self._lock:
            self.now -= 1


def judged(tmp_path, scenario):
    accounts = Slow()
    gate = Gate(accounts, Attempts(Database(tmp_path)))
    try:
        return asyncio.run(scenario(gate, accounts)), accounts
    finally:
        gate.close()


def test_two_are_looked_at_at_once_and_the_hub_goes_on(tmp_path):
    async def scenario(gate, accounts):
        tasks = [
            asyncio.create_task(gate.verify(f"name{n}", "x", f"192.0.2.{n}")) for n in range(8)
        ]
        await asyncio.to_thread(accounts.two.wait, 20)  # the loop is free meanwhile
        accounts.may_end.set()
        return await asyncio.gather(*tasks)

    found, accounts = judged(tmp_path, scenario)
    assert found == [None] * 8
    assert (accounts.most, accounts.calls) == (2, 8)


def test_who_comes_when_very_many_wait_is_sent_away(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_MOST_WAITING", 3)

    async def scenario(gate, accounts):
        tasks = [
            asyncio.create_task(gate.verify(f"name{n}", "x", f"192.0.2.{n}")) for n in range(4)
        ]
        await asyncio.to_thread(accounts.two.wait, 20)
        accounts.may_end.set()
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        # Those who were before are done, so the next is looked at again.
        return [*outcomes, await gate.verify("name9", "x", "192.0.2.9")]

    outcomes, accounts = judged(tmp_path, scenario)
    assert [type(each) for each in outcomes].count(BusyError) == 1
    assert accounts.calls == 4
    assert outcomes[-1] is None


def test_who_has_to_wait_costs_nothing(tmp_path):
    async def scenario(gate, accounts):
        accounts.may_end.set()
        for _ in range(5):
            assert await gate.verify("Ada ", "x", "192.0.2.1") is None
        with pytest.raises(LockedOutError):
            await gate.verify("ada", "x", "192.0.2.1")

    _, accounts = judged(tmp_path, scenario)
    assert accounts.calls == 5


def test_of_many_that_come_together_no_more_are_looked_at(tmp_path):
    async def scenario(gate, accounts):
        tasks = [asyncio.create_task(gate.verify("ada", "x", "192.0.2.1")) for _ in range(50)]
        accounts.may_end.set()
        return await asyncio.gather(*tasks, return_exceptions=True)

    outcomes, accounts = judged(tmp_path, scenario)
    assert 5 <= accounts.calls <= 6  # two are under way together
    assert [type(each) for each in outcomes].count(LockedOutError) == 50 - accounts.calls

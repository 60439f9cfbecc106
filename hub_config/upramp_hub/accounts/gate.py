"""Where a name and a password are judged: slowly, in turn, and never on the hub's own thread.

One password costs a tenth of a second of a processor. They are computed beside
the hub, a few at once, and whoever comes when very many wait is sent away
rather than put in a queue whose end they would not live to see.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final, ParamSpec, TypeVar

from .errors import AccountError
from .names import normalised

if TYPE_CHECKING:
    from collections.abc import Callable

    from .attempts import Attempts
    from .store import Account, Accounts

__all__ = ["BusyError", "Gate"]

_P = ParamSpec("_P")
_T = TypeVar("_T")

_AT_ONCE: Final = 2
_MOST_WAITING: Final = 200


class BusyError(AccountError):
    """More people sign in than can be looked at."""

    status = 503


class Gate:
    """Judges names and passwords.

    Parameters
    ----------
    accounts
        The accounts.
    attempts
        Who has to wait.
    """

    def __init__(self, accounts: Accounts, attempts: Attempts) -> None:
        self._accounts = accounts
        self._attempts = attempts
        self._threads = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="passwords")
        self._slots = asyncio.Semaphore(_AT_ONCE)
        self._waiting = 0

    async def verify(self, name: str, password: str, address: str) -> Account | None:
        """Give the account whose name and password these are, else None.

        Parameters
        ----------
        name, password
            What was typed.
        address
            Where it comes from.

        Raises
        ------
        LockedOutError
            If there were too many wrong ones; nothing is looked at then.
        BusyError
            If very many others wait.
        """
        name = normalised(name)
        self._attempts.check(name, address)  # before it costs anything
        found = await self._in_turn(self._verify, name, password, address)
        if found is None:
            return None
        self._attempts.succeeded(name, address)
        return found

    def _verify(self, name: str, password: str, address: str) -> Account | None:
        # Many may have been sent at once; those before may have been wrong by now.
        self._attempts.check(name, address)
        found = self._accounts.verify(name, password)
        if found is None:
            self._attempts.failed(name, address)
        return found

    async def run(self, function: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """Run what computes a password's hash, in turn with the others.

        Parameters
        ----------
        function
            What is run, with its arguments.

        Raises
        ------
        BusyError
            If very many others wait.
        """
        return await self._in_turn(lambda: function(*args, **kwargs))

    def welcome(self, name: str, address: str) -> None:
        """Take note that somebody has shown elsewhere that they are who they say.

        Parameters
        ----------
        name
            Of the account.
        address
            Where they are.
        """
        self._attempts.succeeded(name, address)

    async def _in_turn(self, function: Callable[..., _T], *args: str) -> _T:
        if self._waiting >= _MOST_WAITING:
            raise BusyError("The hub", "very many people are signing in", "try again in a minute")
        self._waiting += 1
        try:
            async with self._slots:
                loop = asyncio.get_running_loop()
                return await loop.run_in_executor(self._threads, function, *args)
        finally:
            self._waiting -= 1

    def close(self) -> None:
        """End the threads."""
        self._threads.shutdown(wait=False, cancel_futures=True)

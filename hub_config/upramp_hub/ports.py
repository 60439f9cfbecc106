"""Ports that stay this user's while the process behind them is started again.

On a machine that its users share, whoever is quick takes the port of a hub
that has just died, and is told the next password. So the launcher binds each
port and keeps it, without listening, and what listens shares it (SO_REUSEPORT,
which Linux grants to processes of one user alone).

The hub does the same for each user's server: whoever took the port of one that
has just died would be sent what its user's browser sends, cookies and all.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import functools
import os
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from upramp.errors import UsageError

__all__ = ["VARIABLE", "answers", "are_held", "hold", "require_free", "share"]

VARIABLE: Final = "UPRAMP_HUB_PORTS_HELD"
"""Tells hub and proxy that their ports are held for them."""


def hold(port: int, address: str, user: int | None = None) -> socket.socket:
    """Take a port, for processes of one user.

    Parameters
    ----------
    port
        Its number; 0 for any that is free.
    address
        Of this machine.
    user
        The user's number, which root may choose; None for this process's user.

    Returns
    -------
    socket.socket
        As long as it is open, no other user gets the port.

    Raises
    ------
    OSError
        If it cannot be had.
    """
    holder = _socket_of(user, socket.AF_INET6 if ":" in address else socket.AF_INET)
    try:
        # Not SO_REUSEADDR: with that, anybody may bind what does not listen.
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        holder.bind((address, port))
    except OSError:
        holder.close()
        raise
    return holder


def _socket_of(user: int | None, family: socket.AddressFamily) -> socket.socket:
    """Make a socket that belongs to a user."""
    if user is None or user == os.geteuid():
        return socket.socket(family)

    def make() -> socket.socket:
        # It belongs to the thread's user of files, which is Linux's own notion, and unlike the
        # effective user it is not changed for the other threads of a hub.
        ctypes.CDLL(None).setfsuid(user)
        return socket.socket(family)

    # In a thread that ends with it: whoever changes that user is no longer told when their
    # parent dies (PR_SET_PDEATHSIG), and the hub's own thread has to be.
    with ThreadPoolExecutor(1, thread_name_prefix="socket of a user") as thread:
        return thread.submit(make).result()


def are_held() -> bool:
    """Say whether the ports of this process are held for it."""
    return os.environ.get(VARIABLE) == "1"


def share() -> None:
    """Have tornado, in this process, listen on ports that are held."""
    from tornado import netutil
    from tornado.tcpserver import TCPServer

    netutil.bind_sockets = functools.partial(netutil.bind_sockets, reuse_port=True)

    TCPServer.listen = functools.partialmethod(TCPServer.listen, reuse_port=True)  # type: ignore[method-assign, assignment]


def require_free(port: int, what: str, address: str = "127.0.0.1", *, patience: float = 0) -> None:
    """Demand that nobody listens on a port.

    Parameters
    ----------
    port
        Its number.
    what
        Who is to have it.
    address
        Of this machine.
    patience
        Seconds in which it may still become free.

    Raises
    ------
    UsageError
        If somebody does, or this user may not, or this machine has no such address.
    """
    end = time.monotonic() + patience
    while (error := _refusal(port, address)) is not None:
        if error.errno == errno.EADDRINUSE and time.monotonic() < end:
            time.sleep(0.1)
            continue
        if error.errno == errno.EADDRNOTAVAIL:
            raise UsageError(
                address, "this machine has no such address", "choose one of its own with --address"
            )
        taken = error.errno == errno.EADDRINUSE
        raise UsageError(
            f"port {port}",
            "it is taken by another program" if taken else f"it cannot be had ({error.strerror})",
            f"{what} needs it: choose others with PORT= or --port",
        )


def _refusal(port: int, address: str) -> OSError | None:
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError as error:
            return error
    return None


def answers(port: int) -> bool:
    """Say whether somebody listens on a port of this machine.

    Parameters
    ----------
    port
        Its number.
    """
    with contextlib.closing(socket.socket()) as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0

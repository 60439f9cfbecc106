"""Ports that stay this user's while the process behind them is started again.

On a machine that its users share, whoever is quick takes the port of a hub
that has just died, and is told the next password. So the launcher binds each
port and keeps it, without listening, and what listens shares it (SO_REUSEPORT,
which Linux grants to processes of one user alone).

The hub does the same for each user's server: whoever took the port of one that
has just died would be sent what its user's browser sends, cookies and all.
"""

from __future__ import annotations

import ctypes
import functools
import os
import socket
from concurrent.futures import ThreadPoolExecutor
from typing import Final

__all__ = ["VARIABLE", "are_held", "hold", "share"]

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

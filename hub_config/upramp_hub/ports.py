"""Ports that stay this user's while the process behind them is started again.

On a machine that its users share, whoever is quick takes the port of a hub
that has just died, and is told the next password. So the launcher binds each
port and keeps it, without listening, and what listens shares it (SO_REUSEPORT,
which Linux grants to processes of one user alone).
"""

from __future__ import annotations

import functools
import os
import socket
from typing import Final

__all__ = ["VARIABLE", "are_held", "hold", "share"]

VARIABLE: Final = "UPRAMP_HUB_PORTS_HELD"
"""Tells hub and proxy that their ports are held for them."""


def hold(port: int, address: str) -> socket.socket:
    """Take a port, for processes of this user.

    Parameters
    ----------
    port
        Its number.
    address
        Of this machine.

    Returns
    -------
    socket.socket
        As long as it is open, no other user gets the port.

    Raises
    ------
    OSError
        If it cannot be had.
    """
    holder = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
    try:
        # Not SO_REUSEADDR: with that, anybody may bind what does not listen.
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        holder.bind((address, port))
    except OSError:
        holder.close()
        raise
    return holder


def are_held() -> bool:
    """Say whether the ports of this process are held for it."""
    return os.environ.get(VARIABLE) == "1"


def share() -> None:
    """Have tornado, in this process, listen on ports that are held."""
    from tornado.tcpserver import TCPServer

    TCPServer.listen = functools.partialmethod(TCPServer.listen, reuse_port=True)  # type: ignore[method-assign, assignment]

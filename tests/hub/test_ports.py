"""A port that is held is shared by processes of one user, and by nobody else."""

from __future__ import annotations

import ctypes
import errno
import os
import signal
import socket
import subprocess
import sys
import tempfile

import pytest

from upramp_hub import ports

ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="another user's process takes root to start")

PR_SET_PDEATHSIG = 1
PR_GET_PDEATHSIG = 2

TAKE = """
import os, socket, sys
port, user, options = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3].split(",")
if user:
    os.setgroups([]); os.setgid(user); os.setuid(user)
for address in ("127.0.0.1", "0.0.0.0", "::"):
    taken = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
    for name in filter(None, options):
        taken.setsockopt(socket.SOL_SOCKET, getattr(socket, name), 1)
    try:
        taken.bind((address, port))
        taken.listen()
    except OSError as error:
        print(address, error.errno)
    else:
        print(address, "taken")
        taken.close()
"""


@pytest.fixture
def held():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with ports.hold(port, "127.0.0.1"):
        yield port


def taken(port, user, options):
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", TAKE, str(port), str(user), ",".join(options)],
        capture_output=True,
        text=True,
        check=True,
        cwd="/",
    )
    return dict(line.split() for line in done.stdout.splitlines())


@ROOT
@pytest.mark.parametrize(
    "options", [[], ["SO_REUSEADDR"], ["SO_REUSEPORT"], ["SO_REUSEADDR", "SO_REUSEPORT"]]
)
@pytest.mark.parametrize("listening", [False, True])
def test_another_user_does_not_get_it(held, options, listening):
    with socket.socket() as own:
        own.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        own.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if listening:  # and has ended, as a hub does that is killed
            own.bind(("127.0.0.1", held))
            own.listen()
        own.close()
        found = taken(held, 65534, options)
    assert {found["127.0.0.1"], found["0.0.0.0"]} == {str(errno.EADDRINUSE)}


def test_this_user_listens_on_it_again_and_again(held):
    for _ in range(3):
        with socket.socket() as own:
            own.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            own.bind(("127.0.0.1", held))
            own.listen()
            with socket.create_connection(("127.0.0.1", held), 5):
                own.accept()[0].close()


def test_who_does_not_know_that_it_is_held_is_refused(held):
    with pytest.raises(OSError, match="in use"), socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", held))
    with pytest.raises(OSError, match="in use"):
        other = socket.create_server(("127.0.0.1", held))


def test_tornado_shares_once_it_is_told(held):
    code = (
        "import sys; from upramp_hub import ports; ports.share()\n"
        "import asyncio; from tornado.tcpserver import TCPServer\n"
        "async def main(): TCPServer().listen(int(sys.argv[1]), address='127.0.0.1')\n"
        "asyncio.run(main()); print('listens')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(held)], capture_output=True, text=True, check=True
    )
    assert done.stdout == "listens\n"


@ROOT
def test_root_holds_a_port_for_another_user_and_stays_what_it_is():
    libc = ctypes.CDLL(None)
    told = ctypes.c_int()
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGUSR1, 0, 0, 0)
    try:
        with ports.hold(0, "127.0.0.1", 65534) as holder:
            port = holder.getsockname()[1]
            assert taken(port, 65533, ["SO_REUSEPORT"])["127.0.0.1"] == str(errno.EADDRINUSE)
            assert taken(port, 0, ["SO_REUSEPORT"])["127.0.0.1"] == str(errno.EADDRINUSE)
            assert taken(port, 65534, ["SO_REUSEPORT"])["127.0.0.1"] == "taken"
            libc.prctl(PR_GET_PDEATHSIG, ctypes.byref(told), 0, 0, 0)
            assert told.value == signal.SIGUSR1
            with tempfile.TemporaryFile() as file:
                assert os.fstat(file.fileno()).st_uid == 0
    finally:
        libc.prctl(PR_SET_PDEATHSIG, 0, 0, 0, 0)

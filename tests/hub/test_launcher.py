"""One command starts a hub, keeps it alive, and stops all that it started."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import stat
import subprocess

import psutil
import pytest
from hosted_hub import HostedHub
from proxy_process import environment, until

from upramp_hub.logs import LARGEST

pytestmark = pytest.mark.hub

for package in ("jupyterhub", "jupyterlab", "ipykernel"):
    pytest.importorskip(package, reason="the hub's packages are not installed")


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    running = HostedHub(tmp_path_factory.mktemp("hub"))
    yield running
    running.stop()


async def started(hub):
    async with hub.visitor() as visitor:
        if not hub.servers():
            await visitor.start_server({}, 120, lambda: None)


def refused(hub, **changes):
    done = subprocess.run(
        hub.command(**changes),
        env=environment(**hub.variables),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2, done
    assert "Traceback" not in done.stderr
    return done.stderr


def test_it_says_where_it_is_and_the_first_password_once(hub):
    said = hub.said()
    assert f"the hub is at {hub.url}\n" in said
    assert said.count("password") == 1
    assert "/hub/accounts" in said
    assert stat.S_IMODE(hub.state.stat().st_mode) == 0o700
    logs = [*(hub.state / "logs").iterdir()]
    assert logs
    assert all(hub.password not in file.read_text() for file in logs if file.is_file())


def test_a_second_one_from_the_same_state_is_refused(hub):
    message = refused(hub, port=hub.port + 10)
    assert f"runs from it already, as process {hub.launcher.pid}; stop that one" in message


def test_a_port_that_is_taken_is_named(hub, tmp_path):
    for offset, whose in ((0, "the proxy"), (1, "the hub"), (2, "the proxy's own interface")):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]
            message = refused(hub, state=tmp_path / "other", port=port - offset)
        assert f"port {port}: it is taken by another program; {whose} needs it" in message
        assert not (tmp_path / "other").exists()  # a start that is refused leaves nothing behind


def test_a_port_that_cannot_be_is_refused(hub, tmp_path):
    assert "port 65535" in refused(hub, state=tmp_path / "other", port=65535)


def test_either_is_started_again_alone_and_servers_stay(hub):
    asyncio.run(started(hub))
    (server,) = hub.servers()
    for name in ("jupyterhub -f", "proxy"):
        others = {p.pid for w in ("jupyterhub -f", "proxy") if w != name and (p := hub.process(w))}
        hub.kill(name)
        hub.until_healthy()
        until(lambda: hub.ask("GET", "/user/admin/api", token=None)[0] in {200, 403}, 20)
        assert {p.pid for p in psutil.Process(hub.launcher.pid).children()} >= others
        assert server.is_running()
        assert [p.pid for p in hub.servers()] == [server.pid]
        status, user = hub.ask("GET", "/hub/api/users?state=active")
        assert status == 200
        assert [u["name"] for u in user] == ["admin"]
    assert "the hub ended (SIGKILL); it is started again" in hub.said()
    assert "the proxy ended (SIGKILL); it is started again" in hub.said()


def test_logs_that_have_grown_are_put_away_while_they_are_written(hub):
    logs = hub.state / "logs"
    for name in ("hub", "proxy"):
        os.truncate(logs / f"{name}.log", LARGEST + 1)  # a hole, which takes no room
        until(lambda name=name: (logs / f"{name}.log.1").exists(), 20)
        until(lambda name=name: (logs / f"{name}.log").stat().st_size < LARGEST)
    assert hub.ask("GET", "/hub/api/nothing")[0] == 404
    until(lambda: "/hub/api/nothing" in hub.log("hub"))
    assert (logs / "hub.log").stat().st_size < LARGEST


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_end_is_the_end_of_all_of_it(hub, number):
    if hub.launcher.poll() is not None:
        hub.start()
    asyncio.run(started(hub))
    family = psutil.Process(hub.launcher.pid).children(recursive=True) + hub.servers()
    assert len(family) >= 3
    os.kill(hub.launcher.pid, number)
    assert hub.launcher.wait(60) == 0
    _, alive = psutil.wait_procs(family, timeout=5)
    assert not [p for p in alive if p.status() != psutil.STATUS_ZOMBIE]
    assert "Traceback" not in hub.said()
    hub.start()  # and it comes again, with the same accounts
    assert hub.said().count("password") == 1


OUTLIVES = ("upramp_hub.server.quick", "upramp-hub-keeps-a-port")
"""A user's server, and what keeps its port."""


def test_a_launcher_that_is_killed_leaves_nothing_in_the_way(hub):
    if hub.launcher.poll() is not None:
        hub.start()
    asyncio.run(started(hub))
    left = psutil.Process(hub.launcher.pid).children(recursive=True)
    hub.launcher.kill()
    hub.launcher.wait()
    hub.start()
    hub.until_healthy()
    assert not [
        p
        for p in left
        if p.is_running() and not any(word in " ".join(p.cmdline()) for word in OUTLIVES)
    ]

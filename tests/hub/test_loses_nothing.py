"""What it costs when something dies under a running cell: the table of the README, as tests.

Every part is ended by SIGKILL, which nothing can prepare for. A widget is open meanwhile, a
slider, which is moved as its page does it: by a message to the kernel.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal

import pytest
from hosted_hub import HostedHub
from proxy_process import until

from upramp_hub.robot.errors import RobotError
from upramp_hub.robot.messages import pack, request

pytestmark = [pytest.mark.hub, pytest.mark.slow]

for package in ("jupyterhub", "jupyterlab", "ipykernel"):
    pytest.importorskip(package, reason="the hub's packages are not installed")

LONG = """
import pathlib, time
print("begun", flush=True)
pathlib.Path.home().joinpath("begun").touch()
time.sleep({seconds})
print({answer!r})
"""


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    running = HostedHub(tmp_path_factory.mktemp("hub"))
    yield running
    running.stop()


WIDGET = """
import ipywidgets
kept, slider = "a value in memory", ipywidgets.IntSlider()
display(slider)
print("comm", slider.comm.comm_id)
"""


async def move(kernel, comm, value):
    state = {"method": "update", "state": {"value": value}, "buffer_paths": []}
    message = request("comm_msg", {"comm_id": comm, "data": state})
    await kernel._websocket.send_bytes(pack(message, kernel._session))


class _Asked:
    """A cell that remembers what it printed."""

    def __init__(self, source, answer):
        self.source, self.answer, self.printed = source, answer, None

    def check(self, printed):
        self.printed = printed
        assert self.answer in printed, printed


@contextlib.asynccontextmanager
async def at_work(hub, seconds=6):
    """Somebody with an open widget whose cell has begun: who, what they see, kernel and cell."""
    async with hub.visitor() as visitor:
        if not hub.servers():
            await visitor.start_server({}, 120, lambda: None)
        await visitor.open_lab()  # where the server gives its own cookie
        identity = await visitor.start_kernel()
        kernel = await visitor.connect(identity)
        shown = _Asked(WIDGET, "comm ")
        await kernel.run(shown, 60)
        comm = shown.printed.split()[-1]
        begun = hub.state / "homes" / "admin" / "begun"
        begun.unlink(missing_ok=True)
        asked = _Asked(LONG.format(seconds=seconds, answer="the whole answer"), "the whole answer")
        task = asyncio.create_task(kernel.run(asked, 120))
        while not begun.exists():
            assert not task.done(), task
            await asyncio.sleep(0.05)
        yield visitor, (identity, comm), kernel, task


async def remembers(visitor, seen):
    """Whether a kernel still has the variable that it was given, and its widget still moves."""
    identity, comm = seen
    kernel = await visitor.connect(identity)
    await move(kernel, comm, 77)
    asked = _Asked("print(globals().get('kept'), 'slider' in globals() and slider.value)", "")
    await kernel.run(asked, 60)
    await kernel.close()
    found = asked.printed.strip()
    assert found in {"a value in memory 77", "None False"}
    return found.endswith("77")


def test_a_hub_that_dies_costs_nothing(hub):
    async def scenario():
        async with at_work(hub) as (visitor, seen, kernel, task):
            (server,) = hub.servers()
            await asyncio.to_thread(hub.kill, "jupyterhub -f")
            await move(kernel, seen[1], 42)  # while there is no hub, under the cell
            await task  # on the same websocket, with all that it printed
            await kernel.run(_Asked("print(kept, slider.value)", "a value in memory 42"), 60)
            await asyncio.to_thread(hub.until_healthy)
            assert [p.pid for p in hub.servers()] == [server.pid]
            assert await remembers(visitor, seen)  # who was logged in still is

    asyncio.run(scenario())


def test_a_proxy_that_dies_costs_the_connections_alone(hub):
    async def scenario():
        async with at_work(hub, seconds=3) as (visitor, seen, _, task):
            await asyncio.to_thread(hub.kill, "proxy")
            with pytest.raises(RobotError, match=r"closed|broke"):
                await task
            await asyncio.to_thread(hub.until_healthy)
            async with asyncio.timeout(30):
                while True:
                    with contextlib.suppress(Exception):
                        kept = await remembers(visitor, seen)
                        break
                    await asyncio.sleep(0.2)
            assert kept  # the cell ran on, and its kernel has its memory

    asyncio.run(scenario())


def test_a_kernel_that_dies_says_why_and_costs_its_memory_alone(hub):
    async def scenario():
        async with at_work(hub, seconds=60) as (visitor, seen, kernel, task):
            (server,) = hub.servers()
            identity = seen[0]
            pids = [
                child.pid
                for child in server.children(recursive=True)
                if identity in " ".join(child.cmdline())
            ]
            assert pids
            os.kill(pids[0], signal.SIGKILL)
            with pytest.raises(RobotError, match=r"died|KernelDied"):
                await task
            assert [p.pid for p in hub.servers()] == [server.pid]
            ending = await visitor._server("GET", f"upramp/kernels/{identity}/ending", {200})
            assert "SIGKILL" in str(ending) or "killed" in str(ending)
            assert not await remembers(visitor, seen)  # it was started again, empty
            await kernel.close()

    asyncio.run(scenario())


def test_a_server_that_dies_costs_its_kernels_and_no_file(hub):
    async def scenario():
        async with at_work(hub, seconds=60) as (visitor, _, _, task):
            home = hub.state / "homes" / "admin"
            (home / "kept.txt").write_text("on the disk")
            (server,) = hub.servers()
            kernels = server.children(recursive=True)
            server.kill()
            with pytest.raises(RobotError, match=r"closed|broke"):
                await task
            until(lambda: not any(k.is_running() and k.status() != "zombie" for k in kernels), 60)
            until(lambda: not hub.ask("GET", "/hub/api/users?state=active")[1], 60)
            await visitor.start_server({}, 120, lambda: None)  # by the same login
            assert (home / "kept.txt").read_text() == "on the disk"

    asyncio.run(scenario())


def test_a_launcher_that_dies_costs_the_connections_alone(hub):
    async def scenario():
        async with at_work(hub, seconds=3) as (visitor, seen, _, task):
            (server,) = hub.servers()
            hub.launcher.kill()
            hub.launcher.wait()
            with pytest.raises(RobotError, match=r"closed|broke"):
                await task
            await asyncio.to_thread(hub.start)
            await asyncio.to_thread(hub.until_healthy)
            assert [p.pid for p in hub.servers()] == [server.pid]
            assert await remembers(visitor, seen)

    asyncio.run(scenario())

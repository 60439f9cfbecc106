"""Which kernels run a cell, told by real kernels whose other channels are asked meanwhile."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from datetime import UTC, datetime

import pytest
from home_server import TOKEN, HomeServer
from proxy_process import environment, stopping, until

pytestmark = [pytest.mark.hub, pytest.mark.slow]

pytest.importorskip("jupyter_server", reason="the hub's packages are not installed")

from upramp_hub.server.executions import pid_of  # noqa: E402 - needs what is asked for above
from upramp_hub.server.watch import Watch  # noqa: E402 - the same

QUIET = """
import os, time
while not os.path.exists({!r}):
    time.sleep(0.05)
"""
NEVER = QUIET.format("/nothing")


class Server:
    """A user's server as far as the watch sees it, with one kernel and a page."""

    def __init__(self, folder):
        from jupyter_server.services.kernels.kernelmanager import AsyncMappingKernelManager

        self.manager = AsyncMappingKernelManager(root_dir=str(folder), connection_dir=str(folder))
        self.watch = Watch({"started": datetime(2026, 1, 1, tzinfo=UTC)}, self.manager)

    async def __aenter__(self):
        self.id = await self.manager.start_kernel(kernel_name="python3", env=environment())
        self.kernel = self.manager.get_kernel(self.id)
        await self.kernel.ready
        self.watch.look()
        self.page = await self.open()
        return self

    async def __aexit__(self, *_):
        self.page.stop_channels()
        await self.manager.shutdown_all(now=True)
        self.watch.look()

    async def open(self):
        page = self.kernel.client()
        page.start_channels()
        await page.wait_for_ready(timeout=60)
        return page

    async def run(self, code, *, long=True):
        """Run a cell; give back once the kernel has said that it runs it, and the watch heard."""
        asked = self.page.execute(code)
        message = {"parent_header": {}}
        while message["parent_header"].get("msg_id") != asked:
            message = await self.page.get_iopub_msg(timeout=30)
        # The page and the watch are told by sockets of their own.
        if long:
            await self.eventually(self.is_busy)

    async def ask_beside(self):
        """Ask what JupyterLab asks while a cell runs, and wait until it is answered."""
        message = self.page.session.msg("create_subshell_request", {})
        self.page.control_channel.send(message)
        await self.page.get_control_msg(timeout=30)
        # The server has heard of it when what came after it has passed.
        await self.eventually(lambda: self.state() == "idle")

    def state(self):
        return self.manager.kernel_model(self.id)["execution_state"]

    def is_busy(self):
        return self.watch.busy() == [self.id]

    async def eventually(self, condition, seconds=30):
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, "it did not become true"
            await asyncio.sleep(0.05)


def scenario(folder):
    """Have a function be run with a server, in an event loop."""

    def decorate(function):
        async def inside():
            async with Server(folder) as server:
                await function(server)

        asyncio.run(inside())

    return decorate


@pytest.mark.parametrize("page", ["open", "gone"])
def test_a_quiet_cell_is_busy_until_it_ends_whatever_is_asked_beside_it(tmp_path, page):
    @scenario(tmp_path)
    async def _(server):
        let = tmp_path / "let"
        await server.run(QUIET.format(str(let)))
        await server.ask_beside()
        if page == "gone":
            server.page.stop_channels()
        assert server.is_busy()
        before = datetime.now(UTC)
        server.watch.look()
        assert server.watch.last_activity() >= before
        assert server.watch.to_json()["kernels"][0]["state"] == "busy"
        let.touch()
        await server.eventually(lambda: not server.watch.busy())


def test_no_cell_runs_in_a_kernel_that_was_restarted_in_the_middle_of_one(tmp_path):
    @scenario(tmp_path)
    async def _(server):
        await server.run(NEVER)
        await server.ask_beside()
        assert server.is_busy()
        listener = server.watch._executions._listeners[server.id]
        listener.stream.stop_on_recv()  # what is said while it starts again may be missed
        await (await server.manager.restart_kernel(server.id, now=True))
        await server.eventually(lambda: server.state() == "idle")
        assert not server.watch.busy()
        listener.stream.on_recv(listener.hear, copy=False)
        server.page.stop_channels()
        server.page = await server.open()
        await server.run(NEVER)  # what is heard of the new process counts
        await server.ask_beside()
        assert server.is_busy()


def test_no_cell_runs_in_a_kernel_that_died(tmp_path):
    @scenario(tmp_path)
    async def _(server):
        await server.run(NEVER)
        await server.ask_beside()
        assert server.is_busy()
        dead = pid_of(server.kernel)
        os.kill(dead, signal.SIGKILL)
        await server.eventually(lambda: bool(server.watch.look() or not server.watch.busy()))
        await server.eventually(lambda: server.watch.ending(server.id) is not None)
        # Another is started, and must be there before it can be ended.
        await server.eventually(lambda: pid_of(server.kernel) not in {None, dead})
        await server.kernel.ready
        assert not server.watch.busy()


def test_a_cell_beside_another_is_one_more(tmp_path):
    """Cells of subshells run at the same time: the end of one is not that of the other."""

    @scenario(tmp_path)
    async def _(server):
        page = server.page
        page.control_channel.send(page.session.msg("create_subshell_request", {}))
        subshell = (await page.get_control_msg(timeout=30))["content"]["subshell_id"]
        let = tmp_path / "let"
        await server.run(QUIET.format(str(let)))
        message = page.session.msg("execute_request", {"code": "6 * 7", "silent": False})
        message["header"]["subshell_id"] = subshell
        page.shell_channel.send(message)
        answered = ""
        while answered != message["header"]["msg_id"]:  # the page's first questions are also
            answered = (await page.get_shell_msg(timeout=30))["parent_header"]["msg_id"]
        await server.eventually(lambda: server.state() == "idle")
        assert server.is_busy()
        let.touch()
        await server.eventually(lambda: not server.watch.busy())


def test_a_cell_whose_end_was_not_heard_is_over_when_another_begins(tmp_path):
    @scenario(tmp_path)
    async def _(server):
        forged = server.page.session.msg("execute_request", {})
        listener = server.watch._executions._listeners[server.id]
        listener.hear(frames(server.kernel.session, "busy", forged))
        assert server.is_busy()
        await server.run("1", long=False)
        await server.eventually(lambda: not server.watch.busy())


def test_what_is_malformed_or_not_signed_is_passed_over(tmp_path):
    @scenario(tmp_path)
    async def _(server):
        session = server.kernel.session
        listener = server.watch._executions._listeners[server.id]
        cell = server.page.session.msg("execute_request", {})
        for broken in (
            lambda whole: [],
            lambda whole: whole[:1],
            lambda whole: whole[:-1],
            lambda whole: [*whole[:2], b"0" * 64, *whole[3:]],
            lambda whole: [*whole[:3], b"\xff", *whole[4:]],
            lambda whole: [*whole[:3], b"[" * 10**5, *whole[4:]],
            lambda whole: [*whole[:3], b"7", *whole[4:]],
        ):
            listener.hear(as_frames(broken(frames(session, "busy", cell))))
            assert not server.watch.busy()
        for parent in ({}, {"header": {"msg_type": "execute_request", "msg_id": ["x"]}}):
            listener.hear(frames(session, "busy", parent))
            assert not server.watch.busy()
        listener.hear(frames(session, "busy", cell))
        assert server.is_busy()


def frames(session, state, parent):
    """Give a signed message of a kernel, as it comes from the network."""
    message = session.msg("status", {"execution_state": state}, parent=parent)
    return as_frames(session.serialize(message, b"kernel.1.status"))


def as_frames(parts):
    import zmq

    return [each if isinstance(each, zmq.Frame) else zmq.Frame(each) for each in parts]


def test_what_listens_is_closed_with_its_kernel(tmp_path):
    kept = []

    @scenario(tmp_path)
    async def _(server):
        listener = server.watch._executions._listeners[server.id]
        server.watch.look()
        assert server.watch._executions._listeners == {server.id: listener}
        kept.append((server, listener))

    ((server, listener),) = kept
    assert server.watch._executions._listeners == {}
    assert listener.stream.closed()


def test_the_first_cell_of_a_page_that_opens_a_kernel_counts(tmp_path):
    """Its kernel is younger than the time between two looks."""
    import aiohttp

    archive = tmp_path / "archive"
    for name in ("uncal", "crds"):
        (archive / name).mkdir(parents=True)
    with stopping(HomeServer(tmp_path, archive)) as server:
        let = tmp_path / "let"
        kernel = json.loads(server.ask("POST", "/api/kernels", token=TOKEN)[2])["id"]

        def busy():
            found = json.loads(server.ask("GET", "/upramp/activity", token=TOKEN)[2])
            return found["busy_kernels"]

        async def send():
            url = f"{server.url}/api/kernels/{kernel}/channels?session_id=a&token={TOKEN}"
            async with aiohttp.ClientSession() as http, http.ws_connect(url) as page:
                await page.send_json(
                    packed("shell", "execute_request", code=QUIET.format(str(let)))
                )
                await until_said(page, "execute_input")
                await page.send_json(packed("control", "create_subshell_request"))
                await until_said(page, "create_subshell_reply")
                return await asyncio.to_thread(busy)

        assert asyncio.run(send()) == 1
        assert busy() == 1  # the page is gone
        let.touch()
        until(lambda: busy() == 0)


def packed(channel, kind, **content):
    header = {"msg_id": f"{kind}-1", "msg_type": kind, "session": "a", "username": "ada"}
    return {
        "channel": channel,
        "header": header | {"version": "5.3", "date": "2026-01-01T00:00:00Z"},
        "parent_header": {},
        "metadata": {},
        "content": content,
    }


async def until_said(page, kind):
    async with asyncio.timeout(60):
        while True:
            if json.loads((await page.receive()).data)["msg_type"] == kind:
                return

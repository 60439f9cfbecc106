"""Robots before a hub that misbehaves: each failure is told with the stage that it was in."""

from __future__ import annotations

import asyncio
import json

import pytest
from aiohttp import WSCloseCode, web
from proxy_process import application, stopping

from upramp_hub.robot import Fleet, Plan
from upramp_hub.robot.cells import ramp
from upramp_hub.robot.logins import Login
from upramp_hub.robot.messages import PROTOCOL, Message, pack, unpack

FORM = '<form><input type="hidden" name="_xsrf" value="{}"/></form>'


class FakeHub:
    """A hub with one server, whose answers a test may change.

    Each of its attributes is a status, an answer or a way to fail; as they are
    made, a visit goes well.
    """

    def __init__(self):
        self.password = "sesame"
        self.spawns = [201]
        self.retry_after = "0"
        self.events = [{"progress": 10, "message": "asked"}, {"ready": True}]
        self.specs = ["python3"]
        self.kernels = []
        self.protocols = (PROTOCOL,)
        self.cell = "answers"
        self.forgets = True
        self.pings = None
        self.servers = {}
        self.started = self.stopped = 0

    def application(self):
        app = web.Application()
        user = "/user/ada"
        app.router.add_get("/hub/login", self.form)
        app.router.add_post("/hub/login", self.login)
        app.router.add_get("/hub/home", self.home)
        app.router.add_get("/hub/logout", self.logout)
        app.router.add_post("/hub/api/users/ada/server", self.spawn)
        app.router.add_delete("/hub/api/users/ada/server", self.stop)
        app.router.add_get("/hub/api/users/ada/server/progress", self.progress)
        app.router.add_get("/hub/api/users/ada", self.user)
        app.router.add_get(f"{user}/lab", self.page)
        app.router.add_get(f"{user}/api/kernelspecs", self.kernelspecs)
        app.router.add_post(f"{user}/api/kernels", self.start_kernel)
        app.router.add_get(f"{user}/api/kernels/k/channels", self.channels)
        return app

    async def form(self, _request):
        page = web.Response(text=FORM.format("a&amp;b"), content_type="text/html")
        page.set_cookie("_xsrf", "a&b", path="/hub/")
        return page

    async def login(self, request):
        form = await request.post()
        assert form["_xsrf"] == "a&b"
        if form["password"] != self.password:
            return web.Response(
                status=403, text='<head>no</head><p class="login_error">Wrong &amp; bad</p>'
            )
        answer = web.Response(status=302, headers={"Location": "/hub/home"})
        answer.set_cookie("login", form["username"], path="/hub/")
        return answer

    async def home(self, request):
        if "login" not in request.cookies:
            raise web.HTTPFound("/hub/login")
        return web.Response(text="home")

    async def logout(self, _request):
        answer = web.Response(text="bye")
        if self.forgets:
            answer.del_cookie("login", path="/hub/")
        return answer

    async def spawn(self, request):
        assert request.headers["X-XSRFToken"] == "a&b"
        status = self.spawns.pop(0) if len(self.spawns) > 1 else self.spawns[0]
        self.started += status == 201
        headers = {"Retry-After": self.retry_after} if status == 429 else {}
        return web.json_response({"message": f"said {status}"}, status=status, headers=headers)

    async def stop(self, _request):
        self.stopped += 1
        return web.Response(status=204)

    async def user(self, _request):
        return web.json_response({"servers": self.servers})

    async def progress(self, request):
        stream = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await stream.prepare(request)
        for event in self.events:
            told = {**event, "url": "/user/ada/"} if event.get("ready") else event
            await stream.write(b"data: " + json.dumps(told).encode() + b"\n\n")
        return stream

    async def page(self, _request):
        return web.Response(text="lab")

    async def kernelspecs(self, _request):
        return web.json_response({"kernelspecs": {name: {} for name in self.specs}})

    async def start_kernel(self, request):
        self.kernels.append((await request.json())["name"])
        return web.json_response({"id": "k"}, status=201)

    async def channels(self, request):
        socket = web.WebSocketResponse(protocols=self.protocols, heartbeat=self.pings)
        await socket.prepare(request)
        async for received in socket:
            asked = unpack(received.data)

            async def say(channel, kind, asked=asked, **content):
                packed = bytearray(pack(Message(channel, kind, content, "n"), "s"))
                header = json.dumps({"msg_id": asked.identity}).encode()
                await socket.send_bytes(with_parent(bytes(packed), header))

            await getattr(self, f"cell_{self.cell}")(socket, asked, say)
        return socket

    async def cell_answers(self, _socket, asked, say, status="ok", **reply):
        printed = "" if status != "ok" else executed(asked.content["code"])
        await say("iopub", "status", execution_state="busy")
        await say("iopub", "stream", name="stdout", text=printed)
        await say("shell", "execute_reply", status=status, **reply)
        await say("iopub", "status", execution_state="idle")

    async def cell_answers_once(self, socket, asked, say):
        await self.cell_answers(socket, asked, say)
        if "numpy" in asked.content["code"]:  # the last that a visit asks
            await socket.close()

    async def cell_fails(self, socket, asked, say):
        await self.cell_answers(socket, asked, say, "error", ename="MemoryError", evalue="no room")

    async def cell_says_nothing(self, _socket, _asked, say):
        await say("shell", "execute_reply", status="ok")
        await say("iopub", "status", execution_state="idle")

    async def cell_dies(self, _socket, _asked, say):
        await say("iopub", "status", execution_state="restarting")

    async def cell_closes(self, socket, _asked, _say):
        await socket.close(code=WSCloseCode.TRY_AGAIN_LATER)

    async def cell_hangs(self, _socket, _asked, _say):
        await asyncio.sleep(3600)

    async def cell_babbles(self, socket, _asked, _say):
        await socket.send_bytes(b"babble")

    async def cell_writes_text(self, socket, _asked, _say):
        await socket.send_str("{}")


def with_parent(packed, header):
    """Put a parent's header, which a client never sends, in its place."""
    count = int.from_bytes(packed[:8], "little")
    ends = [int.from_bytes(packed[8 * n : 8 * n + 8], "little") for n in range(1, count + 1)]
    grown = len(header) - (ends[3] - ends[2])
    moved = ends[:3] + [end + grown for end in ends[3:]]
    numbers = b"".join(n.to_bytes(8, "little") for n in (count, *moved))
    return numbers + packed[ends[0] : ends[2]] + header + packed[ends[3] :]


def executed(source):
    import contextlib
    import io

    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(source, {})
    return printed.getvalue()


def visit(fake, password="sesame", **plan):
    plan = {"reads_archive": False, "rounds": 1, "patience": 5.0, **plan}

    async def scenario(url):
        fleet = Fleet(url, [Login("ada", password)], Plan(**plan))
        report = await fleet.run()
        await fleet.leave()
        return report

    with stopping(application(fake.application())) as hub:
        return asyncio.run(scenario(hub.url))


def test_a_visit_that_goes_well():
    fake = FakeHub()
    report = visit(fake)
    assert report.good, report.as_table()
    assert (report.cells, report.completed, report.open_websockets) == (2, 1, 0)
    assert fake.stopped == 1
    measured = {stage for stage, times in report.times.items() if times}
    assert measured == {
        *("login", "first event", "spawn", "lab", "kernel", "websocket"),
        *("first cell", "ramp", "stop", "logout"),
    }


def test_the_calibration_kernel_is_preferred():
    fake = FakeHub()
    fake.specs = ["python3", "upramp"]
    assert visit(fake).good
    assert fake.kernels == ["upramp"]


def test_a_robot_that_stays_leaves_its_server_and_websocket():
    fake = FakeHub()
    report = visit(fake, stays=True, visits=2)
    assert report.good, report.as_table()
    assert (report.open_websockets, fake.stopped) == (2, 0)


def test_a_robot_that_is_silent_answers_pings_as_a_page_does():
    fake = FakeHub()
    fake.pings = 0.2

    async def scenario(url):
        plan = Plan(reads_archive=False, rounds=1, patience=5.0, stays=True)
        fleet = Fleet(url, [Login("ada", "sesame")], plan)
        await fleet.run()
        ((_, kernel),) = fleet._stayed
        await asyncio.sleep(1.5)  # nobody listens for an answer meanwhile
        assert kernel.is_open
        await kernel.run(ramp(), 5.0)
        await fleet.leave()
        assert not kernel.is_open

    with stopping(application(fake.application())) as hub:
        asyncio.run(scenario(hub.url))


def test_websockets_that_the_server_closed_are_not_counted_as_open():
    fake = FakeHub()
    fake.cell = "answers_once"
    report = visit(fake, stays=True, visits=1, rounds=1)
    assert report.open_websockets == 0


def test_a_server_that_somebody_uses_is_left_alone():
    fake = FakeHub()
    fake.servers = {"": {}}
    report = visit(fake)
    assert not report.good
    assert "their server runs already" in report.as_table()
    assert fake.started == fake.stopped == 0


def test_so_many_visits_are_made():
    assert visit(FakeHub(), visits=3).completed == 3


def test_a_full_hub_is_asked_again_when_it_says():
    fake = FakeHub()
    fake.spawns = [429, 429, 201]
    report = visit(fake)
    assert report.good, report.as_table()
    assert (report.throttled, fake.started) == (2, 1)


@pytest.mark.parametrize(
    ("changes", "stage", "words"),
    [
        ({"password": "other"}, "login", "403 Forbidden: Wrong & bad; see"),
        ({"spawns": [500]}, "spawn", "500 Internal Server Error: said 500"),
        ({"spawns": [429], "retry_after": "60"}, "spawn", "429"),
        ({"spawns": [429], "retry_after": "never"}, "spawn", "429"),
        ({"events": [{"failed": True, "message": "no disk"}]}, "spawn", "did not start: no disk"),
        ({"events": [{"message": "asked"}]}, "spawn", "ended before the server was ready"),
        ({"specs": ["ir"]}, "kernel", "neither of upramp and python3"),
        ({"protocols": ()}, "websocket", "chose no protocol"),
        ({"forgets": False}, "logout", "still lets it in"),
    ],
)
def test_a_failure_is_told_with_its_stage(changes, stage, words):
    fake = FakeHub()
    vars(fake).update(changes)
    report = visit(fake)
    assert [f.stage for f in report.failures] == [stage], report.as_table()
    assert words in report.failures[0].what
    assert report.completed == 0
    # Whatever was asked for is not left behind.
    assert fake.stopped == (stage != "login")


@pytest.mark.parametrize(
    ("cell", "words", "lost"),
    [
        ("fails", "MemoryError: no room", 0),
        ("says_nothing", "without its answer", 0),
        ("dies", "its kernel died under it", 1),
        ("closes", "closed (code 1013)", 1),
        ("hangs", "has not come after 1 seconds", 1),
        ("babbles", PROTOCOL, 1),
        ("writes_text", "messages are binary", 1),
    ],
)
def test_a_cell_that_is_not_answered_rightly_is_counted(cell, words, lost):
    fake = FakeHub()
    fake.cell = cell
    report = visit(fake, patience=1.0)
    assert [f.stage for f in report.failures] == ["first cell"], report.as_table()
    assert words in report.failures[0].what
    assert (report.cells, report.lost, report.wrong) == (1, lost, 1 - lost)

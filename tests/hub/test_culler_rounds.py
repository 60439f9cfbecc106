"""Rounds of the culler among servers that lie, dawdle and break, with a hub that does too."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from datetime import UTC, datetime, timedelta

import pytest
from aiohttp import web

from upramp_hub.culler import asking as asking_module
from upramp_hub.culler.answers import AnswerError
from upramp_hub.culler.asking import Asking, HubSilentError
from upramp_hub.culler.decisions import Rules
from upramp_hub.culler.rounds import Rounds

RULES = Rules(idle_after=100, warning=20)
OWN = "the-cullers-own-token"
BASE = datetime(2030, 1, 1, tzinfo=UTC)


class World:
    """A hub and its servers, in one application."""

    def __init__(self):
        self.clock = 0.0
        self.servers = {}
        self.stopped, self.counts, self.seen = [], [], []
        self.fails = None
        self.minted = 0

    def add_server(self, name, **changes):
        self.servers[name] = {"active": 0.0, "warned": None, "busy": 0, "pending": None, **changes}

    def add(self, what, count=1):
        """Count, as a tally does."""
        self.counts += [what] * count

    async def hub(self, request):
        assert request.headers["Authorization"] == f"token {OWN}"
        if self.fails:
            return web.json_response({"message": "no \x1b[2J"}, status=self.fails)
        place = request.path.removeprefix("/hub/api/")
        offset, limit = (int(request.query.get(k, 0)) for k in ("offset", "limit"))
        names = list(self.servers)[offset : offset + limit]
        if request.method == "DELETE":
            name = place.split("/")[1]
            self.stopped.append(name)
            del self.servers[name]
            return web.Response(status=204)
        if request.method == "POST":
            self.minted += 1
            body = await request.json()
            (scope,) = body["scopes"]
            assert body["expires_in"] <= 3600
            assert body["note"].startswith("Server at ")
            return web.json_response({"token": f"only {scope}"}, status=201)
        if place == "proxy":
            items = {
                f"/user/{n}/": {
                    "target": f"http://127.0.0.1:{self.port}",
                    "data": {"user": n, "server_name": ""},
                }
                for n in names
                if not self.servers[n].get("lost")
            }
        else:
            items = [{"name": n, "servers": {"": self.model(n)}} for n in names]
        more = offset + limit < len(self.servers)
        following = {"offset": offset + limit, "limit": limit} if more else None
        return web.json_response({"items": items, "_pagination": {"next": following}})

    def model(self, name):
        server = self.servers[name]
        last = datetime.now(UTC) - timedelta(seconds=server.get("hub_idle", 0))
        return {
            "url": f"/user/{name}/",
            "ready": True,
            "pending": server["pending"],
            "started": "2029-12-31T00:00:00Z",
            "last_activity": last.isoformat(),
        }

    async def server(self, request):
        name, place = request.match_info["name"], request.match_info["place"]
        server = self.servers[name]
        self.seen.append((name, request.headers["Authorization"], request.method))
        if answer := server.get("answer"):
            return await answer(request)
        if request.method == "PUT":
            if server.get("deaf"):
                return web.Response(status=500)
            server["warned"] = (await request.json())["stop_at"]
        elif request.method == "DELETE":
            server["warned"] = None
        assert place.startswith("activity")
        moment = BASE + timedelta(seconds=self.clock)
        return web.json_response(
            {
                "busy_kernels": server["busy"],
                "busy_terminals": 0,
                "campaigns": 0,
                "last_activity": (BASE + timedelta(seconds=server["active"])).isoformat(),
                "extended_until": None,
                "stop_at": server["warned"],
                "now": moment.isoformat(),
            }
        )

    @contextlib.asynccontextmanager
    async def running(self):
        app = web.Application()
        app.router.add_route("*", "/hub/api/{place:.*}", self.hub)
        app.router.add_route("*", "/user/{name}/upramp/{place:.*}", self.server)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self.port = runner.addresses[0][1]
        asking = Asking(f"http://127.0.0.1:{self.port}/hub/api", OWN)
        self.rounds = Rounds(asking, RULES, self, clock=lambda: self.clock)
        try:
            yield self.rounds
        finally:
            await asking.close()
            await runner.cleanup()


@pytest.fixture
def world():
    return World()


def go(world, *times):
    async def scenario():
        async with world.running() as rounds:
            for moment in times:
                world.clock = moment
                await rounds.once()

    asyncio.run(scenario())


def test_idle_ones_are_warned_and_stopped_and_others_are_not(world, caplog):
    caplog.set_level(logging.INFO, "upramp.culler")
    world.add_server("ada")
    world.add_server("bob", busy=1)
    world.add_server("cy", pending="stop")
    go(world, 0, 79, 81, 90, 100, 102)
    assert world.stopped == ["ada"]
    assert sorted(world.counts) == ["kept", "stopped", "warned"]
    assert "cy" not in {name for name, *_ in world.seen}
    said = [r.getMessage() for r in caplog.records if "ada" in r.getMessage()]
    assert said == [
        "server of ada: left alone: idle for 0 s",
        "server of ada: warned: idle for 81 s; to be stopped in 20 s",
        "server of ada: stopped: idle for 102 s, and warned in time",
    ]


def test_no_server_sees_the_cullers_own_token_and_tokens_are_kept(world):
    for name in ("ada", "bob"):
        world.add_server(name)
    go(world, 0, 1, 2)
    assert {(name, token) for name, token, _ in world.seen} == {
        (name, f"token only access:servers!server={name}/") for name in ("ada", "bob")
    }
    assert world.minted == 2


def test_more_servers_than_a_page_are_all_seen(world):
    for number in range(205):
        world.add_server(f"user-{number}")
    go(world, 0)
    assert len({name for name, *_ in world.seen}) == 205


async def _huge(_request):
    return web.Response(body=b" " * 3 * 1024**2)


async def _packed(_request):
    import gzip

    body = gzip.compress(b" " * 10**7)
    return web.Response(body=body, headers={"Content-Encoding": "gzip"})


async def _elsewhere(request):
    raise web.HTTPFound(f"http://{request.host}/user/mallory/upramp/activity")


async def _missing(_request):
    return web.Response(status=404)


async def _slow(_request):
    await asyncio.sleep(30)


async def _drip(request):
    response = web.StreamResponse()
    await response.prepare(request)
    with contextlib.suppress(ConnectionError):
        for _ in range(600):
            await response.write(b" ")
            await asyncio.sleep(0.05)
    return response


async def _cut(request):
    request.transport.abort()
    return web.Response()


@pytest.mark.parametrize(
    "answer", [_huge, _packed, _elsewhere, _missing, _slow, _drip, _cut], ids=lambda f: f.__name__
)
def test_one_that_does_not_say_is_left_alone_and_holds_up_no_other(world, monkeypatch, answer):
    monkeypatch.setattr(asking_module, "_PATIENCE", 1.5)
    world.add_server("mallory", answer=answer)
    world.add_server("ada")
    begin = time.monotonic()
    go(world, 0, 90, 111, 150, 199)
    assert time.monotonic() - begin < 15
    assert world.stopped == ["ada"]
    names = [name for name, *_ in world.seen]
    # A redirection is not followed; a connection that is cut is tried once more.
    assert names.count("mallory") == 5 * (1 + (answer is _cut))


def test_one_that_is_lost_to_the_hub_as_well_is_stopped_in_the_end(world):
    world.add_server("ada", lost=True, hub_idle=10**5)
    world.add_server("bob", lost=True, hub_idle=10)
    go(world, 0, 150, 199)
    assert world.stopped == []
    go(world, 0, 150, 201)
    assert world.stopped == ["ada"]


def test_what_was_not_looked_at_was_not_silent(world):
    """The hub was away for long; its first word is no sign that a server was too."""
    world.add_server("ada", lost=True, hub_idle=10**5)

    async def scenario():
        async with world.running() as rounds:
            await rounds.once()
            world.fails = 500
            world.clock = 1000
            await rounds.once()
            world.fails = None
            world.clock = 1001
            await rounds.once()

    asyncio.run(scenario())
    assert world.stopped == []


def test_a_warning_that_did_not_arrive_is_none(world):
    world.add_server("ada", deaf=True)
    go(world, 0, 81, 102, 200, 300)
    assert world.stopped == []
    assert "warned" not in world.counts


def test_a_stop_that_the_hub_refuses_is_counted_and_tried_again(world):
    world.add_server("ada")

    async def scenario():
        async with world.running() as rounds:
            for world.clock in (0, 81):
                await rounds.once()
            stop = rounds.asking.stop

            async def refuse(server):
                raise HubSilentError(server, "it is restarted", "wait")

            rounds.asking.stop = refuse
            world.clock = 102
            await rounds.once()
            assert world.counts[-1] == "failed"
            rounds.asking.stop = stop
            world.clock = 103
            await rounds.once()

    asyncio.run(scenario())
    assert world.stopped == ["ada"]


def test_work_takes_a_warning_back(world):
    world.add_server("ada")

    async def scenario():
        async with world.running() as rounds:
            for world.clock in (0, 81):
                await rounds.once()
            assert world.servers["ada"]["warned"] is not None
            world.servers["ada"]["busy"] = 1
            world.clock = 90
            await rounds.once()
            assert world.servers["ada"]["warned"] is None

    asyncio.run(scenario())
    assert world.counts == ["warned", "kept"]


@pytest.mark.parametrize("status", [403, 500, 302])
def test_a_hub_that_refuses_is_said_once(world, caplog, status):
    caplog.set_level(logging.INFO, "upramp.culler")
    world.add_server("ada")
    world.fails = status
    go(world, 0, 1, 2)
    (said,) = [r.getMessage() for r in caplog.records]
    assert str(status) in said
    assert said.isprintable()


def test_a_hub_that_is_not_there_is_no_end(caplog):
    async def scenario():
        asking = Asking("http://127.0.0.1:9/hub/api", OWN)
        try:
            rounds = Rounds(asking, RULES, World())
            await rounds.once()
            with pytest.raises(HubSilentError):
                await asking.running()
        finally:
            await asking.close()

    asyncio.run(scenario())


def test_an_error_names_the_server_in_one_line(world):
    world.add_server("ada", answer=_missing)

    async def scenario():
        async with world.running() as rounds:
            (server,) = await rounds.asking.running()
            with pytest.raises(AnswerError, match="server of ada: it answers 404 to GET"):
                await rounds.asking.activity(server)

    asyncio.run(scenario())
    assert world.counts == []

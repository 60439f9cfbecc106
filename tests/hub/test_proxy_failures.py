"""Servers that are not there, that break off, or that speak nonsense."""

from __future__ import annotations

import asyncio
import time

import aiohttp
import pytest
from proxy_process import Proxy, application, free_port, raw_server, stopping, until
from proxy_server import server

from upramp_hub.proxy.routes import Route
from upramp_hub.proxy.web import _Body

GET = b"GET /user/eve/page?x=%3Cb%3E HTTP/1.1\r\nHost: hub\r\nConnection: close\r\n\r\n"


def answering(*parts, linger=0.0, wait=b"\r\n\r\n"):
    """Give a server that answers every request with these bytes, then closes."""

    async def answer(reader, writer):
        await reader.readuntil(wait)
        for part in parts:
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(linger)

    return raw_server(answer)


def split(answer):
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split()[1]), head, body


@pytest.fixture
def alone():
    """A proxy with no hub."""
    with stopping(Proxy()) as running:
        yield running


# ---- nobody there


def test_the_hub_says_that_a_server_is_gone(proxy):
    proxy.route("/user/eve", f"http://127.0.0.1:{free_port()}")
    status, head, body = split(proxy.raw(GET))
    assert status == 503
    assert body == b"<h1>503</h1> for '/user/eve/page?x=%3Cb%3E'"
    assert b"\r\nContent-Type: text/html" in head
    assert b"\r\nContent-Security-Policy: frame-ancestors 'self'" in head
    assert b"Set-Cookie" not in head  # the page is the hub's; a session is not its business


def test_without_a_hub_one_sentence_says_it(alone):
    alone.route("/user/eve", f"http://127.0.0.1:{free_port()}")
    status, head, body = split(alone.raw(GET))
    assert status == 503
    assert b"text/plain" in head
    assert b"does not answer" in body
    assert b"<b>" not in body


def test_no_route_at_all(alone):
    status, _, body = split(alone.raw(GET))
    assert status == 404
    assert b"No server is registered" in body


def test_no_route_and_the_hubs_page(ada):
    with stopping(Proxy("--error-target", f"{ada.url}/hub/error/")) as proxy:
        status, _, body = split(proxy.raw(GET))
    assert (status, body[:12]) == (404, b"<h1>404</h1>")


@pytest.mark.parametrize(
    "page",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * (2**20 + 1),
    ],
    ids=["none", "broken", "endless"],
)
def test_the_hub_may_fail_too(page):
    with (
        stopping(answering(page)) as hub,
        stopping(Proxy("--default-target", hub.url, "--error-target", f"{hub.url}/e")) as proxy,
    ):
        proxy.route("/user/eve", f"http://127.0.0.1:{free_port()}")
        status, _, body = split(proxy.raw(GET))
    assert status == 503
    assert b"does not answer" in body


def test_failures_are_no_activity(proxy):
    proxy.route("/user/eve", f"http://127.0.0.1:{free_port()}")
    before = proxy.api(path="/user/eve")[1]["last_activity"]
    proxy.raw(GET)
    assert proxy.api(path="/user/eve")[1]["last_activity"] == before


def test_success_is_activity(proxy):
    before = proxy.api(path="/user/ada")[1]["last_activity"]
    time.sleep(0.01)
    proxy.raw(GET.replace(b"eve", b"ada"))
    until(lambda: proxy.api(path="/user/ada")[1]["last_activity"] > before)


def test_a_server_that_comes_back_is_found(proxy):
    first = application(server())
    port = first.port
    proxy.route("/user/eve", first.url)
    assert split(proxy.raw(GET))[0] == 200
    first.stop()
    assert split(proxy.raw(GET))[0] == 503
    with stopping(application(server(), port)):
        assert split(proxy.raw(GET))[0] == 200


# ---- somebody who breaks off


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Le",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01",
        b"HTTP/1.1 200 OK\r\nX-Huge: " + b"x" * 2**17 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
    ],
    ids=[
        "nothing",
        "half a head",
        "not HTTP",
        "TLS",
        "a huge head",
        "a bad length",
        "101 unasked",
    ],
)
def test_no_answer_that_can_be_passed_on(proxy, answer):
    with stopping(answering(answer)) as server:
        proxy.route("/user/eve", server.url)
        status, _, body = split(proxy.raw(GET))
    assert status == 503
    assert body.startswith(b"<h1>503</h1>")


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nonly this",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nonly this\r\n",
    ],
    ids=["length", "chunked"],
)
def test_an_answer_that_breaks_off_does_not_look_whole(proxy, head):
    async def scenario(url):
        async with aiohttp.ClientSession() as client, client.get(url) as answer:
            assert answer.status == 200
            with pytest.raises(aiohttp.ClientPayloadError):
                await answer.read()

    with stopping(answering(head)) as server:
        proxy.route("/user/eve", server.url)
        asyncio.run(scenario(f"{proxy.url}/user/eve/x"))


def test_an_answer_that_says_no_length_ends_with_its_connection(proxy):
    with stopping(answering(b"HTTP/1.0 200 OK\r\n\r\nfirst ", b"second", linger=0.05)) as server:
        proxy.route("/user/eve", server.url)

        async def scenario():
            url = f"{proxy.url}/user/eve/x"
            async with aiohttp.ClientSession() as client, client.get(url) as answer:
                return await answer.read()

        assert asyncio.run(scenario()) == b"first second"


def test_an_answer_may_come_before_the_body_is_read(proxy):
    refusal = b"HTTP/1.1 413 Too Large\r\nContent-Length: 5\r\nConnection: close\r\n\r\nlarge"

    async def answer(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(refusal)
        await writer.drain()
        while await reader.read(65536):  # as a server does that closes well
            pass

    async def blocks():
        for _ in range(16):
            yield bytes(2**20)

    async def scenario(url):
        async with (
            aiohttp.ClientSession() as client,
            client.post(url, data=blocks()) as answer,
        ):
            return answer.status, await answer.read()

    with stopping(raw_server(answer)) as server:
        proxy.route("/user/eve", server.url)
        assert asyncio.run(scenario(f"{proxy.url}/user/eve/x")) == (413, b"large")


def test_hints_that_come_before_the_answer_are_not_the_answer(proxy):
    early = b"HTTP/1.1 103 Early Hints\r\nLink: </x.css>\r\n\r\n"
    with stopping(answering(early, b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")) as server:
        proxy.route("/user/eve", server.url)
        status, _, body = split(proxy.raw(GET))
    assert (status, body) == (200, b"ok")


@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_an_upload_is_never_sent_twice(proxy, method):
    """A connection that the server closes under a body must not make the proxy send the rest."""
    received = []

    async def answer(reader, writer):
        while head := await reader.readuntil(b"\r\n\r\n"):
            if head.startswith(b"GET"):
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
                continue
            received.append(await reader.readexactly(2**16))
            return

    with stopping(raw_server(answer)) as server:
        proxy.route("/user/eve", server.url)
        assert split(proxy.raw(GET))[0] == 200  # the connection is kept
        request = (
            f"{method} /user/eve/x HTTP/1.1\r\nHost: hub\r\nConnection: close\r\n"
            f"Content-Length: {2**20}\r\n\r\n"
        )
        status, _, _ = split(proxy.raw(request.encode() + bytes(2**20)))
    assert status == 503
    assert len(received) == 1


def test_a_body_that_was_begun_is_not_begun_again():
    class Request:
        class content:  # noqa: N801 - as the attribute is called
            @staticmethod
            async def iter_any():
                yield b"first"
                yield b"second"

    async def scenario():
        body = _Body(Request, Route("http://127.0.0.1:1"))
        assert body.__aiter__() is not body.__aiter__()  # none was asked for a byte
        assert await anext(aiter(body)) == b"first"
        with pytest.raises(aiohttp.ClientConnectionError, match="sent already"):
            aiter(body)

    asyncio.run(scenario())


# ---- what one side says wrongly, the other never sees


def test_an_answer_with_two_lengths_is_refused(proxy):
    both = (
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"8\r\nwhole it\r\n0\r\n\r\n"
    )
    with stopping(answering(both)) as server:
        proxy.route("/user/eve", server.url)
        status, _, body = split(proxy.raw(GET))
    assert status == 503
    assert b"whole" not in body


def test_headers_of_the_servers_connection_end_at_the_proxy(proxy):
    answer = (
        b"HTTP/1.1 200 Fine\r\nConnection: close, X-Mine\r\nX-Mine: 1\r\nKeep-Alive: 9\r\n"
        b"Proxy-Authenticate: Basic\r\nX-Kept: 2\r\nX-Latin: \xe9\r\nContent-Length: 2\r\n\r\nok"
    )
    with stopping(answering(answer)) as server:
        proxy.route("/user/eve", server.url)
        _, head, body = split(proxy.raw(GET))
    assert head.startswith(b"HTTP/1.1 200 Fine")
    assert b"\r\nX-Kept: 2" in head
    assert "\r\nX-Latin: é".encode() in head
    for gone in (b"X-Mine", b"Keep-Alive", b"Proxy-Authenticate"):
        assert gone not in head
    assert body == b"ok"


def test_many_servers_fail_and_the_next_is_served(proxy):
    with stopping(answering(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nno")) as server:
        proxy.route("/user/eve", server.url)
        for _ in range(50):
            proxy.raw(GET)
    assert split(proxy.raw(GET.replace(b"eve", b"ada")))[0] == 200
    assert "Traceback" not in proxy.log.read_text()

"""Websockets through the proxy: what one end says, the other hears, and nothing else."""

from __future__ import annotations

import asyncio
import base64
import os
import socket

import aiohttp
import pytest
from aiohttp import WSMsgType
from proxy_process import PATIENCE, raw_server, stopping, until
from proxy_server import PROTOCOL

MIB = 2**20
LARGE = 32 * MIB
_HANDSHAKE = (
    "GET {path} HTTP/1.1\r\nHost: hub\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n"
)


def run(proxy, scenario, path="ws", **options):
    async def connected():
        async with (
            aiohttp.ClientSession() as client,
            client.ws_connect(
                f"{proxy.url}/user/ada/{path}", max_msg_size=0, **options
            ) as websocket,
        ):
            return await asyncio.wait_for(scenario(websocket), 60)

    return asyncio.run(connected())


def handshake(path="/user/ada/ws"):
    return _HANDSHAKE.format(path=path, key=base64.b64encode(os.urandom(16)).decode()).encode()


async def texts(websocket, *said):
    heard = []
    for each in said:
        await websocket.send_str(each)
        heard.append((await websocket.receive()).data)
    return heard


def test_messages_go_both_ways(proxy):
    said = ["one", "", "Ωμέγα", "x" * 70000]
    assert run(proxy, lambda websocket: texts(websocket, *said)) == said


@pytest.mark.parametrize(
    ("asked", "agreed"),
    [
        ((PROTOCOL,), PROTOCOL),
        (("v0.other", PROTOCOL), PROTOCOL),
        (("v0.other",), None),
        ((), None),
    ],
)
def test_both_ends_agree_on_a_subprotocol(proxy, ada, asked, agreed):
    async def scenario(websocket):
        return websocket.protocol

    assert run(proxy, scenario, protocols=asked) == agreed
    assert ada.seen["protocol"] == agreed


def test_32_mb_go_up_in_one_message(proxy):
    async def scenario(websocket):
        await websocket.send_bytes(b"Z" * LARGE)
        return (await websocket.receive()).data

    assert run(proxy, scenario) == f"{LARGE} True"
    assert proxy.memory() < 150 * MIB


def test_32_mb_come_down_in_one_message(proxy):
    async def scenario(websocket):
        await websocket.send_str(f"send {LARGE}")
        return (await websocket.receive()).data

    assert run(proxy, scenario) == b"\xa5" * LARGE
    assert proxy.memory() < 150 * MIB


def test_a_reader_that_stops_fills_no_memory(proxy):
    async def scenario(websocket):
        # 320 MB are said before the first is heard.
        for _ in range(10):
            await websocket.send_str(f"send {LARGE}")
        await asyncio.sleep(1)
        heard = 0
        for _ in range(10):
            heard += len((await websocket.receive()).data)
        return heard

    before = proxy.memory()
    assert run(proxy, scenario) == 10 * LARGE
    assert proxy.memory() < before + 32 * MIB


def test_compression_is_between_the_ends(proxy):
    async def scenario(websocket):
        assert websocket.compress  # the server agreed
        return await texts(websocket, "y" * 100000)

    assert run(proxy, scenario, compress=15) == ["y" * 100000]


@pytest.mark.parametrize(
    ("code", "reason"),
    [(1000, ""), (1001, "the kernel is gone"), (4001, "moved"), (1011, "é" * 60)],
)
def test_the_client_is_told_why_the_server_closes(proxy, code, reason):
    async def scenario(websocket):
        await websocket.send_str(f"close {code} {reason}")
        message = await websocket.receive()
        return message.type, message.data, message.extra

    assert run(proxy, scenario) == (WSMsgType.CLOSE, code, reason)


@pytest.mark.parametrize("code", [1000, 1001, 4242])
def test_the_server_is_told_why_the_client_closes(proxy, ada, code):
    async def scenario(websocket):
        await texts(websocket, "here")
        await websocket.close(code=code, message=b"bye")

    run(proxy, scenario)
    until(lambda: ada.seen["socket"] == code)


def test_the_server_is_told_when_the_client_vanishes(proxy, ada):
    with socket.create_connection(("127.0.0.1", proxy.port)) as client:
        client.sendall(handshake())
        assert client.recv(1000).startswith(b"HTTP/1.1 101")
        until(lambda: ada.seen["socket"] == "open")
    until(lambda: ada.seen["socket"] != "open")


def test_the_client_is_told_when_the_server_vanishes(proxy):
    async def scenario(websocket):
        await websocket.send_str("vanish")
        message = await websocket.receive()
        return message.type, websocket.close_code

    kind, code = run(proxy, scenario)
    assert kind in {WSMsgType.CLOSED, WSMsgType.ERROR}
    assert code == 1006


def test_pings_reach_the_server_and_its_answer_the_client(proxy):
    async def scenario(websocket):
        await websocket.ping(b"42")
        message = await websocket.receive()
        return message.type, message.data

    assert run(proxy, scenario, autoping=False) == (WSMsgType.PONG, b"42")


def test_pings_reach_the_client_and_its_answer_the_server(proxy):
    # The client answers by itself.
    assert run(proxy, lambda websocket: texts(websocket, "ping me")) == ["pong are you there"]


def test_300_at_once(proxy):
    async def scenario():
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as client:
            websockets = await asyncio.gather(
                *(client.ws_connect(f"{proxy.url}/user/ada/ws") for _ in range(300))
            )
            for number, websocket in enumerate(websockets):
                await websocket.send_str(f"I am {number}")
            heard = [(await each.receive()).data for each in websockets]
            await asyncio.gather(*(each.close() for each in websockets))
            return heard

    assert asyncio.run(scenario()) == [f"I am {number}" for number in range(300)]


def test_words_said_with_the_consent_are_heard(proxy):
    async def scenario(websocket):
        first = await websocket.receive()
        last = await websocket.receive()
        return first.data, last.data, last.extra

    for _ in range(20):  # what comes in one packet is the system's choice
        assert run(proxy, scenario, path="ws-early") == ("hello", 1001, "that was it")


def test_words_said_before_the_consent_are_heard(proxy):
    frame = b"\x81\x82" + bytes(4) + b"hi"
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=PATIENCE) as client:
        client.sendall(handshake() + frame)
        heard = b""
        while not heard.endswith(b"\x81\x02hi"):
            heard += client.recv(1000) or pytest.fail(f"closed after {heard!r}")


def test_a_refusal_is_passed_on_with_its_reason(proxy):
    answer = proxy.raw(handshake("/user/ada/ws-no").replace(b"keep-alive", b"close"))
    assert answer.startswith(b"HTTP/1.1 403")
    assert b"X-Why: a login is needed" in answer
    assert answer.endswith(b"not you")


def test_a_refusal_may_be_a_redirect(proxy):
    async def scenario():
        async with aiohttp.ClientSession() as client:
            with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                await client.ws_connect(f"{proxy.url}/user/ada/away")
            return refused.value.history, refused.value.status

    # The client of these tests follows it itself: one step, which the proxy left to it.
    history, status = asyncio.run(scenario())
    assert [each.status for each in history] == [302]
    assert status == 200


def test_a_connection_that_was_refused_a_websocket_still_serves(proxy):
    after = b"GET /user/ada/echo HTTP/1.1\r\nHost: hub\r\nConnection: close\r\n\r\n"
    answer = proxy.raw(handshake("/user/ada/ws-no") + after)
    assert answer.startswith(b"HTTP/1.1 403")
    assert b"HTTP/1.1 200" in answer


def test_a_websocket_where_no_server_is(proxy):
    proxy.route("/user/gone", "http://127.0.0.1:9")
    answer = proxy.raw(handshake("/user/gone/ws").replace(b"keep-alive", b"close"))
    assert answer.startswith(b"HTTP/1.1 503")


def test_a_websocket_has_no_body(proxy):
    request = handshake().replace(b"\r\n\r\n", b"\r\nContent-Length: 3\r\n\r\nabc")
    assert proxy.raw(request).startswith(b"HTTP/1.1 400")


def test_only_a_server_that_consents_gets_the_bytes_that_follow(proxy):
    """A server that answers an upgrade otherwise must not be sent a second, hidden request."""
    received = []

    async def answer(reader, writer):
        received.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(
            b"HTTP/1.1 426 Upgrade Required\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
        )
        received.append(await reader.read())

    with stopping(raw_server(answer)) as server:
        proxy.route("/user/eve", server.url)
        hidden = b"GET /hidden HTTP/1.1\r\nHost: hub\r\nConnection: close\r\n\r\n"
        answered = proxy.raw(handshake("/user/eve/ws").replace(b": 13", b": 1") + hidden)
        assert answered.startswith(b"HTTP/1.1 426")
        until(lambda: len(received) == 2)
    assert received[0].startswith(b"GET /user/eve/ws ")
    assert received[1] == b""


def test_all_that_a_server_said_arrives_though_it_closed(proxy):
    """Also to a client that is slow to read, and goes on talking meanwhile."""
    consent = b"HTTP/1.1 101 OK\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
    size = 2**20

    async def answer(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(consent + bytes(size))
        writer.write_eof()
        await reader.read()

    with (
        stopping(raw_server(answer)) as server,
        socket.socket() as client,
    ):
        proxy.route("/user/eve", server.url)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
        client.settimeout(PATIENCE)
        client.connect(("127.0.0.1", proxy.port))
        client.sendall(handshake("/user/eve/ws"))
        heard = b""
        while not heard.endswith(bytes(size)):
            client.sendall(b"\x8a\x80" + bytes(4))  # a pong
            heard += client.recv(4096) or pytest.fail(f"closed after {len(heard)} bytes")


def test_activity_is_what_the_client_sends(proxy):
    def last():
        return proxy.api(path="/user/ada")[1]["last_activity"]

    async def scenario(websocket):
        await texts(websocket, "first")
        before = last()
        await asyncio.sleep(0.01)
        await texts(websocket, "second")
        return before, last()

    before, after = run(proxy, scenario)
    assert after > before

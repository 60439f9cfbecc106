"""Clients that would like to be read differently by the proxy and by the server."""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
import time

import pytest
from proxy_process import PATIENCE, raw_server, stopping, until
from proxy_server import BLOCK

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
HIDDEN = b"GET /user/eve/hidden HTTP/1.1\r\nHost: hub\r\nX-Hidden: yes\r\n\r\n"


@pytest.fixture(scope="module")
def eve(proxy):
    """A server that keeps the heads of the requests that it reads, by the letter."""
    heads = []

    async def answer(reader, writer):
        while head := await reader.readuntil(b"\r\n\r\n"):
            heads.append(head)
            length = re.search(rb"\r\ncontent-length: (\d+)\r\n", head.lower())
            if b"\r\ntransfer-encoding:" in head.lower():
                await reader.readuntil(b"0\r\n\r\n")
            elif length:
                await reader.readexactly(int(length.group(1)))
            writer.write(OK)

    with stopping(raw_server(answer)) as server:
        proxy.route("/user/eve", server.url)
        server.heads = heads
        yield server


def post(headers, body):
    return b"POST /user/eve/x HTTP/1.1\r\nHost: hub\r\n" + headers + b"\r\n" + body


SHAPES = {
    "length and chunks": post(
        b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n", b"0\r\n\r\n" + HIDDEN
    ),
    "chunks and length": post(
        b"Transfer-Encoding: chunked\r\nContent-Length: 400\r\n", b"0\r\n\r\n" + HIDDEN
    ),
    "two lengths": post(b"Content-Length: 0\r\nContent-Length: 60\r\n", HIDDEN),
    "a list of lengths": post(b"Content-Length: 0, 60\r\n", HIDDEN),
    "a signed length": post(b"Content-Length: +0\r\n", HIDDEN),
    "a length in hexadecimal": post(b"Content-Length: 0x3c\r\n", HIDDEN),
    "a length with an underscore": post(b"Content-Length: 6_0\r\n", HIDDEN),
    "a space before the colon": post(b"Transfer-Encoding : chunked\r\n", b"0\r\n\r\n" + HIDDEN),
    "a folded header": post(b"Transfer-Encoding:\r\n chunked\r\n", b"0\r\n\r\n" + HIDDEN),
    "an unknown coding": post(b"Transfer-Encoding: xchunked\r\n", b"0\r\n\r\n" + HIDDEN),
    "chunked not last": post(b"Transfer-Encoding: chunked, identity\r\n", b"0\r\n\r\n" + HIDDEN),
    "chunked twice": post(
        b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", b"0\r\n\r\n" + HIDDEN
    ),
    "chunked with a control": post(b"Transfer-Encoding: \x0bchunked\r\n", b"0\r\n\r\n" + HIDDEN),
    "a bad size of a chunk": post(
        b"Transfer-Encoding: chunked\r\n", b"0x3c\r\n" + HIDDEN + b"\r\n0\r\n\r\n"
    ),
    "a negative chunk": post(b"Transfer-Encoding: chunked\r\n", b"-1\r\n" + HIDDEN),
    "a bare line feed in a chunk": post(b"Transfer-Encoding: chunked\r\n", b"0\n\n" + HIDDEN),
    "a bare line feed in the head": b"GET /user/eve/x HTTP/1.1\nHost: hub\n\n" + HIDDEN,
    "a bare return in a header": post(b"X-A: b\rTransfer-Encoding: chunked\r\n", HIDDEN),
    "a NUL in a header": post(b"X-A: b\x00c\r\n", HIDDEN),
    "a header without a name": post(b": x\r\n", HIDDEN),
    "a line without a colon": post(b"nonsense\r\n", HIDDEN),
    "a line end in the path": b"GET /user/eve/x\rX-A: b HTTP/1.1\r\nHost: hub\r\n\r\n" + HIDDEN,
    "an old version": b"GET /user/eve/x HTTP/0.9\r\nHost: hub\r\n\r\n" + HIDDEN,
    "a new version": b"GET /user/eve/x HTTP/9.9\r\nHost: hub\r\n\r\n" + HIDDEN,
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + HIDDEN,
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(50) + HIDDEN,
}


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_no_request_is_hidden_in_another(proxy, eve, shape):
    """Each request that the server reads is one that the proxy read, framed by the proxy."""
    eve.heads.clear()
    with (
        socket.create_connection(("127.0.0.1", proxy.port), timeout=1) as client,
        contextlib.suppress(ConnectionError, TimeoutError),
    ):
        client.sendall(shape)
        while client.recv(65536):
            pass
    for head in eve.heads:
        # Who asks is said by the proxy alone, of each request that it read itself.
        assert head.count(b"\r\nX-Forwarded-For: 127.0.0.1\r\n") == 1
        assert not (b"content-length" in head.lower() and b"transfer-encoding" in head.lower())


@pytest.mark.parametrize(
    "name",
    [
        "length and chunks",
        "chunks and length",
        "two lengths",
        "a list of lengths",
        "a signed length",
        "a length in hexadecimal",
        "a length with an underscore",
        "a space before the colon",
        "an unknown coding",
        "chunked not last",
        "chunked twice",
        "a bad size of a chunk",
        "a negative chunk",
        "a NUL in a header",
        "a line without a colon",
        "HTTP/2",
        "TLS",
    ],
)
def test_what_can_be_read_in_two_ways_is_refused(proxy, eve, name):
    eve.heads.clear()
    answer = proxy.raw(SHAPES[name])
    assert set(re.findall(rb"HTTP/1\.\d (\d+) ", answer)) == {b"400"}
    assert not eve.heads


@pytest.mark.parametrize(
    "path",
    [
        "/user/ada/../eve/x",
        "/user/ada/./x",
        "/user/ada/%2e%2e/eve/x",
        "/user/ada/.%2E/eve/x",
        "/user/ada/%2e/x",
        "/..",
        "/hub/../user/eve/",
        "/user/ada/x#y",
        "user/ada",
        "*",
        "http://127.0.0.1:9/user/ada",
        "https://evil.example/",
        "/user/ada/\xe9".encode().decode("latin-1"),
    ],
)
def test_a_path_that_could_mean_another_is_refused(proxy, path):
    request = f"GET {path} HTTP/1.1\r\nHost: hub\r\nConnection: close\r\n\r\n".encode("latin-1")
    answer = proxy.raw(request)
    assert answer.startswith((b"HTTP/1.1 400", b"HTTP/1.0 400"))


@pytest.mark.parametrize(
    "path",
    ["/user%2Feve/x", "/user/eve%2Fx", "/user/ada%2F..%2Feve", "/user//eve", "/User/eve", "/user"],
)
def test_a_path_that_only_looks_like_a_route_goes_to_the_hub(proxy, eve, path):
    eve.heads.clear()
    request = f"GET {path} HTTP/1.1\r\nHost: hub\r\nConnection: close\r\n\r\n".encode()
    answer = proxy.raw(request)
    assert answer.startswith(b"HTTP/1.1 200")
    assert path.encode() in answer
    assert not eve.heads


def test_a_path_with_very_many_segments(proxy):
    request = b"GET /user/ada" + b"/a" * 10000 + b" HTTP/1.1\r\nHost: hub\r\n"
    assert proxy.raw(request + b"Connection: close\r\n\r\n").startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize("method", ["CONNECT", "TRACE"])
def test_methods_that_are_not_passed_on(proxy, method):
    target = "127.0.0.1:22" if method == "CONNECT" else "/user/ada/x"
    request = f"{method} {target} HTTP/1.1\r\nHost: hub\r\nCookie: secret\r\n\r\n".encode()
    answer = proxy.raw(request)
    assert answer.startswith(b"HTTP/1.1 405")
    assert b"secret" not in answer


def test_large_cookies_are_passed_on(proxy):
    head = b"GET /user/ada/x HTTP/1.1\r\nHost: hub\r\nConnection: close\r\nCookie: " + b"c" * 16000
    answer = proxy.raw(head + b"\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200")
    assert (b"c" * 16000).hex().encode() in answer


@pytest.mark.parametrize(
    "head",
    [
        b"GET /user/eve/x HTTP/1.1\r\nHost: hub\r\nX-A: " + b"a" * 10**6 + b"\r\n\r\n",
        b"GET /user/eve/" + b"a" * 10**6 + b" HTTP/1.1\r\nHost: hub\r\n\r\n",
        b"GET /user/eve/x HTTP/1.1\r\n" + b"X-A: b\r\n" * 10**5 + b"\r\n",
        b"GET /user/eve/x HTTP/1.1\r\n" + b"a" * 10**6,
    ],
    ids=["a value", "a path", "a number", "a name"],
)
def test_a_huge_head_is_refused(proxy, eve, head):
    eve.heads.clear()
    answer = proxy.raw(head)
    # The proxy may close before all of it was sent, and the system then drop its answer.
    assert answer == b"" or b" 400 " in answer.partition(b"\r\n")[0]
    assert not eve.heads
    assert proxy.memory() < 150 * 2**20


def test_a_request_that_is_not_finished_reaches_no_server(proxy, eve):
    eve.heads.clear()
    with socket.create_connection(("127.0.0.1", proxy.port)) as client:
        client.sendall(b"GET /user/eve/x HTTP/1.1\r\nHost: hub\r\nX-Hal")
        time.sleep(0.1)
    assert not eve.heads


def test_many_requests_at_once_on_one_connection_fill_no_memory(proxy):
    before = proxy.memory()
    request = b"GET /user/ada/down/1 HTTP/1.1\r\nHost: hub\r\n\r\n"
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=PATIENCE) as client:
        client.settimeout(1)
        with contextlib.suppress(TimeoutError):
            for _ in range(200):
                client.sendall(request * 1000)  # and no answer is read
    assert proxy.memory() < before + 64 * 2**20


def test_nonsense_leaves_no_trace_of_secrets_in_the_log(proxy):
    proxy.raw(b"GET /user/ada/../x?token=topsecret HTTP/1.1\r\nHost: hub\r\n\r\n")

    async def nonsense(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ntopsecret: \x00topsecret\r\n\r\n")

    with stopping(raw_server(nonsense)) as server:
        proxy.route("/user/nonsense", server.url)
        answer = proxy.raw(
            b"GET /user/nonsense/x?token=topsecret HTTP/1.1\r\nHost: hub\r\n"
            b"Connection: close\r\n\r\n"
        )
    assert answer.startswith(b"HTTP/1.1 503")
    proxy.route("/user/gone", "http://127.0.0.1:9")
    proxy.raw(
        b"GET /user/gone/%1b[2J?token=topsecret HTTP/1.1\r\nHost: hub\r\n"
        b"Connection: close\r\nCookie: topsecret\r\n\r\n"
    )
    until(lambda: "/user/gone/" in proxy.log.read_text())
    log = proxy.log.read_text()
    assert "topsecret" not in log
    assert "\x1b" not in log
    assert "Traceback" not in log


def test_after_all_this_it_still_serves(proxy):
    async def many():
        async def one():
            reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
            writer.write(
                b"GET /user/ada/down/1 HTTP/1.1\r\nHost: hub\r\nConnection: close\r\n\r\n"
            )
            answer = await reader.read()
            writer.close()
            return answer

        return await asyncio.gather(*(one() for _ in range(50)))

    for answer in asyncio.run(many()):
        assert answer.endswith(BLOCK)

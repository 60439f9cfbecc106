"""Requests and responses through the proxy: whole, unchanged, and as they come."""

from __future__ import annotations

import asyncio
import gzip
import json
import re
import socket

import aiohttp
import pytest
from proxy_process import PATIENCE, TOKEN, until
from proxy_server import BLOCK

from upramp_hub.vouching import HEADER, WEB_SERVER, voucher, web_secret

MIB = 2**20


def run(proxy, scenario, **options):
    """Run a scenario with a client whose base is Ada's server behind the proxy."""

    async def with_client():
        timeout = aiohttp.ClientTimeout(total=120)
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(
            f"{proxy.url}/user/ada/", connector=connector, timeout=timeout, **options
        ) as client:
            return await scenario(client)

    return asyncio.run(with_client())


def echo_of(answer):
    head, _, rest = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200"), answer
    body = rest if b"chunked" not in head else rest.partition(b"\r\n")[2].partition(b"\r\n")[0]
    seen = json.loads(body)
    seen["headers"] = [(name, bytes.fromhex(value)) for name, value in seen["headers"]]
    return seen


def ask(proxy, head, body=b"", target="/user/ada/echo", method="GET"):
    request = f"{method} {target} HTTP/1.1\r\nHost: hub.example:8443\r\n".encode()
    return proxy.raw(request + head + b"Connection: close\r\n\r\n" + body)


def values(seen, name):
    return [value for each, value in seen["headers"] if each.lower() == name.lower()]


# ---- as it comes


def test_events_come_as_they_are_said(proxy):
    async def scenario(client):
        async with client.get("events/a") as stream:  # before anything was said
            heard = []
            for number in range(4):
                async with client.get(f"step/a{number}"):
                    pass
                # The server says no more until this one has arrived.
                heard.append(await asyncio.wait_for(stream.content.readuntil(b"\n\n"), PATIENCE))
            return heard

    assert run(proxy, scenario) == [b"data: %d\n\n" % number for number in range(4)]


def test_many_requests_are_under_way_at_once(proxy):
    async def scenario(client):
        async def one():
            async with client.get("together/40") as answer:
                return answer.status

        return await asyncio.gather(*(one() for _ in range(40)))

    assert set(run(proxy, scenario)) == {200}


@pytest.mark.slow
def test_a_request_may_take_long(proxy):
    async def scenario(client):
        async with client.get("sleep/21") as answer:
            return answer.status, await answer.text()

    assert run(proxy, scenario) == (200, "awake")


def test_a_client_that_leaves_takes_its_request_with_it(proxy, ada):
    async def scenario(client):
        async with client.get("endless") as stream:
            assert await stream.content.readuntil(b"\n\n") == b"data: first\n\n"
            stream.close()

    run(proxy, scenario)
    until(lambda: ada.seen["endless"] == "left")


# ---- however much it is


def test_500_mib_come_down_and_none_stay(proxy):
    async def scenario(client):
        count = 0
        async with client.get("down/500") as answer:
            async for chunk in answer.content.iter_any():
                assert chunk[0] == count % 256
                count += len(chunk)
                assert chunk[-1] == (count - 1) % 256
        return count

    assert run(proxy, scenario) == 500 * MIB
    assert proxy.memory() < 150 * MIB


@pytest.mark.parametrize("chunked", [False, True])
def test_300_mib_go_up_and_none_stay(proxy, chunked):
    async def blocks():
        for _ in range(300):
            yield BLOCK

    async def scenario(client):
        headers = {} if chunked else {"Content-Length": str(300 * MIB)}
        async with client.put("up", data=blocks(), headers=headers) as answer:
            return await answer.json()

    assert run(proxy, scenario) == {"count": 300 * MIB, "whole": True}
    assert proxy.memory() < 150 * MIB


def test_a_slow_reader_slows_the_server_down(proxy, ada):
    async def scenario(client):
        async with client.get("down/400") as answer:
            await answer.content.readexactly(1)
            await asyncio.sleep(1)  # in which a server that nobody stops has sent it all
            return ada.seen["sent"]

    assert run(proxy, scenario) < 64 * MIB


def test_a_broken_upload_is_told_to_the_server(proxy, ada):
    with socket.create_connection(("127.0.0.1", proxy.port)) as client:
        client.sendall(
            b"PUT /user/ada/up HTTP/1.1\r\nHost: hub\r\nContent-Length: 5000\r\n\r\n"
            + BLOCK[:1000]
        )
        until(lambda: ada.seen["up"] == 1000)
    assert until(lambda: ada.seen.get("broken")) == 1000


# ---- unchanged


def test_a_bare_post_stays_bare(proxy):
    seen = echo_of(ask(proxy, b"Content-Length: 0\r\n", method="POST"))
    assert seen["method"] == "POST"
    assert not values(seen, "Content-Type")
    assert values(seen, "Content-Length") == [b"0"]
    assert not values(seen, "Transfer-Encoding")


@pytest.mark.parametrize(
    "method", ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"]
)
def test_any_method_with_a_body(proxy, method):
    seen = echo_of(ask(proxy, b"Content-Length: 3\r\n", b"a\x00\xff", method=method))
    assert (seen["method"], seen["body"]) == (method, "6100ff")
    assert values(seen, "Content-Length") == [b"3"]


@pytest.mark.parametrize(
    "target",
    [
        "/user/ada/a%2Fb/c%20d",
        "/user/ada//double///slashes/",
        "/user/ada/%E2%82%AC/%ff",
        "/user/ada/x?next=%2Fhub%2F&a=1&a=2&b=a+b&c=%2e%2e/../x",
        "/user/ada/a;b=c,d:e@f!$&'()*+~",
        "/user/ada",
        "//user/ada",
        "/",
    ],
)
def test_the_server_is_sent_the_path_as_it_was_asked_for(proxy, target):
    assert echo_of(ask(proxy, b"", target=target))["target"] == target


def test_nothing_is_added_but_who_asks(proxy):
    names = {name.lower() for name, _ in echo_of(ask(proxy, b"X-Own: 1\r\n"))["headers"]}
    forwarded = {f"x-forwarded-{each}" for each in ("for", "port", "proto", "host")}
    assert names == {"host", "x-own", *forwarded}


def test_who_asks(proxy):
    seen = echo_of(ask(proxy, b""))
    assert values(seen, "Host") == [b"hub.example:8443"]
    assert values(seen, "X-Forwarded-For") == [b"127.0.0.1"]
    assert values(seen, "X-Forwarded-Port") == [b"8443"]
    assert values(seen, "X-Forwarded-Proto") == [b"http"]
    assert values(seen, "X-Forwarded-Host") == [b"hub.example:8443"]


def test_only_the_hub_is_shown_that_a_request_came_this_way(proxy):
    forged = f"{HEADER}: {voucher(TOKEN)}\r\n".encode()
    assert not values(echo_of(ask(proxy, forged)), HEADER)
    at_the_hub = ask(proxy, forged + f"{HEADER}: x\r\n".encode(), target="/hub/login")
    assert values(echo_of(at_the_hub), HEADER) == [voucher(TOKEN).encode()]


def test_who_asks_behind_another_web_server(proxy):
    head = (
        b"X-Forwarded-For: 203.0.113.9\r\nX-Forwarded-For: 198.51.100.7\r\n"
        b"X-Forwarded-Proto: https\r\nX-Forwarded-Port: 443\r\nX-Forwarded-Host: jwst.example\r\n"
    )
    proof = f"{WEB_SERVER}: {web_secret(TOKEN)}\r\n".encode()
    seen = echo_of(ask(proxy, head + proof))
    assert values(seen, "X-Forwarded-For") == [b"203.0.113.9,198.51.100.7,127.0.0.1"]
    assert values(seen, WEB_SERVER) == []
    # Whoever is on this machine may say so, a user's kernel too: it is not passed on.
    for wrong in (b"", f"{WEB_SERVER}: {voucher(TOKEN)}\r\n".encode()):
        assert values(echo_of(ask(proxy, head + wrong)), "X-Forwarded-For") == [b"127.0.0.1"]
    # A cookie is marked as secure by what is said last of this.
    assert values(seen, "X-Forwarded-Proto") == [b"https"]
    assert values(seen, "X-Forwarded-Port") == [b"443"]
    assert values(seen, "X-Forwarded-Host") == [b"jwst.example"]


def test_headers_of_one_connection_end_at_the_proxy(proxy):
    head = (
        b"Connection: keep-alive, X-Mine, Host, Content-Length\r\nX-Mine: 1\r\nKeep-Alive: 5\r\n"
        b"TE: trailers\r\nTrailer: X-End\r\nProxy-Authorization: secret\r\n"
        b"Proxy-Connection: keep-alive\r\nUpgrade: h2c\r\nX-Kept: 2\r\nContent-Length: 2\r\n"
    )
    seen = echo_of(ask(proxy, head, b"ab", method="POST"))
    names = {name.lower() for name, _ in seen["headers"]}
    gone = {"x-mine", "keep-alive", "te", "trailer", "proxy-authorization", "upgrade"}
    assert not names & {*gone, "proxy-connection", "connection"}
    assert {"x-kept", "host", "content-length"} <= names
    assert seen["body"] == "6162"


def test_bytes_of_headers_stay_text(proxy):
    head = b"X-Utf: \xe2\x82\xac\r\nX-Latin: Andr\xe9\r\nX-Tab: a\tb\r\n"
    seen = echo_of(ask(proxy, head))
    assert values(seen, "X-Utf") == [b"\xe2\x82\xac"]
    assert values(seen, "X-Latin") == ["André".encode()]
    assert values(seen, "X-Tab") == [b"a\tb"]


def test_cookies_are_passed_on_and_never_kept(proxy, ada):
    # By name: a library that keeps cookies keeps those of a name only.
    proxy.route("/user/ada", ada.url.replace("127.0.0.1", "localhost"))

    async def scenario(client):
        async with client.get("away", allow_redirects=False) as answer:
            return answer.headers.getall("Set-Cookie")

    given = run(proxy, scenario)
    assert [each.split(";")[0] for each in given] == ["one=1", "two=2"]
    # Someone else, who sends none: the proxy has to have forgotten Ada's.
    assert not values(echo_of(ask(proxy, b"")), "Cookie")
    assert values(echo_of(ask(proxy, b"Cookie: a=b; c=d\r\n")), "Cookie") == [b"a=b; c=d"]


def test_redirects_are_the_clients(proxy):
    async def scenario(client):
        async with client.get("away", allow_redirects=False) as answer:
            return answer.status, answer.headers["Location"]

    assert run(proxy, scenario) == (302, "/user/ada/elsewhere?x=%2F")


def test_compressed_bodies_stay_compressed(proxy):
    async def scenario(client):
        async with client.get("zipped") as answer:
            return answer.headers["Content-Encoding"], await answer.read()

    encoding, body = run(proxy, scenario, auto_decompress=False)
    assert (encoding, gzip.decompress(body)) == ("gzip", b"as it was")
    packed = gzip.compress(b"x" * 1000)
    head = b"Content-Encoding: gzip\r\nContent-Length: %d\r\n" % len(packed)
    assert echo_of(ask(proxy, head, packed, method="POST"))["body"] == packed.hex()


@pytest.mark.parametrize("status", [200, 204, 304, 404, 418, 500, 503])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_any_status(proxy, method, status):
    answer = ask(proxy, b"", target=f"/user/ada/status/{status}", method=method)
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 %d " % status)
    assert b'\r\netag: "x"' in head.lower()
    assert not body


def test_head_tells_the_length(proxy):
    head, _, body = ask(proxy, b"", target="/user/ada/down/3", method="HEAD").partition(
        b"\r\n\r\n"
    )
    assert b"\r\nContent-Length: %d" % (3 * MIB) in head
    assert not body


def test_the_client_is_told_to_go_on(proxy):
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=PATIENCE) as client:
        client.sendall(
            b"PUT /user/ada/echo HTTP/1.1\r\nHost: hub\r\nExpect: 100-continue\r\n"
            b"Content-Length: 4\r\nConnection: close\r\n\r\n"
        )
        assert client.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sendall(b"body")
        answer = b""
        while chunk := client.recv(65536):
            answer += chunk
    seen = echo_of(answer)
    assert seen["body"] == b"body".hex()
    assert not values(seen, "Expect")


def test_a_connection_serves_many_requests(proxy):
    request = b"GET /user/ada/echo%d HTTP/1.1\r\nHost: hub\r\n\r\n"
    last = request.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
    answer = proxy.raw(request % 1 + request % 2 + last % 3)
    assert re.findall(rb"/user/ada/echo\d", answer) == [b"/user/ada/echo%d" % n for n in (1, 2, 3)]


def test_an_old_client_gets_a_body_that_ends_with_the_connection(proxy):
    answer = proxy.raw(b"GET /user/ada/echo HTTP/1.0\r\n\r\n")
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b" 200 " in head
    assert b"chunked" not in head
    assert body.startswith(b"{")


def test_health(proxy):
    answer = proxy.raw(b"GET /_chp_healthz HTTP/1.1\r\nHost: hub\r\nConnection: close\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200")
    assert answer.endswith(b'{"status": "OK"}')


def test_nobody_says_by_himself_who_asks(proxy):
    seen = echo_of(ask(proxy, b"X-Real-Ip: 203.0.113.9\r\nX-Scheme: https\r\nX-Own: 1\r\n"))
    assert not values(seen, "X-Real-Ip")
    assert not values(seen, "X-Scheme")
    assert values(seen, "X-Own") == [b"1"]

"""A server behind the proxy that does what users' servers do, and tells what it saw."""

from __future__ import annotations

import asyncio
import gzip

from aiohttp import WSCloseCode, WSMsgType, web

PROTOCOL = "v1.kernel.websocket.jupyter.org"
BLOCK = bytes(range(256)) * 4096  # 1 MiB

_STEPS = web.AppKey("steps", dict)
SEEN = web.AppKey("seen", dict)


async def echo(request):
    body = await request.read()
    return web.json_response(
        {
            "method": request.method,
            "target": request.raw_path,
            "headers": [
                [k, v.encode("utf-8", "surrogateescape").hex()] for k, v in request.headers.items()
            ],
            "body": body.hex(),
        }
    )


async def down(request):
    size = int(request.match_info["size"])
    response = web.StreamResponse(headers={"Content-Length": str(size * len(BLOCK))})
    await response.prepare(request)
    if request.method == "HEAD":
        return response
    seen = request.app[SEEN]
    seen["sent"] = 0
    for _ in range(size):
        await response.write(BLOCK)
        seen["sent"] += len(BLOCK)
    return response


async def up(request):
    count = 0
    whole = True
    seen = request.app[SEEN]
    try:
        async for chunk in request.content.iter_any():
            # Without a second pass over hundreds of megabytes: each byte tells its place.
            whole = (
                whole and chunk[0] == count % 256 and chunk[-1] == (count + len(chunk) - 1) % 256
            )
            count += len(chunk)
            seen["up"] = count
    except BaseException:  # it is cancelled, too, when it is left
        seen["broken"] = count
        raise
    return web.json_response({"count": count, "whole": whole})


def _step(request, name):
    return request.app[_STEPS].setdefault(name, asyncio.Event())


async def step(request):
    """Let whoever waits for this step go on."""
    _step(request, request.match_info["name"]).set()
    return web.Response()


async def events(request):
    """Say an event, and the next once the client has told that it got this one."""
    name = request.match_info["name"]
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)
    for number in range(4):
        await _step(request, f"{name}{number}").wait()
        await response.write(b"data: %d\n\n" % number)
    return response


async def endless(request):
    seen = request.app[SEEN]
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)
    await response.write(b"data: first\n\n")
    seen["endless"] = "running"
    try:
        await asyncio.sleep(3600)
    finally:
        seen["endless"] = "left"


async def sleep(request):
    await asyncio.sleep(float(request.match_info["seconds"]))
    return web.Response(text="awake")


async def together(request):
    """Answer once so many requests are here at the same time."""
    count = int(request.match_info["count"])
    seen = request.app[SEEN]
    seen["here"] = seen.get("here", 0) + 1
    if seen["here"] == count:
        _step(request, "together").set()
    await asyncio.wait_for(_step(request, "together").wait(), 15)
    return web.Response()


async def away(request):
    response = web.Response(status=302, headers={"Location": "/user/ada/elsewhere?x=%2F"})
    response.set_cookie("one", "1")
    response.set_cookie("two", "2", path="/user/ada")
    return response


async def zipped(request):
    body = gzip.compress(b"as it was")
    return web.Response(body=body, headers={"Content-Encoding": "gzip"})


async def status(request):
    return web.Response(status=int(request.match_info["status"]), headers={"ETag": '"x"'})


async def _converse(request, socket):
    while True:
        message = await socket.receive()
        if message.type is WSMsgType.TEXT and message.data.startswith("close "):
            _, code, reason = message.data.split(" ", 2)
            await socket.close(code=int(code), message=reason.encode())
            break
        if message.type is WSMsgType.TEXT and message.data.startswith("send "):
            await socket.send_bytes(b"\xa5" * int(message.data[5:]))
        elif message.type is WSMsgType.TEXT and message.data == "ping me":
            await socket.ping(b"are you there")
        elif message.type is WSMsgType.TEXT and message.data == "vanish":
            request.transport.abort()
        elif message.type is WSMsgType.TEXT:
            await socket.send_str(message.data)
        elif message.type is WSMsgType.BINARY:
            await socket.send_str(
                f"{len(message.data)} {message.data == b'Z' * len(message.data)}"
            )
        elif message.type is WSMsgType.PING:
            await socket.pong(message.data)
        elif message.type is WSMsgType.PONG:
            await socket.send_str(f"pong {message.data.decode()}")
        else:
            break


async def websocket(request):
    # As jupyter-server's: the newest protocol that both know, messages of any size.
    socket = web.WebSocketResponse(protocols=[PROTOCOL], max_msg_size=0, autoping=False)
    await socket.prepare(request)
    seen = request.app[SEEN]
    seen["socket"] = "open"
    seen["protocol"] = socket.ws_protocol
    try:
        await _converse(request, socket)
    finally:
        seen["socket"] = socket.close_code or "left"
    return socket


async def early_words(request):
    """Say something in the same breath as the consent, and close."""
    socket = web.WebSocketResponse()
    await socket.prepare(request)
    await socket.send_str("hello")
    await socket.close(code=WSCloseCode.GOING_AWAY, message=b"that was it")
    return socket


async def no_websocket(request):
    return web.Response(status=403, text="not you", headers={"X-Why": "a login is needed"})


async def error_page(request):
    return web.Response(
        text=f"<h1>{request.match_info['status']}</h1> for {request.query['url']!r}",
        content_type="text/html",
        status=200,
        headers={"Content-Security-Policy": "frame-ancestors 'self'", "Set-Cookie": "no=1"},
    )


def server():
    app = web.Application(client_max_size=2**30)
    app[_STEPS] = {}
    app[SEEN] = {}
    for path, handler in {
        "/down/{size}": down,
        "/up": up,
        "/step/{name}": step,
        "/events/{name}": events,
        "/endless": endless,
        "/sleep/{seconds}": sleep,
        "/together/{count}": together,
        "/away": away,
        "/zipped": zipped,
        "/status/{status}": status,
        "/ws": websocket,
        "/ws-early": early_words,
        "/ws-no": no_websocket,
    }.items():
        app.router.add_route("*", "/user/ada" + path, handler)
    app.router.add_route("*", "/hub/error/{status}", error_page)
    app.router.add_route("*", "/{anything:.*}", echo)
    return app

"""The proxy as a process, and servers behind it, for its tests."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

from aiohttp import web

HUB_CONFIG = Path(__file__).resolve().parents[2] / "hub_config"
TOKEN = "a-secret-of-the-tests"
PATIENCE = 20.0

_ADDRESS = re.compile(r"(users|hub) at (http://\S+?:\d+)")


def environment(**changes):
    inherited = {k: v for k, v in os.environ.items() if k != "CONFIGPROXY_AUTH_TOKEN"}
    path = os.pathsep.join(filter(None, [str(HUB_CONFIG), inherited.get("PYTHONPATH")]))
    return {**inherited, "PYTHONPATH": path, "CONFIGPROXY_AUTH_TOKEN": TOKEN, **changes}


def until(what, patience=PATIENCE):
    """Wait until something is true, and give it."""
    end = time.monotonic() + patience
    while not (found := what()):
        if time.monotonic() > end:
            raise AssertionError(f"it did not come true in {patience} s: {what}")
        time.sleep(0.02)
    return found


class Proxy:
    """A running ``python -m upramp_hub.proxy``."""

    def __init__(self, *options, port=0, api_port=0):
        self.log = Path(tempfile.mkstemp(prefix="proxy-", suffix=".log")[1])
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "upramp_hub.proxy", "--ip", "127.0.0.1"),
                    *("--port", str(port), "--api-port", str(api_port), *options),
                ],
                env=environment(),
                stderr=log,
            )

        def addresses():
            assert self.process.poll() is None, self.log.read_text()
            found = dict(_ADDRESS.findall(self.log.read_text()))
            return found if len(found) == 2 else None

        found = until(addresses)
        self.url, self.api_url = found["users"], found["hub"]

    @property
    def port(self):
        return int(self.url.rpartition(":")[2])

    @property
    def api_port(self):
        return int(self.api_url.rpartition(":")[2])

    def api(self, method="GET", path="", body=None, token=TOKEN):
        """Give status and content of an answer of the interface."""
        headers = {} if token is None else {"Authorization": f"token {token}"}
        data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        request = urllib.request.Request(
            f"{self.api_url}/api/routes{path}", data=data, method=method, headers=headers
        )
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
                text = answer.read()
                return answer.status, json.loads(text) if text else None
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def route(self, path, target):
        assert self.api("POST", path, {"target": target, "jupyterhub": True})[0] == 201

    def raw(self, data):
        """Send bytes, and give what comes back until the proxy closes."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE) as connection:
            received = b""
            with contextlib.suppress(ConnectionError):
                connection.sendall(data)
                while chunk := connection.recv(65536):
                    received += chunk
            return received

    def memory(self):
        """Give the most bytes that it ever held."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmHWM:\s+(\d+) kB", status).group(1)) * 1024

    def stop(self, number=signal.SIGTERM):
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            return self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise
        finally:
            self.log.unlink(missing_ok=True)


class InThread:
    """Something asynchronous that runs in a thread of its own.

    ``start`` is a coroutine function that gives the port it listens on and what stops it.
    """

    def __init__(self, start):
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self._thread.start()
        self.port, self._stop = self.run(start())

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def run(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(PATIENCE)

    def stop(self):
        self.run(self._stop())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(PATIENCE)
        self.loop.close()


def application(app, port=0):
    """Serve an application of aiohttp's."""

    async def start():
        runner = web.AppRunner(
            app,
            auto_decompress=False,
            handler_cancellation=True,
            shutdown_timeout=0.1,
            # As the server of Jupyter's has them.
            max_line_size=2**16,
            max_field_size=2**16,
        )
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", port)
        await site.start()
        return runner.addresses[0][1], runner.cleanup

    return InThread(start)


def raw_server(answer):
    """Serve connections with ``await answer(reader, writer)``: anything, HTTP or not."""

    async def start():
        async def connected(reader, writer):
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
                await answer(reader, writer)
            writer.close()

        server = await asyncio.start_server(connected, "127.0.0.1", 0)

        async def stop():
            server.close()

        return server.sockets[0].getsockname()[1], stop

    return InThread(start)


@contextlib.contextmanager
def stopping(thing):
    try:
        yield thing
    finally:
        thing.stop()


def free_port():
    """Give a port where nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]

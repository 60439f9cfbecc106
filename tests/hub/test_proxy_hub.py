"""A real JupyterHub that starts this proxy, and a kernel that is reached through it."""

from __future__ import annotations

import asyncio
import itertools
import json
import signal
import subprocess
import sys
import time
import uuid

import aiohttp
import pytest
from proxy_process import TOKEN, environment, free_port
from proxy_server import PROTOCOL

pytestmark = [pytest.mark.hub, pytest.mark.slow]

for package in ("jupyterhub", "jupyter_server", "ipykernel"):
    pytest.importorskip(package, reason="the hub's packages are not installed")

CONFIGURATION = """
import sys
c.JupyterHub.bind_url = "http://127.0.0.1:{port}"
c.JupyterHub.hub_bind_url = "http://127.0.0.1:{hub}"
c.JupyterHub.db_url = "sqlite:///hub.sqlite"
c.JupyterHub.cleanup_servers = False
c.JupyterHub.authenticator_class = "dummy"
c.JupyterHub.spawner_class = "simple"
c.SimpleLocalProcessSpawner.home_dir_template = "{folder}/{{username}}"
c.Spawner.cmd = [sys.executable, "-m", "jupyterhub.singleuser"]
c.Spawner.args = ["--allow-root"]
c.Spawner.environment = {{"JUPYTERHUB_SINGLEUSER_APP": "jupyter_server.serverapp.ServerApp"}}
c.Authenticator.allow_all = True
c.ConfigurableHTTPProxy.command = [sys.executable, "-m", "upramp_hub.proxy"]
c.ConfigurableHTTPProxy.api_url = "http://127.0.0.1:{api}"
c.ConfigurableHTTPProxy.should_start = {starts}
c.JupyterHub.services = [{{"name": "tests", "api_token": "{token}"}}]
c.JupyterHub.load_roles = [{{"name": "tests", "services": ["tests"],
    "scopes": ["admin:users", "admin:servers", "tokens", "access:servers", "proxy"]}}]
"""


class Hub:
    """A hub and its proxy, each a process of its own."""

    def __init__(self, folder, *, starts_proxy):
        self.folder = folder
        self.port, self.hub_port, self.api_port = free_port(), free_port(), free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = folder / "hub.log"
        (folder / "configuration.py").write_text(
            CONFIGURATION.format(
                port=self.port,
                hub=self.hub_port,
                api=self.api_port,
                folder=folder,
                starts=starts_proxy,
                token=TOKEN,
            )
        )
        self._processes = {}
        self._servers = []
        if not starts_proxy:
            self.start_proxy()
        self.start_hub()

    def _start(self, name, *command):
        with (self.folder / f"{name}.log").open("a") as log:
            self._processes[name] = subprocess.Popen(
                [sys.executable, "-m", *command],
                cwd=self.folder,
                env=environment(),
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def start_proxy(self):
        hub = f"http://127.0.0.1:{self.hub_port}"
        self._start(
            "proxy",
            *("upramp_hub.proxy", "--ip", "127.0.0.1", "--port", str(self.port)),
            *("--api-port", str(self.api_port), "--default-target", hub),
            *("--error-target", f"{hub}/hub/error"),
        )

    def start_hub(self):
        self._start("hub", "jupyterhub", "-f", "configuration.py")

    def kill(self, name):
        process = self._processes[name]
        process.send_signal(signal.SIGKILL)
        process.wait()

    def stop(self):
        for process in self._processes.values():
            process.terminate()
        for process in self._processes.values():
            process.wait(30)

    async def api(self, client, method, path, expected, *, directly=False, **options):
        """Ask the hub until it answers as expected."""
        end = time.monotonic() + 60
        headers = {"Authorization": f"token {TOKEN}"}
        while True:
            base = f"http://127.0.0.1:{self.hub_port}" if directly else self.url
            url = f"{base}/hub/api/{path}"
            try:
                async with client.request(method, url, headers=headers, **options) as answer:
                    text = await answer.text()
                    if answer.status in expected:
                        return json.loads(text) if text else None
            except aiohttp.ClientError as error:
                text = str(error)
            assert time.monotonic() < end, f"{path}: {text}\n{self.log.read_text()[-3000:]}"
            await asyncio.sleep(0.2)


async def start_server(hub, client):
    await hub.api(client, "GET", "", {200})
    await hub.api(client, "POST", "users/ada", {201, 409})
    await hub.api(client, "POST", "users/ada/server", {201, 202})
    # The progress comes as events, the last of which says that it is ready.
    url = f"{hub.url}/hub/api/users/ada/server/progress"
    events = []
    async with client.get(url, headers={"Authorization": f"token {TOKEN}"}) as stream:
        async for line in stream.content:
            if line.startswith(b"data:"):
                events.append(json.loads(line[5:]))
                if events[-1].get("ready") or events[-1].get("failed"):
                    break
    assert events[-1].get("ready"), (events, hub.log.read_text()[-3000:])


async def start_kernel(hub, client):
    headers = {"Authorization": f"token {TOKEN}"}
    # A bare POST, as the hub's and the server's own pages send it.
    async with client.post(f"{hub.url}/user/ada/api/kernels", headers=headers) as answer:
        assert answer.status == 201, await answer.text()
        kernel = (await answer.json())["id"]
    return await client.ws_connect(
        f"{hub.url}/user/ada/api/kernels/{kernel}/channels",
        headers=headers,
        protocols=[PROTOCOL],
        max_msg_size=0,
    )


def packed(code):
    header = {
        "msg_id": uuid.uuid4().hex,
        "msg_type": "execute_request",
        "session": "s",
        "username": "ada",
        "version": "5.3",
    }
    content = {"code": code, "silent": False, "store_history": False, "user_expressions": {}}
    parts = [b"shell", *(json.dumps(each).encode() for each in (header, {}, {}, content))]
    offsets = [8 * (len(parts) + 2)]
    for part in parts:
        offsets.append(offsets[-1] + len(part))
    numbers = [len(offsets), *offsets]
    return b"".join(number.to_bytes(8, "little") for number in numbers) + b"".join(parts)


def unpacked(data):
    count = int.from_bytes(data[:8], "little")
    offsets = [int.from_bytes(data[8 * n : 8 * n + 8], "little") for n in range(1, count + 1)]
    parts = [data[a:b] for a, b in itertools.pairwise(offsets)]
    return json.loads(parts[1])["msg_type"], json.loads(parts[4])


async def heard(websocket, kind):
    while True:
        message = await asyncio.wait_for(websocket.receive(), 60)
        assert message.type is aiohttp.WSMsgType.BINARY, message
        found, content = unpacked(message.data)
        if found == kind:
            return content


async def said_until_closed(websocket):
    said = []
    while (message := await websocket.receive()).type is aiohttp.WSMsgType.BINARY:
        said.append(unpacked(message.data)[0])
    assert message.type in {aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR}
    return said


@pytest.fixture
def hub(tmp_path, request):
    running = Hub(tmp_path, starts_proxy=request.param)
    try:
        yield running
    finally:
        asyncio.run(_stop_server(running))
        running.stop()


async def _stop_server(hub):
    async with aiohttp.ClientSession() as client:
        # Whatever has become of the proxy.
        expected = {204, 400, 404}
        await hub.api(client, "DELETE", "users/ada/server", expected, directly=True)


@pytest.mark.parametrize("hub", [True], indirect=True)
def test_the_hub_starts_this_proxy_and_a_kernel_answers_through_it(hub):
    async def scenario():
        async with aiohttp.ClientSession() as client:
            await start_server(hub, client)
            websocket = await start_kernel(hub, client)
            await websocket.send_bytes(packed("print(6 * 7)"))
            return websocket.protocol, await heard(websocket, "stream")

    protocol, content = asyncio.run(scenario())
    assert protocol == PROTOCOL
    assert content["text"] == "42\n"


@pytest.mark.parametrize("hub", [False], indirect=True)
def test_a_cell_survives_the_hub_and_the_proxy_finds_all_routes_again(hub):
    async def scenario():
        async with aiohttp.ClientSession() as client:
            await start_server(hub, client)
            websocket = await start_kernel(hub, client)
            await websocket.send_bytes(
                packed("import time\nprint('begun')\ntime.sleep(3)\nprint('done')")
            )
            begun = await heard(websocket, "stream")
            await asyncio.to_thread(hub.kill, "hub")
            done = await heard(websocket, "stream")  # on the same websocket
            assert (begun["text"], done["text"]) == ("begun\n", "done\n")

            hub.start_hub()
            await hub.api(client, "GET", "", {200})
            await asyncio.to_thread(hub.kill, "proxy")
            assert "execute_reply" in await said_until_closed(websocket)

            hub.start_proxy()
            # What whoever restarts a proxy has to ask of the hub: it would look in minutes.
            await hub.api(client, "POST", "proxy", {200, 202})
            headers = {"Authorization": f"token {TOKEN}"}
            async with client.get(f"{hub.url}/user/ada/api/kernels", headers=headers) as answer:
                return await answer.json()

    (kernel,) = asyncio.run(scenario())
    assert kernel["execution_state"] in {"idle", "busy"}

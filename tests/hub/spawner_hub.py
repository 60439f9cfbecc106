"""A hub with this project's spawners, and kernels of its users, for the spawners' tests."""

from __future__ import annotations

import asyncio
import contextlib
import http.cookiejar
import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

import aiohttp
from proxy_process import environment, until
from test_proxy_hub import PROTOCOL, packed, unpacked

TOKEN = "a-token-of-the-spawners-tests"
SECRET = "a-secret-in-the-environment-of-the-hub"

CONFIGURATION = """
from upramp_hub import spawners
from upramp_hub.settings import Settings

settings = Settings.from_environment()
settings.prepare()
c.JupyterHub.bind_url = settings.url
c.JupyterHub.hub_bind_url = f"http://127.0.0.1:{settings.hub_port}"
c.ConfigurableHTTPProxy.should_start = False
c.ConfigurableHTTPProxy.api_url = f"http://127.0.0.1:{settings.api_port}"
c.JupyterHub.db_url = f"sqlite:///{settings.state}/hub.sqlite"
c.JupyterHub.cookie_secret_file = str(settings.state / "cookie_secret")
c.JupyterHub.cleanup_servers = False
c.JupyterHub.authenticator_class = "dummy"
c.Authenticator.allow_all = True
c.JupyterHub.services = [{"name": "tests", "api_token": "TOKEN"}]
c.JupyterHub.load_roles = [{"name": "tests", "services": ["tests"],
    "scopes": ["admin:users", "admin:servers", "tokens", "access:servers", "proxy"]}]
spawners.configure(c, settings)
c.JupyterHub.template_paths = [str(spawners.templates())]
# A start is answered soon, so that its progress can be listened to.
c.JupyterHub.tornado_settings = {"slow_spawn_timeout": 0.5}
# A server without the lab starts faster, and is the same for what is tested here.
c.Spawner.environment = {"JUPYTERHUB_SINGLEUSER_APP": "jupyter_server.serverapp.ServerApp"}
c.Spawner.default_url = "/tree"
c.Spawner.poll_interval = 1
""".replace("TOKEN", TOKEN)


def three_ports():
    """Give the first of three ports in a row that nobody listens on."""
    while True:
        first = random.randrange(20000, 32000)
        with contextlib.suppress(OSError), contextlib.ExitStack() as stack:
            for port in range(first, first + 3):
                probe = stack.enter_context(socket.socket())
                probe.bind(("127.0.0.1", port))
            return first


class SpawnerHub:
    """A hub and its proxy as two processes."""

    def __init__(self, folder, extra="", **settings):
        self.folder = folder
        self.port = three_ports()
        self.url = f"http://127.0.0.1:{self.port}"
        self.state = folder / "state"
        self.log = folder / "hub.log"
        (folder / "configuration.py").write_text(CONFIGURATION + extra)
        archive = folder / "archive"
        for name in ("uncal", "crds"):
            (archive / name).mkdir(parents=True, exist_ok=True)
        (archive / "uncal" / "exposure.txt").write_text("an exposure")
        for each in (archive, *archive.rglob("*")):
            each.chmod(0o777 if each.is_dir() else 0o666)  # read-only is the spawner's doing
        values = {"state": self.state, "port": self.port, "archive": archive, **settings}
        self._variables = {f"UPRAMP_HUB_{k.upper()}": str(v) for k, v in values.items()}
        self.processes = {}
        hub = f"http://127.0.0.1:{self.port + 1}"
        self._start(
            "proxy",
            *("upramp_hub.proxy", "--ip", "127.0.0.1", "--port", str(self.port)),
            *("--api-port", str(self.port + 2), "--default-target", hub),
            *("--error-target", f"{hub}/hub/error"),
        )
        self.start()

    def _start(self, name, *command):
        with (self.folder / f"{name}.log").open("a") as log:
            self.processes[name] = subprocess.Popen(
                [sys.executable, "-m", *command],
                cwd=self.folder,
                env=environment(SOME_SECRET=SECRET, **self._variables),
                stdout=log,
                stderr=subprocess.STDOUT,
                umask=0o077,
            )

    def start(self):
        self._start("hub", "jupyterhub", "-f", "configuration.py")

        def is_up():
            assert self.processes["hub"].poll() is None, self.log.read_text()[-3000:]
            with contextlib.suppress(OSError):
                return self.ask("GET", "/hub/api/")[0] == 200

        until(is_up, 60)

    def kill(self):
        self.processes["hub"].send_signal(signal.SIGKILL)
        self.processes["hub"].wait()

    def stop(self):
        for name in self.users():
            self.ask("DELETE", f"/hub/api/users/{name}/server")
        until(lambda: not any(u["servers"] for u in self.users().values()), 60)
        for process in self.processes.values():
            process.terminate()
        for process in self.processes.values():
            process.wait(30)

    def ask(self, method, path, body=None, token=TOKEN, patience=60):
        """Give status, headers and text of an answer."""
        headers = {} if token is None else {"Authorization": f"token {token}"}
        data = None if body is None else json.dumps(body).encode()
        if method in {"POST", "PUT", "PATCH"} and data is None:
            data = b""
        request = urllib.request.Request(
            self.url + path, data=data, method=method, headers=headers
        )
        try:
            with urllib.request.urlopen(request, timeout=patience) as answer:
                return answer.status, answer.headers, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.headers, error.read().decode()

    def log_in(self, name):
        """Give what asks as a browser in which a user has logged in: a path to an answer."""
        cookies = http.cookiejar.CookieJar()
        opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(cookies))

        def get(path, data=None):
            try:
                with opener.open(self.url + path, data=data, timeout=60) as answer:
                    return answer.status, answer.headers, answer.read().decode()
            except urllib.error.HTTPError as error:
                return error.code, error.headers, error.read().decode()

        get("/hub/login")
        (xsrf,) = {cookie.value for cookie in cookies if cookie.name == "_xsrf"}
        form = urllib.parse.urlencode({"username": name, "password": "x", "_xsrf": xsrf})
        status, _, text = get("/hub/login?next=/hub/token", form.encode())
        assert status == 200, text
        return get

    def users(self):
        return {u["name"]: u for u in json.loads(self.ask("GET", "/hub/api/users")[2])}

    def ask_to_start(self, name):
        """Ask for a server of a user, who is made; gives the answer."""
        self.ask("POST", f"/hub/api/users/{name}")
        return self.ask("POST", f"/hub/api/users/{name}/server")

    def progress(self, name):
        """Give all events of a start, until its end."""
        events = []
        request = urllib.request.Request(
            f"{self.url}/hub/api/users/{name}/server/progress",
            headers={"Authorization": f"token {TOKEN}"},
        )
        with urllib.request.urlopen(request, timeout=120) as stream:
            for line in stream:
                if line.startswith(b"data:"):
                    events.append(json.loads(line[5:]))
                    if events[-1].get("ready") or events[-1].get("failed"):
                        return events
        raise AssertionError(events)

    def start_server(self, name):
        """Start a server, and wait until it is ready."""
        status, _, text = self.ask_to_start(name)
        assert status in {201, 202}, (status, text, self.log.read_text()[-3000:])
        events = self.progress(name)
        assert events[-1].get("ready"), (events, self.server_log(name))
        return events

    def stop_server(self, name):
        status, _, text = self.ask("DELETE", f"/hub/api/users/{name}/server")
        assert status in {202, 204}, text
        until(lambda: not self.users()[name]["servers"], 60)

    def server_log(self, name):
        file = self.state / "logs" / "servers" / f"{name}.log"
        return file.read_text()[-3000:] if file.exists() else ""

    def pid(self, name):
        return self.server_state(name)["pid"]

    def server_state(self, name):
        return self.users()[name]["servers"][""]["state"]

    def start_kernel(self, name):
        status, _, text = self.ask("POST", f"/user/{name}/api/kernels", {"name": "python3"})
        assert status == 201, text
        return json.loads(text)["id"]

    def run(self, name, code, kernel=None):
        """Run a cell; give what it printed, and the name of the error it raised or nothing."""
        kernel = kernel or self.start_kernel(name)
        return asyncio.run(self._run(name, kernel, code))

    @contextlib.asynccontextmanager
    async def connection(self, name, kernel):
        headers = {"Authorization": f"token {TOKEN}"}
        url = f"{self.url}/user/{name}/api/kernels/{kernel}/channels"
        async with (
            aiohttp.ClientSession() as client,
            client.ws_connect(
                url, headers=headers, protocols=[PROTOCOL], max_msg_size=0
            ) as websocket,
        ):
            yield websocket

    async def _run(self, name, kernel, code):
        async with self.connection(name, kernel) as websocket:
            await websocket.send_bytes(packed(code))
            printed, error = "", None
            # The answer and what is printed come on two channels, in any order.
            awaited = {"execute_input", "idle", "execute_reply"}
            while awaited:
                kind, content = await hear(websocket)
                state = content.get("execution_state")
                awaited -= {kind} if "execute_input" in awaited else {kind, state}
                if kind == "stream":
                    printed += content["text"]
                elif kind == "error":
                    error = content
                if state in {"restarting", "dead"}:
                    break
            return printed, error


async def hear(websocket):
    message = await asyncio.wait_for(websocket.receive(), 90)
    assert message.type is aiohttp.WSMsgType.BINARY, message
    return unpacked(message.data)


def is_root():
    return os.geteuid() == 0


def alive(pid):
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return text.rpartition(")")[2].split()[0] not in "ZX"


def wait_for_end(pid, patience=30):
    end = time.monotonic() + patience
    while alive(pid):
        assert time.monotonic() < end, pid
        time.sleep(0.05)

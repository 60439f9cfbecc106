"""A whole hub, as ``python -m upramp_hub`` starts it, for tests of all of it together."""

from __future__ import annotations

import contextlib
import json
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request

import psutil
from proxy_process import environment, until
from spawner_hub import three_ports

from upramp_hub.robot.logins import Login
from upramp_hub.robot.visitor import Visitor
from upramp_hub.settings import LAUNCHER_TOKEN


class HostedHub:
    """Launcher, proxy and hub."""

    def __init__(self, folder, archive=None, **variables):
        self.folder = folder
        self.state = folder / "state"
        self.port = three_ports()
        self.url = f"http://127.0.0.1:{self.port}"
        self.output = folder / "output"
        if archive is None:
            archive = folder / "archive"
            for name in ("uncal", "crds"):
                (archive / name).mkdir(parents=True, exist_ok=True)
        self.archive = archive
        self.variables = {f"UPRAMP_HUB_{k.upper()}": str(v) for k, v in variables.items()}
        self.launcher = None
        self.start()
        self.password = re.search(r"first login: admin, password (\S+)", self.said())[1]

    def command(self, **changes):
        options = {"port": self.port, "state": self.state, "archive": self.archive, **changes}
        words = [f"--{name}={value}" for name, value in options.items()]
        return [sys.executable, "-m", "upramp_hub", *words]

    def start(self):
        before = self.output.read_text().count("Ctrl-C") if self.output.exists() else 0
        with self.output.open("a") as output:
            self.launcher = subprocess.Popen(
                self.command(),
                cwd=self.folder,
                env=environment(**self.variables),
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        until(lambda: self.launcher.poll() is not None or self.said().count("Ctrl-C") > before, 90)
        assert self.launcher.poll() is None, self.said() + self.log("hub") + self.log("proxy")

    def said(self):
        return self.output.read_text()

    def log(self, name):
        with contextlib.suppress(OSError):
            return (self.state / "logs" / f"{name}.log").read_text()[-4000:]
        return ""

    def stop(self):
        if self.launcher.poll() is None:
            self.launcher.send_signal(signal.SIGINT)
            self.launcher.wait(60)

    def process(self, word):
        """Give the launcher's child whose command has a word."""
        for child in psutil.Process(self.launcher.pid).children():
            with contextlib.suppress(psutil.Error):
                if word in " ".join(child.cmdline()):
                    return child
        return None

    def kill(self, word):
        """End a process without a word, and wait until another has come."""
        before = self.process(word)
        before.send_signal(signal.SIGKILL)
        until(lambda: (now := self.process(word)) is not None and now.pid != before.pid, 30)

    def ask(self, method, path, token=None, body=None):
        """Give the status and the JSON of an answer."""
        token = token or (self.state / LAUNCHER_TOKEN).read_text().strip()
        headers = {"Authorization": f"token {token}"}
        data = json.dumps(body or {}).encode() if method in {"POST", "PUT"} else None
        request = urllib.request.Request(
            self.url + path, data=data, method=method, headers=headers
        )
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                text = answer.read()
                return answer.status, json.loads(text) if text else None
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def until_healthy(self):
        def is_healthy():
            with contextlib.suppress(OSError, ValueError):
                return self.ask("GET", "/hub/api/")[0] == 200
            return False

        until(is_healthy, 60)

    @contextlib.asynccontextmanager
    async def visitor(self, name="admin", password=None):
        """Somebody who is logged in."""
        visitor = Visitor(self.url, Login(name, password or self.password))
        try:
            await visitor.log_in()
            yield visitor
        finally:
            await visitor.close()

    def servers(self):
        """Give the servers' processes by their commands, of this hub alone."""
        found = []
        for process in psutil.process_iter(["cmdline"]):
            command = " ".join(process.info["cmdline"] or ())
            with contextlib.suppress(psutil.Error):
                if "upramp_hub.server.quick" in command and str(self.state) in json.dumps(
                    process.environ()
                ):
                    found.append(process)
        return found

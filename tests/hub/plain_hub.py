"""A JupyterHub for tests of what uses one: anyone may come in, and servers are plain processes."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from pathlib import Path

from proxy_process import TOKEN, environment, free_port, until

CONFIGURATION = """
import sys
c.JupyterHub.bind_url = "http://127.0.0.1:{port}"
c.JupyterHub.hub_bind_url = "http://127.0.0.1:{hub}"
c.JupyterHub.db_url = "sqlite:///hub.sqlite"
c.JupyterHub.cleanup_servers = True
c.JupyterHub.authenticator_class = "dummy"
c.DummyAuthenticator.password = "sesame"
c.Authenticator.allow_all = True
c.Authenticator.admin_users = {{"chief"}}
c.JupyterHub.spawner_class = "simple"
c.SimpleLocalProcessSpawner.home_dir_template = "{folder}/{{username}}"
c.Spawner.cmd = [sys.executable, "-m", "jupyterhub.singleuser"]
c.Spawner.args = ["--allow-root"]
c.Spawner.environment = {{"JUPYTERHUB_SINGLEUSER_APP": "jupyter_server.serverapp.ServerApp"}}
c.Spawner.default_url = "/api/status"
c.ConfigurableHTTPProxy.command = [sys.executable, "-m", "upramp_hub.proxy"]
c.ConfigurableHTTPProxy.api_url = "http://127.0.0.1:{api}"
c.JupyterHub.services = [{{"name": "tests", "api_token": "{token}"}}]
c.JupyterHub.load_roles = [{{"name": "tests", "services": ["tests"], "scopes": [
    "admin:users", "admin:servers", "access:servers", "read:metrics", "list:services"]}}]
"""


class PlainHub:
    """A hub with its proxy, in a folder of its own.

    Parameters
    ----------
    more
        What its configuration goes on with.
    variables
        What its environment has in addition.
    """

    def __init__(self, more="", **variables):
        self.folder = Path(tempfile.mkdtemp(prefix="plain-hub-"))
        self.port, self.hub_port, self.api_port = free_port(), free_port(), free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = self.folder / "hub.log"
        text = CONFIGURATION.format(
            port=self.port,
            hub=self.hub_port,
            api=self.api_port,
            folder=self.folder,
            token=TOKEN,
        )
        (self.folder / "configuration.py").write_text(text + more)
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "jupyterhub", "-f", "configuration.py"],
                cwd=self.folder,
                env=environment(**variables),
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            until(self._is_up, patience=60)
        except BaseException:
            self.stop()
            raise

    def _is_up(self):
        assert self.process.poll() is None, self.log.read_text()[-3000:]
        return self.get("/hub/health")[0] == 200

    def get(self, path, token=None):
        """Give status and text of an answer."""
        headers = {"Authorization": f"token {token}"} if token else {}
        request = urllib.request.Request(self.url + path, headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError:
            return 0, ""

    def api(self, path):
        status, text = self.get(f"/hub/api/{path}", TOKEN)
        assert status == 200, text
        return json.loads(text)

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(30)
        finally:
            # Whatever it left behind: all of it is in the session that it began.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            shutil.rmtree(self.folder, ignore_errors=True)

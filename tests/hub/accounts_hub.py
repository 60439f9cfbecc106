"""A JupyterHub as a process, asked directly, and a browser as simple as can be."""

from __future__ import annotations

import html
import http.client
import http.cookiejar
import re
import subprocess
import sys
import threading
import urllib.error
import urllib.parse
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from proxy_process import environment, free_port, until

from upramp_hub.accounts import passwords

PASSWORD = "seven green umbrellas"
CHEAP = passwords.Cost(log_n=4, r=8, p=1)
"""Tests compute hundreds of hashes."""

CONFIGURATION = """
from jupyterhub.proxy import Proxy
from jupyterhub.spawner import Spawner
from upramp_hub.accounts import passwords
from upramp_hub.authentication import configure
from upramp_hub.settings import Settings

class Nowhere(Proxy):
    should_start = False
    async def add_route(self, routespec, target, data):
        pass
    async def delete_route(self, routespec):
        pass
    async def get_all_routes(self):
        return {}

class Elsewhere(Spawner):
    # A server that is there already; what it would be told is written down.
    running = False
    async def start(self):
        import json, pathlib
        told = pathlib.Path(f"{self.user.name}.environment")
        told.write_text(json.dumps(self.get_env()))
        self.running = True
        return "127.0.0.1", SERVER
    async def stop(self, now=False):
        self.running = False
    async def poll(self):
        return None if self.running else 0

passwords.COST = passwords.Cost(log_n=4, r=8, p=1)
configure(c, Settings.from_environment())
c.AccountsAuthenticator.vouched = False  # by what proxy?
c.JupyterHub.bind_url = f"http://127.0.0.1:{PORT}"
c.JupyterHub.hub_bind_url = f"http://127.0.0.1:{PORT}"
c.JupyterHub.db_url = "sqlite:///hub.sqlite"
c.JupyterHub.proxy_class = Nowhere
c.JupyterHub.spawner_class = Elsewhere
c.JupyterHub.log_level = "DEBUG"
"""


class _Quiet(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args):
        pass


class Hub:
    """A hub whose proxy and users' servers are none."""

    def __init__(self, folder, port=None, **variables):
        self.folder = folder
        self.state = folder / "state"
        self.state.mkdir(mode=0o700, exist_ok=True)
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = folder / "hub.log"
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), _Quiet)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        numbers = f"PORT, SERVER = {self.port}, {self.server.server_port}\n"
        (folder / "configuration.py").write_text(numbers + CONFIGURATION)
        self.variables = {
            "UPRAMP_HUB_STATE": str(self.state),
            "UPRAMP_HUB_PORT": str(self.port),
            **variables,
        }
        self.start()

    def start(self):
        with self.log.open("a") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "jupyterhub", "-f", "configuration.py"],
                cwd=self.folder,
                env=environment(**self.variables),
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        until(self._answers, 60)

    def _answers(self):
        assert self.process.poll() is None, self.log.read_text()[-3000:]
        try:
            return Browser(self).get("/hub/health").status == 200
        except OSError:
            return False

    def restart(self):
        self.process.kill()
        self.process.wait()
        self.start()

    def stop(self):
        self.process.terminate()
        self.process.wait(30)
        self.server.shutdown()
        self.server.server_close()


class Answer:
    def __init__(self, response):
        self.status = response.status
        self.headers = response.headers
        self.location = response.headers.get("Location")
        self.text = response.read().decode()

    @property
    def words(self):
        """What a person reads of it."""
        bare = re.sub(r"<(script|style)\b.*?</\1>", " ", self.text, flags=re.DOTALL)
        return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", bare)).split())

    @property
    def said(self):
        """The error that it shows."""
        found = re.search(
            r'(?:role="alert"|class="login_error")[^>]*>(.*?)</', self.text, re.DOTALL
        )
        return html.unescape(found[1]).strip() if found else None

    def hidden(self, name):
        found = re.search(rf'name="{name}"\s+value="([^"]*)"', self.text)
        return html.unescape(found[1]) if found else None


class _Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *args):
        return None


class Browser:
    """Keeps cookies, follows no redirect by itself, sends forms."""

    def __init__(self, hub, address=None):
        self.base = hub.url
        self.address = address
        self.cookies = http.cookiejar.CookieJar()
        self._opener = urllib.request.build_opener(
            _Stay,
            urllib.request.HTTPCookieProcessor(self.cookies),
            urllib.request.ProxyHandler({}),
        )

    def request(self, method, path, form=None, headers=None):
        data = None if form is None else urllib.parse.urlencode(form).encode()
        request = urllib.request.Request(
            urllib.parse.urljoin(self.base, path), data=data, headers=headers or {}, method=method
        )
        if self.address:
            request.add_header("X-Forwarded-For", self.address)
        try:
            return Answer(self._opener.open(request, timeout=30))
        except urllib.error.HTTPError as error:
            with error:
                return Answer(error)

    def get(self, path, **headers):
        return self.request("GET", path, headers=headers)

    def send(self, path, form, page=None):
        """Load a page's form and send it, filled in."""
        loaded = self.get(page or path)
        return self.request("POST", path, {"_xsrf": loaded.hidden("_xsrf") or "", **form})

    def sign_in(self, name, password=PASSWORD, following="/hub/home"):
        path = f"/hub/login?{urllib.parse.urlencode({'next': following})}"
        return self.send(path, {"username": name, "password": password})

    def signed_in(self):
        answer = self.get("/hub/home")
        return answer.status == 200

"""A user's server with the pages of the home, an archive and originals, without a hub."""

from __future__ import annotations

import http.cookiejar
import os
import re
import shutil
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

from proxy_process import environment, free_port, until

TOKEN = "the-token-of-the-homes-tests"
CALIBRATION = Path(__file__).resolve().parents[2] / "src" / "upramp" / "kernel" / "spec"


class HomeServer:
    """A server as the hub starts it: this extension, and a home of its own."""

    def __init__(self, folder, archive, lab=False, **variables):
        self.home = folder / "home"
        self.runtime = folder / "runtime"
        self.log = folder / "server.log"
        for each in (self.home, self.runtime):
            each.mkdir(mode=0o700, exist_ok=True)
        kernels = folder / "share" / "jupyter" / "kernels" / "upramp"
        shutil.copytree(CALIBRATION, kernels, dirs_exist_ok=True)
        port = free_port()
        self.url = f"http://127.0.0.1:{port}/user/ada"
        with self.log.open("a") as log:
            self._process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "jupyter_server", "--no-browser", "--allow-root"),
                    "--ServerApp.jpserver_extensions=upramp_hub.server=True",
                    # A server without the lab starts faster.
                    *(
                        f"--ServerApp.jpserver_extensions={name}={lab}"
                        for name in ("jupyterlab", "jupyter_lsp", "notebook_shim")
                    ),
                    f"--ServerApp.port={port}",
                    "--ServerApp.port_retries=0",
                    "--ServerApp.ip=127.0.0.1",
                    "--ServerApp.base_url=/user/ada/",
                    "--ServerApp.default_url=/upramp/start",
                    f"--ServerApp.root_dir={self.home}",
                    f"--IdentityProvider.token={TOKEN}",
                ],
                cwd=self.home,
                env=environment(
                    **{
                        "HOME": str(self.home),
                        "UPRAMP_ARCHIVE": str(archive),
                        "CRDS_PATH": str(archive / "crds"),
                        "CRDS_CONTEXT": "jwst_0001.pmap",
                        "JUPYTER_RUNTIME_DIR": str(self.runtime),
                        "JUPYTER_CONFIG_DIR": str(folder / "configuration"),
                        "JUPYTER_PATH": str(folder / "share" / "jupyter"),
                        "IPYTHONDIR": str(folder / "ipython"),
                        "JUPYTERLAB_WORKSPACES_DIR": str(folder / "workspaces"),
                        "JUPYTERLAB_SETTINGS_DIR": str(folder / "settings"),
                        **variables,
                    }
                ),
                stdout=log,
                stderr=subprocess.STDOUT,
                umask=0o077,
            )
        try:
            until(self._answers, 60)
        except BaseException:
            self.stop()
            raise

    def _answers(self):
        assert self._process.poll() is None, self.log.read_text()[-3000:]
        try:
            return self.ask("GET", "/api", token=TOKEN)[0] == 200
        except OSError:
            return False

    def stop(self):
        self._process.terminate()
        self._process.wait(30)

    def ask(self, method, path, data=None, token=None, headers=None):
        """Give status, headers and bytes; redirects are not followed."""
        headers = dict(headers or {})
        if token is not None:
            headers["Authorization"] = f"token {token}"
        body = urllib.parse.urlencode(data, errors="surrogateescape").encode() if data else None
        if method in {"POST", "PUT", "PATCH"} and body is None:
            body = b""
        request = urllib.request.Request(self.url + path, body, headers, method=method)
        return _open(urllib.request.build_opener(_Stays), request)

    def browser(self):
        """Give what asks as a browser whose user is logged in: cookies, and fields of forms."""
        return Browser(self.url)


class Browser:
    """Asks with cookies, and sends a page's own field against forged requests."""

    def __init__(self, url):
        self._url = url
        cookies = urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
        self._opener = urllib.request.build_opener(_Stays, cookies)
        self.get(f"/upramp/welcome?token={TOKEN}")
        self.field = re.search(r'name="_xsrf" value="([^"]+)"', self.get("/upramp/welcome")[2])[1]

    def get(self, path):
        return self._ask(urllib.request.Request(self._url + path, headers={"Accept": "text/html"}))

    def post(self, path, **fields):
        fields = {"_xsrf": self.field, **fields}
        body = urllib.parse.urlencode({k: v for k, v in fields.items() if v is not None})
        return self._ask(urllib.request.Request(self._url + path, body.encode(), method="POST"))

    def _ask(self, request):
        status, headers, content = _open(self._opener, request)
        return status, headers, content.decode(errors="replace")


class _Stays(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None


def _open(opener, request):
    try:
        with opener.open(request, timeout=60) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read()


def location(headers):
    return urllib.parse.unquote(headers["Location"])


def is_root():
    return os.geteuid() == 0

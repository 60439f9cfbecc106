"""Fixtures of the hub's tests.

ada
    A server behind the proxy, with all that a user's server does.
proxy
    The proxy as a process, with ``ada`` at ``/user/ada`` and as the hub.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "hub_config"))

from proxy_process import Proxy, application, stopping
from proxy_server import SEEN, server


@pytest.fixture(scope="module")
def ada():
    app = server()
    with stopping(application(app)) as running:
        running.seen = app[SEEN]
        yield running


@pytest.fixture(scope="module")
def proxy(ada):
    options = ("--default-target", ada.url, "--error-target", f"{ada.url}/hub/error")
    with stopping(Proxy(*options)) as running:
        running.route("/user/ada", ada.url)
        yield running

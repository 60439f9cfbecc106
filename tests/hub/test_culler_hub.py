"""The culler as a service of a real hub, with servers that are used in every way."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import time
from datetime import datetime

import psutil
import pytest
from spawner_hub import SpawnerHub, wait_for_end
from test_proxy_hub import packed

pytestmark = [pytest.mark.hub, pytest.mark.slow]

pytest.importorskip("jupyterhub", reason="the hub's packages are not installed")

IDLE, WARNING = 16, 8

CULLER = """
import sys
c.JupyterHub.services.append({
    "name": "culler",
    "command": [sys.executable, "-m", "upramp_hub.culler"],
    "environment": settings.to_environment(),
})
c.JupyterHub.load_roles.append({"name": "culler", "services": ["culler"], "scopes": [
    "list:users", "read:users:activity", "read:servers", "delete:servers", "tokens", "proxy"]})

c.JupyterHub.last_activity_interval = 5
"""

CAMPAIGN = """
import json, os, pathlib, socket
folder = pathlib.Path.home() / ".upramp" / "campaigns"
folder.mkdir(parents=True, exist_ok=True)
said = {"pid": os.getpid(), "host": socket.gethostname()}
(folder / "deep.running").write_text(json.dumps(said))
"""


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    running = SpawnerHub(tmp_path_factory.mktemp("hub"), CULLER, idle_after=IDLE, warning=WARNING)
    try:
        yield running
    finally:
        running.stop()


def until(what, patience=30):
    """Wait until something is true, and give it; asking all the time would slow the hub down."""
    end = time.monotonic() + patience
    while not (found := what()):
        assert time.monotonic() < end, what
        time.sleep(0.4)
    return found


def activity(hub, name):
    status, headers, text = hub.ask("GET", f"/user/{name}/upramp/activity")
    is_its_own = status == 200 and headers["Content-Type"].startswith("application/json")
    return json.loads(text) if is_its_own else None


def runs(hub, name):
    return bool(hub.users()[name]["servers"])


def warned(hub, name):
    found = activity(hub, name)
    return found and found["stop_at"]


def said(hub, name):
    return re.findall(rf"culler: server of {name}: (.*)", hub.log.read_text())


def cullers(hub):
    return [
        each
        for each in psutil.process_iter(["cmdline"])
        if (each.info["cmdline"] or [])[1:] == ["-m", "upramp_hub.culler"]
        and str(hub.state) == each.environ().get("UPRAMP_HUB_STATE")
    ]


def tally(hub):
    with contextlib.suppress(OSError):
        return json.loads((hub.state / "metrics" / "culler.json").read_text())
    return {}


def test_only_who_uses_nothing_is_stopped_and_is_told_before(hub):
    names = ["busy", "extended", "campaign", "idle"]

    async def scenario():
        kernel = hub.start_kernel("busy")
        async with hub.connection("busy", kernel) as websocket:
            # A cell that prints nothing, and no page: nobody is heard of any more.
            await websocket.send_bytes(packed("import time; time.sleep(100)"))
            await asyncio.sleep(1)

    hub.start_server("busy")
    asyncio.run(scenario())
    hub.start_server("campaign")
    hub.run("campaign", CAMPAIGN)
    assert activity(hub, "campaign")["campaigns"] == 1
    hub.start_server("extended")
    assert hub.ask("POST", "/user/extended/upramp/activity/extend", {"seconds": 3600})[0] == 200
    hub.start_server("idle")

    stop_at = until(lambda: warned(hub, "idle"), IDLE + 20)
    told = time.time()
    used = hub.users()["extended"]["servers"][""]["last_activity"]
    assert hub.users()["idle"]["servers"][""]["ready"]
    until(lambda: not runs(hub, "idle"), WARNING + 20)
    # Not before it was said, by the same clock.
    assert time.time() >= datetime.fromisoformat(stop_at).timestamp() - 0.5
    assert time.time() - told >= WARNING - 2
    # That the culler asks is no use of a server, neither to the hub.
    assert hub.users()["extended"]["servers"][""]["last_activity"] == used
    # Nobody has used the others since before it was started.
    for name in names[:3]:
        assert runs(hub, name), said(hub, name)
        assert warned(hub, name) is None
    assert activity(hub, "busy")["busy_kernels"] == 1
    assert [line.partition(":")[0] for line in said(hub, "idle")][-3:] == [
        *("left alone", "warned", "stopped")
    ]
    assert any("1 busy kernel" in line for line in said(hub, "busy"))
    assert any("1 running campaign" in line for line in said(hub, "campaign"))
    assert any("wanted for" in line for line in said(hub, "extended"))
    counts = tally(hub)
    assert counts["stopped"] == 1
    assert counts["warned"] >= 1
    assert counts["kept"] >= 1
    assert "failed" not in counts
    # A server belongs to its user, who may read all that it is sent.
    tokens = json.loads(hub.ask("GET", "/hub/api/users/busy/tokens")[2])["api_tokens"]
    (token,) = [each for each in tokens if "culler" in each["note"]]
    assert "access:servers!server=busy/" in token["scopes"]
    assert all(scope.endswith(("!server=busy/", "!user=busy")) for scope in token["scopes"])
    assert all(scope.startswith(("access:", "read:users:")) for scope in token["scopes"])
    assert token["expires_at"] is not None
    for name in names[:3]:
        hub.stop_server(name)


def test_a_warning_outlives_culler_and_hub_and_ends_with_work(hub):
    hub.start_server("ada")
    stop_at = until(lambda: warned(hub, "ada"), IDLE + 20)
    (culler,) = cullers(hub)
    hub.kill()
    wait_for_end(culler.pid)  # or there would be two
    hub.start()
    until(lambda: len(cullers(hub)) == 1)
    # It is the same warning, and not forgotten.
    assert warned(hub, "ada") in {stop_at, None}
    hub.start_server("bob")
    until(lambda: not runs(hub, "ada"), IDLE + 20)
    assert time.time() >= datetime.fromisoformat(stop_at).timestamp() - 0.5
    assert said(hub, "ada")[-1].startswith("stopped")
    until(lambda: warned(hub, "bob"), IDLE + 20)
    hub.start_kernel("bob")
    assert warned(hub, "bob") is None
    until(lambda: said(hub, "bob")[-1].startswith("left alone: idle"), 10)
    assert runs(hub, "bob")
    hub.stop_server("bob")

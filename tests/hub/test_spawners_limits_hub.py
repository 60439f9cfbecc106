"""A hub with one start at a time and few servers: lines, refusals and causes, over HTTP."""

from __future__ import annotations

import json
import threading

import pytest
from proxy_process import until
from spawner_hub import SpawnerHub

pytestmark = [pytest.mark.hub, pytest.mark.slow]

pytest.importorskip("jupyterhub", reason="the hub's packages are not installed")

BROKEN = """
import sys

def command(spawner):
    name = spawner.user.name
    if name.startswith("slow"):
        code = "import time; time.sleep(2.5)"
    elif name == "disk":
        code = "raise OSError(28, 'No space left on device')"
    elif name == "memory":
        code = "x = bytearray(1 << 40)"
    elif name == "import":
        code = "import there_is_no_such_module_as_this"
    elif name == "kill":
        code = "import os; os.kill(os.getpid(), 9)"
    elif name == "secret":
        code = "print('http://host/lab?token=abcdef'); raise SystemExit(7)"
    else:
        return
    spawner.cmd = [sys.executable, "-c", code]

c.Spawner.pre_spawn_hook = command
"""


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    running = SpawnerHub(tmp_path_factory.mktemp("hub"), BROKEN, spawns=1, servers=3)
    try:
        yield running
    finally:
        running.stop()


@pytest.mark.parametrize(
    ("name", "label", "said"),
    [
        ("disk", "disk", "There is no room left on the disk"),
        ("memory", "memory", "It may not hold as much memory as it needs"),
        ("import", "import", "there_is_no_such_module_as_this"),
        ("kill", "killed", "It was killed"),
        ("secret", "exit", "exit code 7"),
    ],
)
def test_the_page_of_a_failed_start_names_the_cause_and_what_to_do(hub, name, label, said):
    assert hub.ask_to_start(name)[0] in {202, 500}
    last = hub.progress(name)[-1]
    assert last["failed"]
    assert "upramp-problem" in last["html_message"]
    status, _, text = hub.log_in(name)(f"/hub/spawn-pending/{name}")
    assert status == 500
    assert f'data-cause="{label}"' in text
    assert said in text
    assert "upramp-remedy" in text
    assert "abcdef" not in text
    # The reason is the server's own, and it did not take JupyterHub's minute to find it.
    assert "did not answer" not in text


def test_who_comes_second_sees_their_place_and_who_comes_last_when_to_come_again(hub):
    told = {}
    late = hub.log_in("late")
    hub.ask_to_start("slow1")
    hub.ask_to_start("slow2")
    thread = threading.Thread(target=lambda: told.update(events=hub.progress("slow2")))
    thread.start()
    hub.ask_to_start("slow3")
    until(lambda: len([u for u in hub.users().values() if u["pending"]]) == 3)
    status, headers, text = hub.ask_to_start("late")
    assert status == 429
    assert 15 <= int(headers["Retry-After"]) <= 900
    assert "all 3 servers of this hub are in use" in text.lower()
    assert "Try again in" in json.loads(text)["message"]

    status, headers, page = late("/hub/spawn/late")
    assert status == 429
    assert f'data-seconds="{headers["Retry-After"]}"' in page
    thread.join(60)
    places = [e["message"] for e in told["events"] if "place" in e["message"]]
    assert places[0] == "Waiting for a turn: place 1 of 1"
    assert "Waiting for a turn: place 1 of 2" in places
    waits = [e["expected"] for e in told["events"] if "place" in e["message"]]
    assert all(wait >= 1 for wait in waits)
    until(lambda: not any(u["pending"] for u in hub.users().values()), 60)

"""What a user's server answers beside Jupyter's own, over a real hub and with real kernels."""

from __future__ import annotations

import asyncio
import json
import re
import time

import pytest
from proxy_process import until
from spawner_hub import SpawnerHub, hear
from test_proxy_hub import packed

pytestmark = [pytest.mark.hub, pytest.mark.slow]

pytest.importorskip("jupyterhub", reason="the hub's packages are not installed")

from upramp_hub.server.routes import ROUTES  # noqa: E402 - needs what is asked for above

NAMES = re.compile(rb'"msg_id": ?"([^"]+)"')
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
NOBODY = "00000000-0000-0000-0000-000000000000"


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    running = SpawnerHub(tmp_path_factory.mktemp("hub"))
    try:
        running.start_server("ada")
        yield running
    finally:
        running.stop()


@pytest.fixture(scope="module")
def tokens(hub):
    """Tokens of a stranger, and of a program that may read users and nothing else."""
    hub.ask("POST", "/hub/api/users/eve")
    stranger = json.loads(hub.ask("POST", "/hub/api/users/eve/tokens", {})[2])["token"]
    body = {"scopes": ["read:users!user"]}
    narrow = json.loads(hub.ask("POST", "/hub/api/users/ada/tokens", body)[2])["token"]
    return {"nobody": None, "wrong": "0" * 32, "stranger": stranger, "narrow": narrow}


@pytest.mark.parametrize("who", ["nobody", "wrong", "stranger", "narrow"])
@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route[0])
def test_no_route_answers_without_a_login(hub, tokens, route, who):
    pattern, handler = route
    path = pattern.replace("([0-9a-f-]{36})", NOBODY)
    for method in METHODS:
        status = hub.ask(method, f"/user/ada{path}", token=tokens[who])[0]
        # Where a route has nothing of a method, it may say so.
        ours = method.lower() in vars(handler) or method == "OPTIONS"
        assert status in ({401, 403} if ours else {401, 403, 405}), (method, path, status)


def test_activity_says_who_is_busy_and_a_silent_cell_counts(hub):
    kernel = hub.start_kernel("ada")

    async def scenario():
        async with hub.connection("ada", kernel) as websocket:
            await websocket.send_bytes(packed("import time; time.sleep(7)"))
            await asyncio.sleep(5)
            return json.loads(await asyncio.to_thread(_activity, hub))

    found = asyncio.run(scenario())
    assert found["busy_kernels"] == 1
    (mine,) = [each for each in found["kernels"] if each["id"] == kernel]
    assert mine["state"] == "busy"
    assert mine["memory"] > 10 * 1024**2
    assert found["memory"]["limit_of_a_process"] == 4 * 1024**3
    # The cell has said nothing for five seconds, and is activity of the last three.
    assert _age(found) < 4
    until(lambda: json.loads(_activity(hub))["busy_kernels"] == 0)


def _activity(hub):
    status, headers, text = hub.ask("GET", "/user/ada/upramp/activity")
    assert status == 200, text
    assert headers["Cache-Control"] == "no-store"
    return text


def _age(found):
    from datetime import datetime

    now, last = (datetime.fromisoformat(found[key]) for key in ("now", "last_activity"))
    return (now - last).total_seconds()


def test_asking_is_no_activity_and_extending_is(hub):
    time.sleep(1.1)
    first = json.loads(_activity(hub))
    time.sleep(1.1)
    second = json.loads(_activity(hub))
    assert second["last_activity"] == first["last_activity"]
    stop = "2031-01-01T00:00:00+00:00"
    warned = hub.ask("PUT", "/user/ada/upramp/activity/warning", {"stop_at": stop})
    assert warned[0] == 200
    assert json.loads(_activity(hub))["stop_at"] == stop
    before = hub.users()["ada"]["servers"][""]["last_activity"]
    status, _, text = hub.ask("POST", "/user/ada/upramp/activity/extend", {"seconds": 7200})
    assert status == 200, text
    third = json.loads(_activity(hub))
    assert third["last_activity"] > second["last_activity"]
    assert third["stop_at"] is None
    assert third["extended_until"] > third["now"]
    assert hub.users()["ada"]["servers"][""]["last_activity"] > before  # the hub knows already


@pytest.mark.parametrize("body", [{"seconds": 0}, {"seconds": "1"}, {"seconds": True}, [1], "x"])
def test_an_extension_by_nonsense_is_refused(hub, body):
    assert hub.ask("POST", "/user/ada/upramp/activity/extend", body)[0] == 400


@pytest.mark.parametrize("body", [{}, {"stop_at": 1}, {"stop_at": "soon"}])
def test_a_warning_by_nonsense_is_refused(hub, body):
    assert hub.ask("PUT", "/user/ada/upramp/activity/warning", body)[0] == 400


@pytest.mark.parametrize(
    ("code", "cause", "said"),
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "killed", "was killed"),
        ("import ctypes; ctypes.string_at(0)", "crash", "SIGSEGV"),
        ("import os; os._exit(3)", "exit", "exit code 3"),
    ],
)
def test_a_kernel_that_dies_is_explained_in_its_cell_and_for_the_page(hub, code, cause, said):
    kernel = hub.start_kernel("ada")
    assert hub.ask("GET", f"/user/ada/upramp/kernels/{kernel}/ending")[0] == 404
    hub.run("ada", "print(1)", kernel)
    _, error = hub.run("ada", f"import time; time.sleep(2.5)\n{code}", kernel)
    assert error["ename"] == "KernelDied"
    assert said in error["evalue"]
    status, _, text = hub.ask("GET", f"/user/ada/upramp/kernels/{kernel}/ending")
    assert status == 200
    ending = json.loads(text)
    assert ending["cause"] == cause
    assert ending["memory"] > 10 * 1024**2
    assert ending["home_free"] > 0
    assert error["evalue"] == f"{ending['message']} {ending['remedy']}"


def test_of_cells_that_wait_the_one_that_ran_is_told(hub):
    kernel = hub.start_kernel("ada")

    cells = [
        packed(code)
        for code in ("print(1)", "import os, time; time.sleep(2); os._exit(3)", "print(2)")
    ]

    async def scenario():
        async with hub.connection("ada", kernel) as websocket:
            for cell in cells:
                await websocket.send_bytes(cell)
            while True:
                data = (await websocket.receive()).data
                if b"KernelDied" in data:
                    return NAMES.findall(data)[-1]

    # Of the message's name and its parent's, the latter.
    told = asyncio.run(asyncio.wait_for(scenario(), 60))
    assert [NAMES.findall(cell)[0] for cell in cells].index(told) == 1


def test_a_kernel_that_is_restarted_by_its_user_has_not_died(hub):
    kernel = hub.start_kernel("ada")
    assert hub.ask("POST", f"/user/ada/api/kernels/{kernel}/restart")[0] == 200
    assert hub.ask("GET", f"/user/ada/upramp/kernels/{kernel}/ending")[0] == 404


def test_a_small_answer_waits_for_no_acknowledgement(hub):
    """With it, most take 40 ms and more: the time for which one is put off."""
    kernel = hub.start_kernel("ada")

    async def scenario():
        async with hub.connection("ada", kernel) as websocket:
            times = []
            for _ in range(40):
                begin = time.perf_counter()
                await websocket.send_bytes(packed("1"))
                awaited = {"execute_reply", "idle"}
                while awaited:
                    kind, content = await hear(websocket)
                    awaited -= {kind, content.get("execution_state")}
                    if kind == "execute_reply":
                        times.append(time.perf_counter() - begin)
            return times

    # The quarter that a busy machine disturbs least.
    assert sorted(asyncio.run(scenario()))[10] < 0.035

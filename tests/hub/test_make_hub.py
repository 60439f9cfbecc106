"""``make hub``, as whoever has a clone types it: it comes, lets people in, and ends whole."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from contextlib import closing, suppress
from pathlib import Path

import psutil
import pytest
from proxy_process import environment, until
from spawner_hub import three_ports

from upramp_hub.robot.logins import Login
from upramp_hub.robot.visitor import Visitor

pytestmark = [pytest.mark.hub, pytest.mark.slow]

pytest.importorskip("jupyterhub", reason="the hub's packages are not installed")

PROJECT = Path(__file__).resolve().parents[2]
UPRAMP = Path(sys.prefix) / "bin" / "upramp"


def command(**variables):
    """Give it for the environment that runs this test, which is not to be made anew."""
    where = {"VENV": sys.prefix, **variables}
    stamp = Path(sys.prefix) / "bin" / ".hub"
    return ["make", f"--old-file={stamp}", "hub", *(f"{k}={v}" for k, v in where.items())]


def processes_of(state):
    """Give all that knows of a folder of state: launcher, hub, proxy, services and servers."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            known = [*process.cmdline(), *process.environ().values()]
            if any(str(state) in each for each in known):
                found.append(process)
    return found


def is_free(port):
    with closing(socket.socket()) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return True
    return False


@pytest.mark.skipif(shutil.which("make") is None, reason="there is no make")
def test_a_hub_needs_nothing_anew_where_all_is_set_up_for_tests(tmp_path):
    """One set up for a hub lacks what tests need; the environments are made of nothing here."""
    python = tmp_path / "python"
    python.write_text('#!/bin/sh\n[ "$2" != venv ] || { mkdir -p "$3/bin"; cp "$0" "$3/bin"; }\n')
    python.chmod(0o700)

    def make(environment, stamp, *options):
        folder = tmp_path / environment
        words = ["make", *options, f"VENV={folder}", f"PYTHON={python}", f"{folder}/bin/{stamp}"]
        return subprocess.run(words, cwd=PROJECT, capture_output=True, check=False).returncode

    assert make("tests", ".hub", "--question") == 1
    assert make("tests", ".ready") == 0
    assert make("tests", ".hub", "--question") == 0
    assert make("hub", ".hub") == 0
    assert make("hub", ".ready", "--question") == 1


@pytest.mark.skipif(shutil.which("make") is None, reason="there is no make")
@pytest.mark.skipif(not UPRAMP.exists(), reason="this environment has no command upramp")
def test_one_command_is_a_hub_and_ctrl_c_its_end(tmp_path, practice_archive):
    state, port = tmp_path / "state", three_ports()
    words = command(PORT=port, STATE=state, PRACTICE=practice_archive)
    plan = subprocess.run([*words, "-n"], cwd=PROJECT, capture_output=True, text=True, check=True)
    assert "install" not in plan.stdout
    output = tmp_path / "output"
    with output.open("w") as out:
        make = subprocess.Popen(
            words,
            cwd=PROJECT,
            env=environment(),
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        until(lambda: make.poll() is not None or "Ctrl-C" in output.read_text(), 120)
        said = output.read_text()
        assert f"the hub is at http://127.0.0.1:{port}\n" in said, said
        assert "making a practice archive" not in said
        name, password = re.search(r"first login: (\S+), password (\S+)", said).groups()
        asyncio.run(work(f"http://127.0.0.1:{port}", Login(name, password)))
        family = processes_of(state)
        assert len(family) >= 5  # launcher, proxy, hub, culler, a server
        # As a terminal does: all that is in its foreground is told.
        os.killpg(make.pid, signal.SIGINT)
        make.wait(60)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(make.pid, signal.SIGKILL)
        make.wait()
    assert "stopping servers, hub and proxy" in output.read_text()
    assert "Traceback" not in output.read_text()
    psutil.wait_procs(family, timeout=10)
    assert processes_of(state) == []
    assert all(is_free(each) for each in range(port, port + 3))


async def work(url, login):
    """Log in, start a server, and look at the archive in it."""
    visitor = Visitor(url, login)
    try:
        await visitor.log_in()
        await visitor.start_server({}, 120, lambda: None)
        await visitor.open_lab()
        url = f"{url}/user/{login.name}/api/contents/archive/uncal"
        async with visitor._client.get(url) as answer:
            assert "_uncal.fits" in await answer.text()
    finally:
        await visitor.close()

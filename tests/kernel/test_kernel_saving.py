"""A real Jupyter server writes a notebook's record when any front end saves it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request

import pytest

from upramp.kernel.records import KEY, MEDIA_TYPE

RUN = {
    "engine": "upramp",
    "context": "jwst_0001.pmap",
    "created": "2026-01-01",
    "versions": {"jwst": "3.0.0"},
}


@pytest.fixture
def server(tmp_path):
    """Start a server as the wheel configures it; give a call of its interface."""
    configuration = tmp_path / "etc" / "jupyter_server_config.d"
    configuration.mkdir(parents=True)
    from upramp.kernel.install import SPECIFICATION

    carried = SPECIFICATION.parent / "server" / "upramp_kernel.json"
    (configuration / carried.name).write_bytes(carried.read_bytes())
    work = tmp_path / "work"
    work.mkdir()
    (tmp_path / "runtime").mkdir(mode=0o700)
    log = (tmp_path / "log").open("w")
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "jupyter_server", "--no-browser", "--allow-root", "--port=0"),
            *("--ip=127.0.0.1", "--IdentityProvider.token=secret"),
            f"--ServerApp.root_dir={work}",
        ],
        env={
            **os.environ,
            "JUPYTER_CONFIG_DIR": str(tmp_path / "etc"),
            "JUPYTER_RUNTIME_DIR": str(tmp_path / "runtime"),
        },
        stdout=log,
        stderr=log,
    )
    try:
        address = _address(tmp_path / "runtime", process)

        def call(method, path, body=None):
            request = urllib.request.Request(
                f"{address}api/contents/{path}",
                method=method,
                data=None if body is None else json.dumps(body).encode(),
                headers={"Authorization": "token secret", "Content-Type": "application/json"},
            )
            with urllib.request.urlopen(request, timeout=20) as reply:
                return json.load(reply)

        yield call, work
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(20)
        log.close()


def _address(runtime, process):
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        for file in runtime.glob("jpserver-*.json"):
            try:
                address = json.loads(file.read_text())["url"]
                urllib.request.urlopen(f"{address}api", timeout=5).close()
            except (ValueError, urllib.error.URLError):
                continue
            return address
        time.sleep(0.1)
    raise AssertionError("the server did not start")


def document(outputs, metadata=None):
    cell = {
        "cell_type": "code",
        "id": "a",
        "execution_count": 1,
        "metadata": {},
        "source": "x",
        "outputs": outputs,
    }
    return {"cells": [cell], "metadata": metadata or {}, "nbformat": 4, "nbformat_minor": 5}


def saved(content):
    return {"type": "notebook", "format": "json", "content": content}


def test_a_notebook_is_saved_with_what_made_it(server):
    call, work = server
    data = {MEDIA_TYPE: {"schema": 1, "runs": [RUN]}, "text/plain": "x"}
    output = {"output_type": "display_data", "metadata": {}, "data": data}
    call("PUT", "x.ipynb", saved(document([output])))
    on_disk = json.loads((work / "x.ipynb").read_text())
    assert on_disk["metadata"][KEY]["environments"][0]["context"] == "jwst_0001.pmap"
    # A front end opens it, and saves it again with what it was given.
    opened = call("GET", "x.ipynb?content=1")["content"]
    assert opened["cells"][0]["outputs"][0]["data"][MEDIA_TYPE]["runs"] == [RUN]
    call("PUT", "x.ipynb", saved(opened))
    assert (
        json.loads((work / "x.ipynb").read_text())["metadata"][KEY]["environments"][0]["runs"] == 1
    )
    # Hostile content is saved as it is, and costs nothing.
    hostile = {**output, "data": {MEDIA_TYPE: {"runs": [{"engine": [], "versions": 3}, 7]}}}
    call("PUT", "y.ipynb", saved(document([hostile], {KEY: "x"})))
    assert (work / "y.ipynb").exists()
    call("PUT", "z.txt", {"type": "file", "format": "text", "content": "x"})
    assert (work / "z.txt").read_text() == "x"

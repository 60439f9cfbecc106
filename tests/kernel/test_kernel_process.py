"""The real kernel, as Jupyter starts it: first cell, drift, crash, memory, shutdown."""

from __future__ import annotations

import json
import os
import signal
import time

from upramp.kernel.app import crash_file
from upramp.kernel.records import KEY, MEDIA_TYPE
from upramp.kernel.saving import record_in_metadata
from upramp.stages.provenance import versions

WAIT = ["import time"] + 10 * ["time.sleep(0.3)"]
HEAVY = "{'numpy', 'astropy', 'jwst', 'stcal', 'crds', 'numba', 'matplotlib', 'bokeh'}"


def test_the_first_cell_waits_for_nothing_heavy(notebook_kernel):
    kernel = notebook_kernel()
    done = kernel.run(f"import sys; sorted({HEAVY} & set(sys.modules))")
    assert [data["text/plain"] for data in done.data] == ["[]"]


def test_modules_beside_the_notebook_can_be_imported_and_shadow_nothing(
    notebook_kernel, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "random.py").write_text("raise SystemExit('shadowed')")
    (tmp_path / "typing.py").write_text("raise SystemExit('shadowed')")
    (tmp_path / "mine.py").write_text("x = 42")
    done = notebook_kernel().run("import random, mine; print(mine.x)")
    assert (done.status, done.text) == ("ok", "42\n")


def test_a_notebook_that_was_made_otherwise_gets_one_notice(notebook_kernel, tmp_path):
    run = {"engine": "upramp", "context": "jwst_0002.pmap", "created": "2026-01-01"}
    run["versions"] = {**versions(), "jwst": "<img src=x>"}
    content = {MEDIA_TYPE: {"schema": 1, "runs": [run]}}
    cell = {"cell_type": "code", "outputs": [{"data": content}]}
    path = tmp_path / "was.ipynb"
    path.write_text(json.dumps({"cells": [cell], "metadata": {}}))
    kernel = notebook_kernel(JPY_SESSION_NAME=str(path))
    # The first cell does not wait for it for long.
    shown = [data for cell in WAIT for data in kernel.run(cell).data]
    (notice,) = shown
    assert "has changed" in notice["text/plain"]
    assert "jwst_0002.pmap" in notice["text/plain"]
    assert "<img" not in notice["text/html"]
    assert "has changed" in kernel.run("%provenance --drift").data[0]["text/plain"]


def test_a_notebook_that_is_as_it_was_gets_none(notebook_kernel, tmp_path, exposure):
    path = tmp_path / "is.ipynb"
    kernel = notebook_kernel(JPY_SESSION_NAME=str(path))
    done = kernel.run(f"%calibrate {exposure} --quiet")
    document = {
        "cells": [{"cell_type": "code", "outputs": [{"data": data} for data in done.data]}],
        "metadata": {},
    }
    record_in_metadata(document)
    assert len(document["metadata"][KEY]["references"]) > 3
    path.write_text(json.dumps(document))
    later = notebook_kernel(JPY_SESSION_NAME=str(path))
    assert [data["text/plain"] for data in later.run("1").data] == ["1"]
    assert "Nothing has changed" in later.run("%provenance --drift").data[0]["text/plain"]


def test_an_own_call_is_recorded_too_even_if_the_cell_fails_after_it(notebook_kernel, exposure):
    kernel = notebook_kernel()
    done = kernel.run(f"import upramp\nr = upramp.calibrate({str(exposure)!r})\nraise KeyError(1)")
    assert done.status == "error"
    assert sum(len(d[MEDIA_TYPE]["runs"]) for d in done.data if MEDIA_TYPE in d) == 1


def test_want_of_memory_is_told_with_the_limit_and_the_kernel_lives(notebook_kernel):
    kernel = notebook_kernel()
    kernel.run(
        "import resource, numpy as np\n"
        "resource.setrlimit(resource.RLIMIT_DATA, (3 << 30, resource.RLIM_INFINITY))\n"
        "large = np.ones(100 << 20, np.uint8)"
    )
    done = kernel.run("more = np.ones(8 << 30, np.uint8)")
    said = "\n".join(done.error["traceback"])
    assert "may hold 3.0 GiB" in said
    assert "RLIMIT_DATA" in said
    assert "large (0.1 GiB)" in said
    assert "may hold" in done.error["evalue"]
    assert kernel.run("print(large.sum())").text == f"{100 << 20}\n"


def test_a_crash_leaves_a_traceback_that_the_next_kernel_tells(notebook_kernel, tmp_path):
    kernel = notebook_kernel()
    shown = kernel.run("import os; os.environ['UPRAMP_KERNEL_CRASH']").data[0]["text/plain"]
    file = crash_file(kernel.manager.connection_file)
    assert shown == repr(str(file))
    assert file.stat().st_mode & 0o777 == 0o600
    kernel.client.execute("def deep():\n    import ctypes\n    ctypes.string_at(0)\n\ndeep()")
    deadline = time.monotonic() + 30
    while kernel.manager.is_alive() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert "deep" in file.read_text()
    kernel.manager.restart_kernel()
    kernel.client.wait_for_ready(60)
    told = kernel.run("1").data[0]["text/plain"]
    assert "crashed" in told
    assert "deep" in told
    assert [data["text/plain"] for data in kernel.run("1").data] == ["1"]


def test_an_orderly_end_leaves_no_crash_record(notebook_kernel):
    kernel = notebook_kernel()
    file = crash_file(kernel.manager.connection_file)
    assert file.exists()
    kernel.stop()
    deadline = time.monotonic() + 10
    while file.exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not file.exists()


def test_an_interruption_stops_a_cell_and_no_more(notebook_kernel):
    kernel = notebook_kernel()
    # What is sent after a failure at once is dropped, unless the cell says otherwise.
    identity = kernel.client.execute("import time; time.sleep(60)", stop_on_error=False)
    time.sleep(1)
    os.kill(kernel.manager.provisioner.pid, signal.SIGINT)
    while True:
        reply = kernel.client.get_shell_msg(timeout=30)
        if reply["parent_header"]["msg_id"] == identity:
            break
    assert reply["content"]["ename"] == "KeyboardInterrupt"
    assert kernel.run("1").status == "ok"

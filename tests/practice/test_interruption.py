"""Ctrl-C while an archive is made: soon over, nothing half done, and it goes on from there."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time


def test_an_interrupted_call_ends_soon_and_leaves_no_pieces(tmp_path):
    folder = tmp_path / "practice"
    with subprocess.Popen(
        [sys.executable, "-m", "upramp", "practice", str(folder), "--program", "nircam-long"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as command:
        end = time.monotonic() + 120
        while not any(folder.rglob("*.fits")) and time.monotonic() < end:
            time.sleep(0.05)
        os.killpg(command.pid, signal.SIGINT)
        _, told = command.communicate(timeout=60)
    assert command.returncode == 130
    assert "what is finished is kept" in told
    assert "Traceback" not in told
    pieces = [f.name for f in folder.rglob("*") if f.name.startswith(".") or "tmp" in f.name]
    assert not pieces

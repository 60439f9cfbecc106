"""Ctrl-C while an archive is made: soon over, nothing half done, and it goes on from there."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

from astropy.io import fits


def test_an_interrupted_call_ends_soon_and_leaves_whole_files(tmp_path):
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
    for file in folder.rglob("*.fits"):
        # A stage that a process leaves in its last moment is taken away by the next call.
        if not any(part.startswith(".upramp-") for part in file.parts):
            with fits.open(file) as hdus:
                assert hdus.verify() is None

"""What a process has held of memory."""

from __future__ import annotations

import subprocess
import sys

import numpy as np

from upramp.memory import peak

_SIZE = 300 << 20


def test_what_was_held_and_given_back_counts():
    before = peak()
    np.ones(before + (64 << 20), np.uint8)
    assert peak() > before + (32 << 20)


def test_what_the_parent_holds_does_not_count():
    held = np.ones(_SIZE, np.uint8)
    code = "from upramp.memory import peak; print(peak())"
    run = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert 0 < int(run.stdout) < held.nbytes / 2

"""Small disks in memory, which a test can fill."""

from __future__ import annotations

import contextlib
import subprocess

import pytest


@contextlib.contextmanager
def small_disk(folder, mib):
    """Mount one over a folder, or skip the test with the reason."""
    folder.mkdir(exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={mib}m,mode=0700", "none", str(folder)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as error:
        pytest.skip(f"there is no program to mount a small disk with ({error.strerror})")
    if done.returncode:
        pytest.skip(f"no small disk can be mounted here: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        # Lazily: what a failed test left running may still sit in it.
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(file):
    """Write until nothing more goes in, and give the error."""
    with file.open("wb", buffering=0) as out:
        for size in (1 << 20, 4096):
            while True:
                try:
                    if out.write(b"x" * size) < size:
                        break
                except OSError as error:
                    found = error
                    break
    return found

"""Logs stay small while their writers hold them open, and no line is lost that was there."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys

import pytest
from proxy_process import until

from upramp_hub.logs import rotate

LARGEST = 10_000


@pytest.fixture
def log(tmp_path):
    return tmp_path / "hub.log"


def kept(log):
    return sorted(each.name for each in log.parent.iterdir())


def test_a_small_log_stays_as_it_is(log):
    assert not rotate(log, LARGEST)
    log.write_text("one line\n")
    assert not rotate(log, LARGEST)
    assert log.read_text() == "one line\n"
    assert kept(log) == ["hub.log"]


def test_a_few_are_kept_the_newest_first_and_for_their_owner_alone(log):
    for number in range(5):
        log.write_text(f"{number}\n" * LARGEST)
        assert rotate(log, LARGEST, kept=3)
        assert log.read_bytes() == b""
    assert kept(log) == ["hub.log", "hub.log.1", "hub.log.2", "hub.log.3"]
    firsts = [log.with_name(f"hub.log.{each}").read_text()[0] for each in (1, 2, 3)]
    assert firsts == ["4", "3", "2"]
    assert stat.S_IMODE(log.with_name("hub.log.1").stat().st_mode) == 0o600


WRITER = """
import sys
for line in sys.stdin:
    for number in range(int(line)):
        print(f"{number:099d}", flush=True)
    print("done", flush=True)
"""


def test_who_holds_it_open_writes_on_at_its_beginning_and_no_line_is_lost(log):
    with log.open("ab") as out:
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER], stdin=subprocess.PIPE, stdout=out, text=True
        )
    try:
        for count in (150, 3):
            writer.stdin.write(f"{count}\n")
            writer.stdin.flush()
            until(lambda: log.read_text().endswith("done\n"))
            assert rotate(log, LARGEST) is (count == 150)
    finally:
        writer.kill()
        writer.wait()
    old = log.with_name("hub.log.1").read_text().split()
    assert old == [*(f"{number:099d}" for number in range(150)), "done"]
    # No hole of zeros where it was: the file is opened to be appended to.
    assert log.read_text().split() == [*(f"{number:099d}" for number in range(3)), "done"]


def test_whoever_is_killed_over_it_has_lost_nothing(log):
    """The copy is whole before the log is emptied: a kill between leaves lines twice."""
    code = (
        "import os, signal, sys; from pathlib import Path\n"
        "from upramp_hub import logs\n"
        "logs.os.ftruncate = lambda *_: os.kill(os.getpid(), signal.SIGKILL)\n"
        f"logs.rotate(Path(sys.argv[1]), {LARGEST})\n"
    )
    log.write_text("a line\n" * LARGEST)
    done = subprocess.run([sys.executable, "-c", code, str(log)], check=False)
    assert done.returncode == -signal.SIGKILL
    assert log.read_text() == log.with_name("hub.log.1").read_text() == "a line\n" * LARGEST
    assert rotate(log, LARGEST)
    assert kept(log) == ["hub.log", "hub.log.1", "hub.log.2"]


def test_a_disk_without_room_for_the_copy_leaves_the_log(log, monkeypatch):
    log.write_text("a line\n" * LARGEST)

    def full(*_):
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr("upramp_hub.logs.shutil.copyfileobj", full)
    assert not rotate(log, LARGEST)
    assert log.read_text() == "a line\n" * LARGEST
    assert kept(log) == ["hub.log"]

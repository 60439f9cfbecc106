"""How a campaign says that it runs, and what is not believed."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time

import pytest

from upramp_hub.server.campaigns import FOLDER, HEARTBEAT, running


@pytest.fixture
def announce(tmp_path):
    (tmp_path / FOLDER).mkdir(parents=True)

    def write(name="deep.running", content=None, **changes):
        said = {"pid": os.getpid(), "host": socket.gethostname(), **changes}
        file = tmp_path / FOLDER / name
        file.write_bytes(json.dumps(said).encode() if content is None else content)
        return file

    return write


def test_one_that_says_so_runs(tmp_path, announce):
    announce()
    assert running(tmp_path) == ["deep"]


def test_there_need_be_no_folder(tmp_path):
    assert running(tmp_path) == []


def test_one_that_was_not_heard_of_has_ended(tmp_path, announce):
    announce()
    now = time.time()
    assert running(tmp_path, now + HEARTBEAT - 5) == ["deep"]
    assert running(tmp_path, now + HEARTBEAT + 5) == []
    assert running(tmp_path, now - HEARTBEAT - 5) == []


def test_one_whose_process_was_killed_has_ended(tmp_path, announce):
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    announce(pid=process.pid)
    assert running(tmp_path) == ["deep"]
    process.kill()
    process.wait()
    assert running(tmp_path) == []


def test_one_on_another_machine_runs_while_it_is_heard_of(tmp_path, announce):
    announce(host="node-17.of-a-batch-system", pid=1)
    assert running(tmp_path) == ["deep"]


@pytest.mark.parametrize(
    "content",
    [b"", b"[]", b"null", b"7", b"{", b"[" * 5000, b"\xff\xfe", b'{"pid": 1}', b"{}" * 9000],
)
def test_nonsense_is_no_campaign(tmp_path, announce, content):
    announce(content=content)
    assert running(tmp_path) == []


@pytest.mark.parametrize("pid", [0, -1, True, "1", None, 10**30, 2**22 + 1])
def test_nor_is_one_without_a_process(tmp_path, announce, pid):
    announce(pid=pid)
    assert running(tmp_path) == []


def test_nor_are_links_pipes_and_folders_which_hold_nothing_up(tmp_path, announce):
    real = announce("real.txt")
    (real.parent / "link.running").symlink_to(real)
    os.mkfifo(real.parent / "pipe.running")
    (real.parent / "folder.running").mkdir()
    assert running(tmp_path) == []


def test_a_folder_full_of_them_is_not_read_to_its_end(tmp_path, announce):
    for number in range(150):
        announce(f"{number}.running")
    assert len(running(tmp_path)) == 100

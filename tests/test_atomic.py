"""Files that appear whole or not at all, and folders that killed processes leave."""

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from upramp.atomic import publish, replacing, staging_directory, write_text
from upramp.errors import OutputError

# Stages a file in the folder that it is given, says so, and waits to be killed.
_STAGING = """
import sys, time
from upramp.atomic import staging_directory
with staging_directory(sys.argv[1]) as stage:
    (stage / "half a product").write_text("half")
    print(stage, flush=True)
    time.sleep(60)
"""


def _staged(folder):
    process = subprocess.Popen(
        [sys.executable, "-c", _STAGING, str(folder)], stdout=subprocess.PIPE, text=True
    )
    return process, process.stdout.readline().strip()


def _hidden(folder):
    return sorted(str(path) for path in folder.glob(".upramp-*"))


def test_what_a_killed_process_left_is_removed_by_the_next(tmp_path):
    process, left = _staged(tmp_path)
    process.kill()
    process.communicate()
    assert _hidden(tmp_path) == [left]
    with staging_directory(tmp_path) as stage:
        assert _hidden(tmp_path) == [str(stage)]
    assert _hidden(tmp_path) == []


def test_what_a_living_process_stages_is_left_alone(tmp_path):
    process, its_own = _staged(tmp_path)
    try:
        with staging_directory(tmp_path) as stage:
            assert _hidden(tmp_path) == sorted([its_own, str(stage)])
        assert (Path(its_own) / "half a product").exists()
    finally:
        process.kill()
        process.communicate()


def test_what_is_not_ours_is_left_alone(tmp_path):
    host = socket.gethostname()
    process, left = _staged(tmp_path)
    process.kill()
    process.communicate()
    others = [
        tmp_path / f".upramp-another{host}-{process.pid}-xyz",
        tmp_path / f".upramp-{host}-notes",
        tmp_path / ".upramp-abcdefgh",
        tmp_path / "product.fits",
    ]
    for path in others:
        path.mkdir()
    link = tmp_path / (Path(left).name + "link")
    link.symlink_to(others[-1])
    with staging_directory(tmp_path):
        pass
    assert all(path.is_dir() for path in others)
    assert link.is_symlink()
    assert not Path(left).exists()


def test_a_failure_keeps_the_old_file_and_leaves_nothing(tmp_path):
    target = tmp_path / "product"
    write_text(target, "old")

    def half_a_write():
        with replacing(target) as temporary:
            temporary.write_text("half")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        half_a_write()
    assert target.read_text() == "old"
    write_text(target, "new")
    assert target.read_text() == "new"
    assert list(tmp_path.iterdir()) == [target]


def test_publish_gives_the_new_paths(tmp_path):
    with staging_directory(tmp_path) as stage:
        (stage / "a").write_text("a")
        assert publish([stage / "a"], tmp_path) == [tmp_path / "a"]


def test_folder_that_is_not_there(tmp_path):
    with pytest.raises(OutputError, match="its folder does not exist"):
        write_text(tmp_path / "none" / "file", "text")


def test_a_full_disk_is_told_also_where_a_library_hides_it(tmp_path):
    # What astropy raises after NumPy wrote only a part of an array.
    with pytest.raises(OutputError, match="no room left"), replacing(tmp_path / "a.fits"):
        try:
            raise OSError("262144 requested and 55904 written")
        except OSError as error:
            raise OSError("Not enough space on disk: requested 2, available 1") from error
    assert list(tmp_path.iterdir()) == []


def test_an_error_that_nobody_knows_is_passed_on(tmp_path):
    with pytest.raises(OSError, match="odd"), replacing(tmp_path / "a.fits"):
        raise OSError("odd")

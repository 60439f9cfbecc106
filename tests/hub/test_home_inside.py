"""Files in a home: no link is followed, nothing is written over, and failures are sentences."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys

import pytest

from upramp.errors import OutputError, UprampError
from upramp_hub.home.errors import HomeError
from upramp_hub.home.inside import Inside


@pytest.fixture
def home(tmp_path):
    (tmp_path / "home").mkdir()
    return Inside(tmp_path / "home")


def leftovers(home):
    return list(home.root.rglob(".upramp-*"))


def test_a_file_is_made_for_its_user_alone_and_never_written_over(home):
    old = os.umask(0)
    try:
        assert home.create("a/b/c.txt", b"first")
    finally:
        os.umask(old)
    assert not home.create("a/b/c.txt", b"second")
    file = home.root / "a" / "b" / "c.txt"
    assert file.read_bytes() == home.read("a/b/c.txt") == b"first"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    home.replace("a/b/c.txt", b"third")
    assert file.read_bytes() == b"third"
    assert not leftovers(home)


def test_what_is_not_there_is_none(home):
    assert home.read("a/b") is None
    assert home.kind("a/b") == "nothing"


@pytest.mark.parametrize("path", ["", "/etc/passwd", "../x", "a/../../x", "a//b", "./a", "a\0b"])
def test_a_path_that_leads_out_is_refused(home, path):
    for ask in (home.read, lambda path: home.create(path, b""), lambda path: home.link(path, "/")):
        with pytest.raises(HomeError, match="no path inside the home"):
            ask(path)
    assert list(home.root.parent.iterdir()) == [home.root]


def test_no_link_is_followed_on_the_way_or_at_its_end(home, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_text("secret")
    (home.root / "folder").symlink_to(outside)
    (home.root / "file").symlink_to(outside / "secret")
    (home.root / "loose").symlink_to(outside / "made")
    for ask in (home.read, lambda path: home.create(path, b"x")):
        with pytest.raises(HomeError, match="a link or a file"):
            ask("folder/secret")
    with pytest.raises(HomeError, match="no regular file"):
        home.read("file")
    assert home.kind("file") == home.kind("folder/secret") == "other"
    assert not home.create("file", b"x")
    assert not home.create("loose", b"x")
    home.replace("file", b"mine")  # the link gives way, what it led to stays
    assert not (home.root / "file").is_symlink()
    assert sorted(path.name for path in outside.iterdir()) == ["secret"]
    assert (outside / "secret").read_text() == "secret"


def test_pipes_and_folders_are_no_files_and_nobody_waits_for_them(home):
    os.mkfifo(home.root / "pipe")
    (home.root / "folder").mkdir()
    for name in ("pipe", "folder"):
        with pytest.raises(HomeError):
            home.read(name)
        assert not home.create(name, b"x")


def test_a_file_that_is_too_large_is_not_read(home):
    (home.root / "large").write_bytes(b"x" * 11)
    assert home.read("large", largest=11) == b"x" * 11
    with pytest.raises(HomeError, match="larger than"):
        home.read("large", largest=10)


def test_two_who_create_at_once_do_not_overwrite(home, monkeypatch):
    link = os.link

    def late(*arguments, **options):
        (home.root / "file").write_bytes(b"the other's")
        return link(*arguments, **options)

    monkeypatch.setattr(os, "link", late)
    assert not home.create("file", b"mine")
    assert (home.root / "file").read_bytes() == b"the other's"
    assert not leftovers(home)


@pytest.mark.parametrize("there", [False, True])
def test_a_disk_without_second_names_is_written_all_the_same(home, monkeypatch, there):
    def refuses(*_, **__):
        if there:
            (home.root / "file").write_bytes(b"the other's")
        raise OSError(errno.EPERM, "no second names here")

    monkeypatch.setattr(os, "link", refuses)
    assert home.create("file", b"mine") is not there
    assert (home.root / "file").read_bytes() == (b"the other's" if there else b"mine")


def test_a_full_disk_leaves_nothing_behind(home):
    """A process whose files may hold 100 bytes meets what a full disk does, from the system."""
    code = (
        "import resource, signal, sys; from pathlib import Path\n"
        "from upramp_hub.home.inside import Inside\n"
        "from upramp.errors import OutputError\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))\n"
        "home = Inside(Path(sys.argv[1]))\n"
        "home.replace('small', b'old')\n"
        "for write in (home.create, home.replace):\n"
        "    for name in ('new', 'small'):\n"
        "        try:\n"
        "            print(write(name, b'x' * 1000))\n"
        "        except OutputError as error:\n"
        "            print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(home.root)], capture_output=True, text=True, check=True
    )
    said = done.stdout.splitlines()
    assert len(said) == 4
    assert said[1] == "False"  # it was there
    assert all("larger than allowed" in said[at] for at in (0, 2, 3))
    assert [path.name for path in home.root.iterdir()] == ["small"]
    assert (home.root / "small").read_bytes() == b"old"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_home_that_may_not_be_written_is_told(home):
    home.root.chmod(0o500)
    try:
        with pytest.raises(OutputError, match="may not be written"):
            home.create("file", b"x")
    finally:
        home.root.chmod(0o700)


@pytest.mark.parametrize("number", [errno.EROFS, errno.ENOSPC, errno.EDQUOT])
def test_what_the_system_says_becomes_a_sentence(home, monkeypatch, number):
    def refuses(*_, **__):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "mkdir", refuses)
    with pytest.raises(UprampError, match=r"^folder/file: .+; .+"):
        home.create("folder/file", b"x")


def test_a_link_is_made_once_and_leaves_alone_what_is_somebodys(home):
    assert home.link("archive", "/data/a") == "there"
    assert home.link("archive", "/data/a") == "there"
    assert home.link("archive", "/data/b") == "taken"
    assert str((home.root / "archive").readlink()) == "/data/a"
    assert home.link("archive", "/data/b", replaces="/data/a") == "there"
    assert str((home.root / "archive").readlink()) == "/data/b"
    (home.root / "mine").mkdir()
    assert home.link("mine", "/data/a", replaces="/data/a") == "taken"
    assert not leftovers(home)


def test_the_oldest_go_first_and_a_folder_that_is_not_there_does_not_matter(home):
    for number in range(5):
        home.create(f"folder/{number}", b"x")
        os.utime(home.root / "folder" / str(number), (number, number))
    home.trim("folder", 2)
    home.trim("nothing", 2)
    assert sorted(path.name for path in (home.root / "folder").iterdir()) == ["3", "4"]

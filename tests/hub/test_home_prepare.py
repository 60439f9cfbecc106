"""What a home is given at a start, and what may not be saved over."""

from __future__ import annotations

import errno
import os
from types import SimpleNamespace

import pytest
from tornado.web import HTTPError

from upramp_hub.home.inside import Inside
from upramp_hub.home.prepare import ReadOnly, greet, is_new, prepare_home


@pytest.fixture
def home(tmp_path):
    (tmp_path / "home").mkdir()
    return Inside(tmp_path / "home")


@pytest.fixture
def archive(tmp_path):
    folder = tmp_path / "the archive"
    (folder / "uncal").mkdir(parents=True)
    return folder


def test_the_archive_is_found_under_one_path(home, archive):
    for _ in range(2):
        assert prepare_home(home, {"archive": archive, "notebooks-originals": None}) == []
    assert (home.root / "archive").readlink() == archive
    assert not (home.root / "notebooks-originals").exists()


def test_an_archive_that_moved_is_found_again(home, archive, tmp_path):
    prepare_home(home, {"archive": archive})
    assert prepare_home(home, {"archive": tmp_path / "moved"}) == []
    assert (home.root / "archive").readlink() == tmp_path / "moved"


@pytest.mark.parametrize("what", ["file", "folder", "link", "loose link"])
def test_what_is_the_users_own_stays_and_is_told(home, archive, tmp_path, what):
    mine = home.root / "archive"
    if what == "file":
        mine.write_text("mine")
    elif what == "folder":
        mine.mkdir()
    else:
        mine.symlink_to(tmp_path if what == "link" else "/nothing/here")
    before = os.lstat(mine)
    (problem,) = prepare_home(home, {"archive": archive})
    assert "~/archive: it is yours" in problem
    assert problem.endswith("; rename it.")
    assert os.lstat(mine) == before


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, 999])
def test_a_home_that_takes_nothing_keeps_no_server_from_starting(
    home, archive, monkeypatch, number
):
    def refuses(*_, **__):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "symlink", refuses)
    monkeypatch.setattr(os, "mkdir", refuses)
    problems = prepare_home(home, {"archive": archive})
    assert len(problems) == 1
    greet(home)
    assert is_new(home)


def test_without_a_home_there_are_only_problems(tmp_path, archive):
    assert len(prepare_home(Inside(tmp_path / "nothing"), {"archive": archive})) == 1


@pytest.mark.parametrize("text", ["", "{", "[]", '{"archive": 1}', '{"archive": "/elsewhere"}'])
def test_records_that_are_damaged_take_nothing_of_the_users(home, archive, text):
    (home.root / ".local/share/upramp").mkdir(parents=True)
    (home.root / ".local/share/upramp/links.json").write_text(text)
    (home.root / "archive").symlink_to("/mine")
    assert len(prepare_home(home, {"archive": archive})) == 1
    assert str((home.root / "archive").readlink()) == "/mine"


def test_a_private_folder_that_is_a_link_is_not_followed(home, archive, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (home.root / ".local").symlink_to(outside)
    (problem,) = prepare_home(home, {"archive": archive})
    assert ".local: it is a link or a file" in problem
    greet(home)
    assert list(outside.iterdir()) == []
    assert (home.root / "archive").readlink() == archive


def test_a_user_is_greeted_once(home):
    assert is_new(home)
    greet(home)
    assert not is_new(home)


def test_nothing_is_saved_over_the_archive_or_an_original(home, archive, tmp_path):
    prepare_home(home, {"archive": archive})
    refuse = ReadOnly((archive,))
    manager = SimpleNamespace(root_dir=str(home.root))
    (home.root / "notebooks").mkdir()
    (home.root / "notebooks" / "mine").symlink_to(archive / "uncal")
    for path in ("archive/x.ipynb", "/archive/uncal/new/x", "notebooks/mine/x", "archive"):
        with pytest.raises(HTTPError, match="to be read only") as caught:
            refuse(path=path, contents_manager=manager, model={})
        assert caught.value.status_code == 403
    for path in ("notebooks/x.ipynb", "archives/x", "notebooks/archive/x"):
        refuse(path=path, contents_manager=manager, model={})
    refuse(path="archive/x", contents_manager=SimpleNamespace(), model={})

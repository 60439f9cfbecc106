"""Copies of notebooks: never written over, and told when their originals change."""

from __future__ import annotations

import json
import os
import shutil

import pytest

from upramp.errors import InputError, UprampError
from upramp.notebooks import Notebook
from upramp_hub.home.copies import PRIVATE, Copies
from upramp_hub.home.errors import HomeError
from upramp_hub.home.inside import Inside

NAME = "stage/one.ipynb"
COPY = "notebooks/stage/one.ipynb"
FIRST = ("inputs = 'x.fits'", "calibrate()", "look()")


def notebook(*sources):
    cells = [
        {
            "cell_type": "code",
            "id": f"c{at}",
            "metadata": {"tags": ["parameters"]} if at == 0 else {},
            "source": source,
            "outputs": [],
        }
        for at, source in enumerate(sources)
    ]
    return json.dumps({"cells": cells, "metadata": {}, "nbformat": 4}).encode()


@pytest.fixture
def home(tmp_path):
    (tmp_path / "home").mkdir()
    return tmp_path / "home"


@pytest.fixture
def original(tmp_path):
    file = tmp_path / "originals" / "stage" / "one.ipynb"
    file.parent.mkdir(parents=True)
    file.write_bytes(notebook(*FIRST))
    return file


@pytest.fixture
def copies(home, original):
    def originals():
        if not original.parent.exists():
            raise InputError("x", "this installation carries no notebooks", "install it")
        return [Notebook(NAME, original, "One")] if original.exists() else []

    return Copies(Inside(home), originals)


def states(copies):
    return {standing.copy.path: standing.state for standing in copies.look()}


def test_originals_that_cannot_be_read_are_none(home):
    def closed():
        raise PermissionError(13, "Permission denied")

    assert Copies(Inside(home), closed).originals() == {}


def test_a_copy_is_made_and_is_as_its_original(copies, home, original):
    assert copies.take(NAME) == COPY
    assert (home / COPY).read_bytes() == original.read_bytes()
    assert states(copies) == {COPY: "current"}


def test_a_copy_that_is_there_is_never_written_again(copies, home):
    copies.take(NAME)
    (home / COPY).write_bytes(notebook(*FIRST, "mine"))
    assert copies.take(NAME) == COPY
    assert (home / COPY).read_bytes() == notebook(*FIRST, "mine")
    assert states(copies) == {COPY: "yours"}


def test_a_run_does_not_change_a_notebook(copies, home):
    copies.take(NAME)
    content = json.loads((home / COPY).read_bytes())
    content["cells"][1]["outputs"] = [{"output_type": "stream", "name": "stdout", "text": "x"}]
    (home / COPY).write_text(json.dumps(content, indent=4))
    assert states(copies) == {COPY: "current"}


def test_an_exposure_has_a_copy_of_its_own_with_the_parameter_set(copies, home):
    path = copies.take(NAME, "jw1_uncal.fits")
    assert path == "notebooks/stage/one-jw1.ipynb"
    cells = json.loads((home / path).read_bytes())["cells"]
    assert "".join(cells[0]["source"]) == 'inputs = "jw1_uncal.fits"'
    assert states(copies) == {path: "current"}
    (home / path).write_bytes(notebook(*FIRST, "mine"))
    assert copies.take(NAME, "jw1_uncal.fits") == path
    assert (home / path).read_bytes() == notebook(*FIRST, "mine")


@pytest.mark.parametrize(
    "name",
    [
        "<b>_uncal.fits",
        "a b_uncal.fits",
        "ü_uncal.fits",
        ".._uncal.fits",
        "x" * 250,
        "\n",
        "'\"\\",
    ],
)
def test_whatever_an_exposure_is_called_its_copy_lies_in_the_folder(copies, home, name):
    path = copies.take(NAME, name)
    file = home / path
    assert file.parent == home / "notebooks" / "stage"
    assert file.is_file()
    assert path.isascii()
    assert path.isprintable()
    assert " " not in path
    assert copies.records()[path].exposure == name


def test_names_that_look_the_same_in_a_path_have_two_copies(copies):
    assert len({copies.take(NAME, name) for name in ("a b", "a_b", "a\tb")}) == 3


def test_an_update_is_shown_apart_from_what_the_user_changed(copies, home, original):
    copies.take(NAME)
    (home / COPY).write_bytes(notebook(FIRST[0], FIRST[1], "look(again)"))
    original.write_bytes(notebook(FIRST[0], "calibrate(better=True)", FIRST[2]))
    assert states(copies) == {COPY: "updated"}
    comparison = copies.compare(COPY)
    assert [change.what for change in comparison.new] == ["same", "changed", "same"]
    assert ("+", "calibrate(better=True)") in comparison.new[1].lines
    assert [change.what for change in comparison.mine] == ["same", "same", "changed"]
    assert ("+", "look(again)") in comparison.mine[2].lines


def test_a_user_keeps_theirs_until_the_next_version(copies, home, original):
    copies.take(NAME)
    mine = notebook(*FIRST, "mine")
    (home / COPY).write_bytes(mine)
    original.write_bytes(notebook(*FIRST, "second"))
    copies.keep(COPY)
    assert states(copies) == {COPY: "kept"}
    original.write_bytes(notebook(*FIRST, "third"))
    assert states(copies) == {COPY: "updated"}
    assert (home / COPY).read_bytes() == mine


def test_the_new_one_comes_beside_under_names_that_are_free(copies, home, original):
    path = copies.take(NAME, "jw1_uncal.fits")
    mine = notebook(*FIRST, "mine")
    (home / path).write_bytes(mine)
    original.write_bytes(notebook(*FIRST, "second"))
    taken = home / "notebooks/stage/one-jw1-new.ipynb"
    taken.symlink_to(home / path)
    beside = copies.take_beside(path)
    assert beside == "notebooks/stage/one-jw1-new-2.ipynb"
    cells = json.loads((home / beside).read_bytes())["cells"]
    assert "".join(cells[0]["source"]) == 'inputs = "jw1_uncal.fits"'
    assert "".join(cells[3]["source"]) == "second"
    assert (home / path).read_bytes() == mine
    assert states(copies) == {path: "kept", beside: "current"}


def test_who_has_the_new_one_by_hand_has_it(copies, home, original):
    copies.take(NAME)
    original.write_bytes(notebook(*FIRST, "second"))
    (home / COPY).write_bytes(notebook(*FIRST, "second"))
    assert states(copies) == {COPY: "current"}


def test_a_deleted_copy_may_be_made_again(copies, home):
    copies.take(NAME)
    (home / COPY).unlink()
    assert states(copies) == {COPY: "deleted"}
    with pytest.raises(HomeError, match="it has been deleted"):
        copies.compare(COPY)
    copies.take(NAME)
    assert states(copies) == {COPY: "current"}


@pytest.mark.parametrize("whole", [False, True])
def test_a_copy_outlives_its_original(copies, home, original, whole):
    copies.take(NAME)
    if whole:
        shutil.rmtree(original.parent)
    else:
        original.unlink()
    assert states(copies) == {COPY: "orphan"}
    for ask in (copies.compare, copies.keep, copies.take_beside):
        with pytest.raises(HomeError, match="carries no such notebook"):
            ask(COPY)
    assert (home / COPY).is_file()


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff", b'{"cells": 3}'])
def test_a_copy_that_is_no_notebook_any_more_says_so_and_stays(copies, home, content):
    copies.take(NAME)
    (home / COPY).write_bytes(content)
    (standing,) = copies.look()
    assert standing.state == "unreadable"
    assert "it is no notebook" in standing.problem
    with pytest.raises(HomeError, match="it is no notebook"):
        copies.compare(COPY)
    assert copies.take(NAME) == COPY
    assert (home / COPY).read_bytes() == content


def test_an_original_that_is_damaged_is_told_and_copied_for_nobody(copies, home, original):
    original.write_bytes(b"{")
    with pytest.raises(HomeError, match="it is no notebook"):
        copies.take(NAME, "jw1_uncal.fits")
    assert not (home / "notebooks").exists()


def test_a_copy_that_is_a_link_is_not_followed(copies, home, tmp_path):
    secret = tmp_path / "secret.ipynb"
    secret.write_bytes(notebook("secret"))
    (home / COPY).parent.mkdir(parents=True)
    (home / COPY).symlink_to(secret)
    with pytest.raises(HomeError, match="no regular file"):
        copies.take(NAME)
    assert copies.look() == []
    (home / COPY).unlink()
    copies.take(NAME)
    (home / COPY).unlink()
    (home / COPY).symlink_to(secret)
    assert states(copies) == {COPY: "unreadable"}
    with pytest.raises(HomeError, match="no regular file"):
        copies.compare(COPY)
    assert secret.read_bytes() == notebook("secret")


@pytest.mark.parametrize("link", ["notebooks", "notebooks/stage", ".local", PRIVATE])
def test_a_folder_that_is_a_link_is_not_followed(copies, home, tmp_path, link):
    outside = tmp_path / "outside"
    outside.mkdir()
    (home / link).parent.mkdir(parents=True, exist_ok=True)
    (home / link).symlink_to(outside)
    with pytest.raises(HomeError, match="a link or a file"):
        copies.take(NAME)
    assert list(outside.iterdir()) == []
    assert not copies.is_there(COPY)


@pytest.mark.parametrize("at", range(6))
def test_a_disk_that_fails_in_the_middle_leaves_no_half_copy(
    copies, home, original, monkeypatch, at
):
    """The copy is whole or not there, and can be made when there is room again."""
    calls = []
    synchronise = os.fsync

    def refuses(descriptor):
        calls.append(descriptor)
        if len(calls) == at + 1:
            raise OSError(28, "No space left on device")
        synchronise(descriptor)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", refuses)
        try:
            copies.take(NAME)
        except UprampError as error:
            assert "no room left" in str(error)  # noqa: PT017 - three of the six do not fail
    assert (at < 3) == (len(calls) == at + 1)
    assert not list(home.rglob(".upramp-*"))
    if (home / COPY).exists():
        assert (home / COPY).read_bytes() == original.read_bytes()
    assert copies.take(NAME) == COPY
    assert states(copies) == {COPY: "current"}


def test_a_copy_that_was_there_before_is_taken_in_if_it_is_the_same(copies, home, original):
    (home / COPY).parent.mkdir(parents=True)
    (home / COPY).write_bytes(original.read_bytes())
    assert copies.look() == []
    copies.take(NAME)
    assert states(copies) == {COPY: "current"}
    original.write_bytes(notebook(*FIRST, "second"))
    assert [change.what for change in copies.compare(COPY).new][-1] == "added"


def test_somebodys_own_of_the_same_name_is_opened_and_left_alone(copies, home):
    (home / COPY).parent.mkdir(parents=True)
    (home / COPY).write_bytes(notebook("mine"))
    assert copies.take(NAME) == COPY
    assert copies.look() == []
    assert (home / COPY).read_bytes() == notebook("mine")


@pytest.mark.parametrize("damage", ["gone", "changed", "link"])
def test_without_what_it_was_a_copy_is_set_beside_what_is(copies, home, original, damage):
    copies.take(NAME)
    (base,) = (home / PRIVATE / "originals").iterdir()
    base.unlink()
    if damage == "changed":
        base.write_bytes(notebook("forged"))
    elif damage == "link":
        base.symlink_to(original)
    original.write_bytes(notebook(*FIRST, "second"))
    comparison = copies.compare(COPY)
    assert comparison.new is None
    assert [change.what for change in comparison.mine] == ["same"] * 3 + ["added"]


GOOD = {"path": COPY, "notebook": NAME, "base": "0" * 64, "seen": "", "exposure": ""}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[" * 100_000,
        '{"a": 1}',
        "null",
        "[1, null, [], {}]",
        json.dumps([{**GOOD, "more": 1}]),
        json.dumps([{**GOOD, "base": "../../x"}]),
        json.dumps([{**GOOD, "base": 1}]),
        *(
            json.dumps([{**GOOD, "path": path}])
            for path in ("/etc/passwd", "../x", "notebooks/../../x", ".ssh/id", "notebooks", "a\0")
            if path != "notebooks"
        ),
    ],
)
def test_records_that_are_damaged_or_lead_out_are_none(copies, home, text):
    file = home / PRIVATE / "copies.json"
    file.parent.mkdir(parents=True)
    file.write_text(text)
    assert copies.look() == []
    copies.take(NAME)
    assert states(copies) == {COPY: "current"}


def test_what_is_not_in_a_list_is_refused(copies):
    for name in ("../one.ipynb", "/etc/passwd", "stage/two.ipynb", "", "stage/../stage/one.ipynb"):
        with pytest.raises(HomeError, match="carries no such notebook"):
            copies.take(name)
    for path in ("../x", COPY, "/etc/passwd"):
        for ask in (copies.compare, copies.keep, copies.take_beside):
            with pytest.raises(HomeError, match="no copy that is known"):
                ask(path)

"""Groups give proposals, by their names or by the hub's own file."""

from __future__ import annotations

import pytest

from upramp.errors import InputError
from upramp_hub.proposals import FILE, mapping_of, proposals_of, written


def test_a_group_s_name_gives_its_proposal():
    assert proposals_of(["proposal-1234", "proposal-00042", "staff"]) == {"1234", "42"}


@pytest.mark.parametrize(
    "group",
    [
        "proposal-",
        "proposal-x",
        "xproposal-1",
        "proposal-1x",
        "proposal-1234567",
        "proposal-\u0661",
    ],
)
def test_what_only_looks_like_one_gives_none(group):
    assert proposals_of([group]) == set()


def test_a_file_says_what_other_groups_give(tmp_path):
    (tmp_path / FILE).write_text('[groups]\nramp = ["1", "GO-2"]\nstaff = ["*"]\n')
    assert proposals_of(["ramp", "proposal-3"], tmp_path) == {"1", "GO-2", "3"}
    assert proposals_of(["staff"], tmp_path) == {"*"}
    assert proposals_of(["nothing"], tmp_path) == set()


def test_without_a_file_there_are_no_others(tmp_path):
    assert mapping_of(tmp_path) == {}


@pytest.mark.parametrize(
    "content",
    [
        "not toml",
        "groups = 1",
        "[other]\na = []",
        '[groups]\nramp = "1"',
        "[groups]\nramp = [1]",
        '[groups]\nramp = ["1,2"]',
        '[groups]\nramp = ["../1"]',
        b"\xff\xfe",
    ],
)
def test_a_file_that_is_none_is_named(tmp_path, content):
    file = tmp_path / FILE
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(InputError, match=FILE):
        proposals_of(["ramp"], tmp_path)


def test_they_are_written_in_order():
    assert written({"42", "1234"}) == "1234,42"
    assert written([]) == ""

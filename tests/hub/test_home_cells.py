"""Notebooks as cells: what differs, parameters, and what is none."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from upramp.notebooks import notebooks_folder
from upramp_hub.home.cells import Cell, cells_of, compare, set_parameter
from upramp_hub.home.errors import HomeError


def notebook(*sources, ids=True, tags=()):
    cells = [
        {
            "cell_type": "code",
            "id": f"c{at}" if ids else None,
            "metadata": {"tags": list(tags)} if at == 0 else {},
            "source": source,
            "outputs": [],
        }
        for at, source in enumerate(sources)
    ]
    return json.dumps({"cells": cells, "metadata": {}, "nbformat": 4}).encode()


def code(*sources):
    return [Cell("code", source) for source in sources]


def whats(changes):
    return [(change.what, change.before, change.after) for change in changes]


def test_sources_are_read_as_lines_or_as_text():
    content = notebook("a\nb", ["c\n", "d"])
    assert [(cell.source, cell.name) for cell in cells_of(content, "x")] == [
        ("a\nb", "c0"),
        ("c\nd", "c1"),
    ]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff\xfe",
        b'{"cells": 1}',
        b'{"cells": [1]}',
        b'{"cells": [{"cell_type": "code", "source": 1}]}',
        b'{"cells": [{"cell_type": 1, "source": ""}]}',
        b'{"cells": [{"cell_type": "code", "source": [1]}]}',
        b"[" * 100_000,
    ],
)
def test_what_is_no_notebook_is_told(content):
    with pytest.raises(HomeError, match="it is no notebook"):
        cells_of(content, "x.ipynb")


def test_the_same_has_no_changes():
    cells = code("a", "b", "b")
    assert whats(compare(cells, cells)) == [("same", n, n) for n in (1, 2, 3)]


def test_cells_are_added_removed_and_changed_where_they_are():
    before = code("import x\nx.a()\nx.b()", "gone", "last")
    after = code("import x\nx.a(1)\nx.b()", "last", "new")
    changes = compare(before, after)
    assert whats(changes) == [
        ("changed", 1, 1),
        ("removed", 2, 0),
        ("same", 3, 2),
        ("added", 0, 3),
    ]
    assert changes[0].lines == (
        (" ", "import x"),
        ("-", "x.a()"),
        ("+", "x.a(1)"),
        (" ", "x.b()"),
    )
    assert changes[1].lines == (("-", "gone"),)


def test_cells_are_told_by_their_ids():
    before = [Cell("code", "a", "1"), Cell("code", "b", "2")]
    after = [Cell("code", "something else", "1"), Cell("code", "b", "2")]
    assert whats(compare(before, after)) == [("changed", 1, 1), ("same", 2, 2)]


def test_ids_that_occur_twice_tell_nothing():
    before = [Cell("code", "a", "1"), Cell("code", "b", "1")]
    after = [Cell("code", "b", "1"), Cell("code", "a", "1")]
    found = whats(compare(before, after))
    assert ("same", 2, 1) in found or ("same", 1, 2) in found


def test_a_cell_of_another_kind_is_another_cell():
    changes = compare([Cell("code", "a\nb")], [Cell("markdown", "a\nb")])
    assert whats(changes) == [("removed", 1, 0), ("added", 0, 1)]


def test_cells_that_are_too_long_are_shown_whole():
    long = "\n".join(map(str, range(5000)))
    (change,) = compare([Cell("code", long, "1")], [Cell("code", long + "\nx", "1")])
    assert change.what == "changed"
    assert len(change.lines) == 10_001


texts = st.lists(st.sampled_from(["a\nb", "a\nc", "b", "", "x\ny\nz", "x\ny"]), max_size=6)


@given(texts, texts)
def test_no_line_of_either_is_lost(before, after):
    changes = compare(code(*before), code(*after))
    old = {change.before for change in changes} - {0}
    new = [change.after for change in changes if change.after]
    assert old == set(range(1, len(before) + 1))
    assert sorted(new) == list(range(1, len(after) + 1))
    for change in changes:
        if change.what == "same":
            assert before[change.before - 1] == after[change.after - 1]
            continue
        for marks, number, sources in (
            ("- ", change.before, before),
            ("+ ", change.after, after),
        ):
            lines = [line for mark, line in change.lines if mark in marks]
            assert lines == (sources[number - 1].splitlines() if number else [])


def parameters(source, value):
    content = set_parameter(notebook(source, tags=["parameters"]), "x", "inputs", value)
    return cells_of(content, "x")[0].source


def test_a_parameter_is_set_and_the_rest_stays():
    source = "# a comment\ninputs = (\n  'x'\n)  # why\nother = 'inputs = 1'\n"
    assert parameters(source, "a.fits") == (
        "# a comment\ninputs = \"a.fits\"  # why\nother = 'inputs = 1'\n"
    )
    assert parameters("é = 1; inputs = 'é'; z = 2", "ü") == 'é = 1; inputs = "ü"; z = 2'


@given(st.text())
def test_whatever_a_file_is_called_it_is_a_text_in_the_notebook(name):
    found = {}
    exec(parameters("inputs = 'x'\nafter = 1", name), found)
    assert found["inputs"] == name
    assert found["after"] == 1


@pytest.mark.parametrize(
    "content",
    [
        notebook("inputs = 1"),  # not tagged
        notebook("x = 1", tags=["parameters"]),
        notebook("inputs = (", tags=["parameters"]),
        b'{"cells": [{"cell_type": "code", "source": "", "metadata": {"tags": 1}}]}',
    ],
)
def test_a_notebook_without_the_parameter_says_so(content):
    with pytest.raises(HomeError, match="it has no parameter inputs"):
        set_parameter(content, "x.ipynb", "inputs", "y")


def test_the_notebook_of_stage_1_takes_an_exposure():
    path = notebooks_folder() / "stage" / "detector1.ipynb"
    content = set_parameter(path.read_bytes(), path.name, "inputs", "mine_uncal.fits")
    before, after = (cells_of(each, path.name) for each in (path.read_bytes(), content))
    (change,) = [each for each in compare(before, after) if each.what != "same"]
    assert [line for mark, line in change.lines if mark == "+"] == [
        'inputs: list = ["mine_uncal.fits"]  # one or more'
    ]

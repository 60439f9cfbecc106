"""The gallery's pages are of the notebooks as they are."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from upramp.notebooks import list_notebooks

GALLERY = Path(__file__).parents[2] / "docs" / "gallery"
NOTEBOOKS = {one.name.removesuffix(".ipynb"): one.path for one in list_notebooks()}


def page_of(name):
    return GALLERY / f"{name.replace('/', '-')}.md"


def test_there_is_a_page_for_each_notebook_and_no_other():
    pages = {path.name for path in GALLERY.glob("*-*.md")}
    assert pages == {page_of(name).name for name in NOTEBOOKS}
    index = (GALLERY / "index.md").read_text()
    assert all(f"({page})" in index for page in pages)


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_page_has_the_cells_of_its_notebook_in_their_order(name):
    page = page_of(name).read_text()
    at = 0
    for cell in json.loads(NOTEBOOKS[name].read_text())["cells"]:
        source = "".join(cell["source"])
        if source.startswith("from upramp"):
            continue  # the page shortens the call that hands all parameters on
        found = page.find(source, at)
        assert found >= 0, f"run docs/make_gallery.py: the page lacks {source[:80]!r}"
        at = found + len(source)


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_page_has_a_picture_for_each_cell_that_draws_one(name):
    page = page_of(name).read_text()
    cells = json.loads(NOTEBOOKS[name].read_text())["cells"]
    drawing = [cell for cell in cells if "run.show(" in "".join(cell["source"])]
    pictures = re.findall(r"^!\[[^\]]+\]\((images/[^)]+)\)", page, re.MULTILINE)
    assert len(pictures) >= len(drawing)
    assert all((GALLERY / one).stat().st_size > 2000 for one in pictures)

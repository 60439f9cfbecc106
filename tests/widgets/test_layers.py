"""Models know nothing of notebooks, and importing the package loads nothing heavy."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import upramp_widgets

PACKAGE = Path(upramp_widgets.__file__).parent
FORBIDDEN = {"IPython", "anywidget", "bokeh", "ipywidgets", "jupyter_bokeh", "traitlets"}
CORE = sorted((PACKAGE / "core").glob("*.py"))
OTHERS = sorted(set(PACKAGE.rglob("*.py")) - set(CORE))


def imported_by(path):
    package = ["upramp_widgets", *path.relative_to(PACKAGE).parts[:-1]]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            yield ".".join([*base, *(node.module.split(".") if node.module else [])])


@pytest.mark.parametrize("path", CORE, ids=lambda path: path.stem)
def test_models_know_nothing_of_notebooks(path):
    names = set(imported_by(path))
    assert not {name.split(".")[0] for name in names} & FORBIDDEN
    assert not any(name.startswith("upramp_widgets.views") for name in names)


@pytest.mark.parametrize(
    "path", sorted((PACKAGE / "views").glob("*.py")), ids=lambda path: path.stem
)
def test_views_know_no_composition(path):
    allowed = ("upramp_widgets.core", "upramp_widgets.views", "upramp_widgets.display")
    own = [name for name in imported_by(path) if name.startswith("upramp_widgets")]
    assert all(name.startswith(allowed) or name == "upramp_widgets" for name in own), own


@pytest.mark.parametrize("path", CORE + OTHERS, ids=lambda path: path.stem)
def test_modules_are_small(path):
    assert len(path.read_text().splitlines()) < 620


def test_importing_the_package_loads_nothing_heavy():
    code = "import upramp_widgets, sys; print(*{n.split('.')[0] for n in sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    heavy = {
        "bokeh",
        "ipywidgets",
        "anywidget",
        "numba",
        "astropy",
        "jwst",
        "matplotlib",
        "regions",
    }
    assert not set(done.stdout.split()) & heavy


def test_every_name_of_the_package_is_there():
    for name in upramp_widgets.__all__:
        assert getattr(upramp_widgets, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        upramp_widgets.Nothing  # noqa: B018 - to ask is the test

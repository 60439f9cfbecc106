"""Dependencies between rooms point one way, and the package is light to import."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "upramp"
BASE = {"errors", "dq", "atomic", "listeners", "memory", "progress", "spared_imports", "spill"}
MAY_IMPORT = {
    "detector1": set(),
    "exposure": {"detector1"},
    "references": {"detector1", "exposure"},
    "stages": {"detector1", "exposure", "references"},
    "practice": {"detector1", "exposure", "references"},
    "kernel": {"detector1", "exposure", "references", "stages"},
    "notebooks": set(),
    "cli": {
        "detector1",
        "exposure",
        "references",
        "stages",
        "practice",
        "kernel",
        "notebooks",
    },
    "__main__": {"cli"},
    "__init__": {"exposure", "stages"},
    **{name: set() for name in BASE},
}
FORBIDDEN = {
    "IPython",
    "bokeh",
    "ipykernel",
    "ipywidgets",
    "jupyter_core",
    "jupyterlab",
    "notebook",
}
OFFICIAL = ("jwst", "stcal", "stdatamodels", "stpipe", "crds", "pysiaf", "gwcs", "numba")


def room_of(path: Path) -> str:
    part = path.relative_to(SOURCE).parts[0]
    return part.removesuffix(".py")


def imported_by(path: Path) -> set[str]:
    """Dotted names of all that a module imports, relative ones spelled out."""
    package = ["upramp", *path.relative_to(SOURCE).parts[:-1]]
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *(node.module.split(".") if node.module else [])])
            found |= {f"{module}.{alias.name}" for alias in node.names}
    return found


MODULES = sorted(SOURCE.rglob("*.py"))


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(SOURCE)))
def test_imports_point_downwards(path):
    room = room_of(path)
    rooms = {
        name.split(".")[1]
        for name in imported_by(path)
        if name.startswith("upramp.") and name.split(".")[1] in MAY_IMPORT
    }
    assert rooms - {room} - BASE <= MAY_IMPORT[room] | {"__init__"}


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(SOURCE)))
def test_no_room_needs_jupyter(path):
    if room_of(path) != "kernel":
        assert not {name.split(".")[0] for name in imported_by(path)} & FORBIDDEN


def test_every_room_is_known():
    rooms = {room_of(path) for path in MODULES}
    assert rooms <= set(MAY_IMPORT)


@pytest.mark.parametrize(
    "statement",
    ["import upramp", "import upramp; upramp.open", "import upramp.cli", "import upramp.practice"],
)
def test_importing_loads_no_official_package(statement):
    code = f"{statement}\nimport sys\nprint(*{{n.split('.')[0] for n in sys.modules}})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not set(done.stdout.split()) & set(OFFICIAL)


@pytest.mark.peer
def test_dq_mnemonics_are_the_official_ones():
    from stdatamodels.jwst.datamodels import dqflags

    from upramp.dq import GROUP, PIXEL

    others = {"GOOD"}  # no bit
    assert {n: b for n, b in dqflags.pixel.items() if n not in others} == PIXEL
    assert {n: b for n, b in dqflags.group.items() if n not in others}.items() <= GROUP.items()

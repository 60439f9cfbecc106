"""Compiled kernels on disk: found again, or compiled anew, never wrong and never in the way."""

from __future__ import annotations

import ast
import ctypes
import importlib
import json
import os
import pickle
import pkgutil
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from upramp.detector1 import kernel_cache, kernels
from upramp.detector1.__main__ import main as compile_all
from upramp.detector1.kernels import Kernel, f8

PR_CAPBSET_DROP, CAP_DAC_OVERRIDE = 24, 1

MODULES = {
    "__init__": "",
    "outer": (
        "from .helper import double\n"
        "def function(x):\n    return double(x) + 1.0\n"
        "def other(x):\n    return x - 1.0\n"
    ),
    "helper": (
        "from upramp.detector1.kernels import inner\n"
        "from .constants import (\n    FACTOR,\n)\n"
        "@inner\ndef double(x):\n    return FACTOR * x\n"
    ),
    "constants": "FACTOR = 2.0\n",
    "stranger": "NUMBER = 1\n",
}
SCRIPT = """
import json, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from upramp.detector1 import kernel_cache, kernels
kernel_cache.installation_folder = lambda: Path(sys.argv[2])
if len(sys.argv) > 3:
    kernel_cache.open_installation()
from small_kernels import outer
declared = kernels.kernel(kernels.f8)(outer.function)
kernels._declared[:] = [declared]
missing = kernels.prepare()
value = declared(20.0)
stats = declared._compiled.stats
print(json.dumps([missing, value, len(stats.cache_hits), len(stats.cache_misses)]))
"""
COMPILED, FOUND = [1, 41.0, 0, 1], [0, 41.0, 1, 0]


@pytest.fixture
def package(tmp_path):
    """A folder on the path with a package of kernels of its own."""
    folder = tmp_path / "path" / "small_kernels"
    folder.mkdir(parents=True)
    for name, text in MODULES.items():
        (folder / f"{name}.py").write_text(text)
    return folder


@pytest.fixture
def home(tmp_path):
    folder = tmp_path / "home"
    folder.mkdir()
    return folder


def run(package, home, installation="/none", *options, before=None, **environment):
    kept = {k: v for k, v in os.environ.items() if k not in {"UPRAMP_KERNEL_CACHE", "HOME"}}
    kept.pop("XDG_CACHE_HOME", None)
    out = subprocess.run(
        [sys.executable, "-B", "-c", SCRIPT, str(package.parent), str(installation), *options],
        capture_output=True,
        text=True,
        check=False,
        env={**kept, "HOME": str(home), **environment},
        preexec_fn=before,
    )
    assert (out.returncode, out.stderr) == (0, "")
    return json.loads(out.stdout)


def drop_override():
    """Let permissions hold for root too, once the process runs something."""
    if os.geteuid() == 0:
        ctypes.CDLL(None).prctl(PR_CAPBSET_DROP, CAP_DAC_OVERRIDE, 0, 0, 0)


def files(folder):
    return {
        str(f.relative_to(folder)): (f.stat().st_mtime_ns, f.stat().st_ino)
        for f in folder.rglob("*")
        if f.is_file()
    }


def read_only(folder):
    for each in [folder, *folder.rglob("*")]:
        each.chmod(0o555 if each.is_dir() else 0o444)


# ---- processes of their own


def test_a_second_process_finds_what_the_first_compiled(package, home):
    assert run(package, home) == COMPILED
    kept = files(home / ".cache" / "upramp" / "kernels")
    assert len(kept) == 2
    assert all("numba" in name for name in kept)
    assert run(package, home) == FOUND
    assert files(home / ".cache" / "upramp" / "kernels") == kept


def test_places_that_the_environment_names(package, home, tmp_path):
    own, xdg = tmp_path / "own", tmp_path / "xdg"
    assert run(package, home, XDG_CACHE_HOME=str(xdg)) == COMPILED
    assert len(files(xdg / "upramp" / "kernels")) == 2
    assert run(package, home, UPRAMP_KERNEL_CACHE=str(own)) == COMPILED
    assert run(package, home, UPRAMP_KERNEL_CACHE=str(own)) == FOUND
    assert len(files(own)) == 2
    assert list(home.iterdir()) == []


def test_an_installation_that_may_be_written_is_used_before_the_home(package, home, tmp_path):
    installation = tmp_path / "installation"
    (installation / kernel_cache._version()).mkdir(parents=True)
    assert run(package, home, installation) == COMPILED
    assert run(package, home, installation) == FOUND
    assert len(files(installation)) == 2
    # Whoever names a folder of their own wants no other.
    assert run(package, home, installation, UPRAMP_KERNEL_CACHE=str(tmp_path / "o")) == COMPILED


def test_what_a_user_has_compiled_does_not_keep_it_out_of_the_installation(
    package, home, tmp_path
):
    installation = tmp_path / "installation"
    assert run(package, home) == COMPILED
    assert run(package, home, installation, "for all") == COMPILED
    assert len(files(installation)) == 2
    assert run(package, home, installation, "for all") == FOUND
    assert run(package, tmp_path / "another", installation) == FOUND


def test_a_read_only_installation_serves_and_is_not_written(package, home, tmp_path):
    installation = tmp_path / "installation"
    (installation / kernel_cache._version()).mkdir(parents=True)
    assert run(package, home, installation) == COMPILED
    before = files(installation)
    read_only(installation)
    read_only(home)
    assert run(package, home, installation, before=drop_override) == FOUND
    assert files(installation) == before
    home.chmod(0o755)
    # What it does not have goes to the user's own folder.
    (package / "constants.py").write_text("FACTOR = 4.0 / 2.0\n")
    assert run(package, home, installation, before=drop_override) == COMPILED
    assert run(package, home, installation, before=drop_override) == FOUND
    assert files(installation) == before
    assert len(files(home)) == 2


def test_nothing_may_be_written_anywhere(package, home):
    read_only(home)
    for place in ({}, {"UPRAMP_KERNEL_CACHE": str(home / "none")}):
        for _ in range(2):
            assert run(package, home, before=drop_override, **place) == COMPILED
    assert list(home.iterdir()) == []


def test_a_folder_of_ones_own_that_is_read_only_serves(package, home, tmp_path):
    own = tmp_path / "own"
    assert run(package, home, UPRAMP_KERNEL_CACHE=str(own)) == COMPILED
    read_only(own)
    before = files(own)
    assert run(package, home, UPRAMP_KERNEL_CACHE=str(own), before=drop_override) == FOUND
    assert files(own) == before


def test_a_file_where_the_folder_should_be(package, home):
    (home / ".cache").write_text("not a folder")
    assert run(package, home) == COMPILED
    assert (home / ".cache").read_text() == "not a folder"


def test_a_full_disk_costs_time_only(package, home):
    def small_files():
        resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))

    assert run(package, home, before=small_files) == COMPILED
    assert not [name for name in files(home) if ".tmp." in name]
    assert run(package, home)[1] == 41.0
    assert run(package, home) == FOUND


def test_two_processes_at_once(package, home):
    command = [sys.executable, "-B", "-c", SCRIPT, str(package.parent), "/none"]
    environment = {**os.environ, "UPRAMP_KERNEL_CACHE": str(home)}
    both = [
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
        for _ in range(2)
    ]
    assert [json.loads(each.communicate()[0])[1] for each in both] == [41.0, 41.0]
    assert run(package, home, UPRAMP_KERNEL_CACHE=str(home)) == FOUND
    assert len(files(home)) == 2


# ---- in this process


@pytest.fixture
def world(package, tmp_path, monkeypatch):
    """A call that compiles a function of the package or finds it; gives its value, and which."""
    folder = tmp_path / "kernels"
    folder.mkdir()
    monkeypatch.setattr(kernel_cache, "folders", lambda: ((folder,), folder))
    monkeypatch.syspath_prepend(str(package.parent))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)

    def call(name="function"):
        for module in [m for m in sys.modules if m.startswith("small_kernels")]:
            del sys.modules[module]
        importlib.invalidate_caches()
        kernel_cache._text.cache_clear()
        kernel_cache._source_stamp.cache_clear()
        module = importlib.import_module("small_kernels.outer")
        kernel = Kernel(getattr(module, name), (f8,))
        assert not kernel.is_ready
        call.kept = kernel.is_kept
        value = kernel(20.0)
        assert kernel.is_ready
        return value, len(kernel._compiled.stats.cache_hits)

    call.folder = folder
    call.package = package
    return call


def test_an_unchanged_source_is_found(world):
    assert world() == (41.0, 0)
    assert not world.kept
    assert world() == (41.0, 1)
    assert world.kept


@pytest.mark.parametrize(
    ("module", "old", "new", "value"),
    [
        ("outer", "+ 1.0", "+ 3.0", 43.0),
        ("helper", "FACTOR * x", "FACTOR * x * 2.0", 81.0),
        ("constants", "2.0", "3.0", 61.0),
        ("outer", "x - 1.0", "x - 2.0", 41.0),  # elsewhere in its module
    ],
)
def test_a_changed_source_of_what_it_imports_is_compiled_anew(world, module, old, new, value):
    assert world() == (41.0, 0)
    file = world.package / f"{module}.py"
    file.write_text(file.read_text().replace(old, new))
    assert world() == (value, 0)
    assert not world.kept
    assert world() == (value, 1)


def test_a_changed_source_of_a_stranger_is_none_of_its_business(world):
    assert world() == (41.0, 0)
    (world.package / "stranger.py").write_text("NUMBER = 2\n")
    assert world() == (41.0, 1)


def test_functions_of_one_module_do_not_meet(world):
    assert world() == (41.0, 0)
    assert world("other") == (19.0, 0)
    assert world() == (41.0, 1)
    assert world("other") == (19.0, 1)


def _cut(file):
    file.write_bytes(file.read_bytes()[:-100])


def _empty(file):
    file.write_bytes(b"")


def _garbage(file):
    file.write_bytes(bytes(range(256)) * 8)


def _zeros(file):
    file.write_bytes(bytes(file.stat().st_size))


def _flip(file):
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 8
    file.write_bytes(content)


def _another(file):
    # What a class that is no longer there, or never was, leaves behind.
    file.write_bytes(pickle.dumps("0.1") + b"cno_such_module\nThing\n.")


@pytest.mark.parametrize("ending", ["nbi", "nbc"])
@pytest.mark.parametrize("spoil", [_cut, _empty, _garbage, _zeros, _flip, _another, Path.unlink])
def test_a_damaged_entry_is_compiled_anew_and_replaced(world, ending, spoil):
    assert world() == (41.0, 0)
    (file,) = world.folder.glob(f"*.{ending}")
    spoil(file)
    assert world() == (41.0, 0)
    assert world() == (41.0, 1)
    assert not list(world.folder.glob("*.tmp.*"))


@pytest.mark.parametrize("ending", ["nbi", "nbc"])
def test_a_folder_in_place_of_an_entry_is_lived_with(world, ending):
    assert world() == (41.0, 0)
    (file,) = world.folder.glob(f"*.{ending}")
    file.unlink()
    file.mkdir()
    for _ in range(2):
        assert world() == (41.0, 0)


def test_an_index_does_not_serve_with_the_code_of_another_source(world):
    # As where two versions share a folder, and one writes while the other reads.
    assert world() == (41.0, 0)
    (index,) = world.folder.glob("*.nbi")
    (code,) = world.folder.glob("*.nbc")
    old = code.read_bytes()
    file = world.package / "constants.py"
    file.write_text("FACTOR = 3.0\n")
    assert world() == (61.0, 0)
    code.write_bytes(old)
    assert world() == (61.0, 0)
    assert world() == (61.0, 1)
    assert index.exists()


ROOM = Path(kernel_cache.__file__).parent


@pytest.mark.parametrize("file", sorted(ROOM.glob("*.py")), ids=lambda f: f.stem)
def test_stamps_cover_what_a_module_imports_from_the_room(file):
    # Imports that are not seen would leave kernels in use whose callees have changed.
    found = {}
    kernel_cache._sources(file, found)
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            assert not any(alias.name.startswith("upramp.detector1") for alias in node.names)
        if not isinstance(node, ast.ImportFrom):
            continue
        module = node.module or ""
        if node.level == 0 and not (module + ".").startswith("upramp.detector1."):
            continue
        name = module.removeprefix("upramp.detector1").strip(".")
        for each in [name] if name else [alias.name for alias in node.names]:
            assert f"{each}.py" in found
    assert file.name in found


def test_stamps_do_not_cover_everything():
    found = {}
    kernel_cache._sources(ROOM / "two_point.py", found)
    assert {"two_point.py", "sorting.py", "kernels.py"} <= set(found)
    assert "likely.py" not in found


def test_user_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("UPRAMP_KERNEL_CACHE", str(tmp_path / "a"))
    assert kernel_cache.user_folder() == tmp_path / "a"
    monkeypatch.delenv("UPRAMP_KERNEL_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "x"))
    assert kernel_cache.user_folder() == tmp_path / "x" / "upramp" / "kernels"
    monkeypatch.setenv("XDG_CACHE_HOME", "")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert kernel_cache.user_folder() == tmp_path / ".cache" / "upramp" / "kernels"


def test_kernels_of_another_processor_do_not_count(world, monkeypatch):
    assert world() == (41.0, 0)
    monkeypatch.setattr(kernel_cache, "_processor", lambda: ("another", "one"))
    world()
    assert not world.kept


# ---- python -m upramp.detector1


@pytest.fixture
def installation(tmp_path, monkeypatch):
    """An installation of its own, with one kernel, for a user with a strict mask."""
    folder = tmp_path / "installation" / "__kernels__"
    monkeypatch.setattr(kernel_cache, "installation_folder", lambda: folder)
    monkeypatch.setattr(kernels, "_declared", [Kernel(_half, (f8,))])
    monkeypatch.setenv("UPRAMP_KERNEL_CACHE", str(tmp_path / "own"))
    monkeypatch.setattr(pkgutil, "iter_modules", lambda _path: [])
    kernel_cache.folders.cache_clear()
    mask = os.umask(0o077)
    yield folder
    os.umask(mask)
    kernel_cache.folders.cache_clear()


def _half(x):
    return x / 2


def test_compiling_into_the_installation(installation, tmp_path, capsys):
    folder = installation / kernel_cache._version()
    assert compile_all() == 0
    assert capsys.readouterr().out == f"compiled 1 kernels into {folder}\n"
    assert len(files(folder)) == 2
    assert not (tmp_path / "own").exists()
    for each in (installation, folder):
        assert each.stat().st_mode & 0o777 == 0o755
    assert all(each.stat().st_mode & 0o777 == 0o644 for each in folder.iterdir())
    kernels._declared[:] = [Kernel(_half, (f8,))]
    assert compile_all() == 0
    assert "compiled 0 kernels" in capsys.readouterr().out


def test_an_installation_that_may_not_be_written(installation, capsys):
    installation.parent.mkdir()
    installation.write_text("no folder")
    assert compile_all() == 1
    assert "this user may not write it; let whoever installed upramp" in capsys.readouterr().err

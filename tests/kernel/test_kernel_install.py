"""The kernelspec: where it goes, what it runs, and what is in its way."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from upramp.errors import OutputError, UsageError
from upramp.kernel.install import SPECIFICATION, install, kernels_folder, remove

PROJECT = Path(__file__).resolve().parents[2]


def test_it_runs_the_interpreter_that_installed_it(tmp_path):
    folder = install(prefix=tmp_path)
    assert folder == tmp_path / "share" / "jupyter" / "kernels" / "upramp"
    content = json.loads((folder / "kernel.json").read_text())
    assert content["argv"][0] == sys.executable
    assert content["display_name"] == "Calibration"
    assert {file.name for file in folder.iterdir()} == {
        "kernel.json",
        "logo-svg.svg",
        "logo-32x32.png",
        "logo-64x64.png",
    }


def test_again_replaces_it_and_removing_leaves_nothing(tmp_path):
    folder = install(prefix=tmp_path)
    (folder / "old").touch()
    install(prefix=tmp_path)
    assert not (folder / "old").exists()
    assert [entry.name for entry in folder.parent.parent.iterdir()] == ["kernels"]
    assert remove(prefix=tmp_path) == folder
    assert not list(folder.parent.iterdir())
    with pytest.raises(UsageError, match="no kernelspec"):
        remove(prefix=tmp_path)


def test_somebody_elses_folder_is_left_alone(tmp_path):
    folder = kernels_folder(prefix=tmp_path) / "upramp"
    folder.mkdir(parents=True)
    (folder / "mine").touch()
    for action in (install, remove):
        with pytest.raises(OutputError, match="something else"):
            action(prefix=tmp_path)
    assert (folder / "mine").exists()


def test_for_this_user(tmp_path, monkeypatch):
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path))
    assert kernels_folder(user=True) == tmp_path / "kernels"


def test_the_commands(tmp_path):
    def upramp(*words):
        command = [sys.executable, "-m", "upramp", "kernel", *words, "--prefix", str(tmp_path)]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    assert "installed the kernel Calibration" in upramp("install").stdout
    assert upramp("remove").stdout.startswith("removed ")
    again = upramp("remove")
    assert (again.returncode, again.stderr.count("\n")) == (2, 1)


def test_a_wheel_carries_what_there_is():
    wheel = tomllib.loads((PROJECT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]
    shared = wheel["targets"]["wheel"]["shared-data"]
    assert shared[str(SPECIFICATION.relative_to(PROJECT))] == "share/jupyter/kernels/upramp"
    assert all((PROJECT / source).is_dir() for source in shared)
    # A wheel does not know where it will be: Jupyter puts its own interpreter there.
    assert json.loads((SPECIFICATION / "kernel.json").read_text())["argv"][0] == "python"

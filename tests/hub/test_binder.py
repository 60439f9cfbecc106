"""Binder's environment is this project's, and what builds and starts it does."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
BINDER = ROOT / "binder"


@pytest.fixture(scope="module")
def project():
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


@pytest.fixture(scope="module")
def lines():
    text = (BINDER / "requirements.txt").read_text()
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def pins():
    found = {}
    for line in (ROOT / "constraints.txt").read_text().splitlines():
        if line and not line.startswith("#"):
            name, equals, release = line.partition("==")
            assert equals, line
            found[canonicalize_name(name)] = release
    return found


# ---- the environment


def test_there_is_one_list_of_releases(lines):
    # pip reads the first relative to the file, the second relative to where it is run.
    constraints, itself = lines
    flag, path = constraints.split()
    assert flag == "-c"
    assert (BINDER / path).resolve() == ROOT / "constraints.txt"
    assert itself == "-e .[hub]"


def requirements(project, extra=None):
    """What the project, or an extra of it, asks for of others: an extra may name other extras."""
    listed = project["optional-dependencies"][extra] if extra else project["dependencies"]
    for each in map(Requirement, listed):
        if canonicalize_name(each.name) == project["name"]:
            assert each.extras, each
            for other in each.extras:
                yield from requirements(project, other)
        else:
            yield each


def test_all_that_is_asked_for_is_pinned_as_it_is_here(project):
    asked = [*requirements(project), *requirements(project, "hub")]
    assert {"jupyterhub", "anywidget"} <= {each.name for each in asked}
    pinned = pins()
    for each in asked:
        release = pinned[canonicalize_name(each.name)]
        assert each.specifier.contains(release), each
        assert version(each.name) == release, each


def test_python_is_one_that_this_project_takes(project):
    (release,) = re.findall(
        r"^python-(3\.\d+)$", (BINDER / "runtime.txt").read_text(), re.MULTILINE
    )
    assert SpecifierSet(project["requires-python"]).contains(f"{release}.0")
    # The images of the hub have the same.
    dockerfile = (ROOT / "hub_config" / "kubernetes" / "Dockerfile").read_text()
    assert f"FROM python:{release}-slim" in dockerfile


def test_nothing_says_where_packages_come_from():
    for file in BINDER.iterdir():
        assert "://" not in file.read_text(), file
        assert "index" not in file.read_text(), file


@pytest.mark.parametrize("name", ["postBuild", "start", "make-archive"])
def test_scripts_can_be_run_and_stop_at_what_fails(name):
    script = BINDER / name
    assert os.access(script, os.X_OK)
    assert script.read_text().startswith("#!/usr/bin/env bash\n")
    assert "set -euo pipefail" in script.read_text()
    subprocess.run(["bash", "-n", str(script)], check=True)


# ---- what is run


@pytest.fixture
def image(tmp_path):
    """Give the environment of a scratch image: its own home and prefix, this project's packages.

    ``python -m upramp.detector1``, which takes minutes and has tests of its own,
    is written down and not run.
    """
    home, prefix = tmp_path / "home", tmp_path / "prefix"
    home.mkdir()
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(prefix)], check=True)
    (packages,) = (prefix / "lib").glob("python*/site-packages")
    here = [path for path in sys.path if path.endswith(("site-packages", "src"))]
    (packages / "here.pth").write_text("\n".join([*here, str(ROOT / "src")]))
    commands = tmp_path / "bin"
    commands.mkdir()
    for name, body in (
        ("upramp", f'exec "{prefix}/bin/python" -m upramp "$@"'),
        ("python", f'echo "$@" >> "{tmp_path}/python.log"'),
    ):
        script = commands / name
        script.write_text(f"#!/bin/sh\n{body}\n")
        script.chmod(0o755)
    variables = {
        "HOME": str(home),
        "PATH": f"{commands}{os.pathsep}/usr/bin{os.pathsep}/bin",
        "UPRAMP_BINDER_PROGRAMS": "miri-sub64",
        "CRDS_SERVER_URL": "somewhere",
    }
    return tmp_path, prefix, variables


def run(script, *arguments, variables):
    return subprocess.run(
        [str(BINDER / script), *arguments],
        env=variables,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.mark.slow
def test_what_builds_the_image_leaves_a_kernel_and_an_archive_that_a_server_finds(image):
    folder, prefix, variables = image
    built = run("postBuild", variables=variables)
    assert built.returncode == 0, built.stderr
    assert (prefix / "share" / "jupyter" / "kernels" / "upramp" / "kernel.json").is_file()
    assert (folder / "python.log").read_text() == "-m upramp.detector1\n"
    archive = folder / "home" / ".local" / "share" / "upramp" / "archive"
    assert list((archive / "uncal").glob("*mirimage_uncal.fits"))

    # Nothing is made again: without the command, it could not be.
    (folder / "bin" / "upramp").unlink()
    code = "import os; print(os.environ['UPRAMP_ARCHIVE'], os.environ['CRDS_PATH'])"
    code += "; print(os.environ['CRDS_CONTEXT'], os.environ.get('CRDS_SERVER_URL'))"
    started = run("start", sys.executable, "-c", code, variables=variables)
    assert started.stdout.split() == [
        *(str(archive), str(archive / "crds"), "jwst_0001.pmap", "None"),
    ]
    context = archive / "crds" / "mappings" / "jwst" / "jwst_0001.pmap"
    assert context.is_file()


def test_a_server_starts_even_if_the_archive_cannot_be_made(image):
    folder, _, variables = image
    (folder / "bin" / "upramp").write_text("#!/bin/sh\necho no room >&2; exit 1\n")
    started = run("start", "sh", "-c", 'echo "up ${UPRAMP_ARCHIVE-without}"', variables=variables)
    assert (started.returncode, started.stdout) == (0, "up without\n")
    assert "no room" in started.stderr
    # What failed is not taken for done at the next start.
    assert not list(folder.rglob(".made"))


def test_an_image_is_not_built_if_the_archive_cannot_be_made(image):
    folder, _, variables = image
    (folder / "bin" / "upramp").write_text('#!/bin/sh\n[ "$1" = kernel ]\n')
    assert run("postBuild", variables=variables).returncode != 0


def test_the_exit_code_and_the_arguments_are_the_servers(image):
    folder, _, variables = image
    (folder / "bin" / "upramp").write_text("#!/bin/sh\n")
    started = run("start", "sh", "-c", 'echo "$1"; exit 7', "-", "two words", variables=variables)
    assert (started.returncode, started.stdout) == (7, "two words\n")

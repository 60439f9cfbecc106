"""Robots before a real hub, through the project's proxy."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from plain_hub import PlainHub
from proxy_process import TOKEN, environment, stopping

pytestmark = [pytest.mark.hub, pytest.mark.slow]

for package in ("jupyterhub", "jupyter_server", "ipykernel"):
    pytest.importorskip(package, reason="the hub's packages are not installed")


@pytest.fixture(scope="module")
def hub():
    with stopping(PlainHub()) as running:
        yield running


@pytest.fixture
def secret(tmp_path):
    def write(text):
        file = tmp_path / "secret"
        file.touch(0o600)
        file.write_text(text)
        return str(file)

    return write


def send(hub, *options):
    command = [sys.executable, "-m", "upramp_hub.robot", "--url", hub.url, "--json", "-"]
    done = subprocess.run(
        [*command, *options],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout), done.stderr


def test_two_robots_log_in_run_cells_read_the_archive_and_leave_nothing(
    hub, secret, practice_archive
):
    logins = secret("ada:sesame\nb.o-b@x:sesame\n")
    options = ("--logins", logins, "--archive", str(practice_archive), "--rounds", "2")
    code, report, table = send(hub, *options)
    assert code == 0, (table, hub.log.read_text()[-3000:])
    assert report["visits"] == {"begun": 2, "completed": 2}
    assert report["cells"] == {"sent": 10, "lost": 0, "wrong": 0}
    assert report["stages"]["archive"]["count"] == 4
    assert all(not user["servers"] for user in hub.api("users"))


def test_a_service_speaks_for_robots_that_stay(hub, secret):
    options = ("--token", secret(TOKEN), "--stay", "--no-archive", "--rounds", "0")
    code, report, table = send(hub, *options)
    assert code == 0, (table, hub.log.read_text()[-3000:])
    assert report["open_websockets"] == 1
    assert hub.api("users/robot-001")["servers"][""]["ready"]


def test_a_wrong_password_is_a_failure_of_the_login(hub, secret):
    code, report, table = send(hub, "--logins", secret("ada:wrong\n"))
    assert code == 1
    assert report["failures_by_stage"] == {"login": 1}
    assert "Invalid username or password" in table

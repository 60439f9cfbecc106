"""The units of systemd: sound by its own tools, and agreeing with what they start."""

from __future__ import annotations

import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections import defaultdict
from pathlib import Path

import pytest
from aiohttp import web
from proxy_process import application, environment, free_port, stopping, until

from upramp.errors import InputError
from upramp_hub import ports, systemd
from upramp_hub.client import ask_for_routes
from upramp_hub.proxy.main import read_options
from upramp_hub.settings import PROXY_TOKEN, Settings, proxy_options

FOLDER = Path(__file__).resolve().parents[2] / "hub_config" / "systemd"
UNITS = (
    "upramp-hub-prepare",
    "upramp-hub-proxy-ports",
    "upramp-hub-proxy",
    "upramp-hub-port",
    "upramp-hub",
)
PYTHON = "/opt/upramp/bin/python"
ANALYZE = shutil.which("systemd-analyze")
needs_systemd = pytest.mark.skipif(ANALYZE is None, reason="systemd is not here")


@pytest.fixture
def installed(tmp_path):
    """Give the units with an interpreter that there is, as systemd looks at what they run."""
    for unit in UNITS:
        text = (FOLDER / f"{unit}.service").read_text()
        (tmp_path / f"{unit}.service").write_text(text.replace(PYTHON, sys.executable))
    return tmp_path


def analyzed(*arguments):
    return subprocess.run(
        [ANALYZE, *map(str, arguments)], capture_output=True, text=True, check=False
    )


def read(unit):
    """Give the settings of a unit; those that may be there often come as one text."""
    found = defaultdict(list)
    for line in (FOLDER / f"{unit}.service").read_text().splitlines():
        if line and line[0] not in "#[":
            name, _, value = line.partition("=")
            found[name].append(value)
    return {name: " ".join(values) for name, values in found.items()}


@pytest.fixture(params=UNITS)
def unit(request):
    return read(request.param)


# ---- by systemd's own tools


@needs_systemd
def test_systemd_finds_nothing_wrong(installed):
    done = analyzed("verify", "--man=no", *sorted(installed.iterdir()))
    assert (done.returncode, done.stderr) == (0, "")


@needs_systemd
def test_systemd_would_find_what_is_wrong(installed):
    hub = installed / "upramp-hub.service"
    hub.write_text(hub.read_text().replace("KillMode=process", "KillMode=gently"))
    assert "gently" in analyzed("verify", "--man=no", hub).stderr


@needs_systemd
@pytest.mark.parametrize(
    ("unit", "most"),
    # In tenths, as systemd counts: nobody's service, and one that starts others' programs.
    [
        ("upramp-hub-proxy", 20),
        ("upramp-hub-proxy-ports", 20),
        ("upramp-hub-prepare", 20),
        ("upramp-hub-port", 30),
        ("upramp-hub", 50),
    ],
)
def test_units_expose_little(installed, unit, most):
    file = installed / f"{unit}.service"
    done = analyzed("security", "--offline=true", "--no-pager", f"--threshold={most}", file)
    assert done.returncode == 0, done.stdout[-300:]


# ---- what outlives what


def test_servers_outlive_the_hub():
    hub = read("upramp-hub")
    assert hub["KillMode"] == "process"
    # One kernel that the system kills is not the end of all.
    assert hub["OOMPolicy"] == "continue"
    # Emptied under servers that go on, if it were the hub's own.
    assert hub["PrivateTmp"] == "no"


def test_hub_and_proxy_are_restarted_and_never_because_of_each_other():
    for name, other in (("upramp-hub", "upramp-hub-proxy"), ("upramp-hub-proxy", "upramp-hub")):
        found = read(name)
        assert found["Restart"] == "always"
        # However often it fails in a row.
        assert found["StartLimitIntervalSec"] == "0"
        for tie in ("Requires", "BindsTo", "PartOf", "Requisite", "Upholds", "Conflicts"):
            assert f"{other}.service" not in found.get(tie, "").split()
    hub = read("upramp-hub")
    assert "upramp-hub-proxy.service" in hub["Wants"].split()
    assert "upramp-hub-proxy.service" in hub["After"].split()


def test_ports_are_kept_by_the_user_who_listens_on_them():
    for name, keeper in (
        ("upramp-hub", "upramp-hub-port"),
        ("upramp-hub-proxy", "upramp-hub-proxy-ports"),
    ):
        found, keeping = read(name), read(keeper)
        assert found["Environment"] == f"{ports.VARIABLE}=1"
        assert f"{keeper}.service" in found["After"].split()
        assert f"{keeper}.service" in found["Wants"].split()
        for each in ("User", "DynamicUser"):
            assert keeping.get(each) == found.get(each)
        assert keeping["Restart"] == "always"


def test_secrets_are_there_before_who_needs_them():
    for name in ("upramp-hub", "upramp-hub-proxy"):
        found = read(name)
        assert "upramp-hub-prepare.service" in found["Requires"].split()
        assert "upramp-hub-prepare.service" in found["After"].split()
    prepare = read("upramp-hub-prepare")
    assert (prepare["Type"], prepare["RemainAfterExit"]) == ("oneshot", "yes")


def test_the_proxy_is_nobody_and_knows_one_secret():
    proxy = read("upramp-hub-proxy")
    assert proxy["DynamicUser"] == "yes"
    assert proxy["CapabilityBoundingSet"] == ""
    name, path = proxy["LoadCredential"].split(":")
    state = systemd.read_environment(FOLDER / "environment")["UPRAMP_HUB_STATE"]
    assert (name, path) == (PROXY_TOKEN, f"{state}/{PROXY_TOKEN}")
    # Only the hub's folder, and its root owns that.
    assert "StateDirectory" not in proxy


def test_every_unit_is_private(unit):
    assert unit["UMask"] == "0077"
    assert unit["NoNewPrivileges"] == "yes"
    assert unit["ProtectSystem"] == "strict"
    assert unit["EnvironmentFile"] == "/etc/upramp-hub/environment"


# ---- paths and variables


def test_the_example_is_what_the_units_expect():
    variables = systemd.read_environment(FOLDER / "environment")
    settings = Settings.from_environment(variables)
    assert variables.keys() <= settings.to_environment().keys()
    for name in ("upramp-hub", "upramp-hub-prepare"):
        assert settings.state == Path("/var/lib", read(name)["StateDirectory"])
        assert read(name)["StateDirectoryMode"] == "0700"
    hub = read("upramp-hub")
    assert hub["WorkingDirectory"] == str(settings.state)
    # Everything else is read-only for the hub and for servers.
    assert hub["ReadWritePaths"].split() == [str(settings.homes)]
    mounts = hub["RequiresMountsFor"].split()
    assert mounts == [str(settings.homes), str(settings.archive)]
    # TLS stands before it.
    assert settings.address == "127.0.0.1"


def test_what_units_run_there_is():
    for name in UNITS:
        found = read(name)
        for key in ("ExecStart", "ExecStartPost"):
            for what in re.findall(r"-m upramp_hub\.systemd (\S+)", found.get(key, "")):
                done = subprocess.run(
                    [sys.executable, "-m", "upramp_hub.systemd", what, "--help"],
                    env=environment(),
                    capture_output=True,
                    text=True,
                    check=False,
                )
                assert done.returncode == 0, done.stderr
    assert read("upramp-hub")["ExecStart"] == (
        f"{PYTHON} -m jupyterhub -f /etc/upramp-hub/jupyterhub_config.py"
    )


def test_the_guide_installs_what_there_is():
    text = (FOLDER / "README.md").read_text()
    root = FOLDER.parents[1]
    named = set(re.findall(r"hub_config/[\w./-]+\w", text))
    assert "hub_config/systemd/*.service" in text
    assert {file.stem for file in FOLDER.glob("*.service")} == {*UNITS}
    assert "hub_config/systemd/environment" in named
    # The configuration of the hub stands beside this package.
    for path in named - {"hub_config/jupyterhub_config.py", "hub_config/systemd"}:
        assert (root / path).is_file(), path
    assert "upramp_hub.systemd first-login --environment /etc/upramp-hub/environment" in text


# ---- the file of variables


def test_variables_are_read_as_systemd_reads_them(tmp_path):
    file = tmp_path / "environment"
    file.write_text("# x\n; y\n\nA=1\nB=\"two words\"\nC='3'\nD=\nE=a=b\n  F=6\n")
    assert systemd.read_environment(file) == {
        "A": "1",
        "B": "two words",
        "C": "3",
        "D": "",
        "E": "a=b",
        "F": "6",
    }


@pytest.mark.parametrize("text", ["A", "=1", "export A=1", "A B=1", "\udcff"])
def test_a_file_of_something_else_is_refused(tmp_path, text):
    file = tmp_path / "environment"
    file.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(InputError, match="environment"):
        systemd.read_environment(file)


# ---- what they run


def run(what, *options, **variables):
    return subprocess.run(
        [sys.executable, "-m", "upramp_hub.systemd", what, *options],
        env=environment(**variables),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_prepare_makes_a_private_folder_and_keeps_secrets(tmp_path):
    state = tmp_path / "state"
    found = []
    for _ in range(2):
        done = run("prepare", UPRAMP_HUB_STATE=str(state))
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        found.append((state / PROXY_TOKEN).read_text())
    assert found[0] == found[1]
    assert stat.S_IMODE(state.stat().st_mode) == 0o700
    assert all(stat.S_IMODE(file.stat().st_mode) == 0o600 for file in state.iterdir())


def test_the_first_login_is_shown_once(tmp_path):
    file = tmp_path / "environment"
    file.write_text(f"UPRAMP_HUB_STATE={tmp_path / 'state'}\n")
    first, second = (run("first-login", "--environment", str(file)) for _ in range(2))
    assert first.returncode == 0, first.stderr
    assert re.fullmatch(r"first login: \w+, password \S+ \(shown this once.*\)\n", first.stdout)
    assert second.returncode == 1
    assert "password" not in second.stdout


def test_the_proxy_has_the_ports_of_the_settings():
    settings = Settings(port=9000, address="127.0.0.1")
    options = read_options(proxy_options(settings), {"CONFIGPROXY_AUTH_TOKEN": "a-secret"})
    assert (options.ip, options.port, options.api_port) == ("127.0.0.1", 9000, 9002)
    assert options.default_target == "http://127.0.0.1:9001"
    assert options.error_target == "http://127.0.0.1:9001/hub/error"


@pytest.mark.parametrize(("what", "beyond"), [("hold-hub", (1,)), ("hold-proxy", (0, 2))])
def test_a_keeper_leaves_its_ports_to_its_user_alone(what, beyond):
    port = free_port()
    keeper = subprocess.Popen(
        [sys.executable, "-m", "upramp_hub.systemd", what],
        env=environment(UPRAMP_HUB_PORT=str(port)),
        stderr=subprocess.PIPE,
        text=True,
    )

    def kept(number):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", number))
            except OSError:
                return True
            return False

    try:
        until(lambda: all(kept(port + each) for each in beyond), 30)
        assert not any(kept(port + each) for each in {0, 1, 2} - {*beyond})
        for each in beyond:
            ports.hold(port + each, "127.0.0.1").close()  # as hub and proxy share it
    finally:
        keeper.terminate()
    assert keeper.wait(10) == -signal.SIGTERM


def test_a_keeper_that_cannot_keep_says_why():
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        done = run("hold-hub", UPRAMP_HUB_PORT=str(other.getsockname()[1] - 1))
    assert done.returncode == 2
    assert "it cannot be kept (Address already in use)" in done.stderr


def test_the_proxy_runs_with_the_secret_that_it_is_given(tmp_path):
    (tmp_path / PROXY_TOKEN).write_text("the-secret\n")
    port = free_port()
    variables = {"UPRAMP_HUB_PORT": str(port), "CREDENTIALS_DIRECTORY": str(tmp_path)}
    # As the unit has it: nothing but these.
    process = subprocess.Popen(
        [sys.executable, "-m", "upramp_hub.systemd", "proxy"],
        env=environment(**variables, CONFIGPROXY_AUTH_TOKEN="another"),
        stderr=subprocess.DEVNULL,
    )
    try:

        def status(token):
            request = urllib.request.Request(
                f"http://127.0.0.1:{port + 2}/api/routes",
                headers={"Authorization": f"token {token}"},
            )
            try:
                with urllib.request.urlopen(request, timeout=5) as answer:
                    return answer.status
            except urllib.error.HTTPError as error:
                return error.code
            except OSError:
                assert process.poll() is None
                return None

        assert until(lambda: status("the-secret")) == 200
        assert status("another") == 403
    finally:
        process.terminate()
        assert process.wait(20) == 0


@pytest.mark.parametrize("folder", ["", "/does/not/exist"])
def test_a_proxy_without_its_secret_says_so(folder):
    done = run("proxy", CREDENTIALS_DIRECTORY=folder)
    assert done.returncode == 2
    assert "upramp-hub-proxy.service" in done.stderr
    assert done.stderr.count("\n") == 1


def asked(tmp_path, *statuses, patience=20.0):
    """Give what came of asking a hub that answers so, and how often it was asked."""
    seen = []

    async def answer(request):
        assert request.headers["Authorization"] == f"token {settings.secret('launcher_token')}"
        seen.append(request.method)
        return web.Response(status=statuses[min(len(seen), len(statuses)) - 1])

    app = web.Application()
    app.router.add_route("*", "/hub/api/proxy", answer)
    with stopping(application(app)) as hub:
        settings = Settings(state=tmp_path, port=hub.port - 1)
        return ask_for_routes(settings, patience), seen


def test_a_new_proxy_is_told_its_routes_as_soon_as_there_is_a_hub(tmp_path):
    assert asked(tmp_path, 502, 503, 202) == (True, ["POST"] * 3)


def test_a_hub_that_refuses_is_not_asked_again(tmp_path):
    assert asked(tmp_path, 403) == (False, ["POST"])


def test_a_hub_that_never_comes_is_not_waited_for_without_end(tmp_path):
    begun = time.monotonic()
    assert asked(tmp_path, 503, patience=1.0)[0] is False
    settings = Settings(state=tmp_path, port=free_port() - 1)
    assert ask_for_routes(settings, 0.1) is False
    assert time.monotonic() - begun < 15

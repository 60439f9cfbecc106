"""Servers of two users over a real hub: apart from each other, limited, and found again."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import textwrap
import threading
import time

import psutil
import pytest
from proxy_process import until
from spawner_hub import SECRET, SpawnerHub, alive, is_root, wait_for_end

pytestmark = [pytest.mark.hub, pytest.mark.slow]

pytest.importorskip("jupyterhub", reason="the hub's packages are not installed")

GIB = 1024**3
needs_root = pytest.mark.skipif(
    not is_root(), reason="only root can give each user a number of their own"
)


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hub")
    folder.chmod(0o700)  # as a private folder has to be
    running = SpawnerHub(folder, memory=2 * GIB)
    try:
        running.ask_to_start("bob")
        running.start_server("ada")
        assert running.progress("bob")[-1].get("ready")
        yield running
    finally:
        running.stop()


def test_the_stages_of_a_start_are_told(hub):
    events = hub.start_server("eve")
    told = [event["message"] for event in events]
    assert told[0] == "Server requested"
    assert "Preparing your home" in told
    assert "The server's process has started" in told
    assert [e["progress"] for e in events] == sorted(e["progress"] for e in events)
    # Others have been started before, so it is known how long that takes.
    assert any(event.get("expected", 0) >= 1 for event in events)
    hub.stop_server("eve")


@needs_root
def test_a_user_can_reach_nothing_of_another_or_of_the_hub(hub):
    home = hub.state / "homes" / "ada"
    printed, error = hub.run(
        "ada",
        "open('mine.txt', 'w').write('of ada'); import os, pwd\n"
        "for shared in ('/tmp', '/var/tmp', '/dev/shm'):\n"
        "    open(f'{shared}/of_ada', 'w').write('of ada')\n"
        "    os.chmod(f'{shared}/of_ada', 0o644)\n"
        "print(os.getuid(), pwd.getpwuid(os.getuid()).pw_name)",
    )
    assert error is None
    number, name = printed.split()
    assert name == "ada"
    ada = int(number)
    assert (home / "mine.txt").stat().st_uid == ada
    assert (home / "mine.txt").stat().st_mode & 0o077 == 0
    assert home.stat().st_mode & 0o777 == 0o700
    exposure = str(hub.folder / "archive" / "uncal" / "exposure.txt")
    pids = [hub.pid("ada"), hub.processes["hub"].pid, hub.processes["proxy"].pid]
    pids += [child.pid for child in psutil.Process(hub.pid("ada")).children(recursive=True)]
    code = textwrap.dedent(f"""
        import json, os
        found = {{}}
        def attempt(name, what):
            try:
                found[name] = repr(what())
            except OSError as error:
                found[name] = None
        attempt("home", lambda: os.listdir({str(home)!r}))
        attempt("file", lambda: open({str(home / "mine.txt")!r}).read())
        attempt("runtime", lambda: os.listdir({str(hub.state / "runtime" / "ada")!r}))
        attempt("state", lambda: open({str(hub.state / "hub.sqlite")!r}, "rb").read(1))
        attempt("write", lambda: open({str(hub.state / "hub.sqlite")!r}, "r+b"))
        attempt("cookie", lambda: open({str(hub.state / "cookie_secret")!r}).read(1))
        attempt("numbers", lambda: open({str(hub.state / "numbers.json")!r}).read(1))
        attempt("log", lambda: open({str(hub.state / "logs" / "servers" / "bob.log")!r}).read(1))
        attempt("own log", lambda: open("/proc/%d/fd/1" % {hub.pid("bob")}).read(1))
        for pid in {pids}:
            attempt(f"environment {{pid}}", lambda: open(f"/proc/{{pid}}/environ", "rb").read(1))
            attempt(f"memory {{pid}}", lambda: open(f"/proc/{{pid}}/mem", "rb"))
            attempt(f"root {{pid}}", lambda: os.listdir(f"/proc/{{pid}}/root"))
            attempt(f"signal {{pid}}", lambda: os.kill(pid, 0))
        for shared in ("/tmp", "/var/tmp", "/dev/shm"):
            open(f"{{shared}}/of_bob", "w").write("x")
            attempt(f"of ada {{shared}}", lambda: open(f"{{shared}}/of_ada").read())
        attempt("setuid", lambda: os.setuid({ada}))
        attempt("groups", lambda: os.setgroups([0]))
        attempt("archive", lambda: open({exposure!r}, "a"))
        found["uid"] = [os.getuid(), os.geteuid(), os.getgid(), os.getgroups()]
        found["environment"] = dict(os.environ)
        found["read"] = open({exposure!r}).read()
        found["own"] = [os.getcwd(), oct(os.stat(".").st_mode), os.environ["HOME"]]
        print(json.dumps(found))
    """)
    printed, error = hub.run("bob", code)
    assert error is None, error
    found = json.loads(printed)
    uid, environment, own = (found.pop(each) for each in ("uid", "environment", "own"))
    assert found.pop("read") == "an exposure"
    assert {name for name, value in found.items() if value is not None} == set()
    assert uid[0] == uid[1] == uid[2] != ada
    assert uid[3] == []
    assert own == [str(hub.state / "homes" / "bob"), "0o40700", str(hub.state / "homes" / "bob")]
    assert SECRET not in environment.values()
    assert not [name for name in environment if name.startswith(("UPRAMP_HUB_", "CONFIGPROXY"))]
    assert environment["UPRAMP_ARCHIVE"] == str(hub.folder / "archive")
    assert environment["CRDS_PATH"] == str(hub.folder / "archive" / "crds")
    outside = ("JUPYTER_RUNTIME_DIR", "IPYTHONDIR", "JUPYTERLAB_WORKSPACES_DIR", "XDG_CACHE_HOME")
    assert not [name for name in outside if environment[name].startswith(own[0])]
    assert hub.server_log("bob")
    assert (hub.state / "logs" / "servers" / "bob.log").stat().st_mode & 0o777 == 0o600


def test_too_large_an_array_is_an_error_in_its_cell_and_the_kernel_lives(hub):
    kernel = hub.start_kernel("ada")
    code = "import numpy, os\nprint(os.getpid())\nx = numpy.ones((3 * 1024**3) // 8)"
    before, error = hub.run("ada", code, kernel)
    assert "MemoryError" in error["ename"]
    after, error = hub.run("ada", "import os\nprint(os.getpid())", kernel)
    assert error is None
    assert before == after


def test_threads_of_numba_and_of_numpy_start_under_the_limit(hub):
    code = textwrap.dedent("""
        import os
        os.environ["NUMBA_NUM_THREADS"] = "2"
        import numba, numpy
        @numba.njit(parallel=True)
        def total(x):
            found = 0.0
            for i in numba.prange(len(x)):
                found += x[i]
            return found
        square = numpy.ones((300, 300))
        print(total(numpy.ones(1000)), float((square @ square).sum()))
    """)
    printed, error = hub.run("ada", code)
    assert error is None, error
    assert printed == "1000.0 27000000.0\n"


def test_the_page_of_a_server_that_was_killed_says_so(hub):
    pid = hub.pid("bob")
    os.kill(pid, signal.SIGKILL)
    wait_for_end(pid)
    until(lambda: not hub.users()["bob"]["servers"], 30)
    token = json.loads(hub.ask("POST", "/hub/api/users/bob/tokens", {})[2])["token"]
    status, _, text = hub.ask("GET", "/hub/user/bob/", token=token)
    assert status in {404, 424, 503}
    assert 'data-cause="killed"' in text


def test_a_server_outlives_the_hub_is_found_again_and_ends_within_seconds(hub):
    pid = hub.pid("ada")
    kernel = hub.start_kernel("ada")
    hub.run("ada", "kept = 42", kernel)
    hub.run(
        "ada",
        "import subprocess, sys\n"
        "p = subprocess.Popen(['sleep', '600'], start_new_session=True)\nprint(p.pid)",
        kernel,
    )
    (detached,) = [p.pid for p in psutil.process_iter() if _command(p) == ["sleep", "600"]]
    hub.kill()
    assert alive(pid)
    hub.start()
    until(lambda: hub.users()["ada"]["servers"].get("", {}).get("ready"), 30)
    assert hub.pid("ada") == pid
    assert hub.run("ada", "print(kept)", kernel)[0] == "42\n"
    # It is nobody's child that the hub could wait for, and still its end is noticed.
    begin = time.monotonic()
    hub.stop_server("ada")
    assert time.monotonic() - begin < 20
    assert not alive(pid)
    assert not alive(detached)


def _command(process):
    try:
        return process.cmdline()
    except psutil.Error:
        return None


@needs_root
def test_a_server_with_a_full_home_starts_and_lets_its_owner_make_room(hub):
    home = hub.state / "homes" / "ida"
    home.mkdir(mode=0o700)
    size = "size=1m"
    if subprocess.run(["mount", "-t", "tmpfs", "-o", size, "none", home], check=False).returncode:
        pytest.skip("root may not mount here")
    try:
        (home / "large.bin").write_bytes(b"0" * 1024**2)
        assert os.statvfs(home).f_bavail == 0
        hub.start_server("ida")
        _, error = hub.run("ida", "import pathlib; pathlib.Path('new.txt').write_text('x' * 5000)")
        assert "No space left on device" in error["evalue"]
        status, _, text = hub.ask("GET", "/user/ida/upramp/activity")
        assert status == 200
        assert json.loads(text)["home_free"] == 0
        assert hub.ask("DELETE", "/user/ida/api/contents/large.bin")[0] == 204
        assert hub.run(
            "ida", "import pathlib; print(pathlib.Path('new.txt').write_text('x'))"
        ) == ("1\n", None)
    finally:
        hub.ask("DELETE", "/hub/api/users/ida/server")
        until(lambda: not hub.users().get("ida", {}).get("servers"), 60)
        subprocess.run(["umount", "-l", home], check=False)


THIEF = """
import socket, time
end = time.monotonic() + 6
print("waiting", flush=True)
while time.monotonic() < end:
    with socket.socket() as one:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        one.settimeout(1)
        try:
            one.bind(("127.0.0.1", {port}))
            one.listen()
            asked, _ = one.accept()
            print(asked.recv(4096))
            asked.close()
        except OSError:
            time.sleep(0.005)
"""


def is_free(port):
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


@pytest.fixture(scope="module")
def mallory(hub):
    hub.start_server("mallory")
    return "mallory"


@needs_root
@pytest.mark.parametrize("the_hub", ["is there", "was started again", "is dead"])
def test_nobody_is_sent_what_was_meant_for_a_server_that_died(hub, mallory, the_hub):
    hub.start_server("eve")
    if the_hub == "was started again":
        hub.kill()
        hub.start()
    kernel = hub.start_kernel(mallory)
    pid = hub.pid("eve")
    connections = psutil.Process(pid).net_connections("tcp")
    (port,) = {each.laddr.port for each in connections if each.status == "LISTEN"}

    def asking():
        time.sleep(2)
        if the_hub == "is dead":
            hub.kill()
        os.kill(pid, signal.SIGKILL)
        end = time.monotonic() + 3
        while time.monotonic() < end:
            with contextlib.suppress(OSError):
                hub.ask("GET", "/user/eve/api/status")
            time.sleep(0.02)

    asker = threading.Thread(target=asking)
    asker.start()
    try:
        said, error = hub.run(mallory, THIEF.format(port=port), kernel)
    finally:
        asker.join()
    assert (said.strip(), error) == ("waiting", None)
    if the_hub == "is dead":
        hub.start()
    hub.stop_server("eve")
    # What kept the port goes with the rest of the server.
    until(lambda: is_free(port), 30)

"""Why a kernel is gone, by its exit code and what was seen of it; and what a watch keeps."""

from __future__ import annotations

import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from disks import small_disk

pytest.importorskip("jupyter_server", reason="the hub's packages are not installed")

from upramp_hub.server.endings import Sample, free_in, kills_for_memory, take_sample, why
from upramp_hub.server.watch import Watch

GIB = 1024**3
ROOM = 10 * GIB
SMALL = Sample(GIB // 4, 8 * GIB, 0)


@pytest.mark.parametrize(
    ("code", "before", "kills", "free", "cause", "said"),
    [
        (-9, SMALL, 1, ROOM, "memory", "ran out of memory; it held 256 MiB"),
        (-9, Sample(int(3.9 * GIB), 8 * GIB, 0), 0, ROOM, "memory", "it held 3.9 GiB"),
        (-9, Sample(GIB, GIB // 8, None), None, ROOM, "memory", "most likely"),
        (-9, SMALL, 0, ROOM, "killed", "not for memory"),
        (137, SMALL, 0, ROOM, "killed", "SIGKILL"),
        (-15, SMALL, 0, ROOM, "killed", "SIGTERM"),
        (-11, SMALL, 0, ROOM, "crash", "SIGSEGV"),
        (139, SMALL, 0, ROOM, "crash", "SIGSEGV"),
        (-6, SMALL, 0, ROOM, "crash", "SIGABRT"),
        (-6, Sample(int(3.9 * GIB), None, None), 0, ROOM, "memory", "got no memory"),
        (-7, SMALL, 0, 0, "disk", "did not fit on the disk"),
        (-7, SMALL, 0, ROOM, "crash", "SIGBUS"),
        (1, SMALL, 0, 100, "disk", "home is full"),
        (1, SMALL, 0, ROOM, "exit", "exit code 1"),
        (0, SMALL, 0, 0, "exit", "exit code 0"),
        (-70, SMALL, 0, ROOM, "crash", "signal 70"),
        (None, SMALL, 0, ROOM, "unknown", "nobody saw"),
    ],
)
def test_an_ending_is_explained(code, before, kills, free, cause, said):
    ending = why("k", code, before, now=1.0, kills=kills, limit=4 * GIB, home_free=free)
    assert ending.cause == cause
    assert said in ending.message
    assert ending.message.endswith(".")
    assert ending.remedy.endswith(".")
    assert ending.to_json()["code"] == code


def test_a_full_home_is_told_beside_another_cause():
    ending = why("k", -11, SMALL, now=1.0, kills=0, limit=0, home_free=0)
    assert ending.cause == "crash"
    assert "your home is full" in ending.remedy


WRITES_BEYOND = """
import mmap, sys
with open(sys.argv[1], "w+b") as file:
    file.truncate(8 << 20)
    shared = mmap.mmap(file.fileno(), 0)
    while True:
        shared.write(bytes(1 << 16))
"""


@pytest.mark.parametrize("stays", [True, False], ids=["kept", "removed"])
def test_memory_that_is_shared_and_full_is_told_as_what_it_is(tmp_path, stays):
    """What was removed while it was used is seen only by the look before."""
    with small_disk(tmp_path / "shm", 4) as shared:
        command = [sys.executable, "-c", WRITES_BEYOND, str(shared / "array")]
        code = subprocess.run(command, check=False).returncode
        assert code == -signal.SIGBUS
        full = free_in(shared)
        if not stays:
            (shared / "array").unlink()
        before = Sample(GIB // 4, 8 * GIB, 0, shared_free=ROOM if stays else full)
        ending = why(
            "k",
            code,
            before,
            now=1.0,
            kills=0,
            limit=4 * GIB,
            home_free=ROOM,
            shared_free=free_in(shared),
        )
    assert ending.cause == "shared"
    assert "memory that processes share (/dev/shm) is full" in ending.message
    assert "Delete what lies in /dev/shm" in ending.remedy
    assert "package" not in ending.text


def test_shared_memory_with_room_is_not_blamed():
    ending = why("k", -7, SMALL, now=1.0, kills=0, limit=0, home_free=0, shared_free=ROOM)
    assert ending.cause == "disk"


def test_kills_are_counted_in_the_groups_of_both_versions(tmp_path, monkeypatch):
    from upramp_hub.server import endings

    before = kills_for_memory(tmp_path)
    membership = endings.Path("/proc/self/cgroup").read_text(encoding="ascii").splitlines()
    for line in membership:
        number, controllers, path = line.split(":", 2)
        if number == "0":
            file = tmp_path / path.lstrip("/") / "memory.events"
        elif "memory" in controllers.split(","):
            file = tmp_path / "memory" / path.lstrip("/") / "memory.oom_control"
        else:
            continue
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("oom 9\noom_kill 2\n")
        break
    else:
        pytest.skip("this process is in no control group that counts")
    assert kills_for_memory(tmp_path) == (before or 0) + 2


def test_a_sample_of_a_process_that_is_gone_is_empty():
    assert take_sample(2**22 + 1).memory == 0


# ---- the watch


class Kernels:
    """What the watch asks of Jupyter Server's manager."""

    def __init__(self):
        self.kernels = {}
        self.last_kernel_activity = datetime(2026, 1, 1, tzinfo=UTC)
        self.callbacks = []

    def add(self, kernel_id, state="idle", code=None, pid=0):
        process = SimpleNamespace(pid=pid, returncode=code)
        provisioner = SimpleNamespace(pid=pid, process=process)
        self.kernels[kernel_id] = SimpleNamespace(
            execution_state=state, provisioner=provisioner, iopub_port=0
        )
        return self.kernels[kernel_id]

    def list_kernel_ids(self):
        return list(self.kernels)

    def get_kernel(self, kernel_id):
        return self.kernels[kernel_id]

    def kernel_model(self, kernel_id):
        return {"name": "python3", "execution_state": self.kernels[kernel_id].execution_state}

    def add_restart_callback(self, kernel_id, callback, event):
        self.callbacks.append((kernel_id, event, callback))


@pytest.fixture
def kernels():
    return Kernels()


@pytest.fixture
def watch(kernels):
    return Watch({"started": datetime(2026, 1, 1, tzinfo=UTC)}, kernels)


def test_a_busy_kernel_is_activity_and_an_idle_one_is_none(watch, kernels):
    kernels.add("a")
    watch.look()
    assert watch.last_activity() == datetime(2026, 1, 1, tzinfo=UTC)
    kernels.add("b", "busy")
    watch.look()
    assert datetime.now(UTC) - watch.last_activity() < timedelta(minutes=1)
    assert watch.busy() == ["b"]


def test_a_kernel_is_followed_once_and_each_death_noted_once(watch, kernels):
    kernel = kernels.add("a", pid=0)
    watch.look()
    watch.look()
    assert [event for _, event, _ in kernels.callbacks] == ["restart", "dead"]
    kernel.provisioner.process = SimpleNamespace(pid=5, returncode=-signal.SIGKILL)
    kernels.callbacks[0][2]()
    first = watch.ending("a")
    assert first.signal == "SIGKILL"
    assert watch.ended("a", kernel) is first
    kernel.provisioner.process = SimpleNamespace(pid=6, returncode=-signal.SIGSEGV)
    kernels.callbacks[0][2]()
    assert watch.ending("a").signal == "SIGSEGV"


def test_endings_do_not_fill_the_memory(watch, kernels):
    for number in range(300):
        watch.ended(f"k{number}", kernels.add(f"k{number}", code=1, pid=number + 1))
    assert watch.ending("k0") is None
    assert watch.ending("k299") is not None
    assert len(watch._endings) == 200


def test_a_warning_is_over_when_somebody_does_something(watch):
    stop = datetime.now(UTC) + timedelta(minutes=10)
    watch.warn(stop)
    assert watch.warning() == stop
    watch._settings["api_last_activity"] = datetime.now(UTC) + timedelta(seconds=1)
    assert watch.warning() == stop  # an open page asks all the time, also one that nobody looks at
    watch._settings["upramp_last_activity"] = datetime.now(UTC) + timedelta(seconds=1)
    assert watch.warning() is None


def test_an_extension_is_activity_ends_a_warning_and_is_at_most_a_day(watch):
    watch.warn(datetime.now(UTC))
    until = watch.extend(10**9)
    assert timedelta(hours=23) < until - datetime.now(UTC) <= timedelta(days=1)
    assert watch.warning() is None
    assert watch.extended_until() == until
    assert watch.to_json()["extended_until"] == until.isoformat()

"""Parts of the spawners that need no hub: causes, folders, numbers, lines, logs and others."""

from __future__ import annotations

import asyncio
import json
import os
import resource
import shutil
import signal
import stat
import subprocess
import sys

import pytest

pytest.importorskip("jupyterhub", reason="the hub's packages are not installed")

from upramp_hub.settings import Settings
from upramp_hub.spawners import enter, process, shares
from upramp_hub.spawners.admission import TooBusy
from upramp_hub.spawners.causes import find_cause
from upramp_hub.spawners.folders import FolderError, folder_name, make_private, make_shared
from upramp_hub.spawners.line import Line, Times
from upramp_hub.spawners.logs import ServerLog
from upramp_hub.spawners.numbers import BASE, NumbersError, base_of, number_of
from upramp_hub.spawners.process import SetupError, identity_of
from upramp_hub.spawners.shares import find_shares
from upramp_hub.spawners.stages import Stages

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")


# ---- causes


@pytest.mark.parametrize(
    ("lines", "code", "label"),
    [
        (["OSError: [Errno 28] No space left on device: '/x'"], 1, "disk"),
        (["sqlite3.OperationalError: database or disk is full"], 1, "disk"),
        (["MemoryError"], 1, "memory"),
        (["OpenBLAS: cannot allocate memory"], 1, "memory"),
        (["OSError: [Errno 98] Address already in use"], 1, "port"),
        (["ModuleNotFoundError: No module named 'x'"], 1, "import"),
        (["PermissionError: [Errno 13] Permission denied: '/x'"], 1, "permission"),
        (["upramp-hub: /x: it is closed; open it."], 78, "setup"),
        (["all is well"], -signal.SIGKILL, "killed"),
        (["all is well"], -signal.SIGTERM, "stopped"),
        (["all is well"], -signal.SIGSEGV, "crashed"),
        ([], 0, "ended"),
        ([], 7, "exit"),
        ([], None, "unknown"),
    ],
)
def test_a_cause_is_found_in_the_last_lines_and_the_exit_code(lines, code, label):
    cause = find_cause(["starting", *lines], code)
    assert cause.label == label
    assert cause.text.endswith(".")
    assert cause.remedy


def test_the_last_of_several_sayings_of_one_kind_counts_and_setup_before_all():
    said = ["ImportError: first", "ImportError: second", "upramp-hub: home: full; make room."]
    assert "second" in find_cause(said[:2], 1).problem
    cause = find_cause(said, 1)
    assert (cause.problem, cause.remedy) == ("home: full", "make room")


def test_what_a_page_shows_of_a_log_holds_no_secret_and_no_markup():
    lines = [
        "<script>x</script>",
        "at http://h/lab?token=abc123",
        "\x1b[31mred",
        "password: hidden",
    ]
    html = find_cause(lines, 3).html
    assert "<script>" not in html
    assert "abc123" not in html
    assert "hidden" not in html
    assert "\x1b" not in html
    assert "&lt;script&gt;" in html


def test_a_server_that_does_not_answer_is_said_to_be_silent():
    cause = find_cause(["waiting"], waited=60.0)
    assert cause.label == "silent"
    assert "60 seconds" in cause.problem


# ---- folders and numbers


def test_names_of_folders_lead_nowhere_else_and_are_never_shared():
    names = [
        "ada",
        "a.b",
        "..",
        ".",
        ".ssh",
        "../etc",
        "a/b",
        "A",
        "a",
        "ä",
        "x" * 200,
        "a---b",
        "-x",
    ]
    found = [folder_name(name) for name in names]
    assert found[0] == "ada"
    assert len(set(found)) == len(names)
    for name in found:
        assert "/" not in name
        assert name[0] not in ".-"
        assert len(name.encode()) < 200
    assert folder_name(found[4]) != found[4]  # nobody can choose a name that was made for another


def test_a_private_folder_is_made_and_closed_again(tmp_path):
    make_private(tmp_path / "home")
    (tmp_path / "home").chmod(0o755)
    make_private(tmp_path / "home")
    assert (tmp_path / "home").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("trap", ["link", "file"])
def test_a_trap_in_place_of_a_home_is_not_followed(tmp_path, trap):
    (tmp_path / "target").mkdir(mode=0o755)
    if trap == "link":
        (tmp_path / "home").symlink_to(tmp_path / "target")
    else:
        (tmp_path / "home").touch()
    with pytest.raises(FolderError, match="a link or a file"):
        make_private(tmp_path / "home")
    assert (tmp_path / "target").stat().st_mode & 0o777 == 0o755


def test_homes_may_not_lie_where_others_write(tmp_path):
    make_shared(tmp_path / "homes")
    (tmp_path / "homes").chmod(0o777)
    with pytest.raises(FolderError, match="may write"):
        make_shared(tmp_path / "homes")


def test_a_folder_of_homes_that_is_made_lets_others_pass_and_not_list(tmp_path):
    assert make_shared(tmp_path / "deep" / "homes") == ""
    assert stat.S_IMODE((tmp_path / "deep" / "homes").stat().st_mode) == 0o711
    assert make_shared(tmp_path / "deep" / "homes") == ""


@pytest.mark.parametrize(("mode", "told"), [(0o755, True), (0o750, False), (0o700, False)])
def test_a_folder_of_homes_that_is_there_keeps_its_mode_and_who_may_list_it_is_told(
    tmp_path, mode, told
):
    homes = tmp_path / "homes"
    homes.mkdir()
    homes.chmod(mode)
    said = make_shared(homes)
    assert stat.S_IMODE(homes.stat().st_mode) == mode
    assert said == (
        f"{homes}: everybody on this machine may list whose folders lie in it (mode 0755); "
        f"'chmod 711 {homes}' ends that"
        if told
        else ""
    )


@needs_root
def test_a_home_of_another_is_not_handed_over(tmp_path):
    make_private(tmp_path / "home", BASE + 1)
    make_private(tmp_path / "home", BASE + 1)
    assert (tmp_path / "home").stat().st_uid == BASE + 1
    with pytest.raises(FolderError, match="belongs to another user"):
        make_private(tmp_path / "home", BASE + 2)


def test_a_number_stays_and_is_not_given_again_to_who_gets_the_identity_of_the_gone(tmp_path):
    ledger = tmp_path / "numbers.json"
    base = base_of(ledger)
    assert base == base_of(ledger) >= BASE
    assert number_of("ada", 1, ledger) == base + 1
    assert number_of("bob", 2, ledger) == base + 2
    assert number_of("new", 2, ledger) == base + 3  # the database had given bob's identity again
    assert number_of("bob", 7, ledger) == base + 2


def test_two_hubs_give_different_numbers(tmp_path):
    ledgers = [tmp_path / name / "numbers.json" for name in ("one", "other")]
    for ledger in ledgers:
        ledger.parent.mkdir()
    one, other = (number_of("ada", 1, ledger) for ledger in ledgers)
    assert one != other


@pytest.mark.skipif(os.geteuid() != 0, reason="to run as another user takes root")
def test_a_number_under_which_something_runs_is_left_out(tmp_path):
    ledger = tmp_path / "numbers.json"
    wanted = base_of(ledger) + 1
    with subprocess.Popen(["sleep", "60"], user=wanted, cwd="/") as stranger:
        try:
            assert number_of("ada", 1, ledger) == wanted + 1
        finally:
            stranger.kill()


@pytest.mark.parametrize("damage", ["", "[1]", "{", '{"ada": "x"}'])
def test_a_damaged_list_of_numbers_gives_none(tmp_path, damage):
    ledger = tmp_path / "numbers.json"
    ledger.write_text(damage)
    with pytest.raises(NumbersError, match="cannot be read"):
        number_of("ada", 1, ledger)


# ---- line, times, stages


def test_turns_come_in_order_and_places_are_told():
    async def scenario():
        line = Line(2, 10)
        order, told = [], []

        async def start(name):
            def tell(place, length):
                told.append((name, place, length))

            async with line.turn(tell):
                order.append(name)
                await asyncio.sleep(0.01)

        await asyncio.gather(*(start(name) for name in "abcde"))
        return order, told

    order, told = asyncio.run(scenario())
    assert order == list("abcde")
    assert ("c", 1, 1) in told
    assert ("e", 3, 3) in told
    assert told[-1][1:] == (1, 1)
    assert not [name for name, _, _ in told if name in "ab"]


def test_who_gives_up_waiting_leaves_no_gap_and_no_turn_is_lost():
    async def scenario():
        line = Line(1, 1)
        gate = asyncio.Event()

        async def hold():
            async with line.turn(lambda *_: None):
                await gate.wait()

        first = asyncio.create_task(hold())
        await asyncio.sleep(0)
        second = asyncio.create_task(hold())
        await asyncio.sleep(0)
        assert line.is_full
        second.cancel()
        await asyncio.gather(second, return_exceptions=True)
        assert not line.is_full
        third = asyncio.create_task(hold())
        await asyncio.sleep(0)
        gate.set()
        await asyncio.wait_for(asyncio.gather(first, third), 5)
        async with asyncio.timeout(5), line.turn(lambda *_: None):
            return True

    assert asyncio.run(scenario())


def test_the_turn_of_one_who_is_cancelled_in_the_same_moment_goes_on():
    async def scenario():
        line = Line(1, 5)
        first, second = line.turn(lambda *_: None), line.turn(lambda *_: None)
        await first.__aenter__()
        waiting = asyncio.create_task(second.__aenter__())
        await asyncio.sleep(0)
        await first.__aexit__(None, None, None)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        async with asyncio.timeout(5), line.turn(lambda *_: None):
            return True

    assert asyncio.run(scenario())


def test_a_wait_grows_with_the_place():
    line = Line(2, 10)
    assert [line.wait(8.0, place) for place in (1, 2, 3)] == [16.0, 16.0, 24.0]


def test_times_are_kept_over_a_restart_and_damage_to_them_stops_nothing(tmp_path):
    file = tmp_path / "times.json"
    assert Times(file).expected is None
    times = Times(file)
    for seconds in (1.0, 9.0, 3.0):
        times.add(seconds)
    assert Times(file).expected == 3.0
    file.write_text('{"a"')
    assert Times(file).expected is None


def test_who_comes_late_to_a_page_is_told_all_stages():
    async def scenario():
        stages = Stages()
        stages.tell(10, "one")
        stages.tell(10, "one")
        stages.tell(20, "two", expected=4.4)

        async def listen():
            return [event async for event in stages.events()]

        early = asyncio.create_task(listen())
        await asyncio.sleep(0)
        stages.tell(30, "three")
        stages.end()
        return await asyncio.wait_for(early, 5), await asyncio.wait_for(listen(), 5)

    early, late = asyncio.run(scenario())
    assert [event["message"] for event in early] == ["one", "two", "three"]
    assert early == late
    assert early[1]["expected"] == 4


@pytest.mark.parametrize(("asked", "told"), [(0.0, 15), (60.4, 60), (1e9, 900)])
def test_a_refusal_says_in_a_header_when_to_come_again(asked, told):
    refused = TooBusy("all is taken", reason="busy", retry_after=asked)
    assert refused.headers == {"Retry-After": str(told)}
    assert refused.status_code == 429
    assert refused.message.startswith("All is taken. Try again in ")


# ---- logs


def test_a_log_is_private_and_its_tail_is_of_the_last_start(tmp_path):
    log = ServerLog(tmp_path / "logs" / "ada.log")
    for text in (b"first\n", b"second\nthird\n"):
        descriptor = log.open()
        os.write(descriptor, text)
        os.close(descriptor)
    assert log.tail() == ["second", "third"]
    assert log.tail(1) == ["third"]
    assert log.file.stat().st_mode & 0o777 == 0o600
    assert log.file.read_text() == "first\nsecond\nthird\n"


def test_a_log_that_grows_is_cut_while_its_server_writes_on(tmp_path):
    log = ServerLog(tmp_path / "ada.log")
    descriptor = log.open()
    os.write(descriptor, b"x" * 9 * 1024**2 + b"\nlast\n")
    log.trim()
    os.write(descriptor, b"after\n")
    os.close(descriptor)
    assert log.file.stat().st_size < 1024**2
    assert log.tail()[-2:] == ["last", "after"]


def test_a_log_is_not_written_through_a_link(tmp_path):
    (tmp_path / "ada.log").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="symbolic link"):
        ServerLog(tmp_path / "ada.log").open()


# ---- shares of the processor


def test_servers_get_groups_where_the_second_version_hands_the_processor_on(tmp_path, monkeypatch):
    # A kernel answers what is written here; these are files, so its part is played.
    def write(file, text):
        if file.name == "cgroup.subtree_control":
            text = f"{file.read_text() if file.exists() else ''} {text.removeprefix('+')}"
        file.write_text(text)

    monkeypatch.setattr(shares, "_write", write)
    (tmp_path / "hub.service").mkdir()
    found = find_shares(tmp_path, "0::/hub.service\n")
    assert found.version == 2
    (folder,) = found.group("ada", 1000)
    assert folder == str(tmp_path / "hub.service" / "upramp-hub" / "ada")
    assert (found.base / "ada" / "cpu.weight").read_text() == "100"
    assert (found.base / "ada" / "memory.max").read_text() == "2000"


def test_where_nothing_is_handed_on_nothing_is_claimed(tmp_path):
    (tmp_path / "hub.service").mkdir()
    # What is written to plain files is read again, and is no list of controllers.
    assert find_shares(tmp_path, "0::/hub.service\n").version == 0


def test_without_control_groups_the_share_is_by_session_and_said_so(tmp_path):
    found = find_shares(tmp_path / "none", "0::/\n")
    assert found.base is None
    assert found.group("ada", 1) == []
    assert found.nice > 0
    assert "more busy kernels gets more" in found.words


def test_the_first_version_gives_each_server_a_group(tmp_path):
    base = tmp_path / "cpu" / "slice" / "upramp-hub"
    base.mkdir(parents=True)
    (base / "cpu.shares").write_text("1024")
    found = find_shares(tmp_path, "1:cpu:/slice\n0::/\n")
    assert found.version == 1
    (folder,) = found.group("ada", 1)
    assert folder == str(base / "ada")
    found.clear("ada")
    assert not (base / "ada").exists()


# ---- processes


def test_a_process_is_told_from_a_later_one_and_from_its_remains():
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        first = identity_of(child.pid)
        assert first
        assert first == identity_of(child.pid)
        assert first != identity_of(os.getppid())
        child.kill()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert identity_of(child.pid) is None  # nobody has taken note of its end yet
    assert identity_of(child.pid) is None


def plan(**changes):
    return {
        "command": [sys.executable, "-c", "print('it runs')"],
        "home": "/",
        "memory": 0,
        "nice": 0,
        "cgroups": [],
        "make": [],
        "folders": [],
        "passwd": "",
        "address": "127.0.0.1",
        "port": 0,
        "temporary": "/tmp",
        "shared": 1 << 20,
        "private": False,
        **changes,
    }


def entered(**changes):
    return subprocess.run(
        [sys.executable, "-I", "-S", enter.__file__, json.dumps(plan(**changes))],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has limits for others")
def test_processes_are_limited_for_who_has_a_number_of_their_own_alone():
    code = "import resource; print(resource.getrlimit(resource.RLIMIT_NPROC)[0])"
    own = entered(command=["/usr/bin/env", sys.executable, "-I", "-S", "-c", code])
    assert int(own.stdout) == resource.getrlimit(resource.RLIMIT_NPROC)[0]
    program = shutil.which("python3", path="/usr/bin:/bin")
    if program is None:
        pytest.skip("there is no Python that everybody may run")
    other = entered(command=[program, "-I", "-S", "-c", code], uid=BASE)
    assert int(other.stdout) == 1024 + 128 * os.cpu_count()


def test_the_limit_of_memory_holds_and_cannot_be_lifted():
    code = (
        "import resource\n"
        "try: resource.setrlimit(resource.RLIMIT_DATA, (-1, -1)); print('lifted')\n"
        "except (ValueError, PermissionError): print('kept')\n"
        "try: bytearray(1 << 30)\n"
        "except MemoryError: print('MemoryError')"
    )
    changes = {"uid": BASE, "private": True} if os.geteuid() == 0 else {}
    folders = [[path, False] for path in process.needed_folders(Settings())]
    done = entered(
        command=[sys.executable, "-c", code], memory=1 << 29, folders=folders, **changes
    )
    if done.returncode == enter.NOT_POSSIBLE:
        pytest.skip("this machine does not let root hide folders")
    assert done.stdout == "kept\nMemoryError\n", done.stderr


def test_a_home_that_is_not_there_is_one_sentence():
    done = entered(home="/there/is/none")
    assert done.returncode == enter.BAD_SETUP
    assert done.stderr.startswith("upramp-hub: /there/is/none: the home cannot be entered")
    assert done.stderr.count("\n") == 1


@needs_root
def test_a_closed_folder_that_cannot_be_hidden_is_named_with_what_to_do(tmp_path):
    closed = tmp_path / "closed"
    (closed / "python").mkdir(parents=True)
    tmp_path.chmod(0o755)
    closed.chmod(0o700)
    done = entered(uid=BASE, folders=[[str(closed / "python"), False]])
    assert done.returncode == enter.BAD_SETUP
    at = next(str(f) for f in [*reversed(closed.parents), closed] if not f.stat().st_mode & 1)
    assert f"'chmod o+x {at}'" in done.stderr


@needs_root
def test_a_hub_whose_interpreter_others_cannot_use_does_not_start(tmp_path, monkeypatch):
    broken = tmp_path / "environment"
    broken.mkdir(mode=0o700)
    monkeypatch.setattr(process, "needed_folders", lambda _: [str(broken)])
    with pytest.raises(SetupError, match="chmod") as raised:
        process.can_hide(Settings(state=tmp_path))
    assert sys.executable in str(raised.value)
    assert "\n" not in str(raised.value)

"""`upramp calibrate` as a process of its own: killed, starved, cut off; nothing partial stays."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from tiny_world import NGROUPS, SIZE, make_exposure

from upramp.exposure import open_exposure

OLD = "old product"


@pytest.fixture
def environment(crds_folder):
    kept = {key: value for key, value in os.environ.items() if not key.startswith("CRDS_")}
    return {**kept, "CRDS_PATH": str(crds_folder)}


@pytest.fixture
def old(tmp_path):
    """A good product of an earlier run."""
    product = tmp_path / "tiny_nrcalong_rate.fits"
    product.write_text(OLD)
    return product


def command(*arguments):
    return [sys.executable, "-m", "upramp", "calibrate", *map(str, arguments)]


def run(*arguments, **keywords):
    return subprocess.run(
        command(*arguments), capture_output=True, text=True, check=False, **keywords
    )


def products(folder):
    return sorted(file.name for file in folder.glob("*.fits"))


def assert_nothing_happened(folder):
    assert products(folder) == ["tiny_nrcalong_rate.fits"]
    assert (folder / "tiny_nrcalong_rate.fits").read_text() == OLD


def assert_whole_or_old(folder):
    for product in folder.glob("*.fits"):
        if product.read_bytes() != OLD.encode():
            with open_exposure(product) as exposure:
                assert exposure.has_asdf
                assert exposure["SCI"].size > 0


@pytest.mark.parametrize("threads", ["1", "2"])
def test_prints_what_it_wrote_and_nothing_else(environment, uncal, tmp_path, threads):
    out = run(uncal, "-o", tmp_path, "--save-ramp", "--threads", threads, env=environment)
    assert (out.returncode, out.stderr) == (0, "")
    assert [line.rpartition("/")[2] for line in out.stdout.splitlines()] == [
        f"tiny_nrcalong_{kind}.fits" for kind in ("ramp", "rate", "rateints")
    ]
    log = tmp_path / "tiny_nrcalong_calibrate.log"
    assert " jump, ramp_fit\n" in log.read_text()
    assert not list(tmp_path.glob(".upramp-*"))


def test_quiet_says_nothing(environment, uncal, tmp_path):
    out = run(uncal, "-o", tmp_path, "--quiet", env=environment)
    assert (out.returncode, out.stdout, out.stderr) == (0, "", "")


def test_a_variable_that_is_no_number_of_threads(environment, uncal, tmp_path):
    out = run(uncal, "-o", tmp_path, env={**environment, "UPRAMP_THREADS": "many"})
    assert out.returncode == 2
    assert out.stderr == (
        f"upramp: {uncal}: UPRAMP_THREADS: it cannot be 'many'; give 1 or more.\n"
    )


def test_others_go_on_after_a_bad_one(environment, uncal, tmp_path):
    bad = tmp_path / "bad_uncal.fits"
    bad.write_bytes(uncal.read_bytes()[: uncal.stat().st_size // 2])
    full = make_exposure(
        tmp_path / "full_uncal.fits", counts=np.full((1, NGROUPS, SIZE, SIZE), 65535.0)
    )
    out = run(bad, full, uncal, "-o", tmp_path / "out", env=environment)
    assert out.returncode == 2
    first, second = out.stderr.splitlines()
    assert first.startswith(f"upramp: {bad}: ")
    assert second.startswith(f"upramp: {full}: no pixel that sees light has a value")
    assert products(tmp_path / "out") == ["tiny_nrcalong_rate.fits", "tiny_nrcalong_rateints.fits"]


# Stops in the middle of the work of a tile, where the test can send a signal.
_PAUSED = """
import sys, threading, time
from upramp.detector1 import ramp_fit
real = ramp_fit.fit_ols
def fit_ols(*args, **keywords):
    sys.stdout.write("in tile\\n")
    sys.stdout.flush()
    time.sleep(1.5)
    return real(*args, **keywords)
ramp_fit.fit_ols = fit_ols
from upramp.cli import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.parametrize("threads", ["1", "2"])
@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGKILL, -9)],
)
def test_killed_in_a_tile(environment, uncal, old, number, code, threads):
    folder = old.parent
    arguments = ["calibrate", str(uncal), "-o", str(folder), "--save-ramp", "--threads", threads]
    process = subprocess.Popen(
        [sys.executable, "-c", _PAUSED, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )
    assert process.stdout.readline() == "in tile\n"
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert process.returncode == code
    assert err == ("upramp: interrupted\n" if code == 130 else "")
    # Tiles that were begun come to their end, and no other is begun.
    assert out.count("in tile") <= 2 * int(threads)
    assert_nothing_happened(folder)
    if number == signal.SIGKILL:
        # What was staged is cleared away by the next run.
        assert run(uncal, "-o", folder, env=environment).returncode == 0
    assert not list(folder.glob(".upramp-*"))


@pytest.mark.parametrize("moment", ["_ramp.fits", "_rateints.fits", "_rate.fits"])
def test_killed_while_writing(environment, uncal, old, moment):
    folder = old.parent
    with subprocess.Popen(
        command(uncal, "-o", folder, "--save-ramp"),
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        while process.poll() is None and not any(folder.glob(f".upramp-*/*{moment}")):
            time.sleep(0.001)
        process.kill()
    # It may have come to its end in that very moment.
    assert process.returncode in {-signal.SIGKILL, 0}
    assert_whole_or_old(folder)


@pytest.mark.parametrize("room", [60_000, 8_192, 200])
def test_no_room_for_the_products(environment, uncal, old, room):
    def small_files():
        resource.setrlimit(resource.RLIMIT_FSIZE, (room, room))

    folder = old.parent
    out = run(uncal, "-o", folder, "--save-ramp", env=environment, preexec_fn=small_files)
    assert out.returncode == 1
    # Whatever is the first that does not fit, product or log, it is the disk that is named.
    assert out.stderr.startswith(f"upramp: {folder}"), out.stderr
    assert "room" in out.stderr or "larger than" in out.stderr
    assert out.stderr.count("\n") == 1
    assert_nothing_happened(folder)
    assert not list(folder.glob(".upramp-*"))


@pytest.fixture
def small_disk(tmp_path):
    """A file system of its own, with room for less than the products."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = shutil.which("mount")
    options = ["-t", "tmpfs", "-o", "size=96k", "tmpfs", str(folder)]
    if not mount or subprocess.run([mount, *options], capture_output=True, check=False).returncode:
        pytest.skip("no file system can be mounted here")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_full_disk(environment, uncal, small_disk):
    (small_disk / "tiny_nrcalong_rate.fits").write_text(OLD)
    out = run(uncal, "-o", small_disk, "--save-ramp", env=environment)
    assert out.returncode == 1
    assert out.stderr.startswith(f"upramp: {small_disk}"), out.stderr
    assert "room" in out.stderr
    assert out.stderr.count("\n") == 1
    assert_nothing_happened(small_disk)
    assert not list(small_disk.glob(".upramp-*"))


def test_a_full_disk_under_what_is_temporary(environment, uncal, small_disk, old):
    with (small_disk / "filler").open("wb") as filler:
        filler.write(bytes(90_000))
    out = run(uncal, "-o", old.parent, env={**environment, "TMPDIR": str(small_disk)})
    assert (out.returncode, out.stderr) == (0, "")


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    ramp = 1000 + 40.0 * np.arange(NGROUPS)[:, None, None]
    counts = np.broadcast_to(ramp, (4000, NGROUPS, SIZE, SIZE))
    folder = tmp_path_factory.mktemp("large")
    return make_exposure(folder / "large_nrcalong_uncal.fits", counts=counts)


# Runs once, so that everything is loaded, and then once more with little memory left.
_STARVED = """
import os, resource, sys
from upramp.cli import main
spare, small, large, folder, threads = sys.argv[1:]
options = ["--save-ramp", "--threads", threads, "--quiet"]
assert main(["calibrate", small, "-o", folder, *options]) == 0
with open("/proc/self/statm") as file:
    used = int(file.read().split()[0]) * resource.getpagesize()
limit = used + int(float(spare) * 2**20)
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
sys.exit(main(["calibrate", large, "-o", folder, *options]))
"""


@pytest.mark.parametrize("spare", [20, 80, 200])
@pytest.mark.parametrize("threads", ["1", "2"])
def test_little_memory(environment, uncal, large, tmp_path, spare, threads):
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "large_nrcalong_rate.fits").write_text(OLD)
    arguments = [str(spare), str(uncal), str(large), str(folder), threads]
    out = subprocess.run(
        [sys.executable, "-c", _STARVED, *arguments],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )
    made = products(folder)
    assert out.returncode == 1
    # A thread's stack is memory too, and may be what there is no room for.
    wanted = ("there is not enough memory", "no more threads can be started here")
    assert any(text in out.stderr for text in wanted)
    assert out.stderr.count("\n") == 1
    assert [name for name in made if name.startswith("large")] == ["large_nrcalong_rate.fits"]
    assert (folder / "large_nrcalong_rate.fits").read_text() == OLD
    assert not list(folder.glob(".upramp-*"))


def test_no_cache_does_not_leak_the_exit_of_crds(uncal, tmp_path):
    environment = {k: v for k, v in os.environ.items() if not k.startswith("CRDS_")}
    environment["CRDS_PATH"] = str(tmp_path / "nowhere")
    out = run(uncal, "-o", tmp_path, env=environment)
    assert out.returncode == 2
    assert "there is no CRDS cache here" in out.stderr
    assert len(out.stderr.splitlines()) == 1
    assert out.stdout == ""

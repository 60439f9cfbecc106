"""`upramp calibrate` as a process of its own: killed, starved, cut off; nothing partial stays."""

import os
import resource
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from tiny_world import NGROUPS, SIZE, make_exposure

from upramp.exposure import open_exposure

pytestmark = pytest.mark.peer

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


def _command(*arguments):
    return [sys.executable, "-m", "upramp", "calibrate", "--engine", "stsci", *map(str, arguments)]


def _run(*arguments, **keywords):
    return subprocess.run(
        _command(*arguments), capture_output=True, text=True, check=False, **keywords
    )


def _products(folder):
    return sorted(file.name for file in folder.glob("*.fits"))


def test_prints_what_it_wrote_and_nothing_else(environment, uncal, tmp_path):
    out = _run(uncal, "-o", tmp_path, "--save-ramp", env=environment)
    assert out.returncode == 0
    assert out.stderr == ""
    assert [line.rpartition("/")[2] for line in out.stdout.splitlines()] == [
        f"tiny_nrcalong_{kind}.fits" for kind in ("ramp", "rate", "rateints")
    ]


def test_quiet_says_nothing(environment, uncal, tmp_path):
    out = _run(uncal, "-o", tmp_path, "--quiet", env=environment)
    assert (out.returncode, out.stdout, out.stderr) == (0, "", "")


@pytest.mark.parametrize("address", ["http://127.0.0.1:9", ""])
def test_address_of_a_server_is_not_talked_about(environment, uncal, tmp_path, address):
    out = _run(uncal, "-o", tmp_path, "--quiet", env={**environment, "CRDS_SERVER_URL": address})
    assert "WARNING" not in out.stderr
    assert len(out.stderr.splitlines()) <= (1 if address else 0)


def test_others_go_on_after_a_bad_one(environment, uncal, tmp_path):
    bad = tmp_path / "bad_uncal.fits"
    bad.write_bytes(uncal.read_bytes()[: uncal.stat().st_size // 2])
    out = _run(bad, uncal, "-o", tmp_path / "out", env=environment)
    assert out.returncode == 2
    assert out.stderr.startswith(f"upramp: {bad}: ")
    assert len(out.stderr.splitlines()) == 1
    assert "tiny_nrcalong_rate.fits" in _products(tmp_path / "out")


# Stops the process when it is inside a step, where the test can send it a signal.
_PAUSED = """
import sys, time
from jwst.ramp_fitting import RampFitStep
real = RampFitStep.process
def process(self, *args):
    print("in step", flush=True)
    time.sleep(60)
    return real(self, *args)
RampFitStep.process = process
from upramp.cli import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGKILL, -9)],
)
def test_killed_in_a_step(environment, uncal, old, number, code):
    folder = old.parent
    arguments = ["calibrate", str(uncal), "--engine", "stsci", "-o", str(folder), "--save-ramp"]
    process = subprocess.Popen(
        [sys.executable, "-c", _PAUSED, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )
    assert process.stdout.readline() == "in step\n"
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == code
    assert "Traceback" not in err
    assert _products(folder) == [old.name]
    assert old.read_text() == OLD
    if number != signal.SIGKILL:
        assert not list(folder.glob(".upramp-*"))


@pytest.mark.parametrize("moment", ["_rateints.fits", "_rate.fits"])
def test_killed_while_writing(environment, uncal, old, moment):
    # As soon as a product's first bytes are on disk; the next one is not begun then.
    folder = old.parent
    with subprocess.Popen(
        _command(uncal, "-o", folder, "--save-ramp"),
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        while process.poll() is None and not any(folder.glob(f".upramp-*/*{moment}")):
            time.sleep(0.001)
        process.kill()
    # It may have come to its end in that very moment.
    assert process.returncode in {-signal.SIGKILL, 0}
    for product in folder.glob("*.fits"):
        if product.read_bytes() != OLD.encode():
            with open_exposure(product) as exposure:
                assert exposure.has_asdf
                assert exposure["SCI"].size > 0


@pytest.mark.parametrize("room", [60_000, 8_192, 4_000])
def test_no_room_for_the_products(environment, uncal, old, room):
    def small_files():
        resource.setrlimit(resource.RLIMIT_FSIZE, (room, room))

    folder = old.parent
    out = _run(uncal, "-o", folder, "--save-ramp", env=environment, preexec_fn=small_files)
    assert out.returncode == 1
    # Whatever is the first that does not fit, product or log, it is the disk that is named.
    assert out.stderr.startswith(f"upramp: {folder}"), out.stderr
    assert "room" in out.stderr or "cannot be written (File too large)" in out.stderr
    assert out.stderr.count("\n") == 1
    if room == 60_000:
        assert out.stderr == (
            f"upramp: {folder}: there is no room for the products; "
            "free some space or write elsewhere.\n"
        )
    assert _products(folder) == [old.name]
    assert old.read_text() == OLD
    assert not list(folder.glob(".upramp-*"))


def test_no_cache_does_not_leak_the_exit_of_crds(uncal, tmp_path):
    environment = {k: v for k, v in os.environ.items() if not k.startswith("CRDS_")}
    environment["CRDS_PATH"] = str(tmp_path / "nowhere")
    out = _run(uncal, "-o", tmp_path, env=environment)
    assert out.returncode == 2
    assert "there is no CRDS cache here" in out.stderr
    assert len(out.stderr.splitlines()) == 1
    assert out.stdout == ""


def test_all_saturated_is_failed_work(environment, tmp_path):
    file = make_exposure(
        tmp_path / "full_uncal.fits", counts=np.full((1, NGROUPS, SIZE, SIZE), 65535.0)
    )
    out = _run(file, "-o", tmp_path / "out", env=environment)
    assert out.returncode == 1
    assert "every pixel is saturated" in out.stderr
    assert _products(tmp_path / "out") == []

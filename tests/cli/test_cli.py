"""The command line: one line for every failure, the right exit code, nothing leaked."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

import upramp
from upramp import cli
from upramp.errors import CalibrationError, InputError, UsageError
from upramp.progress import Silent
from upramp.stages import Result

UPRAMP = [sys.executable, "-m", "upramp"]


def _run(*arguments, **keywords):
    return subprocess.run(
        [*UPRAMP, *map(str, arguments)], capture_output=True, text=True, check=False, **keywords
    )


def _one_line(text):
    return text.startswith("upramp: ") and text.count("\n") == 1 and text.endswith("\n")


def test_help_imports_nothing_heavy():
    code = (
        "import sys\nfrom upramp.cli import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit:\n    pass\n"
        "print([m for m in ('numpy','astropy','jwst','stcal','crds','numba') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.splitlines()[-1] == "[]"


def test_version():
    out = _run("--version")
    assert out.returncode == 0
    assert out.stdout == f"upramp {upramp.__version__}\n"


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["bogus"],
        ["calibrate"],
        ["calibrate", "x.fits", "--stage", "one"],
        ["calibrate", "x.fits"],
        ["calibrate", "x.fits", "--engine", "stsci"],
        ["calibrate", "x.fits", "--engine", "nope"],
        ["calibrate", "x.fits", "--engine", "stsci", "--stage", "2"],
        ["calibrate", "x.fits", "--engine", "stsci", "--stage", "3"],
        ["calibrate", "x.fits", "--engine", "stsci", "--set", "jump"],
        ["calibrate", "a/x_uncal.fits", "b/x_uncal.fits", "--engine", "stsci"],
        ["info", "no-such-file.fits"],
        ["compare", "no-such-file.fits", "another.fits"],
        ["practice"],
        ["practice", "x", "--program", "no-such-program"],
        ["practice", "x", "--seed", "lots"],
    ],
)
def test_bad_usage_is_one_line_and_two(arguments, tmp_path):
    out = _run(*arguments, cwd=tmp_path)
    assert out.returncode == 2, out
    assert _one_line(out.stderr), out.stderr
    assert out.stdout == ""


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--engine", "nope"], "upramp: nope: there is no such engine; choose upramp or stsci.\n"),
        (["--threads", "0"], "upramp: threads: it cannot be 0; give 1 or more.\n"),
        (["--engine", "stsci", "--mask", "m"], "takes no mask of groups; use engine upramp.\n"),
        (["--engine", "stsci", "--threads", "2"], "or set jump.maximum_cores yourself.\n"),
        (["--stage", "2", "--save-ramp"], "save_ramp: stage 2 has no use for it"),
    ],
)
def test_what_an_engine_does_not_take_is_said_with_what_to_do(tmp_path, options, words):
    out = _run("calibrate", "x.fits", *options, cwd=tmp_path)
    assert out.returncode == 2
    assert words in out.stderr
    assert _one_line(out.stderr)


def test_upramp_is_the_engine_if_none_is_named(stand_in):
    assert cli.main(["calibrate", "x.fits", "--threads", "2", "--mask", "m", "--quiet"]) == 0
    ((_, keywords),) = stand_in
    assert (keywords["engine"], keywords["threads"], keywords["mask"]) == ("upramp", 2, "m")
    assert cli.main(["calibrate", "x.fits", "--quiet"]) == 0
    assert (stand_in[1][1]["threads"], stand_in[1][1]["mask"]) == (None, None)


def test_debug_shows_where(tmp_path):
    out = _run("info", "none.fits", "--debug", cwd=tmp_path)
    assert "Traceback" in out.stderr
    assert out.returncode == 2
    assert "Traceback" in _run("--debug", "info", "none.fits", cwd=tmp_path).stderr


def test_practice_lists_programs():
    out = _run("practice", "--list")
    assert out.returncode == 0
    assert "nircam" in out.stdout


@pytest.mark.parametrize("folder", ["plain", "with space", "qu'ote $HOME"])
def test_practice_prints_lines_that_a_shell_can_evaluate(monkeypatch, capsys, tmp_path, folder):
    from upramp import practice

    target = tmp_path / folder

    class Archive:
        directory = target
        made = (target / "x",)

    monkeypatch.setattr(practice, "make_archive", lambda *a, **k: Archive)
    assert cli.main(["practice", str(target)]) == 0
    script = capsys.readouterr().out + '\nprintf "%s|%s" "$CRDS_PATH" "${CRDS_SERVER_URL-unset}"'
    environment = {**os.environ, "CRDS_SERVER_URL": "https://somewhere"}
    out = subprocess.run(
        ["bash", "-c", script], capture_output=True, text=True, check=True, env=environment
    )
    assert out.stdout == f"{target.resolve() / 'crds'}|unset"


@pytest.fixture
def stand_in(monkeypatch):
    """A calibrate that fails as the file's name says."""
    from upramp import stages

    calls = []

    def calibrate(file, **keywords):
        calls.append((file, keywords))
        name = Path(file).name
        failures = {
            "input": InputError(file, "it is bad", "fetch it"),
            "work": CalibrationError(file, "it failed", "look"),
            "usage": UsageError("x", "no such", "choose"),
            "crash": ZeroDivisionError("two\nlines"),
            "memory": MemoryError(),
            "threads": RuntimeError("can't start new thread"),
            "exit": SystemExit(-1),
            "stop": KeyboardInterrupt(),
            "pipe": BrokenPipeError(),
        }
        for word, failure in failures.items():
            if name.startswith(word):
                raise failure
        return Result({}, {}, (Path("out dir") / f"{name}_rate.fits",), None)

    monkeypatch.setattr(stages, "calibrate", calibrate)
    return calls


def test_others_go_on_after_a_failure_and_the_worst_code_counts(stand_in, capsys):
    assert cli.main(["calibrate", "--engine=stsci", "a", "work1", "b", "input1", "c"]) == 2
    out, err = capsys.readouterr()
    assert out.splitlines() == [f"wrote 'out dir/{name}_rate.fits'" for name in "abc"]
    assert len(err.splitlines()) == 2
    assert cli.main(["calibrate", "--engine=stsci", "a", "work1"]) == 1
    assert cli.main(["calibrate", "--engine=stsci", "a"]) == 0


def test_what_does_not_suit_one_input_does_not_stop_the_others(stand_in, capsys):
    # A guide star exposure has no jump step, for one; the others have.
    assert cli.main(["calibrate", "--engine", "stsci", "usage", "a"]) == 2
    out, err = capsys.readouterr()
    assert out.splitlines() == ["wrote 'out dir/a_rate.fits'"]
    assert err == "upramp: usage: x: no such; choose.\n"


@pytest.mark.parametrize(
    "options",
    [["--engine", "nope"], ["--stage", "4"], ["--set", "jump"], ["-o", __file__], ["a", "a"]],
)
def test_what_suits_no_input_is_said_once_before_any(stand_in, capsys, options):
    line = ["calibrate", "--engine", "stsci", "a", "b", *options]
    assert cli.main(line) == 2
    assert _one_line(capsys.readouterr().err)
    assert stand_in == []


@pytest.mark.parametrize(
    "arguments",
    [
        ["info", ""],
        ["compare", "a", ""],
        ["calibrate", ""],
        ["calibrate", "a", "-o", ""],
        ["calibrate", "a", "--mask", ""],
        ["practice", ""],
    ],
)
def test_empty_name_is_no_name(capsys, arguments):
    with pytest.raises(SystemExit) as caught:
        cli.main(arguments)
    assert caught.value.code == 2
    err = capsys.readouterr().err
    assert _one_line(err)
    assert "is named" in err


def test_same_input_twice(tmp_path):
    out = _run("calibrate", "x.fits", "./x.fits", "--engine", "stsci", cwd=tmp_path)
    assert out.stderr == "upramp: ./x.fits: it is given twice; name it once.\n"


@pytest.mark.parametrize(
    "arguments", [["practice", "afile"], ["calibrate", "x", "-o", "afile", "--engine", "stsci"]]
)
def test_file_where_a_folder_is_wanted(tmp_path, arguments):
    (tmp_path / "afile").write_text("kept")
    out = _run(*arguments, cwd=tmp_path)
    assert out.returncode == 2
    assert out.stderr.startswith("upramp: afile: it is a file; name a folder")
    assert _one_line(out.stderr)
    assert (tmp_path / "afile").read_text() == "kept"


@pytest.mark.parametrize(
    ("name", "code", "words"),
    [
        ("crash", 1, "run again with --debug"),
        ("memory", 1, "not enough memory"),
        ("threads", 1, "no more threads can be started here"),
        ("exit", 1, "SystemExit"),
        ("stop", 130, "interrupted"),
    ],
)
def test_unexpected_ends_are_one_line(stand_in, capsys, name, code, words):
    assert cli.main(["calibrate", "--engine=stsci", name]) == code
    err = capsys.readouterr().err
    assert _one_line(err)
    assert words in err


def test_options_reach_calibrate(stand_in, capsys):
    line = (
        "calibrate x_uncal.fits -o out --stage 1 --engine upramp --set jump.a=1 --set b.c=d=e "
        "--mask m --save-ramp --threads 3 --quiet"
    )
    assert cli.main(line.split()) == 0
    file, keywords = stand_in[0]
    assert file == "x_uncal.fits"
    assert isinstance(keywords.pop("progress"), Silent)
    assert keywords == {
        "stage": 1,
        "engine": "upramp",
        "overrides": {"jump.a": "1", "b.c": "d=e"},
        "output_dir": "out",
        "save_ramp": True,
        "mask": "m",
        "threads": 3,
    }
    assert capsys.readouterr() == ("", "")


def test_terminated_unwinds_and_says_143(stand_in, monkeypatch):
    from upramp import stages

    unwound = []

    def calibrate(*args, **keywords):
        try:
            threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGTERM)).start()
            time.sleep(30)
        finally:
            unwound.append(True)

    monkeypatch.setattr(stages, "calibrate", calibrate)
    before = signal.getsignal(signal.SIGTERM)
    assert cli.main(["calibrate", "--engine=stsci", "x"]) == 143
    assert unwound == [True]
    assert signal.getsignal(signal.SIGTERM) is before


def _product(path, value):
    import numpy as np
    from astropy.io import fits

    primary = fits.PrimaryHDU()
    primary.header.update(DATAMODL="ImageModel", TELESCOP="JWST", INSTRUME="NIRCAM")
    image = fits.ImageHDU(np.full((3, 4), value, np.float32), name="SCI")
    fits.HDUList([primary, image]).writeto(path)
    return path


def test_compare_and_info(tmp_path):
    one, two = _product(tmp_path / "a_rate.fits", 1), _product(tmp_path / "b_rate.fits", 2)
    assert _run("compare", one, one).returncode == 0
    out = _run("compare", one, two, "--json")
    assert out.returncode == 1
    assert json.loads(out.stdout)["exit_code"] == 1
    text = _run("compare", one, two)
    assert text.returncode == 1
    assert "SCI" in text.stdout
    assert text.stderr == ""
    out = _run("info", one)
    assert out.returncode == 0
    assert "NIRCAM" in out.stdout
    assert len(out.stdout.splitlines()) <= 24
    assert isinstance(json.loads(_run("info", one, "--json").stdout), dict)


def test_closed_pipe_is_quiet(tmp_path):
    read, write = os.pipe()
    os.close(read)
    out = subprocess.run(
        [*UPRAMP, "practice", "--list"], stdout=write, stderr=subprocess.PIPE, check=False
    )
    os.close(write)
    assert out.stderr == b""
    assert out.returncode == 128 + signal.SIGPIPE


@pytest.mark.parametrize("options", [["info"], ["practice", "--list"]])
def test_full_disk_under_the_output(tmp_path, options):
    if options == ["info"]:
        options = ["info", _product(tmp_path / "a_rate.fits", 1)]
    with Path("/dev/full").open("w") as full:
        out = subprocess.run(
            [*UPRAMP, *map(str, options)], stdout=full, stderr=subprocess.PIPE, check=False
        )
    assert out.returncode == 1
    err = out.stderr.decode()
    assert _one_line(err), err
    assert err.startswith("upramp: standard output: it cannot be written (No space left")


def test_full_disk_under_the_errors(tmp_path):
    with Path("/dev/full").open("w") as full:
        out = subprocess.run([*UPRAMP, "info", "none"], stderr=full, cwd=tmp_path, check=False)
    assert out.returncode == 2

"""The magics in a shell: what they show, set, store and refuse."""

from __future__ import annotations

import argparse
import os
from types import SimpleNamespace

import pytest

from upramp import cli
from upramp.errors import ReferenceFileError, UprampError, UsageError
from upramp.kernel.arguments import CALIBRATE_OPTIONS, _calibrate_parser, calibrate_arguments
from upramp.kernel.completion import candidates
from upramp.kernel.context import prepare
from upramp.kernel.displays import result_card
from upramp.kernel.records import MEDIA_TYPE


def test_context_shows_what_is_in_force_and_what_there_is(shell, crds):
    card = shell.run("%context").value
    assert card.data["context"] == "jwst_0001.pmap"
    assert card.data["held"] == ["jwst_0001.pmap", "jwst_0002.pmap"]
    assert str(crds / "crds") in card.to_text()


def test_context_is_put_in_force_and_reset(shell, crds, monkeypatch):
    from upramp.kernel import context

    monkeypatch.setattr(context, "_AT_START", {"context": "jwst_0001.pmap"})
    shell.run("%context jwst_0002.pmap")
    assert os.environ["CRDS_CONTEXT"] == "jwst_0002.pmap"
    shell.run("%context --reset")
    assert os.environ["CRDS_CONTEXT"] == "jwst_0001.pmap"


@pytest.mark.parametrize("name", ["jwst_9999.pmap", "nope", "../x.pmap"])
def test_a_context_that_is_not_there_is_refused_in_a_sentence(shell, crds, name):
    done = shell.run(f"%context {name}")
    assert isinstance(done.error, ReferenceFileError)
    assert str(done.error) in done.text + done.errors
    assert "Traceback" not in done.text + done.errors
    assert os.environ["CRDS_CONTEXT"] == "jwst_0001.pmap"


def test_without_references_it_is_said_what_to_set(shell, monkeypatch):
    for name in ("CRDS_PATH", "CRDS_PATH_SINGLE", "CRDS_SERVER_URL", "UPRAMP_ARCHIVE"):
        monkeypatch.delenv(name, raising=False)
    assert "CRDS_PATH" in shell.run("%context").value.to_text()
    done = shell.run("%calibrate x_uncal.fits")
    assert isinstance(done.error, UsageError)
    assert "CRDS_PATH" in str(done.error)


def test_an_archive_alone_leads_to_its_cache(tmp_path, monkeypatch):
    from upramp.kernel import context

    monkeypatch.setattr(context, "_AT_START", {})
    (tmp_path / "crds").mkdir()
    environment = {"UPRAMP_ARCHIVE": str(tmp_path)}
    prepare(environment)
    assert environment["CRDS_PATH"] == str((tmp_path / "crds").resolve())
    elsewhere = {"UPRAMP_ARCHIVE": "https://archive.example/"}
    prepare(elsewhere)
    assert "CRDS_PATH" not in elsewhere


def test_calibrate_stores_the_result_and_a_record(shell, exposure, tmp_path):
    done = shell.run(
        f"%calibrate {exposure} --set jump.rejection_threshold=5 --to mine -o {tmp_path}"
    )
    assert done.error is None
    assert shell.ipython.user_ns["mine"] is done.value
    assert done.value.provenance["overrides"] == {"jump.rejection_threshold": "5"}
    records = [data[MEDIA_TYPE] for data in done.data if MEDIA_TYPE in data]
    assert [run["context"] for run in records[0]["runs"]] == ["jwst_0001.pmap"]
    assert any("is calibrated" in data.get("text/plain", "") for data in done.data)
    # What was written is said once: by the result, which is the cell's value.
    assert not any("wrote" in data.get("text/plain", "") for data in done.data)
    assert str(tmp_path) in result_card(done.value).to_text()
    # As HTML, whose lines a page does not break inside words.
    assert "<div>Record of this calibration: engine upramp" in next(
        data["text/html"] for data in done.data if MEDIA_TYPE in data
    )
    shown = shell.run("%provenance").value
    assert shown.data["engine"] == "upramp"
    assert "jwst_nircam_dark_0001.fits" in shown.to_text()
    # By a variable too, and by what the variable holds.
    assert shell.run("%provenance mine").value.data == shown.data
    assert shell.run("model = mine.rate\n%provenance model").value.data["engine"] == "upramp"


def test_a_name_alone_is_found_in_the_archive(shell, exposure, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    asked = {}
    monkeypatch.setattr(
        "upramp.stages.calibrate",
        lambda file, **keywords: (
            asked.update(file=file, **keywords) or SimpleNamespace(provenance={}, products=())
        ),
    )
    shell.run(f"%calibrate {exposure.name} --engine stsci -o out")
    assert asked["file"] == exposure
    assert asked["engine"] == "stsci"
    assert asked["output_dir"] == "out"


def test_an_error_is_one_sentence_and_tb_has_the_rest(shell, crds):
    done = shell.run("x = 1\nimport upramp\nupramp.open('no-such.fits')")
    said = (done.text + done.errors).strip()
    assert "line 3 of the cell" in said
    assert said.count("\n") == 0
    assert "source.py" in shell.run("%tb").text


@pytest.mark.parametrize(
    "line",
    [
        "",
        "a.fits b.fits",
        "a.fits --stage 4",
        "a.fits --stage one",
        "a.fits --engine nope",
        "a.fits --set jump",
        "a.fits --threads 0",
        "a.fits --no-such",
        "a.fits --to 2x",
        "'a.fits",
        "a.fits --mask m.fits --engine stsci",
    ],
)
def test_bad_options_are_refused(line):
    with pytest.raises(UprampError):
        calibrate_arguments(line)


def test_the_options_are_those_of_the_command():
    command = argparse.ArgumentParser(add_help=False)
    cli._calibrate_options(command)
    theirs = {
        action.dest: (sorted(action.option_strings), action.type, action.metavar)
        for action in command._actions
        if action.option_strings
    }
    ours = {
        action.dest: (sorted(action.option_strings), action.type, action.metavar)
        for action in _calibrate_parser()._actions
        if action.option_strings and action.dest != "to"
    }
    assert ours.keys() == theirs.keys()
    assert {k: v[::2] for k, v in ours.items()} == {k: v[::2] for k, v in theirs.items()}
    every = {name for names, *_ in theirs.values() for name in names}
    assert set(CALIBRATE_OPTIONS) == {n for n in every if n.startswith("--")} | {"--to"}


def test_completion(crds, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    for name in ("a_uncal.fits", "b c.fits", "notes.txt", ".hidden.fits"):
        (tmp_path / name).touch()
    (tmp_path / "raw").mkdir()
    assert candidates("%calibrate ") == ("", ["a_uncal.fits", "b\\ c.fits", "raw/"])
    assert candidates("r = %calibrate a") == ("a", ["a_uncal.fits"])
    assert candidates("%calibrate a_uncal.fits --en") == ("--en", ["--engine"])
    assert candidates("%calibrate a --engine s") == ("s", ["stsci"])
    assert "jump." in candidates("%calibrate a --set j")[1]
    assert candidates("%calibrate a --set jump.rej")[1] == ["jump.rejection_threshold="]
    assert candidates("%calibrate a -o ") == ("", ["raw/"])
    assert candidates("%context jwst_0002") == ("jwst_0002", ["jwst_0002.pmap"])
    assert candidates("%provenance --") == ("--", ["--drift"])
    assert candidates("print('%calibrate')") is None
    assert candidates("x = 1") is None


def test_the_tab_key_asks_us(shell, crds):
    text = "%calibrate a --set jump.rejection_th"
    _, found = shell.ipython.complete(text.rsplit(maxsplit=1)[-1], text, len(text))
    assert "jump.rejection_threshold=" in found


def test_dq(shell):
    done = shell.run("import numpy as np\nflags = np.array([[0, 1], [5, 4]], 'u4')\n%dq flags")
    assert done.value.data == {"GOOD": 1, "DO_NOT_USE": 2, "JUMP_DET": 2}
    assert isinstance(shell.run("%dq 3").error, UsageError)
    assert isinstance(shell.run("%dq np.zeros(3)").error, UsageError)


@pytest.mark.parametrize("line", ["%provenance", "%provenance a b", "%provenance --x", "%dq"])
def test_what_cannot_be_shown_is_said(shell, line):
    assert isinstance(shell.run(line).error, UsageError)


def test_unloading_takes_everything_away(shell):
    from upramp import listeners

    shell.run("%unload_ext upramp.kernel")
    magics = shell.ipython.magics_manager.magics["line"]
    assert not {"context", "calibrate", "provenance", "dq"} & magics.keys()
    assert shell.ipython.custom_exceptions == ()
    assert not listeners._listeners
    shell.run("%load_ext upramp.kernel\n%load_ext upramp.kernel")
    assert len(listeners._listeners) <= 1

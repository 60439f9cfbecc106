"""A notebook that is refused says so where its outcome would be."""

from __future__ import annotations

import json

import pytest

from upramp.errors import UsageError
from upramp.kernel import reductions
from upramp.stages.reduction import lock
from upramp.stages.reduction.outcome_file import OutcomeFile


@pytest.fixture
def folder(tmp_path):
    (folder := tmp_path / "out").mkdir()
    (folder / "image2_outcome.json").write_text('{"status": "done"}')
    return folder


def refused(folder, **parameters):
    given = {"inputs": ["a_rate.fits"], "output_dir": str(folder), "engine": "stcsi"}
    with pytest.raises(UsageError):
        reductions.begin("stage/image2", ["image2"], **given | parameters)
    file = folder / "image2_outcome.json"
    return json.loads(file.read_text()) if file.exists() else None


def test_the_outcome_of_an_earlier_run_is_not_left_as_this_ones(folder, capsys):
    found = refused(folder)
    assert found["status"] == "failed"
    assert found["parameters"]["engine"] == "stcsi"
    (failure,) = found["failures"]
    assert (failure["step"], failure["file"]) == ("parameters", "engine")
    assert "perhaps stsci" in failure["text"]
    assert "Nothing ran" in capsys.readouterr().out
    assert [one.name for one in folder.iterdir()] == ["image2_outcome.json"]


def test_products_of_the_earlier_run_are_named(folder):
    listed = [{"file": "a_cal.fits"}, {"file": "gone_cal.fits"}, {"file": "../x.fits"}]
    (folder / "image2_outcome.json").write_text(json.dumps({"products": listed}))
    (folder / "a_cal.fits").write_text("")
    (warning,) = refused(folder)["warnings"]
    assert "earlier run" in warning
    assert warning.endswith(": a_cal.fits")


def test_it_has_all_keys_of_an_outcome(folder, monkeypatch):
    found = refused(folder)
    keys = {}
    monkeypatch.setattr(
        OutcomeFile, "write", lambda self, status: keys.update(self.to_dict(status))
    )
    choices = reductions.checked_choices(["image2"], inputs=["x"], output_dir=str(folder))
    reductions.Reduction("stage/image2", choices).begin()
    lock.release(folder)
    assert set(found) == set(keys)


def test_a_folder_that_cannot_be_is_no_second_error(tmp_path, capsys):
    (file := tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="it is a file"):
        reductions.begin("stage/image2", ["image2"], inputs=["a"], output_dir=str(file))
    assert "no outcome file" in capsys.readouterr().out


def test_the_outcome_of_a_reduction_at_work_is_left_alone(folder, monkeypatch):
    monkeypatch.setattr(lock, "hold", _held)
    assert refused(folder) == {"status": "done"}


def _held(folder, what):
    raise reductions.CalibrationError(folder, f"{what} is at work in it", "wait")

"""``python -m benchmarks.truth_report``, from a practice archive to its files."""

import json
from importlib.util import find_spec

import pytest

from benchmarks import truth_report
from upramp import practice


@pytest.fixture(autouse=True)
def environment(monkeypatch, tmp_path):
    # The report sets these; afterwards they are what they were.
    for name in practice.environment(tmp_path):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)


def test_a_missing_archive_is_named_with_its_remedy(tmp_path, capsys):
    assert truth_report.main([str(tmp_path / "none"), "--no-figure"]) == 2
    said = capsys.readouterr().err
    assert "there is no practice archive" in said
    assert f"upramp practice {tmp_path / 'none'}" in said


def test_missing_matplotlib_is_said_before_the_work_begins(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(truth_report, "find_spec", lambda _name: None)
    assert truth_report.main([str(tmp_path / "none")]) == 2
    said = capsys.readouterr().err
    assert "pip install 'upramp[docs]'" in said
    assert "--no-figure" in said


def test_an_unknown_program_is_refused(tmp_path, capsys):
    (tmp_path / "practice.json").write_text('{"seed": 1, "version": "0"}')
    assert truth_report.main([str(tmp_path), "--no-figure", "--program", "nircam"]) == 2
    assert "nircam: there is no such program" in capsys.readouterr().err


@pytest.mark.peer
@pytest.mark.slow
def test_an_exposure_is_judged_from_raw_to_report(practice_archive, tmp_path, forget_crds, capsys):
    forget_crds()
    drawn = find_spec("matplotlib") is not None
    options = [str(practice_archive), "-o", str(tmp_path / "made"), "--program", "niriss"]
    assert truth_report.main(options if drawn else [*options, "--no-figure"]) == 0
    assert "simulation" in capsys.readouterr().out.lower()
    report = json.loads((tmp_path / "made" / "truth_report.json").read_text())
    assert "simulation" in report["label"].lower()
    assert report["archive"]["context"] == "jwst_0001.pmap"
    assert report["versions"]["stcal"].startswith("1.20")
    mode = report["modes"]["niriss"]
    # The flags that are counted for LIKELY are those of the very fit in the product.
    assert mode["likely_flags_are_the_products"]
    assert mode["parameters"]["jump"]["rejection_threshold"] == 4.0
    assert mode["steps"]["LIKELY"]["delegated"] == {}
    for algorithm in ("OLS_C", "LIKELY"):
        every = mode[algorithm]["rates"]["clean"][-1]
        assert every["pixels"] > 0.9 * 256 * 256
        assert abs(every["pull"]) < 0.1
        assert every["pull_width"] == pytest.approx(1, abs=0.05)
        jumps = mode[algorithm]["jumps"]
        strong = [row for row in jumps["by_energy_peaks"] if row["low"] >= 200]
        assert sum(row["found"] for row in strong) == sum(row["trials"] for row in strong) > 5
        quiet = sum(row["trials"] for row in jumps["false_by_group"])
        assert sum(row["found"] for row in jumps["false_by_group"]) < 1e-3 * quiet
    # What LIKELY adds to the jump step's flags can only be more of them.
    for what in ("by_energy", "false_by_group"):
        step, both = (
            sum(row["found"] for row in mode[name]["jumps"][what]) for name in ("OLS_C", "LIKELY")
        )
        assert both >= step
    if drawn:
        assert (tmp_path / "made" / "truth.png").read_bytes().startswith(b"\x89PNG")

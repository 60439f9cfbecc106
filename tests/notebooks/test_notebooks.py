"""The notebooks: stored clean, listed, copied without loss, and run as a user runs them."""

from __future__ import annotations

import ast
import json
import subprocess
import sys

import pytest

from upramp.errors import OutputError, UsageError
from upramp.kernel.records import sum_up
from upramp.kernel.reductions import OUTCOME_TYPE
from upramp.notebooks import copy_notebooks, list_notebooks
from upramp.practice.crds_context import CODE_DEFAULTS
from upramp.stages import compare, read_provenance
from upramp.stages.reduction import PARAMETERS

NOTEBOOKS = list_notebooks()
STAGE_1 = "stage/detector1.ipynb"
EXPOSURE = "jw99001001001_02101_00001_nrcalong_uncal.fits"


def test_stage_1_is_there():
    assert STAGE_1 in {notebook.name for notebook in NOTEBOOKS}


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda one: one.name)
def test_it_is_stored_clean_with_parameters_and_our_kernel(notebook):
    document = json.loads(notebook.path.read_text())
    assert document["metadata"]["kernelspec"]["name"] == "upramp"
    code = [cell for cell in document["cells"] if cell["cell_type"] == "code"]
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in code)
    tagged = [cell for cell in code if "parameters" in cell["metadata"].get("tags", [])]
    assert len(tagged) == 1
    assert notebook.title


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda one: one.name)
def test_it_calls_the_library_and_has_no_logic_of_its_own(notebook):
    for cell in json.loads(notebook.path.read_text())["cells"]:
        if cell["cell_type"] != "code":
            continue
        lines = "".join(cell["source"]).splitlines()
        tree = ast.parse("\n".join(line for line in lines if not line.startswith("%")))
        logic = (
            *(ast.If, ast.IfExp, ast.For, ast.While, ast.Try, ast.With, ast.Lambda),
            *(ast.FunctionDef, ast.ClassDef, ast.comprehension, ast.BinOp, ast.Subscript),
        )
        assert not [node for node in ast.walk(tree) if isinstance(node, logic)]


def test_a_copy_that_was_changed_is_kept(tmp_path):
    assert {one.what for one in copy_notebooks(tmp_path / "mine")} == {"copied"}
    assert {one.what for one in copy_notebooks(tmp_path / "mine")} == {"unchanged"}
    mine = tmp_path / "mine" / STAGE_1
    mine.write_text("mine")
    assert "kept" in {one.what for one in copy_notebooks(tmp_path / "mine")}
    assert mine.read_text() == "mine"


def test_where_they_cannot_go(tmp_path):
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(UsageError):
        copy_notebooks(file)
    (tmp_path / "stage").touch()
    with pytest.raises(OutputError):
        copy_notebooks(tmp_path)


def test_the_command(tmp_path):
    def upramp(*words):
        command = [sys.executable, "-m", "upramp", "notebooks", *words]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    assert STAGE_1 in upramp()
    assert STAGE_1 in upramp("--list")
    assert upramp("--copy", str(tmp_path)).startswith("copied ")
    assert (tmp_path / STAGE_1).exists()


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda one: one.name)
def test_its_parameters_are_those_of_all_typed_and_explained(notebook):
    document = json.loads(notebook.path.read_text())
    (cell,) = [one for one in document["cells"] if "parameters" in one["metadata"].get("tags", [])]
    source = "".join(cell["source"])
    assigned = [node for node in ast.parse(source).body if isinstance(node, ast.AnnAssign)]
    assert tuple(node.target.id for node in assigned) == PARAMETERS
    lines = [line for line in source.splitlines() if not line.startswith("#")]
    assert all("  # " in line for line in lines)
    begin = next(one for one in document["cells"] if one["id"] == "begin")
    assert f'"{notebook.name.removesuffix(".ipynb")}"' in "".join(begin["source"])
    assert document["cells"][-1]["source"] == ["run.finish()"]


@pytest.mark.slow
@pytest.mark.peer
def test_stage_1_shows_its_pictures_and_agrees_with_the_official_pipeline(execute, tmp_path):
    done = execute(
        STAGE_1,
        steps={"jump.rejection_threshold": 5.0},
        crds_context="jwst_0002.pmap",
        reference_product="stsci",
        strict=True,
    )
    folder = tmp_path / "calibrated"
    assert (folder / "jw99001001001_02101_00001_nrcalong_rate.fits").exists()
    assert {"raw", "rate", "ramp", "jumps", "dq"} == set(done.pictures())
    assert "jumps in groups" in done.pictures()["ramp"]
    assert "JUMP_DET" in done.pictures()["dq"]
    assert "jump.rejection_threshold 5.0" in done.text("provenance")
    assert "2 of 2 products are identical" in done.text("compare")
    engines = {one["engine"]: one["context"] for one in sum_up(done.document).environments}
    assert engines == {"upramp": "jwst_0002.pmap", "stsci": "jwst_0002.pmap"}
    outcome = done.outcome
    assert outcome["status"] == "done"
    assert {one["suffix"] for one in outcome["products"]} == {"ramp", "rate", "rateints"}
    assert all(one["sha256"] for one in outcome["products"] + outcome["references"])
    (shown,) = [one[OUTCOME_TYPE] for one in done.outputs("finish")]
    assert shown["products"] == outcome["products"]
    assert done.document["metadata"]["language_info"]["upramp"]["outcome"] == shown


@pytest.mark.slow
def test_a_mask_of_the_masker_gives_the_bits_of_the_command(execute, practice_archive, tmp_path):
    from upramp_widgets import CosmicRayMasker

    path = practice_archive / "uncal" / EXPOSURE
    crds = {"CRDS_PATH": str(practice_archive / "crds"), "CRDS_CONTEXT": CODE_DEFAULTS}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in crds.items():
            patch.setenv(name, value)
        masker = CosmicRayMasker(str(path), threshold=3.5)
        assert masker.wait(120)
        masker.paint([(120, 88)], radius=2, groups=4)
        masker.save(tmp_path / "mask.fits")
        masker.close()
        subprocess.run(
            [
                *(sys.executable, "-m", "upramp", "calibrate", str(path), "--quiet"),
                *("--mask", str(tmp_path / "mask.fits"), "-o", str(tmp_path / "command")),
            ],
            check=True,
        )
    execute(STAGE_1, mask=str(tmp_path / "mask.fits"))
    for kind in ("rate", "rateints"):
        name = EXPOSURE.replace("uncal", kind)
        made = tmp_path / "calibrated" / name
        assert compare(tmp_path / "command" / name, made).identical
    assert read_provenance(made)["mask"]


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"input": "x_uncal.fits"}, "input: the notebook has no such parameter; perhaps inputs"),
        ({"steps": {"jmp.rejection_threshold": 5}}, "perhaps jump is meant"),
        ({"engine": "upramps"}, "perhaps upramp is meant"),
    ],
)
def test_a_wrong_parameter_is_refused_before_anything_runs(execute, tmp_path, parameters, said):
    import papermill

    with pytest.raises(papermill.PapermillExecutionError) as caught:
        execute(STAGE_1, **parameters)
    assert caught.value.ename == "UsageError"
    assert said in caught.value.evalue
    # Nothing but word of it, which would else be that of an earlier run.
    assert [one.name for one in (tmp_path / "calibrated").iterdir()] == ["detector1_outcome.json"]
    outcome = json.loads((tmp_path / "calibrated" / "detector1_outcome.json").read_text())
    assert outcome["status"] == "failed"
    (failure,) = outcome["failures"]
    assert failure["step"] == "parameters"
    assert said.rpartition(": ")[2] in failure["text"]
    document = json.loads((tmp_path / "done.ipynb").read_text())
    assert document["metadata"]["language_info"]["upramp"]["outcome"] == outcome


def test_what_fails_is_told_in_the_last_cell_and_in_the_outcome(execute, tmp_path):
    import papermill

    with pytest.raises(papermill.PapermillExecutionError) as caught:
        execute(STAGE_1, inputs=["no_such_uncal.fits"])
    cells = json.loads((tmp_path / "done.ipynb").read_text())["cells"]
    raised = [one["id"] for one in cells if one["metadata"].get("papermill", {}).get("exception")]
    assert raised == [cells[-1]["id"]] == ["finish"]
    assert "UPRAMP_ARCHIVE" in caught.value.evalue
    outcome = json.loads((tmp_path / "calibrated" / "detector1_outcome.json").read_text())
    assert outcome["status"] == "failed"
    (failure,) = outcome["failures"]
    assert (failure["step"], failure["file"]) == ("reading", "no_such_uncal.fits")


def test_a_step_that_fails_is_told_with_its_file_and_why(execute, tmp_path):
    import papermill

    (dark := tmp_path / "dark.fits").write_text("no reference")
    with pytest.raises(papermill.PapermillExecutionError) as caught:
        execute(STAGE_1, steps={"dark_current.override_dark": str(dark)})
    assert "detector1 failed" in caught.value.evalue
    assert "dark.fits" in caught.value.evalue
    outcome = json.loads((tmp_path / "calibrated" / "detector1_outcome.json").read_text())
    assert outcome["status"] == "failed"
    (failure,) = outcome["failures"]
    assert (failure["step"], failure["file"]) == ("detector1", EXPOSURE)
    assert outcome["steps"][0]["status"] == "failed"
    assert not outcome["products"]

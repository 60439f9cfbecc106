"""The notebooks: stored clean, listed, copied without loss, and run as a user runs them."""

from __future__ import annotations

import ast
import base64
import json
import subprocess
import sys

import pytest

from upramp.errors import OutputError, UsageError
from upramp.kernel.comparing import compare_with_official
from upramp.kernel.install import install
from upramp.kernel.records import sum_up
from upramp.notebooks import copy_notebooks, list_notebooks
from upramp.practice.crds_context import CODE_DEFAULTS
from upramp.stages import compare, read_provenance

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
        logic = (ast.If, ast.For, ast.While, ast.Try, ast.FunctionDef, ast.Lambda, ast.ListComp)
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


@pytest.fixture
def execute(practice_archive, tmp_path, monkeypatch):
    install(prefix=tmp_path / "prefix")
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "prefix" / "share" / "jupyter"))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("UPRAMP_ARCHIVE", str(practice_archive))
    monkeypatch.setenv("CRDS_CONTEXT", CODE_DEFAULTS)
    for name in ("CRDS_PATH", "CRDS_SERVER_URL", "JPY_SESSION_NAME"):
        monkeypatch.delenv(name, raising=False)

    def run(name, **parameters):
        import papermill

        source = next(one.path for one in NOTEBOOKS if one.name == name)
        target = tmp_path / "done.ipynb"
        papermill.execute_notebook(
            str(source), str(target), parameters, cwd=str(tmp_path), progress_bar=False
        )
        return json.loads(target.read_text())

    return run


def outputs(document, identity):
    cell = next(cell for cell in document["cells"] if cell.get("id") == identity)
    return [output["data"] for output in cell["outputs"] if "data" in output]


def text(data):
    return "".join(data["text/plain"])


@pytest.mark.slow
@pytest.mark.peer
def test_stage_1_shows_its_pictures_and_agrees_with_the_official_pipeline(execute, tmp_path):
    document = execute(
        STAGE_1,
        overrides={"jump.rejection_threshold": 5.0},
        context="jwst_0002.pmap",
        compare=True,
    )
    assert (tmp_path / "calibrated" / "jw99001001001_02101_00001_nrcalong_rate.fits").exists()
    for identity in ("rate", "ramp", "dq"):
        (data,) = outputs(document, identity)
        assert base64.b64decode("".join(data["image/png"])).startswith(b"\x89PNG")
    assert "jumps in groups" in text(outputs(document, "ramp")[0])
    assert "JUMP_DET" in text(outputs(document, "dq-table")[0])
    assert "jump.rejection_threshold 5.0" in text(outputs(document, "provenance")[0])
    assert "2 of 2 products are identical" in text(outputs(document, "compare")[0])
    engines = {one["engine"]: one["context"] for one in sum_up(document).environments}
    assert engines == {"upramp": "jwst_0002.pmap", "stsci": "jwst_0002.pmap"}


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


def test_the_official_pipeline_runs_only_where_it_is_asked_for(tmp_path):
    card = compare_with_official(None, None, tmp_path, asked=False)
    assert "compare" in card.to_text()
    assert not list(tmp_path.iterdir())


def test_a_wrong_parameter_is_one_sentence(execute):
    import papermill

    with pytest.raises(papermill.PapermillExecutionError) as caught:
        execute(STAGE_1, input_file="no_such_uncal.fits")
    assert caught.value.ename == "InputError"
    assert "UPRAMP_ARCHIVE" in caught.value.evalue

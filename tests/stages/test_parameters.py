"""Parameters without the official packages: where they come from, and what is refused."""

import subprocess
import sys

import asdf
import pytest

from upramp.errors import CalibrationError, ReferenceFileError, UsageError
from upramp.stages import official_specs
from upramp.stages.official_specs import pipeline_name, specification
from upramp.stages.parameters import (
    DEFAULT,
    USER,
    configured,
    parameter_reftypes,
    resolve_parameters,
)

DETECTOR1 = specification("Detector1Pipeline")


def _reference(path, content):
    asdf.AsdfFile(content).write_to(path)
    return path


def _step(name, steps=(), **parameters):
    content = {"class": f"jwst.{name}", "name": name, "parameters": parameters}
    return {**content, "steps": list(steps)} if steps else content


# Specifications


def test_specification_has_what_the_steps_declare_and_inherit():
    jump = DETECTOR1.steps["jump"]
    assert jump.class_name == "JumpStep"
    assert jump.class_alias == "jump"
    assert jump.config_reftype == "pars-jumpstep"
    assert jump.reference_file_types == ("gain", "readnoise")
    assert jump.parameters["rejection_threshold"] == "float(default=4.0,min=0)"
    assert jump.parameters["skip"] == "boolean(default=False)"
    assert jump.parameters["output_ext"] == "string(default='.fits')"
    assert jump.parameters["override_gain"] == "is_string_or_datamodel(default=None)"
    assert DETECTOR1.steps["persistence"].parameters["skip"] == "boolean(default=True)"
    assert list(DETECTOR1.steps)[:3] == ["group_scale", "dq_init", "emicorr"]
    assert DETECTOR1.config_reftypes[0] == "pars-detector1pipeline"
    assert len(DETECTOR1.config_reftypes) == len(DETECTOR1.steps) + 1


@pytest.mark.parametrize(
    "case",
    [
        ("NRC_IMAGE", "Detector1Pipeline"),
        ("MIR_DARKIMG", "DarkPipeline"),
        ("NRC_DARK", "DarkPipeline"),
        ("FGS_ID-STACK", "GuiderPipeline"),
        ("FGS_IMAGE", "Detector1Pipeline"),
    ],
)
def test_pipeline_by_type_of_exposure(case):
    exp_type, name = case
    assert pipeline_name(exp_type) == name
    assert specification(name).class_name == name


@pytest.fixture
def packages(tmp_path, monkeypatch):
    """A folder to write a `jwst` of one's own to, which is found instead of the installed one."""
    (tmp_path / "jwst").mkdir()
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "jwst", raising=False)
    for cached in (official_specs._file, official_specs._sources, specification):
        cached.cache_clear()
    yield tmp_path / "jwst"
    for cached in (official_specs._file, official_specs._sources, specification):
        cached.cache_clear()


STEPS = '''
import numpy as np
from jwst import base as other
from abc import ABC
class Step(ABC, other.Base):
    """No text."""
    spec = """
        a = integer(default=1)  # it's "quoted"
        skip = boolean(default=False)
    """
    n: int
    reference_file_types: list = ["dark"]
    prefetch_references = False
class Late(Step):
    spec = "a = integer(default=2)"
    def process(self):
        spec = "never"
'''


def test_specification_follows_imports_and_inheritance(packages):
    (packages / "__init__.py").write_text("")
    base = "class Base:\n    class_alias = None\n    spec = 'b = float(default=1)'\n"
    (packages / "base.py").write_text(base)
    (packages / "steps.py").write_text(STEPS)
    (packages / "pipeline").mkdir()
    (packages / "pipeline" / "__init__.py").write_text("from .one import One as MyPipeline\n")
    (packages / "pipeline" / "one.py").write_text(
        "from .. import steps\nfrom jwst.steps import Late\n"
        "class One(steps.Step):\n"
        "    reference_file_types = []\n"
        "    step_defs = {'early': steps.Step, 'late': Late}\n"
    )
    found = specification("MyPipeline")
    assert found.class_name == "One"
    assert dict(found.steps["early"].parameters) == {
        "b": "float(default=1)",
        "a": "integer(default=1)",
        "skip": "boolean(default=False)",
        "override_dark": "is_string_or_datamodel(default=None)",
    }
    assert found.steps["late"].parameters["a"] == "integer(default=2)"
    assert not found.steps["late"].prefetch_references


@pytest.mark.parametrize(
    "text",
    [
        None,
        "class Other: pass",
        "class Detector1Pipeline:",
        "from numpy import float32 as Detector1Pipeline",
        "class Detector1Pipeline: pass",
        "class Detector1Pipeline(Unknown): pass",
        "class Detector1Pipeline(a.b.c): pass",
        "class Detector1Pipeline:\n    spec = str(1)",
        "class Detector1Pipeline:\n    step_defs = dict()",
        "class Detector1Pipeline:\n    step_defs = {**a}",
        "class Detector1Pipeline:\n    spec = '['",
    ],
)
def test_release_that_cannot_be_read_is_said(packages, text):
    (packages / "__init__.py").write_text("")
    if text is not None:
        (packages / "pipeline.py").write_text(text)
    with pytest.raises(CalibrationError, match="install the releases of jwst"):
        specification("Detector1Pipeline")


# Values


def test_without_references_or_overrides_all_is_default():
    found = configured(DETECTOR1, {})
    assert found.name == "Detector1Pipeline"
    assert found.steps["jump"]["rejection_threshold"] == 4.0
    assert found.steps["clean_flicker_noise"]["background_box_size"] is None
    assert found.pipeline["save_calibrated_ramp"] is False
    assert set(found.origins.values()) == {DEFAULT}
    assert len(found.origins) == len(found.pipeline) + sum(map(len, found.steps.values()))
    assert found.references is None


def test_step_reference_then_pipeline_reference_then_user(tmp_path):
    files = {
        "pars-jumpstep": _reference(
            tmp_path / "jump.asdf",
            _step("jump", rejection_threshold=5, sat_expand=7, min_sat_area=8.0),
        ),
        "pars-detector1pipeline": _reference(
            tmp_path / "pipeline.asdf",
            _step(
                "my_name",
                [_step("jump", sat_expand="9", min_sat_area="3"), _step("ipc", skip="true")],
                save_calibrated_ramp=True,
            ),
        ),
    }
    found = configured(DETECTOR1, files, {"jump.min_sat_area": "4.5", "jump.skip": "no"})
    jump = found.steps["jump"]
    assert (jump["rejection_threshold"], jump["sat_expand"], jump["min_sat_area"]) == (5, 9, 4.5)
    # A whole number for a float stays one, as in the official packages.
    assert isinstance(jump["rejection_threshold"], int)
    assert found.steps["ipc"]["skip"] is True
    assert found.pipeline["save_calibrated_ramp"] is True
    assert found.name == "my_name"
    assert found.origins["jump.rejection_threshold"] == "jump.asdf"
    assert found.origins["jump.sat_expand"] == "pipeline.asdf"
    assert found.origins["jump.min_sat_area"] == USER
    assert found.origins["jump.min_jump_area"] == DEFAULT
    assert found.origins["save_calibrated_ramp"] == "pipeline.asdf"


def test_old_layout_of_references_is_obeyed(tmp_path):
    old = {"class": "c", "name": "n", "steps": {"jump": {"sat_expand": 3}, "ipc": {"class": "x"}}}
    file = _reference(tmp_path / "old.asdf", {"parameters": {**old, "skip": True}})
    found = configured(DETECTOR1, {"pars-detector1pipeline": file})
    assert found.steps["jump"]["sat_expand"] == 3
    assert found.pipeline["skip"] is True
    assert found.name == "n"


def test_input_dir_is_inherited(tmp_path):
    file = _reference(
        tmp_path / "x.asdf", _step("x", [_step("jump", input_dir="/b")], input_dir="/a")
    )
    found = configured(DETECTOR1, {"pars-detector1pipeline": file})
    assert found.pipeline["input_dir"] == "/a"
    assert found.steps["ipc"]["input_dir"] == "/a"
    assert found.steps["jump"]["input_dir"] == "/b"
    assert configured(DETECTOR1, {}).steps["ipc"]["input_dir"] == ""


def test_output_files_are_made_absolute_and_no_folder_is_made(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = configured(DETECTOR1, {}, {"dark_current.dark_output": "new/dark.fits"})
    assert found.steps["dark_current"]["dark_output"] == str(tmp_path / "new" / "dark.fits")
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("value", ["true", "True", "t", "yes", "y"])
def test_parameter_references_can_be_switched_off(monkeypatch, value):
    assert parameter_reftypes(DETECTOR1) == DETECTOR1.config_reftypes
    monkeypatch.setenv("STPIPE_DISABLE_CRDS_STEPPARS", value)
    assert parameter_reftypes(DETECTOR1) == []
    monkeypatch.setenv("STPIPE_DISABLE_CRDS_STEPPARS", "1")
    assert parameter_reftypes(DETECTOR1) == DETECTOR1.config_reftypes


def test_wrong_overrides_are_refused_before_crds_is_asked():
    with pytest.raises(UsageError, match="perhaps rejection_threshold"):
        resolve_parameters(DETECTOR1, None, {"jump.rejection_treshold": 5})


@pytest.mark.parametrize(
    "case",
    [
        ("jump.suffix", "%(name)s", "it refers to another value"),
        ("jump.suffix", {"a": 1}, "it is no value"),
        ("jump.override_gain", 5, "wrong type"),
        ("clean_flicker_noise.background_box_size", [1], "too short"),
    ],
)
def test_values_that_no_declaration_takes(case):
    name, value, words = case
    with pytest.raises(UsageError) as caught:
        configured(DETECTOR1, {}, {name: value})
    assert words in str(caught.value)
    assert str(caught.value).startswith(f"{name}: it cannot be ")
    assert "it is declared as " in str(caught.value)


# References that are no good


def _text(path, text):
    path.write_text(f"#ASDF 1.0.0\n%YAML 1.1\n%TAG ! tag:stsci.edu:asdf/\n---\n{text}\n...\n")


@pytest.mark.parametrize(
    "case",
    [
        ({"class": "a", "name": "b", "parameters": {"nonsense": 1}}, "set jump.nonsense: there"),
        ({"class": "a", "name": "b", "parameters": {"skip": "perhaps"}}, "set jump.skip: the"),
        ({"class": "a", "name": "b", "parameters": {"skip": {"a": 1}}}, "skip is no value"),
        ({"class": "a", "name": "b", "parameters": {"config_file": "x"}}, "jump.config_file: the"),
        ({"class": "a", "name": "b", "parameters": {"steps": {}}}, "steps is no value"),
        ({"class": "a", "name": "b", "parameters": {"suffix": "%(skip)s"}}, "to another value"),
        ({"class": "a", "name": "b", "parameters": {"pre_hooks": ["%(a)s"]}}, "to another value"),
        ({"class": "a", "name": "b", "parameters": {3: 4}}, "parameter 3 has no name"),
        ({"class": "a", "name": "b", "parameters": {"skip": 1j}}, "skip is of kind tag:stsci"),
        ({"class": "a", "name": "b", "parameters": {"steps": 1}}, "steps is no value"),
        ({"class": "a", "name": "b", "parameters": {}, "steps": 1}, "steps are no list"),
        ({"class": "a", "name": "b", "parameters": {}, "steps": [1]}, "steps holds no parameters"),
        ({"class": "a", "parameters": {}}, "does not say the name"),
        ({"class": 1, "name": "b", "parameters": {}}, "does not say the class"),
        ({"class": "a", "name": "b"}, "holds no parameters"),
        ({"parameters": {}}, "does not say its class and name"),
        ({"parameters": {"class": "a", "name": "b", "steps": 1}}, "steps are no mapping"),
        ({"parameters": {"class": "a", "name": "b", "steps": {"c": 1}}}, "step c holds no"),
        ({"nothing": 1}, "holds no parameters"),
    ],
)
def test_content_that_no_parameter_reference_has(tmp_path, case):
    content, words = case
    file = tmp_path / "x.asdf"
    lines = repr(content).replace("True", "true").replace("1j", "!core/complex-1.0.0 1j")
    _text(file, lines)
    with pytest.raises(ReferenceFileError) as caught:
        configured(DETECTOR1, {"pars-jumpstep": file})
    assert words in str(caught.value)
    assert str(caught.value).startswith(f"{file}: ")
    assert "STPIPE_DISABLE_CRDS_STEPPARS=true" in str(caught.value)


def test_steps_that_the_pipeline_does_not_have(tmp_path):
    file = _reference(tmp_path / "x.asdf", _step("x", [_step("flat_field", skip=True)]))
    with pytest.raises(ReferenceFileError, match=r"cannot set flat_field: there is no such"):
        configured(DETECTOR1, {"pars-detector1pipeline": file})


def _cut(file):
    file.write_bytes(file.read_bytes()[:150])


@pytest.mark.parametrize(
    "case",
    [
        (lambda p: p.unlink(), "No such file"),
        (lambda p: p.write_text("[jump]\nskip = True\n"), "does not begin as ASDF does"),
        (lambda p: p.write_bytes(b""), "does not begin as ASDF does"),
        (_cut, "damaged"),
        (lambda p: _text(p, "[" * 5000 + "]" * 5000), "too deep"),
        (lambda p: _text(p, "[" * 900 + "]" * 900), "too deep"),
        (lambda p: _text(p, "&a [*a]"), "holds itself"),
        (lambda p: p.open("r+b").truncate(1 << 25), "too large"),
        (lambda p: (p.unlink(), p.mkdir()), "cannot be read"),
    ],
)
def test_damaged_parameter_reference_is_named(tmp_path, case):
    spoil, words = case
    file = _reference(tmp_path / "x.asdf", _step("jump", skip=True))
    spoil(file)
    with pytest.raises(ReferenceFileError) as caught:
        configured(DETECTOR1, {"pars-jumpstep": file})
    assert words in str(caught.value)
    assert str(caught.value).startswith(f"{file}: this pars-jumpstep reference cannot be used")


# References that steps want


def test_skipped_steps_want_no_references():
    found = configured(DETECTOR1, {}, {"dark_current.skip": True, "emicorr.skip": False})
    assert found.wanted_by("dark_current") == ()
    assert found.wanted_by("emicorr") == ("emicorr",)
    assert found.wanted_by("ramp_fit") == ("readnoise", "gain")
    assert "dark" not in found.crds_reftypes
    assert found.reference_file_types.count("gain") == 3


def test_overrides_of_references_are_by_step(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    overrides = {
        "jump.override_gain": "gain.fits",
        "ramp_fit.override_gain": "N/A",
        "ramp_fit.override_readnoise": str(tmp_path / "a.fits"),
        "jump.override_readnoise": "N/A",
        "dark_current.override_dark": "N/A",
        "dark_current.skip": "true",
    }
    found = configured(DETECTOR1, {}, overrides)
    assert found.override("jump", "gain") == str(tmp_path / "gain.fits")
    assert found.override("ramp_fit", "gain") == "N/A"
    assert found.override("gain_scale", "gain") is None
    assert found.overrides == {"gain": str(tmp_path / "gain.fits"), "readnoise": "N/A"}
    assert "gain" in found.crds_reftypes
    assert "readnoise" not in found.crds_reftypes
    assert "override_gain" not in found.to_dict()["steps"]["jump"]


def test_resolving_loads_no_official_package(crds, tmp_path):
    file = _reference(tmp_path / "jump.asdf", _step("jump", sat_expand=7))
    code = f"""
import sys
from pathlib import Path
from upramp.stages.official_specs import pipeline_name, specification
from upramp.stages.parameters import configured, resolve_parameters
exposure = {{
    "META.INSTRUMENT.NAME": "NIRCAM",
    "META.INSTRUMENT.DETECTOR": "NRCALONG",
    "META.OBSERVATION.DATE": "2022-07-01",
    "META.OBSERVATION.TIME": "00:00:00.000",
}}
found = resolve_parameters(
    specification(pipeline_name("NRC_IMAGE")), exposure, {{"jump.rejection_threshold": "5"}}
)
assert found.steps["jump"]["rejection_threshold"] == 5.0
assert found.references["pars-jumpstep"].name == "N/A"
found = configured(found.specification, {{"pars-jumpstep": Path({str(file)!r})}})
assert found.steps["jump"]["sat_expand"] == 7
print(*{{name.split(".")[0] for name in sys.modules}})
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"jwst", "stpipe", "stcal"} & set(done.stdout.split())

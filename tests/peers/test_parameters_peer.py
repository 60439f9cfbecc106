"""Parameters against the official packages' own, value for value and type for type."""

import asdf
import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from upramp.errors import ReferenceFileError, UsageError
from upramp.exposure import open_exposure
from upramp.stages.official_specs import PIPELINES, pipeline_name, specification
from upramp.stages.overrides import to_pipeline_keywords
from upramp.stages.parameters import configured, resolve_parameters

pytestmark = pytest.mark.peer


def _official(name):
    from jwst import pipeline

    return getattr(pipeline, name)


def _instance(pipeline, subject, keywords):
    config, _ = pipeline.build_config(subject, **keywords)
    config.pop("class", None)
    return pipeline.from_config_section(config, name=config.get("name"))


def _typed(value):
    """Spell a value out with its type, so that 1, 1.0 and True differ."""
    if isinstance(value, dict):
        return {key: _typed(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_typed(item) for item in value]
    return type(value).__name__, repr(value)


def _assert_same(found, instance):
    official = instance.get_pars()
    assert _typed(found.to_dict()) == _typed(official)
    assert list(found.to_dict()["steps"]) == list(official["steps"])
    assert found.name == instance.name
    assert found.reference_file_types == instance.reference_file_types
    kinds = set(instance.reference_file_types)
    chosen = {kind: instance.get_ref_override(kind) for kind in kinds}
    assert found.overrides == {k: v for k, v in chosen.items() if v is not None}
    for name, declared in found.specification.steps.items():
        step = getattr(instance, name)
        for kind in declared.reference_file_types:
            assert found.override(name, kind) == step.get_ref_override(kind)


@pytest.mark.parametrize("name", PIPELINES)
def test_specification_is_the_installed_classes_own(name):
    official, ours = _official(name), specification(name)
    spec = official.load_spec_file()
    declared = {key: text for key, text in spec.items() if key != "steps"}
    assert list(ours.parameters.items()) == list(declared.items())
    assert ours.config_reftype == official.get_config_reftype()
    assert (ours.class_name, ours.class_alias) == (official.__name__, official.class_alias)
    assert list(ours.steps) == list(official.step_defs)
    for key, cls in official.step_defs.items():
        step = ours.steps[key]
        assert list(step.parameters.items()) == list(cls.load_spec_file().items())
        assert step.config_reftype == cls.get_config_reftype()
        assert (step.class_name, step.class_alias) == (cls.__name__, cls.class_alias)
        assert step.reference_file_types == tuple(cls.reference_file_types)
        assert step.prefetch_references == cls.prefetch_references


OVERRIDES = [
    {},
    {
        "jump.rejection_threshold": "5",
        "jump.sat_expand": 3,
        "jump.expand_large_events": "no",
        "jump.skip": False,
        "jump.maximum_cores": "half",
        "dark_current.skip": "true",
        "ramp_fit.algorithm": "LIKELY",
        "refpix.odd_even_columns": "off",
        "emicorr.onthefly_corr_freq": [390.625, "10.039216"],
        "clean_flicker_noise.background_box_size": ["32", 32],
        "clean_flicker_noise.skip": False,
        "saturation.override_saturation": "N/A",
        "save_calibrated_ramp": "true",
    },
    {
        # A type that the declaration takes as it is, or an equal one.
        "jump.rejection_threshold": 5,
        "jump.after_jump_flag_dn1": True,
        "jump.sat_expand": True,
        "jump.min_sat_area": None,
        "jump.suffix": "other",
        "jump.output_file": "here.fits",
        "jump.override_gain": "gain.fits",
        "ramp_fit.override_gain": "/elsewhere/gain.fits",
        "ramp_fit.override_readnoise": None,
        "dark_current.dark_output": "dark.fits",
        "charge_migration.skip": "0",
        "charge_migration.signal_threshold": "1e4",
        "clean_flicker_noise.background_method": "None",
        "clean_flicker_noise.background_box_size": (1, 2),
        "persistence.persistence_time": "12",
        "skip": "yes",
    },
]


@pytest.mark.slow
@pytest.mark.parametrize("context", ["jwst_0001.pmap", "jwst_0002.pmap"])
def test_every_practice_exposure_has_the_official_parameters(
    archive, tmp_path, monkeypatch, context
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CRDS_CONTEXT", context)
    files = sorted((archive / "uncal").glob("*_uncal.fits"))
    obeyed = set()
    for file in files:
        with open_exposure(file) as exposure:
            ours = specification(pipeline_name(exposure.exp_type))
            official = _official(ours.class_name)
            for overrides in OVERRIDES:
                taken = {
                    name: value
                    for name, value in overrides.items()
                    if name.partition(".")[0] in {**ours.steps, **ours.parameters}
                }
                found = resolve_parameters(ours, exposure, taken)
                keywords = to_pipeline_keywords(ours, taken)
                _assert_same(found, _instance(official, str(file), keywords))
                obeyed |= set(found.origins.values())
    references = {name for name in obeyed if name.endswith(".asdf")}
    assert bool(references) == (context == "jwst_0002.pmap")


def test_parameter_references_can_be_switched_off(archive, monkeypatch):
    monkeypatch.setenv("CRDS_CONTEXT", "jwst_0002.pmap")
    monkeypatch.setenv("STPIPE_DISABLE_CRDS_STEPPARS", "true")
    file = next((archive / "uncal").glob("*nrcalong_uncal.fits"))
    overrides = {"jump.rejection_threshold": 7.5}
    ours = specification("Detector1Pipeline")
    with open_exposure(file) as exposure:
        found = resolve_parameters(ours, exposure, overrides)
    keywords = to_pipeline_keywords(ours, overrides)
    _assert_same(found, _instance(_official("Detector1Pipeline"), str(file), keywords))
    assert set(found.origins.values()) == {"default", "user"}


# References of all kinds, without a CRDS to choose them


@pytest.fixture
def served(monkeypatch):
    """Files by type that the official packages are to take for what CRDS chose."""
    from stpipe import crds_client

    files = {}
    monkeypatch.setattr(
        crds_client, "get_reference_file", lambda _, kind, __: str(files.get(kind, "N/A"))
    )
    for name in PIPELINES:
        parameters = classmethod(lambda _, __: ({}, "jwst"))
        monkeypatch.setattr(_official(name), "_get_crds_parameters", parameters)
    return files


def _compare(files, overrides, name="Detector1Pipeline"):
    ours = specification(name)
    keywords = to_pipeline_keywords(ours, overrides)
    _assert_same(configured(ours, files, overrides), _instance(_official(name), "any", keywords))


def _reference(path, content):
    asdf.AsdfFile(content).write_to(path)
    return path


def test_references_for_steps_and_for_the_pipeline(served, tmp_path):
    def step(name, **parameters):
        return {"class": f"jwst.{name}", "name": name, "parameters": parameters}

    served["pars-jumpstep"] = _reference(
        tmp_path / "a.asdf", step("x", rejection_threshold=5, sat_expand="4", skip=1)
    )
    served["pars-emicorrstep"] = _reference(
        tmp_path / "b.asdf", step("emicorr", skip=False, onthefly_corr_freq=[1, "2.5"])
    )
    pipeline = step("own_name", save_calibrated_ramp="true", input_dir="/a", output_ext="fits")
    pipeline["steps"] = [
        step("jump", sat_expand=5, input_dir="/b", pre_hooks=[]),
        step("ramp_fit", override_gain="N/A", maximum_cores="none", firstgroup=None),
    ]
    served["pars-detector1pipeline"] = _reference(tmp_path / "c.asdf", pipeline)
    _compare(served, {})
    _compare(served, {"jump.sat_expand": "6", "ramp_fit.override_gain": "x", "ipc.skip": "1"})


def test_references_in_the_old_layout(served, tmp_path):
    steps = {"jump": {"sat_expand": 5}, "ipc": {"class": "x", "name": "y", "skip": True}}
    old = {"class": "c", "name": "n", "save_calibrated_ramp": True, "steps": steps}
    served["pars-detector1pipeline"] = _reference(tmp_path / "a.asdf", {"parameters": old})
    served["pars-jumpstep"] = _reference(
        tmp_path / "b.asdf", {"parameters": {"class": "c", "name": "n", "edge_size": 3}}
    )
    _compare(served, {"jump.edge_size": "7"})


SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-3, 300)
    | st.floats(allow_nan=False, allow_infinity=False, width=32)
    | st.sampled_from(["true", "no", "1", "-2", "2.5", "1e3", "None", "", " 7", "median", "x,y"])
)
FITTING = {
    "boolean": st.sampled_from([True, False, 1, 0, "on", "False", "NO", "1"]),
    "integer": st.integers(0, 99) | st.sampled_from(["7", " 8 ", True, None]),
    "float": st.floats(0, 99) | st.integers(0, 99) | st.sampled_from(["7", "2.50", "1e3", True]),
    "string": st.sampled_from(["", "None", "x", "1", None, "a,b"]),
    "option": st.sampled_from(["median", "fft", "LIKELY", "OLS_C", "sirs", "None", "joint"]),
    "float_list": st.lists(st.integers(1, 9) | st.sampled_from(["2", 3.5, True]), max_size=3),
    "int_list": st.lists(st.integers(1, 9) | st.sampled_from(["2", True]), min_size=2, max_size=2),
    "is_string_or_datamodel": st.sampled_from(["N/A", "file.fits", "/a/../b.fits", None]),
}


def _entries():
    """Names by step and parameter with a value: one that fits as a rule, or any."""
    ours = specification("Detector1Pipeline")
    # Hooks are code, and places are not for a user to choose.
    left_out = {"pre_hooks", "post_hooks", "output_file", "output_dir", "input_dir", "dark_output"}
    kinds = {
        (step, parameter): text.partition("(")[0]
        for step, declared in ours.steps.items()
        for parameter, text in declared.parameters.items()
        if parameter not in left_out
    }
    return st.dictionaries(st.sampled_from(list(kinds)), st.none(), max_size=4).flatmap(
        lambda names: (
            st.fixed_dictionaries({name: FITTING[kinds[name]] for name in names})
            | st.fixed_dictionaries(dict.fromkeys(names, SCALARS | st.lists(SCALARS, max_size=3)))
        )
    )


def _grouped(values):
    steps = {}
    for (step, parameter), value in values.items():
        steps.setdefault(step, {})[parameter] = value
    return steps


@settings(
    max_examples=120,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(_entries(), _entries(), _entries())
def test_any_values_are_taken_or_refused_alike(served, tmp_path, by_step, by_pipeline, by_user):
    from stpipe.exceptions import ValidationError

    ours, official = specification("Detector1Pipeline"), _official("Detector1Pipeline")
    served.clear()
    for step, parameters in _grouped(by_step).items():
        kind = ours.steps[step].config_reftype
        content = {"class": "c", "name": step, "parameters": parameters}
        served[kind] = _reference(tmp_path / f"{kind}.asdf", content)
    steps = [
        {"class": "c", "name": step, "parameters": parameters}
        for step, parameters in _grouped(by_pipeline).items()
    ]
    content = {"class": "c", "name": "n", "parameters": {}, "steps": steps}
    served["pars-detector1pipeline"] = _reference(tmp_path / "pipeline.asdf", content)
    keywords = {"steps": _grouped(by_user)}
    try:
        found = configured(ours, served, {".".join(name): by_user[name] for name in by_user})
    except UsageError as error:
        event("the user's value is refused")
        # What is refused for its sense alone, the official packages would take.
        if "it is declared as" in str(error):
            with pytest.raises(ValidationError):
                official(**keywords)
    except ReferenceFileError:
        event("a reference's value is refused")
        with pytest.raises(ValidationError):
            _instance(official, "any", keywords)
    else:
        event("taken")
        _assert_same(found, _instance(official, "any", keywords))


def test_data_models_are_references_too(served):
    from stdatamodels.jwst.datamodels import GainModel

    model = GainModel()
    overrides = {"jump.override_gain": model}
    ours = specification("Detector1Pipeline")
    found = configured(ours, {}, overrides)
    assert found.override("jump", "gain") is model
    assert found.overrides["gain"] is model
    instance = _instance(
        _official("Detector1Pipeline"), "any", to_pipeline_keywords(ours, overrides)
    )
    assert instance.get_ref_override("gain") is model
    assert _typed(found.to_dict()) == _typed(instance.get_pars())

"""Which official pipeline takes which exposure, held to the official packages' own lists."""

import re

import pytest

from upramp.errors import InputError
from upramp.stages.facts import Facts
from upramp.stages.later_specs import later_class, later_specification
from upramp.stages.pipelines import (
    BY_ASSOCIATION,
    IMAGE2,
    IMAGE3,
    LATER_PIPELINES,
    REFERENCE_STARS,
    SPEC2,
    SPEC3,
    WFSS,
    later_pipeline,
    stage_of_association,
)

pytestmark = pytest.mark.peer

LAMPS = {"NRS_LAMP", "NRS_AUTOFLAT", "NRS_AUTOWAVE"}
CLASSES = {
    "calwebb_image3": "Image3Pipeline",
    "calwebb_spec3": "Spec3Pipeline",
    "calwebb_tso3": "Tso3Pipeline",
    "calwebb_coron3": "Coron3Pipeline",
    "calwebb_ami3": "Ami3Pipeline",
    "calwebb_wfs-image3": "WfsCombineStep",
}


def upper(names):
    return {name.upper() for name in names}


def all_types():
    from stdatamodels.jwst import datamodels

    schema = datamodels.JwstDataModel().schema
    found = []

    def walk(node):
        if isinstance(node, dict):
            if node.get("fits_keyword") == "EXP_TYPE":
                found.extend(node["enum"])
            for value in node.values():
                walk(value)
        elif isinstance(node, list):
            for value in node:
                walk(value)

    walk(schema)
    return set(found)


def test_stage_2_takes_what_the_official_rules_list():
    from jwst.associations.lib.dms_base import (
        IMAGE2_NONSCIENCE_EXP_TYPES,
        IMAGE2_SCIENCE_EXP_TYPES,
        SPEC2_SCIENCE_EXP_TYPES,
    )

    listed = upper(IMAGE2_SCIENCE_EXP_TYPES) | upper(IMAGE2_NONSCIENCE_EXP_TYPES)
    assert listed | {"FGS_FOCUS"} == IMAGE2
    assert upper(SPEC2_SCIENCE_EXP_TYPES) | LAMPS == SPEC2
    assert not IMAGE2 & SPEC2


def test_stage_3_takes_what_the_official_rules_list():
    """Each rule says in words what pipeline it is for, and in its constraints for what types."""
    from jwst.associations.lib import rules_level3

    seen = {}
    for name in rules_level3.__all__:
        rule = getattr(rules_level3, name)
        pipeline = re.search(r"Pipeline: ``(calwebb_[\w-]+)``", rule.__doc__)
        # Images of coronagraphy's reference stars are made by their association's word alone;
        # what a time series is has a test of its own.
        if pipeline is None or name in {"Asn_Lv3NRCCoronImage", "Asn_Lv3TSO"}:
            continue
        for _, value in rule().constraints.get_all_attr("value", name="exp_type"):
            seen.setdefault(CLASSES[pipeline[1]], set()).update(upper(value.split("|")))
    assert seen == {
        "Image3Pipeline": IMAGE3,
        "WfsCombineStep": IMAGE3,
        "Spec3Pipeline": SPEC3,
        "Coron3Pipeline": REFERENCE_STARS - {"NIS_AMI"},
        "Ami3Pipeline": {"NIS_AMI"},
    }
    for expected, kinds in seen.items():
        pattern = "WFSC" if expected == "WfsCombineStep" else None
        for kind in kinds:
            facts = Facts("x", exp_type=kind, pattern=pattern, nints=10)
            assert later_pipeline(3, facts) == expected, kind


def test_time_series_are_those_of_the_official_packages():
    from jwst.associations.lib.dms_base import TSO_EXP_TYPES

    for kind in upper(TSO_EXP_TYPES):
        assert later_pipeline(3, Facts("x", exp_type=kind, nints=2)) == "Tso3Pipeline"
        with pytest.raises(InputError, match="single integration"):
            later_pipeline(3, Facts("x", exp_type=kind, nints=1))
    assert later_pipeline(3, Facts("x", exp_type="NIS_SOSS", nints=9)) == "Spec3Pipeline"
    with pytest.raises(InputError, match="no official pipeline of stage 3"):
        later_pipeline(3, Facts("x", exp_type="MIR_LRS-SLITLESS", nints=9))
    for kind in ("MIR_LRS-SLITLESS", "NIS_SOSS", "MIR_IMAGE"):
        series = Facts("x", exp_type=kind, nints=9, tso_visit=True)
        assert later_pipeline(3, series) == "Tso3Pipeline"


def test_whole_fields_are_those_of_the_official_pipeline():
    from jwst.pipeline.calwebb_spec3 import WFSS_TYPES

    assert set(WFSS_TYPES) == WFSS


def test_every_type_of_the_mission_has_a_pipeline_or_is_refused_in_a_sentence():
    refused = {}
    for stage in (2, 3):
        for kind in all_types():
            try:
                found = later_pipeline(stage, Facts("x.fits", exp_type=kind))
            except InputError as error:
                refused[stage, kind] = str(error)
            else:
                assert stage_of_association(_type_of(found)) == stage
    for (_, kind), said in refused.items():
        assert said.startswith("x.fits: ")
        assert kind in said
        assert "is the last for it" in said
    assert (2, "NRC_DARK") in refused
    assert (2, "FGS_FINEGUIDE") in refused
    assert (3, "NRC_TACQ") in refused


def _type_of(pipeline):
    return next(kind for kind, name in BY_ASSOCIATION.items() if name == pipeline)


def test_lamps_before_the_mirror_are_images():
    assert later_pipeline(2, Facts("x", exp_type="NRS_LAMP", grating="MIRROR")) == "Image2Pipeline"
    assert later_pipeline(2, Facts("x", exp_type="NRS_LAMP", grating="G140M")) == "Spec2Pipeline"


@pytest.mark.parametrize("name", LATER_PIPELINES)
def test_parameters_are_the_installed_classes_own(name):
    official, ours = later_class(name), later_specification(name)
    assert official.__name__ == ours.class_name == name
    assert set(ours.parameters) == set(official.load_spec_file()) - {"steps"}
    assert list(ours.steps) == list(getattr(official, "step_defs", {}))
    for step, declared in ours.steps.items():
        assert declared.config_reftype == official.step_defs[step].get_config_reftype()
        assert "skip" in declared.parameters

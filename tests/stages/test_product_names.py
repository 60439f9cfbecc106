"""Names of stage 3 products follow the official rule."""

import pytest

from upramp.stages.facts import Facts
from upramp.stages.product_names import product_name


@pytest.mark.parametrize(
    ("pipeline", "facts", "name"),
    [
        (
            "Image3Pipeline",
            {"exp_type": "MIR_IMAGE", "instrument": "MIRI", "filter": "F770W", "target": "M_51"},
            "jw01234-o007_m-51_miri_f770w",
        ),
        (
            "Spec3Pipeline",
            {"exp_type": "MIR_MRS", "instrument": "MIRI", "subarray": "FULL", "target": "x"},
            "jw01234-o007_x_miri",
        ),
        (
            "Spec3Pipeline",
            {"exp_type": "NRS_MSASPEC", "instrument": "NIRSPEC", "filter": "F170LP"}
            | {"grating": "G235M", "target": "x", "subarray": "FULL"},
            "jw01234-o007_{source_id}_nirspec_f170lp-g235m",
        ),
        (
            "Spec3Pipeline",
            {"exp_type": "NRS_FIXEDSLIT", "instrument": "NIRSPEC", "filter": "F170LP"}
            | {"grating": "G235M", "target": "x", "fixed_slit": "S200A1", "subarray": "SUBS200A1"},
            "jw01234-o007_x-{source_id}_nirspec_f170lp-g235m-{slit_name}-subs200a1",
        ),
        (
            "Spec3Pipeline",
            {"exp_type": "NIS_WFSS", "instrument": "NIRISS", "filter": "GR150R"}
            | {"pupil": "F200W", "target": "x"},
            "jw01234-o007_x_niriss_f200w-gr150r",
        ),
        (
            "WfsCombineStep",
            {"exp_type": "NRC_IMAGE", "instrument": "NIRCAM", "filter": "F212N", "pupil": "WLM8"}
            | {"detector": "NRCA3", "activity": "4", "target": "x"},
            "jw01234-o007_x_nircam_f212n-wlm8-nrca3_{suffix}-04",
        ),
        ("Image3Pipeline", {"instrument": "FGS"}, "jw01234-o007_t000_fgs_clear"),
    ],
)
def test_the_parts_are_the_official_ones(pipeline, facts, name):
    told = Facts("x", program="1234", observation="7", **facts)
    assert product_name([told], pipeline) == name


@pytest.mark.parametrize("target", ["../../etc", "{source_id}", "a.b_c/d", "\n\0", "é" * 300])
def test_a_target_cannot_lead_elsewhere(target):
    name = product_name([Facts("x", instrument="MIRI", target=target)], "Image3Pipeline")
    assert set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789-_+")
    assert name.count("_") == 3
    assert len(name) < 100


def test_what_differs_is_named_in_order():
    science = [Facts("x", filter=name, instrument="MIRI") for name in ("F770W", "F560W")]
    assert product_name(science, "Image3Pipeline") == "jw00000-a3001_t000_miri_f560w-f770w"

"""A notebook's parameters: sorted to the pipelines that have them, or refused."""

from __future__ import annotations

import pytest

from upramp.errors import UsageError
from upramp.stages.reduction import PARAMETERS, checked_choices, require_known

IMAGING = ("detector1", "image2", "image3")


def choices(pipelines=IMAGING, **parameters):
    return checked_choices(pipelines, **{"inputs": "a.fits", "output_dir": "out"} | parameters)


def test_what_is_not_given_has_its_default():
    found = choices()
    assert found.inputs == ("a.fits",)
    assert (found.engine, found.crds_context, found.mask) == ("upramp", None, None)
    assert found.steps == {}
    assert not found.strict
    assert not found.quicklook


def test_a_step_goes_to_the_pipelines_that_have_it():
    found = choices(
        steps={
            "jump.rejection_threshold": 5.0,
            "resample.pixfrac": 0.8,
            "image3.tweakreg.skip": True,
            "image3.skymatch": {"subtract": True},
        }
    )
    assert found.overrides("detector1") == {"jump.rejection_threshold": 5.0}
    assert found.overrides("Image2Pipeline") == {"resample.pixfrac": 0.8}
    assert found.overrides("image3") == {
        "resample.pixfrac": 0.8,
        "tweakreg.skip": True,
        "skymatch.subtract": True,
    }


def test_a_pipelines_own_parameter_is_named_with_it():
    assert choices(steps={"image3.in_memory": False}).overrides("image3") == {"in_memory": False}
    with pytest.raises(UsageError, match=r"no step is named; write step\.in_memory"):
        choices(steps={"in_memory": False})


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"steps": {"jmp.rejection_threshold": 5}}, "perhaps jump is meant"),
        ({"steps": {"jump.rejection_treshold": 5}}, "perhaps rejection_threshold"),
        ({"steps": {"jump.rejection_threshold": "high"}}, "it cannot be 'high'"),
        ({"steps": {"spec2.srctype.skip": True}}, "does not run spec2"),
        ({"steps": {"jump.skip": True, "detector1.jump.skip": False}}, "given twice"),
        ({"steps": {"jump": {"skip": True}, "jump.skip": False}}, "given twice"),
        ({"steps": "jump.skip=true"}, "by their names"),
        ({"steps": {"jump": True}}, "write jump.skip"),
        (
            {"steps": '{"jump.rejection_threshold": 5.0}'},
            "it came as text; give papermill's option -y",
        ),
        ({"steps": {1: 2}}, "names no parameter"),
        ({"steps": {"tweakreg.abs_refcat": "no_such.ecsv"}}, "no file no_such"),
        ({"steps": {"dark_current.override_dark": "no_such.fits"}}, "no file no_such"),
        ({"output_dir": "~nobody-of-this-name/x", "mask": "~nobody-of-this-name"}, "no such mask"),
        ({"engine": "stcsi"}, "perhaps stsci is meant"),
        ({"engine": 1}, "choose upramp or stsci"),
        ({"strict": "yes"}, "give True or False"),
        ({"quicklook": 1}, "give True or False"),
        ({"crds_context": "latest"}, r"jwst_0001\.pmap"),
        ({"inputs": []}, "none is given"),
        ({"inputs": [1]}, "give a name, or a list of names"),
        ({"output_dir": ""}, "name a folder"),
        ({"output_dir": __file__}, "it is a file"),
        ({"mask": "no_such.fits"}, "no such mask"),
        ({"mask": __file__, "engine": "stsci"}, "takes no mask"),
        ({"mask": __file__, "pipelines": ("image2",)}, "no use for it"),
        ({"reference_product": "no_such.fits"}, "no such reference product"),
        ({"reference_product": "stsci", "pipelines": ("image2",)}, "no such reference product"),
    ],
)
def test_what_is_wrong_is_refused_in_one_sentence(parameters, said):
    with pytest.raises(UsageError, match=said) as caught:
        choices(**parameters)
    assert "\n" not in str(caught.value)


def test_an_unknown_parameter_is_named_with_the_nearest():
    require_known(PARAMETERS)
    with pytest.raises(UsageError, match="perhaps output_dir is meant"):
        require_known(["outputdir"])


def test_the_official_engine_may_make_the_products_of_reference():
    assert choices(reference_product="stsci").reference_products == ("stsci",)


def test_an_outcome_tells_them_as_they_are():
    found = choices(steps={"jump.skip": True}).to_dict()
    assert found["inputs"] == ["a.fits"]
    assert found["output_dir"] == "out"
    assert found["steps"] == {"detector1": {"jump.skip": True}}

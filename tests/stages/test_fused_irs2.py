"""NIRSpec's IRS2 read-out: what the fused engine takes, and what it leaves or refuses."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from upramp.detector1.inputs import Readout
from upramp.errors import ReferenceFileError
from upramp.references import Reference, Subarray
from upramp.stages.fused import unfit
from upramp.stages.fused_input import corrected_shape
from upramp.stages.fused_references import Chosen, _Loader, load_references

WINDOW = Subarray(1, 1, 2048, 2048)
SHAPE = (1, 5, 3200, 2048)
READOUT = Readout(
    instrument="NIRSPEC", detector="NRS1", exp_type="NRS_IFU", subarray="FULL",
    readpatt="NRSIRS2RAPID", nints=1, ngroups=5, nframes=1, groupgap=0, frame_divisor=1,
    frame_time=14.6, group_time=14.6, nrs_normal=16, nrs_reference=4,
)  # fmt: skip


class Keywords(dict):
    whole = dict.get


def an_exposure(shape=SHAPE, arrays=(), ysize=2048, **keywords):
    header = Keywords({"NRS_NORM": 16, "NRS_REF": 4, "ZEROFRAM": False} | keywords)
    return SimpleNamespace(
        exp_type="NRS_IFU", readpatt="NRSIRS2RAPID", header=header, shape=shape,
        arrays={"SCI": None, **dict.fromkeys(arrays)},
        subarray=SimpleNamespace(xsize=2048, ysize=ysize),
    )  # fmt: skip


def parameters(**refpix):
    quiet = {"skip": False, "preserve_irs2_refpix": False} | refpix
    fit = {"skip": False, "save_opt": False}
    return SimpleNamespace(
        steps={"refpix": quiet, "dark_current": {"dark_output": None}, "ramp_fit": fit},
        override=lambda _step, _reftype: None,
    )


def test_the_layout_of_all_exposures_is_fused():
    assert unfit(an_exposure()) is None
    assert unfit(an_exposure(), parameters()) is None
    assert corrected_shape(an_exposure()) == (1, 5, 2048, 2048)


@pytest.mark.parametrize(
    ("exposure", "words"),
    [
        (an_exposure(NRS_NORM=8), "this layout"),
        (an_exposure(NRS_REF=2), "this layout"),
        (an_exposure(shape=(1, 5, 2048, 2048)), "this layout"),
        (an_exposure(ysize=3200), "this layout"),
        (an_exposure(ZEROFRAM=True), "with a zero frame"),
        (an_exposure(arrays=["ZEROFRAME"]), "with a zero frame"),
    ],
)
def test_other_layouts_are_left_to_the_official_pipeline(exposure, words):
    assert words in unfit(exposure)


@pytest.mark.parametrize("refpix", [{"skip": True}, {"preserve_irs2_refpix": True}])
def test_reference_pixels_that_stay_are_left_to_the_official_pipeline(refpix):
    assert "that stay between the others" in unfit(an_exposure(), parameters(**refpix))


def test_without_a_reference_nothing_begins():
    with pytest.raises(ReferenceFileError, match="no such reference for this exposure"):
        load_references(Chosen({}, WINDOW), READOUT, SHAPE, None, None)
    other = replace(READOUT, readpatt="NRSRAPID")
    assert load_references(Chosen({}, WINDOW), other, SHAPE, None, None).irs2 is None


@pytest.mark.parametrize(("rows", "missing"), [(100, None), (2 * 712 * 2048, "beta_2")])
def test_a_table_of_another_length_is_refused(rows, missing):
    names = [f"{kind}_{k}" for kind in ("alpha", "beta") for k in range(4)]
    table = np.zeros(rows, [(name, np.float32) for name in names if name != missing])
    reference = Reference("refpix", Path("r.fits"), "", {}, {}, {"IRS2": table})
    words = f"{0 if missing else rows} rows in the column {missing or 'alpha_0'}"
    with pytest.raises(ReferenceFileError, match=words):
        _Loader(Chosen({}, WINDOW), READOUT, SHAPE).irs2(reference)


def test_no_other_exposure_waits_for_its_kernels():
    code = (
        "import sys, upramp.detector1.pipeline, upramp.stages.fused, upramp.stages.fused_input, "
        "upramp.stages.fused_references\n"
        "print([name for name in sys.modules if 'irs2' in name])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"

"""References of imaging have a row for each way that an exposure may be taken."""

import pytest
from stdatamodels.jwst import datamodels

from upramp.practice.crds_context import ANY
from upramp.practice.needs import Reference
from upramp.practice.programs import PROGRAMS
from upramp.practice.reference_tasks import make_reference


@pytest.mark.parametrize(
    ("reftype", "model", "table"),
    [
        ("photom", datamodels.MirImgPhotomModel, "phot_table"),
        ("apcorr", datamodels.MirImgApcorrModel, "apcorr_table"),
    ],
)
def test_every_subarray_and_filter_of_miri_is_calibrated(tmp_path, reftype, model, table):
    path = tmp_path / "reference.fits"
    make_reference(path, Reference("MIRIMAGE", reftype, ANY), 5)
    taken = {
        (plan.subarray, plan.filter)
        for program in PROGRAMS.values()
        for plan in program.exposures
        if plan.exposure_type == "MIR_IMAGE"
    }
    assert {"SUB256", "FULL", "BRIGHTSKY"} <= {subarray for subarray, _ in taken}
    with model(str(path)) as opened:
        rows = {(row["subarray"], row["filter"]) for row in getattr(opened, table)}
    assert taken <= rows

"""Pictures of products in a notebook: what they are drawn from, and what is said without one."""

from __future__ import annotations

from pathlib import Path

import pytest

from upramp.kernel.markup import Card
from upramp.kernel.pictures import Picture
from upramp.kernel.reductions import NotebookRun
from upramp.stages.reduction import Reduction, checked_choices
from upramp.stages.reduction.records import Product


@pytest.fixture
def run(tmp_path):
    choices = checked_choices(["tso3"], inputs=["x"], output_dir=str(tmp_path))
    reduction = Reduction("stage/tso3", choices)
    reduction.products = [Product(Path("jw1_phot.ecsv"), "phot", "tso3", ("jw1",))]
    return NotebookRun(reduction)


def curve(*kinds):
    return Picture(b"", " ".join(str(len(files)) for files in kinds))


def test_a_kind_that_must_be_there_and_is_not_is_told(run):
    assert run.show(curve, "phot").text == "1"
    shown = run.show(curve, "phot", "whtlt")
    assert isinstance(shown, Card)
    assert "no product of the kind whtlt" in shown.to_text()
    assert run.reduction.warnings


def test_a_kind_that_may_be_missing_is_given_as_an_empty_list(run):
    assert run.show(curve, "phot?", "whtlt?", "x1dints?").text == "1 0 0"
    assert not run.reduction.warnings


def test_the_first_of_several_kinds_that_there_is_is_drawn(run):
    run.reduction.products += [Product(Path("jw1_calints.fits"), "calints", "image2", ("jw1",))]
    assert run.show(curve, "cal|calints", "calints|phot").text == "1 1"
    assert "cal or crf" in run.show(curve, "cal|crf").to_text()


def test_what_not_every_exposure_has_is_no_failure_where_it_is_missing(run):
    shown = run.show(curve, "i2d", optional=True)
    assert "no product of the kind i2d" in shown.to_text()
    assert not run.reduction.warnings

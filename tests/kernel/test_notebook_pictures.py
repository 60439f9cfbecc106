"""Pictures of products in a notebook: what they are drawn from, and what is said without one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from upramp.errors import UsageError
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


@pytest.fixture
def two_mosaics(run):
    for number in "12":
        cal = f"jw{number}_cal.fits"
        run.reduction.products += [
            Product(Path(cal), "cal", "image2", (f"jw{number}_rate.fits",)),
            Product(Path(f"jw{number}_i2d.fits"), "i2d", "image2", (f"jw{number}_rate.fits",)),
            Product(Path(f"mosaic{number}_i2d.fits"), "i2d", "image3", (cal,)),
            Product(Path(f"mosaic{number}_cat.ecsv"), "cat", "image3", (cal,)),
        ]
    return run


def names(*kinds):
    return Picture(b"", " ".join(path.name for files in kinds for path in files))


def test_each_product_of_stage_3_has_its_picture_of_its_own_files(two_mosaics):
    found = two_mosaics.show(names, "i2d", "cal", "cat")
    assert [one.text for one in found] == [
        f"jw{n}_i2d.fits mosaic{n}_i2d.fits jw{n}_cal.fits mosaic{n}_cat.ecsv" for n in "12"
    ]
    assert "mosaic2_i2d.fits" in repr(found)
    # What is not of stage 3 is drawn together.
    assert two_mosaics.show(names, "cal").text == "jw1_cal.fits jw2_cal.fits"


def test_where_one_picture_fails_the_others_are_drawn(two_mosaics):
    def fails(cat):
        if cat[0].name == "mosaic1_cat.ecsv":
            raise ValueError("it has no rows")
        return names(cat)

    first, second = two_mosaics.show(fails, "cat")
    assert "it has no rows" in first.to_text()
    assert second.text == "mosaic2_cat.ecsv"


def test_no_notebook_is_flooded_with_pictures(run):
    run.reduction.products += [
        Product(Path(f"m{n}_i2d.fits"), "i2d", "image3", (f"jw{n}_cal.fits",)) for n in range(9)
    ]
    assert len(run.show(names, "i2d")) == 6
    assert "3 more products are not drawn" in run.reduction.warnings[0]


def test_several_pictures_are_outputs_of_their_own(two_mosaics, monkeypatch):
    shown = []
    monkeypatch.setattr("IPython.display.display", shown.append)
    two_mosaics.show(names, "cat")._ipython_display_()
    assert [one.text for one in shown] == ["mosaic1_cat.ecsv", "mosaic2_cat.ecsv"]


def test_exposures_are_drawn_by_the_product_that_they_went_into(two_mosaics):
    found = two_mosaics.show(names, "cal", each="i2d")
    assert [one.text for one in found] == ["jw1_cal.fits", "jw2_cal.fits"]


def test_one_that_lacks_a_kind_says_so_and_the_other_is_drawn(two_mosaics):
    two_mosaics.reduction.products.pop()
    first, second = two_mosaics.show(names, "i2d", "cat", optional=True)
    assert "mosaic1_cat.ecsv" in first.text
    assert "no product of the kind cat" in second.to_text()
    assert not two_mosaics.reduction.warnings


def test_a_strict_reduction_names_the_picture_and_its_file_once(two_mosaics):
    def pair(files):
        raise UsageError("pair", "there are 4 exposures and not two", "reduce one pair at a time")

    run = two_mosaics.reduction
    run.choices = replace(run.choices, strict=True)
    two_mosaics.show(pair, "cal")
    assert str(run.failures[0]) == (
        "picture pair failed on jw1_cal.fits: there are 4 exposures and not two;"
        " reduce one pair at a time."
    )


@pytest.mark.parametrize(
    ("kind", "warned"), [("uncal", False), ("rate", False), ("crf", True), ("i2d", True)]
)
def test_a_kind_from_before_the_inputs_is_not_missed(run, kind, warned):
    run.reduction.inputs = [Path("jw1_cal.fits"), Path("jw2_calints.fits")]
    run.show(curve, kind)
    assert bool(run.reduction.warnings) == warned

"""Reductions: which exposures go into what, and what becomes of the rest when one fails."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

import upramp.stages
from upramp.errors import CalibrationError, InputError, OutputError, UsageError
from upramp.notebooks import list_notebooks
from upramp.stages.reduction import Reduction, checked_choices, lock
from upramp.stages.reduction.comparison import counterpart
from upramp.stages.reduction.intake import suffix_of
from upramp.stages.reduction.members import (
    first_of_each,
    later_groups,
    look_at,
    second_stage_association,
    sources_for,
)
from upramp.stages.reduction.modes import MODES, notebooks_for
from upramp.stages.reduction.records import Product, holds_values
from upramp.stages.result import Result

IMAGE = {"EXP_TYPE": "NRC_IMAGE", "INSTRUME": "NIRCAM", "DETECTOR": "NRCALONG", "FILTER": "F356W"}
NODS = {
    "EXP_TYPE": "MIR_LRS-FIXEDSLIT",
    "INSTRUME": "MIRI",
    "DETECTOR": "MIRIMAGE",
    "FILTER": "P750L",
    "PATTTYPE": "ALONG-SLIT-NOD",
}
GRISM = IMAGE | {"EXP_TYPE": "NRC_WFSS", "PUPIL": "GRISMR"}
MODELS = {"uncal": "Level1bModel", "rate": "ImageModel", "cal": "ImageModel"}


def product(folder, root, suffix="rate", **header):
    shape = (1, 2, 4, 4) if suffix == "uncal" else (4, 4)
    keywords = IMAGE | {"PROGRAM": "00001", "OBSERVTN": "001", "TARGPROP": "FIELD"} | header
    primary = fits.PrimaryHDU()
    primary.header.update(
        keywords | {"TELESCOP": "JWST", "DATAMODL": MODELS.get(suffix, "ImageModel")}
    )
    path = folder / f"{root}_{suffix}.fits"
    fits.HDUList([primary, fits.ImageHDU(np.zeros(shape, np.float32), name="SCI")]).writeto(path)
    return path


class Calls(list):
    """What was calibrated, and what official steps are to say of it."""

    gave_up = {}  # noqa: RUF012 - each test has its own
    warned = ()


@pytest.fixture
def calibrated(monkeypatch):
    """A calibration that writes empty products, and fails where a file's name says so."""
    calls = Calls()
    calls.gave_up = {}

    def calibrate(given, *, stage=1, output_dir=None, **keywords):
        files = [Path(one) for one in (given if isinstance(given, list) else [given])]
        calls.append((stage, [file.name for file in files], keywords))
        if any("bad" in file.name for file in files):
            raise CalibrationError(files[0], "it is bad", "take a good one")
        root = files[0].name.rpartition("_")[0]
        if files[0].suffix == ".json":
            root = json.loads(files[0].read_text())["products"][0]["name"]
        # The tests' guide stars are named so: their stage 1 is all there is.
        suffix = "cal" if "guider" in root else {1: "rate", 2: "cal", 3: "i2d"}[stage]
        header = {} if files[0].suffix == ".json" else dict(fits.getheader(files[0]))
        kept = {name: header[name] for name in (*NODS, "IS_PSF", "TARGPROP") if name in header}
        made = output_dir / f"{root}_{suffix}.fits"
        made.unlink(missing_ok=True)
        product(output_dir, root, suffix, **kept)
        record = {
            "context": "jwst_0001.pmap",
            "references": {"dark": {"file": "d", "sha256": "1"}},
            "steps": dict.fromkeys(calls.gave_up.get(stage, ()), "FAILED"),
        }
        return Result({}, record, (made,), None, warnings=calls.warned)

    monkeypatch.setattr(upramp.stages, "calibrate", calibrate)
    return calls


def reduction(folder, *inputs, pipelines=("detector1", "image2", "image3"), **parameters):
    choices = checked_choices(
        pipelines,
        inputs=[str(one) for one in inputs],
        output_dir=str(folder / "out"),
        **parameters,
    )
    run = Reduction("mode/test", choices)
    run.begin()
    return run


def outcome(folder):
    return json.loads((folder / "out" / "test_outcome.json").read_text())


def test_exposures_go_through_all_stages_into_one_product(tmp_path, calibrated):
    raw = [product(tmp_path, f"jw{number}", "uncal") for number in (1, 2)]
    run = reduction(tmp_path, *raw, steps={"image3.tweakreg.skip": True})
    assert outcome(tmp_path)["status"] == "running"
    for pipeline in ("detector1", "image2", "image3"):
        assert {step.status for step in run.calibrate(pipeline)} == {"done"}
    assert [stage for stage, _, _ in calibrated] == [1, 1, 2, 2, 3]
    assert calibrated[-1][1] == ["jw1_cal.fits", "jw2_cal.fits"]
    assert calibrated[-1][2]["overrides"] == {"tweakreg.skip": True}
    assert run.finish() == "done"
    found = outcome(tmp_path)
    assert [one["suffix"] for one in found["products"]] == ["rate", "rate", "cal", "cal", "i2d"]
    assert found["products"][-1]["made_of"] == ["jw1_cal.fits", "jw2_cal.fits"]
    assert found["references"] == [{"type": "dark", "file": "d", "sha256": "1"}]
    assert [one["file"] for one in found["inputs"]] == ["jw1_uncal.fits", "jw2_uncal.fits"]


def test_products_of_an_earlier_stage_start_where_they_are(tmp_path, calibrated):
    run = reduction(tmp_path, product(tmp_path, "jw1", "rate"))
    assert run.calibrate("detector1") == []
    assert len(run.calibrate("image2")) == 1


def test_a_failure_stops_no_other_exposure_and_no_mosaic_lacks_one_in_silence(
    tmp_path, calibrated
):
    raw = [product(tmp_path, name, "uncal") for name in ("jw1", "jw2bad")]
    other = product(tmp_path, "jw3", "uncal", TARGPROP="ELSEWHERE")
    run = reduction(tmp_path, *raw, other)
    statuses = [step.status for step in run.calibrate("detector1")]
    assert statuses == ["done", "failed", "done"]
    run.calibrate("image2")
    whole, lacking = sorted(run.calibrate("image3"), key=lambda step: step.status)
    assert (whole.status, lacking.status) == ("done", "not done")
    assert "jw2bad_uncal.fits" in lacking.reason
    assert whole.files == ("jw3_cal.fits",)
    assert run.finish() == "failed"
    (failure,) = outcome(tmp_path)["failures"]
    assert (failure["step"], failure["file"]) == ("detector1", "jw2bad_uncal.fits")
    assert "it is bad" in failure["text"]


def test_what_is_for_another_notebook_is_named(tmp_path, calibrated):
    run = reduction(tmp_path, product(tmp_path, "jw1", "rate", **NODS))
    assert not run.members
    (failure,) = run.failures
    assert "for the pipeline spec2" in failure.problem
    assert run.finish() == "failed"


def test_an_exposure_whose_last_stage_is_another_notebooks_is_named(tmp_path, calibrated):
    run = reduction(tmp_path, product(tmp_path, "jw1", "uncal", EXP_TYPE="NRC_CORON"))
    assert "for the pipeline coron3" in str(run.failures[0])
    assert not run.members
    # The notebook of stage 2 takes it.
    run = reduction(tmp_path, tmp_path / "jw1_uncal.fits", pipelines=("detector1", "image2"))
    assert not run.failures


def test_a_mask_of_another_exposure_is_refused_before_anything_is_made(tmp_path, calibrated):
    mask = tmp_path / "mask.fits"
    fits.PrimaryHDU(header=fits.Header({"MASKOF": "jw9_uncal.fits"})).writeto(mask)
    with pytest.raises(UsageError, match="none of these raw exposures"):
        reduction(tmp_path, product(tmp_path, "jw1", "uncal"), mask=str(mask))
    assert not list((tmp_path / "out").glob("*.*s*"))
    raw = [tmp_path / "jw1_uncal.fits", product(tmp_path, "jw9", "uncal")]
    reduction(tmp_path, *raw, mask=str(mask)).calibrate("detector1")
    assert [keywords.get("mask") for _, _, keywords in calibrated] == [None, str(mask)]


def test_two_files_of_one_exposure_are_refused(tmp_path, calibrated):
    (tmp_path / "other").mkdir()
    files = [product(folder, "jw1", "uncal") for folder in (tmp_path, tmp_path / "other")]
    run = reduction(tmp_path, *files)
    assert "give each exposure once" in str(run.failures[0])


def test_a_damaged_file_is_noted_and_others_go_on(tmp_path, calibrated):
    bad = tmp_path / "jw0_uncal.fits"
    bad.write_bytes(b"no FITS")
    run = reduction(tmp_path, bad, product(tmp_path, "jw1", "uncal"))
    assert [failure.file for failure in run.failures] == ["jw0_uncal.fits"]
    assert len(run.calibrate("detector1")) == 1


def test_nothing_is_combined_while_nobody_knows_what_could_not_be_read(tmp_path, calibrated):
    (bad := tmp_path / "jw0_cal.fits").write_bytes(b"no FITS")
    run = reduction(tmp_path, bad, product(tmp_path, "jw1", "cal"))
    (step,) = run.calibrate("image3")
    assert step.status == "not done"
    assert "jw0_cal.fits" in step.reason


def test_an_exposure_without_background_does_not_wait_for_others(tmp_path, calibrated):
    series = NODS | {"EXP_TYPE": "MIR_LRS-SLITLESS", "PATTTYPE": "NONE"}
    files = [product(tmp_path, name, "uncal", **series) for name in ("jw1bad", "jw2")]
    run = reduction(tmp_path, *files, pipelines=("detector1", "spec2"))
    run.calibrate("detector1")
    assert [step.status for step in run.calibrate("spec2")] == ["done"]


def test_a_nod_waits_for_its_background_in_either_order(tmp_path, calibrated):
    for number, names in enumerate((("jw1bad", "jw2"), ("jw1", "jw2bad"))):
        (folder := tmp_path / str(number)).mkdir()
        files = [product(folder, name, "uncal", **NODS) for name in names]
        run = reduction(folder, *files, pipelines=("detector1", "spec2"))
        run.calibrate("detector1")
        (step,) = run.calibrate("spec2")
        assert step.status == "not done"
        assert "background" in step.reason


def test_empty_sky_is_subtracted_and_in_no_product(tmp_path, calibrated):
    star, sky = {"EXP_TYPE": "MIR_LYOT", "FILTER": "F2300C"}, {"BKGDTARG": True, "TARGPROP": "SKY"}
    files = [
        product(tmp_path, "jw1", "rate", **star),
        product(tmp_path, "jw2", "rate", **star, **sky),
    ]
    one, two = map(look_at, files)
    (folder := tmp_path / "folder").mkdir()
    made = json.loads(second_stage_association(one, [one, two], {}, folder).read_text())
    assert made["asn_type"] == "image2"
    assert made["products"][0]["members"][1]["exptype"] == "background"
    assert second_stage_association(two, [one, two], {}, folder) is None
    groups = later_groups([one, two])
    assert [[member.root for member in group] for _, group in groups] == [["jw1"]]
    assert len(later_groups([two])) == 1


def test_two_products_of_one_name_are_refused(tmp_path, calibrated):
    series = {"EXP_TYPE": "NRC_TSIMAGE", "TSOVISIT": True, "NINTS": 5}
    files = [
        product(tmp_path, f"jw{detector}", "calints", **series, DETECTOR=detector)
        for detector in ("NRCB1", "NRCB2")
    ]
    run = reduction(tmp_path, *files, pipelines=("tso3",))
    assert [step.status for step in run.calibrate("tso3")] == ["done", "failed"]
    assert "would have the name" in run.failures[0].problem


def test_pairs_of_wavefront_images_are_of_one_detector(tmp_path):
    wave = {"PATTTYPE": "WFSC"}
    detectors = ("NRCA1", "NRCA3", "NRCA1", "NRCA3")
    files = [
        product(tmp_path, f"jw{number}", "cal", **wave, DETECTOR=detector)
        for number, detector in enumerate(detectors)
    ]
    groups = later_groups([look_at(file) for file in files])
    assert [[one.root for one in group] for _, group in groups] == [["jw0", "jw2"], ["jw1", "jw3"]]


def test_names_of_ones_own_are_told_apart(tmp_path, calibrated):
    files = [product(tmp_path, "my_star", "uncal"), product(tmp_path, "my_planet", "uncal")]
    assert len(reduction(tmp_path, *files).members) == 2


def test_images_of_the_guider_go_on_to_stage_3(tmp_path, calibrated):
    image = {"EXP_TYPE": "FGS_IMAGE", "INSTRUME": "FGS", "DETECTOR": "GUIDER1"}
    run = reduction(tmp_path, product(tmp_path, "jw1", "cal", **image), pipelines=("image3",))
    assert [step.status for step in run.calibrate("image3")] == ["done"]


def test_an_association_brings_its_members(tmp_path, calibrated):
    files = [product(tmp_path, f"jw{number}", "cal") for number in (1, 2)]
    members = [{"expname": file.name, "exptype": "science"} for file in files]
    content = {
        "asn_type": "image3",
        "asn_id": "o001",
        "products": [{"name": "jw_mosaic", "members": members}],
    }
    (association := tmp_path / "jw_asn.json").write_text(json.dumps(content))
    run = reduction(tmp_path, association)
    assert run.files("cal") == files
    assert [step.status for step in run.calibrate("image3")] == ["done"]
    assert [one["file"] for one in outcome(tmp_path)["inputs"]] == [
        *("jw_asn.json", "jw1_cal.fits", "jw2_cal.fits")
    ]
    (made,) = outcome(tmp_path)["products"]
    assert made["made_of"] == ["jw_asn.json", "jw1_cal.fits", "jw2_cal.fits"]


def test_a_mask_of_an_exposure_that_a_quick_look_leaves_out_is_refused(tmp_path, calibrated):
    mask = tmp_path / "mask.fits"
    fits.PrimaryHDU(header=fits.Header({"MASKOF": "jw2_uncal.fits"})).writeto(mask)
    raw = [product(tmp_path, f"jw{number}", "uncal") for number in (1, 2)]
    reduction(tmp_path, *raw, mask=str(mask))
    with pytest.raises(UsageError, match="none of these raw exposures"):
        reduction(tmp_path, *raw, mask=str(mask), quicklook=True)


def test_a_full_disk_while_a_pipeline_begins_is_a_failure_that_is_told(tmp_path, monkeypatch):
    run = reduction(tmp_path, product(tmp_path, "jw1", "rate"))

    def full(*_):
        raise OutputError(tmp_path, "there is no room left on the disk", "free some space")

    monkeypatch.setattr("upramp.stages.reduction.run.staging_directory", full)
    run.calibrate("image2")
    assert "no room left" in str(run.failures[0])
    assert run.finish() == "failed"


def test_what_an_earlier_run_left_is_named(tmp_path, calibrated):
    raw = product(tmp_path, "jw1", "uncal")
    run = reduction(tmp_path, raw)
    for pipeline in ("detector1", "image2", "image3"):
        run.calibrate(pipeline)
    run.finish()
    assert not run.warnings
    again = reduction(tmp_path, raw)
    again.calibrate("detector1")
    again.finish()
    (warning,) = outcome(tmp_path)["warnings"]
    made = sorted(path.name for path in (tmp_path / "out").glob("*.fits"))
    assert all((name in warning) == (name != "jw1_rate.fits") for name in made)
    assert "earlier run" in warning


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", "[" * 100_000, '{"products": [{"file": "../jw1_rate.fits"}]}']
)
def test_what_is_no_outcome_is_replaced(tmp_path, calibrated, text):
    raw = product(tmp_path, "jw1", "rate")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "test_outcome.json").write_text(text)
    run = reduction(tmp_path, raw)
    assert outcome(tmp_path)["status"] == "running"
    run.calibrate("image2")
    run.finish()
    assert not run.warnings


def test_a_failure_names_the_step_and_the_pipeline(tmp_path, monkeypatch):
    def stopped(*_, **__):
        raise CalibrationError("jw1_rate.fits", "it went wrong", "see its log", "flat_field")

    monkeypatch.setattr(upramp.stages, "calibrate", stopped)
    run = reduction(tmp_path, product(tmp_path, "jw1", "rate"))
    run.calibrate("image2")
    run.finish()
    (failure,) = outcome(tmp_path)["failures"]
    assert (failure["step"], failure["pipeline"]) == ("flat_field", "image2")
    assert failure["text"].startswith("flat_field of image2 failed on jw1_rate.fits: it went")


def test_an_unforeseen_fault_is_told_and_not_raised(tmp_path, monkeypatch):
    def broken(*_, **__):
        raise ZeroDivisionError("by nought")

    monkeypatch.setattr(upramp.stages, "calibrate", broken)
    run = reduction(tmp_path, product(tmp_path, "jw1", "uncal"))
    run.calibrate("detector1")
    assert "ZeroDivisionError: by nought" in str(run.failures[0])


def test_a_quick_look_takes_the_first_of_each_kind(tmp_path, calibrated):
    raw = [product(tmp_path, f"jw{number}", "uncal") for number in (1, 2)]
    other = product(tmp_path, "jw3", "uncal", FILTER="F200W")
    run = reduction(tmp_path, *raw, other, quicklook=True)
    assert [member.path.name for member in run.members] == ["jw1_uncal.fits", "jw3_uncal.fits"]
    assert "1 of 3 exposures are left out" in run.warnings[0]


def test_wavefront_pairs_stay_pairs(tmp_path):
    wave = {"PATTTYPE": "WFSC"}
    pairs = [look_at(product(tmp_path, f"jw{number}", "cal", **wave)) for number in range(4)]
    assert len(first_of_each(pairs)) == 2
    assert [len(group) for _, group in later_groups(pairs)] == [2, 2]


def test_a_guide_star_goes_through_the_guider_pipeline(tmp_path, calibrated):
    guide = {"EXP_TYPE": "FGS_FINEGUIDE", "INSTRUME": "FGS", "DETECTOR": "GUIDER2"}
    file = product(tmp_path, "jw1_guider2", "uncal", **guide)
    with fits.open(file, mode="update") as hdus:
        hdus[0].header["DATAMODL"] = "GuiderRawModel"
    run = reduction(tmp_path, file, pipelines=("guider",))
    assert run.failures == []
    assert [step.status for step in run.calibrate("guider")] == ["done"]
    assert [path.name for path in run.files("cal")] == ["jw1_guider2_cal.fits"]


def test_products_of_several_pairs_are_of_one_kind(tmp_path, calibrated):
    run = reduction(tmp_path, product(tmp_path, "jw1", "cal", PATTTYPE="WFSC"))
    numbered = [product(tmp_path, "jw1", f"wfscmb-0{number}") for number in (1, 2)]
    run.inputs += numbered
    assert run.files("wfscmb") == numbered


def test_reference_stars_go_with_each_target(tmp_path):
    coronagraph = {"EXP_TYPE": "NRC_CORON"}
    files = [
        product(tmp_path, "jw1", "calints", **coronagraph, TARGPROP="A"),
        product(tmp_path, "jw2", "calints", **coronagraph, TARGPROP="B"),
        product(tmp_path, "jw3", "calints", **coronagraph, TARGPROP="S", IS_PSF=True),
    ]
    groups = later_groups([look_at(file) for file in files])
    assert [[one.root for one in group] for _, group in groups] == [["jw1", "jw3"], ["jw2", "jw3"]]
    with pytest.raises(InputError, match="none of the target"):
        later_groups([look_at(files[2])])


def test_nods_have_each_other_for_their_background(tmp_path):
    one, two = (look_at(product(tmp_path, f"jw{number}", **NODS)) for number in (1, 2))
    (folder := tmp_path / "folder").mkdir()
    file = second_stage_association(one, [one, two], {}, folder)
    (made,) = json.loads(file.read_text())["products"]
    assert made["name"] == "jw1"
    assert [(each["expname"], each["exptype"]) for each in made["members"]] == [
        ("jw1_rate.fits", "science"),
        ("jw2_rate.fits", "background"),
    ]
    assert (folder / "jw2_rate.fits").is_file()
    assert second_stage_association(one, [one], {}, folder) is None


def test_spectra_of_a_field_need_its_sources(tmp_path):
    member = look_at(product(tmp_path, "jw1", **GRISM))
    with pytest.raises(InputError, match="need the sources of a direct image"):
        second_stage_association(member, [], {}, tmp_path)


def test_spectra_take_the_sources_of_the_image_through_their_own_filter(tmp_path):
    member = look_at(product(tmp_path, "jw1", **GRISM))
    other = product(tmp_path, "jw-a", "i2d", FILTER="F444W", PUPIL="CLEAR")
    ours = product(tmp_path, "jw-b", "i2d", PUPIL="CLEAR")
    cat, segm = ([tmp_path / f"jw-{n}_{end}" for n in "ab"] for end in ("cat.ecsv", "segm.fits"))
    files = {"i2d": [other, ours], "cat": cat, "segm": segm}
    assert sources_for(member, files) == ({"i2d": ours, "cat": cat[1], "segm": segm[1]}, True)
    # Better those of another filter than none, but not in silence.
    found, same_filter = sources_for(member, files | {"i2d": [other]})
    assert (found["cat"], same_filter) == (cat[0], False)
    assert sources_for(member, {}) == ({}, True)
    niriss = GRISM | {"EXP_TYPE": "NIS_WFSS", "FILTER": "GR150R", "PUPIL": "F356W"}
    assert sources_for(look_at(product(tmp_path, "jw2", **niriss)), files)[0]["i2d"] == ours


def test_the_image_of_a_single_exposure_has_no_catalogue_and_is_not_taken(tmp_path, calibrated):
    run = reduction(
        tmp_path,
        product(tmp_path, "jw1", "rate", PUPIL="CLEAR"),
        product(tmp_path, "jw2", **GRISM),
        pipelines=("image2", "image3", "spec2"),
    )
    single, whole = tmp_path / "jw0_i2d.fits", tmp_path / "jw9_i2d.fits"
    run.products = [
        Product(single, "i2d", "image2", ("jw1",)),
        Product(whole, "i2d", "image3", ("jw1",)),
    ]
    assert run._combined()["i2d"] == [whole]


def test_products_are_compared_with_those_of_reference(tmp_path, calibrated):
    (reference := tmp_path / "reference").mkdir()
    product(reference, "jw1", "rate")
    run = reduction(
        tmp_path, product(tmp_path, "jw1", "uncal"), reference_product=str(reference), strict=True
    )
    run.calibrate("detector1")
    (found,) = run.compare()
    assert found["identical"]
    with fits.open(reference / "jw1_rate.fits", "update") as file:
        file["SCI"].data[0, 0] = 1
    for _ in range(2):  # a cell may run again
        (found,) = run.compare()
        assert not found["identical"]
        assert [failure.step for failure in run.failures] == ["comparison"]


def test_a_product_of_reference_that_nothing_belongs_to_fails(tmp_path, calibrated):
    raw = product(tmp_path, "jw1", "uncal")
    run = reduction(tmp_path, raw, reference_product=str(raw))
    run.calibrate("detector1")
    run.compare()
    assert "no product of this name" in str(run.failures[0])


def test_a_folder_of_reference_without_any_of_the_products_fails(tmp_path, calibrated):
    (reference := tmp_path / "reference").mkdir()
    raw = product(tmp_path, "jw1", "uncal")
    run = reduction(tmp_path, raw, reference_product=str(reference))
    run.calibrate("detector1")
    run.compare()
    assert "holds no product of the names made" in str(run.failures[0])


def test_a_product_of_reference_where_products_go_is_refused(tmp_path, calibrated):
    (folder := tmp_path / "out").mkdir()
    reference = product(folder, "jw1", "rate")
    for given in (folder, reference):
        with pytest.raises(UsageError, match="would be overwritten"):
            reduction(tmp_path, tmp_path / "jw1_uncal.fits", reference_product=str(given))


def test_a_warning_is_a_failure_where_the_reduction_is_strict(tmp_path, calibrated):
    raw = product(tmp_path, "jw1", "uncal")
    mild, strict = (reduction(tmp_path, raw, strict=value) for value in (False, True))
    for run in (mild, strict):
        run.warn("picture", "", "there is none")
        run.calibrate("detector1")
    assert (mild.finish(), strict.finish()) == ("done", "failed")


def test_nothing_calibrated_is_no_success(tmp_path, calibrated):
    run = reduction(tmp_path, product(tmp_path, "jw1", "uncal"))
    assert run.finish() == "failed"
    assert "nothing was calibrated" in str(run.failures[0])


def through(run, *pipelines):
    for pipeline in pipelines:
        run.calibrate(pipeline)


@pytest.mark.parametrize("strict", [False, True])
def test_an_official_step_that_gave_up_is_told(tmp_path, calibrated, strict):
    calibrated.gave_up = {3: ["tweakreg"]}
    calibrated.warned = ("tweakwcs.wcsimage: Not enough matches",)
    rates = [product(tmp_path, f"jw{number}", "rate") for number in (1, 2)]
    run = reduction(tmp_path, *rates, strict=strict)
    through(run, "image2", "image3")
    assert run.finish() == ("failed" if strict else "done")
    found = outcome(tmp_path)
    told = [one["text"] for one in found["failures"]] if strict else found["warnings"]
    assert len(told) == 1
    assert "tweakreg of image3" in told[0]
    assert "jw1_cal.fits" in told[0]
    assert "gave up" in told[0]
    assert found["steps"][-1]["warnings"] == ["tweakwcs.wcsimage: Not enough matches"]


def test_what_befell_an_input_is_told_once(tmp_path, calibrated):
    calibrated.gave_up = {1: ["emicorr"], 2: ["emicorr"], 3: ["emicorr"]}
    run = reduction(tmp_path, product(tmp_path, "jw1", "uncal"))
    through(run, "detector1", "image2", "image3")
    (warning,) = run.warnings
    assert "emicorr of detector1 of jw1_uncal.fits" in warning


def test_one_exposure_alone_cannot_be_aligned_and_that_is_no_failure(tmp_path, calibrated):
    calibrated.gave_up = {3: ["tweakreg"]}
    run = reduction(tmp_path, product(tmp_path, "jw1", "cal"), strict=True)
    through(run, "image3")
    assert run.finish() == "done"
    assert "jw1_cal.fits is alone" in run.warnings[0]


def test_what_an_association_of_stage_2_makes_goes_on(tmp_path, calibrated):
    files = [product(tmp_path, f"jw{number}", "rate") for number in (1, 2)]
    listed = [
        {"name": f"jw{n}", "members": [{"expname": file.name, "exptype": "science"}]}
        for n, file in enumerate(files[:1], start=1)
    ]
    content = {"asn_type": "image2", "asn_id": "o001", "products": listed}
    (association := tmp_path / "jw_asn.json").write_text(json.dumps(content))
    run = reduction(tmp_path, association)
    through(run, "image2", "image3")
    assert [one.suffix for one in run.products] == ["cal", "i2d"]
    with pytest.raises(UsageError, match="stsci does stage 1 too"):
        reduction(tmp_path, association, reference_product="stsci")
    (failure,) = reduction(tmp_path, association, pipelines=("detector1",)).failures
    assert (failure.file, failure.remedy) == ("jw_asn.json", "give exposures")


def test_an_official_comparison_of_what_skips_stage_1_is_refused_before_anything_runs(
    tmp_path, calibrated
):
    with pytest.raises(UsageError, match="stsci does stage 1 too, and no exposure here"):
        reduction(tmp_path, product(tmp_path, "jw1", "rate"), reference_product="stsci")
    assert calibrated == []


def test_fringes_without_a_reference_star_are_told(tmp_path, calibrated):
    fringes = {"EXP_TYPE": "NIS_AMI", "INSTRUME": "NIRISS", "DETECTOR": "NIS"}
    target = product(tmp_path, "jw1", "calints", **fringes)
    run = reduction(tmp_path, target, pipelines=("ami3",), strict=True)
    through(run, "ami3")
    assert run.finish() == "done"
    assert "no reference star among the inputs" in run.warnings[0]
    star = product(tmp_path, "jw2", "calints", **fringes, IS_PSF=True)
    run = reduction(tmp_path, target, star, pipelines=("ami3",))
    through(run, "ami3")
    assert not run.warnings


def made(name, pipeline="image3"):
    return Product(Path(name), suffix_of(Path(name)), pipeline, ("jw1_cal.fits",))


def test_products_of_stage_3_belong_together_whatever_their_target_is_called():
    i2d = made("jw01234-o001_ngc-1-a_nircam_f356w_i2d.fits")
    other = made("jw01234-o001_ngc-1-a_nircam_f200w_i2d.fits")
    cal = made("jw01234001001_02101_00001_nrcalong_cal.fits", "image2")
    ours = [i2d, other, cal]
    assert counterpart(ours, "jw01234-o001_t001_nircam_f356w_i2d.fits") is i2d
    assert counterpart(ours, cal.path.name) is cal
    for name in (
        "jw01235-o001_t001_nircam_f356w_i2d.fits",
        "jw01234-o001_t001_nircam_f444w_i2d.fits",
        "jw01234001001_02101_00002_nrcalong_cal.fits",
        "mosaic.fits",
    ):
        assert counterpart(ours, name) is None
    # Two targets: nobody knows which is meant.
    again = made("jw01234-o002_ngc-2_nircam_f356w_i2d.fits")
    assert counterpart([*ours, again], "jw01234-o001_t001_nircam_f356w_i2d.fits") is None


def test_a_folder_of_an_impossible_name_is_refused(tmp_path, calibrated):
    choices = checked_choices(["image2"], inputs=["x"], output_dir=str(tmp_path / "a\0b"))
    with pytest.raises(OutputError, match="cannot be made"):
        Reduction("mode/test", choices).begin()


def test_a_product_of_a_later_stage_is_named_with_the_notebook_that_takes_it(tmp_path, calibrated):
    run = reduction(tmp_path, product(tmp_path, "jw1", "rate"), pipelines=("detector1",))
    (failure,) = run.failures
    assert failure.file == "jw1_rate.fits"
    assert "of the kind rate, and this notebook runs detector1" in failure.problem
    assert "stage/image2" in failure.remedy


def test_an_exposure_of_another_mode_is_refused_with_its_own_notebook(tmp_path):
    file = product(tmp_path, "jw1", "rate", EXP_TYPE="MIR_IMAGE", INSTRUME="MIRI")
    choices = checked_choices(["image2"], inputs=[str(file)], output_dir=str(tmp_path / "out"))
    run = Reduction("mode/nircam-imaging", choices)
    run.begin()
    assert str(run.failures[0]) == (
        "reading failed on jw1_rate.fits: it is of the type MIR_IMAGE, and mode/nircam-imaging is"
        " for NRC_IMAGE; give others, or take the notebook mode/miri-imaging."
    )


def test_every_mode_is_a_notebook_and_every_notebook_of_a_mode_is_known():
    names = {one.name.removesuffix(".ipynb") for one in list_notebooks()}
    assert {name for name in names if name.startswith("mode/")} == set(MODES)
    assert notebooks_for("NRC_IMAGE", "image2") == ["mode/nircam-imaging"]
    assert notebooks_for("NRC_WFSS", "spec2") == ["mode/nircam-wfss"]
    assert notebooks_for("NRS_IFU", "spec2") == ["stage/spec2"]


def test_parameters_that_nothing_used_are_named(tmp_path, calibrated):
    steps = {"jump.rejection_threshold": 5.0, "resample.pixfrac": 0.8}
    run = reduction(tmp_path, product(tmp_path, "jw1", "cal"), steps=steps)
    through(run, "detector1", "image2", "image3")
    run.finish()
    (warning,) = run.warnings
    run.finish()  # the last cell, once more
    assert run.warnings == [warning]
    assert warning == (
        "steps: jump.rejection_threshold had no use, since no exposure went through detector1"
    )


def test_a_mask_of_one_of_several_says_which_go_without(tmp_path, calibrated):
    raw = [product(tmp_path, f"jw{number}", "uncal") for number in (1, 2, 3)]
    primary = fits.PrimaryHDU()
    primary.header["MASKOF"] = "jw2_uncal.fits"
    fits.HDUList([primary]).writeto(mask := tmp_path / "mask.fits")
    run = reduction(tmp_path, *raw, mask=str(mask))
    assert "that of jw2_uncal.fits: 2 of 3 raw exposures go without" in run.warnings[0]


def test_an_image_without_a_value_is_a_failure(tmp_path, calibrated, monkeypatch):
    plain = upramp.stages.calibrate

    def empty(*args, **keywords):
        result = plain(*args, **keywords)
        with fits.open(result.products[0], mode="update") as hdus:
            hdus["SCI"].data[:] = np.nan
        return result

    monkeypatch.setattr(upramp.stages, "calibrate", empty)
    run = reduction(tmp_path, product(tmp_path, "jw1", "rate"))
    through(run, "image2", "image3")
    (failure,) = run.failures
    assert (failure.pipeline, failure.file) == ("image2", "jw1_cal.fits")
    assert "no pixel of it has a value (it is made of jw1_rate.fits)" in failure.problem
    assert [one.suffix for one in run.products] == ["cal"]


@pytest.mark.parametrize("shape", [(3, 4), (5, 3, 4), (0, 4)])
def test_one_value_is_enough(tmp_path, shape):
    data = np.full(shape, np.nan, np.float32)
    fits.HDUList([fits.PrimaryHDU(), fits.ImageHDU(data, name="SCI")]).writeto(
        path := tmp_path / "a_cal.fits"
    )
    assert not holds_values(path)
    if data.size:
        fits.setval(path, "X", value=1)
        with fits.open(path, mode="update") as hdus:
            hdus["SCI"].data[..., -1, -1] = 1
        assert holds_values(path)
    assert holds_values(tmp_path / "x_cat.ecsv")


def test_a_folder_in_which_another_reduction_works_is_refused(tmp_path, calibrated):
    raw = product(tmp_path, "jw1", "uncal")
    folder = tmp_path / "out"
    folder.mkdir()
    code = (
        "import sys; from pathlib import Path; from upramp.stages.reduction import lock\n"
        "lock.hold(Path(sys.argv[1]), 'mode/other'); print('held', flush=True); sys.stdin.read()"
    )
    other = subprocess.Popen(
        [sys.executable, "-c", code, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert other.stdout.readline() == "held\n"
        with pytest.raises(OutputError, match=rf"mode/other \(process {other.pid} on .*at work"):
            reduction(tmp_path, raw)
        assert not (folder / "test_outcome.json").exists()
    finally:
        other.kill()
        other.communicate()
    # The lock of what died is free; ours goes when we are done.
    run = reduction(tmp_path, raw)
    again = reduction(tmp_path, raw)  # a cell that is run again
    again.calibrate("detector1")
    again.finish()
    assert run.choices.output_dir == folder
    assert not (folder / lock.NAME).exists()
    # Whoever goes back to a cell after the last one works in the folder again.
    again.calibrate("image2")
    assert (folder / lock.NAME).exists()
    again.finish()
    assert not (folder / lock.NAME).exists()

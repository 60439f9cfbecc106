"""Stages 2 and 3 on practice exposures: the official products, traced, whole or not at all."""

import gzip
import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import QTable

from upramp.cli import main
from upramp.errors import InputError, UsageError
from upramp.practice.programs import PROGRAMS
from upramp.stages import calibrate, compare, read_provenance
from upramp.stages.result import Result

pytestmark = [pytest.mark.peer, pytest.mark.slow]

PLANS = PROGRAMS["nircam-long"].exposures[:2]
ASSOCIATION = "jw99001-o001_image3_00001_asn.json"
PRODUCT = "jw99001-o001_practice-field_nircam_clear-f356w-sub640"


class Listener:
    """Keeps what it is told."""

    def __init__(self):
        self.total, self.done, self.labels, self.finished = 0, 0.0, [], False

    def start(self, total, label):
        self.total = total
        self.labels.append(label)

    def advance(self, amount=1, label=None):
        self.done += amount
        if label is not None:
            self.labels.append(label)

    def finish(self):
        self.finished = True


@dataclass
class Runs:
    """The same two dithers through the official pipelines, called directly, and through upramp."""

    rates: Path
    official: Path
    ours: Path
    stage1: list[Result]
    stage2: list[Result]
    stage3: Result
    progress2: Listener
    progress3: Listener


@pytest.fixture(scope="module")
def runs(practice_archive, tmp_path_factory, forget_crds):
    from jwst.associations.asn_from_list import asn_from_list
    from jwst.associations.lib.rules_level3_base import DMS_Level3_Base
    from jwst.pipeline import Image2Pipeline, Image3Pipeline

    from upramp.practice import environment

    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment(practice_archive).items():
            if value:
                patch.setenv(name, value)
            else:
                patch.delenv(name, raising=False)
        forget_crds()
        rates, official, ours = (tmp_path_factory.mktemp(n) for n in ("rates", "official", "ours"))
        catalogue = str(practice_archive / "truth" / "reference_catalog.ecsv")
        stage1 = [
            calibrate(practice_archive / "uncal" / f"{plan.root}_uncal.fits", output_dir=rates)
            for plan in PLANS
        ]
        files = [rates / f"{plan.root}_rate.fits" for plan in PLANS]
        for file in files:
            Image2Pipeline.call(str(file), output_dir=str(official), save_results=True)
        two, three = Listener(), Listener()
        stage2 = [
            calibrate(files[0], stage=2, output_dir=ours, progress=two),
            # What the engine gives in memory, as well as its file.
            calibrate(stage1[1].rate, stage=2, engine="stsci", output_dir=ours),
        ]
        # Mosaics tell when their exposures were written, so both are made of the same.
        members = [f"{plan.root}_cal.fits" for plan in PLANS]
        association = asn_from_list(members, rule=DMS_Level3_Base, product_name=PRODUCT)
        association["asn_id"] = "o001"
        file = ours / ASSOCIATION
        file.write_text(association.dump()[1])
        Image3Pipeline.call(
            str(file),
            output_dir=str(official),
            save_results=True,
            steps={"tweakreg": {"abs_refcat": catalogue}},
        )
        file.unlink()
        stage3 = calibrate(
            [ours / name for name in members],
            stage=3,
            output_dir=ours,
            overrides={"tweakreg.abs_refcat": catalogue},
            progress=three,
        )
        yield Runs(rates, official, ours, stage1, stage2, stage3, two, three)


def test_products_are_the_official_ones_bit_for_bit(runs):
    names = {file.name for file in runs.official.glob("*.fits")}
    assert names == {file.name for file in runs.ours.glob("*.fits")}
    assert len(names) == 2 * 3 + 2
    for name in sorted(names):
        assert compare(runs.official / name, runs.ours / name).exit_code == 0, name


def test_the_catalogue_is_the_official_one_with_a_line_more(runs):
    theirs, own = (
        (folder / f"{PRODUCT}_cat.ecsv").read_text().splitlines()
        for folder in (runs.official, runs.ours)
    )
    added = [line for line in own if line.startswith("# - {upramp: ")]
    assert len(added) == 1
    own.remove(added[0])
    differing = [pair for pair in zip(theirs, own, strict=True) if pair[0] != pair[1]]
    assert all(line.startswith("# - {date: ") for pair in differing for line in pair)
    assert len(QTable.read(runs.ours / f"{PRODUCT}_cat.ecsv", format="ascii.ecsv")) > 60
    record = read_provenance(runs.ours / f"{PRODUCT}_cat.ecsv")
    assert record["references"] == runs.stage3.provenance["references"]
    assert read_provenance(runs.official / f"{PRODUCT}_cat.ecsv") is None


def test_every_product_says_what_made_it(runs):
    for file in sorted(runs.ours.glob("*.fits")):
        record = read_provenance(file)
        later = "o001" in file.name
        assert record["stage"] == (3 if later else 2)
        assert record["pipeline"] == ("Image3Pipeline" if later else "Image2Pipeline")
        assert record["engine"] == "stsci"
        history = [line for line in fits.getheader(file)["HISTORY"] if line.startswith("upramp ")]
        assert history[-1].endswith(f"stsci {record['pipeline']}, jwst_0001.pmap (meta.upramp)")
    first, second = (run.provenance for run in runs.stage2)
    assert first["asked"] == "upramp"
    assert "official pipelines" in first["delegated"]["Image2Pipeline"]
    assert "delegated" not in second
    assert first["references"]["flat"]["sha256"]
    assert first["steps"]["photom"] == "COMPLETE"
    assert first["input"]["file"] == f"{PLANS[0].root}_rate.fits"
    assert first["input"]["provenance"]["pipeline"] == "Detector1Pipeline"
    assert second["input"]["in_memory"]
    assert second["input"]["provenance"] == runs.stage1[1].provenance
    third = runs.stage3.provenance
    assert third["steps"]["resample"] == "COMPLETE"
    assert third["overrides"]["tweakreg.abs_refcat"].endswith("reference_catalog.ecsv")
    assert [one["exptype"] for one in third["input"]["members"]] == ["science"] * 2
    assert third["references"]["apcorr"]["sha256"]


def test_results_are_data_models(runs):
    assert runs.stage2[0].cal.meta.filename == f"{PLANS[0].root}_cal.fits"
    assert runs.stage2[0].models["i2d"].meta.cal_step.resample == "COMPLETE"
    assert set(runs.stage3.models) == {"cat", "crf", "i2d", "segm"}
    assert len(runs.stage3.models["crf"]) == 2
    with fits.open(runs.ours / f"{PRODUCT}_i2d.fits") as file:
        np.testing.assert_array_equal(runs.stage3.models["i2d"].data, file["SCI"].data)
    # The caller's own is as it was.
    assert runs.stage1[1].rate.meta.filename == f"{PLANS[1].root}_rate.fits"
    assert runs.stage1[1].rate.meta.cal_step.photom is None
    assert runs.stage2[1].cal.meta.cal_step.tweakreg is None


def test_progress_tells_each_step(runs):
    assert runs.progress2.labels[0] == "references"
    assert runs.progress2.labels[1:] == ["assign_wcs", "flat_field", "photom", "resample"]
    steps = ["tweakreg", "skymatch", "outlier_detection", "resample", "source_catalog"]
    assert runs.progress3.labels == ["references", *steps]
    for listener in (runs.progress2, runs.progress3):
        assert 0.5 * listener.total < listener.done <= listener.total
        assert listener.finished


def test_logs_and_nothing_else_are_left_beside_products(runs):
    others = {file.name for file in runs.ours.iterdir() if file.suffix not in {".fits", ".ecsv"}}
    assert others == {
        *(f"{plan.root}_rate_calibrate.log" for plan in PLANS),
        f"{PRODUCT}_calibrate.log",
    }
    assert "Step tweakreg done" in (runs.ours / f"{PRODUCT}_calibrate.log").read_text()


def test_info_says_what_they_are(runs, capsys):
    for name, words in (
        (f"{PLANS[0].root}_cal.fits", "stsci Image2Pipeline"),
        (f"{PRODUCT}_i2d.fits", "stsci Image3Pipeline"),
        (f"{PRODUCT}_cat.ecsv", "stsci Image3Pipeline"),
    ):
        assert main(["info", str(runs.ours / name)]) == 0
        assert words in capsys.readouterr().out
    assert main(["info", "--json", str(runs.ours / f"{PRODUCT}_cat.ecsv")]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["kind"] == "cat"
    assert told["rows"] > 60


def test_an_official_association_is_taken_and_named_after(runs, archive, tmp_path, capsys):
    """Level 2, by the command, with a background; from where neither of them is."""
    for plan in PLANS:
        shutil.copy(runs.rates / f"{plan.root}_rate.fits", tmp_path)
    content = {
        "asn_type": "image2",
        "asn_id": "o001",
        "asn_rule": "Asn_Lv2Image",
        "asn_pool": "none",
        "program": "99001",
        "products": [
            {
                "name": "subtracted",
                "members": [
                    {"expname": f"{PLANS[0].root}_rate.fits", "exptype": "science"},
                    {"expname": f"{PLANS[1].root}_rate.fits", "exptype": "background"},
                ],
            }
        ],
    }
    file = tmp_path / "x_image2_00001_asn.json"
    file.write_text(json.dumps(content))
    out = tmp_path / "out"
    code = main(
        ["calibrate", str(file), "--stage", "2", "-o", str(out), "--set", "resample.skip=true"]
    )
    told = capsys.readouterr()
    assert (code, told.err) == (0, "")
    assert told.out == f"wrote {out}/subtracted_cal.fits\n"
    record = read_provenance(out / "subtracted_cal.fits")
    assert record["steps"]["bkg_subtract"] == "COMPLETE"
    assert record["steps"]["resample"] == "SKIPPED"
    assert [m["exptype"] for m in record["input"]["members"]] == ["science", "background"]
    assert fits.getval(out / "subtracted_cal.fits", "ASNTABLE") == file.name


def test_a_compressed_exposure_is_taken(runs, archive, tmp_path):
    name = f"{PLANS[0].root}_rate.fits"
    packed = tmp_path / f"{name}.gz"
    packed.write_bytes(gzip.compress((runs.rates / name).read_bytes(), 1))
    result = calibrate(packed, stage=2, overrides={"resample.skip": True})
    assert result.cal.meta.filename == f"{PLANS[0].root}_cal.fits"
    np.testing.assert_array_equal(result.cal.data, runs.stage2[0].cal.data)
    assert result.provenance["input"]["file"] == packed.name


def test_stage_3_of_memory_alone_writes_nothing(runs, archive, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = calibrate(
        runs.stage2[1].cal, stage=3, overrides={"source_catalog.skip": True, "tweakreg.skip": True}
    )
    assert result.products == ()
    assert result.models["i2d"].data.shape[0] > 600
    assert list(tmp_path.iterdir()) == []


def test_a_pair_of_wavefront_images_is_combined_where_it_was_asked(
    runs, archive, tmp_path, monkeypatch
):
    """The official step by itself writes where the process is."""
    from stdatamodels.jwst import datamodels

    pair = [runs.ours / f"{plan.root}_cal.fits" for plan in PLANS]
    with datamodels.open(pair[0]) as first, datamodels.open(pair[1]) as second:
        models = [first.copy(), second.copy()]
    for model in models:
        model.meta.dither.primary_type = "WFSC"
        model.meta.observation.activity_id = "04"
    monkeypatch.chdir(tmp_path)
    result = calibrate(models, stage=3, output_dir=tmp_path / "out")
    assert [file.name for file in result.products] == [f"{PRODUCT}-nrcalong_wfscmb-04.fits"]
    assert result.provenance["pipeline"] == "WfsCombineStep"
    assert read_provenance(result.products[0])["steps"]["wfs_combine"] == "COMPLETE"
    assert {file.name for file in tmp_path.iterdir()} == {"out"}
    assert result.log_file.name == f"{PRODUCT}-nrcalong-04_calibrate.log"


@pytest.mark.parametrize(
    ("stage", "name", "words"),
    [
        (2, "flat_feild.skip", "perhaps flat_field is meant"),
        (2, "photom.inverse_", "perhaps inverse"),
        (3, "tweakreg.snr_treshold", "perhaps snr_threshold"),
    ],
)
def test_a_wrong_parameter_is_refused_before_anything_is_made(
    runs, archive, tmp_path, stage, name, words
):
    kind = {2: "rate", 3: "cal"}[stage]
    given = {2: runs.rates, 3: runs.ours}[stage] / f"{PLANS[0].root}_{kind}.fits"
    with pytest.raises(UsageError, match=words):
        calibrate(given, stage=stage, overrides={name: "1"}, output_dir=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_what_a_stage_does_not_take_is_said(runs, archive, tmp_path):
    rate, cal = runs.rates / f"{PLANS[0].root}_rate.fits", runs.stage2[1].cal
    for given, stage, words in (
        (rate, 3, "it is a rate product, which stage 3 does not take"),
        (cal, 2, "it has been through stage 2 already"),
        (runs.stage1[0].rate, 3, "it has not been through stage 2"),
    ):
        with pytest.raises(InputError, match=words):
            calibrate(given, stage=stage, output_dir=tmp_path)
    for given, stage, words in (
        ([], 3, "no exposure is given"),
        ([rate, rate], 2, "one exposure at a time"),
        ({"a": 1}, 2, "dict: stage 2 does not take it"),
        ([tmp_path / "asn.json", rate], 3, "calibrate it alone"),
    ):
        with pytest.raises(UsageError, match=words):
            calibrate(given, stage=stage, output_dir=tmp_path)
    assert list(tmp_path.iterdir()) == []


# Stops the process inside a step, where the test can send it a signal.
PAUSED = """
import sys, time
from jwst.photom import PhotomStep
def process(self, *args):
    print("in step", flush=True)
    time.sleep(60)
PhotomStep.process = process
from upramp.cli import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGKILL, -9)])
def test_killed_in_a_step_leaves_no_product(runs, archive, tmp_path, number, code):
    old = tmp_path / f"{PLANS[0].root}_cal.fits"
    old.write_text("old product")
    rate = str(runs.rates / f"{PLANS[0].root}_rate.fits")
    with subprocess.Popen(
        [sys.executable, "-c", PAUSED, "calibrate", rate, "--stage", "2", "-o", str(tmp_path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=dict(os.environ),
    ) as process:
        assert process.stdout.readline() == "in step\n"
        process.send_signal(number)
        _, err = process.communicate(timeout=60)
    assert process.returncode == code
    assert "Traceback" not in err
    assert [file.name for file in tmp_path.glob("*.fits")] == [old.name]
    assert old.read_text() == "old product"
    if number != signal.SIGKILL:
        assert not list(tmp_path.glob(".upramp-*"))


def test_a_failing_step_is_one_sentence(runs, archive, tmp_path, monkeypatch, capsys):
    from jwst.flatfield import FlatFieldStep

    def process(*_args):
        raise ValueError("something odd\nin two lines")

    monkeypatch.setattr(FlatFieldStep, "process", process)
    rate = str(runs.rates / f"{PLANS[0].root}_rate.fits")
    assert main(["calibrate", rate, "--stage", "2", "-o", str(tmp_path)]) == 1
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.count("\n") == 1
    assert "the official pipeline failed (flat_field): ValueError: something odd" in told.err
    assert list(tmp_path.glob("*.fits")) == []

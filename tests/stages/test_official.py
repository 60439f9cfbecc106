"""The official pipeline run here: same products, whole or not at all, and one-line failures."""

import errno
import gzip
import hashlib
import shutil
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from tiny_world import NGROUPS, SIZE, make_exposure, write_rules

from upramp.errors import (
    CalibrationError,
    InputError,
    OutputError,
    ReferenceFileError,
    UsageError,
)
from upramp.stages import calibrate, read_provenance
from upramp.stages.official import pipeline_for
from upramp.stages.official_specs import specification
from upramp.stages.overrides import parse_assignment, to_pipeline_keywords
from upramp.stages.provenance import PINNED

pytestmark = pytest.mark.peer


@pytest.fixture(scope="module")
def official(tmp_path_factory, crds_folder, uncal, forget_crds):
    """What the official package makes of the same file by itself."""
    from jwst.pipeline import Detector1Pipeline

    folder = tmp_path_factory.mktemp("official")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CRDS_PATH", str(crds_folder))
        patch.delenv("CRDS_SERVER_URL", raising=False)
        patch.delenv("CRDS_CONTEXT", raising=False)
        forget_crds()
        Detector1Pipeline.call(
            str(uncal), output_dir=str(folder), save_results=True, save_calibrated_ramp=True
        )
    return folder


def test_products_are_the_official_ones(official, crds, uncal, tmp_path, capfd):
    result = calibrate(uncal, engine="stsci", output_dir=tmp_path / "out", save_ramp=True)
    names = sorted(file.name for file in result.products)
    assert names == sorted(file.name for file in official.glob("*.fits"))
    assert names == [f"tiny_nrcalong_{kind}.fits" for kind in ("ramp", "rate", "rateints")]
    for name in names:
        with fits.open(official / name) as a, fits.open(tmp_path / "out" / name) as b:
            assert [hdu.name for hdu in a] == [hdu.name for hdu in b]
            for one, two in zip(a[1:], b[1:], strict=True):
                if one.name != "ASDF":
                    np.testing.assert_array_equal(one.data, two.data)
    assert capfd.readouterr() == ("", "")


def test_result_holds_the_models_and_the_provenance(crds, uncal):
    result = calibrate(
        uncal,
        engine="stsci",
        overrides={"jump.rejection_threshold": 5.0, "dark_current.skip": "true"},
        save_ramp=True,
    )
    assert result.products == ()
    assert result.log_file is None
    assert result.rate.data.shape == (SIZE, SIZE)
    assert result.rateints.data.shape == (2, SIZE, SIZE)
    assert result.ramp.data.shape == (2, NGROUPS, SIZE, SIZE)
    assert result.rate.meta.filename == "tiny_nrcalong_rate.fits"
    assert result.ramp.meta.filename == "tiny_nrcalong_ramp.fits"
    record = result.provenance
    assert record["engine"] == "stsci"
    assert record["context"] == "jwst_0007.pmap"
    assert record["parameters"]["steps"]["jump"]["rejection_threshold"] == 5.0
    assert record["overrides"]["dark_current.skip"] == "true"
    assert record["steps"]["dark_current"] == "SKIPPED"
    assert record["steps"]["jump"] == "COMPLETE"
    assert record["input"]["sha256"] == hashlib.sha256(uncal.read_bytes()).hexdigest()
    gain = crds / "references" / "jwst" / "nircam" / "jwst_nircam_gain_0007.fits"
    assert record["references"]["gain"] == {
        "file": gain.name,
        "sha256": hashlib.sha256(gain.read_bytes()).hexdigest(),
    }
    assert record["references"]["sirskernel"]["file"] == "N/A"
    assert "dark" not in record["references"]
    assert set(PINNED) | {"upramp", "python"} == set(record["versions"])


def test_provenance_survives_in_every_product_and_through_the_official_package(
    crds, uncal, tmp_path
):
    from stdatamodels.jwst import datamodels

    result = calibrate(uncal, engine="stsci", output_dir=tmp_path, save_ramp=True)
    for product in result.products:
        found = read_provenance(product)
        assert found["references"] == result.provenance["references"]
        history = " ".join(str(line) for line in fits.getheader(product)["HISTORY"])
        assert history.count(": stsci Detector1Pipeline, jwst_0007.pmap") == 1
    rate = tmp_path / "tiny_nrcalong_rate.fits"
    with datamodels.open(rate) as model:
        model.save(tmp_path / "again.fits")
    assert read_provenance(tmp_path / "again.fits") == read_provenance(rate)
    assert read_provenance(uncal) is None
    text = tmp_path / "text.fits"
    text.write_text("nothing")
    with pytest.raises(InputError, match="not FITS"):
        read_provenance(text)


def test_progress_tells_each_step(crds, uncal):
    class Listener:
        def __init__(self):
            self.total, self.done, self.labels, self.finished = 0, 0, [], False

        def start(self, total, label):
            self.total = total

        def advance(self, amount=1, label=None):
            self.done += amount
            self.labels.append(label)

        def finish(self):
            self.finished = True

    listener = Listener()
    calibrate(uncal, engine="stsci", progress=listener)
    seen = [label for label in listener.labels if label]
    assert seen.index("dq_init") < seen.index("jump") < seen.index("ramp_fit")
    assert listener.finished
    assert listener.done <= listener.total


def test_log_is_whole_and_beside_the_products(crds, uncal, tmp_path):
    result = calibrate(uncal, engine="stsci", output_dir=tmp_path)
    assert result.log_file == tmp_path / "tiny_nrcalong_calibrate.log"
    text = result.log_file.read_text()
    assert "Step jump running" in text
    assert "rejection_threshold" in text


def test_parameter_references_of_crds_are_obeyed(crds, uncal, tmp_path, monkeypatch):
    import asdf

    root = tmp_path / "crds"
    shutil.copytree(crds, root)
    mappings = root / "mappings" / "jwst"
    kind = "pars-jumpstep"
    others = {}
    exec((mappings / "jwst_nircam_0007.imap").read_text(), others)
    kinds = {name.lower() for name in others["selector"]}
    files = {name.lower() for name, rmap in others["selector"].items() if rmap != "N/A"}
    for file in mappings.iterdir():
        file.unlink()
    write_rules(mappings, sorted(files | {kind}), sorted(kinds))
    asdf.AsdfFile(
        {
            "class": "jwst.jump.jump_step.JumpStep",
            "name": "jump",
            "parameters": {"rejection_threshold": 7.5, "max_jump_to_flag_neighbors": 123.0},
            "meta": {"author": "hand", "description": "hand", "reftype": kind},
        }
    ).write_to(root / "references" / "jwst" / "nircam" / f"jwst_nircam_{kind}_0007.asdf")
    monkeypatch.setenv("CRDS_PATH", str(root))
    record = calibrate(
        uncal, engine="stsci", overrides={"jump.max_jump_to_flag_neighbors": "99"}
    ).provenance
    jump = record["parameters"]["steps"]["jump"]
    assert jump["rejection_threshold"] == 7.5
    assert jump["max_jump_to_flag_neighbors"] == 99.0
    assert record["references"][kind]["file"] == f"jwst_nircam_{kind}_0007.asdf"


# Failures


def _fill_with_nan(path):
    with fits.open(path, mode="update") as hdus:
        hdus["SCI"].data[:] = np.nan


def _make_small(path):
    with fits.open(path) as hdus:
        hdus["SCI"].data = hdus["SCI"].data[:, :10].copy()
        hdus.writeto(path, overwrite=True)


def _products(folder):
    return sorted(file.name for file in folder.iterdir() if not file.name.endswith(".log"))


def test_all_saturated_is_said_and_leaves_nothing(crds, tmp_path):
    file = make_exposure(
        tmp_path / "full_nrcalong_uncal.fits", counts=np.full((1, NGROUPS, SIZE, SIZE), 65535.0)
    )
    out = tmp_path / "out"
    with pytest.raises(CalibrationError, match="every pixel is saturated") as caught:
        calibrate(file, engine="stsci", output_dir=out, save_ramp=True)
    assert caught.value.exit_code == 1
    assert _products(out) == []
    assert str(out / "full_nrcalong_calibrate.log") in str(caught.value)


@pytest.mark.parametrize("value", [0.0, 65535.0])
def test_only_reference_pixels_with_a_value_are_no_product(crds, tmp_path, monkeypatch, value):
    # Reference pixels never saturate: a product of these alone looks like a success.
    root = tmp_path / "crds"
    shutil.copytree(crds, root)
    mask = root / "references" / "jwst" / "nircam" / "jwst_nircam_mask_0007.fits"
    with fits.open(mask, mode="update") as hdus:
        hdus["DQ"].data[:4] = 0b10
        table = fits.BinTableHDU.from_columns(
            [
                fits.Column("BIT", "J", array=[0, 1]),
                fits.Column("VALUE", "J", array=[1, 2]),
                fits.Column("NAME", "40A", array=["DO_NOT_USE", "REFERENCE_PIXEL"]),
                fits.Column("DESCRIPTION", "80A", array=["", ""]),
            ],
            name="DQ_DEF",
        )
        hdus.append(table)
    monkeypatch.setenv("CRDS_PATH", str(root))
    counts = np.full((1, NGROUPS, SIZE, SIZE), value)
    counts[:, :, :4] = 5000.0
    file = make_exposure(tmp_path / "full_nrcalong_uncal.fits", counts=counts)
    overrides = {} if value else {"refpix.skip": True}
    with pytest.raises(CalibrationError, match="no pixel that sees light has a value") as caught:
        calibrate(file, engine="stsci", output_dir=tmp_path / "out", overrides=overrides)
    assert caught.value.exit_code == 1
    assert _products(tmp_path / "out") == []


class _BrokenError(Exception):
    pass


@pytest.mark.parametrize(
    "case",
    [
        (_BrokenError("first line\nsecond line"), CalibrationError, "_BrokenError: first line;"),
        (MemoryError(), CalibrationError, "not enough memory"),
        (OSError(errno.ENOSPC, "No space left on device"), OutputError, "no room left"),
        (SystemExit(-1), CalibrationError, "SystemExit"),
        (KeyboardInterrupt(), KeyboardInterrupt, ""),
    ],
)
def test_failure_in_a_step_keeps_the_old_product(crds, uncal, tmp_path, monkeypatch, case):
    fault, kind, words = case
    from jwst.ramp_fitting import RampFitStep

    def broken(self, *args):
        raise fault

    old = tmp_path / "tiny_nrcalong_rate.fits"
    old.write_text("old product")
    monkeypatch.setattr(RampFitStep, "process", broken)
    with pytest.raises(kind) as caught:
        calibrate(uncal, engine="stsci", output_dir=tmp_path, save_ramp=True)
    assert words in str(caught.value)
    assert _products(tmp_path) == [old.name]
    assert old.read_text() == "old product"
    if kind is CalibrationError:
        text = str(caught.value)
        assert str(uncal) in text
        assert "ramp_fit" in text
        log = tmp_path / "tiny_nrcalong_calibrate.log"
        assert str(log) in text
        assert "Traceback" in log.read_text()


def test_without_a_folder_the_log_of_a_failure_is_kept(crds, uncal, monkeypatch):
    from jwst.jump import JumpStep

    monkeypatch.setattr(JumpStep, "process", lambda *a: 1 / 0)
    with pytest.raises(CalibrationError, match="ZeroDivisionError") as caught:
        calibrate(uncal, engine="stsci")
    log = Path(str(caught.value).rpartition("the whole log is in ")[2].rstrip("."))
    assert "ZeroDivisionError" in log.read_text()
    log.unlink()


@pytest.mark.parametrize(
    "case",
    [
        ("jmup.rejection_threshold", "5", "perhaps jump"),
        ("jump.rejection_treshold", "5", "perhaps rejection_threshold"),
        ("jump.rejection_threshold", "five", "it cannot be 'five'"),
        ("ramp_fit.algorithm", "GUESS", "it cannot be 'GUESS'"),
        ("jump", "5", "this is a step"),
        ("nonsense", "5", "no parameter 'nonsense'"),
        ("output_dir", "/x", "use output_dir"),
        ("jump.output_dir", "/x", "use output_dir"),
        ("zzz.zzz", "1", "there are group_scale"),
        ("zzz.zzz", "1", " more."),
        ("jump.rejection_threshold", "nan", "give a finite number"),
        ("jump.rejection_threshold", float("inf"), "give a finite number"),
        ("jump.rejection_threshold", "-1e999", "give a finite number"),
        ("jump.maximum_cores", "-3", "a number from 1 on"),
        ("jump.maximum_cores", "0", "a number from 1 on"),
        ("jump.maximum_cores", 2.5, "a number from 1 on"),
        ("jump.override_readnoise", "", "no file is named"),
        ("jump.suffix", "../../zz", "a name without folders"),
        ("jump.output_file", "/elsewhere/zz", "a name without folders"),
        ("ramp_fit.opt_name", "a/b", "a name without folders"),
    ],
)
def test_wrong_parameters_are_refused_before_any_work(crds, uncal, tmp_path, case):
    name, value, words = case
    with pytest.raises(UsageError, match=r".*") as caught:
        calibrate(uncal, engine="stsci", overrides={name: value}, output_dir=tmp_path)
    assert words in str(caught.value)
    assert str(caught.value).startswith(f"{name}: ")
    assert _products(tmp_path) == []


def test_odd_values_that_have_a_sense_are_taken():
    overrides = {
        "jump.maximum_cores": "half",
        "jump.override_gain": None,
        "jump.suffix": "jump_7",
        "jump.rejection_threshold": "1e3",
        "ramp_fit.maximum_cores": "2",
    }
    keywords = to_pipeline_keywords(specification("Detector1Pipeline"), overrides)
    assert len(keywords["steps"]["jump"]) == 4


@pytest.mark.parametrize("text", ["jump", "=5", "jump.=5", ".x=5", " = "])
def test_assignments_without_a_whole_name(text):
    with pytest.raises(UsageError, match="sets no parameter"):
        parse_assignment(text)


def test_parameter_that_writes_a_file_needs_a_folder(crds, uncal):
    with pytest.raises(UsageError, match="give output_dir"):
        calibrate(uncal, engine="stsci", overrides={"jump.save_results": True})


def test_intermediate_products_are_published_too(crds, uncal, tmp_path):
    result = calibrate(
        uncal, engine="stsci", overrides={"jump.save_results": "true"}, output_dir=tmp_path
    )
    assert tmp_path / "tiny_nrcalong_jump.fits" in result.products


@pytest.mark.parametrize(
    "case",
    [
        (lambda p: p.write_bytes(p.read_bytes()[:5000]), "cut short"),
        (lambda p: p.unlink(), "not in the CRDS cache"),
        (_fill_with_nan, "nothing but NaN"),
        (_make_small, "does not cover the exposure"),
    ],
)
def test_damaged_reference_is_named_before_the_work(crds, uncal, tmp_path, monkeypatch, case):
    spoil, words = case
    root = tmp_path / "crds"
    shutil.copytree(crds, root)
    monkeypatch.setenv("CRDS_PATH", str(root))
    gain = root / "references" / "jwst" / "nircam" / "jwst_nircam_gain_0007.fits"
    spoil(gain)
    with pytest.raises(ReferenceFileError) as caught:
        calibrate(uncal, engine="stsci", output_dir=tmp_path / "out")
    assert str(caught.value).startswith(f"{gain}: ")
    assert words in str(caught.value)
    assert _products(tmp_path / "out") == []
    # One's own file instead, and a bad one of one's own.
    good = crds / "references" / "jwst" / "nircam" / "jwst_nircam_gain_0007.fits"
    overrides = {"jump.override_gain": str(good), "ramp_fit.override_gain": str(good)}
    overrides["gain_scale.override_gain"] = str(good)
    if words != "not in the CRDS cache":
        record = calibrate(uncal, engine="stsci", overrides=overrides).provenance
        assert record["references"]["gain"]["file"] == str(good)
        assert record["references"]["gain"]["override"]
    with pytest.raises(ReferenceFileError, match="missing"):
        calibrate(uncal, engine="stsci", overrides={"jump.override_gain": "/no/such.fits"})


def test_no_cache_is_one_sentence(uncal, tmp_path, monkeypatch, capfd):
    monkeypatch.setenv("CRDS_PATH", str(tmp_path / "nowhere"))
    monkeypatch.delenv("CRDS_SERVER_URL", raising=False)
    with pytest.raises(ReferenceFileError, match="no CRDS cache here"):
        calibrate(uncal, engine="stsci", output_dir=tmp_path / "out")
    assert capfd.readouterr() == ("", "")


def test_folder_that_cannot_be_made(crds, uncal, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be made"):
        calibrate(uncal, engine="stsci", output_dir=tmp_path / "file" / "out")


def test_a_product_never_replaces_its_own_input(crds, uncal, tmp_path):
    calibrate(uncal, engine="stsci", output_dir=tmp_path, save_ramp=True)
    ramp = tmp_path / "tiny_nrcalong_ramp.fits"
    before = ramp.read_bytes()
    with pytest.raises(OutputError, match="replace its own input"):
        calibrate(ramp, engine="stsci", output_dir=tmp_path, save_ramp=True)
    assert ramp.read_bytes() == before


def test_a_dark_gives_a_dark(crds, tmp_path):
    file = make_exposure(tmp_path / "d_nrcalong_uncal.fits", exp_type="NRC_DARK")
    result = calibrate(file, engine="stsci", output_dir=tmp_path / "out")
    assert [product.name for product in result.products] == ["d_nrcalong_dark.fits"]
    assert result.rate is None
    assert result.ramp.data.shape == (2, NGROUPS, SIZE, SIZE)
    assert result.provenance["pipeline"] == "DarkPipeline"


def test_gzip_input_gives_the_same_products(crds, uncal, tmp_path):
    packed = tmp_path / f"{uncal.name}.gz"
    packed.write_bytes(gzip.compress(uncal.read_bytes()))
    one = calibrate(uncal, engine="stsci")
    two = calibrate(packed, engine="stsci", output_dir=tmp_path / "out")
    assert {p.name for p in two.products} == {
        "tiny_nrcalong_rate.fits",
        "tiny_nrcalong_rateints.fits",
    }
    np.testing.assert_array_equal(one.rate.data, two.rate.data)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"engine": "stsic"}, "no such engine"),
        ({"stage": 4}, "no such stage; choose 1, 2 or 3"),
        ({"stage": 2, "mask": "m.fits"}, "mask: stage 2 has no use for it"),
        ({"stage": 3, "threads": 2}, "threads: stage 3 has no use for it"),
        ({"stage": 2, "save_ramp": True}, "save_ramp: stage 2 has no use for it"),
        ({"engine": "stsci", "mask": "m.fits"}, "takes no mask of groups; use engine upramp"),
        ({"engine": "stsci", "threads": 2}, "depend on its number of processes"),
        ({"threads": 0}, "threads: it cannot be 0"),
        ({"engine": "upramp", "threads": -2}, "threads: it cannot be -2"),
    ],
)
def test_what_is_not_served_is_said(arguments, words, tmp_path):
    with pytest.raises(UsageError, match=words):
        calibrate(tmp_path / "not read at all.fits", **arguments)


@pytest.mark.parametrize(
    ("exp_type", "name"),
    [
        ("NRC_IMAGE", "Detector1Pipeline"),
        ("NRC_DARK", "DarkPipeline"),
        ("MIR_DARKMRS", "DarkPipeline"),
        ("FGS_DARK", "DarkPipeline"),
        ("FGS_ID-STACK", "GuiderPipeline"),
        ("FGS_FINEGUIDE", "GuiderPipeline"),
        ("FGS_IMAGE", "Detector1Pipeline"),
    ],
)
def test_pipeline_by_exposure_type(exp_type, name):
    assert pipeline_for(exp_type).__name__ == name

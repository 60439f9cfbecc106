"""The engine upramp: products whole and accounted for, failures in one sentence."""

from __future__ import annotations

import errno
import gc
import gzip
import hashlib
import json
import os
import shutil
import subprocess
import sys
import weakref
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from tiny_world import NGROUPS, SIZE, make_exposure

from upramp.errors import (
    CalibrationError,
    InputError,
    OutputError,
    ReferenceFileError,
    UsageError,
)
from upramp.stages import calibrate, calibration, read_provenance
from upramp.stages.fused import FusedRun
from upramp.stages.provenance import PINNED

KINDS = ("ramp", "rate", "rateints")
STEPS = ["dq_init", "saturation", "superbias", "refpix", "linearity", "dark_sub", "jump"]
STEPS += ["ramp_fit"]


@pytest.fixture(scope="module")
def made(tmp_path_factory, crds_folder, uncal):
    """One run with everything that it can write."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CRDS_PATH", str(crds_folder))
        patch.delenv("CRDS_SERVER_URL", raising=False)
        patch.delenv("CRDS_CONTEXT", raising=False)
        return calibrate(uncal, output_dir=tmp_path_factory.mktemp("made"), save_ramp=True)


def products(folder):
    return sorted(file.name for file in folder.iterdir() if not file.name.endswith(".log"))


def assert_same_rates(one, two):
    for name in ("rate", "rateints"):
        a, b = getattr(one, name), getattr(two, name)
        for array in ("data", "err", "dq", "var_poisson", "var_rnoise"):
            np.testing.assert_array_equal(getattr(a, array), getattr(b, array))


# ---- what a run gives


def test_products_are_written_whole_and_named_after_the_input(made):
    folder = made.products[0].parent
    assert [p.name for p in made.products] == [f"tiny_nrcalong_{kind}.fits" for kind in KINDS]
    assert products(folder) == [p.name for p in made.products]
    for kind, product in zip(KINDS, made.products, strict=True):
        with fits.open(product) as hdus:
            assert hdus[0].header["FILENAME"] == product.name
            model = made.models[kind]
            assert model.meta.filename == product.name
            np.testing.assert_array_equal(hdus["SCI"].data, model.data)
    assert made.log_file == folder / "tiny_nrcalong_calibrate.log"


def test_provenance_says_how_it_was_made(made, crds_folder, uncal):
    record = made.provenance
    assert record["engine"] == "upramp"
    assert record["pipeline"] == "Detector1Pipeline"
    assert record["context"] == "jwst_0007.pmap"
    assert record["fused"] == STEPS
    assert record["delegated"] == {}
    assert "mask" not in record
    assert set(record["versions"]) == {"upramp", "python", *PINNED}
    assert record["input"] == {
        "file": uncal.name,
        "sha256": hashlib.sha256(uncal.read_bytes()).hexdigest(),
    }
    references = crds_folder / "references" / "jwst" / "nircam"
    for kind in ("mask", "saturation", "superbias", "linearity", "dark", "gain", "readnoise"):
        file = references / f"jwst_nircam_{kind}_0007.fits"
        assert record["references"][kind] == {
            "file": file.name,
            "sha256": hashlib.sha256(file.read_bytes()).hexdigest(),
        }
    assert record["references"]["ipc"]["file"] == "N/A"
    assert record["steps"]["jump"] == "COMPLETE"
    assert record["steps"]["ipc"] == record["steps"]["charge_migration"] == "SKIPPED"
    assert record["parameters"]["steps"]["jump"]["rejection_threshold"] == 4.0
    assert "output_dir" not in record["parameters"]


def test_every_product_carries_its_provenance(made):
    for product in made.products:
        found = read_provenance(product)
        for key in ("engine", "references", "input", "created", "parameters", "delegated"):
            assert found[key] == made.provenance[key]
        history = " ".join(str(line) for line in fits.getheader(product)["HISTORY"])
        assert history.count(": upramp Detector1Pipeline, jwst_0007.pmap") == 1
        # On one card, so that whoever reads one reads all of it.
        assert any(str(c).endswith("(meta.upramp)") for c in fits.getheader(product)["HISTORY"])
    assert read_provenance(made.products[1]) == made.provenance
    # What is made of the ramp before the fit does not speak of it.
    of_ramp = read_provenance(made.products[0])
    assert "ramp_fit" not in of_ramp["steps"]
    assert of_ramp["fused"] == STEPS[:-1]


def test_overrides_are_recorded_and_obeyed(crds, uncal, made):
    overrides = {"jump.rejection_threshold": "1e9", "dark_current.skip": True}
    overrides |= {"jump.four_group_rejection_threshold": 1e9}
    result = calibrate(uncal, overrides=overrides)
    record = result.provenance
    assert record["overrides"] == overrides
    assert record["parameters"]["steps"]["jump"]["rejection_threshold"] == 1e9
    assert record["steps"]["dark_current"] == "SKIPPED"
    assert "dark_sub" not in record["fused"]
    assert made.rateints.dq[0, 10, 11] & 4
    assert not result.rateints.dq[0, 10, 11] & 4


def test_models_are_official_ones_and_of_use(made, tmp_path):
    from stdatamodels.jwst import datamodels

    assert type(made.rate) is datamodels.ImageModel
    assert type(made.rateints) is datamodels.CubeModel
    assert type(made.ramp) is datamodels.RampModel
    assert made.rate.data.shape == (SIZE, SIZE)
    assert made.rateints.data.shape == (2, SIZE, SIZE)
    assert made.ramp.data.shape == made.ramp.groupdq.shape == (2, NGROUPS, SIZE, SIZE)
    for model in (made.rate, made.rateints):
        assert model.meta.bunit_data == "DN/s"
        assert model.meta.cal_step.ramp_fit == "COMPLETE"
        assert model.meta.ref_file.gain.name == "crds://jwst_nircam_gain_0007.fits"
        assert model.meta.ref_file.crds.context_used == "jwst_0007.pmap"
        assert model.data.dtype == np.float32
        assert model.dq.dtype == np.uint32
        assert np.isfinite(model.data).mean() > 0.99
    # The cosmic ray is in its own integration, and the dead pixel in all.
    assert made.rateints.dq[:, 10, 11].tolist() == [4, 0]
    assert made.rate.dq[3, 4] & 1
    assert made.ramp.groupdq[0, :, 10, 11].tolist() == [0, 0, 0, 4, 0, 0]
    made.rate.save(tmp_path / "again.fits")
    with datamodels.open(tmp_path / "again.fits") as again:
        np.testing.assert_array_equal(again.data, made.rate.data)
    changed = made.rate.copy()
    changed.data[:] = 0
    assert made.rate.data.any()


def test_models_outlive_the_exposure(crds, uncal, tmp_path, made):
    file = tmp_path / uncal.name
    shutil.copy(uncal, file)
    result = calibrate(file, save_ramp=True)
    file.unlink()
    assert_same_rates(result, made)
    np.testing.assert_array_equal(result.ramp.data, made.ramp.data)
    assert result.ramp.meta.instrument.detector == "NRCALONG"


def test_without_a_folder_nothing_is_written(crds, uncal, tmp_path, monkeypatch, made):
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    monkeypatch.chdir(tmp_path)
    result = calibrate(uncal, save_ramp=True)
    assert result.products == ()
    assert result.log_file is None
    assert set(result.models) == set(KINDS)
    assert_same_rates(result, made)
    assert [p.name for p in tmp_path.rglob("*")] == ["temporary"]


def test_the_ramp_is_made_only_if_it_is_wanted(crds, uncal, tmp_path):
    result = calibrate(uncal, output_dir=tmp_path)
    assert result.ramp is None
    assert products(tmp_path) == ["tiny_nrcalong_rate.fits", "tiny_nrcalong_rateints.fits"]
    for overrides in ({"save_calibrated_ramp": True}, {"ramp_fit.skip": True}):
        result = calibrate(uncal, overrides=overrides, output_dir=tmp_path)
        assert result.ramp is not None
        assert (result.rate is None) == ("ramp_fit.skip" in overrides)


def test_the_log_tells_the_steps_and_what_was_skipped(made, crds, uncal, tmp_path):
    text = made.log_file.read_text()
    assert text.index(" saturation\n") < text.index(" linearity\n") < text.index(" products\n")
    assert "ipc is skipped: no reference\n" in text
    chosen = tmp_path / "chosen.txt"
    result = calibrate(uncal, log_file=chosen)
    assert result.log_file == chosen
    assert " saturation\n" in chosen.read_text()


def test_progress_tells_each_step_and_ends(crds, uncal):
    class Listener:
        def __init__(self):
            self.total, self.done, self.labels, self.ended = 0, 0, [], 0

        def start(self, total, label):
            self.total = total

        def advance(self, amount=1, label=None):
            self.done += amount
            self.labels.append(label)

        def finish(self):
            self.ended += 1

    listener = Listener()
    calibrate(uncal, progress=listener, threads=2)
    seen = [label for label in listener.labels if label]
    assert seen.index("dq_init") < seen.index("jump, ramp_fit") < seen.index("products")
    assert listener.ended
    assert listener.done == pytest.approx(listener.total)


def test_gzip_input_gives_the_same(crds, uncal, tmp_path, made):
    packed = tmp_path / f"{uncal.name}.gz"
    packed.write_bytes(gzip.compress(uncal.read_bytes()))
    result = calibrate(packed, output_dir=tmp_path / "out")
    assert products(tmp_path / "out") == [f"tiny_nrcalong_{k}.fits" for k in ("rate", "rateints")]
    assert_same_rates(result, made)


def test_an_opened_exposure_will_do_and_stays_open(crds, uncal, made):
    from upramp.exposure import open_exposure

    with open_exposure(uncal) as exposure:
        for _ in range(2):
            assert_same_rates(calibrate(exposure), made)
        assert exposure["SCI"].shape == (2, NGROUPS, SIZE, SIZE)


def test_a_new_process_loads_no_official_pipeline(crds, uncal, tmp_path):
    code = (
        "import sys\nfrom upramp.cli import main\n"
        "assert main(sys.argv[1:]) == 0\n"
        "print(*sorted({n.split('.')[0] for n in sys.modules}))\n"
    )
    out = subprocess.run(
        [sys.executable, "-c", code, "calibrate", str(uncal), "-o", str(tmp_path), "--quiet"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert not set(out.stdout.split()) & {"jwst", "stcal", "stpipe", "skimage"}
    assert out.stderr == ""


def test_a_reference_that_changes_is_read_again(crds, uncal, tmp_path, monkeypatch):
    root = tmp_path / "crds"
    shutil.copytree(crds, root)
    monkeypatch.setenv("CRDS_PATH", str(root))
    before = calibrate(uncal)
    gain = root / "references" / "jwst" / "nircam" / "jwst_nircam_gain_0007.fits"
    with fits.open(gain) as hdus:
        hdus["SCI"].data *= 4
        hdus.writeto(tmp_path / "new.fits")
    shutil.move(tmp_path / "new.fits", gain)
    after = calibrate(uncal)
    assert after.provenance["references"]["gain"] != before.provenance["references"]["gain"]
    assert (after.rate.var_poisson < before.rate.var_poisson).mean() > 0.9
    np.testing.assert_array_equal(before.rate.var_poisson, calibrate_again(crds, uncal))


def calibrate_again(crds, uncal):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CRDS_PATH", str(crds))
        return calibrate(uncal).rate.var_poisson


# ---- threads


@pytest.mark.parametrize("threads", [1, 2, 5, 64])
def test_any_number_of_threads_gives_the_same_bits(crds, uncal, made, threads):
    result = calibrate(uncal, threads=threads, save_ramp=True)
    assert_same_rates(result, made)
    np.testing.assert_array_equal(result.ramp.data, made.ramp.data)
    np.testing.assert_array_equal(result.ramp.groupdq, made.ramp.groupdq)


@pytest.mark.parametrize(
    ("argument", "variable", "used"),
    [
        (None, None, None),
        (None, "", None),
        (None, " ", None),
        (None, "3", 3),
        (None, " 3 ", 3),
        (2, "3", 2),
        (2, "nonsense", 2),
    ],
)
def test_where_the_number_of_threads_comes_from(
    crds, uncal, monkeypatch, argument, variable, used
):
    if variable is None:
        monkeypatch.delenv("UPRAMP_THREADS", raising=False)
    else:
        monkeypatch.setenv("UPRAMP_THREADS", variable)
    seen = []
    run = FusedRun.run

    def watched(self):
        seen.append(self.threads)
        return run(self)

    monkeypatch.setattr(FusedRun, "run", watched)
    calibrate(uncal, threads=argument)
    assert seen == [used or len(os.sched_getaffinity(0))]


@pytest.mark.parametrize("value", ["0", "-1", "two", "1.5", "1e2", "\u00b2"])
def test_a_variable_that_is_no_number_of_threads(crds, uncal, tmp_path, monkeypatch, value):
    monkeypatch.setenv("UPRAMP_THREADS", value)
    with pytest.raises(UsageError, match=r"^UPRAMP_THREADS: it cannot be .*; give 1 or more\.$"):
        calibrate(uncal, output_dir=tmp_path)
    assert products(tmp_path) == []


def test_one_thread_is_enough_where_no_other_may_be_started(crds, uncal, made, monkeypatch):
    def refused(self):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr("threading.Thread.start", refused)
    assert_same_rates(calibrate(uncal, threads=1), made)
    with pytest.raises(CalibrationError, match=r"no more threads can .*one thread"):
        calibrate(uncal, threads=2)


# ---- exposures with little to fit


@pytest.mark.parametrize("ngroups", [1, 2])
def test_one_and_two_groups(crds, tmp_path, ngroups):
    counts = 1000 + 50.0 * np.arange(1, ngroups + 1)[None, :, None, None]
    counts = np.broadcast_to(counts, (2, ngroups, SIZE, SIZE))
    file = make_exposure(tmp_path / "few_nrcalong_uncal.fits", counts=counts)
    result = calibrate(file)
    assert result.provenance["steps"]["jump"] == "SKIPPED"
    good = np.ones((SIZE, SIZE), bool)
    good[3, 4] = False
    np.testing.assert_allclose(result.rate.data[good], 50 / 2, rtol=1e-2)
    assert np.isnan(result.rate.data[3, 4])


def saturated(tmp_path):
    return make_exposure(
        tmp_path / "full_nrcalong_uncal.fits", counts=np.full((1, NGROUPS, SIZE, SIZE), 65535.0)
    )


def test_all_saturated_is_said_and_leaves_nothing(crds, tmp_path):
    out = tmp_path / "out"
    with pytest.raises(CalibrationError, match="every pixel is saturated") as caught:
        calibrate(saturated(tmp_path), output_dir=out, save_ramp=True)
    assert caught.value.exit_code == 1
    assert products(out) == []
    log = out / "full_nrcalong_calibrate.log"
    assert str(log) in str(caught.value)
    assert "failed: " in log.read_text()


def test_all_saturated_but_one_pixel_is_a_product(crds, tmp_path):
    counts = np.full((1, NGROUPS, SIZE, SIZE), 65535.0)
    counts[0, :, 20, 20] = 1000 + 30 * np.arange(NGROUPS)
    file = make_exposure(tmp_path / "full_nrcalong_uncal.fits", counts=counts)
    rate = calibrate(file, overrides={"saturation.n_pix_grow_sat": 0}).rate
    assert np.argwhere(np.isfinite(rate.data)).tolist() == [[20, 20]]
    assert (rate.dq[rate.dq != 0] & 2 == 2).all()


# ---- failures


class _BrokenError(Exception):
    pass


@pytest.mark.parametrize(
    "case",
    [
        (_BrokenError("first line\nsecond line"), CalibrationError, "_BrokenError: first line;"),
        (MemoryError(), CalibrationError, "not enough memory"),
        (OSError(errno.ENOSPC, "No space left on device"), OutputError, "no room left"),
        (RuntimeError("can't start new thread"), CalibrationError, "no more threads can be"),
        (SystemExit(-1), CalibrationError, "SystemExit"),
        (KeyboardInterrupt(), KeyboardInterrupt, ""),
    ],
    ids=lambda case: type(case[0]).__name__,
)
@pytest.mark.parametrize(
    ("place", "step"),
    [
        ("upramp.stages.fused_references.load_references", "configuration"),
        ("upramp.detector1.near_infrared.linearize", "jump, ramp_fit"),
        ("upramp.detector1.ramp_fit.fit_ols", "jump, ramp_fit"),
        ("upramp.stages.fused_products.rate_models", "products"),
        ("stdatamodels.jwst.datamodels.ImageModel.save", "writing tiny_nrcalong_rate.fits"),
    ],
)
@pytest.mark.parametrize("threads", [1, 2])
def test_failure_anywhere_keeps_the_old_product(
    crds, uncal, tmp_path, monkeypatch, case, place, step, threads
):
    fault, kind, words = case

    def broken(*args, **keywords):
        raise fault

    old = tmp_path / "tiny_nrcalong_rate.fits"
    old.write_text("old product")
    monkeypatch.setattr(place, broken)
    with pytest.raises(kind) as caught:
        calibrate(uncal, output_dir=tmp_path, save_ramp=True, threads=threads)
    assert words in str(caught.value)
    assert products(tmp_path) == [old.name]
    assert old.read_text() == "old product"
    log = tmp_path / "tiny_nrcalong_calibrate.log"
    if kind is CalibrationError:
        assert str(uncal) in str(caught.value)
        assert f"({step})" in str(caught.value)
        assert str(log) in str(caught.value)
        assert "failed" in log.read_text()


def test_without_a_folder_the_log_of_a_failure_is_kept(crds, uncal, monkeypatch):
    monkeypatch.setattr("upramp.detector1.ramp_fit.fit_ols", lambda *a, **k: 1 / 0)
    with pytest.raises(CalibrationError, match="ZeroDivisionError") as caught:
        calibrate(uncal)
    log = Path(str(caught.value).rpartition("the whole log is in ")[2].rstrip("."))
    assert "ZeroDivisionError" in log.read_text()
    log.unlink()


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("jmup.rejection_threshold", "5", "perhaps jump"),
        ("jump.rejection_threshold", "five", "it cannot be 'five'"),
        ("ramp_fit.algorithm", "GUESS", "it cannot be 'GUESS'"),
        ("jump", "5", "this is a step"),
        ("jump.rejection_threshold", "nan", "give a finite number"),
        ("jump.override_readnoise", "", "no file is named"),
        ("jump.output_file", "/elsewhere/zz", "a name without folders"),
    ],
)
def test_wrong_parameters_are_refused_before_any_work(crds, uncal, tmp_path, name, value, words):
    with pytest.raises(UsageError) as caught:
        calibrate(uncal, overrides={name: value}, output_dir=tmp_path)
    assert words in str(caught.value)
    assert str(caught.value).startswith(f"{name}: ")
    assert products(tmp_path) == []


def _cut(path):
    path.write_bytes(path.read_bytes()[:5000])


def _fill_with_nan(path):
    with fits.open(path, mode="update") as hdus:
        hdus["SCI"].data[:] = np.nan


def _make_small(path):
    with fits.open(path) as hdus:
        hdus["SCI"].data = hdus["SCI"].data[:, :10].copy()
        hdus.writeto(path, overwrite=True)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (_cut, "cut short"),
        (Path.unlink, "not in the CRDS cache"),
        (_fill_with_nan, "nothing but NaN"),
        (_make_small, "does not cover the exposure"),
    ],
)
def test_a_damaged_reference_is_named(crds, uncal, tmp_path, monkeypatch, spoil, words):
    root = tmp_path / "crds"
    shutil.copytree(crds, root)
    monkeypatch.setenv("CRDS_PATH", str(root))
    gain = root / "references" / "jwst" / "nircam" / "jwst_nircam_gain_0007.fits"
    spoil(gain)
    with pytest.raises(ReferenceFileError) as caught:
        calibrate(uncal, output_dir=tmp_path / "out")
    assert str(caught.value).startswith(f"{gain}: ")
    assert words in str(caught.value)
    assert products(tmp_path / "out") == []


def own_gain(crds, tmp_path, factor):
    good = crds / "references" / "jwst" / "nircam" / "jwst_nircam_gain_0007.fits"
    own = tmp_path / f"gain_{factor}.fits"
    with fits.open(good) as hdus:
        hdus["SCI"].data = hdus["SCI"].data * np.float32(factor)
        hdus.writeto(own)
    return str(own)


def overridden(gain, steps=("jump", "ramp_fit", "gain_scale")):
    return {f"{step}.override_gain": gain for step in steps}


def test_ones_own_reference_is_used_and_recorded(crds, uncal, tmp_path, made):
    own = own_gain(crds, tmp_path, 4)
    result = calibrate(uncal, overrides=overridden(own))
    assert result.provenance["references"]["gain"]["file"] == own
    assert result.provenance["references"]["gain"]["override"]
    assert result.rate.meta.ref_file.gain.name == own
    assert (result.rate.var_poisson < made.rate.var_poisson).mean() > 0.9
    with pytest.raises(ReferenceFileError, match="missing"):
        calibrate(uncal, overrides={"jump.override_gain": "/no/such.fits"})


@pytest.mark.parametrize("factors", [{"jump": 2, "ramp_fit": 3}, {"jump": 2}, {"ramp_fit": 3}])
def test_different_gains_of_jump_and_fit_are_the_official_pipelines(
    crds, uncal, tmp_path, factors
):
    overrides = {}
    for step, factor in factors.items():
        overrides |= overridden(own_gain(crds, tmp_path, factor), [step])
    ours = calibrate(uncal, overrides=overrides)
    assert "another gain" in ours.provenance["delegated"]["Detector1Pipeline"]
    assert_same_rates(ours, calibrate(uncal, engine="stsci", overrides=overrides))


def test_what_an_option_switches_on_is_recorded(made):
    assert made.provenance["parameters"]["save_calibrated_ramp"] is True
    assert made.provenance["parameters"]["save_results"] is True


def test_the_log_tells_what_was_skipped(made):
    lines = made.log_file.read_text().splitlines()
    stamped = [line for line in lines if line[:4].isdigit() and " upramp " in line]
    assert lines == stamped
    assert any("upramp skipped: " in line and "ipc" in line for line in lines)


def test_no_cache_is_one_sentence(uncal, tmp_path, monkeypatch, capfd):
    monkeypatch.setenv("CRDS_PATH", str(tmp_path / "nowhere"))
    monkeypatch.delenv("CRDS_SERVER_URL", raising=False)
    with pytest.raises(ReferenceFileError, match="no CRDS cache here"):
        calibrate(uncal, output_dir=tmp_path / "out")
    assert capfd.readouterr() == ("", "")


def test_a_product_never_replaces_its_own_input(crds, uncal, tmp_path):
    calibrate(uncal, output_dir=tmp_path, save_ramp=True)
    ramp = tmp_path / "tiny_nrcalong_ramp.fits"
    before = ramp.read_bytes()
    with pytest.raises(OutputError, match="replace its own input"):
        calibrate(ramp, output_dir=tmp_path, save_ramp=True)
    assert ramp.read_bytes() == before


def test_folder_that_cannot_be_made(crds, uncal, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be made"):
        calibrate(uncal, output_dir=tmp_path / "file" / "out")


@pytest.mark.parametrize("size", [0, 100, 0.5, 0.999])
def test_an_exposure_that_is_cut_short(crds, uncal, tmp_path, size):
    whole = uncal.read_bytes()
    bad = tmp_path / "bad_uncal.fits"
    bad.write_bytes(whole[: int(size * len(whole)) if size < 1 else size])
    with pytest.raises(InputError) as caught:
        calibrate(bad, output_dir=tmp_path / "out")
    assert str(caught.value).startswith(f"{bad}: ")


# ---- what is left to the official pipeline


@pytest.mark.peer
def test_a_dark_goes_through_the_official_pipeline_and_says_so(crds, tmp_path):
    file = make_exposure(tmp_path / "d_nrcalong_uncal.fits", exp_type="NRC_DARK")
    result = calibrate(file, output_dir=tmp_path / "out", threads=1)
    assert [product.name for product in result.products] == ["d_nrcalong_dark.fits"]
    record = read_provenance(result.products[0])
    assert record == result.provenance
    assert record["engine"] == "upramp"
    assert record["fused"] == []
    assert record["delegated"] == {"DarkPipeline": "DarkPipeline is not among what is fused"}
    assert result.ramp.data.shape == (2, NGROUPS, SIZE, SIZE)
    official = calibrate(file, engine="stsci")
    np.testing.assert_array_equal(official.ramp.data, result.ramp.data)
    assert "delegated" not in official.provenance


@pytest.mark.peer
@pytest.mark.parametrize("step", ["jump", "linearity"])
def test_a_step_that_writes_files_goes_through_the_official_pipeline(
    crds, uncal, tmp_path, step, made
):
    overrides = {f"{step}.save_results": "true"}
    result = calibrate(uncal, overrides=overrides, output_dir=tmp_path)
    assert tmp_path / f"tiny_nrcalong_{step}.fits" in result.products
    reason = f"{step}.save_results is served by the official step"
    assert result.provenance["delegated"] == {"Detector1Pipeline": reason}
    assert result.provenance["fused"] == []
    assert_same_rates(result, made)
    with pytest.raises(UsageError, match="give output_dir"):
        calibrate(uncal, overrides=overrides)


@pytest.mark.peer
@pytest.mark.parametrize("step", ["saturation", "superbias", "refpix", "linearity"])
def test_a_single_step_that_is_delegated_gives_the_same_bits(crds, uncal, made, monkeypatch, step):
    from upramp.detector1 import pipeline

    monkeypatch.setattr(
        pipeline, "_foreign", lambda state, name: "it is the test's" if name == step else None
    )
    result = calibrate(uncal, save_ramp=True)
    assert result.provenance["delegated"] == {step: "it is the test's"}
    assert step not in result.provenance["fused"]
    assert result.provenance["steps"] == made.provenance["steps"]
    assert_same_rates(result, made)
    np.testing.assert_array_equal(result.ramp.data, made.ramp.data)
    np.testing.assert_array_equal(result.ramp.groupdq, made.ramp.groupdq)
    np.testing.assert_array_equal(result.ramp.pixeldq, made.ramp.pixeldq)
    assert result.rate.meta.ref_file.instance == made.rate.meta.ref_file.instance


@pytest.mark.peer
def test_the_log_of_a_delegated_step_is_in_the_log(crds, uncal, tmp_path, monkeypatch):
    from upramp.detector1 import pipeline

    monkeypatch.setattr(pipeline, "_foreign", lambda s, n: "why not" if n == "linearity" else None)
    text = calibrate(uncal, output_dir=tmp_path).log_file.read_text()
    assert "linearity: by the official step: why not\n" in text
    assert "Step linearity done" in text


@pytest.mark.peer
def test_an_official_step_that_fails_is_named(crds, uncal, tmp_path, monkeypatch):
    from jwst.linearity import LinearityStep

    from upramp.detector1 import pipeline

    monkeypatch.setattr(pipeline, "_foreign", lambda s, n: "why not" if n == "linearity" else None)
    monkeypatch.setattr(LinearityStep, "process", lambda *a: 1 / 0)
    with pytest.raises(CalibrationError, match=r"\(linearity\): ZeroDivisionError"):
        calibrate(uncal, output_dir=tmp_path)
    assert products(tmp_path) == []


@pytest.mark.peer
def test_products_have_the_official_parts_and_keywords(crds, uncal, made, tmp_path):
    official = calibrate(uncal, engine="stsci", output_dir=tmp_path, save_ramp=True)
    for ours, theirs in zip(made.products, official.products, strict=True):
        with fits.open(ours) as a, fits.open(theirs) as b:
            assert [(h.name, h.shape) for h in a[:-1]] == [(h.name, h.shape) for h in b[:-1]]
            cards = [[card for card in h[0].header if card != "HISTORY"] for h in (a, b)]
            assert cards[0] == cards[1]


def test_the_record_is_plain_json(made):
    assert json.loads(json.dumps(made.provenance)) == made.provenance


def test_large_products_of_earlier_runs_do_not_pile_up(crds, uncal, tmp_path, monkeypatch):
    monkeypatch.setattr(calibration, "_LARGE", 0)
    gc.disable()  # else a collection may come by itself
    try:
        made = weakref.ref(calibrate(uncal, output_dir=tmp_path).rate)
        assert made() is not None
        held = calibrate(uncal, output_dir=tmp_path)
        assert made() is None
        made = weakref.ref(held.rate)
        calibrate(uncal, output_dir=tmp_path)
        assert made() is held.rate
    finally:
        gc.enable()

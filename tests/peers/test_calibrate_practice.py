"""Stage 1 by the official engine on practice and real exposures, against the package by itself."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from upramp.exposure import open_exposure
from upramp.stages import calibrate, compare, read_provenance

pytestmark = [pytest.mark.peer, pytest.mark.slow]

REAL = Path(__file__).parents[2].parent / "shared" / "data" / "real"


def _real(*parts):
    file = REAL.joinpath(*parts)
    if not file.exists():
        pytest.skip(f"the real exposure {file.name} is not here")
    return file


SMALL = ("jw99004001001", "jw99007001001", "jw99008001001", "jw99013001001")
"""Of each kind of read-out, and guide stars; the engines agree on more in `test_engines_agree`."""


def test_same_bits_as_the_package_by_itself(archive, tmp_path):
    from jwst.pipeline import Detector1Pipeline, GuiderPipeline

    for program in SMALL:
        (file,) = (archive / "uncal").glob(f"{program}_*_uncal.fits")
        guider = "guider" in file.name
        pipeline = GuiderPipeline if guider else Detector1Pipeline
        extra = {} if guider else {"save_calibrated_ramp": True}
        own = tmp_path / "official"
        pipeline.call(str(file), output_dir=os.fspath(own), save_results=True, **extra)
        result = calibrate(
            file, engine="stsci", output_dir=tmp_path / "upramp", save_ramp=not guider
        )
        assert {p.name for p in result.products} == {p.name for p in own.glob("*.fits")}
        for product in result.products:
            assert compare(own / product.name, product).exit_code == 0, product.name
        for product in own.glob("*.fits"):
            product.unlink()


def test_a_large_exposure_by_the_command(archive, tmp_path):
    # Too large to be calibrated twice: whole, complete and accounted for is asked here.
    (file,) = (archive / "uncal").glob("jw99006001001_*_uncal.fits")
    command = [sys.executable, "-m", "upramp", "calibrate", "--engine", "stsci", "-o"]
    out = subprocess.run(
        [*command, str(tmp_path), str(file)], capture_output=True, text=True, check=False
    )
    assert (out.returncode, out.stderr) == (0, "")
    root = file.name.removesuffix("_uncal.fits")
    with open_exposure(file) as raw:
        subarray = raw.subarray
    for kind in ("rate", "rateints"):
        product = tmp_path / f"{root}_{kind}.fits"
        assert f"wrote {product}\n" in out.stdout
        with open_exposure(product) as made:
            assert made.kind == kind
            assert made.shape[-2:] == (subarray.ysize, subarray.xsize)
            assert np.isfinite(np.asarray(made["SCI"])).mean() > 0.9
        record = read_provenance(product)
        assert record["input"]["sha256"] == hashlib.sha256(file.read_bytes()).hexdigest()
        assert record["steps"]["ramp_fit"] == "COMPLETE"
        assert record["steps"]["refpix"] == "COMPLETE"
        assert record["references"]["linearity"]["sha256"]
    assert not list(tmp_path.glob(".upramp-*"))


def test_official_stage_2_takes_the_model_and_keeps_the_provenance(archive, tmp_path):
    from jwst.pipeline import Image2Pipeline

    file = next((archive / "uncal").glob("*nrcalong_uncal.fits"))
    result = calibrate(file, engine="stsci", output_dir=tmp_path)
    made = Image2Pipeline.call(
        result.rate,
        output_dir=str(tmp_path),
        save_results=True,
        steps={"resample": {"skip": True}},
    )
    (cal,) = tmp_path.glob("*_cal.fits")
    assert cal.name == file.name.replace("uncal", "cal")
    assert made[0].meta.cal_step.photom == "COMPLETE"
    assert read_provenance(cal)["references"] == result.provenance["references"]


def test_real_guide_star_acquisition(archive, tmp_path):
    file = _real("fgs", "add_wcs_default_acq1.fits")
    result = calibrate(file, engine="stsci", output_dir=tmp_path)
    assert [p.name for p in result.products] == ["add_wcs_default_acq1_cal.fits"]
    cal = result.models["cal"]
    # Six integrations of two reads: the star of the raw frames is where it was.
    assert cal.data.shape == (6, 128, 128)
    brightest = np.unravel_index(np.nanargmax(np.nanmedian(cal.data, axis=0)), (128, 128))
    assert abs(brightest[0] - 97) <= 2
    assert abs(brightest[1] - 65) <= 2
    assert result.rate is None


def test_real_ground_ramp(archive, tmp_path):
    file = _real("miri_ground", "MIRI_5582_89_S_20180308-010230_SCE1_pipe.fits")
    result = calibrate(file, engine="stsci", output_dir=tmp_path)
    root = "MIRI_5582_89_S_20180308-010230_SCE1_pipe"
    assert {p.name for p in result.products} == {f"{root}_rate.fits", f"{root}_rateints.fits"}
    assert result.rate.data.shape == (64, 72)
    assert result.rateints.data.shape == (5, 64, 72)
    assert np.isfinite(result.rate.data).mean() > 0.8
    # What was not in the file but is known all the same is said, not silent.
    assert result.provenance["input"]["inferred"]

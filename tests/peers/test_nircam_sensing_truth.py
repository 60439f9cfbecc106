"""The official pipelines of wavefront sensing and of darks on simulated exposures."""

import json
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from upramp.dq import PIXEL
from upramp.practice import environment, make_archive
from upramp.practice.programs import PROGRAMS
from upramp.practice.setups import character_of, psf_of, subarray_of

pytestmark = [pytest.mark.peer, pytest.mark.slow]

PAIR = PROGRAMS["nircam-wfs"].exposures
(DARK,) = PROGRAMS["nircam-dark"].exposures


@pytest.fixture(scope="module")
def reduced(tmp_path_factory, forget_crds):
    """The folder of the products, with the archive in it, and the archive's seed."""
    from jwst.pipeline import DarkPipeline, Image2Pipeline
    from jwst.wfs_combine import WfsCombineStep

    from upramp.stages import calibrate

    folder = tmp_path_factory.mktemp("sensing") / "archive"
    made = make_archive(folder, ["nircam-wfs", "nircam-dark"])
    products = folder.parent
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment(folder).items():
            if value:
                patch.setenv(name, value)
            else:
                patch.delenv(name, raising=False)
        forget_crds()
        patch.chdir(products)
        for plan in PAIR:
            calibrate(folder / "uncal" / f"{plan.root}_uncal.fits", output_dir=products)
            Image2Pipeline.call(
                f"{plan.root}_rate.fits",
                output_dir=".",
                save_results=True,
                steps={"resample": {"skip": True}},
            )
        members = [{"expname": f"{plan.root}_cal.fits", "exptype": "science"} for plan in PAIR]
        association = {
            "asn_type": "wfs-image3",
            "asn_rule": "Asn_Lv3WFSCMB",
            "program": "99103",
            "asn_id": "o001",
            "target": "1",
            "asn_pool": "none",
            "products": [{"name": "pair_{suffix}", "members": members}],
        }
        Path("wfs.json").write_text(json.dumps(association))
        WfsCombineStep.call("wfs.json", output_dir=".", save_results=True)
        uncal = folder / "uncal" / f"{DARK.root}_uncal.fits"
        DarkPipeline.call(str(uncal), output_dir=".", output_file="ramp", save_results=True)
    yield products, made.seed
    forget_crds()


def _truth(folder, plan):
    return fits.getheader(folder / "archive" / "truth" / f"{plan.root}_truth.fits")


def test_the_pair_is_a_whole_number_of_pixels_apart(reduced):
    first, second = (_truth(reduced[0], plan) for plan in PAIR)
    # The step moves by whole pixels, as flight patterns do.
    assert second["STAR_X"] - first["STAR_X"] == pytest.approx(24, abs=0.05)
    assert second["STAR_Y"] - first["STAR_Y"] == pytest.approx(12, abs=0.05)


def test_the_combined_image_holds_the_star_once_with_its_flux(reduced):
    folder, seed = reduced
    truth = _truth(folder, PAIR[0])
    with fits.open(folder / "pair_wfscmb.fits") as hdus:
        assert hdus[0].header["S_WFSCOM"] == "COMPLETE"
        assert hdus[0].header["S_PHOTOM"] == "COMPLETE"
        image, area = np.array(hdus["SCI"].data), hdus["SCI"].header["PIXAR_SR"]
    x, y = truth["STAR_X"], truth["STAR_Y"]
    row, column = np.mgrid[: image.shape[0], : image.shape[1]]
    distance = np.hypot(row - y, column - x)
    psf = psf_of(PAIR[0].detector, PAIR[0].filter, seed)
    # A circle within reach of both images, and a ring for the sky.
    inside = np.clip(15.5 - distance, 0, 1)
    ring = (distance > 40) & (distance < 55)
    light = ((image - np.median(image[ring])) * inside).sum() * area * 1e6
    held = float(psf.encircled_energy(np.array([15.0]))[0])
    assert light / held == pytest.approx(truth["STARFLUX"], rel=0.02)
    core = np.where(distance < 4, image, 0)
    place = (core * column).sum() / core.sum(), (core * row).sum() / core.sum()
    assert place == pytest.approx((x, y), abs=0.15)
    # Nothing bright is left where the second image had the star.
    ghost = np.hypot(row - y - 12, column - x - 24) < 2
    assert image[ghost].max() < 0.02 * image.max()


def test_the_dark_pipeline_gives_the_detectors_own_dark_current(reduced):
    folder, seed = reduced
    with fits.open(next(folder.glob("*dark*.fits"))) as hdus:
        header = hdus[0].header
        for keyword in ("S_DQINIT", "S_SATURA", "S_SUPERB", "S_REFPIX", "S_LINEAR"):
            assert header[keyword] == "COMPLETE", keyword
        assert "S_DARK" not in header
        ramp, bad = np.array(hdus["SCI"].data), np.array(hdus["PIXELDQ"].data)
    assert ramp.shape == (DARK.integrations, DARK.groups, 160, 160)
    character = character_of("NRCALONG", seed).window(*subarray_of(DARK).window)
    expected = character.dark / character.gain
    seconds = (DARK.groups - 1) * DARK.group_time
    rate = np.median((ramp[:, -1] - ramp[:, 0]) / seconds, axis=0)
    good = (bad & PIXEL["DO_NOT_USE"]) == 0
    # The noise of the difference of two reads, a median of three integrations.
    noise = np.median(character.read_noise) / seconds * 0.67
    pulls = (rate - expected)[good] / noise
    assert np.median(pulls) == pytest.approx(0, abs=0.2)
    assert 1.4826 * np.median(np.abs(pulls)) == pytest.approx(1, abs=0.2)

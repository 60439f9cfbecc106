"""The notebooks of darks, guide stars and wavefront sensing, judged by the truth."""

from __future__ import annotations

import json

import numpy as np
import pytest
from astropy.io import fits

from upramp.dq import PIXEL
from upramp.kernel.pictures import darks, guiding, stage1
from upramp.practice.programs import PROGRAMS
from upramp.practice.setups import character_of, psf_of, subarray_of

pytestmark = [pytest.mark.slow, pytest.mark.peer]

PAIR = PROGRAMS["nircam-wfs"].exposures
(DARK,) = PROGRAMS["nircam-dark"].exposures
(FINE,) = PROGRAMS["fgs-fine"].exposures
NAMES = ("dark", "guider", "wfs-image3")


@pytest.fixture(scope="module")
def archive(grown):
    return grown("nircam-wfs", "nircam-dark", "fgs-fine")


@pytest.fixture(scope="module")
def seed(archive):
    return json.loads((archive / "practice.json").read_text())["seed"]


@pytest.fixture(scope="module")
def done(archive, run_in, tmp_path_factory):
    """The notebooks, run on the exposures that they name."""
    found = {}
    for name in NAMES:
        folder = tmp_path_factory.mktemp(name)
        found[name] = run_in(f"stage/{name}.ipynb", folder, archive)
    return found


def products(done, name, kind):
    return sorted((done[name].folder / name).glob(f"*_{kind}*.fits"))


def truth(archive, plan, part=0):
    return fits.open(archive / "truth" / f"{plan.root}_truth.fits")[part]


@pytest.mark.parametrize("name", NAMES)
def test_the_notebook_ends_well(done, name):
    assert done[name].outcome["status"] == "done"
    assert done[name].outcome["warnings"] == []


@pytest.mark.parametrize(
    ("name", "pictures"),
    [
        ("dark", {"raw", "build-up", "last-group", "hot", "dq"}),
        ("guider", {"stack", "motion", "dq"}),
        ("wfs-image3", {"pair", "dq", "combined", "profile"}),
    ],
)
def test_it_shows_its_pictures(done, name, pictures):
    assert set(done[name].pictures()) == pictures


def test_the_dark_has_the_detectors_own_dark_current(done, archive, seed):
    (path,) = products(done, "dark", "dark")
    with fits.open(path) as hdus:
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
    # Means of frames, of whole DN: the noise of two of them, a median of three integrations.
    white = np.median(character.read_noise) ** 2 / DARK.pattern.frames
    noise = np.sqrt(white + 2 / 12) / seconds * 0.67
    pulls = (rate - expected)[good] / noise
    assert np.mean(np.clip(pulls, -3, 3)) == pytest.approx(0, abs=0.1)
    assert 1.4826 * np.median(np.abs(pulls)) == pytest.approx(1, abs=0.25)
    # What the picture says is the truth's middle.
    middle = darks._middle(expected[good][None], 1)[0]
    assert darks.build_up([path]).data["rate"] == pytest.approx(middle, rel=0.1)
    # The hottest pixels are those of the detector.
    for one in darks.hot_pixels([path]).data["hottest"]:
        assert one["rate"] == pytest.approx(expected[one["row"], one["column"]], rel=0.3)


def test_flags_of_a_dark_are_those_of_its_pixels_and_groups(done):
    (path,) = products(done, "dark", "dark")
    with fits.open(path) as hdus:
        pixels, groups = np.array(hdus["PIXELDQ"].data), np.array(hdus["GROUPDQ"].data)
    hot = (pixels & PIXEL["HOT"]) > 0
    saturated = ((pixels & PIXEL["SATURATED"]) > 0) | ((groups & 2) > 0).any(axis=(0, 1))
    assert hot.any()
    counts = stage1.flags([path]).data
    assert counts["HOT"] == hot.sum()
    assert counts.get("SATURATED", 0) == saturated.sum()


def test_the_guide_star_is_followed_where_it_went(done, archive):
    (path,) = products(done, "guider", "cal")
    places = truth(archive, FINE, "GUIDING").data
    found = guiding.motion([path]).data
    for axis in ("x", "y"):
        away = np.array(found[axis]) - places[axis]
        assert np.abs(away - np.median(away)).max() < 0.06
        assert np.corrcoef(found[axis], places[axis])[0, 1] > 0.97
        assert np.mean(found[axis]) == pytest.approx(places[axis].mean(), abs=0.06)


def test_the_pair_is_a_whole_number_of_pixels_apart(archive):
    first, second = (truth(archive, plan).header for plan in PAIR)
    # The step moves by whole pixels, as flight patterns do.
    assert second["STAR_X"] - first["STAR_X"] == pytest.approx(24, abs=0.05)
    assert second["STAR_Y"] - first["STAR_Y"] == pytest.approx(12, abs=0.05)


def test_the_combined_image_holds_the_star_once_with_its_flux(done, archive, seed):
    told = truth(archive, PAIR[0]).header
    (path,) = products(done, "wfs-image3", "wfscmb")
    with fits.open(path) as hdus:
        assert hdus[0].header["S_WFSCOM"] == "COMPLETE"
        assert hdus[0].header["S_PHOTOM"] == "COMPLETE"
        image, area = np.array(hdus["SCI"].data), hdus["SCI"].header["PIXAR_SR"]
    x, y = told["STAR_X"], told["STAR_Y"]
    row, column = np.mgrid[: image.shape[0], : image.shape[1]]
    distance = np.hypot(row - y, column - x)
    psf = psf_of(PAIR[0].detector, PAIR[0].filter, seed)
    # A circle within reach of both images, and a ring for the sky.
    inside = np.clip(15.5 - distance, 0, 1)
    ring = (distance > 40) & (distance < 55)
    light = ((image - np.median(image[ring])) * inside).sum() * area * 1e6
    held = float(psf.encircled_energy(np.array([15.0]))[0])
    assert light / held == pytest.approx(told["STARFLUX"], rel=0.02)
    core = np.where(distance < 4, image, 0)
    place = (core * column).sum() / core.sum(), (core * row).sum() / core.sum()
    assert place == pytest.approx((x, y), abs=0.15)
    # Nothing bright is left where the second image had the star.
    ghost = np.hypot(row - y - 12, column - x - 24) < 2
    assert image[ghost].max() < 0.02 * image.max()

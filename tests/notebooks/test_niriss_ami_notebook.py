"""The notebooks of aperture masking on a practice binary: separation, angle, contrast."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.io import fits
from scipy.signal import fftconvolve

from upramp.kernel.pictures.binary_fit import fit_binary, read_fringes
from upramp.practice import nonredundant
from upramp.practice.crds_context import FLIGHT_LIKE
from upramp.practice.instruments import DETECTORS
from upramp.practice.programs import PROGRAMS
from upramp.practice.setups import subarray_of
from upramp.practice.target_scene import pixel_scale

pytestmark = [pytest.mark.peer, pytest.mark.slow]

PLANS = list(PROGRAMS["niriss-ami"].exposures)
PLAN = PLANS[0]
TRUE = PLAN.target.companion
ARCSEC = np.pi / 180 / 3600
PICTURES = {"rate", "dq", "interferograms", "fringes", "companion"}


@pytest.fixture(scope="module")
def done(reduced):
    """The notebook that was run, and the archive."""
    return reduced("mode/niriss-ami.ipynb", "niriss-ami", crds_context=FLIGHT_LIKE, strict=True)


@pytest.fixture(scope="module")
def products(done):
    return done[0].folder / "niriss-ami"


@pytest.fixture(scope="module")
def binary(products):
    (path,) = products.glob("*_aminorm-oi.fits")
    return fit_binary(read_fringes(path))


@pytest.fixture(scope="module")
def offset(done):
    """Of the companion from its star in the frame of the official model.

    That is in pixels of one size, through the stretch of the pupil's image: arcseconds
    along rows, and against the columns.
    """
    with fits.open(done[1] / "truth" / f"{PLAN.root}_truth.fits") as file:
        star, companion = file["SOURCES"].data
    subarray = subarray_of(PLAN)
    assert subarray.parity == -1  # columns run west where north is up
    pixels = np.array([companion["y"] - star["y"], companion["x"] - star["x"]])
    scale = np.mean(pixel_scale(PLAN, subarray))
    rows, columns = scale * np.linalg.inv(nonredundant.STRETCH).T @ pixels
    return rows, -columns


def test_the_notebook_is_done_and_shows_its_pictures(done, products):
    notebook, _ = done
    outcome = notebook.outcome
    assert outcome["status"] == "done"
    assert outcome["warnings"] == []
    assert outcome["contexts"] == [FLIGHT_LIKE]
    assert set(notebook.pictures()) == PICTURES
    made = {one["suffix"] for one in outcome["products"]}
    assert made == {"rate", "rateints", "calints", "ami-oi", "psf-ami-oi", "aminorm-oi"}
    for plan, suffix in zip(PLANS, ("ami-oi", "psf-ami-oi"), strict=True):
        (path,) = products.glob(f"{plan.root}_*_{suffix}.fits")
        assert fits.getval(path, "S_AMIANA") == "COMPLETE"
    (path,) = products.glob("*_aminorm-oi.fits")
    with fits.open(path) as file:
        assert file[0].header["S_AMINOR"] == "COMPLETE"
        assert len(file["OI_VIS2"].data) == 21
        assert len(file["OI_T3"].data) == 35
        assert file["OI_TARGET"].data["TARGET"][0].startswith("PRACTICE BINARY")


def test_the_reference_is_one_star(products):
    (alone,), (normalised,) = (
        products.glob(f"*_{suffix}.fits") for suffix in ("psf-ami-oi", "aminorm-oi")
    )
    alone, normalised = read_fringes(alone), read_fringes(normalised)
    assert np.std(alone.phases) < 0.1 * np.std(normalised.phases)


def test_one_companion_is_all_that_is_in_the_fringes(binary):
    # Errors are the scatter of so many integrations: pulls have Student's distribution.
    freedom = PLAN.integrations - 1
    expected = freedom / (freedom - 2)
    assert binary.chi_squared < 2 * expected
    assert binary.alone > 30 * expected


def test_the_binary_has_its_separation_and_angle(binary, offset):
    # The official step writes its baselines without the stretch and shear that it fits
    # with: the place it shows is that of its own frame.
    separation = np.hypot(*offset)
    shown = np.degrees(np.arctan2(offset[1], offset[0]))
    angle = PLAN.roll + subarray_of(PLAN).v3_ideal_angle + shown
    assert abs(binary.separation - separation) < 3 * binary.separation_error
    turned = (binary.angle - angle + 180) % 360 - 180
    assert abs(turned) < 3 * binary.angle_error
    assert binary.separation_error < 0.02 * TRUE.separation
    assert binary.angle_error < 1
    # Whatever the frame, it is near the truth: the pupil's image is stretched by no more.
    stretches = np.linalg.svd(np.linalg.inv(nonredundant.STRETCH))[1]
    frame = np.abs(stretches - 1).max()
    nearly = frame * TRUE.separation + 3 * binary.separation_error
    assert abs(binary.separation - TRUE.separation) < nearly
    turned = (binary.angle - TRUE.angle + 180) % 360 - 180
    assert abs(turned) < np.degrees(frame) + 3 * binary.angle_error


def test_the_binary_has_its_contrast(binary, offset):
    expected = TRUE.contrast * seen_through_a_hole(offset)
    assert expected < 0.99 * TRUE.contrast
    assert abs(binary.contrast - expected) < 3 * binary.contrast_error
    assert binary.contrast_error < 0.03 * TRUE.contrast


def seen_through_a_hole(offset):
    """Part of a companion's fringes that a model finds which has them around the star.

    The fringes of a hole's pair lie in the spread of light of one hole, which is centred on
    the companion: what a fit finds is the overlap of both, over that of one with itself.
    In the pupil that is a sum over the hole's autocorrelation.
    """
    wavelength = DETECTORS[PLAN.detector].filters[PLAN.filter].wavelength * 1e-6
    size = nonredundant.HOLE_SIZE
    axis = np.linspace(-0.6 * size, 0.6 * size, 61)
    centre = nonredundant.HOLES[0]
    hole = nonredundant.hole_map(
        centre[0] + axis[None, :], centre[1] + axis[:, None], axis[1] - axis[0]
    )
    weight = fftconvolve(hole, hole[::-1, ::-1]) ** 2
    lag = (axis[1] - axis[0]) * np.arange(-60, 61)
    turns = (lag[:, None] * offset[0] + lag[None, :] * offset[1]) * ARCSEC / wavelength
    return float((weight * np.cos(2 * np.pi * turns)).sum() / weight.sum())


def test_the_picture_tells_the_same(done, binary):
    told = done[0].pictures()["companion"]
    assert f"{1000 * binary.separation:.1f} ± {1000 * binary.separation_error:.1f} mas" in told
    assert f"at {binary.angle:.2f}" in told


def test_the_stage_by_itself_makes_fringes_without_a_reference_star(products, reduced):
    notebook, _ = reduced(
        "stage/ami3.ipynb",
        inputs=[str(products / f"{PLAN.root}_calints.fits")],
        steps={"ami_analyze.firstfew": 2},
    )
    outcome = notebook.outcome
    assert outcome["status"] == "done"
    assert [one["suffix"] for one in outcome["products"]] == ["ami-oi"]
    assert "1 exposure to reduce" in notebook.text("begin")
    (warning,) = outcome["warnings"]
    assert "no reference star among the inputs" in warning
    assert "with no star to calibrate them" in notebook.text("fringes")
    assert "no product of the kind aminorm-oi" in notebook.text("companion")

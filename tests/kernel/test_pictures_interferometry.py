"""Pictures of aperture masking: what is told is what is in the files."""

import numpy as np
import pytest
from fringe_files import write_fringes
from star_files import write_star

from upramp.errors import UsageError
from upramp.kernel.pictures import interferometry


def test_a_companion_is_told_with_its_errors(tmp_path):
    path = write_fringes(tmp_path / "a_aminorm-oi.fits", 0.1, 0.1, 0.05, noise=3)
    picture = interferometry.companion([path])
    assert picture.png.startswith(b"\x89PNG")
    data = picture.data
    assert abs(data["separation"] - np.hypot(0.1, 0.1)) < 4 * data["separation_error"]
    assert abs(data["angle"] - 45) < 4 * data["angle_error"]
    assert abs(data["contrast"] - 0.05) < 4 * data["contrast_error"]
    assert data["chi_squared"] < 3 < data["chi_squared_alone"]
    assert "best companion of A BINARY" in picture.text
    assert "east of north" in picture.text


@pytest.mark.parametrize("field", [0.0, -1.0, float("nan"), float("inf")])
def test_a_field_without_a_side_is_refused(tmp_path, field):
    path = write_fringes(tmp_path / "a_aminorm-oi.fits", 0.1, 0.1, 0.05)
    with pytest.raises(UsageError, match="field"):
        interferometry.companion([path], field=field)


def test_fringes_before_and_after_calibration(tmp_path):
    target = write_fringes(tmp_path / "a_ami-oi.fits", 0.1, 0.1, 0.05, noise=3)
    star = write_fringes(tmp_path / "b_psf-ami-oi.fits", noise=2)
    calibrated = write_fringes(tmp_path / "c_aminorm-oi.fits", 0.1, 0.1, 0.05)
    picture = interferometry.fringes([target], [star], [calibrated])
    assert picture.data["reference star"]["squared_visibility"] == pytest.approx(1, abs=0.002)
    assert picture.data["reference star"]["closure_phase"] < 0.2
    assert picture.data["calibrated"]["closure_phase"] > 1
    assert "21 baselines" in picture.text
    assert "35 closure phases" in picture.text


def test_fringes_of_a_target_without_a_star(tmp_path):
    target = write_fringes(tmp_path / "a_ami-oi.fits", 0.1, 0.1, 0.05)
    picture = interferometry.fringes([target], [], [])
    assert list(picture.data) == ["target"]
    assert "with no star to calibrate them" in picture.text


def test_pictures_of_nothing_are_refused(tmp_path):
    one = write_fringes(tmp_path / "a_ami-oi.fits")
    for draw in (
        lambda: interferometry.companion([]),
        lambda: interferometry.fringes([], [one], [one]),
        lambda: interferometry.interferograms([]),
    ):
        with pytest.raises(UsageError):
            draw()


def test_interferograms_are_means_of_what_is_there(tmp_path):
    rng = np.random.default_rng(1)
    cube = rng.normal(10, 1, (3, 20, 24)).astype(np.float32)
    cube[:, 8, 9] = 100
    cube[0, 8, 9] = np.nan
    cube[:, 3, 4] = np.nan
    target = write_star(tmp_path / "a_calints.fits", cube, target="TARGET")
    star = write_star(tmp_path / "b_calints.fits", 2 * cube, target="STAR", reference=True)
    picture = interferometry.interferograms([target, star])
    one, two = picture.data["exposures"]
    assert (one["target"], one["role"]) == ("TARGET", "science")
    assert (two["target"], two["role"]) == ("STAR", "reference star")
    assert one["peak"] == pytest.approx(100)
    assert two["peak"] == pytest.approx(200)
    assert one["integrations"] == 3
    (only,) = interferometry.interferograms([target, star], most=1).data["exposures"]
    assert only == one


@pytest.mark.parametrize("shape", [(1, 1, 1), (2, 6, 6)])
def test_an_interferogram_without_a_number_is_drawn_empty(tmp_path, shape):
    path = write_star(tmp_path / "a_calints.fits", np.full(shape, np.nan))
    picture = interferometry.interferograms([path])
    assert np.isnan(picture.data["exposures"][0]["peak"])

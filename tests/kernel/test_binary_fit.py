"""A companion in fringes: found where it is, on the right side, with errors that hold."""

from dataclasses import replace

import numpy as np
import pytest
from fringe_files import write_fringes

from upramp.errors import InputError, UsageError
from upramp.kernel.pictures.binary_fit import fit_binary, map_of_places, read_fringes


@pytest.mark.parametrize(
    ("east", "north", "contrast"), [(0.1, -0.05, 0.04), (-0.2, -0.21, 0.3), (0.0, 0.09, 0.9)]
)
def test_a_binary_is_found_where_it_is(tmp_path, east, north, contrast):
    found = fit_binary(read_fringes(write_fringes(tmp_path / "a.fits", east, north, contrast)))
    assert (found.east, found.north) == pytest.approx((east, north), abs=1e-5)
    assert found.contrast == pytest.approx(contrast, rel=1e-3)
    assert found.separation == pytest.approx(np.hypot(east, north), abs=1e-5)
    assert found.angle == pytest.approx(np.degrees(np.arctan2(east, north)) % 360, abs=0.01)
    assert found.chi_squared < 1e-6 < found.alone


def test_errors_are_those_that_noise_makes(tmp_path):
    truth = np.array([0.12, 0.08, 0.05])
    pulls = []
    for seed in range(1, 13):
        path = write_fringes(tmp_path / f"{seed}.fits", *truth, noise=seed)
        found = fit_binary(read_fringes(path))
        off = np.array([found.east, found.north, found.contrast]) - truth
        pulls.append(off @ np.linalg.solve(found.covariance, off))
        assert 0.3 < found.chi_squared < 2.5
        assert 0 < found.separation_error < 0.01
        assert 0 < found.angle_error < 3
    # Sums of three squares; their mean scatters by the root of 6/12.
    assert 1 < np.mean(pulls) < 6


def test_a_fit_that_is_worse_than_its_errors_has_larger_ones(tmp_path):
    honest = read_fringes(write_fringes(tmp_path / "a.fits", 0.1, 0.1, 0.05, noise=1))
    small = replace(
        honest,
        squared_errors=honest.squared_errors / 5,
        phase_errors=honest.phase_errors / 5,
    )
    assert fit_binary(small).chi_squared > 10
    ratio = fit_binary(small).contrast_error / fit_binary(honest).contrast_error
    assert ratio == pytest.approx(1, abs=0.35)


def test_a_star_alone_has_no_companion(tmp_path):
    found = fit_binary(read_fringes(write_fringes(tmp_path / "a.fits", noise=4)))
    assert found.contrast < 5 * found.contrast_error
    assert found.alone < 2


def test_seven_holes_have_fifteen_independent_closure_phases(tmp_path):
    fringes = read_fringes(write_fringes(tmp_path / "a.fits"))
    assert fringes.holes == 7
    assert fringes.redundancy == pytest.approx(35 / 15)
    assert len(fringes.lengths) == 21
    assert fringes.longest.max() == pytest.approx(fringes.lengths.max())


def test_what_is_flagged_or_no_number_is_left_out(tmp_path):
    def change(tables):
        tables["OI_VIS2"]["VIS2DATA"][3] = 77.0
        tables["OI_VIS2"]["FLAG"][3] = True
        tables["OI_VIS2"]["VIS2ERR"][4] = 0.0
        tables["OI_T3"]["T3PHI"][5] = np.nan

    path = write_fringes(tmp_path / "a.fits", 0.1, 0.05, 0.1, change=change)
    fringes = read_fringes(path)
    assert (len(fringes.squared), len(fringes.phases)) == (19, 34)
    assert fit_binary(fringes).contrast == pytest.approx(0.1, rel=1e-3)


def test_errors_of_squares_are_at_least_what_those_of_the_visibilities_make(tmp_path):
    def change(tables):
        table = tables["OI_VIS2"]
        tables["OI_VIS"] = table[["STA_INDEX", "FLAG"]]
        tables["OI_VIS"]["VISAMP"] = 0.9
        tables["OI_VIS"]["VISAMPERR"] = np.linspace(0.0, 0.01, len(table))

    errors = read_fringes(write_fringes(tmp_path / "a.fits", change=change)).squared_errors
    assert errors[0] == pytest.approx(0.002)
    assert errors[-1] == pytest.approx(0.018)


def test_files_without_fringes_are_refused(tmp_path):
    def flag_all(tables):
        tables["OI_VIS2"]["FLAG"] = True

    def take_away(tables):
        del tables["OI_T3"]

    def empty(tables):
        tables["OI_WAVELENGTH"] = tables["OI_WAVELENGTH"][:0]

    for number, change in enumerate((flag_all, take_away, empty)):
        path = write_fringes(tmp_path / f"{number}.fits", change=change)
        with pytest.raises(InputError, match=rf"{number}\.fits"):
            read_fringes(path)
    (tmp_path / "text.fits").write_text("no table")
    with pytest.raises(InputError):
        read_fringes(tmp_path / "text.fits")


def test_a_map_needs_a_side(tmp_path):
    fringes = read_fringes(write_fringes(tmp_path / "a.fits", 0.1, 0.0, 0.1))
    for field, points in ((0.0, 71), (float("nan"), 71), (0.3, 1)):
        with pytest.raises(UsageError):
            map_of_places(fringes, field, points)
    offsets, chi, contrast = map_of_places(fringes, 0.2, 21)
    row, column = np.unravel_index(chi.argmin(), chi.shape)
    assert (offsets[column], offsets[row]) == pytest.approx((0.1, 0.0), abs=1e-9)
    assert contrast[row, column] == pytest.approx(0.1, rel=0.2)

"""Pixels, V2 and V3 and the sky, against their own inverses and against pysiaf."""

import numpy as np
import pytest

from upramp.practice.geometry import ARCSEC, Attitude
from upramp.practice.programs import PROGRAMS
from upramp.practice.setups import geometry_of, subarray_of

IMAGERS = ["NRCALONG", "NRCA1", "NIS", "MIRIMAGE", "GUIDER2"]
PROGRAM_OF_SUBARRAY = {
    "nircam-long": ((705, 705), (640, 640)),
    "nircam-short": ((1409, 1409), (640, 640)),
    "miri-sub64": ((1, 779), (72, 64)),
    "niriss": ((1793, 1793), (256, 256)),
}


def _grid(geometry, count=33):
    ny, nx = geometry.detector.shape
    y, x = np.mgrid[0 : ny - 1 : count * 1j, 0 : nx - 1 : count * 1j]
    return x, y


@pytest.mark.parametrize("name", IMAGERS)
def test_pixels_come_back_from_v2v3(name):
    geometry = geometry_of(name)
    x, y = _grid(geometry)
    back_x, back_y = geometry.pixels(*geometry.v2v3(x, y))
    assert np.hypot(back_x - x, back_y - y).max() < 1e-6


@pytest.mark.parametrize("name", IMAGERS)
def test_fitted_inverse_polynomial_finds_the_pixel(name):
    geometry = geometry_of(name)
    x, y = _grid(geometry)
    x_ref, y_ref = geometry.reference_pixel
    evaluate = np.polynomial.polynomial.polyval2d
    ideal = [evaluate(x - x_ref, y - y_ref, table) for table in geometry.coefficients]
    u, v = (evaluate(*ideal, table) for table in geometry.inverse_coefficients())
    assert np.hypot(u + x_ref - x, v + y_ref - y).max() < 0.01


@pytest.mark.parametrize("name", IMAGERS)
def test_v2v3_is_what_siaf_says(name):
    import pysiaf

    geometry = geometry_of(name)
    aperture = pysiaf.Siaf(geometry.detector.siaf)[geometry.detector.full_aperture]
    x, y = _grid(geometry, 9)
    # SIAF counts pixels from one.
    expected = aperture.sci_to_tel(x + 1, y + 1)
    np.testing.assert_allclose(geometry.v2v3(x, y), expected, rtol=0, atol=1e-9)


@pytest.mark.parametrize("program", PROGRAM_OF_SUBARRAY)
def test_subarrays_are_where_the_mission_has_them(program):
    start, size = PROGRAM_OF_SUBARRAY[program]
    subarray = subarray_of(PROGRAMS[program].exposures[0])
    assert subarray.start == start
    assert subarray.size == size
    rows, columns = subarray.window
    assert (columns.start, rows.start) == (start[0] - 1, start[1] - 1)
    assert (columns.stop - columns.start, rows.stop - rows.start) == size


@pytest.mark.parametrize("program", PROGRAM_OF_SUBARRAY)
def test_reference_point_of_a_subarray_lies_in_its_window(program):
    plan = PROGRAMS[program].exposures[0]
    subarray = subarray_of(plan)
    x, y = geometry_of(plan.detector).pixels(np.array(subarray.v2_ref), np.array(subarray.v3_ref))
    assert 0 <= x - (subarray.start[0] - 1) < subarray.size[0]
    assert 0 <= y - (subarray.start[1] - 1) < subarray.size[1]


def test_attitude_comes_back_from_the_sky():
    attitude = Attitude(120.0, -380.0, 80.4, -69.5, 37.0)
    v2, v3 = np.mgrid[-500:500:7j, -700:700:7j]
    back = attitude.v2v3(*attitude.sky(v2, v3))
    np.testing.assert_allclose(back, [v2, v3], rtol=0, atol=1e-8)
    np.testing.assert_allclose(attitude.sky(120.0, -380.0), (80.4, -69.5), rtol=0, atol=1e-12)


@pytest.mark.parametrize("roll", [0.0, 37.0, 211.0])
def test_attitude_agrees_with_pysiaf(roll):
    from pysiaf.utils import rotations

    v2_ref, v3_ref, ra_ref, dec_ref = 86.1, -493.2, 80.4875, -69.4975
    matrix = rotations.attitude(v2_ref, v3_ref, ra_ref, dec_ref, roll)
    attitude = Attitude(v2_ref, v3_ref, ra_ref, dec_ref, roll)
    for v2, v3 in ((86.1, -493.2), (0.0, 0.0), (-400.0, -600.0), (120.0, 30.0)):
        expected = rotations.pointing(matrix, v2, v3)
        np.testing.assert_allclose(attitude.sky(v2, v3), expected, rtol=0, atol=1e-10)


@pytest.mark.parametrize("name", IMAGERS)
def test_area_map_is_the_solid_angle_of_each_pixel(name):
    geometry = geometry_of(name)
    nominal, relative = geometry.area_map()
    assert relative.shape == geometry.detector.shape
    ny, nx = relative.shape
    y, x = np.mgrid[0:ny:37, 0:nx:37]
    true = geometry.pixel_area(x.astype(float), y.astype(float)) / nominal
    np.testing.assert_allclose(relative[y, x], true, rtol=1e-5)


@pytest.mark.parametrize("name", IMAGERS)
def test_areas_sum_to_the_quadrilateral_on_the_sky(name):
    geometry = geometry_of(name)
    ny, nx = geometry.detector.shape
    nominal, relative = geometry.area_map()
    # The outline in V2, V3, walked finely: the shoelace formula gives its area.
    n = 400
    along_x, along_y = np.linspace(-0.5, nx - 0.5, n), np.linspace(-0.5, ny - 0.5, n)
    x = np.concatenate([along_x, np.full(n, nx - 0.5), along_x[::-1], np.full(n, -0.5)])
    y = np.concatenate([np.full(n, -0.5), along_y, np.full(n, ny - 0.5), along_y[::-1]])
    v2, v3 = geometry.v2v3(x, y)
    v2, v3 = v2 - v2.mean(), v3 - v3.mean()
    outline = 0.5 * abs(np.sum(v2 * np.roll(v3, -1) - np.roll(v2, -1) * v3)) * ARCSEC**2
    assert nominal * relative.sum(dtype=np.float64) == pytest.approx(outline, rel=2e-5)


@pytest.mark.parametrize(
    ("detector", "aperture"),
    [("NRCALONG", "NRCA5_SUB640"), ("NRCA1", "NRCA1_SUB640"), ("MIRIMAGE", "MIRIM_FULL")],
)
def test_a_windows_reference_pixel_looks_at_its_v2_v3(detector, aperture):
    geometry = geometry_of(detector)
    window = geometry.subarray(aperture, "ANY")
    x = window.reference[0] - 1 + window.start[0] - 1
    y = window.reference[1] - 1 + window.start[1] - 1
    v2, v3 = geometry.v2v3(np.array(x), np.array(y))
    assert np.hypot(v2 - window.v2_ref, v3 - window.v3_ref) < 0.03

"""The PSF: flux, place, size and growth."""

from dataclasses import replace

import numpy as np
import pytest

from upramp.practice.instruments import DETECTORS
from upramp.practice.optics import PHASES, make_psf, pupil

SEED = 5
F356W = DETECTORS["NRCALONG"].filters["F356W"]
LONG_PIXEL, SHORT_PIXEL = 0.0629, 0.0312


@pytest.fixture(scope="module")
def psf():
    return make_psf(F356W, LONG_PIXEL, SEED, half=40)


@pytest.fixture(scope="module")
def short_psf():
    return make_psf(DETECTORS["NRCA1"].filters["F200W"], SHORT_PIXEL, SEED, half=40)


def _centroid(stamp, near_x, near_y):
    """Centroid in a Gaussian window of 1.5 pixels that follows the star."""
    half = stamp.shape[0] // 2
    y, x = np.mgrid[-half : half + 1, -half : half + 1]
    for _ in range(30):
        # The window's width halves what is seen of a shift: doubling undoes it.
        weight = stamp * np.exp(-0.5 * ((x - near_x) ** 2 + (y - near_y) ** 2) / 1.5**2)
        near_x += 1.5 * ((weight * x).sum() / weight.sum() - near_x)
        near_y += 1.5 * ((weight * y).sum() / weight.sum() - near_y)
    return near_x, near_y


def test_every_phase_sums_to_one(psf):
    assert psf.phases.shape[:2] == (PHASES + 1, PHASES + 1)
    np.testing.assert_allclose(psf.phases.sum(axis=(2, 3), dtype=np.float64), 1, atol=1e-5)
    assert psf.phases.min() >= 0


@pytest.mark.parametrize("which", ["psf", "short_psf"])
@pytest.mark.parametrize("offset", [(0.0, 0.0), (0.5, 0.25), (0.31, 0.77), (0.99, 0.06)])
def test_centroid_follows_the_star(which, offset, request):
    stamp = request.getfixturevalue(which).stamp(*offset).astype(float)
    found = _centroid(stamp, 0.5, 0.5)
    np.testing.assert_allclose(found, offset, rtol=0, atol=0.02)


def test_a_whole_pixel_off_is_the_neighbouring_pixel(psf):
    at_edge, next_to_it = psf.phases[0, PHASES], psf.phases[0, 0]
    peak = next_to_it.max()
    np.testing.assert_allclose(at_edge[:, 1:] / peak, next_to_it[:, :-1] / peak, atol=1e-4)


def test_stamp_may_be_cut(psf):
    whole, cut = psf.stamp(0.3, 0.6), psf.stamp(0.3, 0.6, 5)
    middle = psf.half
    np.testing.assert_array_equal(cut, whole[middle - 5 : middle + 6, middle - 5 : middle + 6])


def test_encircled_energy_grows_from_nothing_to_all(psf):
    radii = np.linspace(0, psf.half * 2, 400)
    growth = psf.encircled_energy(radii)
    assert (np.diff(growth) >= 0).all()
    assert growth[0] < 0.01
    assert growth[-1] == pytest.approx(1, abs=1e-4)
    # A 6.6 m telescope puts most of the light within 0.15 arcseconds at 3.6 um.
    assert 0.5 < np.interp(0.15 / LONG_PIXEL, radii, growth) < 0.9


def _width(bandpass):
    """Full width at half maximum in pixels, sampled finely along both axes."""
    fine = make_psf(bandpass, 0.02, SEED, half=40)
    stamp = fine.phases[0, 0].astype(float)
    half = stamp.max() / 2
    widths = []
    for line in (stamp[fine.half], stamp[:, fine.half]):
        right = np.interp(-half, -line[fine.half :], np.arange(fine.half + 1.0))
        left = np.interp(-half, -line[fine.half :: -1], np.arange(fine.half + 1.0))
        widths.append(left + right)
    return np.mean(widths)


def test_width_scales_with_wavelength():
    narrow = replace(F356W, wavelength=4.0, width=0.1)
    short, long = _width(narrow), _width(replace(narrow, wavelength=8.0))
    assert long / short == pytest.approx(2, rel=0.05)
    # lambda / D, for an aperture with gaps and corners.
    assert short * 0.02 == pytest.approx(4e-6 / 6.6 * 206265, rel=0.1)


def test_same_seed_same_bytes_another_seed_another_wavefront(psf):
    again = make_psf(F356W, LONG_PIXEL, SEED, half=40)
    other = make_psf(F356W, LONG_PIXEL, SEED + 1, half=40)
    assert again.phases.tobytes() == psf.phases.tobytes()
    assert other.phases.tobytes() != psf.phases.tobytes()


def test_pupil_is_eighteen_segments_with_a_hole():
    transmission, wavefront = pupil(SEED)
    lit = transmission > 0
    size = transmission.shape[0]
    assert transmission[size // 2, size // 2] == 0
    # The flight mirror collects 25.4 square metres; struts and gaps differ a little.
    area = transmission.sum() * (6.62 / size) ** 2
    assert area == pytest.approx(25.4, rel=0.05)
    assert wavefront[lit].std() == pytest.approx(0.045, rel=0.01)
    assert (wavefront[~lit] == 0).all()

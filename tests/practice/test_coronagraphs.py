"""Coronagraphs: what they hide, what they let pass, and where."""

from dataclasses import replace

import numpy as np
import pysiaf
import pytest

from upramp.practice.coronagraphs import CORONAGRAPHS, SAMPLES, Place, image, stops_field
from upramp.practice.instruments import DETECTORS
from upramp.practice.optics import DIAMETER
from upramp.practice.wavefronts import drift, pupil_axis

SEED = 5
ROUND, PHASE = CORONAGRAPHS["MASKA335R"], CORONAGRAPHS["4QPM_1065"]
SHORT = DETECTORS["NRCALONG-MASK335R"].filters["F356W"]
LONG = DETECTORS["MIRIMAGE-4QPM"].filters["F1065C"]
CASES = {"round": (ROUND, SHORT, 0.0625), "phase": (PHASE, LONG, 0.11)}
FLAT = np.zeros((SAMPLES, SAMPLES))


def behind(kind, x, y, shape=(101, 121), wavefront=FLAT):
    """The image of a source x, y arcseconds from the mask's centre, and what passes."""
    coronagraph, bandpass, scale = CASES[kind]
    place = Place(60 + x / scale, 50 + y / scale, (x, y))
    return image(coronagraph, bandpass, place, shape, (scale, scale), SEED, wavefront)


@pytest.mark.parametrize("kind", CASES)
def test_a_star_behind_the_mask_is_hidden_and_a_planet_beside_it_is_not(kind):
    star, passed = behind(kind, 0, 0)
    planet, planet_passed = behind(kind, 1.5, 1.5)
    assert passed < 0.1
    assert planet_passed > 0.95
    assert star.max() < 0.01 * planet.max()
    # What passes the stop is on the detector, but for the wings beyond the window.
    assert planet_passed - 0.06 < planet.sum() < planet_passed + 0.005


@pytest.mark.parametrize("kind", CASES)
def test_a_planet_is_where_it_is_put_and_its_axes_are_not_swapped(kind):
    _, _, scale = CASES[kind]
    planet, _ = behind(kind, 2.0, 1.1)
    y, x = np.indices(planet.shape)
    near = np.hypot(x - 60 - 2.0 / scale, y - 50 - 1.1 / scale) < 4
    light = np.where(near, planet, 0)
    assert (light * x).sum() / light.sum() == pytest.approx(60 + 2.0 / scale, abs=0.1)
    assert (light * y).sum() / light.sum() == pytest.approx(50 + 1.1 / scale, abs=0.1)


def test_half_the_light_passes_a_round_mask_at_its_radius_in_every_direction():
    for angle in (0.3, 2.1, 4.4):
        _, passed = behind("round", 0.63 * np.cos(angle), 0.63 * np.sin(angle), (3, 3))
        assert passed == pytest.approx(0.5, abs=0.02)


def test_lines_between_quadrants_dim_a_planet_on_them():
    _, on_line = behind("phase", 3.0, 0.0, (3, 3))
    _, beside = behind("phase", 3.0, 3.0, (3, 3))
    assert on_line < 0.5 * beside


def test_a_quadrant_is_half_a_wave_late_for_one_wavelength_only():
    _, made_for = behind("phase", 0, 0, (3, 3))
    detuned = replace(PHASE, size=1.1 * PHASE.size)
    place = Place(1, 1, (0, 0))
    _, off = image(detuned, LONG, place, (3, 3), (0.11, 0.11), SEED, FLAT)
    assert off > made_for


def test_speckles_differ_by_what_the_wavefront_drifts_and_no_more():
    before, _ = behind("round", 0, 0)
    less, _ = behind("round", 0, 0, wavefront=drift(SEED, "visit", 3.0, SAMPLES))
    more, _ = behind("round", 0, 0, wavefront=drift(SEED, "visit", 6.0, SAMPLES))
    small, large = np.abs(less - before).sum(), np.abs(more - before).sum()
    assert 0 < small < 0.1 * before.sum()
    # The error is added to one that is larger: what it changes grows in proportion.
    assert large / small == pytest.approx(2, abs=0.3)


def test_a_drift_has_its_size_and_neither_tilt_nor_piston():
    surface = drift(SEED, "visit", 4.0, 120)
    axis = pupil_axis(120)
    x, y = np.meshgrid(axis, axis)
    inside = np.hypot(x, y) < 3.31
    assert surface[inside].std() == pytest.approx(0.004)
    for plane in (np.ones_like(x), x, y):
        assert abs((surface * plane)[inside].mean()) < 1e-9
    np.testing.assert_array_equal(surface, drift(SEED, "visit", 4.0, 120))
    assert not np.array_equal(surface, drift(SEED, "another", 4.0, 120))


def test_only_the_phase_mask_has_a_field_stop():
    assert stops_field(DETECTORS["MIRIMAGE-4QPM"])
    assert not stops_field(DETECTORS["NRCALONG-MASK335R"])
    assert not stops_field(DETECTORS["MIRIMAGE"])


def test_the_field_and_the_middle_of_the_mask_are_those_of_the_aperture_file():
    siaf = pysiaf.Siaf("MIRI")
    field, window = siaf["MIRIM_CORON1065"], siaf["MIRIM_MASK1065"]
    assert (field.V2Ref, field.V3Ref) == (window.V2Ref, window.V3Ref)
    corners = np.array(field.corners("idl"))
    assert PHASE.field == pytest.approx(np.ptp(corners, axis=1).mean(), rel=0.03)
    # Beside the mask's middle there is as much on all sides.
    assert np.abs(corners.mean(axis=1)).max() < 0.02 * PHASE.field


def test_half_the_light_passes_the_round_mask_at_six_resolution_elements():
    """As the mission documents it for its wavelength, 3.35 micrometres."""
    six = 6 * np.degrees(3.35e-6 / DIAMETER) * 3600
    assert pytest.approx(six, rel=0.02) == ROUND.size

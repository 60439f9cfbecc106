"""From light to counts: with the noise switched off, what went in comes out."""

from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from upramp.practice import miri
from upramp.practice.character import Character
from upramp.practice.instruments import DETECTORS
from upramp.practice.programs import PROGRAMS, ReadPattern
from upramp.practice.readout import _couple, _delinearise, _Window, group_of_frame, read_out

SHAPE = (64, 72)
SEED = 4
GAIN = 2.0
# A subarray this small has no snowballs, and the plans have one output.
PLAN = replace(
    PROGRAMS["nircam-long"].exposures[0], groups=6, frame_time=5.0, size=(72, 64), outputs=1
)


def _quiet(name="NRCALONG", **changes):
    silence = {"one_over_f": 0.0, "drift": 0.0, "odd_even": 0.0, "ktc": 0.0, "ipc": 0.0}
    return replace(DETECTORS[name], **{**silence, "cosmic_rays": 0.0, "gain": GAIN, **changes})


def _character(*, linear=False, **changes):
    """Even maps, with a border that sees no light on the left and the right."""
    light = np.ones(SHAPE, bool)
    light[:, :4] = light[:, -4:] = False
    values = {
        "gain": GAIN,
        "read_noise": 0.01,
        "bias": 9000.0,
        "dark": 0.0,
        "efficiency": 1.0,
        "full_well": 90_000.0,
        "quadratic": 0.0 if linear else 1.2e-6,
        "cubic": 0.0 if linear else 5e-12,
        "saturation": 50_000.0,
        **changes,
    }
    maps = {name: np.full(SHAPE, value, np.float32) for name, value in values.items()}
    character = Character(dq=np.zeros(SHAPE, np.uint32), light=light, **maps)
    assert {f.name for f in fields(Character)} == {"dq", "light", *values}
    return character


def _flux(value):
    return np.full(SHAPE, value, np.float32)


def _levels(ramp, character):
    """Mean of the light-sensitive pixels of each group, bias subtracted."""
    return (ramp.science[..., character.light] - 9000.0).mean(axis=-1)


def test_bias_and_forward_polynomial_give_back_flux_times_time():
    detector, character = _quiet(), _character()
    flux = 2500.0
    ramp = read_out(PLAN, detector, character, _flux(flux), SEED)
    assert ramp.science.shape == (1, 6, *SHAPE)
    assert ramp.science.dtype == np.uint16
    measured = ramp.science[0, :, character.light].T.astype(float) - 9000
    linear = measured * (1 + measured * (1.2e-6 + measured * 5e-12))
    expected = flux * 5.0 * np.arange(1, 7) / GAIN
    # Photon noise alone scatters the pixels, and the mean of thousands is close.
    error = np.sqrt(expected / GAIN) / np.sqrt(linear.shape[1])
    assert (np.abs(linear.mean(axis=1) - expected) < 5 * error + 0.05).all()
    # The polynomial is needed: without it the last group is 4 % short.
    assert measured[-1].mean() < 0.97 * expected[-1]
    assert linear[-1].std() == pytest.approx(np.sqrt(expected[-1] / GAIN), rel=0.05)


def test_reference_pixels_stay_at_the_bias():
    character = _character(dark=3.0)
    ramp = read_out(PLAN, _quiet(ktc=30.0, ipc=0.005), character, _flux(2500.0), SEED)
    assert np.abs(ramp.science[..., ~character.light] - 9000.0).max() < 5


def test_dark_current_adds_to_the_flux():
    dark = read_out(PLAN, _quiet(), _character(linear=True, dark=400.0), _flux(0.0), SEED)
    light = read_out(PLAN, _quiet(), _character(linear=True), _flux(400.0), SEED)
    np.testing.assert_array_equal(dark.science, light.science)


@pytest.mark.parametrize(("frames", "gap"), [(1, 0), (4, 1), (2, 3)])
def test_frames_are_averaged_into_groups(frames, gap):
    plan = replace(PLAN, pattern=ReadPattern("ANY", frames, gap), groups=4)
    character = _character(linear=True)
    ramp = read_out(plan, _quiet(), character, _flux(600.0), SEED)
    # Middle of a group's frames, in frames since the reset.
    middle = (frames + gap) * np.arange(4) + (frames + 1) / 2
    expected = 600.0 * 5.0 * middle / GAIN
    np.testing.assert_allclose(_levels(ramp, character)[0], expected, rtol=0.004)


def test_averaging_lowers_the_noise_of_a_read():
    def scatter(frames):
        plan = replace(PLAN, pattern=ReadPattern("ANY", frames, 0), groups=1)
        ramp = read_out(plan, _quiet(), _character(read_noise=40.0), _flux(0.0), SEED)
        return ramp.science.std()

    # Read noise is given for the difference of two reads.
    assert scatter(1) == pytest.approx(40 / np.sqrt(2), rel=0.03)
    assert scatter(4) == pytest.approx(40 / np.sqrt(2) / 2, rel=0.03)


def test_reset_noise_is_the_same_in_all_groups_of_an_integration():
    plan = replace(PLAN, integrations=2)
    character = _character(linear=True)
    ramp = read_out(plan, _quiet(ktc=200.0), character, _flux(0.0), SEED)
    level = ramp.science[..., character.light].astype(float)
    assert level[:, 0].std(axis=-1) == pytest.approx([100, 100], rel=0.05)
    assert np.abs(level - level[:, :1]).max() < 8
    assert abs(np.corrcoef(level[0, 0], level[1, 0])[0, 1]) < 0.1


def test_signal_stops_at_the_full_well():
    character = _character()
    ramp = read_out(PLAN, _quiet(), character, _flux(1e5), SEED)
    measured = ramp.science[0, -1][character.light].astype(float) - 9000
    linear = measured * (1 + measured * (1.2e-6 + measured * 5e-12))
    np.testing.assert_allclose(linear, 90_000 / GAIN, atol=4)
    np.testing.assert_allclose(ramp.science[0, 2], ramp.science[0, -1], atol=6)


def test_counts_stop_at_sixteen_bits():
    character = _character(bias=50_000.0, full_well=1e6, linear=True)
    ramp = read_out(PLAN, _quiet(), character, _flux(1e5), SEED)
    assert (ramp.science[0, -1][character.light] == 65535).all()
    below = read_out(PLAN, _quiet(), _character(bias=-50.0), _flux(0.0), SEED)
    assert (below.science == 0).all()


def test_zero_frame_is_the_first_frame():
    plan = replace(PLAN, zero_frame=True, integrations=2)
    ramp = read_out(plan, _quiet(), _character(), _flux(600.0), SEED)
    np.testing.assert_array_equal(ramp.zero_frame, ramp.science[:, 0])
    grouped = replace(plan, pattern=ReadPattern("ANY", 4, 1))
    character = _character(linear=True)
    ramp = read_out(grouped, _quiet(), character, _flux(600.0), SEED)
    assert ramp.zero_frame.shape == (2, *SHAPE)
    mean = ramp.zero_frame[:, character.light].mean() - 9000
    assert mean == pytest.approx(600 * 5 / GAIN, rel=0.01)
    # Without one there is none.
    assert read_out(PLAN, _quiet(), _character(), _flux(1.0), SEED).zero_frame is None


def test_hits_appear_in_the_group_that_the_truth_names():
    plan = replace(PLAN, pattern=ReadPattern("ANY", 2, 3), groups=5, integrations=2)
    detector, character = _quiet(cosmic_rays=300.0), _character(linear=True)
    ramp = read_out(plan, detector, character, _flux(0.0), SEED)
    checked = set()
    for integration, hits in enumerate(ramp.hits):
        groups = group_of_frame(plan, hits.frame)
        places = np.ravel_multi_index((hits.y, hits.x), SHAPE)
        alone = np.bincount(places, minlength=character.light.size)[places] == 1
        for k in np.flatnonzero(alone & (hits.energy > 200) & (hits.energy < 80_000)):
            level = ramp.science[integration, :, hits.y[k], hits.x[k]] - 9000.0
            group = groups[k]
            assert np.abs(level[:group]).max(initial=0) < 6
            assert level[group] > 0.4 * hits.energy[k] / GAIN
            np.testing.assert_allclose(level[group + 1 :], hits.energy[k] / GAIN, atol=6)
            checked.add(int(group))
    assert checked == set(range(5))


def test_integrations_draw_numbers_of_their_own_and_seeds_decide():
    plan = replace(PLAN, integrations=2)
    arguments = _quiet(), _character(), _flux(50.0)
    ramp = read_out(plan, *arguments, SEED)
    assert (ramp.science[0] != ramp.science[1]).any()
    np.testing.assert_array_equal(read_out(plan, *arguments, SEED).science, ramp.science)
    assert (read_out(plan, *arguments, SEED + 1).science != ramp.science).any()
    other = replace(plan, root="jw99003001001_02101_00002_nrcalong")
    assert (read_out(other, *arguments, SEED).science != ramp.science).any()


def test_coupling_keeps_charge_and_shares_it_with_four_neighbours():
    charge = np.zeros(SHAPE, np.float32)
    charge[20, 30], charge[40, 41] = 1000.0, 500.0
    light = _character().light
    seen = _couple(charge, light, 0.005)
    assert seen.sum(dtype=np.float64) == pytest.approx(1500, rel=1e-6)
    assert seen[20, 30] == pytest.approx(980)
    for y, x in ((19, 30), (21, 30), (20, 29), (20, 31)):
        assert seen[y, x] == pytest.approx(5)
    assert seen[19, 29] == 0
    even = _couple(np.full(SHAPE, 70.0, np.float32), np.ones(SHAPE, bool), 0.005)
    np.testing.assert_allclose(even[1:-1, 1:-1], 70, rtol=1e-6)
    assert _couple(charge, light, 0.0) is charge


def test_pixels_without_light_see_no_neighbours_charge():
    charge = np.zeros(SHAPE, np.float32)
    charge[20, 4] = 1000.0
    assert _couple(charge, _character().light, 0.005)[20, 3] == 0


polynomials = st.tuples(
    st.floats(0, 4e-6), st.floats(0, 4e-11), st.floats(0, 65_000), st.floats(0.5, 1)
)


@given(polynomials)
def test_delinearising_inverts_the_polynomial(drawn):
    quadratic, cubic, top, part = drawn
    linear = np.array([0, 1.0, top * part / 10, top * part, top], np.float32)
    a, b = np.float32(quadratic), np.float32(cubic)
    found = _delinearise(linear, a, b).astype(np.float64)
    back = found * (1 + found * (float(a) + found * float(b)))
    np.testing.assert_allclose(back, linear, rtol=2e-6, atol=1e-3)
    assert (found <= linear * (1 + 1e-6)).all()


def test_signal_of_a_real_detector_inverts_over_its_whole_range():
    detector = DETECTORS["MIRIMAGE"]
    plan = PROGRAMS["miri-sub64"].exposures[0]
    a, b = 0.75 * 0.136 / 45_000, 0.25 * 0.136 / 45_000**2
    character = _character(quadratic=a, cubic=b, full_well=210_000.0)
    window = _Window(plan, replace(detector, ipc=0.0), character)
    charge = np.linspace(0, 300_000, SHAPE[0] * SHAPE[1], dtype=np.float32).reshape(SHAPE)
    measured = window.signal(charge).astype(float)
    linear = measured * (1 + measured * (a + measured * b))
    np.testing.assert_allclose(linear, np.minimum(charge, 210_000) / GAIN, rtol=1e-5, atol=0.01)


MIRI_PLAN = replace(PROGRAMS["miri-sub64"].exposures[0], groups=12, integrations=2, frame_time=1.0)


@pytest.fixture(scope="module")
def miri_ramp():
    detector = _quiet("MIRIMAGE", read_noise=0.01)
    character = _character(linear=True)
    return detector, character, read_out(MIRI_PLAN, detector, character, _flux(400.0), SEED)


def test_miri_has_a_reference_output(miri_ramp):
    _, _, ramp = miri_ramp
    assert ramp.reference_output.shape == (2, 12, 64, 18)
    assert ramp.reference_output.mean() == pytest.approx(0.85 * 9400, abs=2)


def test_anomalies_of_miri_are_added_where_light_is_seen(miri_ramp):
    detector, character, ramp = miri_ramp
    expected = 400.0 * np.arange(1, 13) / GAIN
    levels = _levels(ramp, character)
    for integration in range(2):
        for group in range(11):
            anomaly = miri.anomalies(detector, integration, group, SHAPE)[character.light].mean()
            error = 5 * np.sqrt(expected[group] / GAIN / character.light.sum()) + 0.1
            assert abs(levels[integration, group] - expected[group] - anomaly) < error
    # They are large to begin with, and the second integration settles from above.
    assert levels[0, 0] < expected[0] - 40
    assert levels[1, 0] - levels[0, 0] > 20
    assert np.abs(ramp.science[..., ~character.light] - 9000.0).max() < 5


def test_last_group_of_miri_is_short_of_its_neighbours_part(miri_ramp):
    detector, character, ramp = miri_ramp
    expected = 400.0 * 12 / GAIN
    assert _levels(ramp, character)[0, -1] == pytest.approx(
        expected * (1 - detector.extra["last_frame"]), abs=3
    )


def test_rows_feel_their_partners_reset():
    signal = np.repeat([[100.0], [200.0], [400.0], [800.0]], 3, axis=1).astype(np.float32)
    part = DETECTORS["MIRIMAGE"].extra["last_frame"]
    lost = miri.last_frame(DETECTORS["MIRIMAGE"], signal)
    np.testing.assert_allclose(lost[:, 0], [-part * v for v in (200, 100, 800, 400)], rtol=1e-6)
    odd = miri.last_frame(DETECTORS["MIRIMAGE"], signal[:3])
    np.testing.assert_allclose(odd[:, 0], [-part * v for v in (200, 100, 400)], rtol=1e-6)


def test_settling_is_over_after_the_groups_that_are_discarded():
    detector = DETECTORS["MIRIMAGE"]
    groups = miri.settling_groups(detector)

    def extra(group):
        later = miri.anomalies(detector, 1, group, SHAPE)
        return (later - miri.reset_anomaly(detector, 1, group, SHAPE)).max()

    assert extra(groups - 1) > 0.1
    # What is cut off would have been less than a tenth of a DN.
    assert extra(0) * np.exp(-groups / detector.extra["rscd_groups"]) < 0.1
    assert extra(groups) == 0
    assert np.array_equal(
        miri.anomalies(detector, 0, 0, SHAPE), miri.reset_anomaly(detector, 0, 0, SHAPE)
    )

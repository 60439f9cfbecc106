"""What holds for slopes by least squares whatever the official package says."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_states import ramps

from upramp.detector1.ols import Rates, fit_ols, read_noise_of_a_read, weight_table

GAIN, NOISE, TIME, FRAME = 2.0, 6.0, 10.0, 2.0
SLOPE, ERROR, POISSON, READ = range(4)
DNU, SAT, JUMP, NO_GAIN = 1, 2, 4, 1 << 19


def fit(data, groupdq=None, *, suppress=True, pixeldq=None, gain=GAIN, detector=None, **how):
    nints, ngroups, ny, nx = data.shape
    ny, nx = detector or (ny, nx)
    rates = how.pop("rates", None) or Rates.empty(nints, ny, nx)
    fit_ols(
        data,
        np.zeros(data.shape, np.uint8) if groupdq is None else groupdq,
        np.zeros((ny, nx), np.uint32) if pixeldq is None else pixeldq,
        np.full((ny, nx), gain, np.float32) if np.isscalar(gain) else gain,
        np.full((ny, nx), NOISE, np.float32),
        rates,
        table=weight_table(ngroups),
        group_time=TIME,
        frame_time=FRAME,
        nframes=how.pop("nframes", 1),
        suppress_one_group=suppress,
        **how,
    )
    return rates


def line(shape, slope, offset=100.0):
    groups = np.arange(shape[1], dtype=np.float64)[None, :, None, None]
    data = np.broadcast_to(offset + slope * TIME * groups, shape)
    return np.ascontiguousarray(data, np.float32)


@settings(max_examples=40, deadline=None)
@given(
    slope=st.floats(-2, 3000),
    offset=st.floats(-1000, 1000),
    ngroups=st.integers(2, 30),
    nints=st.integers(1, 3),
)
def test_a_straight_ramp_has_its_slope(slope, offset, ngroups, nints):
    data = line((nints, ngroups, 1, 3), slope, offset)
    rates = fit(data)
    close = {"rtol": 1e-5, "atol": 1e-6 * (1 + float(np.abs(data).max()))}
    np.testing.assert_allclose(rates.rate[SLOPE], slope, **close)
    np.testing.assert_allclose(rates.rateints[SLOPE], slope, **close)
    assert rates.rate_dq.max() == rates.rateints_dq.max() == 0


@pytest.mark.parametrize("ngroups", [2, 3, 7])
def test_variances_are_those_of_a_line(ngroups):
    slope = 3.0
    rates = fit(line((1, ngroups, 1, 1), slope))
    poisson = slope / (GAIN * TIME * (ngroups - 1))
    read = 12 * (NOISE / TIME / GAIN) ** 2 / (ngroups**3 - ngroups)
    for planes in (rates.rate[:, 0, 0], rates.rateints[:, 0, 0, 0]):
        np.testing.assert_allclose(planes[POISSON], poisson, rtol=1e-5)
        np.testing.assert_allclose(planes[READ], read, rtol=1e-6)
        np.testing.assert_allclose(planes[ERROR], np.sqrt(poisson + read), rtol=1e-5)


def test_the_rate_of_an_exposure_is_that_of_its_integrations_together():
    data = ramps((3, 6, 4, 5), noise=2.0)
    rates = fit(data)
    one = fit(data[:1].copy())
    np.testing.assert_array_equal(one.rate[SLOPE], one.rateints[SLOPE, 0])
    np.testing.assert_allclose(rates.rate[SLOPE], rates.rateints[SLOPE].mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(
        1 / rates.rate[READ], (1 / rates.rateints[READ]).sum(axis=0), rtol=1e-5
    )
    assert (rates.rate[ERROR] < one.rate[ERROR]).mean() > 0.8


@pytest.mark.parametrize("at", [2, 5, 8])
def test_a_flagged_jump_does_not_count(at):
    data = line((1, 10, 1, 4), 4.0).copy()
    data[0, at:, 0, 2] += 5000
    flags = np.zeros(data.shape, np.uint8)
    flags[0, at, 0, 2] = JUMP
    rates = fit(data, flags)
    np.testing.assert_allclose(rates.rate[SLOPE], 4.0, rtol=1e-5)
    assert rates.rate_dq.tolist() == [[0, 0, JUMP, 0]]
    assert rates.rate[READ, 0, 2] > rates.rate[READ, 0, 0]


def test_what_comes_after_saturation_does_not_count():
    data = line((1, 8, 1, 2), 4.0).copy()
    data[0, 5:, 0, 1] = 65535
    flags = np.zeros(data.shape, np.uint8)
    flags[0, 5:, 0, 1] = SAT
    rates = fit(data, flags)
    np.testing.assert_allclose(rates.rate[SLOPE], 4.0, rtol=1e-5)
    assert rates.rate_dq.tolist() == [[0, SAT]]
    np.testing.assert_array_equal(
        rates.rate[READ, 0, 1], fit(line((1, 5, 1, 1), 4.0)).rate[READ, 0, 0]
    )


@pytest.mark.parametrize("ngroups", [1, 2, 5])
@pytest.mark.parametrize("suppress", [True, False])
def test_saturated_from_the_start_is_no_number(ngroups, suppress):
    data = np.full((2, ngroups, 2, 3), 65535, np.float32)
    flags = np.zeros(data.shape, np.uint8)
    flags[:, :, 0, 1] = SAT  # always
    flags[0, :, 1, 2] = SAT  # in one integration of two
    rates = fit(data, flags, suppress=suppress)
    assert np.isnan(rates.rate[SLOPE, 0, 1])
    assert rates.rate_dq[0, 1] & (SAT | DNU) == SAT | DNU
    assert np.isnan(rates.rateints[SLOPE, 0, 1, 2])
    assert np.isfinite(rates.rateints[SLOPE, 1, 1, 2])
    assert np.isfinite(rates.rate[SLOPE, 1, 2])
    assert rates.rate_dq[1, 2] == SAT
    assert rates.rate[1:, 0, 1].tolist() == [0, 0, 0]


def test_no_usable_group_is_no_number():
    data = ramps((2, 4, 1, 2))
    flags = np.zeros(data.shape, np.uint8)
    flags[:, :, 0, 1] = DNU
    rates = fit(data, flags)
    assert np.isfinite(rates.rate[SLOPE, 0, 0])
    assert np.isnan(rates.rate[SLOPE, 0, 1])
    assert rates.rate_dq.tolist() == [[0, DNU]]


@pytest.mark.parametrize("ngroups", [1, 4])
def test_one_good_group(ngroups):
    data = np.full((1, ngroups, 1, 1), 60.0, np.float32)
    flags = np.full(data.shape, SAT, np.uint8)
    flags[0, 0] = 0
    rates = fit(data, flags, suppress=False, nframes=1)
    # Frames of a group that is averaged are in the middle of it: here (1 + 1) / 2 of them.
    np.testing.assert_allclose(rates.rate[SLOPE], 60.0 / FRAME, rtol=1e-6)
    suppressed = fit(data, flags, suppress=True)
    assert np.isnan(suppressed.rate[SLOPE, 0, 0]) == (ngroups > 1)


def test_a_zero_frame_stands_in_for_no_good_group():
    data = np.full((1, 3, 1, 2), 65535, np.float32)
    flags = np.full(data.shape, SAT, np.uint8)
    flags[0, 0, 0, 1] = 0  # else nothing is left of the exposure
    zero = np.array([[[30.0, 0.0]]], np.float32)
    rates = fit(data, flags, suppress=False, zeroframe=zero)
    np.testing.assert_allclose(rates.rateints[SLOPE, 0, 0, 0], 30.0 / FRAME, rtol=1e-6)
    assert np.isnan(fit(data, flags, suppress=False).rate[SLOPE, 0, 0])


@pytest.mark.parametrize("gain", [0.0, -1.0, np.nan])
def test_without_a_gain_a_pixel_is_flagged(gain):
    gains = np.full((1, 3), GAIN, np.float32)
    gains[0, 1] = gain
    rates = fit(line((1, 5, 1, 3), 4.0), gain=gains)
    assert rates.rate_dq.tolist() == [[0, DNU | NO_GAIN, 0]]
    assert np.isnan(rates.rate[SLOPE, 0, 1])
    np.testing.assert_allclose(rates.rate[SLOPE, 0, ::2], 4.0, rtol=1e-5)


def test_flags_of_pixels_are_those_of_slopes():
    pixeldq = np.array([[0, 1 << 10, DNU]], np.uint32)
    rates = fit(line((2, 5, 1, 3), 4.0), pixeldq=pixeldq)
    np.testing.assert_array_equal(rates.rate_dq, pixeldq)
    np.testing.assert_array_equal(rates.rateints_dq, [pixeldq, pixeldq])
    assert np.isnan(rates.rate[SLOPE, 0]).tolist() == [False, False, True]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 3e38])
def test_odd_values_disturb_no_other_pixel(value):
    data = ramps((2, 6, 2, 130))
    expected = fit(data.copy())
    data[0, 3, 1, 129] = data[1, 0, 0, 0] = value
    rates = fit(data)
    others = np.ones((2, 130), bool)
    others[1, 129] = others[0, 0] = False
    np.testing.assert_array_equal(rates.rate[:, others], expected.rate[:, others])
    np.testing.assert_array_equal(rates.rateints[..., others], expected.rateints[..., others])
    assert rates.rate_dq.max() == 0


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 100),
    ngroups=st.integers(1, 9),
    nx=st.sampled_from([1, 2, 127, 128, 129]),
    rows=st.integers(1, 5),
    suppress=st.booleans(),
)
def test_tiles_agree_with_the_whole_and_write_only_their_rows(seed, ngroups, nx, rows, suppress):
    data = ramps((2, ngroups, 5, nx), seed)
    rng = np.random.default_rng(seed)
    flags = rng.choice([0, 1, 2, 4, 128], data.shape, p=[0.8, 0.05, 0.05, 0.05, 0.05])
    flags = flags.astype(np.uint8)
    before = data.copy(), flags.copy()
    whole = fit(data, flags, suppress=suppress)
    pieces = Rates.empty(2, 5, nx)
    for plane in (pieces.rate, pieces.rateints):
        plane[:] = -7
    for low in range(0, 5, rows):
        # Each tile with a row more on either side, which is not wanted.
        y0, y1 = max(low - 1, 0), min(low + rows + 1, 5)
        fit(
            np.ascontiguousarray(data[:, :, y0:y1]),
            np.ascontiguousarray(flags[:, :, y0:y1]),
            suppress=suppress,
            detector=(5, nx),
            rates=pieces,
            y0=y0,
            first=low - y0,
            last=min(low + rows, 5) - y0,
        )
        assert (pieces.rate[:, low + rows :] == -7).all()
    for name in ("rate", "rate_dq", "rateints", "rateints_dq"):
        np.testing.assert_array_equal(getattr(pieces, name), getattr(whole, name))
    np.testing.assert_array_equal(data, before[0])
    np.testing.assert_array_equal(flags, before[1])


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 100), ngroups=st.integers(1, 8), suppress=st.booleans())
def test_a_pixel_does_not_depend_on_the_company_of_its_block(seed, ngroups, suppress):
    # Ramps without flags are fitted in blocks, the others one by one: bits must agree.
    data = ramps((2, ngroups, 1, 9), seed)
    flags = np.zeros(data.shape, np.uint8)
    flags[:, :, 0, 1::2] = np.random.default_rng(seed).choice([0, 1, 2, 4], (2, ngroups, 4))
    rates = fit(data, flags, suppress=suppress)
    for x in range(9):
        alone = fit(data[..., x : x + 1].copy(), flags[..., x : x + 1].copy(), suppress=suppress)
        np.testing.assert_array_equal(alone.rate[..., 0], rates.rate[..., x])
        np.testing.assert_array_equal(alone.rateints[..., 0], rates.rateints[..., x])
        np.testing.assert_array_equal(alone.rate_dq[..., 0], rates.rate_dq[..., x])


def test_dark_current_counts_for_the_noise_alone():
    data = line((1, 5, 1, 2), 4.0)
    dark = np.array([[0.0, 4.0]], np.float32)
    rates = fit(data, dark_current=dark)
    assert rates.rate[SLOPE, 0, 0] == rates.rate[SLOPE, 0, 1]
    np.testing.assert_allclose(rates.rate[POISSON, 0, 1], 2 * rates.rate[POISSON, 0, 0], rtol=1e-5)


def test_weights_rise_towards_the_ends_and_are_one_without_signal():
    table = weight_table(6)
    assert table.shape == (6, 21)
    assert (table[0] == 1).all()
    longest = table[:, -6:]
    np.testing.assert_array_equal(longest, longest[:, ::-1])
    assert (longest[:, 0] == 1).all()
    assert (np.diff(longest[1:, :3], axis=1) < 0).all()
    assert (np.diff(longest[:, 1]) < 0).all()
    # A shorter table is the beginning of a longer one, for every power.
    np.testing.assert_array_equal(weight_table(4), table[:, :10])


def test_noise_of_a_read():
    gain = np.array([[2.0, np.nan]], np.float32)
    noise = read_noise_of_a_read(np.full((1, 2), 8.0, np.float32), gain, 4)
    assert noise.dtype == np.float32
    np.testing.assert_allclose(noise, [[8 * 2 / np.sqrt(8), np.nan]], rtol=1e-6)

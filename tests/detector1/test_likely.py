"""The likelihood fit by itself: does it find the rate and the jumps that were put in?"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from upramp.detector1.likely import fit_likely
from upramp.detector1.likely_covariance import covariance_of, even_read_times, split_zero_read
from upramp.detector1.ols import Rates
from upramp.dq import GROUP, PIXEL

GAIN, NOISE, TIME = 1.8, 14.0, 10.0
JUMP, SAT, DNU = GROUP["JUMP_DET"], GROUP["SATURATED"], GROUP["DO_NOT_USE"]


class Exposure:
    """Ramps of one rate in a frame of (ny, nx) pixels."""

    def __init__(self, rate=20.0, shape=(1, 10, 8, 50), seed=1):
        nints, ngroups, ny, nx = shape
        rng = np.random.default_rng(seed)
        steps = rng.poisson(rate * TIME * GAIN, shape) / GAIN
        reads = rng.normal(0, NOISE / np.sqrt(2), shape)
        self.ramp = (np.cumsum(steps, 1) + reads).astype(np.float32)
        self.groupdq = np.zeros(shape, np.uint8)
        self.pixeldq = np.zeros((ny, nx), np.uint32)
        self.gain = np.full((ny, nx), GAIN, np.float32)
        self.noise = np.full((ny, nx), NOISE, np.float32)
        self.rates = Rates.empty(nints, ny, nx)
        self.chisq = np.full((ny, nx), -1, np.float32)
        self.covariance = covariance_of(even_read_times(ngroups, 1, 0, TIME))

    def fit(self, y0=0, y1=None, **how):
        ny = self.pixeldq.shape[0]
        tile = slice(y0, ny if y1 is None else y1)
        flags = np.ascontiguousarray(self.groupdq[:, :, tile])
        fit_likely(
            np.ascontiguousarray(self.ramp[:, :, tile]),
            flags,
            self.pixeldq,
            self.gain,
            self.noise,
            self.rates,
            covariance=how.pop("covariance", self.covariance),
            chisq=self.chisq,
            y0=y0,
            **how,
        )
        self.groupdq[:, :, tile] = flags
        return self


@pytest.mark.parametrize("rate", [0.0, 0.5, 20.0, 2000.0])
@pytest.mark.parametrize("nints", [1, 4])
def test_rate_and_its_error_are_those_put_in(rate, nints):
    found = Exposure(rate, (nints, 10, 20, 100)).fit().rates.rate
    slope, err, var_p, var_r = found.reshape(4, -1)
    assert abs(slope.mean() - rate) < 5 * slope.std() / np.sqrt(slope.size)
    assert slope.std() == pytest.approx(err.mean(), rel=0.1)
    np.testing.assert_allclose(var_p + var_r, err**2, rtol=1e-4)


def test_chi_squared_is_about_the_degrees_of_freedom():
    exposure = Exposure(shape=(1, 12, 20, 100)).fit()
    assert exposure.chisq.mean() == pytest.approx(11 - 1, rel=0.05)


def test_read_noise_alone_weighs_the_outer_groups():
    # Without photons, the best slope of n groups has 12 sigma^2 / (n^3 - n).
    exposure = Exposure(0.0).fit()
    expected = 12 * NOISE**2 / 2 / (10**3 - 10) / TIME**2
    np.testing.assert_allclose(exposure.rates.rate[3], expected, rtol=0.05)


def test_jump_is_flagged_in_the_group_where_it_is_seen_first_and_leaves_the_rate():
    exposure = Exposure()
    exposure.ramp[:, 6:, 3, 7] += 3000
    before = exposure.groupdq.copy()
    exposure.fit()
    before[0, 6, 3, 7] = JUMP
    np.testing.assert_array_equal(exposure.groupdq, before)
    assert exposure.rates.rate_dq[3, 7] == PIXEL["JUMP_DET"]
    assert np.count_nonzero(exposure.rates.rate_dq) == 1
    assert abs(exposure.rates.rate[0, 3, 7] - 20) < 5 * exposure.rates.rate[1, 3, 7]


def test_jump_within_an_averaged_group_takes_both_differences():
    exposure = Exposure()
    covariance = covariance_of(even_read_times(10, 4, 0, TIME / 4))
    exposure.ramp[:, 6:, 3, 7] += 3000
    exposure.ramp[:, 5, 3, 7] += 1500
    exposure.fit(covariance=covariance)
    np.testing.assert_array_equal(np.flatnonzero(exposure.groupdq[0, :, 3, 7]), [5, 6])


def test_no_jump_is_found_where_it_would_leave_too_little():
    exposure = Exposure(shape=(1, 4, 2, 9))
    exposure.ramp[:, 1:, 0, 0] += 3000
    exposure.ramp[:, 2:, 0, 0] += 90000
    exposure.fit()
    # After the first one three groups are left, and nothing is looked for any more.
    assert np.count_nonzero(exposure.groupdq[0, :, 0, 0]) == 1


def test_flagged_groups_are_not_used():
    exposure = Exposure()
    exposure.groupdq[0, 4, 1, 2] = GROUP["OUTLIER"]
    exposure.ramp[0, 4, 1, 2] = 1e6
    exposure.groupdq[0, 7:, 1, 3] = SAT
    exposure.ramp[0, 7:, 1, 3] = 0
    exposure.fit()
    assert abs(exposure.rates.rate[0, 1, 2] - 20) < 5 * exposure.rates.rate[1, 1, 2]
    assert abs(exposure.rates.rate[0, 1, 3] - 20) < 5 * exposure.rates.rate[1, 1, 3]
    assert exposure.rates.rate_dq[1, 2] == 0
    assert exposure.rates.rate_dq[1, 3] == PIXEL["SATURATED"]


def test_ramp_without_a_usable_group_has_no_rate():
    exposure = Exposure(shape=(2, 5, 2, 40))
    exposure.groupdq[0, :, 0, 0] = DNU
    exposure.groupdq[:, :, 0, 1] = SAT
    exposure.groupdq[:, :, 0, 2] = DNU
    exposure.pixeldq[0, 3] = PIXEL["HOT"]
    exposure.fit()
    ints, dq = exposure.rates.rateints[0, :, 0], exposure.rates.rateints_dq[:, 0]
    assert np.isnan(ints[0, 0])
    assert np.isfinite(ints[1, 0])
    assert exposure.rates.rate[0, 0, 0] == pytest.approx(ints[1, 0], rel=1e-6)
    assert np.isnan(exposure.rates.rate[0, 0, 1:3]).all()
    np.testing.assert_array_equal(dq[:, :4], [[1, 3, 1, 2048], [0, 3, 1, 2048]])
    np.testing.assert_array_equal(exposure.rates.rate_dq[0, :4], [0, 3, 1, 2048])


def test_zero_frame_rescues_a_ramp_that_saturates_in_the_second_group():
    exposure = Exposure()
    covariance = covariance_of(
        split_zero_read(even_read_times(10, 4, 0, TIME / 4)), zero_read=True
    )
    exposure.groupdq[0, 1:] = SAT
    # Frames at a rate of 100 DN/s: the zero frame has 250 DN, the mean of four 625 DN.
    exposure.ramp[0, 0] = 625
    zeroframe = np.full((1, 8, 50), 250, np.float32)
    exposure.fit(covariance=covariance, zeroframe=zeroframe, nframes=4)
    np.testing.assert_allclose(exposure.rates.rate[0], 100, rtol=1e-6)


@pytest.mark.parametrize("rows", [1, 3, 5])
def test_tiles_give_what_the_whole_gives(rows):
    whole, cut = (Exposure(shape=(2, 7, 9, 45), seed=3) for _ in range(2))
    for exposure in (whole, cut):
        exposure.ramp[:, 4:, ::2, ::3] += 900
    whole.fit()
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda y: cut.fit(y, min(y + rows, 9)), range(0, 9, rows)))
    np.testing.assert_array_equal(cut.groupdq, whole.groupdq)
    np.testing.assert_array_equal(cut.rates.rate, whole.rates.rate)
    np.testing.assert_array_equal(cut.rates.rateints, whole.rates.rateints)
    np.testing.assert_array_equal(cut.chisq, whole.chisq)


def test_rows_that_are_not_wanted_stay_as_they_are():
    exposure = Exposure()
    exposure.ramp[:, 5:] += 5000
    exposure.rates.rate[:] = -5
    exposure.rates.rateints_dq[:] = 7
    exposure.fit(first=2, last=5)
    touched = (exposure.groupdq != 0).any((0, 1, 3))
    np.testing.assert_array_equal(np.flatnonzero(touched), [2, 3, 4])
    for outside in (slice(0, 2), slice(5, 8)):
        assert (exposure.rates.rate[:, outside] == -5).all()
        assert (exposure.rates.rateints_dq[:, outside] == 7).all()
        assert (exposure.chisq[outside] == -1).all()


def test_slopes_are_the_same_if_chi_squared_is_not_wanted():
    one, other = Exposure(), Exposure()
    one.fit()
    fit_likely(
        other.ramp,
        other.groupdq,
        other.pixeldq,
        other.gain,
        other.noise,
        other.rates,
        covariance=other.covariance,
    )
    np.testing.assert_array_equal(one.rates.rate, other.rates.rate)


def test_covariance_of_single_reads_is_that_of_differences():
    covariance = covariance_of([[1.0], [2.0], [4.0], [5.0]])
    np.testing.assert_array_equal(covariance.times, [1, 2, 1])
    # Photons of different differences are independent: rate times time over time squared.
    np.testing.assert_allclose(covariance.terms[0], [1, 0.5, 1])
    np.testing.assert_array_equal(covariance.terms[2], 0)
    np.testing.assert_allclose(covariance.terms[1], [2, 0.5, 2])
    np.testing.assert_allclose(covariance.terms[3, :2], [-0.5, -0.5])
    assert not covariance.two_omit.any()


def test_covariance_of_averaged_reads_agrees_with_simulated_reads():
    times = [[1.0, 2.0, 3.0], [5.0, 6.0], [9.0, 10.0, 11.0, 12.0], [14.0]]
    covariance = covariance_of(times)
    rng = np.random.default_rng(0)
    last = 14
    reads = np.cumsum(rng.poisson(50.0, (100_000, last)), 1)
    groups = np.array([reads[:, [int(t) - 1 for t in group]].mean(1) for group in times])
    measured = np.cov(np.diff(groups, axis=0) / covariance.times[:, None])
    np.testing.assert_allclose(np.diag(measured), 50 * covariance.terms[0], rtol=0.03)
    np.testing.assert_allclose(
        np.diag(measured, 1), 50 * covariance.terms[2, :2], rtol=0.1, atol=0.05
    )
    np.testing.assert_array_equal(covariance.two_omit, [1, 1])


def test_zero_frame_that_is_the_first_group_is_of_no_use():
    assert split_zero_read(even_read_times(5, 1, 2, TIME)) is None


@pytest.mark.parametrize("zero_read", [False, True])
def test_too_few_groups(zero_read):
    with pytest.raises(ValueError, match="3 groups"):
        covariance_of(even_read_times(3 + zero_read, 1, 0, TIME), zero_read=zero_read)


def test_covariance_of_another_ramp():
    exposure = Exposure()
    with pytest.raises(ValueError, match="a covariance of 6 groups for a ramp of 10"):
        exposure.fit(covariance=covariance_of(even_read_times(6, 1, 0, TIME)))
    with pytest.raises(ValueError, match="zero frame"):
        exposure.fit(zeroframe=np.zeros((1, 8, 50), np.float32))

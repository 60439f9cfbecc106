"""A slope on its ramp: segments, residuals, chi-square, words."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from upramp.dq import GROUP, PIXEL
from upramp_widgets.core.ramp_sample import RampSample, fit_of, mean_of, segments

DNU, SAT, JUMP = (GROUP[name] for name in ("DO_NOT_USE", "SATURATED", "JUMP_DET"))


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ([0, 0, 0], [(0, 2)]),
        ([0, 0, JUMP, 0], [(0, 1), (2, 3)]),
        ([DNU, 0, 0, SAT | DNU], [(1, 2)]),
        ([0, DNU, 0, 0], [(0, 0), (2, 3)]),
        ([JUMP, JUMP, JUMP], [(0, 0), (1, 1), (2, 2)]),
        ([DNU, JUMP, 0], [(1, 2)]),
        ([SAT], []),
        ([], []),
        ([0], [(0, 0)]),
    ],
)
def test_segments(flags, expected):
    assert segments(np.array(flags, np.uint8)) == expected


@given(st.lists(st.sampled_from([0, DNU, SAT, JUMP, JUMP | DNU]), max_size=30))
def test_segments_hold_each_usable_group_once(flags):
    parts = segments(np.array(flags, np.uint8))
    found = [group for first, last in parts for group in range(first, last + 1)]
    assert found == [g for g, value in enumerate(flags) if not value & (DNU | SAT)]


def test_a_perfect_ramp_has_no_residuals():
    times = 10.0 * np.arange(1, 9)
    data = 100 + 3 * times
    data[4:] += 500
    flags = np.zeros(8, np.uint8)
    flags[4] = JUMP
    fit = fit_of(data, flags, times, 3.0, 0.1, gain=2.0, read_noise=10.0)
    np.testing.assert_allclose(fit.residuals, 0, atol=1e-9)
    assert fit.chi_square == pytest.approx(0)
    assert fit.freedom == 5
    assert [each.offset for each in fit.segments] == pytest.approx([100, 600])
    drawn = [line for _, line, _ in fit.line(times)]
    np.testing.assert_allclose(np.concatenate(drawn), data)


def test_chi_square_of_simulated_ramps_is_what_it_should_be():
    rng = np.random.default_rng(2)
    gain, noise, rate, step = 2.0, 12.0, 40.0, 10.0
    times = step * np.arange(1, 11)
    flags = np.zeros(10, np.uint8)
    found = []
    for _ in range(3000):
        electrons = np.cumsum(rng.poisson(rate * step, 10)) + rng.normal(0, noise, 10)
        # The true slope: as many degrees of freedom as there are differences.
        fit = fit_of(electrons / gain, flags, times, rate / gain, 0.1, gain=gain, read_noise=noise)
        found.append(fit.chi_square)
    assert np.mean(found) == pytest.approx(9, abs=0.25)
    assert np.var(found) == pytest.approx(18, abs=2.5)


def test_what_cannot_be_known_is_not_said():
    times = np.arange(1.0, 6.0)
    flags = np.zeros(5, np.uint8)
    assert fit_of(times, flags, times, float("nan"), 1.0) is None
    assert fit_of(times, flags + DNU, times, 1.0, 1.0) is None
    fit = fit_of(times, flags, times, 1.0, 1.0)
    assert np.isnan(fit.chi_square)
    assert fit.freedom == 0
    without_noise = fit_of(times, flags, times, 0.0, 1.0, gain=1.0, read_noise=0.0)
    assert np.isnan(without_noise.chi_square)


def test_a_mean_does_not_step_where_a_pixel_is_lost():
    times = np.arange(6)
    data = np.array([10 + 2 * times, 1000 + 4 * times], np.float32).T
    flags = np.zeros((6, 2), np.uint8)
    flags[3:, 1] = SAT | DNU
    mean = mean_of(data, flags)
    np.testing.assert_allclose(np.diff(mean.data), [3, 3, 2, 2, 2])
    assert mean.pixels == 2
    assert not mean.groupdq.any()


def test_a_mean_begins_at_the_first_usable_group():
    times = np.arange(6)
    data = np.array([10 + 2 * times, 1000 + 4 * times], np.float32).T
    data[0] = -500  # as the first frame of some detectors, which is not to be used
    flags = np.zeros((6, 2), np.uint8)
    flags[[0, -1]] = DNU
    mean = mean_of(data, flags)
    np.testing.assert_allclose(mean.data[1:-1], 505 + 3 * times[1:-1])
    assert mean.groupdq.tolist() == [DNU, 0, 0, 0, 0, DNU]
    fit = fit_of(mean.data, mean.groupdq, times.astype(float), 3.0, 0.1)
    np.testing.assert_allclose(fit.residuals[1:-1], 0, atol=1e-9)


def test_a_pixel_that_begins_later_counts_in_the_mean():
    times = np.arange(6)
    data = np.array([10 + 2 * times, 1000 + 2 * times], np.float32).T
    flags = np.zeros((6, 2), np.uint8)
    flags[:2, 1] = DNU
    np.testing.assert_allclose(mean_of(data, flags).data, 505 + 2 * times)


def test_a_group_by_itself_does_not_end_a_mean():
    data = np.array([[7, 0, 0, 0], [0, 0, 20, 23]], np.float32).T
    flags = np.array([[0, DNU, DNU, DNU], [DNU, DNU, 0, 0]], np.uint8).T
    mean = mean_of(data, flags)
    np.testing.assert_allclose(mean.data[2:], [20, 23])
    assert mean.groupdq.tolist() == [DNU, DNU, 0, 0]


def test_a_mean_of_nothing():
    mean = mean_of(np.full((3, 4), np.nan, np.float32), np.zeros((3, 4), np.uint8))
    assert np.isnan(mean.data).all()
    assert (mean.groupdq == DNU).all()


def test_words():
    flags = np.array([0, SAT | DNU, JUMP], np.uint8)
    sample = RampSample(
        3, 4, 1, np.arange(3.0), np.arange(3.0), flags,
        pixeldq=PIXEL["HOT"] | PIXEL["REFERENCE_PIXEL"],
    )  # fmt: skip
    assert sample.words() == ("", "do not use, saturated", "jump")
    assert sample.pixel_words() == "hot, reference pixel"
    assert sample.marks()["reference"].all()
    text = sample.text()
    assert "pixel (3, 4), integration 2" in text
    assert "jump: group 3" in text
    assert "saturated: group 2" in text

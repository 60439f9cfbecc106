"""Numbers of many pixels."""

from __future__ import annotations

import numpy as np
import pytest

from upramp_widgets.core.box_statistics import BoxStatistics


def test_a_wild_pixel_moves_the_mean_and_not_the_robust_numbers():
    rng = np.random.default_rng(5)
    values = rng.normal(3, 0.5, (200, 200)).astype(np.float32)
    values[0, :20], values[1, 0] = np.nan, 1e6
    told = BoxStatistics.of(values)
    assert (told.count, told.pixels) == (40_000 - 20, 40_000)
    assert told.mean > 20
    assert told.median == pytest.approx(3, abs=0.02)
    assert told.sigma == pytest.approx(0.5, abs=0.02)
    assert told.most == 1e6
    assert "from" in told.text("DN/s")


@pytest.mark.parametrize("values", [np.full((3, 4), np.nan), np.zeros((0, 0))])
def test_of_no_number_there_are_none(values):
    told = BoxStatistics.of(values)
    assert (told.count, told.pixels) == (0, values.size)
    numbers = [told.mean, told.median, told.sigma, told.least, told.most]
    assert np.isnan(numbers).all()
    assert "nan" in told.text("DN/s")


def test_one_number_is_its_own_median_and_has_no_spread():
    told = BoxStatistics.of(np.array([7.0]))
    assert (told.mean, told.median, told.sigma, told.least, told.most) == (7, 7, 0, 7, 7)

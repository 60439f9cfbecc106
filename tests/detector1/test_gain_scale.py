"""Rates scale with the gain, their variances with its square."""

from __future__ import annotations

import numpy as np
import pytest

from upramp.detector1.gain_scale import scale_by_gain


@pytest.mark.parametrize("factor", [2, 2.0, np.float64(2)])
def test_scaling(factor):
    arrays = [np.array([1, -3, np.nan], np.float32) for _ in range(4)]
    scale_by_gain(factor, *arrays)
    for array, times in zip(arrays, [2, 2, 4, 4], strict=True):
        assert array.dtype == np.float32
        np.testing.assert_array_equal(array, np.array([1, -3, np.nan]) * times)


def test_products_without_variances():
    data, err = np.ones((2, 2), np.float32), np.ones((2, 2), np.float32)
    scale_by_gain(0.5, data, err, None, None)
    assert (data == 0.5).all()
    assert (err == 0.5).all()

"""The bias goes, and nothing else changes."""

from __future__ import annotations

import numpy as np
import pytest

from upramp.detector1.superbias import (
    prepare_bias,
    subtract_bias,
    subtract_bias_of_zero_frame,
)


def test_bias_is_subtracted_from_every_group_and_integration():
    signal = np.arange(2 * 3 * 4 * 5, dtype=np.float32).reshape(2, 3, 4, 5)
    bias = np.arange(20, dtype=np.float32).reshape(4, 5) * 100
    ramp = signal + bias
    subtract_bias(ramp, prepare_bias(bias), 0, 0, 4)
    np.testing.assert_array_equal(ramp, signal)


def test_unknown_bias_is_zero_and_the_reference_stays_as_it_is():
    bias = np.array([[1, np.nan, 3]], np.float32)
    bias.setflags(write=False)
    prepared = prepare_bias(bias)
    np.testing.assert_array_equal(prepared, [[[1, 0, 3]]])
    assert np.isnan(bias[0, 1])


def test_only_the_rows_asked_for_change():
    bias = np.full((9, 3), 7, np.float32)
    bias[4:6] = [[10], [20]]
    ramp = np.zeros((1, 2, 5, 3), np.float32)
    subtract_bias(ramp, prepare_bias(bias), 3, 1, 3)
    np.testing.assert_array_equal(ramp[0, 1, :, 0], [0, -10, -20, 0, 0])
    zero_frame = np.ones((1, 5, 3), np.float32)
    subtract_bias_of_zero_frame(zero_frame, prepare_bias(bias), 3, 1, 3)
    np.testing.assert_array_equal(zero_frame[0, :, 0], [1, -9, -19, 1, 1])


def test_zero_in_the_zero_frame_stays_positive_zero():
    zero_frame = np.array([[[0, -0.0, 5, 8]]], np.float32)
    subtract_bias_of_zero_frame(zero_frame, prepare_bias(np.full((1, 4), 5)), 0, 0, 1)
    np.testing.assert_array_equal(zero_frame, [[[0, 0, 0, 3]]])
    assert not np.signbit(zero_frame).any()


def test_stripes_take_turns():
    bias = np.array([[[1]], [[20]], [[300]]], np.float32)
    ramp = np.zeros((6, 1, 1, 1), np.float32)
    subtract_bias(ramp, prepare_bias(bias), 0, 0, 1)
    np.testing.assert_array_equal(ramp.ravel(), [-1, -20, -300, -1, -20, -300])


@pytest.mark.parametrize("rows", [(0, 0, 5), (3, 0, 3), (0, 2, 1), (-1, 0, 2)])
def test_rows_that_do_not_exist(rows):
    with pytest.raises(ValueError, match="not in a reference"):
        subtract_bias(np.zeros((1, 1, 4, 2), np.float32), np.zeros((1, 5, 2), np.float32), *rows)


def test_columns_that_do_not_exist():
    with pytest.raises(ValueError, match="not in a reference"):
        subtract_bias(np.zeros((1, 1, 4, 2), np.float32), prepare_bias(np.zeros((4, 1))), 0, 0, 4)

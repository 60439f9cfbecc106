"""The response becomes straight, and what has no correction stays."""

from __future__ import annotations

import numpy as np
import pytest

from upramp.detector1.linearity import linearize, linearize_zero_frame, prepare_coefficients
from upramp.dq import PIXEL

NO_LIN_CORR = PIXEL["NO_LIN_CORR"]


def flat(*terms, ny=1, nx=1):
    return np.tile(np.array(terms, np.float32)[:, None, None], (1, ny, nx))


@pytest.mark.parametrize("n", range(2, 8))
def test_polynomial_of_each_order(n):
    terms = np.arange(1, n + 1, dtype=np.float32)
    ramp = np.arange(-3, 4, dtype=np.float32).reshape(1, 7, 1, 1)
    expected = np.polynomial.polynomial.polyval(ramp.ravel(), terms)
    linearize(ramp, np.zeros(ramp.shape, np.uint8), flat(*terms), 0, 0, 1)
    np.testing.assert_array_equal(ramp.ravel(), expected)


def test_saturated_groups_stay_whatever_else_is_set():
    groupdq = np.arange(256, dtype=np.uint8).reshape(1, 256, 1, 1)
    ramp = np.ones(groupdq.shape, np.float32)
    linearize(ramp, groupdq, flat(0, 3), 0, 0, 1)
    np.testing.assert_array_equal(ramp.ravel(), np.where(groupdq.ravel() & 2, 1, 3))


def test_pixels_without_a_correction_get_one_that_changes_nothing():
    coefficients = flat(1, 2, 3, nx=6)
    coefficients[2, 0, 1] = np.nan
    coefficients[1, 0, 2] = -0.0
    coefficients[2, 0, 3] = 0
    coefficients[2, 0, 5] = np.inf
    dq = np.array([[0, 0, 8, 0, NO_LIN_CORR | 1, 0]], np.uint32)
    kept = coefficients.copy(), dq.copy()
    prepared, gained = prepare_coefficients(coefficients, dq)
    plain = [0, 1, 0]
    np.testing.assert_array_equal(
        prepared[:, 0].T, [[1, 2, 3], plain, plain, [1, 2, 0], plain, [1, 2, np.inf]]
    )
    np.testing.assert_array_equal(
        gained, [[0, NO_LIN_CORR, 8 | NO_LIN_CORR, 0, NO_LIN_CORR | 1, 0]]
    )
    np.testing.assert_array_equal(coefficients, kept[0])
    np.testing.assert_array_equal(dq, kept[1])


def test_only_the_rows_asked_for_change():
    coefficients = flat(0, 1, ny=9, nx=300)
    coefficients[1] *= np.arange(9)[:, None]
    ramp = np.ones((2, 2, 5, 300), np.float32)
    linearize(ramp, np.zeros(ramp.shape, np.uint8), coefficients, 3, 1, 3)
    np.testing.assert_array_equal(ramp[1, 1, :, 299], [1, 4, 5, 1, 1])
    zero_frame = np.ones((2, 5, 300), np.float32)
    linearize_zero_frame(zero_frame, coefficients, 3, 1, 3)
    np.testing.assert_array_equal(zero_frame[1, :, 299], [1, 4, 5, 1, 1])


def test_zero_in_the_zero_frame_stays_positive_zero():
    zero_frame = np.array([[[0, -0.0, 2]]], np.float32)
    linearize_zero_frame(zero_frame, flat(5, 3, nx=3), 0, 0, 1)
    np.testing.assert_array_equal(zero_frame, [[[0, 0, 11]]])
    assert not np.signbit(zero_frame).any()


def test_a_constant_is_no_polynomial():
    with pytest.raises(ValueError, match="linear term"):
        prepare_coefficients(flat(1), np.zeros((1, 1), np.uint32))


def test_dq_of_another_frame():
    with pytest.raises(ValueError, match="does not fit"):
        prepare_coefficients(flat(1, 2), np.zeros((1, 2), np.uint32))

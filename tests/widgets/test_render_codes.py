"""Codes: what they lose, and what they must not."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from upramp_widgets.core.render_codes import (
    SIGNIFICANCE_STEP,
    decode,
    encode,
    encode_significance,
)

FINITE = st.floats(-1e7, 1e7, width=32)


@given(hnp.arrays(np.float32, st.integers(1, 60), elements=FINITE), FINITE, st.floats(0.01, 1e4))
def test_codes_are_good_near_the_centre_and_in_proportion_elsewhere(values, centre, scale):
    found = decode(encode(values, centre, scale)).astype(np.float64)
    distance = np.abs(values.astype(np.float64) - np.float32(centre))
    rounding = 4 * np.spacing(np.maximum(np.abs(values), abs(np.float32(centre))))
    assert (np.abs(found - values) <= scale / 1000 + 0.003 * distance + rounding).all()


@given(hnp.arrays(np.float32, st.integers(2, 60), elements=FINITE), FINITE, st.floats(0.01, 1e4))
def test_the_order_of_values_is_that_of_their_codes(values, centre, scale):
    coded = encode(np.sort(values), centre, scale)
    assert (np.diff(coded.codes.astype(int)) >= 0).all()


def test_nan_is_code_zero_and_infinities_are_outermost():
    values = np.array([math.nan, -math.inf, -5, 0, 7, math.inf], np.float32)
    coded = encode(values, 0.0, 1.0)
    assert coded.codes[0] == 0
    assert (coded.codes[1:] > 0).all()
    found = decode(coded)
    assert np.isnan(found[0])
    np.testing.assert_allclose(found[1:], [-7, -5, 0, 7, 7], rtol=2e-3, atol=1e-3)


@pytest.mark.parametrize("values", [[], [math.nan, math.nan], [3.0], [math.inf], [-math.inf]])
def test_planes_with_nothing_in_them_have_codes_too(values):
    coded = encode(np.array(values, np.float32), 3.0, 1.0)
    assert coded.codes.size == len(values)
    assert coded.top >= 1


def test_values_given_are_left_as_they_are():
    values = np.array([[1.0, math.nan], [3.0, -2.0]], np.float32)
    values.flags.writeable = False
    encode(values, 0.0, 1.0)
    encode_significance(values)


@given(
    hnp.arrays(np.float32, st.integers(1, 60), elements=st.floats(0, 330, width=32)),
    st.integers(0, 60_000),
)
def test_a_threshold_on_codes_is_the_threshold_on_values(values, steps):
    # In exact arithmetic: the step is 1/200.
    above = np.array([float(value) * 200 > steps for value in values])
    np.testing.assert_array_equal(encode_significance(values) > steps, above)


@given(st.integers(0, 6000), st.floats(0, 33, width=32))
def test_a_threshold_in_hundredths_is_met_as_the_kernel_meets_it(hundredths, value):
    threshold = hundredths / 100
    steps = math.floor(threshold / SIGNIFICANCE_STEP + 1e-6)  # as the browser does
    code = encode_significance(np.array([value], np.float32))[0]
    assert (code > steps) == (float(np.float32(value)) > hundredths / 100) or math.isclose(
        value, threshold, rel_tol=1e-6
    )


def test_significance_that_is_none_is_below_every_threshold():
    found = encode_significance(np.array([math.nan, -3, 0, 1e9, math.inf, -math.inf]))
    assert found.tolist() == [0, 0, 0, 65535, 65535, 0]

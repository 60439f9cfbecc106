"""The running median up the sides, against sorting every window anew."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from upramp.detector1.refpix_sides import Strips, corrected_strips, running_median, side_signals


def medians(strip, usable, first, size, length, *, narrow):
    """Medians by definition: lines beyond the exposure unusable, beyond the detector reflected."""
    lines = len(strip)
    below = length // 2
    result = np.empty(lines)
    for n in range(lines):
        window = np.abs(np.arange(first + n - below, first + n - below + length))
        window = np.where(window >= size, 2 * size - 2 - window, window) - first
        window = window[(window >= 0) & (window < lines)]
        values = strip[window][usable[window] != 0]
        values = values.astype(np.float32) if narrow else values
        result[n] = np.median(values) if len(values) else np.nan
    return result


@settings(max_examples=120, deadline=None)
@given(
    lines=st.integers(1, 40),
    before=st.sampled_from([0, 0, 1, 3, 50]),
    after=st.sampled_from([0, 0, 1, 2, 50]),
    length=st.integers(2, 15),
    seed=st.integers(0, 2**32 - 1),
    good=st.sampled_from([1.0, 0.8, 0.1]),
    nans=st.sampled_from([0.0, 0.05]),
    ties=st.booleans(),
    narrow=st.booleans(),
)
def test_medians_are_those_of_every_window(
    lines, before, after, length, seed, good, nans, ties, narrow
):
    size = before + lines + after
    if length // 2 > size - 1:
        length = 2
    if size < 2:
        return
    rng = np.random.default_rng(seed)
    strip = rng.normal(1e4, 30, (lines, 4)).astype(np.float32)
    if ties:
        strip = np.round(strip / 30) * 30
    strip[rng.random(strip.shape) < nans] = np.nan
    strip[rng.random(strip.shape) < 0.02] = np.inf
    strip = strip.astype(np.float64)
    if not narrow:
        strip += 1e-9 * np.round(rng.random(strip.shape) * 1e4)
    usable = (rng.random(strip.shape) < good).astype(np.uint8)
    out = np.full(lines, -7.0)
    running_median(strip, usable, before, size, length, narrow, np.empty(4 * length), out)
    with np.errstate(invalid="ignore"):
        expected = medians(strip, usable, before, size, length, narrow=narrow)
    np.testing.assert_array_equal(out, expected)


@pytest.fixture
def strips():
    at = np.arange(2 * 30 * 4).reshape(2, 30, 4)
    usable = np.ones(at.shape, np.uint8)
    usable[0, :12] = 0
    usable[1, 5:] = 0
    return Strips(at, usable, np.array([[0, 1, 0, 1], [2, 3, 2, 3]]), 0, 30)


def test_sides_are_averaged_where_there_are_two(strips):
    values = np.empty((1, 1, 240), np.float32)
    values[..., :120], values[..., 120:] = 10, 40
    table = np.array([[[1.0, 1.0, 3.0, 3.0, 0.0]]])
    narrow = np.zeros((1, 1), np.uint8)
    left, right = 9.0, 37.0
    signal = side_signals(values, table, strips, narrow, 5, 0.5)[0, 0]
    reach = 2
    np.testing.assert_array_equal(signal[: 5 + reach], right / 2)
    np.testing.assert_array_equal(signal[5 + reach : 12 - reach], 0)
    np.testing.assert_array_equal(signal[12 - reach :], left / 2)
    everything = Strips(strips.at, np.ones_like(strips.usable), strips.entry, 0, 30)
    both = side_signals(values, table, everything, narrow, 5, 0.5)
    np.testing.assert_array_equal(both, (left + right) / 4)


def test_corrected_strips_are_rounded_where_the_group_is_narrow(strips):
    values = np.full((1, 2, 240), 16777217 / 3, np.float32)
    table = np.full((1, 2, 5), 0.1)
    narrow = np.array([[1, 0]], np.uint8)
    found = corrected_strips(values, table, strips, narrow)
    exact = np.float64(values[0, 0, 0]) - 0.1
    np.testing.assert_array_equal(found[0, 0], np.float32(exact))
    np.testing.assert_array_equal(found[0, 1], exact)
    assert np.float32(exact) != exact

"""Distances in representable steps, against walking step by step."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from upramp.stages._ulp import bin_counts, bin_labels, ulp_distance

WIDTHS = {32: np.float32, 64: np.float64}


def numbers(width):
    return st.floats(allow_nan=False, width=width).map(WIDTHS[width])


def pairs(count):
    return st.sampled_from([32, 64]).flatmap(lambda width: st.tuples(*[numbers(width)] * count))


def distance(a, b):
    return int(ulp_distance(np.array([a]), np.array([b]))[0])


@given(st.sampled_from([32, 64]).flatmap(numbers), st.integers(0, 40), st.booleans())
def test_distance_counts_the_steps_of_nextafter(start, steps, upwards):
    direction = type(start)(np.inf if upwards else -np.inf)
    there = start
    walked = 0
    for _ in range(steps):
        with np.errstate(over="ignore"):  # stepping to infinity
            following = np.nextafter(there, direction)
        if following == there:
            break
        there = following
        walked += 1
    assert distance(start, there) == walked


@given(pairs(2))
def test_distance_is_symmetric_and_zero_exactly_where_equal(pair):
    a, b = pair
    assert distance(a, b) == distance(b, a)
    assert (distance(a, b) == 0) == (a == b)


@given(pairs(3))
def test_distance_adds_up_along_the_line(three):
    low, middle, high = sorted(three)
    assert distance(low, middle) + distance(middle, high) == distance(low, high)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_extremes_do_not_overflow(dtype):
    info = np.finfo(dtype)
    infinity_bits = int(np.array(np.inf, dtype).view(f"u{info.dtype.itemsize}"))
    assert distance(dtype(-np.inf), dtype(np.inf)) == 2 * infinity_bits
    assert distance(info.max, dtype(np.inf)) == 1
    assert distance(dtype(0.0), dtype(-0.0)) == 0
    assert distance(-info.smallest_subnormal, info.smallest_subnormal) == 2


def test_strided_and_empty_arrays_are_taken():
    values = np.arange(10, dtype=np.float32)[::3]
    np.testing.assert_array_equal(ulp_distance(values, np.nextafter(values, np.float32(99))), 1)
    assert ulp_distance(np.empty(0), np.empty(0)).shape == (0,)


def test_types_that_have_no_common_line_are_refused():
    with pytest.raises(TypeError):
        ulp_distance(np.zeros(1, np.float32), np.zeros(1, np.float64))
    with pytest.raises(TypeError):
        ulp_distance(np.zeros(1, np.int32), np.zeros(1, np.int32))


@given(st.lists(st.integers(1, 2**64 - 1), max_size=50))
def test_each_distance_falls_into_the_bin_that_names_it(distances):
    expected = dict.fromkeys(bin_labels(), 0)
    for value in distances:
        for label in bin_labels():
            low, _, high = label.lstrip(">").partition("-")
            if label.startswith(">"):
                inside = value > int(low)
            else:
                inside = int(low) <= value <= int(high or low)
            expected[label] += inside
    assert sum(expected.values()) == len(distances)
    counts = bin_counts(np.array(distances, dtype=np.uint64))
    assert dict(zip(bin_labels(), counts.tolist(), strict=True)) == expected


def test_one_step_has_a_bin_of_its_own():
    assert bin_labels()[:3] == ["1", "2-4", "5-16"]

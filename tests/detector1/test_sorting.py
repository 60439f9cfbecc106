"""Sorting networks and the sort of a few values, against numpy."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from upramp.detector1.sorting import insertion_sort, sort_columns

TYPES = [np.float32, np.float64]


@pytest.mark.parametrize("length", range(1, 11))
def test_every_column_of_zeros_and_ones_is_sorted(length):
    # A network that sorts these sorts everything (Knuth, section 5.3.4, theorem Z).
    columns = np.array(list(itertools.product([0, 1], repeat=length)), np.float32).T.copy()
    expected = np.sort(columns, axis=0)
    sort_columns(columns, length, columns.shape[1])
    np.testing.assert_array_equal(columns, expected)


@pytest.mark.parametrize("length", [1, 2, 15, 16, 17, 63, 100, 129])
@pytest.mark.parametrize("dtype", TYPES)
def test_columns_with_equal_and_infinite_values(length, dtype):
    rng = np.random.default_rng(length)
    columns = rng.integers(-5, 6, (length, 33)).astype(dtype)
    columns[rng.random(columns.shape) < 0.1] = np.inf
    columns[rng.random(columns.shape) < 0.1] = -np.inf
    expected = np.sort(columns, axis=0)
    sort_columns(columns, length, 33)
    np.testing.assert_array_equal(columns, expected)


def test_what_lies_beyond_the_columns_stays():
    columns = np.random.default_rng(0).normal(size=(9, 8)).astype(np.float32)
    before = columns.copy()
    sort_columns(columns, 6, 5)
    np.testing.assert_array_equal(columns[:6, :5], np.sort(before[:6, :5], axis=0))
    np.testing.assert_array_equal(columns[6:], before[6:])
    np.testing.assert_array_equal(columns[:, 5:], before[:, 5:])


@pytest.mark.parametrize(("length", "count"), [(0, 4), (1, 4), (4, 0)])
def test_nothing_to_sort(length, count):
    columns = np.arange(16, dtype=np.float32)[::-1].reshape(4, 4).copy()
    before = columns.copy()
    sort_columns(columns, length, count)
    np.testing.assert_array_equal(columns, before)


@pytest.mark.parametrize("dtype", TYPES)
def test_few_values(dtype):
    for values in itertools.product([-1.0, 0.0, 2.0, np.inf], repeat=5):
        found = np.array([*values, 7.0], dtype)
        insertion_sort(found, 5)
        assert found.tolist() == [*sorted(values), 7.0]


def test_no_value():
    insertion_sort(np.empty(0), 0)
    one = np.array([3.0])
    insertion_sort(one, 1)
    assert one.tolist() == [3.0]

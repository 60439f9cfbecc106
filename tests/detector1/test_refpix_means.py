"""Sums in numpy's order, and means that are clipped as scipy clips."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from upramp.detector1.refpix_means import (
    Sections,
    clipped_means,
    offset_table,
    pairwise_sum,
)


def mean_of(values, siglimit, *, narrow):
    """Mean and kind of one section that is all there is."""
    values = np.asarray(values, np.float32)
    sections = Sections.of([np.arange(len(values))], (1, 1, 1))
    flag = np.full((1, 1), narrow, np.uint8)
    means, kinds = clipped_means(values[None, None], sections, flag, siglimit)
    return means[0, 0, 0], kinds[0, 0, 0]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_sums_have_numpys_bits(dtype):
    values = (np.random.default_rng(1).normal(size=20001) * 1000).astype(dtype)
    differ_from_plain = 0
    for n in [*range(1, 600), 1000, 1024, 2048, 8191, 8192, 8193, 10208, 20001]:
        total = pairwise_sum(values, n)
        assert total.dtype == dtype if hasattr(total, "dtype") else dtype
        assert total == values[:n].sum(), n
        differ_from_plain += total != np.add.accumulate(values[:n])[-1]
    assert differ_from_plain > 100


@settings(max_examples=150, deadline=None)
@given(
    n=st.integers(1, 1100),
    seed=st.integers(0, 2**32 - 1),
    siglimit=st.sampled_from([3.0, 2.2, 1.1, 0.4]),
    outliers=st.sampled_from([0.0, 0.01, 0.3]),
    grid=st.sampled_from([0, 1, 100]),
    narrow=st.booleans(),
)
def test_means_have_scipys_bits(n, seed, siglimit, outliers, grid, narrow):
    rng = np.random.default_rng(seed)
    values = rng.normal(10, 30, n)
    values[rng.random(n) < outliers] *= rng.choice([10, 1000, -1e6])
    if grid:
        values = np.round(values / grid) * grid
    values = values.astype(np.float32).astype(np.float32 if narrow else np.float64)
    if np.std(values, dtype=np.float64) == 0:
        expected, kind = values.mean(dtype=np.float64), 2
    else:
        with warnings.catch_warnings(action="ignore"):
            expected, kind = stats.sigmaclip(values, siglimit, siglimit)[0].mean(), 1
    mean, found = mean_of(values, siglimit, narrow=narrow)
    np.testing.assert_equal(mean, expected)
    assert found == kind


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("narrow", [True, False])
def test_what_is_not_finite_spoils_a_mean(bad, narrow):
    assert np.isnan(mean_of([1, 2, 3, bad], 3.0, narrow=narrow)[0])
    assert np.isnan(mean_of([bad], 3.0, narrow=narrow)[0])


def test_equal_values_are_their_own_mean():
    assert mean_of([100.3] * 999, 3.0, narrow=True) == (np.float64(np.float32(100.3)), 2)


def test_no_values_no_mean():
    assert mean_of([], 3.0, narrow=True) == (0, 0)


# Two amplifiers, two parities, two edges; members are places in 16 values.
VALUES = np.arange(16, dtype=np.float32) ** 2
PAIRS = [np.array([2 * k, 2 * k + 1]) for k in range(8)]
NOBODY = np.empty(0, np.int64)


def table_of(lists, narrow=0):
    sections = Sections.of(lists, (2, 2, 2))
    flag = np.full((1, 1), narrow, np.uint8)
    return offset_table(VALUES[None, None], sections, flag, 3.0)[0, 0]


def test_edges_are_averaged():
    means = VALUES.reshape(8, 2).mean(axis=1)
    np.testing.assert_array_equal(table_of(PAIRS), [*means.reshape(4, 2).mean(axis=1), 0])


def test_one_edge_stands_for_both():
    lists = [NOBODY, *PAIRS[1:7], NOBODY]
    means = VALUES.reshape(8, 2).mean(axis=1)
    expected = [means[1], means[2:4].mean(), means[4:6].mean(), means[6], 0]
    np.testing.assert_array_equal(table_of(lists), expected)


def test_an_amplifier_without_one_parity_is_left_alone():
    means = VALUES.reshape(8, 2).mean(axis=1)
    expected = [0, 0, means[4:6].mean(), means[6:8].mean(), 0]
    np.testing.assert_array_equal(table_of([NOBODY, NOBODY, *PAIRS[2:]]), expected)


def test_edges_are_averaged_in_the_type_of_their_means():
    values = np.array([16777216, 16777214, 3, 5, 4, 4], np.float32)[None, None]
    first = np.float32(0.5) * (np.float32(16777215) + np.float32(4))  # rounded to even
    narrow = np.ones((1, 1), np.uint8)
    both = Sections.of([np.array([0, 1]), np.array([2, 3])], (1, 1, 2))
    assert offset_table(values, both, narrow, 3.0)[0, 0, 0] == first
    assert offset_table(values, both, 0 * narrow, 3.0)[0, 0, 0] == 8388609.5 != float(first)
    equal = Sections.of([np.array([0, 1]), np.array([4, 5])], (1, 1, 2))
    assert offset_table(values, equal, narrow, 3.0)[0, 0, 0] == 8388609.5


def test_sections_must_fill_their_shape():
    with pytest.raises(ValueError, match="8 sections"):
        Sections.of(PAIRS, (2, 2, 1))

"""Limits, stretches and colormaps."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from upramp.errors import UsageError
from upramp_widgets.core.colormaps import COLORMAPS, table
from upramp_widgets.core.stretch import STRETCHES, distribution, stretched

ANY = st.floats(width=32, allow_nan=True, allow_infinity=True)


@given(hnp.arrays(np.float32, st.integers(0, 200), elements=ANY))
@pytest.mark.parametrize("how", ["percentile", "zscale", "minmax"])
def test_limits_are_always_a_range(how, sample):
    low, high = distribution(sample).limits(how)
    assert math.isfinite(low)
    assert math.isfinite(high)
    assert low < high


@given(hnp.arrays(np.float32, st.integers(0, 200), elements=ANY))
def test_centre_and_scale_are_always_of_use(sample):
    centre, scale = distribution(sample).centre_and_scale()
    assert math.isfinite(centre)
    assert 0 < scale < math.inf


@given(hnp.arrays(np.float32, st.integers(0, 200), elements=st.floats(-1e6, 1e6, width=32)))
def test_a_histogram_counts_what_lies_in_its_range(sample):
    low, high, counts = distribution(sample).histogram()
    assert low < high
    inside = (sample >= low) & (sample <= high)
    assert sum(counts) == inside.sum()


def test_a_constant_image_is_in_the_middle_of_its_limits():
    for value in (0.0, 7.0, -3e5):
        low, high = distribution(np.full((5, 5), value)).percentile()
        assert (low + high) / 2 == pytest.approx(value)


def test_limits_leave_out_the_outermost_values():
    sample = np.concatenate([np.arange(1000.0), [1e9, -1e9]])
    low, high = distribution(sample).percentile()
    assert 0 < low < 20
    assert 980 < high < 1000


def test_zscale_is_that_of_astropy_on_a_background_with_stars():
    visualization = pytest.importorskip("astropy.visualization")
    rng = np.random.default_rng(3)
    sample = rng.normal(100, 5, 20_000)
    sample[:400] += rng.exponential(5000, 400)
    expected = visualization.ZScaleInterval(n_samples=20_000, max_iterations=5).get_limits(sample)
    found = distribution(sample).zscale()
    # They differ in how points are rejected, not in what they mean.
    assert found == pytest.approx(expected, abs=5)


@given(
    hnp.arrays(np.float64, st.integers(1, 60), elements=st.floats(-1e5, 1e5)),
    st.floats(-1e4, 1e4),
    st.floats(1e-3, 1e4),
)
@pytest.mark.parametrize("stretch", STRETCHES)
def test_a_stretch_rises_from_0_to_1(stretch, values, low, width):
    quantiles = distribution(values).quantiles()
    values = np.sort(values)
    found = stretched(values, (low, low + width), stretch, quantiles)
    assert (np.diff(found) >= -1e-12).all()
    assert ((found >= 0) & (found <= 1)).all()
    ends = stretched(np.array([low, low + width]), (low, low + width), stretch, quantiles)
    assert ends == pytest.approx([0, 1])


def test_the_stretches_are_what_they_are_called():
    values = np.array([10.0, 12.5, 15.0, 20.0])
    share = (values - 10) / 10
    found = {
        name: stretched(values, (10, 20), name) for name in ("linear", "sqrt", "log", "asinh")
    }
    np.testing.assert_allclose(found["linear"], share)
    np.testing.assert_allclose(found["sqrt"] ** 2, share)
    np.testing.assert_allclose((1001 ** found["log"] - 1) / 1000, share)
    np.testing.assert_allclose(np.sinh(found["asinh"] * math.asinh(10)) / 10, share)


def test_an_equalised_image_uses_all_colours_alike():
    rng = np.random.default_rng(0)
    values = rng.exponential(3.0, 50_000)
    known = distribution(values)
    found = stretched(values, known.percentile(0, 100), "equalised", known.quantiles())
    counts, _ = np.histogram(found, bins=10, range=(0, 1))
    assert counts == pytest.approx(5000, rel=0.05)


def test_nan_stays_nan_and_no_range_is_a_step():
    for stretch in STRETCHES:
        found = stretched(np.array([math.nan, 1.0]), (0, 2), stretch, np.linspace(0, 2, 9))
        assert np.isnan(found[0])
        assert 0 < found[1] <= 1
    assert stretched(np.array([1.0, 2.0, 3.0]), (2, 2)).tolist() == [0, 1, 1]


def test_what_is_not_known_is_refused():
    with pytest.raises(UsageError, match="there is no 'cubic'"):
        stretched(np.zeros(3), (0, 1), "cubic")
    with pytest.raises(UsageError, match="give quantiles"):
        stretched(np.zeros(3), (0, 1), "equalised")
    with pytest.raises(UsageError, match="there is no way 'best'"):
        distribution(np.zeros(3)).limits("best")
    with pytest.raises(UsageError, match="are no range"):
        distribution(np.zeros(3)).percentile(5, 5)
    with pytest.raises(UsageError, match="there is no 'jet'"):
        table("jet")


@pytest.mark.parametrize("name", COLORMAPS)
def test_a_colormap_has_256_colours_and_can_be_reversed(name):
    found = table(name)
    assert found.shape == (256, 3)
    assert found.dtype == np.uint8
    other = name.removesuffix("_r") if name.endswith("_r") else f"{name}_r"
    np.testing.assert_array_equal(found[::-1], table(other))
    with pytest.raises(ValueError, match="read-only"):
        found[0, 0] = 1


@pytest.mark.parametrize("name", ["gray", "viridis", "inferno", "magma", "cividis"])
def test_colormaps_are_those_of_their_name(name):
    matplotlib = pytest.importorskip("matplotlib")
    expected = matplotlib.colormaps[name](np.arange(256))[:, :3] * 255
    assert np.abs(table(name) - expected).max() < (12 if name == "cividis" else 6)
    assert np.abs(table(name) - expected).mean() < 1.2

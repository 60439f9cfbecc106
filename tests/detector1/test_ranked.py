"""Values in bins answer as sorted ones do."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from upramp.detector1.ranked import Ranked


def image_of(seed, count, kind):
    rng = np.random.default_rng(seed)
    values = rng.normal(100, 3, count)
    if kind == "tails":
        some = rng.random(count) < 0.2
        values[some] += rng.exponential(1e4, some.sum())
    elif kind == "steps":
        values = np.round(values)
    elif kind == "one value":
        values[:] = 7
    elif kind == "infinite":
        values[rng.random(count) < 0.1] = np.inf
        values[rng.random(count) < 0.1] = -np.inf
    elif kind == "tiny":
        values *= 1e-42
    mask = rng.random(count) < rng.choice([0.01, 0.5, 1])
    mask[rng.integers(count)] = True
    return values.astype(np.float32), mask


KINDS = ["plain", "tails", "steps", "one value", "infinite", "tiny"]


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    count=st.sampled_from([1, 2, 300, 5000, 40_000]),
    kind=st.sampled_from(KINDS),
)
def test_ranks_and_bounds(seed, count, kind):
    image, mask = image_of(seed, count, kind)
    image[~mask] = np.nan
    ranked = Ranked(image, mask, np.empty_like(image))
    expected = np.sort(image[mask])
    assert len(ranked) == len(expected)
    assert (ranked.smallest, ranked.largest) == (expected[0], expected[-1])
    rng = np.random.default_rng(seed)
    for rank in rng.integers(0, len(expected), 20):
        assert ranked.value(rank) == expected[rank]
    wide = expected.astype(np.float64)
    # Bounds of double precision: on a value, and just beside it.
    for value in [*wide[rng.integers(0, len(wide), 10)], 0.0, 99.99, -np.inf, np.inf]:
        for bound in (value, np.nextafter(value, -np.inf), np.nextafter(value, np.inf)):
            assert ranked.below(bound) == np.searchsorted(wide, bound, "left")
            assert ranked.up_to(bound) == np.searchsorted(wide, bound, "right")


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    count=st.sampled_from([1, 2, 300, 5000, 40_000]),
    kind=st.sampled_from([kind for kind in KINDS if kind != "infinite"]),
)
def test_moments_and_shifts(seed, count, kind):
    image, mask = image_of(seed, count, kind)
    ranked = Ranked(image, mask, np.empty_like(image))
    expected = np.sort(image[mask])
    start, end = np.sort(np.random.default_rng(seed).integers(0, len(expected), 2))
    end += 1
    part = expected[start:end]
    origin = float(np.median(part))
    first, second, terms = ranked.moments(start, end, origin)
    distance = part.astype(np.float64) - origin
    assert first == pytest.approx(
        distance.sum(), rel=0, abs=1e-11 * np.abs(distance).sum() + 1e-99
    )
    assert second == pytest.approx(np.square(distance).sum(), rel=0, abs=1e-11 * terms + 1e-99)
    offset = np.float32(origin)
    shifted = ranked.shift(start, end, offset)
    assert [shifted.value(rank) for rank in range(0, len(part), 97)] == list((part - offset)[::97])
    assert shifted.largest == (part - offset)[-1]
    assert shifted.below(0.25) == np.searchsorted(part - offset, np.float32(0.25))


def test_nan_shows_in_what_is_smallest():
    image = np.random.default_rng(1).normal(5, 1, 9000).astype(np.float32)
    image[777] = np.nan
    ranked = Ranked(image, np.ones(9000, np.bool_), np.empty_like(image))
    assert np.isnan(ranked.smallest)

"""Viewports, and pixels pooled to what a canvas can show."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from upramp.errors import UsageError
from upramp_widgets.core.render import LARGEST_TILE, Viewport, Window, as_source, pooled

SHAPES = st.tuples(st.integers(1, 23), st.integers(1, 23))
FACTORS = st.integers(1, 9)
VALUES = st.floats(-1e6, 1e6, width=32) | st.sampled_from([math.nan, math.inf, -math.inf])


def cells_of(pixels, factor):
    """The pixels of each cell, one cell after the other, by plain loops."""
    ny, nx = pixels.shape
    for y in range(0, ny, factor):
        for x in range(0, nx, factor):
            yield y // factor, x // factor, pixels[y : y + factor, x : x + factor]


@given(SHAPES.flatmap(lambda s: hnp.arrays(np.float32, s, elements=VALUES)), FACTORS)
def test_a_mean_is_of_what_is_finite(pixels, factor):
    found = pooled(pixels, factor, "mean")
    assert found.dtype == np.float32
    for y, x, cell in cells_of(pixels, factor):
        good = cell[np.isfinite(cell)].astype(np.float64)
        if factor == 1:
            np.testing.assert_equal(found[y, x], cell[0, 0])
        elif not good.size:
            assert np.isnan(found[y, x])
        else:
            # Half of the least float32 there is rounds to nought.
            near = 1e-5 * abs(good).max() + np.finfo(np.float32).tiny
            assert found[y, x] == pytest.approx(good.mean(), rel=1e-5, abs=near)


@given(SHAPES.flatmap(lambda s: hnp.arrays(np.float32, s, elements=VALUES)), FACTORS)
def test_the_largest_significance_of_a_cell_is_kept(pixels, factor):
    found = pooled(pixels, factor, "max")
    for y, x, cell in cells_of(pixels, factor):
        good = cell[~np.isnan(cell)]
        if good.size:
            assert found[y, x] == good.max()  # of the two zeros, either
        else:
            assert np.isnan(found[y, x])


@given(
    st.sampled_from(["u1", "u2", "u4", "i4", ">u4", "?"]).flatmap(
        lambda kind: SHAPES.flatmap(lambda s: hnp.arrays(np.dtype(kind), s))
    ),
    FACTORS,
)
def test_no_flag_of_a_cell_is_lost(flags, factor):
    found = pooled(flags, factor, "or")
    for y, x, cell in cells_of(flags, factor):
        expected = 0
        for value in cell.ravel():
            expected |= int(value) & 0xFFFFFFFF
        assert int(found[y, x]) == expected


def test_one_flagged_pixel_of_a_detector_is_seen_in_the_whole():
    for side, at in ((2048, (2047, 1023)), (4096, (0, 4095))):
        flags = np.zeros((side, side), np.uint8)
        flags[at] = 4
        view = Viewport.whole(flags.shape, 700, 700)
        window, factor = view.window(flags.shape, view.factor("or"))
        found = as_source(flags).pooled(window, factor, "or")
        assert found.shape == (math.ceil(side / factor),) * 2
        assert found.shape[0] <= 700
        assert np.argwhere(found).tolist() == [[at[0] // factor, at[1] // factor]]


@pytest.mark.parametrize("how", ["mean", "max", "or"])
def test_the_caller_s_array_is_never_changed(how):
    pixels = np.arange(49, dtype=np.uint16 if how == "or" else np.float32).reshape(7, 7)
    before = pixels.copy()
    pixels.flags.writeable = False
    for factor in (1, 2, 3, 7, 12):
        pooled(pixels, factor, how)
    np.testing.assert_array_equal(pixels, before)


@pytest.mark.parametrize("kind", ["<f4", ">f4", ">f8", ">u2", ">i2", "i8", "?", "f2"])
def test_all_kinds_of_numbers_are_read(kind):
    pixels = (np.arange(36).reshape(6, 6) % 2).astype(kind)
    found = as_source(pixels).pooled(Window(0, 6, 0, 6), 2, "mean")
    np.testing.assert_array_equal(found, np.full((3, 3), 0.5, np.float32))


def test_values_beyond_a_float32_give_no_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = pooled(np.array([[1e300, 1.0], [3e38, 3e38]]), 2, "mean")
    assert np.isfinite(found).all()


@given(
    st.tuples(st.integers(1, 5000), st.integers(1, 5000)),
    st.floats(-9000, 9000),
    st.floats(-9000, 9000),
    st.floats(1e-3, 9000),
    st.integers(1, 2000),
    st.integers(1, 2000),
)
def test_a_window_holds_all_that_is_seen_in_whole_cells(shape, x, y, half, width, height):
    view = Viewport((x - half, x + half), (y - half, y + half), width, height)
    window, factor = view.window(shape, view.factor("mean"))
    ny, nx = shape
    assert 0 <= window.x0 < window.x1 <= nx
    assert 0 <= window.y0 < window.y1 <= ny
    assert window.x0 % factor == window.y0 % factor == 0
    for low, high, limits, size in (
        (window.x0, window.x1, view.xlim, nx),
        (window.y0, window.y1, view.ylim, ny),
    ):
        first, last = max(0, round(limits[0])), min(size - 1, round(limits[1]))
        if first <= last:
            assert low <= first
            assert last < high
    across = math.ceil((window.x1 - window.x0) / factor)
    assert across * math.ceil((window.y1 - window.y0) / factor) <= LARGEST_TILE


@given(st.integers(1, 4096), st.integers(1, 4096), st.integers(1, 3000), st.integers(1, 3000))
def test_a_cell_of_flags_is_never_smaller_than_a_dot(ny, nx, width, height):
    view = Viewport.whole((ny, nx), width, height)
    dots = view.factor("or") / view.pixels_per_dot
    assert dots >= 0.98
    assert view.factor("mean") <= view.factor("or")


def test_a_pixel_falls_into_the_same_cell_wherever_the_window_begins():
    rng = np.random.default_rng(0)
    source = as_source(rng.normal(size=(300, 300)))
    whole = source.pooled(Window(0, 300, 0, 300), 4, "mean")
    view = Viewport((83.2, 171.9), (41.7, 130.4), 22, 22)
    window, factor = view.window(source.shape, view.factor("mean"))
    assert factor == 4
    part = source.pooled(window, factor, "mean")
    rows = slice(window.y0 // 4, window.y0 // 4 + part.shape[0])
    columns = slice(window.x0 // 4, window.x0 // 4 + part.shape[1])
    np.testing.assert_array_equal(part, whole[rows, columns])


@pytest.mark.parametrize(
    ("xlim", "width"),
    [
        ((0, math.nan), 9),
        ((0, math.inf), 9),
        ((5, 5), 9),
        ((6, 5), 9),
        ((0, 5), 0),
        ((0, 5), 10**9),
    ],
)
def test_a_viewport_that_cannot_be_is_refused(xlim, width):
    with pytest.raises(UsageError):
        Viewport(xlim, (0, 5), width, 9)


@pytest.mark.parametrize(
    "plane",
    [np.zeros(5), np.zeros((2, 3, 4)), np.zeros((0, 5)), np.zeros((2, 2), complex), "image", None],
)
def test_what_is_no_image_is_refused(plane):
    with pytest.raises(UsageError):
        as_source(plane)


def test_a_callable_is_read_by_slices_and_held_to_them():
    cube = np.arange(2 * 8 * 9.0).reshape(2, 8, 9)
    difference = as_source(lambda rows, cols: cube[1][rows, cols] - cube[0][rows, cols], (8, 9))
    assert difference.varies
    np.testing.assert_array_equal(difference.pooled(Window(2, 6, 0, 8), 2, "mean"), 72.0)
    assert difference.value(3, 5) == 72
    with pytest.raises(UsageError, match=r"shape \(8, 9\) for one of \(1, 1\)"):
        as_source(lambda rows, cols: cube[0], (8, 9)).value(0, 0)
    with pytest.raises(UsageError, match="shape is not said"):
        as_source(lambda rows, cols: cube[0])


def test_a_sample_comes_from_all_over():
    y, x = np.mgrid[:2048, :2048]
    sample = as_source(x + 10_000.0 * y).sample()
    assert 30_000 < sample.size < 60_000
    assert np.ptp(sample % 10_000) > 2000
    assert np.ptp(sample // 10_000) > 2000
    assert as_source(np.ones((1, 1))).sample().tolist() == [1.0]

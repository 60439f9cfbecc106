"""Comparison of arrays as stored, against plain numpy on the values."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from upramp.stages import _compare_arrays
from upramp.stages._compare_arrays import compare_arrays
from upramp.stages._stored_array import StoredArray

FLOATS = [np.dtype(">f4"), np.dtype(">f8")]
INTEGERS = [np.dtype(name) for name in ("u1", ">i2", ">i4", ">i8")]


def stored(values, **scaling):
    return StoredArray(values.reshape(-1), values.shape, **scaling)


@st.composite
def two_arrays(draw, dtypes):
    dtype = draw(st.sampled_from(dtypes))
    shape = draw(npst.array_shapes(min_dims=1, max_dims=4, min_side=0, max_side=5))
    if dtype.kind == "f":
        some = st.sampled_from([0.0, -0.0, 1.0, -1.5, math.nan, math.inf, -math.inf])
        elements = some | st.floats(width=8 * dtype.itemsize)
    else:
        elements = npst.from_dtype(dtype)
    a = draw(npst.arrays(dtype, shape, elements=elements))
    b = draw(npst.arrays(dtype, shape, elements=elements))
    return a, np.where(draw(npst.arrays(bool, shape)), a, b).astype(dtype)


@given(two_arrays(FLOATS), st.integers(1, 7))
@settings(max_examples=200)
def test_floats_are_counted_as_numpy_sees_them(arrays, piece):
    a, b = arrays
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_compare_arrays, "_PIECE", piece)
        found = compare_arrays("SCI", stored(a), stored(b))
    nan_a, nan_b = np.isnan(a), np.isnan(b)
    both = ~nan_a & ~nan_b
    signs = both & (a == b) & (np.signbit(a) != np.signbit(b))
    unequal = (nan_a != nan_b) | (both & (a != b)) | signs
    assert found.total == a.size
    assert found.differing == unequal.sum()
    assert found.nan_only_a == (nan_a & ~nan_b).sum()
    assert found.nan_only_b == (nan_b & ~nan_a).sum()
    assert found.sign_of_zero == signs.sum()
    assert sum(found.ulp_histogram.values()) == (both & (a != b)).sum()
    assert found.identical == (not unequal.any())
    if unequal.any():
        assert found.first.index == tuple(np.argwhere(unequal)[0].tolist())
    else:
        assert found.first is None
    if (both & (a != b)).any():
        with np.errstate(invalid="ignore", over="ignore"):
            apart = np.abs(a.astype("f8") - b.astype("f8"))[both & (a != b)]
        assert found.largest_absolute.size == apart.max()


@given(two_arrays(INTEGERS), st.sampled_from(["as stored", "other sign"]))
def test_integers_are_measured_exactly(arrays, meaning):
    a, b = arrays
    half = 2.0 ** (8 * a.dtype.itemsize - 1)
    zero = 0.0 if meaning == "as stored" else -half if a.dtype.kind == "u" else half
    found = compare_arrays("SCI", stored(a, zero=zero), stored(b, zero=zero))
    apart = [abs(x - y) for x, y in zip(a.ravel().tolist(), b.ravel().tolist(), strict=True)]
    assert found.differing == sum(value > 0 for value in apart)
    assert found.ulp_histogram is None
    if found.differing:
        assert found.largest_absolute.size == max(apart)
        first = next(at for at, value in enumerate(apart) if value)
        assert found.first.a == a.ravel().tolist()[first] + int(zero)


@given(npst.arrays(np.uint32, 20), npst.arrays(np.uint32, 20), st.integers(1, 30))
def test_confusion_of_every_bit_against_counting(a, b, piece):
    raw_a, raw_b = (
        (values ^ np.uint32(1 << 31)).view(np.int32).astype(">i4") for values in (a, b)
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_compare_arrays, "_PIECE", piece)
        found = compare_arrays("DQ", *(stored(raw, zero=2.0**31) for raw in (raw_a, raw_b)))
    by_bit = {bit.bit: bit for bit in found.bits}
    for number in range(32):
        in_a, in_b = (a >> number) & 1 == 1, (b >> number) & 1 == 1
        if not (in_a | in_b).any():
            assert 1 << number not in by_bit
            continue
        bit = by_bit[1 << number]
        assert bit.both == (in_a & in_b).sum()
        assert bit.only_a == (in_a & ~in_b).sum()
        assert bit.only_b == (in_b & ~in_a).sum()
        assert bit.neither == (~in_a & ~in_b).sum()


def test_all_nan_are_one_value():
    payloads = np.array([0x7FC00000, 0xFFC00000, 0x7F800001, 0x7FFFFFFF], dtype=">u4")
    found = compare_arrays("SCI", stored(payloads.view(">f4")), stored(payloads[::-1].view(">f4")))
    assert found.identical


def test_unequal_types_are_different_even_with_equal_values():
    values = np.arange(5)
    found = compare_arrays("SCI", stored(values.astype(">f4")), stored(values.astype(">f8")))
    assert (found.dtype_a, found.dtype_b) == ("float32", "float64")
    assert found.differing == 0
    assert found.ulp_histogram is None
    assert not found.identical


def test_values_of_unequal_storage_are_compared_as_values():
    a = stored(np.array([-32768, 0, 1], dtype=">i2"), zero=32768.0)
    b = stored(np.array([0, 32768, 32770], dtype=">i4"))
    found = compare_arrays("SCI", a, b)
    assert (found.dtype_a, found.dtype_b) == ("uint16", "int32")
    assert found.differing == 1
    assert found.largest_absolute.size == 1
    assert found.first.index == (2,)


def test_scaled_integers_with_blank_are_floats():
    a = stored(np.array([1, 2, -1], dtype=">i2"), scale=0.5, zero=10.0, blank=-1)
    b = stored(np.array([1, 3, 7], dtype=">i2"), scale=0.5, zero=10.0, blank=-1)
    found = compare_arrays("SCI", a, b)
    assert found.dtype_a == "float64"
    assert found.nan_only_a == 1
    assert found.largest_absolute.size == 0.5


def test_shapes_that_differ_are_not_compared():
    found = compare_arrays("ERR", stored(np.zeros((2, 3), ">f4")), stored(np.zeros((3, 2), ">f4")))
    assert not found.identical
    assert found.total == 0

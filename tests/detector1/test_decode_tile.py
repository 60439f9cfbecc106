"""Stored counts to float32."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.io import fits

from upramp.detector1.decode import decode_tile


@pytest.fixture
def written(tmp_path):
    """Every count there is, and the bytes that astropy wrote for them."""
    counts = np.arange(65536, dtype=np.uint16).reshape(2, 4, 64, 128)
    path = tmp_path / "counts.fits"
    fits.PrimaryHDU(counts).writeto(path)
    with fits.open(path) as hdus:
        start = hdus.fileinfo(0)["datLoc"]
    stored = np.fromfile(path, np.uint16, counts.size, offset=start).reshape(counts.shape)
    return counts, stored


def test_every_count_is_read_as_it_was_written(written):
    counts, stored = written
    stored.flags.writeable = False
    ramp = np.full(counts.shape, np.nan, np.float32)
    decode_tile(stored, ramp)
    np.testing.assert_array_equal(ramp, counts)


@pytest.mark.parametrize("factor", [4 / 3, 0.8, 8 / 7, 1.0])
def test_scaling_rounds_as_numpy_does_in_place(written, factor):
    counts, stored = written
    expected = counts.astype(np.float32)
    expected *= factor
    ramp = np.empty(counts.shape, np.float32)
    decode_tile(stored, ramp, factor)
    np.testing.assert_array_equal(ramp.view(np.uint32), expected.view(np.uint32))


@pytest.mark.parametrize("shape", [(1, 1, 1, 1), (1, 3, 1, 7), (2, 2, 5, 1)])
def test_odd_shapes_decode(shape):
    counts = np.random.default_rng(0).integers(0, 65536, shape, dtype=np.uint16)
    ramp = np.empty(shape, np.float32)
    decode_tile((counts ^ np.uint16(0x8000)).byteswap(), ramp)
    np.testing.assert_array_equal(ramp, counts)


def test_arrays_of_different_shape_are_refused():
    with pytest.raises(ValueError, match="stored numbers are"):
        decode_tile(np.zeros((1, 1, 2, 2), np.uint16), np.zeros((1, 1, 2, 3), np.float32))

"""The fast way through a ramp gives the numbers of the slow one."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from astropy.io import fits
from exposure_files import counts, level1b_hdus, write_level1b
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from upramp.errors import InputError, UsageError
from upramp.exposure import open_exposure

FEW = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@FEW
@given(
    shape=st.tuples(
        st.integers(1, 3),
        st.integers(1, 4),
        st.sampled_from([1, 5, 13, 64, 131]),
        st.integers(1, 9),
    ),
    rows=st.integers(1, 20),
    dtype=st.sampled_from([np.float32, np.uint16]),
    reuse=st.booleans(),
)
def test_tiles_put_together_are_the_ramp(tmp_path, shape, rows, dtype, reuse):
    data = counts(shape)
    exposure = open_exposure(write_level1b(tmp_path / "x_uncal.fits", data))
    whole = np.full(shape, 7, dtype)
    visits = np.zeros((shape[0], shape[2]), int)
    for part, integration, tile in exposure.tiles(rows, dtype, reuse=reuse):
        assert tile.dtype == dtype
        assert tile.shape == (shape[1], part.stop - part.start, shape[3])
        whole[integration][:, part] = tile
        visits[integration, part] += 1
    np.testing.assert_array_equal(whole, data)
    assert (visits == 1).all()
    for integration, group in np.ndindex(shape[:2]):
        image = exposure.read_group(integration, group, dtype=dtype)
        assert image.dtype == dtype
        np.testing.assert_array_equal(image, data[integration, group])


@FEW
@given(data=st.data())
def test_rows_of_float_ramps(tmp_path, data):
    ny = data.draw(st.integers(1, 9))
    start = data.draw(st.integers(0, ny - 1))
    stop = data.draw(st.integers(start + 1, ny))
    ramp = np.random.default_rng(5).normal(size=(2, 3, ny, 4)).astype(np.float32)
    path = tmp_path / "x_ramp.fits"
    level1b_hdus(ramp, DATAMODL="RampModel").writeto(path, overwrite=True)
    exposure = open_exposure(path)
    out = np.empty((3, stop - start, 4), np.float32)
    found = exposure.read_rows(1, slice(start, stop), out)
    assert found is out
    np.testing.assert_array_equal(out, ramp[1, :, start:stop])


@pytest.mark.parametrize("bzero", [0, 1000])
def test_other_ways_to_store_numbers(tmp_path, bzero):
    values = np.arange(2 * 3 * 4 * 5, dtype=np.int32).reshape(2, 3, 4, 5)
    hdus = level1b_hdus(values, DATAMODL="Level1bModel")
    hdus["SCI"].header["BZERO"] = bzero
    path = tmp_path / "x_uncal.fits"
    hdus.writeto(path)
    found = np.stack([tile for *_, tile in open_exposure(path).tiles(99)])
    np.testing.assert_array_equal(found, fits.getdata(path, "SCI").astype(np.float32))


def test_tiles_that_are_kept_do_not_change(tmp_path):
    data = counts((2, 2, 5, 3))
    exposure = open_exposure(write_level1b(tmp_path / "x_uncal.fits", data))
    kept = [(part, integration, tile) for part, integration, tile in exposure.tiles(2)]
    for part, integration, tile in kept:
        np.testing.assert_array_equal(tile, data[integration][:, part])


def test_memory_is_that_of_a_tile(tmp_path):
    data = np.zeros((1, 10, 512, 512), np.uint16)
    exposure = open_exposure(write_level1b(tmp_path / "x_uncal.fits", data))
    tile = 10 * 16 * 512 * 4
    tracemalloc.start()
    for _ in exposure.tiles(16, reuse=True):
        pass
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1.5 * tile
    assert exposure.source._map is None


def test_a_file_that_shrinks_while_it_is_read_is_told(tmp_path):
    path = write_level1b(tmp_path / "x_uncal.fits", np.zeros((1, 4, 64, 64), np.uint16))
    exposure = open_exposure(path)
    with path.open("r+b") as file:
        file.truncate(10_000)
    with pytest.raises(InputError, match="became shorter"):
        list(exposure.tiles())


def test_what_does_not_fit_is_told(tmp_path, raw):
    exposure = open_exposure(raw)
    wrong = [
        lambda: list(exposure.tiles(0)),
        lambda: list(exposure.tiles(dtype=np.float64)),
        lambda: list(exposure.tiles(dtype=">f4")),
        lambda: exposure.read_rows(2, slice(0, 1)),
        lambda: exposure.read_rows(-1, slice(0, 1)),
        lambda: exposure.read_rows(0, slice(3, 3)),
        lambda: exposure.read_group(2, 0),
        lambda: exposure.read_group(0, -1),
        lambda: exposure.read_rows(0, slice(0, 6, 2)),
        lambda: exposure.read_rows(0, slice(0, 2), np.empty((3, 2, 7), np.float32)),
        lambda: exposure.read_rows(0, slice(0, 2), np.empty((8, 2, 3), np.float32).T),
    ]
    for call in wrong:
        with pytest.raises(UsageError):
            call()
    path = tmp_path / "x_rate.fits"
    level1b_hdus(np.zeros((4, 4), np.float32), DATAMODL="ImageModel").writeto(path)
    with pytest.raises(InputError, match="not a ramp"):
        list(open_exposure(path).tiles())


def test_float_ramps_are_not_cut_to_integers(tmp_path):
    path = tmp_path / "x_ramp.fits"
    level1b_hdus(np.zeros((1, 2, 4, 4), np.float32), DATAMODL="RampModel").writeto(path)
    with pytest.raises(UsageError, match="does not hold uint16"):
        list(open_exposure(path).tiles(dtype=np.uint16))

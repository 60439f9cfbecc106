"""Arrays: right, lazy, and not copied where they need not be."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import tracemalloc

import numpy as np
import pytest
from astropy.io import fits
from exposure_files import counts, write_level1b

from upramp.errors import InputError
from upramp.exposure import open_exposure


@pytest.fixture
def many(tmp_path):
    """One array of every type there is in FITS, with and without an offset."""
    rng = np.random.default_rng(3)
    arrays = {
        "F4": rng.normal(size=(3, 4)).astype(np.float32),
        "F8": rng.normal(size=(3, 4)),
        "U1": rng.integers(0, 256, (3, 4), dtype=np.uint8),
        "I2": rng.integers(-32768, 32768, (3, 4), dtype=np.int16),
        "U2": counts((3, 4)),
        "I4": rng.integers(-(2**31), 2**31, (3, 4), dtype=np.int32),
        "U4": rng.integers(0, 2**32, (3, 4), dtype=np.uint32),
        "I8": rng.integers(-(2**63), 2**63 - 1, (3, 4), dtype=np.int64),
        "U8": rng.integers(0, 2**64 - 1, (3, 4), dtype=np.uint64),
    }
    path = tmp_path / "many.fits"
    hdus = [fits.ImageHDU(array, name=name) for name, array in arrays.items()]
    fits.HDUList([fits.PrimaryHDU(), *hdus]).writeto(path)
    return path, arrays


def test_every_type_reads_as_it_was_written(many):
    path, arrays = many
    exposure = open_exposure(path)
    for name, array in arrays.items():
        np.testing.assert_array_equal(exposure[name], array)
        if array.dtype.kind == "u" and name != "U1":
            assert exposure[name].dtype == array.dtype


def test_scaled_integers_read_as_astropy_reads_them(tmp_path):
    path = tmp_path / "scaled.fits"
    hdu = fits.ImageHDU(np.arange(-6, 6, dtype=np.int16).reshape(3, 4), name="X")
    hdu.header["BLANK"] = -3
    hdu.header["BSCALE"], hdu.header["BZERO"] = 0.5, 10
    fits.HDUList([fits.PrimaryHDU(), hdu]).writeto(path)
    expected = fits.getdata(path, "X")
    assert np.isnan(expected).sum() == 1
    np.testing.assert_array_equal(open_exposure(path)["X"], expected)


def test_stored_floats_are_views_of_the_file(many):
    exposure = open_exposure(many[0])
    first, second = exposure["F4"], exposure.hdu("F4")
    mapped = np.frombuffer(exposure.source.mapped(), np.uint8)
    assert np.shares_memory(first, mapped)
    assert not np.shares_memory(exposure["U4"], mapped)
    assert second.offset % 2880 == 0


def test_arrays_are_read_only(many):
    exposure = open_exposure(many[0])
    for name in exposure.arrays:
        with pytest.raises(ValueError, match="read-only"):
            exposure[name][0, 0] = 1


def test_opening_reads_headers_only(tmp_path, monkeypatch):
    path = write_level1b(tmp_path / "big_uncal.fits", np.zeros((1, 4, 512, 512), np.uint16))
    read = []
    pread = os.pread

    def counting(descriptor, count, offset):
        read.append(count)
        return pread(descriptor, count, offset)

    monkeypatch.setattr(os, "pread", counting)
    exposure = open_exposure(path)
    assert sum(read) < 20_000
    assert exposure.source._map is None
    assert exposure.shape == (1, 4, 512, 512)
    assert exposure.source._map is None


def test_a_mapped_array_takes_no_memory_of_its_own(tmp_path):
    path = tmp_path / "rate.fits"
    big = fits.ImageHDU(np.ones((1024, 1024), np.float32), name="SCI")
    fits.HDUList([fits.PrimaryHDU(), big]).writeto(path)
    exposure = open_exposure(path)
    tracemalloc.start()
    assert exposure.data[5, 7] == 1
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 200_000


def test_a_decoded_array_is_decoded_once_while_it_is_held(tmp_path):
    exposure = open_exposure(write_level1b(tmp_path / "x_uncal.fits"))
    held = exposure.data
    assert exposure.data is held
    was = id(held)
    del held
    gc.collect()
    assert was not in {id(array) for array in exposure._alive.values()}


def test_an_array_that_is_not_there_is_named(tmp_path):
    exposure = open_exposure(write_level1b(tmp_path / "x_uncal.fits"))
    for get in ("err", "dq", "groupdq", "pixeldq", "refout", "zeroframe"):
        with pytest.raises(InputError, match=f"has no array {get.upper()}; it holds SCI"):
            getattr(exposure, get)


def test_versions_of_an_extension(tmp_path):
    path = tmp_path / "slits.fits"
    hdus = [fits.ImageHDU(np.full((2, 2), n, np.float32), name="SCI", ver=n) for n in (1, 2, 3)]
    fits.HDUList([fits.PrimaryHDU(), *hdus]).writeto(path)
    exposure = open_exposure(path)
    assert exposure.arrays == ("SCI", "SCI,2", "SCI,3")
    assert [exposure[key][0, 0] for key in ("SCI", ("SCI", 2), "sci,3", 2)] == [1, 2, 3, 2]


def test_tables(tmp_path):
    rows = np.array([(1, 2.5, "a"), (2, 3.5, "b")], [("n", "u2"), ("t", "f8"), ("s", "U4")])
    table = fits.BinTableHDU(rows, name="GROUP")
    exposure = open_exposure(write_level1b(tmp_path / "x_uncal.fits", extra=[table]))
    assert exposure.tables == ("GROUP",)
    found = exposure["GROUP"]
    assert list(found["n"]) == [1, 2]
    assert list(found["s"]) == ["a", "b"]


@pytest.mark.parametrize("form", ["999999999D", "Q", "1PD(9)", "-3E"])
def test_damaged_columns_are_one_sentence(tmp_path, form):
    table = fits.BinTableHDU(np.zeros(3, [("a", "f4"), ("b", "f4")]), name="GROUP")
    path = write_level1b(tmp_path / "x_uncal.fits", extra=[table])
    content = path.read_bytes()
    old, new = b"TFORM1  = 'E       '".ljust(40), f"TFORM1  = '{form:<8}'".ljust(40).encode()
    assert old in content
    path.write_bytes(content.replace(old, new))
    tracemalloc.start()
    with pytest.raises(InputError, match="the columns of its table GROUP"):
        _ = open_exposure(path)["GROUP"]
    assert tracemalloc.get_traced_memory()[1] < 50e6
    tracemalloc.stop()


def test_a_count_of_columns_is_not_believed(tmp_path):
    table = fits.BinTableHDU(np.zeros(3, [("a", "f4")]), name="GROUP")
    path = write_level1b(tmp_path / "x_uncal.fits", extra=[table])
    content = path.read_bytes()
    old, new = f"TFIELDS = {1:20d}".encode(), f"TFIELDS = {33079023:20d}".encode()
    assert old in content
    path.write_bytes(content.replace(old, new))
    tracemalloc.start()
    with pytest.raises(InputError, match="the columns of its table GROUP are damaged"):
        _ = open_exposure(path)["GROUP"]
    assert tracemalloc.get_traced_memory()[1] < 5e6
    tracemalloc.stop()


def test_importing_and_opening_need_no_official_package(tmp_path):
    path = write_level1b(tmp_path / "x_uncal.fits")
    code = (
        "import sys, upramp; e = upramp.open(sys.argv[1]); e.require_calibratable();"
        "list(e.tiles());"
        "print([m for m in ('jwst', 'stcal', 'stdatamodels', 'crds', 'pysiaf', 'gwcs', 'numba')"
        " if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"

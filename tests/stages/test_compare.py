"""`compare` on files: what it finds, what it says, what it returns."""

from __future__ import annotations

import gzip
import json
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from compared_products import Product, array, equal_pair

import upramp
from upramp.errors import InputError, NotComparableError
from upramp.stages import compare

REAL = Path(__file__).parents[3] / "shared" / "data" / "real"


@pytest.fixture
def pair(tmp_path):
    """Give two equal products, and a function that writes and compares them."""
    return equal_pair(tmp_path)


def test_equal_products_are_identical(pair):
    _, _, run = pair
    found = run()
    assert found.identical
    assert found.exit_code == 0
    assert not found.metadata
    assert not found.volatile
    assert [part.name for part in found.arrays] == ["SCI", "ERR", "DQ", "VAR_RNOISE"]
    assert [part.name for part in found.tables] == ["INT_TIMES"]
    first = found.to_text().splitlines()[0]
    assert first == (
        "Identical rate: all arrays and tables (5) agree bit for bit; their metadata are the same."
    )


def test_one_step_of_one_value(pair):
    _, b, run = pair
    b.arrays["SCI"][3, 7] = np.nextafter(b.arrays["SCI"][3, 7], np.float32(np.inf))
    found = run()
    assert found.exit_code == 1
    sci = array(found, "SCI")
    assert (sci.differing, sci.total) == (1, 192)
    assert sci.ulp_histogram["1"] == 1
    assert sci.largest_ulp.index == (3, 7)
    assert "SCI: 1 of 192 values differ, by 1 ULP at (y, x) = (3, 7), " in found.to_text()
    assert found.to_text().startswith("Different rate: SCI differs (1 of 5 compared)")
    assert "Identical: ERR, DQ, VAR_RNOISE, INT_TIMES" in found.to_text()


def test_many_values_give_a_histogram_and_the_largest(pair):
    a, b, run = pair
    a.arrays["ERR"][0, :3] = 1
    b.arrays["ERR"][0, :3] = np.float32(1) + np.float32(2**-23) * np.array([1, 3, 9], np.float32)
    found = run()
    err = array(found, "ERR")
    assert {name: count for name, count in err.ulp_histogram.items() if count} == {
        "1": 1,
        "2-4": 1,
        "5-16": 1,
    }
    assert err.first.index == (0, 0)
    assert (err.largest_ulp.index, err.largest_ulp.size) == ((0, 2), 9)
    assert err.largest_absolute.size == pytest.approx(9 * 2**-23)
    assert "ERR: 3 of 192 values differ, first at (y, x) = (0, 0)" in found.to_text()
    assert "by distance in ULP: 1: 1, 2-4: 1, 5-16: 1" in found.to_text()


def test_a_flipped_dq_bit(pair):
    a, b, run = pair
    a.arrays["DQ"][:] = 4
    b.arrays["DQ"][:] = 4
    b.arrays["DQ"][11, 15] = 1
    found = run()
    assert found.exit_code == 1
    bits = {bit.name: bit for bit in array(found, "DQ").bits}
    assert set(bits) == {"DO_NOT_USE", "JUMP_DET"}
    jump = bits["JUMP_DET"]
    assert (jump.both, jump.only_a, jump.only_b, jump.neither) == (191, 1, 0, 0)
    assert "DQ: bit JUMP_DET differs in 1 pixel: 1 only in A, 0 only in B" in found.to_text()
    assert found.to_dict()["arrays"]["DQ"]["dq_bits"]["DO_NOT_USE"]["only_b"] == 1


def test_group_flags_are_told_by_their_names(pair):
    a, b, run = pair
    a.arrays["GROUPDQ"] = np.zeros((1, 3, 12, 16), np.uint8)
    b.arrays["GROUPDQ"] = a.arrays["GROUPDQ"].copy()
    b.arrays["GROUPDQ"][0, 2, 4, 5] = 2 + 128
    text = run().to_text()
    assert "(integration, group, y, x) = (0, 2, 4, 5), 0 against 130" in text
    assert "GROUPDQ: bit SATURATED differs in 1 value: 0 only in A, 1 only in B" in text
    assert "GROUPDQ: bit CHARGELOSS differs in 1 value" in text


def test_nan_on_one_side(pair):
    a, b, run = pair
    a.arrays["SCI"][1, 1] = b.arrays["SCI"][1, 1] = np.nan
    b.arrays["SCI"][2, 5] = np.nan
    found = run()
    sci = array(found, "SCI")
    assert (sci.differing, sci.nan_only_a, sci.nan_only_b) == (1, 0, 1)
    assert "differ, NaN only in B at (y, x) = (2, 5)" in found.to_text()
    assert found.exit_code == 1


def test_the_sign_of_a_zero(pair):
    _, b, run = pair
    b.arrays["VAR_RNOISE"][0, 1] = -0.0
    found = run()
    assert array(found, "VAR_RNOISE").sign_of_zero == 1
    assert "VAR_RNOISE: 1 of 192 values differ, in the sign of zero at" in found.to_text()
    assert found.exit_code == 1


def test_a_missing_extension(pair):
    _, b, run = pair
    del b.arrays["VAR_RNOISE"]
    b.arrays["VAR_FLAT"] = np.zeros((2, 2), np.float32)
    found = run()
    assert (found.only_in_a, found.only_in_b) == (("VAR_RNOISE",), ("VAR_FLAT",))
    assert found.exit_code == 1
    assert "VAR_RNOISE: only in A" in found.to_text()
    assert "VAR_FLAT: only in B" in found.to_text()


def test_a_changed_table_cell(pair):
    _, b, run = pair
    b.times["int_mid_MJD_UTC"][1] = np.nextafter(59000.5, 0)
    b.times["note"][0] = b"zz"
    found = run()
    assert found.exit_code == 1
    (table,) = found.tables
    columns = {column.name: column for column in table.columns}
    assert columns["integration_number"].identical
    assert columns["int_mid_MJD_UTC"].largest_ulp.size == 1
    assert columns["note"].first.b == "zz"
    text = found.to_text()
    assert "INT_TIMES column int_mid_MJD_UTC: 1 of 2 values differ, by 1 ULP at row 1" in text
    assert "INT_TIMES column note: 1 of 2 values differ, at row 0, ab against zz" in text


def test_times_and_names_of_a_mosaics_exposures_are_no_measurements(tmp_path):
    files = []
    for name, date, gain in (("a", b"2025", 1.0), ("b", b"2026", 1.0), ("c", b"2027", 2.0)):
        rows = np.array([(date, gain)], dtype=[("DATE", "S4"), ("EFFEXPTM", "f8")])
        files.append(tmp_path / f"{name}_i2d.fits")
        fits.HDUList([fits.PrimaryHDU(), fits.BinTableHDU(rows, name="HDRTAB")]).writeto(files[-1])
    found = compare(*files[:2])
    assert found.exit_code == 0
    ((where, key, a, b),) = [(one.where, one.key, one.a, one.b) for one in found.volatile]
    assert (where, key, a, b) == ("HDRTAB", "DATE", "2025", "2026")
    found = compare(files[0], files[2])
    assert found.exit_code == 1
    assert "HDRTAB column EFFEXPTM: " in found.to_text()


def test_rows_and_columns_of_tables(pair):
    _, b, run = pair
    b.times = np.zeros(3, dtype=[("integration_number", "i4"), ("other", "f4")])
    found = run()
    assert found.exit_code == 1
    text = found.to_text()
    assert "INT_TIMES: 2 rows against 3" in text
    assert "INT_TIMES: column note only in A" in text
    assert "INT_TIMES: column other only in B" in text


def test_every_kind_of_column(tmp_path):
    def write(name, ragged_tail):
        ragged = np.empty(2, dtype=object)
        ragged[:] = [np.arange(3.0), np.array([5.0, ragged_tail])]
        columns = [
            fits.Column("ragged", "PD()", array=ragged),
            fits.Column("unsigned", "J", bzero=2**31, array=np.array([7, 2**31 + 3], "u4")),
            fits.Column("flag", "L", array=[True, ragged_tail == 6]),
            fits.Column("complex", "C", array=np.array([1 + 2j, complex(3, ragged_tail)], "c8")),
            fits.Column("vector", "3E", array=np.array([[1, 2, 3], [4, 5, ragged_tail]], "f4")),
        ]
        fits.HDUList(
            [fits.PrimaryHDU(), fits.BinTableHDU.from_columns(columns, name="T")]
        ).writeto(tmp_path / name)
        return tmp_path / name

    same = compare(write("a.fits", 6), write("b.fits", 6))
    assert same.identical
    found = compare(tmp_path / "a.fits", write("c.fits", 7))
    columns = {column.name: column for column in found.tables[0].columns}
    assert columns["unsigned"].identical
    assert columns["unsigned"].dtype_a == "uint32"
    for name, index in {
        "ragged": (1,),
        "flag": (1,),
        "complex": (1, 1),
        "vector": (1, 2),
    }.items():
        assert columns[name].differing == 1, name
        assert columns[name].first.index == index
    assert (columns["flag"].first.a, columns["flag"].first.b) == ("T", "F")


@pytest.mark.parametrize("dtype", ["u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f4", "f8"])
@pytest.mark.parametrize("shape", [(5,), (3, 4), (2, 3, 4), (2, 1, 5, 3), (0, 4)])
def test_types_and_shapes(pair, dtype, shape):
    a, b, run = pair
    top = np.iinfo(dtype).max if dtype[0] in "iu" else 7
    a.arrays["EXTRA"] = np.full(shape, top, dtype)
    b.arrays["EXTRA"] = a.arrays["EXTRA"].copy()
    if a.arrays["EXTRA"].size:
        b.arrays["EXTRA"].flat[-1] -= 1
    found = run()
    if not a.arrays["EXTRA"].size:
        assert found.identical
        assert array(found, "EXTRA").total == 0
        return
    extra = array(found, "EXTRA")
    assert extra.dtype_a == np.dtype(dtype).name
    assert extra.first.index == tuple(length - 1 for length in shape)
    assert (extra.first.a, extra.first.b) == (top, top - 1)
    assert extra.largest_absolute.size == 1
    assert found.exit_code == 1


def test_shape_or_type_of_an_array_that_is_not_the_science(pair):
    _, b, run = pair
    b.arrays["ERR"] = b.arrays["ERR"][:5]
    b.arrays["VAR_RNOISE"] = b.arrays["VAR_RNOISE"].astype(np.float64)
    found = run()
    assert found.exit_code == 1
    assert "ERR: shape (12, 16) against (5, 16)" in found.to_text()
    assert "VAR_RNOISE: type float32 against float64" in found.to_text()


def test_extensions_of_one_name_are_matched_by_version(tmp_path):
    def write(name, values):
        hdus = [fits.ImageHDU(np.full(3, value), name="SCI", ver=n) for n, value in values]
        fits.HDUList([fits.PrimaryHDU(), *hdus]).writeto(tmp_path / name)
        return tmp_path / name

    found = compare(
        write("a.fits", [(1, 5.0), (2, 6.0), (3, 7.0)]), write("b.fits", [(2, 6.5), (1, 5.0)])
    )
    assert [part.name for part in found.arrays if not part.identical] == ["SCI,2"]
    assert found.only_in_a == ("SCI,3",)


def test_gzip_under_any_name(pair, tmp_path):
    _, _, run = pair
    run()
    packed = tmp_path / "packed_rate.fits"
    packed.write_bytes(gzip.compress((tmp_path / "b.fits").read_bytes()))
    assert compare(tmp_path / "a.fits", packed).exit_code == 0
    packed.write_bytes(packed.read_bytes()[:-200])
    with pytest.raises(InputError, match="cut short"):
        compare(tmp_path / "a.fits", packed)


@pytest.mark.parametrize(
    ("keyword", "value"), [("DATAMODL", "CubeModel"), ("FILENAME", "jw01_rateints.fits")]
)
def test_products_of_different_kinds_are_not_comparable(pair, keyword, value):
    _, b, run = pair
    b.keywords[keyword] = value
    with pytest.raises(NotComparableError, match="give two products of one kind") as caught:
        run()
    assert caught.value.exit_code == 2


def test_the_name_of_the_file_tells_where_the_header_does_not(tmp_path):
    a, b = Product(), Product()
    for product in (a, b):
        del product.keywords["FILENAME"]
    with pytest.raises(NotComparableError, match="a cal product"):
        compare(a.write(tmp_path / "x_rate.fits"), b.write(tmp_path / "x_cal.fits.gz"))


def test_science_arrays_of_different_shapes_are_not_comparable(pair):
    _, b, run = pair
    b.arrays["SCI"] = b.arrays["SCI"][:-1]
    with pytest.raises(NotComparableError, match=r"shape \(11, 16\) and that of .* \(12, 16\)"):
        run()


@pytest.mark.parametrize(
    "content", [b"", b"hello", b"\x89PNG\r\n\x1a\n", b"#ASDF 1.0.0\n", b"SIMPLE  =" + 9999 * b" "]
)
@pytest.mark.parametrize("first", [True, False])
def test_what_is_not_fits_is_one_sentence(pair, tmp_path, content, first):
    _, _, run = pair
    run()
    (tmp_path / "other.fits").write_bytes(content)
    names = ["other.fits", "a.fits"] if first else ["a.fits", "other.fits"]
    with pytest.raises(InputError) as caught:
        compare(*(tmp_path / name for name in names))
    assert str(tmp_path / "other.fits") in str(caught.value)
    assert caught.value.exit_code == 2


def test_no_such_file(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        compare(tmp_path / "none.fits", tmp_path / "none.fits")


def test_cut_anywhere_it_is_refused_or_known_as_different(pair, tmp_path):
    _, _, run = pair
    run()
    whole = (tmp_path / "b.fits").read_bytes()
    cut = tmp_path / "cut.fits"
    refused = 0
    for size in [*range(0, len(whole), 1440), len(whole) - 1]:
        cut.write_bytes(whole[:size])
        try:
            found = compare(tmp_path / "a.fits", cut)
        except InputError:
            refused += 1
        else:  # cut exactly between two extensions: the rest is missing
            assert size % 2880 == 0
            assert found.exit_code == 1
            assert found.only_in_a
    assert refused > 10


@pytest.mark.parametrize("noise", ["any bytes", "text"])
def test_bytes_damaged_anywhere_never_break_it(pair, tmp_path, noise):
    _, _, run = pair
    run()
    whole = bytearray((tmp_path / "b.fits").read_bytes())
    low, high = (0, 256) if noise == "any bytes" else (32, 127)
    random = np.random.default_rng(11)
    outcomes = {"compared": 0, "refused": 0}
    for _ in range(150):
        damaged = whole.copy()
        for place in random.integers(0, len(whole), 20):
            damaged[place] = random.integers(low, high)
        (tmp_path / "damaged.fits").write_bytes(damaged)
        try:
            found = compare(tmp_path / "a.fits", tmp_path / "damaged.fits")
            json.dumps(found.to_dict(), allow_nan=False)
            found.to_text()
            outcomes["compared"] += 1
        except InputError as error:
            outcomes["refused"] += "\n" not in str(error)
    assert sum(outcomes.values()) == 150
    assert outcomes["refused"]
    assert outcomes["compared"] or noise == "any bytes"


def test_json_is_strict_and_holds_everything(pair):
    a, b, run = pair
    b.arrays["SCI"][0, 0] = np.inf
    a.arrays["ERR"][0, 0] = np.nan
    a.tree["bad"] = float("nan")
    told = json.loads(json.dumps(run().to_dict(), allow_nan=False))
    assert told["identical"] is False
    assert told["exit_code"] == 1
    assert told["arrays"]["SCI"]["largest_absolute"]["size"] == "inf"
    assert told["arrays"]["SCI"]["first"]["index"] == [0, 0]
    assert told["arrays"]["ERR"]["first"]["a"] == "nan"
    assert told["arrays"]["VAR_RNOISE"]["identical"] is True
    assert told["tables"]["INT_TIMES"]["columns"]["note"]["identical"] is True
    assert told["metadata"] == [
        {"where": "ASDF", "key": "bad", "in_tree": True, "only_in": "a", "a": "nan"}
    ]


def test_memory_does_not_grow_with_the_files(tmp_path):
    ramp = np.zeros((2, 4, 1024, 1024), np.uint16)
    for name in ("a.fits", "b.fits"):
        fits.HDUList([fits.PrimaryHDU(), fits.ImageHDU(ramp, name="SCI")]).writeto(tmp_path / name)
        ramp[-1, -1, -1, -1] += 5
    del ramp
    tracemalloc.start()
    try:
        found = compare(tmp_path / "a.fits", tmp_path / "b.fits")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert array(found, "SCI").first.index == (1, 3, 1023, 1023)
    assert peak < 8 << 20, "an array of 16 MiB was copied"


def test_it_is_what_the_package_gives():
    assert upramp.compare is compare


@pytest.mark.skipif(not REAL.is_dir(), reason="the folder of real data is not here")
@pytest.mark.parametrize(
    "name", sorted(str(path.relative_to(REAL)) for path in REAL.rglob("*.fits"))
)
def test_real_products_are_identical_to_themselves(name):
    found = compare(REAL / name, REAL / name)
    assert found.identical
    assert not found.metadata


@pytest.mark.skipif(not REAL.is_dir(), reason="the folder of real data is not here")
def test_two_real_mosaics(tmp_path):
    first, second = sorted((REAL / "miri_i2d").glob("*.fits"))
    found = compare(first, second)
    assert found.kind == "i2d"
    assert array(found, "SCI").nan_only_a + array(found, "SCI").differing > 0
    keys = {part.key for part in found.metadata}
    assert {"TIME-OBS", "EXPOSURE"} <= keys
    assert any(key.startswith("meta.wcs") for key in keys)
    with pytest.raises(NotComparableError):
        compare(first, REAL / "fgs" / "add_wcs_default_acq1.fits")


@pytest.mark.peer
def test_products_of_the_official_writer(tmp_path):
    from stdatamodels.jwst import datamodels

    model = datamodels.ImageModel(np.ones((8, 8), np.float32))
    model.dq = np.zeros((8, 8), np.uint32)
    model.meta.exposure.group_time = 10.7
    model.meta.bunit_data = "DN/s"
    model.save(tmp_path / "a_rate.fits")
    model.dq[2, 3] = 4
    model.save(tmp_path / "b_rate.fits")
    found = compare(tmp_path / "a_rate.fits", tmp_path / "b_rate.fits")
    assert [part.name for part in found.arrays if not part.identical] == ["DQ"]
    assert not found.metadata
    assert {part.key for part in found.volatile} >= {"DATE", "FILENAME", "meta.filename"}

"""Parsed references: what is accepted, what is refused, and how subarrays are cut."""

import errno
import gzip

import numpy as np
import pytest
from astropy.io import fits

from upramp.errors import ReferenceFileError
from upramp.references import Subarray, Window, check_reference, load_reference


def _write(path, **arrays):
    hdus = [fits.PrimaryHDU()]
    hdus += [fits.ImageHDU(array, name=name) for name, array in arrays.items()]
    fits.HDUList(hdus).writeto(path)
    return path


@pytest.fixture
def gain(tmp_path):
    return _write(tmp_path / "gain.fits", SCI=np.arange(4096 * 4, dtype=">f8").reshape(64, 256))


def test_floats_become_native_float32_and_are_read_only(gain):
    reference = load_reference(gain, "GAIN")
    sci = reference.arrays["SCI"]
    assert sci.dtype == np.dtype("float32")
    assert sci.dtype.isnative
    assert sci[1, 2] == 258
    assert reference.nbytes == sci.nbytes
    with pytest.raises(ValueError, match="read-only"):
        sci[0, 0] = 1


def test_unsigned_and_tables_keep_their_values(tmp_path):
    dq = np.array([[0, 2**31], [7, 2**32 - 1]], np.uint32)
    table = fits.BinTableHDU.from_columns(
        [
            fits.Column("BIT", "J", array=[0, 1]),
            fits.Column("NAME", "20A", array=["DO_NOT_USE", "DEAD"]),
        ],
        name="DQ_DEF",
    )
    path = tmp_path / "mask.fits"
    fits.HDUList([fits.PrimaryHDU(), fits.ImageHDU(dq, name="DQ"), table]).writeto(path)
    reference = load_reference(path, "mask")
    assert reference.arrays["DQ"].dtype == np.dtype("uint32")
    np.testing.assert_array_equal(reference.arrays["DQ"], dq)
    assert list(reference.tables["DQ_DEF"]["NAME"]) == ["DO_NOT_USE", "DEAD"]
    check_reference(path, "mask")


def test_full_frame_serves_a_subarray_as_a_view(gain):
    reference = load_reference(gain, "gain")
    part = reference.cut("SCI", Subarray(xstart=11, ystart=3, xsize=5, ysize=4))
    assert np.shares_memory(part, reference.arrays["SCI"])
    np.testing.assert_array_equal(part, reference.arrays["SCI"][2:6, 10:15])


def test_subarray_reference_serves_a_smaller_one(tmp_path):
    path = tmp_path / "sub.fits"
    hdus = fits.HDUList(
        [fits.PrimaryHDU(), fits.ImageHDU(np.arange(12.0).reshape(3, 4), name="SCI")]
    )
    hdus[0].header.update(SUBSTRT1=101, SUBSTRT2=201, SUBSIZE1=4, SUBSIZE2=3)
    hdus.writeto(path)
    reference = load_reference(path, "gain")
    assert reference.cut("SCI", Subarray(102, 202, 2, 1)).tolist() == [[5.0, 6.0]]
    for outside in (Subarray(100, 201, 2, 2), Subarray(103, 201, 3, 1), Subarray(101, 203, 1, 2)):
        with pytest.raises(ReferenceFileError, match="do not cover"):
            reference.cut("SCI", outside)
    with pytest.raises(ReferenceFileError, match="no array DQ"):
        reference.cut("DQ", Subarray(101, 201, 1, 1))


BAD = {
    "missing": (lambda p: p.unlink(), "missing"),
    "empty": (lambda p: p.write_bytes(b""), "cannot be read"),
    "text": (lambda p: p.write_text("not a FITS file at all" * 500), "cannot be read"),
    "cut in the data": (lambda p: p.write_bytes(p.read_bytes()[:20000]), "cut short"),
    "cut in a header": (lambda p: p.write_bytes(p.read_bytes()[:4000]), ""),
    "cut after the primary": (lambda p: p.write_bytes(p.read_bytes()[:2880]), "no array SCI"),
    "cut gzip": (lambda p: p.write_bytes(gzip.compress(p.read_bytes())[:900]), ""),
    "all NaN": (lambda p: _again(p, np.full((4, 4), np.nan)), "nothing but NaN"),
    "wrong shape": (lambda p: _again(p, np.ones((2, 4, 4))), "3 dimensions instead of 2"),
    "empty array": (lambda p: _again(p, np.ones((0, 4))), "empty"),
}


def _again(path, array):
    path.unlink()
    _write(path, SCI=array)


@pytest.mark.parametrize("reader", [load_reference, check_reference])
@pytest.mark.parametrize(("spoil", "words"), BAD.values(), ids=BAD)
def test_refused_in_one_sentence(gain, reader, spoil, words):
    spoil(gain)
    with pytest.raises(ReferenceFileError) as caught:
        reader(gain, "gain")
    assert str(caught.value).startswith(f"{gain}: ")
    assert words in str(caught.value)
    assert "override_gain" in str(caught.value)


def test_a_file_is_not_blamed_for_want_of_memory(gain, monkeypatch):
    def starved(*args, **keywords):
        raise OSError(errno.ENOMEM, "Cannot allocate memory")

    monkeypatch.setattr(fits, "open", starved)
    with pytest.raises(MemoryError):
        load_reference(gain, "gain")


def test_whole_gzip_is_read(gain):
    gain.write_bytes(gzip.compress(gain.read_bytes()))
    assert load_reference(gain, "gain").arrays["SCI"][0, 3] == 3


@pytest.mark.parametrize("content", [b"", b"#ASDF 1.0.0\n%YAML 1.1\n--- {a: [\n...\n", b"junk"])
def test_damaged_asdf_is_refused(tmp_path, content):
    path = tmp_path / "pars.asdf"
    path.write_bytes(content)
    with pytest.raises(ReferenceFileError, match="pars-jumpstep"):
        check_reference(path, "pars-jumpstep")


def test_check_reads_little_of_a_large_reference(tmp_path):
    import tracemalloc

    path = tmp_path / "dark.fits"
    _write(
        path,
        SCI=np.ones((20, 512, 512), np.float32),
        DQ=np.zeros((512, 512), np.uint8),
    )
    tracemalloc.start()
    check_reference(path, "dark")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 << 20  # the data are 20 MiB


HERE = Window(Subarray(xstart=11, ystart=3, xsize=6, ysize=4))
IRS2 = Window(Subarray(xstart=1, ystart=1, xsize=8, ysize=8), irs2=True)


def _placed(path, shape, name="SCI", **keywords):
    primary = fits.PrimaryHDU()
    primary.header.update(keywords)
    array = np.ones(shape, np.float32 if name != "DQ" else np.uint8)
    hdus = [primary, fits.ImageHDU(array, name=name)]
    fits.HDUList(hdus).writeto(path)
    return path


@pytest.mark.parametrize(
    ("shape", "keywords"),
    [
        ((4, 6), {"SUBSTRT1": 11, "SUBSTRT2": 3}),
        ((4, 6), {}),  # of exactly the exposure's shape, and silent about where
        ((64, 256), {}),
        ((64, 256), {"SUBSTRT1": 1, "SUBSTRT2": 1, "SUBSIZE1": 256, "SUBSIZE2": 64}),
        ((6, 8), {"SUBSTRT1": 10, "SUBSTRT2": 2}),
    ],
)
def test_reference_that_covers_the_exposure(tmp_path, shape, keywords):
    check_reference(_placed(tmp_path / "gain.fits", shape, **keywords), "gain", HERE)


@pytest.mark.parametrize(
    ("shape", "keywords"),
    [
        ((256, 15), {}),
        ((5, 256), {}),
        ((4, 6), {"SUBSTRT1": 12, "SUBSTRT2": 3}),
        ((4, 6), {"SUBSTRT1": 11, "SUBSTRT2": 2}),
        ((4, 5), {"SUBSTRT1": 11, "SUBSTRT2": 3}),
    ],
)
def test_reference_that_does_not_cover_the_exposure(tmp_path, shape, keywords):
    path = _placed(tmp_path / "gain.fits", shape, **keywords)
    with pytest.raises(ReferenceFileError, match="does not cover the exposure") as caught:
        check_reference(path, "gain", HERE)
    assert str(caught.value).startswith(f"{path}: ")
    assert "override_gain" in str(caught.value)


@pytest.mark.parametrize(
    ("reftype", "name", "rows", "good"),
    [
        ("mask", "DQ", 3200, True),
        ("mask", "DQ", 8, False),
        ("gain", "SCI", 8, True),
        ("gain", "SCI", 3200, False),
    ],
)
def test_interleaved_rows(tmp_path, reftype, name, rows, good):
    path = _placed(tmp_path / "r.fits", (rows, 8), name)
    if good:
        check_reference(path, reftype, IRS2)
        return
    with pytest.raises(ReferenceFileError, match="does not cover"):
        check_reference(path, reftype, IRS2)


def test_kernel_covers_everything(tmp_path):
    check_reference(_placed(tmp_path / "ipc.fits", (3, 3)), "ipc", HERE)
    with pytest.raises(ReferenceFileError, match="does not cover"):
        check_reference(_placed(tmp_path / "ipc4.fits", (3, 3, 4, 4)), "ipc", HERE)


def test_table_of_the_interleaved_correction_is_required(tmp_path):
    alpha = fits.Column("alpha_0", "E", array=[1.0, 2.0])
    for name, good in (("IRS2", True), ("OTHER", False)):
        path = tmp_path / f"{name}.fits"
        table = fits.BinTableHDU.from_columns([alpha], name=name)
        fits.HDUList([fits.PrimaryHDU(), table]).writeto(path)
        if good:
            check_reference(path, "refpix")
        else:
            with pytest.raises(ReferenceFileError, match="no rows in a table IRS2"):
                check_reference(path, "refpix")


@pytest.mark.parametrize(
    ("reftype", "tree", "words"),
    [
        ("emicorr", {"frequencies": {"a": 1}, "subarray_cases": {"b": 1}}, None),
        ("emicorr", {"frequencies": {"a": 1}}, "holds no subarray_cases"),
        ("sirskernel", {"nrs1": {"gamma": [1.0], "zeta": [1.0]}}, None),
        ("sirskernel", {"nrs1": {"gamma": [1.0]}}, "holds no kernel"),
    ],
)
def test_trees_hold_what_their_types_need(tmp_path, reftype, tree, words):
    import asdf

    path = tmp_path / "r.asdf"
    asdf.AsdfFile(tree).write_to(path)
    if words is None:
        check_reference(path, reftype)
        return
    with pytest.raises(ReferenceFileError, match=words):
        check_reference(path, reftype)


def test_remedies_exist_and_quotations_end_at_a_word(tmp_path):
    path = tmp_path / "pars.asdf"
    path.write_bytes(b"junk")
    with pytest.raises(ReferenceFileError, match="STPIPE_DISABLE_CRDS_STEPPARS") as caught:
        check_reference(path, "pars-jumpstep")
    assert "override" not in str(caught.value)
    path = tmp_path / "gain.fits"
    path.write_text("this is some text\n" * 400)
    with pytest.raises(ReferenceFileError, match="cannot be read as a FITS file") as caught:
        check_reference(path, "gain")
    assert "try with" not in str(caught.value)

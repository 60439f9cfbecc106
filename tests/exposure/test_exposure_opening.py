"""What opens, what is refused, and that one sentence says why."""

from __future__ import annotations

import bz2
import errno
import gzip
import mmap
import os
import re
import tempfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from exposure_files import counts, level1b_hdus, write_level1b

import upramp
from upramp.errors import InputError
from upramp.exposure import open_exposure
from upramp.exposure.hdus import BLOCK


def refusal(path, **options):
    with pytest.raises(InputError) as caught:
        open_exposure(path, **options)
    sentence = str(caught.value)
    assert sentence.startswith(str(path) + ": ")
    assert sentence.count("\n") == 0
    assert caught.value.exit_code == 2
    return caught.value.problem


def test_a_level_1b_file_opens_with_its_mode(raw):
    with upramp.open(raw) as exposure:
        assert exposure.kind == "uncal"
        assert exposure.is_ramp
        assert exposure.shape == (2, 3, 6, 8)
        assert (exposure.instrument, exposure.detector) == ("NIRCAM", "NRCALONG")
        assert (exposure.filter, exposure.pupil, exposure.grating) == ("F356W", "CLEAR", None)
        assert (exposure.nframes, exposure.groupgap) == (4, 1)
        assert exposure.group_time == 53.68385
        assert exposure.start_time == "2023-01-02T03:04:05.678"
        assert (exposure.subarray.xstart, exposure.subarray.ysize) == (3, 6)
        assert exposure.arrays == ("SCI",)


def test_every_cut_is_refused(tmp_path, raw):
    whole = raw.read_bytes()
    table = fits.BinTableHDU(np.zeros(3, [("a", "f4")]), name="GROUP")
    write_level1b(raw, extra=[table])
    whole = raw.read_bytes()
    assert len(whole) % BLOCK == 0
    cut = tmp_path / "cut_uncal.fits"
    boundaries = {hdu._header_offset for hdu in fits.open(raw)}
    problems = set()
    for length in sorted({*range(0, len(whole), 480), *range(1, 100, 9), len(whole) - 1}):
        cut.write_bytes(whole[:length])
        if length in boundaries and length >= min(b for b in boundaries if b > BLOCK * 2):
            continue  # whole HDUs, SCI among them: see the next test
        problems.add(refusal(cut).split(":")[0])
    assert any("cut short in SCI" in problem for problem in problems)
    assert any("cut short inside the header of HDU 0" in problem for problem in problems)
    assert any("cut short inside the header of HDU 2" in problem for problem in problems)


@pytest.mark.parametrize("missing", [1, 1000, 2400, BLOCK - 1, BLOCK])
def test_a_cut_file_never_holds_more_than_it_should(tmp_path, raw, missing):
    whole = raw.read_bytes()
    cut = tmp_path / "cut_uncal.fits"
    cut.write_bytes(whole[:-missing])
    found = re.search(r"(\d+) of (\d+) bytes are there, ending in (.*)", refusal(cut))
    there, size = int(found[1]), int(found[2])
    assert size == 2 * 3 * 6 * 8 * 2
    assert there <= size
    assert (there == size) == (found[3] == "the padding after its data")


@pytest.mark.parametrize("name", ["x.fits", "x_uncal.fits", "x_cal.fits"])
def test_a_ramp_that_names_the_model_of_an_image_is_refused(tmp_path, raw, name):
    path = write_level1b(tmp_path / name, DATAMODL="ImageModel")
    assert "its SCI has 4 axes where a cal product has 2" in refusal(path)


def test_cut_at_the_boundary_after_the_primary_header(tmp_path, raw):
    whole = raw.read_bytes()
    second = fits.open(raw)[1]._header_offset
    cut = tmp_path / "cut_uncal.fits"
    cut.write_bytes(whole[:second])
    assert "without its science array SCI" in refusal(cut)


def test_cut_before_the_asdf_extension_is_not_calibratable(tmp_path, flight_like):
    whole = flight_like.read_bytes()
    with fits.open(flight_like) as hdus:
        start = hdus["ASDF"]._header_offset
    cut = tmp_path / "cut_uncal.fits"
    cut.write_bytes(whole[:start])
    exposure = open_exposure(cut)
    with pytest.raises(InputError, match="ASDF extension, the last one, is missing"):
        exposure.require_calibratable()
    open_exposure(flight_like).require_calibratable()


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "it is empty"),
        (b"hello\n" * 100, "it is not FITS"),
        (b"<!DOCTYPE html><html>no such file</html>", "web page"),
        (b"#ASDF 1.0.0\n", "ASDF file"),
        (b"PK\x03\x04" + bytes(100), "zip archive"),
        (bz2.compress(b"SIMPLE  ="), "bzip2"),
        (b'{"error": "not found"}', "JSON"),
        (b"SIMPLE  =                    T", "cut short inside the header of HDU 0"),
    ],
)
def test_what_is_no_fits_is_named(tmp_path, content, problem):
    path = tmp_path / "x_uncal.fits"
    path.write_bytes(content)
    assert problem in refusal(path)


def test_what_is_no_file_is_named(tmp_path):
    assert "no such file" in refusal(tmp_path / "none.fits")
    assert "a folder" in refusal(tmp_path)
    pipe = tmp_path / "pipe.fits"
    os.mkfifo(pipe)
    assert "a pipe or a device" in refusal(pipe)
    with pytest.raises(InputError, match="no file name"):
        open_exposure("nul\0.fits")


@pytest.mark.parametrize("name", ["x_uncal.fits.gz", "x_uncal.fits"])
def test_gzip_opens_whatever_the_name(tmp_path, raw, name):
    path = tmp_path / name
    path.write_bytes(gzip.compress(raw.read_bytes()))
    exposure = open_exposure(path)
    assert exposure.source.compressed
    np.testing.assert_array_equal(exposure.data, open_exposure(raw).data)


def test_plain_under_a_gzip_name_opens(tmp_path, raw):
    path = raw.rename(tmp_path / "x_uncal.fits.gz")
    assert not open_exposure(path).source.compressed


def test_decompressed_bytes_leave_nothing_behind(tmp_path, raw, monkeypatch):
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    path = tmp_path / "x_uncal.fits"
    path.write_bytes(gzip.compress(raw.read_bytes()))
    exposure = open_exposure(path)
    assert exposure.data.size
    assert list(scratch.iterdir()) == []


def test_gzip_cut_short_at_any_place(tmp_path, raw):
    packed = gzip.compress(raw.read_bytes())
    path = tmp_path / "x_uncal.fits.gz"
    for length in (2, 9, 20, len(packed) // 2, len(packed) - 5):
        path.write_bytes(packed[:length])
        assert refusal(path) == "its gzip stream is cut short"


def test_gzip_damaged(tmp_path, raw):
    packed = bytearray(gzip.compress(raw.read_bytes()))
    path = tmp_path / "x_uncal.fits.gz"
    packed[-8] ^= 0xFF
    path.write_bytes(packed)
    assert refusal(path) == "its gzip stream is damaged"
    path.write_bytes(gzip.compress(raw.read_bytes()) + b"trailing")
    assert refusal(path) == "its gzip stream is damaged"


def test_gzip_of_something_else(tmp_path):
    path = tmp_path / "x.fits"
    path.write_bytes(gzip.compress(b"hello" * 99))
    assert refusal(path) == "it is not FITS inside its gzip stream"


def test_gzip_bomb_is_refused_before_it_fills_the_disk(tmp_path, monkeypatch):
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    head = fits.PrimaryHDU().header.tostring().encode()
    bomb = packer.compress(head)
    bomb += b"".join(packer.compress(bytes(1 << 20)) for _ in range(64)) + packer.flush()
    path = tmp_path / "bomb.fits"
    path.write_bytes(bomb)
    written = []
    write = os.write
    monkeypatch.setattr(
        os, "write", lambda fd, piece: written.append(len(piece)) or write(fd, piece)
    )
    assert "more than 10000000 bytes" in refusal(path, decompressed_limit=10_000_000)
    assert sum(written) <= 10_000_000


@pytest.mark.parametrize(
    ("shape", "problem"),
    [
        ((3, 6, 8), "its SCI has 3 axes where an uncal product has 4"),
        ((6, 8), "its SCI has 2 axes"),
        ((1, 2, 3, 4, 5), "its SCI has 5 axes"),
        ((0, 3, 6, 8), "no integrations"),
        ((2, 0, 6, 8), "no groups"),
        ((2, 3, 0, 8), "no rows"),
        ((2, 3, 6, 0), "no columns"),
    ],
)
def test_a_misshapen_ramp_is_refused(tmp_path, shape, problem):
    path = write_level1b(tmp_path / "x_uncal.fits", counts(shape))
    assert problem in refusal(path)


def edited(path, old, new):
    """Replace one 80-character card in the bytes of a file."""
    content = path.read_bytes()
    assert content.count(old.ljust(30).encode()) >= 1
    path.write_bytes(content.replace(old.ljust(30).encode(), new.ljust(30).encode()))


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("-8", "sizes that are impossible"),
        ("99999999999999999999", "beyond reason"),
        ("2000000000", "cut short in SCI"),
        ("9", "cut short in SCI"),
        ("3.5", "no valid NAXIS1"),
        ("T", "no valid NAXIS1"),
    ],
)
def test_sizes_are_not_believed(raw, value, problem):
    data = np.ones((2, 3, 60, 8), np.uint16)
    write_level1b(raw, data)
    if value == "9":
        write_level1b(raw, np.ones((2, 3, 60, 4), np.uint16))
        edited(raw, f"NAXIS1  = {4:20d}", f"NAXIS1  = {value:>20}")
    else:
        edited(raw, f"NAXIS1  = {8:20d}", f"NAXIS1  = {value:>20}")
    assert problem in refusal(raw)


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        (f"BITPIX  = {16:20d}", f"BITPIX  = {17:20d}", "BITPIX 17"),
        (f"NAXIS   = {4:20d}", f"NAXIS   = {999:20d}", "NAXIS 999"),
        (f"NAXIS   = {4:20d}", f"NAXIS   = {-1:20d}", "NAXIS -1"),
        (f"PCOUNT  = {0:20d}", f"PCOUNT  = {-5:20d}", "impossible"),
        (f"BZERO   = {32768:20d}", "BZERO   = 'half    '", "no valid BZERO"),
        ("XTENSION= 'IMAGE   '", "XTENXION= 'IMAGE   '", "no FITS extension"),
        ("EXTNAME = 'SCI     '", "EXTNAME = 'S\x1b[2J   '", "bytes that are no text"),
    ],
)
def test_damaged_structure_is_refused(raw, old, new, problem):
    edited(raw, old, new)
    assert problem in refusal(raw)


def test_a_header_without_an_end_is_not_read_to_the_end_of_the_file(tmp_path):
    path = tmp_path / "x.fits"
    card = b"COMMENT no end in sight".ljust(80)
    first = b"SIMPLE  =                    T".ljust(80)
    path.write_bytes(first + card * (36 * 1500 - 1))
    assert "more than 36000 cards" in refusal(path)


def test_thousands_of_hdus_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("upramp.exposure.hdus._MAX_HDUS", 50)
    path = tmp_path / "x.fits"
    fits.HDUList([fits.PrimaryHDU(), *(fits.ImageHDU() for _ in range(60))]).writeto(path)
    assert "more headers than any product" in refusal(path)


def test_a_tape_record_of_zeros_after_the_end_is_padding(raw):
    raw.write_bytes(raw.read_bytes() + bytes(BLOCK * 3))
    assert open_exposure(raw).arrays == ("SCI",)


def test_text_where_a_number_belongs_is_told(raw):
    write_level1b(raw, TGROUP="long")
    with pytest.raises(InputError, match="TGROUP is 'long', which is not a number"):
        _ = open_exposure(raw).group_time


@pytest.mark.parametrize(
    ("model", "name", "shape", "extra", "kind"),
    [
        ("ImageModel", "x_rate.fits", (6, 8), {}, "rate"),
        ("ImageModel", "x.fits", (6, 8), {"BUNIT": "DN/s"}, "rate"),
        ("ImageModel", "x.fits", (6, 8), {"S_RESAMP": "COMPLETE"}, "i2d"),
        ("ImageModel", "x.fits", (6, 8), {"BUNIT": "MJy/sr"}, "cal"),
        ("CubeModel", "x_rateints.fits", (2, 6, 8), {}, "rateints"),
        ("CubeModel", "x.fits", (2, 6, 8), {"BUNIT": "DN/s"}, "rateints"),
        ("CubeModel", "x_uncal.fits", (2, 6, 8), {}, "calints"),
        ("RampModel", "x_uncal.fits", (2, 3, 6, 8), {}, "ramp"),
        ("Level1bModel", "x_rate.fits", (2, 3, 6, 8), {}, "uncal"),
        ("GuiderCalModel", "x_cal.fits", (3, 6, 8), {"EXP_TYPE": "FGS_ACQ1"}, "guider-cal"),
        ("Level1bModel", "x.fits", (2, 3, 6, 8), {"EXP_TYPE": "FGS_TRACK"}, "guider-uncal"),
        ("DarkModel", "x.fits", (3, 6, 8), {"REFTYPE": "DARK"}, "reference"),
        ("WfssThingModel", "x.fits", (6, 8), {}, "WfssThingModel"),
    ],
)
def test_kinds(tmp_path, model, name, shape, extra, kind):
    path = tmp_path / name
    level1b_hdus(np.zeros(shape, np.float32), DATAMODL=model, **extra).writeto(path)
    assert open_exposure(path).kind == kind


def test_opening_twice_and_closing(raw):
    first, second = open_exposure(raw), open_exposure(raw)
    data = first.data
    first.close()
    first.close()
    assert data.sum() == second.data.sum()
    with pytest.raises(InputError, match="it was closed"):
        first.source.descriptor()


def test_descriptors_are_not_leaked(tmp_path, raw):
    bad = tmp_path / "bad.fits"
    bad.write_bytes(raw.read_bytes()[:5000])
    packed = tmp_path / "packed.fits"
    packed.write_bytes(gzip.compress(bad.read_bytes()))
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(20):
        refusal(bad)
        refusal(packed)
        open_exposure(raw)
    assert len(list(Path("/proc/self/fd").iterdir())) <= before


def test_a_file_is_not_blamed_for_want_of_memory(tmp_path, monkeypatch):
    file = write_level1b(tmp_path / "x_uncal.fits")

    def starved(*args, **keywords):
        raise OSError(errno.ENOMEM, "Cannot allocate memory")

    with open_exposure(file) as exposure:
        monkeypatch.setattr(mmap, "mmap", starved)
        with pytest.raises(MemoryError):
            exposure["SCI"].sum()

"""Damaged in any way, a file works or is refused in one sentence; nothing else happens."""

from __future__ import annotations

import contextlib
import gzip
import json
import tracemalloc
import warnings

import numpy as np
import pytest
from astropy.io import fits
from exposure_files import counts, level1b_hdus
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from upramp.errors import UprampError
from upramp.exposure import describe, open_exposure

MANY = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
BOUND = 60e6
"""Bytes; the files are below 100 kB."""


def whole_file(tmp_path, name):
    path = tmp_path / name
    if not path.exists():
        extra = [
            fits.ImageHDU(np.ones((6, 8), np.uint32), name="PIXELDQ"),
            fits.BinTableHDU(np.zeros(3, [("a", "f4"), ("b", "i2", (3,))]), name="GROUP"),
            fits.BinTableHDU(np.zeros(1, [("ASDF_METADATA", "u1", (300,))]), name="ASDF"),
        ]
        level1b_hdus(counts((2, 3, 6, 8)), extra=extra, S_REGION="POLYGON ICRS 1 2 3 4 5 6",
                     R_DARK="N/A", S_DARK="SKIPPED", RA_REF=1.0, DEC_REF=2.0, ROLL_REF=3.0,
                     V2_REF=4.0, V3_REF=5.0).writeto(path)  # fmt: skip
    return path.read_bytes()


def tell(described):
    described.to_text()
    json.dumps(described.to_json())


def exercise(path):
    """Do everything a user can do with a file without the official packages."""
    sentence = ""
    tracemalloc.start()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            try:
                with open_exposure(path, decompressed_limit=1 << 20) as exposure:
                    for step in (
                        lambda: tell(describe(exposure)),
                        exposure.require_calibratable,
                        lambda: [np.asarray(exposure[name]).shape for name in exposure.arrays],
                        lambda: [len(exposure[name]) for name in exposure.tables],
                        lambda: [tile.sum() for *_, tile in exposure.tiles(4)],
                        lambda: dict(exposure.header),
                        lambda: (exposure.subarray, exposure.start_time, exposure.units),
                        lambda: (exposure.nframes, exposure.group_time, repr(exposure)),
                    ):
                        with contextlib.suppress(UprampError):
                            step()
            except UprampError as error:
                sentence = str(error)
        assert "\n" not in sentence
        assert tracemalloc.get_traced_memory()[1] < BOUND
    finally:
        tracemalloc.stop()


@pytest.mark.slow
@MANY
@given(data=st.data())
def test_overwritten_bytes(tmp_path, data):
    content = bytearray(whole_file(tmp_path, "whole_uncal.fits"))
    for _ in range(data.draw(st.integers(1, 6))):
        where = data.draw(st.integers(0, len(content) - 1))
        piece = data.draw(st.binary(min_size=1, max_size=12))
        content[where : where + len(piece)] = piece
    path = tmp_path / "damaged_uncal.fits"
    path.write_bytes(content)
    exercise(path)


KEYWORD = st.sampled_from(
    [
        *("SIMPLE", "BITPIX", "NAXIS", "NAXIS1", "NAXIS2", "NAXIS3", "NAXIS4", "PCOUNT", "GCOUNT"),
        *("EXTEND", "BSCALE", "BZERO", "EXTNAME", "EXTVER", "XTENSION", "END"),
        *("TFIELDS", "TFORM1", "TFORM2", "TTYPE1", "TDIM2"),
        *("INSTRUME", "DETECTOR", "EXP_TYPE", "TGROUP", "NGROUPS", "NINTS", "SUBSIZE1"),
        *("S_REGION", "RA_REF", "V2_REF", "DATE-OBS"),
    ]
)
VALUE = st.one_of(
    st.integers(-(10**12), 10**12).map(lambda n: f"{n:>20}"),
    st.sampled_from(
        ["T", "F", "1E400", "-1E-400", "NaN", "(1.0, 2.0)", "'", "''", "'A''B'", "/", ""]
    ),
    st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=60).map(repr),
    st.text(st.characters(min_codepoint=0, max_codepoint=255), max_size=30),
)


@pytest.mark.slow
@MANY
@given(edits=st.lists(st.tuples(KEYWORD, VALUE, st.integers(0, 4)), min_size=1, max_size=3))
def test_rewritten_cards(tmp_path, edits):
    content = bytearray(whole_file(tmp_path, "whole_uncal.fits"))
    for name, value, which in edits:
        card = name.ljust(8).encode()
        places = [at for at in range(0, len(content), 80) if content[at : at + 8] == card]
        if places:
            at = places[which % len(places)]
            new = f"{name:<8}= {value}".encode("latin-1")[:80].ljust(80)
            content[at : at + 80] = new
    path = tmp_path / "damaged_uncal.fits"
    path.write_bytes(content)
    exercise(path)


@pytest.mark.slow
@MANY
@given(data=st.data())
def test_pieces_taken_out_or_repeated(tmp_path, data):
    content = whole_file(tmp_path, "whole_uncal.fits")
    start = data.draw(st.integers(0, len(content)))
    stop = data.draw(st.integers(start, min(len(content), start + 9000)))
    piece = content[start:stop] * data.draw(st.sampled_from([0, 2, 3]))
    path = tmp_path / "damaged_uncal.fits"
    path.write_bytes(content[:start] + piece + content[stop:])
    exercise(path)


@MANY
@given(data=st.data())
def test_damaged_gzip(tmp_path, data):
    packed = bytearray(gzip.compress(whole_file(tmp_path, "whole_uncal.fits"), mtime=0))
    for _ in range(data.draw(st.integers(0, 3))):
        packed[data.draw(st.integers(0, len(packed) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path / "damaged_uncal.fits"
    path.write_bytes(packed[: data.draw(st.integers(0, len(packed)))])
    exercise(path)


@MANY
@given(content=st.binary(max_size=6000), head=st.booleans())
def test_noise(tmp_path, content, head):
    path = tmp_path / "noise.fits"
    path.write_bytes(b"SIMPLE  =                    T".ljust(80) * head + content)
    exercise(path)

"""Damaged in any way, a file works or is refused in one sentence; nothing else happens."""

from __future__ import annotations

import gzip
import json
import re
import tracemalloc
import warnings

import numpy as np
import pytest
from astropy.io import fits
from exposure_files import counts, level1b_hdus
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from upramp.errors import InputError, UprampError, printable
from upramp.exposure import describe, open_exposure, to_datamodel
from upramp.exposure.requirements import DECISIVE

MANY = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
FEW = settings(MANY, max_examples=60)
"""Where each example is read by the official packages."""
NAME = st.sampled_from(
    ["damaged_uncal.fits", "two\nlines_uncal.fits", "\x1b[2Jclear_uncal.fits", "\udcff_uncal.fits"]
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


def require_sentence(path, sentence):
    """Ask for one line, beginning with the file, that neither shows internals nor steers."""
    assert sentence.isprintable()
    assert sentence.startswith(f"{printable(str(path))}: ")
    assert sentence.endswith(".")
    assert "; " in sentence
    assert not re.search(r"Traceback|positional argument|object at 0x|\w+Error\b", sentence)


def exercise(path):
    """Do everything a user can do with a file without the official packages."""
    sentences = []
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
                        try:
                            step()
                        except UprampError as error:
                            sentences.append(str(error))
            except UprampError as error:
                sentences.append(str(error))
        for sentence in sentences:
            require_sentence(path, sentence)
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
    path = tmp_path / data.draw(NAME)
    path.write_bytes(content)
    exercise(path)


def rewrite(content, name, value, which):
    """Put another value into one of the cards of a keyword."""
    card = name.ljust(8).encode()
    places = [at for at in range(0, len(content), 80) if content[at : at + 8] == card]
    if places:
        at = places[which % len(places)]
        content[at : at + 80] = f"{name:<8}= {value}".encode("latin-1")[:80].ljust(80)


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
        rewrite(content, name, value, which)
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


def read_officially(path):
    """Go the way of a calibration up to the official model, which may not be bent by damage."""
    try:
        with open_exposure(path) as exposure, warnings.catch_warnings():
            # Values that decide nothing may be dropped, and cards may be mended.
            warnings.simplefilter("ignore")
            exposure.require_calibratable()
            model = to_datamodel(exposure)
            for name in DECISIVE:
                held = exposure.header.get(name)
                values = [model[place] for place in model.find_fits_keyword(name)]
                assert held is None or not values or held in values, name
    except InputError as error:
        require_sentence(path, str(error))


@pytest.mark.slow
@pytest.mark.peer
@FEW
@given(data=st.data())
def test_damaged_metadata_trees_never_reach_the_official_packages_unseen(
    tmp_path, flight_like, data
):
    content = bytearray(flight_like.read_bytes())
    start = content.index(b"#ASDF")
    end = content.index(b"\n...", start)
    for _ in range(data.draw(st.integers(1, 4))):
        where = data.draw(st.integers(start, end))
        piece = data.draw(
            st.one_of(st.binary(min_size=1, max_size=20), st.sampled_from(PIECES_OF_YAML))
        )
        content[where : where + len(piece)] = piece
    path = tmp_path / data.draw(NAME)
    path.write_bytes(content)
    read_officially(path)


PIECES_OF_YAML = [
    *(b"[", b"{", b"}", b"&a [*a]", b"*a", b"!core/ndarray-1.1.0 ", b"!!python/none ", b": "),
    *(b"source: 9", b"source: fits:SCI,9", b"? ", b"<<: ", b"- - - -", b"\n...\n", b"\n---\n"),
]


@pytest.mark.slow
@pytest.mark.peer
@FEW
@given(
    edits=st.lists(
        st.tuples(st.sampled_from(sorted(DECISIVE)), VALUE, st.integers(0, 4)),
        min_size=1,
        max_size=3,
    )
)
def test_headers_that_disagree_with_the_tree_are_refused_or_win(tmp_path, flight_like, edits):
    content = bytearray(flight_like.read_bytes())
    for name, value, which in edits:
        rewrite(content, name, value, which)
    path = tmp_path / "damaged_uncal.fits"
    path.write_bytes(content)
    read_officially(path)

"""The list of an archive's exposures: what a user may read, as its headers say."""

from __future__ import annotations

import asyncio
import gzip
import json
import os
import sys
from dataclasses import replace

import numpy as np
import pytest
from astropy.io import fits
from proxy_process import until

from upramp_hub.home import exposures, reading
from upramp_hub.home.exposures import Catalogue, find_files

pytest.importorskip("upramp.kernel.thumbnails", reason="it makes the pictures")


def make(file, **keywords):
    """Write a small exposure."""
    values = {
        "TELESCOP": "JWST",
        "INSTRUME": "NIRCAM",
        "DETECTOR": "NRCALONG",
        "EXP_TYPE": "NRC_IMAGE",
        "FILTER": "F356W",
        "READPATT": "RAPID",
        "DATAMODL": "Level1bModel",
        **keywords,
    }
    primary = fits.PrimaryHDU()
    for key, value in values.items():
        primary.header[key] = value
    ramp = np.arange(1 * 3 * 64 * 64, dtype=np.uint16).reshape(1, 3, 64, 64) % 5000
    fits.HDUList([primary, fits.ImageHDU(ramp, name="SCI")]).writeto(file)
    return file


@pytest.fixture
def archive(tmp_path):
    folder = tmp_path / "uncal"
    folder.mkdir()
    make(folder / "jw1_nrcalong_uncal.fits")
    make(folder / "jw2_nis_uncal.fits", INSTRUME="NIRISS", DETECTOR="NIS", FILTER="F200W")
    return folder


@pytest.fixture
def catalogue(archive, tmp_path):
    (tmp_path / "cache").mkdir()
    return Catalogue(archive, tmp_path / "cache")


def names(listing):
    return [entry.name for entry in listing.entries]


def search(catalogue, text="", first=0, most=100):
    return asyncio.run(catalogue.search(text, first, most))


def pictures(catalogue, *wanted):
    """Ask for pictures at once; a server's loop would outlive the process that draws them."""

    async def ask():
        found = await asyncio.gather(*(catalogue.picture(name) for name in wanted))
        await drawn(catalogue)
        return found

    return asyncio.run(ask())


async def drawn(catalogue):
    if catalogue._drawing is not None:
        await catalogue._drawing


def test_exposures_are_listed_with_what_their_headers_say(catalogue):
    listing = search(catalogue)
    assert names(listing) == ["jw1_nrcalong_uncal.fits", "jw2_nis_uncal.fits"]
    one = listing.entries[0]
    assert one.values == {
        "instrument": "NIRCAM",
        "detector": "NRCALONG",
        "exp_type": "NRC_IMAGE",
        "filter": "F356W",
        "readpatt": "RAPID",
    }
    assert one.shape == (1, 3, 64, 64)
    assert one.calibratable
    assert not one.problem


def test_all_words_are_looked_for(catalogue):
    assert names(search(catalogue, "NIRISS f200w")) == ["jw2_nis_uncal.fits"]
    assert names(search(catalogue, "nircam f200w")) == []
    assert names(search(catalogue, "jw1_")) == ["jw1_nrcalong_uncal.fits"]
    assert search(catalogue, "nircam f200w").total == 2
    assert names(search(catalogue, first=1)) == ["jw2_nis_uncal.fits"]
    assert names(search(catalogue, most=1)) == ["jw1_nrcalong_uncal.fits"]


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0.0 kB"), (31_680, "31.7 kB"), (8_225_280, "8.2 MB"), (2_500_000_000, "2.5 GB")],
)
def test_sizes_are_to_be_read(archive, size, text):
    assert replace(find_files(archive)[0], size=size).size_text == text


def test_what_is_no_exposure_is_not_listed(archive, tmp_path):
    (archive / "notes.txt").write_text("x")
    (archive / ".hidden_uncal.fits").write_text("x")
    (archive / "folder_uncal.fits").mkdir()
    os.mkfifo(archive / "pipe_uncal.fits")
    (archive / "a\tb_uncal.fits").write_text("x")
    (archive / "loose_uncal.fits").symlink_to(tmp_path / "nothing")
    (archive / "loop_uncal.fits").symlink_to("loop_uncal.fits")
    with open(os.fsencode(archive) + b"/\xff_uncal.fits", "wb"):  # noqa: PTH123 - of bytes
        pass
    assert [entry.name for entry in find_files(archive)] == [
        "jw1_nrcalong_uncal.fits",
        "jw2_nis_uncal.fits",
    ]


def test_what_a_user_may_not_read_is_not_listed(archive, monkeypatch):
    closed = str(archive / "jw2_nis_uncal.fits")
    monkeypatch.setattr(os, "access", lambda path, mode: path != closed)
    assert [entry.name for entry in find_files(archive)] == ["jw1_nrcalong_uncal.fits"]


def test_damaged_files_are_told_and_the_others_listed(archive, catalogue):
    (archive / "jw0_uncal.fits").write_bytes(b"no FITS")
    whole = (archive / "jw1_nrcalong_uncal.fits").read_bytes()
    (archive / "jw3_uncal.fits").write_bytes(whole[: len(whole) // 2])
    # Called FITS, and a stream that would fill the disk: it is not unpacked for a list.
    (archive / "jw4_uncal.fits").write_bytes(gzip.compress(b"\0" * 10_000_000))
    entries = {entry.name: entry for entry in search(catalogue).entries}
    for name in ("jw0_uncal.fits", "jw3_uncal.fits", "jw4_uncal.fits"):
        assert entries[name].problem
        assert not entries[name].calibratable
        assert pictures(catalogue, name) == [None]
    assert not entries["jw2_nis_uncal.fits"].problem


def test_a_compressed_exposure_is_offered_unopened(archive, catalogue):
    whole = (archive / "jw1_nrcalong_uncal.fits").read_bytes()
    (archive / "jw5_uncal.fits.gz").write_bytes(gzip.compress(whole))
    entry = search(catalogue).entries[-1]
    assert entry.name == "jw5_uncal.fits.gz"
    assert entry.compressed
    assert entry.calibratable
    assert pictures(catalogue, entry.name) == [None]


def test_a_picture_is_made_once_and_kept(archive, catalogue, tmp_path, monkeypatch):
    wanted = ["jw1_nrcalong_uncal.fits", "jw2_nis_uncal.fits", "jw1_nrcalong_uncal.fits"]
    found = pictures(catalogue, *wanted)
    assert all(png.startswith(b"\x89PNG") for png in found)
    kept = list((tmp_path / "cache" / "pictures").iterdir())
    assert len(kept) == 2
    assert all(file.stat().st_mode & 0o077 == 0 for file in kept)
    monkeypatch.setattr(sys, "executable", "/nothing")  # what is kept is not read again
    again = pictures(Catalogue(archive, tmp_path / "cache"), "jw2_nis_uncal.fits")
    assert again == [found[1]]


SLOW_READER = """#!{python}
import json, os, pathlib, sys, time
pathlib.Path({started!r}, str(os.getpid())).touch()
for line in sys.stdin:
    path, picture = json.loads(line)
    while picture and "jw2" in path and not os.path.exists({let!r}):
        time.sleep(0.01)
    print(json.dumps({{"filter": "READ", "png": "{png}"}}), flush=True)
"""


def test_a_picture_is_given_when_it_is_there_and_the_page_waits_for_none(
    archive, tmp_path, catalogue, monkeypatch
):
    started, let = tmp_path / "started", tmp_path / "let"
    started.mkdir()
    reader = tmp_path / "reader"
    words = {"python": sys.executable, "started": str(started), "let": str(let), "png": "aGVsbG8="}
    reader.write_text(SLOW_READER.format(**words))
    reader.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(reader))

    async def scenario():
        one = asyncio.create_task(catalogue.picture("jw1_nrcalong_uncal.fits"))
        # They are drawn in the order in which they are asked for.
        await asyncio.to_thread(until, lambda: catalogue._asked)
        other = asyncio.create_task(catalogue.picture("jw2_nis_uncal.fits"))
        assert await asyncio.wait_for(one, 20) == b"hello"
        assert not other.done()
        processes = len(list(started.iterdir()))
        assert len((await asyncio.wait_for(catalogue.search("", 0, 10), 20)).entries) == 2
        assert not other.done()
        let.touch()
        assert await asyncio.wait_for(other, 20) == b"hello"
        await drawn(catalogue)
        return processes

    assert asyncio.run(scenario()) == 1  # one process for both


def test_a_picture_without_a_place_to_keep_it_is_made(archive, tmp_path):
    catalogue = Catalogue(archive, tmp_path / "nothing")
    (png,) = pictures(catalogue, "jw1_nrcalong_uncal.fits")
    assert png.startswith(b"\x89PNG")
    assert len(search(catalogue).entries) == 2


@pytest.mark.parametrize("name", ["../secret_uncal.fits", "/etc/passwd", "", "x", "a\0"])
def test_there_is_no_picture_of_what_is_not_listed(archive, catalogue, name):
    make(archive.parent / "secret_uncal.fits")
    assert pictures(catalogue, name) == [None]


def test_headers_are_read_once_and_again_when_a_file_changes(archive, tmp_path, catalogue):
    first = search(catalogue)
    again = Catalogue(archive, tmp_path / "cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "executable", "/nothing")
        assert search(again).entries == first.entries
    (archive / "jw1_nrcalong_uncal.fits").unlink()
    make(archive / "jw1_nrcalong_uncal.fits", FILTER="F444W")
    assert search(again).entries[0].values["filter"] == "F444W"


@pytest.mark.parametrize("text", ["[]", "[" * 100_000])
def test_a_damaged_cache_is_read_anew(archive, tmp_path, catalogue, text):
    (tmp_path / "cache" / "headers.json").write_text(text)
    assert search(catalogue).entries[0].values["filter"] == "F356W"


def test_cached_nonsense_is_shown_as_text_or_not_at_all(archive, tmp_path, catalogue):
    keys = [entry.key for entry in find_files(archive)]
    nonsense = [{"shape": "x", "filter": ["<b>"], "problem": None}, [1]]
    (tmp_path / "cache" / "headers.json").write_text(
        json.dumps(dict(zip(keys, nonsense, strict=True)))
    )
    one, other = search(catalogue).entries
    assert one.values["filter"] == "['<b>']"
    assert one.shape == ()
    assert other.values["filter"] == "F200W"


def test_a_file_that_ends_its_reader_is_passed_over(archive, catalogue, tmp_path, monkeypatch):
    make(archive / "jw0_uncal.fits")
    # A reader that is killed at one file, as by a lack of memory.
    reader = tmp_path / "reader"
    reader.write_text(
        f"#!{sys.executable}\n"
        "import json, os, sys\n"
        "for line in sys.stdin:\n"
        "    path, picture = json.loads(line)\n"
        "    if 'jw1' in path:\n"
        "        os.kill(os.getpid(), 9)\n"
        "    print(json.dumps({'filter': 'READ'}), flush=True)\n"
    )
    reader.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(reader))
    entries = search(catalogue).entries
    assert [entry.values["filter"] for entry in entries] == ["READ", "", "READ"]
    assert "ended before its time" in entries[1].problem
    assert not (tmp_path / "cache" / "headers.json").read_text().count("ended")
    # Nothing of it is remembered: it is tried again.
    monkeypatch.undo()
    assert search(Catalogue(archive, tmp_path / "cache")).entries[1].values["filter"] == "F356W"


@pytest.mark.parametrize("does", ["exec sleep 60", "exec yes", "echo '[]'; exec sleep 60"])
def test_a_reader_that_does_not_answer_is_not_waited_for(archive, tmp_path, monkeypatch, does):
    reader = tmp_path / "reader"
    reader.write_text(f"#!/bin/sh\n{does}\n")
    reader.chmod(0o700)
    monkeypatch.setattr(reading, "_PATIENCE", 0.3)
    monkeypatch.setattr(reading, "_PROCESSES", 2)
    monkeypatch.setattr(sys, "executable", str(reader))
    entries = search(Catalogue(archive, tmp_path)).entries
    assert [entry.problem != "" for entry in entries] == [True, True]


def test_of_a_large_archive_only_what_is_shown_is_opened(archive, catalogue, monkeypatch):
    monkeypatch.setattr(exposures, "_READ_AT_ONCE", 1)
    assert names(search(catalogue, "nis_")) == ["jw2_nis_uncal.fits"]
    assert search(catalogue, most=1).unread == 1
    assert search(catalogue, "f200w").found == 0  # in the header, which was not opened


def test_an_archive_that_is_not_there_is_an_error_of_the_system(tmp_path):
    with pytest.raises(OSError, match="No such file"):
        search(Catalogue(tmp_path / "nothing", tmp_path))

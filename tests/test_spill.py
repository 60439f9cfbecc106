"""Arrays in files without a name: the same numbers, and memory that can be taken back."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import numpy as np
import pytest

import upramp
from same_bits import assert_same_bits
from upramp import spill

LARGE = np.arange(1 << 20, dtype=np.float32).reshape(4, 512, 512)


def mapped(array):
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array.base is not None


def test_numbers_stay_and_the_original_does_not_change():
    copy = spill.spilled(LARGE)
    assert mapped(copy)
    assert_same_bits(copy, LARGE)
    copy[0, 0, 0] = 7
    assert LARGE[0, 0, 0] == 0
    spill.let_go()
    assert copy[0, 0, 0] == 7
    assert_same_bits(copy[1:], LARGE[1:])


def test_what_is_read_only_stays_so():
    fixed = LARGE.copy()
    fixed.flags.writeable = False
    assert not spill.spilled(fixed).flags.writeable


@pytest.mark.parametrize("array", [np.zeros(10), LARGE.T, np.zeros((0, 5))])
def test_what_is_small_or_in_pieces_stays_where_it_is(array):
    assert spill.spilled(array) is array


def test_without_room_there_is_memory(monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    assert spill.spilled(LARGE) is LARGE
    with spill.spilling():
        assert not mapped(spill.empty((1024, 1024), np.float32))


def test_only_who_asks_gets_files_and_only_in_their_thread():
    found = []

    def look():
        found.append(spill.wanted())

    with spill.spilling():
        assert spill.wanted()
        assert mapped(spill.empty((1024, 1024), np.float32))
        other = threading.Thread(target=look)
        other.start()
        other.join()
    assert not spill.wanted()
    assert not mapped(spill.empty((1024, 1024), np.float32))
    assert found == [False]


def resident():
    text = Path("/proc/self/status").read_text()
    lines = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
    return int(lines["RssFile"].split()[0]) + int(lines["RssShmem"].split()[0])


def test_memory_is_given_back_and_so_is_the_file():
    before = resident()
    array = spill.spilled(np.ones(16 << 20, np.float32))
    full = resident()
    spill.let_go()
    assert full - before > 60 << 10
    assert resident() - before < 10 << 10
    files = list(Path("/proc/self/fd").iterdir())
    assert array.sum() == 16 << 20
    del array
    assert len(list(Path("/proc/self/fd").iterdir())) <= len(files)


def test_a_ramp_that_is_kept_in_files_gives_the_same(practice_archive, monkeypatch, forget_crds):
    monkeypatch.setenv("CRDS_PATH", str(practice_archive / "crds"))
    monkeypatch.setenv("CRDS_CONTEXT", "jwst_0001.pmap")
    monkeypatch.delenv("CRDS_SERVER_URL", raising=False)
    forget_crds()
    path = practice_archive / "uncal" / "jw99002001001_02101_00001_nrca1_uncal.fits"
    overrides = {"jump.rejection_threshold": 3.0}
    plain = upramp.keep(path).refit(overrides)
    with spill.spilling():
        kept = upramp.keep(path)
        assert mapped(kept.ramp.data)
        again = kept.refit(overrides)
    spill.let_go()
    assert_same_bits(again.rates.rate, plain.rates.rate)
    assert_same_bits(again.groupdq, plain.groupdq)
    assert_same_bits(kept.refit(overrides).rates.rate, plain.rates.rate)

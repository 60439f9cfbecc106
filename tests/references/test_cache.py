"""The resident cache: what is read twice, who waits, what gives way."""

import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from upramp.errors import ReferenceFileError
from upramp.references import ReferenceCache
from upramp.references import cache as module


def _file(folder, name, value=1.0, size=64):
    path = folder / name
    hdu = fits.ImageHDU(np.full((size, size), value, np.float32), name="SCI")
    fits.HDUList([fits.PrimaryHDU(), hdu]).writeto(path, overwrite=True)
    return path


def test_a_second_exposure_reads_and_opens_nothing(tmp_path, monkeypatch):
    files = [_file(tmp_path, f"gain{i}.fits", i) for i in range(3)]
    calls = []
    real = module.load_reference
    monkeypatch.setattr(module, "load_reference", lambda *a: calls.append(a) or real(*a))
    opens = []
    real_open = Path.open
    monkeypatch.setattr(Path, "open", lambda p, *a, **k: opens.append(p) or real_open(p, *a, **k))
    fits_open = fits.open
    monkeypatch.setattr(fits, "open", lambda *a, **k: opens.append(a) or fits_open(*a, **k))
    cache = ReferenceCache()
    first = [cache.reference(file, "gain") for file in files]
    assert len(calls) == 3
    assert opens
    opens.clear()
    second = [cache.reference(file, "GAIN") for file in files]
    assert len(calls) == 3
    assert opens == []
    assert all(a is b for a, b in zip(first, second, strict=True))
    assert cache.statistics.hits == 3


def test_same_content_under_two_names_is_held_once(tmp_path):
    one = _file(tmp_path, "a.fits")
    two = tmp_path / "b.fits"
    two.write_bytes(one.read_bytes())
    cache = ReferenceCache()
    assert cache.reference(one, "gain") is cache.reference(two, "gain")


def test_changed_file_is_read_anew(tmp_path):
    path = _file(tmp_path, "a.fits", 1)
    cache = ReferenceCache()
    assert cache.reference(path, "gain").arrays["SCI"][0, 0] == 1
    _file(tmp_path, "a.fits", 2)
    assert cache.reference(path, "gain").arrays["SCI"][0, 0] == 2


def test_two_kinds_of_one_file_are_two_entries(tmp_path):
    path = _file(tmp_path, "a.fits")
    cache = ReferenceCache()
    cache.reference(path, "gain")
    array = cache.get(path, "gain/double", lambda p: np.ones(3))
    assert cache.statistics.entries == 2
    assert not array.flags.writeable


def test_concurrent_requests_load_once(tmp_path):
    path = _file(tmp_path, "a.fits")
    cache = ReferenceCache()
    started, go = threading.Event(), threading.Event()
    calls = []

    def slow(file):
        calls.append(file)
        started.set()
        assert go.wait(10)
        return np.ones(4)

    results = []
    threads = [
        threading.Thread(target=lambda: results.append(cache.get(path, "k", slow)))
        for _ in range(8)
    ]
    threads[0].start()
    assert started.wait(10)
    for thread in threads[1:]:
        thread.start()
    go.set()
    for thread in threads:
        thread.join(10)
    assert len(calls) == 1
    assert len(results) == 8
    assert len({id(result) for result in results}) == 1


def test_least_recently_used_gives_way(tmp_path):
    files = [_file(tmp_path, f"{i}.fits", i) for i in range(3)]
    cache = ReferenceCache(capacity=2 * 64 * 64 * 4)
    cache.reference(files[0], "gain")
    cache.reference(files[1], "gain")
    cache.reference(files[0], "gain")
    cache.reference(files[2], "gain")
    loads = cache.statistics.loads
    cache.reference(files[0], "gain")
    assert cache.statistics.loads == loads
    cache.reference(files[1], "gain")
    assert cache.statistics.loads == loads + 1
    assert cache.statistics.nbytes <= cache.capacity
    assert cache.statistics.evictions == 2


def test_one_larger_than_the_cache_is_given_but_not_kept(tmp_path):
    small, large = _file(tmp_path, "s.fits", size=8), _file(tmp_path, "l.fits", size=64)
    cache = ReferenceCache(capacity=1000)
    cache.reference(small, "gain")
    assert cache.reference(large, "gain").arrays["SCI"].shape == (64, 64)
    assert cache.statistics.nbytes <= 1000


def test_failure_is_not_remembered(tmp_path):
    path = _file(tmp_path, "a.fits")
    cache = ReferenceCache()
    with pytest.raises(RuntimeError, match="once"):
        cache.get(path, "k", lambda p: (_ for _ in ()).throw(RuntimeError("once")))
    assert cache.get(path, "k", lambda p: np.ones(1))[0] == 1
    with pytest.raises(ReferenceFileError, match="cannot be read"):
        cache.reference(tmp_path / "none.fits", "gain")


def test_clear(tmp_path):
    cache = ReferenceCache()
    cache.reference(_file(tmp_path, "a.fits"), "gain")
    cache.clear()
    assert cache.statistics.nbytes == 0
    assert cache.statistics.entries == 0


def test_what_a_process_may_hold_decides_how_much_is_kept():
    code = """
import resource
from upramp.references.cache import default_capacity
whole = default_capacity()
resource.setrlimit(resource.RLIMIT_DATA, (1 << 30, resource.RLIM_INFINITY))
print(default_capacity(), default_capacity() <= whole)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [str(1 << 28), "True"]

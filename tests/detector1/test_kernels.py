"""Kernels: compiled for what they declare and nothing else, with the arithmetic as written."""

from __future__ import annotations

import math
import threading
from fractions import Fraction

import numpy as np
import pytest

from upramp.detector1 import kernel_cache, kernels
from upramp.detector1.kernels import Kernel, array, b1, const, f4, f8, i8, inner, kernel, u1


@pytest.fixture(autouse=True)
def own_kernels(tmp_path, monkeypatch):
    """Kernels of these tests are declared and kept apart from the engine's."""
    monkeypatch.setattr(kernels, "_declared", [])
    monkeypatch.setattr(kernel_cache, "folders", lambda: ((tmp_path,), tmp_path))


def _add(out, image, first):
    for x in range(first, image.shape[0]):
        out[x] += image[x]


ADD = (array(f4, 1), const(f4, 1), i8)


def test_it_runs_on_the_arrays_it_declares():
    add = Kernel(_add, ADD)
    out, image = np.zeros(4, np.float32), np.arange(4, dtype=np.float32)
    assert not add.is_ready
    add(out, image, 1)
    assert add.is_ready
    assert out.tolist() == [0, 1, 2, 3]
    image.flags.writeable = False  # as references in memory are
    add(out, image, np.int32(2))
    assert out.tolist() == [0, 1, 4, 6]


@pytest.mark.parametrize(
    "arguments",
    [
        (np.zeros(4), np.zeros(4, np.float32), 0),
        (np.zeros(4, np.float32), np.zeros(4), 0),
        (np.zeros(8, np.float32)[::2], np.zeros(4, np.float32), 0),
        (np.zeros((4, 1), np.float32), np.zeros(4, np.float32), 0),
        (np.zeros(4, np.float32), np.zeros(4, ">f4"), 0),
        (np.zeros(4, np.float32), None, 0),
        (np.zeros(4, np.float32), np.zeros(4, np.float32)),
    ],
)
def test_another_layout_is_refused_instead_of_compiled_for(arguments):
    add = Kernel(_add, ADD)
    add.compile()
    with pytest.raises((TypeError, ValueError, NotImplementedError)):
        add(*arguments)
    assert len(add._compiled.signatures) == 1


def test_an_array_that_is_written_must_be_writable():
    out = np.zeros(4, np.float32)
    out.flags.writeable = False
    with pytest.raises(TypeError):
        Kernel(_add, ADD)(out, np.zeros(4, np.float32), 0)


def _store_into_its_input(image):
    image[0] = 1


def test_an_array_that_is_only_read_cannot_be_written():
    import numba

    with pytest.raises(numba.core.errors.TypingError):
        Kernel(_store_into_its_input, (const(f4, 1),)).compile()


def _dot(out, a, b, c):
    for x in range(out.shape[0]):
        out[x] = a[x] * b[x] + c[x]


@pytest.mark.parametrize("kind", [f4, f8])
def test_products_and_sums_are_rounded_one_by_one(kind):
    # A fused multiply-add rounds once, and gives other bits.
    dtype = np.float32 if kind is f4 else np.float64
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 1000)).astype(dtype)
    c = (-a * b * dtype(1 + 3e-7)).astype(dtype)
    out = np.empty_like(a)
    Kernel(_dot, (array(kind, 1), const(kind, 1), const(kind, 1), const(kind, 1)))(out, a, b, c)
    np.testing.assert_array_equal(out, a * b + c)
    if kind is f8:
        once = [
            float(Fraction(x) * Fraction(y) + Fraction(z)) for x, y, z in zip(a, b, c, strict=True)
        ]
        assert (out != once).any()


def _sum(values):
    total = np.float32(0)
    for x in range(values.shape[0]):
        total += values[x]
    return total


def test_sums_keep_their_order():
    rng = np.random.default_rng(1)
    values = (rng.normal(size=5000) * 10.0 ** rng.integers(-3, 4, 5000)).astype(np.float32)
    expected = np.float32(0)
    for value in values:
        expected += value
    found = Kernel(_sum, (const(f4, 1),))(values)
    assert np.float32(found) == expected
    assert expected != values[::-1].cumsum(dtype=np.float32)[-1]


def _odd(out, a, b):
    for x in range(out.shape[0]):
        out[x] = (a[x] / b[x]) * np.float32(0) + (a[x] - a[x])


def test_odd_values_are_not_optimised_away_and_nothing_divides_by_zero_aloud():
    a = np.array([1, 0, np.inf, np.nan, 5], np.float32)
    b = np.array([0, 0, 1, 1, 2], np.float32)
    out = np.empty(5, np.float32)
    Kernel(_odd, (array(f4, 1), const(f4, 1), const(f4, 1)))(out, a, b)
    assert np.isnan(out).tolist() == [True, True, True, True, False]


@inner
def _larger(a, b):
    return max(b, a)


def test_kernels_call_inner_functions():
    @kernel(array(f8, 1), f8, b1)
    def clip(values, low, really):
        for x in range(values.shape[0]):
            if really:
                values[x] = _larger(values[x], low)

    values = np.array([-1.0, math.nan, 3.0])
    clip(values, 0.0, False)
    assert values[0] == -1.0
    clip(values, 0, True)
    assert values.tolist() == [0.0, 0.0, 3.0]
    assert clip.__name__ == "clip"
    assert kernels._declared == [clip]


_BOUND = 40_000_000_000


def _wait(flag, trace):
    count = 0
    while flag[0] == 0 and count < _BOUND:
        trace[count & 7] = count & 1  # what might be the flag: it has to be looked at again
        count += 1
    return count


def test_the_interpreter_goes_on_while_a_kernel_runs():
    flag = np.zeros(1, np.uint8)
    waiting = Kernel(_wait, (array(u1, 1), array(u1, 1)))
    waiting.compile()
    result = []
    thread = threading.Thread(target=lambda: result.append(waiting(flag, np.zeros(8, np.uint8))))
    thread.start()
    flag[0] = 1
    thread.join(60)
    assert result[0] < _BOUND


def test_prepare_compiles_what_no_cache_has_and_tells_of_it():
    class Listener:
        def __init__(self):
            self.told = []

        def start(self, total, label):
            self.told.append(("start", total, label))

        def advance(self, amount=1, label=None):
            self.told.append(amount)

        def finish(self):
            self.told.append("finish")

    def declare():
        kernels._declared[:] = []
        return kernel(*ADD)(_add), kernel(const(f4, 1))(_sum)

    listener = Listener()
    first = declare()
    first[0].compile()
    first = declare()
    assert kernels.prepare(listener) == 1
    assert listener.told == [("start", 1, "compiling kernels, once"), 1, "finish"]
    assert [each.is_ready for each in first] == [False, True]
    assert kernels.prepare() == 0
    again, quiet = declare(), Listener()
    assert kernels.prepare(quiet) == 0
    assert quiet.told == []
    assert again[1](np.ones(3, np.float32)) == 3
    assert len(again[1]._compiled.stats.cache_hits) == 1


def test_many_threads_compile_a_kernel_once():
    add = Kernel(_add, ADD)
    out = [np.zeros(3, np.float32) for _ in range(6)]
    threads = [
        threading.Thread(target=add, args=(each, np.ones(3, np.float32), 0)) for each in out
    ]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert all(each.tolist() == [1, 1, 1] for each in out)
    assert len(add._compiled.stats.cache_misses) == 1

from __future__ import annotations

import numpy as np
import pytest

from upramp.detector1 import refpix_irs2_bad_pixels as bad_pixels
from upramp.detector1.irs2_layout import Interleave, deinterleave
from upramp.detector1.irs2_transform import Transform, agrees_with_numpy
from upramp.detector1.irs2_twiddles import Twiddles, radices
from upramp.detector1.refpix_irs2 import TABLE_ROWS, Correction, group_mean
from upramp.detector1.refpix_irs2_mean import odd_rows


@pytest.fixture(scope="module")
def reference():
    rng = np.random.default_rng(0)
    column = rng.normal(0, 0.5, TABLE_ROWS).astype(np.float32)
    # Outputs that differ, without eight tables in memory.
    return [column] * 4, [column[::-1].copy(), column, column, column]


@pytest.fixture(scope="module")
def ramp():
    rng = np.random.default_rng(1)
    return rng.normal(1000, 20, (2, 3200, 2048)).astype(np.float32)


@pytest.mark.parametrize("detector", ["NRS1", "NRS2"])
def test_a_result_may_overwrite_its_frame(reference, ramp, detector):
    correction = Correction(Interleave(detector), *reference)
    apart = np.empty((2, 2048, 2048), np.float32)
    correction.correct_integration(ramp, apart)
    both = ramp.copy()
    correction.correct_integration(both, correction.in_place(both))
    np.testing.assert_array_equal(correction.in_place(both), apart)


def test_tasks_may_run_in_any_order(reference, ramp):
    correction = Correction(Interleave("NRS1"), *reference, preserve=True)
    apart, shuffled = np.empty_like(ramp), np.empty_like(ramp)
    correction.correct_integration(ramp, apart)

    def backwards(tasks):
        for task in reversed(tasks):
            task(correction.room())

    correction.correct_integration(ramp, shuffled, backwards)
    np.testing.assert_array_equal(apart, shuffled)


def test_one_group_is_its_own_mean(reference, ramp):
    correction = Correction(Interleave("NRS2"), *reference)
    result = np.empty((1, 2048, 2048), np.float32)
    correction.correct_integration(ramp[:1], result)
    np.testing.assert_array_equal(result[0], deinterleave(ramp[0], correction.layout))


def test_the_mean_may_be_made_in_parts(ramp):
    whole, parts = group_mean(ramp), np.empty(ramp.shape[1:])
    for first in range(0, 3200, 1000):
        group_mean(ramp, parts, first, min(first + 1000, 3200))
    np.testing.assert_array_equal(whole, parts)
    np.testing.assert_array_equal(whole, ramp.mean(axis=0, dtype=np.float64))


def test_tables_and_frames_that_do_not_suit(reference):
    with pytest.raises(ValueError, match="numbers"):
        Correction(Interleave("NRS1"), [c[:-2] for c in reference[0]], reference[1])
    with pytest.raises(ValueError, match="numbers"):
        Correction(Interleave("NRS1", 8, 4), *reference)
    correction = Correction(Interleave("NRS1"), *reference)
    with pytest.raises(ValueError, match="frames"):
        correction.correct_integration(
            np.zeros((1, 3200, 8), np.float32), np.zeros((1, 2048, 8), np.float32)
        )


def test_transforms_have_numpys_bits():
    length = 712 * 2048
    rng = np.random.default_rng(2)
    response = np.zeros(length)
    response[:40000] = response[-40000:] = rng.random(40000)
    response[700000:760000] = 1
    ours, theirs = Transform(length, response), Transform(length, response, fast=False)
    work = ours.workspace()
    series = rng.normal(0, 50, length).astype(np.float32)
    spectra = np.empty((2, length), np.complex64)
    backs, filtered = np.empty((2, length), np.float32), np.stack([series, series])
    for n, transform in enumerate((ours, theirs)):
        transform.spectrum(series, spectra[n], work)
        transform.series(spectra[n], backs[n], work)
        transform.filter(filtered[n], work)
    np.testing.assert_array_equal(*spectra)
    np.testing.assert_array_equal(*backs)
    np.testing.assert_array_equal(*filtered)
    np.testing.assert_allclose(backs[0] / length, series / length, atol=1e-4)


def test_where_numpy_has_other_bits_it_does_the_work(monkeypatch):
    assert agrees_with_numpy()
    length = 64 * 89
    response = np.ones(length)
    assert Transform.best(length, response).fast
    assert not Transform.best(length - 1, response[1:]).fast
    monkeypatch.setattr("upramp.detector1.irs2_transform.agrees_with_numpy", lambda: False)
    assert not Transform.best(length, response).fast


def test_lengths():
    assert radices(712 * 2048) == [8, 8, 8, 8, 4, 89]
    assert radices(64 * 89) == [8, 8, 89]
    assert [radices(n) for n in (89, 4 * 89, 8 * 89, 64 * 3, 128 * 89)] == [None] * 5


def test_twiddle_factors_are_the_roots_of_unity():
    factors = Twiddles.of(8 * 8 * 89, np.float64)
    roots = np.exp(2j * np.pi * np.outer(np.arange(1, 8), np.arange(89)) / (8 * 89))
    np.testing.assert_allclose(factors.real[1] + 1j * factors.imaginary[1], roots, atol=1e-15)


def test_what_replaces_a_bad_read():
    layout = Interleave("NRS1")
    reads = np.flatnonzero(layout.reference_reads[:640])

    def recipe(*rows):
        bad = np.zeros(3200, dtype=bool)
        bad[list(rows)] = True
        return bad_pixels.recipe_of_flags(bad, layout).tolist()

    assert recipe(28) == [[28, 8, 48]]
    assert recipe(8) == [[8, 28, -1]]
    assert recipe(628, 608) == [[608, 588, -1], [628, 630, -1]]
    assert recipe(8, 28) == [[8, 10, -1], [28, 48, -1]]
    assert recipe(*reads)[7] == [31, -1, -1]
    # Flagged ordinary pixels are taken for reads.
    assert recipe(700) == [[700, 680, 720]]


def test_the_table_of_a_reference_counts_along_the_detector():
    nothing = np.zeros(3200, dtype=bool)
    arguments = [1, 2], [1, 1], [1 << 1, 1]
    one = bad_pixels.recipe_of_table(*arguments, nothing, Interleave("NRS1"))
    # Of even outputs, which are read the other way, the pairs change places.
    assert one.tolist() == [
        [668, 648, 688], [669, 649, 689], [1290, 1310, -1], [1291, 1311, -1],
    ]  # fmt: skip
    other = bad_pixels.recipe_of_table(*arguments, nothing, Interleave("NRS2"))
    assert other[0].tolist() == [3199 - 668, 3199 - 648, 3199 - 688]
    assert other[2].tolist() == [3199 - 1290, 3199 - 1310, -1]
    assert bad_pixels.recipe_of_table([], [], [], nothing, Interleave("NRS1")).shape == (0, 3)


def test_replacement():
    frame = np.arange(3200 * 2, dtype=np.float32).reshape(3200, 2)
    expected = frame.copy()
    expected[10] = (frame[4] + frame[5]) / 2
    expected[11] = frame[10 - 9]
    expected[12] = 0
    bad_pixels.replace(frame, np.array([[10, 4, 5], [11, 1, -1], [12, -1, -1]]))
    np.testing.assert_array_equal(frame, expected)


def test_parity_of_rows():
    layout = Interleave("NRS1")
    odd = "".join("o" if value else "." for value in odd_rows(layout)[640:664])
    assert odd == "o.o.o.o.oo..o.o.o.o.o.o."
    np.testing.assert_array_equal(odd_rows(Interleave("NRS2")), odd_rows(layout)[::-1])

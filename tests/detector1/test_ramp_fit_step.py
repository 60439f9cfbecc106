"""Which algorithm fits which groups, in tiles as in the whole."""

from __future__ import annotations

import numpy as np
import pytest
from small_states import ramps, readout, state_of

from upramp.detector1.inputs import References
from upramp.detector1.ramp_fit import RampFit, choose_algorithm, group_limits
from upramp.detector1.tiles import run_tiles

NAMES = ("rate", "rate_dq", "rateints", "rateints_dq")


def fitted(data, flags=None, *, rows=None, threads=1, **keywords):
    state = state_of(data, flags, threads=threads, **keywords)
    usable = (
        np.ones(data.shape[:2], bool) if flags is None else ((flags & 1) == 0).any(axis=(2, 3))
    )
    fit = RampFit(state, None, usable)
    run_tiles(state.frame, state.ramp, state.flags, [fit], threads=threads, rows=rows)
    return fit


def assert_same(one, two):
    for name in NAMES:
        np.testing.assert_array_equal(getattr(one.rates, name), getattr(two.rates, name))


@pytest.mark.parametrize(
    ("algorithm", "ngroups", "reads", "chosen"),
    [
        ("OLS_C", 10, None, "OLS_C"),
        ("ols_c", 10, None, "OLS_C"),
        ("LIKELY", 4, None, "LIKELY"),
        ("LIKELY", 3, None, "OLS_C"),
        ("OLS_C", 4, [[1], [2], [4], [8]], "LIKELY"),
        ("OLS_C", 3, [[1], [2], [4]], "OLS_C"),
    ],
)
def test_algorithm(algorithm, ngroups, reads, chosen):
    how = readout((1, ngroups), read_times=reads)
    assert choose_algorithm({"algorithm": algorithm}, how, ngroups) == chosen


@pytest.mark.parametrize(
    ("first", "last", "limits"),
    [
        (None, None, (0, 7)),
        (2, None, (2, 7)),
        (None, 5, (0, 5)),
        (2, 5, (2, 5)),
        (-3, 99, (0, 7)),
        (5, 5, (0, 7)),  # nothing would be left
        (6, 2, (0, 7)),
        (9, None, (0, 7)),
        (0, -1, (0, 7)),
    ],
)
def test_limits_of_groups(first, last, limits):
    assert group_limits({"firstgroup": first, "lastgroup": last}, 8) == limits


@pytest.mark.parametrize(("first", "last"), [(2, None), (None, 5), (2, 5), (5, 6)])
def test_groups_beyond_the_limits_do_not_count(first, last):
    data = ramps((2, 8, 6, 5))
    spoilt = data.copy()
    spoilt[:, : first or 0] = 1e6
    if last is not None:
        spoilt[:, last + 1 :] = -1e6
    one = fitted(data, fit={"firstgroup": first, "lastgroup": last})
    assert_same(one, fitted(spoilt, fit={"firstgroup": first, "lastgroup": last}))
    assert np.isfinite(one.rates.rate).all()
    assert not np.array_equal(one.rates.rate, fitted(data).rates.rate)


@pytest.mark.parametrize("algorithm", ["OLS_C", "LIKELY"])
@pytest.mark.parametrize("instrument", ["NIRCAM", "MIRI"])
def test_tiles_and_threads_give_the_same_bits(algorithm, instrument):
    data = ramps((2, 7, 13, 9))
    flags = np.random.default_rng(3).choice([0, 1, 2, 4], data.shape, p=[0.85, 0.05, 0.05, 0.05])
    flags = flags.astype(np.uint8)
    flags[:, 0] |= 1
    flags[:, -1] |= 1
    how = {"fit": {"algorithm": algorithm}, "instrument": instrument}
    whole = fitted(data, flags, rows=13, **how)
    assert whole.algorithm == algorithm
    for rows, threads in ((1, 1), (4, 2), (5, 3), (None, 2)):
        assert_same(fitted(data, flags, rows=rows, threads=threads, **how), whole)


def test_first_and_last_group_of_miri_that_no_pixel_can_use_are_taken_off():
    data = ramps((2, 8, 3, 4))
    flags = np.zeros(data.shape, np.uint8)
    flags[:, [0, 1, 7]] = 1
    flags[0, 2] = 4  # a jump right after what is taken off is none
    found = fitted(data, flags, instrument="MIRI")
    inner, inner_flags = data[:, 2:7].copy(), np.zeros((2, 5, 3, 4), np.uint8)
    assert_same(found, fitted(inner, inner_flags, instrument="MIRI"))
    assert found.rates.rate_dq.max() == 0


def test_what_one_pixel_can_use_is_not_taken_off():
    data = ramps((1, 6, 2, 2))
    flags = np.zeros(data.shape, np.uint8)
    flags[:, 0] = 1
    flags[0, 0, 1, 1] = 0
    found = fitted(data, flags, instrument="MIRI")
    plain = fitted(data, flags)
    assert_same(found, plain)


@pytest.mark.parametrize("instrument", ["NIRCAM", "MIRI"])
def test_no_usable_group_at_all(instrument):
    data = ramps((1, 5, 2, 2))
    found = fitted(data, np.ones(data.shape, np.uint8), instrument=instrument)
    if instrument == "MIRI":
        assert not found.possible
        assert not found.has_result
    else:
        assert np.isnan(found.rates.rate[0]).all()


@pytest.mark.parametrize("instrument", ["NIRCAM", "MIRI"])
@pytest.mark.parametrize("ngroups", [1, 2])
def test_one_and_two_groups(instrument, ngroups):
    data = ramps((2, ngroups, 2, 3))
    found = fitted(data, instrument=instrument, fit={"algorithm": "LIKELY"})
    assert found.algorithm == "OLS_C"
    assert found.has_result
    assert np.isfinite(found.rates.rate).all()


def test_saturated_from_the_start_everywhere_is_no_result():
    data = ramps((1, 5, 3, 3))
    flags = np.full(data.shape, 2, np.uint8)
    assert not fitted(data, flags).has_result
    flags[0, 0, 2, 2] = 0
    assert fitted(data, flags).has_result


@pytest.mark.parametrize("shape", [(1, 5, 1, 9), (1, 5, 9, 1), (3, 4, 1, 1)])
def test_one_row_and_one_column(shape):
    data = ramps(shape)
    found = fitted(data)
    turned = fitted(np.ascontiguousarray(data.swapaxes(2, 3)))
    np.testing.assert_array_equal(found.rates.rate, turned.rates.rate.swapaxes(1, 2))


def test_what_is_known_of_segments_is_kept_if_it_is_asked_for():
    data = ramps((1, 5, 2, 2))
    assert fitted(data).optional is None
    assert fitted(data, fit={"save_opt": True}).optional is not None
    likely = fitted(data, fit={"save_opt": True, "algorithm": "LIKELY"})
    assert likely.optional is None
    assert np.isfinite(likely.chisq).all()


def test_a_fit_needs_gain_and_readnoise():
    state = state_of(ramps((1, 5, 2, 2)), refs=References())
    with pytest.raises(ValueError, match="gain and readnoise"):
        RampFit(state, None, np.ones((1, 5), bool))

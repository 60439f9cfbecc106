"""Slopes by maximum likelihood, bit for bit as the official package fits them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from random_ramps import all_patterns, random_ramps, tiles

from same_bits import assert_same_bits
from upramp.detector1.likely import JUMP_THRESHOLDS, fit_likely
from upramp.detector1.likely_covariance import covariance_of, even_read_times, split_zero_read
from upramp.detector1.likely_jumps import find_jumps, numpy_reuses
from upramp.detector1.likely_layout import LANES
from upramp.detector1.likely_rows import median_guess, per_gain
from upramp.detector1.likely_solve import determinant_root
from upramp.detector1.ols import Rates

pytestmark = pytest.mark.peer

FRAME_TIME = 10.73677
PLANES = ("slope", "err", "var_poisson", "var_rnoise")
GOOD, DNU, SAT, JUMP = 0, 1, 2, 4
ODD = (0.0, -0.0, np.nan, -1.5, np.inf, 1e-30, 1e30)


def official(ramps, *, nframes=1, groupgap=0, dark=None, zeroframe=None, read_times=None):
    from stcal.ramp_fitting import ramp_fit, ramp_fit_class
    from stdatamodels.jwst.datamodels import dqflags

    data = ramp_fit_class.RampData()
    data.algorithm = "LIKELY"
    groupdq = ramps.groupdq.copy()
    data.set_arrays(
        ramps.data.copy(),
        groupdq,
        ramps.pixeldq.copy(),
        np.zeros_like(ramps.gain) if dark is None else dark.copy(),
        zeroframe=None if zeroframe is None else zeroframe.copy(),
    )
    data.set_meta("NIRCAM", FRAME_TIME, FRAME_TIME * (nframes + groupgap), groupgap, nframes, 0)
    data.set_dqflags(dqflags.pixel)
    data.read_pattern = None if read_times is None else list(read_times)
    with np.errstate(all="ignore"):
        rate, rateints, _ = ramp_fit.ramp_fit_data(
            data, False, ramps.readnoise.copy(), ramps.gain.copy(), "LIKELY", "optimal", "none"
        )
    return rate, rateints, groupdq


def ours(
    ramps,
    rows=None,
    *,
    nframes=1,
    groupgap=0,
    dark=None,
    zeroframe=None,
    read_times=None,
    chisq=None,
):
    nints, ngroups, ny, nx = ramps.data.shape
    times = read_times or even_read_times(ngroups, nframes, groupgap, FRAME_TIME)
    split = None if zeroframe is None else split_zero_read(times)
    covariance = covariance_of(split or times, zero_read=split is not None)
    rates = Rates.empty(nints, ny, nx)
    groupdq = ramps.groupdq.copy()
    for _, _, first, last in tiles(ny, rows or ny, 0):
        flags = np.ascontiguousarray(groupdq[:, :, first:last])
        fit_likely(
            np.ascontiguousarray(ramps.data[:, :, first:last]),
            flags,
            ramps.pixeldq,
            ramps.gain,
            ramps.readnoise,
            rates,
            covariance=covariance,
            nframes=nframes,
            dark_current=dark,
            zeroframe=zeroframe if split else None,
            chisq=chisq,
            y0=first,
        )
        groupdq[:, :, first:last] = flags
    return rates, groupdq


def compare(ramps, rows=None, **how):
    rate, rateints, groupdq = official(ramps, **how)
    chisq = np.empty_like(ramps.gain)
    rates, flags = ours(ramps, rows, chisq=chisq, **how)
    assert_same_bits(flags, groupdq, "groupdq")
    assert_same_bits(rates.rateints_dq, rateints["dq"], "rateints dq")
    assert_same_bits(rates.rate_dq, rate["dq"], "rate dq")
    for k, name in enumerate(PLANES):
        assert_same_bits(rates.rateints[k], rateints[name], f"rateints {name}")
        assert_same_bits(rates.rate[k], rate[name], f"rate {name}")
    assert_same_bits(chisq, rate["chisq"], "chi squared")
    return flags


def spoil(ramps, seed=0):
    rng = np.random.default_rng(seed)
    data, shape = ramps.data, ramps.gain.shape
    for value in ODD:
        ramps.gain[rng.random(shape) < 0.02] = value
        ramps.readnoise[rng.random(shape) < 0.02] = value
    for value in (*ODD, 3e38, -1e4, -np.inf):
        data[:, :, rng.random(shape) < 0.01] = value
        data[rng.random(data.shape) < 0.003] = value
    with np.errstate(all="ignore"):
        for factor in (-1, 0, 1e5):
            data[:, :, rng.random(shape) < 0.03] *= np.float32(factor)
    return ramps


@pytest.mark.parametrize("nframes", [1, 4])
@pytest.mark.parametrize("ngroups", [4, 5, 6])
def test_every_pattern_of_good_jump_saturated_unusable(ngroups, nframes):
    for seed in range(3):
        ramps = all_patterns(ngroups, [GOOD, JUMP, SAT, DNU], seed)
        # In rows of 128 pixels, so that some have many jumps and some have none.
        for name in ("data", "groupdq"):
            old = getattr(ramps, name)
            setattr(ramps, name, old.reshape(1, ngroups, -1, 128))
        for name in ("pixeldq", "gain", "readnoise"):
            setattr(ramps, name, getattr(ramps, name).reshape(-1, 128))
        compare(ramps, nframes=nframes)


def test_every_flag_of_a_group():
    ramps = random_ramps((1, 6, 6, 256), 2, flags=0)
    for k in range(6):
        ramps.groupdq[0, k, k] = np.arange(256)
    compare(ramps)


@pytest.mark.parametrize("odd", [False, True], ids=["ordinary", "odd"])
@pytest.mark.parametrize(("nframes", "groupgap"), [(1, 0), (2, 3), (8, 2)])
@pytest.mark.parametrize("nints", [1, 3])
@pytest.mark.parametrize("ngroups", [4, 5, 8, 9, 10, 11, 12, 25])
def test_random_ramps(ngroups, nints, nframes, groupgap, odd):
    ramps = random_ramps((nints, ngroups, 4, 97), ngroups, hits=0.05)
    if odd:
        spoil(ramps, ngroups)
    flags = compare(ramps, 3, nframes=nframes, groupgap=groupgap)
    assert (flags & ~ramps.groupdq & JUMP).any()


@pytest.mark.parametrize("odd", [False, True], ids=["ordinary", "odd"])
@pytest.mark.parametrize(("ngroups", "nframes"), [(4, 8), (5, 2), (10, 4), (6, 1)])
def test_zero_frame_is_a_group_of_its_own_unless_it_is_the_first_group(ngroups, nframes, odd):
    ramps = random_ramps((2, ngroups, 5, 64), 4, hits=0.05)
    if odd:
        spoil(ramps, 4)
    zeroframe = ramps.data[:, 0] * np.float32(0.7) - np.float32(3)
    zeroframe[:, :, 5] = 0
    compare(ramps, 2, nframes=nframes, zeroframe=zeroframe)


@pytest.mark.parametrize(
    "read_times",
    [
        [[1.0], [2.0], [4.0], [5.0], [7.0], [8.0]],
        [[1.0, 2.5], [4.0, 5.5], [9.0], [11.0, 12.0, 13.5], [20.0], [21.5]],
        [[1.0], [2.0, 3.0, 7.0], [9.0], [11.0], [20.0, 22.0], [40.0]],
    ],
)
def test_explicit_read_times(read_times):
    ramps = random_ramps((2, 6, 5, 64), 5, hits=0.05)
    compare(ramps, read_times=read_times)
    compare(ramps, read_times=read_times, zeroframe=ramps.data[:, 0] * np.float32(0.5))


def test_dark_current_is_added_to_the_guess_of_the_last_fit():
    ramps = random_ramps((2, 8, 5, 64), 6)
    dark = np.random.default_rng(6).normal(0, 5, (5, 64)).astype(np.float32)
    compare(ramps, dark=dark)


@pytest.mark.parametrize("hits", [0, 0.05])
def test_ramps_that_do_not_move_and_a_dark_current_of_minus_zero(hits):
    ramps = random_ramps((1, 6, 8, 40), 7, hits=hits, flags=0, rounded=True)
    ramps.data[:, :, :, 1] = -0.0
    compare(ramps, dark=np.full((8, 40), -0.0, np.float32))


@pytest.mark.parametrize("ngroups", [10, 25, 140])
@pytest.mark.parametrize("nx", [1, 2, 3, 33])
def test_narrow_frames(nx, ngroups):
    # One column is added up in another order than several. That shows where sums cancel.
    ramps = random_ramps((1, ngroups, 300 // ngroups, nx), nx, hits=0.3 / ngroups, flags=0)
    half = (ngroups + 1) // 2
    ramps.data[0, -half:, ::2] = ramps.data[0, :half, ::2][::-1]
    compare(ramps)


def official_search(diffs, used, ramps, covariance, thresholds):
    """Count rates of the official search of a row, and what is left in use."""
    from stcal.ramp_fitting import likely_fit
    from stcal.ramp_fitting.likely_algo_classes import Covar

    covar = Covar(covariance)
    noise = ramps.readnoise[0] / likely_fit.SQRT2
    with np.errstate(all="ignore"):
        return likely_fit.mask_jumps(
            diffs, covar, noise, ramps.gain[0], *thresholds, diffs2use=used.copy()
        )


def our_search(diffs, used, ramps, covariance, thresholds):
    ndiffs, nx = diffs.shape
    room = nx + 2 * int(LANES)
    room -= room % int(LANES)
    wide, use = np.zeros((ndiffs, room)), np.zeros((ndiffs, room), np.uint8)
    wide[:, :nx], use[:, :nx] = diffs, used
    rates, photons, reads = np.zeros(room), np.ones(room), np.ones(room)
    reads[:nx] = (ramps.readnoise[0] / np.sqrt(2)) ** 2
    median_guess(wide, nx, rates)
    per_gain(rates, ramps.gain[0], photons)
    scale = determinant_root(photons, reads, covariance.terms, np.empty((4, room)))
    find_jumps(
        wide,
        use,
        photons,
        reads,
        scale,
        rates,
        covariance.terms,
        covariance.two_omit,
        np.array(thresholds),
        np.zeros((ndiffs + 1, 1, nx), np.uint8),
        0,
        1,
        0,
        numpy_reuses(),
        bool(covariance.two_omit.any()),
    )
    return use[:, :nx], rates[:nx]


def searched(shape, nframes, seed, hits):
    """Give the input of a search of one row: differences, use, ramps, read times, covariance."""
    ngroups, nx = shape
    ramps = random_ramps((1, ngroups, 1, nx), seed, hits=hits, flags=0.01)
    ramps.gain[:], ramps.readnoise[:] = 1.9, 6
    times = even_read_times(ngroups, nframes, 1, FRAME_TIME)
    covariance = covariance_of(times)
    data, groupdq = ramps.data[0, :, 0], ramps.groupdq[0, :, 0]
    diffs = (data[1:] - data[:-1]) / covariance.times[:, None]
    used = ((groupdq[1:] | groupdq[:-1]) == 0).astype(np.uint8)
    return diffs, used, ramps, times, covariance


@pytest.mark.parametrize("nframes", [1, 4])
@pytest.mark.parametrize(
    ("shape", "hits"),
    [
        ((30, 1), 0.1),
        ((140, 1), 0.05),
        ((30, 7), 0.02),  # often a single pixel is looked at again
        ((60, 40), 0.05),
        ((60, 700), 0.05),  # so many that numpy reuses memory
        ((5, 200), 0.2),
    ],
)
def test_count_rates_of_the_search_in_double_precision(shape, hits, nframes):
    for seed in range(3 if shape[1] > 100 else 20):
        diffs, used, ramps, times, covariance = searched(shape, nframes, seed, hits)
        left, rates = official_search(diffs, used, ramps, times, JUMP_THRESHOLDS)
        ours_left, ours_rates = our_search(diffs, used, ramps, covariance, JUMP_THRESHOLDS)
        assert_same_bits(ours_left, left, "differences in use")
        assert_same_bits(ours_rates, rates, "count rates")


@pytest.mark.parametrize("shape", [(30, 1), (30, 3), (60, 700)])
def test_decisions_at_the_very_threshold(shape, monkeypatch):
    # The threshold is a pixel's own improvement of chi squared in a later round:
    # one last bit more, and the pixel would lose another difference.
    from stcal.ramp_fitting import likely_fit

    fit, improvements = likely_fit.fit_ramps, []

    def remember(*arguments, **how):
        result = fit(*arguments, **how)
        improvements.append((result.chisq - result.chisq_one_omit).max(axis=0))
        return result

    monkeypatch.setattr(likely_fit, "fit_ramps", remember)
    tried = 0
    for seed in range(60):
        diffs, used, ramps, times, covariance = searched(shape, 1, seed, 0.08)
        improvements.clear()
        official_search(diffs, used, ramps, times, JUMP_THRESHOLDS)
        later = np.concatenate([np.zeros(1), *improvements[1:]])
        for threshold in later[(later > 5) & (later < 20)][:2]:
            thresholds = (threshold, threshold + 3)
            left, _ = official_search(diffs, used, ramps, times, thresholds)
            ours_left, _ = our_search(diffs, used, ramps, covariance, thresholds)
            assert_same_bits(ours_left, left, "differences in use")
            tried += 1
        if tried > 40:
            break
    assert tried > 20


@pytest.mark.parametrize("nframes", [1, 4])
def test_many_pixels_with_jumps(nframes):
    ramps = random_ramps((1, 60, 2, 700), 9, hits=0.1, flags=0)
    flags = compare(ramps, nframes=nframes)
    again = ((flags & JUMP).any(1)).sum(-1).min()
    assert again * 59 * 8 > numpy_reuses() or numpy_reuses() > 1 << 40


@pytest.mark.parametrize("nints", [2, 7, 20])
def test_a_single_pixel_of_many_integrations(nints):
    for seed in range(5):
        ramps = random_ramps((nints, 5, 1, 1), seed, flags=0)
        ramps.gain[:], ramps.readnoise[:] = 1.9, 6
        compare(ramps)


@pytest.mark.parametrize("nints", [599, 600, 602])
def test_hundreds_of_integrations(nints):
    ramps = random_ramps((nints, 4, 2, 5), nints)
    ramps.data[5, :, 1, 2] = np.nan
    # So large that twice the rate is infinite. An odd number of rates is left of 599 and of 602.
    steps = np.random.default_rng(nints).integers(17, 32, (nints, 1)) * 2.0**120
    ramps.data[:, :, 0, 1] = np.arange(4) * steps
    ramps.groupdq[:, :, 0, 1] = 0
    ramps.gain[0, 1], ramps.readnoise[0, 1] = 1e3, 1e17
    ramps.data[:, 2:, 0, 2] = np.nan
    compare(ramps, read_times=[[0.125], [0.25], [0.375], [0.5]])


@settings(max_examples=25, deadline=None, derandomize=True)
@given(
    shape=st.tuples(st.integers(1, 4), st.integers(4, 24), st.integers(1, 5), st.integers(1, 70)),
    nframes=st.integers(1, 5),
    seed=st.integers(0, 2**16),
    hits=st.sampled_from([0.0, 0.01, 0.2]),
    flags=st.sampled_from([0.0, 0.05, 0.5]),
    rounded=st.booleans(),
)
def test_any_exposure(shape, nframes, seed, hits, flags, rounded):
    compare(random_ramps(shape, seed, hits=hits, flags=flags, rounded=rounded), 2, nframes=nframes)


def test_numpy_powers_are_the_same_for_one_value_as_for_many():
    # The official package takes roots of whole rows, we those of several rows at once.
    values = np.exp(np.random.default_rng(1).normal(0, 9, 999))
    for root in (3, 7, 10, 24):
        alone = np.array([(values[k : k + 1] ** (1 / root))[0] for k in range(len(values))])
        out = np.empty(len(values) + 3)[3:]
        assert_same_bits(np.power(values, 1 / root, out=out), alone)

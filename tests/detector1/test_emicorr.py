"""Interference is found and removed: on ramps to which a known wave was added."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emicorr_ramps import disturbed, reference, wave
from upramp.detector1.emicorr import (
    Case,
    Clocks,
    EmiReference,
    SequentialOptions,
    find_case,
    own_case,
    subtract_interference,
)
from upramp.detector1.emicorr_joint import best_phase
from upramp.detector1.emicorr_ranks import clipped_means_of_groups, median
from upramp.detector1.emicorr_waves import prepare_wave, wave_at
from upramp.detector1.inputs import Readout, References
from upramp.detector1.mid_infrared import emicorr, emicorr_refused
from upramp.detector1.state import State
from upramp.detector1.tiles import Frame, array_source
from upramp.errors import InputError, ReferenceFileError, UsageError

SHAPE = (2, 12, 64, 72)
NONE = np.zeros(SHAPE[-2:], np.uint32)
ONE = Case(28, 8512, ((390.625, 40 * wave()),))
FOUND = Case(28, 8512, ((390.625, None),))
WAYS = [
    (ONE, {"algorithm": "joint"}),
    (ONE, {"algorithm": "joint", "fit_ints_separately": True}),
    (ONE, {"algorithm": "sequential"}),
    (FOUND, {"algorithm": "joint"}),
]
IDS = ["joint", "apart", "sequential", "on the fly"]

PARAMETERS = {
    "skip": False,
    "algorithm": "joint",
    "nints_to_phase": None,
    "nbins": None,
    "scale_reference": True,
    "onthefly_corr_freq": None,
    "use_n_cycles": 3,
    "fit_ints_separately": False,
    "user_supplied_reffile": None,
    "save_intermediate_results": False,
}


def removed(ramp, case, pixeldq=NONE, *, readpatt="FASTR1", nsamples=1, **more):
    own = ramp.copy()
    subtract_interference(own, pixeldq, case, readpatt=readpatt, nsamples=nsamples, **more)
    return own


def scatter(ramp, clean):
    return float(np.std(ramp[..., 16:].astype(np.float64) - clean[..., 16:]))


@pytest.mark.parametrize(("case", "way"), WAYS, ids=IDS)
@pytest.mark.parametrize("readpatt", ["FAST", "FASTR1"])
def test_a_wave_is_removed(case, way, readpatt):
    clean, dirty = disturbed(SHAPE, readpatt=readpatt)
    before = scatter(dirty, clean)
    assert before > 13
    assert scatter(removed(dirty, case, readpatt=readpatt, **way), clean) < 0.12 * before


@pytest.mark.parametrize(("case", "way"), WAYS, ids=IDS)
def test_pixels_of_the_four_outputs_lose_the_same(case, way):
    _, dirty = disturbed(SHAPE)
    lost = dirty.astype(np.float64) - removed(dirty, case, **way)
    assert np.ptp(lost.reshape(*SHAPE[:3], -1, 4), axis=-1).max() < 2e-3  # a float32 of 10000


@pytest.mark.parametrize(("case", "way"), WAYS, ids=IDS)
def test_threads_change_nothing(case, way):
    _, dirty = disturbed(SHAPE)
    alone = removed(dirty, case, **way)
    for threads in (2, 3, 5):
        np.testing.assert_array_equal(removed(dirty, case, threads=threads, **way), alone)


def test_waves_are_removed_one_after_the_other():
    waves = (390.625, 20.0, 0.1), (218.52055, 12.0, 0.7)
    clean, dirty = disturbed(SHAPE, waves=waves)
    both = Case(28, 8512, tuple((hertz, wave()) for hertz, _, _ in waves))
    assert scatter(removed(dirty, both), clean) < 1.5
    first, second = (Case(28, 8512, (one,)) for one in both.waves)
    np.testing.assert_array_equal(removed(dirty, both), removed(removed(dirty, first), second))


def test_each_integration_may_have_an_amplitude_of_its_own():
    clean, dirty = disturbed(SHAPE)
    dirty[1] = clean[1]
    apart = removed(dirty, ONE, fit_ints_separately=True)
    together = removed(dirty, ONE)
    assert scatter(apart, clean) < 1.5
    assert scatter(together, clean) > 4


def test_flagged_pixels_do_not_count():
    clean, dirty = disturbed(SHAPE)
    pixeldq = NONE.copy()
    pixeldq[::3] = 1
    spoilt = dirty.copy()
    spoilt[:, :, ::3] = 1000 + 7 * (np.arange(72) // 4)
    own = removed(spoilt, ONE, pixeldq)
    kept = pixeldq == 0
    assert np.std((own - clean)[:, :, kept]) < 1.5
    assert (removed(dirty, ONE, np.ones_like(NONE)) == dirty).all()


def test_pixels_that_scatter_more_than_others_do_not_count():
    clean, dirty = disturbed(SHAPE)
    dirty[:, :, :, 40:44] += 500 * np.arange(SHAPE[1], dtype=np.float32)[:, None, None]
    lost = dirty - removed(dirty, ONE)
    wanted = disturbed(SHAPE)[1] - clean
    assert np.std((lost - wanted)[..., 16:]) < 1.5


def test_a_straight_ramp_stays_what_it_is():
    straight = np.arange(12, dtype=np.float32)[:, None, None] + np.zeros(SHAPE, np.float32)
    for case, way in WAYS:
        np.testing.assert_allclose(removed(straight, case, **way), straight, atol=1e-12)


def test_without_amplitude_a_known_wave_is_taken_as_it_is():
    _, dirty = disturbed(SHAPE)
    case = Case(28, 8512, ((390.625, 3 * wave()),))
    options = SequentialOptions(scale_reference=False)
    lost = dirty - removed(dirty, case, algorithm="sequential", options=options)
    assert abs(lost.max() - 3 * wave().max()) < 0.01


def test_slow_reading_takes_nine_samples():
    clean, dirty = disturbed(SHAPE)
    own = removed(dirty, ONE, readpatt="SLOWR1", nsamples=9)
    assert scatter(own, clean) > 8  # the wave is not where it would be


@pytest.mark.parametrize("shape", [(1, 2, 64, 72), (1, 5, 64, 71), (1, 5, 64, 12)])
def test_ramps_that_cannot_be(shape):
    with pytest.raises(ValueError, match="four outputs"):
        removed(np.zeros(shape, np.float32), ONE)


def test_samples_must_be_known():
    with pytest.raises(InputError, match="NSAMPLES"):
        removed(np.zeros(SHAPE, np.float32), ONE, nsamples=None)


def test_a_phase_beyond_the_wave(monkeypatch):
    monkeypatch.setattr(Clocks, "period", staticmethod(lambda _: 256.0))
    monkeypatch.setattr(
        "upramp.detector1.emicorr_sequential._nearest_samples", lambda values, _: values
    )
    with pytest.raises(IndexError, match="beyond the wave"):
        removed(disturbed(SHAPE)[1], FOUND)


# ---- what is to be removed ------------------------------------------------------


def test_cases_by_subarray_speed_and_detector():
    ours = reference()
    fast = find_case(ours, "FULL", "FASTR1", "MIRIMAGE")
    assert (fast.row, fast.frame) == (271, 277504)
    assert [hertz for hertz, _ in fast.waves] == [390.625, 10.039216]
    assert find_case(ours, "FULL", "slowr1", "MIRIMAGE").row == 2333
    assert find_case(ours, "SUB64", "FAST", "MIRIFULONG").row == 28
    assert find_case(ours, "SUB64", "SLOW", "MIRIFULONG") is None
    assert find_case(ours, "SUB256", "FAST", "MIRIMAGE") is None
    assert find_case(reference(names=()), "SUB64", "FAST", "MIRIMAGE") is None
    assert find_case(EmiReference({}, {"SUB64": {}}), "SUB64", "FAST", "MIRIMAGE") is None


def test_a_reference_that_names_what_it_has_not():
    with pytest.raises(ReferenceFileError, match="no frequency Hz999"):
        find_case(reference(names=("Hz390", "Hz999")), "SUB64", "FAST", "MIRIMAGE")


@pytest.mark.parametrize("clock", [0, -3, np.nan, np.inf, "28"])
def test_a_reference_with_senseless_clocks(clock):
    ours = reference()
    ours.subarray_cases["SUB64"]["rowclocks"] = clock
    with pytest.raises(ReferenceFileError, match="are no numbers"):
        find_case(ours, "SUB64", "FAST", "MIRIMAGE")


def test_frequencies_that_a_user_gives():
    case = own_case([390.625, 12.5], "FULL", "FAST")
    assert (case.row, case.frame, len(case.waves)) == (271, 277504, 2)
    assert own_case([390.625], "FULL", "SLOWR1").row == 2333
    assert own_case([390.625], "SUB64", "FAST").waves == ((390.625, None),)
    assert own_case([390.625], "SUB1024", "FAST") is None
    assert own_case([], "SUB64", "FAST") is None
    with pytest.raises(UsageError, match="is no frequency"):
        own_case([390.625, 0.0], "SUB64", "FAST")


# ---- parts ----------------------------------------------------------------------


@pytest.mark.parametrize("size", [2, 3, 7, 500])
def test_a_wave_goes_through_its_samples(size):
    samples = np.random.default_rng(size).normal(size=size)
    made = prepare_wave(samples)
    assert made.size == size
    middle = [wave_at(made.intervals, size, phase) for phase in made.centres[1:-1]]
    np.testing.assert_allclose(middle, samples, atol=1e-12)
    assert np.isnan([wave_at(made.intervals, size, phase) for phase in (-0.1, 1.1, np.nan)]).all()


def test_waves_that_are_none():
    assert np.isnan(prepare_wave(np.array([1.0, np.nan, 2.0])).intervals[:, 12:]).all()
    for bad in (np.ones(1), np.ones((3, 3))):
        with pytest.raises(ValueError, match="two samples"):
            prepare_wave(bad)


def test_the_best_phase_lies_between_trial_phases():
    phases = np.arange(100) / 100
    assert best_phase(phases, list((phases - 0.4237) ** 2)) == pytest.approx(0.4237)
    assert best_phase(phases, [np.nan] * 100) == 0
    assert best_phase(phases, [1.0] * 100) == 0
    broken = list((phases - 0.4237) ** 2)
    broken[43] = np.nan
    assert best_phase(phases, broken) == 0.42


NUMBERS = st.floats(width=32, allow_nan=True, allow_infinity=True)


@settings(max_examples=60, deadline=None)
@given(values=st.lists(NUMBERS, min_size=1, max_size=40))
def test_medians_are_those_of_numpy(values):
    values = np.array(values, np.float32)
    with np.errstate(all="ignore"):
        wanted = np.median(values)
    np.testing.assert_equal(median(values), wanted)


def clipped(values):
    values = values[np.isfinite(values)].astype(np.float64)
    for _ in range(5):
        if not len(values):
            break
        reach = 3.0 * np.nanstd(values)
        values = values[np.abs(values - np.median(values)) <= reach]
    return np.mean(values) if len(values) else np.nan


@settings(max_examples=30, deadline=None)
@given(sizes=st.lists(st.integers(0, 300), min_size=1, max_size=4), seed=st.integers(0, 2**32 - 1))
def test_clipped_means_of_groups(sizes, seed):
    rng = np.random.default_rng(seed)
    groups = [rng.normal(0, 5, size).astype(np.float32) for size in sizes]
    for group in groups:
        group[rng.random(len(group)) < 0.03] *= 100
        group[rng.random(len(group)) < 0.01] = np.nan
    edges = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    means = np.zeros(len(sizes))
    values = np.concatenate(groups).astype(np.float32)
    clipped_means_of_groups(values, edges, means, 0, len(sizes))
    np.testing.assert_allclose(means, [clipped(group) for group in groups], rtol=1e-12)


# ---- the step -------------------------------------------------------------------


def state_of(ramp, *, ours=None, readpatt="FASTR1", subarray="SUB64", threads=1, **parameters):
    readout = Readout(
        instrument="MIRI",
        detector="MIRIMAGE",
        exp_type="MIR_IMAGE",
        subarray=subarray,
        readpatt=readpatt,
        nints=ramp.shape[0],
        ngroups=ramp.shape[1],
        nframes=1,
        groupgap=0,
        frame_divisor=1,
        frame_time=0.085,
        group_time=0.085,
        nsamples=1,
    )
    return State(
        readout=readout,
        references=References(emicorr=ours),
        parameters={"emicorr": {**PARAMETERS, **parameters}},
        frame=Frame(*ramp.shape),
        ramp=array_source(ramp),
        flags=None,
        pixeldq=np.zeros(ramp.shape[-2:], np.uint32),
        threads=threads,
    )


def test_the_step_works_on_what_the_chain_makes():
    clean, dirty = disturbed(SHAPE)
    state = state_of(dirty - 5, ours=reference(names=("Hz390",)))
    state.through(lambda tile: np.add(tile.ramp, 5, out=tile.ramp))
    emicorr(state)
    assert state.status["emicorr"] == "COMPLETE"
    assert state.asked == {"emicorr"}
    assert scatter(state.data, clean) < 1.5
    assert any("390.625 Hz (joint)" in note for note in state.notes)


def test_frequencies_on_the_fly_ask_for_no_reference():
    clean, dirty = disturbed(SHAPE)
    state = state_of(dirty, ours=reference(), onthefly_corr_freq=[390.625])
    emicorr(state)
    assert state.status["emicorr"] == "COMPLETE"
    assert not state.asked
    assert scatter(state.data, clean) < 2
    assert any("390.625 Hz (sequential)" in note for note in state.notes)


@pytest.mark.parametrize(
    ("shape", "changes", "asked"),
    [
        (SHAPE, {"readpatt": "FASTGRPAVG"}, False),
        (SHAPE, {}, True),
        ((1, 2, 64, 72), {"ours": reference()}, True),
        ((1, 2, 64, 72), {"onthefly_corr_freq": [390.625]}, False),
        (SHAPE, {"ours": reference(), "subarray": "SUB256"}, True),
        (SHAPE, {"onthefly_corr_freq": [390.625], "subarray": "SUB1"}, False),
        (SHAPE, {"onthefly_corr_freq": []}, False),
    ],
    ids=["pattern", "no file", "groups", "groups, own", "subarray", "subarray, own", "none"],
)
def test_when_the_step_is_skipped(shape, changes, asked):
    state = state_of(np.zeros(shape, np.float32), **changes)
    emicorr(state)
    assert state.status["emicorr"] == "SKIPPED"
    assert state.asked == ({"emicorr"} if asked else set())
    assert state.data is None


@pytest.mark.parametrize(
    ("nx", "changes", "refused"),
    [
        (72, {}, None),
        (72, {"user_supplied_reffile": "a.asdf"}, "user_supplied_reffile"),
        (72, {"save_intermediate_results": True}, None),
        (72, {"save_intermediate_results": True, "onthefly_corr_freq": [1.0]}, "intermediate"),
        (70, {}, "four outputs"),
        (12, {}, "four outputs"),
    ],
)
def test_what_is_left_to_the_official_step(nx, changes, refused):
    reason = emicorr_refused(state_of(np.zeros((1, 5, 4, nx), np.float32), **changes))
    assert reason is None if refused is None else refused in reason

"""Removing interference against the official step, bit for bit."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emicorr_ramps import disturbed, reference
from same_bits import assert_same_bits
from upramp.detector1.emicorr import SequentialOptions, find_case, own_case, subtract_interference

pytestmark = pytest.mark.peer

TWO = ((390.625, 20.0, 0.1), (10.039216, 10.0, 0.4))
SEQUENTIAL = ("nints_to_phase", "nbins", "scale_reference", "use_n_cycles")


def official(ramp, pixeldq, ours, *, subarray, readpatt, nsamples, xstart, parameters):
    from jwst.emicorr.emicorr import apply_emicorr
    from stdatamodels.jwst.datamodels import EmiModel, RampModel

    model = RampModel(data=ramp.copy())
    model.pixeldq = pixeldq.copy()
    model.meta.instrument.name, model.meta.instrument.detector = "MIRI", "MIRIMAGE"
    model.meta.exposure.readpatt, model.meta.exposure.nsamples = readpatt, nsamples
    model.meta.subarray.name = subarray
    model.meta.subarray.xsize, model.meta.subarray.xstart = ramp.shape[-1], xstart
    waves = None
    if ours is not None:
        waves = EmiModel()
        waves.frequencies = {
            name: {"frequency": hertz, "phase_amplitudes": wave}
            for name, (hertz, wave) in ours.frequencies.items()
        }
        waves.subarray_cases = ours.subarray_cases
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        return np.asarray(apply_emicorr(model, waves, **parameters).data)


def assert_agree(
    ramp, ours=None, pixeldq=None, *, subarray="SUB64", readpatt="FASTR1", nsamples=1, xstart=1,
    threads=1, **parameters,
):  # fmt: skip
    if pixeldq is None:
        pixeldq = np.zeros(ramp.shape[-2:], np.uint32)
    wanted = official(
        ramp,
        pixeldq,
        ours,
        subarray=subarray,
        readpatt=readpatt,
        nsamples=nsamples,
        xstart=xstart,
        parameters=parameters,
    )
    frequencies = parameters.get("onthefly_corr_freq")
    if frequencies is None:
        case = find_case(ours, subarray, readpatt, "MIRIMAGE")
    else:
        case = own_case(frequencies, subarray, readpatt)
    own = ramp.copy()
    subtract_interference(
        own,
        pixeldq,
        case,
        readpatt=readpatt,
        nsamples=nsamples,
        xstart=xstart,
        threads=threads,
        algorithm=parameters.get("algorithm", "sequential"),
        fit_ints_separately=parameters.get("fit_ints_separately", False),
        options=SequentialOptions(**{k: parameters[k] for k in SEQUENTIAL if k in parameters}),
    )
    assert_same_bits(own, wanted, str(parameters))
    return own


def some_flags(shape, seed=3):
    return (np.random.default_rng(seed).random(shape[-2:]) < 0.05).astype(np.uint32)


def made(shape, **keywords):
    return disturbed(shape, **{"waves": TWO, **keywords})[1]


@pytest.mark.parametrize("ngroups", [3, 4, 7, 8, 9, 17, 137])
@pytest.mark.parametrize("apart", [False, True])
def test_joint(ngroups, apart):
    ramp = made((2, ngroups, 16, 72))
    ours = reference(23, np.float32) if ngroups % 2 else reference(64)
    changed = assert_agree(
        ramp, ours, some_flags(ramp.shape), algorithm="joint", fit_ints_separately=apart
    )
    assert (changed != ramp).any()


@pytest.mark.parametrize("size", [2, 3, 5, 129, 501])
def test_joint_with_waves_of_any_length(size):
    assert_agree(made((2, 5, 16, 72)), reference(size), algorithm="joint", threads=2)


@pytest.mark.parametrize("kind", [np.int64, np.float32])
def test_joint_with_waves_of_any_type(kind):
    assert_agree(made((2, 5, 16, 72)), reference(100, kind), algorithm="joint")


@settings(max_examples=25, deadline=None)
@given(
    nints=st.integers(1, 4),
    ngroups=st.integers(4, 14),
    readpatt=st.sampled_from(["FAST", "FASTR1"]),
    onthefly=st.booleans(),
    nints_to_phase=st.sampled_from([None, 0, 1, 2, 9, -1]),
    nbins=st.sampled_from([None, 1, 7, 40, 501]),
    scale_reference=st.booleans(),
    use_n_cycles=st.sampled_from([None, 1, 3, 10]),
    seed=st.integers(0, 1000),
)
def test_sequential(nints, ngroups, readpatt, onthefly, seed, **parameters):
    ramp = made((nints, ngroups, 24, 72), readpatt=readpatt, seed=seed)
    if onthefly:
        parameters["onthefly_corr_freq"] = [390.625, 218.52055, 10.039216]
    ours = None if onthefly else reference(120)
    assert_agree(ramp, ours, readpatt=readpatt, threads=1 + seed % 2, **parameters)


def special(kind, shape):
    ramp = made(shape)
    rng = np.random.default_rng(5)
    if kind == "zero":
        ramp[:] = 0
    elif kind == "constant":
        ramp[:] = 7
    elif kind == "NaN":
        ramp[1, 2, 5, 30] = np.nan
    elif kind == "inf":
        ramp[0, 2, 5, 30] = np.inf
    elif kind == "noise":
        ramp = rng.normal(0, 1e-3, shape).astype(np.float32)
    elif kind == "straight":
        ramp[:] = np.arange(shape[1])[:, None, None]
    elif kind == "huge":
        ramp = (rng.random(shape) * 3e38).astype(np.float32)
    elif kind == "negative":
        ramp *= -1
    return ramp


KINDS = ["zero", "constant", "NaN", "inf", "noise", "straight", "negative", "huge"]


@pytest.mark.parametrize("kind", KINDS)
def test_strange_ramps(kind):
    ramp = special(kind, (2, 6 + KINDS.index(kind) % 2, 64, 72))
    ours = reference(60)
    assert_agree(ramp, ours, algorithm="joint")
    assert_agree(ramp, ours, algorithm="sequential")
    assert_agree(ramp, onthefly_corr_freq=[390.625, 10.039216])


def test_all_pixels_flagged():
    ramp = made((2, 6, 16, 72))
    flags = np.ones((16, 72), np.uint32)
    assert (assert_agree(ramp, reference(100), flags, algorithm="joint") == ramp).all()


def test_a_wave_that_is_no_number():
    ours = reference(50)
    ours.frequencies["Hz390"][1][3] = np.nan
    assert np.isnan(assert_agree(made((2, 6, 16, 72)), ours, algorithm="joint")).all()


def test_three_groups_in_sequence():
    ramp = made((2, 3, 16, 72))
    assert (assert_agree(ramp, reference(100), algorithm="sequential") == ramp).all()
    assert (assert_agree(ramp, onthefly_corr_freq=[390.625]) == ramp).all()


@pytest.mark.parametrize("readpatt", ["FASTR1", "SLOW", "SLOWR1"])
def test_rows_of_the_full_frame_end_late(readpatt):
    clocks = (271, 277504)
    ramp = made((2, 5, 12, 1032), clocks=clocks)
    own = {"subarray": "FULL", "readpatt": readpatt, "nsamples": 9 if "SLOW" in readpatt else 1}
    assert_agree(ramp, reference(100), algorithm="joint", **own)
    late = assert_agree(ramp, reference(100), algorithm="sequential", **own)
    assert_agree(ramp, onthefly_corr_freq=[390.625, 10.039216], **own)
    other = assert_agree(ramp, reference(100), algorithm="sequential", **own, xstart=5)
    assert (late != other)[..., 1028:].any()


@pytest.mark.parametrize("shape", [(1, 4, 1, 16), (1, 4, 3, 20), (3, 4, 5, 16)])
@pytest.mark.parametrize("algorithm", ["joint", "sequential"])
def test_small_frames(shape, algorithm):
    ours = reference(100)
    assert_agree(made(shape), ours, algorithm=algorithm)


def test_best_phases():
    from jwst.emicorr.emicorr import get_best_phase

    from upramp.detector1.emicorr_joint import best_phase

    rng = np.random.default_rng(7)
    phases = np.arange(20) / 20
    for _ in range(300):
        chisq = np.round(rng.normal(size=20), rng.integers(0, 5))
        chisq[rng.random(20) < rng.choice([0, 0.1, 0.5, 1])] = np.nan
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            wanted = get_best_phase(phases, list(chisq))
            assert_same_bits(np.float64(best_phase(phases, list(chisq))), np.float64(wanted))

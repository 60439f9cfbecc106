"""What is known of segments, bit for bit as the official package saves it."""

from __future__ import annotations

import numpy as np
import pytest
from random_ramps import all_patterns, random_ramps, tiles

from same_bits import assert_same_bits
from upramp.detector1.ols import read_noise_of_a_read, weight_table
from upramp.detector1.ols_optional import OptionalFit, pedestal_weight

pytestmark = pytest.mark.peer

GROUP_TIME, FRAME_TIME = 10.73677, 2.1234567
NAMES = {"slope", "sigslope", "var_poisson", "var_rnoise", "yint", "sigyint", "weights"}
NAMES |= {"pedestal", "crmag"}


def official(
    ramps, *, nframes=1, groupgap=1, drop=0, suppress=True, dark=None, zeroframe=None,
    instrument="NIRCAM",
):  # fmt: skip
    from stcal.ramp_fitting import ramp_fit, ramp_fit_class
    from stdatamodels.jwst.datamodels import dqflags

    data = ramp_fit_class.RampData()
    data.algorithm = "OLS_C"
    data.set_arrays(
        ramps.data.copy(),
        ramps.groupdq.copy(),
        ramps.pixeldq.copy(),
        np.zeros_like(ramps.gain) if dark is None else dark.copy(),
        orig_gdq=ramps.groupdq.copy() if (ramps.groupdq & 128).any() else None,
        zeroframe=None if zeroframe is None else zeroframe.copy(),
    )
    data.set_meta(instrument, FRAME_TIME, GROUP_TIME, groupgap, nframes, drop)
    data.set_dqflags(dqflags.pixel)
    data.start_row, data.num_rows = 0, ramps.data.shape[2]
    data.suppress_one_group_ramps = suppress and ramps.data.shape[1] > 1
    return ramp_fit.ramp_fit_data(
        data, True, ramps.readnoise.copy(), ramps.gain.copy(), "OLS_C", "optimal", "none"
    )[2]


def ours(
    ramps, rows, *, nframes=1, groupgap=1, drop=0, suppress=True, dark=None, zeroframe=None,
    forget=False, backwards=False,
):  # fmt: skip
    nints, ngroups, ny, nx = ramps.data.shape
    fit = OptionalFit((nints, ny, nx), pedestal_weight(nframes, groupgap, drop))
    cut = [(low, high, first, last) for low, high, first, last in tiles(ny, rows, 1)]
    for low, high, first, last in reversed(cut) if backwards else cut:
        fit.add(
            np.ascontiguousarray(ramps.data[:, :, low:high]),
            np.ascontiguousarray(ramps.groupdq[:, :, low:high]),
            ramps.pixeldq,
            ramps.gain,
            read_noise_of_a_read(ramps.readnoise, ramps.gain, nframes),
            table=weight_table(ngroups),
            group_time=GROUP_TIME,
            frame_time=FRAME_TIME,
            nframes=nframes,
            suppress_one_group=suppress,
            forget_first_jump=forget,
            dark_current=dark,
            zeroframe=zeroframe,
            y0=low,
            first=first - low,
            last=last - low,
        )
    return fit.results()


def check(ramps, **how):
    theirs = official(ramps, **how)
    for rows in (ramps.data.shape[2], 3):
        found = ours(ramps, rows, backwards=rows == 3, **how).named()
        assert set(found) == set(theirs) == NAMES
        for name, array in theirs.items():
            assert_same_bits(found[name], array, name)


SHAPES = [(1, 10, 21, 150), (2, 10, 12, 60), (3, 6, 7, 33), (5, 9, 9, 20), (1, 39, 5, 50)]
SHAPES += [(1, 3, 20, 20), (1, 4, 20, 20), (1, 1, 9, 9), (2, 1, 9, 9), (1, 2, 9, 9), (2, 2, 9, 40)]
SHAPES += [(1, 10, 1, 40), (1, 10, 40, 1)]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("suppress", [True, False])
@pytest.mark.parametrize("rounded", [False, True])
def test_random_ramps(shape, suppress, rounded):
    nints, _, ny, nx = shape
    for seed in range(4):
        rng = np.random.default_rng(seed)
        ramps = random_ramps(shape, seed, rounded=rounded, flags=0.3 if seed == 2 else 0.02)
        ramps.groupdq[0, 0, 0] &= 253  # not all saturated from the start
        dark = rng.normal(0, 0.1, (ny, nx)).astype(np.float32) if seed % 2 else None
        zeroframe = None
        if seed > 1:
            zeroframe = rng.normal(10, 5, (nints, ny, nx)).astype(np.float32)
            zeroframe[rng.random(zeroframe.shape) < 0.2] = 0
            zeroframe[0, 0, 0] = np.nan
        if seed == 3:
            ramps.data *= -1
        averaged = {"nframes": 4, "groupgap": 2, "drop": 1} if seed == 1 else {}
        check(ramps, suppress=suppress, dark=dark, zeroframe=zeroframe, **averaged)


@pytest.mark.parametrize("ngroups", [1, 2, 3, 4, 5, 6])
@pytest.mark.parametrize("suppress", [True, False])
def test_every_pattern_of_flags(ngroups, suppress):
    flags = range(256) if ngroups == 1 else [0, 1, 2, 4, 5, 6, 32, 36, 129]
    if ngroups > 4:
        flags = [0, 1, 2, 4, 129] if ngroups == 5 else [0, 1, 2, 4]
    ramps = all_patterns(ngroups, list(flags))
    check(ramps, suppress=suppress)
    zeroframe = np.full((1, *ramps.gain.shape), 7.5, np.float32)
    check(ramps, suppress=suppress, zeroframe=zeroframe)


def test_lone_good_groups_count_though_one_of_them_is_fitted():
    # Four segments of one group in one pixel, and nowhere a longer one.
    ramps = random_ramps((1, 8, 3, 5), 3, hits=0, flags=0)
    ramps.groupdq[:] = 0
    ramps.groupdq[:, 1::2] = 1
    check(ramps)
    assert ours(ramps, 3).planes.shape[2] == 4


def test_no_segment_and_no_jump_at_all_leave_nothing():
    ramps = random_ramps((2, 6, 3, 5), 3, hits=0, flags=0)
    ramps.groupdq[:] = 1
    check(ramps)
    found = ours(ramps, 2)
    assert found.planes.shape[2] == 0
    assert found.crmag.shape[1] == 0


def test_steep_ramps_use_every_weight():
    ramps = random_ramps((1, 12, 4, 200), 6, hits=0, flags=0)
    ramps.groupdq[:] = 0
    slopes = np.geomspace(0.01, 1e5, 200, dtype=np.float32)
    ramps.data[:] = slopes * np.arange(12, dtype=np.float32)[None, :, None, None]
    ramps.gain[:] = 1.8
    check(ramps)


def test_groups_taken_off_the_ramps_of_miri():
    ramps = random_ramps((2, 9, 6, 40), 8, flags=0.1)
    ramps.groupdq[:, :2] |= 1
    ramps.groupdq[:, 2, ::2] |= 4  # jumps that are forgotten
    ramps.groupdq[:, -1] |= 1
    theirs = official(ramps, instrument="MIRI")
    ramps.data, ramps.groupdq = ramps.data[:, 2:-1], ramps.groupdq[:, 2:-1]
    for name, array in ours(ramps, 3, forget=True).named().items():
        assert_same_bits(array, theirs[name], name)

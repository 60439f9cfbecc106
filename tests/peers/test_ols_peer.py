"""Slopes by least squares, bit for bit as the official package fits them."""

from __future__ import annotations

import numpy as np
import pytest
from random_ramps import all_patterns, random_ramps, tiles

from same_bits import assert_same_bits
from upramp.detector1.ols import Rates, fit_ols, read_noise_of_a_read, weight_table

pytestmark = pytest.mark.peer

GROUP_TIME, FRAME_TIME = 10.73677, 2.1234567
PLANES = ("slope", "err", "var_poisson", "var_rnoise")


def official(ramps, *, nframes=1, suppress=True, dark=None, zeroframe=None, save_opt=False):
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
    data.set_meta("NIRCAM", FRAME_TIME, GROUP_TIME, 1, nframes, 0)
    data.set_dqflags(dqflags.pixel)
    data.start_row, data.num_rows = 0, ramps.data.shape[2]
    data.suppress_one_group_ramps = suppress and ramps.data.shape[1] > 1
    return ramp_fit.ramp_fit_data(
        data, save_opt, ramps.readnoise.copy(), ramps.gain.copy(), "OLS_C", "optimal", "none"
    )


def ours(ramps, rows, *, nframes=1, suppress=True, dark=None, zeroframe=None):
    nints, ngroups, ny, nx = ramps.data.shape
    rates = Rates.empty(nints, ny, nx)
    table = weight_table(ngroups)
    noise = read_noise_of_a_read(ramps.readnoise, ramps.gain, nframes)
    for _, _, first, last in tiles(ny, rows, 0):
        fit_ols(
            np.ascontiguousarray(ramps.data[:, :, first:last]),
            np.ascontiguousarray(ramps.groupdq[:, :, first:last]),
            ramps.pixeldq,
            ramps.gain,
            noise,
            rates,
            table=table,
            group_time=GROUP_TIME,
            frame_time=FRAME_TIME,
            nframes=nframes,
            suppress_one_group=suppress,
            dark_current=dark,
            zeroframe=zeroframe,
            y0=first,
        )
    return rates


def check(ramps, **how):
    image, cube, _ = official(ramps, **how)
    for rows in (ramps.data.shape[2], 3):
        rates = ours(ramps, rows, **how)
        assert_same_bits(rates.rate_dq, image["dq"], "DQ")
        assert_same_bits(rates.rateints_dq, cube["dq"], "DQ of integrations")
        for plane, name in enumerate(PLANES):
            assert_same_bits(rates.rateints[plane], cube[name], f"{name} of integrations")
            assert_same_bits(rates.rate[plane], image[name], name)


SHAPES = [(1, 10, 21, 300), (2, 10, 12, 60), (3, 6, 7, 33), (5, 9, 9, 20), (1, 39, 5, 50)]
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
        check(
            ramps, nframes=4 if seed == 1 else 1, suppress=suppress, dark=dark, zeroframe=zeroframe
        )


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


def test_groups_lost_to_charge_migration_keep_their_read_noise():
    ramps = random_ramps((3, 8, 6, 40), 5)
    lost = np.logical_or.accumulate(ramps.data > 300, axis=1)
    ramps.groupdq[lost] |= 129
    check(ramps)
    check(ramps, suppress=False)


def test_steep_ramps_use_every_weight():
    ramps = random_ramps((1, 12, 4, 200), 6, hits=0, flags=0)
    ramps.groupdq[:] = 0
    slopes = np.geomspace(0.01, 1e5, 200, dtype=np.float32)
    ramps.data[:] = slopes * np.arange(12, dtype=np.float32)[None, :, None, None]
    ramps.gain[:] = 1.8
    check(ramps)


def test_a_flat_ramp_does_not_depend_on_the_order_of_sums():
    ramps = random_ramps((1, 10, 3, 128), 7, hits=0, flags=0)
    ramps.groupdq[:] = 0
    ramps.data[:] = 5
    check(ramps)

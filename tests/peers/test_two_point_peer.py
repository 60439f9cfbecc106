"""Jumps by differences, bit for bit as the official package finds them."""

from __future__ import annotations

import warnings
from types import SimpleNamespace

import numpy as np
import pytest
from random_ramps import all_patterns, random_ramps, tiles

from same_bits import assert_same_bits
from upramp.detector1.two_point import REACH, TwoPoint, find_jumps

pytestmark = pytest.mark.peer


def official(ramps, nframes, how):
    from stcal.jump import twopoint_difference

    settings = SimpleNamespace(
        normal_rej_thresh=how.rejection_threshold,
        two_diff_rej_thresh=how.three_group_rejection_threshold,
        three_diff_rej_thresh=how.four_group_rejection_threshold,
        nframes=nframes,
        flag_4_neighbors=how.flag_4_neighbors,
        max_jump_to_flag_neighbors=how.max_jump_to_flag_neighbors,
        min_jump_to_flag_neighbors=how.min_jump_to_flag_neighbors,
        fl_good=0,
        fl_sat=2,
        fl_jump=4,
        fl_dnu=1,
        after_jump_flag_e1=how.after_jump_e1,
        after_jump_flag_e2=how.after_jump_e2,
        after_jump_flag_n1=how.after_jump_n1,
        after_jump_flag_n2=how.after_jump_n2,
        minimum_groups=3,
        minimum_sigclip_groups=100,
        only_use_ints=True,
        min_diffs_single_pass=0 if how.single_pass else 10**6,
        dt_group=np.ones(1),
        n_reads_groupdiff=np.ones(1) * 2 * nframes,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        groupdq, _, _, count = twopoint_difference.find_crs(
            ramps.data * ramps.gain,
            ramps.groupdq.copy(),
            ramps.readnoise * ramps.gain,
            settings,
        )
    groupdq[groupdq & 5 == 5] ^= 4
    groupdq[groupdq & 6 == 6] ^= 4
    return groupdq, count


def check(ramps, nframes=1, how=None, rows=5):
    how = how or TwoPoint()
    expected, count = official(ramps, nframes, how)
    noise2 = (ramps.readnoise * ramps.gain) ** 2
    whole = ramps.groupdq.copy()
    primary = find_jumps(ramps.data, whole, ramps.gain, noise2, nframes, how)
    assert_same_bits(whole, expected, "whole")
    assert primary == count
    pieces = np.empty_like(whole)
    total = 0
    for low, high, first, last in tiles(whole.shape[2], rows, REACH):
        tile = np.ascontiguousarray(ramps.groupdq[:, :, low:high])
        total += find_jumps(
            np.ascontiguousarray(ramps.data[:, :, low:high]),
            tile,
            ramps.gain,
            noise2,
            nframes,
            how,
            y0=low,
            first=first - low,
            last=last - low,
        )
        pieces[:, :, first:last] = tile[:, :, first - low : last - low]
    assert_same_bits(pieces, expected, "tiles")
    assert total == count


SHAPES = [(1, 10, 21, 300), (2, 10, 12, 60), (3, 6, 7, 33), (5, 9, 9, 20), (1, 40, 5, 50)]
SHAPES += [(1, 3, 20, 20), (1, 4, 20, 20), (1, 5, 20, 20), (1, 10, 1, 40), (1, 10, 40, 1)]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("single_pass", [False, True])
@pytest.mark.parametrize("rounded", [False, True])
def test_random_ramps(shape, single_pass, rounded):
    for seed in range(3):
        ramps = random_ramps(shape, seed, rounded=rounded, flags=0.3 if seed == 2 else 0.02)
        check(ramps, 4 if seed == 1 else 1, TwoPoint(single_pass=single_pass))


@pytest.mark.parametrize(
    "how",
    [
        TwoPoint(rejection_threshold=2.0),
        TwoPoint(rejection_threshold=0.0),
        TwoPoint(rejection_threshold=12.0, four_group_rejection_threshold=2.0),
        TwoPoint(flag_4_neighbors=False),
        TwoPoint(min_jump_to_flag_neighbors=4.0, max_jump_to_flag_neighbors=30.0),
        TwoPoint(after_jump_e1=300.0, after_jump_n1=2, after_jump_e2=900.0, after_jump_n2=5),
        TwoPoint(after_jump_e1=0.0, after_jump_n1=60),
    ],
    ids=lambda how: f"{hash(how) % 1000}",
)
@pytest.mark.parametrize("single_pass", [False, True])
def test_parameters(how, single_pass):
    from dataclasses import replace

    check(random_ramps((2, 8, 16, 60), 4), 1, replace(how, single_pass=single_pass))


@pytest.mark.parametrize("ngroups", [3, 4, 5, 6])
@pytest.mark.parametrize("single_pass", [False, True])
def test_every_pattern_of_flags(ngroups, single_pass):
    flags = [0, 1, 2, 4, 5, 6, 32, 128] if ngroups < 5 else [0, 1, 2, 4]
    check(all_patterns(ngroups, flags), 1, TwoPoint(single_pass=single_pass))

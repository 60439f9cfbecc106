"""Snowballs: what is flagged around events, and when."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from upramp.detector1.snowballs import SnowballParameters, flag_snowballs

DNU, SAT, JUMP = 1, 2, 4
PARAMETERS = SnowballParameters()


def disk(shape, y, x, radius):
    r, c = np.ogrid[: shape[0], : shape[1]]
    return (r - y) ** 2 + (c - x) ** 2 < radius**2


def snowball(group=2, core=4.5, halo=9, nints=1):
    groupdq = np.zeros((nints, 5, 120, 120), np.uint8)
    groupdq[0, group][disk((120, 120), 60, 60, halo)] = JUMP
    if core:
        groupdq[0, group:, disk((120, 120), 60, 60, core)] = SAT
    return groupdq


def test_a_snowball_grows_to_twice_its_size():
    groupdq = snowball()
    assert flag_snowballs(groupdq, PARAMETERS, 10.0) == 1
    wide = groupdq[0, 2]
    assert (wide[disk((120, 120), 60, 60, 15)] != 0).all()
    assert not wide[~disk((120, 120), 60, 60, 20)].any()
    assert not groupdq[0, :2].any()
    assert not (groupdq[0, 3:] & JUMP).any()


def test_a_core_grows_for_good_and_loses_its_other_flags():
    groupdq = snowball()
    groupdq[0, 3, 60, 65] = DNU | JUMP
    flag_snowballs(groupdq, PARAMETERS, 10.0)
    assert (groupdq[0, 2:, 60, 65] == SAT).all()
    assert (groupdq[0, 2:, 60, 67] & SAT == 0).all()


def test_a_small_core_does_not_grow():
    groupdq = snowball(core=1.2)
    assert flag_snowballs(groupdq, PARAMETERS, 10.0) == 1
    assert np.count_nonzero(groupdq[0, 4] & SAT) == 5


def test_a_cosmic_ray_without_core_stays_as_it_is():
    groupdq = snowball(core=0)
    before = groupdq.copy()
    assert flag_snowballs(groupdq, PARAMETERS, 10.0) == 0
    assert (groupdq == before).all()


def test_no_core_is_needed_near_an_edge_or_if_none_is_asked_for():
    groupdq = snowball(core=0)
    near = dataclasses.replace(PARAMETERS, edge_size=61)
    assert flag_snowballs(groupdq.copy(), near, 10.0) == 1
    free = dataclasses.replace(PARAMETERS, sat_required_snowball=False)
    assert flag_snowballs(groupdq, free, 10.0) == 1
    assert np.count_nonzero(groupdq) > 600


def test_a_core_that_saturates_in_the_next_group_counts():
    groupdq = snowball(core=0)
    groupdq[0, 3:, 60, 60] = SAT
    assert flag_snowballs(groupdq, PARAMETERS, 10.0) == 1


@pytest.mark.parametrize(("seconds", "groups"), [(4000, [1, 2, 3, 4]), (30, [1, 2]), (9, [])])
def test_a_core_is_flagged_in_the_next_integration_only(seconds, groups):
    groupdq = snowball(nints=3)
    parameters = dataclasses.replace(PARAMETERS, snowball_time_masked_next_int=seconds)
    flag_snowballs(groupdq, parameters, 10.0)
    assert np.flatnonzero(groupdq[1, :, 60, 60]).tolist() == groups
    assert not groupdq[1, :, 60, 66].any()
    assert not groupdq[2].any()


def test_without_the_mask_the_next_integration_is_left_alone():
    groupdq = snowball(nints=2)
    parameters = dataclasses.replace(PARAMETERS, mask_snowball_core_next_int=False)
    flag_snowballs(groupdq, parameters, 10.0)
    assert not groupdq[1].any()


def test_two_groups_have_no_next_one():
    groupdq = snowball()[:, 1:3].copy()
    assert flag_snowballs(groupdq, PARAMETERS, 10.0) == 1

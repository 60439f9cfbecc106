"""Jumps by sigma clipping."""

from __future__ import annotations

import numpy as np
import pytest

from upramp.detector1.jump_sigma_clip import (
    clear_covered_groups,
    covered_groups,
    flag_sigma_clipped,
)

DNU, SAT, JUMP = 1, 2, 4
ONE = np.ones(1)


def exposure(shape=(30, 4, 3, 9)):
    rng = np.random.default_rng(2)
    ramp = np.cumsum(100 + rng.uniform(-1, 1, shape), axis=1)
    return ramp.astype(np.float32), np.zeros(shape, np.uint8)


@pytest.mark.parametrize("only_use_ints", [True, False])
def test_an_outlier_is_flagged_in_the_later_group(only_use_ints):
    electrons, groupdq = exposure()
    electrons[7, 2:, 1, 4] += 50
    flag_sigma_clipped(electrons, groupdq, ONE, 4.0, only_use_ints, 0, 3)
    assert np.argwhere(groupdq).tolist() == [[7, 2, 1, 4]]
    assert groupdq.max() == JUMP


def test_what_is_the_same_in_all_integrations_is_no_outlier_among_them():
    electrons, groupdq = exposure()
    electrons[:, 2:, 1, 4] += 50
    flag_sigma_clipped(electrons, groupdq, ONE, 1e3, True, 0, 3)
    assert not groupdq.any()
    electrons[:, 2:, 1, 4] += 50
    flag_sigma_clipped(electrons, groupdq, ONE, 1.3, False, 1, 2)
    assert (groupdq[:, 2, 1, 4] == JUMP).all()


def test_rows_outside_are_left_alone():
    electrons, groupdq = exposure()
    electrons[7, 2:, :, 4] += 50
    flag_sigma_clipped(electrons, groupdq, ONE, 4.0, True, 1, 2)
    assert np.argwhere(groupdq)[:, 2].tolist() == [1]


def test_pixels_that_are_not_used_keep_their_flags():
    electrons, groupdq = exposure()
    electrons[7, 2:, 1, 4] += 50
    groupdq[7, 2, 1, 4] = DNU
    flag_sigma_clipped(electrons, groupdq, ONE, 4.0, True, 0, 3)
    assert groupdq[7, 2, 1, 4] == DNU


def test_covered_groups_are_found_in_tiles_and_cleared():
    _, groupdq = exposure((2, 3, 6, 5))
    groupdq[1, 1] = JUMP
    groupdq[1, 1, 2] = DNU | JUMP
    groupdq[1, 1, 3, 3] = JUMP | SAT
    groupdq[0, 2] = JUMP
    groupdq[0, 2, 5, 4] = SAT
    covered = covered_groups(groupdq[:, :, :4].copy(), 1, 4)
    assert covered.tolist() == [[False, False, True], [False, True, False]]
    covered &= covered_groups(groupdq, 4, 6)
    assert covered.tolist() == [[False, False, False], [False, True, False]]
    clear_covered_groups(groupdq, covered, 0, 3)
    assert not groupdq[1, 1, :2].any()
    assert (groupdq[1, 1, 2] == DNU | JUMP).all()
    assert groupdq[1, 1, 3].tolist() == [JUMP, JUMP, JUMP, JUMP | SAT, JUMP]
    assert (groupdq[0, 2, :5] == JUMP).all()


def test_times_must_fit():
    electrons, groupdq = exposure()
    with pytest.raises(ValueError, match="interval"):
        flag_sigma_clipped(electrons, groupdq, np.ones(4), 4.0, True, 0, 3)

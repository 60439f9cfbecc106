"""First flags from the mask."""

from __future__ import annotations

import numpy as np
import pytest

from upramp.detector1.dq_init import combine_masks, flag_masked, initialize_pixel_dq
from upramp.errors import UsageError


def test_groups_get_do_not_use_and_nothing_else():
    mask = np.array([[0, 1, 2], [2**31 + 1, 3, 2**31]], np.uint32)
    groupdq = np.full((2, 3, 2, 3), 8, np.uint8)
    flag_masked(groupdq, mask, 0, 0, 2)
    for plane in groupdq.reshape(-1, 2, 3):
        assert plane.tolist() == [[8, 9, 8], [9, 9, 8]]


def test_only_the_rows_asked_for_are_flagged():
    mask = np.ones((9, 2), np.uint32)
    mask[6] = 0
    mask.flags.writeable = False
    groupdq = np.zeros((1, 1, 5, 2), np.uint8)
    flag_masked(groupdq, mask, 4, 1, 4)
    assert groupdq[0, 0, :, 0].tolist() == [0, 1, 0, 1, 0]


def test_pixel_flags_get_all_bits():
    pixeldq = np.array([[1, 0]], np.uint32)
    initialize_pixel_dq(pixeldq, np.array([[2**31, 4]], np.uint32))
    assert pixeldq.tolist() == [[2**31 + 1, 4]]


def test_a_users_flags_are_added_and_the_reference_stays():
    mask = np.array([[1, 0]], np.uint32)
    combined = combine_masks(mask, np.array([[4, -1]], ">i4"))
    assert combined.tolist() == [[5, 2**32 - 1]]
    assert mask.tolist() == [[1, 0]]


def test_a_users_flags_of_another_shape_are_refused():
    with pytest.raises(UsageError, match=r"user_supplied_dq.*\(2, 3\).*\(3, 2\)"):
        combine_masks(np.zeros((3, 2), np.uint32), np.zeros((2, 3), np.int32))


def test_arrays_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="do not fit"):
        flag_masked(np.zeros((1, 1, 2, 3), np.uint8), np.zeros((2, 3), np.uint32), 1, 0, 2)
    with pytest.raises(ValueError, match="the mask"):
        initialize_pixel_dq(np.zeros((2, 3), np.uint32), np.zeros((1, 3), np.uint32))

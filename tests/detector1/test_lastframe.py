"""The last group, or the first, is not to be used."""

from __future__ import annotations

import numpy as np
import pytest

from upramp.detector1.firstframe import flag_first_group
from upramp.detector1.lastframe import flag_last_group
from upramp.dq import PIXEL


@pytest.mark.parametrize("groups", range(1, 5))
def test_last_group_of_three_or_more(groups):
    groupdq = np.full((2, groups, 4, 3), 4, np.uint8)
    assert flag_last_group(groupdq, 1, 3) is (groups > 2)
    expected = np.full_like(groupdq, 4)
    if groups > 2:
        expected[:, -1, 1:3] = 5
    np.testing.assert_array_equal(groupdq, expected)


@pytest.mark.parametrize("groups", range(1, 6))
@pytest.mark.parametrize("bright", [True, False])
def test_first_group_of_four_or_more(groups, bright):
    groupdq = np.zeros((2, groups, 4, 3), np.uint8)
    pixeldq = np.zeros((6, 3), np.uint32)
    if groups > 2:
        groupdq[1, 2, :, 0] = 2
    assert flag_first_group(groupdq, pixeldq, bright, 2, 1, 3) is (groups > 3)
    expected = np.zeros((2, 4, 3), np.uint8)
    kept = np.zeros_like(pixeldq)
    if groups > 3:
        expected[:, 1:3] = 1
        if bright:
            expected[1, 1:3, 0] = 0
            kept[3:5, 0] = PIXEL["FLUX_ESTIMATED"]
    np.testing.assert_array_equal(groupdq[:, 0], expected)
    np.testing.assert_array_equal(pixeldq, kept)

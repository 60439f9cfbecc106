"""Groups that still settle are flagged, fewer of them where a pixel saturates."""

from __future__ import annotations

import numpy as np
import pytest

from upramp.detector1.rscd import (
    SettlingRange,
    find_skips,
    flag_settling,
    plan_rscd,
    saturated_levels,
)
from upramp.dq import PIXEL


def flagged(saturated_from, groups=8, skip=3):
    """Give how many groups pixels lose that saturate at groups, and the pixels' DQ and counts."""
    nx = len(saturated_from)
    groupdq = np.zeros((1, groups, 1, nx), np.uint8)
    groupdq[0, :, 0] = 2 * (np.arange(groups)[:, None] >= np.array(saturated_from))
    pixeldq = np.zeros((1, nx), np.uint32)
    part = SettlingRange(0, 1, skip, is_first=True)
    levels = saturated_levels(groupdq, part, 0, 1)
    counts = flag_settling(groupdq, pixeldq, part, levels, 0, 0, 1)
    unusable = groupdq[0, :, 0] & 1
    assert (np.sort(unusable, axis=0)[::-1] == unusable).all()  # first groups only
    return unusable.sum(0).tolist(), pixeldq[0], counts


def test_bright_pixels_keep_two_groups_or_one():
    lost, pixeldq, counts = flagged([8, 5, 4, 3, 2, 1, 0])
    assert lost == [3, 3, 2, 1, 0, 0, 3]
    estimated = PIXEL["FLUX_ESTIMATED"]
    assert pixeldq.tolist() == [0, 0, estimated, estimated, estimated, estimated, 0]
    assert counts == (4, 2)


def test_nothing_saturated():
    lost, pixeldq, counts = flagged([8, 8])
    assert lost == [3, 3]
    assert not pixeldq.any()
    assert counts == (0, 0)


@pytest.mark.parametrize(
    ("exposure", "expected"),
    [
        ((1, 1, 20, None), [(0, 1, 4)]),
        ((3, 3, 20, 1), [(0, 1, 4), (1, 3, 9)]),
        ((1, 5, 20, 1), [(0, 1, 4), (1, 1, 9)]),
        ((2, 5, 20, 3), [(0, 2, 9)]),
        ((1, 1, 20, 2), []),
        ((2, 2, 10, None), [(0, 1, 4), (1, 2, 7)]),
        ((2, 2, 6, None), [(0, 1, 3), (1, 2, 3)]),
        ((2, 2, 5, None), [(0, 1, 1), (1, 2, 1)]),
        ((2, 2, 3, None), [(0, 1, 0), (1, 2, 0)]),
        ((2, 2, 2, None), None),
    ],
)
def test_ranges_leave_three_groups(exposure, expected):
    plan = plan_rscd(*exposure, 4, 9)
    ranges = None if plan is None else [(part.start, part.stop, part.skip) for part in plan]
    assert ranges == expected


def test_the_first_row_that_fits():
    def row(subarray, first, later):
        return {
            "subarray": subarray,
            "readpatt": "FASTR1",
            "group_skip1": first,
            "group_skip": later,
        }

    table = [row("FULL", 1, 2), row("FULL", 3, 4), row("SLITLESSPRISM", -1, 6)]
    assert find_skips(table, "FULL", "FASTR1") == (1, 2)
    assert find_skips(table, "FULL", "SLOWR1") is None
    assert find_skips(table, "SUBPRISM", "FASTR1") == (1, 6)
    old = [{"subarray": "FULL", "readpatt": "FASTR1", "group_skip": 5}]
    assert find_skips(old, "FULL", "FASTR1") == (1, 5)


def test_only_the_rows_asked_for_change():
    groupdq = np.zeros((1, 6, 4, 3), np.uint8)
    pixeldq = np.zeros((9, 3), np.uint32)
    groupdq[0, 2:] = 2
    part = SettlingRange(0, 1, 2, is_first=True)
    assert saturated_levels(groupdq, part, 1, 3).tolist() == [False, False, True, True]
    flag_settling(groupdq, pixeldq, part, np.array([False, False, True, True]), 4, 1, 3)
    assert np.flatnonzero(pixeldq[:, 0]).tolist() == [5, 6]
    assert not groupdq[0, 0].any()


def test_a_range_for_another_ramp():
    groupdq = np.zeros((1, 4, 1, 1), np.uint8)
    for part in (SettlingRange(0, 2, 1, is_first=True), SettlingRange(0, 1, 3, is_first=True)):
        with pytest.raises(ValueError, match="is not for a ramp"):
            saturated_levels(groupdq, part, 0, 1)

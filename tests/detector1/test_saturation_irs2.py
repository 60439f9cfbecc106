from __future__ import annotations

import numpy as np
import pytest

from upramp.detector1 import saturation_irs2
from upramp.detector1.irs2_layout import Interleave
from upramp.dq import GROUP, PIXEL

SATURATED = GROUP["SATURATED"]
LAYOUT = Interleave("NRS1")
LIMIT = np.full((2048, 9), 1000, np.float32)


def flagged(ramp, **options):
    groupdq = np.zeros(ramp.shape, np.uint8)
    saturation_irs2.flag_saturation(ramp, groupdq, LIMIT, None, LAYOUT, **options)
    return groupdq


def a_ramp(ngroups=4):
    return np.full((1, ngroups, 3200, 9), 100, np.float32)


def test_a_pixel_spreads_across_the_reference_reads_and_holds_on():
    ramp = a_ramp()
    ramp[0, 2, 647, 4] = 1000  # rows 648 to 651 are reference reads
    groupdq = flagged(ramp)
    rows, columns = np.nonzero(groupdq[0, 2])
    assert set(rows) == {646, 647, 652}
    assert set(columns) == {3, 4, 5}
    assert (groupdq[0, 2] == groupdq[0, 3]).all()
    assert not groupdq[0, :2].any()
    assert set(groupdq.ravel()) == {0, SATURATED}


def test_reference_reads_are_not_looked_at():
    ramp = a_ramp()
    ramp[0, 1, LAYOUT.reference_reads | (np.arange(3200) < 640)] = 60000
    ramp[0, 2, LAYOUT.reference_reads] = 0
    assert not flagged(ramp).any()


def test_the_floor_is_of_one_group_and_does_not_spread():
    ramp = a_ramp()
    ramp[0, 1, 700, 4] = 0
    groupdq = flagged(ramp)
    assert groupdq[0, 1, 700, 4] == GROUP["AD_FLOOR"] | GROUP["DO_NOT_USE"]
    assert np.count_nonzero(groupdq) == 1


def test_a_late_event_in_the_second_group():
    ramp = a_ramp()
    ramp[0, 1:, 700, 4] = [600, 1200, 1300]  # a quarter of the way from 100 to 1000 is enough
    groupdq = flagged(ramp, frames=4)
    assert (groupdq[0, 1, 699:702, 3:6] == SATURATED).all()
    assert not groupdq[0, 0].any()
    assert not flagged(ramp, frames=None)[0, 1].any()
    # A ramp that was to saturate anyway tells nothing.
    ramp[0, 0, 700, 4] = 400
    assert not flagged(ramp, frames=4)[0, 1].any()


def test_earlier_flags_stay_and_do_not_spread():
    ramp = a_ramp()
    groupdq = np.zeros(ramp.shape, np.uint8)
    groupdq[0, 1, 700, 4] = 255
    saturation_irs2.flag_saturation(ramp, groupdq, LIMIT, None, LAYOUT)
    assert groupdq[0, 1, 700, 4] == 255
    assert np.count_nonzero(groupdq) == 1


def test_thresholds_that_are_missing_or_not_to_be_checked():
    unchecked = PIXEL["NO_SAT_CHECK"]
    threshold = np.array([[1, np.nan, 3, np.nan]], np.float32)
    dq = np.array([[4, 4, unchecked, unchecked]], np.uint32)
    limits, flags = saturation_irs2.prepare_threshold(threshold, dq)
    np.testing.assert_array_equal(limits, [[1, 65536, 65536, 65536]])
    np.testing.assert_array_equal(flags, [[4, 4 | unchecked, unchecked, unchecked]])
    assert np.isnan(threshold[0, 1])
    assert dq[0, 1] == 4


@pytest.mark.parametrize(("grow", "rows"), [(0, 0), (1, 5), (2, 6), (16, 20), (17, 25)])
def test_reach(grow, rows):
    assert saturation_irs2.reach(LAYOUT, grow) == rows
    # No row further away than that can be a neighbour.
    where = LAYOUT.science_rows
    if grow:
        assert (where[grow:] - where[:-grow]).max() <= rows

"""The dark goes, in the groups' own arrangement of frames."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from upramp.detector1.dark import dark_pixel_dq, prepare_dark, subtract_dark
from upramp.errors import ReferenceFileError


def frames(count, ny=2, nx=3):
    """Give a dark that grows by 10 a frame."""
    return np.tile(10 * np.arange(1, count + 1, dtype=np.float32)[:, None, None], (1, ny, nx))


def subtracted(dark, nints, groups, start=None, ny=2, nx=3):
    ramp = np.zeros((nints, groups, ny, nx), np.float32)
    subtract_dark(ramp, dark, start, 0, 0, ny)
    assert (ramp == ramp[:, :, :1, :1]).all()
    return -ramp[:, :, 0, 0]


def test_same_readout_takes_the_reference_where_it_lies():
    reference = frames(5)
    dark = prepare_dark(reference, 1, 0, 3, 1, 0)
    assert np.shares_memory(dark.frames, reference)
    np.testing.assert_array_equal(subtracted(dark, 2, 3), [[10, 20, 30]] * 2)


def test_frames_are_averaged_and_those_in_gaps_are_left_out():
    dark = prepare_dark(frames(20), 1, 0, 3, 4, 2)
    np.testing.assert_array_equal(subtracted(dark, 1, 3), [[25, 85, 145]])


@pytest.mark.parametrize(
    ("readout", "expected"), [((1, 0), [10, 20, 30, 40]), ((2, 1), [15, 45, 75, 105])]
)
def test_a_short_reference_is_extended(readout, expected):
    dark = prepare_dark(frames(2), 1, 0, 4, *readout)
    np.testing.assert_array_equal(subtracted(dark, 1, 4), [expected])


@pytest.mark.parametrize("count", [2, 9])
@pytest.mark.parametrize("readout", [(1, 0), (2, 0)])
def test_unknown_dark_is_zero(count, readout):
    reference = frames(count)
    reference[1] = np.nan
    dark = prepare_dark(reference, 1, 0, 3, *readout)
    expected = {
        (2, 1): [10, 0, 0],
        (2, 2): [5, 0, 0],
        (9, 1): [10, 0, 30],
        (9, 2): [5, 35, 55],
    }[count, readout[0]]
    np.testing.assert_array_equal(subtracted(dark, 1, 3), [expected])
    assert np.isnan(reference[1]).all()


def test_a_coarser_reference_is_not_used():
    assert prepare_dark(frames(9), 2, 0, 3, 1, 0) is None
    assert prepare_dark(frames(9), 1, 1, 3, 1, 0) is None


def test_one_group_cannot_be_extended():
    with pytest.raises(ReferenceFileError, match="one group"):
        prepare_dark(frames(1), 1, 0, 2, 1, 0)


def test_frames_lost_in_the_references_own_gaps():
    with pytest.raises(ReferenceFileError, match="gaps"):
        prepare_dark(frames(4), 1, 1, 3, 1, 2)


@pytest.mark.parametrize(
    ("start", "nints", "expected"),
    [(None, 3, [1, 2, 2]), (1, 3, [1, 2, 2]), (2, 3, [2, 2, 2]), (1, 1, [1]), (2, 1, [2])],
)
def test_integrations_of_the_reference(start, nints, expected):
    reference = np.stack([frames(4), 2 * frames(4)])
    dark = prepare_dark(reference, 1, 0, 2, 1, 0)
    np.testing.assert_array_equal(
        subtracted(dark, nints, 2, start)[:, 0], 10.0 * np.array(expected)
    )


def test_average_for_a_later_part_of_an_exposure_shorter_than_the_reference_is_zero():
    dark = prepare_dark(np.stack([frames(4), 2 * frames(4)]), 1, 0, 2, 2, 0)
    np.testing.assert_array_equal(subtracted(dark, 1, 2, start=2), [[0, 0]])
    np.testing.assert_array_equal(subtracted(dark, 2, 2, start=2), [[30, 70]] * 2)


def test_only_the_rows_asked_for_change():
    reference = frames(3, ny=9)
    reference[:, 4:6] = [[100.0], [200.0]]
    ramp = np.zeros((1, 4, 5, 3), np.float32)
    subtract_dark(ramp, prepare_dark(reference, 1, 0, 4, 1, 0), None, 3, 1, 3)
    np.testing.assert_array_equal(-ramp[0, 3, :, 0], [0, 100, 200, 0, 0])
    np.testing.assert_array_equal(-ramp[0, 2, :, 0], [0, 100, 200, 0, 0])


def test_an_average_for_other_groups():
    dark = prepare_dark(frames(20), 1, 0, 3, 4, 2)
    with pytest.raises(ValueError, match="3 groups for a ramp of 2"):
        subtract_dark(np.zeros((1, 2, 2, 3), np.float32), dark, None, 0, 0, 2)


def test_flags_of_integrations_are_put_together():
    assert dark_pixel_dq(np.array([[[[1, 2]]], [[[4, 2]]]], np.uint32)).tolist() == [[5, 2]]
    assert dark_pixel_dq(np.array([[7]], np.uint32)).tolist() == [[7]]


@pytest.mark.parametrize("count", [3, 40])
def test_nothing_of_the_references_size_is_made_beside_the_average(count):
    reference = frames(count, ny=64, nx=64)
    prepare_dark(reference, 1, 0, 2, 4, 0)
    tracemalloc.start()
    dark = prepare_dark(reference, 1, 0, 2, 4, 0)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert dark.frames.nbytes <= peak < dark.frames.nbytes + 8192

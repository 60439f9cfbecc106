"""Coordinates of a detector in the order it is read out."""

from __future__ import annotations

import numpy as np
import pytest

from upramp.detector1.refpix_frame import DetectorFrame

ORIENTATIONS = [(1, 2), (-1, 2), (1, -2), (-1, -2), (2, 1), (-2, 1), (2, -1), (-2, -1)]


@pytest.mark.parametrize("axes", ORIENTATIONS)
def test_places_are_those_of_the_turned_frame(axes):
    frame = DetectorFrame(5, 7, *axes, row0=3, column0=2, size=12)
    whole = np.full((12, 12), -1)
    whole[3:8, 2:9] = np.arange(35).reshape(5, 7)
    turned = DetectorFrame(12, 12, *axes, size=12).turned(whole)
    slow, fast = np.nonzero(turned >= 0)
    np.testing.assert_array_equal(frame.flat(slow, fast), turned[slow, fast])
    np.testing.assert_array_equal(np.unique(slow), np.sort(frame.slow()))
    np.testing.assert_array_equal(np.unique(fast), np.sort(frame.fast()))
    np.testing.assert_array_equal(
        frame.turned(np.arange(35).reshape(5, 7)),
        turned[turned >= 0].reshape(len(frame.slow()), -1),
    )


def test_directions():
    frame = DetectorFrame(4, 6, -1, 2, row0=1, column0=2, size=10)
    np.testing.assert_array_equal(frame.fast(), [7, 6, 5, 4, 3, 2])
    np.testing.assert_array_equal(frame.slow(), [1, 2, 3, 4])
    frame = DetectorFrame(4, 6, -2, 1, row0=1, column0=2, size=10)
    np.testing.assert_array_equal(frame.fast(), [8, 7, 6, 5])
    np.testing.assert_array_equal(frame.slow(), [2, 3, 4, 5, 6, 7])


@pytest.mark.parametrize("axes", [(1, 1), (0, 2), (3, 1)])
def test_impossible_axes(axes):
    with pytest.raises(ValueError, match="axes"):
        DetectorFrame(4, 4, *axes)


@pytest.mark.parametrize(
    "place", [{"row0": -1}, {"column0": -1}, {"row0": 2045}, {"column0": 2045}]
)
def test_what_does_not_fit(place):
    with pytest.raises(ValueError, match="fit"):
        DetectorFrame(4, 4, 1, 2, **place)

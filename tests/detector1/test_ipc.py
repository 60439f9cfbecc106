from __future__ import annotations

import numpy as np
import pytest

from upramp.detector1 import ipc
from upramp.detector1.ipc import Borders
from upramp.detector1.irs2_layout import Interleave

NOTHING = Borders(0, 0, 0, 0)


def test_charge_of_a_neighbour_comes_back():
    frame = np.zeros((1, 1, 5, 5), np.float32)
    frame[0, 0, 2, 2] = 1000
    weights = np.zeros((3, 3), np.float32)
    weights[1, 1], weights[1, 0], weights[2, 1] = 1.02, -0.01, -0.005
    ipc.correct(frame, weights, NOTHING)
    # A kernel's left element works on the pixel to the left of the charge.
    assert frame[0, 0, 2].tolist() == [0, np.float32(-10), np.float32(1020), 0, 0]
    assert frame[0, 0, 3, 2] == np.float32(-5)
    assert np.count_nonzero(frame) == 3


def test_reference_pixels_neither_change_nor_give():
    rng = np.random.default_rng(0)
    frame = rng.normal(100, 10, (1, 1, 12, 14)).astype(np.float32)
    weights = rng.normal(0, 1, (3, 3)).astype(np.float32)
    borders = Borders(3, 2, 4, 1)
    inner = np.s_[0, 0, 3:10, 4:13]
    alone = frame[inner].copy()[None, None]
    ipc.correct(alone, weights, NOTHING)
    before = frame.copy()
    ipc.correct(frame, weights, borders)
    np.testing.assert_array_equal(frame[inner], alone[0, 0])
    frame[inner] = before[inner]
    np.testing.assert_array_equal(frame, before)


def test_nothing_but_reference_pixels():
    frame = np.ones((1, 1, 4, 6), np.float32)
    ipc.correct(frame, np.full((3, 3), 5, np.float32), Borders(4, 0, 0, 0))
    ipc.correct(frame, np.full((3, 3), 5, np.float32), Borders(0, 0, 4, 4))
    assert (frame == 1).all()


def test_one_kernel_or_the_same_for_every_pixel():
    rng = np.random.default_rng(1)
    one = rng.normal(100, 10, (2, 3, 9, 11)).astype(np.float32)
    other = one.copy()
    weights = rng.normal(0, 1, (3, 5)).astype(np.float32)
    ipc.correct(one, weights, NOTHING)
    own = np.ascontiguousarray(np.broadcast_to(weights[:, :, None, None], (3, 5, 9, 11)))
    ipc.correct(other, own, NOTHING)
    np.testing.assert_array_equal(one, other)


def test_a_kernel_of_another_size_is_refused():
    with pytest.raises(ValueError, match="kernel"):
        ipc.correct(
            np.zeros((1, 1, 4, 4), np.float32), np.zeros((3, 3, 5, 5), np.float32), NOTHING
        )


@pytest.mark.parametrize(
    ("instrument", "window", "expected"),
    [
        ("NIRCAM", (1, 1, 2048, 2048), (4, 4, 4, 4)),
        ("NIRISS", (1, 1793, 2048, 256), (0, 4, 4, 4)),
        ("FGS", (3, 100, 10, 10), (0, 0, 2, 0)),
        ("MIRI", (1, 1, 1032, 1024), (0, 0, 4, 4)),
        ("MIRI", (100, 1, 64, 64), (0, 0, 0, 0)),
    ],
)
def test_borders(instrument, window, expected):
    assert ipc.reference_borders(instrument, *window) == Borders(*expected)


def test_a_full_frame_takes_the_kernel_as_it_is():
    weights = np.zeros((1, 1, 8, 8), np.float32)
    assert ipc.cut_kernel(weights, "NIRCAM", 1, 1, 2048, 2048) is weights
    assert ipc.cut_kernel(weights, "MIRI", 3, 2, 4, 5).shape == (1, 1, 5, 4)
    assert ipc.cut_kernel(weights[0, 0], "MIRI", 3, 2, 4, 5).shape == (8, 8)


def test_reach():
    layout = Interleave("NRS2")
    assert ipc.reach(np.zeros((3, 3), np.float32)) == 1
    assert ipc.reach(np.zeros((1, 3), np.float32), layout) == 0
    assert ipc.reach(np.zeros((5, 3), np.float32), layout) == 6

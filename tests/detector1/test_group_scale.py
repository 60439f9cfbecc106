"""Group scale: when, and by how much."""

from __future__ import annotations

import numpy as np
import pytest

from upramp.detector1.group_scale import choose_group_scale, scale_groups
from upramp.errors import InputError


@pytest.mark.parametrize(
    ("nframes", "divisor", "factor", "suspicious"),
    [
        (None, 4, None, True),
        (None, None, None, True),
        (4, None, None, False),
        (5, None, None, True),
        (4, 4, None, False),
        (5, 4, 0.8, False),
        (3, 4, 4 / 3, False),
    ],
)
def test_keywords_decide(nframes, divisor, factor, suspicious):
    scale = choose_group_scale(nframes, divisor)
    assert scale.factor == factor
    assert scale.suspicious is suspicious
    assert "FRAMES" in scale.reason or "frames" in scale.reason


def test_no_frames_at_all_are_refused():
    with pytest.raises(InputError, match="NFRAMES: it is 0"):
        choose_group_scale(0, 4)


def test_only_the_rows_asked_for_are_scaled():
    ramp = np.full((2, 2, 4, 3), 3, np.float32)
    scale_groups(ramp, 1 / 3, 5, 1, 3)
    third = np.float32(3) * np.float32(1 / 3)
    for plane in ramp.reshape(-1, 4, 3):
        assert plane[:, 0].tolist() == [3, third, third, 3]


def test_rows_outside_the_tile_are_refused():
    with pytest.raises(ValueError, match="not in a tile"):
        scale_groups(np.zeros((1, 1, 2, 2), np.float32), 2.0, 0, 0, 3)

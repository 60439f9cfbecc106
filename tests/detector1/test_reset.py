"""The reset anomaly goes from the first groups of every integration."""

from __future__ import annotations

import numpy as np
import pytest

from upramp.detector1.reset import plan_reset, subtract_reset
from upramp.errors import InputError

RESET = np.arange(1, 2 * 3 + 1, dtype=np.float32).reshape(2, 3, 1, 1) * np.ones((2, 3, 4, 5), "f4")


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        (None, None, [[1, 2, 3, 0], [4, 5, 6, 0], [4, 5, 6, 0]]),
        (2, 4, [[4, 5, 6, 0]] * 3),
        (1, 2, [[1, 2, 3, 0], [4, 5, 6, 0], [0, 0, 0, 0]]),
        (4, None, np.zeros((3, 4))),
    ],
)
def test_integrations_and_groups(start, end, expected):
    ramp = np.zeros((3, 4, 4, 5), np.float32)
    plan = plan_reset(3, 3, 4, start, end, 2, 3)
    subtract_reset(ramp, RESET, plan, 0, 0, 4)
    np.testing.assert_array_equal(-ramp[:, :, 3, 4], expected)
    assert plan.corrects == np.any(expected)


def test_unknown_is_zero():
    ramp = np.ones((1, 1, 4, 5), np.float32)
    reset = np.full_like(RESET, np.nan)
    subtract_reset(ramp, reset, plan_reset(1, 1, 1, None, None, 2, 3), 0, 0, 4)
    assert (ramp == 1).all()


def test_only_the_rows_asked_for_change():
    ramp = np.zeros((1, 2, 3, 5), np.float32)
    subtract_reset(ramp, RESET, plan_reset(1, 1, 2, None, None, 2, 3), 1, 1, 2)
    np.testing.assert_array_equal(-ramp[0, 1, :, 0], [0, 2, 0])


def test_more_integrations_in_the_header_than_in_the_file():
    with pytest.raises(InputError, match="speak of 5 integrations where the file holds 3"):
        plan_reset(3, 5, 4, None, None, 2, 3)


@pytest.mark.parametrize("wrong", [(1, 2, 4), (2, 2, 3)])
def test_a_plan_for_something_else(wrong):
    nints, reset_nints, reset_groups = wrong
    plan = plan_reset(nints, nints, 4, None, None, reset_nints, reset_groups)
    with pytest.raises(ValueError, match="does not fit"):
        subtract_reset(np.zeros((1, 4, 4, 5), np.float32), RESET[:1], plan, 0, 0, 4)

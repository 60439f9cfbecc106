"""Flagging of MIRI's first and last groups against jwst."""

from __future__ import annotations

import numpy as np
import pytest

from same_bits import assert_same_bits
from upramp.detector1.firstframe import flag_first_group
from upramp.detector1.lastframe import flag_last_group

pytestmark = pytest.mark.peer


def every_flag(groups):
    """Give ramps that have each of the 256 flags in every group, with every other in the third."""
    values = np.arange(256, dtype=np.uint8)
    groupdq = np.empty((2, groups, 256, 256), np.uint8)
    for g in range(groups):
        groupdq[:, g] = values[:, None] if g == 2 else values
    groupdq[1] = groupdq[1, :, ::-1]
    return groupdq


def model(groupdq):
    from stdatamodels.jwst import datamodels

    ny, nx = groupdq.shape[2:]
    science = datamodels.RampModel(
        data=np.zeros(groupdq.shape, np.float32),
        groupdq=groupdq.copy(),
        pixeldq=np.arange(ny * nx, dtype=np.uint32).reshape(ny, nx),
    )
    return science, science.pixeldq.copy()


@pytest.mark.parametrize("groups", range(1, 6))
@pytest.mark.parametrize("bright", [True, False])
def test_first_group(groups, bright):
    from jwst.firstframe.firstframe_sub import do_correction

    groupdq = every_flag(groups)
    science, pixeldq = model(groupdq)
    theirs = do_correction(science, bright_use_group1=bright)
    done = set()
    for y0 in range(0, 256, 100):
        tile = np.ascontiguousarray(groupdq[:, :, y0 : y0 + 100])
        done.add(flag_first_group(tile, pixeldq, bright, y0, 0, tile.shape[2]))
        groupdq[:, :, y0 : y0 + 100] = tile
    assert done == {theirs.meta.cal_step.firstframe == "COMPLETE"}
    assert_same_bits(groupdq, theirs.groupdq, "groupdq")
    assert_same_bits(pixeldq, theirs.pixeldq, "pixeldq")


@pytest.mark.parametrize("groups", range(1, 6))
def test_last_group(groups):
    from jwst.lastframe.lastframe_sub import do_correction

    groupdq = every_flag(groups)
    theirs = do_correction(model(groupdq)[0])
    done = flag_last_group(groupdq, 0, 256)
    assert done == (theirs.meta.cal_step.lastframe == "COMPLETE")
    assert_same_bits(groupdq, theirs.groupdq, "groupdq")

"""The reset anomaly against jwst."""

from __future__ import annotations

import numpy as np
import pytest

from same_bits import assert_same_bits
from upramp.detector1.reset import plan_reset, subtract_reset
from upramp.errors import InputError

pytestmark = pytest.mark.peer


@pytest.mark.parametrize("groups", [1, 3, 5])
@pytest.mark.parametrize("reset_size", [(1, 2), (2, 4), (4, 4)])
@pytest.mark.parametrize(
    ("start", "end"), [(None, None), (1, 3), (2, 4), (3, 4), (5, None), (None, 2), (1, 9)]
)
def test_bits(groups, reset_size, start, end):
    from jwst.reset.reset_sub import do_correction
    from stdatamodels.jwst import datamodels

    rng = np.random.default_rng(groups)
    ny, nx = 5, 37
    ramp = rng.normal(0, 1000, (3, groups, ny, nx)).astype(np.float32)
    ramp[rng.random(ramp.shape) < 0.1] = np.nan
    reset = rng.normal(0, 1000, (*reset_size, ny, nx)).astype(np.float32)
    reset[rng.random(reset.shape) < 0.1] = np.nan
    reset[rng.random(reset.shape) < 0.1] = np.inf
    dq = rng.integers(0, 1 << 32, (ny, nx), np.uint32)
    science = datamodels.RampModel(data=ramp.copy(), pixeldq=np.ones((ny, nx), np.uint32))
    science.meta.exposure.nints = 3
    science.meta.exposure.ngroups = groups
    science.meta.exposure.integration_start = start
    science.meta.exposure.integration_end = end
    reference = datamodels.ResetModel(data=reset.copy(), dq=dq.copy())
    reference.meta.exposure.nints, reference.meta.exposure.ngroups = reset_size
    header = (3, 3, groups, start, end, *reset_size)
    try:
        theirs = do_correction(science, reference)
    except IndexError:
        with pytest.raises(InputError, match="INTSTART"):
            plan_reset(*header)
        return
    plan = plan_reset(*header)
    for y0 in range(0, ny, 2):
        rows = np.s_[:, :, y0 : y0 + 2]
        tile = np.ascontiguousarray(ramp[rows])
        subtract_reset(tile, reset, plan, y0, 0, tile.shape[2])
        ramp[rows] = tile
    assert_same_bits(ramp, theirs.data, "data")
    assert_same_bits(np.uint32(1) | (dq if plan.corrects else np.zeros_like(dq)), theirs.pixeldq)

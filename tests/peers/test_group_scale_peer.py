"""Group scale against the official step, bit for bit."""

from __future__ import annotations

import numpy as np
import pytest

from same_bits import assert_same_bits
from upramp.detector1.decode import decode_tile
from upramp.detector1.group_scale import choose_group_scale, scale_groups

pytestmark = pytest.mark.peer

FACTORS = [(1, 1), (3, 4), (5, 4), (7, 8), (13, 16), (4, 8), (8, 7), (100, 3)]


def step(data, nframes, divisor):
    from jwst.group_scale import GroupScaleStep
    from stdatamodels.jwst.datamodels import RampModel

    model = RampModel(data.shape)
    model.data = data.copy()
    model.meta.exposure.nframes, model.meta.exposure.frame_divisor = nframes, divisor
    return GroupScaleStep().process(model)


@pytest.mark.parametrize("nframes", [None, 1, 2, 3, 4, 5, 6, 8])
@pytest.mark.parametrize("divisor", [None, 1, 4, 8])
def test_the_decision_agrees(nframes, divisor):
    theirs = step(np.ones((1, 1, 2, 2), np.float32), nframes, divisor)
    factor = choose_group_scale(nframes, divisor).factor
    status = "SKIPPED" if factor is None else "COMPLETE"
    assert theirs.meta.cal_step.group_scale == status


@pytest.mark.parametrize(("nframes", "divisor"), FACTORS)
def test_values_agree(nframes, divisor):
    rng = np.random.default_rng(nframes)
    data = rng.normal(0, 1e4, (2, 3, 5, 17)).astype(np.float32)
    for value in (np.nan, np.inf, -np.inf, 0, -0.0, 1e-45, 3e38):
        data[rng.random(data.shape) < 0.05] = value
    with np.errstate(all="ignore"):
        theirs = step(data, nframes, divisor).data
    factor = choose_group_scale(nframes, divisor).factor
    if factor is not None:
        for start in (0, 2):
            scale_groups(data, factor, 0, start, start + (2 if start == 0 else 3))
    assert_same_bits(data, theirs)


@pytest.mark.parametrize(("nframes", "divisor"), FACTORS)
def test_decoding_scales_every_count_as_the_step_does(nframes, divisor):
    counts = np.arange(65536, dtype=np.uint16).reshape(1, 2, 128, 256)
    theirs = step(counts.astype(np.float32), nframes, divisor).data
    stored = (counts ^ np.uint16(0x8000)).byteswap()
    ramp = np.empty(counts.shape, np.float32)
    decode_tile(stored, ramp, choose_group_scale(nframes, divisor).factor)
    assert_same_bits(ramp, theirs)

from __future__ import annotations

import numpy as np
import pytest

from same_bits import assert_same_bits
from upramp.detector1 import saturation_irs2 as ours
from upramp.detector1.irs2_layout import Interleave, deinterleave

pytestmark = pytest.mark.peer

COLUMNS = 5


@pytest.fixture
def official():
    from jwst.saturation import saturation

    return saturation.irs2_flag_saturation


def a_model(rng, detector, nints=1, ngroups=4, frames=1, zero_frame=False):
    from stdatamodels.jwst import datamodels

    shape = (nints, ngroups, 3200, COLUMNS)
    model = datamodels.RampModel()
    steps = rng.normal(6000, 6000, shape).astype(np.float32)
    data = np.cumsum(steps, axis=1, dtype=np.float32)
    data[rng.random(shape) < 0.01] = np.nan
    data[rng.random(shape) < 0.01] = np.inf
    data[rng.random(shape) < 0.01] = 0
    model.data = data
    model.groupdq = rng.integers(0, 256, shape).astype(np.uint8)
    model.pixeldq = rng.integers(0, 2**32, shape[2:], dtype=np.uint32)
    model.meta.instrument.name = "NIRSPEC"
    model.meta.instrument.detector = detector
    exposure = model.meta.exposure
    exposure.nframes, exposure.ngroups, exposure.nints = frames, ngroups, nints
    exposure.nrs_normal, exposure.nrs_reference = 16, 4
    exposure.zero_frame = zero_frame
    if zero_frame:
        model.zeroframe = np.array(data[:, 0] * np.float32(0.9))
    subarray = model.meta.subarray
    subarray.xstart, subarray.ystart, subarray.xsize, subarray.ysize = 1, 1, COLUMNS, 2048
    return model


def a_reference(rng):
    from stdatamodels.jwst import datamodels

    threshold = rng.normal(22000, 3000, (2048, COLUMNS)).astype(np.float32)
    threshold[rng.random(threshold.shape) < 0.05] = np.nan
    dq = rng.integers(0, 2**23, threshold.shape, dtype=np.uint32)
    dq[rng.random(dq.shape) < 0.9] = 0
    model = datamodels.SaturationModel(data=threshold, dq=dq)
    subarray = model.meta.subarray
    subarray.xstart, subarray.ystart, subarray.xsize, subarray.ysize = 1, 1, COLUMNS, 2048
    return model


def a_bias(rng):
    from stdatamodels.jwst import datamodels

    bias = rng.normal(3000, 800, (3200, COLUMNS)).astype(np.float32)
    bias[rng.random(bias.shape) < 0.05] = np.nan
    return datamodels.SuperBiasModel(data=bias)


def in_tiles(ramp, groupdq, threshold, bias, layout, grow, frames, height):
    halo = ours.reach(layout, grow)
    before = groupdq.copy()
    for top in range(0, layout.rows, height):
        bottom = min(top + height, layout.rows)
        low, high = max(0, top - halo), min(layout.rows, bottom + halo)
        part = before[:, :, low:high].copy()
        ours.flag_saturation(
            np.ascontiguousarray(ramp[:, :, low:high]), part, threshold, bias, layout,
            grow=grow, frames=frames, y0=low, first=top - low, last=bottom - low,
        )  # fmt: skip
        groupdq[:, :, top:bottom] = part[:, :, top - low : bottom - low]


@pytest.mark.parametrize("detector", ["NRS1", "NRS2"])
@pytest.mark.parametrize(
    ("nints", "ngroups", "grow", "frames", "read_pattern", "with_bias"),
    [
        (2, 4, 1, 4, True, True),
        (1, 5, 1, 1, True, False),
        (1, 3, 2, 5, True, True),
        (1, 3, 0, 5, True, True),
        (1, 2, 1, 4, True, True),
        (1, 1, 1, 1, False, False),
        (1, 4, 17, 4, False, True),
    ],
)
def test_flags_are_the_official_ones(
    official, detector, nints, ngroups, grow, frames, read_pattern, with_bias
):
    rng = np.random.default_rng(ngroups * 10 + grow)
    model = a_model(rng, detector, nints, ngroups, frames)
    reference = a_reference(rng)
    bias_model = a_bias(rng) if with_bias else None
    layout = Interleave(detector)
    ramp, groupdq, pixeldq = (np.array(a) for a in (model.data, model.groupdq, model.pixeldq))
    threshold, dq = ours.prepare_threshold(np.array(reference.data), np.array(reference.dq))
    bias = deinterleave(np.array(bias_model.data), layout) if with_bias else None
    official(model, reference, grow, read_pattern, bias_model=bias_model)

    reads = frames if read_pattern else None
    tiled = groupdq.copy()
    in_tiles(ramp, tiled, threshold, bias, layout, grow, reads, 333)
    ours.flag_saturation(ramp, groupdq, threshold, bias, layout, grow=grow, frames=reads)
    ours.update_pixeldq(pixeldq, dq, layout)
    assert_same_bits(groupdq, model.groupdq, "groupdq")
    assert_same_bits(tiled, model.groupdq, "groupdq in tiles")
    assert_same_bits(pixeldq, model.pixeldq, "pixeldq")


@pytest.mark.parametrize("detector", ["NRS1", "NRS2"])
def test_zero_frames_are_the_official_ones(official, detector):
    rng = np.random.default_rng(5)
    model = a_model(rng, detector, nints=2, zero_frame=True)
    reference = a_reference(rng)
    zeroframe = np.array(model.zeroframe)
    threshold, _ = ours.prepare_threshold(np.array(reference.data), np.array(reference.dq))
    official(model, reference, 1, True)
    ours.flag_zero_frame(zeroframe, threshold, Interleave(detector), grow=1)
    assert_same_bits(zeroframe, model.zeroframe)
    assert np.count_nonzero(zeroframe == 0) > 100

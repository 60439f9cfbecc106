"""Dark subtraction against stcal and jwst."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from same_bits import assert_same_bits
from upramp.detector1.dark import (
    average_dark_current,
    dark_pixel_dq,
    prepare_dark,
    subtract_dark,
)
from upramp.errors import ReferenceFileError

pytestmark = pytest.mark.peer


def unpleasant(rng, shape):
    values = rng.normal(0, 3000, shape).astype(np.float32)
    where = rng.random(shape)
    for share, value in enumerate([np.nan, np.inf, -np.inf, 0.0, -0.0, 1e-42, 3e38]):
        values[(where > share / 50) & (where < (share + 1) / 50)] = value
    return values


def official(ramp, pixeldq, readout, start, frames, dq, dark_readout):
    """Give data and pixeldq, or None if skipped."""
    from stcal.dark_current.dark_class import DarkData, ScienceData
    from stcal.dark_current.dark_sub import do_correction_data

    science = ScienceData()
    science.data, science.pixeldq = ramp.copy(), pixeldq.copy()
    science.groupdq = np.zeros(ramp.shape, np.uint8)
    science.exp_nframes, science.exp_groupgap = readout
    science.exp_intstart = start
    dark = DarkData()
    dark.data, dark.groupdq = frames.copy(), dq.copy()
    dark.exp_nframes, dark.exp_groupgap = dark_readout
    dark.exp_ngroups = frames.shape[-3]
    with np.errstate(all="ignore"):
        done, _ = do_correction_data(science, dark)
    return None if done.cal_step == "SKIPPED" else (done.data, done.pixeldq)


def compare(nints, groups, readout, start, dark_nints, dark_groups, dark_readout, ny=5, nx=13):
    rng = np.random.default_rng(nints + groups + dark_groups)
    shape = (dark_groups, ny, nx) if dark_nints is None else (dark_nints, dark_groups, ny, nx)
    dq_shape = (ny, nx) if dark_nints is None else (dark_nints, 1, ny, nx)
    frames = unpleasant(rng, shape)
    dq = rng.integers(0, 1 << 32, dq_shape, np.uint32)
    ramp = unpleasant(rng, (nints, groups, ny, nx))
    pixeldq = rng.integers(0, 1 << 32, (ny, nx), np.uint32)
    try:
        theirs = official(ramp, pixeldq, readout, start, frames, dq, dark_readout)
    except IndexError:
        coarser = dark_readout[0] > readout[0] or dark_readout[1] > readout[1]
        if coarser:  # a dark that is not used need not be long enough
            assert prepare_dark(frames, *dark_readout, groups, *readout) is None
        else:
            with pytest.raises(ReferenceFileError):
                prepare_dark(frames, *dark_readout, groups, *readout)
        return
    dark = prepare_dark(frames, *dark_readout, groups, *readout)
    if theirs is None:
        assert dark is None
        return
    for y0 in range(0, ny, 2):
        rows = np.s_[:, :, y0 : y0 + 2]
        tile = np.ascontiguousarray(ramp[rows])
        subtract_dark(tile, dark, start, y0, 0, tile.shape[2])
        ramp[rows] = tile
    assert_same_bits(ramp, theirs[0], "data")
    assert_same_bits(pixeldq | dark_pixel_dq(dq), theirs[1], "pixeldq")


@pytest.mark.parametrize("dark_nints", [None, 1, 2, 3])
@pytest.mark.parametrize("dark_groups", [1, 2, 4, 30])
@pytest.mark.parametrize("readout", [(1, 0), (4, 0), (2, 3), (1, 2), (5, 1)])
@pytest.mark.parametrize("start", [None, 1, 3])
def test_bits(readout, dark_nints, dark_groups, start):
    compare(2, 5, readout, start, dark_nints, dark_groups, (1, 0))


@settings(max_examples=300, deadline=None, derandomize=True)
@given(
    nints=st.integers(1, 3),
    groups=st.integers(1, 6),
    readout=st.tuples(st.integers(1, 5), st.integers(0, 3)),
    start=st.sampled_from([None, 1, 2]),
    dark_nints=st.sampled_from([None, 1, 2, 4]),
    dark_groups=st.integers(1, 12),
    dark_readout=st.tuples(st.integers(1, 3), st.integers(0, 2)),
)
def test_bits_of_any_readout(nints, groups, readout, start, dark_nints, dark_groups, dark_readout):
    compare(nints, groups, readout, start, dark_nints, dark_groups, dark_readout)


@pytest.mark.parametrize("shape", [(1, 40), (40, 1), (2, 2100)])
def test_bits_of_odd_shapes(shape):
    compare(1, 3, (20, 0), None, None, 70, (1, 0), *shape)
    compare(1, 3, (20, 0), None, None, 7, (1, 0), *shape)


@pytest.mark.parametrize("parameter", [None, 0.0, 0.3])
@pytest.mark.parametrize("image", [None, "zero", "some", "nan", "other shape"])
@pytest.mark.parametrize("scalar", [None, 0.1])
@pytest.mark.parametrize("carried", [False, True])
def test_average_dark_current(parameter, image, scalar, carried):
    from jwst.dark_current import DarkCurrentStep
    from stdatamodels.jwst import datamodels

    images = {
        None: None,
        "zero": np.zeros((4, 5), np.float32),
        "some": np.linspace(0, 1, 20, dtype=np.float32).reshape(4, 5),
        "nan": np.full((4, 5), np.nan, np.float32),
        "other shape": np.ones((3, 5), np.float32),
    }
    science = datamodels.RampModel((1, 2, 4, 5))
    carried = np.full((4, 5), 0.7, np.float32) if carried else None
    if carried is not None:
        science.average_dark_current = carried
    reference = datamodels.DarkModel((3, 4, 5))
    reference.meta.exposure.average_dark_current = scalar
    if images[image] is not None:
        reference.average_dark_current = images[image]
    step = DarkCurrentStep()
    step.average_dark_current = parameter
    step.set_average_dark_current(science, reference)
    ours = average_dark_current((4, 5), parameter, images[image], scalar, carried)
    if science.average_dark_current is None:
        assert ours is None
    else:
        assert_same_bits(ours, science.average_dark_current)

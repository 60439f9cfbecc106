"""The picture frame against the official function, bit for bit."""

from __future__ import annotations

import logging
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from same_bits import assert_same_bits
from upramp.detector1.flicker_mask import scene_mask
from upramp.detector1.picture_frame import measure, regions, subtract

pytestmark = pytest.mark.peer


def official(data, rate, reference, n_sigma):
    from jwst.picture_frame import picture_frame as package
    from stdatamodels.jwst import datamodels

    image = datamodels.ImageModel(data=rate.copy(), dq=np.zeros(rate.shape, np.uint32))
    image.meta.exposure.type = "NRS_MSASPEC"
    model = datamodels.RampModel(data=data.copy())
    model.meta.instrument.name, model.meta.subarray.name = "NIRSPEC", "FULL"
    pattern = datamodels.PictureFrameModel(data=reference.copy())
    logging.disable(logging.CRITICAL)
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        patch.setattr(package.cfn, "make_rate", lambda _: image)
        out, _, _, status = package.correct_picture_frame(
            model, pattern, mask_science_regions=False, n_sigma=n_sigma
        )
    logging.disable(logging.NOTSET)
    return out.data, status


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    nints=st.integers(1, 3),
    ngroups=st.integers(2, 4),
    # The edges and the middle lie where they do on a whole detector: both must be there.
    size=st.tuples(*[st.integers(70, 130)] * 2),
    n_sigma=st.sampled_from([2.0, 0.0, 0.1]),
    dead=st.sampled_from([0.01, 0.9]),
)
def test_ramps(seed, nints, ngroups, size, n_sigma, dead):
    rng = np.random.default_rng(seed)
    shape = (nints, ngroups, *size)
    rate = rng.normal(3, 1, size).astype(np.float32)
    rate[rng.random(size) < 0.1] += 50
    data = (rate * np.arange(ngroups)[:, None, None] + rng.normal(0, 8, shape)).astype(np.float32)
    data[rng.random(shape) < 0.01] = np.nan
    if ngroups > 3:
        data[0, 2] = np.nan
    reference = rng.normal(0, 1, size).astype(np.float32)
    reference[rng.random(size) < dead] = np.nan
    theirs, status = official(data, rate, reference, n_sigma)
    pattern = measure(data, scene_mask(rate, n_sigma=n_sigma), reference)
    out = data.copy()
    if pattern is not None:
        subtract(out, pattern, 0, 0, size[0])
    assert status == ("SKIPPED" if pattern is None else "COMPLETE")
    assert_same_bits(out, theirs)


def test_infinite_values():
    rng = np.random.default_rng(3)
    data = rng.normal(0, 8, (1, 3, 100, 100)).astype(np.float32)
    data[0, 1] = np.where(rng.random((100, 100)) < 0.7, np.inf, data[0, 1])
    data[0, 2] = np.where(rng.random((100, 100)) < 0.5, np.inf, -np.inf)
    reference = rng.normal(0, 1, (100, 100)).astype(np.float32)
    rate = rng.normal(3, 1, (100, 100)).astype(np.float32)
    with np.errstate(all="ignore"):
        theirs, _ = official(data, rate, reference, 0)
        out = data.copy()
        subtract(out, measure(data, scene_mask(rate, n_sigma=0), reference), 0, 0, 100)
    assert_same_bits(out, theirs)


def test_regions():
    from jwst.picture_frame.picture_frame import _region_masks

    sky = np.random.default_rng(1).random((2048, 2048)) < 0.7
    for own, theirs in zip(regions(sky), _region_masks(sky), strict=True):
        np.testing.assert_array_equal(own, theirs)

"""First flags against the official function, bit for bit."""

from __future__ import annotations

import numpy as np
import pytest

from same_bits import assert_same_bits
from upramp.detector1.dq_init import combine_masks, flag_masked, initialize_pixel_dq

pytestmark = pytest.mark.peer


def place(model, area):
    part = model.meta.subarray
    part.xstart, part.ystart, part.xsize, part.ysize = area


def flags(rng, shape, dtype=np.uint32):
    return rng.integers(0, np.iinfo(dtype).max, shape, dtype=dtype, endpoint=True)


def mask_model(mask):
    from stdatamodels.jwst.datamodels import MaskModel

    model = MaskModel(mask.shape)
    model.dq = mask.copy()
    model.meta.instrument.name = "NIRCAM"
    place(model, (1, 1, *mask.shape[::-1]))
    return model


@pytest.mark.parametrize("user", [None, np.dtype(">i4"), np.dtype(">i2"), np.dtype("u1")])
@pytest.mark.parametrize("ngroups", [1, 3])
def test_a_subarray_agrees(user, ngroups):
    from jwst.dq_init.dq_initialization import do_dqinit
    from stdatamodels.jwst.datamodels import RampModel

    rng = np.random.default_rng(1)
    mask = flags(rng, (20, 40))
    model = RampModel((2, ngroups, 8, 32))
    model.meta.instrument.name = "NIRCAM"
    place(model, (4, 3, 32, 8))
    pixeldq = flags(rng, (8, 32))
    # 256 pixels: every value in every group.
    groupdq = np.array([rng.permutation(256) for _ in range(2 * ngroups)], np.uint8)
    groupdq = groupdq.reshape(2, ngroups, 8, 32)
    model.pixeldq, model.groupdq = pixeldq.copy(), groupdq.copy()
    user_dq = None
    if user is not None:
        user_dq = flags(rng, (8, 32), user.newbyteorder("=")).astype(user)
    theirs = do_dqinit(model, mask_model(mask), user_dq=user_dq)

    combined = combine_masks(mask[2:10, 3:35], user_dq)
    initialize_pixel_dq(pixeldq, combined)
    assert_same_bits(pixeldq, theirs.pixeldq, "pixeldq")
    for start in (0, 3, 6):
        part = groupdq[:, :, start : start + 3].copy()
        flag_masked(part, combined, start, 0, part.shape[2])
        assert_same_bits(part, theirs.groupdq[:, :, start : start + 3], "groupdq")


def test_a_guide_star_exposure_agrees():
    from jwst.dq_init.dq_initialization import do_dqinit
    from stdatamodels.jwst.datamodels import GuiderRawModel

    rng = np.random.default_rng(2)
    mask, dq = flags(rng, (8, 8)), flags(rng, (8, 8))
    model = GuiderRawModel((1, 2, 8, 8))
    model.dq = dq.copy()
    model.meta.instrument.name, model.meta.exposure.type = "FGS", "FGS_FINEGUIDE"
    place(model, (1, 1, 8, 8))
    theirs = do_dqinit(model, mask_model(mask))
    initialize_pixel_dq(dq, mask)
    assert_same_bits(dq, theirs.dq)

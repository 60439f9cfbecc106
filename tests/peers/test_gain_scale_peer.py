"""Scaling by the gain against jwst."""

from __future__ import annotations

import numpy as np
import pytest

from same_bits import assert_same_bits
from upramp.detector1.gain_scale import scale_by_gain

pytestmark = pytest.mark.peer


@pytest.mark.parametrize("factor", [0.5, 1, 2, 0.1, 1.9876543210987, 1e-30])
@pytest.mark.parametrize("shape", [(1, 1), (7, 33), (3, 4, 5)])
@pytest.mark.parametrize("with_variances", [True, False])
def test_bits(factor, shape, with_variances):
    from jwst.gain_scale.gain_scale import do_correction
    from stdatamodels.jwst import datamodels

    rng = np.random.default_rng(1)
    names = ["data", "err", *(["var_poisson", "var_rnoise"] if with_variances else [])]
    arrays = {name: rng.normal(0, 100, shape).astype(np.float32) for name in names}
    for array in arrays.values():
        array.flat[::3] = np.nan
        array.flat[1::11] = np.inf
    model = datamodels.ImageModel if len(shape) == 2 else datamodels.CubeModel
    science = model(**{name: array.copy() for name, array in arrays.items()})
    with np.errstate(all="ignore"):
        theirs = do_correction(science, factor)
    scale_by_gain(
        factor,
        arrays["data"],
        arrays["err"],
        arrays.get("var_poisson"),
        arrays.get("var_rnoise"),
    )
    for name, array in arrays.items():
        assert_same_bits(array, theirs[name], name)

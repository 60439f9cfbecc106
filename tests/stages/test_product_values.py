"""Whether a product says anything about pixels that see light."""

from __future__ import annotations

import numpy as np
import pytest

from upramp.stages.product_values import has_value

REFERENCE, DNU = 1 << 31, 1


class Product:
    """What is asked of a data model."""

    def __init__(self, data, dq, ramp=False):
        self.data = data
        self.dq, self.pixeldq = (None, dq) if ramp else (dq, None)
        self._ramp = ramp

    def hasattr(self, name):
        return name == "pixeldq" and self._ramp


def nothing(*shape):
    return np.full(shape, np.nan, np.float32)


SHAPES = [(3, 4), (2, 3, 4), (2, 5, 3, 4)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("value", [0.0, -3.0, 1e30])
def test_one_number_is_enough(shape, value):
    data = nothing(*shape)
    product = Product(data, np.zeros((3, 4), np.uint32), ramp=True)
    assert not has_value(product)
    data[(*[-1] * (len(shape) - 2), 1, 2)] = value
    assert has_value(product)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_no_value(value):
    assert not has_value(Product(np.full((3, 4), value), np.zeros((3, 4), np.uint32)))


@pytest.mark.parametrize("shape", SHAPES)
def test_reference_pixels_do_not_count(shape):
    data = nothing(*shape)
    data[..., 0] = 5.0
    dq = np.zeros((3, 4), np.uint32)
    dq[:, 0] = REFERENCE | DNU
    assert not has_value(Product(data, dq, ramp=True))
    dq[1, 0] = DNU
    assert has_value(Product(data, dq, ramp=True))


def test_flags_of_each_integration_go_with_its_own_plane():
    data = nothing(2, 3, 4)
    data[1, 0, 0] = 1.0
    dq = np.zeros((2, 3, 4), np.uint32)
    dq[0, 0, 0] = REFERENCE
    assert has_value(Product(data, dq))
    dq[:, 0, 0] = dq[::-1, 0, 0]
    assert not has_value(Product(data, dq))


def test_official_models_will_do():
    from stdatamodels.jwst import datamodels

    for model in (datamodels.ImageModel, datamodels.CubeModel):
        shape = (3, 4) if model is datamodels.ImageModel else (2, 3, 4)
        dq = np.zeros(shape, np.uint32)
        assert has_value(model(data=np.ones(shape, np.float32), dq=dq))
        assert not has_value(model(data=nothing(*shape), dq=dq))
    ramp = datamodels.RampModel(np.ones((1, 2, 3, 4), np.float32))
    assert has_value(ramp)
    ramp.pixeldq[:] = REFERENCE
    assert not has_value(ramp)

from __future__ import annotations

import numpy as np
import pytest

from same_bits import assert_same_bits
from upramp.detector1 import ipc
from upramp.detector1.irs2_layout import Interleave

pytestmark = pytest.mark.peer


@pytest.fixture
def official():
    from jwst.ipc import ipc_corr

    return ipc_corr


def a_model(data, instrument, detector, window):
    from stdatamodels.jwst import datamodels

    model = datamodels.RampModel(data=data.copy())
    model.meta.instrument.name, model.meta.instrument.detector = instrument, detector
    subarray = model.meta.subarray
    subarray.xstart, subarray.ystart, subarray.xsize, subarray.ysize = window
    exposure = model.meta.exposure
    exposure.nints, exposure.ngroups = data.shape[:2]
    exposure.nrs_normal, exposure.nrs_reference = 16, 4
    return model


def random_frames(rng, shape):
    data = rng.normal(3000, 9000, shape).astype(np.float32)
    data[rng.random(shape) < 0.02] = 0
    data[rng.random(shape) < 0.003] = np.nan
    data[rng.random(shape) < 0.003] = np.inf
    return data


def in_tiles(data, weights, borders, layout, height):
    rows = data.shape[2]
    halo = ipc.reach(weights, layout)
    result = data.copy()
    for top in range(0, rows, height):
        bottom = min(top + height, rows)
        low, high = max(0, top - halo), min(rows, bottom + halo)
        part = data[:, :, low:high].copy()
        ipc.correct(
            part, weights, borders, layout=layout, height=rows, y0=low,
            first=top - low, last=bottom - low,
        )  # fmt: skip
        result[:, :, top:bottom] = part[:, :, top - low : bottom - low]
    return result


WINDOWS = {
    "corner": ("NIRCAM", "NRCA1", (1, 1, 21, 17)),
    "inside": ("NIRISS", "NIS", (101, 201, 11, 19)),
    "far corner": ("NIRCAM", "NRCB4", (2033, 2037, 16, 12)),
    "some of the edge": ("FGS", "GUIDER1", (3, 2042, 9, 7)),
    "one row": ("NIRCAM", "NRCA1", (50, 50, 30, 1)),
    "one column": ("NIRCAM", "NRCA1", (50, 50, 1, 30)),
    "MIRI left": ("MIRI", "MIRIMAGE", (1, 1, 19, 12)),
    "MIRI right": ("MIRI", "MIRIMAGE", (1015, 1010, 18, 15)),
}


@pytest.mark.parametrize("shape", [(3, 3), (5, 3), (1, 1), (3, 5), (4, 2)])
@pytest.mark.parametrize("window", WINDOWS)
def test_a_kernel_for_all_pixels(official, window, shape):
    from stdatamodels.jwst import datamodels

    instrument, detector, place = WINDOWS[window]
    rng = np.random.default_rng(sum(shape))
    data = random_frames(rng, (2, 2, place[3], place[2]))
    weights = rng.normal(0, 0.1, shape).astype(np.float32)
    model = a_model(data, instrument, detector, place)
    official.do_correction(model, datamodels.IPCModel(data=weights))

    borders = ipc.reference_borders(instrument, *place)
    cut = ipc.cut_kernel(weights, instrument, *place)
    assert_same_bits(in_tiles(data, cut, borders, None, 5), model.data, "in tiles")
    ipc.correct(data, cut, borders)
    assert_same_bits(data, model.data)


@pytest.mark.parametrize("window", WINDOWS)
def test_a_kernel_for_every_pixel(official, window):
    instrument, detector, place = WINDOWS[window]
    rng = np.random.default_rng(8)
    data = random_frames(rng, (1, 2, place[3], place[2]))
    ny, nx = (1024, 1032) if instrument == "MIRI" else (2048, 2048)
    # A reference of all pixels would be large: what the exposure does not touch is a view.
    weights = np.broadcast_to(np.float32(0.01), (3, 3, ny, nx))
    own = rng.normal(0, 0.1, (3, 3, place[3], place[2])).astype(np.float32)

    class Reference:
        data = weights

    expected = a_model(data, instrument, detector, place)
    cut = ipc.cut_kernel(weights, instrument, *place)
    assert_same_bits(cut, official.get_ipc_slice(expected, Reference), "cut")
    assert cut.shape == own.shape

    borders = ipc.reference_borders(instrument, *place)
    assert tuple(borders) == tuple(official.get_num_ref_pixels(expected))
    for group in data[0]:
        frame = group.copy()
        official.ipc_convolve(frame, own, official.get_num_ref_pixels(expected))
        ours = group[None, None].copy()
        assert_same_bits(in_tiles(ours, own, borders, None, 4)[0, 0], frame, "in tiles")
        ipc.correct(ours, own, borders)
        assert_same_bits(ours[0, 0], frame)


@pytest.mark.parametrize("detector", ["NRS1", "NRS2"])
def test_ordinary_pixels_of_irs2(official, detector):
    from stdatamodels.jwst import datamodels

    rng = np.random.default_rng(21)
    data = random_frames(rng, (1, 2, 3200, 17))
    weights = rng.normal(0, 0.1, (3, 3)).astype(np.float32)
    place = (1, 1, 2048, 2048)
    model = a_model(data, "NIRSPEC", detector, place)
    # Only the columns are few: the right border is then left to the frame's own width.
    model.meta.subarray.xsize = 17
    official.do_correction(model, datamodels.IPCModel(data=weights))
    borders = ipc.reference_borders("NIRSPEC", 1, 1, 17, 2048)
    layout = Interleave(detector)
    assert_same_bits(in_tiles(data, weights, borders, layout, 301), model.data, "in tiles")
    ipc.correct(data, weights, borders, layout=layout)
    assert_same_bits(data, model.data)


def test_full_frames(official):
    from stdatamodels.jwst import datamodels

    rng = np.random.default_rng(2)
    data = random_frames(rng, (1, 1, 2048, 2048))
    weights = rng.normal(0, 0.1, (3, 3)).astype(np.float32)
    model = a_model(data, "NIRCAM", "NRCA1", (1, 1, 2048, 2048))
    official.do_correction(model, datamodels.IPCModel(data=weights))
    ipc.correct(data, weights, ipc.reference_borders("NIRCAM", 1, 1, 2048, 2048))
    assert_same_bits(data, model.data)

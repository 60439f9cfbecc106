from __future__ import annotations

import numpy as np
import pytest
from irs2_models import a_ramp, a_reference, tables

from same_bits import assert_same_bits
from upramp.detector1 import refpix_irs2_bad_pixels as bad_pixels
from upramp.detector1 import refpix_irs2_mean as edges
from upramp.detector1.irs2_layout import Interleave, deinterleave
from upramp.detector1.refpix_irs2 import Correction

pytestmark = [
    pytest.mark.peer,
    pytest.mark.filterwarnings("ignore:Input data contains invalid values"),
    pytest.mark.filterwarnings("ignore::RuntimeWarning"),
]

DQ_TABLE = {
    "output": np.array([1, 1, 2, 4, 4], np.int16),
    "odd_even": np.array([1, 2, 1, 2, 1], np.int16),
    "mask": np.array([3, 1 << 31, 0x80000001, 0b111000, 0b111000], np.uint32),
}


@pytest.fixture
def official():
    from jwst.refpix import irs2_subtract_reference

    return irs2_subtract_reference


def spoil(rng, model):
    data = model.data
    data[:, :, 31, :] += 400  # one read of a pair
    data[:, :, 648:650, :] += 900
    data[:, :, 668:672, :] *= 1 + rng.normal(0, 0.1, data[:, :, 668:672, :].shape)
    data[0, :, 1288:1292, :] -= 700
    data[-1, :, 3188:3190, :] += 500
    model.pixeldq[652, 1] |= 1 << 17
    model.pixeldq[8:12, 0] |= 1 << 17
    model.pixeldq[3100, 2] |= 1 << 17


@pytest.mark.parametrize("detector", ["NRS1", "NRS2"])
@pytest.mark.parametrize(
    ("nints", "limit", "holes"), [(1, 3.0, False), (3, 2.0, False), (2, 3.0, True)]
)
def test_bad_reference_reads(official, detector, nints, limit, holes):
    rng = np.random.default_rng(nints)
    model = a_ramp(rng, detector, nints, 3, columns=7)
    spoil(rng, model)
    if holes:
        model.data[0, 1, 700:760, 3] = np.nan
        model.data[0, 1, 2000:2010, 3] = np.inf
    ramp, pixeldq = np.array(model.data), np.array(model.pixeldq)
    official.flag_bad_refpix(model, n_sigma=limit, flag_only=True)
    layout = Interleave(detector)

    statistics = [bad_pixels.pair_statistics(integration, layout) for integration in ramp]
    known = bad_pixels.flagged_rows(pixeldq)
    bad = bad_pixels.find_bad(statistics, known, layout, limit)
    assert np.count_nonzero(bad) > np.count_nonzero(known)
    bad_pixels.flag_rows(pixeldq, bad)
    assert_same_bits(pixeldq, model.pixeldq, "pixeldq")

    official.flag_bad_refpix(model, replace_only=True)
    recipe = bad_pixels.recipe_of_flags(bad_pixels.flagged_rows(pixeldq), layout)
    assert {tuple(kind) for kind in (recipe[:, 1:] >= 0).tolist()} >= {(True, True), (True, False)}
    for frame in ramp.reshape(-1, *ramp.shape[2:]):
        bad_pixels.replace(frame, recipe)
    assert_same_bits(ramp, model.data, "data")
    assert_same_bits(pixeldq, model.pixeldq, "pixeldq after replacement")


@pytest.mark.parametrize("detector", ["NRS1", "NRS2"])
def test_every_bad_read_of_an_output(official, detector):
    rng = np.random.default_rng(4)
    model = a_ramp(rng, detector, 1, 2, columns=3)
    reads = np.flatnonzero(Interleave(detector).reference_reads)
    some = reads[rng.random(reads.size) < 0.7]
    model.pixeldq[some, 1] |= 1 << 17
    model.pixeldq[reads[:128], 0] |= 1 << 17
    ramp = np.array(model.data)
    recipe = bad_pixels.recipe_of_flags(
        bad_pixels.flagged_rows(np.array(model.pixeldq)), Interleave(detector)
    )
    official.flag_bad_refpix(model, replace_only=True)
    for frame in ramp[0]:
        bad_pixels.replace(frame, recipe)
    assert np.count_nonzero(ramp[0, 0, :640] == 0) >= 128 * 3 * (detector == "NRS1")
    assert_same_bits(ramp, model.data)


@pytest.mark.parametrize("detector", ["NRS1", "NRS2"])
@pytest.mark.parametrize("odd_even", [True, False])
def test_means_of_the_edges(detector, odd_even):
    from jwst.refpix import reference_pixels

    rng = np.random.default_rng(6)
    model = a_ramp(rng, detector, 1, 2)
    model.pixeldq[rng.random(model.pixeldq.shape) < 0.1] |= 1
    model.pixeldq[1280:1920] |= 1  # a section without any
    model.data[0, 1, 640:1280] = 7  # a section without noise
    model.data[0, 1, 2000, 1] = np.nan
    ramp, pixeldq = np.array(model.data), np.array(model.pixeldq)
    parameters = {
        "refpix_algorithm": "median", "sirs_kernel_model": None, "sigreject": 4.0,
        "gaussmooth": 1.0, "halfwidth": 30,
    }  # fmt: skip
    status = reference_pixels.correct_model(model, odd_even, False, 11, 1.0, True, parameters, 2.5)
    assert status == reference_pixels.REFPIX_OK
    layout = Interleave(detector)
    for frame in ramp[0]:
        offsets = edges.edge_means(frame, pixeldq, layout, odd_even_columns=odd_even, siglimit=2.5)
        edges.subtract_means(frame, offsets)
    assert_same_bits(ramp, model.data)


def corrected(model, reference, **options):
    """Return our correction and our result, then let the official one change the model."""
    from jwst.refpix import irs2_subtract_reference

    layout = Interleave(model.meta.instrument.detector)
    ramp = np.array(model.data)
    if hasattr(reference, "dq_table"):
        recipe = bad_pixels.recipe_of_table(
            *reference.dq_table.columns.values(),
            bad_pixels.flagged_rows(np.array(model.pixeldq)),
            layout,
        )
        for frame in ramp.reshape(-1, *ramp.shape[2:]):
            bad_pixels.replace(frame, recipe)
    preserve = options.get("preserve_refpix", False)
    correction = Correction(layout, *tables(reference), preserve=preserve)
    ours = np.empty((*ramp.shape[:2], correction.result_rows, ramp.shape[3]), np.float32)
    for integration, result in zip(ramp, ours, strict=True):
        correction.correct_integration(integration, result)
    irs2_subtract_reference.correct_model(model, reference, **options)
    return correction, ours


@pytest.mark.parametrize("detector", ["NRS1", "NRS2"])
def test_frames(official, detector):
    rng = np.random.default_rng(1)
    model = a_ramp(rng, detector, ngroups=2)
    if detector == "NRS2":
        model.data[0, 1, 1000, 100] = np.nan
        model.data[0, 0, 1700, 1] = np.inf  # in a line that the slope is fitted to
        model.data[0, 0, 2200:2240, 70] = 0
    model.pixeldq[648, 3] |= 1 << 17
    groupdq, pixeldq = np.array(model.groupdq), np.array(model.pixeldq)
    correction, ours = corrected(model, a_reference(rng, **DQ_TABLE))
    assert_same_bits(ours, model.data)
    assert np.isnan(ours).any() == (detector == "NRS2")
    assert_same_bits(deinterleave(groupdq, correction.layout), model.groupdq, "groupdq")
    assert_same_bits(deinterleave(pixeldq, correction.layout), model.pixeldq, "pixeldq")


def test_reference_pixels_that_stay(official):
    rng = np.random.default_rng(3)
    model = a_ramp(rng, "NRS2", nints=2, ngroups=1)
    model.data[0, :, 2560:, 100] = 0  # no reference output for a while
    _, ours = corrected(model, a_reference(rng), preserve_refpix=True)
    assert_same_bits(ours, model.data)

"""What is known of the segments of a ramp: known ramps, and tiles in any order."""

from __future__ import annotations

import numpy as np
import pytest

from upramp.detector1.ols import Rates, fit_ols, weight_table
from upramp.detector1.ols_optional import PLANES, OptionalFit, pedestal_weight

GROUP_TIME, FRAME_TIME = 10.0, 2.0
GAIN, NOISE = 2.0, 10.0
JUMP, SATURATED, DNU = 4, 2, 1


def ramps_of(rise, ny=5, nx=4, *, nints=1):
    """Ramps that are all the same: 100 DN at first, and then what each group adds."""
    values = 100 + np.concatenate([[0], np.cumsum(rise)])
    data = np.broadcast_to(values[None, :, None, None], (nints, len(values), ny, nx))
    return np.ascontiguousarray(data, np.float32), np.zeros(data.shape, np.uint8)


def arrays(ny, nx):
    pixeldq = np.zeros((ny, nx), np.uint32)
    return pixeldq, np.full((ny, nx), GAIN, np.float32), np.full((ny, nx), NOISE, np.float32)


def options(ngroups, **more):
    how = {"table": weight_table(ngroups), "group_time": GROUP_TIME, "frame_time": FRAME_TIME}
    return {**how, "nframes": 1, **more}


def results(data, groupdq, edges=None, *, pixeldq=None, weight=0.5, **more):
    nints, ngroups, ny, nx = data.shape
    own, gain, noise = arrays(ny, nx)
    fit = OptionalFit((nints, ny, nx), weight)
    for first, last in edges or [(0, ny)]:
        fit.add(
            np.ascontiguousarray(data[:, :, first:last]),
            np.ascontiguousarray(groupdq[:, :, first:last]),
            own if pixeldq is None else pixeldq,
            gain,
            noise,
            **options(ngroups, y0=first, **more),
        )
    return fit.results()


def test_a_straight_ramp_is_one_segment():
    found = results(*ramps_of([20] * 7)).named()
    assert found["slope"].shape == (1, 1, 5, 4)
    assert found["crmag"].shape == (1, 0, 5, 4)
    np.testing.assert_allclose(found["slope"], 2, rtol=1e-6)
    np.testing.assert_allclose(found["yint"], 100, rtol=1e-6)
    np.testing.assert_allclose(found["pedestal"], 100 - 2 * 0.5, rtol=1e-6)
    np.testing.assert_allclose(found["var_poisson"], 2 / (GROUP_TIME * GAIN * 7), rtol=1e-6)
    expected = 12 * (NOISE / GROUP_TIME) ** 2 / (8**3 - 8) / GAIN**2
    np.testing.assert_allclose(found["var_rnoise"], expected, rtol=1e-6)
    np.testing.assert_allclose(found["weights"], 1 / expected, rtol=1e-6)


def test_a_jump_begins_a_segment_and_its_height_is_kept():
    data, groupdq = ramps_of([20, 20, 20, 320, 20, 20, 20])
    groupdq[0, 4, 2, 1] = JUMP
    found = results(data, groupdq).named()
    assert found["crmag"].shape == (1, 1, 5, 4)
    assert found["crmag"][0, 0, 2, 1] == 320
    assert np.count_nonzero(found["crmag"]) == 1
    assert found["slope"].shape == (1, 2, 5, 4)
    np.testing.assert_allclose(found["slope"][0, :, 2, 1], 2, rtol=1e-6)
    np.testing.assert_allclose(found["yint"][0, :, 2, 1], [100, 400], rtol=1e-6)
    # Elsewhere there is no second segment.
    assert np.count_nonzero(found["slope"][0, 1]) == 1


def test_segments_of_two_groups_and_of_one():
    data, groupdq = ramps_of([20, 30, 20])
    groupdq[0, 2:, 0, 0] = DNU
    groupdq[0, 1:, 0, 1] = DNU
    found = results(data, groupdq, suppress_one_group=False).named()
    np.testing.assert_allclose(found["slope"][0, 0, 0, 0], 2)
    np.testing.assert_allclose(found["sigslope"][0, 0, 0, 0], 2**0.5 * NOISE, rtol=1e-7)
    # A lone first group took as long as its frames.
    np.testing.assert_allclose(found["slope"][0, 0, 0, 1], 100 / FRAME_TIME)
    assert found["yint"][0, 0, 0, 1] == 0


def test_saturated_and_discarded_pixels_have_no_pedestal():
    data, groupdq = ramps_of([20] * 5)
    groupdq[0, :, 0, 0] = SATURATED
    groupdq[0, :, 0, 1] = DNU
    pixeldq = np.zeros((5, 4), np.uint32)
    pixeldq[0, 2] = 1
    found = results(data, groupdq, pixeldq=pixeldq).named()
    assert (found["pedestal"][0, 0, :3] == 0).all()
    assert (found["slope"][0, 0, 0, :2] == 0).all()
    # What is discarded by its pixel's flag is fitted all the same.
    assert found["slope"][0, 0, 0, 2] == 2
    assert found["pedestal"][0, 0, 3] == 99


def test_tiles_in_any_order_give_what_the_whole_frame_gives():
    rng = np.random.default_rng(1)
    data, groupdq = ramps_of([20] * 9, nints=2)
    data += rng.normal(0, 5, data.shape).astype(np.float32)
    groupdq[rng.random(groupdq.shape) < 0.1] = JUMP
    groupdq[:, :, 4] = 0  # the last tile has fewer segments than the others
    whole = results(data, groupdq).named()
    parts = results(data, groupdq, [(4, 5), (0, 1), (1, 4)]).named()
    for name, array in whole.items():
        np.testing.assert_array_equal(parts[name], array)
    assert np.count_nonzero(whole["crmag"]) == np.count_nonzero(groupdq[:, 1:])


def test_one_segment_is_what_the_fit_itself_says():
    rng = np.random.default_rng(2)
    data, groupdq = ramps_of([20] * 9)
    data += rng.normal(0, 5, data.shape).astype(np.float32)
    rates = Rates.empty(1, 5, 4)
    pixeldq, gain, noise = arrays(5, 4)
    fit_ols(data, groupdq, pixeldq, gain, noise, rates, **options(10))
    found = results(data, groupdq)
    for plane, name in ((2, "var_poisson"), (3, "var_rnoise")):
        np.testing.assert_array_equal(found.planes[PLANES.index(name), 0, 0], rates.rate[plane])
    np.testing.assert_allclose(found.planes[0, 0, 0], rates.rate[0], rtol=1e-6)


def test_the_pedestal_counts_dropped_frames():
    assert pedestal_weight(1, 0, None) == 1
    assert pedestal_weight(4, 1, 0) == 0.5
    assert pedestal_weight(4, 1, 1) == 0.7


@pytest.mark.parametrize("rows", [(3, 9), (-1, 2), (2, 1)])
def test_rows_that_are_not_there_are_refused(rows):
    data, groupdq = ramps_of([20] * 5)
    fit = OptionalFit((1, 5, 4), 0.5)
    with pytest.raises(ValueError, match="rows"):
        fit.add(data, groupdq, *arrays(5, 4), **options(6, first=rows[0], last=rows[1]))

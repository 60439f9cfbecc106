"""NIRSpec's interleaved reference pixels, against the official layout."""

from dataclasses import replace

import numpy as np
import pytest

from upramp.practice import irs2
from upramp.practice.instruments import DETECTORS
from upramp.practice.randomness import stream

QUIET = replace(DETECTORS["NRS1"], one_over_f=0.0, read_noise=0.0, odd_even=4.0, bias=8000.0)


@pytest.mark.peer
def test_science_rows_are_those_of_the_official_mask():
    from jwst.refpix.irs2_subtract_reference import make_irs2_mask

    mask = make_irs2_mask(2048, 3200, 16, 4)
    rows = irs2.science_rows()
    assert rows.shape == (2048,)
    np.testing.assert_array_equal(np.flatnonzero(mask), rows)


def test_interleaving_puts_every_science_pixel_once():
    science = np.arange(1, 2048 * 2048 + 1, dtype=np.uint32).reshape(2048, 2048)
    raw = irs2.interleave(science, np.uint32(0))
    assert raw.shape == irs2.SCIENCE_SHAPE
    placed = raw[raw > 0]
    np.testing.assert_array_equal(placed, science.ravel())
    # The reference output comes first and holds no science.
    assert not raw[:640].any()


@pytest.fixture(scope="module")
def quiet_frame():
    level = np.arange(2048 * 2048, dtype=np.float32).reshape(2048, 2048)
    white = np.zeros_like(level)
    return level, irs2.read_frame(level, white, QUIET, stream(1, "irs2"))


def test_a_read_without_noise_holds_the_levels_where_they_belong(quiet_frame):
    level, raw = quiet_frame
    assert raw.shape == irs2.SCIENCE_SHAPE
    np.testing.assert_array_equal(raw[irs2.science_rows()], level)


def test_reference_pixels_hold_the_bias_and_their_parity(quiet_frame):
    _, raw = quiet_frame
    reference = np.ones(3200, bool)
    reference[irs2.science_rows()] = False
    reference[:640] = False
    values = raw[reference]
    assert set(np.unique(values)) == {8000.0, 8004.0}
    assert (values == 8004).mean() == pytest.approx(0.5)


def test_outputs_share_noise_and_have_their_own():
    detector = replace(QUIET, one_over_f=5.0, odd_even=0.0)
    level = np.full((2048, 2048), 8000, np.float32)
    raw = irs2.read_frame(level, np.zeros_like(level), detector, stream(1, "irs2"))
    science = (raw[irs2.science_rows()] - 8000).reshape(4, 512, 2048)
    # In time: every other output is read backwards.
    science[1::2] = science[1::2, ::-1]
    correlation = np.corrcoef(science.reshape(4, -1))
    off_diagonal = correlation[~np.eye(4, dtype=bool)]
    # Variances of 1.5^2 shared and 1 own.
    assert off_diagonal.mean() == pytest.approx(2.25 / 3.25, abs=0.2)
    # Time runs on from the end of a line to the start of the next.
    first, last = science[:, 0], science[:, -1]
    assert (last[:, :-1] - first[:, 1:]).std() < 0.9 * (first[:, :-1] - last[:, 1:]).std()
    # Read the wrong way round, fast noise does not match.
    forwards = np.diff(science[0], axis=0).ravel()
    assert np.corrcoef(forwards, np.diff(science[1], axis=0).ravel())[0, 1] > 0.5
    backwards = -np.diff(science[1, ::-1], axis=0).ravel()
    assert abs(np.corrcoef(forwards, backwards)[0, 1]) < 0.1


def test_weights_have_a_row_for_each_part_of_each_frequency():
    assert irs2.WEIGHT_ROWS == 2 * 712 * 2048
    for table in irs2.correction_weights():
        assert table.shape == (irs2.WEIGHT_ROWS,)
        assert table.min() >= 0
        assert table.max() <= 1
        # Real weights: nothing is shifted in time.
        assert not table[1::2].any()


def test_slow_noise_is_followed_by_pixels_and_faster_noise_by_the_output():
    output, pixels = (table[0::2] for table in irs2.correction_weights())
    assert pixels[0] == 1
    assert output[0] == 0
    assert output.max() > 0.5
    assert pixels.max() + output.max() > 1
    assert (pixels + output).max() <= 1.001
    # A real signal's spectrum is the same for negative frequencies.
    for weight in (output, pixels):
        np.testing.assert_array_equal(weight[1:], weight[:0:-1])

"""Correlated noise: its size, its spectrum and the order in which pixels are read."""

import numpy as np
import pytest
from scipy.signal import periodogram

from upramp.practice.character import amplifier_of
from upramp.practice.instruments import DETECTORS
from upramp.practice.noise import OffsetDrift, ReadoutOrder, pink_noise
from upramp.practice.randomness import stream


@pytest.fixture
def rng():
    return stream(1, "test noise")


def _spread(order):
    """Offsets by output and parity that can be told from each other."""
    return np.arange(2 * order.outputs, dtype=np.float32).reshape(order.outputs, 2)


@pytest.mark.parametrize("count", [4096, 40_003])
def test_pink_noise_has_its_standard_deviation(rng, count):
    draws = np.stack([pink_noise(count, 3.0, rng) for _ in range(400)]).astype(float)
    assert draws.shape == (400, count)
    # Around nought, over many draws: a single one is short of its slowest part.
    assert np.sqrt((draws**2).mean()) == pytest.approx(3.0, rel=0.03)
    assert abs(draws.mean()) < 0.05


def test_pink_noise_falls_with_frequency(rng):
    powers = [periodogram(pink_noise(2**15, 1.0, rng), detrend=False)[1] for _ in range(60)]
    frequency = np.arange(len(powers[0]))
    kept = slice(8, -8)
    slope, _ = np.polyfit(np.log(frequency[kept]), np.log(np.mean(powers, axis=0)[kept]), 1)
    assert slope == pytest.approx(-1, abs=0.05)


@pytest.mark.peer
@pytest.mark.parametrize("name", DETECTORS)
def test_science_frame_is_turned_as_officially(name):
    from jwst.lib.reffile_utils import detector_science_frame_transform

    detector = DETECTORS[name]
    order = ReadoutOrder(detector, detector.shape, 4)
    read = np.arange(order.slow * order.fast, dtype=np.float32).reshape(order.slow, order.fast)
    expected = detector_science_frame_transform(read, detector.fastaxis, detector.slowaxis)
    np.testing.assert_array_equal(order.science(read), expected)


@pytest.mark.peer
@pytest.mark.parametrize("name", [name for name, at in DETECTORS.items() if at.name != "MIRIMAGE"])
def test_amplifiers_and_parity_are_where_refpix_looks(name):
    from jwst.lib.reffile_utils import science_detector_frame_transform
    from jwst.refpix.reference_pixels import NIR_reference_sections

    detector = DETECTORS[name]
    order = ReadoutOrder(detector, detector.shape, 4)
    pattern = order.pattern(_spread(order))
    turned = science_detector_frame_transform(pattern, detector.fastaxis, detector.slowaxis)
    amplifier = science_detector_frame_transform(
        amplifier_of(detector), detector.fastaxis, detector.slowaxis
    )
    for number, letter in enumerate("ABCD"):
        low, high = NIR_reference_sections[letter]["data"][2:]
        assert (amplifier[:, low:high] == number).all()
        assert (turned[:, low:high:2] == 2 * number).all()
        assert (turned[:, low + 1 : high : 2] == 2 * number + 1).all()


@pytest.mark.peer
def test_outputs_of_miri_are_interleaved_and_odd_and_even_are_rows():
    detector = DETECTORS["MIRIMAGE"]
    order = ReadoutOrder(detector, (12, 32), 4)
    pattern = order.pattern(_spread(order))
    for output in range(4):
        assert (pattern[0::2, output::4] == 2 * output).all()
        assert (pattern[1::2, output::4] == 2 * output + 1).all()
    assert (amplifier_of(detector)[:, 1::4] == 1).all()


def test_a_subarray_has_one_output_and_parity_along_the_fast_axis():
    for name, axis in (("NRCALONG", 1), ("NIS", 0)):
        order = ReadoutOrder(DETECTORS[name], (64, 48), 1)
        pattern = order.pattern(np.array([[5.0, 7.0]], np.float32))
        assert pattern.shape == (64, 48)
        along = np.moveaxis(pattern, axis, 0)
        assert (along == along[:, :1]).all()
        assert set(along[0::2, 0]) | set(along[1::2, 0]) == {5.0, 7.0}
        assert len(set(along[0::2, 0])) == 1


@pytest.mark.parametrize("name", ["NRCALONG", "NIS", "NRS1", "GUIDER2", "MIRIMAGE"])
def test_noise_is_alike_along_the_fast_axis_only(name, rng):
    detector = DETECTORS[name]
    order = ReadoutOrder(detector, (128, 160), 1)
    frames = np.stack([order.correlated(2.0, rng) for _ in range(40)]).astype(float)
    assert frames.shape == (40, 128, 160)
    assert np.sqrt((frames**2).mean()) == pytest.approx(2.0, rel=0.1)
    fast, slow = (2, 1) if abs(detector.fastaxis) == 1 else (1, 2)
    # Neighbours in time differ less than pixels a row apart.
    assert np.diff(frames, axis=fast).std() < 0.8 * np.diff(frames, axis=slow).std()


def test_amplifiers_have_noise_of_their_own_and_read_towards_each_other(rng):
    order = ReadoutOrder(DETECTORS["NRCALONG"], (64, 64), 4)
    frames = np.stack([order.correlated(1.0, rng) for _ in range(300)]).astype(float)
    stripes = frames.reshape(300, 64, 4, 16).mean(axis=(1, 3))
    correlation = np.corrcoef(stripes.T) - np.eye(4)
    assert np.abs(correlation).max() < 0.3
    # The end of a row is nearer in time to the next row's start than its start to
    # the next row's end. The fast axis runs to the left: the first output is the
    # rightmost stripe and is read leftwards, its neighbour towards it, and so on.
    after = {3: False, 2: True, 1: False, 0: True}
    for stripe, to_the_right in after.items():
        part = frames[:, :, 16 * stripe : 16 * stripe + 16]
        last, first = (15, 0) if to_the_right else (0, 15)
        follows = (part[:, :-1, last] - part[:, 1:, first]).std()
        not_at_all = (part[:, :-1, first] - part[:, 1:, last]).std()
        assert follows < not_at_all


def test_offsets_wander_with_a_constant_spread():
    drift = OffsetDrift(20_000, 1.5, 0.0, stream(2, "drift"))
    steps = [drift.step() for _ in range(12)]
    for step in (steps[0], steps[3], steps[-1]):
        assert step.std(axis=0) == pytest.approx([1.5, 1.5], rel=0.03)
        assert np.corrcoef(step.T)[0, 1] == pytest.approx(0.9, abs=0.02)
    assert np.corrcoef(steps[5][:, 0], steps[6][:, 0])[0, 1] == pytest.approx(0.5, abs=0.03)
    assert np.corrcoef(steps[5][:, 0], steps[9][:, 0])[0, 1] == pytest.approx(0.0625, abs=0.03)


def test_odd_and_even_differ_by_their_standing_offset():
    drift = OffsetDrift(3, 0.0, 4.0, stream(2, "drift"))
    assert drift.step().tolist() == [[0.0, 4.0]] * 3

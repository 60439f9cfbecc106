"""From the corrected ramp to slopes: masks, guesses that turn out wrong, what is switched off."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np
import pytest
from small_states import ramps, state_of

from upramp.detector1.inputs import References, with_noise
from upramp.detector1.pipeline import Mask, finish
from upramp.detector1.snowballs import SnowballParameters
from upramp.detector1.tiles import Tile

NAMES = ("rate", "rate_dq", "rateints", "rateints_dq")


def no_delegate(name, state, reason):
    raise AssertionError(name)


def finished(data, flags=None, *, mask=None, **keywords):
    state = state_of(data, flags, **keywords)
    kept = []
    outcome = finish(
        state,
        None,
        no_delegate,
        lambda name: None,
        mask=mask,
        keep_ramp=lambda *arrays: kept.append(arrays),
    )
    return state, outcome, kept[0][1]


def assert_same(one, two):
    for name in NAMES:
        np.testing.assert_array_equal(getattr(one.rates, name), getattr(two.rates, name))


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("instrument", ["NIRCAM", "MIRI"])
def test_a_guess_that_was_wrong_is_made_good(threads, instrument):
    # The middle rows, from which usable groups are guessed, can use fewer than the others.
    data = ramps((1, 6, 40, 3), noise=30.0)
    flags = np.zeros(data.shape, np.uint8)
    flags[:, :4, 12:28] = 1
    found = finished(data, flags, threads=threads, instrument=instrument)
    # The same pixels where the guess is right: the rows in another order.
    order = np.roll(np.arange(40), 20)
    moved = finished(
        np.ascontiguousarray(data[:, :, order]),
        np.ascontiguousarray(flags[:, :, order]),
        instrument=instrument,
        jump={"flag_4_neighbors": False},
    )
    alone = finished(data, flags, instrument=instrument, jump={"flag_4_neighbors": False})
    np.testing.assert_array_equal(alone[2][:, :, order], moved[2])
    np.testing.assert_array_equal(alone[1].rates.rate[:, order], moved[1].rates.rate)
    assert alone[1].events == moved[1].events
    assert alone[1].counts.primary > 0
    assert found[1].counts.primary == alone[1].counts.primary


@pytest.mark.parametrize("shape", [(1, 1, 4, 4), (2, 2, 3, 5)])
def test_few_groups_are_not_searched(shape):
    state, outcome, flags = finished(ramps(shape, noise=1e4))
    assert state.status["jump"] == "SKIPPED"
    assert state.status["ramp_fit"] == "COMPLETE"
    assert state.notes == ["jump is skipped: two groups or fewer"]
    assert outcome.events is None
    assert not flags.any()
    assert np.isfinite(outcome.rates.rate[0]).all() or shape[1] > 1


def test_all_saturated_is_no_outcome():
    data = np.full((1, 5, 4, 4), 65535, np.float32)
    state, outcome, _ = finished(data, np.full(data.shape, 2, np.uint8))
    assert outcome.rates is None
    assert "ramp_fit" not in state.status


def test_what_is_switched_off_is_said():
    state, outcome, flags = finished(
        ramps((1, 6, 4, 4), noise=500.0), jump={"skip": True}, fit={"skip": True}
    )
    assert outcome.rates is None
    assert not flags.any()
    expected = ("jump", "ramp_fit", "persistence", "picture_frame", "clean_flicker_noise")
    assert state.status == dict.fromkeys(expected, "SKIPPED")
    assert state.notes == []


def test_gain_that_is_none_is_flagged_before_the_fit():
    shape = (1, 6, 2, 3)
    gain = np.full((2, 3), 2.0, np.float32)
    gain[1, 2] = -1
    refs = with_noise(References(gain=gain, readnoise=np.full((2, 3), 5.0, np.float32)), 1)
    state, outcome, _ = finished(ramps(shape), refs=refs)
    assert state.pixeldq[1, 2] == 1 | 1 << 19
    assert np.isnan(outcome.rates.rate[0, 1, 2])


@pytest.mark.parametrize("steps", [{}, {"expand_large_events": True}])
def test_a_mask_is_set_after_the_search_and_before_the_fit(steps):
    data = ramps((2, 8, 12, 5), noise=0)
    data[0, 4:, 6, 2] += 3000
    flags = np.zeros(data.shape, np.uint8)
    flags[1, 5, 3, 3] = 4
    jump = {**asdict(SnowballParameters()), **steps}
    plain = finished(data, jump=jump)
    masked = finished(data, mask=Mask(flags), jump=jump)
    np.testing.assert_array_equal(masked[2], plain[2] | flags)
    assert masked[1].counts == plain[1].counts  # the mask is no discovery
    direct = finished(data, plain[2] | flags, jump={**jump, "skip": True})
    assert_same(masked[1], direct[1])
    replaced = finished(data, mask=Mask(flags, replaces=True), jump=jump)
    np.testing.assert_array_equal(replaced[2], flags)


@pytest.mark.parametrize("replaces", [False, True])
@pytest.mark.parametrize("y0", [0, 3])
def test_a_mask_of_an_image_flags_every_group_but_the_first(replaces, y0):
    image = np.zeros((9, 4), np.uint8)
    image[4, 1], image[5, 2], image[8, 0] = 4, 33, 4
    flags = np.full((2, 3, 6, 4), 6, np.uint8)
    Mask(image, replaces)(Tile(np.zeros(flags.shape, np.float32), flags, y0, 1, 4))
    expected = np.full((2, 3, 6, 4), 6, np.uint8)
    before = 2 if replaces else 6
    expected[:, 1:, 1:4] = before | image[y0 + 1 : y0 + 4]
    np.testing.assert_array_equal(flags, expected)


@pytest.mark.parametrize("replaces", [False, True])
def test_a_mask_of_groups_flags_just_these(replaces):
    mask = np.zeros((2, 3, 9, 4), np.uint8)
    mask[1, 0, 4, 1], mask[0, 2, 5, 2], mask[0, 1, 8, 0] = 4, 1, 4
    flags = np.full((2, 3, 6, 4), 5, np.uint8)
    Mask(mask, replaces)(Tile(np.zeros(flags.shape, np.float32), flags, 2, 1, 4))
    expected = np.full((2, 3, 6, 4), 5, np.uint8)
    expected[:, :, 1:4] = (1 if replaces else 5) | mask[:, :, 3:6]
    np.testing.assert_array_equal(flags, expected)

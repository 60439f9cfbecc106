"""What falls on a detector: where, how often and how much."""

from dataclasses import replace

import numpy as np
import pytest

from upramp.practice.cosmic_rays import KINDS, Hits, draw_hits, empty_hits, join
from upramp.practice.instruments import DETECTORS
from upramp.practice.programs import PROGRAMS, ReadPattern
from upramp.practice.randomness import stream
from upramp.practice.readout import group_of_frame

NIR, MIRI = DETECTORS["NRCALONG"], DETECTORS["MIRIMAGE"]
FRAMES, FRAME_TIME = 20, 4.0


def _light(shape=(256, 240), border=4):
    light = np.zeros(shape, bool)
    light[border : shape[0] - border, border : shape[1] - border] = True
    return light


def _draw(detector, light, seed=1):
    return draw_hits(detector, light, FRAMES, FRAME_TIME, stream(seed, "hits"))


@pytest.mark.parametrize("detector", [NIR, MIRI], ids=lambda d: d.name)
@pytest.mark.parametrize("seed", range(5))
def test_hits_lie_on_pixels_that_see_light_in_frames_that_exist(detector, seed):
    light = _light()
    hits = _draw(detector, light, seed)
    assert len(hits) > 50
    assert light[hits.y, hits.x].all()
    assert (hits.energy > 0).all()
    assert hits.frame.min() >= 0
    assert hits.frame.max() < FRAMES
    assert hits.kind.max() < len(KINDS)


@pytest.mark.parametrize("detector", [NIR, MIRI], ids=lambda d: d.name)
def test_tracks_come_at_their_rate(detector):
    # No border and no large events: each track that is drawn is seen.
    light = np.ones((190, 150), bool)
    area = light.size * (detector.pitch_um * 1e-4) ** 2
    expected = 40 * detector.cosmic_rays * area * FRAMES * FRAME_TIME
    hits = [_draw(detector, light, seed) for seed in range(40)]
    count = sum(len(set(h.event[h.kind == 0])) for h in hits)
    assert abs(count - expected) < 4 * np.sqrt(expected)
    frames = np.concatenate([h.frame[h.kind == 0] for h in hits])
    assert np.bincount(frames, minlength=FRAMES).min() > 0


def test_rate_area_and_time_each_count():
    light = np.ones((150, 150), bool)

    def count(detector, window, frames):
        hits = draw_hits(detector, window, frames, 50.0, stream(1, "rate"))
        return len(set(hits.event))

    base = count(NIR, light, 20)
    assert count(replace(NIR, cosmic_rays=10.0), light, 20) / base == pytest.approx(2, rel=0.25)
    assert count(NIR, light[:75], 20) / base == pytest.approx(0.5, rel=0.25)
    assert count(NIR, light, 40) / base == pytest.approx(2, rel=0.25)


def test_every_event_has_a_number_of_its_own():
    hits = _draw(replace(NIR, cosmic_rays=100.0), _light())
    for event in np.unique(hits.event):
        own = hits.event == event
        assert len(set(hits.kind[own])) == 1
        assert len(set(hits.frame[own])) == 1
        places = set(zip(hits.y[own].tolist(), hits.x[own].tolist(), strict=True))
        assert len(places) == own.sum()
    # A snowball's number is none of the tracks'.
    assert set(hits.event[hits.kind == 1]).isdisjoint(hits.event[hits.kind == 0])


def test_snowballs_have_a_core_beyond_full_well_and_a_halo():
    large = 0
    for seed in range(12):
        hits = _draw(NIR, _light(), seed)
        for event in np.unique(hits.event[hits.kind == 1]):
            energy = hits.energy[hits.event == event]
            if len(energy) < 400:  # cut off by the edge
                continue
            large += 1
            core = energy > NIR.full_well
            assert 30 < core.sum() < 220
            assert energy[~core].max() < 2000
            # Nothing in between: the halo is what the core is not.
            assert energy[core].min() > 1.4 * NIR.full_well
    assert large > 5


def test_showers_are_faint_and_wide_and_fall_on_miri_alone():
    hits = _draw(MIRI, _light())
    shower = hits.kind == 2
    assert shower.sum() > 200
    assert hits.energy[shower].max() < 400
    assert not (hits.kind == 1).any()
    assert not (_draw(NIR, _light()).kind == 2).any()


@pytest.mark.parametrize("detector", [NIR, MIRI], ids=lambda d: d.name)
def test_every_large_window_has_one_large_event_at_least(detector):
    for seed in range(6):
        assert (_draw(detector, np.ones((256, 256), bool), seed).kind > 0).any()


def test_charge_of_a_track_is_that_of_its_path_in_the_absorber():
    light = np.ones((190, 190), bool)
    hits = _draw(replace(NIR, cosmic_rays=200.0), light)
    inner = (hits.x > 30) & (hits.x < 160) & (hits.y > 30) & (hits.y < 160)
    charge = np.bincount(hits.event[inner], hits.energy[inner])
    # Most probable: 150 electrons per micrometre of at least the thickness.
    typical = np.median(charge[charge > 0])
    assert 0.8 * 150 * NIR.thickness_um < typical < 4 * 150 * NIR.thickness_um


def _hits(*events):
    count = len(events)
    ones = np.ones(count, np.int32)
    return Hits(
        np.array(events, np.int32), ones.astype(np.uint8), ones, ones, ones, ones.astype("f4")
    )


def test_join_numbers_events_on():
    joined = join([_hits(0, 0, 2), empty_hits(), _hits(0, 1, 1), _hits(0)])
    assert joined.event.tolist() == [0, 0, 2, 3, 4, 4, 5]
    assert len(join([])) == len(join([empty_hits()])) == 0


@pytest.mark.parametrize(
    ("frames", "gap", "groups"),
    [
        (1, 0, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]),
        (4, 1, [0, 0, 0, 0, 1, 1, 1, 1, 1, 2]),
        (2, 3, [0, 0, 1, 1, 1, 1, 1, 2, 2, 2]),
    ],
)
def test_what_falls_in_a_dropped_frame_is_first_held_by_the_next_group(frames, gap, groups):
    plan = replace(
        PROGRAMS["nircam-long"].exposures[0], pattern=ReadPattern("ANY", frames, gap), groups=3
    )
    assert group_of_frame(plan, np.arange(10, dtype=np.int32)).tolist() == groups

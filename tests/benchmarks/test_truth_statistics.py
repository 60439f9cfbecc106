"""The statistics of the truth report on inputs whose answer is known."""

import numpy as np
import pytest
from benchmarks._truth.jumps import STRONG, Tally, count_jumps, deposits_of, interval
from benchmarks._truth.rates import CLASSES, Rates, compare_scatter, robust_width, summarize
from benchmarks._truth.report import outstanding

from upramp.dq import PIXEL

JUMP = PIXEL["JUMP_DET"]


def rates_of(true, rate=None, error=1.0, dq=0, hit=False):
    true = np.asarray(true, float)
    full = np.full(true.shape, 0)
    return Rates(
        true if rate is None else np.asarray(rate, float),
        full + np.asarray(error, float),
        (full + dq).astype(np.uint32),
        true,
        (full + hit).astype(bool),
        np.ones(true.shape, bool),
    )


@pytest.fixture
def rng():
    return np.random.default_rng(5)


def test_robust_width_is_the_standard_deviation_whatever_outliers_say(rng):
    values = rng.normal(3, 2, 40000)
    assert robust_width(values) == pytest.approx(2, rel=0.02)
    values[:1000] = 1e9
    assert robust_width(values) == pytest.approx(2, rel=0.05)


def test_summary_finds_the_bias_and_the_error_that_were_put_in(rng):
    true = np.repeat([0.5, 5.0], 50000)
    noise = np.where(true > 1, 0.4, 0.1)
    rate = true + 0.3 * noise + noise * rng.normal(size=true.size)
    # Errors of the brighter half are twice what they should be.
    rates = rates_of(true, rate, np.where(true > 1, 0.8, 0.1))
    faint, bright, every = summarize(rates, rates.of_class("clean"), (0, 1, 10))
    assert (faint["low"], faint["high"], faint["pixels"]) == (0, 1, 50000)
    assert faint["bias"] == pytest.approx(0.03, abs=0.002)
    assert faint["bias_percent"] == pytest.approx(6, abs=0.4)
    assert faint["pull"] == pytest.approx(0.3, abs=5 * faint["pull_error"])
    assert faint["pull_width"] == pytest.approx(1, abs=0.02)
    assert bright["pull_width"] == pytest.approx(0.5, abs=0.01)
    assert bright["scatter"] == pytest.approx(0.4, abs=0.01)
    assert every["low"] is None
    assert every["pixels"] == 100000


def test_error_of_the_median_pull_is_what_repetition_shows(rng):
    medians, claimed = [], []
    for _ in range(300):
        rates = rates_of(np.ones(400), 1 + rng.normal(size=400))
        row = summarize(rates, rates.of_class("clean"), (0, 10))[0]
        medians.append(row["pull"])
        claimed.append(row["pull_error"])
    assert np.std(medians) == pytest.approx(np.mean(claimed), rel=0.15)


def test_summary_counts_what_is_far_off_and_on_which_side():
    rates = rates_of(np.zeros(100), [*[0.0] * 90, *[4.0] * 6, *[6.0] * 3, -6.0])
    row = summarize(rates, rates.of_class("clean"), (0, 1))[0]
    assert row["beyond_3"] == pytest.approx(0.10)
    assert row["beyond_5"] == pytest.approx(0.04)
    assert row["above_5"] == pytest.approx(0.03)
    assert row["bias_percent"] is None


def test_classes_hold_each_pixel_where_it_belongs():
    rates = rates_of(
        np.ones(8),
        [1, 1, 1, 1, 1, np.nan, 1, 1],
        [1, 1, 1, 1, 1, 1, 0, 1],
        [0, JUMP, JUMP, 0, JUMP | 1, 0, 0, 0],
        [False, True, False, True, True, False, False, False],
    )
    rates.light[7] = False
    chosen = {name: np.flatnonzero(rates.of_class(name)).tolist() for name in CLASSES}
    assert chosen == {
        "clean": [0],
        "jump": [1, 2],
        "jump_hit": [1],
        "jump_quiet": [2],
        "unnoticed": [3],
    }


def test_exposures_are_put_together_pixel_by_pixel():
    joined = Rates.join([rates_of(np.ones((2, 3))), rates_of(np.zeros((4, 1)), error=2)])
    assert joined.true.tolist() == [1] * 6 + [0] * 4
    assert joined.error.tolist() == [1] * 6 + [2] * 4


def test_scatter_is_compared_in_pixels_that_both_have(rng):
    true = np.ones(20000)
    noise = rng.normal(size=true.size)
    flags = np.where(np.arange(true.size) < 5000, JUMP, 0)
    one = rates_of(true, true + noise, 1.0)
    other = rates_of(true, true + 0.5 * noise, 0.9, flags)
    (row,) = compare_scatter(one, other, edges=(0, 10))
    assert row["pixels"] == 15000
    assert row["scatter"] == pytest.approx(0.5)
    assert row["error"] == pytest.approx(0.9)
    assert compare_scatter(rates_of([1.0]), rates_of([1.0])) == []


HIT = np.dtype([(n, "i2") for n in ("integration", "group", "frame", "y", "x", "kind")])


def hits_of(*rows):
    """Give a truth table: (integration, group, frame, y, x, energy, kind)."""
    table = np.zeros(len(rows), [*HIT.descr, ("energy", "f4")])
    names = ("integration", "group", "frame", "y", "x", "energy", "kind")
    for place, row in enumerate(rows):
        for name, value in zip(names, row, strict=True):
            table[name][place] = value
    return table


def test_charge_of_one_place_is_added_up_and_named_after_its_strongest():
    hits = hits_of((0, 1, 1, 2, 3, 10, 0), (0, 1, 1, 2, 3, 90, 2), (0, 2, 2, 2, 3, 5, 0))
    found = deposits_of(hits, (1, 4, 5, 5), 1, 0)
    assert found.energy.tolist() == [100, 5]
    assert found.kind.tolist() == [2, 0]
    assert found.group.tolist() == [1, 2]
    assert not found.divided.any()


def test_peaks_have_no_stronger_neighbour_in_their_group():
    hits = hits_of(
        (0, 1, 1, 2, 2, 100, 0),
        (0, 1, 1, 2, 3, 20, 0),  # beside the first
        (0, 2, 2, 1, 2, 50, 0),  # beside it too, but later
        (0, 1, 1, 4, 0, 30, 0),
        (0, 1, 1, 3, 4, 99, 0),  # the next in memory, on the other side
        (0, 3, 3, 0, 0, 7, 0),
        (0, 3, 3, 0, 1, 7, 0),  # both got the same
    )
    found = deposits_of(hits, (1, 4, 5, 5), 1, 0)
    dim = (found.group == 1) & (found.y == 2) & (found.x == 3)
    assert found.peak[~dim].all()
    assert not found.peak[dim].any()


def test_no_events_are_no_trouble():
    found = deposits_of(hits_of(), (1, 4, 5, 5), 1, 0)
    assert len(found.energy) == 0
    assert not found.steps((1, 4, 5, 5)).any()


@pytest.mark.parametrize(
    ("frame", "group", "steps"),
    [
        (5, 1, [1]),  # the first of the second group's four frames
        (6, 1, [1, 2]),  # its second: the rest comes with the next step
        (8, 1, [1, 2]),
        (9, 2, [2]),  # dropped
        (18, 3, [3]),  # between the last group's frames: there is no next one
    ],
)
def test_charge_between_averaged_frames_is_divided_between_two_steps(frame, group, steps):
    found = deposits_of(hits_of((0, group, frame, 2, 2, 100, 0)), (1, 4, 5, 5), 4, 1)
    marked = found.steps((1, 4, 5, 5))
    assert np.flatnonzero(marked[0, :, 2, 2]).tolist() == steps
    assert marked.sum() == len(steps)


def counted(shape, hits, flags, *, saturated=(), bad=(), frames=1, gap=0, flux=1.0):
    flagged, full = np.zeros(shape, bool), np.zeros(shape, bool)
    for place in flags:
        flagged[place] = True
    for place in saturated:
        full[place] = True
    good = np.ones(shape[2:], bool)
    for place in bad:
        good[place] = False
    return count_jumps(
        flagged,
        full,
        full,
        good,
        deposits_of(hits, shape, frames, gap),
        np.full(shape[2:], 20.0),
        np.full(shape[2:], flux),
    )


def totals(tally):
    return int(tally.trials.sum()), int(tally.found.sum())


def test_events_are_found_where_their_group_is_flagged():
    hits = hits_of(
        (0, 1, 1, 2, 2, 2 * STRONG, 0),
        (0, 3, 3, 5, 5, 80, 1),  # four times the noise
        (0, 2, 2, 8, 8, 400, 0),
    )
    # The second is flagged one group late, which is no success.
    found = counted((1, 5, 10, 10), hits, [(0, 1, 2, 2), (0, 4, 5, 5), (0, 2, 8, 8)])
    by_energy = {row["low"]: (row["trials"], row["found"]) for row in found["by_energy"].rows()}
    assert by_energy == {50: (1, 0), 300: (1, 1), 2000: (1, 1)}
    assert [(r["low"], r["fraction"]) for r in found["by_significance"].rows()] == [
        (4, 0.0),
        (20, 1.0),
        (50, 1.0),
    ]
    assert [(r["group"], r["trials"]) for r in found["by_group"].rows()] == [(1, 1)]
    assert [(r["group"], r["found"]) for r in found["by_group_faint"].rows()] == [(3, 0)]
    assert [(r["kind"], r["found"]) for r in found["by_kind"].rows()] == [(0, 2), (1, 0)]


def test_a_divided_event_may_be_flagged_in_either_of_its_steps():
    hit = hits_of((0, 1, 6, 2, 2, 500, 0))
    for group, success in ((1, 1), (2, 1), (3, 0)):
        found = counted((1, 5, 5, 5), hit, [(0, group, 2, 2)], frames=4, gap=1)
        assert totals(found["by_energy"]) == (1, success)


def test_events_that_cannot_be_judged_are_counted_apart():
    hits = hits_of(
        (0, 0, 0, 1, 1, 500, 0),  # before the first group
        (0, 2, 2, 3, 3, 9e4, 1),  # saturates its own group
        (0, 3, 3, 3, 3, 500, 0),  # after that
        (0, 2, 2, 5, 5, 500, 0),  # in a bad pixel
        (0, 2, 2, 7, 7, 500, 0),
    )
    full = [(0, group, 3, 3) for group in (2, 3, 4)]
    found = counted((1, 5, 9, 9), hits, [(0, 2, 7, 7)], saturated=full, bad=[(5, 5)])
    assert totals(found["lost"]) == (5, 4)
    assert totals(found["saturating"]) == (5, 1)
    assert totals(found["by_energy"]) == (1, 1)


def test_flags_are_false_where_no_charge_came_to_the_pixel_or_its_neighbours():
    shape = (1, 5, 9, 9)
    hits = hits_of((0, 2, 2, 4, 4, 500, 0))
    flags = [
        (0, 2, 4, 4),  # the event
        (0, 2, 4, 5),  # its neighbour
        (0, 2, 5, 5),  # across a corner: false
        (0, 3, 4, 4),  # an echo: false
        (0, 1, 4, 4),  # before it: false, no echo
        (0, 3, 0, 0),  # elsewhere: false
    ]
    found = counted(shape, hits, flags, flux=2.0)
    # Four steps in 81 pixels, less the five that the event reached.
    assert totals(found["false_by_group"]) == (4 * 81 - 5, 4)
    assert found["false_by_group"].found.tolist() == [0, 1, 1, 2, 0]
    assert found["false_by_group"].trials.tolist() == [0, 81, 76, 81, 81]
    assert totals(found["false_echoes"]) == (4, 1)
    (by_flux,) = found["false_by_flux"].rows()
    assert (by_flux["low"], by_flux["trials"], by_flux["found"]) == (1, 319, 4)


def test_steps_from_or_to_saturated_groups_and_of_bad_pixels_are_not_judged():
    found = counted(
        (2, 4, 3, 3), hits_of(), [(0, 2, 1, 1)], saturated=[(0, 2, 1, 1)], bad=[(0, 0)]
    )
    # Two integrations, three steps, eight good pixels; two steps touch the saturated group.
    assert totals(found["false_by_group"]) == (2 * 3 * 8 - 2, 0)


def test_counts_of_exposures_add_up():
    edges = (0, 1, 2)
    one = Tally.by_value(edges, np.array([0.5, 1.0, 5.0]), np.array([1, 2, 4]), np.ones(3))
    assert one.trials.tolist() == [1, 2]
    both = one + one
    assert both.trials.tolist() == [2, 4]
    assert [row["fraction"] for row in both.rows()] == [1.0, 0.5]
    with pytest.raises(ValueError, match="different bins"):
        _ = one + Tally.by_number("group", 2, np.array([0]), np.array([1]), np.array([0]))


def test_intervals_of_fractions_are_wilsons():
    # One standard deviation: none of n gives an upper end of 1 / (n + 1).
    assert interval(0, 9) == pytest.approx((0, 0.1))
    assert interval(9, 9) == pytest.approx((0.9, 1))
    low, high = interval(5000, 10000)
    assert (low + high) / 2 == pytest.approx(0.5)
    assert high - low == pytest.approx(2 * 0.005, rel=1e-3)


def test_only_what_is_beyond_doubt_stands_out():
    def rate(pull, width=1.0, pixels=5000, low=1):
        return {
            "low": low, "high": 3, "pixels": pixels, "pull": pull, "pull_error": 0.01,
            "pull_width": width,
        }  # fmt: skip

    quiet = {"low": 1, "high": 3, "trials": 1000000, "found": 30, "fraction": 3e-5}
    loud = {**quiet, "found": 900, "fraction": 9e-4}
    missed = {"low": 50, "high": 100, "trials": 40, "found": 20}
    contents = {
        "rates": {
            "clean": [rate(0.04), rate(-0.2), rate(9.0, pixels=50), rate(9.0, low=None)],
            "jump": [rate(0.0, 1.2), rate(0.0, 1.2, 500), rate(0.0, 1.01)],
        },
        "jumps": {
            "by_energy_peaks": [missed, {**missed, "low": 10}, {**missed, "found": 38}],
            "false_by_flux": [quiet, loud],
        },
    }
    nothing = {
        "rates": {"clean": [rate(0.0)]},
        "jumps": {"by_energy_peaks": [], "false_by_flux": []},
    }
    found = outstanding({"mode": {"OLS_C": contents, "LIKELY": nothing}})
    assert [row["pull"] for row in found["bias"]] == [-0.2]
    assert [row["pull_width"] for row in found["width"]] == [1.2]
    assert [row["low"] for row in found["missed"]] == [50]
    assert [row["found"] for row in found["false"]] == [900]
    assert {row["algorithm"] for rows in found.values() for row in rows} == {"OLS_C"}

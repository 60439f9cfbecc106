"""A kept ramp gives, on any window, the numbers of a whole run."""

from __future__ import annotations

import numpy as np
import pytest

import upramp
from same_bits import assert_same_bits
from upramp.errors import InputError, UsageError

PLANES = ("data", "err", "var_poisson", "var_rnoise")


@pytest.fixture
def environment(practice_archive, monkeypatch, forget_crds):
    monkeypatch.setenv("CRDS_PATH", str(practice_archive / "crds"))
    monkeypatch.setenv("CRDS_CONTEXT", "jwst_0001.pmap")
    monkeypatch.delenv("CRDS_SERVER_URL", raising=False)
    forget_crds()
    return practice_archive / "uncal"


def agree(again, whole):
    rows, columns = again.window
    rate, rateints = whole.rate, whole.rateints
    for plane, name in enumerate(PLANES):
        assert_same_bits(again.rates.rate[plane], getattr(rate, name)[rows, columns], name)
        assert_same_bits(
            again.rates.rateints[plane], getattr(rateints, name)[:, rows, columns], name
        )
    assert_same_bits(again.rates.rate_dq, rate.dq[rows, columns])
    assert_same_bits(again.rates.rateints_dq, rateints.dq[:, rows, columns])


WINDOWS = [
    None,
    (slice(0, 64), slice(0, 64)),
    (slice(10, 11), slice(0, 200)),
    (slice(100, 228), slice(57, 185)),
]
CHANGES = [
    {},
    {"jump.rejection_threshold": 2.5},
    {"jump.rejection_threshold": 6, "jump.flag_4_neighbors": False},
    {"jump.after_jump_flag_dn1": 100.0, "jump.after_jump_flag_time1": 30.0},
    {"jump.expand_large_events": True, "jump.min_jump_area": 3.0},
    {"jump.find_showers": True, "jump.extend_snr_threshold": 1.0, "jump.extend_min_area": 10},
    {"jump.minimum_sigclip_groups": 5},
    {"jump.minimum_sigclip_groups": 5, "jump.only_use_ints": False},
    {"jump.min_diffs_single_pass": 100},
    {"jump.skip": True},
    {"ramp_fit.suppress_one_group": False, "ramp_fit.firstgroup": 1},
    {"ramp_fit.algorithm": "LIKELY"},
]


@pytest.mark.parametrize(
    "name",
    ["jw99008001001_02101_00001_nis", "jw99007001001_02101_00001_mirimage"],
)
def test_refits_equal_whole_runs(environment, name):
    file = environment / f"{name}_uncal.fits"
    kept = upramp.keep(file, threads=2)
    ny, nx = kept.shape[-2:]
    for changes in CHANGES:
        whole = upramp.calibrate(file, engine="upramp", overrides=changes)
        for window in WINDOWS:
            if window and (window[0].stop > ny or window[1].stop > nx):
                continue
            agree(kept.refit(changes, window), whole)


def test_a_ramp_with_zero_frames_is_kept_for_every_algorithm(environment):
    file = environment / "jw99004001001_02101_00001_nrcalong_uncal.fits"
    kept = upramp.keep(file, threads=2)
    for changes in ({"ramp_fit.algorithm": "LIKELY"}, {"ramp_fit.suppress_one_group": False}):
        whole = upramp.calibrate(file, overrides=changes)
        agree(kept.refit(changes, (slice(100, 228), slice(57, 185))), whole)


def test_ends_of_a_window_may_be_left_out(environment):
    kept = upramp.keep(environment / "jw99008001001_02101_00001_nis_uncal.fits")
    ny, nx = kept.shape[-2:]
    again = kept.refit({}, (slice(None), slice(8, None)))
    assert again.window == (slice(0, ny), slice(8, nx))
    assert again.rates.rate.shape == (4, ny, nx - 8)


def test_a_mask_is_set_between_jump_and_fit(environment, tmp_path):
    from astropy.io import fits

    file = environment / "jw99008001001_02101_00001_nis_uncal.fits"
    kept = upramp.keep(file)
    flags = np.zeros(kept.shape, np.uint8)
    flags[:, 4, 20:30, 40:50] = 4
    flags[:, 6:, 35, 40:60] = 1
    mask = tmp_path / "mask.fits"
    fits.HDUList([fits.PrimaryHDU(), fits.ImageHDU(flags, name="MASK")]).writeto(mask)
    whole = upramp.calibrate(file, engine="upramp", mask=mask)
    window = (slice(10, 60), slice(30, 90))
    agree(kept.refit(window=window, mask=mask), whole)
    assert (kept.refit(window=window, mask=mask).groupdq[:, 4, 10:20, 10:20] & 4).all()


@pytest.mark.parametrize(
    "name", ["jw99008001001_02101_00001_nis", "jw99007001001_02101_00001_mirimage"]
)
def test_what_is_kept_does_not_change(environment, name):
    kept = upramp.keep(environment / f"{name}_uncal.fits")
    before = kept.refit()
    kept.refit({"jump.rejection_threshold": 1.0, "jump.expand_large_events": True})
    kept.refit({"jump.rejection_threshold": 1.0}, (slice(0, 30), slice(0, 30)))
    kept.refit({"jump.minimum_sigclip_groups": 5, "jump.only_use_ints": False})
    after = kept.refit()
    np.testing.assert_array_equal(before.groupdq, after.groupdq)
    np.testing.assert_array_equal(before.rates.rate, after.rates.rate)


@pytest.mark.parametrize(
    ("changes", "window", "word"),
    [
        ({"dark_current.skip": True}, None, "decided when"),
        ({"jump.rejection_treshold": 4}, None, "no parameter"),
        ({"jump.rejection_threshold": "high"}, None, "cannot be"),
        ({"jump.foo": 4}, None, "rejection_threshold"),
        ({"jump.override_gain": "mine.fits"}, None, "chosen when"),
        ({"ramp_fit.skip": True}, None, "no files"),
        ({"ramp_fit.save_opt": True}, None, "no files"),
        ({}, 5, "no pair of slices"),
        ({}, (5, 6), "no pair of slices"),
        ({}, (slice(0, 5),), "no pair of slices"),
        ({}, (slice(0, 10, 2), slice(0, 5)), "leaves pixels out"),
        ({}, (slice(-5, None), slice(0, 5)), "not on"),
        ({}, (slice("a", 9), slice(0, 5)), "no whole numbers"),
        ({}, (slice(0, 0), slice(0, 5)), "not on"),
        ({}, (slice(0, 9999), slice(0, 5)), "not on"),
    ],
)
def test_refusals(environment, changes, window, word):
    kept = upramp.keep(environment / "jw99008001001_02101_00001_nis_uncal.fits")
    with pytest.raises(UsageError, match=word):
        kept.refit(changes, window)


@pytest.mark.parametrize("threads", [0, -1, "2"])
def test_a_number_of_threads_that_is_none(environment, threads):
    with pytest.raises(UsageError, match="threads: it cannot be"):
        upramp.keep(environment / "jw99008001001_02101_00001_nis_uncal.fits", threads=threads)


NEAR = (
    *("dq_init", "saturation", "ipc", "superbias", "refpix", "linearity"),
    *("dark_current", "charge_migration"),
)
MID = (
    *("dq_init", "emicorr", "saturation", "ipc", "firstframe", "lastframe", "reset"),
    *("linearity", "rscd", "dark_current", "refpix", "charge_migration"),
)


@pytest.mark.parametrize(
    ("name", "order"),
    [("jw99008001001_02101_00001_nis", NEAR), ("jw99007001001_02101_00001_mirimage", MID)],
)
def test_a_pixel_after_each_correction_is_as_if_those_after_were_skipped(environment, name, order):
    with upramp.open(environment / f"{name}_uncal.fits") as exposure:
        kept = upramp.keep(exposure)
        shape = kept.shape
        pixels = [(0, 0), (shape[3] - 1, shape[2] - 1), (7, 40), (60, 61)]
        found = {pixel: kept.corrections(*pixel) for pixel in pixels}
        raw = exposure["SCI"]
        for (x, y), corrections in found.items():
            assert corrections[0].step == "raw"
            assert_same_bits(corrections[0].data, np.asarray(raw[..., y, x], np.float32))
    told = [each.step for each in found[pixels[0]]]
    assert len(told) > 5
    for at, step in enumerate(told[1:], 1):
        last = step.split(", ")[-1]
        after = order[order.index(last) + 1 :]
        partly = upramp.keep(
            environment / f"{name}_uncal.fits",
            overrides={f"{each}.skip": True for each in after},
        )
        for (x, y), corrections in found.items():
            assert_same_bits(corrections[at].data, partly.ramp.data[..., y, x], step)
            assert_same_bits(corrections[at].groupdq, partly.ramp.groupdq[..., y, x], step)


@pytest.mark.parametrize("pixel", [(-1, 0), (0, 100_000), (100_000, 0)])
def test_corrections_of_no_pixel(environment, pixel):
    kept = upramp.keep(environment / "jw99008001001_02101_00001_nis_uncal.fits")
    with pytest.raises(UsageError, match="is not on"):
        kept.corrections(*pixel)


def test_corrections_need_the_exposure_open(environment):
    kept = upramp.keep(environment / "jw99008001001_02101_00001_nis_uncal.fits")
    with pytest.raises(InputError, match="closed"):
        kept.corrections(5, 5)

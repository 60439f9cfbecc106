"""Ramps as the widgets show them: the engine's numbers, and sentences where there are none."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

import upramp
from same_bits import assert_same_bits
from upramp.dq import GROUP
from upramp.errors import InputError, UprampError, UsageError
from upramp_widgets.core.ramp import Counts, RampModel

NIRISS = "jw99008001001_02101_00001_nis"
MIRI = "jw99007001001_02101_00001_mirimage"
JUMP = GROUP["JUMP_DET"]


@pytest.fixture(scope="module", params=[NIRISS, MIRI])
def model(request, uncal):
    with RampModel(uncal(request.param)) as made:
        assert made.prepare(), made.refused
        yield made


def test_before_it_is_corrected_the_ramp_is_as_it_was_read(uncal):
    with RampModel(uncal(NIRISS)) as model, upramp.open(uncal(NIRISS)) as exposure:
        raw = np.asarray(exposure["SCI"], np.float32)
        assert_same_bits(model.group(0, 2), raw[0, 2])
        assert_same_bits(model.difference(0, 2), raw[0, 2] - raw[0, 1])
        assert_same_bits(model.difference(0, 0), raw[0, 0])
        sample = model.sample(5, 6)
        assert_same_bits(sample.data, raw[0, :, 6, 5].astype(np.float64))
        assert sample.fit is None
        assert "no slope" in sample.text()
        assert (np.diff(model.times) > 0).all()


@pytest.mark.parametrize("overrides", [{}, {"jump.rejection_threshold": 2.5}])
def test_flags_and_slopes_are_those_of_a_whole_run(model, overrides):
    result = upramp.calibrate(model.exposure.path, overrides=overrides, save_ramp=True, threads=1)
    assert_same_bits(model.flags(overrides), result.ramp.groupdq)
    assert_same_bits(model.rate(overrides), result.rate.data)
    window = slice(3, 30), slice(10, 47)
    assert_same_bits(
        model.window(window, overrides).groupdq, result.ramp.groupdq[:, :, 3:30, 10:47]
    )
    rng = np.random.default_rng(1)
    for _ in range(20):
        y, x = rng.integers(model.shape[2]), rng.integers(model.shape[3])
        i = int(rng.integers(model.shape[0]))
        sample = model.sample(int(x), int(y), i, overrides)
        assert_same_bits(sample.groupdq, result.ramp.groupdq[i, :, y, x])
        assert_same_bits(sample.data.astype(np.float32), result.ramp.data[i, :, y, x])
        assert sample.pixeldq == result.rateints.dq[i, y, x]
        if sample.fit is not None:
            assert np.float32(sample.fit.slope) == result.rateints.data[i, y, x]
            assert np.float32(sample.fit.error) == result.rateints.err[i, y, x]
        assert sample.corrections[0].step == "raw"


def test_slopes_of_an_integration_are_those_of_a_whole_run(uncal):
    result = upramp.calibrate(uncal(MIRI), threads=1)
    with RampModel(uncal(MIRI)) as model:
        assert model.shape[0] == 5
        assert_same_bits(model.rate(), result.rate.data)
        for integration in range(5):
            assert_same_bits(model.rate({}, integration), result.rateints.data[integration])
        with pytest.raises(UsageError, match="integration"):
            model.rate({}, 5)


def test_a_difference_is_of_any_two_groups(uncal):
    with RampModel(uncal(NIRISS)) as model:
        for group, since in ((7, 2), (2, 7), (4, 4), (0, 3)):
            expected = model.group(0, group) - model.group(0, since)
            assert_same_bits(model.difference(0, group, since), expected)
        with pytest.raises(UprampError):
            model.difference(0, 3, 99)


def test_a_box_tells_robust_numbers_of_its_slopes(model):
    window = slice(20, 31), slice(40, 61)
    slopes = model.window(window).rates.rateints[0, 0].astype(np.float64)
    sample = model.box(window)
    told, good = sample.slopes, slopes[np.isfinite(slopes)]
    assert (told.count, told.pixels) == (good.size, 11 * 21)
    assert told.mean == pytest.approx(good.mean())
    assert told.median == np.median(good)
    assert told.sigma == pytest.approx(1.4826 * np.median(np.abs(good - told.median)), rel=1e-4)
    assert (told.least, told.most) == (good.min(), good.max())
    for number in (told.median, told.sigma, told.least, told.most):
        assert f"{number:.4g}" in sample.text()
    assert model.sample(45, 25).slopes is None


def test_a_threshold_finds_a_pixel_exactly_where_its_significance_is_above(uncal):
    alone = {"jump.flag_4_neighbors": False, "jump.expand_large_events": False}
    with RampModel(uncal(NIRISS), overrides=alone) as model:
        assert model.prepare()
        shown = model.significance(0)
        for threshold in (3.0, 4.0, 7.5, 30.0):
            flags = model.flags({**alone, "jump.rejection_threshold": threshold})
            before = model.kept.ramp.groupdq
            found = ((flags & JUMP) > (before & JUMP)).any(axis=(0, 1))
            usable = ((before & 3) == 0).sum(axis=(0, 1)) > 4
            assert found[usable].any()
            np.testing.assert_array_equal((shown > threshold)[usable], found[usable])


def test_the_mean_of_a_box(model):
    window = slice(10, 14), slice(20, 26)
    box = model.box(window)
    assert box.pixels == 24
    assert (box.x, box.y) == (22.5, 11.5)
    one = model.box((slice(10, 11), slice(20, 21)))
    alone = model.sample(20, 10)
    good = (one.groupdq == 0) & ((alone.groupdq & 3) == 0)
    steps = np.diff(alone.data)
    jumped = (alone.groupdq[1:] & JUMP) != 0
    if good.all() and not jumped.any():
        np.testing.assert_allclose(np.diff(one.data), steps, rtol=1e-6)
    assert "mean of 24 pixels" in box.text()


def test_counts(model):
    limits = ({"jump.rejection_threshold": limit} for limit in (3.0, 20.0))
    loose, tight = (Counts.of(model.flags(each)) for each in limits)
    assert loose.groups > tight.groups
    assert loose.pixels > tight.pixels
    model.forget_whole()


def test_a_result_leads_to_the_exposure_it_was_made_from(uncal, tmp_path, monkeypatch):
    changed = {"jump.rejection_threshold": 3.0}
    there = tmp_path / "there"
    there.mkdir()
    copy = there / uncal(NIRISS).name
    shutil.copyfile(uncal(NIRISS), copy)
    monkeypatch.setenv("UPRAMP_ARCHIVE", str(tmp_path))
    monkeypatch.chdir(there)
    with upramp.open(copy.name) as exposure:
        result = upramp.calibrate(exposure, overrides=changed, threads=1)
    monkeypatch.chdir(tmp_path)
    with RampModel.open(result) as model:
        assert model.exposure.path == copy
        assert model.prepare()
        assert_same_bits(model.rate(), result.rate.data)
    assert str(tmp_path) not in str(result.provenance)
    copy.unlink()
    monkeypatch.setenv("UPRAMP_ARCHIVE", str(uncal(NIRISS).parent.parent))
    with RampModel.open(result) as model:
        assert model.exposure.path == uncal(NIRISS)
    monkeypatch.setenv("UPRAMP_ARCHIVE", str(tmp_path))
    with pytest.raises(InputError, match="is not found"):
        RampModel.open(result)


def test_what_has_no_ramps_is_refused(uncal, tmp_path):
    result = upramp.calibrate(uncal(NIRISS), output_dir=tmp_path, threads=1)
    with pytest.raises(InputError, match="holds no ramps"):
        RampModel(result.products[0])
    with pytest.raises(UsageError, match="cannot look at this"):
        RampModel.open(3)


@pytest.mark.parametrize("pixel", [(-1, 0), (10_000, 0), (0, 10_000)])
def test_no_such_pixel(model, pixel):
    with pytest.raises(UsageError, match="the detector has"):
        model.sample(*pixel)


def test_no_such_integration_or_group(model):
    with pytest.raises(UsageError, match="there is no 9"):
        model.sample(0, 0, 9)
    with pytest.raises(UsageError, match="there is no 99"):
        model.group(0, 99)


def test_where_a_reference_is_missing_raw_ramps_are_shown_and_it_is_said(uncal, tmp_path):
    overrides = {"superbias.override_superbias": str(tmp_path / "no.fits")}
    with RampModel(uncal(NIRISS), overrides=overrides) as m:
        assert not m.prepare()
        assert "no.fits" in m.refused
        assert m.sample(3, 3).fit is None
        with pytest.raises(UsageError, match=r"no\.fits"):
            m.rate()

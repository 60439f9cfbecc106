"""CosmicRayMasker as a program uses it: everything that a hand does, with no browser."""

from __future__ import annotations

import base64
import io
import itertools
import re
import shutil

import numpy as np
import pytest
from astropy.io import fits
from PIL import Image

import upramp
from same_bits import assert_same_bits
from upramp.dq import GROUP
from upramp.errors import InputError, UsageError
from upramp_widgets.core.mask import MaskModel
from upramp_widgets.cosmic_ray_masker import CosmicRayMasker
from upramp_widgets.display import set_display_mode
from upramp_widgets.masker_layers import AUTOMATIC, CLEARED, SET

NIRISS = "jw99008001001_02101_00001_nis"
MIRI = "jw99007001001_02101_00001_mirimage"
IRS2 = "jw99010001001_02101_00001_nrs1"
JUMP = GROUP["JUMP_DET"]
SATURATED = GROUP["SATURATED"]
VIEW = "application/vnd.jupyter.widget-view+json"


@pytest.fixture(scope="module")
def path(uncal):
    return uncal(NIRISS)


@pytest.fixture
def widget(path):
    made = CosmicRayMasker(path)
    assert made.wait(120)
    yield made
    made.close()


def calibrated(path, threshold=None, **options):
    overrides = {} if threshold is None else {"jump.rejection_threshold": threshold}
    return upramp.calibrate(path, overrides=overrides, save_ramp=True, threads=1, **options)


def origins(automatic, flags, bit=JUMP):
    """Where flags of one plane come from, told without any of the widget's code."""
    expected = np.zeros(flags.shape, np.uint8)
    expected[(automatic & ~flags) != 0] = CLEARED
    expected[(automatic & flags & bit) != 0] = AUTOMATIC
    expected[(flags & ~automatic) != 0] = SET
    return expected


def drawn(widget):
    """What is drawn of the three kinds, as the image has it at full resolution."""
    ny, nx = widget.shape[2:]
    masks = widget.image.scene.masks
    planes = [masks[name].source.read(slice(0, ny), slice(0, nx)) for name in masks]
    assert all(plane is planes[0] or np.array_equal(plane, planes[0]) for plane in planes)
    bits = {mask.label: mask.bits for mask in masks.values()}
    assert bits["automatic"] == AUTOMATIC
    assert bits["set by hand"] == SET
    assert bits["cleared by hand"] == CLEARED
    return planes[0] & (AUTOMATIC | SET | CLEARED)


def quiet_pixel(automatic, rate):
    """A pixel with no flag at all and a slope."""
    free = (np.bitwise_or.reduce(automatic[0]) == 0) & np.isfinite(rate)
    y, x = np.argwhere(free)[free.sum() // 2]
    return int(x), int(y)


def hit_pixel(automatic, rate):
    """A pixel with a jump in one group and no other flag; and that group."""
    alone = ((automatic[0] & JUMP) != 0).sum(axis=0) == 1
    alone &= (np.bitwise_or.reduce(automatic[0]) == JUMP) & np.isfinite(rate)
    y, x = np.argwhere(alone)[alone.sum() // 2]
    return int(x), int(y), int(np.flatnonzero(automatic[0, :, y, x] & JUMP)[0])


# ---- automatic flags


@pytest.mark.parametrize("name", [NIRISS, MIRI])
@pytest.mark.parametrize("threshold", [3.0, 6.5])
def test_flags_equal_those_of_a_whole_run_pixel_for_pixel(uncal, name, threshold):
    expected = calibrated(uncal(name), threshold).ramp.groupdq
    widget = CosmicRayMasker(uncal(name))
    try:
        assert widget.wait(120)
        assert widget.threshold == 4.0
        widget.threshold = threshold
        assert_same_bits(widget.flags(), expected)
        nints, ngroups = widget.shape[:2]
        for integration in range(nints):
            widget.integration = integration
            widget.plane = "significance"
            np.testing.assert_array_equal(
                drawn(widget) == AUTOMATIC,
                (np.bitwise_or.reduce(expected[integration]) & JUMP) != 0,
            )
            widget.plane = "difference"
            for group in range(0, ngroups, 7):
                widget.group = group
                np.testing.assert_array_equal(
                    drawn(widget) == AUTOMATIC, (expected[integration, group] & JUMP) != 0
                )
        assert f"{np.count_nonzero(expected & JUMP):,} jumps" in widget.status
        assert widget.counts()["JUMP_DET"]["automatic"] == np.count_nonzero(expected & JUMP)
    finally:
        widget.close()


def test_raw_ramps_are_there_before_anything_is_corrected(path, monkeypatch):
    monkeypatch.setattr(CosmicRayMasker, "_prepare", lambda _: None)
    widget = CosmicRayMasker(path)
    try:
        with upramp.open(path) as exposure:
            raw = np.asarray(exposure["SCI"][0], np.float32)
        everything = slice(0, 256), slice(0, 256)
        assert_same_bits(widget.image.scene.plane(0).read(*everything), raw[-1] - raw[0])
        assert widget.image.unit == "DN"
        for plane, expected in (("group", raw[5]), ("difference", raw[5] - raw[4])):
            widget.plane, widget.group = plane, 5
            assert_same_bits(widget.image.scene.plane(5).read(*everything), expected)
        assert not drawn(widget).any()
    finally:
        widget.close()


def test_while_a_threshold_moves_it_is_drawn_by_significance_and_hands_stay(widget):
    significance = widget.engine.significance[0]
    widget.paint([(30, 40)], 2, groups=3)
    widget.erase([(100, 100)], 30)
    widget.views.lay()
    before = drawn(widget)
    widget._worker.ask = lambda _: None  # nothing is found exactly
    widget.image.threshold = 2.0  # as the slider in the browser says it
    assert widget.threshold == 2.0
    by_hand = before >= SET
    expected = np.where(by_hand, before, significance > 2.0)
    np.testing.assert_array_equal(drawn(widget), expected)
    # The browser by itself has what is more than was found, and nothing of it twice.
    assert widget.image.threshold_shown
    more = widget.image.scene.significance.read(slice(0, 256), slice(0, 256))
    found = (np.bitwise_or.reduce(widget.engine.mask.automatic[0]) & JUMP) != 0
    np.testing.assert_array_equal(more, np.where(found | (before >= SET), 0, significance))
    widget.plane = "difference"
    assert not widget.image.threshold_shown
    widget.plane = "significance"
    assert widget.image.threshold_shown


def test_of_a_threshold_that_moves_on_only_the_last_is_found(widget, path):
    for threshold in np.linspace(3.9, 2.6, 14):
        widget.threshold = float(threshold)
    assert_same_bits(widget.flags(), calibrated(path, 2.6).ramp.groupdq)
    assert widget.engine.searched_with == {"jump.rejection_threshold": 2.6}
    assert not widget.busy


def test_other_parameters_of_the_search(widget, path):
    widget.overrides = {"jump.flag_4_neighbors": False, "jump.after_jump_flag_dn1": 5.0}
    expected = upramp.calibrate(path, overrides=widget.overrides, save_ramp=True, threads=1)
    assert_same_bits(widget.flags(), expected.ramp.groupdq)
    assert widget.mask.provenance == {**widget.parameters, "exposure": f"{NIRISS}_uncal.fits"}


def test_a_saved_mask_of_another_exposure_is_refused(widget, path, tmp_path):
    assert widget.wait(60)
    other = shutil.copy(path, tmp_path / "jw00001001001_02101_00001_nis_uncal.fits")
    drawn = CosmicRayMasker(other, threads=1)
    assert drawn.wait(120)
    drawn.save(tmp_path / "other.fits")
    drawn.close()
    before = widget.flags()
    with pytest.raises(InputError, match="drawn on jw00001001001"):
        widget.load(tmp_path / "other.fits")
    assert_same_bits(widget.flags(), before)
    with pytest.raises(InputError, match="MASKOF"):
        upramp.calibrate(path, mask=tmp_path / "other.fits")


def test_a_parameter_that_does_not_exist_is_said_and_nothing_breaks(widget):
    before = widget.flags()
    widget.overrides = {"jump.rejection": 3}
    widget.wait(60)
    assert "has no parameter" in widget.status
    assert not widget.busy
    for call in (widget.flags, widget.apply, widget.compare, lambda: widget.save("a.fits")):
        with pytest.raises(UsageError, match="has no parameter"):
            call()
    widget.overrides = {}
    assert_same_bits(widget.flags(), before)


# ---- what a hand does


def test_each_origin_has_its_colour_in_a_group_and_over_all(widget):
    automatic = np.array(widget.engine.mask.automatic)
    widget.paint([(20, 20), (40, 30)], 3, groups=range(2, 5))
    widget.erase([(0, 0), (255, 255)], 6)
    widget.box(200, 5, 220, 15, groups=4, bit="DO_NOT_USE")
    flags = widget.flags()
    expected = [origins(a, f) for a, f in zip(automatic[0], flags[0], strict=True)]
    widget.plane = "difference"
    for group, one in enumerate(expected):
        widget.group = group
        np.testing.assert_array_equal(drawn(widget), one)
    assert {SET, AUTOMATIC, CLEARED} < set(np.unique(expected))
    widget.plane = "rate"
    rank = {0: 0, CLEARED: 1, AUTOMATIC: 2, SET: 3}
    ranks = np.vectorize(rank.get)
    back = np.array([0, CLEARED, AUTOMATIC, SET], np.uint8)
    np.testing.assert_array_equal(drawn(widget), back[np.max(ranks(np.array(expected)), axis=0)])
    found = widget.counts()["JUMP_DET"]
    assert found["set_by_hand"] == np.count_nonzero(flags & ~automatic & JUMP)
    assert found["cleared_by_hand"] == np.count_nonzero(automatic & ~flags & JUMP)
    assert f"{found['set_by_hand']:,}" in widget.controls.text.value
    np.testing.assert_array_equal(widget.engine.mask.automatic, automatic)


def test_a_stroke_draws_what_the_call_draws(path):
    points = [(30.0, 40.0), (50.0, 42.0), (45.0, 60.0)]
    strokes = [
        (("brush", points, 2), lambda w: w.paint(points, 2)),
        (("eraser", points, 5, True), lambda w: w.erase(points, 5)),
        (("line", points[:2], 0), lambda w: w.line(30, 40, 50, 42)),
        (("box", points[:2], 0), lambda w: w.box(30, 40, 50, 42)),
        (("polygon", points, 0, True), lambda w: w.polygon(points, erase=True)),
        (("circle", points[:1], 7), lambda w: w.circle(30, 40, 7)),
        (("snowball", points[:1], 8), lambda w: w.snowball(30, 40, 8)),
    ]
    drawing, calling = (CosmicRayMasker(path, plane="difference", group=4) for _ in range(2))
    try:
        assert drawing.wait(120)
        assert calling.wait(120)
        for stroke, call in strokes:
            before = drawing.flags()
            drawing.image.stroke(*stroke)
            call(calling)
            assert_same_bits(drawing.flags(), calling.flags())
            assert (drawing.flags() != before).any(), stroke
            assert " by hand" in drawing.status
        for _ in strokes:
            drawing.image.act("undo")
        assert_same_bits(drawing.flags(), drawing.engine.mask.automatic)
        drawing.image.act("undo")
        assert drawing.status == "there is nothing more"
        for _ in strokes:
            drawing.image.act("redo")
        assert_same_bits(drawing.flags(), calling.flags())
    finally:
        drawing.close()
        calling.close()


def test_the_status_says_what_the_table_counts(widget):
    automatic = widget.engine.mask.automatic
    x, y = quiet_pixel(automatic, widget.engine.slopes)
    cleared = int(((automatic & JUMP) != 0)[0, 5].sum())
    assert cleared > 3
    # What it erases where nothing is flagged is no flag that changes.
    widget.flag(np.ones(widget.shape[2:], np.bool_), groups=5, erase=True)
    assert widget.counts()["JUMP_DET"]["cleared_by_hand"] == cleared
    assert widget.status == f"erase pixels: {cleared:,} more JUMP_DET cleared by hand"
    widget.undo()
    assert widget.status == f"erase pixels: {cleared:,} fewer JUMP_DET cleared by hand"
    widget.circle(x, y, 0, groups=[3, 4, 5])
    assert widget.status == "circle: 3 more JUMP_DET set by hand"
    widget.circle(x, y, 0, groups=3)
    assert widget.status == "circle: no flag changed"
    change = widget.snowball(x, y, 3, 1, group=6, keep_labels=True)
    told = re.findall(r"([\d,]+) more (\w+) set by hand", widget.status)
    counts = widget.counts()
    before = {"JUMP_DET": 3, "SATURATED": 0}
    assert {flag for _, flag in told} == set(before)
    for number, flag in told:
        more = counts[flag]["set_by_hand"] - before[flag]
        assert int(number.replace(",", "")) == more > 0
    assert change.left_alone == 0 or f"{change.left_alone} left alone" in widget.status


def test_which_groups_are_drawn_into(widget):
    def groups_of(change):
        return [group for _, group in change.planes]

    ngroups = widget.shape[1]
    x, y = quiet_pixel(widget.engine.mask.automatic, widget.engine.slopes)
    widget.plane, widget.group = "difference", 5
    assert groups_of(widget.paint([(x, y)], 0)) == [5]
    widget.undo()
    widget.scope, widget.groups = "range", (2, 4)
    assert groups_of(widget.paint([(x, y)], 0)) == [2, 3, 4]
    widget.undo()
    widget.scope = "all"
    assert groups_of(widget.paint([(x, y)], 0)) == list(range(1, ngroups))
    widget.undo()
    assert groups_of(widget.paint([(x, y)], 0, groups=[7, 1])) == [1, 7]
    widget.undo()
    widget.scope, widget.plane = "shown", "rate"
    steps = np.diff(widget.model.kept.ramp.data[0, :, y, x])
    away = np.abs(steps - np.median(steps))
    assert groups_of(widget.paint([(x, y)], 0)) == [int(away.argmax()) + 1]
    widget.undo()
    assert groups_of(widget.erase([(x, y)], 0)) == list(range(1, ngroups))
    with pytest.raises(UsageError, match="there is no 99"):
        widget.paint([(x, y)], 0, groups=99)
    with pytest.raises(UsageError, match="there is no 'some'"):
        widget.paint([(x, y)], 0, groups="some")
    with pytest.raises(UsageError, match="their image is"):
        widget.flag(np.ones((3, 3), bool))


def test_a_hit_that_was_missed_is_found_in_its_group(widget):
    """A jump that is erased and painted anew over the slopes comes back where it was."""
    automatic = np.array(widget.engine.mask.automatic)
    struck = widget.engine.significance[0] > 12
    x, y, group = hit_pixel(automatic * struck, widget.engine.slopes)
    widget.erase([(x, y)], 0)
    assert not (widget.flags()[0, :, y, x] & JUMP).any()
    widget.paint([(x, y)], 0)
    assert_same_bits(widget.flags()[0, :, y, x], automatic[0, :, y, x])
    assert widget.flags()[0, group, y, x] & JUMP


def test_flag_labels_and_integrations(uncal):
    widget = CosmicRayMasker(uncal(MIRI), integration=1, bit="SATURATED", group=20)
    try:
        assert widget.wait(120)
        widget.plane = "group"
        change = widget.circle(30, 30, 3)
        assert set(change.planes) == {(1, 20)}
        assert (widget.flags()[1, 20, 28:33, 30] & SATURATED).all()
        widget.all_integrations, widget.bit, widget.keep_labels = True, "JUMP_DET", True
        change = widget.circle(30, 30, 5)
        assert {integration for integration, _ in change.planes} == {0, 1, 2, 3, 4}
        assert change.left_alone >= 29
        assert "left alone" in widget.status
        assert not widget.flags()[1, 20, 30, 30] & JUMP
        assert set(widget.circle(30, 30, 5, integrations=2, erase=True).planes) <= {(2, 20)}
    finally:
        widget.close()


def test_a_snowball_has_a_saturated_core_and_is_drawn_whole(widget):
    widget.plane, widget.group, widget.core = "difference", 4, 0.5
    x, y = 128, 60
    widget.snowball(x, y, 10)
    flags = widget.flags()[0]
    yy, xx = np.mgrid[:256, :256]
    far = np.hypot(xx - x, yy - y)
    assert (flags[4:, far <= 5] & SATURATED).all()
    assert not (flags[4:, far <= 5] & JUMP).any()
    ring = (far > 5) & (far <= 10) & (widget.engine.mask.automatic[0, 4] & SATURATED == 0)
    assert (flags[4, ring] & JUMP).all()
    new = (far <= 10) & ((flags[4] & ~widget.engine.mask.automatic[0, 4]) != 0)
    assert (drawn(widget)[new] == SET).all()
    assert new.sum() > 290
    widget.undo()
    assert_same_bits(widget.flags(), widget.engine.mask.automatic)
    # Over slopes it is put where most of its pixels jump: the practice sky has one.
    widget.plane = "rate"
    struck = (widget.engine.mask.automatic[0] & JUMP) != 0
    group = int(struck.sum(axis=(1, 2)).argmax())
    ring = struck[group] & (np.hypot(xx - 216, yy - 215) < 40)
    y, x = (round(at.mean()) for at in np.nonzero(ring))
    change = widget.snowball(x, y, 22, 5)
    assert min(g for _, g in change.planes) == group


def test_a_hundred_steps_are_undone_and_done_again(widget):
    states = [widget.flags()]
    for n in range(100):
        widget.circle(3 + 2 * n, 100, 1, groups=2)
        states.append(widget.flags())
    for state in states[-2::-1]:
        assert widget.undo()
        np.testing.assert_array_equal(widget.flags(), state)
    assert widget.undo() is None
    for _ in range(100):
        assert widget.redo()
    np.testing.assert_array_equal(widget.flags(), states[-1])
    widget.clear()
    np.testing.assert_array_equal(widget.flags(), states[0])


def test_groups_are_stepped_through_by_keys(widget):
    widget.plane = "difference"
    widget.image.act("previous")
    assert widget.group == widget.shape[1] - 2 == widget.image.frame
    widget.image.frame = 0  # by the slider in the browser
    assert widget.group == 0
    widget.image.act("previous")
    assert widget.group == 0
    widget.plane = "rate"
    widget.image.act("next")
    assert widget.group == 1
    with pytest.raises(UsageError, match="there is no 12"):
        widget.group = 12


# ---- the round trip


def test_lower_paint_erase_undo_redo_save_and_calibrate(widget, path, tmp_path):
    plain = calibrated(path)
    widget.threshold = 3.4
    automatic = widget.flags()
    x, y = quiet_pixel(automatic, plain.rate.data)
    hit_x, hit_y, _ = hit_pixel(automatic, plain.rate.data)
    widget.paint([(x, y)], 0)
    widget.erase([(hit_x, hit_y)], 0)
    shown = widget.flags()
    widget.undo()
    assert (widget.flags() != shown).any()
    widget.redo()
    assert_same_bits(widget.flags(), shown)
    changed = {tuple(place[2:]) for place in np.argwhere(shown != automatic).tolist()}
    assert changed == {(y, x), (hit_y, hit_x)}
    record = widget.save(tmp_path / "mask.fits")
    parameters = {"jump.rejection_threshold": 3.4, "exposure": path.name}
    assert record["automatic"]["parameters"] == parameters
    assert record["counts"]["JUMP_DET"]["set_by_hand"] == 1
    assert record["counts"]["JUMP_DET"]["cleared_by_hand"] == 1
    assert "mask.fits is written" in widget.status

    masked = calibrated(path, mask=tmp_path / "mask.fits")
    assert_same_bits(masked.ramp.groupdq, shown)
    at_threshold = calibrated(path, 3.4)
    differ = {tuple(p) for p in np.argwhere(masked.rate.data != at_threshold.rate.data).tolist()}
    both_nan = np.isnan(masked.rate.data) & np.isnan(at_threshold.rate.data)
    assert {place for place in differ if not both_nan[place]} == changed
    # The widget shows these very slopes, and those without the mask beside.
    without, with_mask = widget.compare()
    assert_same_bits(with_mask, masked.rate.data)
    assert_same_bits(without, plain.rate.data)
    expected = np.argwhere((plain.ramp.groupdq != shown).any(axis=(0, 1)))
    same = (without == with_mask) | (np.isnan(without) & np.isnan(with_mask))
    assert {tuple(p) for p in np.argwhere(~same)} <= {tuple(p) for p in expected}


def test_the_rate_follows_the_hand(widget, path, tmp_path):
    x, y = quiet_pixel(widget.engine.mask.automatic, widget.engine.slopes)
    before = widget.engine.slopes.copy()
    widget.circle(x, y, 4, groups=6)
    widget.wait(60)
    widget.save(tmp_path / "mask.fits")
    expected = calibrated(path, mask=tmp_path / "mask.fits").rate.data
    assert_same_bits(widget.engine.slopes, expected)
    assert (before != expected).any()
    # So does it when the threshold moves below what a hand has done.
    widget.threshold = 5.0
    widget.wait(60)
    widget.save(tmp_path / "mask.fits")
    assert_same_bits(widget.engine.slopes, calibrated(path, mask=tmp_path / "mask.fits").rate.data)


def test_images_are_compared_side_by_side(widget):
    flags = widget.image.flags_shown
    without, with_mask = widget.compare()
    assert widget.compared
    assert_same_bits(without, with_mask)  # nothing is changed yet
    beside = widget.views.beside
    assert beside in widget.children[1].children
    assert widget.image.title == "Rate with the mask"
    assert beside.title == "Rate without the mask"
    assert widget.image.flags_shown == ()
    widget.image.center(50, 60, 30)
    assert beside.xlim == widget.xlim == (35, 65)
    beside.vmax = 3.0
    assert widget.vmax == widget.image.vmax == 3.0
    x, y = quiet_pixel(widget.engine.mask.automatic, without)
    widget.circle(x, y, 2, groups=6)
    again, changed = widget.compare()
    assert_same_bits(again, without)
    assert (changed != with_mask).sum() > 5
    # What the mask changes has an image of its own, around 0.
    change = widget.views.change
    assert change in widget.children[1].children
    assert change.title == "With the mask less without"
    assert change.vmin == -change.vmax < 0
    assert change.xlim == widget.xlim
    around = [(x + across, y + up) for across in range(-4, 5) for up in range(-4, 5)]
    seen = [change.scene.plane(0).value(*place) for place in around]
    expected = [(changed - again)[row, column] for column, row in around]
    np.testing.assert_array_equal(seen, expected)
    assert np.any(seen)
    widget.undo()
    widget.wait(60)
    assert change.scene.plane(0).value(x, y) == 0
    widget.redo()
    widget.wait(60)
    alone = Image.open(io.BytesIO(widget.image.picture())).width
    assert Image.open(io.BytesIO(widget.picture())).width > 2.5 * alone
    assert widget.to_html().count("<iframe") == 3
    widget.plane = "difference"
    assert not widget.compared
    assert not {beside, change} & set(widget.children[1].children)
    assert widget.image.flags_shown == flags


# ---- masks given, read and written


def edited(widget):
    """Tune it and edit it; give its flags."""
    widget.threshold = 3.2
    widget.wait(60)
    widget.circle(60, 60, 5, groups=3)
    widget.erase([(200, 30), (220, 200)], 4)
    return widget.flags()


@pytest.mark.parametrize("ending", ["fits", "asdf"])
def test_a_saved_mask_is_gone_on_with(widget, path, tmp_path, ending):
    flags = edited(widget)
    counts = widget.counts()
    widget.mask.save(tmp_path / f"mask.{ending}")
    again = CosmicRayMasker(path, mask=tmp_path / f"mask.{ending}")
    try:
        assert_same_bits(again.flags(), flags)
        assert again.threshold == 3.2
        assert again.counts() == counts
    finally:
        again.close()
    # The same into a widget that is open.
    widget.clear()
    widget.threshold = 4.5
    change = widget.load(tmp_path / f"mask.{ending}")
    assert change
    assert widget.threshold == 3.2
    assert_same_bits(widget.flags(), flags)
    widget.undo()
    assert widget.counts()["JUMP_DET"]["set_by_hand"] == 0


def test_a_mask_model_is_gone_on_with_and_its_arrays_stay(widget, path):
    flags = edited(widget)
    automatic = np.array(widget.engine.mask.automatic)
    model = MaskModel(automatic, provenance=widget.mask.provenance)
    copied = automatic.copy()
    model.circle(60, 60, 5, groups=3)
    model.brush([(200, 30), (220, 200)], 4, erase=True)
    other = CosmicRayMasker(path, mask=model)
    try:
        assert_same_bits(other.flags(), flags)
        other.threshold = 6.0
        other.wait(60)
        assert other.mask is model
        assert (model.to_groupdq() != flags).any()
        np.testing.assert_array_equal(automatic, copied)
    finally:
        other.close()


def test_the_product_of_a_masked_run_is_gone_on_with(widget, path, tmp_path):
    flags = edited(widget)
    widget.save(tmp_path / "mask.fits")
    result = calibrated(path, mask=tmp_path / "mask.fits", output_dir=tmp_path)
    ramp = next(product for product in result.products if "_ramp" in product.name)
    again = CosmicRayMasker(path, mask=ramp)
    try:
        assert_same_bits(again.flags(), flags)
        assert again.threshold == 4.0
        assert again.undo()
        assert_same_bits(again.flags(), calibrated(path).ramp.groupdq)
    finally:
        again.close()


def test_a_result_is_looked_at_with_its_own_parameters(path, monkeypatch):
    monkeypatch.setenv("UPRAMP_ARCHIVE", str(path.parent.parent))
    result = calibrated(path, 3.0)
    before = np.array(result.ramp.groupdq)
    widget = CosmicRayMasker(result)
    try:
        assert_same_bits(widget.flags(), before)
        assert widget.threshold == 3.0
        widget.circle(50, 50, 9)
        np.testing.assert_array_equal(result.ramp.groupdq, before)
    finally:
        widget.close()


def test_regions_out_and_in(widget, path, tmp_path):
    flags = edited(widget)
    regions = widget.to_regions()
    widget.save(tmp_path / "mask.reg")
    for take in (
        lambda w: w.from_regions(regions),
        lambda w: w.load(tmp_path / "mask.reg"),
    ):
        widget.clear()
        assert (widget.flags() != flags).any()
        assert take(widget)
        assert_same_bits(widget.flags(), flags)
    assert len(widget.to_regions("mask", groups=3)) > 1


def test_buttons_write_and_read(widget, tmp_path):
    flags = edited(widget)
    press = {
        button.description: button.click
        for row in widget.controls.bottom.children
        for button in getattr(row, "children", ())
        if hasattr(button, "click")
    }
    assert widget.controls.file.value == f"{NIRISS}_mask.fits"
    widget.controls.file.value = str(tmp_path / "mask.fits")
    press["Export"]()
    press["Clear"]()
    assert (widget.flags() != flags).any()
    press["Import"]()
    assert_same_bits(widget.flags(), flags)
    widget.controls.file.value = str(tmp_path / "mask.txt")
    press["Export"]()
    assert "masks are FITS, ASDF or regions" in widget.status
    widget.controls.file.value = str(tmp_path / "none.fits")
    press["Import"]()
    assert "none.fits" in widget.status


def test_the_mask_may_be_edited_by_its_own_calls(widget):
    widget.mask.circle(60, 60, 5, groups=3)
    widget.refresh()
    widget.plane, widget.group = "group", 3
    assert (drawn(widget)[58:63, 60] == SET).all()
    assert "79" in widget.controls.text.value or "81" in widget.controls.text.value


@pytest.mark.parametrize("mask", ["missing.fits", "missing.reg", "missing.asdf"])
def test_a_mask_that_is_not_there_is_refused_at_once(path, tmp_path, mask):
    with pytest.raises(InputError, match="missing"):
        CosmicRayMasker(path, mask=tmp_path / mask)


def test_a_mask_of_another_exposure_is_refused(path, uncal, tmp_path):
    with pytest.raises(UsageError, match="calls for"):
        CosmicRayMasker(path, mask=MaskModel(np.zeros((1, 2, 3, 4), np.uint8)))
    MaskModel(np.zeros((1, 2, 30, 40), np.uint8)).save(tmp_path / "mask.fits")
    widget = CosmicRayMasker(path, mask=tmp_path / "mask.fits")
    try:
        assert widget.wait(120)
        assert "calls for" in widget.status
        assert not widget.busy
    finally:
        widget.close()


# ---- edges


def cut(path, target, ngroups):
    """Write an exposure with fewer groups."""
    with fits.open(path) as file:
        file["SCI"].data = file["SCI"].data[:, :ngroups]
        if "GROUP" in file:
            del file["GROUP"]
        file[0].header["NGROUPS"] = ngroups
        file.writeto(target)
    return target


@pytest.mark.parametrize("ngroups", [1, 2])
def test_few_groups(path, tmp_path, ngroups):
    few = cut(path, tmp_path / "few_uncal.fits", ngroups)
    widget = CosmicRayMasker(few)
    try:
        assert widget.wait(120)
        assert widget.shape[1] == ngroups
        for plane in ("group", "difference", "rate", "significance"):
            widget.plane = plane
            assert widget.paint([(50, 60)], 1)
            assert drawn(widget)[60, 50] == SET
            widget.undo()
        widget.plane = "rate"
        widget.snowball(100, 100, 5)
        assert widget.picture()[:4] == b"\x89PNG"
        if widget.engine.searched_with is not None:
            assert not (widget.engine.mask.automatic & JUMP).any()
    finally:
        widget.close()


def test_a_detector_that_is_saturated_all_over(path, tmp_path):
    with fits.open(path) as file:
        file["SCI"].data[:] = 65535
        file.writeto(tmp_path / "full_uncal.fits")
    widget = CosmicRayMasker(tmp_path / "full_uncal.fits")
    try:
        assert widget.wait(120)
        inner = widget.flags()[:, :, 4:-4, 4:-4]
        assert (inner & SATURATED).all()
        assert not (inner & JUMP).any()
        assert not np.isfinite(widget.engine.slopes[4:-4, 4:-4]).any()
        assert widget.paint([(50, 60)], 1)
        without, with_mask = widget.compare()
        assert_same_bits(without, with_mask)
        assert widget.picture()[:4] == b"\x89PNG"
    finally:
        widget.close()


def test_where_a_reference_is_missing_raw_ramps_are_shown_and_it_is_said(path, tmp_path):
    missing = {"superbias.override_superbias": str(tmp_path / "no.fits")}
    widget = CosmicRayMasker(path, overrides=missing)
    try:
        assert widget.wait(60)
        assert "raw ramps are shown" in widget.status
        assert "no.fits" in widget.status
        assert not widget.busy
        # A hand can still do something, and what it did can be kept.
        assert widget.paint([(50, 60)], 2)
        assert (drawn(widget)[59:62, 50] == SET).all()
        assert widget.image.unit == "DN"
        with pytest.raises(UsageError, match=r"no\.fits"):
            widget.save(tmp_path / "mask.fits")
        assert not (tmp_path / "mask.fits").exists()
        with pytest.raises(UsageError, match=r"no\.fits"):
            widget.compare()
        assert not widget.compared
        widget.save(tmp_path / "mask.reg")
        assert (tmp_path / "mask.reg").stat().st_size > 0
        assert widget.undo()
    finally:
        widget.close()


@pytest.mark.slow
def test_interleaved_reference_pixels_are_not_in_the_mask(uncal):
    widget = CosmicRayMasker(uncal(IRS2))
    try:
        assert widget.shape[2:] == (2048, 2048)
        assert widget.image.scene.shape in {(3200, 2048), (2048, 2048)}
        assert widget.wait(300)
        assert widget.image.scene.shape == (2048, 2048)
        assert (drawn(widget) == AUTOMATIC).any()
        assert widget.paint([(1000, 1000)], 3)
        assert widget.flags().shape == widget.shape
        assert widget.image.ylim == (-0.5, 2047.5)
    finally:
        widget.close()


def test_first_values_of_traits(path):
    widget = CosmicRayMasker(
        path, threshold=5.5, plane="difference", group=2, xlim=(10, 60), cmap="viridis", brush=7
    )
    try:
        assert widget.image.threshold == 5.5
        assert widget.image.frame == 2
        assert widget.image.xlim == (10, 60)
        assert widget.image.cmap == "viridis"
        assert widget.wait(120)
        assert widget.threshold == 5.5
        assert widget.engine.searched_with == {"jump.rejection_threshold": 5.5}
        assert (widget.group, widget.image.frame) == (2, 2)
        assert widget.image.xlim == (10, 60)
    finally:
        widget.close()


def test_what_is_no_ramp_is_refused_at_once(path, tmp_path):
    rate = upramp.calibrate(path, output_dir=tmp_path, threads=1).products[0]
    with pytest.raises(InputError, match="holds no ramps"):
        CosmicRayMasker(rate)
    with pytest.raises(UsageError, match="there is no 7"):
        CosmicRayMasker(path, integration=7)
    with pytest.raises(UsageError, match="cannot look at this"):
        CosmicRayMasker(3)


def test_an_open_exposure_is_not_closed_and_a_path_is(path):
    with upramp.open(path) as exposure:
        widget = CosmicRayMasker(exposure)
        widget.wait(120)
        widget.close()
        assert exposure.read_group(0, 0).shape == (256, 256)
    widget = CosmicRayMasker(path)
    widget.wait(120)
    opened = widget.model.exposure
    widget.close()
    with pytest.raises(InputError, match="closed"):
        opened.read_group(0, 0)
    widget.close()


def test_the_picture_stays_in_the_notebook(widget):
    widget.circle(60, 60, 5)
    bundle = widget._repr_mimebundle_()
    assert VIEW in bundle
    assert len(base64.b64decode(bundle["image/png"])) < 200_000
    assert bundle["text/plain"] == (f"CosmicRayMasker of {NIRISS}_uncal.fits: 1 x 12 x 256 x 256")
    light, dark = (Image.open(io.BytesIO(widget.picture(each))) for each in ("light", "dark"))
    assert light.convert("RGB").getpixel((0, 0)) != dark.convert("RGB").getpixel((0, 0))
    page = widget.to_html()
    assert page.lower().startswith("<!doctype html>")
    assert not any(f"{scheme}://" in page.split("<script")[0] for scheme in ("http", "https"))


def test_a_static_picture_waits_for_what_it_is_to_show(path):
    set_display_mode("static")
    widget = CosmicRayMasker(path)
    try:
        bundle = widget._repr_mimebundle_()
        assert VIEW not in bundle
        assert widget.engine.searched_with is not None
    finally:
        set_display_mode("auto")
        widget.close()


def test_edits_while_it_is_searched_are_not_lost(path):
    """Strokes before the ramps are corrected lie on top of what is found then."""
    widget = CosmicRayMasker(path)
    try:
        changes = [
            widget.circle(x, y, 2, groups=5) for x, y in itertools.product((20, 60), (30, 90))
        ]
        assert all(changes)
        flags = widget.flags()
        expected = MaskModel(calibrated(path).ramp.groupdq)
        for x, y in itertools.product((20, 60), (30, 90)):
            expected.circle(x, y, 2, groups=5)
        assert_same_bits(flags, expected.to_groupdq())
    finally:
        widget.close()

"""RampInspector as a program uses it: everything that a mouse does, with no browser."""

from __future__ import annotations

import base64
import io
import math

import numpy as np
import pytest
import traitlets
from PIL import Image

import upramp
from same_bits import assert_same_bits
from upramp.dq import GROUP
from upramp.errors import InputError, UsageError
from upramp_widgets import CosmicRayMasker, WcsOverlay
from upramp_widgets.display import set_display_mode
from upramp_widgets.ramp_inspector import RampInspector
from upramp_widgets.worker import Worker

NIRISS = "jw99008001001_02101_00001_nis"
MIRI = "jw99007001001_02101_00001_mirimage"
JUMP = GROUP["JUMP_DET"]
VIEW = "application/vnd.jupyter.widget-view+json"


@pytest.fixture
def path(uncal):
    return uncal(NIRISS)


@pytest.fixture
def widget(path):
    made = RampInspector(path)
    assert made.wait(120)
    yield made
    made.close()


def shown_jumps(widget):
    """The mask as the image has it, at full resolution."""
    ny, nx = widget.model.shape[2:]
    return np.asarray(widget._jumps(slice(0, ny), slice(0, nx)))


def test_raw_ramps_are_there_before_anything_is_corrected(path):
    widget = RampInspector(path, x=5, y=6)
    try:
        with upramp.open(path) as exposure:
            raw = exposure.read_group(0, widget.group)
        assert_same_bits(widget.model.group(0, widget.group, raw=True), raw)
        assert widget.image.scene.frames == widget.model.shape[1]
        assert (widget.x, widget.y) == (5, 6)
    finally:
        widget.close()


def test_a_pixel_has_its_ramp_in_the_plot(widget):
    widget.image.click(30, 31)
    assert (widget.x, widget.y) == (30, 31)
    assert widget.ramps.points.data["v"] == widget.ramp(30, 31).data.tolist()
    widget.image.click(12, 13, {"shift": True})
    assert widget.pinned == ((12, 13),)
    widget.pin()
    widget.pin(40, 41)
    assert widget.pinned == ((12, 13), (40, 41))
    ngroups = widget.model.shape[1]
    assert len(widget.ramps.points.data["v"]) == 3 * ngroups
    widget.corrections = ("raw", "linearity")
    assert widget.ramps.lines.data["name"] == ["raw", "linearity"]
    widget.unpin()
    assert len(widget.ramps.points.data["v"]) == ngroups
    assert "(12, 13)" in widget.controls.text.value


@pytest.mark.parametrize("threshold", [2.5, 6.0])
def test_flags_follow_a_threshold_and_equal_those_of_a_whole_run(widget, path, threshold):
    widget.image.click(30, 31)
    widget.threshold = threshold
    assert widget.wait(60)
    result = upramp.calibrate(
        path, overrides={"jump.rejection_threshold": threshold}, save_ramp=True, threads=1
    )
    expected = result.ramp.groupdq
    assert_same_bits(widget.flags(), expected)
    for group in range(widget.model.shape[1]):
        widget.group = group
        np.testing.assert_array_equal(shown_jumps(widget), (expected[0, group] & JUMP) != 0)
    before, after = widget.apply()
    assert after.groups == int(((expected & JUMP) != 0).sum())
    assert before != after
    assert f"{after.groups:,} in {after.pixels:,} pixels" in widget.status
    assert f"at first {before.groups:,}" in widget.status
    widget.plane = "rate"
    assert_same_bits(widget.model.rate(widget.parameters), result.rate.data)
    np.testing.assert_array_equal(
        shown_jumps(widget), (np.bitwise_or.reduce(expected[0]) & JUMP) != 0
    )


def test_parameters_of_the_fit_change_it(widget):
    widget.image.click(30, 31)
    first = widget.ramp(30, 31).fit.slope
    widget.overrides = {"ramp_fit.algorithm": "LIKELY"}
    assert widget.wait(60)
    assert widget.ramp(30, 31).fit.slope != first
    widget.controls._parameters.children[0].value = 9.0
    assert widget.overrides["jump.three_group_rejection_threshold"] == 9.0


def test_a_parameter_that_does_not_exist_is_said_and_nothing_breaks(widget):
    with pytest.raises(UsageError, match="perhaps rejection_threshold is meant"):
        widget.overrides = {"jump.rejection": 3}
    assert widget.overrides == {}
    widget.threshold = 3.7
    widget.wait(60)
    assert "jumps:" in widget.status


def test_a_box_shows_its_mean(widget):
    widget.image.stroke("box", [(10, 10), (14, 12)])
    assert widget.ramps.points.data["who"][0] == "(12, 11)"
    assert widget.box(10, 10, 14, 12).pixels == 15
    assert widget.box(-50, -50, 3, 0).pixels == 4
    with pytest.raises(UsageError, match="not on the detector"):
        widget.box(-5, -5, -1, -1)
    widget.image.click(30, 31)
    assert widget.ramps.points.data["who"][0] == "(30, 31)"


def test_a_search_that_is_given_up_spoils_nothing_that_is_remembered(path, monkeypatch):
    # So small a subarray's flags are in memory, and not in a file.
    widget = RampInspector(path.with_name("jw99007001001_02101_00001_mirimage_uncal.fits"))
    widget.wait(60)
    before = widget.flags().copy()
    first = widget.threshold
    monkeypatch.setattr(Worker, "outdated", True)
    widget.threshold = 2.0
    assert widget.wait(60)
    ny, nx = widget.model.shape[2:]
    view = widget.model.window((slice(0, ny), slice(0, nx)), widget.parameters).groupdq
    for group in range(widget.model.shape[1]):
        widget.group = group
        np.testing.assert_array_equal(shown_jumps(widget), (view[0, group] & JUMP) != 0)
    monkeypatch.undo()
    widget.threshold = first
    assert widget.wait(60)
    assert_same_bits(widget.flags(), before)
    widget.close()


def test_a_box_follows_the_parameters(widget):
    first = widget.box(10, 10, 40, 40).fit.slope
    widget.threshold = 2.0
    assert widget.wait(60)
    again = widget.model.box((slice(10, 41), slice(10, 41)), 0, widget.parameters)
    assert again.fit.slope != first
    assert widget.ramps.points.data["v"] == again.data.tolist()


def test_planes(widget):
    ny, nx = widget.model.shape[2:]
    for plane, unit, frames in (
        ("difference", "DN", widget.model.shape[1]),
        ("rate", "DN/s", 1),
        ("significance", "sigma", 1),
        ("group", "DN", widget.model.shape[1]),
    ):
        widget.plane = plane
        assert widget.image.unit == unit
        assert widget.image.scene.frames == frames
        assert widget.image.scene.shape == (ny, nx)
    widget.image.act("previous")
    assert widget.group == widget.model.shape[1] - 2
    widget.image.frame = 0
    assert widget.group == 0
    widget.image.act("previous")
    assert widget.group == 0


def test_a_difference_is_taken_from_the_group_that_is_chosen(widget):
    widget.plane, widget.group, widget.since = "difference", 8, 2
    model, image = widget.model, widget.image
    shown = image.scene.plane(image.frame)
    expected = model.group(0, 8) - model.group(0, 2)
    assert shown.value(30, 31) == expected[31, 30]
    assert image.frame_labels[8] == "group 9 less 3"
    chosen = next(each for each in widget.controls.top.children if each.description == "less")
    assert chosen.value == 3
    assert chosen.layout.display is None
    chosen.value = 1
    assert widget.since == 0
    chosen.value = 0
    assert widget.since is None
    assert image.scene.plane(8).value(30, 31) == model.difference(0, 8)[31, 30]
    widget.plane = "group"
    assert chosen.layout.display == "none"
    with pytest.raises(UsageError, match="since"):
        widget.since = 99


def test_the_rate_is_that_of_the_integration(uncal):
    widget = RampInspector(uncal(MIRI), integration=3)
    try:
        assert widget.wait(120)
        widget.plane = "rate"
        for integration in (3, 0, 4):
            widget.integration = integration
            slopes = widget.model.window((slice(20, 21), slice(30, 31)), widget.parameters).rates
            assert widget.image.scene.plane(0).value(30, 20) == slopes.rateints[0, integration]
            assert widget.ramp(30, 20).fit.slope == slopes.rateints[0, integration]
    finally:
        widget.close()


def test_two_inspectors_are_linked_by_traitlets(path, widget):
    other = RampInspector(path)
    try:
        other.wait(60)
        for name in ("xlim", "ylim", "x", "y", "threshold", "vmin", "vmax"):
            traitlets.link((widget, name), (other, name))
        widget.image.center(20, 20, 10)
        widget.image.click(20, 21)
        widget.threshold = 7.0
        assert (other.x, other.y) == (20, 21)
        assert other.image.xlim == widget.xlim == (15, 25)
        assert other.threshold == other.image.threshold == 7.0
    finally:
        other.close()


def test_the_picture_stays_in_the_notebook(widget):
    widget.image.click(30, 31)
    bundle = widget._repr_mimebundle_()
    assert VIEW in bundle
    png = base64.b64decode(bundle["image/png"])
    assert len(png) < 200_000
    assert Image.open(io.BytesIO(png)).size[0] > 900
    assert "pixel (30, 31)" in bundle["text/plain"]
    set_display_mode("static")
    try:
        assert VIEW not in widget._repr_mimebundle_()
    finally:
        set_display_mode("auto")
    page = widget.to_html()
    assert NIRISS in page
    assert "cdn.bokeh.org" not in page


def test_where_nothing_can_be_corrected_raw_ramps_are_shown_and_it_is_said(path, tmp_path):
    missing = {"superbias.override_superbias": str(tmp_path / "no.fits")}
    widget = RampInspector(path, overrides=missing)
    try:
        assert widget.wait(60)
        assert "raw ramps are shown" in widget.status
        assert "no.fits" in widget.status
        assert not widget.busy
        widget.image.click(3, 4)
        assert len(widget.ramps.points.data["v"]) == widget.model.shape[1]
        widget.plane = "rate"
        assert "no.fits" in widget.status
        with pytest.raises(UsageError, match=r"no\.fits"):
            widget.apply()
    finally:
        widget.close()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("x", 99999), ("y", -2), ("integration", 7), ("group", 999), ("group", -5)),
        *(("threshold", -1.0), ("threshold", math.nan), ("threshold", math.inf)),
        ("overrides", {"jump.rejection_threshold": 9}),
        ("overrides", {"jump.rejection_treshold": 9}),
        ("overrides", {"superbias.skip": True}),
    ],
)
def test_a_value_that_is_refused_leaves_all_as_it_was(widget, name, value):
    before = getattr(widget, name)
    with pytest.raises(UsageError):
        setattr(widget, name, value)
    assert getattr(widget, name) == before
    with pytest.raises(UsageError, match="not on the detector"):
        widget.pin(99999, 0)
    assert widget.pinned == ()
    assert widget.picture()


def test_an_argument_that_there_is_not_is_refused(path):
    for widget in (RampInspector, CosmicRayMasker, WcsOverlay):
        with pytest.raises(UsageError, match="perhaps vmax is meant"):
            widget(path, vmaxx=5)


def test_first_values_stay_when_the_ramps_are_there(path):
    chosen = RampInspector(path, threshold=2.5, vmin=5.0, vmax=10.0, threads=1)
    try:
        assert chosen.wait(120)
        assert (chosen.threshold, chosen.vmin, chosen.vmax) == (2.5, 5.0, 10.0)
        before, after = chosen.counts()
        assert after.groups > before.groups
        chosen.threshold = 3.0
        assert chosen.busy
        assert chosen.wait(60)
        assert not chosen.busy
    finally:
        chosen.close()


def test_a_click_draws_one_ramp_and_that_of_no_other_pixel(widget, monkeypatch):
    drawn = []
    monkeypatch.setattr(widget.ramps, "show", lambda now, *_: drawn.append((now.x, now.y)))
    widget.image.click(30, 31)
    widget.image.click(12, 13)
    assert drawn == [(30, 31), (12, 13)]


def test_what_is_no_ramp_is_refused_at_once(path, tmp_path):
    rate = upramp.calibrate(path, output_dir=tmp_path, threads=1).products[0]
    with pytest.raises(InputError, match="holds no ramps"):
        RampInspector(rate)
    with pytest.raises(UsageError, match="there is no 7"):
        RampInspector(path, integration=7)

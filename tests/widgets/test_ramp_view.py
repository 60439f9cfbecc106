"""The plot of ramps, without a browser: what its sources hold, and its still picture."""

from __future__ import annotations

import numpy as np
import pytest

from upramp.detector1.trace import Correction
from upramp.dq import PIXEL
from upramp_widgets.core.ramp_picture import COLOURS, ramp_picture
from upramp_widgets.core.ramp_sample import RampSample, fit_of
from upramp_widgets.views.ramp_view import MARKS, RampView

TIMES = 10.0 * np.arange(1, 7)


def sample(data=None, flags=(0, 0, 4, 0, 3, 1), slope=2.0, **more):
    data = 50 + slope * TIMES if data is None else np.asarray(data, np.float64)
    flags = np.array(flags, np.uint8)
    fit = fit_of(data, flags, TIMES, slope, 0.1)
    return RampSample(7, 8, 0, TIMES, data, flags, fit=fit, **more)


def test_each_group_is_drawn_with_its_worst_flag():
    view = RampView()
    view.show(sample())
    kinds = ["good", "good", "jump", "good", "saturated", "do not use"]
    assert view.points.data["shape"] == [MARKS[kind][0] for kind in kinds]
    assert view.points.data["group"] == [1, 2, 3, 4, 5, 6]
    assert view.points.data["words"][2] == "jump"
    assert len(view.fits.data["xs"]) == 2  # the slope is drawn before and after the jump
    view.show(sample(flags=[0] * 6, pixeldq=PIXEL["REFERENCE_PIXEL"]))
    assert set(view.points.data["shape"]) == {MARKS["reference"][0]}


def test_ranges_hold_the_data_and_nothing_else():
    view = RampView()
    view.show(sample(data=[12_000, 12_100, 12_700, np.nan, 12_650, 12_660]))
    assert 11_900 < view.ramp.y_range.start < 12_000
    assert 12_700 < view.ramp.y_range.end < 12_800
    assert view.ramp.x_range.start < 0
    assert view.ramp.x_range.end > TIMES[-1]


@pytest.mark.parametrize("data", [[np.nan] * 6, [5.0] * 6, [0.0] * 6])
def test_ramps_without_a_range(data):
    view = RampView()
    view.show(sample(data=data, flags=[0] * 6, slope=0.0))
    for each in (view.ramp.y_range, view.ramp.x_range, view.residuals.y_range):
        assert np.isfinite([each.start, each.end]).all()
        assert each.start < each.end
    assert ramp_picture(sample(data=data, flags=[0] * 6)).size == (560, 360)


def test_one_group():
    one = RampSample(0, 0, 0, TIMES[:1], np.array([3.0]), np.zeros(1, np.uint8))
    view = RampView()
    view.show(one)
    assert view.points.data["v"] == [3.0]
    assert ramp_picture(one).size == (560, 360)


def test_pinned_pixels_keep_their_colours_and_may_be_many():
    view = RampView()
    view.show(sample(), [sample() for _ in range(11)])
    colours = view.points.data["colour"][::6]
    assert colours[:8] == list(COLOURS)
    assert colours[8] == COLOURS[0]
    assert len(colours) == 12
    view.show(None)
    assert view.points.data["v"] == []
    assert view.fits.data["xs"] == []


def test_a_ramp_is_shown_after_each_step_that_is_asked_for():
    steps = tuple(
        Correction(name, np.full((2, 6), value, np.float32), np.zeros((2, 6), np.uint8))
        for name, value in (("raw", 9000), ("superbias", 300), ("linearity", 310))
    )
    view = RampView()
    view.show(sample(corrections=steps), corrections=["raw", "linearity"])
    assert view.lines.data["name"] == ["raw", "linearity"]
    # From where the corrected ramp begins: its bias would leave nothing to be seen.
    np.testing.assert_array_equal(view.lines.data["ys"][0], [view.points.data["v"][0]] * 6)
    assert view.ramp.y_range.end < 9000
    assert view.ramp.legend.visible
    view.show(sample())
    assert not view.ramp.legend.visible


def test_themes_change_ink_and_paper():
    view = RampView()
    view.show(sample())
    light = view.points.data["colour"][0]
    view.set_theme(dark=True)
    assert view.points.data["colour"][0] != light
    dark = ramp_picture(sample(), dark=True).getpixel((1, 1))
    assert sum(dark) < 100 < sum(ramp_picture(sample()).getpixel((1, 1)))


def test_the_picture_shows_its_ramp():
    empty, shown = ramp_picture(None), ramp_picture(sample(), [sample(slope=5.0)])
    assert np.asarray(empty).std() < np.asarray(shown).std()
    blue = tuple(int(COLOURS[0][k : k + 2], 16) for k in (1, 3, 5))
    assert (np.asarray(shown) == blue).all(axis=-1).sum() > 50


def test_the_page_needs_no_network():
    view = RampView()
    view.show(sample())
    page = view.to_html("a ramp")
    assert "<title>a ramp</title>" in page
    assert "cdn.bokeh.org" not in page
    assert len(page) > 500_000


def test_a_click_is_one_patch():
    view = RampView()
    child = view.widget().child
    sent = []
    child.send = lambda content, buffers=None: sent.append(content)
    view.show(sample(), [sample(slope=3.0)])
    (message,) = sent
    assert "(7, 8)" in message["parts"][-1]
    sent.clear()
    view.show(sample(), [sample(slope=3.0)])
    assert sent == []  # nothing has changed
    view.ramp.x_range.start = -5  # by itself
    assert len(sent) == 1


def test_the_plot_follows_the_theme_of_the_page():
    view = RampView()
    told = view.widget()
    told._answer(told, {"kind": "theme", "dark": True}, [])
    assert view.ramp.background_fill_color != RampView().ramp.background_fill_color

"""Parallels, meridians, compass and scale bar, against the coordinates they stand for."""

from fractions import Fraction

import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.wcs import WCS
from hypothesis import given, settings
from hypothesis import strategies as st

from upramp.errors import UsageError
from upramp_widgets.core.sky_graticule import graticule
from upramp_widgets.core.sky_labels import (
    angle_text,
    axis_text,
    round_length,
    round_step,
    sexagesimal,
)
from upramp_widgets.core.sky_marks import compass, scale_bar
from upramp_widgets.core.sky_open import open_sky

SIZE = 300


def tan_sky(ra, dec, *, turn=30.0, scale=1.0, flip=1, size=SIZE):
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    wcs.wcs.crval = [ra, dec]
    wcs.wcs.crpix = [size / 2, size / 2]
    c, s = np.cos(np.radians(turn)), np.sin(np.radians(turn))
    wcs.wcs.cd = scale / 3600 * np.array([[-flip * c, s], [flip * s, c]])
    return open_sky(wcs, shape=(size, size))


def whole(sky, margin=0.0):
    left, right, low, high = sky.box
    return (left - margin, right + margin), (low - margin, high + margin)


def along(line):
    """Points of a line and the middles of its chords."""
    return (np.concatenate([axis, (axis[1:] + axis[:-1]) / 2]) for axis in (line.x, line.y))


def distance_from_curve(sky, line):
    """How far a line is from where its right ascension or declination is, pixels, by the WCS."""
    x, y = along(line)
    ra, dec = sky.to_sky(x, y, outside=True)
    wanted = (
        (np.full_like(ra, line.value), dec)
        if line.kind == "ra"
        else (ra, np.full_like(dec, line.value))
    )
    there_x, there_y = sky.to_pixel(*wanted, outside=True)
    return np.hypot(there_x - x, there_y - y)


CASES = {
    "equator": (120.0, 0.0),
    "right ascension 0": (0.0, 20.0),
    "just before 24 h": (359.999, -60.0),
    "north pole": (10.0, 89.99),
    "exactly the north pole": (10.0, 90.0),
    "south pole": (200.0, -89.9999),
    "near the pole": (10.0, 89.9),
}


@pytest.mark.parametrize("place", CASES.values(), ids=CASES)
@pytest.mark.parametrize("scale", [0.03, 1.0, 30.0])
@pytest.mark.parametrize("style", ["sexagesimal", "degrees"])
def test_lines_are_where_the_wcs_has_them(place, scale, style):
    sky = tan_sky(*place, scale=scale)
    lines = graticule(sky, *whole(sky), style=style)
    assert {line.kind for line in lines} == {"ra", "dec"}
    for line in lines:
        assert distance_from_curve(sky, line).max() < 0.05


@settings(max_examples=25, deadline=None)
@given(
    ra=st.floats(0, 360),
    dec=st.floats(-90, 90),
    turn=st.floats(0, 360),
    scale=st.floats(0.01, 100),
    flip=st.sampled_from([-1, 1]),
    n=st.integers(1, 12),
)
def test_any_view_of_any_image_has_true_lines(ra, dec, turn, scale, flip, n):
    sky = tan_sky(ra, dec, turn=turn, scale=scale, flip=flip, size=100)
    for line in graticule(sky, (20, 70.5), (-30, 55), n):
        assert distance_from_curve(sky, line).max() < 0.05
        assert line.x.min() >= 20 - 0.05
        assert line.x.max() <= 70.5 + 0.05
        # Clipped to the bounding box, which the view reaches over.
        assert line.y.min() >= -0.5 - 0.05
        assert line.y.max() <= 55 + 0.05


@pytest.mark.parametrize("place", CASES.values(), ids=CASES)
def test_no_line_is_missing(place):
    """Every crossing of a drawn value along a fine grid of rows and columns is on a line."""
    sky = tan_sky(*place)
    lines = graticule(sky, *whole(sky))
    drawn = {kind: {line.value for line in lines if line.kind == kind} for kind in ("ra", "dec")}
    fine = np.linspace(-0.5, SIZE - 0.5, 4001)
    for at in (20.3, 77.7, 150.2, 260.9):
        for x, y in ((fine, np.full_like(fine, at)), (np.full_like(fine, at), fine)):
            ra, dec = sky.to_sky(x, y)
            for kind, values in (("ra", ra), ("dec", dec)):
                for value in drawn[kind]:
                    off = values - value if kind == "dec" else (values - value + 180) % 360 - 180
                    change = np.flatnonzero((off[1:] > 0) != (off[:-1] > 0))
                    for k in change:
                        if abs(off[k]) > 30:
                            continue  # the other side of the pole
                        nearest = min(
                            np.min(np.hypot(px - x[k], py - y[k]))
                            for px, py in (
                                dense(line)
                                for line in lines
                                if line.kind == kind and line.value == value
                            )
                        )
                        assert nearest < 0.2


def dense(line):
    at = np.linspace(0, len(line.x) - 1, 40 * len(line.x))
    index = np.arange(len(line.x))
    return np.interp(at, index, line.x), np.interp(at, index, line.y)


def test_steps_follow_each_other_and_are_about_as_many_as_wanted():
    sky = tan_sky(120.0, 40.0)
    for n in (3, 6, 12):
        lines = graticule(sky, *whole(sky), n)
        for kind in ("ra", "dec"):
            values = np.unique([line.value for line in lines if line.kind == kind])
            assert n / 3 <= len(values) <= n + 1
            assert np.allclose(np.diff(values, 2), 0, atol=1e-9)


def test_meridians_meet_at_a_pole_and_stop_there():
    sky = tan_sky(10.0, 89.99)
    pole = np.array([float(p) for p in sky.to_pixel(0.0, 90.0)])
    meridians = [line for line in graticule(sky, *whole(sky)) if line.kind == "ra"]
    assert [line.text for line in meridians] == ["0h", "4h", "8h", "12h", "16h", "20h"]
    for line in meridians:
        ends = np.array([(line.x[k], line.y[k]) for k in (0, -1)])
        assert np.hypot(*(ends - pole).T).min() < 1e-3


def test_a_parallel_around_a_pole_is_closed():
    sky = tan_sky(10.0, 89.99)
    closed = [line for line in graticule(sky, *whole(sky)) if line.side == "inside"]
    assert closed
    for line in closed:
        assert (line.x[0], line.y[0]) == (line.x[-1], line.y[-1])


def test_lines_cross_right_ascension_zero_in_order():
    sky = tan_sky(0.0, 20.0)
    texts = [line.text for line in graticule(sky, *whole(sky)) if line.kind == "ra"]
    assert texts == ["23h59m50s", "23h59m55s", "0h00m00s", "0h00m05s", "0h00m10s"]


def test_labels_are_at_edges_of_the_view_and_once_for_a_line():
    sky = tan_sky(120.0, 40.0, turn=5)
    xlim, ylim = (50.0, 250.0), (60.0, 240.0)
    lines = graticule(sky, xlim, ylim)
    edges = {"left": (0, 50.0), "right": (0, 250.0), "bottom": (1, 60.0), "top": (1, 240.0)}
    for line in lines:
        axis, where = edges[line.side]
        assert line.label[axis] == pytest.approx(where, abs=1e-6)
        assert -90 < line.angle <= 90
    assert {line.side for line in lines if line.kind == "dec"} <= {"left", "right"}
    assert {line.side for line in lines if line.kind == "ra"} <= {"bottom", "top"}
    ring = tan_sky(10.0, 89.99)
    labelled = [line.text for line in graticule(ring, *whole(ring)) if line.label is not None]
    assert len(labelled) == len(set(labelled))


def test_outside_the_bounding_box_is_drawn_only_when_wanted():
    sky = tan_sky(120.0, 40.0)
    xlim, ylim = whole(sky, margin=100)
    inside = graticule(sky, xlim, ylim)
    beyond = graticule(sky, xlim, ylim, outside=True)
    assert min(line.x.min() for line in inside) >= -0.55
    assert min(line.x.min() for line in beyond) == pytest.approx(-100.5)
    assert all(distance_from_curve(sky, line).max() < 0.05 for line in beyond)


@pytest.mark.parametrize("view", [((400, 500), (0, 10)), ((3, 3), (0, 10)), ((np.nan, 3), (0, 9))])
def test_a_view_that_sees_nothing_has_no_lines(view):
    assert graticule(tan_sky(1, 2), *view) == []


def test_a_single_pixel_has_lines():
    sky = tan_sky(0.0, 20.0, size=1)
    assert {line.kind for line in graticule(sky, *whole(sky))} == {"ra", "dec"}


# ---- words --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "step", "axis", "style", "text"),
    [
        (Fraction(0), Fraction(60), "ra", "sexagesimal", "0h"),
        (Fraction(15), Fraction(1, 4), "ra", "sexagesimal", "1h00m"),
        (Fraction(1, 240), Fraction(1, 240), "ra", "sexagesimal", "0h00m01s"),
        (Fraction(1, 4800), Fraction(1, 4800), "ra", "sexagesimal", "0h00m00.05s"),
        (Fraction(-41, 2), Fraction(1, 2), "dec", "sexagesimal", "−20°30′"),  # noqa: RUF001
        (Fraction(0), Fraction(1, 3600), "dec", "sexagesimal", "+0°00′00″"),  # noqa: RUF001
        (Fraction(41, 36000), Fraction(1, 36000), "dec", "sexagesimal", "+0°00′04.1″"),  # noqa: RUF001
        (Fraction(2001, 10), Fraction(1, 10), "ra", "degrees", "200.1°"),
        (Fraction(-1, 20), Fraction(1, 100), "dec", "degrees", "−0.05°"),  # noqa: RUF001
        (Fraction(30), Fraction(15), "dec", "degrees", "+30°"),
    ],
)
def test_values_have_the_digits_that_their_step_needs(value, step, axis, style, text):
    assert axis_text(value, step, axis, style) == text


@given(span=st.floats(1e-7, 360), count=st.integers(1, 20))
def test_steps_of_right_ascension_divide_half_a_turn(span, count):
    for style in ("sexagesimal", "degrees"):
        step = round_step(span, count, "ra", style)
        assert (180 / step).denominator == 1
        assert step * count >= span * (1 - 1e-12) or step in {90, 45}


def test_an_unknown_style_is_refused():
    with pytest.raises(UsageError, match="'grads'"):
        graticule(tan_sky(1, 2), (0, 9), (0, 9), style="grads")


@given(ra=st.floats(0, 360), dec=st.floats(-90, 90))
def test_places_in_words_are_the_places(ra, dec):
    there = SkyCoord(sexagesimal(ra, dec).replace("\N{MINUS SIGN}", "-"), unit="hourangle,deg")
    assert there.separation(SkyCoord(ra, dec, unit="deg")).arcsec < 0.012


@given(arcsec=st.floats(1e-6, 5e5))
def test_round_lengths_are_the_largest_that_fit(arcsec):
    length = round_length(arcsec)
    assert length <= arcsec * (1 + 1e-9)
    assert length > arcsec / 3
    assert angle_text(length)


@pytest.mark.parametrize(
    ("arcsec", "text"),
    [(10.0, "10″"), (0.2, "0.2″"), (120.0, "2′"), (7200.0, "2°"), (0.001, "1 mas")],  # noqa: RUF001
)
def test_lengths_are_in_the_unit_that_suits_them(arcsec, text):
    assert angle_text(arcsec) == text


# ---- compass and scale bar ----------------------------------------------------------------


@settings(max_examples=30, deadline=None)
@given(
    ra=st.floats(0, 360),
    dec=st.floats(-89.9, 89.9),
    turn=st.floats(0, 360),
    flip=st.sampled_from([-1, 1]),
)
def test_arrows_point_north_and_east(ra, dec, turn, flip):
    sky = tan_sky(ra, dec, turn=turn, flip=flip)
    arrows = compass(sky, 140.0, 160.0, 5.0)
    here = SkyCoord(*sky.to_sky(140.0, 160.0), unit="deg")
    for arrow, angle in ((arrows.north, 0.0), (arrows.east, 90.0)):
        assert np.hypot(arrow[2] - arrow[0], arrow[3] - arrow[1]) == pytest.approx(5)
        there = SkyCoord(*sky.to_sky(*arrow[2:]), unit="deg")
        difference = (here.position_angle(there).deg - angle + 180) % 360 - 180
        # Meridians turn along the arrow itself, near a pole.
        assert abs(difference) < 0.2 + 3 / 3600 / np.cos(np.radians(dec)) * 90


@pytest.mark.parametrize("scale", [0.01, 1.0, 60.0])
@pytest.mark.parametrize("dec", [0.0, 60.0, 89.99])
def test_a_bar_is_as_long_as_it_says(scale, dec):
    sky = tan_sky(0.0, dec, scale=scale)
    bar = scale_bar(sky, *whole(sky))
    x0, y0, x1, y1 = bar.segment
    assert y0 == y1
    assert 0.08 * SIZE < x1 - x0 <= 0.25 * SIZE * 1.001
    path = np.linspace(x0, x1, 200)
    places = SkyCoord(*sky.to_sky(path, y0, outside=True), unit="deg")
    length = places[1:].separation(places[:-1]).arcsec.sum()
    assert length == pytest.approx(bar.arcsec, rel=1e-4)


def test_a_bar_of_a_view_without_width_is_refused():
    with pytest.raises(UsageError, match="this view"):
        scale_bar(tan_sky(1, 2), (5, 5), (5, 9))

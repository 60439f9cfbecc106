"""The picture that is stored in a notebook."""

from __future__ import annotations

import io
import math

import numpy as np
import pytest
from PIL import Image

from upramp.errors import UsageError
from upramp_widgets.core.colormaps import table
from upramp_widgets.core.picture import LARGEST, Look, picture
from upramp_widgets.core.picture_parts import plain, ticks, written
from upramp_widgets.core.render_layers import Arrows, Compass, Curves, Points
from upramp_widgets.core.render_scene import Scene

PNG = b"\x89PNG\r\n\x1a\n"
LEFT = 58  # of the image in the picture, in dots


def opened(png):
    assert png.startswith(PNG)
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(int)


def near(pixels, colour, tolerance=24):
    return (np.abs(pixels - np.array(colour)).max(axis=-1) <= tolerance).sum()


def scene_of(plane):
    scene = Scene()
    scene.set_planes([plane])
    return scene


@pytest.mark.parametrize("side", [1, 7, 300, 2048])
def test_noise_of_any_size_fits(side):
    rng = np.random.default_rng(0)
    for cmap in ("gray", "viridis"):
        png = picture(rng.normal(size=(side, side)), Look(cmap=cmap, stretch="equalised"))
        assert len(png) <= LARGEST
        assert opened(png).shape[0] > 500


@pytest.mark.parametrize(
    "plane",
    [
        np.full((30, 40), math.nan),
        np.zeros((1, 1)),
        np.full((5, 700), 3.0),
        np.array([[math.inf, -math.inf], [math.nan, 1.0]]),
        np.zeros((2000, 3), np.uint16),
        np.ones((9, 9), bool),
    ],
)
def test_planes_with_little_in_them_are_drawn(plane):
    assert len(picture(plane, Look(title="all the same"))) <= LARGEST


def test_the_first_row_is_at_the_bottom_and_colours_are_those_of_the_colormap():
    plane = np.array([[0.0, 1.0], [2.0, 3.0]])
    pixels = opened(picture(plane, Look(limits=(0, 3), cmap="viridis")))
    image = pixels[14 : 14 + 540, LEFT : LEFT + 540]
    colours = table("viridis").astype(int)
    for (row, column), share in (((1, 0), 0), ((1, 1), 1 / 3), ((0, 0), 2 / 3), ((0, 1), 1)):
        found = image[row * 270 + 135, column * 270 + 135]
        assert np.abs(found - colours[round(share * 255)]).max() < 12


def test_a_mask_a_threshold_and_flags_are_in_their_colours():
    scene = scene_of(np.zeros((60, 60)))
    sigma = np.zeros((60, 60))
    sigma[10:20, 10:20] = 9
    scene.set_significance(sigma)
    flags = np.zeros((60, 60), np.uint8)
    flags[30:40, 30:40] = 6
    scene.set_mask("jump", flags, "#00ff00", 4, "JUMP_DET")
    scene.set_mask("hidden", flags == 0, "#ff0000", -1, "hidden")
    bare = opened(picture(scene, Look(cmap="gray")))
    shown = opened(
        picture(scene, Look(threshold=5, threshold_colour="#0000ff", flags_shown=("jump",)))
    )
    cell = (540 / 6) ** 2
    gray = table("gray")[127]
    for colour in ((0, 255, 0), (0, 0, 255)):
        mixed = gray * (55 / 255) + np.array(colour) * (200 / 255)
        assert near(bare, mixed, 20) < 50
        assert near(shown, mixed, 20) == pytest.approx(cell, rel=0.05)
    assert near(shown, (255, 0, 0), 60) == 0


def test_one_flagged_pixel_of_4096_is_drawn():
    scene = scene_of(np.zeros((4096, 4096), np.uint16))
    flags = np.zeros((4096, 4096), bool)
    flags[3000, 1234] = True
    scene.set_mask("one", flags, "#00ff00", -1, "one")
    without = opened(picture(scene, Look()))
    with_it = opened(picture(scene, Look(flags_shown=("one",))))
    image = np.s_[14 : 14 + 540, LEFT : LEFT + 540]
    changed = np.argwhere(np.abs(with_it[image] - without[image]).max(axis=-1) > 60)
    assert 1 <= len(changed) <= 4
    assert changed[0] == pytest.approx([540 * (1 - 3000 / 4096), 540 * 1234 / 4096], abs=2)


def test_layers_are_drawn_where_they_are():
    scene = scene_of(np.zeros((100, 100)))
    line = np.array([[0.0, 50.0], [99.0, 50.0]])
    scene.layers["lines"] = Curves((line,), "#ff0000", ("fifty",))
    scene.layers["places"] = Points([20], [80], "#00ff00", ("here",), shape="dot", size=30)
    scene.layers["ways"] = Arrows([80], [80], [1], [0], "#0000ff", scale=15)
    shown = opened(picture(scene, Look()))
    hidden = opened(picture(scene, Look(layers_hidden=("lines", "places", "ways"))))
    image = np.s_[14 : 14 + 540, LEFT : LEFT + 540]
    red = np.argwhere((shown[image] - [200, 60, 60]).astype(int)[..., 0] > 0)
    assert np.median(red[:, 0]) == pytest.approx(540 - 50.5 * 5.4, abs=4)
    green = near(shown[image], (0, 255, 0), 60)
    assert green == pytest.approx(math.pi * 15**2, rel=0.25)
    assert near(shown[image], (0, 0, 255), 90) > 40
    for colour in ((255, 0, 0), (0, 255, 0), (0, 0, 255)):
        assert near(hidden[image], colour, 60) == 0


def test_coordinates_that_are_none_or_far_away_do_no_harm():
    scene = scene_of(np.zeros((10, 10)))
    broken = np.array([[0, 0], [math.nan, math.nan], [5, 5], [1e30, 1e30], [6, 6], [math.inf, 0]])
    scene.layers["broken"] = Curves((broken, np.zeros((0, 2))), "#ff0000", ("a", "b"), closed=True)
    scene.layers["points"] = Points([math.nan, 1e30, 4], [0, 0, 4], "#00ff00", shape="cross")
    scene.layers["arrows"] = Arrows([1, 2], [1, 2], [math.nan, 1], [0, 1], "#0000ff")
    scene.layers["compass"] = Compass((0.0, 0.0), (1.0, 0.0), 0.1)
    assert len(picture(scene, Look(chosen=(3, 3)))) <= LARGEST


def test_both_themes_are_drawn_and_another_is_refused():
    plane = np.zeros((20, 20))
    light, dark = (opened(picture(plane, Look(theme=name))) for name in ("light", "dark"))
    assert light[2, 2].min() > 240
    assert dark[2, 2].max() < 40
    with pytest.raises(UsageError, match="there is no 'blue'"):
        picture(plane, Look(theme="blue"))


def test_a_long_title_and_strange_letters_do_no_harm():
    look = Look(title="\N{SNOWMAN} " + "a very long title " * 40, unit="DN \N{MINUS SIGN} s" * 30)
    assert len(picture(np.zeros((4, 4)), look)) <= LARGEST
    assert plain("\N{MINUS SIGN}30\N{DEGREE SIGN}12\N{PRIME}") == "-30\N{DEGREE SIGN}12'"


def test_a_scene_with_nothing_in_it_says_so():
    assert len(picture(Scene())) < 10_000


def test_ticks_are_round_and_inside():
    assert ticks(-0.5, 2047.5, 5) == [0, 500, 1000, 1500, 2000]
    assert ticks(0.0, 0.0, 5) == []
    assert ticks(1, 0, 5) == []
    assert ticks(0, math.inf, 5) == []
    assert [written(v) for v in (0, 1500, -0.25, 1234567, 3e-9)] == [
        "0",
        "1500",
        "-0.25",
        "1.23e6",
        "3e-9",
    ]

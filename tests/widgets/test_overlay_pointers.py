"""Arrows to apertures that lie outside the view."""

from __future__ import annotations

import numpy as np
import pytest

from upramp_widgets.overlay_pointers import OUTSIDE, OverlayPointers
from upramp_widgets.views.image_view import ImageView


def square(x, y, half=5.0):
    corners = half * np.array([-1.0, 1.0, 1.0, -1.0, -1.0])
    return x + corners, y + half * np.array([-1.0, -1.0, 1.0, 1.0, -1.0])


@pytest.fixture
def image():
    view = ImageView()
    view.show(np.zeros((100, 200), np.float32))
    return view


def arrows(image):
    layer = image.scene.layers[OUTSIDE]
    return {
        label: (line[1] - line[0]) / np.hypot(*(line[1] - line[0]))
        for label, line in zip(layer.labels, layer.lines, strict=True)
    }


def test_an_arrow_points_to_what_is_not_seen_and_to_nothing_else(image):
    pointers = OverlayPointers(image)
    pointers.follow({"seen": square(50, 50), "right": square(900, 49.5), "up": square(99.5, 700)})
    assert pointers.names == ("up", "right")
    found = arrows(image)
    assert found["right"] == pytest.approx([1, 0], abs=1e-6)
    assert found["up"] == pytest.approx([0, 1], abs=1e-6)
    for line in image.scene.layers[OUTSIDE].lines:
        assert (line[:, 0] > -0.5).all()
        assert (line[:, 0] < 199.5).all()
        assert (line[:, 1] > -0.5).all()
        assert (line[:, 1] < 99.5).all()


def test_arrows_follow_the_view(image):
    told = []
    pointers = OverlayPointers(image, lambda: told.append(pointers.text))
    pointers.follow({"one": square(50, 50), "two": square(900, 50)})
    image.center(900, 50, 60)
    assert pointers.names == ("one",)
    assert arrows(image)["one"] == pytest.approx([-1, 0], abs=1e-6)
    assert told[-1] == "one"
    count = len(told)
    image.center(901, 50, 60)  # the same lie outside
    assert len(told) == count
    image.xlim, image.ylim = (-100, 1000), (-500, 500)
    assert pointers.names == ()
    assert OUTSIDE not in image.scene.layers
    image.center(900, 50, 60)
    pointers.follow({})
    assert OUTSIDE not in image.scene.layers


def test_what_lies_in_one_direction_has_one_arrow(image):
    pointers = OverlayPointers(image)
    far = {f"far {n}": square(900 + 100 * n, 60 + 5 * n) for n in range(3)}
    pointers.follow({**far, "left": square(-400, 50), "nowhere": (np.full(5, np.nan),) * 2})
    assert set(arrows(image)) == {"left", "far 0 and 2 more"}
    assert pointers.names == ("left", "far 0", "far 1", "far 2")
    pointers.follow({f"far {n}": square(900 + 100 * n, 60) for n in range(11)})
    assert pointers.text.endswith("far 7 and 3 more")

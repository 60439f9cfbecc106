"""How near a drawn line comes to an outline."""

from __future__ import annotations

import numpy as np
import pytest

from upramp_widgets.core.sky_crossings import distance


def test_the_distance_is_that_of_the_nearest_of_many_points():
    rng = np.random.default_rng(4)
    at = np.linspace(0, 1, 400)
    met = 0
    for _ in range(60):
        start, end = rng.uniform(0, 10, (2, 2))
        x, y = rng.uniform(0, 10, (2, 3))
        found = distance(tuple(start), tuple(end), x, y)
        line = start + at[:, None] * (end - start)
        along = np.linspace(0, 2, 801)
        path = np.stack([np.interp(along, range(3), axis) for axis in (x, y)], axis=1)
        nearest = np.hypot(*(line[:, None] - path[None]).T).min()
        # Between the points that are looked at, it may be a little less.
        assert nearest - 0.05 < found <= nearest + 1e-12
        met += found == 0
    assert 10 < met < 50


@pytest.mark.parametrize(
    ("end", "x", "y", "expected"),
    [
        ((10.0, 0.0), [5.0], [3.0], 3.0),  # a point
        ((0.0, 0.0), [3.0, 3.0], [4.0, 4.0], 5.0),  # neither has a length
        ((10.0, 0.0), [2.0, 4.0], [1.0, 1.0], 1.0),  # parallel
        ((10.0, 0.0), [4.0, 12.0], [0.0, 0.0], 0.0),  # one on the other
        ((10.0, 0.0), [13.0, 20.0], [4.0, 4.0], 5.0),  # beyond its end
        ((10.0, 0.0), [5.0, np.nan, 5.0, 6.0], [1.0, np.nan, 7.0, 7.0], 7.0),
        ((10.0, 0.0), [np.nan], [np.nan], np.inf),
    ],
)
def test_distances(end, x, y, expected):
    assert distance((0.0, 0.0), end, np.array(x), np.array(y)) == expected

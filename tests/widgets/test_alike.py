"""Traits that two widgets have in common: told once, and together."""

from __future__ import annotations

import traitlets

from upramp_widgets.alike import keep_alike


class Placed(traitlets.HasTraits):
    x = traitlets.Int(-1)
    y = traitlets.Int(-1)
    xlim = traitlets.Tuple(default_value=(0.0, 1.0))
    ylim = traitlets.Tuple(default_value=(0.0, 1.0))
    cmap = traitlets.Unicode("gray")

    def place(self, x, y):
        with self.hold_trait_notifications():
            self.x, self.y = x, y


def both(names=("x", "y", "cmap")):
    first, second = Placed(cmap="viridis", x=3), Placed(y=7)
    keep_alike(first, second, names)
    return first, second


def test_the_first_is_right_at_the_beginning():
    first, second = both()
    assert (second.x, second.y, second.cmap) == (3, -1, "viridis")
    assert (first.x, first.y, first.cmap) == (3, -1, "viridis")


def test_each_follows_the_other():
    first, second = both()
    first.cmap = "magma"
    second.place(8, 9)
    assert second.cmap == "magma"
    assert (first.x, first.y) == (8, 9)


def test_nobody_hears_of_a_place_that_was_not_chosen():
    for chooser, listener in (both(), both()[::-1]):
        heard = []
        listener.observe(lambda _, at=listener, to=heard: to.append((at.x, at.y)), ["x", "y"])
        chooser.place(8, 9)
        assert set(heard) == {(8, 9)}


def test_what_is_not_named_is_left_alone():
    first, second = both(("x",))
    first.place(8, 9)
    first.xlim = (4.0, 5.0)
    assert (second.x, second.y, second.xlim) == (8, 7, (0.0, 1.0))


def test_two_that_are_no_numbers_do_not_echo():
    class Limited(traitlets.HasTraits):
        vmin = traitlets.Float(float("nan"))

    first, second = Limited(), Limited()
    keep_alike(first, second, ["vmin"])
    first.vmin = 3.0
    second.vmin = float("nan")
    assert first.vmin != first.vmin


def test_three_in_a_row():
    first, second, third = Placed(), Placed(), Placed()
    keep_alike(first, second, ("x", "y", "xlim", "ylim"))
    keep_alike(second, third, ("xlim", "ylim"))
    third.xlim = (4.0, 5.0)
    assert first.xlim == (4.0, 5.0)
    first.place(1, 2)
    assert (second.x, second.y, third.x) == (1, 2, -1)

"""What all pictures are drawn with: scales that show faint things in any unit."""

import numpy as np
import pytest

from upramp.errors import UsageError
from upramp.kernel.pictures import drawing


def drawn(values, **options):
    figure = drawing.figure(4, 4)
    axes = figure.add_subplot()
    image = drawing.stretched(axes, np.asarray(values, float), **options)
    figure.canvas.draw()
    return image, [float(tick) for tick in image.colorbar.get_ticks()], figure


@pytest.mark.parametrize("unit", [1.0, 1e-9, 1e7])
def test_a_scale_shows_faint_and_bright_things_in_any_unit(unit):
    rng = np.random.default_rng(2)
    sky = rng.normal(1, 0.1, (40, 40))
    sky[10:12, 10:12] = 500
    image, ticks, _ = drawn(sky * unit)
    low, high = image.get_clim()
    assert low == pytest.approx(unit * np.percentile(sky, 1), rel=1e-5)
    assert high == pytest.approx(unit * np.percentile(sky, 99.7), rel=1e-5)
    # Faint differences take a good part of the colours.
    assert image.norm(1.1 * unit) - image.norm(0.9 * unit) > 0.1
    assert len(ticks) >= 4
    assert all(low <= tick <= high for tick in ticks)


def test_ticks_have_no_more_digits_than_tell_them_apart():
    values = np.array([0.0, 0.123, 1.26, 9.7, 104.2])
    assert drawing._round_values(values) == [0.0, 0.1, 1.0, 10.0, 100.0]
    assert drawing._round_values(np.array([1.234, 1.241, 1.252])) == [1.234, 1.241, 1.25]
    # What is rounded beyond an end is left out.
    assert drawing._round_values(np.array([0.97, 1.96, 2.95])) == [1.0, 2.0]


@pytest.mark.parametrize("values", [np.full((3, 3), np.nan), np.zeros((3, 3)), [[5.0]]])
def test_what_has_no_range_is_drawn_all_the_same(values):
    _, _, figure = drawn(values)
    picture = drawing.picture_of(figure, "text", {"a": 1})
    assert picture._repr_png_().startswith(b"\x89PNG")
    assert repr(picture) == "text"


def test_large_images_are_thinned_and_keep_their_pixels_numbers():
    shown, extent = drawing.thinned(np.zeros((3000, 10)))
    assert shown.shape == (1000, 4)
    assert extent == (-0.5, 9.5, -0.5, 2999.5)


def test_there_must_be_a_file():
    with pytest.raises(UsageError, match="mosaic: there is none to draw"):
        drawing.first([], "mosaic")


def test_a_dollar_in_a_name_begins_no_formula_and_powers_are_still_powers():
    figure = drawing.figure(4, 4)
    axes = figure.add_subplot()
    axes.plot([1, 10], [1, 1e6], label="a$b_$c{d_rate.fits")
    axes.set(title="$\\frac{", yscale="log", xlabel="x$")
    axes.legend()
    figure.suptitle("one$ two$")
    assert drawing.picture_of(figure, "text").png.startswith(b"\x89PNG")
    powers = [label for label in axes.get_yticklabels() if "mathdefault" in label.get_text()]
    assert powers
    assert all(label.get_parse_math() for label in powers)
    assert not axes.title.get_parse_math()

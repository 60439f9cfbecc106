"""The image view in Chromium with no kernel: its page of its own, pixel for pixel."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from benchmarks._browser import colours_at, note_drawn, place_of

from upramp_widgets.core.colormaps import table
from upramp_widgets.core.stretch import STRETCHES, distribution, stretched
from upramp_widgets.views.image_view import ImageView

pytestmark = pytest.mark.browser

COVER = 200 / 255


@pytest.fixture
def shown(chromium, tmp_path):
    """Give a call that shows a view in a page."""
    context = chromium.new_context(
        viewport={"width": 1000, "height": 760}, service_workers="block", offline=True
    )
    context.set_default_timeout(20_000)
    complaints = []

    def show(view, name="view.html"):
        file = tmp_path / name
        file.write_text(view.to_html())
        page = context.new_page()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda line: line.type == "error" and complaints.append(line.text))
        page.add_init_script(
            "window.upDrawn = []; document.addEventListener('upramp-drawn',"
            " (event) => window.upDrawn.push(event.detail));"
        )
        page.goto(file.as_uri())
        page.wait_for_function("window.upDrawn.at(-1)?.tiles.length > 0")
        return page

    yield show
    context.close()
    assert complaints == []


def drawn_again(page, act):
    """Do something and wait until the view was drawn after it."""
    before = page.evaluate("window.upDrawn.length")
    act()
    page.wait_for_function(f"window.upDrawn.length > {before}")
    page.evaluate("new Promise(requestAnimationFrame)")


@pytest.mark.parametrize("cmap", ["gray", "viridis_r", "diverging"])
def test_colours_are_those_of_the_picture_s_code(shown, cmap):
    rng = np.random.default_rng(2)
    plane = rng.normal(0, 1, (24, 32)).cumsum(axis=1).astype(np.float32)
    view = ImageView(cmap=cmap)
    view.show(plane, limits=(-4, 4))
    page = shown(view)
    places = [(int(x), int(y)) for x, y in rng.integers((0, 0), (32, 24), (60, 2))]
    quantiles = distribution(plane).quantiles()
    colours = table(cmap).astype(int)
    for stretch in STRETCHES:
        if stretch != "linear":
            drawn_again(page, lambda s=stretch: page.get_by_label("Stretch").select_option(s))
        values = np.array([plane[y, x] for x, y in places])
        share = stretched(values, (-4, 4), stretch, quantiles)
        expected = colours[np.minimum(255, np.floor(share * 256)).astype(int)]
        found = np.array(colours_at(page, places))
        assert np.abs(found - expected).max() <= 6, stretch


def test_above_the_threshold_is_exactly_what_is_above_it(shown):
    rng = np.random.default_rng(3)
    sigma = np.abs(rng.normal(0, 4, (40, 40))).astype(np.float32)
    sigma[0, 0], sigma[0, 1] = 5.0, np.nextafter(np.float32(5), np.float32(9))
    sigma[1, 0] = np.nan
    view = ImageView(threshold=5.0, threshold_colour="#00ff00")
    view.show(np.zeros((40, 40)), limits=(0, 1))
    view.set_significance(sigma)
    page = shown(view)
    places = [(x, y) for y in range(40) for x in range(40)]
    slider = page.get_by_role("slider", name="threshold in sigma")
    for threshold in (5.0, 3.25, 8.4):
        if threshold != 5.0:
            drawn_again(page, lambda t=threshold: slider.fill(str(t)))
        green = np.array(colours_at(page, places))[:, 1].reshape(40, 40) > 120
        np.testing.assert_array_equal(green, np.nan_to_num(sigma) > threshold)


def test_one_flagged_pixel_of_4096_is_seen_and_can_be_hidden(shown):
    flags = np.zeros((4096, 4096), np.uint8)
    flags[3001, 1234] = 4
    view = ImageView()
    view.show(np.zeros((4096, 4096), np.uint16), limits=(0, 1))
    view.set_flags(flags, {"JUMP_DET": 4, "SATURATED": 2}, ["JUMP_DET", "SATURATED"])
    page = shown(view)

    def coloured():
        x, y = 1234, 3001
        near = [(x + dx, y + dy) for dx in range(-12, 13, 2) for dy in range(-12, 13, 2)]
        return [p for p, c in zip(near, colours_at(page, near), strict=True) if c[1] > c[0] + 40]

    found = coloured()
    assert found
    assert np.abs(np.mean(found, axis=0) - (1234, 3001)).max() < 8
    drawn_again(page, lambda: page.get_by_label("JUMP_DET").uncheck())
    assert coloured() == []
    drawn_again(page, lambda: page.get_by_label("JUMP_DET").check())
    assert coloured()


def test_the_wheel_zooms_about_the_cursor_and_a_drag_moves(shown):
    view = ImageView()
    view.show(np.arange(400 * 400.0).reshape(400, 400))
    page = shown(view)
    where = place_of(page, 300, 100)
    page.mouse.move(*where)
    for _ in range(5):
        page.mouse.wheel(0, -100)
    page.wait_for_function("window.upDrawn.at(-1).range.perDot < 0.35")
    page.wait_for_timeout(100)
    assert place_of(page, 300, 100) == pytest.approx(where, abs=1.5)
    page.mouse.down()
    page.mouse.move(where[0] - 90, where[1] + 60, steps=6)
    page.mouse.up()
    page.wait_for_timeout(100)
    assert place_of(page, 300, 100) == pytest.approx((where[0] - 90, where[1] + 60), abs=1.5)


def test_the_keyboard_moves_zooms_chooses_and_shows_its_list(shown):
    view = ImageView()
    view.show(np.zeros((400, 400)))
    page = shown(view)
    canvas = page.get_by_role("application")
    assert "400 by 400 pixels" in canvas.get_attribute("aria-label")
    canvas.focus()
    look = "(({ x, y }) => [...x, ...y])(window.upDrawn.at(-1).range)"
    whole = page.evaluate(look)

    def after(*keys):
        for key in keys:
            page.keyboard.press(key)
        page.wait_for_timeout(120)
        return page.evaluate(look)

    closer = after("+", "+")
    assert closer[1] - closer[0] < 0.7 * (whole[1] - whole[0])
    right = after("ArrowRight")
    assert right[0] > closer[0]
    assert after("a") == pytest.approx(closer, abs=1e-6)
    up = after("w")
    assert up[2] > closer[2]
    assert after("ArrowDown", "-", "-", "0") == pytest.approx(whole, abs=1e-6)
    after("Shift+ArrowRight")
    assert page.locator(".up-said").inner_text() == "pixel 201, 200"
    after("?")
    assert page.get_by_role("dialog", name="keys").is_visible()
    assert page.evaluate("document.activeElement.getAttribute('aria-label')") == "close"
    after("Escape")
    assert not page.get_by_role("dialog", name="keys").is_visible()


def test_the_handles_of_the_histogram_are_vmin_and_vmax(shown):
    view = ImageView()
    view.show(np.linspace(0, 100, 10_000).reshape(100, 100), limits=(20, 80))
    page = shown(view)
    lower = page.get_by_role("slider", name="lower limit of the colours")
    upper = page.get_by_role("slider", name="upper limit of the colours")
    box = lower.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 8)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 2 + 30, box["y"] + 8, steps=4)
    page.mouse.up()
    moved = float(lower.get_attribute("aria-valuenow"))
    assert 25 < moved < 60
    assert float(upper.get_attribute("aria-valuenow")) == 80
    # All below the lower limit is black now.
    assert colours_at(page, [(5, 2)]) == [[0, 0, 0]]
    upper.focus()
    page.keyboard.press("ArrowLeft")
    assert float(upper.get_attribute("aria-valuenow")) < 80
    # It cannot pass the lower one.
    for _ in range(40):
        page.keyboard.press("Shift+ArrowLeft")
    assert float(upper.get_attribute("aria-valuenow")) >= moved
    page.locator(".up-histogram").dblclick(position={"x": 100, "y": 30})
    assert float(lower.get_attribute("aria-valuenow")) == pytest.approx(0.5, abs=1)
    assert float(upper.get_attribute("aria-valuenow")) == pytest.approx(99.5, abs=1)


def test_frames_blink_ten_times_a_second(shown):
    view = ImageView()
    view.set_frames([np.full((20, 20), float(n)) for n in range(4)], limits=(0, 3))
    page = shown(view)
    assert page.get_by_role("slider", name="frame").is_visible()
    page.get_by_role("application").focus()
    drawn_again(page, lambda: page.keyboard.press("."))
    assert colours_at(page, [(5, 5)])[0][0] == pytest.approx(85, abs=3)
    page.keyboard.press("Shift+B")
    page.wait_for_timeout(1500)
    page.keyboard.press("Shift+B")
    frames = page.evaluate("window.upDrawn.map(({ at, frame }) => [at, frame])")
    changes = [b for a, b in itertools.pairwise(frames) if a[1] != b[1]]
    assert {frame for _, frame in changes} == {0, 1, 2, 3}
    assert len(changes) >= 8
    page.wait_for_timeout(200)
    still = page.evaluate("window.upDrawn.at(-1).frame")
    page.wait_for_timeout(400)
    assert page.evaluate("window.upDrawn.at(-1).frame") == still


def test_the_readout_tells_pixel_value_and_flags(shown):
    plane = np.zeros((50, 50))
    plane[20, 30] = 123.0
    flags = np.zeros((50, 50), np.uint8)
    flags[20, 30] = 6
    view = ImageView(unit="DN")
    view.show(plane)
    view.set_flags(flags, {"SATURATED": 2, "JUMP_DET": 4}, [])
    page = shown(view)
    page.mouse.move(*place_of(page, 30, 20))
    readout = page.locator(".up-readout")
    assert readout.locator(".up-place").inner_text().split() == ["x", "30", "y", "20"]
    value = readout.locator(".up-value").inner_text()
    assert float(value.removesuffix(" DN")) == pytest.approx(123, abs=0.5)
    assert readout.locator(".up-flags").inner_text() == "SATURATED · JUMP_DET"
    page.mouse.move(2, 2)
    assert readout.locator(".up-place").count() == 0


@pytest.mark.parametrize("ratio", [1, 2])
def test_the_canvas_is_as_fine_as_the_screen_and_follows_its_size(chromium, tmp_path, ratio):
    view = ImageView()
    view.show(np.zeros((64, 64)))
    (tmp_path / "view.html").write_text(view.to_html())
    context = chromium.new_context(
        viewport={"width": 900, "height": 700}, device_scale_factor=ratio
    )
    page = context.new_page()
    page.goto((tmp_path / "view.html").as_uri())
    page.locator("canvas.up-canvas").wait_for()
    size = """(({ width, height, clientWidth, clientHeight }) =>
        [width, height, clientWidth, clientHeight])(document.querySelector("canvas.up-canvas"))"""
    page.wait_for_timeout(200)
    width, height, across, down = page.evaluate(size)
    assert (width, height) == pytest.approx((across * ratio, down * ratio), abs=2)
    note_drawn(page)
    page.set_viewport_size({"width": 420, "height": 700})
    page.wait_for_function("window.upDrawn.length > 0")
    page.wait_for_timeout(200)
    smaller = page.evaluate(size)
    assert smaller[2] < across
    assert smaller[0] == pytest.approx(smaller[2] * ratio, abs=2)
    context.close()


def test_words_can_be_told_from_their_ground(chromium, tmp_path):
    view = ImageView(title="A title", status="a status", tools=("pan", "inspect", "brush"))
    view.show(np.zeros((64, 64)))
    view.set_significance(np.zeros((64, 64)))
    view.set_flags(np.zeros((64, 64), np.uint8), {"JUMP_DET": 4}, [])
    (tmp_path / "view.html").write_text(view.to_html())
    for scheme in ("light", "dark"):
        context = chromium.new_context(color_scheme=scheme)
        page = context.new_page()
        page.goto((tmp_path / "view.html").as_uri())
        page.locator("canvas.up-canvas").wait_for()
        assert page.evaluate(_CONTRASTS) == [], scheme
        context.close()


_CONTRASTS = """() => {
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const parse = (text) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = text;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const light = ([r, g, b]) => {
    const [x, y, z] = [r, g, b].map((v) => v / 255)
      .map((v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  const ground = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = parse(getComputedStyle(at).backgroundColor);
      if (colour[3] > 250) return colour;
    }
    return [255, 255, 255, 255];
  };
  const bad = [];
  for (const element of document.querySelectorAll(".upramp-image-view *")) {
    const own = [...element.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
    if (!own || !element.checkVisibility()) continue;
    const pair = [parse(getComputedStyle(element).color), ground(element)].map(light);
    const ratio = (Math.max(...pair) + 0.05) / (Math.min(...pair) + 0.05);
    if (ratio < 4.5) bad.push([element.outerHTML.slice(0, 80), ratio]);
  }
  return bad;
}"""

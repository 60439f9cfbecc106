"""The image view in JupyterLab in Chromium, with its kernel and with no network."""

from __future__ import annotations

import json
import os
import signal

import numpy as np
import pytest
from benchmarks._browser import Lab, colours_at, until

pytestmark = [pytest.mark.browser, pytest.mark.slow]

pytest.importorskip("jupyterlab", reason="the hub's packages are not installed")

SETUP = """
import numpy as np
from upramp_widgets.views.image_view import ImageView

clicks, strokes, actions = [], [], []
rng = np.random.default_rng(1)
plane = rng.normal(12, 3, (2048, 2048)).astype("f4")
mask = np.zeros((2048, 2048), bool)
sigma = np.zeros((2048, 2048), "f4")
sigma[1000:1010, 1000:1010] = 6

def paint(tool, points, radius, erase):
    strokes.append([tool, points, radius, erase])
    for x, y in points:
        if tool in ("brush", "eraser"):
            mask[int(y), int(x)] = not erase
    view.refresh_masks()

def show(**traits):
    made = ImageView(title="NRCA1", tools=("pan", "inspect", "brush", "eraser", "box"), **traits)
    made.show(plane)
    made.set_significance(sigma)
    made.set_mask("by hand", mask, "#00ff00")
    made.on_click(lambda x, y, held: clicks.append([x, y, held]))
    made.on_stroke(paint)
    made.on_action(actions.append)
    made.on_cursor(lambda x, y: f"RA {x:.0f}")
    return made

view = show()
"""


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    with Lab(tmp_path_factory.mktemp("lab")) as running:
        yield running


@pytest.fixture
def opened(lab, chromium, request):
    """Give a call that opens a notebook, runs its cells and waits for the picture."""
    notebooks = []
    contexts = []

    def open_notebook(*cells, wait=True, **options):
        name = f"{request.node.name.split('[')[0]}.ipynb"
        manager = lab.open(chromium, [SETUP, *(cells or ["view"])], name, **options)
        contexts.append(manager)
        notebook = manager.__enter__()
        notebooks.append(notebook)
        notebook.note()
        notebook.run()
        if wait:
            drawn(notebook, "image/base/0")
        return notebook

    yield open_notebook
    for notebook in notebooks:
        assert notebook.elsewhere == []
        assert notebook.complaints == []
    for manager in contexts:
        manager.__exit__(None, None, None)


def drawn(notebook, tile, patience=30_000):
    notebook.page.wait_for_function(
        "(tile) => window.upDrawn.at(-1)?.tiles.some((each) => each.startsWith(tile))",
        arg=tile,
        timeout=patience,
    )


def still(notebook):
    """Wait until nothing is drawn any more."""
    notebook.page.wait_for_function(
        "performance.now() - (window.upDrawn.at(-1)?.at ?? 0) > 350", timeout=20_000
    )


def zoom_to(notebook, x, y, width):
    notebook.do(f"view.center({x}, {y}, {width})")
    drawn(notebook, "image/sharp/0")
    still(notebook)


def green(notebook, places):
    return [bool(g > r + 60) for r, g, _ in colours_at(notebook.page, places)]


def test_a_view_is_drawn_and_a_click_reaches_the_kernel(opened):
    notebook = opened()
    zoom_to(notebook, 700, 300, 60)
    notebook.picture("image-view-light", notebook.page.locator(".upramp-image-view"))
    notebook.page.mouse.click(*notebook.at(703, 298))
    until(lambda: notebook.ask("clicks"))
    assert notebook.ask("clicks") == [[703, 298, {"shift": False, "ctrl": False, "alt": False}]]
    assert notebook.ask("[view.x, view.y]") == [703, 298]
    readout = notebook.page.locator(".up-readout")
    readout.locator(".up-text").filter(has_text="RA 703").wait_for()
    value = float(notebook.page.locator(".up-value").inner_text())
    assert value == pytest.approx(notebook.ask("float(plane[298, 703])"), rel=1e-5)
    # A wheel event over the picture does not scroll the notebook.
    before = notebook.page.evaluate("document.querySelector('.jp-WindowedPanel-outer').scrollTop")
    notebook.page.mouse.wheel(0, 400)
    still(notebook)
    after = notebook.page.evaluate("document.querySelector('.jp-WindowedPanel-outer').scrollTop")
    assert after == before
    assert notebook.ask("view.xlim[1] - view.xlim[0]") > 61


def test_stretch_and_threshold_need_no_kernel_and_moves_leave_no_hole(opened):
    notebook = opened()
    zoom_to(notebook, 1005, 1005, 40)
    pink = [255, 95, 210]
    assert np.abs(np.array(colours_at(notebook.page, [(1005, 1005)])[0]) - pink).max() < 70
    kernel = notebook.ask("__import__('os').getpid()")
    os.kill(kernel, signal.SIGSTOP)
    try:
        stretch_threshold_and_move(notebook)
    finally:
        os.kill(kernel, signal.SIGCONT)
    until(lambda: notebook.ask("view.threshold") == 7)
    drawn(notebook, "image/sharp/0")
    notebook.page.locator(".up-status", has_text="waiting").wait_for(state="detached")


def stretch_threshold_and_move(notebook):
    slider = notebook.page.get_by_role("slider", name="threshold in sigma")
    slider.fill("7")
    notebook.page.wait_for_timeout(150)
    gray = colours_at(notebook.page, [(1005, 1005)])[0]
    assert max(gray) - min(gray) < 12
    notebook.page.get_by_label("Colours", exact=True).select_option("viridis")
    notebook.page.wait_for_timeout(150)
    r, g, b = colours_at(notebook.page, [(1015, 1003)])[0]
    assert max(r, g, b) - min(r, g, b) > 30
    # Far away there is no sharp tile, but the whole detector is here in coarse cells.
    where = notebook.at(1005, 1005)
    notebook.page.mouse.move(*where)
    notebook.page.mouse.down()
    notebook.page.mouse.move(where[0] - 200, where[1], steps=5)
    notebook.page.mouse.up()
    notebook.page.wait_for_timeout(150)
    last = notebook.drawn()[-1]
    middle = [sum(last["range"]["x"]) / 2, sum(last["range"]["y"]) / 2]
    assert middle[0] > 1010
    outside = notebook.page.evaluate(
        "getComputedStyle(document.querySelector('.upramp-image-view')).backgroundColor"
    )
    right = [(last["range"]["x"][1] - 2, middle[1] + d) for d in (-6, 0, 6)]
    for colour in colours_at(notebook.page, right):
        assert f"rgb({colour[0]}, {colour[1]}, {colour[2]})" != outside
        assert max(colour) - min(colour) > 25  # viridis, and not the gray of no data
    notebook.page.locator(".up-status", has_text="waiting for the kernel").wait_for()


def test_a_stroke_is_drawn_at_once_and_painted_by_the_kernel(opened):
    notebook = opened()
    zoom_to(notebook, 500, 500, 40)
    notebook.do("view.tool = 'brush'; view.brush = 0")
    notebook.page.locator("[data-tool=brush][aria-pressed=true]").wait_for()
    mouse = notebook.page.mouse
    mouse.move(*notebook.at(495, 500))
    mouse.down()
    mouse.move(*notebook.at(500, 500), steps=2)
    mouse.move(*notebook.at(505, 505), steps=3)
    notebook.page.wait_for_timeout(60)
    path = [(495 + n, 500) for n in range(6)] + [(500 + n, 500 + n) for n in range(1, 6)]
    assert all(green(notebook, path))
    assert notebook.ask("strokes") == []
    mouse.up()
    until(lambda: notebook.ask("strokes"))
    assert notebook.ask("strokes") == [["brush", [[x, y] for x, y in path], 0, False]]
    mouse.move(*notebook.at(510, 490))
    still(notebook)
    assert all(green(notebook, path))  # now out of the kernel's mask
    assert not any(green(notebook, [(505, 500), (495, 505)]))
    # The right button takes away, and opens no menu.
    mouse.move(*notebook.at(495, 500))
    mouse.down(button="right")
    mouse.move(*notebook.at(498, 500), steps=3)
    mouse.up(button="right")
    until(lambda: len(notebook.ask("strokes")) == 2)
    assert notebook.ask("strokes")[1][3] is True
    mouse.move(*notebook.at(510, 490))
    still(notebook)
    assert green(notebook, path[:4]) == [False] * 4
    assert all(green(notebook, path[4:]))
    assert notebook.page.locator(".lm-Menu").count() == 0
    # A box comes as two corners.
    notebook.page.get_by_role("button", name="Box").click()
    mouse.move(*notebook.at(490, 490))
    mouse.down()
    mouse.move(*notebook.at(510, 500), steps=3)
    mouse.up()
    until(lambda: len(notebook.ask("strokes")) == 3)
    tool, points, _, erase = notebook.ask("strokes")[2]
    assert (tool, erase) == ("box", False)
    assert np.round(points).tolist() == [[490, 490], [510, 500]]


def test_keys_are_the_view_s_and_not_the_notebook_s(opened):
    notebook = opened()
    cells = "window.jupyterapp.shell.currentWidget.content.widgets.length"
    before = notebook.page.evaluate(cells)
    notebook.page.locator("canvas.up-canvas").focus()
    for key in ("a", "b", "d", "d", "x", "Control+z", "Control+y", ".", ",", "]", "["):
        notebook.page.keyboard.press(key)
    until(lambda: len(notebook.ask("actions")) >= 5)
    assert notebook.ask("actions") == ["blink", "undo", "redo", "next", "previous"]
    assert notebook.page.evaluate(cells) == before
    notebook.page.keyboard.press("]")
    until(lambda: notebook.ask("view.brush") == 2)
    notebook.page.keyboard.press("3")
    until(lambda: notebook.ask("view.tool") == "brush")


def test_groups_are_stepped_through_and_seen_sharp(opened):
    cell = (
        "view.set_frames([np.full((2048, 2048), float(n)) for n in range(4)], "
        "labels=['a', 'b', 'c', 'd'], limits=(0, 3)); view"
    )
    notebook = opened(cell)
    zoom_to(notebook, 50, 50, 30)
    notebook.page.locator("canvas.up-canvas").focus()
    for frame in (1, 2, 3, 0):
        notebook.page.keyboard.press(".")
        drawn(notebook, f"image/sharp/{frame}/")
        level = colours_at(notebook.page, [(50, 50)])[0][0]
        assert level == pytest.approx(frame * 85, abs=3)
        until(lambda f=frame: notebook.ask("view.frame") == f)
    notebook.do("view.frame = 2")
    drawn(notebook, "image/sharp/2/")
    assert notebook.page.locator(".up-frame").inner_text() == "c"


def test_many_changes_in_a_row_cost_few_answers(opened):
    notebook = opened()
    still(notebook)
    received = notebook.received
    notebook.do("for n in range(60): view.show(plane + n)")
    until(lambda: notebook.drawn()[-1]["tiles"][0].split("/")[3] == str(61))
    still(notebook)
    notebook.page.wait_for_timeout(100)
    tile = 2 * 683 * 683
    assert notebook.received - received < 12 * tile


def test_two_views_of_one_model_show_the_same(opened):
    notebook = opened("view.height = 300; view", "view")
    views = notebook.page.locator(".upramp-image-view")
    until(lambda: views.count() == 2)
    still(notebook)
    second = views.nth(1).locator("canvas.up-canvas")
    second.scroll_into_view_if_needed()
    box = second.bounding_box()
    notebook.page.mouse.move(box["x"] + 150, box["y"] + 100)
    for _ in range(8):
        notebook.page.mouse.wheel(0, -100)
    until(lambda: notebook.ask("view.xlim[1] - view.xlim[0]") < 1200)
    still(notebook)
    ranges = notebook.page.evaluate(
        "window.upDrawn.slice(-2).map(({ range }) => range.x.map((end) => Math.round(end)))"
    )
    assert ranges[0] == ranges[1]
    box = second.bounding_box()
    notebook.page.mouse.click(box["x"] + 150, box["y"] + 100)
    until(lambda: notebook.ask("clicks"))
    assert len(notebook.ask("clicks")) == 1


def test_a_page_that_is_loaded_again_shows_the_view_of_the_living_kernel(opened):
    notebook = opened()
    notebook.do("view.title = 'changed since'; view.center(300, 300, 50); view.click(301, 302)")
    still(notebook)
    notebook.reload()
    notebook.note()
    drawn(notebook, "image/sharp/0")
    still(notebook)
    assert notebook.page.locator(".up-title").first.inner_text() == "changed since"
    notebook.page.mouse.click(*notebook.at(305, 300))
    until(lambda: notebook.ask("[view.x, view.y]") == [305, 300])


def test_a_lost_connection_is_told_and_made_up_for(opened, lab):
    notebook = opened()
    zoom_to(notebook, 300, 300, 50)
    before = colours_at(notebook.page, [(300, 300)])
    banner = notebook.page.locator(".up-banner")
    with lab.stopped():
        # What the lab itself does when its socket has closed.
        notebook.page.evaluate(
            "void window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.reconnect()"
        )
        banner.filter(has_text="The connection to the kernel is lost").wait_for()
        notebook.picture("image-view-lost", notebook.page.locator(".upramp-image-view"))
        assert colours_at(notebook.page, [(300, 300)]) == before
    banner.wait_for(state="hidden")
    notebook.do("view.center(900, 900, 50)")
    until(lambda: 890 < sum(notebook.drawn()[-1]["range"]["x"]) / 2 < 910)
    still(notebook)
    drawn(notebook, "image/sharp/0")
    notebook.complaints.clear()  # that the connection was lost is said there, too


def test_a_kernel_that_was_restarted_is_told_and_the_picture_stays(opened):
    notebook = opened()
    zoom_to(notebook, 300, 300, 50)
    before = colours_at(notebook.page, [(300, 300)])
    notebook.page.evaluate(
        "window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.restart()"
    )
    banner = notebook.page.locator(".up-banner")
    banner.filter(has_text="The kernel was restarted").wait_for()
    notebook.picture("image-view-restarted", notebook.page.locator(".upramp-image-view"))
    assert colours_at(notebook.page, [(300, 300)]) == before
    notebook.complaints.clear()
    notebook.page.wait_for_function(
        "window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.status === 'idle'"
    )
    notebook.run()
    until(lambda: notebook.page.locator(".up-banner").is_hidden())
    drawn(notebook, "image/base/0")


def test_the_theme_of_the_lab_is_the_view_s(opened):
    notebook = opened()
    ground = "getComputedStyle(document.querySelector('.upramp-image-view')).backgroundColor"
    axis = [(-20, -20)]
    light = notebook.page.evaluate(ground)
    assert light == "rgb(255, 255, 255)"
    notebook.do("view.center(0, 0, 100)")
    still(notebook)
    outside = colours_at(notebook.page, axis)[0]
    change = "(theme) => window.jupyterapp.commands.execute('apputils:change-theme', { theme })"
    notebook.page.evaluate(change, "JupyterLab Dark")
    until(lambda: notebook.page.evaluate(ground) != light)
    until(lambda: sum(colours_at(notebook.page, axis)[0]) < sum(outside) / 2)
    notebook.picture("image-view-dark", notebook.page.locator(".upramp-image-view"))
    notebook.page.evaluate(change, "JupyterLab Light")
    until(lambda: notebook.page.evaluate(ground) == light)


def test_planes_at_the_edges_are_drawn(opened):
    cells = [
        "a = ImageView(height=200); a.show(np.full((64, 64), np.nan)); a",
        "b = ImageView(height=200); b.show(np.zeros((1, 1))); b",
        "c = ImageView(height=200); c.show(np.zeros((4096, 4096), 'u2')); c",
        "d = ImageView(height=200); d",
        "e = ImageView(height=200); e.show(np.full((3, 2000), 7, '>i2')); e",
    ]
    notebook = opened(*cells, wait=False)
    views = notebook.page.locator(".upramp-image-view")
    until(lambda: views.count() == 5)
    still(notebook)
    tiles = [each["tiles"] for each in notebook.drawn()]
    assert sum(any("image/base" in tile for tile in each) for each in tiles) >= 4
    assert views.nth(3).locator(".up-empty").inner_text() == "Nothing to show yet"
    for name in "abce":
        assert notebook.ask(f"{name}.status") == ""


def test_a_notebook_that_is_saved_holds_the_picture_and_no_arrays(opened, lab):
    notebook = opened()
    notebook.do("view.title = 'as it is now'")
    notebook.page.evaluate(
        "window.jupyterapp.shell.currentWidget.content.activeCellIndex = 0;"
        "window.jupyterapp.commands.execute('notebook:run-cell')"
    )
    notebook.save()
    file = lab.root / f"{notebook.name}"
    stored = until(lambda: json.loads(file.read_text())["cells"][1]["outputs"])
    data = stored[0]["data"]
    assert {"image/png", "text/plain", "application/vnd.jupyter.widget-view+json"} <= set(data)
    assert len(file.read_text()) < 400_000

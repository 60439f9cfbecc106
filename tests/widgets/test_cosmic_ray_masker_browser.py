"""CosmicRayMasker in JupyterLab with no network: the round trip by keyboard and mouse."""

from __future__ import annotations

import pytest
from benchmarks._browser import Lab, colours_at, until

NIRCAM = "jw99001001001_02101_00001_nrcalong"
CANVAS = ".upramp-image-view canvas.up-canvas"
pytestmark = [pytest.mark.browser, pytest.mark.slow]

for package in ("jupyterlab", "ipykernel"):
    pytest.importorskip(package, reason="the hub's packages are not installed")

FIND = """
import json, numpy as np, upramp
from upramp.dq import GROUP
def find():
    '''A pixel with no flag and one with a jump, apart from others, in the middle of the image.'''
    flags, rate = w.flags()[0], w.engine.slopes
    any_flag = np.bitwise_or.reduce(flags)
    rows = slice(280, 360)
    around = np.zeros(any_flag.shape, int)
    for dy in (-2, -1, 0, 1, 2):
        for dx in (-2, -1, 0, 1, 2):
            around += np.roll(any_flag != 0, (dy, dx), (0, 1))
    quiet = (around == 0) & np.isfinite(rate)
    hit = (around == 1) & (any_flag == GROUP["JUMP_DET"])
    apart = [np.argwhere(each[rows, rows])[0][::-1] + 280 for each in (quiet, hit)]
    return [at.tolist() for at in apart]
"""
"""Truth of the kernel about what is on the screen."""


@pytest.fixture(scope="module")
def lab(tmp_path_factory, practice_archive):
    folder = tmp_path_factory.mktemp("lab")
    crds = str(practice_archive / "crds")
    with Lab(folder, CRDS_PATH=crds, CRDS_CONTEXT="jwst_0001.pmap") as running:
        yield running


@pytest.fixture
def notebook(lab, chromium, practice_archive):
    path = practice_archive / "uncal" / f"{NIRCAM}_uncal.fits"
    cells = [
        "from upramp_widgets import CosmicRayMasker",
        f"path = {str(path)!r}\nw = CosmicRayMasker(path)\nw",
    ]
    with lab.open(chromium, cells, width=1400, height=1150) as opened:
        opened.run()
        opened.page.locator(CANVAS).first.wait_for()
        opened.note()
        yield opened
        assert opened.elsewhere == []
        assert opened.complaints == []


def kind(colour):
    """Say which layer a colour on the screen is of."""
    red, green, blue = colour
    if green > red + 60 and blue > red + 60:
        return "set"
    if red > green + 60 and blue > green + 60:
        return "automatic"
    return "cleared" if blue > red + 60 else "none"


def shows(notebook, place, expected):
    until(lambda: kind(colours_at(notebook.page, [place])[0]) == expected)


def button(notebook, tool):
    notebook.page.locator(f".upramp-image-view [data-tool={tool}]").first.click()


def press(notebook, place):
    notebook.page.mouse.click(*notebook.at(*place))


def test_lower_paint_erase_undo_redo_save_and_calibrate(notebook, tmp_path):
    page = notebook.page
    assert notebook.ask("w.wait(120)")
    notebook.do(FIND)
    before = notebook.ask("w.counts()['JUMP_DET']['automatic']")
    slider = page.get_by_role("slider", name="threshold in sigma")
    slider.focus()
    for _ in range(3):
        slider.press("ArrowLeft")
    until(lambda: notebook.ask("w.threshold") < 3.5)
    assert notebook.ask("w.wait(60)")
    assert notebook.ask("w.counts()['JUMP_DET']['automatic']") > before
    page.get_by_text("jumps above").first.wait_for()

    quiet, hit = notebook.ask("find()")
    middle = [(a + b) / 2 for a, b in zip(quiet, hit, strict=True)]
    width = 2.6 * max(12, *(abs(a - b) for a, b in zip(quiet, hit, strict=True)))
    notebook.do(f"w.image.center({middle[0]}, {middle[1]}, {width})")
    page.locator(CANVAS).first.scroll_into_view_if_needed()
    shows(notebook, hit, "automatic")
    shows(notebook, quiet, "none")

    button(notebook, "brush")
    page.keyboard.press("[")  # from three pixels across to one
    press(notebook, quiet)
    shows(notebook, quiet, "set")
    button(notebook, "eraser")
    press(notebook, hit)
    shows(notebook, hit, "cleared")
    page.get_by_text("erase brush").first.wait_for()
    notebook.picture("cosmic_ray_masker")
    page.keyboard.press("Control+z")
    shows(notebook, hit, "automatic")
    page.keyboard.press("Control+z")
    shows(notebook, quiet, "none")
    page.keyboard.press("Control+y")
    shows(notebook, quiet, "set")
    page.keyboard.press("Control+y")
    shows(notebook, hit, "cleared")
    counts = notebook.ask("w.counts()['JUMP_DET']")
    assert (counts["set_by_hand"], counts["cleared_by_hand"]) == (1, 1)

    mask = str(tmp_path / "mask.fits")
    notebook.do(
        f"w.save({mask!r})\n"
        f"masked = upramp.calibrate(path, mask={mask!r}, save_ramp=True)\n"
        "plain = upramp.calibrate(path, overrides={'jump.rejection_threshold': w.threshold})\n"
        "same = bool((masked.ramp.groupdq == w.flags()).all())\n"
        "a, b = masked.rate.data, plain.rate.data\n"
        "differ = np.argwhere((a != b) & ~(np.isnan(a) & np.isnan(b)))[:, ::-1].tolist()\n"
        "shown = bool(np.array_equal(w.engine.slopes, a, equal_nan=True))"
    )
    assert notebook.ask("same")
    assert sorted(notebook.ask("differ")) == sorted([quiet, hit])
    assert notebook.ask("w.wait(60)")
    assert notebook.ask("shown")


def test_the_browser_marks_by_itself_while_the_kernel_is_at_work(notebook):
    page = notebook.page
    assert notebook.ask("w.wait(120)")
    notebook.do("w._worker.ask = lambda _: None; w.engine.preview = lambda *_: None")
    found = notebook.ask(
        "[[int(at) for at in place[::-1]] for place in __import__('numpy').argwhere("
        "(w.engine.significance[0] > 2.9) & (w.engine.significance[0] < 3.4)"
        " & (w.engine.layers.plane == 0))[:1]]"
    )[0]
    notebook.do(f"w.image.center({found[0]}, {found[1]}, 30)")
    shows(notebook, found, "none")
    slider = page.get_by_role("slider", name="threshold in sigma")
    slider.focus()
    for _ in range(5):
        slider.press("ArrowLeft")
    # The pale colour of what would be found.
    until(lambda: colours_at(page, [found])[0][0] > 150)
    red, green, blue = colours_at(page, [found])[0]
    assert red > green + 30
    assert blue > green + 30


def test_other_tools_a_group_and_a_comparison(notebook):
    page = notebook.page
    assert notebook.ask("w.wait(120)")
    page.get_by_role("radio", name="difference").or_(
        page.get_by_role("button", name="difference")
    ).first.click()
    until(lambda: notebook.ask("w.plane") == "difference")
    notebook.do("w.group = 4; w.image.center(320, 320, 60)")
    page.get_by_text("group 5 of 10").wait_for()
    page.locator(CANVAS).first.scroll_into_view_if_needed()
    until(lambda: abs(notebook.drawn()[-1]["range"]["x"][0] - 290) < 1)

    def drag(tool, start, end):
        button(notebook, tool)
        page.mouse.move(*notebook.at(*start))
        page.mouse.down()
        page.mouse.move(*notebook.at(*end), steps=6)
        page.mouse.up()

    drag("box", (300, 330), (306, 336))
    shows(notebook, (303, 333), "set")
    drag("snowball", (330, 320), (338, 320))
    shows(notebook, (330, 320), "set")
    shows(notebook, (336, 320), "set")
    button(notebook, "polygon")
    for corner in ((310, 305), (320, 305), (315, 312)):
        press(notebook, corner)
    page.keyboard.press("Enter")
    shows(notebook, (315, 307), "set")
    core, ring, group = notebook.ask(
        "[int(w.flags()[0, 4, 320, x]) for x in (330, 336)] + [int(w.flags()[0, 3, 333, 303])]"
    )
    assert core & 2
    assert ring & 4
    assert not group & 4
    page.keyboard.press(",")
    until(lambda: notebook.ask("w.group") == 3)
    shows(notebook, (303, 333), "none")
    page.get_by_role("button", name="Compare").click()
    until(lambda: page.locator(CANVAS).count() == 3)
    page.get_by_text("Rate without the mask").wait_for()
    page.get_by_text("With the mask less without").wait_for()
    notebook.picture("cosmic_ray_masker_compared")
    page.get_by_role("button", name="Compare").click()
    until(lambda: page.locator(CANVAS).count() == 1)


def test_a_page_that_is_loaded_again_shows_the_same(notebook):
    page = notebook.page
    assert notebook.ask("w.wait(120)")
    notebook.do("w.image.center(320, 320, 60); w.circle(320, 320, 4, groups=3); w.tool = 'eraser'")
    shows(notebook, (320, 322), "set")
    notebook.reload()
    page.locator(CANVAS).first.wait_for()
    notebook.note()
    notebook.do("w.image.refresh_masks()")
    until(notebook.drawn)
    shows(notebook, (320, 322), "set")
    press(notebook, (320, 322))
    until(lambda: kind(colours_at(page, [(320, 322)])[0]) != "set")
    page.keyboard.press("Control+z")
    shows(notebook, (320, 322), "set")
